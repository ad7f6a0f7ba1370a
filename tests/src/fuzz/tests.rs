//! The short form: every input of the corpus, and a fixed number of mutations of each seed, the
//! same in every run.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use prost::Message as _;

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use rand_core::RngCore as _;

use super::{TARGETS, Target, corpus, federation};

/// Mutations a target.
const MUTATIONS: usize = 2_000;

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// What reached something new once, under libFuzzer.
fn kept(target: &Target) -> Vec<Vec<u8>> {
    corpus::unpack(&fs::read(fuzz_dir().join("corpus").join(target.name)).unwrap())
}

/// What once broke the target, under the name of what it broke.
fn found(target: &Target) -> Vec<Vec<u8>> {
    let dir = fuzz_dir().join("found").join(target.name);
    let mut paths: Vec<_> =
        fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// As fuzzers do it: bits, bytes, numbers at their worst, pieces cut out, doubled and mixed.
fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut ChaCha20Rng) {
    const WORST: [u64; 6] = [0, 1, 0x7f, 0xff, 0x7fff_ffff_ffff_ffff, u64::MAX];
    let mut below = |bound: usize| (rng.next_u64() % bound.max(1) as u64) as usize;
    for _ in 0..1 + below(4) {
        let (at, len) = (below(input.len()), 1 + below(16));
        let end = (at + len).min(input.len());
        match below(8) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..end)),
            2 => {
                let piece = input[at..end].to_vec();
                let _: Vec<u8> = input.splice(at..at, piece).collect();
            }
            3 => {
                let other = &others[below(others.len())];
                let from = below(other.len());
                let to = (from + len * 4).min(other.len());
                let _: Vec<u8> = input.splice(at..end, other[from..to].iter().copied()).collect();
            }
            4 => {
                let worst = WORST[below(WORST.len())].to_le_bytes();
                let end = (at + worst.len()).min(input.len());
                input[at..end].copy_from_slice(&worst[..end - at]);
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << below(8);
                }
            }
        }
    }
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds = (target.seeds)();
    let kept = kept(target);
    assert!(!kept.is_empty(), "{name} has a corpus");
    for input in seeds.iter().chain(&kept).chain(&found(target)) {
        (target.run)(input);
    }
    let mut rng = ChaCha20Rng::seed_from_u64(17);
    // An audit is what takes long.
    let mutations = if name == "export" { MUTATIONS / 20 } else { MUTATIONS };
    for round in 0..mutations {
        let mut input = seeds[round % seeds.len()].clone();
        mutate(&mut input, &seeds, &mut rng);
        (target.run)(&input);
    }
}

macro_rules! each {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        #[test]
        fn every_target_is_run() {
            let run = [$(stringify!($name)),*];
            let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(all, run);
        }
    };
}

each!(entry head note roster frame session record sealed export proof);

/// The seeds are sound: what they hold is accepted, so that mutations begin behind the first gate.
#[test]
fn the_session_seed_brings_the_log_over() {
    let seeds = super::link::session_seeds();
    assert!(super::link::entries_after(&seeds[0]) == super::federation::SIZE);
}

/// An input means the same in every run. What is sealed was sealed once; where the message has become
/// another one, it is sealed anew by `TUTTI_SEAL_AGAIN=1 cargo test -p tutti-tests --lib fuzz`, and then
/// a corpus is made anew by `tests/fuzz/run --keep 60`.
#[test]
fn the_fixture_is_the_same_in_every_run() {
    let origin = crate::seeds::ph().origin();
    for (index, frozen) in federation::SEALED {
        let message = federation::record(&origin, index).encode_to_vec();
        if std::env::var_os("TUTTI_SEAL_AGAIN").is_some() {
            let recipient = federation::audit().recipient();
            let path = fuzz_dir().join(format!("sealed/{index:02}.age"));
            fs::write(path, tutti_core::sealing::seal(&message, &[recipient]).unwrap()).unwrap();
            continue;
        }
        let opened = tutti_core::sealing::open(frozen, &[&federation::audit()]).unwrap();
        assert_eq!(*opened, message, "record {index} is sealed as it was");
    }
    if std::env::var_os("TUTTI_SEAL_AGAIN").is_some() {
        return;
    }
    let (one, other) = (federation::Federation::new(), federation::Federation::new());
    assert_eq!(one.export, other.export);
}

#[test]
fn a_corpus_is_packed_shortest_first_and_bounded() {
    let inputs = vec![vec![9; 3], vec![], vec![1], vec![9; 3], vec![7; corpus::BYTES_MAX]];
    let packed = corpus::pack(inputs);
    assert_eq!(corpus::unpack(&packed), [vec![], vec![1], vec![9; 3]]);
    for target in &TARGETS {
        let path = fuzz_dir().join("corpus").join(target.name);
        assert!(fs::metadata(path).unwrap().len() <= corpus::BYTES_MAX as u64, "{}", target.name);
    }
}
