//! `tutti log prove`.

use std::path::PathBuf;

use clap::Args;
use tutti_core::{
    opened::{Opened, OpenedRefused},
    proof::Proof,
    sealing::Identity,
};
use tutti_node::keyring;
use tutti_proto::node::v1::{ProveRequest, ProveResponse};

use super::Which;
use crate::{
    failure::{Exit, Failure, Outcome},
    files,
    node::{self, NodeArgs},
    passphrase,
    screen::{note, say},
    text,
};

/// Make evidence that one entry is in a log, for somebody who trusts neither of us.
///
/// A C2SP tlog-proof, which `tutti proof verify` and others' tools check. It tells that an entry
/// stands there, not what it says. With --with-record it holds the record too (what happened, with
/// no personal data), and for a sealed one the key of that one record: whoever gets the file reads
/// it, for ever, and nothing besides.
#[derive(Args)]
pub(crate) struct Prove {
    /// The entry's index.
    index: u64,
    #[command(flatten)]
    which: Which,
    /// Where to write it; to standard output if not given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// With what the entry's record says.
    #[arg(long)]
    with_record: bool,
    /// Opens a sealed record: audit.key or case.key of a society that it is sealed to.
    #[arg(long, value_name = "FILE", requires = "with_record")]
    key: Option<PathBuf>,
    /// A file whose first line is the key's passphrase.
    #[arg(long, env = "TUTTI_PASSPHRASE_FILE", value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

impl Prove {
    pub(super) async fn run(self) -> Outcome {
        let node = self.node.connect().await?;
        let origin = self.which.find(&node).await?.origin;
        let request = ProveRequest {
            origin: origin.clone(),
            index: self.index,
            with_record: self.with_record,
        };
        let answer = node::ask(node.log().prove(request)).await?;
        let evidence = match self.with_record {
            false => answer.proof,
            true => self.opened(answer)?,
        };
        match &self.out {
            None => say(String::from_utf8_lossy(&evidence).trim_end_matches('\n')),
            Some(file) => {
                files::write_new(file, &evidence)?;
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

    /// The proof with the record, opened here: no key leaves this machine but that of the record.
    fn opened(&self, answer: ProveResponse) -> Result<Vec<u8>, Failure> {
        let identity: Option<Identity> = match &self.key {
            None => None,
            Some(path) => {
                let secret = passphrase::for_key(path, self.passphrase_file.as_deref())?;
                let identity = keyring::identity_file(path, secret.as_ref())
                    .map_err(|error| Failure::new(Exit::Key, error.to_string()))?;
                Some(identity)
            }
        };
        let proof = Proof::parse(&answer.proof)
            .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
        Opened::new(proof, answer.record, identity.as_ref())
            .map(|opened| opened.to_bytes())
            .map_err(|error| {
                let what = match &error {
                    OpenedRefused::Key => "the record is sealed".to_owned(),
                    other => format!("the record cannot be opened: {other}"),
                };
                Failure::new(Exit::Refused, what)
                    .kept("nothing was written, nothing was revealed")
                    .todo("name with --key the audit.key or case.key of a society that it is for")
            })
    }
}
