//! [`decide`]: what a society may write, or every reason why not.

use std::fmt;

use tutti_proto::v1::{self, information_event::Transition};

use super::{InformationId, Kind, Outcome, Share, State, transition, validate};
use crate::{
    entry::Visibility,
    fields::{FieldError, Fields, Need},
    limits::REFERRAL_EVENTS_MAX,
    referral::EventRef,
    society::{Origin, Society},
};

/// What an editor wants to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Publish a first version.
    Publish {
        /// Who may read it.
        visibility: Visibility,
        /// Whom it is for besides the author, by code; only where it is addressed.
        parties: Vec<Society>,
        /// What it says.
        version: Box<v1::InformationVersion>,
    },
    /// Put another version in its place.
    Revise(Box<v1::InformationVersion>),
    /// Say that another share has taken its place.
    Supersede(InformationId),
    /// Take it back, and say why.
    Retract(v1::Retracted),
    /// Say that it was seen.
    Acknowledge,
    /// Stand by it.
    Endorse(v1::Endorsed),
    /// Say that it is wrong, and how.
    Dispute(v1::Disputed),
    /// Tell what was done with it.
    ActOn(v1::ActedOn),
    /// Add a text in another language.
    Translate(Box<v1::LocalText>),
    /// Take back an own response or translation.
    TakeBack(EventRef),
}

impl Command {
    /// The kind of event that it leads to.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Publish { .. } => Kind::Published,
            Self::Revise(_) => Kind::Revised,
            Self::Supersede(_) => Kind::Superseded,
            Self::Retract(_) => Kind::Retracted,
            Self::Acknowledge => Kind::Acknowledged,
            Self::Endorse(_) => Kind::Endorsed,
            Self::Dispute(_) => Kind::Disputed,
            Self::ActOn(_) => Kind::ActedOn,
            Self::Translate(_) => Kind::Translated,
            Self::TakeBack(_) => Kind::TakenBack,
        }
    }
}

/// What a decision stands on besides the share itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The log that the event will stand in; its society is the author.
    pub origin: &'a Origin,
    /// The event's id: the idempotency key of the write.
    pub event_id: [u8; 16],
    /// For responses and translations: the number of the version that is meant; 0: the newest.
    pub version: u32,
    /// For publishing: the share whose place it takes.
    pub supersedes: Option<&'a Share>,
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
    /// It is for other societies to say.
    OwnShare,
    /// The share is for other societies.
    NotAParty,
    /// It was retracted.
    Retracted,
    /// Another has taken its place.
    Superseded(Option<InformationId>),
    /// There is no version with that number.
    NoVersion {
        /// How many there are.
        versions: u32,
    },
    /// The same was said of the same version before.
    SaidBefore(Kind),
    /// The entry is no response or translation of this society's to this share that counts.
    NothingToTakeBack,
    /// The new share would be seen by fewer societies than the old one.
    Narrower,
    /// One society has written as much about this share as every node keeps.
    TooMany,
}

/// What happened, what was kept, what to do.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(fields) => {
                f.write_str("nothing was written. Correct and try again:")?;
                fields.iter().try_for_each(|field| write!(f, "\n  {field}"))
            }
            Self::NotFound => f.write_str(
                "there is no such information share here. See `tutti information list --all`; one \
                 that was just published may still be on its way",
            ),
            Self::AlreadyPublished => {
                f.write_str("this share was published already; nothing was written. Revise it")
            }
            Self::NotTheAuthor(society) => write!(
                f,
                "only {society}, which published the share, can change it; nothing was written. If \
                 it is wrong, say so: `tutti information dispute`"
            ),
            Self::OwnShare => f.write_str(
                "this society published the share itself: it is for others to say that of it. \
                 Nothing was written",
            ),
            Self::NotAParty => f.write_str(
                "the share is addressed to other societies than this one; nothing was written",
            ),
            Self::Retracted => f.write_str(
                "the share was retracted, which is final; nothing was written. Publish a new one",
            ),
            Self::Superseded(by) => {
                f.write_str("another share has taken the place of this one; nothing was written")?;
                match by {
                    Some(id) => write!(f, ". See `tutti information show {id}`"),
                    None => Ok(()),
                }
            }
            Self::NoVersion { versions } => write!(
                f,
                "the share has versions 1 to {versions}, and not that one; nothing was written"
            ),
            Self::SaidBefore(kind) => write!(
                f,
                "this society has {} this version already; nothing was written",
                match kind {
                    Kind::Acknowledged => "acknowledged",
                    Kind::Endorsed => "endorsed",
                    _ => "said that of",
                }
            ),
            Self::NothingToTakeBack => f.write_str(
                "that entry is no response or translation of this society's to this share, or was \
                 taken back; nothing was written. See the entries with `tutti information show`",
            ),
            Self::Narrower => f.write_str(
                "the share whose place it would take can be read by more societies than this one; \
                 nothing was written. Publish it for the same, or retract the old one",
            ),
            Self::TooMany => f.write_str(
                "this society has written as much about this share as is kept of it; nothing was \
                 written. It can still be retracted; publish a new one in its place",
            ),
        }
    }
}

