//! Every single-field mutation of entry, head and roster, on every path that takes it in.
//!
//! Paths of an entry: the header's own reading, a batch (from the network, a file or a backup), a
//! proof, an audit. Of a head: its own reading, a proof, an audit's checkpoint and witnessed heads.
//! Of a roster: its own reading, the chain, a draft, the directory of a node, an audit. Frames
//! between nodes, which carry the first two, are mutated beside the session's own tests.

use std::collections::BTreeMap;

use prost::Message as _;
use tutti_core::{
    audit::{Options, Severity, audit},
    batch::VerifiedBatch,
    entry::{Entry, EntryBytes},
    export,
    head::SignedHead,
    proof::Proof,
    roster::{Draft, Roster},
    store::{MemoryStore, Reader, Store},
    tiles::bundle,
    tree::Tree,
};
use tutti_proto::v1;

use super::seeds;

const SIZE: u64 = 5;

/// A log of five entries with what vouches for it.
struct Fixture {
    entries: Vec<EntryBytes>,
    head: SignedHead,
    store: MemoryStore,
    roster: Roster,
    export: BTreeMap<String, Vec<u8>>,
}

impl Fixture {
    fn new() -> Self {
        let (ph, sg) = (seeds::ph(), seeds::sg());
        let origin = ph.origin();
        let entries = seeds::entries(&origin, SIZE);
        let batch =
            VerifiedBatch::author(&Tree::default(), &origin, entries.clone(), &ph.log).unwrap();
        let mut store = MemoryStore::new();
        store.append(&batch, &[]).unwrap();
        let mut head = store.head(&origin).unwrap();
        head.cosign(sg.society, &sg.witness, 1_764_000_000).unwrap();
        store.put_head(&head).unwrap();
        let roster = seeds::roster();
        let export = export::files(&store, &origin, &[roster.as_bytes().to_vec()], true)
            .map(|file| file.map(|file| (file.path, file.bytes)).unwrap())
            .collect();
        let fixture = Self { entries, head, store, roster, export };
        assert!(fixture.audited(&fixture.export), "the audit of what is sound is clean");
        fixture
    }

    /// Whether an audit finds no error.
    fn audited(&self, files: &BTreeMap<String, Vec<u8>>) -> bool {
        audit(files, Options::default(), &mut |_, _| ())
            .is_ok_and(|report| report.findings.iter().all(|f| f.severity != Severity::Error))
    }

    fn audited_with(&self, path: &str, bytes: Vec<u8>) -> bool {
        let mut files = self.export.clone();
        assert!(files.insert(path.into(), bytes).is_some(), "{path}");
        self.audited(&files)
    }
}

