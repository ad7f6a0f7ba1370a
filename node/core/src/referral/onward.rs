//! Passing a case on to a third society, and what must be so before.
//!
//! The receiver of a referral sends another one, and says so in the first. What the person agreed to
//! travels along: the third society, every field and the use must be covered by the consent that
//! holds for the first; what nobody may learn of it stays so; it is kept no longer than the first.
//! Invariant: a case is passed on by [`may_send`] alone, whoever composed it.

use tutti_proto::v1;

use super::{FIELDS, Referral, Refusal, check, overriding, validate};
use crate::{fields::Fields, society::Society};

/// What is passed on where nothing else is said: the first referral as it was sent, with the
/// consent that holds now and the case as it is known.
///
/// `services` takes the place of what was asked for, where it is not empty. The fields and categories named
/// in `withhold` are left out; so is the focal point, who is at the first society.
pub fn compose(
    first: &Referral,
    case: &v1::ReferralContent,
    to: Society,
    services: &[i32],
    withhold: &[String],
) -> (v1::Sent, v1::ReferralContent) {
    let mut content = case.clone();
    content.focal_point = None;
    let mut sent = first.sent.clone();
    withhold.iter().for_each(|field| leave_out(&mut sent, &mut content, field));
    let filled = validate::disclosed_with(&sent, &content);
    let withheld = FIELDS.into_iter().map(String::from).filter(|field| {
        let named = withhold.contains(field) || first.sent.information_withheld.contains(field);
        named && !filled.contains(field)
    });
    sent.information_withheld = withheld.collect();
    sent.information_disclosed = Vec::new();
    sent.receiver = to.to_string();
    sent.consent = first.consent.clone();
    // What went beyond the person's word once goes no further on the strength of that.
    sent.consent_override = None;
    if !services.is_empty() {
        sent.services_requested = services.to_vec();
    }
    (sent, content)
}

/// Empties the field of that name, as [`FIELDS`] has it.
fn leave_out(sent: &mut v1::Sent, content: &mut v1::ReferralContent, field: &str) {
    let person = content.person.get_or_insert_default();
    match field {
        "case_code" => content.case_code.clear(),
        "person.name" => person.name.clear(),
        "person.sex" => person.sex = 0,
        "person.age" => person.age = 0,
        "person.nationality" => person.nationality.clear(),
        "person.languages" => person.languages.clear(),
        "person.interpreter_needed" => person.interpreter_needed = false,
        "person.disability" => person.disability.clear(),
        "person.safe_contact" => person.safe_contact.clear(),
        "person.safe_contact_times" => person.safe_contact_times.clear(),
        "person.caregiver" => person.caregiver.clear(),
        "person.separated_or_unaccompanied" => person.separated_or_unaccompanied = false,
        "person.dependants" => person.dependants.clear(),
        "reason" => content.reason.clear(),
        "risk" => content.risk.clear(),
        "services_already_provided" => content.services_already_provided.clear(),
        "focal_point" => content.focal_point = None,
        "category.stage" => sent.stage = 0,
        "category.country_of_origin" => sent.country_of_origin.clear(),
        "category.country_of_stay" => sent.country_of_stay.clear(),
        "category.country_of_destination" => sent.country_of_destination.clear(),
        "category.services_provided" => sent.services_provided.clear(),
        "category.vulnerabilities" => sent.vulnerabilities.clear(),
        "category.age_band" => sent.age_band = 0,
        "category.sex" => sent.sex = 0,
        _ => {}
    }
}

/// Whether `sent` with these fields may go out as what passes `first` on.
pub(super) fn may_send(
    first: &Referral,
    sent: &v1::Sent,
    disclosed: &[String],
    now_ms: u64,
) -> Result<(), Refusal> {
    let mut fields = Fields::default();
    fields.check(
        sent.receiver != first.sender.as_str(),
        "receiver",
        "is the society that has sent the case here",
    );
    let kept = |restriction| sent.restrictions.contains(restriction);
    fields.check(
        first.sent.restrictions.iter().all(kept),
        "restrictions",
        "lacks one that the case came with: whom it may never reach stays so",
    );
    let longer = sent.retain_until == 0 || sent.retain_until > first.sent.retain_until;
    fields.check(
        first.sent.retain_until == 0 || !longer,
        "retain_until",
        "is later than the case may be kept here",
    );
    fields.finish().map_err(Refusal::Fields)?;
    covered(first, &sent.receiver, disclosed, sent.purpose, now_ms)
}

/// Whether the person's word for `first` as it holds now covers the third society, these fields and that
/// use. It counts on every basis, where they were asked: one that outweighs their word for the first society
/// is none for the next.
pub(super) fn covered(
    first: &Referral,
    to: &str,
    disclosed: &[String],
    purpose: i32,
    now_ms: u64,
) -> Result<(), Refusal> {
    let refused = |problem| Err(Refusal::Consent(problem));
    if !overriding::was_asked(&first.sent, first.consent.as_ref()) {
        return match purpose == first.sent.purpose {
            true => Ok(()),
            false => {
                refused("the case came here for another use, and nobody has agreed to this one")
            }
        };
    }
    let Some(consent) = first.consent.as_ref().filter(|consent| check::holds(Some(consent))) else {
        return refused("the person has not agreed, or agrees no longer");
    };
    if check::has_ended(consent, now_ms / 1000) {
        return refused("it has ended");
    }
    if !consent.recipients.iter().any(|society| society == to) {
        return refused("it does not name that society");
    }
    if !validate::covers(consent, disclosed) {
        return refused("it does not cover every field that would be passed on");
    }
    if purpose != 0 && !consent.purposes.contains(&purpose) {
        return refused("it does not cover that use");
    }
    Ok(())
}
