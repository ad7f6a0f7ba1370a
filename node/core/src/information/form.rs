//! The form of an information share, as people fill it in (TOML) and programs read it (JSON).

use serde::{Deserialize, Serialize};
use tutti_proto::v1;

use crate::{
    entry::Visibility,
    fields::{FieldError, Fields, Need, with_more},
    information::validate,
    referral::codes,
    society::Society,
};

/// A share to publish or a version to revise to. Codes by name, dates as YYYY-MM-DD; what is empty
/// is not given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InformationForm {
    /// `public`, `federation` or `addressed`; not read when revising.
    pub visibility: String,
    /// Where it is addressed: the societies, by code. Not read when revising.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addressees: Vec<String>,
    /// Where it is addressed: a working group, by its name. Not read when revising.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
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
    /// Of an opportunity: until when one may apply.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub deadline_on: String,
    /// Of an opportunity: how much there is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub amount: String,
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
    /// Of a good practice: what came of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub results: String,
    /// Of a good practice: how others can do the same.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub how_to_repeat: String,
}

/// Who may read a share: what its form says, before the node knows who is in a working group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readers {
    /// By all, by members, or by some.
    pub visibility: Visibility,
    /// Societies that it is addressed to.
    pub addressees: Vec<Society>,
    /// A working group that it is addressed to, by name; empty where it is to none.
    pub group: String,
}

impl InformationForm {
    /// The messages for the node; where anything that can be seen here is wrong, all that is, at
    /// once.
    pub fn to_messages(&self) -> Result<(Readers, v1::InformationVersion), Vec<FieldError>> {
        let mut fields = Fields::default();
        let visibility = match self.visibility.as_str() {
            "public" => Visibility::Public,
            "federation" | "" => Visibility::Federation,
            "addressed" => Visibility::Addressed,
            _ => {
                let names = &["public", "federation", "addressed"];
                fields.allowed("visibility", "is not in the list", names);
                Visibility::Federation
            }
        };
        let addressees = self.addressees(&mut fields, visibility);
        let readers =
            Readers { visibility, addressees, group: self.group.trim().to_ascii_lowercase() };
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
            supersedes: Vec::new(),
            deadline_on: self.deadline_on.clone(),
            amount: self.amount.trim().into(),
            group: String::new(),
        };
        match with_more(
            fields.finish().err().unwrap_or_default(),
            validate::version(None, &version),
        ) {
            wrong if wrong.is_empty() => Ok((readers, version)),
            wrong => Err(wrong),
        }
    }

    fn addressees(&self, fields: &mut Fields, visibility: Visibility) -> Vec<Society> {
        let parsed = |code: &String| code.trim().to_ascii_lowercase().parse::<Society>();
        let named: Result<Vec<Society>, _> = self.addressees.iter().map(parsed).collect();
        fields.check(
            named.is_ok(),
            "addressees",
            "holds something that is not a society: the two letters of its country, ifrc or icrc",
        );
        fields.line("group", &self.group, Need::Optional);
        let is_named = !self.addressees.is_empty() || !self.group.trim().is_empty();
        let sealed = visibility == Visibility::Addressed;
        fields.check(
            is_named || !sealed,
            "addressees",
            "is missing; name the societies that it is for, or a working group in group",
        );
        fields.check(
            sealed || !is_named,
            "visibility",
            "is not addressed, and addressees or a group are named: then all members can read it",
        );
        named.unwrap_or_default()
    }

    /// The form of what a node holds.
    pub fn from_messages(
        visibility: v1::Visibility,
        parties: &[String],
        version: &v1::InformationVersion,
    ) -> Self {
        let visibility = match visibility {
            v1::Visibility::Public => "public",
            v1::Visibility::Federation => "federation",
            v1::Visibility::Addressed => "addressed",
            v1::Visibility::Unspecified => "",
        };
        Self {
            visibility: visibility.into(),
            addressees: parties.to_vec(),
            group: version.group.clone(),
            deadline_on: version.deadline_on.clone(),
            amount: version.amount.clone(),
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
    /// The message for the node.
    pub fn to_message(&self) -> v1::LocalText {
        v1::LocalText {
            language: self.language.trim().to_ascii_lowercase(),
            title: self.title.trim().into(),
            summary: self.summary.trim().into(),
            text: self.text.trim().into(),
            results: self.results.trim().into(),
            how_to_repeat: self.how_to_repeat.trim().into(),
        }
    }

    /// The form of what a node holds.
    pub fn from_message(text: &v1::LocalText) -> Self {
        Self {
            language: text.language.clone(),
            title: text.title.clone(),
            summary: text.summary.clone(),
            text: text.text.clone(),
            results: text.results.clone(),
            how_to_repeat: text.how_to_repeat.clone(),
        }
    }
}

/// A form to fill in, in TOML with what each field means. As it stands it is refused, every field
/// by name: what belongs there stands there as `<...>`.
pub fn template() -> &'static str {
    include_str!("template.toml")
}

/// The form of a translation, in the same way.
pub fn translation_template() -> &'static str {
    include_str!("translation.toml")
}

/// A form that is filled in with an invented case: for tests and demonstrations.
pub fn example() -> &'static str {
    include_str!("example.toml")
}
