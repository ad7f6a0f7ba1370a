//! Cases that were passed on: whether the person's consent reached so far at that time, whether the
//! two referrals say so of each other, and whether what stopped one was carried to the other.
//!
//! The society in between has written in both, and is the only one that could carry. It is accused of
//! not having done so where it had seen the stop and went on writing; a node carries before it
//! writes anything else.
//!
//! Source: `docs/protocol.md`, "Passing on" and "Further on, and back".

use std::collections::BTreeMap;

use serde::Serialize;
use tutti_proto::v1::{self, referral_event::Transition};

use super::{
    Case, Code, Findings, deadlines::spell, disclosures::in_view, onward_files, onward_later,
};
use crate::{
    referral::{
        Event, EventRef, FIELDS, Further, Kind, Outcome, Referral, ReferralId, Why,
        consent_has_ended, consent_is_given, disclosed_by, overriding, uncovered, wider,
    },
    society::Society,
};

/// After how long a word was carried late, by the clocks of its author and of who carried it.
const CARRY_MS: u64 = 24 * 3_600_000;

/// The latest event of each society, of whatever referral.
pub(super) type Latest = BTreeMap<Society, EventRef>;

/// A referral by which a stopped one had been passed on, or that it had passed on: what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Elsewhere {
    /// The other referral.
    pub referral: String,
    /// `onward`, or `back`.
    pub way: &'static str,
    /// The society that is at the other end of it.
    pub society: Society,
    /// Whether both sides' logs were given whole, so that what follows is known.
    pub seen: bool,
    /// It is stopped, or was since.
    pub stopped: bool,
    /// Both its sides have confirmed the erasure.
    pub confirmed: bool,
    /// How long after the word it was carried, milliseconds; `None` where it was not.
    pub carried_after_ms: Option<u64>,
}

/// The latest event of each society.
pub(super) fn latest<'a>(referrals: impl Iterator<Item = &'a Referral>) -> Latest {
    let mut latest = Latest::new();
    for event in referrals.flat_map(|r| &r.outcomes).map(|outcome| &outcome.event) {
        let at = latest.entry(event.society).or_insert_with(|| event.at.clone());
        *at = at.clone().max(event.at.clone());
    }
    latest
}

/// Judges what a referral has to do with others of its case.
pub(super) fn check(case: &Case, latest: &Latest, findings: &mut Findings) -> Vec<Elsewhere> {
    unfounded(case, findings);
    let mut elsewhere = Vec::new();
    for (event, onward) in passed_on(case) {
        let onward = case.gathered.book.get(&onward);
        on_one_word(case, event, onward, findings);
        let Some(onward) = onward else {
            if case.gathered.is_whole(case.referral.receiver) {
                let text = "it says that the case was passed on, and no such referral was sent";
                findings.add(Code::OnwardUnlinked, case.place(&event.at), text);
            }
            continue;
        };
        disclosed(case, event, onward, findings);
        if onward.sent.onward_of == case.referral.id.as_bytes() && onward.sender == event.society {
            onward_files::check(case, onward, findings);
            onward_later::check(case, onward, findings);
        }
        elsewhere.extend(carried_on(case, event, onward, latest, findings));
        recalled(case, onward, latest, findings);
    }
    elsewhere.extend(of_first(case, latest, findings));
    elsewhere
}

/// Events of this referral that pass it on, and the referrals that they name.
fn passed_on<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Event, ReferralId)> + use<'a> {
    let stands = |outcome: &&Outcome| {
        !matches!(
            outcome.why,
            Some(Why::NotAParty | Why::Malformed(_) | Why::Duplicate | Why::WrongSide)
        )
    };
    let events = case.referral.outcomes.iter().filter(stands).map(|outcome| &outcome.event);
    events.filter_map(|event| match &event.body.transition {
        Some(Transition::Onward(onward)) => {
            let id = <[u8; 16]>::try_from(onward.referral_id.as_slice()).ok()?;
            Some((event, ReferralId::from_bytes(id)))
        }
        _ => None,
    })
}

