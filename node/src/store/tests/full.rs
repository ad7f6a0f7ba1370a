//! A full disk is a state: nothing was changed, reading goes on, and writing does when there is
//! room. A failed sync is the end.

use std::path::PathBuf;

use tutti_core::store::contract::World;

use super::*;
use crate::disk::faults::{self, Fault};

/// The one operation for which there was no room is undone, and done well the second time.
#[test]
fn no_room_for_any_operation_changes_nothing() {
    let world = World::new();
    let mut met = 0;
    for at in 0.. {
        let dir = folder();
        let mut store = open(dir.path(), &world).unwrap().store;
        let mut expected = MemoryStore::new();
        faults::strike(Fault::Full, at);
        let mut struck = false;
        for step in history() {
            match step.run(&world, &mut store) {
                Ok(()) => {}
                Err(StoreError::Full(_)) => {
                    met += 1;
                    assert_eq!(differ(&store, &expected), None, "{step:?} changed something");
                    // Had it ended now, no more and no less would be there.
                    let killed = folder();
                    copy(dir.path(), killed.path());
                    let reopened = open_read_only(killed.path(), &world).unwrap().store;
                    assert_eq!(differ(&reopened, &expected), None, "{step:?} left something");
                    step.run(&world, &mut store).unwrap();
                }
                // In the middle of overwriting what was durable there is no way back.
                Err(StoreError::Fatal(_)) => {
                    struck |= faults::heal();
                    drop(store);
                    store = open(dir.path(), &world).unwrap().store;
                    let mut after = expected.clone();
                    step.run(&world, &mut after).unwrap();
                    if differ(&store, &after).is_some() {
                        assert_eq!(differ(&store, &expected), None);
                        step.run(&world, &mut store).unwrap();
                    }
                }
                Err(error) => panic!("{step:?}: {error}"),
            }
            step.run(&world, &mut expected).unwrap();
            assert_eq!(differ(&store, &expected), None);
        }
        struck |= faults::heal();
        drop(store);
        assert_eq!(differ(&open(dir.path(), &world).unwrap().store, &expected), None);
        if !struck {
            break;
        }
    }
    assert!(met > 10, "{met}");
}

/// No file may grow any more: what fits into space that is there is still written.
#[test]
fn a_disk_that_stays_full_is_read_and_serves_again_when_there_is_room() {
    let world = World::new();
    let dir = folder();
    let mut store = write(dir.path(), &world, &history());
    let mut expected = model(&world, &history());
    faults::strike(Fault::StaysFull, 0);
    let large = Step::Append("ph", 1, vec![body(10, 3_000_000)]);
    assert!(matches!(large.run(&world, &mut store), Err(StoreError::Full(_))));
    let mut full = 0;
    for _ in 0..2000 {
        let step = Step::Append("sg", 10, vec![]);
        match step.run(&world, &mut store) {
            Ok(()) => step.run(&world, &mut expected).unwrap(),
            Err(StoreError::Full(_)) => full += 1,
            Err(error) => panic!("{error}"),
        }
        if full > 3 {
            break;
        }
    }
    assert!(full > 3, "the commit log is full at last");
    assert_eq!(differ(&store, &expected), None);
    drop(store);
    let opened = open(dir.path(), &world).unwrap();
    assert!(opened.notices.iter().any(|notice| notice.contains("no room")));
    assert_eq!(differ(&opened.store, &expected), None);
    let mut store = opened.store;
    faults::heal();
    for step in [Step::Append("sg", 10, vec![]), large] {
        step.run(&world, &mut store).unwrap();
        step.run(&world, &mut expected).unwrap();
    }
    drop(store);
    assert_eq!(differ(&open(dir.path(), &world).unwrap().store, &expected), None);
}

/// After a failed sync nothing is believed and nothing is written; what was acknowledged is there
/// at the next start.
#[test]
fn a_failed_sync_is_the_end() {
    let world = World::new();
    let mut met = 0;
    for at in 0.. {
        let dir = folder();
        let mut store = open(dir.path(), &world).unwrap().store;
        let mut expected = MemoryStore::new();
        faults::strike(Fault::Sync, at);
        for step in history() {
            match step.run(&world, &mut store) {
                Ok(()) => step.run(&world, &mut expected).unwrap(),
                Err(StoreError::Fatal(_)) => {
                    met += 1;
                    let next = Step::Bodies(vec![body(11, 1)]).run(&world, &mut store);
                    assert!(matches!(next, Err(StoreError::Fatal(_))));
                    break;
                }
                Err(error) => panic!("{step:?}: {error}"),
            }
        }
        let struck = faults::heal();
        drop(store);
        let reopened = open(dir.path(), &world).unwrap().store;
        for origin in expected.logs() {
            assert!(reopened.tree(&origin).size() >= expected.tree(&origin).size());
        }
        if !struck {
            break;
        }
    }
    assert!(met > 10, "{met}");
}

/// On a real small disk: `TUTTI_SMALL_DISK` names a folder on a file system of a few megabytes.
#[test]
#[ignore = "needs a small file system"]
fn a_real_disk_fills_and_is_freed() {
    let world = World::new();
    let small = PathBuf::from(std::env::var("TUTTI_SMALL_DISK").unwrap());
    let dir = tempfile::tempdir_in(&small).unwrap();
    let mut store = open(dir.path(), &world).unwrap().store;
    let mut expected = MemoryStore::new();
    let mut seed = 0;
    let full = loop {
        seed += 1;
        let step = Step::Append("ph", 20, vec![body(seed, 100_000 + usize::from(seed))]);
        match step.run(&world, &mut store) {
            Ok(()) => step.run(&world, &mut expected).unwrap(),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::Full(_)), "{full}");
    assert_eq!(logs_differ(&store, &expected), None);
    drop(store);
    let opened = open(dir.path(), &world).unwrap();
    assert_eq!(logs_differ(&opened.store, &expected), None);
    assert!(seed > 5, "{seed}");
}
