//! `tutti referral draft`: forms that are not sent yet, kept by the node, sealed.

mod along;
pub(crate) mod left;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tutti_core::referral::form::ReferralForm;
use tutti_proto::node::v1::{
    AskApprovalRequest, DraftInfo, DraftRequest, SaveDraftRequest, SendReferralRequest,
};

use super::{
    choose, id_or_prefix,
    send::{NO_CODE, has_code},
    short, show_receipt,
};
use crate::{
    failure::{Exit, Failure, Outcome},
    files, form as read, json,
    key::Key,
    node::{self, Asked, Node, NodeArgs},
    pages,
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
    Attach(self::along::Attach),
    Attachments(self::along::Attachments),
    Detach(self::along::Detach),
    AskApproval(AskApproval),
    Send(Send),
    Delete(Delete),
    Left(left::Left),
    Take(left::Take),
    Discard(left::Discard),
}

/// Keep a form as a draft, with whatever is wrong or missing yet.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The form; - reads standard input.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

/// List your drafts: how much of each is to be corrected yet, and when it is erased if you do nothing.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    asked: Asked,
}

/// Show a draft, as a form: `tutti referral draft show 3f9a > case.toml`
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,
}

/// Put another form in place of a draft's. What was approved before is over.
#[derive(Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The form; - reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// As JSON (docs/json.md).
    #[arg(long)]
    pub(crate) json: bool,
}

/// Ask for the second person that it takes to override what somebody said.
///
/// A draft that goes beyond what the person agreed to, on another legal basis than consent and with
/// an override_reason, is sent once a supervisor or the data-protection focal point has approved it
/// as it stands. See `tutti approval`.
#[derive(Debug, Args)]
pub(crate) struct AskApproval {
    #[command(flatten)]
    which: Which,
    /// Why the person's word is overridden; a sentence, without names: it is recorded.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Send a draft as a referral, with its files; the draft is erased then.
///
/// If no answer comes, send it again: it goes out once. An hour later the node itself erases what was
/// sent and has no file left to add; with a case that is erased, its draft goes at once.
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
    pub(crate) which: Which,
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The draft's id, or its first characters.
    #[arg(value_name = "DRAFT", value_parser = id_or_prefix)]
    id: String,
    #[command(flatten)]
    node: NodeArgs,
}

/// What drafts are of: of referrals, or of information shares.
#[derive(Debug)]
pub(crate) struct Kind {
    /// As the command is called.
    pub(crate) noun: &'static str,
    /// Which drafts, by what they are to become.
    pub(crate) is_ours: fn(&str) -> bool,
}

/// Drafts of referrals.
const REFERRALS: Kind = Kind { noun: "referral", is_ours: |used| used == "send" };

impl Which {
    /// The node and the whole id, of a draft of that kind.
    pub(crate) async fn find(&self, kind: &Kind) -> Result<(Node, String), Failure> {
        let node = self.node.connect().await?;
        let all = pages::drafts(&node).await?;
        let ours = all.iter().filter(|draft| (kind.is_ours)(&draft.r#use));
        let ids = ours.map(|draft| draft.id.as_str());
        let id = choose(&self.id, ids, &format!("{} draft", kind.noun))?;
        Ok((node, id))
    }
}

impl Draft {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::New(new) => new.run().await,
            Self::List(kept) => list(&kept.asked, &REFERRALS).await,
            Self::Show(draft) => show(&draft.which, &REFERRALS).await,
            Self::Edit(draft) => edit(&draft.which, &draft.file, draft.json, &REFERRALS).await,
            Self::Attach(file) => file.run().await,
            Self::Attachments(list) => list.run().await,
            Self::Detach(file) => file.run().await,
            Self::AskApproval(draft) => {
                let whom = "a supervisor or the data-protection focal point";
                ask(&draft.which, draft.reason, &REFERRALS, whom).await
            }
            Self::Send(send) => send.run().await,
            Self::Delete(draft) => delete(&draft.which, &REFERRALS).await,
            Self::Left(left) => left.run(&REFERRALS).await,
            Self::Take(take) => take.run(&REFERRALS).await,
            Self::Discard(discard) => discard.run(&REFERRALS).await,
        }
    }
}

impl New {
    async fn run(self) -> Outcome {
        let form = files::read_text(&self.file, read::FORM_BYTES_MAX)?;
        let node = self.asked.node.connect().await?;
        let request = SaveDraftRequest { form, ..SaveDraftRequest::default() };
        let saved = node::ask(node.drafts().save(request)).await?;
        kept(&saved, self.asked.json, &REFERRALS);
        if !self.asked.json && self.file.as_os_str() != "-" {
            say(format!("  delete {} now: the node keeps the case, sealed", self.file.display()));
        }
        Ok(Exit::Ok)
    }
}

/// The key under which a draft is written: its own number, so that it goes out once, however often
/// that is tried.
pub(crate) fn own_number(id: &str) -> Result<Key, Failure> {
    id.parse()
        .map_err(|error: &str| Failure::new(Exit::Internal, format!("the draft's id: {error}")))
}

