//! The form of a referral, as caseworkers fill it in (TOML) and programs read it (JSON).
//!
//! Names instead of numbers, dates as YYYY-MM-DD, and one place for each thing: what goes into the
//! record and what into the content is not the caseworker's to know.

use serde::{Deserialize, Serialize};
use tutti_proto::v1;

use super::{
    codes::{self, Code},
    validate,
};
use crate::fields::{FieldError, Fields, seconds_to_date, with_more};

/// A referral to send, or one that is shown. What is empty is not given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReferralForm {
    /// The receiving society's code.
    pub receiver: String,
    /// How soon an answer is needed.
    pub priority: String,
    /// Where on the way the person is.
    pub stage: String,
    /// ISO 3166-1 alpha-2.
    pub country_of_origin: String,
    /// ISO 3166-1 alpha-2.
    pub country_of_stay: String,
    /// ISO 3166-1 alpha-2.
    pub country_of_destination: String,
    /// Kinds of help asked for.
    pub services_requested: Vec<String>,
    /// Kinds of help given already.
    pub services_provided: Vec<String>,
    /// What makes the person vulnerable; goes into the record, as do the countries and the stage.
    pub vulnerabilities: Vec<String>,
    /// The person's age, roughly; goes into the record.
    pub age_band: String,
    /// The person's sex or gender; goes into the record.
    pub sex: String,
    /// What the data may be used for.
    pub purpose: String,
    /// What allows the data to be passed on.
    pub legal_basis: String,
    /// Why the person's word is overridden; only where it is, and the basis is not consent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub override_reason: String,
    /// Until when the receiver may keep the case.
    pub retain_until: String,
    /// Who must never learn of it.
    pub restrictions: Vec<String>,
    /// Names of fields that the receiver should know were left out on purpose.
    pub information_withheld: Vec<String>,
    /// Names of fields that are filled in: derived, not read when sending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub information_disclosed: Vec<String>,
    /// Required where the legal basis is consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentForm>,
    /// The person's case; absent where it may not or cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentForm>,
}

/// What the person agreed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsentForm {
    /// Whether the person agreed.
    pub status: String,
    /// How.
    pub form: String,
    /// Who agreed.
    pub given_by: String,
    /// In which language it was explained, ISO 639-3.
    pub language: String,
    /// Whether an interpreter helped.
    pub interpreter: bool,
    /// When it was explained.
    pub explained_on: String,
    /// Until when it holds.
    pub expires_on: String,
    /// Whether somebody was there as a witness.
    pub witnessed: bool,
    /// Who that was; goes into the case.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub witness: String,
    /// Societies that may receive the data.
    pub recipients: Vec<String>,
    /// Fields that may be passed on; empty for everything that is filled in.
    pub fields: Vec<String>,
    /// Purposes that were agreed to.
    pub purposes: Vec<String>,
}

/// The person's case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentForm {
    /// The sender's own code of the case.
    pub case_code: String,
    /// Why the person is referred.
    pub reason: String,
    /// What to be careful about.
    pub risk: String,
    /// What was done already, in words.
    pub services_already_provided: String,
    /// The person.
    pub person: PersonForm,
    /// Whom to ask at the sending society.
    pub focal_point: FocalPointForm,
}

/// The person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PersonForm {
    /// Only where it is needed.
    pub name: String,
    /// Sex or gender.
    pub sex: String,
    /// Years; 0 where unknown.
    pub age: u32,
    /// ISO 3166-1 alpha-2.
    pub nationality: String,
    /// ISO 639-3.
    pub languages: Vec<String>,
    /// Whether an interpreter is needed.
    pub interpreter_needed: bool,
    /// What the person needs because of a disability.
    pub disability: String,
    /// How the person can be reached safely.
    pub safe_contact: String,
    /// When.
    pub safe_contact_times: String,
    /// Who cares for the person.
    pub caregiver: String,
    /// A child without its parents.
    pub separated_or_unaccompanied: bool,
    /// Who depends on the person.
    pub dependants: String,
}

/// Whom to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FocalPointForm {
    /// Name or function.
    pub name: String,
    /// How to reach them.
    pub contact: String,
}

