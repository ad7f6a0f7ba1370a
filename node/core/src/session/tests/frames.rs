//! Every single-field mutation of every frame is refused or harmless: whatever a peer makes of a
//! frame, the store holds afterwards what was signed, or what it held before.

use prost::Message as _;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::RngCore as _;
use tutti_proto::v1;

use super::fixture::*;
use crate::{
    body::{Part, Place},
    entry::Visibility,
    evidence::Evidence,
    head::{Head, SignedHead},
    session::{BodyWant, Effect, Input},
    store::Reader as _,
};

/// What the store may hold: the log of `ph` as it was signed, at one of these sizes.
fn check(node: &Node<'_>, author: &Node<'_>, what: &str) {
    for log in node.store.logs() {
        let (tree, whole) = (node.store.tree(&log), author.store.tree(&log));
        assert!(tree.size() <= whole.size(), "{what}: {log}");
        let root = author.store.root_at(&log, tree.size()).unwrap();
        assert_eq!(tree.root(), root, "{what}: {log} holds what nobody signed");
        assert_eq!(node.store.evidence(&log), None, "{what}");
    }
    for effect in &node.others {
        match effect {
            Effect::Cosign(head) => {
                let root = author.store.root_at(head.origin(), head.size()).unwrap();
                assert_eq!(head.root(), root, "{what}");
            }
            Effect::Body { want, body } => {
                assert_eq!(body.key(), want.key(), "{what}");
            }
            Effect::BodyErased { .. } | Effect::Met { .. } | Effect::OwnLogShown { .. } => {}
            // The caller, who has the keys, judges what these say.
            Effect::Offered { .. } | Effect::Held { .. } | Effect::Arrived { .. } => {}
            Effect::Evidence(_) | Effect::OwnLogAhead { .. } => panic!("{what}: {effect:?}"),
            Effect::Send { .. } | Effect::Close { .. } => {}
            Effect::Append(_) | Effect::Head(_) => {}
        }
    }
}

/// One frame of each kind, all of them true.
fn frames(author: &mut Node<'_>) -> Vec<(&'static str, Kind)> {
    let body = author.write_body(&[7; 100], Visibility::Federation, vec![]);
    assert_eq!(body.size, 100);
    author.write(6);
    let log = origin("ph").to_string();
    let head = author.store.head(&origin("ph")).unwrap();
    let root = author.store.root_at(&origin("ph"), 3).unwrap();
    let small = Head { size: 3, root, ..head.head().clone() };
    let secrets = &author.federation.secrets[&society("ph")];
    let small = SignedHead::sign(small, &secrets.log).unwrap();
    let mut cosigned = head.bare();
    let witness = &author.federation.secrets[&society("sg")].witness;
    cosigned.cosign(society("sg"), witness, 1).unwrap();
    let entries = author.store.entries(&origin("ph"), 0, 5, usize::MAX).unwrap();
    let proof = author.store.consistency(&origin("ph"), 5, 7).unwrap();
    vec![
        ("hello", Kind::Hello(author.federation.hello("ph"))),
        ("heads", heads(&[&head])),
        ("want", Kind::Want(v1::Want { origin: log.clone(), start: 1, max_bytes: 500 })),
        (
            "batch",
            Kind::Batch(v1::Batch {
                origin: log.clone(),
                start: 0,
                entries: entries.iter().map(|entry| entry.as_slice().to_vec()).collect(),
                checkpoint: head.to_bytes(),
                consistency: proof.iter().map(|hash| hash.0.to_vec()).collect(),
                more: false,
            }),
        ),
        (
            "want_body",
            Kind::WantBody(v1::WantBody {
                origin: log.clone(),
                index: 0,
                part: 1,
                token: vec![],
                offset: 0,
            }),
        ),
        (
            "body_chunk",
            Kind::BodyChunk(v1::BodyChunk {
                origin: log.clone(),
                index: 0,
                part: 1,
                offset: 0,
                data: vec![7; 100],
            }),
        ),
        (
            "body_unavailable",
            Kind::BodyUnavailable(v1::BodyUnavailable {
                origin: log.clone(),
                index: 0,
                part: 1,
                reason: 1,
            }),
        ),
        ("offer", Kind::Offer(v1::Offer { origin: log.clone(), index: 1, waiting: 1 })),
        (
            "held",
            Kind::Held(v1::Held {
                origin: log.clone(),
                index: 1,
                state: 3,
                receipts: vec![vec![1; 32]],
            }),
        ),
        (
            "received",
            Kind::Received(v1::Received {
                origin: log.clone(),
                index: 1,
                token: vec![1; 32],
                receipt: vec![1; 32],
            }),
        ),
        ("cosignatures", cosignatures(&cosigned)),
        (
            "doubt",
            Kind::Doubt(v1::Doubt { first: small.to_bytes_bare(), second: head.to_bytes_bare() }),
        ),
        ("frontier", Kind::Frontier(v1::Frontier { digests: vec![7; 256] })),
        (
            "holdings",
            Kind::Holdings(v1::Holdings {
                parts: 0xffff,
                logs: vec![v1::Holding {
                    origin: log,
                    size: 7,
                    root: head.root().0.to_vec(),
                    witnesses: vec!["sg".into()],
                }],
            }),
        ),
    ]
}

