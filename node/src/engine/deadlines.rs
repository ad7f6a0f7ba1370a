//! Deadlines: when each acknowledgement and each answer is due, so that people are told the moment it
//! becomes overdue, and how many referrals wait for how long.
//!
//! *Overdue* is derived and never written. Invariants: what is kept here follows from the events and
//! the roster alone, and is brought up to date with each event; each deadline that passes is told
//! once; nothing here says anything of a person.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRngCore;
use tutti_core::{
    referral::{Brief, DueAt, Owed, ReferralId},
    store::Store,
};
use tutti_proto::node::v1 as api;

use super::Engine;
use crate::local::Actor;

const DAY_MS: u64 = 86_400_000;

/// How long referrals have waited, as people and graphs are told: the name, and below how many days.
const AGES: [(&str, u64); 5] = [
    ("under_1_day", 1),
    ("1_to_3_days", 3),
    ("3_to_7_days", 7),
    ("7_to_14_days", 14),
    ("over_14_days", u64::MAX),
];

/// When acknowledgements and answers are due.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    due: BTreeMap<ReferralId, DueAt>,
    /// Those that were not told yet, the next one first.
    ahead: BTreeSet<(u64, ReferralId, Owed)>,
}

impl Deadlines {
    /// When the next one becomes overdue, milliseconds since the Unix epoch.
    pub(super) fn next(&self) -> Option<u64> {
        self.ahead.first().map(|(due_ms, ..)| due_ms.saturating_add(1))
    }
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Takes over what an event has made of the time to acknowledge and to answer.
    pub(super) fn note_deadline(&mut self, id: &ReferralId) {
        let rules = self.roster.data_protection();
        let due = self.referrals.get(id).map(|brief| brief.due_at(rules)).unwrap_or_default();
        let deadlines = &mut self.deadlines;
        let before = deadlines.due.remove(id).unwrap_or_default();
        for owed in Owed::ALL {
            if before.of(owed) == due.of(owed) {
                continue;
            }
            if let Some(before_ms) = before.of(owed) {
                deadlines.ahead.remove(&(before_ms, *id, owed));
            }
            deadlines.ahead.extend(due.of(owed).map(|due_ms| (due_ms, *id, owed)));
        }
        if due != DueAt::default() {
            deadlines.due.insert(*id, due);
        }
    }

    /// Tells what has become overdue.
    pub(super) fn tell_overdue(&mut self, now_ms: u64) {
        while let Some((due_ms, id, owed)) = self.deadlines.ahead.first().copied() {
            if due_ms >= now_ms {
                return;
            }
            self.deadlines.ahead.pop_first();
            let what = match owed {
                Owed::Acknowledgement => "acknowledgement_overdue",
                Owed::Answer => "answer_overdue",
            };
            self.changed(now_ms, "referral", id.to_string(), what);
        }
    }

    /// How many referrals wait for an answer, by who owes it and for how long they have waited.
    pub(super) fn waiting(&self, actor: &Actor, now_ms: u64) -> Vec<api::Waiting> {
        let rules = self.roster.data_protection();
        let mut counts: BTreeMap<(bool, usize), (u64, u64)> = BTreeMap::new();
        let waits = |brief: &Brief| {
            let (side, since_ms) = brief.waits_for?;
            let days = now_ms.saturating_sub(since_ms) / DAY_MS;
            let age = AGES.iter().position(|(_, below)| days < *below)?;
            Some((brief.society(side) == self.identity.society, age))
        };
        for (_, brief) in self.counted_by(actor) {
            let Some(place) = waits(brief) else { continue };
            let (count, overdue) = counts.entry(place).or_default();
            *count += 1;
            *overdue += u64::from(brief.overdue(now_ms, rules));
        }
        let places = [true, false]
            .into_iter()
            .flat_map(|own| AGES.iter().enumerate().map(move |age| (own, age)));
        places
            .map(|(own, (at, (age, _)))| {
                let (count, overdue) = counts.get(&(own, at)).copied().unwrap_or_default();
                let on = if own { "this_society" } else { "other_society" };
                api::Waiting { on: on.into(), age: (*age).into(), count, overdue }
            })
            .collect()
    }
}
