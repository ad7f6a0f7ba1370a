//! Damaged stores in number: bits flipped, files cut, pages zeroed, files missing, anywhere at all.
//!
//! Each is opened. Either it is refused in a plain sentence that names the place, or all that was
//! acknowledged is there; a body may besides be refused when it is read. Then what an operator
//! does is done: the store is repaired, and what peers hold is taken again.
//!
//! The same for all of a node's directory, keys and rosters and the local log included, with a real
//! peer: `engine::tests::damaged`.

use std::fs;

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use rand_core::RngCore as _;
use tutti_core::store::{Reader, contract::World};

use super::{super::repair, *};
use crate::disk::faults;

fn below(rng: &mut ChaCha20Rng, bound: usize) -> usize {
    (rng.next_u64() % bound.max(1) as u64) as usize
}

/// Damages one file of those in `dir`, or its folder, and says how.
fn damage(dir: &Path, path: &Path, rng: &mut ChaCha20Rng) -> &'static str {
    let mut bytes = fs::read(path).unwrap();
    let len = bytes.len();
    let what = match below(rng, 6) {
        5 if path.parent() != Some(dir) => {
            fs::remove_dir_all(path.parent().unwrap()).unwrap();
            return "missing, with its whole folder";
        }
        0 => {
            fs::remove_file(path).unwrap();
            return "missing";
        }
        1 => {
            bytes.truncate(below(rng, len));
            "cut"
        }
        2 => {
            let page = below(rng, len) / 4096 * 4096;
            bytes[page..(page + 4096).min(len)].fill(0);
            "a page zeroed"
        }
        3 => {
            for _ in 0..1 + below(rng, 8) {
                if let Some(byte) = bytes.get_mut(below(rng, len)) {
                    *byte ^= 1 << below(rng, 8);
                }
            }
            "bits flipped"
        }
        _ => {
            // Where something stands: most of the preallocated files are zeros.
            let used: Vec<usize> = (0..len).filter(|at| bytes[*at] != 0).collect();
            if let Some(at) = used.get(below(rng, used.len())) {
                bytes[*at] ^= 1 << below(rng, 8);
            }
            "a bit flipped that says something"
        }
    };
    fs::write(path, bytes).unwrap();
    what
}

/// Bodies that can be read are those that were written; says how many cannot.
fn readable(store: &dyn Reader, expected: &dyn Reader) -> usize {
    let mut unreadable = 0;
    for body in bodies() {
        let key = body.key();
        assert_eq!(store.body_state(&key), expected.body_state(&key));
        match store.body(&key, 0, usize::MAX) {
            Ok(held) => assert_eq!(held, expected.body(&key, 0, usize::MAX).unwrap()),
            Err(error) => {
                assert!(error.to_string().contains("is not what was written"), "{error}");
                unreadable += 1;
            }
        }
    }
    unreadable
}

fn damaged_stores(count: usize, seed: u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let world = World::new();
    let expected = model(&world, &history());
    let (live, settled, killed) = (folder(), folder(), folder());
    let store = write(live.path(), &world, &history());
    copy(live.path(), killed.path());
    drop(store);
    for file in files(live.path()) {
        fs::create_dir_all(settled.path().join(&file).parent().unwrap()).unwrap();
        fs::copy(live.path().join(&file), settled.path().join(&file)).unwrap();
    }
    let (mut refused, mut whole, mut bodies_lost, mut told) = (0, 0, 0, 0);
    let mut kept = Kept::default();
    for round in 0..count {
        let from = if round % 2 == 0 { &settled } else { &killed };
        let dir = folder();
        for file in files(from.path()) {
            fs::create_dir_all(dir.path().join(&file).parent().unwrap()).unwrap();
            fs::copy(from.path().join(&file), dir.path().join(&file)).unwrap();
        }
        let all: Vec<_> =
            files(dir.path()).into_iter().filter(|f| f != Path::new("lock")).collect();
        let file = &all[below(&mut rng, all.len())];
        let what = damage(dir.path(), &dir.path().join(file), &mut rng);
        let place = format!("round {round} of seed {seed}: {} {what}", file.display());
        match open(dir.path(), &world) {
            Ok(opened) => {
                told += usize::from(!opened.notices.is_empty());
                let unlike = logs_differ(&opened.store, &expected);
                assert_eq!(unlike, None, "{place}: {:?}", opened.notices);
                let lost = readable(&opened.store, &expected);
                bodies_lost += usize::from(lost > 0);
                whole += usize::from(lost == 0);
            }
            Err(DiskError::Damaged { place: at, problem }) => {
                refused += 1;
                assert!(!at.is_empty() && !problem.is_empty(), "{place}: {at}: {problem}");
                kept += come_back(dir.path(), &at, &world, &expected);
            }
            Err(error) => {
                // Format and high-water mark of garbage are damage; nothing else may be said.
                assert!(matches!(error, DiskError::NewerFormat { .. }), "{place}: {error}");
                refused += 1;
            }
        }
    }
    eprintln!(
        "{count} damaged stores: {refused} refused by name, {whole} whole ({told} with a notice), \
         {bodies_lost} with a body that is refused when it is read. Of {} entries a repair kept {}, \
         of {} bodies {}",
        kept.entries.1, kept.entries.0, kept.bodies.1, kept.bodies.0,
    );
}

