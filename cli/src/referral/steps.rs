//! The steps after a referral was accepted or ended, and those about consent and erasure.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tutti_core::referral::{extent_of_request, form::ReferralForm};
use tutti_proto::{
    node::v1::{Direction, Referral, advance_referral_request::Transition},
    v1,
};

use super::{advance::Step, code, id_or_prefix};
use crate::{
    failure::{Exit, Failure, Outcome},
    files, form as read,
};

/// The steps whose whole command line is what every step takes.
macro_rules! plain {
    ($($(#[$doc:meta])* $verb:ident => $transition:expr, $done:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Args)]
        pub(crate) struct $verb {
            #[command(flatten)]
            step: Step,
        }

        impl $verb {
            pub(super) fn run(self) -> Outcome {
                self.step.take($transition, None, $done, "")
            }
        }
    )+};
}

plain! {
    /// Wait no longer for an answer that is overdue.
    Expire => Transition::Expire(v1::Expired {}), "is expired";
    /// Say that the help begins.
    Start => Transition::Start(v1::ServiceStarted {}), "is in progress";
    /// Go on with the help that rested.
    Resume => Transition::Resume(v1::Resumed {}), "goes on";
}

/// The steps that take one reason besides.
macro_rules! coded {
    ($($(#[$doc:meta])* $verb:ident($list:ident, $flag:literal) => $make:expr, $done:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Args)]
        pub(crate) struct $verb {
            #[command(flatten)]
            step: Step,
            /// From this list.
            #[arg(long = $flag, value_name = "CODE", value_parser = code::<v1::$list>())]
            code: v1::$list,
        }

        impl $verb {
            pub(super) fn run(self) -> Outcome {
                self.step.take($make(self.code as i32), None, $done, "")
            }
        }
    )+};
}

coded! {
    /// Say that an appointment did not come about, and why.
    Missed(MissedCode, "code") =>
        |code| Transition::Miss(v1::AppointmentMissed { code }), "has a missed appointment";
    /// Let the help rest, and say why.
    Pause(PauseCode, "code") => |code| Transition::Pause(v1::Paused { code }), "is on hold";
    /// Say how the person is.
    FollowUp(FollowUpResult, "result") =>
        |result| Transition::FollowUp(v1::FollowUp { result }), "is followed up";
    /// End help that was promised, and say why.
    Cancel(CancelCode, "code") =>
        |code| Transition::Cancel(v1::Cancelled { code }), "is cancelled";
}

/// Say when the person and this society will meet. The place goes into the note.
#[derive(Debug, Args)]
pub(crate) struct Schedule {
    #[command(flatten)]
    step: Step,
    /// When, with the zone, such as 2026-03-31T09:30+08:00.
    #[arg(long, value_name = "TIME")]
    at: jiff::Timestamp,
}

impl Schedule {
    pub(super) fn run(self) -> Outcome {
        let at = u64::try_from(self.at.as_second()).unwrap_or(0);
        let transition = Transition::Schedule(v1::AppointmentScheduled { at });
        self.step.take(transition, None, "has an appointment", "start, or missed")
    }
}

/// What is said where a word goes for the whole case, and where it does not.
const WHOLE_CASE: &str = "is stopped, and its content is being erased at both societies, and at all \
                          others who have the case by this way";
const THIS_REFERRAL: &str = "is stopped, and its content is being erased at both societies, and at \
                             those to whom it was passed on";

/// Have the content of the case erased, for good.
///
/// Nothing goes on after it. What happened stays told, without the person. `show` tells which
/// society has confirmed.
#[derive(Debug, Args)]
pub(crate) struct RequestErasure {
    #[command(flatten)]
    step: Step,
    /// From this list.
    #[arg(long = "on-word-of", value_name = "CODE", value_parser = code::<v1::ErasureGround>())]
    ground: v1::ErasureGround,
    /// How far it goes: for the whole case, wherever it was passed on from or to; or for this
    /// referral and those that pass it on. Where nothing is said, for the whole case if it is the
    /// person's word, or their caregiver's or guardian's.
    #[arg(long, value_name = "CODE", value_parser = code::<v1::Extent>())]
    extent: Option<v1::Extent>,
}

impl RequestErasure {
    pub(super) fn run(self) -> Outcome {
        let ground = self.ground as i32;
        let extent = self.extent.map_or(0, |extent| extent as i32);
        let requested = v1::ErasureRequested { ground, carried: Vec::new(), extent };
        let done = match extent_of_request(extent, ground) {
            v1::Extent::Case => WHOLE_CASE,
            v1::Extent::Referral | v1::Extent::Unspecified => THIS_REFERRAL,
        };
        self.step.take(Transition::RequestErasure(requested), None, done, "")
    }
}

/// The person no longer agrees: stop at all societies, and erase the content, for good.
///
/// Either society may say so, at any time. Nothing more is disclosed from then on. What happened
/// stays told, without the person. `show` tells which society has confirmed. Other referrals of the case
/// that were sent apart go on: the sender's `show` names them; ask the person, and withdraw there, too.
#[derive(Debug, Args)]
pub(crate) struct WithdrawConsent {
    #[command(flatten)]
    step: Step,
    /// Who said so.
    #[arg(long, value_name = "CODE", value_parser = code::<v1::ConsentGiver>(),
        default_value = "person")]
    by: v1::ConsentGiver,
    /// How.
    #[arg(long, value_name = "CODE", value_parser = code::<v1::ConsentForm>())]
    form: Option<v1::ConsentForm>,
    /// How far it goes: for the whole case, wherever it was passed on from or to; or for this
    /// referral and those that pass it on. Ask the person; where they do not say, the whole case.
    #[arg(long, value_name = "CODE", value_parser = code::<v1::Extent>(), default_value = "case")]
    extent: v1::Extent,
}

