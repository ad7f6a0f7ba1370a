//! The figures of the work: how many came how far, how long answers took, why help was declined.
//!
//! Rule for small cells: a count below [`SMALL`] in a table that splits the referrals is not told,
//! and where only one cell of a table is held back, the smallest of the others is held back too, so
//! that the total does not give it away. A median or percentile of fewer than [`SMALL`] times is
//! not told either.

use std::collections::BTreeMap;

use serde::Serialize;
use tutti_proto::v1::{self, referral_event::Transition};

use super::{Case, erasures::attachment};
use crate::referral::{Kind, Owed, State, codes, hours};

/// The least count that a table that splits the referrals tells.
pub const SMALL: u64 = 5;

/// Of the referrals of which both logs were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Were sent.
    pub sent: u64,
    /// Were acknowledged, or answered without.
    pub acknowledged: u64,
    /// Were accepted.
    pub accepted: u64,
    /// Help was delivered, fully or in part.
    pub delivered: u64,
    /// Were closed.
    pub closed: u64,
    /// Were declined.
    pub declined: u64,
    /// Were withdrawn by the sender.
    pub withdrawn: u64,
    /// Expired.
    pub expired: u64,
    /// Were cancelled.
    pub cancelled: u64,
    /// Were stopped: consent withdrawn, erasure asked for, entered in error.
    pub stopped: u64,
    /// Went beyond what the person agreed to, by two persons' word.
    pub overridden: u64,
    /// Rest on another basis than consent, with no word of what the person was asked.
    pub unasked: u64,
    /// Wait for an acknowledgement or an answer that is overdue.
    pub overdue: u64,
    /// The receiver wrote nothing, of those that it had the time to answer.
    pub no_feedback: Share,
    /// From sent to the receiver's first word.
    pub time_to_acknowledge: Times,
    /// From sent to accepted or declined.
    pub time_to_answer: Times,
    /// The case is or was to be erased.
    pub erasures: u64,
    /// Both sides have confirmed it.
    pub erasures_confirmed: u64,
    /// Files, and not referrals: that were taken back while the case goes on, or went on.
    pub file_erasures: u64,
    /// Both sides have confirmed that they erased them.
    pub file_erasures_confirmed: u64,
    /// By the code of the decline.
    pub declines: Vec<Cell>,
    /// The same by whose reason it was: `provider`, `person`, `other`; all held back where one would
    /// give away a cell of `declines`.
    pub declines_by: Vec<Cell>,
    /// By service that was asked for; a referral may ask for several.
    pub services: Vec<Cell>,
    /// By sender and receiver.
    pub corridors: Vec<Cell>,
}

/// A part of a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
}

/// How long something took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// How many times there are.
    pub count: u64,
    /// Milliseconds; `None` where there are too few.
    pub median_ms: Option<u64>,
    /// Milliseconds that nine in ten did not exceed; `None` where there are too few.
    pub p90_ms: Option<u64>,
}

/// One cell of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// What is counted.
    pub name: String,
    /// How many; `None` where it is held back.
    pub count: Option<u64>,
}

/// Counts one referral after the other.
#[derive(Default)]
pub(super) struct Counting {
    figures: Figures,
    acknowledging: Vec<u64>,
    answering: Vec<u64>,
    declines: BTreeMap<String, u64>,
    services: BTreeMap<String, u64>,
    corridors: BTreeMap<String, u64>,
}

