//! `tutti log`: the signed logs that the node holds.

mod export;
mod prove;
mod show;

use clap::Subcommand;
use tutti_proto::node::v1::LogStatus;

pub(crate) use export::{Export, Folder};

use crate::{
    failure::{Exit, Failure, Outcome},
    node::{self, Node},
    pages,
};

/// Look into a log, export it for an auditor, prove one entry.
#[derive(Subcommand)]
pub(crate) enum Log {
    Show(show::Show),
    Export(Export),
    Prove(prove::Prove),
}

impl Log {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Show(show) => node::block_on(show.run()),
            Self::Export(export) => node::block_on(export.run()),
            Self::Prove(prove) => node::block_on(prove.run()),
        }
    }
}

/// Which log of those that the node holds.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Another society's log as this node holds it: its code, or the log's whole name. This
    /// society's own if not given.
    #[arg(long = "of", value_name = "SOCIETY")]
    pub(crate) of: Option<String>,
}

impl Which {
    /// The log; the newest of a society that has had several.
    pub(crate) async fn find(&self, node: &Node) -> Result<LogStatus, Failure> {
        let own = match &self.of {
            Some(_) => String::new(),
            None => own_society(node).await?,
        };
        let name = self.of.as_deref().unwrap_or(&own);
        let logs = pages::logs(node).await?;
        let known: Vec<String> = logs.iter().map(|log| log.origin.clone()).collect();
        logs.into_iter()
            .filter(|log| log.origin == name || log.society == name)
            .max_by_key(|log| epoch(&log.origin))
            .ok_or_else(|| match self.of {
                None => Failure::new(Exit::Refused, "this society has written nothing yet"),
                Some(_) => no_such_log(name, &known),
            })
    }
}

fn no_such_log(name: &str, known: &[impl AsRef<str>]) -> Failure {
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    let failure = Failure::new(Exit::Refused, format!("this node holds no log of {name:?}"));
    match known.as_slice() {
        [] => failure.todo("nothing is there to export before something was written"),
        known => failure.todo(format!("choose one of: {}", known.join(", "))),
    }
}

async fn own_society(node: &Node) -> Result<String, Failure> {
    let request = tutti_proto::node::v1::StatusRequest {};
    Ok(node::ask(node.node().status(request)).await?.society)
}

fn epoch(origin: &str) -> u32 {
    origin.rsplit('/').next().and_then(|epoch| epoch.parse().ok()).unwrap_or(0)
}
