//! A member that floods: what is more than its days allow is put off, and nothing is lost.

use super::fixture::*;
use crate::{
    body::Part,
    entry::Visibility,
    limits::{BATCH_BYTES_MAX, MEMBER_QUOTA_DAYS},
    session::{BodyWant, Cost, Effect, Input},
    store::Reader as _,
};

const HOUR_MS: u64 = 3_600_000;

/// Lets hours pass at both, and all be said.
fn hours(one: &mut Node<'_>, other: &mut Node<'_>, count: u64) {
    for _ in 0..count * 6 {
        one.wait(HOUR_MS / 6);
        other.wait(HOUR_MS / 6);
        carry(one, other, 1);
    }
}

#[test]
fn a_log_that_floods_is_followed_at_its_pace_and_the_others_are_not_held_up() {
    let federation = Federation::new(&["ph", "qa", "sg"]);
    let [mut ph, mut qa, mut sg] = ["ph", "qa", "sg"].map(|code| federation.node(code));
    let one = entry("ph", 20_000, 0).as_slice().len() as u64;
    // What is taken at a time is a batch, of which a day is to have a few.
    let a_day = 2 * BATCH_BYTES_MAX as u64;
    let (batch, day) = (BATCH_BYTES_MAX as u64 / one + 1, a_day / one);
    sg.exchange.set_quotas(a_day, 1_000_000);
    let all = day * (MEMBER_QUOTA_DAYS + 3);
    ph.write(all);
    join(&mut ph, &mut sg, 1);
    join(&mut qa, &mut sg, 2);
    carry(&mut ph, &mut sg, 1);
    let held = |sg: &Node<'_>, code: &str| sg.store.tree(&origin(code)).size();
    let (at_once, week) = (held(&sg, "ph"), day * MEMBER_QUOTA_DAYS);
    let near = |count: u64, expected: u64| {
        assert!((expected..=expected + 3 * batch).contains(&count), "{count}, not {expected}");
    };
    near(at_once, week);
    assert_eq!(sg.exchange.put_off(), [(society("ph"), Cost::Entries)]);
    assert!(sg.closed.is_empty(), "it is no misbehaviour: {:?}", sg.closed);
    // Its heads are seen, and so a fork would be.
    assert_eq!(sg.exchange.log_status(&origin("ph")).known, all);
    qa.write(40);
    carry(&mut qa, &mut sg, 2);
    assert_eq!(held(&sg, "qa"), 40, "nobody else waits");
    hours(&mut ph, &mut sg, 24);
    near(held(&sg, "ph"), at_once + day / 2);
    assert!(held(&sg, "ph") < all);
    hours(&mut ph, &mut sg, 4 * 24);
    assert_eq!(held(&sg, "ph"), all, "all of it, in the end");
    hours(&mut ph, &mut sg, 24);
    assert!(sg.exchange.put_off().is_empty());
}

#[test]
fn bodies_for_everybody_do_not_hold_up_those_that_are_addressed_to_us() {
    let federation = Federation::new(&["ph", "sg"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    // Four are under way at a time.
    sg.exchange.set_quotas(1_000_000, 300_000);
    let tag = crate::sealing::routing::tag(&[9; 32]);
    let want = |index, commitment, token| BodyWant {
        origin: origin("ph"),
        index,
        part: Part::Record,
        commitment,
        token,
        lent: false,
        addressees: Default::default(),
    };
    let mut wants = Vec::new();
    for index in 0..12 {
        let bytes = vec![index as u8; 300_000];
        wants.push(want(index, ph.write_body(&bytes, Visibility::Federation, Vec::new()), None));
    }
    let case = ph.write_body(&[77; 900], Visibility::Addressed, vec![tag, [0; 16]]);
    join(&mut ph, &mut sg, 1);
    for want in wants {
        sg.input(Input::Want(want));
    }
    carry(&mut ph, &mut sg, 1);
    let came = |sg: &Node<'_>| {
        sg.others.iter().filter(|effect| matches!(effect, Effect::Body { .. })).count()
    };
    // What was under way when the quota was reached still comes.
    let at_once = came(&sg);
    assert!((7..=11).contains(&at_once), "{at_once} of 12");
    assert_eq!(sg.exchange.put_off(), [(society("ph"), Cost::OpenBodies)]);
    sg.input(Input::Want(want(12, case, Some([9; 32]))));
    carry(&mut ph, &mut sg, 1);
    assert_eq!(came(&sg), at_once + 1, "the case comes at once");
    hours(&mut ph, &mut sg, 6 * 24);
    assert_eq!(came(&sg), 13);
    assert_eq!(sg.exchange.bodies_wanted(), 0);
}
