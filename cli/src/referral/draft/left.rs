//! `tutti referral draft left`, `take`, `discard`: drafts of those who have left.

use clap::Args;
use tutti_proto::node::v1::{DraftRequest, LeftDraft};

use super::{Kind, kept};
use crate::{
    failure::{Exit, Failure, Outcome},
    json,
    node::{self, Asked, Node, NodeArgs},
    pages,
    referral::{choose, id_or_prefix, short},
    screen::{say, table},
    text, time,
};

/// List the drafts of people who have left: whose each is and when it is erased, not what it says.
#[derive(Debug, Args)]
pub(crate) struct Left {
    #[command(flatten)]
    asked: Asked,
}

/// Go on with the draft of somebody who has left: it is yours then. That you read it is recorded.
#[derive(Debug, Args)]
pub(crate) struct Take {
    #[command(flatten)]
    which: Which,
    /// Show the draft as JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

/// Erase the draft of somebody who has left, unread: its bytes are overwritten on the disk.
#[derive(Debug, Args)]
pub(crate) struct Discard {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
struct Which {
    /// The draft's id, or its first characters; `left` lists them.
    #[arg(value_name = "DRAFT", value_parser = id_or_prefix)]
    id: String,
    #[command(flatten)]
    node: NodeArgs,
}

impl Which {
    async fn find(&self, kind: &Kind) -> Result<(Node, String), Failure> {
        let node = self.node.connect().await?;
        let drafts = left(&node, kind).await?;
        let ids = drafts.iter().map(|draft| draft.id.as_str());
        let id = choose(&self.id, ids, &format!("{} draft that somebody has left", kind.noun))?;
        Ok((node, id))
    }
}

/// What there is of one kind.
async fn left(node: &Node, kind: &Kind) -> Result<Vec<LeftDraft>, Failure> {
    let mut drafts = pages::left_drafts(node).await?;
    drafts.retain(|draft| (kind.is_ours)(&draft.r#use));
    Ok(drafts)
}

impl Left {
    pub(crate) async fn run(self, kind: &Kind) -> Outcome {
        let node = self.asked.node.connect().await?;
        let drafts = left(&node, kind).await?;
        if self.asked.json {
            json::print(&json::LeftDrafts::from(drafts.as_slice()));
            return Ok(Exit::Ok);
        }
        if drafts.is_empty() {
            say("Nobody who has left has a draft here.");
            return Ok(Exit::Ok);
        }
        let row = |draft: &LeftDraft| {
            let files = u64::from(draft.files);
            vec![
                short(&draft.id).to_owned(),
                text::line(&draft.account),
                text::line(&draft.r#use),
                time::short(draft.saved_at_ms),
                time::day(draft.erased_at_ms / 1000),
                match files {
                    0 => String::new(),
                    files => format!("{files} file{}", text::s(files)),
                },
            ]
        };
        let headings = ["draft", "of", "to", "saved", "erased on", ""];
        say(table(&headings, drafts.iter().map(row)));
        Ok(Exit::Ok)
    }
}

impl Take {
    pub(crate) async fn run(self, kind: &Kind) -> Outcome {
        let (node, id) = self.which.find(kind).await?;
        let taken = node::ask(node.drafts().take(DraftRequest { id })).await?;
        kept(&taken, self.json, kind);
        Ok(Exit::Ok)
    }
}

impl Discard {
    pub(crate) async fn run(self, kind: &Kind) -> Outcome {
        let (node, id) = self.which.find(kind).await?;
        let gone = node::ask(node.drafts().discard(DraftRequest { id: id.clone() })).await?;
        let whose = text::line(&gone.account);
        say(format!("Draft {} of {whose} is erased.", short(&id)));
        Ok(Exit::Ok)
    }
}
