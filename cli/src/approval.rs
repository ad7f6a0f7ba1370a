//! `tutti approval`: the second person.

use clap::{Args, Subcommand};
use tutti_proto::node::v1::{AnswerApprovalRequest, ApprovalInfo, DraftFile, DraftRequest};

use crate::{
    failure::{Exit, Failure, Outcome},
    json,
    node::{self, Asked, Node, NodeArgs},
    pages,
    referral::{attachments::size, choose, id_or_prefix, short},
    screen::{Style, fields, paint, say, table},
    text, time,
};

/// Read and approve, as the second person, what a colleague wants to send or publish.
///
/// To override what a person said takes a supervisor or the data-protection focal point; to publish
/// takes an information reviewer, where the society asks for that. Never the author.
#[derive(Debug, Subcommand)]
pub(crate) enum Approval {
    List(List),
    Show(Show),
    Approve(Approve),
    Refuse(Refuse),
}

/// List what waits for your approval, and what became of what you have asked for.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    asked: Asked,
}

/// Read a draft that waits for your approval, and which files go along. That you read it is recorded.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

/// Approve exactly the text that you have read, with the files that go along.
///
/// `tutti approval show` ends with a few characters that stand for all of that; give them here. When
/// its author changes anything, or adds a file, your approval is over.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    which: Which,
    /// What `tutti approval show` said of the text that you have read.
    #[arg(long, value_name = "CHARACTERS", value_parser = seen)]
    seen: String,
}

/// Refuse it, and say why; its author sees that.
#[derive(Debug, Args)]
pub(crate) struct Refuse {
    #[command(flatten)]
    which: Which,
    /// Why; a sentence, without names.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Args)]
struct Which {
    /// The draft's id, or its first characters.
    #[arg(value_name = "DRAFT", value_parser = id_or_prefix)]
    id: String,
    #[command(flatten)]
    node: NodeArgs,
}

fn seen(text: &str) -> Result<String, &'static str> {
    let text = text.to_ascii_lowercase();
    let fits = (8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    if fits { Ok(text) } else { Err("these are 8 or more of the digits 0 to 9 and a to f") }
}

impl Which {
    /// The node, and the request that is meant.
    async fn find(&self) -> Result<(Node, ApprovalInfo), Failure> {
        let node = self.node.connect().await?;
        let waiting = pages::approvals(&node).await?.waiting;
        let ids = waiting.iter().map(|info| info.draft.as_str());
        let id = choose(&self.id, ids, "approval")?;
        let info = waiting.into_iter().find(|info| info.draft == id);
        let info = info.ok_or_else(|| Failure::new(Exit::Internal, "a request was lost"))?;
        Ok((node, info))
    }
}

impl Approval {
    pub(crate) fn run(self) -> Outcome {
        node::block_on(async {
            match self {
                Self::List(list) => list.run().await,
                Self::Show(show) => show.run().await,
                Self::Approve(approve) => approve.run().await,
                Self::Refuse(refuse) => refuse.run().await,
            }
        })
    }
}

impl List {
    async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let approvals = pages::approvals(&node).await?;
        if self.asked.json {
            json::print(&json::Approvals::from(&approvals));
            return Ok(Exit::Ok);
        }
        if approvals.waiting.is_empty() && approvals.own.is_empty() {
            say("Nothing waits for your approval, and you have asked for none.");
            return Ok(Exit::Ok);
        }
        let headings = ["draft", "to", "asked by", "asked", "state", "why"];
        let all = approvals.waiting.iter().chain(&approvals.own);
        say(table(&headings, all.map(row)));
        Ok(Exit::Ok)
    }
}

fn row(info: &ApprovalInfo) -> Vec<String> {
    let state = match (info.state.as_str(), info.own) {
        ("asked", false) => "WAITS FOR YOU".to_owned(),
        ("asked", true) => "waits".to_owned(),
        ("refused", _) => format!("refused by {}: {}", info.answered_by, info.answer),
        (state, _) => format!("{state} by {}", info.answered_by),
    };
    vec![
        short(&info.draft).to_owned(),
        what(info).to_owned(),
        if info.own { "you".to_owned() } else { info.asked_by.clone() },
        time::short(info.asked_at_ms),
        state,
        info.reason.clone(),
    ]
}

fn what(info: &ApprovalInfo) -> &'static str {
    match (info.of.as_str(), info.r#use.as_str()) {
        ("override", _) => "override a person's word",
        (_, "revise") => "revise a share",
        (_, "translate") => "translate a share",
        _ => "publish a share",
    }
}

impl Show {
    async fn run(self) -> Outcome {
        let (node, info) = self.which.find().await?;
        let draft = node::ask(node.approvals().get(DraftRequest { id: info.draft })).await?;
        if self.json {
            json::print(&json::ApprovalDraft::from(&draft));
            return Ok(Exit::Ok);
        }
        let info = draft.info.unwrap_or_default();
        say(fields([
            ("asked by", info.asked_by.clone()),
            ("to", what(&info).to_owned()),
            ("why", info.reason.clone()),
            ("share", short(&info.target).to_owned()),
        ]));
        say("");
        say(text::block(&draft.form, "").trim_end());
        if !draft.files.is_empty() {
            let row = |file: &DraftFile| {
                vec![
                    file.kind.replace('_', " "),
                    text::line(&file.name),
                    size(file.size),
                    hex::encode(&file.sha256),
                ]
            };
            say("\nThese files go along:");
            say(table(&["what", "name", "size", "SHA-256"], draft.files.iter().map(row)));
        }
        let id = short(&info.draft);
        let digest = hex::encode(&info.digest);
        say(paint(
            Style::Dim,
            format!(
                "\nIf this is right: tutti approval approve {id} --seen {}\nIf not:           tutti \
                 approval refuse {id} --reason \"…\"",
                digest.get(..8).unwrap_or_default()
            ),
        ));
        Ok(Exit::Ok)
    }
}

impl Approve {
    async fn run(self) -> Outcome {
        let (node, info) = self.which.find().await?;
        if !hex::encode(&info.digest).starts_with(&self.seen) {
            let what = "the draft is not the one that you have read; nothing was approved";
            return Err(Failure::new(Exit::Refused, what)
                .kept("everything as it was")
                .todo("read it again: tutti approval show"));
        }
        let request = AnswerApprovalRequest {
            draft: info.draft.clone(),
            digest: info.digest,
            approve: true,
            reason: String::new(),
        };
        node::ask(node.approvals().answer(request)).await?;
        say(format!(
            "Draft {} is approved as it stands; {} can send it now.",
            short(&info.draft),
            text::line(&info.asked_by)
        ));
        Ok(Exit::Ok)
    }
}

impl Refuse {
    async fn run(self) -> Outcome {
        let (node, info) = self.which.find().await?;
        let request = AnswerApprovalRequest {
            draft: info.draft.clone(),
            digest: info.digest,
            approve: false,
            reason: self.reason,
        };
        node::ask(node.approvals().answer(request)).await?;
        say(format!("Draft {} is refused; its author sees why.", short(&info.draft)));
        Ok(Exit::Ok)
    }
}
