//! Whether acknowledgements and answers came in time.
//!
//! The rule is that of `Referral::waits_for` (`referral::owes`), followed from step to step: who owes an answer, and
//! since when. Times are those that the two sides wrote down, each by its own clock. Nobody is late for the
//! time during which the side that waits had withdrawn its question, though it took that back. Nor is anybody
//! accused for what crossed on its way: who waits no longer is judged by what they had seen then, and an
//! answer that lost to their giving up was given all the same.

use super::{Case, Code, Findings, disclosures::known_to};
use crate::referral::{
    Event, EventRef, Kind, Owed, Side, State, Why, hours, owes, tell, transition,
};

/// Hours, in milliseconds.
const HOUR_MS: u64 = 3_600_000;

/// Who owes an answer.
#[derive(Clone, Copy, PartialEq)]
struct Owing {
    side: Side,
    /// When the other side last asked.
    since_ms: u64,
}

/// Judges each wait of a referral of which all is known.
pub(super) fn check(case: &Case, findings: &mut Findings) {
    let referral = case.referral;
    let limit = |owed| u64::from(hours(owed, referral.sent.priority, &case.rules)) * HOUR_MS;
    let (limit_ms, acknowledge_ms) = (limit(Owed::Answer), limit(Owed::Acknowledgement));
    let mut state: Option<State> = None;
    let mut asked_ms = [0, 0];
    let mut owing: Option<Owing> = None;
    for event in referral.effective() {
        let (Some(kind), Some(side)) = (event.kind(), referral.side_of(event.society)) else {
            continue;
        };
        let now_ms = event.recorded_at_ms;
        let (before, was_sent) = (owing, state == Some(State::Sent));
        state = transition(state, kind);
        if kind.asks() {
            asked_ms[slot(side)] = now_ms;
        }
        owing =
            state.and_then(owes).map(|side| Owing { side, since_ms: asked_ms[slot(side.other())] });
        let Some(before) = before else { continue };
        let due_ms = before.since_ms.saturating_add(limit_ms);
        if kind == Kind::Expired && is_early(case, event) {
            let text = "it expired before the time to answer had passed";
            findings.add(Code::ExpiredEarly, case.place(&event.at), text);
        }
        let away_ms = away_ms(case, before, now_ms);
        let late_ms = now_ms.saturating_sub(due_ms.saturating_add(away_ms));
        // The same wait goes on, whatever the side that waits has put right or renewed.
        let answered = owing != Some(before);
        // Whoever is late with the answer is not told besides that it did not say so before.
        if was_sent
            && state != Some(State::Sent)
            && side == before.side
            && !(answered && late_ms > 0)
        {
            let due_ms = before.since_ms.saturating_add(acknowledge_ms).saturating_add(away_ms);
            let late_ms = now_ms.saturating_sub(due_ms);
            if late_ms > 0 {
                let (who, late) = (referral.society(side), spell(late_ms));
                let text = format!("{kind}: {who} acknowledged {late} after it was due");
                findings.add(Code::AcknowledgedLate, case.place(&event.at), text);
            }
        }
        if !answered || late_ms == 0 {
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
            false => {
                let due_ms = due_ms.saturating_add(away_ms);
                gave_up(case, event, (before, due_ms), &late, findings);
            }
        }
    }
    if let Some(owing) = owing {
        let since_ms = owing.since_ms.saturating_add(away_ms(case, owing, case.now_ms));
        let late = |limit_ms| case.now_ms.saturating_sub(since_ms.saturating_add(limit_ms));
        let who = referral.society(owing.side);
        match (late(limit_ms), late(acknowledge_ms)) {
            (0, late_ms) if late_ms > 0 && state == Some(State::Sent) => {
                let late = spell(late_ms);
                let text = format!("{who} owes an acknowledgement that was due {late} ago");
                findings.add(Code::AcknowledgementOverdue, case.id(), text);
            }
            (0, _) => {}
            (late_ms, _) => {
                let text = format!("{who} owes an answer that was due {} ago", spell(late_ms));
                findings.add(Code::AnswerOverdue, case.id(), text);
            }
        }
    }
}

