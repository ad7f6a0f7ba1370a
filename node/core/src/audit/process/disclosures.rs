//! The ground of each disclosure, at the time and as its author saw it: legal basis, consent,
//! recipient, purpose, and each field; and nothing after the referral was stopped.
//!
//! Source: `docs/protocol.md`, "Before sending".

use tutti_proto::v1::{self, referral_event::Transition};

use super::{Case, Code, Findings};
use crate::{
    referral::{
        CATEGORIES, Event, EventRef, FIELDS, Kind, Outcome, Why, Words, attachment, categories,
        consent_has_ended, consent_is_given, disclosed_by, overriding, uncovered,
    },
    society::Society,
};

/// What a step gives away.
pub(super) struct Disclosure<'a> {
    /// Names of fields, and of categories.
    pub(super) fields: Vec<String>,
    /// The consent that it brings itself, if it does.
    own: Option<&'a v1::Consent>,
    /// Whether recipients and purposes are looked at: where the case as such is sent.
    case: bool,
    /// A third society that the person is referred to.
    third: Option<&'a str>,
}

/// Judges every disclosure of a referral.
pub(super) fn check(case: &Case, findings: &mut Findings) {
    for outcome in &case.referral.outcomes {
        let set_aside = matches!(
            outcome.why,
            Some(Why::NotAParty | Why::Malformed(_) | Why::Duplicate | Why::NotSent)
        );
        let Some(transition) = outcome.event.body.transition.as_ref().filter(|_| !set_aside) else {
            continue;
        };
        let event = &outcome.event;
        unlisted(case, event, transition, findings);
        if let Transition::Sent(sent) = transition {
            overridden(case, event, sent, findings);
        }
        let kind = event.kind();
        let self_contained = matches!(kind, Some(Kind::Sent | Kind::Reopened));
        let judged = case.whole || self_contained;
        if case.whole {
            after_stop(case, event, findings);
        }
        if judged && case.referral.sent.legal_basis == v1::LegalBasis::Consent as i32 {
            match disclosure(transition) {
                Some(disclosure) => consent(case, event, &disclosure, findings),
                None => note(case, event, findings),
            }
        }
        let later = [Kind::InformationProvided, Kind::Corrected, Kind::Attached];
        if case.whole && kind.is_some_and(|kind| later.contains(&kind)) {
            beyond_later(case, event, transition, findings);
        }
    }
}

pub(super) fn disclosure(transition: &Transition) -> Option<Disclosure<'_>> {
    let of = |fields: &[String]| Disclosure {
        fields: fields.to_vec(),
        own: None,
        case: false,
        third: None,
    };
    match transition {
        Transition::Sent(sent) => {
            Some(Disclosure { own: sent.consent.as_ref(), case: true, ..of(&disclosed_by(sent)) })
        }
        Transition::Reopened(reopened) => Some(Disclosure {
            own: reopened.consent.as_ref(),
            case: true,
            ..of(&reopened.information_disclosed)
        }),
        Transition::InformationProvided(given) => Some(of(&given.information_disclosed)),
        Transition::Corrected(corrected) if !corrected.information_disclosed.is_empty() => {
            Some(of(&corrected.information_disclosed))
        }
        Transition::Onward(onward) => Some(Disclosure { third: Some(&onward.receiver), ..of(&[]) }),
        Transition::Attached(attached) => {
            attachment::field(attached.kind).map(|field| of(&[field.to_owned()]))
        }
        _ => None,
    }
}

/// A note beside a step that needs none, when the person's word had ended: nobody can tell what it says.
fn note(case: &Case, event: &Event, findings: &mut Findings) {
    let owed = [Kind::Declined, Kind::InformationRequested, Kind::ConsentRenewed];
    if !event.has_content || event.kind().is_none_or(|kind| owed.contains(&kind)) {
        return;
    }
    let held = in_view(case, event).words.held;
    if held.is_some_and(|held| consent_has_ended(&held, event.recorded_at_ms / 1000)) {
        let kind = event.kind().map_or("", Kind::name);
        let text = format!("{kind}: it comes with a note, and the consent had ended before");
        findings.add(Code::ConsentEnded, case.place(&event.at), text);
    }
}

