//! Working groups of the society's own: names for some societies, to whom information is addressed.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRngCore;
use tutti_core::{limits::LIST_MAX, roster::is_group_name, society::Society};
use tutti_proto::v1::{LocalGroup, local_record::Event};

use super::{Actor, Local, PeopleError};

/// Groups at once.
const GROUPS_MAX: usize = 200;

impl Local {
    /// Every group, by name.
    pub fn groups(&self) -> &BTreeMap<String, BTreeSet<Society>> {
        &self.state.groups
    }

    /// Makes a group, or puts others in it; with nobody in it, it is no more.
    pub fn set_group(
        &mut self,
        by: &Actor,
        name: &str,
        members: &BTreeSet<Society>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), PeopleError> {
        if !is_group_name(name) {
            return Err(PeopleError::Wrong(
                "the name of a group has 1 to 64 small letters, digits and hyphens".into(),
            ));
        }
        let known = self.state.groups.contains_key(name);
        if members.is_empty() && !known {
            return Err(PeopleError::Unknown(format!("group {name:?}")));
        }
        if members.len() > LIST_MAX || (!known && self.state.groups.len() >= GROUPS_MAX) {
            return Err(PeopleError::Wrong(format!(
                "a group has at most {LIST_MAX} members, and there are at most {GROUPS_MAX} groups"
            )));
        }
        let members = members.iter().map(Society::to_string).collect();
        let group = LocalGroup { name: name.into(), members, by: by.pseudonym().into() };
        Ok(self.write(vec![Event::Group(group)], now_ms, rng)?)
    }
}
