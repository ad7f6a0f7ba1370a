//! `tutti referral draft`: forms that are not sent yet, kept by the node, sealed.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tutti_core::referral::form::ReferralForm;
use tutti_proto::node::v1::{
    DraftInfo, DraftRequest, ListDraftsRequest, SaveDraftRequest, SendReferralRequest,
};

use super::{choose, id_or_prefix, short, show_receipt};
use crate::{
    failure::{Exit, Outcome},
    files, form as read, json,
    key::Key,
    node::{self, Node, NodeArgs},
    screen::{Style, paint, say, table},
    text, time,
};

/// Forms that are not sent yet. The node keeps them sealed; only you see yours.
#[derive(Debug, Subcommand)]
pub(crate) enum Draft {
    New(New),
    List(List),
    Show(Show),
    Edit(Edit),
    Send(Send),
    Delete(Delete),
}

/// Keep a form as a draft, with whatever is wrong or missing yet.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The form; - reads standard input.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    node: NodeArgs,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

/// List your drafts, and how much of each is to be corrected yet.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    node: NodeArgs,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

/// Show a draft, as a form: `tutti referral draft show 3f9a > case.toml`
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,
}

/// Put another form in place of a draft's.
#[derive(Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    which: Which,
    /// The form; - reads standard input.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

/// Send a draft as a referral; the draft is erased then.
///
/// If no answer comes, send it again: it goes out once.
#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(flatten)]
    which: Which,
    /// Show the receipt as JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

/// Erase a draft: its bytes are overwritten on the disk.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
struct Which {
    /// The draft's id, or its first characters.
    #[arg(value_name = "DRAFT", value_parser = id_or_prefix)]
    id: String,
    #[command(flatten)]
    node: NodeArgs,
}

impl Which {
    /// The node and the whole id.
    async fn find(&self) -> Result<(Node, String), crate::failure::Failure> {
        let node = self.node.connect().await?;
        let all = node::ask(node.drafts().list(ListDraftsRequest {})).await?.drafts;
        let ids = all.iter().map(|draft| draft.id.as_str());
        let id = choose(&self.id, ids, "referral draft")?;
        Ok((node, id))
    }
}

impl Draft {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::New(new) => new.run().await,
            Self::List(list) => list.run().await,
            Self::Show(show) => show.run().await,
            Self::Edit(edit) => edit.run().await,
            Self::Send(send) => send.run().await,
            Self::Delete(delete) => delete.run().await,
        }
    }
}

impl New {
    async fn run(self) -> Outcome {
        let form = files::read_text(&self.file, read::FORM_BYTES_MAX)?;
        let node = self.node.connect().await?;
        let request = SaveDraftRequest { id: String::new(), form };
        let saved = node::ask(node.drafts().save(request)).await?;
        kept(&saved, self.json);
        if !self.json && self.file.as_os_str() != "-" {
            say(format!("  delete {} now: the node keeps the case, sealed", self.file.display()));
        }
        Ok(Exit::Ok)
    }
}

impl List {
    async fn run(self) -> Outcome {
        let node = self.node.connect().await?;
        let drafts = node::ask(node.drafts().list(ListDraftsRequest {})).await?.drafts;
        if self.json {
            json::print(&json::Drafts::from(drafts.as_slice()));
            return Ok(Exit::Ok);
        }
        if drafts.is_empty() {
            say("You have no draft.");
            return Ok(Exit::Ok);
        }
        let row = |draft: &DraftInfo| {
            let faults = match draft.faults.len() as u64 {
                0 => "can be sent".to_owned(),
                count => format!("{count} field{} to correct", text::s(count)),
            };
            vec![short(&draft.id).to_owned(), time::local(draft.saved_at_ms), faults]
        };
        say(table(&["draft", "saved", ""], drafts.iter().map(row)));
        Ok(Exit::Ok)
    }
}

impl Show {
    async fn run(self) -> Outcome {
        let (node, id) = self.which.find().await?;
        let draft = node::ask(node.drafts().get(DraftRequest { id })).await?;
        say(text::block(&draft.form, "").trim_end());
        Ok(Exit::Ok)
    }
}

impl Edit {
    async fn run(self) -> Outcome {
        let form = files::read_text(&self.file, read::FORM_BYTES_MAX)?;
        let (node, id) = self.which.find().await?;
        let saved = node::ask(node.drafts().save(SaveDraftRequest { id, form })).await?;
        kept(&saved, self.json);
        Ok(Exit::Ok)
    }
}

impl Send {
    async fn run(self) -> Outcome {
        let (node, id) = self.which.find().await?;
        let draft = node::ask(node.drafts().get(DraftRequest { id: id.clone() })).await?;
        let name = format!("draft {}", short(&id));
        let read = read::parse::<ReferralForm>(Path::new(&name), &draft.form)?;
        let receiver = read.form.receiver.clone();
        let (sent, content) = read.checked(Path::new(&name), ReferralForm::to_send)?;
        // The draft's own number: sent once, however often it is tried.
        let key: Key = id.parse().map_err(|error: &str| {
            crate::failure::Failure::new(Exit::Internal, format!("the draft's id: {error}"))
        })?;
        let request = SendReferralRequest {
            idempotency_key: key.to_vec(),
            sent: Some(sent),
            content: Some(content),
        };
        let receipt = key.write(node.referrals().send(request)).await?;
        let referral = short(&receipt.id).to_owned();
        let erased = node::ask(node.drafts().delete(DraftRequest { id })).await;
        let done = format!("Referral {referral} is sent to {}.", text::line(&receiver));
        show_receipt(&done, &receipt, "", self.json);
        erased.map_err(|failure| failure.kept("it is sent; the draft is there still"))?;
        Ok(Exit::Ok)
    }
}

impl Delete {
    async fn run(self) -> Outcome {
        let (node, id) = self.which.find().await?;
        node::ask(node.drafts().delete(DraftRequest { id: id.clone() })).await?;
        say(format!("Draft {} is erased.", short(&id)));
        Ok(Exit::Ok)
    }
}

fn kept(saved: &DraftInfo, as_json: bool) {
    if as_json {
        return json::print(&json::Draft::from(saved));
    }
    let id = short(&saved.id);
    say(format!("Draft {id} is kept."));
    for fault in &saved.faults {
        say(paint(Style::Warn, format!("  {}", text::block(fault, "  ").trim_start())));
    }
    say(match saved.faults.is_empty() {
        true => format!("  next: {} referral draft send {id}", text::program()),
        false => "  correct these before it is sent".to_owned(),
    });
}
