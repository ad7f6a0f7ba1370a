//! `tutti log prove`.

use std::path::PathBuf;

use clap::Args;
use tutti_proto::node::v1::ProveRequest;

use super::Which;
use crate::{
    failure::{Exit, Outcome},
    files,
    node::{self, NodeArgs},
    screen::{note, say},
    text,
};

/// Make evidence that one entry is in a log, for somebody who trusts neither of us.
///
/// A C2SP tlog-proof, which `tutti proof verify` and others' tools check.
#[derive(Args)]
pub(crate) struct Prove {
    /// The entry's index.
    index: u64,
    #[command(flatten)]
    which: Which,
    /// Where to write it; to standard output if not given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

impl Prove {
    pub(super) async fn run(self) -> Outcome {
        let node = self.node.connect().await?;
        let origin = self.which.find(&node).await?.origin;
        let request = ProveRequest { origin: origin.clone(), index: self.index };
        let answer = node::ask(node.log().prove(request)).await?;
        match &self.out {
            None => say(String::from_utf8_lossy(&answer.proof).trim_end_matches('\n')),
            Some(file) => {
                files::write_new(file, &answer.proof)?;
                let file = text::shell(&file.display().to_string());
                note(format!(
                    "Proof of entry {} of {} written. Anybody with the roster checks it with: \
                     tutti proof verify {file}",
                    self.index,
                    text::line(&origin),
                ));
            }
        }
        Ok(Exit::Ok)
    }
}
