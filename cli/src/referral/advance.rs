//! The steps of a referral after it was sent, each a verb of its own.

use std::path::PathBuf;

use clap::Args;
use tutti_proto::{
    node::v1::{
        AdvanceReferralRequest, GetReferralRequest, Referral, advance_referral_request::Transition,
    },
    v1,
};

use super::{IdArg, attachments, code, short, show_receipt};
use crate::{
    failure::{Exit, Failure, Outcome},
    files,
    key::KeyArgs,
    node::{self, NodeArgs},
    pages,
};

/// A note is a few pages at most.
const NOTE_BYTES_MAX: usize = 64 * 1024;

/// What every step takes.
#[derive(Debug, Args)]
pub(crate) struct Step {
    #[command(flatten)]
    id: IdArg,
    /// Words for the other society, sealed to the two of you. Others on this machine may see what
    /// is typed here: for personal data use --note-file.
    #[arg(long, value_name = "TEXT", conflicts_with = "note_file")]
    note: Option<String>,
    /// The same from a file; - reads standard input.
    #[arg(long, value_name = "FILE")]
    note_file: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    key: KeyArgs,
    /// Show the receipt as JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl Step {
    pub(super) fn take(
        self,
        transition: Transition,
        content: Option<v1::ReferralContent>,
        done: &str,
        next: &str,
    ) -> Outcome {
        self.take_with(None, |_| transition, content, (done, next))
    }

    /// The same about one of the referral's files, by its id or the first characters of that.
    pub(super) fn take_about_file(
        self,
        attachment: &str,
        transition: impl FnOnce(Vec<u8>) -> Transition,
        done: &str,
    ) -> Outcome {
        self.take_with(Some(attachment), transition, None, (done, ""))
    }

    /// The same where the step follows from what the referral is now.
    pub(super) fn take_of(
        self,
        transition: impl FnOnce(&Referral) -> Result<Transition, Failure>,
        done: &str,
        next: &str,
    ) -> Outcome {
        let referral = node::block_on(async {
            let node = self.node.connect().await?;
            let id = self.id.resolve(&node).await?;
            pages::referral(&node, GetReferralRequest { id, ..Default::default() }).await
        })?;
        self.take(transition(&referral)?, None, done, next)
    }

    fn take_with(
        self,
        attachment: Option<&str>,
        transition: impl FnOnce(Vec<u8>) -> Transition,
        content: Option<v1::ReferralContent>,
        (done, next): (&str, &str),
    ) -> Outcome {
        let key = self.key.key();
        let note = match (&self.note, &self.note_file) {
            (Some(note), _) => note.clone(),
            (None, Some(file)) => files::read_text(file, NOTE_BYTES_MAX)?.trim_end().to_owned(),
            (None, None) => String::new(),
        };
        let receipt = node::block_on(async {
            let node = self.node.connect().await?;
            let id = self.id.resolve(&node).await?;
            let file = match attachment {
                Some(attachment) => attachments::resolve(&node, &id, attachment).await?,
                None => String::new(),
            };
            let file = hex::decode(file).map_err(|error| {
                Failure::new(Exit::Internal, format!("the attachment's id: {error}"))
            })?;
            let request = AdvanceReferralRequest {
                idempotency_key: key.to_vec(),
                id,
                note,
                content,
                transition: Some(transition(file)),
            };
            key.write(node.referrals().advance(request)).await
        })?;
        let id = short(&receipt.id);
        show_receipt(&format!("Referral {id} {done}."), &receipt, next, self.json);
        Ok(Exit::Ok)
    }
}

/// Say that a person here has seen the referral.
///
/// Do it at once, even before you know whether you can help: the other side is waiting.
#[derive(Debug, Args)]
pub(crate) struct Acknowledge {
    #[command(flatten)]
    step: Step,
}

impl Acknowledge {
    pub(super) fn run(self) -> Outcome {
        let transition = Transition::Acknowledge(v1::Acknowledged {});
        self.step.take(
            transition,
            None,
            "is acknowledged",
            "accept, decline, or request-information",
        )
    }
}