impl Counting {
    /// Counts a referral of which all is known.
    pub(super) fn take(&mut self, case: &Case) {
        let referral = case.referral;
        let figures = &mut self.figures;
        let by_consent = referral.sent.legal_basis == v1::LegalBasis::Consent as i32;
        figures.overridden += u64::from(referral.sent.consent_override.is_some());
        figures.unasked += u64::from(!by_consent && referral.sent.consent.is_none());
        let had = |kind: Kind| referral.effective().any(|event| event.kind() == Some(kind));
        let first = |may: &dyn Fn(Kind) -> bool| {
            let mut own = referral.effective().filter(|event| event.society == referral.receiver);
            let found = own.find(|event| event.kind().is_some_and(may));
            found.map(|event| event.recorded_at_ms.saturating_sub(referral.sent_at_ms))
        };
        figures.sent += 1;
        let spoke = first(&|kind| kind != Kind::Erased);
        self.acknowledging.extend(spoke);
        self.answering.extend(first(&|kind| matches!(kind, Kind::Accepted | Kind::Declined)));
        figures.acknowledged += u64::from(spoke.is_some());
        figures.accepted += u64::from(had(Kind::Accepted));
        figures.closed += u64::from(had(Kind::Closed));
        figures.withdrawn += u64::from(had(Kind::Withdrawn));
        figures.expired += u64::from(had(Kind::Expired));
        figures.cancelled += u64::from(had(Kind::Cancelled));
        figures.stopped += u64::from(matches!(
            referral.state,
            State::ConsentWithdrawn | State::ErasureRequested | State::EnteredInError
        ));
        figures.overdue += u64::from(referral.overdue(case.now_ms, &case.rules));
        let limit_ms =
            u64::from(hours(Owed::Answer, referral.sent.priority, &case.rules)) * 3_600_000;
        let had_time = referral.sent_at_ms.saturating_add(limit_ms) < case.now_ms;
        if had_time || spoke.is_some() {
            figures.no_feedback.of += 1;
            figures.no_feedback.count += u64::from(spoke.is_none());
        }
        for erasure in referral.erasures_apart(case.now_ms, &case.rules) {
            let confirmed = u64::from(erasure.is_confirmed());
            if erasure.on.as_ref().and_then(attachment).is_some() {
                figures.file_erasures += 1;
                figures.file_erasures_confirmed += confirmed;
            } else {
                figures.erasures += 1;
                figures.erasures_confirmed += confirmed;
            }
        }
        let (mut delivered, mut declined) = (false, false);
        for event in referral.effective() {
            match &event.body.transition {
                Some(Transition::ServiceDelivered(what)) => {
                    delivered |= what.result != v1::DeliveryResult::Not as i32;
                }
                Some(Transition::Declined(why)) => {
                    declined = true;
                    let name = codes::name::<v1::DeclineCode>(why.code);
                    *self.declines.entry(name.into()).or_default() += 1;
                }
                _ => {}
            }
        }
        figures.delivered += u64::from(delivered);
        figures.declined += u64::from(declined);
        for service in &referral.sent.services_requested {
            let name = codes::name::<v1::ServiceCategory>(*service);
            *self.services.entry(name.into()).or_default() += 1;
        }
        let corridor = format!("{} to {}", referral.sender, referral.receiver);
        *self.corridors.entry(corridor).or_default() += 1;
    }

    pub(super) fn end(self) -> Figures {
        Figures {
            time_to_acknowledge: times(self.acknowledging),
            time_to_answer: times(self.answering),
            declines_by: by_whom(&self.declines),
            declines: cells(self.declines),
            services: cells(self.services),
            corridors: cells(self.corridors),
            ..self.figures
        }
    }
}

/// By nearest rank.
fn times(mut all: Vec<u64>) -> Times {
    all.sort_unstable();
    let count = all.len() as u64;
    let rank = |percent: usize| {
        let at = (all.len() * percent).div_ceil(100).saturating_sub(1);
        all.get(at).copied().filter(|_| count >= SMALL)
    };
    Times { count, median_ms: rank(50), p90_ms: rank(90) }
}

/// The most first; small ones last, and held back.
fn cells(counts: BTreeMap<String, u64>) -> Vec<Cell> {
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    let small = counts.iter().filter(|(_, count)| *count < SMALL).count();
    let told = counts.len() - if small == 1 { 2.min(counts.len()) } else { small };
    // In the order of their names: the order of counts would tell of them.
    let (told, mut held) = {
        let held = counts.split_off(told);
        (counts, held)
    };
    held.sort();
    told.into_iter()
        .map(|(name, count)| Cell { name, count: Some(count) })
        .chain(held.into_iter().map(|(name, _)| Cell { name, count: None }))
        .collect()
}

