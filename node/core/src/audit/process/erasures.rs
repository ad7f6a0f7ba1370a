//! What was or is to be erased, when, on whose word; who has confirmed it, and who has not.

use serde::Serialize;
use tutti_proto::v1::{self, ErasureReason, referral_event::Transition};

use super::{super::gathered::Held, Case, Code, Elsewhere, Findings, deadlines::spell};
use crate::{
    referral::{Erasure, Event, EventRef, Kind, Referral, codes},
    society::Society,
};

const DAY_MS: u64 = 86_400_000;

/// One erasure, as the logs tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasureTold {
    /// Of which referral.
    pub referral: String,
    /// The id of the file, where it is of one that was taken back; `None` where it is of the case.
    pub attachment: Option<String>,
    /// Why: `consent_withdrawn`, `erasure_requested`, `entered_in_error`, `retention`.
    pub reason: &'static str,
    /// The society that wrote it down; `None` where the time to keep had passed.
    pub written_by: Option<Society>,
    /// On whose word: `person`, `caregiver`, `guardian`, `authority`, `society`; empty where that
    /// is not told.
    pub word_of: &'static str,
    /// Where it is written: the log, and the entry in it.
    pub written_in: Option<String>,
    /// When it was written, or when the time to keep ended; milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// How many contents it is about.
    pub contents: u64,
    /// The same, told one by one: the log, and the entry in it.
    pub entries: Vec<String>,
    /// What each side says.
    pub confirmations: Vec<Confirmed>,
    /// The id of the referral from which the word came, where it was carried, and that is known.
    pub carried_from: Option<String>,
    /// Other referrals of the case to which it was to be carried, and what became of that.
    pub elsewhere: Vec<Elsewhere>,
}

/// What one side says of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirmed {
    /// Who.
    pub society: Society,
    /// Whether its log was given whole, so that its word is known.
    pub seen: bool,
    /// How many contents its receipts do not name.
    pub open: u64,
    /// When it wrote its last receipt, milliseconds since the Unix epoch.
    pub at_ms: Option<u64>,
}

/// Judges what of a referral is to be erased; tells it, the case's and each file's by itself.
pub(super) fn check(
    case: &Case,
    elsewhere: Vec<Elsewhere>,
    findings: &mut Findings,
) -> Vec<ErasureTold> {
    unfounded(case, findings);
    let erasures = case.referral.erasures_apart(case.now_ms, &case.rules);
    let mut told: Vec<_> = erasures.iter().map(|erasure| one(case, erasure, findings)).collect();
    // What became of a file further on is found, and not told here.
    if let Some(of_case) = told.iter_mut().find(|told| told.attachment.is_none()) {
        of_case.elsewhere = elsewhere;
    }
    told
}

fn one(case: &Case, erasure: &Erasure, findings: &mut Findings) -> ErasureTold {
    let at_ms = match &erasure.on {
        Some(event) => event.recorded_at_ms,
        None => case.referral.retained_until_ms(&case.rules),
    };
    let attachment = erasure.on.as_ref().and_then(attachment);
    let mut confirmations = Vec::new();
    for confirmation in &erasure.confirmations {
        let seen = case.gathered.is_whole(confirmation.society);
        let open = confirmation.open.len() as u64;
        if seen && open > 0 {
            let since = spell(case.now_ms.saturating_sub(at_ms));
            let noun = if open == 1 { "content" } else { "contents" };
            let text = format!(
                "{} has not confirmed that {open} {noun} {} erased{}, due for {since}",
                confirmation.society,
                if open == 1 { "is" } else { "are" },
                if attachment.is_some() { " of a file that was taken back" } else { "" },
            );
            findings.add(Code::ErasureOpen, case.id(), text);
        }
        let (society, at_ms) = (confirmation.society, confirmation.at_ms);
        confirmations.push(Confirmed { society, seen, open, at_ms });
    }
    if case.whole && erasure.is_confirmed() {
        let held = |at: &&EventRef| case.gathered.held(at) == Held::Present;
        for at in erasure.entries.iter().filter(held) {
            let text = "both sides have signed that they erased its content, and the export has it";
            findings.add(Code::ErasedHeld, case.place(at), text);
        }
    }
    let place = |at: &EventRef| format!("{} {}", at.origin, at.index);
    ErasureTold {
        referral: case.referral.id.to_string(),
        attachment,
        reason: codes::name::<v1::ErasureReason>(erasure.reason as i32),
        written_by: erasure.on.as_ref().map(|event| event.society),
        word_of: erasure.on.as_ref().map_or("", word_of),
        written_in: erasure.on.as_ref().map(|event| place(&event.at)),
        at_ms,
        contents: erasure.entries.len() as u64,
        entries: erasure.entries.iter().map(place).collect(),
        confirmations,
        carried_from: erasure.on.as_ref().and_then(|event| cause(case, event)),
        elsewhere: Vec::new(),
    }
}

