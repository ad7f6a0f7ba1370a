//! What this society says to a share: `acknowledge`, `endorse`, `dispute`, `acted-on`, `translate`
//! and `take-back`.

use std::path::PathBuf;

use clap::Args;
use tutti_core::{fields::FieldError, information::form::TextForm, referral::codes::Code as _};
use tutti_proto::{
    node::v1::{RespondInformationRequest, respond_information_request::Response},
    v1,
};

use super::{resolve, write::Common};
use crate::{
    failure::{Exit, Outcome},
    files, form as read,
    referral::{code, id_or_prefix, short, show_receipt},
};

/// What every response takes.
#[derive(Debug, Args)]
struct About {
    /// The share's id, or its first characters.
    #[arg(value_name = "ID", value_parser = id_or_prefix)]
    id: String,
    /// Which version is meant; the newest if not given.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    version: u32,
    #[command(flatten)]
    common: Common,
}

impl About {
    async fn say(self, response: Response, done: &str) -> Outcome {
        let key = self.common.key.key();
        let node = self.common.node.connect().await?;
        let request = RespondInformationRequest {
            idempotency_key: key.to_vec(),
            id: resolve(&self.id, &node).await?,
            version: self.version,
            draft: String::new(),
            response: Some(response),
        };
        let receipt = key.write(node.information().respond(request)).await?;
        let done = format!("Information {} {done}.", short(&receipt.id));
        show_receipt(&done, &receipt, "", self.common.json);
        Ok(Exit::Ok)
    }
}

/// Say that this society has seen a share. Of one that was retracted it says just that.
#[derive(Debug, Args)]
pub(crate) struct Acknowledge {
    #[command(flatten)]
    about: About,
}

/// Stand by a share: this society has looked at it and agrees.
#[derive(Debug, Args)]
pub(crate) struct Endorse {
    /// What was looked at, in a few words.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    #[command(flatten)]
    about: About,
}

/// Say that a share is wrong, and how. Everybody who can read it sees that beside it.
///
/// It takes the place of an endorsement by this society, and the other way round.
#[derive(Debug, Args)]
pub(crate) struct Dispute {
    /// What is wrong with it.
    #[arg(long, value_name = "CODE", value_parser = code::<v1::DisputeCode>())]
    code: v1::DisputeCode,
    /// Why, so that others can judge.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    about: About,
}

/// Tell what this society did with a share. It can be told more than once.
#[derive(Debug, Args)]
pub(crate) struct ActedOn {
    /// What was done.
    #[arg(long, value_name = "CODE", value_parser = code::<v1::ActionCode>())]
    code: v1::ActionCode,
    /// More of it; no names.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    #[command(flatten)]
    about: About,
}

/// Add a translation, in this society's name; of a share by any society.
///
/// `tutti information template --translation > fil.toml` shows the form. A translation of an older
/// version is shown as such; a second one into the same language takes the place of the first.
#[derive(Debug, Args)]
pub(crate) struct Translate {
    /// The form; - reads standard input.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    about: About,
}

/// Take back a response or a translation of this society's.
#[derive(Debug, Args)]
pub(crate) struct TakeBack {
    /// The entry of this society's log; `tutti information show` has it.
    #[arg(long, value_name = "NUMBER")]
    entry: u64,
    #[command(flatten)]
    about: About,
}

impl Acknowledge {
    pub(super) async fn run(self) -> Outcome {
        self.about.say(Response::Acknowledge(v1::Acknowledged {}), "is acknowledged").await
    }
}

impl Endorse {
    pub(super) async fn run(self) -> Outcome {
        let endorsed = v1::Endorsed { note: self.note };
        self.about.say(Response::Endorse(endorsed), "is endorsed by this society").await
    }
}

impl Dispute {
    pub(super) async fn run(self) -> Outcome {
        let disputed = v1::Disputed { code: self.code.number(), reason: self.reason };
        self.about.say(Response::Dispute(disputed), "is disputed by this society").await
    }
}

impl ActedOn {
    pub(super) async fn run(self) -> Outcome {
        let acted = v1::ActedOn { code: self.code.number(), note: self.note };
        self.about.say(Response::ActOn(acted), "was acted on by this society").await
    }
}

impl Translate {
    pub(super) async fn run(self) -> Outcome {
        let text = files::read_text(&self.file, read::FORM_BYTES_MAX)?;
        let message = |form: &TextForm| Ok::<_, Vec<FieldError>>(form.to_message());
        let text = read::parse::<TextForm>(&self.file, &text)?.checked(&self.file, message)?;
        let done =
            format!("has a translation into {} by this society", crate::text::line(&text.language));
        self.about.say(Response::Translate(text), &done).await
    }
}

impl TakeBack {
    pub(super) async fn run(self) -> Outcome {
        self.about
            .say(Response::TakeBack(self.entry), "no longer has that word of this society's")
            .await
    }
}
