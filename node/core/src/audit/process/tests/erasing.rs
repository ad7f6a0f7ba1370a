//! What was to be erased: on whose word, and who has confirmed.

use super::*;

#[test]
fn an_erasure_is_told_with_whose_word_and_who_has_confirmed() {
    let mut world = World::new();
    world.write(SG, 0, true, sent(|_| ()));
    world.write(PH, 1, false, accepted());
    world.write(SG, 2, false, withdrawn());
    let audit = world.audit(2 + 72);
    let process = audit.process.as_ref().unwrap();
    assert_eq!(codes(&audit), BTreeSet::from(["erasure-open"]));
    assert_eq!(process.counts["erasure-open"], 2);
    assert!(process.findings[0].text.contains("due for 3 days"), "{:?}", process.findings);
    let told = &process.erasures[0];
    assert_eq!((told.reason, told.word_of, told.contents), ("consent_withdrawn", "caregiver", 2));
    assert_eq!(told.written_by.unwrap().as_str(), "sg");
    assert_eq!(told.written_in.as_deref(), Some("m.example.org/sg/1 1"));
    assert_eq!(told.at_ms, START + 2 * HOUR);

    // The record of the acceptance says that its content is empty. Its author can say so of any.
    let mut partly = World { founders: founders(&["sg", "ph"]), logs: world.logs.clone() };
    let half = receipt(&world, (SG, 1), &[(SG, 0)]);
    partly.write(SG, 3, false, half.clone());
    partly.write(PH, 4, false, half);
    assert_eq!(partly.audit(5).process.unwrap().counts["erasure-open"], 2);

    let confirmed = receipt(&world, (SG, 1), &[(SG, 0), (PH, 0)]);
    world.write(SG, 3, false, confirmed.clone());
    assert_eq!(world.audit(4).process.unwrap().counts["erasure-open"], 1);
    world.write(PH, 4, false, confirmed);
    let audit = world.audit(5);
    assert_eq!(codes(&audit), BTreeSet::new());
    let figures = audit.process.as_ref().unwrap().figures.clone();
    assert_eq!((figures.erasures, figures.erasures_confirmed, figures.stopped), (1, 1, 1));
    let told = &audit.process.unwrap().erasures[0];
    assert!(told.confirmations.iter().all(|side| side.seen && side.open == 0));
}

#[test]
fn receipts_without_ground_and_bytes_that_are_still_there_are_found() {
    let mut world = World::new();
    world.write(SG, 0, true, sent(|_| ()));
    let groundless = receipt(&world, (SG, 0), &[(SG, 0)]);
    world.write(SG, 1, false, groundless);
    assert_eq!(codes(&world.audit(2)), BTreeSet::from(["erased-unfounded"]));
    let kept = |erased_at| {
        let mut world = World::new();
        world.write(SG, 0, true, sent(|sent| sent.retain_until = (START + 9 * DAY) / 1000));
        let mut erased = v1::Erased {
            reason: v1::ErasureReason::Retention as i32,
            on: None,
            entries: vec![],
            ..Default::default()
        };
        let origin = world.by(SG).origin().to_string();
        erased.entries.push(v1::Seen { origin, index: 0 });
        world.write(SG, erased_at, false, Transition::Erased(erased.clone()));
        world.write(PH, erased_at, false, Transition::Erased(erased));
        world
    };
    assert!(codes(&kept(8 * 24).audit(10 * 24)).contains("erased-unfounded"));
    let world = kept(9 * 24);
    assert!(!codes(&world.audit(10 * 24)).contains("erased-unfounded"));
    let mut exports = [world.export(SG), world.export(PH)];
    // The content that the entry commits to, as a body that is there after all.
    let body = b"still here".to_vec();
    let content = Place::new(&world.by(SG).origin(), 0, Part::Content).commit(&body);
    let keys = [&world.by(SG).audit];
    let options = Options { audit_keys: &keys, ..Options::default() };
    let found = |exports: &[Export]| {
        let audit = audit_all(exports, options, START + 10 * DAY, &mut |_, _| ()).unwrap();
        codes(&audit)
    };
    assert!(!found(&exports).contains("erased-held"));
    let mut entries = crate::tiles::parse_bundle(&exports[0]["tile/entries/000.p/2"], 2).unwrap();
    let first = crate::entry::Entry::parse(entries[0].as_slice()).unwrap();
    let mut header = first.header().unwrap().clone();
    header.content = Some(content);
    entries[0] = header.encode();
    let mut again = log_of(world.by(SG), &found_roster(&world), entries);
    again.extend(
        exports[0]
            .iter()
            .filter(|(path, _)| path.starts_with("bodies/"))
            .map(|(path, bytes)| (path.clone(), bytes.clone())),
    );
    again.insert(body_path(&content.digest), body);
    exports[0] = again;
    assert!(found(&exports).contains("erased-held"));
}
