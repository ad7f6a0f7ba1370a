//! The local way in: a Unix socket that only the node's own user can open.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tokio::{
    net::{UnixListener, UnixStream},
    sync::watch,
};
use tokio_stream::wrappers::UnixListenerStream;

use super::{Services, server};

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody listens there.
    #[error("{0} is answered by another process; nothing was started. Stop that process first")]
    InUse(PathBuf),
    /// Making it failed.
    #[error("{path} cannot be made: {source}; nothing was started")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A bound socket; its file goes when it is dropped.
pub(crate) struct Socket {
    path: PathBuf,
    listener: Option<UnixListener>,
}

impl Socket {
    /// Binds `path` with mode 0600. What a killed node has left there is replaced, a socket that is
    /// answered is not.
    pub(crate) async fn bind(path: &Path) -> Result<Self, SocketError> {
        match UnixStream::connect(path).await {
            Ok(_) => return Err(SocketError::InUse(path.into())),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(SocketError::Io { path: path.into(), source: error });
            }
            Err(_) => {}
        }
        // Under its name only once nobody else can open it.
        let fresh = path.with_extension("sock.new");
        let bind = || -> io::Result<UnixListener> {
            match fs::remove_file(&fresh) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(&fresh)?;
            fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
            fs::rename(&fresh, path)?;
            Ok(listener)
        };
        let listener = bind().map_err(|source| SocketError::Io { path: path.into(), source })?;
        Ok(Self { path: path.into(), listener: Some(listener) })
    }

    /// Serves until `stop` says so and what is under way has ended.
    pub(crate) async fn serve(mut self, services: Services, mut stop: watch::Receiver<bool>) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        let served = server::limited()
            .add_routes(services.routes())
            .serve_with_incoming_shutdown(UnixListenerStream::new(listener), async move {
                let _ = stop.wait_for(|stop| *stop).await;
            })
            .await;
        if let Err(error) = served {
            tracing::error!(%error, "the local API ended");
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Left behind, it would be replaced at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tutti.sock");
        // Closed without being removed, as a killed process leaves it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = Socket::bind(&path).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Socket::bind(&path).await, Err(SocketError::InUse(_))));
        drop(socket);
        assert!(!path.exists());
    }
}
