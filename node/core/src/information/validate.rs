//! What whoever publishes must heed: checked before anything is written, and every fault named at
//! once, with what may stand there.

use tutti_proto::v1;

use crate::{
    entry::Visibility,
    fields::{FieldError, Fields, Need, date_to_seconds},
    society::Society,
};

use Need::{Optional, Required};

/// Checks a version, and for whom it is where that is known already.
pub(super) fn version(
    audience: Option<(Visibility, &[Society])>,
    version: &v1::InformationVersion,
) -> Result<(), Vec<FieldError>> {
    let mut fields = Fields::default();
    if let Some((visibility, parties)) = audience {
        let is_named = !parties.is_empty();
        match visibility {
            Visibility::Addressed => fields.check(
                is_named,
                "addressees",
                "is missing; name the societies that it is for, or a working group",
            ),
            Visibility::Public | Visibility::Federation => fields.check(
                !is_named,
                "addressees",
                "are named, and the visibility is not addressed: then all members can read it",
            ),
        }
    }
    fields.code::<v1::InformationKind>("kind", version.kind, Required);
    let is = |kind: v1::InformationKind| version.kind == kind as i32;
    let practice = is(v1::InformationKind::GoodPractice);
    let languages: Vec<&str> = version.texts.iter().map(|text| text.language.as_str()).collect();
    fields.list("texts", &languages, Required, &[]);
    for (at, text) in version.texts.iter().enumerate() {
        let field = |name: &str| format!("texts.{}.{name}", at + 1);
        local_text(&mut fields, &field, text, practice.then_some(Required));
    }
    let changes = is(v1::InformationKind::LegalChange) || is(v1::InformationKind::PolicyChange);
    let countries_need = if changes { Required } else { Optional };
    fields.list("countries", &version.countries, countries_need, &[]);
    for country in &version.countries {
        fields.country("countries", country, Required);
    }
    fields.line("jurisdiction", &version.jurisdiction, Optional);
    fields.line("legal_reference", &version.legal_reference, Optional);
    dates(&mut fields, version);
    fields.code::<v1::JourneyStage>("stage", version.stage, Optional);
    fields.code::<v1::Audience>("audience", version.audience, Required);
    let alert = if is(v1::InformationKind::SafetyAlert) { Required } else { Optional };
    fields.code::<v1::Severity>("severity", version.severity, alert);
    fields.code::<v1::Verification>("verification", version.verification, Required);
    fields.line("source_url", &version.source_url, Optional);
    fields.check(
        version.source_url.is_empty() || is_http_url(&version.source_url),
        "source_url",
        "is not a web address that begins with https:// or http://",
    );
    let sourced = !version.source_url.is_empty() || !version.legal_reference.is_empty();
    fields.check(
        version.verification != v1::Verification::Official as i32 || sourced,
        "verification",
        "is official: give source_url or legal_reference, so that it can be looked up",
    );
    let opportunity = is(v1::InformationKind::ResourceOpportunity);
    fields.line("amount", &version.amount, Optional);
    for (field, text) in [("deadline_on", &version.deadline_on), ("amount", &version.amount)] {
        fields.check(
            opportunity || text.is_empty(),
            field,
            "belongs to a resource_opportunity alone",
        );
    }
    fields.finish()
}

fn dates(fields: &mut Fields, version: &v1::InformationVersion) {
    let v1::InformationVersion { effective_on, expires_on, deadline_on, .. } = version;
    fields.date("effective_on", effective_on);
    fields.date("expires_on", expires_on);
    fields.date("deadline_on", deadline_on);
    if let Some(from) = date_to_seconds(effective_on)
        && let Some(to) = date_to_seconds(expires_on)
    {
        fields.check(from <= to, "expires_on", "lies before effective_on");
    }
}

/// Checks a translation, of a good practice or of something else.
pub(super) fn translation(text: &v1::LocalText, is_practice: bool) -> Result<(), Vec<FieldError>> {
    let mut fields = Fields::default();
    local_text(&mut fields, &ToOwned::to_owned, text, is_practice.then_some(Optional));
    fields.finish()
}

/// Checks a translation without knowing of what it is.
///
/// # Errors
/// Every wrong field.
pub fn check_translation(text: &v1::LocalText) -> Result<(), Vec<FieldError>> {
    translation(text, true)
}

/// `practice`: whether results are needed; `None` where there can be none.
fn local_text(
    fields: &mut Fields,
    field: &dyn Fn(&str) -> String,
    text: &v1::LocalText,
    practice: Option<Need>,
) {
    fields.language(&field("language"), &text.language, Required);
    fields.line(&field("title"), &text.title, Required);
    fields.text(&field("summary"), &text.summary, Optional);
    fields.text(&field("text"), &text.text, Optional);
    fields.check(
        !text.summary.trim().is_empty() || !text.text.trim().is_empty(),
        &field("text"),
        "is missing; give a text or at least a summary",
    );
    for (name, text) in [("results", &text.results), ("how_to_repeat", &text.how_to_repeat)] {
        match practice {
            Some(need) => fields.text(&field(name), text, need),
            None => fields.check(text.is_empty(), &field(name), "belongs to a good_practice alone"),
        }
    }
}

/// `http(s)://host…`, without spaces and control characters.
fn is_http_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| host.contains(|c: char| c.is_ascii_alphanumeric()))
        && !url.chars().any(|c| c.is_whitespace() || c.is_control())
        && !url.contains(['"', '<', '>', '\\', '@'])
}
