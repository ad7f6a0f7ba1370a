//! Members and strangers who take connections and streams, and give nothing.

use std::{collections::BTreeMap, net::SocketAddr};

use tokio_rustls::client::TlsStream;

use super::*;
use crate::peers::limits::{CONNECTIONS_PER_PEER_MAX, FIRST_FRAME_MAX, HANDSHAKE_MAX};

/// Of each kind so many.
const STALLS: usize = 100;

/// The beginning of HTTP/2, with no settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stall {
    Nothing,
    HalfAHandshake,
    /// A member that says nothing after TLS.
    Handshake,
    /// One that stops after the preface.
    Preface,
}

/// Connects as a member.
async fn as_member(federation: &Federation, code: &str) -> TlsStream<TcpStream> {
    let (config, address) = client(federation, code);
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(config).connect(tls::nameless(), stream).await.unwrap()
}

/// What a member needs to connect to sg.
fn client(federation: &Federation, code: &str) -> (Arc<rustls::ClientConfig>, SocketAddr) {
    let members = members::Members::new(federation.roster.clone());
    let key = federation.keyring(code).tls;
    let tls = tls::MemberTls::new(&key, society(code), members).unwrap();
    let server = federation.roster.member(society("sg")).unwrap().tls_key;
    (Arc::new(tls.client(&server).unwrap()), federation.address("sg"))
}

