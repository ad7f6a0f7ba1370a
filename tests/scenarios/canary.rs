//! Words of a case in places where they must not be: what a third society's node holds in memory and
//! on its disk and can export, every frame that anybody sends to a third society, and whatever the
//! parties have on their disks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
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
    files::{self, CANARY, attach, letter, samples},
    harness::{Federation, eventually, files_below},
    story::{CANARIES, refer, state},
    turned::{Turned, frame},
    writer::publish,
};
use tutti_node::peers::PeerEvent;

/// A region of memory is read in pieces of this, each overlapping the next.
const PIECE: usize = 1 << 20;

pub(crate) fn holds(bytes: &[u8], word: &[u8]) -> bool {
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
    // What the roster says stays in memory as long as the node runs: that it is read at all.
    let kept = "Society of th";
    let words = [&CANARIES[..], &[public, kept]].concat();
    match words_in_memory(federation.at("qa").pid(), &words) {
        Some(found) => {
            assert!(found.iter().any(|word| word == kept), "its memory was not read: {found:?}");
            // The public notice passed through; where its bytes lay may have been used again.
            let mut others = found.iter().filter(|word| *word != kept);
            assert!(others.all(|word| word == public), "in memory: {found:?}");
        }
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

/// Pieces of the parts of files that a node has in its own log, sealed, as it exports them; they are the
/// only bodies that are so large.
fn sealed_parts(federation: &Federation, at: &str) -> Vec<Vec<u8>> {
    let out = federation.path("parts");
    federation.at(at).ok(&["log", "export", "--out", out.to_str().unwrap(), "--of", at]);
    let bodies = files_below(&out.join("bodies"));
    let bodies = bodies.iter().map(|file| fs::read(file).unwrap_or_default());
    let parts = bodies.filter(|bytes| bytes.len() > 400_000);
    let pieces = parts.flat_map(|bytes| samples(&bytes)).collect();
    fs::remove_dir_all(&out).unwrap();
    pieces
}

/// How many of these pieces stand anywhere on a node's disk.
pub(crate) fn found(dir: &Path, pieces: &[Vec<u8>]) -> usize {
    let files = files_below(dir).into_iter();
    found_in(files.map(|file| fs::read(file).unwrap_or_default()), pieces)
}

/// The same in these files.
pub(crate) fn found_in(files: impl Iterator<Item = Vec<u8>>, pieces: &[Vec<u8>]) -> usize {
    // Each piece by its first eight bytes, of which the last two are looked at first.
    let first =
        |piece: &Vec<u8>| piece.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte));
    let wanted: BTreeSet<u64> = pieces.iter().map(first).collect();
    let mut likely = vec![false; 1 << 16];
    wanted.iter().for_each(|piece| likely[usize::from(*piece as u16)] = true);
    let mut found = BTreeSet::new();
    for bytes in files {
        let mut window = 0u64;
        for byte in bytes {
            window = window << 8 | u64::from(byte);
            if likely[usize::from(window as u16)] && wanted.contains(&window) {
                found.insert(window);
            }
        }
    }
    found.len()
}

/// Both sides have signed that what was to be erased is.
pub(crate) fn all_confirmed(federation: &Federation, at: &str, id: &str) -> bool {
    let shown = federation.at(at).json(&["referral", "show", id]);
    let sides = shown["erasure"]["confirmations"].as_array().cloned().unwrap_or_default();
    sides.len() == 2 && sides.iter().all(|side| side["confirmed"] == true)
}

