//! Information shares: from what an editor wants to the entries for it.
//!
//! What is addressed has its free text in the content. A share for more societies than one entry has
//! tags goes out in several entries with one event id, each sealed to some of them: all are written,
//! or nothing is.

use std::{collections::BTreeSet, sync::Arc};

use rand_core::CryptoRngCore;
use tutti_core::{
    entry::Visibility,
    information::{self, Command, InformationId, Readers, Share},
    limits::TAGS_MAX,
    roster::Status,
    society::Society,
    store::Store,
};
use tutti_proto::v1;

use super::{Engine, Group, Prepared, Refused, Write, draft::Draft};
use crate::local::Actor;

/// An event of a share, and who may read it.
struct Told {
    id: InformationId,
    event_id: [u8; 16],
    visibility: Visibility,
    /// Where it is addressed: for whom the share is, its author among them.
    circle: Vec<Society>,
    event: v1::InformationEvent,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// The entries that a write on a share leads to; the first bears its key. `by`: who, and who has
    /// approved.
    pub(super) fn inform(
        &mut self,
        by: (&Actor, &str),
        write: Write,
        group: &Group,
        now_ms: u64,
    ) -> Result<Vec<Prepared>, Refused> {
        let told = match write {
            Write::Publish { key, readers, version, supersedes } => {
                self.publish(key, &readers, *version, supersedes, group)?
            }
            Write::Inform { key, id, mut command, version } => {
                let share = self.share_as_left(&id, group);
                // The working group that it was addressed to stays its reader.
                if let (Command::Revise(revised), Some(share)) = (&mut command, &share) {
                    revised.group = self.version_of(share, now_ms)?.0.group;
                }
                let event = self.decide_on(share.as_deref(), key, command, version, None)?;
                let share = share.ok_or(information::Refusal::NotFound)?;
                vec![told_of(&share, key, event)]
            }
            Write::Send { .. }
            | Write::Advance { .. }
            | Write::Attach { .. }
            | Write::PassOn { .. } => {
                return Err(Refused::Internal("no share is written".into()));
            }
        };
        let mut prepared = Vec::new();
        for told in told {
            for (event_id, draft) in self.spread(told)? {
                let after = (group.prepared.len() + prepared.len()) as u64;
                prepared.push(self.seal(by, event_id, draft, after, now_ms)?);
            }
        }
        Ok(prepared)
    }

    /// A share as the writes before this one in the group leave it.
    fn share_as_left(&self, id: &InformationId, group: &Group) -> Option<Arc<Share>> {
        let in_group: Vec<_> =
            group.prepared.iter().filter_map(|prepared| prepared.share_event(id)).collect();
        if in_group.is_empty() {
            return self.share_as_told(id);
        }
        let before = self.told_share(id).outcomes().to_vec();
        let events = before.into_iter().map(|outcome| outcome.event).chain(in_group);
        information::tell(*id, events).share
    }

    fn decide_on(
        &self,
        share: Option<&Share>,
        event_id: [u8; 16],
        command: Command,
        version: u32,
        supersedes: Option<&Share>,
    ) -> Result<v1::InformationEvent, Refused> {
        let origin = &self.identity.origin;
        let context = information::Context { origin, event_id, version, supersedes };
        Ok(information::decide(share, command, &context)?)
    }

    fn publish(
        &mut self,
        key: [u8; 16],
        readers: &Readers,
        version: v1::InformationVersion,
        supersedes: Option<InformationId>,
        group: &Group,
    ) -> Result<Vec<Told>, Refused> {
        let parties = self.readers(readers)?;
        let id = InformationId::of(&self.identity.origin, &key);
        let mut second = [0; 16];
        self.rng.fill_bytes(&mut second);
        let old = match supersedes {
            Some(old) => {
                let old = self.share_as_left(&old, group);
                Some(old.ok_or(information::Refusal::NotFound)?)
            }
            None => None,
        };
        let version = Box::new(v1::InformationVersion { group: readers.group.clone(), ..version });
        let visibility = readers.visibility;
        let circle = [parties.as_slice(), &[self.identity.society]].concat();
        let command = Command::Publish { visibility, parties, version };
        let event = self.decide_on(None, key, command, 0, old.as_deref())?;
        let mut told = vec![Told { id, event_id: key, visibility, circle, event }];
        if let Some(old) = old {
            let event = self.decide_on(Some(&old), second, Command::Supersede(id), 0, None)?;
            told.push(told_of(&old, second, event));
        }
        Ok(told)
    }

    /// To whom a share is addressed: those that are named and those in the working group, but this
    /// society itself.
    fn readers(&self, readers: &Readers) -> Result<Vec<Society>, Refused> {
        let mut parties: BTreeSet<Society> = readers.addressees.iter().copied().collect();
        if !readers.group.is_empty() {
            parties.extend(self.group_named(&readers.group)?);
        }
        parties.remove(&self.identity.society);
        let cannot: Vec<&str> = parties
            .iter()
            .filter(|society| !self.can_receive(**society))
            .map(Society::as_str)
            .collect();
        if !cannot.is_empty() {
            return Err(Refused::Invalid(format!(
                "addressees: nothing can be addressed to {}; nothing was written. Societies that \
                 can receive: {}",
                cannot.join(", "),
                self.receivers().join(", ")
            )));
        }
        Ok(parties.into_iter().collect())
    }

    /// One draft, or one for as many addressees as an entry has tags.
    fn spread(&self, told: Told) -> Result<Vec<([u8; 16], Draft)>, Refused> {
        let Told { id, event_id, visibility, circle, mut event } = told;
        let sealed = visibility == Visibility::Addressed;
        let content = sealed.then(|| information::split(&mut event));
        let draft = |addressees: &[Society]| Draft {
            id: *id.as_bytes(),
            visibility,
            addressees: addressees.to_vec(),
            event: v1::record::Event::Information(event.clone()),
            content: content.clone(),
        };
        if !sealed {
            return Ok(vec![(event_id, draft(&[]))]);
        }
        // Who has left for good gets nothing more; who is away gets it later.
        let stays = |society: &&Society| {
            let member = self.roster.member(**society);
            **society != self.identity.society
                && member.is_some_and(|member| member.status != Status::Removed)
        };
        let left: Vec<Society> = circle.iter().filter(stays).copied().collect();
        if left.is_empty() {
            return Err(Refused::State(
                "no other society that the share is for is in the federation any more; nothing was \
                 written"
                    .into(),
            ));
        }
        Ok(left.chunks(TAGS_MAX).map(|some| (event_id, draft(some))).collect())
    }
}

/// An event on a share that is there: for those that the share is for.
fn told_of(share: &Share, event_id: [u8; 16], event: v1::InformationEvent) -> Told {
    let circle = share.parties.iter().copied().chain([share.society]).collect();
    Told { id: share.id, event_id, visibility: share.visibility, circle, event }
}
