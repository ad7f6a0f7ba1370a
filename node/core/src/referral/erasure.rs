//! What of a referral is to be erased, and who has confirmed that it did.
//!
//! The person's word (consent withdrawn, erasure requested), the sender's (the whole referral was
//! entered in error) or the end of the time to keep it make the *content* of its events due. The
//! records stay: they say what happened, with no personal data. Each side's receipts are events of
//! its own; a receipt is a signed claim, no proof. Invariant: what is due by somebody's word is a
//! function of the events alone; only the end of the time depends on the clock that asks.
//!
//! Source: `docs/protocol.md`, "Erasure".

use std::collections::BTreeSet;

use tutti_proto::v1::{self, ErasureReason, referral_event::Transition};

use super::{Event, EventRef, Kind, Referral, Side, evolve::Stop};
use crate::{roster::DataProtection, society::Society};

/// What is to be erased.
#[derive(Debug, Clone, PartialEq)]
pub struct Erasure {
    /// Why.
    pub reason: ErasureReason,
    /// On whose word; `None` where the time to keep it has passed.
    pub on: Option<Event>,
    /// The entries whose content it is.
    pub entries: Vec<EventRef>,
    /// Those of them that a reopening which has not arrived may yet save.
    pub doubtful: Vec<EventRef>,
    /// What the sender and the receiver say of it.
    pub confirmations: [Confirmation; 2],
}

/// What one side says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The side's society.
    pub society: Society,
    /// The entries that none of its receipts names.
    pub open: Vec<EventRef>,
    /// When it wrote its latest receipt, by its clock.
    pub at_ms: Option<u64>,
}

impl Erasure {
    /// Whether both sides have confirmed everything.
    pub fn is_confirmed(&self) -> bool {
        self.confirmations.iter().all(|confirmation| confirmation.open.is_empty())
    }

    /// What the side of that society has not confirmed yet.
    pub fn open(&self, society: Society) -> &[EventRef] {
        let own = self.confirmations.iter().find(|confirmation| confirmation.society == society);
        own.map_or(&[], |confirmation| &confirmation.open)
    }

    /// The receipt for these entries.
    pub fn receipt(&self, entries: &[EventRef]) -> v1::Erased {
        v1::Erased {
            reason: self.reason as i32,
            on: self.on.as_ref().map(|event| event.at.to_seen()),
            entries: entries.iter().map(EventRef::to_seen).collect(),
        }
    }
}

impl Referral {
    /// Until when the content may be kept, milliseconds since the Unix epoch: the day that it was
    /// sent with, or the roster's time after the last event that counts and is no receipt.
    pub fn retained_until_ms(&self, rules: &DataProtection) -> u64 {
        if self.sent.retain_until > 0 {
            return self.sent.retain_until.saturating_mul(1000);
        }
        let counts = self.outcomes.iter().filter(|outcome| outcome.effective);
        let others = counts.filter(|outcome| outcome.event.kind() != Some(Kind::Erased));
        let last = others.map(|outcome| outcome.event.recorded_at_ms).max();
        let last = last.unwrap_or(self.sent_at_ms);
        last.saturating_add(u64::from(rules.retention_days).saturating_mul(86_400_000))
    }

    /// What is to be erased at `now_ms`; `None` where nothing is.
    pub fn erasure(&self, now_ms: u64, rules: &DataProtection) -> Option<Erasure> {
        let party = |event: &&Event| self.side_of(event.society).is_some() && event.has_content;
        let held = || self.outcomes.iter().map(|outcome| &outcome.event).filter(party);
        let over = self.retained_until_ms(rules) <= now_ms;
        let (reason, on, entries, doubtful) = match &self.stop {
            Some(Stop { event, due, doubtful }) if !over || due.len() == held().count() => {
                let reason = match event.kind() {
                    Some(Kind::ConsentWithdrawn) => ErasureReason::ConsentWithdrawn,
                    Some(Kind::EnteredInError) => ErasureReason::EnteredInError,
                    _ => ErasureReason::ErasureRequested,
                };
                (reason, Some(event.clone()), due.clone(), doubtful.clone())
            }
            _ if over => {
                let entries = held().map(|event| event.at.clone()).collect();
                (ErasureReason::Retention, None, entries, Vec::new())
            }
            _ => return None,
        };
        let confirmations =
            [Side::Sender, Side::Receiver].map(|side| self.confirmation(side, &entries));
        Some(Erasure { reason, on, entries, doubtful, confirmations })
    }

    fn confirmation(&self, side: Side, entries: &[EventRef]) -> Confirmation {
        let society = self.society(side);
        let mut named = BTreeSet::new();
        let mut at_ms = None;
        for outcome in self.outcomes.iter().filter(|o| o.effective && o.event.society == society) {
            if let Some(Transition::Erased(erased)) = &outcome.event.body.transition {
                named.extend(erased.entries.iter().filter_map(EventRef::from_seen));
                at_ms = Some(outcome.event.recorded_at_ms);
            }
        }
        let open = entries.iter().filter(|at| !named.contains(at)).cloned().collect();
        Confirmation { society, open, at_ms }
    }
}
