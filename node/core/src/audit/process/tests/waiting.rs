//! Who was late: also where the side that waited wrote something meanwhile.

use super::*;

/// Urgent: an answer is due after 72 hours.
fn asked_at_0() -> World {
    let mut world = World::new();
    world.write(SG, 0, true, sent(|_| ()));
    world
}

fn own(world: &World, index: u64) -> Option<v1::Seen> {
    Some(v1::Seen { origin: world.by(SG).origin().to_string(), index })
}

#[test]
fn what_the_side_that_waits_puts_right_hides_no_lateness() {
    let event = own(&asked_at_0(), 0);
    let corrected = v1::Corrected { event, ..Default::default() };
    let renewed = v1::ConsentRenewed { consent: Some(consent()) };
    for meanwhile in [Transition::Corrected(corrected), Transition::ConsentRenewed(renewed)] {
        let mut world = asked_at_0();
        world.write(SG, 100, false, meanwhile.clone());
        assert!(codes(&world.audit(100)).contains("answer-overdue"), "{meanwhile:?}");
        world.write(PH, 101, false, accepted());
        let audit = world.audit(102);
        assert!(codes(&audit).contains("answer-late"), "{meanwhile:?}");
        let text = format!("{:?}", audit.process.unwrap().findings);
        assert!(text.contains("ph answered 29 h after it was due"), "{text}");
        // In time it is in time.
        let mut world = asked_at_0();
        world.write(SG, 70, false, meanwhile);
        world.write(PH, 72, false, accepted());
        assert!(!codes(&world.audit(73)).contains("answer-late"));
    }
}

/// What was asked back and answered starts anew; each wait is judged by itself.
#[test]
fn a_wait_that_ends_late_is_found_before_the_next_begins() {
    let mut world = asked_at_0();
    world.write(PH, 80, false, asked());
    world.write(SG, 90, true, provided(&["reason"]));
    world.write(PH, 160, false, accepted());
    let audit = world.audit(161);
    assert_eq!(codes(&audit), BTreeSet::from(["answer-late"]));
    let text = format!("{:?}", audit.process.unwrap().findings);
    assert!(text.contains("information_requested: ph answered 8 h after"), "{text}");
}

#[test]
fn nobody_is_late_for_the_time_during_which_the_question_was_withdrawn() {
    let world_at = |hours| {
        let mut world = asked_at_0();
        let withdrawn = v1::Withdrawn { code: v1::WithdrawCode::PersonLeft as i32 };
        world.write(SG, 10, false, Transition::Withdrawn(withdrawn));
        let event = own(&world, 1);
        let back = v1::EnteredInError { event, ..Default::default() };
        world.write(SG, 200, false, Transition::EnteredInError(back));
        world.write(PH, hours, false, accepted());
        codes(&world.audit(hours))
    };
    assert!(!world_at(262).contains("answer-late"));
    assert!(world_at(263).contains("answer-late"));
}