/// A node that knows `ph` and waits for the body of its first entry.
fn listener<'a>(federation: &'a Federation, author: &Node<'_>, hello: bool) -> Node<'a> {
    let mut node = federation.node("sg");
    node.input(Input::Connected { link: 1, society: society("ph") });
    if hello {
        node.frame(1, Kind::Hello(federation.hello("ph")));
    }
    let (origin, part) = (author.origin(), Part::Record);
    let commitment = Place::new(&origin, 0, part).commit(&[7; 100]);
    let (token, addressees) = (None, Default::default());
    let want = BodyWant { origin, index: 0, part, commitment, token, lent: false, addressees };
    node.input(Input::Want(want));
    node
}

#[test]
fn the_true_frames_do_what_they_say() {
    let federation = Federation::new(&["ph", "sg"]);
    let mut author = federation.node("ph");
    let frames = frames(&mut author);
    let mut node = listener(&federation, &author, false);
    for (_, frame) in frames {
        node.frame(1, frame);
    }
    node.wait(2_000);
    assert!(node.closed.is_empty(), "{:?}", node.closed);
    assert_eq!(node.store.tree(&origin("ph")).size(), 5);
    assert_eq!(node.exchange.bodies_wanted(), 0);
    check(&node, &author, "true");
}

#[test]
fn every_mutated_bit_of_every_frame_is_refused_or_harmless() {
    let federation = Federation::new(&["ph", "sg"]);
    let mut author = federation.node("ph");
    for (name, kind) in frames(&mut author) {
        let bytes = v1::Frame { frame: Some(kind) }.encode_to_vec();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        // Every bit of the small ones; of the large ones every byte, one random bit each.
        let every = if bytes.len() < 200 { 1 } else { 8 };
        for bit in (0..bytes.len() * 8).step_by(every) {
            let bit = bit + (rng.next_u32() as usize % every);
            let mut mutated = bytes.clone();
            mutated[bit / 8] ^= 1 << (bit % 8);
            let Ok(frame) = v1::Frame::decode(mutated.as_slice()) else { continue };
            let mut node = listener(&federation, &author, name != "hello");
            node.input(Input::Frame { link: 1, frame });
            node.wait(1_100);
            check(&node, &author, &format!("{name}, bit {bit}"));
        }
    }
}

/// What a field may become at its worst.
const NUMBERS: [u64; 5] = [0, 1, 1 << 40, (1 << 40) + 1, u64::MAX];
const TEXTS: [&str; 4] = ["", "ph", "m.example.org/sg/1", "x.example.org/ph/1"];

