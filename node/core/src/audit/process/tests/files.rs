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
