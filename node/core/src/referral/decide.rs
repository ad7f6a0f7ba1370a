//! [`decide`]: what a society may write next, or every reason why not.

use std::fmt;

use tutti_proto::v1::{self, referral_event::Transition};

use super::{Kind, Referral, ReferralId, State, transition, validate};
use crate::{
    fields::{FieldError, Fields, Need},
    society::{Origin, Society},
};

/// What a caseworker wants to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Refer a person. `information_disclosed` is derived from the content.
    Send {
        /// The record's part, with the digest of the case set.
        sent: Box<v1::Sent>,
        /// The content's part.
        content: Box<v1::ReferralContent>,
    },
    /// Say that it has arrived.
    Acknowledge,
    /// Ask for more; the question is in the note.
    RequestInformation(v1::InformationRequested),
    /// Answer; the answer is in the note.
    ProvideInformation(v1::InformationProvided),
    /// Say that the person will be helped.
    Accept,
    /// Say that the person will not be helped here, and why.
    Decline(v1::Declined),
    /// Take it back.
    Withdraw(v1::Withdrawn),
    /// Say what was done.
    Complete(v1::Completed),
    /// Close the matter.
    Close(v1::Closed),
}

impl Command {
    /// The kind of event that it leads to.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Send { .. } => Kind::Sent,
            Self::Acknowledge => Kind::Acknowledged,
            Self::RequestInformation(_) => Kind::InformationRequested,
            Self::ProvideInformation(_) => Kind::InformationProvided,
            Self::Accept => Kind::Accepted,
            Self::Decline(_) => Kind::Declined,
            Self::Withdraw(_) => Kind::Withdrawn,
            Self::Complete(_) => Kind::Completed,
            Self::Close(_) => Kind::Closed,
        }
    }
}

/// What a decision stands on besides the referral itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The log that the event will stand in; its society is the author.
    pub origin: &'a Origin,
    /// The event's id: the idempotency key of the write.
    pub event_id: [u8; 16],
    /// Milliseconds since the Unix epoch: for what expires, and for nothing else.
    pub now_ms: u64,
    /// The free text that goes with the event, in its content.
    pub note: &'a str,
    /// For sending: an open referral of the same case, service and receiver
    /// ([`super::Book::open_like`]).
    pub duplicate: Option<&'a Referral>,
}

