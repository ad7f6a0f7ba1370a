//! Files that went along where a case was passed on: whether the person's consent for the first referral
//! reached so far.
//!
//! A file that goes along names which file of the first referral it is. Its author is excused by any
//! consent that it may have gone by: what it had seen for certain, what may have reached it since, and
//! what the person agreed to anew in the second referral, after it was sent. A file that names none is its
//! author's own, as far as anybody can tell who reads no content.
//!
//! Source: `docs/protocol.md`, "Attachments".

use tutti_proto::v1::{self, referral_event::Transition};

use super::{Case, Code, Findings};
use crate::{
    referral::{
        Event, EventRef, Referral, Why, attachment, consent_has_ended, consent_is_given, is_seen,
        overriding, uncovered,
    },
    society::Society,
};

/// Judges the files that the society in between has passed on with `onward`, which passes this one on.
pub(super) fn check(case: &Case, onward: &Referral, findings: &mut Findings) {
    if !case.whole || !case.gathered.knows(onward) {
        return;
    }
    let first = case.referral;
    let came = first.attachments();
    for file in onward.attachments().iter().filter(|file| file.by == onward.sender) {
        let at = file.known.values().map(|(at, _)| at).min();
        let (Some(source), Some(at)) = (file.source, at) else { continue };
        let Some(field) = attachment::field(file.kind) else { continue };
        let place = format!("referral {}, {} entry {}", onward.id, at.origin, at.index);
        if !came.iter().any(|one| one.source_here() == source && one.kind == file.kind) {
            let text = "it is said to be a file of the first referral, which has no such one";
            findings.add(Code::OnwardFile, place, text);
            continue;
        }
        let holds = |consent: &v1::Consent| {
            consent_is_given(Some(consent))
                && !consent_has_ended(consent, file.at_ms / 1000)
                && consent.recipients.iter().any(|one| one == onward.receiver.as_str())
                && uncovered(consent, &[field.to_owned()]).is_empty()
        };
        let mut agreed = consents(first, file.by, at, true);
        // Where the person was never asked, nothing of theirs is gone beyond.
        if !overriding::was_asked(&first.sent, agreed.first()) {
            continue;
        }
        agreed.extend(consents(onward, file.by, at, false));
        if !agreed.iter().any(holds) {
            let text = format!(
                "a file was passed on to {}; the consent for the first referral does not cover \
                 {field}, or had ended",
                onward.receiver
            );
            findings.add(Code::OnwardFile, place, text);
        }
    }
}

/// The consents that `who` may have gone by when it wrote the entry `at`: the one that held as far as it
/// had seen for certain, and each that may have reached it by then. What the referral was sent with counts
/// only where `with_sent`.
pub(super) fn consents(
    referral: &Referral,
    who: Society,
    at: &EventRef,
    with_sent: bool,
) -> Vec<v1::Consent> {
    let seen = |event: &Event| event.body.seen.as_ref().and_then(EventRef::from_seen);
    let own = || referral.outcomes.iter().map(|o| &o.event).filter(|event| event.society == who);
    let certain = own().filter(|event| event.at <= *at).filter_map(seen).max();
    // What its next step here had not seen had not come before either.
    let next = own().filter(|event| event.at > *at).min_by(|a, b| a.at.cmp(&b.at));
    let (mut held, mut perhaps) = (None, Vec::new());
    for outcome in &referral.outcomes {
        let event = &outcome.event;
        if !outcome.effective && !matches!(outcome.why, Some(Why::Overtaken { .. })) {
            continue;
        }
        let said = match &event.body.transition {
            Some(Transition::Sent(sent)) if with_sent => sent.consent.clone(),
            // What the society in between had recorded alone lets nothing go further.
            Some(Transition::ConsentRenewed(_))
                if event.society == who
                    && who == referral.receiver
                    && !is_seen(&referral.outcomes, &event.at) =>
            {
                continue;
            }
            Some(Transition::ConsentRenewed(renewed)) => renewed.consent.clone(),
            Some(Transition::Reopened(reopened)) => reopened.consent.clone(),
            Some(Transition::ConsentWithdrawn(_)) => None,
            _ => continue,
        };
        let before = |seen: Option<EventRef>| seen.is_some_and(|seen| event.at <= seen);
        if event.society == who && event.at < *at || event.society != who && before(certain.clone())
        {
            held = said;
        } else if event.society != who && next.is_none_or(|next| before(seen(next))) {
            perhaps.extend(said);
        }
    }
    held.into_iter().chain(perhaps).collect()
}
