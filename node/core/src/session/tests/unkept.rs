//! A full disk: what came while there was no room is had when there is.

use super::fixture::*;
use crate::{
    body::Part,
    entry::Visibility,
    session::{BodyWant, Effect, Input},
    store::Reader as _,
};

/// More than the longest wait before a second try.
const A_WHILE_MS: u64 = 31_000;

#[test]
fn entries_that_found_no_room_are_asked_for_again() {
    let federation = Federation::new(&["ph", "sg"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    join(&mut ph, &mut sg, 1);
    sg.full = true;
    ph.write(3);
    carry(&mut ph, &mut sg, 1);
    // Hours, in which the author shows its head every minute.
    for _ in 0..240 {
        ph.wait(A_WHILE_MS);
        sg.wait(A_WHILE_MS);
        carry(&mut ph, &mut sg, 1);
        assert_eq!(sg.store.tree(&origin("ph")).size(), 0);
    }
    let asked = sg.exchange.tally().wants;
    assert!((15..=60).contains(&asked), "asked {asked} times in two hours");
    sg.full = false;
    for _ in 0..16 {
        sg.wait(A_WHILE_MS);
        carry(&mut ph, &mut sg, 1);
    }
    assert_eq!(sg.store.tree(&origin("ph")).size(), 3);
}

#[test]
fn cosignatures_that_found_no_room_are_kept_later() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    join(&mut ph, &mut sg, 1);
    sg.meet(2, "qa");
    ph.write(2);
    carry(&mut ph, &mut sg, 1);
    sg.full = true;
    let mut cosigned = ph.store.head(&origin("ph")).unwrap();
    cosigned.cosign(society("qa"), &federation.secrets[&society("qa")].witness, 1).unwrap();
    sg.frame(2, heads(&[&cosigned]));
    sg.wait(A_WHILE_MS);
    let held = |sg: &Node<'_>| sg.store.head(&origin("ph")).unwrap();
    assert_eq!(held(&sg).cosignatures().len(), 0);
    sg.full = false;
    sg.wait(A_WHILE_MS);
    assert!(held(&sg).is_cosigned_by(society("qa")), "a peer's, which nobody sends again");
    assert!(held(&sg).is_cosigned_by(society("sg")), "its own");
}

#[test]
fn a_fork_that_found_no_room_is_kept_later() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let ph = federation.node("ph");
    let (left, right) = (ph.author(3, 0), ph.author(3, 1));
    let mut sg = federation.node("sg");
    sg.meet(1, "qa");
    sg.frame(1, Kind::Batch(message(&left)));
    sg.full = true;
    sg.frame(1, heads(&[right.head()]));
    assert!(sg.exchange.log_status(&origin("ph")).frozen, "frozen all the same");
    assert!(sg.store.evidence(&origin("ph")).is_none());
    sg.full = false;
    sg.wait(A_WHILE_MS);
    assert!(sg.store.evidence(&origin("ph")).is_some());
    sg.others.clear();
    sg.wait(A_WHILE_MS);
    assert!(!sg.others.iter().any(|effect| matches!(effect, Effect::Evidence(_))), "kept once");
}

#[test]
fn a_body_that_found_no_room_is_asked_for_again() {
    let federation = Federation::new(&["ph", "sg"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    let body = vec![7; 100_000];
    let commitment = ph.write_body(&body, Visibility::Federation, Vec::new());
    join(&mut ph, &mut sg, 1);
    let origin = origin("ph");
    sg.full = true;
    let want = BodyWant {
        origin,
        index: 0,
        part: Part::Record,
        commitment,
        token: None,
        lent: false,
        addressees: Default::default(),
    };
    let key = want.key();
    sg.input(Input::Want(want));
    carry(&mut ph, &mut sg, 1);
    assert_eq!(sg.store.body(&key, 0, 1).unwrap(), None);
    assert_eq!(sg.exchange.bodies_wanted(), 1);
    sg.full = false;
    sg.wait(A_WHILE_MS);
    carry(&mut ph, &mut sg, 1);
    assert_eq!(sg.store.body(&key, 0, usize::MAX).unwrap().unwrap(), body);
    assert_eq!(sg.exchange.bodies_wanted(), 0);
}
