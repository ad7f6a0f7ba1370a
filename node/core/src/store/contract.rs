//! The conformance suite: the same checks for every store, called from the tests of each.
//!
//! [`check`] goes through the written contract of [`super`], clause by clause. Whoever runs it
//! says how a store is made and opened again; a store on a disk is opened again between any two
//! steps. It panics where a clause is broken.

use std::collections::BTreeMap;

use rand_core::{CryptoRng, RngCore};
use sha2::{Digest as _, Sha256};
use tlog_tiles::{Hash, HashReader, prove_tree};

use super::{BodyState, Store, StoreError};
use crate::{
    batch::VerifiedBatch,
    body::{Body, BodyKey, Part, Place},
    entry::{Commitment, EntryBytes, Header, Visibility},
    evidence::Evidence,
    head::{Head, HeadKeys, SignedHead},
    keys::{KeyKind, NoteKey, NoteSecret},
    society::{Origin, Society},
    tree::{Tree, check_consistency, check_inclusion},
};

/// A store under test.
pub trait Subject {
    /// The store; one that can be, was closed and opened again since the last call.
    fn store(&mut self) -> &mut dyn Store;
    /// Whether a second writer is refused now.
    fn refuses_second_writer(&mut self) -> bool;
}

/// Checks every clause of the contract.
pub fn check(make: &mut dyn FnMut(&World) -> Box<dyn Subject>) {
    let world = World::new();
    appends_only_where_the_log_ends(&world, &mut *make(&world));
    keeps_entries_byte_for_byte(&world, &mut *make(&world));
    proves_every_size(&world, &mut *make(&world));
    takes_batches_that_end_before_their_head(&world, &mut *make(&world));
    keeps_heads_and_who_cosigned_them(&world, &mut *make(&world));
    bodies_are_present_absent_or_erased(&world, &mut *make(&world));
    refuses_a_batch_with_an_erased_body_as_a_whole(&world, &mut *make(&world));
    drops_what_was_kept_for_others(&world, &mut *make(&world));
    keeps_small_notes(&world, &mut *make(&world));
    keeps_the_first_evidence(&world, &mut *make(&world));
    assert!(make(&world).refuses_second_writer(), "7: one writer");
}

/// Three societies with fixed keys, for tests.
pub struct World {
    logs: BTreeMap<Origin, NoteSecret>,
    witnesses: BTreeMap<Society, NoteSecret>,
    /// What the record of an entry is; of all others there is none.
    records: BTreeMap<Place, Commitment>,
}

/// A fixed sequence, for test keys alone.
struct Fixed(u64);

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }
    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }
    fn fill_bytes(&mut self, to: &mut [u8]) {
        for byte in to {
            self.0 += 1;
            *byte = Sha256::digest(self.0.to_be_bytes())[0];
        }
    }
    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(to);
        Ok(())
    }
}

impl CryptoRng for Fixed {}

impl HeadKeys for World {
    fn log_key(&self, origin: &Origin) -> Option<&NoteKey> {
        self.logs.get(origin).map(NoteSecret::public)
    }
    fn witness(&self, name: &str) -> Option<(Society, &NoteKey)> {
        let found = self.witnesses.iter().find(|(_, secret)| secret.public().name() == name);
        found.map(|(society, secret)| (*society, secret.public()))
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(clippy::unwrap_used)]
impl World {
    /// The societies ph, qa and sg.
    pub fn new() -> Self {
        let mut rng = Fixed(0);
        let (mut logs, mut witnesses) = (BTreeMap::new(), BTreeMap::new());
        for code in ["ph", "qa", "sg"] {
            let origin: Origin = format!("m.example.org/{code}/1").parse().unwrap();
            let name = format!("m.example.org/{code}/witness");
            let log = NoteSecret::generate(origin.as_str(), KeyKind::Signature, &mut rng);
            let witness = NoteSecret::generate(&name, KeyKind::Cosignature, &mut rng);
            witnesses.insert(origin.society(), witness.unwrap());
            logs.insert(origin, log.unwrap());
        }
        Self { logs, witnesses, records: BTreeMap::new() }
    }

    /// The same, whose entries commit to these records, each at its place.
    pub fn committing<'a>(bodies: impl IntoIterator<Item = &'a Body>) -> Self {
        let commit = |body: &Body| (body.place().clone(), body.place().commit(body.bytes()));
        Self { records: bodies.into_iter().map(commit).collect(), ..Self::new() }
    }

    /// The log of a society.
    pub fn origin(&self, code: &str) -> Origin {
        format!("m.example.org/{code}/1").parse().unwrap()
    }

