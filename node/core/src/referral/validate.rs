//! What a sender must heed: checked before anything is written, and every fault named at once.

use tutti_proto::v1;

use crate::{
    fields::{FieldError, Fields, Need},
    referral::{codes, overriding},
    society::Society,
};

/// All that may be told of a person, by the names that records use for what is disclosed, withheld,
/// asked for and agreed to: the fields of a content; the kinds of files that go along, each an event of
/// its own; and the [`CATEGORIES`], which stand in the record itself.
pub const FIELDS: [&str; 31] = [
    "case_code",
    "person.name",
    "person.sex",
    "person.age",
    "person.nationality",
    "person.languages",
    "person.interpreter_needed",
    "person.disability",
    "person.safe_contact",
    "person.safe_contact_times",
    "person.caregiver",
    "person.separated_or_unaccompanied",
    "person.dependants",
    "reason",
    "risk",
    "services_already_provided",
    "focal_point",
    "consent_witness",
    "attachment.consent_form",
    "attachment.medical_letter",
    "attachment.identity_document",
    "attachment.photo",
    "attachment.other",
    "category.stage",
    "category.country_of_origin",
    "category.country_of_stay",
    "category.country_of_destination",
    "category.services_provided",
    "category.vulnerabilities",
    "category.age_band",
    "category.sex",
];

/// Those of [`FIELDS`] that stand in the record of what is sent: the last ones. It has no name, and both
/// societies' auditors open it; it says something of a person all the same. The services that are asked
/// for are none of them: they are what the person is referred for.
pub const CATEGORIES: [&str; 8] = match FIELDS.last_chunk() {
    Some(last) => *last,
    None => [""; 8],
};

/// Of these no person has to agree to: they are the society's own.
pub(super) const NOT_PERSONAL: [&str; 2] = ["case_code", "focal_point"];

/// The names of the fields of `content` that hold something, in the order of [`FIELDS`].
pub fn disclosed(content: &v1::ReferralContent) -> Vec<String> {
    let person = content.person.clone().unwrap_or_default();
    let focal_point = content.focal_point.clone().unwrap_or_default();
    let holds = |name: &str| match name {
        "case_code" => !content.case_code.is_empty(),
        "person.name" => !person.name.is_empty(),
        "person.sex" => person.sex != 0,
        "person.age" => person.age != 0,
        "person.nationality" => !person.nationality.is_empty(),
        "person.languages" => !person.languages.is_empty(),
        "person.interpreter_needed" => person.interpreter_needed,
        "person.disability" => !person.disability.is_empty(),
        "person.safe_contact" => !person.safe_contact.is_empty(),
        "person.safe_contact_times" => !person.safe_contact_times.is_empty(),
        "person.caregiver" => !person.caregiver.is_empty(),
        "person.separated_or_unaccompanied" => person.separated_or_unaccompanied,
        "person.dependants" => !person.dependants.is_empty(),
        "reason" => !content.reason.is_empty(),
        "risk" => !content.risk.is_empty(),
        "services_already_provided" => !content.services_already_provided.is_empty(),
        "focal_point" => !focal_point.name.is_empty() || !focal_point.contact.is_empty(),
        "consent_witness" => !content.consent_witness.is_empty(),
        _ => false,
    };
    FIELDS.into_iter().filter(|name| holds(name)).map(String::from).collect()
}

/// The names of the categories that `sent` holds, in the order of [`CATEGORIES`].
pub fn categories(sent: &v1::Sent) -> Vec<String> {
    let holds = |name: &str| match name {
        "category.stage" => sent.stage != 0,
        "category.country_of_origin" => !sent.country_of_origin.is_empty(),
        "category.country_of_stay" => !sent.country_of_stay.is_empty(),
        "category.country_of_destination" => !sent.country_of_destination.is_empty(),
        "category.services_provided" => !sent.services_provided.is_empty(),
        "category.vulnerabilities" => !sent.vulnerabilities.is_empty(),
        "category.age_band" => sent.age_band != 0,
        "category.sex" => sent.sex != 0,
        _ => false,
    };
    CATEGORIES.into_iter().filter(|name| holds(name)).map(String::from).collect()
}

/// All that is told of a person where `sent` goes out with this `content`.
pub(super) fn disclosed_with(sent: &v1::Sent, content: &v1::ReferralContent) -> Vec<String> {
    disclosed(content).into_iter().chain(categories(sent)).collect()
}

/// All that a record tells of a person, or says that the content beside it tells: the fields that it lists,
/// and the categories that it holds, listed or not. Records of before categories had names list none.
pub fn disclosed_by(sent: &v1::Sent) -> Vec<String> {
    let mut all = sent.information_disclosed.clone();
    all.extend(
        categories(sent).into_iter().filter(|name| !sent.information_disclosed.contains(name)),
    );
    all
}