/// A relay keeps a file sealed, and no longer than it must; a wrong one that was taken back is gone from
/// it and from both parties, while the right one and the case stay; then all goes.
#[test]
fn a_file_is_on_no_disk_in_clear_and_on_none_at_all_once_it_was_taken_back_or_erased() {
    let mut federation = Federation::around_a_relay();
    let dirs = ["ifrc", "sg", "ph"].map(|society| federation.at(society).dir.clone());
    let [relay, sg, ph] = &dirs;
    let id = refer(&federation, "sg", "ph");
    let right = attach(&federation, "sg", &id, &letter(&federation, "right.pdf", 700_000));
    let right = right["attachment"].as_str().unwrap();
    let rights = sealed_parts(&federation, "sg");
    assert!(rights.len() > 5, "{}", rights.len());
    eventually("the relay has the right one", || found(relay, &rights) == rights.len());
    // Another file, and the wrong one: its first part is another's, so no piece is in both.
    let wrong = attach(&federation, "sg", &id, &letter(&federation, "wrong.pdf", 1_600_000));
    let wrong = wrong["attachment"].as_str().unwrap();
    let mut wrongs = sealed_parts(&federation, "sg");
    wrongs.retain(|piece| !rights.contains(piece));
    assert!(wrongs.len() > 15, "{}", wrongs.len());
    eventually("the relay has both", || found(relay, &wrongs) == wrongs.len());

    // Taken back before the other side has come: it never gets there.
    let words = ["referral", "entered-in-error", &id, "--attachment", &wrong[..8]];
    let said = federation.at("sg").ok(&words);
    assert!(said.contains("goes on without that file"), "{said}");
    assert_eq!(found(sg, &wrongs), 0, "at once");
    eventually("the relay has dropped it", || found(relay, &wrongs) == 0);
    assert_eq!(found(relay, &rights), rights.len(), "the right one waits on");
    let again = federation.at("sg").run(&words);
    assert!(String::from_utf8_lossy(&again.stderr).contains("was taken back before"));

    federation.node("ph").start();
    let file = |at: &str, which: &str| {
        let output = federation.at(at).run(&["referral", "attachments", &id, "--json"]);
        let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let files = listed["attachments"].as_array().cloned().unwrap_or_default();
        files.into_iter().find(|file| file["id"] == which).unwrap_or_default()
    };
    eventually("ph has the right one", || file("ph", right)["state"] == "present");
    eventually("both have confirmed", || all_confirmed(&federation, "sg", &id));
    for at in ["sg", "ph"] {
        let shown = federation.at(at).json(&["referral", "show", &id]);
        assert_eq!(
            (&shown["state"], &shown["erasure"]["of_case"]),
            (&"sent".into(), &false.into())
        );
        assert_eq!(file(at, wrong)["state"], "erased");
        assert_eq!(file(at, right)["state"], "present");
    }
    assert_eq!([relay, sg, ph].map(|dir| found(dir, &wrongs)), [0; 3]);
    eventually("the relay has dropped the right one, too", || found(relay, &rights) == 0);
    assert_eq!([sg, ph].map(|dir| found(dir, &rights)), [rights.len(); 2]);
    // The same file again is another, for it was meant this time.
    let anew = attach(&federation, "sg", &id, &federation.path("wrong.pdf"));
    assert_ne!(anew["attachment"], wrong);
    eventually("it comes", || {
        file("ph", anew["attachment"].as_str().unwrap())["state"] == "present"
    });
    let news = sealed_parts(&federation, "sg");

    let in_clear = |dir: &Path| {
        let words = CANARIES.iter().chain([&CANARY]);
        let words: Vec<&str> = words.copied().collect();
        let holds = |file: &Path| words.iter().any(|word| files::holds(file, word));
        files_below(dir).into_iter().find(|file| holds(file))
    };
    assert_eq!(dirs.iter().find_map(|dir| in_clear(dir)), None);
    federation.at("ph").ok(&["referral", "withdraw-consent", &id]);
    let of_case =
        || federation.at("sg").json(&["referral", "show", &id])["erasure"]["of_case"] == true;
    eventually("all is erased", || of_case() && all_confirmed(&federation, "sg", &id));
    for dir in &dirs {
        eventually("nothing is left", || found(dir, &rights) + found(dir, &news) == 0);
    }
    assert_eq!(dirs.iter().find_map(|dir| in_clear(dir)), None);
    for log in ["sg", "ph"] {
        federation.audit("ifrc", log);
    }
}