impl WithdrawConsent {
    pub(super) fn run(self) -> Outcome {
        let form = self.form.map_or(0, |form| form as i32);
        let transition = Transition::WithdrawConsent(v1::ConsentWithdrawn {
            by: self.by as i32,
            form,
            carried: Vec::new(),
            extent: self.extent as i32,
        });
        let done = match self.extent {
            v1::Extent::Referral => THIS_REFERRAL,
            v1::Extent::Case | v1::Extent::Unspecified => WHOLE_CASE,
        };
        let next = "show, to see who has confirmed, and which others of the case go on";
        self.step.take(transition, None, done, next)
    }
}

/// Record what the person has agreed to anew: for longer, for more.
#[derive(Debug, Args)]
pub(crate) struct RenewConsent {
    #[command(flatten)]
    step: Step,
    /// A form with its [consent] filled in, as `template` shows it.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

impl RenewConsent {
    pub(super) fn run(self) -> Outcome {
        let (consent, _) = told(&self.file)?;
        let transition = Transition::RenewConsent(v1::ConsentRenewed { consent });
        self.step.take(transition, None, "has a renewed consent", "")
    }
}

/// Say that you know what the person has agreed to anew, as the other society has recorded it.
///
/// It repeats that word for word. What a consent adds is passed on to a third society only once the first
/// one has gone on with it: by this, or by any other step. Whoever does not believe it asks the person, and
/// records what they say by renew-consent or withdraw-consent.
#[derive(Debug, Args)]
pub(crate) struct ConfirmConsent {
    #[command(flatten)]
    step: Step,
}

impl ConfirmConsent {
    pub(super) fn run(self) -> Outcome {
        self.step.take_of(confirmed, "has a consent that both societies know", "")
    }
}

/// What confirms the consent that the other side has recorded.
fn confirmed(referral: &Referral) -> Result<Transition, Failure> {
    let standing = referral.consent_standing.clone().unwrap_or_default();
    let own = match referral.direction() {
        Direction::Sent => &referral.sender,
        Direction::Received | Direction::Unspecified => &referral.receiver,
    };
    match &referral.consent {
        Some(consent) if standing.unseen_by == *own => {
            Ok(Transition::RenewConsent(v1::ConsentRenewed { consent: Some(consent.clone()) }))
        }
        _ => {
            let why = match standing.unseen_by.as_str() {
                "" => "no consent of this referral waits for being seen".to_owned(),
                other => {
                    format!("it is for {other} to confirm what {} has recorded", standing.society)
                }
            };
            Err(Failure::new(Exit::Refused, why)
                .kept("everything as it was")
                .todo("see: tutti referral show"))
        }
    }
}

/// Take up again what was closed, or stopped, with fresh consent.
#[derive(Debug, Args)]
pub(crate) struct Reopen {
    #[command(flatten)]
    step: Step,
    /// The reason.
    #[arg(long, value_name = "CODE", value_parser = code::<v1::ReopenCode>())]
    code: v1::ReopenCode,
    /// A form with its [consent] filled in anew; where it has a [content], that is the case from
    /// now on. After an erasure it must be told anew.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

impl Reopen {
    pub(super) fn run(self) -> Outcome {
        let (consent, content) = told(&self.file)?;
        let reopened =
            v1::Reopened { code: self.code as i32, consent, information_disclosed: Vec::new() };
        self.step.take(Transition::Reopen(reopened), content, "is open again", "")
    }
}

/// Put right what an entry of this society said: in the note, or as the case told anew.
#[derive(Debug, Args)]
pub(crate) struct Correct {
    #[command(flatten)]
    step: Step,
    /// The entry of this society's log that was wrong; `show` gives its number.
    #[arg(long, value_name = "INDEX")]
    entry: u64,
    /// A form whose [content] is the case as it is right.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Correct {
    pub(super) fn run(self) -> Outcome {
        let content = match &self.file {
            Some(file) => told(file)?.1,
            None => None,
        };
        let corrected =
            v1::Corrected { event: Some(own(self.entry)), information_disclosed: Vec::new() };
        self.step.take(Transition::Correct(corrected), content, "is corrected", "")
    }
}

/// Say that an entry, or the whole referral, should never have been written.
///
/// An entry that was taken back counts no more. A file that was taken back is erased at both societies,
/// and the case goes on. Without --entry and --attachment it is the whole referral: nothing goes on, and the
/// content is erased at both societies.
#[derive(Debug, Args)]
pub(crate) struct EnteredInError {
    #[command(flatten)]
    step: Step,
    /// The entry of this society's log; `show` gives its number.
    #[arg(long, value_name = "INDEX")]
    entry: Option<u64>,
    /// A file that this society has added; `attachments` gives its id, which may be cut short.
    #[arg(long, value_name = "ATTACHMENT", value_parser = id_or_prefix, conflicts_with = "entry")]
    attachment: Option<String>,
}

impl EnteredInError {
    pub(super) fn run(self) -> Outcome {
        let taken_back = |event, attachment| {
            Transition::EnterInError(v1::EnteredInError { event, attachment, carried: Vec::new() })
        };
        if let Some(attachment) = &self.attachment {
            let done = "goes on without that file, which is being erased at both societies";
            return self.step.take_about_file(attachment, |file| taken_back(None, file), done);
        }
        let done = match self.entry {
            Some(_) => "is as if that entry had not been written",
            None => "is stopped, and its content is being erased at both societies",
        };
        self.step.take(taken_back(self.entry.map(own), Vec::new()), None, done, "")
    }
}

/// Give the case itself into the other society's hands.
#[derive(Debug, Subcommand)]
pub(crate) enum Handover {
    /// Offer it to the receiving society.
    Propose(Step),
    /// Take it over from the sending society.
    Accept(Step),
    /// Leave it with the sending society.
    Decline(Step),
}

impl Handover {
    pub(super) fn run(self) -> Outcome {
        match self {
            Self::Propose(step) => {
                let transition = Transition::ProposeHandover(v1::HandoverProposed {});
                step.take(transition, None, "is offered to be handed over", "")
            }
            Self::Accept(step) => {
                let transition = Transition::AcceptHandover(v1::HandoverAccepted {});
                step.take(transition, None, "is this society's case now", "")
            }
            Self::Decline(step) => {
                let transition = Transition::DeclineHandover(v1::HandoverDeclined {});
                step.take(transition, None, "stays the other society's case", "")
            }
        }
    }
}

/// An entry of the own log; the node knows its name.
fn own(index: u64) -> v1::Seen {
    v1::Seen { origin: String::new(), index }
}

/// The consent and, where there is one, the case that a form tells.
fn told(file: &Path) -> Result<(Option<v1::Consent>, Option<v1::ReferralContent>), Failure> {
    let text = files::read_text(file, read::FORM_BYTES_MAX)?;
    let read = read::parse::<ReferralForm>(file, &text)?;
    let (sent, content) = read.checked(file, ReferralForm::to_messages)?;
    // It goes with the case told anew, and nothing else that is sent here has a place for it.
    if read.form.content.is_none() && !read.form.witness().trim().is_empty() {
        return Err(Failure::new(
            Exit::Refused,
            "consent.witness: has no place where the case is not told anew",
        )
        .kept("nothing was sent, and the form is as it was")
        .todo("take it out, and name them by --note-file"));
    }
    Ok((sent.consent, read.form.content.is_some().then_some(content)))
}
