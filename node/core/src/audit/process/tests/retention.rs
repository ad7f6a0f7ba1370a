//! Steps that were taken when the time to keep the case was over.

use super::*;

/// Sent, and accepted ten hours later; cases are kept for 365 days after the last step.
fn accepted_case() -> World {
    let mut world = World::new();
    world.write(SG, 0, true, sent(|_| ()));
    world.write(PH, 10, false, accepted());
    world
}

const END: u64 = 10 + 365 * 24;

fn follow_up() -> Transition {
    Transition::FollowUp(v1::FollowUp { result: 1 })
}

fn delivered() -> Transition {
    Transition::ServiceDelivered(v1::ServiceDelivered { result: 3, ..Default::default() })
}

fn over(world: &World) -> Transition {
    let Transition::Erased(erased) = receipt(world, (SG, 0), &[(SG, 0), (PH, 0)]) else { panic!() };
    let reason = v1::ErasureReason::Retention as i32;
    Transition::Erased(v1::Erased { reason, on: None, ..erased })
}

/// Which of the two codes are found.
fn found(world: &World, hours: u64) -> Vec<&'static str> {
    let found = codes(&world.audit(hours)).into_iter();
    found.filter(|code| code.ends_with("-after-retention")).collect()
}

#[test]
fn what_goes_on_when_the_time_is_over_is_found_by_its_authors_own_clock() {
    for (hours, content, what, code) in [
        (END - 1, true, follow_up(), None),
        (END, true, follow_up(), Some("disclosed-after-retention")),
        (END, false, follow_up(), Some("step-after-retention")),
        (END, false, delivered(), None),
        (END, true, delivered(), Some("disclosed-after-retention")),
        (END + 999, false, withdrawn(), None),
    ] {
        let mut world = accepted_case();
        world.write(PH, hours, content, what);
        assert_eq!(found(&world, END + 1_000), Vec::from_iter(code), "{hours} {content}");
    }
    // A day that was named holds whatever the roster says.
    let mut world = World::new();
    world.write(SG, 0, true, sent(|sent| sent.retain_until = (START + 9 * DAY) / 1000));
    world.write(PH, 9 * 24 - 1, false, accepted());
    assert_eq!(found(&world, 10 * 24), Vec::<&str>::new());
    world.write(PH, 9 * 24, true, follow_up());
    let text = format!("{:?}", world.audit(10 * 24).process.unwrap().findings);
    assert!(
        text.contains("follow_up: a content was written 1 min after the time to keep"),
        "{text}"
    );
}

#[test]
fn nobody_is_accused_for_what_they_could_not_know() {
    // What sg wrote moves the end for sg, and not for ph, which has not seen it.
    for (who, accused) in [(SG, false), (PH, true)] {
        let mut world = accepted_case();
        world.blind(SG, END - 9, false, 1, follow_up());
        world.blind(who, END + 9, false, 1, follow_up());
        assert_eq!(!found(&world, END + 10).is_empty(), accused, "{who}");
    }
    // ph's clock is ahead. sg goes on as it may until it has seen that ph has erased.
    for (seen, accused) in [(1, false), (2, true)] {
        let mut world = accepted_case();
        let erased = over(&world);
        world.write(PH, END, false, erased);
        world.blind(SG, END - 50, true, seen, follow_up());
        let text = format!("{:?}", world.audit(END).process.unwrap().findings);
        let told = text.contains("by who had seen that ph has erased the case");
        assert_eq!(told, accused, "{text}");
        assert_eq!(!found(&world, END).is_empty(), accused, "{seen}");
    }
}
