//! Words of a case in places where they must not be: what a third society's node holds in memory and
//! on its disk and can export, every frame that anybody sends to a third society, and whatever the
//! parties have on their disks.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use prost::Message as _;
use tutti_proto::v1::{self, frame::Frame as Kind};

use crate::{
    harness::{Federation, eventually, files_below},
    story::{CANARIES, refer, state},
    turned::{Turned, frame},
    writer::publish,
};
use tutti_node::peers::PeerEvent;

/// A region of memory is read in pieces of this, each overlapping the next.
const PIECE: usize = 1 << 20;

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// Which of these words stand in a process's memory. `None` where it may not be read.
fn words_in_memory(pid: u32, words: &[&str]) -> Option<Vec<String>> {
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut found = Vec::new();
    let mut read_bytes = 0;
    for line in maps.lines() {
        let mut parts = line.split_whitespace();
        let (Some(range), Some(rights)) = (parts.next(), parts.next()) else { continue };
        // What the program was loaded from holds none; what it has written is writable.
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-')?;
        let mut at = u64::from_str_radix(from, 16).ok()?;
        let end = u64::from_str_radix(to, 16).ok()?;
        while at < end {
            let mut piece = vec![0; PIECE.min((end - at) as usize)];
            if memory.read_exact_at(&mut piece, at).is_err() {
                break;
            }
            read_bytes += piece.len();
            let here = words.iter().filter(|word| holds(&piece, word.as_bytes()));
            found.extend(here.map(ToString::to_string));
            at += (PIECE - 64) as u64;
        }
    }
    (read_bytes > 0).then_some(found)
}

/// Everything that anybody sends to a member that asks for all there is.
fn record(member: Turned, stop: Arc<AtomicBool>) -> thread::JoinHandle<Vec<Vec<u8>>> {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (peers, mut events) = member.dial();
            let (mut links, mut frames) = (BTreeMap::new(), Vec::new());
            while !stop.load(Ordering::SeqCst) {
                let wait = Duration::from_millis(50);
                let Ok(Some(event)) = tokio::time::timeout(wait, events.recv()).await else {
                    continue;
                };
                match event.event {
                    PeerEvent::Connected { link, outbox, .. } => {
                        outbox.try_send(member.hello()).unwrap();
                        links.insert(link, outbox);
                    }
                    PeerEvent::Closed { link, .. } => drop(links.remove(&link)),
                    PeerEvent::Frame { link, frame: told } => {
                        frames.push(told.encode_to_vec());
                        if let Some(outbox) = links.get(&link) {
                            for question in questions(&told) {
                                let _ = outbox.try_send(frame(question));
                            }
                        }
                    }
                }
            }
            peers.stop().await;
            frames
        })
    })
}

/// All that a curious member can ask on hearing this.
fn questions(told: &v1::Frame) -> Vec<Kind> {
    match &told.frame {
        Some(Kind::Heads(heads)) => heads
            .checkpoints
            .iter()
            .filter_map(|head| String::from_utf8_lossy(head).lines().next().map(String::from))
            .map(|origin| Kind::Want(v1::Want { origin, start: 0, max_bytes: 100_000 }))
            .collect(),
        Some(Kind::Batch(batch)) => (batch.start..)
            .take(batch.entries.len())
            .flat_map(|index| [1, 2].map(|part| (index, part)))
            .map(|(index, part)| {
                let (origin, token) = (batch.origin.clone(), vec![7; 32]);
                Kind::WantBody(v1::WantBody { origin, index, part, token, offset: 0 })
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn no_word_of_a_case_reaches_a_third_society_or_a_disk() {
    let mut federation = Federation::founded(&["ph", "qa", "sg", "th"]);
    for society in ["ph", "qa", "sg"] {
        federation.node(society).start();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let curious = record(Turned::of(&federation, "th"), stop.clone());
    // That something is there to be found: a notice that everybody may read.
    publish(&federation.at("sg").dir, 1);
    let id = refer(&federation, "sg", "ph");
    eventually("ph has it", || state(&federation, "ph", &id) == "sent");
    federation.at("ph").ok(&["referral", "acknowledge", &id]);
    eventually("sg has the answer", || state(&federation, "sg", &id) == "acknowledged");
    federation.at("ph").ok(&["referral", "show", &id, "--content"]);
    federation.converge();
    eventually("qa has what is public", || federation.at("qa").shares() == 1);

    let public = "The shelter is open from 8 to 20 o'clock.";
    let words = [&CANARIES[..], &[public]].concat();
    match words_in_memory(federation.at("qa").pid(), &words) {
        // The public notice passed through; where its bytes lay may have been used again.
        Some(found) => assert!(found.iter().all(|word| word == public), "in memory: {found:?}"),
        None => {
            let _ = writeln!(
                io::stderr(),
                "NOT CHECKED: the memory of another process may not be read here"
            );
        }
    }
    stop.store(true, Ordering::SeqCst);
    let frames = curious.join().unwrap();
    let heard = |word: &str| frames.iter().any(|frame| holds(frame, word.as_bytes()));
    assert!(heard(public), "of {} frames none holds the notice", frames.len());
    for canary in CANARIES {
        assert!(!heard(canary), "{canary:?} was sent to a third society");
    }
    for of in ["sg", "ph"] {
        let out = federation.path(&format!("export-{of}"));
        let path = out.to_str().unwrap();
        federation.at("qa").ok(&["log", "export", "--out", path, "--of", of]);
    }
    let exports = ["sg", "ph"].map(|of| federation.path(&format!("export-{of}")));
    let dirs = federation.nodes().map(|node| node.dir.clone()).chain(exports);
    for file in dirs.flat_map(|dir| files_below(&dir)) {
        let bytes = fs::read(&file).unwrap_or_default();
        for canary in CANARIES {
            assert!(!holds(&bytes, canary.as_bytes()), "{canary:?} stands in {}", file.display());
        }
    }
}