/// Whether no answer was late when it expired, by all that its author had seen: what crossed it on its way
/// started no time anew for whoever could not know.
fn is_early(case: &Case, event: &Event) -> bool {
    let known = known_to(case, event).map(|outcome| outcome.event.clone());
    let then = tell(case.referral.id, known).referral;
    let due_ms = then.and_then(|then| then.due_at_ms(&case.rules));
    due_ms.is_some_and(|due_ms| event.recorded_at_ms <= due_ms)
}

/// The side that waited has ended the wait after the answer was due. Where the answer was under way, it was
/// given, in time or late.
fn gave_up(
    case: &Case,
    event: &Event,
    (owing, due_ms): (Owing, u64),
    late: &str,
    findings: &mut Findings,
) {
    let who = case.referral.society(owing.side);
    let answer =
        crossed(case, owing).filter(|answer| answer.recorded_at_ms <= event.recorded_at_ms);
    let Some(answer) = answer else {
        let kind = event.kind().map_or("", Kind::name);
        let text = format!("{kind}: {who} had not answered {late} after it was due");
        return findings.add(Code::AnswerNever, case.place(&event.at), text);
    };
    let late_ms = answer.recorded_at_ms.saturating_sub(due_ms);
    if late_ms > 0 {
        let (kind, late) = (answer.kind().map_or("", Kind::name), spell(late_ms));
        let text = format!("{kind}: {who} answered {late} after it was due");
        findings.add(Code::AnswerLate, case.place(&answer.at), text);
    }
}

/// The first answer in that wait that lost to what its author had not seen.
fn crossed<'a>(case: &Case<'a>, owing: Owing) -> Option<&'a Event> {
    const ANSWERS: [Kind; 4] =
        [Kind::InformationRequested, Kind::InformationProvided, Kind::Accepted, Kind::Declined];
    let [who, waiting] = [owing.side, owing.side.other()].map(|side| case.referral.society(side));
    let lost = case.referral.outcomes.iter().filter(|outcome| {
        outcome.event.society == who && matches!(outcome.why, Some(Why::Overtaken { .. }))
    });
    let answers = lost.map(|outcome| &outcome.event);
    let answers = answers.filter(|event| event.kind().is_some_and(|kind| ANSWERS.contains(&kind)));
    let to_this = |event: &&Event| {
        known_to(case, event).map(|known| &known.event).any(|known| {
            known.society == waiting
                && known.kind().is_some_and(Kind::asks)
                && known.recorded_at_ms == owing.since_ms
        })
    };
    answers.filter(to_this).min_by_key(|event| event.recorded_at_ms)
}

/// For how long, since it asked and until `until_ms`, the side that waits had ended the wait by a step that
/// it took back later.
fn away_ms(case: &Case, owing: Owing, until_ms: u64) -> u64 {
    let outcomes = &case.referral.outcomes;
    let waiting = case.referral.society(owing.side.other());
    let written_ms = |at: &EventRef| {
        let found = outcomes.iter().find(|outcome| outcome.event.at == *at);
        found.map(|outcome| outcome.event.recorded_at_ms)
    };
    let away = outcomes.iter().filter(|outcome| outcome.event.society == waiting);
    let away = away.filter_map(|outcome| {
        let ends = [Kind::Withdrawn, Kind::Declined, Kind::Expired];
        let ended = outcome.event.kind().is_some_and(|kind| ends.contains(&kind));
        let Some(Why::EnteredInError { by }) = outcome.why.as_ref().filter(|_| ended) else {
            return None;
        };
        let from_ms = outcome.event.recorded_at_ms.max(owing.since_ms);
        Some(written_ms(by)?.min(until_ms).saturating_sub(from_ms))
    });
    away.sum()
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
