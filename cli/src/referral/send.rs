//! `tutti referral template` and `tutti referral send`.

use std::path::PathBuf;

use clap::Args;
use tutti_core::{
    referral::{
        compared_code,
        form::{self, ReferralForm},
    },
    society::Society,
};
use tutti_proto::{node::v1::SendReferralRequest, v1::ReferralContent};

use super::{
    attach::{self, KindAndFile, kind_and_file},
    short, show_receipt,
};
use crate::{
    failure::{Exit, Outcome},
    files, form as read,
    key::KeyArgs,
    node::NodeArgs,
    screen::say,
    text,
};

/// Said where a case has no code.
pub(super) const NO_CODE: &str =
    "  without a case code nobody is told when the same case is referred a second time";

/// Whether another referral of the case is known by it.
pub(super) fn has_code(content: &ReferralContent) -> bool {
    !compared_code(&content.case_code).is_empty()
}

/// Show the form to fill in: what goes where, and every code that may stand there.
///
/// `tutti referral template > case.toml`. Sent as it is, it is refused: put the answer in place of
/// each <...>, and take out the lines that the other society does not need.
#[derive(Debug, Args)]
pub(crate) struct Template {}

pub(super) fn template() -> Outcome {
    say(form::template().trim_end());
    Ok(Exit::Ok)
}

/// Refer a person to another society.
///
/// The form says what is needed and what the person has agreed to. If something is missing or
/// wrong, all of it is named at once and nothing is sent. The case is sealed before it is written
/// anywhere; delete the form afterwards.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The society that is asked; takes the place of `receiver` in the form.
    #[arg(long, value_name = "CODE")]
    to: Option<Society>,
    /// The form (TOML as `template` shows it, or the same in JSON); - reads standard input.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// A file that goes with it, and what it is: medical_letter=letter.pdf. May be given several times.
    #[arg(long, value_name = "KIND=FILE", value_parser = kind_and_file)]
    attach: Vec<KindAndFile>,
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    key: KeyArgs,
    /// Show the receipt as JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl Send {
    pub(super) async fn run(self) -> Outcome {
        let key = self.key.key();
        let along = attach::look(&self.attach)?;
        let text = files::read_text(&self.file, read::FORM_BYTES_MAX)?;
        let mut read = read::parse::<ReferralForm>(&self.file, &text)?;
        if let Some(society) = self.to {
            read.form.receiver = society.to_string();
        }
        let receiver = read.form.receiver.clone();
        let (sent, content) = read.checked(&self.file, ReferralForm::to_send)?;
        let has_code = has_code(&content);
        let node = self.node.connect().await?;
        let request = SendReferralRequest {
            idempotency_key: key.to_vec(),
            sent: Some(sent),
            content: Some(content),
            draft: String::new(),
        };
        let receipt = key.write(node.referrals().send(request)).await?;
        let added = attach::add_all(&node, &receipt.id, along, &self.node.again()).await?;
        let id = short(&receipt.id);
        let mut show = vec![text::program(), "referral".into(), "show".into(), id.to_owned()];
        show.extend(self.node.again().iter().map(|word| text::shell(word)));
        let done = format!("Referral {id} is sent to {}.", text::line(&receiver));
        show_receipt(&done, &receipt, &show.join(" "), self.json);
        if !self.json {
            added.iter().for_each(|file| say(format!("  {}", file.goes_along())));
        }
        if !self.json && !has_code {
            say(NO_CODE);
        }
        if !self.json && self.file.as_os_str() != "-" {
            say(format!("  delete {} now: the node keeps the case, sealed", self.file.display()));
        }
        Ok(Exit::Ok)
    }
}