/// How much a repair kept, and of how much.
#[derive(Default)]
struct Kept {
    entries: (u64, u64),
    bodies: (usize, usize),
}

impl std::ops::AddAssign for Kept {
    fn add_assign(&mut self, more: Self) {
        self.entries = (self.entries.0 + more.entries.0, self.entries.1 + more.entries.1);
        self.bodies = (self.bodies.0 + more.bodies.0, self.bodies.1 + more.bodies.1);
    }
}

/// The manual's steps: a repair, and then the rest is taken again from who holds it.
fn come_back(dir: &Path, damaged: &str, world: &World, expected: &MemoryStore) -> Kept {
    let before = contents(dir);
    let own = world.origin("ph");
    let done = repair(dir, &own, world).unwrap_or_else(|error| panic!("{damaged}: {error}"));
    assert!(done.problem.is_some_and(|problem| problem.contains(damaged)), "{damaged}");
    // What was there is there still, in its place or set aside.
    let aside = done.set_aside.unwrap();
    for (file, bytes) in before.iter().filter(|(file, _)| !file.starts_with("index")) {
        let now = [aside.join(file), dir.join(file)].map(|path| fs::read(path).ok());
        assert!(now.contains(&Some(bytes.clone())), "{damaged}: {} is gone", file.display());
    }
    let opened = open(dir, world).unwrap_or_else(|error| panic!("{damaged}: {error}"));
    assert!(opened.notices.iter().any(|notice| notice.contains("delete it")));
    let mut store = opened.store;
    let mut kept = Kept::default();
    for origin in expected.logs() {
        let (held, size) = (store.tree(&origin), expected.tree(&origin).size());
        assert_eq!(done.logs.get(&origin).copied().unwrap_or(0), held.size(), "{damaged}");
        kept.entries = (kept.entries.0 + held.size(), kept.entries.1 + size);
        if size > held.size() {
            store.append(&world.batch(&origin, &held, size - held.size()), &[]).unwrap();
        }
        for head in expected.cosigned(&origin).values() {
            store.put_head(head).unwrap();
        }
        if let Some(evidence) = expected.evidence(&origin) {
            store.put_evidence(&evidence).unwrap();
        }
    }
    for body in bodies() {
        let key = body.key();
        match expected.body_state(&key) {
            BodyState::Present => {
                kept.bodies.1 += 1;
                kept.bodies.0 += usize::from(matches!(store.body(&key, 0, 1), Ok(Some(_))));
                store.put_bodies(std::slice::from_ref(body)).unwrap();
            }
            // Whoever was told of it says so again.
            BodyState::Erased => store.erase_body(&key).unwrap(),
            BodyState::Absent => assert_eq!(store.body_state(&key), BodyState::Absent, "{damaged}"),
        }
    }
    assert_eq!(differ(&store, expected), None, "{damaged}");
    drop(store);
    assert!(open_read_only(dir, world).is_ok());
    assert_eq!(repair(dir, &own, world).unwrap().problem, None, "there is nothing left to do");
    kept
}

fn contents(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    files(dir).into_iter().map(|file| (file.clone(), fs::read(dir.join(file)).unwrap())).collect()
}

