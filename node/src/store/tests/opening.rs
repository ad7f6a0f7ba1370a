//! Opening: one writer, the format, the high-water mark, and reading without writing.

use std::fs;

use tutti_core::store::contract::World;

use super::*;

#[test]
fn a_second_writer_is_refused_with_a_plain_sentence() {
    let world = World::new();
    let dir = folder();
    let first = open(dir.path(), &world).unwrap();
    let Err(error) = open(dir.path(), &world) else { panic!("two writers") };
    assert!(matches!(error, DiskError::Locked));
    assert!(error.to_string().starts_with("another node is running on this data"));
    assert!(matches!(open_read_only(dir.path(), &world), Err(DiskError::Locked)));
    drop(first);
    let reading = (open_read_only(dir.path(), &world), open_read_only(dir.path(), &world));
    assert!(reading.0.is_ok() && reading.1.is_ok(), "readers share");
    assert!(matches!(open(dir.path(), &world), Err(DiskError::Locked)));
    drop(reading);
    assert!(open(dir.path(), &world).is_ok());
}

#[test]
fn a_newer_format_is_left_alone() {
    let world = World::new();
    let dir = folder();
    drop(write(dir.path(), &world, &history()));
    fs::write(dir.path().join("format"), "2\n").unwrap();
    for opened in [open(dir.path(), &world), open_read_only(dir.path(), &world)] {
        assert!(matches!(opened, Err(DiskError::NewerFormat { found: 2, known: 1 })));
    }
}

#[test]
fn the_high_water_mark_follows_the_own_log_alone() {
    let world = World::new();
    let dir = folder();
    let opened = open(dir.path(), &world).unwrap();
    assert_eq!(opened.highwater, Some(0));
    let mut store = opened.store;
    Step::Append("sg", 9, vec![]).run(&world, &mut store).unwrap();
    Step::Append("ph", 3, vec![]).run(&world, &mut store).unwrap();
    Step::Append("ph", 1, vec![]).run(&world, &mut store).unwrap();
    let path = dir.path().join("highwater");
    assert!(fs::read_to_string(&path).unwrap().starts_with("00000000000000000004 "));
    drop(store);
    assert_eq!(open(dir.path(), &world).unwrap().highwater, Some(4));

    // It is never lowered by an old copy of the rest.
    fs::write(&path, "00000000000000000100 f572455b\n").unwrap();
    let opened = open(dir.path(), &world).unwrap();
    assert_eq!(opened.highwater, Some(100));
    let mut store = opened.store;
    Step::Append("ph", 1, vec![]).run(&world, &mut store).unwrap();
    drop(store);
    assert_eq!(open(dir.path(), &world).unwrap().highwater, Some(100));

    fs::remove_file(&path).unwrap();
    let mut opened = open(dir.path(), &world).unwrap();
    assert_eq!(opened.highwater, None, "a restore: ask the others");
    // What comes back from others is not made a mark of: there may be more.
    Step::Part("ph", 7, 9).run(&world, &mut opened.store).unwrap();
    drop(opened);
    let mut opened = open(dir.path(), &world).unwrap();
    assert_eq!(opened.highwater, None);
    Step::Append("ph", 1, vec![]).run(&world, &mut opened.store).unwrap();
    drop(opened);
    assert_eq!(open(dir.path(), &world).unwrap().highwater, Some(8));
    for damaged in ["many", "", "00000000000000000900 f572455b\n", &"9".repeat(100)] {
        fs::write(&path, damaged).unwrap();
        let opened = open(dir.path(), &world).unwrap();
        assert_eq!(opened.highwater, None, "{damaged:?}: ask the others");
        assert!(opened.notices.iter().any(|notice| notice.contains("counts as missing")));
    }
}

