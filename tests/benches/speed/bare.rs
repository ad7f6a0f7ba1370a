//! The bare stream: the same frames over tonic with nothing done with them, in clear or with mutual
//! TLS 1.3. What a federation could reach that trusted everyone and kept nothing.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Endpoint, Server, Uri, server::Connected},
};
use tutti_core::{
    limits::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX},
    society::Origin,
    store::Reader,
};
use tutti_proto::v1::{
    self,
    federation_client::FederationClient,
    federation_server::{Federation, FederationServer},
};

/// The windows of our links.
const WINDOW_BYTES: u32 = 1024 * 1024;

/// A log as the frames in which a node is given it.
pub(crate) fn frames(store: &impl Reader, origin: &Origin) -> Vec<v1::Frame> {
    let head = store.head(origin).expect("a head");
    let (mut frames, mut start) = (Vec::new(), 0);
    while start < head.size() {
        let entries = store
            .entries(origin, start, BATCH_ENTRIES_MAX as u64, BATCH_BYTES_MAX)
            .expect("entries");
        let end = start + entries.len() as u64;
        let proof = store.consistency(origin, end, head.size()).expect("a proof");
        let batch = v1::Batch {
            origin: origin.to_string(),
            start,
            entries: entries.iter().map(|entry| entry.as_slice().to_vec()).collect(),
            checkpoint: head.to_bytes(),
            consistency: proof.iter().map(|hash| hash.0.to_vec()).collect(),
            more: false,
        };
        frames.push(v1::Frame { frame: Some(v1::frame::Frame::Batch(batch)) });
        start = end;
    }
    frames
}

/// Gives its frames to the first who asks.
struct Giver(Mutex<Vec<v1::Frame>>);

type Frames = tokio_stream::Iter<std::vec::IntoIter<Result<v1::Frame, Status>>>;

#[tonic::async_trait]
impl Federation for Giver {
    type SessionStream = Frames;

    async fn session(&self, _: Request<Streaming<v1::Frame>>) -> Result<Response<Frames>, Status> {
        let frames = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let frames: Vec<_> = frames.into_iter().map(Ok).collect();
        Ok(Response::new(tokio_stream::iter(frames)))
    }
}

/// The keys of both ends, each of which knows the other's.
pub(crate) struct Tls {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    pub(crate) fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let params = rcgen::CertificateParams::new(vec!["peer".to_string()]).expect("a name");
        let certificate: CertificateDer<'static> =
            params.self_signed(&key).expect("a certificate").der().clone();
        let secret = || PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).expect("a root");
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let only = [&rustls::version::TLS13];
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&only)
            .expect("TLS 1.3")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(vec![certificate.clone()], secret())
            .expect("a server");
        server.alpn_protocols = vec![b"h2".to_vec()];
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&only)
            .expect("TLS 1.3")
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate], secret())
            .expect("a client");
        client.alpn_protocols = vec![b"h2".to_vec()];
        Self { server: Arc::new(server), client: Arc::new(client) }
    }
}

/// From the dialling to the last entry, which is counted and dropped.
pub(crate) async fn stream(frames: Vec<v1::Frame>, tls: Option<&Tls>) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tls.map(|tls| tls.server.clone());
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        match server {
            None => serve(stream, frames).await,
            Some(config) => {
                let stream = TlsAcceptor::from(config).accept(stream).await.expect("TLS");
                serve(stream, frames).await;
            }
        }
    });
    let start = Instant::now();
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    match tls {
        None => receive(stream).await,
        Some(tls) => {
            let name = ServerName::try_from("peer").expect("a name");
            let stream = TlsConnector::from(tls.client.clone()).connect(name, stream).await;
            receive(stream.expect("TLS")).await;
        }
    }
    let took = start.elapsed();
    serving.abort();
    took
}

/// A connection of which tonic needs to know nothing.
struct Served<S>(S);

impl<S> Connected for Served<S> {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl<S: AsyncRead + Unpin> AsyncRead for Served<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Served<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

async fn serve<S>(stream: S, frames: Vec<v1::Frame>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let once = tokio_stream::StreamExt::chain(
        tokio_stream::once(Ok::<_, io::Error>(Served(stream))),
        tokio_stream::pending(),
    );
    let served = Server::builder()
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .add_service(FederationServer::new(Giver(Mutex::new(frames))))
        .serve_with_incoming(once);
    served.await.expect("served");
}

async fn receive<S>(stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let once = Arc::new(Mutex::new(Some(TokioIo::new(stream))));
    let channel = Endpoint::from_static("http://peer")
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .connect_with_connector(tower::service_fn(move |_: Uri| {
            let stream = once.lock().unwrap_or_else(PoisonError::into_inner).take();
            async move { stream.ok_or_else(|| io::Error::other("one connection")) }
        }))
        .await
        .expect("a channel");
    let nothing = tokio_stream::pending::<v1::Frame>();
    let mut frames =
        FederationClient::new(channel).session(nothing).await.expect("a session").into_inner();
    while let Some(frame) = frames.message().await.expect("a frame") {
        std::hint::black_box(&frame);
    }
}

/// A body in the frame in which a node is given it.
pub(crate) fn chunk(origin: &Origin, index: u64, body: &[u8]) -> v1::Frame {
    let chunk = v1::BodyChunk {
        origin: origin.to_string(),
        index,
        part: v1::BodyPart::Record as i32,
        offset: 0,
        data: body.to_vec(),
    };
    v1::Frame { frame: Some(v1::frame::Frame::BodyChunk(chunk)) }
}