/// Checks a referral that is about to be sent: by whom and when (milliseconds since the Unix epoch),
/// where that is known already.
pub(super) fn sent(
    by_at: Option<(Society, u64)>,
    sent: &v1::Sent,
    content: &v1::ReferralContent,
) -> Result<(), Vec<FieldError>> {
    use Need::{Optional, Required};
    let mut fields = Fields::default();
    match sent.receiver.parse::<Society>() {
        Ok(receiver) => {
            let own = by_at.is_some_and(|(by, _)| by == receiver);
            fields.check(!own, "receiver", "is this society itself");
        }
        Err(_) => fields.wrong(
            "receiver",
            "is not a society: the two letters of its country in lower case, ifrc or icrc",
        ),
    }
    fields.code::<v1::Priority>("priority", sent.priority, Required);
    fields.code::<v1::JourneyStage>("stage", sent.stage, Optional);
    fields.country("country_of_origin", &sent.country_of_origin, Optional);
    fields.country("country_of_stay", &sent.country_of_stay, Optional);
    fields.country("country_of_destination", &sent.country_of_destination, Optional);
    let services = "services_requested";
    fields.codes::<v1::ServiceCategory>(services, &sent.services_requested, Required);
    let provided = "services_provided";
    fields.codes::<v1::ServiceCategory>(provided, &sent.services_provided, Optional);
    fields.codes::<v1::Vulnerability>("vulnerabilities", &sent.vulnerabilities, Optional);
    fields.code::<v1::LegalBasis>("legal_basis", sent.legal_basis, Required);
    fields.code::<v1::Purpose>("purpose", sent.purpose, Required);
    fields.codes::<v1::Restriction>("restrictions", &sent.restrictions, Optional);
    fields.code::<v1::AgeBand>("age_band", sent.age_band, Optional);
    fields.code::<v1::Sex>("sex", sent.sex, Optional);
    field_names(&mut fields, "information_withheld", &sent.information_withheld);
    let disclosed = disclosed_with(sent, content);
    if sent.information_withheld.iter().any(|withheld| disclosed.contains(withheld)) {
        fields.wrong("information_withheld", "names a field that is filled in");
    }
    let now_s = by_at.map(|(_, now_ms)| now_ms / 1000);
    let past = |end_s: u64| end_s != 0 && now_s.is_some_and(|now_s| end_s <= now_s);
    fields.check(!past(sent.retain_until), "retain_until", "lies in the past");
    let witnessed = sent.consent.as_ref().is_some_and(|consent| consent.witnessed);
    fields.check(
        witnessed || content.consent_witness.is_empty(),
        "consent.witness",
        "is named, and consent.witnessed does not say that somebody was there",
    );
    let by_consent = sent.legal_basis == v1::LegalBasis::Consent as i32;
    match &sent.consent {
        Some(given) => consent(&mut fields, given, sent, &disclosed, by_consent, now_s),
        None if by_consent => {
            fields.wrong("consent", "is missing, and the legal basis is consent");
        }
        None => {}
    }
    fields.check(
        !by_consent || sent.consent_override.is_none(),
        "override_reason",
        "is given, and the legal basis is consent: that is overridden on another basis alone",
    );
    if !by_consent {
        overriding::check_fields(&mut fields, sent, &disclosed, now_s);
    }
    content_texts(&mut fields, content);
    fields.finish()
}

fn consent(
    fields: &mut Fields,
    consent: &v1::Consent,
    sent: &v1::Sent,
    disclosed: &[String],
    by_consent: bool,
    now_s: Option<u64>,
) {
    let need = if by_consent { Need::Required } else { Need::Optional };
    consent_form(fields, consent, need, now_s);
    if !by_consent {
        return;
    }
    consent_holds(fields, consent, now_s);
    fields.check(
        consent.recipients.contains(&sent.receiver),
        "consent.recipients",
        "does not name the receiver: the person has not agreed to that society",
    );
    let beyond = uncovered(consent, disclosed);
    if !beyond.is_empty() {
        fields.wrong(
            "consent.fields",
            format!(
                "does not cover every field that is filled in: leave these out, or ask the person: {}",
                beyond.join(", ")
            ),
        );
    }
    fields.check(
        sent.purpose == 0 || consent.purposes.contains(&sent.purpose),
        "consent.purposes",
        "does not name the purpose: the person has not agreed to that use",
    );
}

