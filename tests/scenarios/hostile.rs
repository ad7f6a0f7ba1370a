//! A member that has turned: it holds its society's real keys, speaks TLS and the protocol as it
//! should, and claims whatever costs memory. The node that it claims it to is a real process, whose
//! memory the system measures, and which goes on serving an honest member meanwhile.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use prost::Message as _;
use tokio::{
    sync::mpsc::Receiver,
    time::{Instant, timeout},
};
use tutti_core::{
    entry::EntryBytes,
    head::{Head, SignedHead},
    keys::NoteSecret,
    limits::{CHUNK_BYTES_MAX, LOG_SIZE_MAX},
};
use tutti_node::peers::{Full, Incoming, Outbox, PeerEvent};
use tutti_proto::v1::{self, frame::Frame as Kind};

use crate::{
    harness::{Federation, PATIENCE, eventually, tutti},
    turned::{Turned, frame},
    writer::publish,
};

/// What a node may take while it is lied to, bytes.
const MEMORY_MAX: u64 = 256 * 1024 * 1024;

/// How long each lie is told.
const EACH: Duration = Duration::from_secs(4);

/// The most memory that a process has taken so far, bytes.
fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The lies, each with a number that makes it a new one every time.
type Lie = fn(&NoteSecret, u64) -> Kind;

/// What a node does about a lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It passes over it, and goes on reading: all that is told is delivered.
    ReadsOn,
    /// It closes the link at the first, and says to its own people why, in these words.
    Closes(&'static str),
}

/// Lies of one kind that must be delivered where a node reads on, or as many bytes of them. Whatever waits to
/// be sent when the time is over is no part of it.
const DELIVERED_MIN: u64 = 200;
const DELIVERED_BYTES: u64 = 4 * 1024 * 1024;

fn origin(epoch: u64) -> String {
    format!("migrants.example.org/ph/{}", epoch % u64::from(u32::MAX) + 1)
}

const LIES: [(&str, Then, Lie); 7] = [
    ("a head of the largest size, another each time", Then::ReadsOn, |log, n| {
        let root = EntryBytes::new(&n.to_be_bytes()).leaf_hash();
        let head = Head { origin: origin(0).parse().unwrap(), size: LOG_SIZE_MAX - n, root };
        let head = SignedHead::sign(head, log).unwrap();
        Kind::Heads(v1::Heads { checkpoints: vec![head.to_bytes()], frontier: n % 2 == 0 })
    }),
    ("a head of size u64::MAX", Then::Closes("not a checkpoint of this version"), |log, n| {
        let text = format!("{}\n{}\n{}\n", origin(0), u64::MAX - n, "A".repeat(43) + "=");
        let line = log.sign(text.as_bytes()).unwrap().to_bytes();
        let head = [text.as_bytes(), b"\n", &line].concat();
        Kind::Heads(v1::Heads { checkpoints: vec![head; 100], frontier: true })
    }),
    ("another origin wanted each time", Then::ReadsOn, |_, n| {
        Kind::Want(v1::Want { origin: origin(n), start: LOG_SIZE_MAX - n, max_bytes: u32::MAX })
    }),
    ("another origin sent each time", Then::ReadsOn, |_, n| {
        let entries = vec![vec![8, 1]; 4096];
        Kind::Batch(v1::Batch { origin: origin(n), start: n, entries, ..Default::default() })
    }),
    ("overlapping ranges of a log that is there", Then::ReadsOn, |_, n| {
        let origin = "migrants.example.org/sg/1".into();
        Kind::Want(v1::Want { origin, start: n % 64, max_bytes: u32::MAX })
    }),
    ("bodies from the end of the world", Then::ReadsOn, |_, n| {
        let offset = u64::MAX - u64::MAX % CHUNK_BYTES_MAX as u64;
        let (origin, token) = ("migrants.example.org/sg/1".into(), vec![0; 32]);
        Kind::WantBody(v1::WantBody { origin, index: n % 100, part: 2, token, offset })
    }),
    ("pieces of bodies that nobody asked for", Then::ReadsOn, |_, n| {
        let data = vec![7; CHUNK_BYTES_MAX];
        let offset = n * CHUNK_BYTES_MAX as u64;
        Kind::BodyChunk(v1::BodyChunk { origin: origin(n), index: n, part: 1, offset, data })
    }),
];

/// A new link of the turned member, on which it has said hello.
async fn link(events: &mut Receiver<Incoming>, hello: &v1::Frame) -> Outbox {
    loop {
        let event = timeout(PATIENCE, events.recv()).await.expect("a link").expect("events");
        if let PeerEvent::Connected { outbox, society, .. } = event.event
            && society.to_string() == "sg"
        {
            outbox.try_send(hello.clone()).expect("room for one frame");
            return outbox;
        }
    }
}

/// What the node has had from the turned member so far: bytes of all its links.
fn heard(dir: &Path) -> u64 {
    let shown = tutti(&["peers", "--json", "--dir", dir.to_str().unwrap()]).stdout;
    let shown: serde_json::Value = serde_json::from_slice(&shown).expect("JSON");
    let mut peers = shown["peers"].as_array().expect("peers").iter();
    let ph = peers.find(|peer| peer["society"] == "ph").expect("the turned member");
    ph["bytes_in"].as_u64().expect("bytes")
}

