//! Crashes and power cuts: whatever was acknowledged is there, whatever was not is there as a
//! whole or not at all, and no log is forked.

use std::fs;

use tutti_core::store::{MemoryStore, Reader as _, contract::World};

use super::*;
use crate::disk::faults::{self, Fault};

/// Whether `store` is `before`, or `after`, but for bodies that came alone.
fn is_either(store: &DiskStore, before: &MemoryStore, after: &MemoryStore, step: &Step) {
    let part = step.bodies();
    let unlike = |model: &MemoryStore| {
        logs_differ(store, model).or_else(|| bodies_differ(store, model, part))
    };
    if let (Some(before), Some(after)) = (unlike(before), unlike(after)) {
        panic!("after {step:?}: not as before ({before}), not as after ({after})");
    }
}

/// The process is killed in the middle of every single operation on the disk, one after another,
/// from making the node on; half of a write is done.
#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged() {
    let world = World::new();
    for at in 0.. {
        let dir = folder();
        faults::strike(Fault::Crash, at);
        let mut before = MemoryStore::new();
        let mut crashed_in = None;
        if let Ok(opened) = open(dir.path(), &world) {
            let mut store = opened.store;
            for step in history() {
                if step.run(&world, &mut store).is_err() {
                    crashed_in = Some(step);
                    break;
                }
                step.run(&world, &mut before).unwrap();
            }
        }
        let struck = faults::heal();
        let mut after = before.clone();
        if let Some(step) = &crashed_in {
            step.run(&world, &mut after).unwrap();
        }
        let step = crashed_in.unwrap_or(Step::Bodies(vec![]));
        let read_only = open_read_only(dir.path(), &world);
        if let Ok(opened) = read_only {
            is_either(&opened.store, &before, &after, &step);
        } else {
            assert!(before.logs().is_empty(), "read-only after operation {at}");
        }
        let opened = open(dir.path(), &world).unwrap();
        is_either(&opened.store, &before, &after, &step);
        let mut store = opened.store;
        // And it goes on from there: the next entry continues the log, nothing is forked.
        Step::Append("ph", 1, vec![]).run(&world, &mut store).unwrap();
        drop(store);
        assert!(open(dir.path(), &world).is_ok());
        if !struck {
            assert!(at > 100, "only {at} operations were struck");
            break;
        }
    }
}

/// A power cut leaves of each file what was last synced, or more of what was written since, each
/// file for itself.
#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    let world = World::new();
    let (live, synced) = (folder(), folder());
    faults::keep_image(live.path(), synced.path());
    let mut store = open(live.path(), &world).unwrap().store;
    let mut before = MemoryStore::new();
    for (number, step) in history().into_iter().enumerate() {
        step.run(&world, &mut store).unwrap();
        step.run(&world, &mut before).unwrap();
        if number % 4 == 3 {
            // What is settled in between counts too.
            drop(store);
            store = open(live.path(), &world).unwrap().store;
        }
        let files = files(live.path());
        for choice in 0..24u32 {
            let cut = folder();
            copy(synced.path(), cut.path());
            for (n, file) in files.iter().enumerate() {
                // None, all, and then mixtures.
                let keep = match choice {
                    0 => false,
                    1 => true,
                    _ => Sha256::digest([choice as u8, n as u8])[0] & 1 == 1,
                };
                if keep && !file.starts_with("index") {
                    fs::create_dir_all(cut.path().join(file).parent().unwrap()).unwrap();
                    fs::copy(live.path().join(file), cut.path().join(file)).unwrap();
                }
            }
            let opened = open(cut.path(), &world).unwrap_or_else(|error| {
                panic!("step {number}, choice {choice}: {error}");
            });
            if let Some(what) = differ(&opened.store, &before) {
                panic!("step {number}, choice {choice}: {what}");
            }
        }
    }
    faults::drop_image();
}