/// The file that an event takes back, where it is one file and not the case.
pub(super) fn attachment(event: &Event) -> Option<String> {
    match &event.body.transition {
        Some(Transition::EnteredInError(which))
            if event.kind() == Some(Kind::FileEnteredInError) =>
        {
            Some(hex::encode(&which.attachment))
        }
        _ => None,
    }
}

/// The referral in which that event was first written, where it was carried here.
fn cause(case: &Case, event: &Event) -> Option<String> {
    let carried = Some(event.carried()).filter(|carried| !carried.is_empty())?;
    let has = |other: &&Referral| {
        other.outcomes.iter().any(|outcome| outcome.event.event_id[..] == *carried)
    };
    case.gathered.book.iter().find(has).map(|other| other.id.to_string())
}

fn word_of(event: &Event) -> &'static str {
    match &event.body.transition {
        Some(Transition::ConsentWithdrawn(withdrawn)) => {
            codes::name::<v1::ConsentGiver>(withdrawn.by)
        }
        Some(Transition::ErasureRequested(asked)) => codes::name::<v1::ErasureGround>(asked.ground),
        Some(Transition::EnteredInError(_)) => "society",
        _ => "",
    }
}

/// Receipts for which the logs show no ground.
fn unfounded(case: &Case, findings: &mut Findings) {
    let referral = case.referral;
    for event in referral.effective() {
        let Some(Transition::Erased(erased)) = &event.body.transition else { continue };
        let reason = ErasureReason::try_from(erased.reason).unwrap_or_default();
        let founded = match reason {
            ErasureReason::Retention => {
                // The earliest end that any roster, and any course of the other side, allowed.
                let days = u64::from(case.gathered.retention_days_min());
                let by_roster = referral.sent_at_ms.saturating_add(days.saturating_mul(DAY_MS));
                let end_ms = match referral.sent.retain_until {
                    0 => by_roster,
                    end_s => end_s.saturating_mul(1000),
                };
                event.recorded_at_ms >= end_ms
            }
            ErasureReason::ConsentWithdrawn
            | ErasureReason::ErasureRequested
            | ErasureReason::EnteredInError
            | ErasureReason::Unspecified => {
                let on = erased.on.as_ref().and_then(EventRef::from_seen);
                let of_files = || {
                    let mut entries = erased.entries.iter().map(EventRef::from_seen);
                    entries
                        .all(|at| referral.parts_taken_back().any(|part| Some(part) == at.as_ref()))
                };
                let grounds = |outcome: &crate::referral::Outcome| {
                    Some(&outcome.event.at) == on.as_ref()
                        && match outcome.event.kind() {
                            Some(Kind::FileEnteredInError) => outcome.effective && of_files(),
                            kind => kind.is_some_and(Kind::stops),
                        }
                };
                !case.whole || referral.outcomes.iter().any(grounds)
            }
        };
        if !founded {
            let name = codes::name::<v1::ErasureReason>(erased.reason);
            let text = format!("{} erased for {name}, and no log shows that", event.society);
            findings.add(Code::ErasedUnfounded, case.place(&event.at), text);
        }
    }
}
