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

fn found(code: &'static str) -> BTreeSet<&'static str> {
    BTreeSet::from([code])
}

/// What the person said to sg later, and what ph, which had it or may not have had it, told qa then.
#[test]
fn what_was_told_later_beyond_the_first_consent_is_found_and_nobody_is_accused_in_doubt() {
    let asked = || Transition::InformationRequested(v1::InformationRequested::default());
    let given = || {
        let information_disclosed = vec!["reason".into()];
        Transition::InformationProvided(v1::InformationProvided { information_disclosed })
    };
    let anew = |world: &World| {
        let event = Some(v1::Seen { origin: world.by(PH).origin().to_string(), index: 1 });
        let information_disclosed = vec!["reason".into()];
        Transition::Corrected(v1::Corrected { event, information_disclosed })
    };
    for (knew, narrow, code) in [
        (true, true, Some("onward-consent")),
        // It may not have heard of it; and all is as agreed.
        (false, true, None),
        (true, false, None),
    ] {
        let mut world = World::new(|_, _| ());
        let fields = if narrow { &["person.name"][..] } else { &["person.name", "reason"] };
        world.write(SG, First, false, renewed(fields));
        if knew {
            world.write(PH, First, false, Transition::Accepted(v1::Accepted {}));
        }
        world.write(QA, Onward, false, asked());
        let answered = world.logs[PH].len();
        for told in [given(), anew(&world)] {
            world.write(PH, Onward, true, told.clone());
            assert_eq!(faults(&world), BTreeSet::from_iter(code), "{told:?}");
            // Without the log of the first society nobody can know.
            assert!(!codes(&world.audit(&[PH, QA], 1)).contains("onward-consent"));
            world.logs[PH].truncate(answered);
        }
    }
}

#[test]
fn a_consent_that_goes_along_and_allows_more_than_the_first_is_found() {
    type Change = fn(&mut v1::Sent, &mut v1::Sent);
    let wider: [Change; 3] = [
        |_, onward| onward.consent.as_mut().unwrap().recipients.push("it".into()),
        |_, onward| onward.consent.as_mut().unwrap().fields.clear(),
        |first, _| first.consent.as_mut().unwrap().expires_at = START / 1000 + 1_000_000,
    ];
    for change in wider {
        assert_eq!(World::new(change).codes(), found("onward-consent"));
    }
    // Or is made so later; one that takes away is not.
    let widened = |society: Option<&str>| {
        let Transition::ConsentRenewed(mut renewed) = renewed(&["reason"]) else { panic!() };
        let recipients = &mut renewed.consent.as_mut().unwrap().recipients;
        recipients.extend(society.map(String::from));
        Transition::ConsentRenewed(renewed)
    };
    for (society, expected) in [(None, BTreeSet::new()), (Some("it"), found("onward-consent"))] {
        let mut world = World::new(|_, _| ());
        world.write(PH, Onward, false, widened(society));
        assert_eq!(faults(&world), expected);
    }
    // ph alone has recorded it in the first referral before, and sg had not seen that, or had.
    for seen in [false, true] {
        let mut world = World::new(|_, onward| {
            onward.consent.as_mut().unwrap().recipients.push("it".into());
        });
        let told = world.logs[PH].pop().unwrap();
        let Some(v1::record::Event::Referral(told)) = told.record.event else { panic!() };
        let Transition::ConsentRenewed(mut renewed) = renewed(&["person.name", "reason"]) else {
            panic!()
        };
        renewed.consent.as_mut().unwrap().recipients.push("it".into());
        world.write(PH, First, false, Transition::ConsentRenewed(renewed));
        if seen {
            let event = Some(v1::Seen { origin: world.by(SG).origin().to_string(), index: 0 });
            let corrected = v1::Corrected { event, ..Default::default() };
            world.write(SG, First, false, Transition::Corrected(corrected));
        }
        world.write(PH, First, false, told.transition.unwrap());
        let expected = BTreeSet::from_iter((!seen).then_some("onward-unseen"));
        assert_eq!(faults(&world), expected, "{seen}");
    }
}

/// A file goes along when the consent for the first referral has ended, whatever else the second referral says.
#[test]
fn a_file_that_goes_along_after_the_end_is_found() {
    let ended = |hours: u64| {
        let mut world = with_a_photo(|first, onward| {
            for sent in [first, onward] {
                sent.consent.as_mut().unwrap().expires_at = (START + 9 * HOUR) / 1000;
            }
        });
        world.hour = hours;
        world.write(PH, Onward, true, file(v1::AttachmentKind::Photo, 2, Some(1)));
        faults(&world)
    };
    assert_eq!(ended(7), BTreeSet::new());
    assert_eq!(ended(9), BTreeSet::from(["consent-ended", "onward-file"]));
}