/// Lists the drafts of one kind.
pub(crate) async fn list(asked: &Asked, kind: &Kind) -> Outcome {
    let node = asked.node.connect().await?;
    let mut drafts = pages::drafts(&node).await?;
    drafts.retain(|draft| (kind.is_ours)(&draft.r#use));
    if asked.json {
        json::print(&json::Drafts::from(drafts.as_slice()));
        return Ok(Exit::Ok);
    }
    if drafts.is_empty() {
        say("You have no draft.");
        return Ok(Exit::Ok);
    }
    let row = |draft: &DraftInfo| {
        let files = draft.files.len() as u64;
        let files = match files {
            0 => String::new(),
            files => format!(", {files} file{}", text::s(files)),
        };
        let faults = match (draft.faults.len() as u64, draft.approval.as_str()) {
            (0, "") => "complete".to_owned(),
            (0, "asked") => "waits for approval".to_owned(),
            (0, said) => said.to_owned(),
            (count, _) => format!("{count} field{} to correct", text::s(count)),
        };
        vec![
            short(&draft.id).to_owned(),
            text::line(&draft.r#use),
            time::short(draft.saved_at_ms),
            time::day(draft.erased_at_ms / 1000),
            faults + &files,
        ]
    };
    say(table(&["draft", "to", "saved", "erased on", ""], drafts.iter().map(row)));
    say(paint(
        Style::Dim,
        "Who saves a draft, or gives it a file, puts off the day on which it is erased.",
    ));
    Ok(Exit::Ok)
}

/// Shows the form of one.
pub(crate) async fn show(which: &Which, kind: &Kind) -> Outcome {
    let (node, id) = which.find(kind).await?;
    let draft = node::ask(node.drafts().get(DraftRequest { id })).await?;
    say(text::block(&draft.form, "").trim_end());
    Ok(Exit::Ok)
}

/// Puts another form in its place.
pub(crate) async fn edit(which: &Which, file: &Path, as_json: bool, kind: &Kind) -> Outcome {
    let form = files::read_text(file, read::FORM_BYTES_MAX)?;
    let (node, id) = which.find(kind).await?;
    let request = SaveDraftRequest { id, form, ..SaveDraftRequest::default() };
    let saved = node::ask(node.drafts().save(request)).await?;
    kept(&saved, as_json, kind);
    Ok(Exit::Ok)
}

/// Asks a second person for approval.
pub(crate) async fn ask(which: &Which, reason: String, kind: &Kind, whom: &str) -> Outcome {
    let (node, draft) = which.find(kind).await?;
    let request = AskApprovalRequest { draft: draft.clone(), reason };
    node::ask(node.approvals().ask(request)).await?;
    say(format!("Draft {} waits for the approval of {whom}, as it stands now.", short(&draft)));
    say("  they see it with: tutti approval list");
    Ok(Exit::Ok)
}

/// Erases one.
pub(crate) async fn delete(which: &Which, kind: &Kind) -> Outcome {
    let (node, id) = which.find(kind).await?;
    node::ask(node.drafts().delete(DraftRequest { id: id.clone() })).await?;
    say(format!("Draft {} is erased.", short(&id)));
    Ok(Exit::Ok)
}

impl Send {
    async fn run(self) -> Outcome {
        let (node, id) = self.which.find(&REFERRALS).await?;
        let draft = node::ask(node.drafts().get(DraftRequest { id: id.clone() })).await?;
        let name = format!("draft {}", short(&id));
        let read = read::parse::<ReferralForm>(Path::new(&name), &draft.form)?;
        let receiver = read.form.receiver.clone();
        let (sent, content) = read.checked(Path::new(&name), ReferralForm::to_send)?;
        let has_code = has_code(&content);
        let info = draft.info.unwrap_or_default();
        if !info.faults.is_empty() {
            let faults: Vec<String> = info.faults.iter().map(|fault| text::line(fault)).collect();
            return Err(Failure::new(Exit::Refused, format!("{name}: {}", faults.join("; ")))
                .kept("nothing was sent; the draft is as it was")
                .todo(format!("{} referral draft detach {}", text::program(), short(&id))));
        }
        let key = own_number(&id)?;
        let request = SendReferralRequest {
            idempotency_key: key.to_vec(),
            sent: Some(sent),
            content: Some(content),
            draft: id.clone(),
        };
        let receipt = key.write(node.referrals().send(request)).await?;
        let referral = short(&receipt.id).to_owned();
        let added = self::along::add_all(&node, &id, &info.files).await?;
        let erased = erase_sent(&node, id).await;
        let done = format!("Referral {referral} is sent to {}.", text::line(&receiver));
        show_receipt(&done, &receipt, "", self.json);
        if !self.json {
            added.iter().for_each(|file| say(format!("  file {} goes with it", short(file))));
        }
        if !self.json && !has_code {
            say(NO_CODE);
        }
        erased.map_err(|failure| failure.kept("it is sent; the draft is there still"))?;
        Ok(Exit::Ok)
    }
}

/// Erases a draft that was sent, where the node has not done so itself by now.
async fn erase_sent(node: &Node, id: String) -> Result<(), Failure> {
    let erased = async {
        match node.drafts().delete(DraftRequest { id }).await {
            Err(status) if status.code() == tonic::Code::NotFound => {
                Ok(tonic::Response::new(DraftInfo::default()))
            }
            erased => erased,
        }
    };
    node::ask(erased).await.map(drop)
}

/// What was kept, and what is wrong with it yet.
pub(crate) fn kept(saved: &DraftInfo, as_json: bool, kind: &Kind) {
    if as_json {
        return json::print(&json::Draft::from(saved));
    }
    let id = short(&saved.id);
    say(format!("Draft {id} is kept."));
    for fault in &saved.faults {
        say(paint(Style::Warn, format!("  {}", text::block(fault, "  ").trim_start())));
    }
    let noun = kind.noun;
    let verb = match (noun, saved.needs_approval) {
        ("referral", true) => "ask-approval",
        ("referral", false) => "send",
        (_, true) => "ask-review",
        (_, false) => "publish",
    };
    say(format!("  erased on {}, if you do nothing", time::day(saved.erased_at_ms / 1000)));
    say(match saved.faults.is_empty() {
        true => format!("  next: {} {noun} draft {verb} {id}", text::program()),
        false => "  correct these before it goes out".to_owned(),
    });
}
