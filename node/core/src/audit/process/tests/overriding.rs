//! What went beyond a person's word, and by how many.

use v1::{ConsentStatus, LegalBasis, OverrideReason};

use super::*;

/// What is found of a referral on that basis, with what the person said and the reason given.
fn found(
    basis: LegalBasis,
    said: ConsentStatus,
    reason: Option<OverrideReason>,
    [actor, approver]: [&str; 2],
) -> (BTreeSet<&'static str>, u64) {
    let mut world = World::new();
    let transition = sent(|sent| {
        sent.legal_basis = basis as i32;
        sent.consent.as_mut().unwrap().status = said as i32;
        sent.consent_override = reason.map(|given| v1::ConsentOverride { reason: given as i32 });
    });
    world.write(SG, 0, true, transition);
    let record = &mut world.logs[SG][0].record;
    record.actor = actor.into();
    record.approver = approver.into();
    let audit = world.audit(1);
    let overridden = audit.process.as_ref().unwrap().figures.overridden;
    (codes(&audit), overridden)
}

#[test]
fn an_override_has_a_reason_that_fits_and_two_persons() {
    use ConsentStatus::{Given, Refused, Requested, Withdrawn};
    use LegalBasis::{Consent, LegitimateInterest, VitalInterest};
    use OverrideReason::{CannotConsent, ConsentUnobtainable, LifeAtRisk};
    let two = ["a1", "b2"];
    let clean = (BTreeSet::new(), 1);
    assert_eq!(found(VitalInterest, Refused, Some(LifeAtRisk), two), clean);
    assert_eq!(found(VitalInterest, Requested, Some(ConsentUnobtainable), two), clean);
    assert_eq!(found(VitalInterest, Given, None, two), (BTreeSet::new(), 0));
    for (basis, said, reason, people, code) in [
        (VitalInterest, Refused, None, two, "override-missing"),
        (VitalInterest, Refused, Some(LifeAtRisk), ["a1", ""], "override-unapproved"),
        (VitalInterest, Refused, Some(LifeAtRisk), ["a1", "a1"], "approved-by-same"),
        (VitalInterest, Refused, Some(ConsentUnobtainable), two, "override-unfounded"),
        (VitalInterest, Withdrawn, Some(CannotConsent), two, "override-unfounded"),
        (VitalInterest, Given, Some(LifeAtRisk), two, "override-unfounded"),
        (LegitimateInterest, Refused, Some(LifeAtRisk), two, "override-unfounded"),
        (Consent, Given, Some(LifeAtRisk), two, "override-unfounded"),
    ] {
        let (codes, _) = found(basis, said, reason, people);
        assert_eq!(codes, BTreeSet::from([code]), "{basis:?} {said:?} {reason:?} {people:?}");
    }
}

/// A society that declines for a reason of its own says which.
#[test]
fn a_decline_that_says_nothing_is_found() {
    use v1::DeclineCode::{NoCapacity, Other};
    for (code, note, found) in
        [(Other, false, true), (Other, true, false), (NoCapacity, false, false)]
    {
        let mut world = World::new();
        world.write(SG, 0, true, sent(|_| ()));
        world.write(PH, 1, note, Transition::Declined(v1::Declined { code: code as i32 }));
        let expected = BTreeSet::from_iter(found.then_some("decline-unexplained"));
        assert_eq!(codes(&world.audit(2)), expected, "{code:?} {note}");
    }
}

#[test]
fn what_is_told_later_stays_within_what_was_agreed_to_or_sent() {
    for (fields, codes_found) in
        [(vec!["reason", "person.name"], vec![]), (vec!["risk"], vec!["consent-scope"])]
    {
        let mut world = World::new();
        let transition = sent(|sent| {
            sent.legal_basis = LegalBasis::VitalInterest as i32;
            sent.consent.as_mut().unwrap().status = ConsentStatus::Refused as i32;
            let reason = OverrideReason::LifeAtRisk as i32;
            sent.consent_override = Some(v1::ConsentOverride { reason });
        });
        world.write(SG, 0, true, transition);
        world.logs[SG][0].record.actor = "a1".into();
        world.logs[SG][0].record.approver = "b2".into();
        world.write(PH, 1, false, asked());
        world.write(SG, 2, true, provided(&fields));
        let expected: BTreeSet<&'static str> = codes_found.into_iter().collect();
        assert_eq!(codes(&world.audit(3)), expected, "{fields:?}");
    }
}

/// They agreed that another society may have it, or for another use, and that was overridden: nothing but what
/// was sent then is told later, though the consent covers every field.
#[test]
fn what_another_society_or_use_was_allowed_is_not_told_later() {
    let letter = || {
        Transition::Attached(v1::Attached {
            attachment_id: vec![1; 16],
            part: 1,
            parts: 1,
            kind: v1::AttachmentKind::MedicalLetter as i32,
            source: None,
        })
    };
    let own = |world: &World| {
        let event = Some(v1::Seen { origin: world.by(SG).origin().to_string(), index: 0 });
        let information_disclosed = vec!["risk".into()];
        Transition::Corrected(v1::Corrected { event, information_disclosed })
    };
    type Narrow = fn(&mut v1::Consent);
    let cases: [(Narrow, bool); 3] = [
        (|_| (), false),
        (|consent| consent.recipients = vec!["my".into()], true),
        (|consent| consent.purposes = vec![v1::Purpose::FamilyLinks as i32], true),
    ];
    for (narrow, overridden) in cases {
        let mut world = World::new();
        let transition = sent(|sent| {
            sent.legal_basis = LegalBasis::VitalInterest as i32;
            let consent = sent.consent.as_mut().unwrap();
            consent.fields.clear();
            narrow(consent);
            let reason = OverrideReason::LifeAtRisk as i32;
            sent.consent_override = Some(v1::ConsentOverride { reason }).filter(|_| overridden);
        });
        world.write(SG, 0, true, transition);
        world.logs[SG][0].record.actor = "a1".into();
        world.logs[SG][0].record.approver = "b2".into();
        world.write(PH, 1, false, asked());
        for (later, new) in [
            (provided(&["reason"]), false),
            (provided(&["risk"]), true),
            (letter(), true),
            (own(&world), true),
        ] {
            world.write(SG, 2, true, later.clone());
            let expected = BTreeSet::from_iter((overridden && new).then_some("consent-scope"));
            assert_eq!(codes(&world.audit(3)), expected, "{later:?}");
            world.logs[SG].truncate(1);
        }
    }
}
