//! What a society told a third one after it had passed the case on, and what consent it recorded there: whether the
//! person's word for the first referral reached so far.
//!
//! Its author is excused by any consent of the first referral that it may have gone by: what it had seen for
//! certain, and what may have reached it since. Once the first referral was stopped, what goes on in the second
//! rests on the fresh word that it was reopened with, and is judged there.
//!
//! Source: `docs/protocol.md`, "Passing on".

use tutti_proto::v1::{self, referral_event::Transition};

use super::{Case, Code, Findings, disclosures::disclosure, onward_files::consents};
use crate::referral::{FIELDS, Further, Kind, Referral, Why, consent_is_given, overriding, wider};

/// Judges what the society in between has written in `onward`, which passes this referral on, after sending it.
pub(super) fn check(case: &Case, onward: &Referral, findings: &mut Findings) {
    let first = case.referral;
    let stopped = first.outcomes.iter().any(|outcome| {
        let counted = outcome.effective || matches!(outcome.why, Some(Why::Overtaken { .. }));
        counted && outcome.event.kind().is_some_and(Kind::stops)
    });
    if !case.whole || !case.gathered.knows(onward) || stopped {
        return;
    }
    for outcome in onward.outcomes.iter().filter(|one| one.event.society == onward.sender) {
        let set_aside = matches!(
            outcome.why,
            Some(
                Why::NotAParty | Why::WrongSide | Why::Malformed(_) | Why::Duplicate | Why::NotSent
            )
        );
        let event = &outcome.event;
        let Some(transition) = event.body.transition.as_ref().filter(|_| !set_aside) else {
            continue;
        };
        let agreed = consents(first, event.society, &event.at, true);
        // Where the person was never asked, the passing on itself is found.
        if !overriding::was_asked(&first.sent, agreed.first()) {
            continue;
        }
        let kind = event.kind().map_or("", Kind::name);
        let place = format!("referral {}, {} entry {}", onward.id, event.at.origin, event.at.index);
        let told = told(transition);
        let further = Further {
            to: onward.receiver.as_str(),
            disclosed: &told,
            purpose: onward.sent.purpose,
            now_s: event.recorded_at_ms / 1000,
        };
        let allows = |consent: &v1::Consent| further.lies_within(Some(consent)).is_ok();
        if !told.is_empty() && !agreed.iter().any(allows) {
            let names: Vec<&str> =
                FIELDS.into_iter().filter(|name| told.iter().any(|one| one == name)).collect();
            let text = format!(
                "{kind}: told to {}, which the consent for the first referral does not let have it: {}",
                onward.receiver,
                names.join(", ")
            );
            findings.add(Code::OnwardConsent, &place, text);
        }
        let Some(consent) = recorded(transition) else { continue };
        let within =
            |than: &v1::Consent| consent_is_given(Some(than)) && wider(consent, than).is_none();
        // What narrows the consent that held here reaches nowhere.
        let held = consents(onward, event.society, &event.at, true);
        if !agreed.iter().chain(&held).any(within) {
            let text = format!(
                "{kind}: it allows more than the person's consent for the first referral, by which {} \
                 could pass the case on",
                onward.receiver
            );
            findings.add(Code::OnwardConsent, place, text);
        }
    }
}

/// The fields that a step tells after sending; none where it is a file of the first referral's, which is judged
/// as such.
fn told(transition: &Transition) -> Vec<String> {
    match transition {
        Transition::Sent(_) | Transition::Attached(v1::Attached { source: Some(_), .. }) => {
            Vec::new()
        }
        later => disclosure(later).map(|disclosure| disclosure.fields).unwrap_or_default(),
    }
}

/// The consent that it records after sending.
fn recorded(transition: &Transition) -> Option<&v1::Consent> {
    let consent = match transition {
        Transition::ConsentRenewed(renewed) => renewed.consent.as_ref(),
        Transition::Reopened(reopened) => reopened.consent.as_ref(),
        _ => None,
    };
    consent.filter(|consent| consent_is_given(Some(consent)))
}