/// Sends frames over an honest link until `ended` says so; how long each took.
async fn meanwhile(
    sg: &mut Node,
    to_sg: &Outbox,
    mut ended: impl FnMut() -> bool,
) -> Vec<Duration> {
    let mut delays = Vec::new();
    while !ended() {
        let sent = Instant::now();
        to_sg.try_send(chunk(10_000)).unwrap();
        while !matches!(sg.event().await, PeerEvent::Frame { frame, .. } if frame == chunk(10_000))
        {
        }
        delays.push(sent.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    delays.sort();
    delays
}

/// As many members as it takes for none to come to the limit of its connections: each stall is one, and
/// lasts until its own deadline.
#[tokio::test]
async fn four_kinds_of_stall_are_closed_in_time_while_honest_links_work() {
    let codes: Vec<String> = ('a'..='z')
        .flat_map(|one| ['x', 'y'].map(|other| format!("{other}{one}")))
        .take(2 * STALLS / CONNECTIONS_PER_PEER_MAX)
        .collect();
    assert!(codes.len() >= 25);
    let stalling: Vec<&str> = codes.iter().map(String::as_str).collect();
    let all = [stalling.as_slice(), &["qa", "sg"]].concat();
    let federation = Federation::found(&all, &all[..all.len() - 1]);
    let clients: Vec<_> = stalling.iter().map(|code| client(&federation, code)).collect();
    let mut sg = start(&federation, "sg");
    let address = federation.address("sg");
    let mut stalls = JoinSet::new();
    for (kind, first) in [(Stall::Nothing, &[][..]), (Stall::HalfAHandshake, &[22, 3, 1, 2, 0][..])]
    {
        for _ in 0..STALLS {
            // The system's own queue of connections is short.
            tokio::time::sleep(Duration::from_millis(2)).await;
            stalls.spawn(async move {
                let begun = Instant::now();
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(first).await.unwrap();
                let _ = stream.read_to_end(&mut Vec::new()).await;
                (kind, begun.elapsed())
            });
        }
    }
    for (config, address) in clients.iter().cycle().take(2 * STALLS).cloned() {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let kind = if stalls.len() % 2 == 0 { Stall::Handshake } else { Stall::Preface };
        stalls.spawn(async move {
            let begun = Instant::now();
            let stream = TcpStream::connect(address).await.unwrap();
            let connector = TlsConnector::from(config);
            let mut stream = connector.connect(tls::nameless(), stream).await.unwrap();
            if kind == Stall::Preface {
                stream.write_all(PREFACE).await.unwrap();
            }
            let _ = stream.read_to_end(&mut Vec::new()).await;
            (kind, begun.elapsed())
        });
    }
    // An honest member is let in meanwhile, and its frames arrive as ever.
    let honest = Instant::now();
    let mut qa = start(&federation, "qa");
    let (_, _, to_sg) = qa.connected().await;
    let _held = sg.connected().await;
    assert!(honest.elapsed() < Duration::from_secs(3), "{:?}", honest.elapsed());
    let mut lasted = BTreeMap::<Stall, Vec<Duration>>::new();
    let begun = Instant::now();
    let delays = meanwhile(&mut sg, &to_sg, || {
        while let Some(ended) = stalls.try_join_next() {
            let (kind, elapsed) = ended.expect("it has stalled, and nothing else");
            lasted.entry(kind).or_default().push(elapsed);
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{} are not closed", stalls.len());
        stalls.is_empty()
    })
    .await;
    for (kind, lasted) in &lasted {
        let (shortest, longest) = (lasted.iter().min().unwrap(), lasted.iter().max().unwrap());
        println!("{kind:?}: {} closed after {shortest:?} to {longest:?}", lasted.len());
        assert_eq!(lasted.len(), STALLS, "{kind:?}");
        assert!(*longest < Duration::from_secs(15), "{kind:?} {longest:?}");
        // Each was let in, and ended by the deadline; of handshakes the oldest may have given way.
        let deadline = match kind {
            Stall::Nothing | Stall::HalfAHandshake => HANDSHAKE_MAX,
            Stall::Handshake | Stall::Preface => FIRST_FRAME_MAX,
        };
        let stalled = lasted.iter().filter(|lasted| **lasted >= deadline).count();
        let enough = if deadline == FIRST_FRAME_MAX { STALLS } else { STALLS / 2 };
        assert!(stalled >= enough, "{kind:?}: {stalled} of {STALLS} lasted until the deadline");
    }
    assert_eq!(lasted.len(), 4);
    let p99 = delays[delays.len() * 99 / 100];
    println!("{} frames over the honest link, p99 {p99:?}", delays.len());
    assert!(delays.len() > 100 && p99 < Duration::from_secs(1), "{p99:?} of {}", delays.len());
    assert!(sg.peers.view().states()[&society("qa")].link.is_some());
}

/// A member has so many connections at once; one more is refused, and its others stay.
#[tokio::test]
async fn a_member_has_a_few_connections_at_once() {
    let federation = Federation::found(&["ph", "sg"], &["ph"]);
    let _sg = start(&federation, "sg");
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_PER_PEER_MAX {
        held.push(as_member(&federation, "ph").await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut more = as_member(&federation, "ph").await;
    let closed = timeout(Duration::from_secs(3), more.read_to_end(&mut Vec::new())).await;
    assert!(closed.is_ok(), "one more is let in");
    for stream in &mut held {
        let still = timeout(Duration::from_millis(100), stream.read_u8()).await;
        // A server speaks first in HTTP/2: its settings may come, the end must not.
        assert!(!matches!(still, Ok(Err(_))), "{still:?}");
    }
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header of a request (RFC 7541), without its table and Huffman's code.
fn request(path: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let literal = |name: &[u8], value: &str| [name, &text(value)].concat();
    [
        vec![0x83, 0x86],
        literal(&[0x04], path),
        literal(&[0x01], "peer"),
        literal(&[0x0f, 0x10], "application/grpc"),
        literal(&[&[0x00], text("te").as_slice()].concat(), "trailers"),
    ]
    .concat()
}

/// CVE-2023-44487: streams are opened and reset at once, so that the limit of open ones never holds and
/// the server works for nothing. Once they ask for the session, and once for something that there is not:
/// then nothing but the resets can have ended the connection.
#[tokio::test]
async fn a_flood_of_streams_that_are_reset_ends_the_connection_while_honest_links_work() {
    const STREAMS: u32 = 20_000;
    const GOAWAY: u8 = 7;
    const ENHANCE_YOUR_CALM: u32 = 11;
    let federation = Federation::found(&["ph", "qa", "sg"], &["ph", "qa"]);
    let mut sg = start(&federation, "sg");
    let mut qa = start(&federation, "qa");
    let (_, _, to_sg) = qa.connected().await;
    let _held = sg.connected().await;
    for path in ["/tutti.v1.Federation/Session", "/tutti.v1.Federation/Nothing"] {
        let stream = as_member(&federation, "ph").await;
        let headers = request(path);
        let flood = tokio::spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(stream);
            let answers = tokio::spawn(async move {
                let mut answers = Vec::new();
                let _ = reader.read_to_end(&mut answers).await;
                answers
            });
            let begun = Instant::now();
            let mut sent = 0;
            let _ = writer.write_all(PREFACE).await;
            for number in 0..STREAMS {
                // With the end of the headers; then CANCEL.
                let id = 2 * number + 1;
                let both = [frame(1, 4, id, &headers), frame(3, 0, id, &8u32.to_be_bytes())];
                if writer.write_all(&both.concat()).await.is_err() {
                    break;
                }
                sent = number;
            }
            let answers = timeout(Duration::from_secs(20), answers).await;
            (sent, begun.elapsed(), answers.map(Result::unwrap))
        });
        let delays = meanwhile(&mut sg, &to_sg, || flood.is_finished()).await;
        let (sent, lasted, answers) = flood.await.unwrap();
        let answers = answers.expect("the connection is closed");
        println!("{path}: closed after {sent} streams and {lasted:?}");
        assert!(sent < STREAMS - 1, "as many as one likes");
        assert!(lasted < Duration::from_secs(5), "{lasted:?}");
        assert_eq!(goaway(&answers, GOAWAY), Some(ENHANCE_YOUR_CALM), "why it was closed");
        let longest = delays.last().unwrap();
        assert!(*longest < Duration::from_secs(1), "{longest:?}");
    }
    assert!(sg.peers.view().states()[&society("qa")].link.is_some());
}

/// The code with which the server says that it ends the connection.
fn goaway(mut answers: &[u8], kind: u8) -> Option<u32> {
    while let Some((header, rest)) = answers.split_first_chunk::<9>() {
        let length = usize::from(header[0]) << 16 | usize::from(header[1]) << 8;
        let (payload, rest) = rest.split_at_checked(length | usize::from(header[2]))?;
        if header[3] == kind {
            return Some(u32::from_be_bytes(payload.get(4..8)?.try_into().unwrap()));
        }
        answers = rest;
    }
    None
}
