//! The way in from elsewhere: TLS 1.3 with the node's key, then a token with every request.
//!
//! The client knows the node by its key; the node knows the client by its token. A connection that
//! has shown none in time is closed, and there are only so many at once.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::{Services, server};
use crate::{
    local::Address,
    peers::{
        pending::Pending,
        wire::{Grip, Wire},
    },
};

/// From the first packet to the end of the TLS handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(8);

/// From the first packet to the first request with a token.
const FIRST_REQUEST_MAX: Duration = Duration::from_secs(12);

/// Connections at once.
const CONNECTIONS_MAX: usize = 256;

/// The remote API of a node.
pub(crate) struct RemoteApi {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Arc<ServerConfig>,
}

/// Who is at the other end: nobody, until a token was shown.
#[derive(Clone)]
pub(super) struct Caller {
    grip: Arc<Grip>,
    address: Address,
}

impl Caller {
    /// A token was shown: the connection may stay.
    pub(super) fn admitted(&self) {
        self.grip.settle();
    }

    /// From where it connects.
    pub(super) fn address(&self) -> Address {
        self.address
    }
}

impl RemoteApi {
    /// Serves until `stop` says so and what is under way has ended.
    pub(crate) async fn serve(self, services: Services, mut stop: watch::Receiver<bool>) {
        let (connections, incoming) = mpsc::channel::<Result<Connection, Infallible>>(16);
        let mut stopped = stop.clone();
        let served = server::limited().add_routes(services.routes()).serve_with_incoming_shutdown(
            ReceiverStream::new(incoming),
            async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            },
        );
        let served = tokio::spawn(served);
        let acceptor = TlsAcceptor::from(self.tls);
        let (pending, places) = (Pending::default(), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, address)) => {
                    let secured = secure(
                        stream,
                        address,
                        acceptor.clone(),
                        pending.clone(),
                        places.clone(),
                        connections.clone(),
                    );
                    tokio::spawn(secured);
                }
                // Out of file descriptors, or gone before it was taken.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        drop((connections, self.listener));
        if let Ok(Err(error)) = served.await {
            tracing::error!(%error, "the remote API ended");
        }
    }
}

async fn secure(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    pending: Pending,
    places: Arc<Semaphore>,
    connections: mpsc::Sender<Result<Connection, Infallible>>,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let (wire, grip) = Wire::new(stream, FIRST_REQUEST_MAX);
    let underway = pending.begin(&grip);
    let secured = timeout(HANDSHAKE_MAX, acceptor.accept(wire)).await;
    drop(underway);
    let Ok(Ok(stream)) = secured else {
        return tracing::debug!(%address, "no handshake with the remote API");
    };
    let Ok(place) = places.try_acquire_owned() else {
        return tracing::warn!(%address, "too many connections to the remote API");
    };
    let connection =
        Connection { stream, caller: Caller { grip, address: address.ip().into() }, _place: place };
    // Where the server has ended, so does the connection.
    let _ = connections.send(Ok(connection)).await;
}

struct Connection {
    stream: TlsStream<Wire>,
    caller: Caller,
    _place: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
