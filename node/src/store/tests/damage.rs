//! Damage: a flipped bit in any file is found or does no harm, and entries are never lost in
//! silence. The index may be anything at all.

use std::fs;

use tutti_core::store::{StoreError, contract::World};

use super::*;

/// Bytes between two flips in a long file: no divisor of anything in there.
const STRIDE: usize = 61;

/// Flips a bit in every byte of every file that says anything, and opens.
fn flip_everything(settled: bool) {
    let world = World::new();
    let expected = model(&world, &history());
    let dir = folder();
    let store = write(dir.path(), &world, &history());
    let copied = folder();
    if settled {
        drop(store);
        copy(dir.path(), copied.path());
    } else {
        copy(dir.path(), copied.path());
        drop(store);
    }
    let mut found = 0;
    for file in files(copied.path()) {
        if file == Path::new("lock") {
            continue;
        }
        let path = copied.path().join(&file);
        let whole = fs::read(&path).unwrap();
        // Of the zeros that were written ahead a few count.
        let said = whole.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 70);
        for at in 0..whole.len().min(said) {
            // Every byte of a head, a header and a small file; of what goes on, a part.
            if at >= 400 && at % STRIDE != 0 {
                continue;
            }
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, &flipped).unwrap();
            match open_read_only(copied.path(), &world) {
                Err(DiskError::Damaged { place, problem }) => {
                    assert!(!place.is_empty() && !problem.is_empty());
                    found += 1;
                }
                Err(DiskError::NewerFormat { .. }) if file == Path::new("format") => {}
                Err(error) => panic!("{} at {at}: {error}", file.display()),
                Ok(opened) => {
                    let lost = logs_differ(&opened.store, &expected);
                    let told = !opened.notices.is_empty();
                    assert!(lost.is_none(), "{} at {at}: {lost:?}", file.display());
                    found += u32::from(told) + unreadable_bodies(&opened.store, &expected);
                }
            }
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(found > 1000, "{found}");
    assert_eq!(differ(&open_read_only(copied.path(), &world).unwrap().store, &expected), None);
}

/// How many bodies are found to be damaged when they are read. None is wrong, none has vanished.
fn unreadable_bodies(store: &DiskStore, expected: &MemoryStore) -> u32 {
    let mut unreadable = 0;
    for body in bodies() {
        let key = body.key();
        assert_eq!(store.body_state(&key), expected.body_state(&key));
        match store.body(&key, 0, usize::MAX) {
            Err(StoreError::Damaged { .. }) => unreadable += 1,
            got => assert_eq!(got.unwrap(), expected.body(&key, 0, usize::MAX).unwrap()),
        }
    }
    unreadable
}

#[test]
fn a_flipped_bit_is_found_or_does_no_harm_after_a_clean_end() {
    flip_everything(true);
}

#[test]
fn a_flipped_bit_is_found_or_does_no_harm_after_a_crash() {
    flip_everything(false);
}

/// A node that was started and has written nothing since: what the commit log holds was settled long ago,
/// and is read again by the next start.
#[test]
fn a_last_commit_that_is_damaged_after_a_start_is_no_torn_tail() {
    let world = World::new();
    let expected = model(&world, &history());
    for starts in 0..3 {
        let dir = folder();
        drop(write(dir.path(), &world, &history()));
        for _ in 0..starts {
            drop(open(dir.path(), &world).unwrap());
        }
        let mut found = 0;
        for name in ["journal/commits-a", "journal/commits-b"] {
            let path = dir.path().join(name);
            let whole = fs::read(&path).unwrap();
            let said = whole.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            for at in (0..said).rev().step_by(STRIDE).take(40) {
                let mut flipped = whole.clone();
                flipped[at] ^= 1;
                for harmed in [flipped.as_slice(), &whole[..at]] {
                    fs::write(&path, harmed).unwrap();
                    match open_read_only(dir.path(), &world) {
                        Err(DiskError::Damaged { .. }) => found += 1,
                        Err(error) => panic!("{name} at {at}: {error}"),
                        Ok(opened) => {
                            let lost = logs_differ(&opened.store, &expected);
                            let said = &opened.notices;
                            assert!(lost.is_none(), "{starts}, {name} at {at}: {lost:?} {said:?}");
                        }
                    }
                }
            }
            fs::write(&path, &whole).unwrap();
        }
        assert!(found >= 10, "{starts} starts: {found}");
    }
}

/// A body that is damaged on the disk is whole again once the same bytes are put again.
#[test]
fn a_damaged_body_is_repaired_by_what_is_offered() {
    let world = World::new();
    let dir = folder();
    drop(write(dir.path(), &world, &history()));
    let path = dir.path().join("bodies/00000001");
    let mut bytes = fs::read(&path).unwrap();
    bytes[64 + 500] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut store = open(dir.path(), &world).unwrap().store;
    let body = body(1, 1024);
    assert!(matches!(store.body(&body.key(), 0, 9), Err(StoreError::Damaged { .. })));
    store.put_bodies(&[body]).unwrap();
    assert_eq!(differ(&store, &model(&world, &history())), None);
}

