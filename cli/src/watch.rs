//! `tutti watch`: what changes, as it changes.

use clap::Args;
use tutti_proto::node::v1::{WatchEvent, WatchRequest};

use crate::{
    failure::{Exit, Failure, Outcome},
    json,
    node::{self, NodeArgs},
    screen::{Style, paint, say},
    text, time,
};

/// Show what changes from now on, until Ctrl-C.
#[derive(Args)]
pub(crate) struct Watch {
    /// Only these.
    #[arg(long = "kind", value_name = "KIND", value_parser = ["referral", "information", "log", "peer", "access", "approval"])]
    kinds: Vec<String>,
    #[command(flatten)]
    node: NodeArgs,
    /// As JSON, one object a line (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl Watch {
    pub(crate) fn run(self) -> Outcome {
        node::block_on(async {
            let node = self.node.connect().await?;
            let request = WatchRequest { kinds: self.kinds.clone() };
            let mut changes = node::ask(node.node().watch(request)).await?;
            while let Some(change) = changes.message().await? {
                match self.json {
                    true => json::print_line(&json::Change::from(&change)),
                    false => say(describe(&change)),
                }
            }
            Err(Failure::new(Exit::Unreachable, "the node has stopped")
                .kept("everything that was written")
                .todo("start it again, then watch again"))
        })
    }
}

fn describe(change: &WatchEvent) -> String {
    let count = match (change.kind.as_str(), change.count) {
        (kind, count) if count == 0 || (count == 1 && kind != "log") => String::new(),
        ("log", count) => format!(" ({count} entr{})", text::ies(count)),
        (_, count) => format!(" ({count})"),
    };
    let at = if change.at_ms == 0 { time::now_ms() } else { change.at_ms };
    // It waits for this society, or for the other, whose desk stands there.
    let more = match (change.kind.as_str(), change.what.as_str()) {
        ("referral", "acknowledgement_overdue" | "answer_overdue") => {
            "  whom it waits for, and whom to call: tutti referral show"
        }
        _ => "",
    };
    format!(
        "{}  {:<11}  {}  {}{count}{more}",
        paint(Style::Dim, time::local(at)),
        text::line(&change.kind),
        text::line(&change.id),
        paint(Style::Bold, text::line(&change.what)),
    )
}