/// Ask the sending society for what is missing.
#[derive(Debug, Args)]
pub(crate) struct RequestInformation {
    #[command(flatten)]
    step: Step,
    /// A field that is asked for, by its name in the form, such as person.languages. May be
    /// repeated. The question itself goes into the note.
    #[arg(long = "field", value_name = "FIELD")]
    fields: Vec<String>,
}

impl RequestInformation {
    pub(super) fn run(self) -> Outcome {
        let asked = v1::InformationRequested { fields: self.fields };
        let done = "waits for an answer to your question";
        self.step.take(Transition::RequestInformation(asked), None, done, "")
    }
}

/// Answer the receiving society's question. The answer goes into the note.
#[derive(Debug, Args)]
pub(crate) struct ProvideInformation {
    #[command(flatten)]
    step: Step,
    /// A field that the answer discloses, by its name in the form. May be repeated.
    #[arg(long = "field", value_name = "FIELD")]
    fields: Vec<String>,
}

impl ProvideInformation {
    pub(super) fn run(self) -> Outcome {
        let given = v1::InformationProvided { information_disclosed: self.fields };
        self.step.take(Transition::ProvideInformation(given), None, "is answered", "")
    }
}

/// Take the person on: this society will help.
#[derive(Debug, Args)]
pub(crate) struct Accept {
    #[command(flatten)]
    step: Step,
}

impl Accept {
    pub(super) fn run(self) -> Outcome {
        let next = "start, when the help begins; deliver, when it was given";
        self.step.take(Transition::Accept(v1::Accepted {}), None, "is accepted", next)
    }
}

/// Say that you cannot take the person on, and why.
#[derive(Debug, Args)]
pub(crate) struct Decline {
    #[command(flatten)]
    step: Step,
    /// The reason.
    #[arg(long, value_name = "CODE", value_parser = code::<v1::DeclineCode>())]
    code: v1::DeclineCode,
}

impl Decline {
    pub(super) fn run(self) -> Outcome {
        let declined = v1::Declined { code: self.code as i32 };
        self.step.take(Transition::Decline(declined), None, "is declined", "")
    }
}

/// Take back a referral that was not accepted yet.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    #[command(flatten)]
    step: Step,
    /// The reason.
    #[arg(long, value_name = "CODE", value_parser = code::<v1::WithdrawCode>())]
    code: v1::WithdrawCode,
}

impl Withdraw {
    pub(super) fn run(self) -> Outcome {
        let withdrawn = v1::Withdrawn { code: self.code as i32 };
        self.step.take(Transition::Withdraw(withdrawn), None, "is withdrawn", "close")
    }
}

/// Say what help was given, when it was.
#[derive(Debug, Args)]
pub(crate) struct Deliver {
    #[command(flatten)]
    step: Step,
    /// How far it was given.
    #[arg(long, value_name = "CODE", value_parser = code::<v1::DeliveryResult>())]
    result: v1::DeliveryResult,
    /// A service that was given. May be repeated; without one only where nothing was given.
    #[arg(
        long = "service",
        value_name = "CODE",
        value_parser = code::<v1::ServiceCategory>(),
        required_if_eq_any([("result", "fully"), ("result", "partly")])
    )]
    services: Vec<v1::ServiceCategory>,
}

impl Deliver {
    pub(super) fn run(self) -> Outcome {
        let delivered = v1::ServiceDelivered {
            result: self.result as i32,
            services_delivered: self.services.iter().map(|service| *service as i32).collect(),
        };
        self.step.take(Transition::Deliver(delivered), None, "is completed", "")
    }
}

/// Close a referral that was completed, declined, expired, withdrawn or cancelled.
#[derive(Debug, Args)]
pub(crate) struct Close {
    #[command(flatten)]
    step: Step,
    /// What came of it.
    #[arg(long, value_name = "CODE", value_parser = code::<v1::Outcome>())]
    outcome: v1::Outcome,
    /// The person's own word on the help received: ask them. not_given says that there is none.
    #[arg(long, value_name = "CODE", value_parser = code::<v1::Feedback>())]
    feedback: v1::Feedback,
}

impl Close {
    pub(super) fn run(self) -> Outcome {
        let closed = v1::Closed { outcome: self.outcome as i32, feedback: self.feedback as i32 };
        self.step.take(Transition::Close(closed), None, "is closed", "")
    }
}
