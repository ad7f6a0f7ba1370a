//! What is held at a place of a log: its header, and what its record was found to be about.
//!
//! Invariant: looking changes nothing; what cannot be read is an error, never another answer.

use rand_core::CryptoRngCore;
use tutti_core::{
    entry::{Entry, Header},
    referral::EventRef,
    store::{Store, StoreError},
};

use super::{
    Engine,
    project::{PAGE_BYTES, Subject},
};

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// The header of an entry that is held; `None` where it is not, or of a later version.
    pub(super) fn header_at(&self, at: &EventRef) -> Result<Option<Header>, StoreError> {
        let entries = self.store.entries(&at.origin, at.index, 1, PAGE_BYTES)?;
        let entry = entries.first().map(|e| Entry::parse_at(e.as_slice(), &at.origin, at.index));
        Ok(match entry {
            Some(Ok(Entry::V1(header))) => Some(header),
            Some(Ok(Entry::Unknown { .. }) | Err(_)) | None => None,
        })
    }

    /// Whether the event at that place is known, and none says anything beside it.
    pub(super) fn is_silent_at(&self, at: &EventRef) -> bool {
        matches!(self.projector.subject(at), Some(Subject::Referral(_)))
            && self.event_at(at).is_some_and(|event| event.is_silent())
    }

    pub(super) fn id_at(&self, at: &EventRef) -> Option<String> {
        match self.projector.subject(at)? {
            Subject::Referral(id) => Some(id.to_string()),
            Subject::Information(id) => Some(id.to_string()),
            Subject::Unreadable(_) | Subject::Unknown => None,
        }
    }
}