/// Why something may not be written. Nothing was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Fields are wrong: all of them.
    Fields(Vec<FieldError>),
    /// There is no such referral.
    NotFound,
    /// It was sent before.
    AlreadySent,
    /// Neither sender nor receiver.
    NotAParty,
    /// It is for the other side to do.
    WrongSide {
        /// What was wanted.
        kind: Kind,
        /// Who may.
        society: Society,
    },
    /// The state does not allow it.
    State {
        /// What was wanted.
        kind: Kind,
        /// The state.
        state: State,
        /// What the same side may do in that state.
        allowed: Vec<Kind>,
    },
    /// The same case is open already for the same service at the same society.
    Duplicate {
        /// The first one.
        first: ReferralId,
        /// Its state.
        state: State,
    },
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
                "there is no such referral here. See `tutti referral list`; one that was just sent \
                 may still be on its way",
            ),
            Self::AlreadySent => f.write_str("this referral was sent already; nothing was written"),
            Self::NotAParty => f.write_str(
                "this society neither sent nor received that referral; nothing was written",
            ),
            Self::WrongSide { kind, society } => write!(
                f,
                "{kind} is for {society} to do, on the other side of this referral; nothing was \
                 written",
                kind = kind.command()
            ),
            Self::State { kind, state, allowed } => {
                write!(
                    f,
                    "the referral is {state}, so {kind} is not possible; nothing was written",
                    kind = kind.command()
                )?;
                match allowed.as_slice() {
                    [] => {
                        f.write_str(". It is for the other side to act, or nothing is left to do")
                    }
                    allowed => {
                        let names: Vec<&str> = allowed.iter().map(|kind| kind.command()).collect();
                        write!(f, ". What you can do now: {}", names.join(", "))
                    }
                }
            }
            Self::Duplicate { first, state } => write!(
                f,
                "the same case was referred to the same society for the same service already, and \
                 is {state} there: referral {first}. Nothing was written; withdraw that one first, \
                 or go on with it"
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
    referral: Option<&Referral>,
    command: Command,
    context: &Context,
) -> Result<v1::ReferralEvent, Refusal> {
    let by = context.origin.society();
    let kind = command.kind();
    if let Command::Send { sent, content } = command {
        if referral.is_some() {
            return Err(Refusal::AlreadySent);
        }
        validate::sent(Some((by, context.now_ms)), &sent, &content).map_err(Refusal::Fields)?;
        if let Some(first) = context.duplicate {
            return Err(Refusal::Duplicate { first: first.id, state: first.state });
        }
        let information_disclosed = validate::disclosed(&content);
        return Ok(v1::ReferralEvent {
            referral_id: ReferralId::of(context.origin, &context.event_id).as_bytes().to_vec(),
            seen: None,
            transition: Some(Transition::Sent(v1::Sent { information_disclosed, ..*sent })),
        });
    }
    let referral = referral.ok_or(Refusal::NotFound)?;
    let side = referral.side_of(by).ok_or(Refusal::NotAParty)?;
    if kind.side() != side {
        return Err(Refusal::WrongSide { kind, society: referral.society(kind.side()) });
    }
    check_fields(&command, context.note).map_err(Refusal::Fields)?;
    if transition(Some(referral.state), kind).is_none() {
        let may =
            |kind: &Kind| kind.side() == side && transition(Some(referral.state), *kind).is_some();
        return Err(Refusal::State {
            kind,
            state: referral.state,
            allowed: Kind::ALL.into_iter().filter(may).collect(),
        });
    }
    Ok(v1::ReferralEvent {
        referral_id: referral.id.as_bytes().to_vec(),
        seen: referral.latest_of(side.other()).map(super::EventRef::to_seen),
        transition: Some(match command {
            Command::Send { .. } => return Err(Refusal::AlreadySent),
            Command::Acknowledge => Transition::Acknowledged(v1::Acknowledged {}),
            Command::RequestInformation(asked) => Transition::InformationRequested(asked),
            Command::ProvideInformation(given) => Transition::InformationProvided(given),
            Command::Accept => Transition::Accepted(v1::Accepted {}),
            Command::Decline(declined) => Transition::Declined(declined),
            Command::Withdraw(withdrawn) => Transition::Withdrawn(withdrawn),
            Command::Complete(completed) => Transition::Completed(completed),
            Command::Close(closed) => Transition::Closed(closed),
        }),
    })
}

fn check_fields(command: &Command, note: &str) -> Result<(), Vec<FieldError>> {
    use Need::{Optional, Required};
    let mut fields = Fields::default();
    let mut note_need = Optional;
    match command {
        Command::Send { .. } | Command::Acknowledge | Command::Accept => {}
        Command::RequestInformation(asked) => {
            validate::content_fields(&mut fields, "fields", &asked.fields);
            if asked.fields.is_empty() {
                note_need = Required;
            }
        }
        Command::ProvideInformation(given) => {
            let field = "information_disclosed";
            validate::content_fields(&mut fields, field, &given.information_disclosed);
            note_need = Required;
        }
        Command::Decline(declined) => {
            fields.code::<v1::DeclineCode>("code", declined.code, Required);
            if declined.code == v1::DeclineCode::Other as i32 {
                note_need = Required;
            }
        }
        Command::Withdraw(withdrawn) => {
            fields.code::<v1::WithdrawCode>("code", withdrawn.code, Required);
        }
        Command::Complete(completed) => {
            fields.code::<v1::DeliveryResult>("result", completed.result, Required);
            let field = "services_delivered";
            fields.codes::<v1::ServiceCategory>(field, &completed.services_delivered, Optional);
        }
        Command::Close(closed) => {
            fields.code::<v1::Outcome>("outcome", closed.outcome, Required);
            fields.code::<v1::Feedback>("feedback", closed.feedback, Optional);
        }
    }
    fields.text("note", note, note_need);
    fields.finish()
}
