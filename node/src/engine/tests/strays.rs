//! Contents of which no case is known: they have an end, and none that comes late is lost before.

use tutti_core::{limits::STRAY_CONTENT_DAYS, referral::EventRef, store::BodyState};

use super::*;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const KEPT_MS: u64 = STRAY_CONTENT_DAYS * DAY_MS;

fn states(node: &Node, index: u64) -> [BodyState; 2] {
    let header = node.header_at(&EventRef { origin: origin("sg"), index }).unwrap().unwrap();
    Part::ALL.map(|part| node.store.body_state(&header.body_key(part).unwrap()))
}

fn noted(node: &Node) -> usize {
    node.store.notes().keys().filter(|key| key.starts_with(b"s")).count()
}

const RECORD: usize = 0;
const CONTENT: usize = 1;

/// ph holds both bodies of a step of sg's, and of what sent the referral the entry alone. Gives what it
/// still asks for.
fn without_its_sent(sg: &mut Node, ph: &mut Node, at_ms: u64) -> (ReferralId, Vec<BodyWant>) {
    let id = id_of(&one(sg, send(1)).unwrap());
    // By a time that is made up the case is over, and no note goes with it; its content is empty then.
    let note = if at_ms == NOW_MS { "CANARY She has gone to her sister." } else { "" };
    let step = advance(2, id, withdraw(), note);
    sg.write(vec![step], at_ms).remove(0).unwrap();
    pass_entries(sg, ph);
    let (late, others): (Vec<_>, Vec<_>) = wants(ph).into_iter().partition(|want| want.index == 0);
    assert_eq!((late.len(), others.len()), (2, 2));
    others.iter().for_each(|want| pass_body(sg, ph, want));
    assert_eq!(states(ph, 1), [BodyState::Present; 2]);
    (id, late)
}

#[test]
fn a_content_whose_sent_never_comes_goes_after_its_time_also_over_restarts() {
    assert_eq!(Part::ALL[CONTENT], Part::Content);
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let (id, late) = without_its_sent(&mut sg, &mut ph, NOW_MS);
    ph.tick(NOW_MS);
    assert_eq!(noted(&ph), 1);
    ph.tick(NOW_MS + KEPT_MS - 2 * HOUR_MS);
    let mut ph = restarted(&federation, &ph, "ph");
    ph.tick(NOW_MS + KEPT_MS - HOUR_MS);
    assert_eq!(states(&ph, 1)[CONTENT], BodyState::Present);
    ph.tick(NOW_MS + KEPT_MS);
    assert_eq!(states(&ph, 1)[CONTENT], BodyState::Erased);
    assert_eq!(states(&ph, 1)[RECORD], BodyState::Present, "what happened stays");
    ph.tick(NOW_MS + KEPT_MS + HOUR_MS);
    assert_eq!(noted(&ph), 0, "nothing is noted of what is gone");
    // What sent it comes after all: the case is told, with what is left, and nothing is taken again.
    late.iter().for_each(|want| pass_body(&sg, &mut ph, want));
    let referral = shown(&ph, id);
    assert_eq!(referral.state(), api::ReferralState::Withdrawn);
    assert!(referral.events.iter().all(|event| event.note.is_empty()));
    assert_eq!(states(&ph, 0), [BodyState::Present; 2]);
    let place = Place::new(&origin("sg"), 1, Part::Content);
    let header = sg.header_at(&EventRef { origin: origin("sg"), index: 1 }).unwrap().unwrap();
    let again = held(&sg, place, &header.body_key(Part::Content).unwrap());
    assert!(ph.store.put_bodies(&[again]).is_err());
}

#[test]
fn a_sent_that_comes_late_but_in_time_finds_everything() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let (id, late) = without_its_sent(&mut sg, &mut ph, NOW_MS);
    ph.tick(NOW_MS);
    ph.tick(NOW_MS + KEPT_MS - HOUR_MS);
    late.iter().for_each(|want| pass_body(&sg, &mut ph, want));
    let referral = shown(&ph, id);
    assert!(referral.content.is_some());
    assert!(referral.events[1].note.starts_with("CANARY"));
    // From now on it is kept as the case is, and no longer as what belongs to none.
    assert!(referral.retained_until_ms <= NOW_MS + KEPT_MS);
    let over_ms = NOW_MS + KEPT_MS + HOUR_MS;
    ph.tick(over_ms);
    assert_eq!(noted(&ph), 0);
    let request = api::GetReferralRequest { id: id.to_string(), ..Default::default() };
    let referral = ph.referral(&Actor::node(), &request, over_ms).unwrap();
    assert_eq!(referral.erasure.unwrap().reason, "retention");
}

/// Neither a time that an author makes up nor a clock here that was wrong at first decides alone.
#[test]
fn a_time_that_its_author_made_up_keeps_nothing_and_a_clock_that_was_behind_loses_nothing() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    without_its_sent(&mut sg, &mut ph, NOW_MS + 900 * KEPT_MS);
    ph.tick(NOW_MS);
    ph.tick(NOW_MS + KEPT_MS - HOUR_MS);
    assert_eq!(states(&ph, 1)[CONTENT], BodyState::Present);
    ph.tick(NOW_MS + KEPT_MS);
    assert_eq!(states(&ph, 1)[CONTENT], BodyState::Erased);

    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    without_its_sent(&mut sg, &mut ph, NOW_MS);
    let now = |wall_ms, hours| crate::clock::Now { steady_ms: NOW_MS + hours * HOUR_MS, wall_ms };
    ph.tick(now(1_000, 0));
    ph.tick(now(NOW_MS + DAY_MS, 1));
    assert_eq!(states(&ph, 1)[CONTENT], BodyState::Present);
    // Ahead, and right again: the time begins anew.
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    without_its_sent(&mut sg, &mut ph, NOW_MS);
    ph.tick(now(NOW_MS + 10 * KEPT_MS, 0));
    ph.tick(now(NOW_MS, 1));
    ph.tick(now(NOW_MS + KEPT_MS - 1, 2));
    assert_eq!(states(&ph, 1)[CONTENT], BodyState::Present);
    ph.tick(now(NOW_MS + KEPT_MS, 3));
    assert_eq!(states(&ph, 1)[CONTENT], BodyState::Erased);
}

/// The same where the record of the step itself does not come: nobody knows what it is about.
#[test]
fn a_content_whose_own_record_never_comes_goes_too() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    one(&mut sg, send(1)).unwrap();
    pass_entries(&sg, &mut ph);
    let content = wants(&mut ph).into_iter().find(|want| want.part == Part::Content).unwrap();
    pass_body(&sg, &mut ph, &content);
    assert_eq!(states(&ph, 0), [BodyState::Absent, BodyState::Present]);
    ph.tick(NOW_MS);
    ph.tick(NOW_MS + KEPT_MS);
    assert_eq!(states(&ph, 0), [BodyState::Absent, BodyState::Erased]);
    assert_eq!(ph.bodies_wanted(), 1, "its record is asked for as before");
}