/// What was disclosed to the third society, against what the person had agreed to for this referral
/// as its receiver saw it then; and what this referral asked for besides.
fn disclosed(case: &Case, event: &Event, onward: &Referral, findings: &mut Findings) {
    let (first, sent) = (&case.referral.sent, &onward.sent);
    let place = match onward.effective().next() {
        Some(sent) => format!("referral {}, {} entry {}", onward.id, sent.at.origin, sent.at.index),
        None => format!("referral {}", onward.id),
    };
    let own_id = case.referral.id.as_bytes();
    if sent.onward_of != own_id || onward.sender != event.society {
        let text = "a referral names it as passing on the case, and it does not say so";
        return findings.add(Code::OnwardUnlinked, place, text);
    }
    let kept = |restriction| sent.restrictions.contains(restriction);
    let longer = sent.retain_until == 0 || sent.retain_until > first.retain_until;
    if !first.restrictions.iter().all(kept) || (first.retain_until != 0 && longer) {
        let text = "passed on with a restriction less than it came with, or for longer";
        findings.add(Code::OnwardTerms, &place, text);
    }
    if !case.whole {
        return;
    }
    let by_consent = first.legal_basis == v1::LegalBasis::Consent as i32;
    let held = in_view(case, event).words.held;
    if !overriding::was_asked(first, held.as_ref()) {
        let text = "passed on, and nobody had asked the person";
        return findings.add(Code::OnwardConsent, &place, text);
    }
    // On the basis of consent these are found at the step itself.
    let Some(held) = held.filter(|held| by_consent || consent_is_given(Some(held))) else {
        if !by_consent {
            let text = "passed on, and the person had not agreed";
            findings.add(Code::OnwardConsent, &place, text);
        }
        return;
    };
    if !by_consent {
        if consent_has_ended(&held, event.recorded_at_ms / 1000) {
            let text = "passed on when what the person had agreed to had ended";
            findings.add(Code::OnwardConsent, &place, text);
        }
        if !held.recipients.contains(&sent.receiver) {
            let text = format!("passed on; the person has not agreed to {}", onward.receiver);
            findings.add(Code::OnwardConsent, &place, text);
        }
    }
    // The next society goes by what is in it. Whether the third is named is judged above, or at the step.
    let own = sent.consent.clone().filter(|own| consent_is_given(Some(own)));
    let own = own.filter(|_| consent_is_given(Some(&held))).map(|mut own| {
        own.recipients.retain(|society| *society != sent.receiver);
        own
    });
    if let Some(what) = own.and_then(|own| wider(&own, &held)) {
        let text = format!("passed on with more than the consent for the first referral: {what}");
        findings.add(Code::OnwardConsent, &place, text);
    }
    if sent.purpose != 0 && !held.purposes.contains(&sent.purpose) {
        let text = "passed on for a purpose that the person had not agreed to";
        findings.add(Code::OnwardConsent, &place, text);
    }
    let told = disclosed_by(sent);
    let beyond = uncovered(&held, &told);
    let beyond: Vec<&str> = FIELDS.into_iter().filter(|name| beyond.contains(name)).collect();
    if !beyond.is_empty() {
        let text = format!(
            "passed on to {}; the consent for the first referral does not cover {}",
            onward.receiver,
            beyond.join(", ")
        );
        findings.add(Code::OnwardConsent, &place, text);
    }
}

/// A case that went further than the person had agreed to but by the word of whoever passed it on, with
/// which nobody at the first society had gone on, as far as that was seen.
fn on_one_word(case: &Case, event: &Event, onward: Option<&Referral>, findings: &mut Findings) {
    let Some(Transition::Onward(told)) = event.body.transition.as_ref().filter(|_| case.whole)
    else {
        return;
    };
    let words = in_view(case, event).words;
    let sent = onward.map(|onward| &onward.sent);
    let disclosed = sent.map(disclosed_by).unwrap_or_default();
    let further = Further {
        to: &told.receiver,
        disclosed: &disclosed,
        purpose: sent.map_or(0, |sent| sent.purpose),
        now_s: event.recorded_at_ms / 1000,
    };
    let own = sent.and_then(|sent| sent.consent.as_ref());
    let own = own.filter(|own| consent_is_given(Some(own)));
    let allows_more = |own: &v1::Consent| {
        words.held.as_ref().is_some_and(|held| wider(own, held).is_none())
            && words.narrower_before(own)
    };
    let waits = words.waits(&further) || own.is_some_and(allows_more);
    if further.lies_within(words.held.as_ref()).is_ok() && waits {
        let text = format!(
            "passed on by what {} alone had recorded of the person's word; nobody at {} had gone on with \
             that",
            event.society, case.referral.sender
        );
        findings.add(Code::OnwardUnseen, case.place(&event.at), text);
    }
}

