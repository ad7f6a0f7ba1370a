//! Contents that belong to no case: what sent the referral never came, or their own record cannot be
//! read. Nobody is shown one, nothing says how long it may be kept, and its author may have lied; so it
//! has an end of its own, [`referral::stray_until_ms`].
//!
//! When one was first found is kept in the store's notes, so that a restart changes nothing and an
//! author's own time decides nothing alone. Invariants: the records and the entries stay; a content
//! whose case has come meanwhile is no stray any more, whatever was noted of it; what is erased here no
//! receipt names, for there is no case to write one in.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRngCore;
use tutti_core::{
    body::Part,
    entry::{Header, Visibility},
    referral::{self, EventRef},
    store::{BodyState, Store},
};

use super::Engine;

/// How often it is looked for them, milliseconds. Most that are out of order have found their case by
/// the first time.
const LOOK_MS: u64 = 3_600_000;

/// New ones that are noted at one look, each by a sync; the others are at the next.
const NOTED_AT_ONCE: usize = 256;

/// Since when each is known, by the wall clock: it outlives the process.
#[derive(Debug, Default)]
pub(super) struct Strays {
    since_ms: BTreeMap<EventRef, u64>,
    look_at_ms: u64,
}

impl Strays {
    /// What the notes say.
    pub(super) fn read(notes: &BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        let since = |(key, value): (&Vec<u8>, &Vec<u8>)| {
            let since_ms = <[u8; 8]>::try_from(value.as_slice()).ok()?;
            Some((read_key(key)?, u64::from_be_bytes(since_ms)))
        };
        Self { since_ms: notes.iter().filter_map(since).collect(), look_at_ms: 0 }
    }
}

fn key(at: &EventRef) -> Vec<u8> {
    [b"s", at.origin.as_str().as_bytes(), &[0], &at.index.to_be_bytes()].concat()
}

fn read_key(key: &[u8]) -> Option<EventRef> {
    let (origin, index) = key.strip_prefix(b"s")?.split_last_chunk::<8>()?;
    let origin = std::str::from_utf8(origin.strip_suffix(&[0])?).ok()?.parse().ok()?;
    Some(EventRef { origin, index: u64::from_be_bytes(*index) })
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Notes what belongs to no case, and erases what did for long enough.
    pub(super) fn tend_strays(&mut self, now_ms: u64) {
        let steady_ms = self.now.steady_ms;
        if steady_ms < self.strays.look_at_ms || self.fatal.is_some() {
            return;
        }
        self.strays.look_at_ms = steady_ms.saturating_add(LOOK_MS);
        let found: BTreeMap<EventRef, u64> = self
            .stray_events()
            .into_iter()
            .filter_map(|at| Some((self.stray_content(&at)?.recorded_at_ms, at)))
            .map(|(recorded_at_ms, at)| (at, recorded_at_ms))
            .collect();
        let known = self.strays.since_ms.keys();
        let ended: Vec<EventRef> = known.filter(|at| !found.contains_key(*at)).cloned().collect();
        ended.iter().for_each(|at| self.forget_stray(at));
        let (mut noted, mut erased) = (0, 0);
        for (at, recorded_at_ms) in found {
            let since_ms = match self.strays.since_ms.get(&at) {
                // Where the clock was set back, the time begins anew, and does not last for years.
                Some(since_ms) if *since_ms <= now_ms => *since_ms,
                _ if noted >= NOTED_AT_ONCE => continue,
                _ => {
                    noted += 1;
                    self.note_stray(&at, now_ms);
                    now_ms
                }
            };
            if referral::stray_until_ms(recorded_at_ms, since_ms, now_ms) <= now_ms {
                self.discard_content(&at, now_ms);
                erased += 1;
            }
        }
        if erased > 0 {
            tracing::info!(erased, "contents erased that belonged to no case for too long");
        }
    }

    /// Where entries stand that are addressed to this society or its own, and of which no case is known.
    fn stray_events(&self) -> BTreeSet<EventRef> {
        let mut places: BTreeSet<EventRef> = self.referrals.strays().into_iter().collect();
        places.extend(self.projector.without_subject());
        places
    }

    /// The header of such an entry, where its content is here.
    fn stray_content(&self, at: &EventRef) -> Option<Header> {
        let header = self.header_at(at).ok().flatten()?;
        let content = header.body_key(Part::Content)?;
        let present = self.store.body_state(&content) == BodyState::Present;
        (present && header.visibility == Visibility::Addressed).then_some(header)
    }

    fn note_stray(&mut self, at: &EventRef, now_ms: u64) {
        self.strays.since_ms.insert(at.clone(), now_ms);
        let noted = self.store.put_note(&key(at), &now_ms.to_be_bytes());
        noted.unwrap_or_else(|error| self.could_not_note(error));
    }

    fn forget_stray(&mut self, at: &EventRef) {
        self.strays.since_ms.remove(at);
        let forgotten = self.store.put_note(&key(at), &[]);
        forgotten.unwrap_or_else(|error| self.could_not_note(error));
    }
}