/// Whether the node ended well or was killed, reading alone changes not one byte.
#[test]
fn reading_alone_writes_nothing() {
    let world = World::new();
    let expected = model(&world, &history());
    let dir = folder();
    let store = write(dir.path(), &world, &history());
    let killed = folder();
    copy(dir.path(), killed.path());
    drop(store);
    for dir in [dir.path(), killed.path()] {
        let contents = || -> Vec<_> {
            files(dir)
                .iter()
                .map(|file| (file.clone(), fs::read(dir.join(file)).unwrap()))
                .collect()
        };
        let before = contents();
        let mut store = open_read_only(dir, &world).unwrap().store;
        assert_eq!(differ(&store, &expected), None);
        assert!(Step::Append("ph", 1, vec![]).run(&world, &mut store).is_err());
        drop(store);
        assert!(contents() == before);
    }
    assert!(open_read_only(folder().path(), &world).is_err(), "there is no node here");
}

/// The folders are what others' tools read: pure entry bundles, and a checkpoint.
#[test]
fn the_folders_are_in_public_formats() {
    let world = World::new();
    let dir = folder();
    drop(write(dir.path(), &world, &history()));
    let origin = world.origin("ph");
    let log = dir.path().join("journal/m.example.org_ph_1");
    let mut bundle = Vec::new();
    for index in 0..75 {
        let entry = world.entry(&origin, index);
        bundle.extend((entry.as_slice().len() as u16).to_be_bytes());
        bundle.extend(entry.as_slice());
    }
    assert!(fs::read(log.join("entries")).unwrap() == bundle);
    assert_eq!(fs::read(log.join("checkpoint")).unwrap(), world.head(&origin, 75).to_bytes());
}

/// More than one segment holds: what a society has after some thousand cases.
#[test]
fn bodies_of_several_segments_are_found_again() {
    let world = World::new();
    let dir = folder();
    let mut store = open(dir.path(), &world).unwrap().store;
    let bodies: Vec<Body> = (0..12).map(|n| body(n, 1000)).collect();
    for group in bodies.chunks(2) {
        Step::Bodies(group.to_vec()).run(&world, &mut store).unwrap();
    }
    assert!(dir.path().join("bodies/00000003").is_file());
    drop(store);
    for _ in 0..2 {
        let opened = open(dir.path(), &world).unwrap();
        assert!(opened.notices.is_empty(), "{:?}", opened.notices);
        let held = |body: &Body| opened.store.body_state(&body.key()) == BodyState::Present;
        assert!(bodies.iter().all(held));
    }
    assert!(open_read_only(dir.path(), &world).is_ok());
    // What lost its frame in the middle of the first is missed as ever.
    let path = dir.path().join("bodies/00000001");
    let mut bytes = fs::read(&path).unwrap();
    bytes[1200..1300].fill(0);
    fs::write(&path, bytes).unwrap();
    assert!(matches!(open(dir.path(), &world), Err(DiskError::Damaged { .. })));
}

/// Each frame that is left is whole, and so the segment says nothing of those that are gone: the next
/// one does.
#[test]
fn a_segment_that_was_cut_between_two_frames_is_missed() {
    let world = World::new();
    let dir = folder();
    let mut store = open(dir.path(), &world).unwrap().store;
    let erased = body(20, 500);
    for n in 0..12 {
        Step::Bodies(vec![body(n, 1000)]).run(&world, &mut store).unwrap();
    }
    Step::Erase(erased).run(&world, &mut store).unwrap();
    drop(store);
    let mut cuts = 0;
    for segment in 1..=4 {
        let path = dir.path().join(format!("bodies/{segment:08}"));
        let whole = fs::read(&path).unwrap();
        let frame = |at: usize| whole[at..].starts_with(b"tutti-b");
        for at in (0..whole.len()).step_by(64).filter(|at| frame(*at)) {
            for zeros in [0, whole.len() - at, 64] {
                let mut cut = whole[..at].to_vec();
                cut.resize(at + zeros, 0);
                fs::write(&path, cut).unwrap();
                for opened in [open_read_only(dir.path(), &world), open(dir.path(), &world)] {
                    let Err(error @ DiskError::Damaged { .. }) = opened else {
                        panic!("segment {segment} cut at {at}")
                    };
                    let said = error.to_string();
                    assert!(said.contains(&format!("{segment:08} at byte {at}")), "{said}");
                }
                cuts += 1;
            }
        }
        fs::write(&path, whole).unwrap();
    }
    assert!(cuts >= 40, "{cuts}");
    assert!(open(dir.path(), &world).unwrap().notices.is_empty());
}