/// Whatever a kill leaves of a repair, the next one brings to its end, and nothing more is lost than by
/// one that was not killed.
#[test]
fn a_repair_that_is_killed_anywhere_is_done_again() {
    let world = World::new();
    let dir = folder();
    drop(write(dir.path(), &world, &history()));
    let harm = |file: &str, at: usize| {
        let path = dir.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 8;
        fs::write(path, bytes).unwrap();
    };
    harm("journal/m.example.org_qa_1/entries", 700);
    harm("bodies/00000001", 20);
    let own = world.origin("ph");
    let (mut sizes, mut midway) = (None, 0);
    // Making files of zeros takes most of the operations: every fifth finds each kind.
    for (struck, at) in (0..).step_by(5).enumerate() {
        let harmed = folder();
        copy(dir.path(), harmed.path());
        faults::strike(faults::Fault::Crash, at);
        let first = repair(harmed.path(), &own, &world);
        if !faults::heal() {
            assert!(first.is_ok() && struck > 30, "{struck}");
            break;
        }
        // A machine that comes up again starts the node by itself.
        if harmed.path().join("repaired/whole").exists() {
            midway += 1;
            let start = open(harmed.path(), &world).err().unwrap().to_string();
            assert!(start.contains("tutti repair"), "after a kill at {at}: {start}");
        }
        let again = repair(harmed.path(), &own, &world)
            .unwrap_or_else(|error| panic!("after a kill at {at}: {error}"));
        assert!(!harmed.path().join("repaired").exists(), "after a kill at {at}");
        let store = open_read_only(harmed.path(), &world).unwrap().store;
        let here: Vec<_> = bodies().iter().map(|body| store.body_state(&body.key())).collect();
        let found = (again.logs, here);
        assert_eq!(sizes.get_or_insert_with(|| found.clone()), &found, "after a kill at {at}");
    }
    let (logs, bodies) = sizes.unwrap();
    // The folder of qa is not what was written; the commits, settled long ago, still hold it all.
    assert_eq!((logs[&world.origin("qa")], logs[&own]), (40, 75));
    let present = bodies.iter().filter(|state| **state == BodyState::Present).count();
    assert_eq!(present, 5, "all but the one whose header is gone, and the erased");
    assert!(midway > 0, "some were struck while things were put in their places");
}

/// Whoever has forked a log stays accused where the log itself cannot be kept.
#[test]
fn evidence_outlives_the_log_that_it_is_of() {
    let (world, dir) = (World::new(), folder());
    let (own, forked) = (world.origin("ph"), world.origin("sg"));
    let mut store = open(dir.path(), &world).unwrap().store;
    store.append(&world.batch(&own, &store.tree(&own), 3), &[]).unwrap();
    store.append(&world.batch(&forked, &store.tree(&forked), 40), &[]).unwrap();
    store.put_evidence(&world.evidence(&forked, 40, 1)).unwrap();
    drop(store);
    let journal = dir.path().join("journal");
    let entries = journal.join("m.example.org_sg_1/entries");
    let bytes = fs::read(&entries).unwrap();
    fs::write(&entries, &bytes[..900]).unwrap();
    // A node that has run on has overwritten what was settled.
    for file in ["commits-a", "commits-b"] {
        let mut bytes = fs::read(journal.join(file)).unwrap();
        bytes[512..].fill(0);
        fs::write(journal.join(file), bytes).unwrap();
    }
    fs::remove_file(journal.join("acknowledged")).unwrap();
    let done = repair(dir.path(), &own, &world).unwrap();
    assert!(done.left.contains_key(&forked), "{done:?}");
    let store = open(dir.path(), &world).unwrap().store;
    assert_eq!((store.tree(&own).size(), store.tree(&forked).size()), (3, 0));
    assert_eq!(store.evidence(&forked), Some(world.evidence(&forked, 40, 1)));
}

/// What a repair has left that never changed anything goes at the next start: it holds copies of bodies.
#[test]
fn a_start_removes_the_rest_of_a_repair() {
    let (world, dir) = (World::new(), folder());
    drop(write(dir.path(), &world, &history()));
    let rest = dir.path().join("repaired/bodies");
    fs::create_dir_all(&rest).unwrap();
    fs::write(rest.join("00000001"), b"a copy").unwrap();
    let opened = open(dir.path(), &world).unwrap();
    assert!(opened.notices.iter().any(|notice| notice.contains("the rest of a repair")));
    assert!(!dir.path().join("repaired").exists());
}

#[test]
fn forty_damaged_stores_lose_nothing_in_silence() {
    damaged_stores(40, 1);
}

/// The long form: `cargo test --release -p tutti-node -- --ignored --nocapture a_thousand_damaged`.
#[test]
#[ignore = "takes minutes; docs/testing.md says how to run it"]
fn a_thousand_damaged_stores_lose_nothing_in_silence() {
    damaged_stores(1000, 2);
}