impl ReferralForm {
    /// The messages for the node; where a name is in no list or a date is none, all that can be
    /// seen to be wrong, at once. What only the node can know is for [`super::decide`] to say.
    pub fn to_messages(&self) -> Result<(v1::Sent, v1::ReferralContent), Vec<FieldError>> {
        let mut fields = Fields::default();
        let sent = v1::Sent {
            receiver: lower(&self.receiver),
            priority: fields.parse_code::<v1::Priority>("priority", &self.priority),
            stage: fields.parse_code::<v1::JourneyStage>("stage", &self.stage),
            country_of_origin: lower(&self.country_of_origin),
            country_of_stay: lower(&self.country_of_stay),
            country_of_destination: lower(&self.country_of_destination),
            services_requested: fields
                .parse_codes::<v1::ServiceCategory>("services_requested", &self.services_requested),
            services_provided: fields
                .parse_codes::<v1::ServiceCategory>("services_provided", &self.services_provided),
            vulnerabilities: fields
                .parse_codes::<v1::Vulnerability>("vulnerabilities", &self.vulnerabilities),
            legal_basis: fields.parse_code::<v1::LegalBasis>("legal_basis", &self.legal_basis),
            consent: self.consent.as_ref().map(|consent| consent.to_message(&mut fields)),
            information_disclosed: Vec::new(),
            information_withheld: self.information_withheld.clone(),
            purpose: fields.parse_code::<v1::Purpose>("purpose", &self.purpose),
            retain_until: fields.date("retain_until", &self.retain_until),
            restrictions: fields.parse_codes::<v1::Restriction>("restrictions", &self.restrictions),
            age_band: fields.parse_code::<v1::AgeBand>("age_band", &self.age_band),
            sex: fields.parse_code::<v1::Sex>("sex", &self.sex),
            case_digest: Vec::new(),
            onward_of: Vec::new(),
            consent_override: match self.override_reason.as_str() {
                "" => None,
                name => Some(v1::ConsentOverride {
                    reason: fields.parse_code::<v1::OverrideReason>("override_reason", name),
                }),
            },
        };
        let mut content = self.content.clone().unwrap_or_default().to_message(&mut fields);
        content.consent_witness = text(self.witness());
        match fields.finish() {
            Ok(()) => Ok((sent, content)),
            Err(wrong) => Err(with_more(wrong, validate::sent(None, &sent, &content))),
        }
    }

    /// Who was there when the person agreed; empty where nobody is named.
    pub fn witness(&self) -> &str {
        self.consent.as_ref().map_or("", |consent| &consent.witness)
    }

    /// The messages of a form that is to be sent; where anything that it says or leaves out is
    /// wrong, all of that.
    pub fn to_send(&self) -> Result<(v1::Sent, v1::ReferralContent), Vec<FieldError>> {
        let (sent, content) = self.to_messages()?;
        validate::sent(None, &sent, &content)?;
        Ok((sent, content))
    }

    /// The form of what a node holds.
    pub fn from_messages(sent: &v1::Sent, content: Option<&v1::ReferralContent>) -> Self {
        Self {
            receiver: sent.receiver.clone(),
            priority: name::<v1::Priority>(sent.priority),
            stage: name::<v1::JourneyStage>(sent.stage),
            country_of_origin: sent.country_of_origin.clone(),
            country_of_stay: sent.country_of_stay.clone(),
            country_of_destination: sent.country_of_destination.clone(),
            services_requested: names::<v1::ServiceCategory>(&sent.services_requested),
            services_provided: names::<v1::ServiceCategory>(&sent.services_provided),
            vulnerabilities: names::<v1::Vulnerability>(&sent.vulnerabilities),
            age_band: name::<v1::AgeBand>(sent.age_band),
            sex: name::<v1::Sex>(sent.sex),
            purpose: name::<v1::Purpose>(sent.purpose),
            legal_basis: name::<v1::LegalBasis>(sent.legal_basis),
            override_reason: sent
                .consent_override
                .as_ref()
                .map(|given| name::<v1::OverrideReason>(given.reason))
                .unwrap_or_default(),
            retain_until: seconds_to_date(sent.retain_until),
            restrictions: names::<v1::Restriction>(&sent.restrictions),
            information_withheld: sent.information_withheld.clone(),
            information_disclosed: sent.information_disclosed.clone(),
            consent: sent.consent.as_ref().map(|consent| ConsentForm {
                witness: content.map(|case| case.consent_witness.clone()).unwrap_or_default(),
                ..ConsentForm::from_message(consent)
            }),
            content: content.map(ContentForm::from_message),
        }
    }
}