/// Whether what stopped this referral was carried on to that one.
fn carried_on(
    case: &Case,
    event: &Event,
    onward: &Referral,
    latest: &Latest,
    findings: &mut Findings,
) -> Option<Elsewhere> {
    let (stop, passed) = case.referral.stopped_by()?;
    if !passed.iter().any(|passed| passed.at == event.at && !passed.doubtful) {
        return None;
    }
    let seen = case.whole && case.gathered.knows(onward);
    let told = Elsewhere {
        way: "onward",
        society: onward.receiver,
        carried_after_ms: after_ms(stop, copy_of(onward, onward.sender, stop)),
        ..elsewhere(case, onward, seen)
    };
    if seen && case.referral.to_carry_on(onward).is_some() {
        not_carried(case, stop, onward.id, latest, findings);
    } else if seen {
        late(case, told.carried_after_ms, onward.id, findings);
        untrue(case, event.society, onward, findings);
    }
    Some(told)
}

/// Whether each file that was taken back here is taken back where it went along to, too.
fn recalled(case: &Case, onward: &Referral, latest: &Latest, findings: &mut Findings) {
    if !case.whole || !case.gathered.knows(onward) {
        return;
    }
    for file in onward.recalled(case.referral) {
        match file.copy.taken_back {
            true => {
                let carried_after = after_ms(&file.on, copy_of(onward, onward.sender, &file.on));
                late(case, carried_after, onward.id, findings);
            }
            false => not_carried(case, &file.on, onward.id, latest, findings),
        }
    }
}

/// The referral that this one passes on: whether it says so, and whether the person's word for the
/// whole case was carried back to it.
fn of_first(case: &Case, latest: &Latest, findings: &mut Findings) -> Option<Elsewhere> {
    let referral = case.referral;
    let first = <[u8; 16]>::try_from(referral.sent.onward_of.as_slice()).ok()?;
    let first = case.gathered.book.get(&ReferralId::from_bytes(first))?;
    let of = Case { referral: first, whole: case.gathered.knows(first), ..*case };
    if case.gathered.is_whole(referral.sender)
        && !passed_on(&of).any(|(event, id)| id == referral.id && event.society == referral.sender)
    {
        let text =
            "it was sent as passing on a case, and the referral of that case does not say so";
        findings.add(Code::OnwardUnlinked, case.id(), text);
    }
    if !referral.goes_back() {
        return None;
    }
    let seen = case.whole && of.whole;
    let word = |outcome: &&Outcome| {
        let event = &outcome.event;
        let there = event.society == referral.sender && !event.carried().is_empty();
        event.extent() == Some(v1::Extent::Case) && !there && outcome.effective
    };
    let word = referral.outcomes.iter().find(word).map(|outcome| &outcome.event);
    let after = word.and_then(|word| after_ms(word, copy_of(first, first.receiver, word)));
    let told = Elsewhere {
        way: "back",
        society: first.sender,
        carried_after_ms: after,
        ..elsewhere(case, first, seen)
    };
    match word.filter(|_| seen) {
        Some(word) if referral.to_carry_back(first).is_some() => {
            not_carried(case, word, first.id, latest, findings);
        }
        Some(_) => late(case, after, first.id, findings),
        None => {}
    }
    Some(told)
}

fn elsewhere(case: &Case, other: &Referral, seen: bool) -> Elsewhere {
    let erasure = other.erasure(case.now_ms, &case.rules).filter(|_| other.stopped_by().is_some());
    Elsewhere {
        referral: other.id.to_string(),
        way: "",
        society: other.receiver,
        seen,
        stopped: other.stopped_by().is_some(),
        confirmed: erasure
            .is_some_and(|erasure| erasure.confirmations.iter().all(|side| side.open.is_empty())),
        carried_after_ms: None,
    }
}

/// The event by which `society` has carried that one to this referral.
fn copy_of<'a>(there: &'a Referral, society: Society, event: &Event) -> Option<&'a Event> {
    let own = there.outcomes.iter().map(|outcome| &outcome.event);
    own.filter(|own| own.society == society).find(|own| own.carried() == event.event_id)
}

fn after_ms(event: &Event, copy: Option<&Event>) -> Option<u64> {
    copy.map(|copy| copy.recorded_at_ms.saturating_sub(event.recorded_at_ms))
}

