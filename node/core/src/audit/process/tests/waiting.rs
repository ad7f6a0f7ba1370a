//! Who was late: also where the side that waited wrote something meanwhile.

use super::*;
use crate::roster::{AcknowledgeHours, tests::found_with};

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

/// Where the roster leaves less time to acknowledge, that is judged by itself; where it does not, nobody is
/// told twice of one silence.
#[test]
fn an_acknowledgement_that_is_late_is_another_finding_than_an_answer() {
    let acknowledged = || Transition::Acknowledged(v1::Acknowledged {});
    let world = |apart: bool, steps: &[(u64, Transition)], now: u64| {
        let mut world = asked_at_0();
        for (hours, step) in steps {
            world.write(PH, *hours, false, step.clone());
        }
        let exports: Vec<Export> = [SG, PH]
            .map(|who| {
                let roster = found_with(&world.founders, |times| {
                    let hours = AcknowledgeHours { emergency: 4, urgent: 24, normal: 72 };
                    times.acknowledge_hours = Some(hours).filter(|_| apart);
                });
                world.export_by(who, &roster)
            })
            .into();
        let keys = [&world.by(SG).audit];
        let options = Options { audit_keys: &keys, ..Options::default() };
        codes(&audit_all(&exports, options, START + now * HOUR, &mut |_, _| ()).unwrap())
    };
    let only = |code| BTreeSet::from([code]);
    for (apart, steps, now, found) in [
        (true, vec![], 24, BTreeSet::new()),
        (true, vec![], 25, only("acknowledgement-overdue")),
        (true, vec![], 73, only("answer-overdue")),
        (false, vec![], 73, only("answer-overdue")),
        (true, vec![(24, acknowledged()), (72, accepted())], 80, BTreeSet::new()),
        (true, vec![(25, acknowledged()), (72, accepted())], 80, only("acknowledged-late")),
        (true, vec![(25, accepted())], 80, only("acknowledged-late")),
        (true, vec![(24, acknowledged()), (73, accepted())], 80, only("answer-late")),
        (true, vec![(73, accepted())], 80, only("answer-late")),
        (false, vec![(73, accepted())], 80, only("answer-late")),
        (
            false,
            vec![(73, acknowledged()), (74, accepted())],
            80,
            BTreeSet::from(["acknowledged-late", "answer-late"]),
        ),
    ] {
        assert_eq!(world(apart, &steps, now), found, "{apart} {steps:?} {now}");
    }
}

fn expired() -> Transition {
    Transition::Expired(v1::Expired {})
}

/// The receiver asks back in time, and the link is down: who waits knows of no question.
#[test]
fn whoever_gives_up_is_judged_by_what_had_come() {
    for (asked_at, seen, expired_at, found) in [
        (71, false, 73, None),
        (71, true, 73, Some("expired-early")),
        (71, false, 72, Some("expired-early")),
        (71, true, 144, None),
        (75, false, 73, Some("answer-late")),
    ] {
        let mut world = asked_at_0();
        world.write(PH, asked_at, false, asked());
        world.blind(SG, expired_at, false, u64::from(seen), expired());
        let mut expected = BTreeSet::from_iter(found);
        // Who had the question, and gave up when its own answer was late.
        if expired_at == 144 {
            expected.insert("answer-late");
        }
        assert_eq!(codes(&world.audit(145)), expected, "{asked_at} {seen} {expired_at}");
    }
}

/// Accepted in time, and the other side, which had not seen that, gave up: the answer counts for nothing, and was
/// given.
#[test]
fn an_answer_that_lost_to_giving_up_was_given() {
    let withdrawn =
        || Transition::Withdrawn(v1::Withdrawn { code: v1::WithdrawCode::PersonLeft as i32 });
    for (accepted_at, gave_up_at, found) in [
        (71, 73, None),
        (72, 80, None),
        (73, 80, Some("answer-late")),
        (81, 80, Some("answer-never")),
    ] {
        for giving_up in [expired(), withdrawn()] {
            let mut world = asked_at_0();
            world.write(PH, accepted_at, false, accepted());
            world.blind(SG, gave_up_at, false, 0, giving_up.clone());
            let mut expected = BTreeSet::from(["step-overtaken"]);
            expected.extend(found);
            let audit = world.audit(82);
            assert_eq!(codes(&audit), expected, "{accepted_at} {gave_up_at} {giving_up:?}");
            if found == Some("answer-late") {
                let text = format!("{:?}", audit.process.unwrap().findings);
                assert!(text.contains("accepted: ph answered 1 h after it was due"), "{text}");
            }
        }
    }
}

/// What lost in one wait is no answer in the next.
#[test]
fn an_answer_to_the_question_before_is_none() {
    let mut world = asked_at_0();
    let corrected = v1::Corrected { event: own(&world, 0), ..Default::default() };
    world.write(SG, 4, false, Transition::Corrected(corrected));
    world.blind(PH, 5, false, 1, accepted());
    world.write(PH, 10, false, asked());
    world.write(SG, 20, true, provided(&["reason"]));
    world.write(SG, 93, false, expired());
    assert_eq!(codes(&world.audit(94)), BTreeSet::from(["answer-never", "step-overtaken"]));
}
