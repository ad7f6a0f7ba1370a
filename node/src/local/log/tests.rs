//! Long batches on a disk that is full, and under a power cut.

#![allow(clippy::unwrap_used)]

use std::fs;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::disk::faults::{self, Fault};

const NOW_MS: u64 = 1_764_000_000_000;

/// What a page of addressed shares is recorded with: some 150 KiB.
const MANY: usize = 500;

fn keys() -> LocalKeys {
    LocalKeys::derive(&[7; 32], &"m.example.org/ph/1".parse().unwrap()).unwrap()
}

fn open(dir: &Path) -> Result<(Log, Option<String>), DiskError> {
    Log::open(&dir.join("log"), &keys()).map(|(log, _, notice)| (log, notice))
}

fn read(log: &mut Log, count: usize) -> Result<(), StoreError> {
    let record = |n: usize| v1::LocalRecord {
        event: Some(v1::local_record::Event::Read(v1::LocalRead {
            pseudonym: "p-1".into(),
            what: format!("share {n:0>150}"),
            ..v1::LocalRead::default()
        })),
    };
    let mut rng = ChaCha20Rng::seed_from_u64(log.size());
    log.append(&keys(), (0..count).map(record).collect(), NOW_MS, &mut rng).map(drop)
}

/// Half of the write is done where there is no room.
#[test]
fn a_batch_without_room_leaves_nothing_behind_what_is_recorded_after_it() {
    let mut met = 0;
    for at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, _) = open(dir.path()).unwrap();
        read(&mut log, 1).unwrap();
        faults::strike(Fault::Full, at);
        let written = read(&mut log, MANY);
        let struck = faults::heal();
        let size = match written {
            Ok(()) => 1 + MANY as u64,
            Err(StoreError::Full(_)) => {
                met += 1;
                1
            }
            Err(error) => panic!("at {at}: {error}"),
        };
        assert_eq!(log.size(), size);
        read(&mut log, 1).unwrap();
        drop(log);
        let (mut log, notice) = open(dir.path()).unwrap();
        assert_eq!((log.size(), notice), (size + 1, None), "at {at}");
        read(&mut log, MANY).unwrap();
        drop(log);
        assert_eq!(open(dir.path()).unwrap().0.size(), size + 1 + MANY as u64);
        if !struck {
            break;
        }
    }
    assert!(met >= 4, "{met}");
}

/// No file grows any more: a list is refused, one case that is read is still recorded in the room made ahead.
#[test]
fn a_disk_that_stays_full_refuses_a_long_list_and_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = open(dir.path()).unwrap();
    read(&mut log, 1).unwrap();
    faults::strike(Fault::StaysFull, 0);
    for size in 2..40 {
        assert!(matches!(read(&mut log, 2 * MANY), Err(StoreError::Full(_))));
        read(&mut log, 1).unwrap();
        assert_eq!(log.size(), size);
    }
    drop(log);
    let (mut log, notice) = open(dir.path()).unwrap();
    assert_eq!((log.size(), notice), (39, None));
    faults::heal();
    read(&mut log, 2 * MANY).unwrap();
    drop(log);
    assert_eq!(open(dir.path()).unwrap().0.size(), 39 + 2 * MANY as u64);
}

/// What cannot be taken back ends the process: nothing is written before what is left of it.
#[test]
fn what_could_not_be_taken_back_is_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, _) = open(dir.path()).unwrap();
    read(&mut log, 1).unwrap();
    let file = disk::open(&dir.path().join("log"), false).unwrap();
    // A file that is open for reading alone takes no zeros.
    let refused = take_back(&file, &[vec![1; 64]], log.end);
    let Err(StoreError::Fatal(error)) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("could not be taken back"), "{error}");
    log.file = Some(file);
    assert!(matches!(read(&mut log, 1), Err(StoreError::Fatal(_))));
    log.file = Some(disk::open(&dir.path().join("log"), true).unwrap());
    assert!(matches!(read(&mut log, 1), Err(StoreError::Fatal(_))), "nor does anything later");
}

/// Of what was written since the last sync any block may be there and any other not; what was answered is.
#[test]
fn a_power_cut_that_tears_a_long_batch_out_of_order_stops_no_start() {
    for at in 0.. {
        let (dir, synced) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut log, _) = open(dir.path()).unwrap();
        faults::keep_image(dir.path(), synced.path());
        read(&mut log, 1).unwrap();
        faults::strike(Fault::Crash, at);
        let written = read(&mut log, MANY);
        let struck = faults::heal();
        faults::drop_image();
        drop(log);
        let (path, beside) = (dir.path().join("log"), dir.path().join("acknowledged"));
        let (whole, answered) = (fs::read(&path).unwrap(), fs::read(&beside).unwrap());
        let durable = fs::read(synced.path().join("log")).unwrap();
        for choice in 0..6_u8 {
            let mut torn = whole.clone();
            for (n, block) in torn.chunks_mut(512).enumerate() {
                if Sha256::digest([&[choice][..], &n.to_be_bytes()].concat())[0] & 1 == 1 {
                    for (byte, place) in block.iter_mut().zip(n * 512..) {
                        *byte = durable.get(place).copied().unwrap_or(0);
                    }
                }
            }
            fs::write(&path, torn).unwrap();
            fs::write(&beside, &answered).unwrap();
            let (log, _) = open(dir.path()).unwrap_or_else(|error| panic!("at {at}: {error}"));
            let least = if written.is_ok() { 1 + MANY as u64 } else { 1 };
            assert!(log.size() >= least, "at {at}: {} entries", log.size());
        }
        if !struck {
            assert!(written.is_ok() && at > 10, "{at}");
            break;
        }
    }
}