    /// A place in the log of ph.
    pub fn place(&self, index: u64) -> Place {
        Place::new(&self.origin("ph"), index, Part::Record)
    }

    /// A body in the log of ph.
    pub fn body(&self, index: u64, bytes: &[u8]) -> Body {
        Body::new(self.place(index), bytes)
    }

    /// The entry that stands at `index`; the same for the same arguments.
    pub fn entry(&self, origin: &Origin, index: u64) -> EntryBytes {
        let digest = Sha256::digest(format!("{origin} {index}")).into();
        let record = self.records.get(&Place::new(origin, index, Part::Record)).copied();
        // Of differing lengths: an entry's bytes are nowhere a fixed size.
        let tags = vec![[7; 16]; [0, 2, 4, 8][(index % 4) as usize]];
        Header {
            origin: origin.clone(),
            index,
            recorded_at_ms: 1_764_000_000_000 + index,
            visibility: Visibility::Addressed,
            record: record.unwrap_or(Commitment { digest, size: 1024 }),
            content: Some(Commitment { digest: [9; 32], size: 1024 }),
            tags,
        }
        .encode()
    }

    /// The next `count` entries of a log that is `held`, signed.
    pub fn batch(&self, origin: &Origin, held: &Tree, count: u64) -> VerifiedBatch {
        let end = held.size() + count;
        let entries = (held.size()..end).map(|index| self.entry(origin, index)).collect();
        VerifiedBatch::author(held, origin, entries, &self.logs[origin]).unwrap()
    }

    /// The entries of a log from `held` to `end`, under its head of `size`.
    pub fn part(&self, origin: &Origin, held: &Tree, end: u64, size: u64) -> VerifiedBatch {
        let (mut tree, mut stored) = (Tree::default(), Stored(Vec::new()));
        let entries: Vec<_> = (0..size).map(|index| self.entry(origin, index)).collect();
        for entry in &entries {
            tree.push(entry.leaf_hash(), |hash| stored.0.push(hash));
        }
        let head = self.head(origin, size);
        let proof = if end < size { prove_tree(size, end, &stored).unwrap() } else { Vec::new() };
        let part = &entries[held.size() as usize..end as usize];
        VerifiedBatch::verify(held, held.size(), part, head, proof).unwrap()
    }

    /// The tree of a log of `size` entries.
    pub fn tree(&self, origin: &Origin, size: u64) -> Tree {
        let mut tree = Tree::default();
        for index in 0..size {
            tree.push(self.entry(origin, index).leaf_hash(), |_| ());
        }
        tree
    }

    /// The head of a log of `size` entries.
    pub fn head(&self, origin: &Origin, size: u64) -> SignedHead {
        let root = self.tree(origin, size).root();
        SignedHead::sign(Head { origin: origin.clone(), size, root }, &self.logs[origin]).unwrap()
    }

    /// A head with the cosignatures of these societies, each made at `time_s`.
    pub fn cosigned(&self, origin: &Origin, size: u64, by: &[&str], time_s: u64) -> SignedHead {
        let mut head = self.head(origin, size);
        for code in by {
            let society = code.parse().unwrap();
            head.cosign(society, &self.witnesses[&society], time_s).unwrap();
        }
        head
    }

    /// Evidence that a log was forked at `size`.
    pub fn evidence(&self, origin: &Origin, size: u64, other_root: u8) -> Evidence {
        let root = Hash([other_root; 32]);
        let head = Head { origin: origin.clone(), size, root };
        let other = SignedHead::sign(head, &self.logs[origin]).unwrap();
        Evidence::of_one_size(self.head(origin, size), other).unwrap()
    }
}

struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|&index| self.0[index as usize]).collect())
    }
}

/// What is in the store is exactly the first `size` entries of the log, with every proof.
fn holds(world: &World, store: &dyn Store, origin: &Origin, size: u64) {
    let tree = world.tree(origin, size);
    assert_eq!(store.tree(origin), tree);
    assert_eq!(store.root_at(origin, size).expect("root"), tree.root());
    let all: Vec<_> = (0..size).map(|index| world.entry(origin, index)).collect();
    assert_eq!(store.entries(origin, 0, u64::MAX, usize::MAX).expect("entries"), all);
    assert!(store.entries(origin, size, 9, 9999).expect("past the end").is_empty());
}