/// Declines by whose reason it was. Told whole or not at all: whoever knows a group and what is told of
/// its codes knows the sum of those that are held back there.
fn by_whom(declines: &BTreeMap<String, u64>) -> Vec<Cell> {
    let whose = |name: &str| {
        let reason = codes::parse::<v1::DeclineCode>(name).and_then(codes::reason_of);
        reason.map_or("other", codes::Reason::name)
    };
    // Of each group how many, and of its codes that are held back how many there are, and their sum.
    let mut groups: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for cell in cells(declines.clone()) {
        let of_code = declines.get(&cell.name).copied().unwrap_or_default();
        let (all, codes, sum) = groups.entry(whose(&cell.name)).or_default();
        *all += of_code;
        if cell.count.is_none() {
            *codes += 1;
            *sum += of_code;
        }
    }
    let safe = groups
        .values()
        .all(|(all, codes, sum)| *all >= SMALL && (*codes == 0 || *codes > 1 && *sum >= SMALL));
    let cell = |(name, (all, ..)): (&str, (u64, u64, u64))| Cell {
        name: name.to_owned(),
        count: safe.then_some(all),
    };
    groups.into_iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(counts: &[(&str, u64)]) -> Vec<(String, Option<u64>)> {
        let counts = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        cells(counts).into_iter().map(|cell| (cell.name, cell.count)).collect()
    }

    #[test]
    fn small_cells_are_held_back_and_never_one_alone() {
        let cell = |name: &str, count| (name.to_owned(), count);
        assert_eq!(told(&[("a", 5), ("b", 70)]), [cell("b", Some(70)), cell("a", Some(5))]);
        assert_eq!(
            told(&[("a", 2), ("b", 70), ("c", 9)]),
            [cell("b", Some(70)), cell("a", None), cell("c", None)],
            "the total would give away the one"
        );
        assert_eq!(
            told(&[("b", 1), ("a", 4), ("c", 9)]),
            [cell("c", Some(9)), cell("a", None), cell("b", None)]
        );
        assert_eq!(told(&[("a", 4)]), [cell("a", None)]);
        assert_eq!(told(&[]), []);
    }

    #[test]
    fn declines_are_told_by_whose_reason_it_was_unless_that_gives_a_small_cell_away() {
        let told = |counts: &[(&str, u64)]| {
            let counts = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
            let cells = by_whom(&counts).into_iter();
            cells.map(|cell| (cell.name, cell.count)).collect::<Vec<_>>()
        };
        let cell = |name: &str, count| (name.to_owned(), count);
        let all = [("no_capacity", 9), ("waitlist", 6), ("person_declined", 5), ("other", 7)];
        assert_eq!(
            told(&all),
            [cell("other", Some(7)), cell("person", Some(5)), cell("provider", Some(15))]
        );
        assert_eq!(
            told(&[("no_capacity", 9), ("person_declined", 3), ("person_unreachable", 4)]),
            [cell("person", Some(7)), cell("provider", Some(9))],
            "two small ones, and nobody knows which is which"
        );
        let held = [cell("person", None), cell("provider", None)];
        for counts in [
            // The group is small itself.
            vec![("no_capacity", 9), ("person_declined", 3)],
            // 11 less the 9 that are told is the 2 that are not.
            vec![
                ("no_capacity", 9),
                ("waitlist", 2),
                ("person_declined", 3),
                ("person_unreachable", 4),
            ],
            // Two ones: their sum says it.
            vec![("no_capacity", 9), ("waitlist", 1), ("unsafe", 1), ("person_declined", 8)],
        ] {
            assert_eq!(told(&counts), held, "{counts:?}");
        }
        assert_eq!(told(&[]), []);
    }

    #[test]
    fn times_are_by_nearest_rank_and_of_enough() {
        assert_eq!(times(vec![1, 2, 3, 4]), Times { count: 4, median_ms: None, p90_ms: None });
        let ten = times((1..=10).rev().collect());
        assert_eq!((ten.median_ms, ten.p90_ms), (Some(5), Some(9)));
        assert_eq!(times(vec![7; 5]).p90_ms, Some(7));
    }
}