/// Files that are missing, cut or of another node are named.
#[test]
fn missing_and_foreign_files_are_named() {
    let world = World::new();
    let dir = folder();
    drop(write(dir.path(), &world, &history()));
    // What the commits have no more lies in the folders alone.
    drop(write(dir.path(), &world, &[Step::Append("sg", 1, vec![])]));
    let whole = folder();
    copy(dir.path(), whole.path());
    let ph = "journal/m.example.org_ph_1";
    type Harm<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Harm, &str); 7] = [
        ("entries gone", &|dir| fs::remove_file(dir.join(ph).join("entries")).unwrap(), "entries"),
        (
            "entries cut",
            &|dir| {
                let path = dir.join(ph).join("entries");
                let bytes = fs::read(&path).unwrap();
                fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
            },
            "entries",
        ),
        (
            "two entries swapped",
            &|dir| {
                let path = dir.join(ph).join("entries");
                let mut bytes = fs::read(&path).unwrap();
                let len = usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) + 2;
                bytes.rotate_left(len);
                fs::write(path, bytes).unwrap();
            },
            "entry 0 is not what was written",
        ),
        (
            "checkpoint gone",
            &|dir| fs::remove_file(dir.join(ph).join("checkpoint")).unwrap(),
            "checkpoint",
        ),
        ("commits gone", &|dir| fs::remove_file(dir.join("journal/commits-b")).unwrap(), "commits"),
        ("bodies gone", &|dir| fs::remove_file(dir.join("bodies/00000001")).unwrap(), "00000001"),
        ("format gone", &|dir| fs::remove_file(dir.join("format")).unwrap(), "format"),
    ];
    for (name, harm, said) in cases {
        let harmed = folder();
        copy(whole.path(), harmed.path());
        harm(harmed.path());
        let before: Vec<_> =
            files(harmed.path()).iter().map(|f| fs::read(harmed.path().join(f)).unwrap()).collect();
        match open(harmed.path(), &world) {
            Err(error @ DiskError::Damaged { .. }) => {
                assert!(error.to_string().contains(said), "{name}: {error}");
            }
            Err(error) => panic!("{name}: {error}"),
            Ok(opened) => panic!("{name}: opened, {:?}", opened.notices),
        }
        for (file, before) in
            files(harmed.path()).iter().filter(|file| !file.starts_with("index")).zip(before)
        {
            let now = fs::read(harmed.path().join(file)).unwrap();
            assert!(now == before, "{name}: {} was changed", file.display());
        }
    }
}

/// Whatever is done to the index, every answer is the same.
#[test]
fn the_index_may_be_anything() {
    let world = World::new();
    let expected = model(&world, &history());
    let dir = folder();
    drop(write(dir.path(), &world, &history()));
    let index = dir.path().join("index");
    let other = {
        let dir = folder();
        drop(write(dir.path(), &world, &[Step::Append("ph", 300, vec![body(8, 900)])]));
        dir
    };
    let each = |harm: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        for file in files(&index) {
            let path = index.join(file);
            fs::write(&path, harm(fs::read(&path).unwrap())).unwrap();
        }
    };
    let mut rebuilt = 0;
    for round in 0..24usize {
        match round {
            0 => fs::remove_dir_all(&index).unwrap(),
            1 => {
                fs::remove_dir_all(&index).unwrap();
                fs::write(&index, b"a file where a folder belongs").unwrap();
            }
            2 => each(&|_| Vec::new()),
            3 => each(&|bytes| bytes[..bytes.len() / 2].to_vec()),
            4 => each(&|bytes| body(4, bytes.len().min(100_000)).bytes().to_vec()),
            5 => {
                // Another node's index: ahead in one log, without the others.
                fs::remove_dir_all(&index).unwrap();
                for file in files(&other.path().join("index")) {
                    fs::create_dir_all(index.join(&file).parent().unwrap()).unwrap();
                    fs::copy(other.path().join("index").join(&file), index.join(&file)).unwrap();
                }
            }
            n => each(&|mut bytes| {
                let len = bytes.len().max(1);
                for step in 0..n {
                    let at = (step * 7919 + n * 104_729) % len;
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << (n % 8);
                    }
                }
                bytes
            }),
        }
        let opened = open(dir.path(), &world).unwrap();
        rebuilt += u32::from(!opened.notices.is_empty());
        assert_eq!(differ(&opened.store, &expected), None, "round {round}");
        drop(opened);
        let again = open(dir.path(), &world).unwrap();
        assert!(again.notices.is_empty(), "round {round}: {:?}", again.notices);
        let set_aside = fs::read_dir(dir.path()).unwrap().flatten();
        let bad = set_aside.filter(|e| e.file_name().to_string_lossy().contains(".bad-"));
        assert!(bad.count() <= 1, "only the last one is kept");
    }
    assert!(rebuilt >= 6, "{rebuilt}");
}
