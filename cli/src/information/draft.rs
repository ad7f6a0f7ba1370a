//! `tutti information draft`: shares that are not published yet, for whoever reviews them first.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tutti_core::{
    fields::FieldError,
    information::form::{InformationForm, TextForm},
};
use tutti_proto::node::v1::{
    DraftRequest, RespondInformationRequest, ReviseInformationRequest, SaveDraftRequest,
    respond_information_request::Response,
};

use super::{resolve, write};
use crate::{
    failure::{Exit, Outcome},
    files, form as read,
    node::{self, Asked},
    referral::{
        draft::{self, Kind, Which},
        id_or_prefix, short, show_receipt,
    },
    screen::say,
    text,
};

/// What is not published yet. The node keeps it sealed; only you see yours, and whoever reviews it.
#[derive(Debug, Subcommand)]
pub(crate) enum Draft {
    New(New),
    List(List),
    Show(Show),
    Edit(draft::Edit),
    AskReview(AskReview),
    Publish(Publish),
    Delete(draft::Delete),
    Left(draft::left::Left),
    Take(draft::left::Take),
    Discard(draft::left::Discard),
}

/// Keep a share, a new version or a translation as a draft, with whatever is wrong or missing yet.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The form; - reads standard input.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// It is a new version of this share.
    #[arg(long, value_name = "ID", value_parser = id_or_prefix)]
    revises: Option<String>,
    /// It is a translation of this share.
    #[arg(long, value_name = "ID", value_parser = id_or_prefix, conflicts_with = "revises")]
    translates: Option<String>,
    /// It takes the place of this share.
    #[arg(
        long, value_name = "ID", value_parser = id_or_prefix,
        conflicts_with_all = ["revises", "translates"]
    )]
    supersedes: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

/// List your drafts of shares: what is to be corrected yet, what the reviewer said, and when each is
/// erased if you do nothing.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    asked: Asked,
}

/// Show a draft, as a form: `tutti information draft show 3f9a > law.toml`
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,
}

/// Ask an information reviewer to approve a draft as it stands.
#[derive(Debug, Args)]
pub(crate) struct AskReview {
    #[command(flatten)]
    which: Which,
    /// What the reviewer should know.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Publish a draft; it is erased then. Where the society reviews first, only once it is approved.
///
/// If no answer comes, publish it again: it goes out once.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    which: Which,
    /// Show the receipt as JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

/// Drafts of shares, their versions and translations.
const SHARES: Kind = Kind { noun: "information", is_ours: |used| used != "send" };

impl Draft {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::New(new) => new.run().await,
            Self::List(list) => draft::list(&list.asked, &SHARES).await,
            Self::Show(show) => draft::show(&show.which, &SHARES).await,
            Self::Edit(edit) => draft::edit(&edit.which, &edit.file, edit.json, &SHARES).await,
            Self::AskReview(ask) => draft::ask(&ask.which, ask.reason, &SHARES, "a reviewer").await,
            Self::Publish(publish) => publish.run().await,
            Self::Delete(delete) => draft::delete(&delete.which, &SHARES).await,
            Self::Left(left) => left.run(&SHARES).await,
            Self::Take(take) => take.run(&SHARES).await,
            Self::Discard(discard) => discard.run(&SHARES).await,
        }
    }
}

impl New {
    async fn run(self) -> Outcome {
        let form = files::read_text(&self.file, read::FORM_BYTES_MAX)?;
        let node = self.asked.node.connect().await?;
        let (used, share) = match (&self.revises, &self.translates, &self.supersedes) {
            (Some(id), ..) => ("revise", Some(id)),
            (_, Some(id), _) => ("translate", Some(id)),
            (.., share) => ("publish", share.as_ref()),
        };
        let target = match share {
            Some(id) => resolve(id, &node).await?,
            None => String::new(),
        };
        let request = SaveDraftRequest { id: String::new(), form, r#use: used.into(), target };
        let saved = node::ask(node.drafts().save(request)).await?;
        draft::kept(&saved, self.asked.json, &SHARES);
        Ok(Exit::Ok)
    }
}

impl Publish {
    async fn run(self) -> Outcome {
        let (node, id) = self.which.find(&SHARES).await?;
        let kept = node::ask(node.drafts().get(DraftRequest { id: id.clone() })).await?;
        let info = kept.info.unwrap_or_default();
        let name = format!("draft {}", short(&id));
        let (name, form) = (Path::new(&name), kept.form.as_str());
        let key = draft::own_number(&id)?;
        let (idempotency_key, draft) = (key.to_vec(), id.clone());
        let (receipt, done) = match info.r#use.as_str() {
            "translate" => {
                let message = |form: &TextForm| Ok::<_, Vec<FieldError>>(form.to_message());
                let text = read::parse::<TextForm>(name, form)?.checked(name, message)?;
                let request = RespondInformationRequest {
                    idempotency_key,
                    id: info.target,
                    version: 0,
                    draft,
                    response: Some(Response::Translate(text)),
                };
                (key.write(node.information().respond(request)).await?, "has a translation")
            }
            used => {
                let read = read::parse::<InformationForm>(name, form)?;
                let (readers, version) = read.checked(name, InformationForm::to_messages)?;
                if used == "revise" {
                    let version = Some(version);
                    let request = ReviseInformationRequest {
                        idempotency_key,
                        id: info.target,
                        version,
                        draft,
                    };
                    (key.write(node.information().revise(request)).await?, "has a new version")
                } else {
                    let request =
                        write::publishing(idempotency_key, readers, version, info.target, draft);
                    (key.write(node.information().publish(request)).await?, "is published")
                }
            }
        };
        let erased = node::ask(node.drafts().delete(DraftRequest { id })).await;
        let done = format!("Information {} {done}.", text::line(short(&receipt.id)));
        show_receipt(&done, &receipt, "", self.json);
        if erased.is_err() && !self.json {
            say("  the draft is there still: delete it");
        }
        Ok(Exit::Ok)
    }
}