/// Every field of an entry, changed in every way that keeps it a protobuf message.
fn mutations_of(entry: &EntryBytes) -> Vec<(String, Vec<u8>)> {
    type Change = (&'static str, fn(&mut v1::Entry));
    let changes: [Change; 21] = [
        ("version", |m| m.version = 2),
        ("version", |m| m.version = 0),
        ("origin", |m| m.origin = m.origin.replace("/ph/", "/sg/")),
        ("origin", |m| m.origin = m.origin.replace("/1", "/2")),
        ("origin", |m| m.origin.clear()),
        ("index", |m| m.index += 1),
        ("index", |m| m.index = 0),
        ("recorded_at_ms", |m| m.recorded_at_ms += 1),
        ("recorded_at_ms", |m| m.recorded_at_ms = 0),
        ("visibility", |m| m.visibility = 0),
        ("visibility", |m| {
            m.visibility = 1;
            m.tags.clear();
        }),
        ("record", |m| m.record = None),
        ("record.digest", |m| m.record.as_mut().unwrap().digest[31] ^= 1),
        ("record.size", |m| m.record.as_mut().unwrap().size += 1),
        ("content", |m| m.content = None),
        ("content.digest", |m| m.content.as_mut().unwrap().digest[0] ^= 1),
        ("content.size", |m| m.content.as_mut().unwrap().size -= 1),
        ("tags", |m| m.tags.swap(0, 1)),
        ("tags", |m| m.tags.clear()),
        ("tags", |m| m.tags[0][0] ^= 1),
        ("tags", |m| m.tags.push(vec![0; 16])),
    ];
    let message = v1::Entry::decode(entry.as_slice()).unwrap();
    let mut mutations: Vec<(String, Vec<u8>)> = changes
        .iter()
        .map(|(field, change)| {
            let mut message = message.clone();
            change(&mut message);
            ((*field).into(), message.encode_to_vec())
        })
        .collect();
    // And every fifth bit of its encoding: at least one in each byte.
    for bit in (0..entry.as_slice().len() * 8).step_by(5) {
        let mut bytes = entry.as_slice().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        mutations.push((format!("bit {bit}"), bytes));
    }
    mutations.retain(|(_, bytes)| bytes != entry.as_slice());
    mutations
}

#[test]
fn a_mutated_entry_is_refused_by_batch_proof_and_audit() {
    let fixture = Fixture::new();
    let origin = fixture.head.origin();
    let at = 2;
    let place = u64::try_from(at).unwrap();
    let inclusion = fixture.store.inclusion(origin, place, SIZE).unwrap();
    for (field, bytes) in mutations_of(&fixture.entries[at]) {
        let mutated = EntryBytes::new(&bytes);
        let mut entries = fixture.entries.clone();
        entries[at] = mutated.clone();
        // Whole, in part with the rest held already, and as a part that ends before the head.
        let mut held = Tree::default();
        fixture.entries[..at].iter().for_each(|entry| held.push(entry.leaf_hash(), |_| ()));
        let proof = fixture.store.consistency(origin, 3, SIZE).unwrap();
        for (held, start, entries, proof) in [
            (&Tree::default(), 0, &entries[..], vec![]),
            (&held, 2, &entries[at..], vec![]),
            (&Tree::default(), 0, &entries[..3], proof),
        ] {
            let head = fixture.head.clone();
            let batch = VerifiedBatch::verify(held, start, entries, head, proof);
            assert!(batch.is_err(), "{field}: batch");
        }
        let roster = &fixture.roster;
        let claim = Proof::new(place, mutated, inclusion.clone(), &fixture.head);
        assert!(claim.verify(roster, None).is_err(), "{field}: proof");
        let files = bundle(&entries);
        assert!(!fixture.audited_with("tile/entries/000.p/5", files), "{field}: audit");
    }
    // What is malformed by itself is refused before anything is compared.
    let alone = |bytes: &[u8]| Entry::parse_at(bytes, origin, place).is_ok();
    let malformed = mutations_of(&fixture.entries[at]).into_iter().filter(|(_, m)| !alone(m));
    assert!(malformed.count() > 50);
}

#[test]
fn a_mutated_head_is_refused_by_note_proof_and_audit() {
    let fixture = Fixture::new();
    let note = String::from_utf8(fixture.head.to_bytes()).unwrap();
    let lines: Vec<&str> = note.lines().collect();
    let mut mutations: Vec<(String, String)> = Vec::new();
    let mut edit = |field: &str, line: usize, to: String| {
        let mut lines = lines.clone();
        lines[line] = &to;
        mutations.push((field.into(), lines.join("\n") + "\n"));
    };
    for to in ["migrants.example.org/sg/1", "migrants.example.org/ph/2", "x/ph/1", ""] {
        edit("origin", 0, to.into());
    }
    for to in ["4", "6", "0", "05", "-5", "18446744073709551615", ""] {
        edit("size", 1, to.into());
    }
    for to in [&"A".repeat(43), "", &lines[2][1..]] {
        edit("root", 2, format!("{to}="));
    }
    edit("extension", 2, format!("{}\nx", lines[2]));
    for (field, line) in [("signature", 4), ("cosignature", 5)] {
        let (front, signature) = lines[line].rsplit_once(' ').unwrap();
        for at in [8, 20, 40, 60] {
            let digit = if signature.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = format!("{}{digit}{}", &signature[..at], &signature[at + 1..]);
            edit(field, line, format!("{front} {changed}"));
        }
        edit(field, line, front.into());
        edit(field, line, lines[line].replace("— ", "- "));
    }
    edit("signature", 4, lines[4].replace("/ph/1", "/sg/1"));
    edit("signature", 4, lines[5].into());
    for (field, note) in mutations {
        let bytes = note.into_bytes();
        assert!(SignedHead::open(&bytes, &fixture.roster).is_err(), "{field}: note");
        let inclusion = fixture.store.inclusion(fixture.head.origin(), 2, SIZE).unwrap();
        let mut proof = Proof::new(2, fixture.entries[2].clone(), inclusion, &fixture.head);
        proof.head.clone_from(&bytes);
        assert!(proof.verify(&fixture.roster, None).is_err(), "{field}: proof");
        assert!(!fixture.audited_with("checkpoint", bytes.clone()), "{field}: audit");
        assert!(!fixture.audited_with("heads/sg", bytes), "{field}: audit of heads");
    }
}

#[test]
fn a_mutated_roster_is_refused_by_chain_draft_node_and_audit() {
    let fixture = Fixture::new();
    let note = std::str::from_utf8(fixture.roster.as_bytes()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("roster")).unwrap();
    let file = dir.path().join("roster/1");
    std::fs::write(&file, note).unwrap();
    assert!(tutti_node::rosters::current(dir.path()).is_ok());
    // Every line: its last word changed, the line left out, the line twice.
    let lines: Vec<&str> = note.lines().collect();
    let mut mutations = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let mut with = |changed: &[&str]| {
            let lines = [&lines[..at], changed, &lines[at + 1..]].concat();
            mutations.push((format!("line {at}"), lines.join("\n") + "\n"));
        };
        with(&[]);
        with(&[line, line]);
        if let Some(word) = line.rfind(|c: char| c.is_ascii_alphanumeric()) {
            let other = if line.as_bytes()[word] == b'1' { "2" } else { "1" };
            with(&[&format!("{}{other}{}", &line[..word], &line[word + 1..])]);
        }
    }
    for (field, mutated) in mutations {
        let bytes = mutated.as_bytes();
        assert!(Roster::open_first(bytes).is_err(), "{field}: first");
        assert!(Roster::open_chain([bytes]).is_err(), "{field}: chain");
        let draft = Draft::open(bytes);
        assert!(draft.is_err() || !draft.unwrap().missing().is_empty(), "{field}: draft");
        std::fs::write(&file, bytes).unwrap();
        assert!(tutti_node::rosters::current(dir.path()).is_err(), "{field}: node");
        assert!(!fixture.audited_with("roster/1", bytes.to_vec()), "{field}: audit");
    }
}
