//! Whether answers came in time.
//!
//! The rule is that of `Referral::waits_for` (`referral::owes`), followed from step to step: who owes an answer, and
//! since when. Times are those that the two sides wrote down, each by its own clock.

use super::{Case, Code, Findings};
use crate::referral::{Kind, Side, State, answer_hours, owes, transition};

/// Hours, in milliseconds.
const HOUR_MS: u64 = 3_600_000;

/// Who owes an answer.
struct Owing {
    side: Side,
    /// The time of the other side's last word.
    since_ms: u64,
}

/// Judges each wait of a referral of which all is known.
pub(super) fn check(case: &Case, findings: &mut Findings) {
    let referral = case.referral;
    let limit_ms = u64::from(answer_hours(referral.sent.priority, &case.rules)) * HOUR_MS;
    let mut state: Option<State> = None;
    let mut last_ms = [0, 0];
    let mut owing: Option<Owing> = None;
    for event in referral.effective() {
        let (Some(kind), Some(side)) = (event.kind(), referral.side_of(event.society)) else {
            continue;
        };
        if !kind.puts_off() {
            continue;
        }
        let now_ms = event.recorded_at_ms;
        let before = owing.take();
        state = transition(state, kind);
        last_ms[slot(side)] = now_ms;
        owing =
            state.and_then(owes).map(|side| Owing { side, since_ms: last_ms[slot(side.other())] });
        let Some(before) = before else { continue };
        let late_ms = now_ms.saturating_sub(before.since_ms).saturating_sub(limit_ms);
        if kind == Kind::Expired && late_ms == 0 {
            let text = "it expired before the time to answer had passed";
            findings.add(Code::ExpiredEarly, case.place(&event.at), text);
        }
        if owing.as_ref().is_some_and(|owing| owing.side == before.side) || late_ms == 0 {
            continue;
        }
        let who = referral.society(before.side);
        let late = spell(late_ms);
        match side == before.side {
            true => findings.add(
                Code::AnswerLate,
                case.place(&event.at),
                format!("{kind}: {who} answered {late} after it was due"),
            ),
            false => findings.add(
                Code::AnswerNever,
                case.place(&event.at),
                format!("{kind}: {who} had not answered {late} after it was due"),
            ),
        }
    }
    if let Some(owing) = owing {
        let due_ms = owing.since_ms.saturating_add(limit_ms);
        if case.now_ms > due_ms {
            let (who, late) = (referral.society(owing.side), spell(case.now_ms - due_ms));
            let text = format!("{who} owes an answer that was due {late} ago");
            findings.add(Code::AnswerOverdue, case.id(), text);
        }
    }
}

fn slot(side: Side) -> usize {
    usize::from(side == Side::Receiver)
}

/// A stretch of time, for people.
pub(super) fn spell(ms: u64) -> String {
    match ms / HOUR_MS {
        0 => format!("{} min", (ms / 60_000).max(1)),
        hours @ 1..=71 => format!("{hours} h"),
        hours => format!("{} days", hours / 24),
    }
}
