//! Accepting: TCP, then TLS under a deadline, then the gRPC server.
//!
//! Only connections of active members reach HTTP/2. A flood of half-open handshakes pushes out its
//! own oldest, not the members.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Server, server::Connected};
use tutti_core::{limits::FRAME_BYTES_MAX, society::Society};
use tutti_proto::v1::federation_server::FederationServer;

use super::{
    limits::{
        CONNECTIONS_PER_PEER_MAX, FIRST_FRAME_MAX, HANDSHAKE_MAX, HEADER_BYTES_MAX,
        KEEPALIVE_EVERY, KEEPALIVE_MAX, RESETS_LOCAL_MAX, RESETS_PENDING_MAX, STREAMS_MAX,
        WINDOW_BYTES,
    },
    link::Context,
    members::Members,
    pending::Pending,
    service::{Proven, Service},
    tls::{MemberTls, proven},
    wire::Wire,
};

/// A connection of a member.
pub(super) struct Member {
    stream: TlsStream<Wire>,
    proven: Proven,
    _place: Place,
}

/// Runs until `stop` says so; the listener is closed at once, the connections by their links.
pub(super) async fn run(
    listener: TcpListener,
    tls: Arc<MemberTls>,
    by: Arc<Members>,
    context: Context,
    mut stop: watch::Receiver<bool>,
) {
    let (members, incoming) = mpsc::channel::<Result<Member, Infallible>>(16);
    let service = FederationServer::new(Service(context))
        .max_decoding_message_size(FRAME_BYTES_MAX)
        .max_encoding_message_size(FRAME_BYTES_MAX);
    let mut stopped = stop.clone();
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESETS_PENDING_MAX))
        .http2_max_local_error_reset_streams(Some(RESETS_LOCAL_MAX))
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .add_service(service)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        });
    let server = tokio::spawn(server);
    let door = Door {
        acceptor: TlsAcceptor::from(tls.server.clone()),
        by,
        members,
        pending: Pending::default(),
        places: Arc::default(),
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, address)) => door.admit(stream, address),
            // Out of file descriptors, or gone before it was taken.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    drop((listener, door));
    // A server that does not end does not hold up the node.
    let _ = timeout(Duration::from_secs(2), server).await;
}

struct Door {
    acceptor: TlsAcceptor,
    by: Arc<Members>,
    members: mpsc::Sender<Result<Member, Infallible>>,
    pending: Pending,
    places: Arc<Mutex<BTreeMap<Society, usize>>>,
}

impl Door {
    fn admit(&self, stream: TcpStream, address: SocketAddr) {
        // Frames are small and urgent.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let (wire, grip) = Wire::new(stream, FIRST_FRAME_MAX);
        let underway = self.pending.begin(&grip);
        let (acceptor, by) = (self.acceptor.clone(), self.by.clone());
        let (members, places) = (self.members.clone(), self.places.clone());
        tokio::spawn(async move {
            let handshake = timeout(HANDSHAKE_MAX, acceptor.accept(wire)).await;
            drop(underway);
            let stream = match handshake {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    return tracing::debug!(%address, %error, "handshake refused");
                }
                Err(_) => return tracing::debug!(%address, "handshake took too long"),
            };
            let proven = proven(&by, stream.get_ref().1.peer_certificates());
            let Some((society, key)) = proven else { return };
            let Some(place) = Place::take(places, society) else {
                return tracing::warn!(peer = %society, "too many connections at once");
            };
            let proven = Proven { society, key, address, grip, taken: Arc::default() };
            // Where the server has ended, so does the connection.
            let _ = members.send(Ok(Member { stream, proven, _place: place })).await;
        });
    }
}

/// One of the places that each member's connections share.
struct Place {
    places: Arc<Mutex<BTreeMap<Society, usize>>>,
    society: Society,
}

impl Place {
    fn take(places: Arc<Mutex<BTreeMap<Society, usize>>>, society: Society) -> Option<Self> {
        let mut taken = places.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(society).or_default();
        if *count >= CONNECTIONS_PER_PEER_MAX {
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Self { places, society })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.society) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Connected for Member {
    type ConnectInfo = Proven;

    fn connect_info(&self) -> Proven {
        self.proven.clone()
    }
}

impl AsyncRead for Member {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Member {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