impl ConsentForm {
    fn to_message(&self, fields: &mut Fields) -> v1::Consent {
        v1::Consent {
            status: fields.parse_code::<v1::ConsentStatus>("consent.status", &self.status),
            form: fields.parse_code::<v1::ConsentForm>("consent.form", &self.form),
            given_by: fields.parse_code::<v1::ConsentGiver>("consent.given_by", &self.given_by),
            language: lower(&self.language),
            interpreter: self.interpreter,
            explained_at: fields.date("consent.explained_on", &self.explained_on),
            expires_at: fields.date("consent.expires_on", &self.expires_on),
            witnessed: self.witnessed,
            recipients: self.recipients.iter().map(|code| lower(code)).collect(),
            fields: self.fields.clone(),
            purposes: fields.parse_codes::<v1::Purpose>("consent.purposes", &self.purposes),
        }
    }

    /// The form of what a record says. Who was there it does not know.
    pub fn from_message(consent: &v1::Consent) -> Self {
        Self {
            status: name::<v1::ConsentStatus>(consent.status),
            form: name::<v1::ConsentForm>(consent.form),
            given_by: name::<v1::ConsentGiver>(consent.given_by),
            language: consent.language.clone(),
            interpreter: consent.interpreter,
            explained_on: seconds_to_date(consent.explained_at),
            expires_on: seconds_to_date(consent.expires_at),
            witnessed: consent.witnessed,
            witness: String::new(),
            recipients: consent.recipients.clone(),
            fields: consent.fields.clone(),
            purposes: names::<v1::Purpose>(&consent.purposes),
        }
    }
}

impl ContentForm {
    fn to_message(&self, fields: &mut Fields) -> v1::ReferralContent {
        let person = &self.person;
        let person = v1::Person {
            name: text(&person.name),
            sex: fields.parse_code::<v1::Sex>("content.person.sex", &person.sex),
            age: person.age,
            nationality: lower(&person.nationality),
            languages: person.languages.iter().map(|code| lower(code)).collect(),
            interpreter_needed: person.interpreter_needed,
            disability: text(&person.disability),
            safe_contact: text(&person.safe_contact),
            safe_contact_times: text(&person.safe_contact_times),
            caregiver: text(&person.caregiver),
            separated_or_unaccompanied: person.separated_or_unaccompanied,
            dependants: text(&person.dependants),
        };
        let focal_point = v1::FocalPoint {
            name: text(&self.focal_point.name),
            contact: text(&self.focal_point.contact),
        };
        v1::ReferralContent {
            case_code: text(&self.case_code),
            person: Some(person),
            reason: text(&self.reason),
            risk: text(&self.risk),
            services_already_provided: text(&self.services_already_provided),
            focal_point: Some(focal_point),
            // It stands in the form beside the consent.
            consent_witness: String::new(),
        }
    }

    fn from_message(content: &v1::ReferralContent) -> Self {
        let person = content.person.clone().unwrap_or_default();
        let focal_point = content.focal_point.clone().unwrap_or_default();
        Self {
            case_code: content.case_code.clone(),
            reason: content.reason.clone(),
            risk: content.risk.clone(),
            services_already_provided: content.services_already_provided.clone(),
            person: PersonForm {
                name: person.name,
                sex: name::<v1::Sex>(person.sex),
                age: person.age,
                nationality: person.nationality,
                languages: person.languages,
                interpreter_needed: person.interpreter_needed,
                disability: person.disability,
                safe_contact: person.safe_contact,
                safe_contact_times: person.safe_contact_times,
                caregiver: person.caregiver,
                separated_or_unaccompanied: person.separated_or_unaccompanied,
                dependants: person.dependants,
            },
            focal_point: FocalPointForm { name: focal_point.name, contact: focal_point.contact },
        }
    }
}

fn lower(code: &str) -> String {
    code.trim().to_ascii_lowercase()
}

fn text(text: &str) -> String {
    text.trim().into()
}

fn name<C: Code>(number: i32) -> String {
    codes::name::<C>(number).into()
}

fn names<C: Code>(numbers: &[i32]) -> Vec<String> {
    numbers.iter().map(|number| codes::name::<C>(*number).into()).collect()
}

/// A form to fill in, in TOML with what each field means. As it stands it is refused, every field
/// by name: what belongs there stands there as `<...>`.
pub fn template() -> &'static str {
    include_str!("template.toml")
}

/// A form that is filled in with an invented case: for tests and demonstrations.
pub fn example() -> &'static str {
    include_str!("example.toml")
}
