#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::*;
use crate::testing::{Federation, society};

mod floods;

const SOON: Duration = Duration::from_secs(10);

struct Node {
    peers: Peers,
    events: mpsc::Receiver<Incoming>,
    _other_roster: Arc<Roster>,
}

fn start(federation: &Federation, code: &str) -> Node {
    start_with(federation, code, federation.roster.clone(), federation.keyring(code).tls)
}

fn start_with(federation: &Federation, code: &str, roster: Arc<Roster>, key: TlsKey) -> Node {
    let listener = TcpListener::from_std(federation.listener(code)).unwrap();
    let (peers, events) =
        Peers::start(society(code), roster.clone(), &key, Some(listener)).unwrap();
    Node { peers, events, _other_roster: roster }
}

impl Node {
    async fn event(&mut self) -> PeerEvent {
        timeout(SOON, self.events.recv()).await.expect("an event in time").unwrap().event
    }

    /// Waits for a link, skipping the ends of replaced ones.
    async fn connected(&mut self) -> (u64, Society, Outbox) {
        loop {
            if let PeerEvent::Connected { link, society, outbox, .. } = self.event().await {
                return (link, society, outbox);
            }
        }
    }

    async fn closed(&mut self) -> String {
        loop {
            if let PeerEvent::Closed { why, .. } = self.event().await {
                return why;
            }
        }
    }
}

fn chunk(bytes: usize) -> v1::Frame {
    let chunk = v1::BodyChunk { data: vec![7; bytes], ..Default::default() };
    v1::Frame { frame: Some(v1::frame::Frame::BodyChunk(chunk)) }
}

#[tokio::test]
async fn frames_travel_both_ways_and_are_counted() {
    let federation = Federation::found(&["ph", "sg"], &["ph"]);
    let (mut ph, mut sg) = (start(&federation, "ph"), start(&federation, "sg"));
    let (_, at_ph, to_sg) = ph.connected().await;
    let (link, at_sg, to_ph) = sg.connected().await;
    assert_eq!((at_ph, at_sg), (society("sg"), society("ph")));
    to_sg.try_send(chunk(40_000)).unwrap();
    to_ph.try_send(chunk(1)).unwrap();
    match sg.event().await {
        PeerEvent::Frame { link: on, frame } => assert_eq!((on, frame), (link, chunk(40_000))),
        other => panic!("{other:?}"),
    }
    assert!(matches!(ph.event().await, PeerEvent::Frame { frame, .. } if frame == chunk(1)));
    let state = ph.peers.view().states().remove(&society("sg")).unwrap();
    assert!(state.bytes_out() > 40_000 && state.bytes_in() > 500 && state.heard_ms() > 0);
    let up = state.link.unwrap();
    assert!(up.dialled && up.round_trip_us > 0 && up.since_ms > 0);
    // Stopping one ends the link at the other, which says why.
    sg.peers.stop().await;
    ph.closed().await;
    assert_ne!(ph.peers.view().states()[&society("sg")].last_error, "");
}

#[tokio::test]
async fn both_dial_and_one_link_stays_without_flapping() {
    let federation = Federation::found(&["ph", "sg"], &[]);
    let (mut ph, mut sg) = (start(&federation, "ph"), start(&federation, "sg"));
    // Held, for a link whose outbox is dropped is closed.
    let mut held = vec![ph.connected().await, sg.connected().await];
    // Long enough for several attempts of either side.
    let settling = Instant::now() + Duration::from_secs(3);
    while Instant::now() < settling {
        for node in [&mut ph, &mut sg] {
            if let Ok(next) = timeout(Duration::from_millis(50), node.connected()).await {
                held.push(next);
            }
        }
    }
    let link = |node: &Node| node.peers.view().states().into_values().next().unwrap().link;
    let (at_ph, at_sg) = (link(&ph).unwrap(), link(&sg).unwrap());
    assert_ne!(at_ph.dialled, at_sg.dialled, "the same link at both ends");
    assert!(at_ph.link <= 2 && at_sg.link <= 2, "{} {}", at_ph.link, at_sg.link);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(ph.events.try_recv().is_err() && sg.events.try_recv().is_err(), "all is quiet");
}