/// The last write is cut at every byte: as if the file ended there, and as if only so much of it
/// had come to the disk.
#[test]
fn a_write_that_is_cut_at_any_byte_is_dropped_or_whole() {
    let world = World::new();
    let steps = [
        Step::Append("ph", 2, vec![body(1, 1024)]),
        Step::Append("ph", 1, vec![body(2, 300)]),
        Step::Bodies(vec![body(3, 500)]),
        Step::Head("ph", 3, "sg", 10),
    ];
    for last in 1..steps.len() {
        let (old, new) = (folder(), folder());
        let dir = folder();
        let mut store = write(dir.path(), &world, &steps[..last]);
        copy(dir.path(), old.path());
        steps[last].run(&world, &mut store).unwrap();
        copy(dir.path(), new.path());
        let (before, after) = (model(&world, &steps[..last]), model(&world, &steps[..=last]));
        for file in files(new.path()) {
            let read = |dir: &TempDir| fs::read(dir.path().join(&file)).unwrap_or_default();
            let (held, written) = (read(&old), read(&new));
            let changed = |n: &usize| held.get(*n) != written.get(*n);
            let Some(first) = (0..written.len()).find(changed) else { continue };
            let end = (0..written.len()).rfind(changed).unwrap() + 1;
            for cut in (first..end).chain([end - 1]) {
                let torn = folder();
                copy(old.path(), torn.path());
                let partly = [&written[..cut], held.get(cut..).unwrap_or_default()].concat();
                for bytes in [&partly, &written[..cut].to_vec()] {
                    fs::write(torn.path().join(&file), bytes).unwrap();
                    let opened = open_read_only(torn.path(), &world).unwrap_or_else(|error| {
                        panic!("{} cut at {cut}: {error}", file.display());
                    });
                    is_either(&opened.store, &before, &after, &steps[last]);
                }
                if cut % 61 == 0 || cut + 1 == end {
                    let opened = open(torn.path(), &world).unwrap();
                    is_either(&opened.store, &before, &after, &steps[last]);
                    drop(opened);
                    let notices = open(torn.path(), &world).unwrap().notices;
                    // The mark is told of until it is written anew.
                    let told = notices.iter().filter(|notice| !notice.contains("highwater"));
                    assert_eq!(told.count(), 0, "{} cut at {cut}: {notices:?}", file.display());
                }
            }
        }
    }
}

/// Entries that lie behind what is vouched for are set aside, and it is said.
#[test]
fn a_torn_tail_of_the_entries_is_cut_back_to_the_signed_head() {
    let world = World::new();
    let dir = folder();
    let steps = [Step::Append("sg", 5, vec![])];
    drop(write(dir.path(), &world, &steps));
    // A generation that says nothing of this log.
    drop(write(dir.path(), &world, &[Step::Append("ph", 1, vec![])]));
    let path = dir.path().join("journal/m.example.org_sg_1/entries");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [whole.as_slice(), &whole[..300]].concat()).unwrap();
    let opened = open(dir.path(), &world).unwrap();
    assert!(opened.notices.iter().any(|notice| notice.contains("holds 300 bytes after entry 5")));
    assert_eq!(opened.store.tree(&world.origin("sg")).size(), 5);
    assert_eq!(fs::read(&path).unwrap(), whole);
    assert_eq!(fs::read(path.with_extension("cut")).unwrap(), whole[..300]);
    drop(opened);
    assert!(open(dir.path(), &world).unwrap().notices.is_empty());
}

/// More commits than the commit log has room for, and one that is larger than all of it.
#[test]
fn the_commit_log_goes_round_and_round() {
    let world = World::new();
    let dir = folder();
    let mut store = open(dir.path(), &world).unwrap().store;
    let mut expected = MemoryStore::new();
    let mut origin = world.origin("ph");
    let mut grow = |count, store: &mut DiskStore, code| {
        origin = world.origin(code);
        let batch = world.batch(&origin, &store.tree(&origin), count);
        store.append(&batch, &[]).unwrap();
        expected.append(&batch, &[]).unwrap();
        assert_eq!(store.tree(&origin).root(), expected.tree(&origin).root());
    };
    for round in 0..40 {
        grow(150, &mut store, ["ph", "sg", "qa"][round % 3]);
    }
    grow(5000, &mut store, "sg");
    grow(1, &mut store, "sg");
    assert_eq!(differ(&store, &expected), None);
    // Killed: nothing is settled at the end.
    let killed = folder();
    copy(dir.path(), killed.path());
    assert_eq!(differ(&open_read_only(killed.path(), &world).unwrap().store, &expected), None);
    assert_eq!(differ(&open(killed.path(), &world).unwrap().store, &expected), None);
}
