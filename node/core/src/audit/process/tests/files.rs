//! Files that go with a case, as an auditor judges them without reading one.

use super::*;

fn attached(kind: v1::AttachmentKind, part: u32) -> Transition {
    let attachment_id = vec![3; 16];
    Transition::Attached(v1::Attached {
        attachment_id,
        part,
        parts: 2,
        kind: kind as i32,
        source: None,
    })
}

#[test]
fn each_part_of_a_file_is_a_disclosure_by_the_name_of_its_kind() {
    use v1::AttachmentKind::{MedicalLetter, Photo};
    let agreed = |field: &'static str| {
        sent(move |sent| {
            let consent = sent.consent.as_mut().unwrap();
            consent.fields.push(field.into());
        })
    };
    for (kind, beyond) in [(Photo, false), (MedicalLetter, true)] {
        for who in [SG, PH] {
            let mut world = World::new();
            world.write(SG, 0, true, agreed("attachment.photo"));
            world.write(PH, 5, false, Transition::Acknowledged(v1::Acknowledged {}));
            world.write(who, 6, true, attached(kind, 1));
            world.write(who, 7, true, attached(kind, 2));
            let audit = world.audit(8);
            let found = codes(&audit);
            assert_eq!(found.contains("consent-scope"), beyond, "{kind:?} by {who}: {found:?}");
            assert_eq!(found.len(), usize::from(beyond), "{found:?}");
            let told = &audit.process.as_ref().unwrap().findings;
            let text = format!("{told:?}");
            assert_eq!(text.contains("attachment.medical_letter"), beyond, "{text}");
        }
    }
}

#[test]
fn a_file_that_comes_when_consent_was_withdrawn_is_found_and_one_puts_off_no_answer() {
    let mut world = World::new();
    world.write(SG, 0, true, sent(|sent| sent.consent.as_mut().unwrap().fields.clear()));
    world.write(PH, 1, false, withdrawn());
    world.write(SG, 2, true, attached(v1::AttachmentKind::Photo, 1));
    let found = codes(&world.audit(3));
    assert!(found.contains("disclosed-after-stop"), "{found:?}");

    // Urgent: an answer is due after 72 hours, whatever is attached meanwhile.
    let mut world = World::new();
    world.write(SG, 0, true, sent(|sent| sent.consent.as_mut().unwrap().fields.clear()));
    world.write(SG, 70, true, attached(v1::AttachmentKind::Photo, 1));
    world.write(PH, 100, false, accepted());
    let found = codes(&world.audit(101));
    assert!(found.contains("answer-late"), "{found:?}");
}

fn part_of(file: u8) -> Transition {
    Transition::Attached(v1::Attached {
        attachment_id: vec![file; 16],
        part: 1,
        parts: 1,
        kind: v1::AttachmentKind::Photo as i32,
        ..Default::default()
    })
}

fn taken_back(file: u8) -> Transition {
    let attachment = vec![file; 16];
    Transition::EnteredInError(v1::EnteredInError { attachment, ..Default::default() })
}

/// What is due of a file and what of the case are counted apart, and each since its own word.
#[test]
fn files_that_are_taken_back_age_and_count_by_themselves() {
    let day = 24;
    let mut world = World::new();
    world.write(SG, 0, true, sent(|sent| sent.consent.as_mut().unwrap().fields.clear()));
    world.write(SG, 1, true, part_of(1));
    world.write(SG, 2, true, part_of(2));
    world.write(PH, 3, false, accepted());
    world.write(SG, day, false, taken_back(1));
    world.write(SG, 30 * day, false, taken_back(2));
    let told = |world: &World, hours| {
        let process = world.audit(hours).process.unwrap();
        let ages: BTreeSet<String> = process
            .findings
            .iter()
            .filter(|finding| finding.code == Code::ErasureOpen)
            .filter_map(|finding| finding.text.split_once("due for ").map(|(_, age)| age.into()))
            .collect();
        let figures = process.figures;
        let counts = [
            (figures.erasures, figures.erasures_confirmed),
            (figures.file_erasures, figures.file_erasures_confirmed),
        ];
        (ages, counts, process.erasures)
    };
    let (ages, counts, erasures) = told(&world, 40 * day);
    assert_eq!(ages, BTreeSet::from(["39 days", "10 days"].map(String::from)));
    assert_eq!(counts, [(0, 0), (2, 0)]);
    assert_eq!(erasures[0].attachment.as_deref(), Some(&*hex::encode([1; 16])));
    // The case is stopped: due since then, and what was due before is as old as it was.
    world.write(PH, 35 * day, false, withdrawn());
    let (ages, counts, erasures) = told(&world, 40 * day);
    assert_eq!(ages, BTreeSet::from(["39 days", "10 days", "5 days"].map(String::from)));
    assert_eq!(counts, [(1, 0), (2, 0)]);
    assert_eq!(erasures.iter().map(|told| told.contents).collect::<Vec<_>>(), [2, 1, 1]);
    assert!(erasures[0].attachment.is_none() && erasures[0].reason == "consent_withdrawn");
    // One file is confirmed by both, and nothing else.
    let file = |world: &World| {
        let Transition::Erased(erased) = receipt(world, (SG, 3), &[(SG, 1)]) else { panic!() };
        let reason = v1::ErasureReason::EnteredInError as i32;
        Transition::Erased(v1::Erased { reason, ..erased })
    };
    let erased = file(&world);
    world.write(SG, 36 * day, false, erased.clone());
    world.write(PH, 36 * day, false, erased);
    let (ages, counts, erasures) = told(&world, 40 * day);
    assert_eq!(ages, BTreeSet::from(["10 days", "5 days"].map(String::from)));
    assert_eq!(counts, [(1, 0), (2, 1)]);
    assert_eq!(erasures[0].confirmations[0].at_ms, None, "the case's is no younger for it");
    assert_eq!(erasures[1].confirmations[0].at_ms, Some(START + 36 * DAY));
}
