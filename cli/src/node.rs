//! Reaching the node: which one is meant, as whom, and its clients.

use std::{
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use sha2::{Digest as _, Sha256};
use tonic::Status;
use tutti_node::client::{self, ConnectError, Connection, Target};
use tutti_proto::node::v1::{
    access_client::AccessClient, approvals_client::ApprovalsClient,
    attachments_client::AttachmentsClient, drafts_client::DraftsClient,
    information_client::InformationClient, log_client::LogClient, login_client::LoginClient,
    node_client::NodeClient, people_client::PeopleClient, referrals_client::ReferralsClient,
};
use zeroize::Zeroizing;

use crate::{
    card,
    failure::{Exit, Failure},
    files,
};

/// How long the node may take to answer a question. A page takes a second at most.
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
    #[arg(long, help_heading = NODE, value_name = "HOST:PORT", requires = "card")]
    url: Option<String>,
    /// A file with the token to act by; if not given, TUTTI_TOKEN, else your login, else the token
    /// in the node's directory.
    #[arg(long, help_heading = NODE, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// That node's card.note, by whose TLS key it is known.
    #[arg(long, help_heading = NODE, value_name = "FILE", requires = "url")]
    card: Option<PathBuf>,
}

/// Which node to ask, and whether its answer is for programs.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// As JSON (docs/json.md).
    #[arg(long)]
    pub(crate) json: bool,
}

impl NodeArgs {
    /// The directory; `None` for a node elsewhere.
    pub(crate) fn dir(&self) -> Option<PathBuf> {
        self.url.is_none().then(|| self.dir.clone().unwrap_or_else(default_dir))
    }

    /// The arguments that name the same node in another command.
    pub(crate) fn again(&self) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let mut words = Vec::new();
        match (&self.dir, &self.url, &self.card) {
            (_, Some(url), Some(card)) => {
                words.extend(["--url".into(), url.clone(), "--card".into(), path(card)]);
            }
            (Some(dir), ..) => words.extend(["--dir".into(), path(dir)]),
            _ => {}
        }
        if let Some(token) = &self.token_file {
            words.extend(["--token-file".into(), path(token)]);
        }
        words
    }

    /// By which token: the one that was named, the environment's, the login's. `None`: by that of
    /// the directory.
    fn token(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        let read = |file: &Path| -> Result<Zeroizing<String>, Failure> {
            Ok(files::read_text(file, TOKEN_BYTES_MAX)?.trim().to_owned().into())
        };
        if let Some(file) = &self.token_file {
            return read(file).map(Some);
        }
        if let Ok(token) = std::env::var("TUTTI_TOKEN")
            && !token.trim().is_empty()
        {
            return Ok(Some(token.trim().to_owned().into()));
        }
        let login = self.login_file();
        if login.exists() { read(&login).map(Some) } else { Ok(None) }
    }

    /// Where the token of a login to this node lies.
    pub(crate) fn login_file(&self) -> PathBuf {
        let target = match (&self.url, self.dir()) {
            (Some(url), _) => url.clone(),
            (None, dir) => {
                let dir = dir.unwrap_or_default();
                std::fs::canonicalize(&dir).unwrap_or(dir).display().to_string()
            }
        };
        let name = hex::encode(Sha256::digest(target).get(..8).unwrap_or_default());
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let state = match (set("XDG_STATE_HOME"), set("HOME")) {
            (Some(state), _) => PathBuf::from(state),
            (None, Some(home)) => PathBuf::from(home).join(".local/state"),
            // A user without a home has none of its own.
            (None, None) => PathBuf::from("/var/lib/tutti/state"),
        };
        state.join("tutti/logins").join(name)
    }

    fn target(&self, token: Option<Zeroizing<String>>) -> Result<Target, Failure> {
        match (&self.url, &self.card) {
            (Some(address), Some(card)) => Ok(Target::Remote {
                address: address.clone(),
                token: token.unwrap_or_default(),
                tls_key: card::open(card)?.member.tls_key,
            }),
            _ => {
                let dir = self.dir.clone().unwrap_or_else(default_dir);
                Ok(match token {
                    Some(token) => Target::DirAs { dir, token },
                    None => Target::Dir(dir),
                })
            }
        }
    }

    /// Reaches the node without any token: for logging in.
    pub(crate) async fn connect_as_nobody(&self) -> Result<Node, Failure> {
        Ok(Node(client::connect(&self.target(Some(Zeroizing::default()))?).await?))
    }

    /// Reaches the node.
    pub(crate) async fn connect(&self) -> Result<Node, Failure> {
        Ok(Node(client::connect(&self.target(self.token()?)?).await?))
    }

    /// Reaches the node; `None` where none runs in the directory.
    pub(crate) async fn connect_if_up(&self) -> Result<Option<Node>, Failure> {
        match client::connect(&self.target(self.token()?)?).await {
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
        ReferralsClient::new(self.0.clone())
    }

    pub(crate) fn information(&self) -> InformationClient<Connection> {
        InformationClient::new(self.0.clone())
    }

    pub(crate) fn log(&self) -> LogClient<Connection> {
        LogClient::new(self.0.clone())
    }

    pub(crate) fn people(&self) -> PeopleClient<Connection> {
        PeopleClient::new(self.0.clone())
    }

    pub(crate) fn login(&self) -> LoginClient<Connection> {
        LoginClient::new(self.0.clone())
    }

    pub(crate) fn access(&self) -> AccessClient<Connection> {
        AccessClient::new(self.0.clone())
    }

    pub(crate) fn approvals(&self) -> ApprovalsClient<Connection> {
        ApprovalsClient::new(self.0.clone())
    }

    pub(crate) fn attachments(&self) -> AttachmentsClient<Connection> {
        AttachmentsClient::new(self.0.clone())
    }

    pub(crate) fn drafts(&self) -> DraftsClient<Connection> {
        DraftsClient::new(self.0.clone())
    }

    pub(crate) fn node(&self) -> NodeClient<Connection> {
        NodeClient::new(self.0.clone())
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
