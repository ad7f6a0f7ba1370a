//! [`decide`]: what a society may write next, or every reason why not.

use std::fmt;

use tutti_proto::v1::{self, referral_event::Transition};

use super::{
    Kind, Owed, Referral, ReferralId, State, book::Class, handover, onward, steps, transition,
    validate,
};
use crate::{
    fields::FieldError,
    limits::LIST_MAX,
    roster::DataProtection,
    society::{Origin, Society},
};

/// What a caseworker wants to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Refer a person. `information_disclosed` is derived from the record and the content.
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
    /// Wait no longer: nobody answered in time.
    Expire,
    /// Begin to help.
    Start,
    /// Arrange to meet the person; where is in the note.
    Schedule(v1::AppointmentScheduled),
    /// Say that they did not meet.
    Miss(v1::AppointmentMissed),
    /// Let the help rest.
    Pause(v1::Paused),
    /// Go on with it.
    Resume,
    /// Say what was done.
    Deliver(v1::ServiceDelivered),
    /// Say how the person is.
    FollowUp(v1::FollowUp),
    /// Close the matter.
    Close(v1::Closed),
    /// End help that was promised.
    Cancel(v1::Cancelled),
    /// Take up again what had ended; where the case is told anew, what it holds is derived.
    Reopen(v1::Reopened, Option<Box<v1::ReferralContent>>),
    /// Say that the person was referred to a third society.
    PassOn(v1::Onward),
    /// Offer to hand over the case itself.
    ProposeHandover,
    /// Take it over.
    AcceptHandover,
    /// Do not.
    DeclineHandover,
    /// Say that the person no longer agrees.
    WithdrawConsent(v1::ConsentWithdrawn),
    /// Say that the person has agreed anew.
    RenewConsent(v1::ConsentRenewed),
    /// Put right what an own event said; what is right is the note, or the case told anew.
    Correct(v1::Corrected, Option<Box<v1::ReferralContent>>),
    /// Take back an own event, or the whole referral.
    EnterInError(v1::EnteredInError),
    /// Have the content erased.
    RequestErasure(v1::ErasureRequested),
    /// Confirm that it was.
    ConfirmErasure(v1::Erased),
    /// Add one part of a file; its bytes are the content.
    Attach(v1::Attached),
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
            Self::Expire => Kind::Expired,
            Self::Start => Kind::ServiceStarted,
            Self::Schedule(_) => Kind::AppointmentScheduled,
            Self::Miss(_) => Kind::AppointmentMissed,
            Self::Pause(_) => Kind::Paused,
            Self::Resume => Kind::Resumed,
            Self::Deliver(_) => Kind::ServiceDelivered,
            Self::FollowUp(_) => Kind::FollowUp,
            Self::Close(_) => Kind::Closed,
            Self::Cancel(_) => Kind::Cancelled,
            Self::Reopen(..) => Kind::Reopened,
            Self::PassOn(_) => Kind::Onward,
            Self::ProposeHandover => Kind::HandoverProposed,
            Self::AcceptHandover => Kind::HandoverAccepted,
            Self::DeclineHandover => Kind::HandoverDeclined,
            Self::WithdrawConsent(_) => Kind::ConsentWithdrawn,
            Self::RenewConsent(_) => Kind::ConsentRenewed,
            Self::Correct(..) => Kind::Corrected,
            Self::EnterInError(which) if which.event.is_some() => Kind::StepEnteredInError,
            Self::EnterInError(which) if !which.attachment.is_empty() => Kind::FileEnteredInError,
            Self::EnterInError(_) => Kind::EnteredInError,
            Self::RequestErasure(_) => Kind::ErasureRequested,
            Self::ConfirmErasure(_) => Kind::Erased,
            Self::Attach(_) => Kind::Attached,
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
    /// Milliseconds since the Unix epoch: for what expires or may be kept no longer, and for nothing else.
    pub now_ms: u64,
    /// The free text that goes with the event, in its content.
    pub note: &'a str,
    /// For sending: an open referral of the same case, service and receiver
    /// ([`super::Book::open_like`]).
    pub duplicate: Option<&'a Referral>,
    /// For sending onward, and for whatever that referral's sender tells there or records of consent later:
    /// the referral that is passed on.
    pub onward_of: Option<&'a Referral>,
    /// The federation's deadlines, and its time to keep.
    pub rules: &'a DataProtection,
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
    /// The handover is not open, or is.
    Handover(Kind),
    /// Nobody is late yet.
    NotDue,
    /// The time to keep the case is over.
    TimeIsOver {
        /// What was wanted.
        kind: Kind,
        /// It would be possible without a note.
        with_note: bool,
        /// What the same side may still do.
        allowed: Vec<Kind>,
    },
    /// The consent does not allow it.
    Consent(&'static str),
    /// This referral passes another one on, and the person's consent for that one does not allow it.
    Onward {
        /// The referral that is passed on.
        first: ReferralId,
        /// Who has sent that.
        society: Society,
        /// What its consent does not allow.
        problem: &'static str,
    },
    /// Nobody has asked the person whether a third society may have the case.
    Unasked,
    /// The person's consent to passing on stands on this society's word alone.
    Unseen {
        /// Whose turn it is to see it.
        society: Society,
    },
    /// One side has written as much about this referral as every node keeps.
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
                possible(f, allowed)
            }
            Self::Handover(Kind::HandoverProposed) => f.write_str(
                "a handover of this case was proposed or made already; nothing was written",
            ),
            Self::Handover(_) => {
                f.write_str("no handover of this case is proposed; nothing was written")
            }
            Self::NotDue => f.write_str(
                "the time to answer has not passed, so the referral cannot expire; nothing was \
                 written. See `tutti referral show`; `withdraw` takes it back before",
            ),
            Self::Consent(problem) => write!(
                f,
                "the person's consent does not allow it: {problem}. Nothing was written. Ask the \
                 person; `renew-consent` records what they agree to"
            ),
            Self::Onward { first, society, problem } => write!(
                f,
                "this referral passes on {first}, and the person's consent for that does not allow it: \
                 {problem}. Nothing was written. Ask the person; `renew-consent` on referral {first} \
                 records what they agree to, and what it adds counts here once somebody at {society} has \
                 gone on with it"
            ),
            Self::Unasked => f.write_str(
                "nobody has asked the person whether that society may have the case, so it is not \
                 passed on; nothing was written. Ask them; `renew-consent` records what they agree to. \
                 Where they cannot be asked, send a referral of its own: [consent] with status requested, \
                 an override_reason, and a second person who approves the draft",
            ),
            Self::Unseen { society } => write!(
                f,
                "what the person has agreed to anew was recorded by this society alone, and nobody at \
                 {society} has gone on with it yet; what it adds is not passed on before, so nothing was \
                 written. Call them: `confirm-consent` there, or any other step, is enough. What cannot \
                 wait is a referral of its own, with the consent that the person has given you"
            ),
            Self::TimeIsOver { kind, with_note: true, .. } => write!(
                f,
                "the time to keep this case is over, so no note can go with {kind}: it would be \
                 erased at once, unread; nothing was written. Try again without one, and with a \
                 code that needs none",
                kind = kind.command()
            ),
            Self::TimeIsOver { kind, with_note: false, allowed } => {
                write!(
                    f,
                    "the time to keep this case is over and what it holds is erased, so {kind} is \
                     not possible; nothing was written. Where the person still needs help, send a \
                     new referral, with their consent",
                    kind = kind.command()
                )?;
                possible(f, allowed)
            }
            Self::TooMany => f.write_str(
                "this society has written as much about this referral as is kept of it; nothing \
                 was written. Withdrawing consent and erasing are always possible",
            ),
            Self::Duplicate { first, state } => write!(
                f,
                "the same case was referred to the same society for the same service already, and \
                 is {state} there: referral {first}. Nothing was written; withdraw that one first, \
                 or go on with it"
            ),
        }
    }
}