/// What is said of a consent, whatever it allows.
pub(super) fn consent_form(
    fields: &mut Fields,
    consent: &v1::Consent,
    need: Need,
    now_s: Option<u64>,
) {
    fields.code::<v1::ConsentStatus>("consent.status", consent.status, need);
    fields.code::<v1::ConsentForm>("consent.form", consent.form, need);
    fields.code::<v1::ConsentGiver>("consent.given_by", consent.given_by, need);
    fields.language("consent.language", &consent.language, Need::Optional);
    fields.list("consent.recipients", &consent.recipients, Need::Optional, &[]);
    if consent.recipients.iter().any(|code| code.parse::<Society>().is_err()) {
        fields.wrong("consent.recipients", "holds something that is not a society");
    }
    field_names(fields, "consent.fields", &consent.fields);
    fields.codes::<v1::Purpose>("consent.purposes", &consent.purposes, Need::Optional);
    // A day is left for clocks that differ and for zones.
    fields.check(
        now_s.is_none_or(|now_s| consent.explained_at <= now_s.saturating_add(86_400)),
        "consent.explained_on",
        "lies in the future",
    );
}

/// Whether it was given, and has not ended.
pub(super) fn consent_holds(fields: &mut Fields, consent: &v1::Consent, now_s: Option<u64>) {
    let given = super::check::holds(Some(consent));
    if codes::is_known::<v1::ConsentStatus>(consent.status) && !given {
        fields.allowed(
            "consent.status",
            "does not say that the person agrees",
            &["given", "renewed"],
        );
    }
    fields.check(
        !now_s.is_some_and(|now_s| super::check::has_ended(consent, now_s)),
        "consent.expires_on",
        "lies in the past: ask the person again",
    );
}

/// Whether the consent covers these fields.
pub(super) fn covers(consent: &v1::Consent, disclosed: &[String]) -> bool {
    uncovered(consent, disclosed).is_empty()
}

/// Those of these fields that the consent does not cover. One that names no fields covers all that is
/// disclosed: the person has agreed to the form as it was filled in, and is shown so.
pub(crate) fn uncovered<'a>(consent: &v1::Consent, disclosed: &'a [String]) -> Vec<&'a str> {
    let personal = disclosed.iter().filter(|field| !NOT_PERSONAL.contains(&field.as_str()));
    let beyond = personal.filter(|field| !consent.fields.contains(field));
    if consent.fields.is_empty() { Vec::new() } else { beyond.map(String::as_str).collect() }
}

/// What a record tells of the person beyond what the consent in it covers, field by field; nothing where
/// it has none. Whether that consent is the ground, and was overridden, is judged elsewhere.
pub fn beyond_scope(sent: &v1::Sent) -> Vec<String> {
    let told = disclosed_by(sent);
    let beyond = sent.consent.as_ref().map(|consent| uncovered(consent, &told));
    beyond.unwrap_or_default().into_iter().map(String::from).collect()
}

/// Names out of [`FIELDS`], each once: a record has no room for free text.
pub(super) fn field_names(fields: &mut Fields, field: &str, names: &[String]) {
    fields.list(field, names, Need::Optional, &[]);
    if names.iter().any(|name| !FIELDS.contains(&name.as_str())) {
        fields.allowed(field, "holds something that is not a field", &FIELDS);
    }
}

pub(super) fn content_texts(fields: &mut Fields, content: &v1::ReferralContent) {
    use Need::Optional;
    let person = content.person.clone().unwrap_or_default();
    let focal_point = content.focal_point.clone().unwrap_or_default();
    for (field, line) in [
        ("content.case_code", &content.case_code),
        ("content.person.name", &person.name),
        ("content.person.safe_contact_times", &person.safe_contact_times),
        ("content.focal_point.name", &focal_point.name),
        ("content.focal_point.contact", &focal_point.contact),
        ("consent.witness", &content.consent_witness),
    ] {
        fields.line(field, line, Optional);
    }
    for (field, text) in [
        ("content.reason", &content.reason),
        ("content.risk", &content.risk),
        ("content.services_already_provided", &content.services_already_provided),
        ("content.person.disability", &person.disability),
        ("content.person.safe_contact", &person.safe_contact),
        ("content.person.caregiver", &person.caregiver),
        ("content.person.dependants", &person.dependants),
    ] {
        fields.text(field, text, Optional);
    }
    fields.code::<v1::Sex>("content.person.sex", person.sex, Optional);
    fields.check(person.age <= 130, "content.person.age", "is more than 130 years");
    fields.country("content.person.nationality", &person.nationality, Optional);
    fields.list("content.person.languages", &person.languages, Optional, &[]);
    for language in &person.languages {
        fields.language("content.person.languages", language, Need::Required);
    }
}