#[test]
fn the_worst_values_in_every_field_are_refused_or_harmless() {
    let federation = Federation::new(&["ph", "sg"]);
    let mut author = federation.node("ph");
    let frames = frames(&mut author);
    let mut mutants: Vec<(String, Kind)> = Vec::new();
    for (name, kind) in &frames {
        let mut mutant = |what: &str, kind: Kind| mutants.push((format!("{name} {what}"), kind));
        match kind {
            Kind::Hello(_) => {}
            Kind::Heads(good) => {
                let one = good.checkpoints[0].clone();
                mutant("none", Kind::Heads(v1::Heads::default()));
                mutant(
                    "empty",
                    Kind::Heads(v1::Heads { checkpoints: vec![vec![]], frontier: true }),
                );
                for count in [2, 512, 513] {
                    let checkpoints = vec![one.clone(); count];
                    mutant("many", Kind::Heads(v1::Heads { checkpoints, frontier: true }));
                }
            }
            Kind::Want(good) => {
                for text in TEXTS {
                    mutant("origin", Kind::Want(v1::Want { origin: text.into(), ..good.clone() }));
                }
                for number in NUMBERS {
                    mutant("start", Kind::Want(v1::Want { start: number, ..good.clone() }));
                    let max_bytes = number as u32;
                    mutant("max_bytes", Kind::Want(v1::Want { max_bytes, ..good.clone() }));
                }
            }
            Kind::Batch(good) => {
                for text in TEXTS {
                    mutant(
                        "origin",
                        Kind::Batch(v1::Batch { origin: text.into(), ..good.clone() }),
                    );
                }
                for start in NUMBERS {
                    mutant("start", Kind::Batch(v1::Batch { start, ..good.clone() }));
                }
                for count in [0, 4, 6, 4_096, 4_097] {
                    let entries = good.entries.iter().cycle().take(count).cloned().collect();
                    mutant("entries", Kind::Batch(v1::Batch { entries, ..good.clone() }));
                }
                for size in [0, 1, 512, 513] {
                    let mut entries = good.entries.clone();
                    entries[2] = vec![8; size];
                    mutant("entry", Kind::Batch(v1::Batch { entries, ..good.clone() }));
                }
                for (count, size) in [(0, 32), (1, 32), (65, 32), (4_000, 32), (2, 31)] {
                    let consistency = vec![vec![1; size]; count];
                    mutant("consistency", Kind::Batch(v1::Batch { consistency, ..good.clone() }));
                }
                mutant("checkpoint", Kind::Batch(v1::Batch { checkpoint: vec![], ..good.clone() }));
                mutant("empty", Kind::Batch(v1::Batch::default()));
            }
            Kind::WantBody(good) => {
                for text in TEXTS {
                    let origin = text.into();
                    mutant("origin", Kind::WantBody(v1::WantBody { origin, ..good.clone() }));
                }
                for number in NUMBERS {
                    let (index, part) = (number, number as i32);
                    mutant("index", Kind::WantBody(v1::WantBody { index, ..good.clone() }));
                    mutant("part", Kind::WantBody(v1::WantBody { part, ..good.clone() }));
                    let offset = number;
                    mutant("offset", Kind::WantBody(v1::WantBody { offset, ..good.clone() }));
                }
                for size in [1, 31, 32, 33] {
                    let token = vec![0; size];
                    mutant("token", Kind::WantBody(v1::WantBody { token, ..good.clone() }));
                }
            }
            Kind::BodyChunk(good) => {
                for text in TEXTS {
                    let origin = text.into();
                    mutant("origin", Kind::BodyChunk(v1::BodyChunk { origin, ..good.clone() }));
                }
                for number in NUMBERS {
                    let (index, part) = (number, number as i32);
                    mutant("index", Kind::BodyChunk(v1::BodyChunk { index, ..good.clone() }));
                    mutant("part", Kind::BodyChunk(v1::BodyChunk { part, ..good.clone() }));
                    let offset = number;
                    mutant("offset", Kind::BodyChunk(v1::BodyChunk { offset, ..good.clone() }));
                }
                for data in [vec![], vec![7; 99], vec![8; 100], vec![7; 101], vec![7; 60_000]] {
                    mutant("data", Kind::BodyChunk(v1::BodyChunk { data, ..good.clone() }));
                }
            }
            Kind::Offer(good) => {
                for text in TEXTS {
                    mutant(
                        "origin",
                        Kind::Offer(v1::Offer { origin: text.into(), ..good.clone() }),
                    );
                }
                for number in NUMBERS {
                    let (index, waiting) = (number, number as u32);
                    mutant("index", Kind::Offer(v1::Offer { index, ..good.clone() }));
                    mutant("waiting", Kind::Offer(v1::Offer { waiting, ..good.clone() }));
                }
            }
            Kind::Held(good) => {
                for state in [0, 1, 2, 3, 4, 5, -1] {
                    mutant("state", Kind::Held(v1::Held { state, ..good.clone() }));
                }
                for (count, size) in [(0, 32), (8, 32), (9, 32), (1, 31), (1, 33), (4_000, 32)] {
                    let receipts = vec![vec![1; size]; count];
                    mutant("receipts", Kind::Held(v1::Held { receipts, ..good.clone() }));
                }
            }
            Kind::Received(good) => {
                for size in [0, 1, 31, 33] {
                    let token = vec![0; size];
                    mutant("token", Kind::Received(v1::Received { token, ..good.clone() }));
                    let receipt = vec![0; size];
                    mutant("receipt", Kind::Received(v1::Received { receipt, ..good.clone() }));
                }
            }
            Kind::BodyUnavailable(good) => {
                for reason in [0, 1, 2, 3, 4, -1] {
                    let answer = v1::BodyUnavailable { reason, ..good.clone() };
                    mutant("reason", Kind::BodyUnavailable(answer));
                }
            }
            Kind::Cosignatures(good) => {
                let one = good.heads[0].clone();
                let with = |head: v1::CosignedHead| {
                    Kind::Cosignatures(v1::Cosignatures { heads: vec![head] })
                };
                for text in TEXTS {
                    mutant("origin", with(v1::CosignedHead { origin: text.into(), ..one.clone() }));
                }
                for size in NUMBERS {
                    mutant("size", with(v1::CosignedHead { size, ..one.clone() }));
                }
                for size in [0, 31, 32, 33] {
                    mutant("root", with(v1::CosignedHead { root: vec![0; size], ..one.clone() }));
                }
                for size in [0, 1, 75, 76, 77, 99 * 76, 100 * 76] {
                    let cosignatures = vec![1; size];
                    mutant("bytes", with(v1::CosignedHead { cosignatures, ..one.clone() }));
                }
                for count in [0, 2, 512, 513, 2_000] {
                    let heads = vec![one.clone(); count];
                    mutant("many", Kind::Cosignatures(v1::Cosignatures { heads }));
                }
            }
            Kind::Frontier(_) => {
                for size in [0, 1, 255, 257, 60_000] {
                    let digests = vec![0; size];
                    mutant("digests", Kind::Frontier(v1::Frontier { digests }));
                }
            }
            Kind::Holdings(good) => {
                let one = good.logs[0].clone();
                let with = |holding: v1::Holding| {
                    Kind::Holdings(v1::Holdings { parts: 0xffff, logs: vec![holding] })
                };
                for text in TEXTS {
                    mutant("origin", with(v1::Holding { origin: text.into(), ..one.clone() }));
                }
                for size in NUMBERS {
                    mutant("size", with(v1::Holding { size, ..one.clone() }));
                    let parts = size as u32;
                    mutant("parts", Kind::Holdings(v1::Holdings { parts, ..good.clone() }));
                }
                for size in [0, 31, 32, 33] {
                    mutant("root", with(v1::Holding { root: vec![0; size], ..one.clone() }));
                }
                for (witness, count) in [("", 1), ("zz", 99), ("zz", 100), ("\u{7f}", 1)] {
                    let witnesses = vec![witness.into(); count];
                    mutant("witnesses", with(v1::Holding { witnesses, ..one.clone() }));
                }
                for count in [0, 512, 513] {
                    let logs = vec![one.clone(); count];
                    mutant("many", Kind::Holdings(v1::Holdings { logs, ..good.clone() }));
                }
            }
            Kind::Doubt(good) => {
                for change in [vec![], good.first.clone(), vec![7; 40_000]] {
                    let first = change.clone();
                    mutant("first", Kind::Doubt(v1::Doubt { first, ..good.clone() }));
                    mutant("second", Kind::Doubt(v1::Doubt { second: change, ..good.clone() }));
                }
            }
            Kind::Evidence(_) => {}
        }
    }
    assert!(mutants.len() > 100);
    for (what, kind) in mutants {
        let mut node = listener(&federation, &author, true);
        node.frame(1, kind);
        node.wait(1_100);
        check(&node, &author, &what);
    }
}