fn appends_only_where_the_log_ends(world: &World, subject: &mut dyn Subject) {
    let origin = world.origin("ph");
    let first = world.batch(&origin, &Tree::default(), 3);
    let second = world.batch(&origin, first.tree(), 2);
    let early = subject.store().append(&second, &[]);
    assert!(matches!(early, Err(StoreError::Conflict { held: 0, start: 3, .. })));
    assert!(subject.store().logs().is_empty(), "1: nothing changed");
    subject.store().append(&first, &[]).expect("1: continues");
    let body = world.body(1, b"a body");
    let again = subject.store().append(&first, std::slice::from_ref(&body));
    assert!(matches!(again, Err(StoreError::Conflict { held: 3, start: 0, .. })));
    assert_eq!(subject.store().body_state(&body.key()), BodyState::Absent, "1: nothing changed");
    holds(world, subject.store(), &origin, 3);
    subject.store().append(&second, &[]).expect("1: continues");
    holds(world, subject.store(), &origin, 5);
    assert_eq!(subject.store().head(&origin).as_ref(), Some(second.head()));
}

fn keeps_entries_byte_for_byte(world: &World, subject: &mut dyn Subject) {
    let origins = [world.origin("sg"), world.origin("ph")];
    for (step, count) in [1, 30, 2, 1, 64, 3].into_iter().enumerate() {
        let origin = &origins[step % 2];
        let batch = world.batch(origin, &subject.store().tree(origin), count);
        subject.store().append(&batch, &[]).expect("append");
    }
    holds(world, subject.store(), &origins[0], 67);
    holds(world, subject.store(), &origins[1], 34);
    assert_eq!(subject.store().logs(), [origins[1].clone(), origins[0].clone()]);
    let origin = &origins[0];
    for (start, count, max_bytes) in [(0, 1, 1), (31, 5, 400), (60, 9, 1), (66, 4, 0), (5, 0, 9)] {
        let got = subject.store().entries(origin, start, count, max_bytes).expect("bounded");
        let mut expected = Vec::new();
        let mut bytes = 0;
        for index in start..(start + count).min(67) {
            let entry = world.entry(origin, index);
            bytes += entry.as_slice().len();
            if bytes > max_bytes && !expected.is_empty() {
                break;
            }
            expected.push(entry);
        }
        assert_eq!(got, expected, "6: bounded read {start} {count} {max_bytes}");
    }
    let unknown = world.origin("qa");
    assert!(subject.store().entries(&unknown, 0, 1, 1).expect("unknown").is_empty());
    assert_eq!(subject.store().tree(&unknown), Tree::default());
    assert!(subject.store().head(&unknown).is_none());
    assert!(subject.store().inclusion(&unknown, 0, 1).is_err());
}

fn proves_every_size(world: &World, subject: &mut dyn Subject) {
    let origin = world.origin("ph");
    for count in [1, 31, 1, 33, 4] {
        let batch = world.batch(&origin, &subject.store().tree(&origin), count);
        subject.store().append(&batch, &[]).expect("append");
    }
    let store = subject.store();
    let (size, root) = (70, world.tree(&origin, 70).root());
    for old in 0..=size {
        let old_root = store.root_at(&origin, old).expect("root");
        assert_eq!(old_root, world.tree(&origin, old).root());
        let proof = store.consistency(&origin, old, size).expect("consistency");
        check_consistency(old, old_root, size, root, &proof).expect("consistency holds");
        if old > 0 {
            let (index, leaf) = (old / 2, world.entry(&origin, old / 2).leaf_hash());
            let proof = store.inclusion(&origin, index, old).expect("inclusion");
            check_inclusion(index, leaf, old, old_root, &proof).expect("inclusion holds");
        }
    }
    for size in [size + 1, u64::MAX] {
        assert!(matches!(store.root_at(&origin, size), Err(StoreError::OutOfRange(_))));
        assert!(matches!(store.consistency(&origin, 1, size), Err(StoreError::OutOfRange(_))));
        assert!(matches!(store.inclusion(&origin, 0, size), Err(StoreError::OutOfRange(_))));
        assert!(matches!(store.inclusion(&origin, size, 70), Err(StoreError::OutOfRange(_))));
    }
    assert!(matches!(store.consistency(&origin, 9, 8), Err(StoreError::OutOfRange(_))));
}

fn takes_batches_that_end_before_their_head(world: &World, subject: &mut dyn Subject) {
    let origin = world.origin("qa");
    for (end, size) in [(10, 50), (35, 50), (40, 90), (90, 90)] {
        let batch = world.part(&origin, &subject.store().tree(&origin), end, size);
        subject.store().append(&batch, &[]).expect("part");
        holds(world, subject.store(), &origin, end);
        let head = subject.store().head(&origin).expect("head");
        assert_eq!(head.size(), size, "4: the head vouches for all that is shown");
    }
    // A head of exactly what is held takes the place of one that is ahead.
    let part = world.part(&origin, &world.tree(&origin, 90), 95, 200);
    subject.store().append(&part, &[]).expect("part");
    subject.store().put_head(&world.head(&origin, 95)).expect("head");
    assert_eq!(subject.store().head(&origin).map(|head| head.size()), Some(95));
}

