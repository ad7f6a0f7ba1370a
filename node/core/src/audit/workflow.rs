//! Whether the steps that one log tells of were legal, as far as one log can tell.
//!
//! A referral is written in two logs, and an audit sees one. So a step is held against its author
//! only where no course of the other side could have made it legal: for each referral the set of
//! states is kept that its author may have seen, which an event that names a newer event of the
//! other side widens by all that the other side could have done. What this log itself holds and
//! the audit could not read (erased, absent, sealed to an older key) widens it in the same way.
//! Invariants: no false accusation; a few words of memory a referral.
//!
//! Source: `docs/protocol.md`, "The referral"; the table is `referral::transition`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Code, Findings};
use crate::{
    entry::Visibility,
    information::{self, InformationId},
    limits::{REFERRAL_EVENTS_MAX, REFERRAL_PARTS_MAX, REFERRAL_RECEIPTS_MAX},
    referral::{self, By, Event, EventRef, Kind, ReferralId, Side, State},
    society::Society,
};

/// Every referral and information share that was seen.
#[derive(Default)]
pub(super) struct Workflow {
    referrals: BTreeMap<ReferralId, Course>,
    shares: BTreeMap<InformationId, Share>,
    /// Steps that were found illegal, or written before.
    pub(super) accused: BTreeSet<EventRef>,
}

/// One side of one referral.
struct Course {
    /// `None` where nothing was seen yet that one side alone may write.
    side: Option<Side>,
    other: Option<Society>,
    /// What its author may have taken the state for; `None` before it was sent.
    states: BTreeSet<Option<State>>,
    /// The same before each own step that the other side may not have seen.
    before: BTreeSet<Option<State>>,
    /// Those steps.
    own: BTreeSet<Kind>,
    seen: Option<EventRef>,
    holes: u64,
    ids: BTreeSet<[u8; 16]>,
}

struct Share {
    state: Option<information::State>,
    holes: u64,
    ids: BTreeMap<[u8; 16], information::Kind>,
}

impl Workflow {
    /// How many referrals were seen.
    pub(super) fn referrals(&self) -> u64 {
        self.referrals.len() as u64
    }

    /// Takes a step of a referral. `holes` is how many records before it in this log, of those that
    /// may belong to a referral, could not be read.
    pub(super) fn referral(&mut self, event: &Event, holes: u64, findings: &mut Findings) {
        if !self.is_legal(event, holes, findings) {
            self.accused.insert(event.at.clone());
        }
    }

    fn is_legal(&mut self, event: &Event, holes: u64, findings: &mut Findings) -> bool {
        let place = format!("entry {} record", event.at.index);
        let Some((id, kind)) = event.referral_id().zip(event.kind()) else {
            findings.add(Code::WorkflowIllegal, place, "it names no referral, or no step");
            return false;
        };
        let course = self.referrals.entry(id).or_insert_with(Course::new);
        course.take_side(kind);
        let accuse = |findings: &mut Findings, why: &dyn std::fmt::Display| {
            findings.add(Code::WorkflowIllegal, &place, format!("referral {id}: {kind}: {why}"));
            false
        };
        let Some(other) = course.other.or(event.addressees.first().copied()) else {
            return accuse(findings, &"it is addressed to nobody");
        };
        let side = course.side.unwrap_or(Side::Sender);
        if let Err(why) = referral::check_form(id, side, other, event) {
            return accuse(findings, &why);
        }
        course.other = Some(other);
        if course.ids.len() < REFERRAL_EVENTS_MAX + REFERRAL_PARTS_MAX + REFERRAL_RECEIPTS_MAX
            && !course.ids.insert(event.event_id)
        {
            findings.add(Code::EventTwice, place, format!("referral {id}: {kind}"));
            return false;
        }
        if !course.step(kind, event.body.seen.as_ref().and_then(EventRef::from_seen), holes) {
            return accuse(findings, &"whatever the other society wrote, this could not follow");
        }
        true
    }

    /// Takes a step of an information share. What the society that published does with it stands
    /// in its own log; what others say is judged where their words and its are both at hand.
    pub(super) fn information(
        &mut self,
        event: &information::Event,
        holes: u64,
        findings: &mut Findings,
    ) {
        if !self.is_legal_share(event, holes, findings) {
            self.accused.insert(event.at.clone());
        }
    }

    fn is_legal_share(
        &mut self,
        event: &information::Event,
        holes: u64,
        findings: &mut Findings,
    ) -> bool {
        use information::{By, State};
        let place = format!("entry {} record", event.at.index);
        let Some((id, kind)) = event.information_id().zip(event.kind()) else {
            findings.add(Code::WorkflowIllegal, place, "it names no share, or no step");
            return false;
        };
        if let Err(why) = information::check::event(id, event) {
            let text = format!("share {id}: {}: {why}", kind.name());
            findings.add(Code::WorkflowIllegal, place, text);
            return false;
        }
        // Of another society's share the log has no more than what this one said to it.
        if kind.by() != By::Author {
            return true;
        }
        // A log of a later epoch goes on with what an earlier one began.
        let begun = (event.at.origin.epoch() > 1).then_some(State::Published);
        let share = self.shares.entry(id).or_insert_with(|| Share {
            state: begun,
            holes: 0,
            ids: BTreeMap::new(),
        });
        // Copies of one event, each for some of those that the share is for.
        let copy = share.ids.get(&event.event_id) == Some(&kind);
        if copy && event.visibility == Visibility::Addressed {
            return true;
        }
        if share.ids.len() < REFERRAL_EVENTS_MAX {
            share.ids.insert(event.event_id, kind);
        }
        share.state = match information::transition(share.state, kind) {
            Some(state) => Some(state),
            // Something may lie between that was not read.
            None if holes > share.holes => {
                information::transition(Some(State::Published), kind).or(Some(State::Published))
            }
            None => {
                let was = share.state.map_or("not published in this log", State::name);
                let text = format!("share {id}: {} where it was {was}", kind.name());
                findings.add(Code::WorkflowIllegal, place, text);
                return false;
            }
        };
        share.holes = holes;
        true
    }
}

