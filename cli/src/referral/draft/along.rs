//! `tutti referral draft attach`, `attachments`, `detach`: the files that are sent with a draft.

use std::path::PathBuf;

use clap::Args;
use tutti_proto::{
    node::v1::{AddOfDraftRequest, DiscardUploadRequest, DraftFile, DraftRequest},
    v1::AttachmentKind,
};

use super::{REFERRALS, Which};
use crate::{
    failure::{Exit, Failure, Outcome},
    json,
    node::{self, Node},
    progress::Progress,
    referral::{
        attach::{Ready, WORD_MAX},
        attachments::size,
        choose, code, id_or_prefix, short,
    },
    screen::{say, table},
    text,
};

/// Keep a file with a draft: it is sent with it.
///
/// PDF, JPEG, PNG, WebP, HEIC or plain text, up to 25 MiB. It is kept sealed, for you alone, as long as the
/// draft; delete your own copy. Broken off? The same command goes on where it stopped.
#[derive(Debug, Args)]
pub(crate) struct Attach {
    #[command(flatten)]
    which: Which,
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What it is. Where the basis is consent, the person must have agreed to it.
    #[arg(long, value_name = "KIND", value_parser = code::<AttachmentKind>())]
    kind: AttachmentKind,
    /// Show what is kept as JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

/// List the files that are kept with a draft, with their names.
#[derive(Debug, Args)]
pub(crate) struct Attachments {
    #[command(flatten)]
    which: Which,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

/// Take a file from a draft: its bytes are overwritten on the disk.
#[derive(Debug, Args)]
pub(crate) struct Detach {
    #[command(flatten)]
    which: Which,
    /// The file's id, or its first characters; `draft attachments` shows it.
    #[arg(value_name = "ATTACHMENT", value_parser = id_or_prefix)]
    attachment: String,
}

impl Attach {
    pub(super) async fn run(self) -> Outcome {
        let ready = Ready::look(&self.file, self.kind)?;
        let (node, draft) = self.which.find(&REFERRALS).await?;
        let id = ready.keep_with(&node, &draft).await?;
        let files = files_of(&node, &draft).await?;
        let kept = files.iter().find(|file| file.attachment == id);
        if self.json {
            json::print(&kept.map(json::DraftFile::from));
            return Ok(Exit::Ok);
        }
        say(format!("Draft {}: the file is kept with it, {}.", short(&draft), short(&id)));
        say(format!("  delete {} now: the node keeps it, sealed", self.file.display()));
        Ok(Exit::Ok)
    }
}

impl Attachments {
    pub(super) async fn run(self) -> Outcome {
        let (node, draft) = self.which.find(&REFERRALS).await?;
        let files = files_of(&node, &draft).await?;
        match (self.json, files.is_empty()) {
            (true, _) => json::print(&json::DraftFiles::from(files.as_slice())),
            (false, true) => say("No files are kept with this draft."),
            (false, false) => {
                let row = |file: &DraftFile| {
                    vec![
                        short(&file.attachment).to_owned(),
                        file.kind.replace('_', " "),
                        text::line(&file.name),
                        size(file.size),
                        if file.whole { String::new() } else { "not all of it is here".into() },
                    ]
                };
                say(table(&["file", "what", "name", "size", ""], files.iter().map(row)));
            }
        }
        Ok(Exit::Ok)
    }
}

impl Detach {
    pub(super) async fn run(self) -> Outcome {
        let (node, draft) = self.which.find(&REFERRALS).await?;
        let files = files_of(&node, &draft).await?;
        let ids = files.iter().map(|file| file.attachment.as_str());
        let attachment = choose(&self.attachment, ids, "file of this draft")?;
        let request = DiscardUploadRequest { attachment: attachment.clone() };
        node::ask(node.attachments().discard(request)).await?;
        say(format!("Draft {}: file {} is erased.", short(&draft), short(&attachment)));
        Ok(Exit::Ok)
    }
}

/// What is kept with a draft.
async fn files_of(node: &Node, draft: &str) -> Result<Vec<DraftFile>, Failure> {
    let request = DraftRequest { id: draft.to_owned() };
    let draft = node::ask(node.drafts().get(request)).await?;
    Ok(draft.info.map(|info| info.files).unwrap_or_default())
}

/// Adds the files of a draft that was just sent; gives their ids. Where it breaks off the draft stays, and
/// to send it again goes on.
pub(super) async fn add_all(
    node: &Node,
    draft: &str,
    files: &[DraftFile],
) -> Result<Vec<String>, Failure> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |failure: Failure| {
        failure
            .kept("the referral is sent; the draft and what was not added of its files are there still")
            .todo("send the draft again: it goes out once, and the files go on")
    };
    let broken = || Failure::new(Exit::Unreachable, "the files were not added as a whole");
    let request = AddOfDraftRequest { draft: draft.to_owned() };
    let mut words = node::ask(node.attachments().add_of_draft(request)).await.map_err(failed)?;
    let progress = Progress::new("adding");
    let all: u64 = files.iter().map(|file| file.size).sum();
    let (mut before, mut added) = (0, Vec::new());
    loop {
        let word = tokio::time::timeout(WORD_MAX, words.message());
        let word = word.await.map_err(|_| failed(broken()))?;
        let Some(word) = word.map_err(|status| failed(status.into()))? else { break };
        let parts = u64::from(word.parts.max(1));
        let of_file = word.kept * u64::from(word.parts_added) / parts;
        if word.parts_added == word.parts && !added.contains(&word.attachment) {
            before += word.kept;
            added.push(word.attachment);
            progress.at(before, all);
        } else {
            progress.at(before + of_file, all);
        }
    }
    drop(progress);
    Ok(added)
}