impl std::error::Error for Refusal {}

/// What the author of `context.origin` writes on `command`, where it may. All of its text stands in
/// it; for an addressed share see [`super::split`].
///
/// # Errors
/// [`Refusal`], with every wrong field at once.
pub fn decide(
    share: Option<&Share>,
    command: Command,
    context: &Context,
) -> Result<v1::InformationEvent, Refusal> {
    if let Command::Publish { visibility, parties, version } = command {
        return match share {
            Some(_) => Err(Refusal::AlreadyPublished),
            None => publish(visibility, &parties, *version, context),
        };
    }
    let share = share.ok_or(Refusal::NotFound)?;
    let by = context.origin.society();
    let kind = command.kind();
    if !share.is_for(by) {
        return Err(Refusal::NotAParty);
    }
    if !kind.by().may(by == share.society) {
        return Err(match by == share.society {
            true => Refusal::OwnShare,
            false => Refusal::NotTheAuthor(share.society),
        });
    }
    fits(share, kind)?;
    let own = || share.own(by).map(|outcome| &outcome.event);
    let alike = own().filter(|event| event.kind().is_some_and(Kind::ends) == kind.ends());
    if alike.count() >= REFERRAL_EVENTS_MAX {
        return Err(Refusal::TooMany);
    }
    let about = about(share, kind, context.version)?;
    let said = |outcome: &&Outcome| {
        outcome.effective && outcome.event.kind() == Some(kind) && outcome.event.body.about == about
    };
    if kind == Kind::Acknowledged && share.own(by).any(|outcome| said(&outcome)) {
        return Err(Refusal::SaidBefore(kind));
    }
    Ok(v1::InformationEvent {
        information_id: share.id.as_bytes().to_vec(),
        about,
        parties: share.parties.iter().map(Society::to_string).collect(),
        transition: Some(body(share, by, command)?),
    })
}

fn publish(
    visibility: Visibility,
    parties: &[Society],
    version: v1::InformationVersion,
    context: &Context,
) -> Result<v1::InformationEvent, Refusal> {
    validate::version(Some((visibility, parties)), &version).map_err(Refusal::Fields)?;
    let by = context.origin.society();
    let mut parties: Vec<Society> = parties.iter().copied().filter(|party| *party != by).collect();
    parties.sort_unstable();
    parties.dedup();
    if let Some(old) = context.supersedes {
        if old.society != by {
            return Err(Refusal::NotTheAuthor(old.society));
        }
        fits(old, Kind::Superseded)?;
        let all_see_it = match (old.visibility, visibility) {
            (Visibility::Addressed, Visibility::Addressed) => old.parties == parties,
            (Visibility::Addressed, Visibility::Federation | Visibility::Public)
            | (Visibility::Federation, Visibility::Federation | Visibility::Public)
            | (Visibility::Public, Visibility::Public) => true,
            (Visibility::Federation | Visibility::Public, Visibility::Addressed)
            | (Visibility::Public, Visibility::Federation) => false,
        };
        if !all_see_it {
            return Err(Refusal::Narrower);
        }
    }
    let supersedes = context.supersedes.map(|old| old.id.as_bytes().to_vec()).unwrap_or_default();
    let version = v1::InformationVersion { supersedes, ..version };
    Ok(v1::InformationEvent {
        information_id: InformationId::of(context.origin, &context.event_id).as_bytes().to_vec(),
        about: Vec::new(),
        parties: parties.iter().map(Society::to_string).collect(),
        transition: Some(Transition::Published(version)),
    })
}