#[tokio::test]
async fn a_peer_that_restarts_is_linked_again() {
    let federation = Federation::found(&["ph", "sg"], &["ph"]);
    let (mut ph, mut sg) = (start(&federation, "ph"), start(&federation, "sg"));
    let _held = (ph.connected().await, sg.connected().await);
    sg.peers.stop().await;
    ph.closed().await;
    let mut sg = start(&federation, "sg");
    let _held = (ph.connected().await, sg.connected().await);
}

#[tokio::test]
async fn a_stranger_is_refused_in_tls() {
    let federation = Federation::found(&["ph", "sg"], &["ph"]);
    let mut sg = start(&federation, "sg");
    // In its own eyes it is ph; its key is another.
    let stranger =
        start_with(&federation, "ph", federation.roster.clone(), TlsKey::generate().unwrap());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let state = stranger.peers.view().states().remove(&society("sg")).unwrap();
    assert!(state.link.is_none() && !state.last_error.is_empty(), "{state:?}");
    assert!(sg.events.try_recv().is_err(), "sg has heard of nobody");
    // And a server with another key is refused by whoever dials it.
    sg.peers.stop().await;
    let _impostor =
        start_with(&federation, "sg", federation.roster.clone(), TlsKey::generate().unwrap());
    let ph = start(&federation, "ph");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let state = ph.peers.view().states().remove(&society("sg")).unwrap();
    assert!(state.link.is_none() && state.last_error.contains("certificate"), "{state:?}");
}

