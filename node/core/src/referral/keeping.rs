//! How long the content of a case may be kept, and what may still be written once that is over.
//!
//! The end is the day that the referral was sent with; where none was named, it is the first moment at
//! which nobody had written a step for as long as the roster says. Invariants: it follows from the
//! events and the roster alone, whatever their order of arrival; no step that was written after it
//! moves it, and none that whoever signed that it is over had not seen. Whether it has passed each node
//! says by its own clock: nobody erases because another's clock is ahead.
//!
//! Source: `docs/protocol.md`, "The time to keep".

use super::{Kind, Referral, Refusal, Side, handover, transition};
use crate::{roster::DataProtection, society::Society};

/// The shortest time to keep that a roster may set, milliseconds; so also what it is counted in.
const DAY_MS: u64 = 86_400_000;

/// When the steps of a referral were written, as far as the end can depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Course {
    /// The step before and the step after each pause of a day or more that is longer than all before it.
    pauses: Box<[(u64, u64)]>,
    last_ms: u64,
}

impl Course {
    fn of(sent_at_ms: u64, steps_ms: impl Iterator<Item = u64>) -> Self {
        let mut steps_ms: Vec<u64> = steps_ms.filter(|step_ms| *step_ms > sent_at_ms).collect();
        steps_ms.sort_unstable();
        let (mut pauses, mut last_ms, mut longest_ms) = (Vec::new(), sent_at_ms, DAY_MS - 1);
        for step_ms in steps_ms {
            let pause_ms = step_ms - last_ms;
            if pause_ms > longest_ms {
                longest_ms = pause_ms;
                pauses.push((last_ms, step_ms));
            }
            last_ms = step_ms;
        }
        Self { pauses: pauses.into(), last_ms }
    }

    /// The first moment at which no step had been written for so long.
    fn end_ms(&self, keep_ms: u64) -> u64 {
        let first = self.pauses.iter().find(|(before, after)| after - before >= keep_ms);
        first.map_or(self.last_ms, |(before, _)| *before).saturating_add(keep_ms)
    }
}

/// How long a case may be kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Keeping {
    /// The day that was named, seconds since the Unix epoch, or 0.
    until_s: u64,
    /// What each side had seen when it first signed that the time is over; where none did, all.
    courses: Vec<Course>,
    /// When a side first signed that, by its clock.
    signed_ms: Option<u64>,
}

impl Keeping {
    /// Of a referral that was sent then, with that day, and whose steps were written at these times.
    pub(crate) fn new(until_s: u64, sent_at_ms: u64, steps_ms: impl Iterator<Item = u64>) -> Self {
        Self { until_s, courses: vec![Course::of(sent_at_ms, steps_ms)], signed_ms: None }
    }

    /// The same, where sides have signed that the time is over: at these times, and the first of each
    /// side had seen what these tell.
    pub(super) fn signed(seen: Vec<Self>, signed_ms: Option<u64>) -> Self {
        let until_s = seen.first().map_or(0, |seen| seen.until_s);
        let courses = seen.into_iter().flat_map(|seen| seen.courses).collect();
        Self { until_s, courses, signed_ms }
    }

    /// Until when it may be kept, milliseconds since the Unix epoch.
    pub(crate) fn end_ms(&self, rules: &DataProtection) -> u64 {
        if self.until_s != 0 {
            return self.until_s.saturating_mul(1000);
        }
        let keep_ms = u64::from(rules.retention_days).saturating_mul(DAY_MS);
        let ends = self.courses.iter().map(|course| course.end_ms(keep_ms)).chain(self.signed_ms);
        ends.min().unwrap_or(u64::MAX)
    }

    /// Whether a side has signed that the time is over.
    pub(crate) fn is_signed(&self) -> bool {
        self.signed_ms.is_some()
    }
}

/// Whether a step moves the end: not a receipt, nor that a file was taken back. What is erased earlier
/// keeps nothing else longer.
pub(crate) fn moves_the_end(kind: Kind) -> bool {
    !matches!(kind, Kind::Erased | Kind::FileEnteredInError)
}

/// Whether a step may still be written, without a content, when the time is over: what stops, takes back
/// or confirms; and what the record of the case would else never say, that it has ended and how. All
/// else would have somebody go on with a case that nobody may read any more.
pub(crate) fn may_follow_the_end(kind: Kind) -> bool {
    match kind {
        Kind::ConsentWithdrawn
        | Kind::ErasureRequested
        | Kind::EnteredInError
        | Kind::StepEnteredInError
        | Kind::FileEnteredInError
        | Kind::Erased
        | Kind::Declined
        | Kind::Expired
        | Kind::Withdrawn
        | Kind::ServiceDelivered
        | Kind::Cancelled
        | Kind::Closed => true,
        Kind::Sent
        | Kind::Acknowledged
        | Kind::InformationRequested
        | Kind::InformationProvided
        | Kind::Accepted
        | Kind::ServiceStarted
        | Kind::AppointmentScheduled
        | Kind::AppointmentMissed
        | Kind::Paused
        | Kind::Resumed
        | Kind::FollowUp
        | Kind::Reopened
        | Kind::Onward
        | Kind::HandoverProposed
        | Kind::HandoverAccepted
        | Kind::HandoverDeclined
        | Kind::ConsentRenewed
        | Kind::Corrected
        | Kind::Attached => false,
    }
}

impl Referral {
    /// Until when the content may be kept, milliseconds since the Unix epoch: the day that it was sent
    /// with, or the roster's time after the last step before the first pause as long as that; and not
    /// beyond the first receipt that says that it is over.
    pub fn retained_until_ms(&self, rules: &DataProtection) -> u64 {
        self.keeping.end_ms(rules)
    }

    /// Whether nothing may go on: the time to keep is over by this clock, or a side has signed that it
    /// is and has erased.
    pub fn is_over(&self, now_ms: u64, rules: &DataProtection) -> bool {
        self.keeping.is_signed() || self.retained_until_ms(rules) <= now_ms
    }

    /// What that side may do now, but for receipts, which write themselves.
    pub(super) fn allowed(&self, side: Side, is_over: bool) -> Vec<Kind> {
        let may = |kind: &Kind| {
            kind.by().may(side)
                && *kind != Kind::Erased
                && transition(Some(self.state), *kind).is_some()
                && handover(self.case, *kind).is_some()
                && (!is_over || may_follow_the_end(*kind))
        };
        Kind::ALL.iter().copied().filter(may).collect()
    }

    /// Whether that step of a side's may be written though the time may be over.
    pub(super) fn in_time(
        &self,
        side: Side,
        kind: Kind,
        note: &str,
        (now_ms, rules): (u64, &DataProtection),
    ) -> Result<(), Refusal> {
        if !self.is_over(now_ms, rules) {
            return Ok(());
        }
        let with_note = may_follow_the_end(kind);
        // Beside what ends a case a note is refused in any case.
        if with_note && (note.trim().is_empty() || kind.ends()) {
            return Ok(());
        }
        Err(Refusal::TimeIsOver { kind, with_note, allowed: self.allowed(side, true) })
    }

    /// Whether it may still be passed on by that society.
    pub(super) fn may_go_on(
        &self,
        by: Society,
        time: (u64, &DataProtection),
    ) -> Result<(), Refusal> {
        let side = self.side_of(by).ok_or(Refusal::NotAParty)?;
        self.in_time(side, Kind::Onward, "", time)
    }
}