fn keeps_heads_and_who_cosigned_them(world: &World, subject: &mut dyn Subject) {
    let origin = world.origin("ph");
    let witnesses = |store: &dyn Store| -> Vec<(String, u64)> {
        let cosigned = store.cosigned(&world.origin("ph"));
        cosigned.iter().map(|(society, head)| (society.to_string(), head.size())).collect()
    };
    let none = subject.store().put_head(&world.cosigned(&origin, 0, &["sg"], 1));
    none.expect("a head of an unknown log is ignored");
    assert!(subject.store().logs().is_empty());
    subject.store().append(&world.batch(&origin, &Tree::default(), 5), &[]).expect("append");
    assert!(witnesses(subject.store()).is_empty());
    subject.store().put_head(&world.cosigned(&origin, 5, &["sg"], 10)).expect("head");
    subject.store().put_head(&world.cosigned(&origin, 5, &["qa"], 11)).expect("head");
    let both = world.cosigned(&origin, 5, &["sg"], 10);
    let mut both = both;
    both.merge(&world.cosigned(&origin, 5, &["qa"], 11));
    assert_eq!(subject.store().head(&origin), Some(both.clone()), "cosignatures add up");
    subject.store().put_head(&world.head(&origin, 5)).expect("none is lost");
    assert_eq!(subject.store().head(&origin), Some(both.clone()));
    let cosigned = subject.store().cosigned(&origin);
    assert!(cosigned.len() == 2 && cosigned.values().all(|head| *head == both));

    let tree = subject.store().tree(&origin);
    subject.store().append(&world.batch(&origin, &tree, 4), &[]).expect("append");
    assert_eq!(subject.store().head(&origin), Some(world.head(&origin, 9)));
    subject.store().put_head(&world.cosigned(&origin, 9, &["sg"], 20)).expect("head");
    assert_eq!(witnesses(subject.store()), [("qa".into(), 5), ("sg".into(), 9)]);
    subject.store().put_head(&world.cosigned(&origin, 7, &["qa", "sg"], 30)).expect("smaller");
    assert_eq!(witnesses(subject.store()), [("qa".into(), 7), ("sg".into(), 9)]);
    subject.store().put_head(&world.cosigned(&origin, 50, &["qa"], 40)).expect("too large");
    assert_eq!(witnesses(subject.store()), [("qa".into(), 7), ("sg".into(), 9)]);
    assert_eq!(subject.store().head(&origin), Some(world.cosigned(&origin, 9, &["sg"], 20)));
    holds(world, subject.store(), &origin, 9);
}

fn bodies_are_present_absent_or_erased(world: &World, subject: &mut dyn Subject) {
    let bodies: Vec<Body> =
        (0..5u8).map(|n| world.body(3, &vec![n + 1; 1000 * usize::from(n) + 1])).collect();
    let keys: Vec<BodyKey> = bodies.iter().map(Body::key).collect();
    let state = |subject: &mut dyn Subject, n: usize| subject.store().body_state(&keys[n]);
    let batch = world.batch(&world.origin("ph"), &Tree::default(), 1);
    subject
        .store()
        .append(&batch, &[bodies[0].clone(), bodies[1].clone(), bodies[0].clone()])
        .expect("append");
    subject.store().put_bodies(&bodies[2..3]).expect("put");
    subject.store().put_bodies(&bodies[2..4]).expect("put again");
    for n in 0..4 {
        assert_eq!(state(subject, n), BodyState::Present);
        let whole = subject.store().body(&keys[n], 0, usize::MAX).expect("body");
        assert_eq!(whole.as_deref(), Some(bodies[n].bytes()), "5: byte for byte");
    }
    let part = |subject: &mut dyn Subject, from, max| subject.store().body(&keys[3], from, max);
    assert_eq!(part(subject, 2990, 100).expect("part"), Some(vec![4; 11]), "6: bounded");
    assert_eq!(part(subject, 10, 100).expect("part"), Some(vec![4; 100]));
    for from in [3001, u64::MAX] {
        assert_eq!(part(subject, from, 100).expect("past the end"), Some(vec![]));
    }
    assert_eq!(state(subject, 4), BodyState::Absent);
    assert_eq!(subject.store().body(&keys[4], 0, 9).expect("absent"), None);

    for n in [1, 4, 1] {
        subject.store().erase_body(&keys[n]).expect("erase");
        assert_eq!(state(subject, n), BodyState::Erased);
        assert_eq!(subject.store().body(&keys[n], 0, 9).expect("erased"), None);
        let offered = subject.store().put_bodies(&bodies[n..=n]);
        assert!(matches!(offered, Err(StoreError::Erased)), "5: erased is terminal");
    }
    for (n, expected) in [(0, BodyState::Present), (2, BodyState::Present)] {
        assert_eq!(state(subject, n), expected);
    }
    // Another entry with the digest of one that is here, or was erased, has nothing.
    for body in &bodies {
        let copied = world.place(4).key(&body.commitment().digest);
        assert_eq!(subject.store().body_state(&copied), BodyState::Absent, "5: at its place");
        assert_eq!(subject.store().body(&copied, 0, 9).expect("absent"), None);
    }
}

