//! `tutti information template`, `publish`, `revise` and `retract`.

use std::path::{Path, PathBuf};

use clap::Args;
use tutti_core::{
    entry::Visibility,
    information::{
        Readers,
        form::{self, InformationForm},
    },
};
use tutti_proto::{
    node::v1::{PublishInformationRequest, RetractInformationRequest, ReviseInformationRequest},
    v1,
};

use super::resolve;
use crate::{
    failure::{Exit, Failure, Outcome},
    files, form as read,
    key::KeyArgs,
    node::NodeArgs,
    referral::{id_or_prefix, short, show_receipt},
    screen::say,
};

/// Show the form to fill in: what goes where, and every code that may stand there.
///
/// `tutti information template > law.toml`. Published as it is, it is refused: put the answer in
/// place of each <...>, and take out the lines that you do not need.
#[derive(Debug, Args)]
pub(crate) struct Template {
    /// The form of a translation instead.
    #[arg(long)]
    translation: bool,
}

impl Template {
    pub(super) fn run(&self) -> Outcome {
        let form = match self.translation {
            true => form::translation_template(),
            false => form::template(),
        };
        say(form.trim_end());
        Ok(Exit::Ok)
    }
}

/// What every write takes.
#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    pub(super) node: NodeArgs,
    #[command(flatten)]
    pub(super) key: KeyArgs,
    /// Show the receipt as JSON (docs/json.md).
    #[arg(long)]
    pub(super) json: bool,
}

/// Publish a share: for anybody, for all societies, or sealed to some of them.
///
/// If something is missing or wrong, all of it is named at once and nothing is published.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The form (TOML as `template` shows it, or the same in JSON); - reads standard input.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// A share of this society's whose place this one takes; both then say so.
    #[arg(long, value_name = "ID", value_parser = id_or_prefix)]
    supersedes: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Publish a new version of a share of this society's.
#[derive(Debug, Args)]
pub(crate) struct Revise {
    /// The share's id, or its first characters.
    #[arg(value_name = "ID", value_parser = id_or_prefix)]
    id: String,
    /// The whole new version, as for `publish`; - reads standard input.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// Take back a share of this society's. It stays in the log, marked as retracted.
#[derive(Debug, Args)]
pub(crate) struct Retract {
    /// The share's id, or its first characters.
    #[arg(value_name = "ID", value_parser = id_or_prefix)]
    id: String,
    /// Why, for those who have read it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    common: Common,
}

impl Publish {
    pub(super) async fn run(self) -> Outcome {
        let key = self.common.key.key();
        let (readers, version) = read_form(&self.file)?;
        let node = self.common.node.connect().await?;
        let supersedes = match &self.supersedes {
            Some(id) => resolve(id, &node).await?,
            None => String::new(),
        };
        let (id, draft) = (key.to_vec(), String::new());
        let request = publishing(id, readers, version, supersedes, draft);
        let receipt = key.write(node.information().publish(request)).await?;
        let done = format!("Information {} is published.", short(&receipt.id));
        show_receipt(&done, &receipt, "", self.common.json);
        Ok(Exit::Ok)
    }
}

impl Revise {
    pub(super) async fn run(self) -> Outcome {
        let key = self.common.key.key();
        let (_, version) = read_form(&self.file)?;
        let node = self.common.node.connect().await?;
        let request = ReviseInformationRequest {
            idempotency_key: key.to_vec(),
            id: resolve(&self.id, &node).await?,
            version: Some(version),
            draft: String::new(),
        };
        let receipt = key.write(node.information().revise(request)).await?;
        let done = format!("Information {} has a new version.", short(&receipt.id));
        show_receipt(&done, &receipt, "", self.common.json);
        Ok(Exit::Ok)
    }
}

impl Retract {
    pub(super) async fn run(self) -> Outcome {
        let key = self.common.key.key();
        let node = self.common.node.connect().await?;
        let request = RetractInformationRequest {
            idempotency_key: key.to_vec(),
            id: resolve(&self.id, &node).await?,
            reason: self.reason,
        };
        let receipt = key.write(node.information().retract(request)).await?;
        let done = format!("Information {} is retracted.", short(&receipt.id));
        show_receipt(&done, &receipt, "", self.common.json);
        Ok(Exit::Ok)
    }
}

fn read_form(file: &Path) -> Result<(Readers, v1::InformationVersion), Failure> {
    let text = files::read_text(file, read::FORM_BYTES_MAX)?;
    read::parse::<InformationForm>(file, &text)?.checked(file, InformationForm::to_messages)
}

/// A request to publish; `draft` is the one that was approved, or empty.
pub(super) fn publishing(
    idempotency_key: Vec<u8>,
    readers: Readers,
    version: v1::InformationVersion,
    supersedes: String,
    draft: String,
) -> PublishInformationRequest {
    PublishInformationRequest {
        idempotency_key,
        visibility: match readers.visibility {
            Visibility::Public => v1::Visibility::Public,
            Visibility::Federation => v1::Visibility::Federation,
            Visibility::Addressed => v1::Visibility::Addressed,
        } as i32,
        version: Some(version),
        addressees: readers.addressees.iter().map(ToString::to_string).collect(),
        group: readers.group,
        supersedes,
        draft,
    }
}