/// Whether something of that kind may be written of a share as it stands: by the table, and besides
/// nothing is said in favour of or against what has ended.
fn fits(share: &Share, kind: Kind) -> Result<(), Refusal> {
    let has_ended = match share.state {
        State::Published | State::Revised => None,
        State::Superseded => Some(Refusal::Superseded(share.superseded_by)),
        State::Retracted => Some(Refusal::Retracted),
    };
    let needs_one_that_holds = matches!(kind, Kind::Endorsed | Kind::Disputed | Kind::Translated);
    match (transition(Some(share.state), kind), has_ended) {
        (Some(_), Some(ended)) if needs_one_that_holds => Err(ended),
        (Some(_), _) => Ok(()),
        (None, Some(ended)) => Err(ended),
        (None, None) => Err(Refusal::AlreadyPublished),
    }
}

/// The id of the event that a response is about; empty for what is no response.
fn about(share: &Share, kind: Kind, number: u32) -> Result<Vec<u8>, Refusal> {
    match kind {
        Kind::Published | Kind::Revised | Kind::Superseded | Kind::Retracted | Kind::TakenBack => {
            return Ok(Vec::new());
        }
        Kind::Acknowledged | Kind::Endorsed | Kind::Disputed | Kind::ActedOn | Kind::Translated => {
        }
    }
    let mut versions = share.versions();
    let event = match number {
        // The newest word of its author, also that it was retracted.
        0 => share.effective().rfind(|event| {
            event.society == share.society
                && event.kind().is_some_and(|kind| kind.by() == super::By::Author)
        }),
        number => versions.find(|version| version.number == number).map(|v| v.event),
    };
    let event = event.ok_or(Refusal::NoVersion { versions: share.version_number })?;
    Ok(event.event_id.to_vec())
}

/// What the event says.
fn body(share: &Share, by: Society, command: Command) -> Result<Transition, Refusal> {
    let mut fields = Fields::default();
    let practice = share.version.kind == v1::InformationKind::GoodPractice as i32;
    let transition = match command {
        Command::Publish { .. } => return Err(Refusal::AlreadyPublished),
        Command::Revise(version) => {
            let version = v1::InformationVersion { supersedes: Vec::new(), ..*version };
            validate::version(None, &version).map_err(Refusal::Fields)?;
            Transition::Revised(version)
        }
        Command::Supersede(id) => {
            Transition::Superseded(v1::Superseded { by: id.as_bytes().to_vec() })
        }
        Command::Retract(retracted) => {
            fields.text("reason", &retracted.reason, Need::Required);
            Transition::Retracted(retracted)
        }
        Command::Acknowledge => Transition::Acknowledged(v1::Acknowledged {}),
        Command::Endorse(endorsed) => {
            fields.text("note", &endorsed.note, Need::Optional);
            Transition::Endorsed(endorsed)
        }
        Command::Dispute(disputed) => {
            fields.code::<v1::DisputeCode>("code", disputed.code, Need::Required);
            fields.text("reason", &disputed.reason, Need::Required);
            Transition::Disputed(disputed)
        }
        Command::ActOn(acted) => {
            fields.code::<v1::ActionCode>("code", acted.code, Need::Required);
            let other = acted.code == v1::ActionCode::Other as i32;
            let need = if other { Need::Required } else { Need::Optional };
            fields.text("note", &acted.note, need);
            Transition::ActedOn(acted)
        }
        Command::Translate(text) => {
            validate::translation(&text, practice).map_err(Refusal::Fields)?;
            Transition::Translated(v1::Translated { text: Some(*text) })
        }
        Command::TakeBack(at) => {
            let is_response =
                |kind: Kind| kind.by() != super::By::Author && kind != Kind::TakenBack;
            let found = share.own(by).find(|outcome| {
                outcome.effective
                    && outcome.event.at == at
                    && outcome.event.kind().is_some_and(is_response)
            });
            let event_id = found.ok_or(Refusal::NothingToTakeBack)?.event.event_id.to_vec();
            Transition::TakenBack(v1::TakenBack { event_id })
        }
    };
    fields.finish().map_err(Refusal::Fields)?;
    Ok(transition)
}