#[test]
fn a_mutated_evidence_frames_nobody() {
    let federation = Federation::new(&["ph", "sg"]);
    let author = federation.node("ph");
    let (left, right) = (author.author(3, 0), author.author(3, 1));
    let good = Evidence::of_one_size(left.head().clone(), right.head().clone()).unwrap();
    let bytes = good.to_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut mutated = bytes.clone();
        mutated[bit / 8] ^= 1 << (bit % 8);
        let Ok(evidence) = v1::Evidence::decode(mutated.as_slice()) else { continue };
        let mut node = federation.node("sg");
        node.meet(1, "ph");
        node.frame(1, Kind::Evidence(evidence));
        assert!(node.others.is_empty(), "bit {bit}");
    }
    let mut node = federation.node("sg");
    node.meet(1, "ph");
    let twice = v1::Evidence { second: good.to_message().first, ..good.to_message() };
    node.frame(1, Kind::Evidence(twice));
    assert_eq!(node.closed.len(), 1);
    assert!(node.others.is_empty());
}

#[test]
fn a_frame_of_an_unknown_kind_is_ignored() {
    let federation = Federation::new(&["ph", "sg"]);
    let mut node = federation.node("sg");
    for hello in [false, true] {
        let link = u64::from(hello);
        node.input(Input::Connected { link, society: society("ph") });
        if hello {
            node.frame(link, Kind::Hello(federation.hello("ph")));
        }
        // Field 100, a later version's.
        let frame = v1::Frame::decode([0xa2, 0x06, 0x01, 0x00].as_slice()).unwrap();
        assert_eq!(frame.frame, None);
        node.input(Input::Frame { link, frame });
    }
    assert!(node.closed.is_empty());
}

#[test]
fn a_replayed_session_changes_nothing() {
    let federation = Federation::new(&["ph", "sg"]);
    let mut author = federation.node("ph");
    let frames = frames(&mut author);
    let mut node = listener(&federation, &author, true);
    for (_, frame) in frames.iter().skip(1) {
        node.frame(1, frame.clone());
    }
    node.wait(2_000);
    let before = (node.store.tree(&origin("ph")), node.store.head(&origin("ph")));
    node.others.clear();
    for _ in 0..200 {
        for (_, frame) in frames.iter().skip(1) {
            node.frame(1, frame.clone());
        }
    }
    node.wait(2_000);
    assert_eq!((node.store.tree(&origin("ph")), node.store.head(&origin("ph"))), before);
    // What is said of bodies on their way is judged by the caller, each time anew.
    let said = |effect: &Effect| {
        matches!(effect, Effect::Offered { .. } | Effect::Held { .. } | Effect::Arrived { .. })
    };
    assert!(node.others.iter().all(said) && node.closed.is_empty());
}