fn consent(case: &Case, event: &Event, disclosure: &Disclosure, findings: &mut Findings) {
    let place = case.place(&event.at);
    let kind = event.kind().map_or("", Kind::name);
    let held = match disclosure.own {
        Some(own) => Some(own.clone()),
        None => in_view(case, event).words.held,
    };
    let Some(held) = held.filter(|held| consent_is_given(Some(held))) else {
        let text = format!("{kind}: the legal basis is consent, and the person's does not hold");
        return findings.add(Code::ConsentMissing, place, text);
    };
    if consent_has_ended(&held, event.recorded_at_ms / 1000) {
        findings.add(Code::ConsentEnded, &place, format!("{kind}: the consent had ended before"));
    }
    let sent = &case.referral.sent;
    let whom = disclosure.third.or(disclosure.case.then_some(sent.receiver.as_str()));
    if let Some(whom) = whom.filter(|whom| !held.recipients.iter().any(|one| one == whom)) {
        // A code that no society has is not repeated: it may be any text.
        let whom = whom.parse::<Society>().map_or_else(|_| "?".to_owned(), |s| s.to_string());
        let text = format!("{kind}: the person has not agreed to {whom}");
        findings.add(Code::ConsentRecipient, &place, text);
    }
    if disclosure.case && sent.purpose != 0 && !held.purposes.contains(&sent.purpose) {
        let text = format!("{kind}: the person has not agreed to that purpose");
        findings.add(Code::ConsentPurpose, &place, text);
    }
    let beyond = uncovered(&held, &disclosure.fields);
    let beyond: Vec<&str> = FIELDS.into_iter().filter(|name| beyond.contains(name)).collect();
    if !beyond.is_empty() {
        let text = format!("{kind}: the consent does not cover {}", beyond.join(", "));
        findings.add(Code::ConsentScope, &place, text);
    }
}

/// Whether the person's word was overridden as it must be: with a reason that fits, by two persons.
fn overridden(case: &Case, event: &Event, sent: &v1::Sent, findings: &mut Findings) {
    use overriding::Fault;
    let place = case.place(&event.at);
    let by_consent = sent.legal_basis == v1::LegalBasis::Consent as i32;
    if by_consent && sent.consent_override.is_some() {
        let text = "it overrides the person's word, and rests on it";
        return findings.add(Code::OverrideUnfounded, place, text);
    }
    let at_s = Some(event.recorded_at_ms / 1000);
    let said = |words: &[overriding::Beyond]| {
        words.iter().map(|word| word.name()).collect::<Vec<_>>().join(", ")
    };
    match overriding::fault(sent, &disclosed_by(sent), at_s) {
        None => {}
        Some(Fault::Missing(words)) => {
            let text =
                format!("sent all the same, and no reason is given: the person {}", said(&words));
            findings.add(Code::OverrideMissing, &place, text);
        }
        Some(Fault::Nothing) => {
            let text = "an override where there was nothing to override";
            findings.add(Code::OverrideUnfounded, &place, text);
        }
        Some(Fault::Unfit(words)) => {
            let text = format!(
                "the reason does not override that the person {} on this basis",
                said(&words)
            );
            findings.add(Code::OverrideUnfounded, &place, text);
        }
    }
    if sent.consent_override.is_none() || event.is_approved() {
        return;
    }
    if event.approver.is_empty() {
        let text = "the person's word was overridden by one person alone";
        findings.add(Code::OverrideUnapproved, place, text);
    } else {
        findings.add(Code::ApprovedBySame, place, "whoever sent it approved it too");
    }
}

/// On another basis than consent: that a later step told no more than the person had agreed to, or
/// than was sent.
fn beyond_later(case: &Case, event: &Event, transition: &Transition, findings: &mut Findings) {
    let Some(disclosure) = disclosure(transition) else { return };
    let (held, at_s) = (in_view(case, event).words.held, event.recorded_at_ms / 1000);
    let sent = &case.referral.sent;
    let beyond = overriding::beyond_later(sent, held.as_ref(), &disclosure.fields, at_s);
    let beyond: Vec<&str> = FIELDS.into_iter().filter(|name| beyond.contains(name)).collect();
    if !beyond.is_empty() {
        let kind = event.kind().map_or("", Kind::name);
        let text = format!("{kind}: neither agreed to nor sent before: {}", beyond.join(", "));
        findings.add(Code::ConsentScope, case.place(&event.at), text);
    }
}

