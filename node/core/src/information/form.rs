//! The form of an information share, as people fill it in (TOML) and programs read it (JSON).

use serde::{Deserialize, Serialize};
use tutti_proto::v1;

use crate::{
    entry::Visibility,
    fields::{FieldError, Fields, with_more},
    information::decide::validate,
    referral::codes,
};

/// A share to publish or a version to revise to. Codes by name, dates as YYYY-MM-DD; what is empty
/// is not given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InformationForm {
    /// `public` or `federation`; not read when revising.
    pub visibility: String,
    /// What it is about.
    pub kind: String,
    /// For whom.
    pub audience: String,
    /// How far it was checked.
    pub verification: String,
    /// How serious it is.
    pub severity: String,
    /// Where on the way.
    pub stage: String,
    /// ISO 3166-1 alpha-2.
    pub countries: Vec<String>,
    /// Which part of a country, or which authority.
    pub jurisdiction: String,
    /// The law's own name and number.
    pub legal_reference: String,
    /// From when.
    pub effective_on: String,
    /// Until when.
    pub expires_on: String,
    /// Where it comes from.
    pub source_url: String,
    /// One a language.
    pub texts: Vec<TextForm>,
}

/// The text in one language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextForm {
    /// ISO 639-3.
    pub language: String,
    /// One line.
    pub title: String,
    /// A few lines.
    pub summary: String,
    /// All of it.
    pub text: String,
}

impl InformationForm {
    /// The messages for the node; where a name is in no list, all that is wrong, at once.
    pub fn to_messages(&self) -> Result<(Visibility, v1::InformationVersion), Vec<FieldError>> {
        let mut fields = Fields::default();
        let visibility = match self.visibility.as_str() {
            "public" => Visibility::Public,
            "federation" | "" => Visibility::Federation,
            _ => {
                let names = &["public", "federation"];
                fields.allowed("visibility", "is not in the list", names);
                Visibility::Federation
            }
        };
        let lower = |code: &String| code.trim().to_ascii_lowercase();
        let version = v1::InformationVersion {
            kind: fields.parse_code::<v1::InformationKind>("kind", &self.kind),
            texts: self.texts.iter().map(TextForm::to_message).collect(),
            countries: self.countries.iter().map(lower).collect(),
            jurisdiction: self.jurisdiction.trim().into(),
            legal_reference: self.legal_reference.trim().into(),
            effective_on: self.effective_on.clone(),
            expires_on: self.expires_on.clone(),
            stage: fields.parse_code::<v1::JourneyStage>("stage", &self.stage),
            audience: fields.parse_code::<v1::Audience>("audience", &self.audience),
            severity: fields.parse_code::<v1::Severity>("severity", &self.severity),
            source_url: self.source_url.trim().into(),
            verification: fields.parse_code::<v1::Verification>("verification", &self.verification),
        };
        match fields.finish() {
            Ok(()) => Ok((visibility, version)),
            Err(wrong) => Err(with_more(wrong, validate(Some(visibility), &version))),
        }
    }

    /// The form of what a node holds.
    pub fn from_messages(visibility: v1::Visibility, version: &v1::InformationVersion) -> Self {
        let visibility = match visibility {
            v1::Visibility::Public => "public",
            v1::Visibility::Federation => "federation",
            v1::Visibility::Addressed | v1::Visibility::Unspecified => "",
        };
        Self {
            visibility: visibility.into(),
            kind: codes::name::<v1::InformationKind>(version.kind).into(),
            audience: codes::name::<v1::Audience>(version.audience).into(),
            verification: codes::name::<v1::Verification>(version.verification).into(),
            severity: codes::name::<v1::Severity>(version.severity).into(),
            stage: codes::name::<v1::JourneyStage>(version.stage).into(),
            countries: version.countries.clone(),
            jurisdiction: version.jurisdiction.clone(),
            legal_reference: version.legal_reference.clone(),
            effective_on: version.effective_on.clone(),
            expires_on: version.expires_on.clone(),
            source_url: version.source_url.clone(),
            texts: version.texts.iter().map(TextForm::from_message).collect(),
        }
    }
}

impl TextForm {
    fn to_message(&self) -> v1::LocalText {
        v1::LocalText {
            language: self.language.trim().to_ascii_lowercase(),
            title: self.title.trim().into(),
            summary: self.summary.trim().into(),
            text: self.text.trim().into(),
        }
    }

    fn from_message(text: &v1::LocalText) -> Self {
        Self {
            language: text.language.clone(),
            title: text.title.clone(),
            summary: text.summary.clone(),
            text: text.text.clone(),
        }
    }
}

/// A form to fill in, in TOML with what each field means; as it stands it is a valid example.
pub fn template() -> &'static str {
    include_str!("template.toml")
}