/// Why links of a member end that asks faster than it takes the answers: of this side what waits for it is
/// too much, or HTTP/2 has enough of its small frames. Or it has ended the link itself.
const TOO_FAST: [&str; 5] = [
    "the peer ended the stream",
    "too much is waiting",
    "the connection was lost",
    "did not say hello in time",
    "h2 protocol error",
];

/// Of all links of the turned member that ended since its log was so long, none ended for a lie.
fn none_was_blamed(dir: &Path, since: usize, what: &str) {
    let log = fs::read_to_string(dir.with_extension("log")).unwrap();
    let said = log.get(since..).unwrap_or_default().lines();
    let mut ends = said.filter(|line| line.contains("link ended peer=ph"));
    let other = ends.find(|line| !TOO_FAST.iter().any(|why| line.contains(why)));
    assert_eq!(other, None, "{what}");
}

/// Tells every lie, and sees to it that it arrives. Says how much of each did: frames where each closes its
/// link, bytes where the node reads on.
async fn lie(member: Turned, dir: PathBuf) -> Vec<(&'static str, u64)> {
    let hello = member.hello();
    let mut told = Vec::new();
    for (what, then, lie) in LIES {
        let before = heard(&dir);
        let length = frame(lie(&member.keys.log, 0)).encoded_len() as u64;
        // Of number 0 is the log that the member has.
        let mut count = 1;
        match then {
            Then::ReadsOn => {
                let since = fs::read(dir.with_extension("log")).unwrap().len();
                let (mut peers, mut events) = member.dial();
                let mut outbox = link(&mut events, &hello).await;
                let begun = Instant::now();
                while begun.elapsed() < EACH {
                    match outbox.try_send(frame(lie(&member.keys.log, count))) {
                        Ok(()) => count += 1,
                        Err(Full::Closed) => {
                            // Whoever asks faster than it takes the answers begins again.
                            peers.stop().await;
                            (peers, events) = member.dial();
                            outbox = link(&mut events, &hello).await;
                        }
                        Err(Full::Behind) => tokio::time::sleep(Duration::from_millis(2)).await,
                    }
                    // What the node says is read, or it would close the link for that.
                    while events.try_recv().is_ok() {}
                    tokio::task::yield_now().await;
                }
                let delivered = heard(&dir) - before;
                // A frame alone takes no more than twice its length on the wire.
                let wanted = (2 * length.max(40) * DELIVERED_MIN).min(DELIVERED_BYTES);
                assert!(
                    delivered >= wanted,
                    "{what}: {delivered} of {wanted} bytes were delivered"
                );
                told.push((what, delivered));
                none_was_blamed(&dir, since, what);
                outbox.close("enough");
                peers.stop().await;
            }
            Then::Closes(why) => {
                for _ in 0..5 {
                    let (peers, mut events) = member.dial();
                    let outbox = link(&mut events, &hello).await;
                    let begun = Instant::now();
                    while outbox.try_send(frame(lie(&member.keys.log, count))) != Err(Full::Closed)
                    {
                        assert!(begun.elapsed() < PATIENCE, "{what}: the link stays");
                        tokio::time::sleep(Duration::from_millis(2)).await;
                        while events.try_recv().is_ok() {}
                    }
                    count += 1;
                    peers.stop().await;
                    // Its own people find it in its log, once for each link.
                    let said = || fs::read_to_string(dir.with_extension("log")).unwrap();
                    eventually(what, || said().matches(why).count() as u64 >= count - 1);
                }
                told.push((what, count - 1));
            }
        }
    }
    told
}

#[test]
fn whatever_a_member_claims_a_node_takes_little_memory_and_serves_the_others() {
    let mut federation = Federation::founded(&["ph", "qa", "sg"]);
    federation.node("sg").start();
    federation.node("qa").start();
    publish(&federation.at("sg").dir, 200);
    let member = Turned::of(&federation, "ph");
    let dir = federation.at("sg").dir.clone();
    let liar = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(lie(member, dir))
    });
    // Meanwhile what the honest write arrives, and fast.
    let mut slowest = Duration::ZERO;
    for count in 1.. {
        let begun = Instant::now();
        publish(&federation.at("qa").dir, 1);
        eventually("sg holds what qa wrote", || federation.at("sg").holds("qa").size == count);
        slowest = slowest.max(begun.elapsed());
        if liar.is_finished() {
            break;
        }
    }
    let told = liar.join().unwrap();
    let peak = peak_memory(federation.at("sg").pid());
    println!("peak {} MiB, slowest honest entry {slowest:?}, {told:?}", peak / 1024 / 1024);
    assert!(peak < MEMORY_MAX, "{peak} bytes after {told:?}");
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    assert_eq!(told.len(), LIES.len());
    federation.converge();
    let log = federation.at("sg").log();
    assert!(!log.contains("panicked"), "{log}");
}
