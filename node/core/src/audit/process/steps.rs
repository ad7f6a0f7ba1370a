//! Legality: whether each step was its author's to take, and fitted what the author had seen.
//!
//! With both logs in view the judgement is that of every node: `referral::Book`.

use tutti_proto::v1::{self, referral_event::Transition};

use super::{super::gathered::Gathered, Case, Code, Findings};
use crate::referral::{EventRef, Referral, State, Why, transition};

/// Every step that counts for nothing, and why.
pub(super) fn check(case: &Case, findings: &mut Findings) {
    for outcome in &case.referral.outcomes {
        let (Some(why), at) = (&outcome.why, &outcome.event.at) else { continue };
        // What was overtaken or does not fit may do so for want of the other log.
        let judged = match why {
            Why::Overtaken { .. } | Why::OutOfOrder { .. } | Why::EnteredInError { .. } => {
                case.whole
            }
            Why::NotAParty | Why::WrongSide | Why::Duplicate | Why::Malformed(_) => true,
            Why::NotSent => false,
        };
        if !judged || case.gathered.accused(at) {
            continue;
        }
        let code = match why {
            Why::Overtaken { .. } => Code::StepOvertaken,
            Why::EnteredInError { .. } => Code::StepTakenBack,
            Why::Duplicate => Code::EventTwice,
            Why::OutOfOrder { .. }
            | Why::NotAParty
            | Why::WrongSide
            | Why::Malformed(_)
            | Why::NotSent => Code::WorkflowIllegal,
        };
        let kind = outcome.event.kind().map_or("a step", |kind| kind.name());
        findings.add(code, case.place(at), format!("{kind}: {why}"));
    }
}

/// A decline for another reason than those in the list must say which, in its note. One that does not counts
/// all the same; that a note is there is seen without opening it.
pub(super) fn unexplained(case: &Case, findings: &mut Findings) {
    for event in case.referral.effective().filter(|event| !event.has_content) {
        if let Some(Transition::Declined(declined)) = &event.body.transition
            && declined.code == v1::DeclineCode::Other as i32
        {
            let text = "declined for another reason than those in the list, and no note says which";
            findings.add(Code::DeclineUnexplained, case.place(&event.at), text);
        }
    }
}

/// A consent that was renewed, or given anew, on one side's word, as long as no person of the other side
/// has written anything having seen that.
pub(super) fn unseen_consent(case: &Case, findings: &mut Findings) {
    let standing = case.referral.standing(case.now_ms / 1000);
    if let (Some(event), Some(society)) = (standing.said_in, standing.unseen_by) {
        let kind = event.kind().map_or("a step", |kind| kind.name());
        findings.add(
            Code::ConsentUnseen,
            case.place(&event.at),
            format!(
                "{kind}: it holds on {}'s word; nobody at {society} has gone on with it",
                event.society
            ),
        );
    }
}

/// The same case sent again to the same society for the same service while the first was open.
/// Only its sender can end that, as far as is judged here: what the receiver wrote may have come
/// in between.
pub(super) fn sent_twice(gathered: &Gathered, findings: &mut Findings) {
    let sent_at = |referral: &Referral| -> Option<EventRef> {
        let sent = referral.effective().find(|event| event.society == referral.sender)?;
        Some(sent.at.clone())
    };
    let all: Vec<&Referral> = gathered.book.iter().filter(|one| gathered.knows(one)).collect();
    for later in &all {
        let Some(at) = sent_at(later).filter(|_| !later.sent.case_digest.is_empty()) else {
            continue;
        };
        let same = |first: &&&Referral| {
            first.id != later.id
                && first.sender == later.sender
                && first.sent.receiver == later.sent.receiver
                && first.sent.case_digest == later.sent.case_digest
                && first
                    .sent
                    .services_requested
                    .iter()
                    .any(|service| later.sent.services_requested.contains(service))
        };
        let earlier = |first: &&&Referral| sent_at(first).is_some_and(|first| first < at);
        let was_open = |first: &&&Referral| {
            ended_by(first).is_none_or(|end| end.origin.society() == later.sender && end > at)
        };
        if let Some(first) = all.iter().filter(same).filter(earlier).find(was_open) {
            findings.add(
                Code::SentTwice,
                format!("referral {}, {} entry {}", later.id, at.origin, at.index),
                format!("referral {} of the same case to {} was open", first.id, later.receiver),
            );
        }
    }
}

/// The step that ended the open states; `None` where it is open still.
fn ended_by(referral: &Referral) -> Option<EventRef> {
    let mut state: Option<State> = None;
    for event in referral.effective() {
        state = transition(state, event.kind()?);
        if !state?.is_open() {
            return Some(event.at.clone());
        }
    }
    None
}
