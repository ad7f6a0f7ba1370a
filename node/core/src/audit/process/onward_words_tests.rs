//! Cases that went further than the person had said, or than one society alone had recorded.

use super::*;

/// The person agreed to qa by ph's word alone, when the case was passed on; `seen`: sg had gone on with that.
fn on_phs_word(seen: bool, first_alone: bool) -> BTreeSet<&'static str> {
    let mut world = World::new(|first, onward| {
        let consent = first.consent.as_mut().unwrap();
        consent.recipients.pop();
        if first_alone {
            first.legal_basis = v1::LegalBasis::VitalInterest as i32;
            first.consent = None;
            onward.legal_basis = first.legal_basis;
        }
    });
    // What passed it on comes last: with its entry in the first referral, and its own.
    let told = world.logs[PH].pop().unwrap();
    let Some(v1::record::Event::Referral(told)) = told.record.event else { panic!() };
    world.write(PH, First, false, renewed(&["person.name", "reason"]));
    if seen {
        let event = Some(v1::Seen { origin: world.by(SG).origin().to_string(), index: 0 });
        let corrected = v1::Corrected { event, ..Default::default() };
        world.write(SG, First, false, Transition::Corrected(corrected));
    }
    world.write(PH, First, false, told.transition.unwrap());
    faults(&world)
}

#[test]
fn a_case_that_went_further_on_one_societys_word_is_found() {
    for first_alone in [false, true] {
        assert_eq!(on_phs_word(false, first_alone), BTreeSet::from(["onward-unseen"]));
        assert_eq!(on_phs_word(true, first_alone), BTreeSet::new());
    }
}

#[test]
fn a_case_that_went_further_where_nobody_was_asked_is_found() {
    let world = World::new(|first, onward| {
        for sent in [first, onward] {
            sent.legal_basis = v1::LegalBasis::VitalInterest as i32;
            sent.consent = None;
        }
    });
    assert_eq!(world.codes(), BTreeSet::from(["onward-consent"]));
    assert!(codes(&world.audit(&[PH, QA], 1)).is_empty());
}
