//! Reaching the node: which one is meant, and its four clients.

use std::{
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use tonic::Status;
use tutti_node::client::{self, ConnectError, Connection, Target};
use tutti_proto::node::v1::{
    information_client::InformationClient, log_client::LogClient, node_client::NodeClient,
    referrals_client::ReferralsClient,
};

use crate::{
    card,
    failure::{Exit, Failure},
    files,
};

/// The largest answer that is taken, bytes: a page of a thousand referrals with their events.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long the node may take to answer a question. The largest answer takes a second or two.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A token and its line end are far below this.
const TOKEN_BYTES_MAX: usize = 4096;

const NODE: &str = "Which node";

/// Which node to ask.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// The node's directory on this machine; if not given, TUTTI_DIR, else /var/lib/tutti where
    /// there is a node, else tutti in this user's data directory.
    // Not by clap's `env`: a variable that is set for good must not stand in the way of --url.
    #[arg(long, help_heading = NODE, value_name = "DIR", conflicts_with = "url")]
    dir: Option<PathBuf>,
    /// A node elsewhere.
    #[arg(long, help_heading = NODE, value_name = "HOST:PORT", requires_all = ["token_file", "card"])]
    url: Option<String>,
    /// A file with the token that the node elsewhere has let in.
    #[arg(long, help_heading = NODE, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    /// That node's card.note, by whose TLS key it is known.
    #[arg(long, help_heading = NODE, value_name = "FILE", requires = "url")]
    card: Option<PathBuf>,
}

impl NodeArgs {
    /// The directory; `None` for a node elsewhere.
    pub(crate) fn dir(&self) -> Option<PathBuf> {
        self.url.is_none().then(|| self.dir.clone().unwrap_or_else(default_dir))
    }

    /// The arguments that name the same node in another command.
    pub(crate) fn again(&self) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        match (&self.dir, &self.url, &self.token_file, &self.card) {
            (_, Some(url), Some(token), Some(card)) => vec![
                "--url".into(),
                url.clone(),
                "--token-file".into(),
                path(token),
                "--card".into(),
                path(card),
            ],
            (Some(dir), ..) => vec!["--dir".into(), path(dir)],
            _ => Vec::new(),
        }
    }

    fn target(&self) -> Result<Target, Failure> {
        match (&self.url, &self.token_file, &self.card) {
            (Some(address), Some(token), Some(card)) => Ok(Target::Remote {
                address: address.clone(),
                token: files::read_text(token, TOKEN_BYTES_MAX)?.trim().to_owned().into(),
                tls_key: card::open(card)?.member.tls_key,
            }),
            _ => Ok(Target::Dir(self.dir.clone().unwrap_or_else(default_dir))),
        }
    }

    /// Reaches the node.
    pub(crate) async fn connect(&self) -> Result<Node, Failure> {
        Ok(Node(client::connect(&self.target()?).await?))
    }

    /// Reaches the node; `None` where none runs in the directory.
    pub(crate) async fn connect_if_up(&self) -> Result<Option<Node>, Failure> {
        match client::connect(&self.target()?).await {
            Ok(connection) => Ok(Some(Node(connection))),
            Err(ConnectError::NotRunning(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Where a node lies if no --dir says: TUTTI_DIR, else the machine's, else the user's own.
pub(crate) fn default_dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = set("TUTTI_DIR") {
        return dir.into();
    }
    let machine = PathBuf::from("/var/lib/tutti");
    if machine.join(tutti_node::config::FILE).exists() {
        return machine;
    }
    match (set("XDG_DATA_HOME"), set("HOME")) {
        (Some(data), _) => PathBuf::from(data).join("tutti"),
        (None, Some(home)) => PathBuf::from(home).join(".local/share/tutti"),
        (None, None) => machine,
    }
}

/// A node that was reached.
#[derive(Clone)]
pub(crate) struct Node(Connection);

impl Node {
    /// Reaches the node in a directory.
    pub(crate) async fn in_dir(dir: &Path) -> Result<Self, Failure> {
        Ok(Self(client::connect(&Target::Dir(dir.into())).await?))
    }

    pub(crate) fn referrals(&self) -> ReferralsClient<Connection> {
        ReferralsClient::new(self.0.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(crate) fn information(&self) -> InformationClient<Connection> {
        InformationClient::new(self.0.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(crate) fn log(&self) -> LogClient<Connection> {
        LogClient::new(self.0.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(crate) fn node(&self) -> NodeClient<Connection> {
        NodeClient::new(self.0.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        if let ConnectError::Unreachable { target, problem } = &error
            && problem.contains("invalid peer certificate")
        {
            let what = format!("what answers at {target} is not the node of that card");
            return Self::new(Exit::Key, what)
                .kept("nothing was sent to it, the token neither")
                .todo("check --url and --card; after a change of its TLS key, ask for a new card");
        }
        if let ConnectError::NotRunning(dir) = &error
            && !dir.join(tutti_node::config::FILE).exists()
        {
            let what = format!("there is no node in {}; nothing was done", dir.display());
            return Self::new(Exit::Unreachable, what)
                .todo("name its directory with --dir or in TUTTI_DIR; a new one: tutti init");
        }
        let exit = match error {
            ConnectError::Address(_) | ConnectError::Token => Exit::Usage,
            ConnectError::NotRunning(_)
            | ConnectError::NotAllowed(_)
            | ConnectError::Unreachable { .. } => Exit::Unreachable,
        };
        Self::new(exit, error.to_string())
    }
}

/// Runs a verb that speaks to a node.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}")))?
        .block_on(work)
}

/// The answer of a question; what the node refused, and that it does not answer, as a failure.
pub(crate) async fn ask<T>(
    question: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(ANSWER_MAX, question).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => Err(Failure::new(
            Exit::Unreachable,
            format!("the node takes requests and has not answered in {} s", ANSWER_MAX.as_secs()),
        )
        .kept("everything as it was")
        .todo("look at its log; if it says nothing, stop the node and start it again")),
    }
}