/// What else can be done.
fn possible(f: &mut fmt::Formatter<'_>, allowed: &[Kind]) -> fmt::Result {
    let mut names: Vec<&str> = allowed.iter().map(|kind| kind.command()).collect();
    // One verb, three things to take back.
    names.dedup();
    match names.as_slice() {
        [] => f.write_str(". It is for the other side to act, or nothing is left to do"),
        names => write!(f, ". What you can do now: {}", names.join(", ")),
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
        return send(by, *sent, &content, context);
    }
    let referral = referral.ok_or(Refusal::NotFound)?;
    let command = steps::with_asked(referral, command);
    let side = referral.side_of(by).ok_or(Refusal::NotAParty)?;
    if !kind.by().may(side) {
        return Err(Refusal::WrongSide { kind, society: referral.society(side.other()) });
    }
    // Before its fields: what they lack could not help.
    let time = (context.now_ms, context.rules);
    referral.in_time(side, kind, context.note, time)?;
    steps::check(referral, by, &command, context).map_err(Refusal::Fields)?;
    if transition(Some(referral.state), kind).is_none() {
        let allowed = referral.allowed(side, referral.is_over(context.now_ms, context.rules));
        return Err(Refusal::State { kind, state: referral.state, allowed });
    }
    if handover(referral.case, kind).is_none() {
        return Err(Refusal::Handover(kind));
    }
    // Not while it is an acknowledgement alone that is late.
    let answer = referral.due_at(context.rules);
    if kind == Kind::Expired && !answer.is_overdue(Owed::Answer, context.now_ms) {
        return Err(Refusal::NotDue);
    }
    let own = referral.outcomes.iter().map(|outcome| &outcome.event);
    let own = own.filter(|event| event.society == by);
    let class = Class::of(Some(kind));
    let alike = own.clone().filter(|event| Class::of(event.kind()) == class);
    if alike.count() >= class.kept() {
        return Err(Refusal::TooMany);
    }
    // What becomes of each is told in one receipt.
    let onward = own.filter(|event| event.kind() == Some(Kind::Onward)).count();
    if kind == Kind::Onward && onward >= LIST_MAX {
        return Err(Refusal::TooMany);
    }
    steps::consent(referral, by, &command, context)?;
    Ok(v1::ReferralEvent {
        referral_id: referral.id.as_bytes().to_vec(),
        seen: referral.latest_of(side.other()).map(super::EventRef::to_seen),
        transition: Some(steps::body(command)?),
    })
}

fn send(
    by: Society,
    sent: v1::Sent,
    content: &v1::ReferralContent,
    context: &Context,
) -> Result<v1::ReferralEvent, Refusal> {
    validate::sent(Some((by, context.now_ms)), &sent, content).map_err(Refusal::Fields)?;
    if let Some(first) = context.duplicate {
        return Err(Refusal::Duplicate { first: first.id, state: first.state });
    }
    let information_disclosed = validate::disclosed_with(&sent, content);
    match context.onward_of {
        Some(first) if sent.onward_of == first.id.as_bytes() => {
            first.may_go_on(by, (context.now_ms, context.rules))?;
            onward::may_send(first, &sent, &information_disclosed, context.now_ms)?;
        }
        Some(_) => return Err(Refusal::NotFound),
        None if sent.onward_of.is_empty() => {}
        None => return Err(Refusal::NotFound),
    }
    Ok(v1::ReferralEvent {
        referral_id: ReferralId::of(context.origin, &context.event_id).as_bytes().to_vec(),
        seen: None,
        transition: Some(Transition::Sent(v1::Sent { information_disclosed, ..sent })),
    })
}