fn late(case: &Case, after_ms: Option<u64>, there: ReferralId, findings: &mut Findings) {
    if let Some(after_ms) = after_ms.filter(|after_ms| *after_ms > CARRY_MS) {
        let text =
            format!("what ended it here was carried to referral {there} after {}", spell(after_ms));
        findings.add(Code::StopCarriedLate, case.id(), text);
    }
}

/// A stop that the society in between has not carried: it had seen it and has written since, or it
/// may not have heard of it yet.
fn not_carried(
    case: &Case,
    stop: &Event,
    there: ReferralId,
    latest: &Latest,
    findings: &mut Findings,
) {
    let here = case.referral;
    let back = here.sent.onward_of == there.as_bytes();
    let middle = if back { here.sender } else { here.receiver };
    let own = here.outcomes.iter().map(|o| &o.event).filter(|event| event.society == middle);
    let knew = own.filter(|event| match stop.society == middle {
        true => event.at >= stop.at,
        false => {
            let seen = event.body.seen.as_ref().and_then(EventRef::from_seen);
            seen.is_some_and(|seen| seen >= stop.at)
        }
    });
    let knew = knew.map(|event| &event.at).min();
    let went_on = knew.zip(latest.get(&middle)).is_some_and(|(knew, last)| last > knew);
    let since = spell(case.now_ms.saturating_sub(stop.recorded_at_ms));
    let kind = stop.kind().map_or("", Kind::name);
    let (code, why) = match went_on {
        true => (Code::StopNotCarried, "had seen it, wrote on, and"),
        false => (Code::StopCarryOpen, "may not have heard of it, and"),
    };
    let text =
        format!("{kind}, {since} ago: {middle} {why} has not carried it to referral {there}");
    findings.add(code, case.id(), text);
}

/// What was said to be so further on, and is not by anybody's word there.
fn untrue(case: &Case, society: Society, onward: &Referral, findings: &mut Findings) {
    let erasure = case.referral.erasure(case.now_ms, &case.rules);
    let claims = erasure.as_ref().map(|erasure| erasure.claims(society)).unwrap_or_default();
    let said = claims.iter().find(|claim| claim.referral == onward.id);
    let there = onward.erasure(case.now_ms, &case.rules);
    // Something may have come since that a side has not confirmed yet: never having said anything
    // is what no excuse covers.
    let silent = there.is_none_or(|there| there.confirmations.iter().any(|c| c.at_ms.is_none()));
    if said.is_some_and(|claim| claim.confirmed) && silent {
        let text = format!(
            "{society} has signed that referral {} is erased at both sides, and one of them never \
             said so",
            onward.id
        );
        findings.add(Code::OnwardClaimUntrue, case.id(), text);
    }
}

/// Words that are said to come from another referral, and do not.
fn unfounded(case: &Case, findings: &mut Findings) {
    let referral = case.referral;
    for outcome in referral.outcomes.iter().filter(|outcome| outcome.effective) {
        let event = &outcome.event;
        if event.carried().is_empty() {
            continue;
        }
        let named: Vec<ReferralId> = match event.society == referral.sender {
            true => {
                let id = <[u8; 16]>::try_from(referral.sent.onward_of.as_slice()).ok();
                id.map(ReferralId::from_bytes).into_iter().collect()
            }
            false => passed_on(case).map(|(_, id)| id).collect(),
        };
        let others: Vec<&Referral> =
            named.iter().filter_map(|id| case.gathered.book.get(id)).collect();
        let has = |other: &&Referral| {
            let mut events = other.outcomes.iter().map(|outcome| &outcome.event);
            events.any(|cause| {
                let file = Some(Kind::FileEnteredInError);
                let alike = match event.kind() == file {
                    true => cause.kind() == file,
                    false => cause.kind().is_some_and(Kind::stops),
                };
                cause.event_id[..] == *event.carried() && alike
            })
        };
        // Where the logs that could show it were not given, nobody is accused.
        let seen = case.whole
            && others.len() == named.len()
            && others.iter().all(|other| case.gathered.knows(other));
        if seen && !others.iter().any(has) {
            let kind = event.kind().map_or("", Kind::name);
            let text =
                format!("{kind}: it is said to come from another referral, which has no such word");
            findings.add(Code::CarriedUnfounded, case.place(&event.at), text);
        }
    }
}

#[cfg(test)]
#[path = "onward_tests.rs"]
mod tests;
