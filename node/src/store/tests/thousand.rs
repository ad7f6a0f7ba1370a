//! Damaged stores in number: bits flipped, files cut, pages zeroed, files missing, anywhere at all.
//!
//! Each is opened. Either it is refused in a plain sentence that names the place, or all that was
//! acknowledged is there; a body may besides be refused when it is read. Then what an operator
//! does is done: the damaged journal is set aside and what peers hold is taken again.

use std::fs;

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use rand_core::RngCore as _;
use tutti_core::store::{Reader, contract::World};

use super::*;

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
                come_back(dir.path(), &at, &world, &expected);
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
         {bodies_lost} with a body that is refused when it is read"
    );
}

/// The manual's steps: what is damaged is set aside, and the logs are taken again from who holds
/// them. The bodies stay, where they are not what is damaged.
fn come_back(dir: &Path, damaged: &str, world: &World, expected: &MemoryStore) {
    let in_bodies = damaged.starts_with(&*dir.join("bodies").to_string_lossy());
    let aside = |name: &str| {
        let _ = fs::rename(dir.join(name), dir.join(format!("{name}.damaged")));
    };
    for name in ["journal", "format", "index"] {
        aside(name);
    }
    if in_bodies {
        aside("bodies");
    }
    let mut store = open(dir, world).unwrap_or_else(|error| panic!("{damaged}: {error}")).store;
    for origin in expected.logs() {
        let size = expected.tree(&origin).size();
        if size > 0 {
            store.append(&world.batch(&origin, &Default::default(), size), &[]).unwrap();
        }
        for head in expected.cosigned(&origin).values() {
            store.put_head(head).unwrap();
        }
        if let Some(evidence) = expected.evidence(&origin) {
            store.put_evidence(&evidence).unwrap();
        }
    }
    for origin in expected.logs() {
        assert_eq!(store.tree(&origin), expected.tree(&origin), "{damaged}");
        assert_eq!(store.cosigned(&origin), expected.cosigned(&origin), "{damaged}");
        assert_eq!(store.evidence(&origin), expected.evidence(&origin), "{damaged}");
    }
    if !in_bodies {
        assert_eq!(readable(&store, expected), 0, "{damaged}");
    }
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
