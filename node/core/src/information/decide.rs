//! [`decide`]: what a society may publish, or every reason why not.

use std::fmt;

use tutti_proto::v1::{self, information_event::Transition};

use super::{InformationId, Kind, Share, State, transition};
use crate::{
    entry::Visibility,
    fields::{FieldError, Fields, Need, date_to_seconds},
    society::{Origin, Society},
};

/// What an editor wants to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Publish a first version.
    Publish {
        /// Public, or for the federation.
        visibility: Visibility,
        /// What it says.
        version: v1::InformationVersion,
    },
    /// Put another version in its place.
    Revise(v1::InformationVersion),
    /// Take it back, and say why.
    Retract(v1::Retracted),
}

/// What a decision stands on besides the share itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The log that the event will stand in; its society is the author.
    pub origin: &'a Origin,
    /// The event's id: the idempotency key of the write.
    pub event_id: [u8; 16],
}

/// Why something may not be written. Nothing was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Fields are wrong: all of them.
    Fields(Vec<FieldError>),
    /// There is no such share.
    NotFound,
    /// It was published before.
    AlreadyPublished,
    /// Another society published it.
    NotTheAuthor(Society),
    /// It was retracted.
    Retracted,
}

/// What happened, what was kept, what to do.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(fields) => {
                f.write_str("nothing was written. Correct and try again:")?;
                fields.iter().try_for_each(|field| write!(f, "\n  {field}"))
            }
            Self::NotFound => {
                f.write_str("there is no such information share here. See `tutti information list`")
            }
            Self::AlreadyPublished => {
                f.write_str("this share was published already; nothing was written. Revise it")
            }
            Self::NotTheAuthor(society) => write!(
                f,
                "only {society}, which published the share, can change it; nothing was written"
            ),
            Self::Retracted => f.write_str(
                "the share was retracted, which is final; nothing was written. Publish a new one",
            ),
        }
    }
}

impl std::error::Error for Refusal {}

/// What the author of `context.origin` writes on `command`, where it may.
///
/// # Errors
/// [`Refusal`], with every wrong field at once.
pub fn decide(
    share: Option<&Share>,
    command: Command,
    context: &Context,
) -> Result<v1::InformationEvent, Refusal> {
    let (id, transition_out) = match command {
        Command::Publish { visibility, version } => {
            if share.is_some() {
                return Err(Refusal::AlreadyPublished);
            }
            validate(Some(visibility), &version).map_err(Refusal::Fields)?;
            let id = InformationId::of(context.origin, &context.event_id);
            (id, Transition::Published(version))
        }
        Command::Revise(version) => {
            let id = changeable(share, Kind::Revised, context)?;
            validate(None, &version).map_err(Refusal::Fields)?;
            (id, Transition::Revised(version))
        }
        Command::Retract(retracted) => {
            let id = changeable(share, Kind::Retracted, context)?;
            let mut fields = Fields::default();
            fields.text("reason", &retracted.reason, Need::Required);
            fields.finish().map_err(Refusal::Fields)?;
            (id, Transition::Retracted(retracted))
        }
    };
    Ok(v1::InformationEvent {
        information_id: id.as_bytes().to_vec(),
        transition: Some(transition_out),
    })
}

fn changeable(
    share: Option<&Share>,
    kind: Kind,
    context: &Context,
) -> Result<InformationId, Refusal> {
    let share = share.ok_or(Refusal::NotFound)?;
    if share.society != context.origin.society() {
        return Err(Refusal::NotTheAuthor(share.society));
    }
    match transition(Some(share.state), kind) {
        Some(State::Published | State::Revised | State::Retracted) => Ok(share.id),
        None => Err(Refusal::Retracted),
    }
}

pub(super) fn validate(
    visibility: Option<Visibility>,
    version: &v1::InformationVersion,
) -> Result<(), Vec<FieldError>> {
    use Need::{Optional, Required};
    let mut fields = Fields::default();
    if visibility == Some(Visibility::Addressed) {
        fields.allowed("visibility", "is not in the list", &["public", "federation"]);
    }
    fields.code::<v1::InformationKind>("kind", version.kind, Required);
    let languages: Vec<&str> = version.texts.iter().map(|text| text.language.as_str()).collect();
    fields.list("texts", &languages, Required, &[]);
    for (at, text) in version.texts.iter().enumerate() {
        let field = |name: &str| format!("texts.{}.{name}", at + 1);
        fields.language(&field("language"), &text.language, Required);
        fields.line(&field("title"), &text.title, Required);
        fields.text(&field("summary"), &text.summary, Optional);
        fields.text(&field("text"), &text.text, Optional);
        fields.check(
            !text.summary.trim().is_empty() || !text.text.trim().is_empty(),
            &field("text"),
            "is missing; give a text or at least a summary",
        );
    }
    fields.list("countries", &version.countries, Optional, &[]);
    for country in &version.countries {
        fields.country("countries", country, Required);
    }
    fields.line("jurisdiction", &version.jurisdiction, Optional);
    fields.line("legal_reference", &version.legal_reference, Optional);
    fields.date("effective_on", &version.effective_on);
    fields.date("expires_on", &version.expires_on);
    if let Some(from) = date_to_seconds(&version.effective_on)
        && let Some(to) = date_to_seconds(&version.expires_on)
    {
        fields.check(from <= to, "expires_on", "lies before effective_on");
    }
    fields.code::<v1::JourneyStage>("stage", version.stage, Optional);
    fields.code::<v1::Audience>("audience", version.audience, Required);
    fields.code::<v1::Severity>("severity", version.severity, Optional);
    fields.code::<v1::Verification>("verification", version.verification, Required);
    fields.line("source_url", &version.source_url, Optional);
    fields.check(
        version.source_url.is_empty() || is_http_url(&version.source_url),
        "source_url",
        "is not a web address that begins with https:// or http://",
    );
    fields.finish()
}

/// `http(s)://host…`, without spaces and control characters.
fn is_http_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| host.contains(|c: char| c.is_ascii_alphanumeric()))
        && !url.chars().any(|c| c.is_whitespace() || c.is_control())
        && !url.contains(['"', '<', '>', '\\', '@'])
}
