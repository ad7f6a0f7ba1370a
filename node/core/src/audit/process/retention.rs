//! Steps that were taken when the time to keep the case was over.
//!
//! A node refuses them by its own clock. So each is judged by its author's own clock, by what its author
//! had seen then, and by the longest time to keep that any roster had: nobody is accused for a clock of
//! the other side, a step that had not come, or a roster that was not known yet.
//!
//! Source: `docs/protocol.md`, "The time to keep".

use tutti_proto::v1::{ErasureReason, referral_event::Transition};

use super::{Case, Code, Findings, deadlines::spell, disclosures::known_to};
use crate::{
    referral::{Event, Keeping, Kind, Why, may_follow_the_end, moves_the_end},
    roster::DataProtection,
};

/// Judges each step of a referral of which all is known.
pub(super) fn check(case: &Case, findings: &mut Findings) {
    for outcome in &case.referral.outcomes {
        let event = &outcome.event;
        let by_a_side = case.referral.side_of(event.society).is_some();
        let Some(kind) = event.kind().filter(|kind| by_a_side && *kind != Kind::Sent) else {
            continue;
        };
        // A content beside what ends a case is found as such.
        let may = may_follow_the_end(kind) && (kind.ends() || !event.has_content);
        let Some(over) = over(case, event).filter(|_| !may) else { continue };
        let (code, what) = match event.has_content {
            true => (Code::DisclosedAfterRetention, "a content was written"),
            false => (Code::StepAfterRetention, "it was written"),
        };
        findings.add(code, case.place(&event.at), format!("{kind}: {what} {over}"));
    }
}

/// Since when the time was over for the author of that step, in words; `None` where it was not.
fn over(case: &Case, event: &Event) -> Option<String> {
    // What was overtaken or taken back later had moved the end for whoever did not know that.
    let counted = known_to(case, event).filter(|outcome| {
        let lost = matches!(outcome.why, Some(Why::Overtaken { .. } | Why::EnteredInError { .. }));
        outcome.effective || lost
    });
    let mut steps_ms = Vec::new();
    for known in counted.map(|outcome| &outcome.event) {
        if let Some(Transition::Erased(erased)) = &known.body.transition
            && erased.reason == ErasureReason::Retention as i32
        {
            let by = known.society;
            return Some(format!(
                "by who had seen that {by} has erased the case, its time being over"
            ));
        }
        if known.kind().is_some_and(moves_the_end) {
            steps_ms.push(known.recorded_at_ms);
        }
    }
    let referral = case.referral;
    let (until_s, sent_at_ms) = (referral.sent.retain_until, referral.sent_at_ms);
    let longest = DataProtection {
        retention_days: case.gathered.retention_days_max().max(case.rules.retention_days),
        ..case.rules
    };
    let end_ms = Keeping::new(until_s, sent_at_ms, steps_ms.into_iter()).end_ms(&longest);
    let late_ms = event.recorded_at_ms.checked_sub(end_ms)?;
    Some(format!(
        "{} after the time to keep the case was over, by its author's clock",
        spell(late_ms)
    ))
}
