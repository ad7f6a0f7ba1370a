//! Bodies that are not what was written any more: found, told of, and wanted again.
//!
//! Disks forget. A record is read at every start, a content perhaps once in a year; so all bodies are
//! looked over by and by, a little at a time, once after each start and then once a day. What is found,
//! here or by any reading, counts as absent in the store from that moment; who may serve it is asked
//! for it as for any other body, and people are told until it is back. An entry is never touched.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRngCore;
use tutti_core::{
    body::{BodyKey, Part, Place},
    entry::{Entry, Header},
    referral::EventRef,
    society::Origin,
    store::Store,
};

use super::{Engine, project::Subject};

/// What is looked over at a time, and how long it rests in between.
const LOOK_BYTES: u64 = 1024 * 1024;
const LOOK_MS: u64 = 1000;

/// When all is looked over again.
const AGAIN_MS: u64 = 24 * 60 * 60 * 1000;

/// Entries and bytes that are read at a time.
const PAGE_ENTRIES: u64 = 256;
const PAGE_BYTES: usize = 128 * 1024;

/// How far the bodies were looked over, and what is not back yet.
#[derive(Debug, Default)]
pub(super) struct Damaged {
    look_at_ms: u64,
    lost: BTreeSet<Place>,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// As time passes.
    pub(super) fn look_over_bodies(&mut self, now_ms: u64) {
        let steady_ms = self.now.steady_ms;
        if steady_ms >= self.damaged.look_at_ms {
            let more = self.store.look_over(LOOK_BYTES);
            let rest_ms = if more { LOOK_MS } else { AGAIN_MS };
            self.damaged.look_at_ms = steady_ms.saturating_add(rest_ms);
        }
        let mut damaged: BTreeMap<BodyKey, String> =
            self.store.take_damaged().into_iter().collect();
        for origin in self.store.logs() {
            if damaged.is_empty() {
                return;
            }
            self.want_again(&origin, &mut damaged, now_ms);
        }
    }

    /// A body is here as it was written.
    pub(super) fn is_whole(&mut self, place: &Place) {
        self.damaged.lost.remove(place);
    }

    /// What people should know of it.
    pub(super) fn damage_warning(&self) -> Option<String> {
        let lost = self.damaged.lost.len();
        (lost > 0).then(|| {
            format!(
                "{lost} bodies on this node's disk are not what was written. They count as absent \
                 and are asked for again from the societies that may have them; no entry is touched. \
                 The node's log names the places. See to the disk"
            )
        })
    }

    /// Finds the entries of a log to which these bodies belong: a damaged body cannot say.
    fn want_again(
        &mut self,
        origin: &Origin,
        damaged: &mut BTreeMap<BodyKey, String>,
        now_ms: u64,
    ) {
        let mut next = 0;
        while let Ok(entries) = self.store.entries(origin, next, PAGE_ENTRIES, PAGE_BYTES) {
            if entries.is_empty() || damaged.is_empty() {
                return;
            }
            for (index, entry) in (next..).zip(&entries) {
                if let Ok(Entry::V1(header)) = Entry::parse_at(entry.as_slice(), origin, index)
                    && self.note_damage(&header, damaged)
                {
                    self.project_again(&header, now_ms);
                }
            }
            next = next.saturating_add(entries.len() as u64);
        }
    }

    /// What a case comes to without the event that cannot be read, as after a start.
    fn forget_event(&mut self, header: &Header) {
        let at = EventRef { origin: header.origin.clone(), index: header.index };
        match self.projector.subject(&at).cloned() {
            Some(Subject::Referral(id)) if self.event_at(&at).is_none() => {
                if self.referrals.forget(&id, &at) {
                    self.settle_again(&id);
                    self.note_deadline(&id);
                }
            }
            Some(Subject::Information(id)) if self.share_event_at(&at).is_none() => {
                if self.information.forget(&id, &at) {
                    let told = self.told_share(&id);
                    self.information.settle(&id, &told);
                }
            }
            Some(_) | None => {}
        }
    }

    fn note_damage(&mut self, header: &Header, damaged: &mut BTreeMap<BodyKey, String>) -> bool {
        let mut any = false;
        for part in Part::ALL {
            let stood = header.body_key(part).and_then(|key| damaged.remove(&key));
            if let Some(stood) = stood {
                tracing::error!(
                    place = %stood,
                    log = %header.origin,
                    entry = header.index,
                    "a body is not what was written; it counts as absent and is asked for again"
                );
                self.damaged.lost.insert(header.place(part));
                if part == Part::Record {
                    self.forget_event(header);
                }
                any = true;
            }
        }
        any
    }
}