impl Course {
    fn new() -> Self {
        Self {
            side: None,
            other: None,
            states: BTreeSet::from([None]),
            before: BTreeSet::new(),
            own: BTreeSet::new(),
            seen: None,
            holes: 0,
            ids: BTreeSet::new(),
        }
    }

    /// Whoever writes what one side alone may write is that side.
    fn take_side(&mut self, kind: Kind) {
        self.side = self.side.or(match kind.by() {
            By::Sender => Some(Side::Sender),
            By::Receiver => Some(Side::Receiver),
            By::Both => None,
        });
    }

    /// Whether the step may have been legal.
    fn step(&mut self, kind: Kind, seen: Option<EventRef>, holes: u64) -> bool {
        if holes > self.holes {
            self.holes = holes;
            self.widen(|_| true);
        }
        if seen > self.seen {
            self.seen = seen;
            let (own, side) = (std::mem::take(&mut self.own), self.side);
            let others = |kind: Kind| side.is_none_or(|side| kind.by().may(side.other()));
            self.widen(|kind| others(kind) || own.contains(&kind));
        }
        let next: BTreeSet<Option<State>> = self
            .states
            .iter()
            .filter_map(|state| referral::transition(*state, kind).map(Some))
            .collect();
        if next.is_empty() {
            return false;
        }
        // Sending cannot be overtaken.
        if kind != Kind::Sent {
            self.before.append(&mut self.states);
            self.own.insert(kind);
        }
        self.states = next;
        if kind == Kind::StepEnteredInError {
            self.widen(|_| true);
        }
        true
    }

    /// Adds every state that steps of these kinds lead to, from those that were possible since
    /// the other side's last word: a step that was overtaken has had no effect.
    fn widen(&mut self, may: impl Fn(Kind) -> bool) {
        // Whatever was written long ago may have been taken back as entered in error.
        self.states.extend(self.before.iter().copied());
        let mut reached: Vec<Option<State>> = self.states.iter().copied().collect();
        while let Some(state) = reached.pop() {
            for kind in Kind::ALL.iter().copied().filter(|kind| may(*kind)) {
                if let Some(next) = referral::transition(state, kind)
                    && self.states.insert(Some(next))
                {
                    reached.push(Some(next));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: u64) -> Option<EventRef> {
        "m.example.org/sg/1".parse().ok().map(|origin| EventRef { origin, index })
    }

    /// Steps as (kind, the other side's event that was seen, unread records before it).
    fn legal(side: Side, steps: &[(Kind, u64, u64)]) -> Vec<bool> {
        let mut course = Course { side: Some(side), ..Course::new() };
        steps
            .iter()
            .map(|(kind, seen, holes)| {
                course.step(*kind, (*seen > 0).then(|| at(*seen)).flatten(), *holes)
            })
            .collect()
    }

    #[test]
    fn no_course_of_the_other_side_excuses_these() {
        use Kind::*;
        use Side::*;
        assert_eq!(legal(Sender, &[(Sent, 0, 0), (Withdrawn, 0, 0), (Closed, 0, 0)]), [true; 3]);
        assert_eq!(legal(Sender, &[(Sent, 0, 0), (Closed, 1, 0)]), [true; 2]);
        // Nothing of the other side was seen: it can be neither declined nor completed.
        assert_eq!(legal(Sender, &[(Sent, 0, 0), (Closed, 0, 0)]), [true, false]);
        assert_eq!(legal(Sender, &[(Sent, 0, 0), (InformationProvided, 0, 0)]), [true, false]);
        assert_eq!(legal(Sender, &[(Sent, 0, 0), (Sent, 1, 0)]), [true, false]);
        assert_eq!(legal(Sender, &[(Withdrawn, 0, 0)]), [false]);
        assert_eq!(
            legal(Sender, &[(Sent, 0, 0), (Withdrawn, 0, 0), (Withdrawn, 2, 0)]),
            [true, true, true],
            "the first may have been overtaken, as far as this log tells"
        );
        assert_eq!(
            legal(Sender, &[(Sent, 0, 0), (Closed, 1, 0), (Withdrawn, 1, 0)]),
            [true, true, false]
        );
        assert_eq!(
            legal(Receiver, &[(Acknowledged, 1, 0), (Accepted, 1, 0), (ServiceDelivered, 1, 0)]),
            [true; 3]
        );
        assert_eq!(legal(Receiver, &[(Acknowledged, 0, 0)]), [false]);
        assert_eq!(legal(Receiver, &[(ServiceDelivered, 1, 0)]), [false]);
        assert_eq!(legal(Receiver, &[(Declined, 1, 0), (Accepted, 1, 0)]), [true, false]);
        assert_eq!(
            legal(Receiver, &[(InformationRequested, 1, 0), (Accepted, 1, 0)]),
            [true, false]
        );
        assert_eq!(legal(Receiver, &[(InformationRequested, 1, 0), (Accepted, 2, 0)]), [true; 2]);
    }

    #[test]
    fn what_could_not_be_read_excuses() {
        use Kind::*;
        assert_eq!(legal(Side::Sender, &[(Sent, 0, 0), (Closed, 0, 1)]), [true; 2]);
        assert_eq!(legal(Side::Receiver, &[(ServiceDelivered, 0, 5)]), [true]);
        assert_eq!(
            legal(Side::Receiver, &[(ServiceDelivered, 0, 5), (Accepted, 0, 5)]),
            [true, false]
        );
    }
}