/// What the record says of its content against itself.
fn unlisted(case: &Case, event: &Event, transition: &Transition, findings: &mut Findings) {
    let place = case.place(&event.at);
    let named: &[String] = match transition {
        Transition::Sent(sent) => {
            let disclosed = disclosed_by(sent);
            let twice = |name: &&&str| {
                let name = (**name).to_owned();
                sent.information_withheld.contains(&name) && disclosed.contains(&name)
            };
            let both: Vec<&str> = FIELDS.iter().filter(twice).copied().collect();
            if !both.is_empty() {
                let text = format!("said to be withheld, and disclosed: {}", both.join(", "));
                findings.add(Code::DisclosureWithheld, &place, text);
            }
            let is_category = |name: &&String| CATEGORIES.contains(&name.as_str());
            let listed: Vec<&String> =
                sent.information_disclosed.iter().filter(is_category).collect();
            if event.has_content && listed.len() == sent.information_disclosed.len() {
                let text = "it comes with a content and names no field of it";
                findings.add(Code::DisclosureUnlisted, &place, text);
            }
            // Records of before categories had names list none.
            let held = categories(sent);
            let agree =
                listed.len() == held.len() && held.iter().all(|name| listed.contains(&name));
            if !listed.is_empty() && !agree {
                let text = "the categories that it names are not those that it holds";
                findings.add(Code::DisclosureUnlisted, &place, text);
            }
            &sent.information_disclosed
        }
        Transition::InformationProvided(given) => {
            if event.has_content && given.information_disclosed.is_empty() {
                let text = "it comes with a content and names no field of it";
                findings.add(Code::DisclosureUnlisted, &place, text);
            }
            &given.information_disclosed
        }
        Transition::Reopened(reopened) => &reopened.information_disclosed,
        Transition::Corrected(corrected) => &corrected.information_disclosed,
        _ => &[],
    };
    if named.iter().any(|name| !FIELDS.contains(&name.as_str())) {
        let text = "it names a field that no content has";
        findings.add(Code::DisclosureUnlisted, &place, text);
    }
}

/// A content by somebody who had seen that the referral was stopped.
fn after_stop(case: &Case, event: &Event, findings: &mut Findings) {
    if !event.has_content {
        return;
    }
    let ends = event.kind().is_some_and(Kind::ends);
    let stopped = in_view(case, event).stopped && event.kind() != Some(Kind::Reopened);
    if ends || stopped {
        let text = match ends {
            true => "a content stands beside a step that stops or erases",
            false => "its author had seen that consent was withdrawn or erasure asked for",
        };
        findings.add(Code::DisclosedAfterStop, case.place(&event.at), text);
    }
}

/// What the author of `event` had written or seen when writing it.
pub(super) fn known_to<'a>(case: &Case<'a>, event: &Event) -> impl Iterator<Item = &'a Outcome> {
    let outcomes = &case.referral.outcomes;
    let (society, at) = (event.society, event.at.clone());
    let own = outcomes.iter().filter(|outcome| outcome.event.society == society);
    let seen = own
        .filter(|outcome| outcome.event.at <= at)
        .filter_map(|outcome| outcome.event.body.seen.as_ref().and_then(EventRef::from_seen))
        .max();
    outcomes.iter().filter(move |outcome| match outcome.event.society == society {
        true => outcome.event.at < at,
        false => seen.as_ref().is_some_and(|seen| outcome.event.at <= *seen),
    })
}

/// What the author of a step could know of consent.
#[derive(Default)]
pub(super) struct View {
    pub(super) words: Words,
    stopped: bool,
}

/// As the author of `event` saw it when writing: its own steps before, and what it had seen.
pub(super) fn in_view(case: &Case, event: &Event) -> View {
    // What was overtaken later had fitted then.
    let then = |outcome: &Outcome| Outcome {
        effective: outcome.effective || matches!(outcome.why, Some(Why::Overtaken { .. })),
        ..outcome.clone()
    };
    let known: Vec<Outcome> = known_to(case, event).map(then).collect();
    let mut stopped = false;
    for outcome in known.iter().filter(|outcome| outcome.effective) {
        let kind = outcome.event.kind();
        stopped = (stopped && kind != Some(Kind::Reopened)) || kind.is_some_and(Kind::stops);
    }
    View { words: Words::of(case.referral.sender, || known.iter()), stopped }
}