fn refuses_a_batch_with_an_erased_body_as_a_whole(world: &World, subject: &mut dyn Subject) {
    let origin = world.origin("ph");
    let [another, erased] = [b"another".as_slice(), b"erased"].map(|bytes| world.body(0, bytes));
    subject.store().erase_body(&erased.key()).expect("erase");
    let batch = world.batch(&origin, &Tree::default(), 1);
    let refused = subject.store().append(&batch, &[another.clone(), erased]);
    assert!(matches!(refused, Err(StoreError::Erased)));
    assert!(subject.store().logs().is_empty(), "3: nothing of it");
    assert_eq!(subject.store().body_state(&another.key()), BodyState::Absent, "3: nothing of it");
}

fn drops_what_was_kept_for_others(world: &World, subject: &mut dyn Subject) {
    let bodies: Vec<Body> = (1..4u8).map(|n| world.body(n.into(), &[n; 700])).collect();
    subject.store().put_bodies(&bodies).expect("put");
    subject.store().erase_body(&bodies[2].key()).expect("erase");
    for body in &bodies[1..] {
        subject.store().drop_body(&body.key()).expect("drop");
    }
    let states = |subject: &mut dyn Subject| -> Vec<BodyState> {
        bodies.iter().map(|body| subject.store().body_state(&body.key())).collect()
    };
    let erased = BodyState::Erased;
    assert_eq!(states(subject), [BodyState::Present, BodyState::Absent, erased]);
    assert_eq!(subject.store().body(&bodies[1].key(), 0, 9).expect("absent"), None);
    subject.store().drop_body(&bodies[1].key()).expect("again");
    subject.store().put_bodies(&bodies[1..2]).expect("5: taken again");
    assert_eq!(states(subject), [BodyState::Present, BodyState::Present, erased]);
    let whole = subject.store().body(&bodies[1].key(), 0, usize::MAX).expect("body");
    assert_eq!(whole.as_deref(), Some(bodies[1].bytes()));
    subject.store().drop_body(&bodies[1].key()).expect("drop");
    subject.store().erase_body(&bodies[1].key()).expect("erase");
    assert_eq!(states(subject), [BodyState::Present, erased, erased]);
}

fn keeps_small_notes(_: &World, subject: &mut dyn Subject) {
    assert!(subject.store().notes().is_empty());
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("b", "")] {
        subject.store().put_note(key.as_bytes(), value.as_bytes()).expect("note");
    }
    let held: Vec<_> = subject.store().notes().into_iter().collect();
    assert_eq!(held, [(b"a".to_vec(), b"3".to_vec()), (b"c".to_vec(), b"4".to_vec())]);
    let longest = [7; crate::limits::NOTE_VALUE_BYTES_MAX];
    for round in 0..300u16 {
        subject.store().put_note(&round.to_be_bytes(), &longest).expect("note");
        subject.store().put_note(&round.to_be_bytes(), &[]).expect("forgotten");
    }
    assert_eq!(subject.store().notes().len(), 2);
}

fn keeps_the_first_evidence(world: &World, subject: &mut dyn Subject) {
    let origin = world.origin("sg");
    assert!(subject.store().evidence(&origin).is_none());
    let (first, second) = (world.evidence(&origin, 4, 1), world.evidence(&origin, 4, 2));
    subject.store().put_evidence(&first).expect("evidence");
    subject.store().put_evidence(&second).expect("evidence");
    assert_eq!(subject.store().evidence(&origin), Some(first.clone()));
    assert_eq!(subject.store().logs(), vec![origin.clone()]);
    subject.store().append(&world.batch(&origin, &Tree::default(), 4), &[]).expect("append");
    assert_eq!(subject.store().evidence(&origin), Some(first));
    holds(world, subject.store(), &origin, 4);
}
