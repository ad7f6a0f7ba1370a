//! Reaching a node's client API: over the socket in its directory, or over TLS with a token.

mod bearer;
mod remote;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::{
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint, Uri},
};
use tutti_core::roster::TlsSpki;
use zeroize::Zeroizing;

pub use bearer::Bearer;

/// How long reaching the node may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A connection for the clients of `tutti_proto::node::v1`. Cheap to clone.
pub type Connection = InterceptedService<Channel, Bearer>;

/// Where the node is.
pub enum Target {
    /// On this machine: its directory, with the token of its operator that lies in it.
    Dir(PathBuf),
    /// On this machine, as somebody else.
    DirAs {
        /// The node's directory.
        dir: PathBuf,
        /// The secret.
        token: Zeroizing<String>,
    },
    /// Elsewhere.
    Remote {
        /// `host:port`, or `https://host:port`.
        address: String,
        /// The secret; empty for what needs none, such as logging in.
        token: Zeroizing<String>,
        /// The node's TLS key, as its membership card and the roster name it.
        tls_key: TlsSpki,
    },
}

/// Why the node was not reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No socket: no node runs there.
    #[error("no node runs in {0}; nothing was done. Start it with: tutti serve --dir {0}")]
    NotRunning(PathBuf),
    /// The socket belongs to another user.
    #[error("{0} may not be opened by this user; nothing was done. Run as the node's own user")]
    NotAllowed(PathBuf),
    /// The address is none.
    #[error("{0:?} is no address of a node; nothing was done. Write host:port")]
    Address(String),
    /// The token holds what no header can.
    #[error("the token is malformed; nothing was done. It is one line of printable characters")]
    Token,
    /// The node does not answer, or is not the one with that key.
    #[error("the node at {target} does not answer: {problem}; nothing was done. Is it running?")]
    Unreachable {
        /// Which.
        target: String,
        /// What went wrong.
        problem: String,
    },
}

/// Reaches a node.
pub async fn connect(target: &Target) -> Result<Connection, ConnectError> {
    match target {
        Target::Dir(dir) => {
            let token = operator_token(dir);
            connect_dir(dir, token.as_deref().map_or("", String::as_str)).await
        }
        Target::DirAs { dir, token } => connect_dir(dir, token).await,
        Target::Remote { address, token, tls_key } => {
            remote::connect(address, token, tls_key).await
        }
    }
}

/// The token that `tutti init` or `tutti user reset` has left in the directory; `None` where this
/// user may not read it, or it was taken away.
pub fn operator_token(dir: &Path) -> Option<Zeroizing<String>> {
    let text = std::fs::read_to_string(dir.join(crate::local::OPERATOR_TOKEN)).ok()?;
    Some(Zeroizing::new(text.trim().to_owned()))
}

async fn connect_dir(dir: &Path, token: &str) -> Result<Connection, ConnectError> {
    let bearer = Bearer::of(token)?;
    let socket = crate::config::socket(dir);
    // Once by hand, for an error that says what is the matter.
    UnixStream::connect(&socket).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
            ConnectError::NotRunning(dir.into())
        }
        std::io::ErrorKind::PermissionDenied => ConnectError::NotAllowed(socket.clone()),
        _ => unreachable(&socket.display(), &error),
    })?;
    let path = socket.clone();
    let channel = Endpoint::from_static("http://node.local")
        .connect_timeout(CONNECT_MAX)
        .connect_with_connector(tower::service_fn(move |_: Uri| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        }))
        .await
        .map_err(|error| unreachable(&socket.display(), &error))?;
    Ok(InterceptedService::new(channel, bearer))
}

fn unreachable(target: &impl std::fmt::Display, error: &dyn std::error::Error) -> ConnectError {
    // The innermost cause says it best.
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    ConnectError::Unreachable { target: target.to_string(), problem: cause.to_string() }
}
