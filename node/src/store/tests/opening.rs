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

/// Keys that were put into an empty directory may have signed: only who draws them knows that they have not.
#[test]
fn data_that_are_made_anew_have_no_mark_but_where_the_keys_were_drawn() {
    let world = World::new();
    let found = folder();
    for _ in 0..2 {
        let opened = open_as_found(found.path(), &world).unwrap();
        assert_eq!(opened.highwater, None, "ask the others");
    }
    assert!(DiskStore::begin(found.path()).is_err(), "a node has run here");
    assert!(!found.path().join("highwater").exists());

    let drawn = folder();
    DiskStore::begin(drawn.path()).unwrap();
    for _ in 0..2 {
        assert_eq!(open_as_found(drawn.path(), &world).unwrap().highwater, Some(0));
    }
    // What is told of a log by others is no reason to believe that it was all.
    let mut store = open_as_found(found.path(), &world).unwrap().store;
    Step::Part("ph", 3, 5).run(&world, &mut store).unwrap();
    drop(store);
    assert_eq!(open_as_found(found.path(), &world).unwrap().highwater, None);
}

/// Nothing is settled in the first run: the commits alone hold what was acknowledged.
#[test]
fn where_the_format_is_gone_no_commit_is_written_over() {
    let world = World::new();
    let dir = folder();
    let store = write(dir.path(), &world, &[Step::Append("ph", 1, vec![body(1, 1024)])]);
    let killed = folder();
    copy(dir.path(), killed.path());
    drop(store);
    let contents = |dir: &Path| -> Vec<_> {
        files(dir).iter().map(|file| (file.clone(), fs::read(dir.join(file)).unwrap())).collect()
    };
    let acknowledged = "journal/acknowledged";
    let cases: [&[&str]; 4] = [
        &["format"],
        &["format", "highwater", acknowledged],
        &["format", acknowledged, "bodies/00000001"],
        &["format", acknowledged, "bodies/00000001", "journal/commits-b"],
    ];
    for gone in cases {
        let harmed = folder();
        copy(killed.path(), harmed.path());
        gone.iter().for_each(|file| fs::remove_file(harmed.path().join(file)).unwrap());
        let before = contents(harmed.path());
        for opened in [open_as_found(harmed.path(), &world), open_read_only(harmed.path(), &world)]
        {
            let Err(error @ DiskError::Damaged { .. }) = opened else { panic!("{gone:?}: opened") };
            assert!(error.to_string().contains("format is damaged: it is missing"), "{error}");
        }
        assert!(DiskStore::begin(harmed.path()).is_err());
        assert!(contents(harmed.path()) == before, "{gone:?}: something was changed");
        let done = crate::store::repair(harmed.path(), &world.origin("ph"), &world).unwrap();
        assert_eq!(
            done.logs.get(&world.origin("ph")),
            Some(&1),
            "{gone:?}: what proves itself stays"
        );
        assert_eq!(done.highwater, (!gone.contains(&"highwater")).then_some(1));
    }
    // What a crash in the midst of making it has left is no such thing.
    let half = folder();
    fs::create_dir(half.path().join("journal")).unwrap();
    fs::write(half.path().join("journal/commits-a"), [0_u8; 700]).unwrap();
    fs::write(half.path().join("journal/commits-b"), b"tutti-comm").unwrap();
    assert_eq!(open(half.path(), &world).unwrap().highwater, Some(0));
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