#[tokio::test]
async fn the_handshake_is_tls_1_3_with_a_post_quantum_key_and_nothing_to_resume() {
    let federation = Federation::found(&["ph", "sg"], &[]);
    let members = members::Members::new(federation.roster.clone());
    let of = |code: &str| {
        let key = federation.keyring(code).tls;
        tls::MemberTls::new(&key, society(code), members.clone()).unwrap()
    };
    let (ph, sg) = (of("ph"), of("sg"));
    let key = federation.roster.member(society("sg")).unwrap().tls_key;
    let connector = TlsConnector::from(Arc::new(ph.client(&key).unwrap()));
    let acceptor = tokio_rustls::TlsAcceptor::from(sg.server.clone());
    let (here, there) = tokio::io::duplex(64 * 1024);
    let (dialled, accepted) =
        tokio::join!(connector.connect(tls::nameless(), here), acceptor.accept(there));
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    let (client, server) = (dialled.get_ref().1, accepted.get_ref().1);
    assert_eq!(client.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    let group = client.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(client.tls13_tickets_received(), 0);
    let proven = tls::proven(&members, server.peer_certificates());
    assert_eq!(proven.map(|(society, _)| society), Some(society("ph")));
    // One's own key at the other end is somebody who has stolen it.
    let (here, there) = tokio::io::duplex(64 * 1024);
    let own = of("sg");
    let connector = TlsConnector::from(Arc::new(own.client(&key).unwrap()));
    let (_, accepted) =
        tokio::join!(connector.connect(tls::nameless(), here), acceptor.accept(there));
    assert!(accepted.is_err());
}

#[tokio::test]
async fn a_suspended_member_is_refused_and_not_dialled() {
    use tutti_core::roster::{Draft, Status};
    let federation = Federation::found(&["ph", "qa", "sg"], &["ph"]);
    let mut draft = Draft::succeed(&federation.roster, |document| {
        let suspended =
            document.members.iter_mut().filter(|member| member.society != society("sg"));
        suspended.for_each(|member| member.status = Status::Suspended);
    })
    .unwrap();
    for code in ["ph", "qa", "sg"] {
        let root = federation.home(code).join("keys/root.key");
        draft.sign(&crate::keyring::root_key(&root, None).unwrap()).unwrap();
    }
    let next = Arc::new(Roster::open_next(&federation.roster, &draft.to_bytes()).unwrap());
    let mut sg = start_with(&federation, "sg", next, federation.keyring("sg").tls);
    // It still works by the roster in which it was active.
    let ph = start(&federation, "ph");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let state = ph.peers.view().states().remove(&society("sg")).unwrap();
    assert!(state.link.is_none() && !state.last_error.is_empty(), "{state:?}");
    assert!(sg.events.try_recv().is_err());
    assert!(sg.peers.view().states().is_empty(), "qa, with its endpoint, is not dialled");
}

#[tokio::test]
async fn an_oversize_message_ends_the_link_with_the_reason() {
    let federation = Federation::found(&["ph", "sg"], &["ph"]);
    let mut sg = start(&federation, "sg");
    let tls = tls::MemberTls::new(
        &federation.keyring("ph").tls,
        society("ph"),
        members::Members::new(federation.roster.clone()),
    )
    .unwrap();
    let key = federation.roster.member(society("sg")).unwrap().tls_key;
    // A client without our limits.
    let config = Arc::new(tls.client(&key).unwrap());
    let address = federation.address("sg");
    let channel = tonic::transport::Endpoint::from_static("http://peer")
        .connect_with_connector(tower::service_fn(move |_: tonic::transport::Uri| {
            let connector = TlsConnector::from(config.clone());
            async move {
                let stream = TcpStream::connect(address).await?;
                connector.connect(tls::nameless(), stream).await.map(hyper_util::rt::TokioIo::new)
            }
        }))
        .await
        .unwrap();
    let frames = tokio_stream::iter([chunk(10), chunk(300_000)]);
    let mut stream = v1::federation_client::FederationClient::new(channel)
        .session(frames)
        .await
        .unwrap()
        .into_inner();
    let _held = sg.connected().await;
    assert!(matches!(sg.event().await, PeerEvent::Frame { .. }));
    let why = sg.closed().await;
    assert!(why.contains("too large"), "{why}");
    assert!(!matches!(stream.message().await, Ok(Some(_))), "the stream has ended");
}

#[tokio::test]
async fn a_link_that_the_engine_closes_keeps_its_reason_and_comes_back() {
    let federation = Federation::found(&["ph", "sg"], &["ph"]);
    let (mut ph, mut sg) = (start(&federation, "ph"), start(&federation, "sg"));
    let _held = ph.connected().await;
    let (_, _, outbox) = sg.connected().await;
    outbox.close("too much is waiting to be sent");
    assert_eq!(sg.closed().await, "too much is waiting to be sent");
    ph.closed().await;
    ph.connected().await;
    sg.connected().await;
}

#[tokio::test]
async fn who_is_suspended_loses_its_link_at_once_and_who_is_let_in_again_comes_again() {
    let federation = Federation::found(&["ph", "qa", "sg"], &["ph", "qa"]);
    let [mut sg, mut ph, mut qa] = ["sg", "ph", "qa"].map(|code| start(&federation, code));
    for node in [&mut ph, &mut qa] {
        node.connected().await;
    }
    for _ in 0..2 {
        sg.connected().await;
    }
    let suspended = federation.next(|document| {
        document.members[0].status = tutti_core::roster::Status::Suspended;
    });
    let begun = Instant::now();
    sg.peers.follow(suspended.clone());
    // Both links end; the one of qa comes up again.
    let why = ph.closed().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{why}");
    let (_, society, _) = qa.connected().await;
    assert_eq!(society, self::society("sg"));
    while sg.peers.view().states().contains_key(&self::society("ph")) {
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", sg.peers.view().states());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // However often it tries.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(ph.peers.view().states()[&self::society("sg")].link.is_none());
    // Version 3 lets it in again.
    let again = federation.after(&suspended, |document| {
        document.members[0].status = tutti_core::roster::Status::Active;
    });
    sg.peers.follow(again);
    let (_, society, _) = ph.connected().await;
    assert_eq!(society, self::society("sg"));
}
