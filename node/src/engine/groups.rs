//! Working groups: those of the roster, and this society's own. A name of the roster's goes first.

use std::collections::BTreeSet;

use rand_core::CryptoRngCore;
use tutti_core::{people::Action, society::Society, store::Store};
use tutti_proto::node::v1 as api;

use super::{Engine, Refused};
use crate::local::Actor;

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Who is in a group.
    pub(super) fn group_named(&self, name: &str) -> Result<Vec<Society>, Refused> {
        let of_roster = self.roster.groups().iter().find(|group| group.name == name);
        if let Some(group) = of_roster {
            return Ok(group.members.clone());
        }
        let own = self.local.groups().get(name);
        own.map(|members| members.iter().copied().collect()).ok_or_else(|| {
            Refused::Invalid(
                "group: there is no working group of that name; nothing was written. See `tutti \
                 group list`"
                    .into(),
            )
        })
    }

    /// Every group.
    pub fn groups(&self, actor: &Actor) -> Result<api::ListGroupsResponse, Refused> {
        self.check(actor, Action::ReadAddressed)?;
        let group = |name: &str, members: Vec<String>, of_the_federation| api::Group {
            name: name.into(),
            members,
            of_the_federation,
        };
        let codes = |society: &Society| society.to_string();
        let of_roster = self
            .roster
            .groups()
            .iter()
            .map(|known| group(&known.name, known.members.iter().map(codes).collect(), true));
        let own = self
            .local
            .groups()
            .iter()
            .map(|(name, members)| group(name, members.iter().map(codes).collect(), false));
        Ok(api::ListGroupsResponse { groups: of_roster.chain(own).collect() })
    }

    /// Makes a group of this society's own, changes or ends it.
    pub fn set_group(
        &mut self,
        actor: &Actor,
        request: &api::Group,
        now_ms: u64,
    ) -> Result<api::Group, Refused> {
        self.check(actor, Action::ReadAddressed)?;
        self.check(actor, Action::WriteInformation)?;
        if self.roster.groups().iter().any(|group| group.name == request.name) {
            return Err(Refused::State(
                "the federation has a working group of that name, which changes with the roster \
                 alone; nothing was changed. Take another name"
                    .into(),
            ));
        }
        let parsed: Result<BTreeSet<Society>, _> =
            request.members.iter().map(|code| code.parse::<Society>()).collect();
        let members = parsed
            .map_err(|error| Refused::Invalid(format!("members: {error}; nothing was changed")))?;
        let strangers: Vec<&str> = members
            .iter()
            .filter(|society| self.roster.member(**society).is_none())
            .map(Society::as_str)
            .collect();
        if !strangers.is_empty() {
            return Err(Refused::Invalid(format!(
                "members: {} is not in the federation; nothing was changed",
                strangers.join(", ")
            )));
        }
        let set = self.local.set_group(actor, &request.name, &members, now_ms, &mut self.rng);
        set.map_err(|error| self.local_failed(error))?;
        Ok(api::Group { of_the_federation: false, ..request.clone() })
    }
}
