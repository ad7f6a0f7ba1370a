//! Erasing over engines: on disks, away, out of order, and against a peer who would misuse it.

use std::{collections::BTreeSet, fs, path::Path};

use tutti_core::{
    referral::EventRef,
    store::{BodyState, Reader},
};

use super::*;
use crate::store::DiskStore;

fn withdraw_consent() -> Command {
    Command::WithdrawConsent(v1::ConsentWithdrawn { by: 1, form: 2, ..Default::default() })
}

fn disk(federation: &Federation, code: &str, dir: &Path) -> On<DiskStore> {
    let opened = DiskStore::open(dir, &origin(code), &*federation.roster, &mut |_, _, _| {});
    engine(federation, code, opened.unwrap().store)
}

fn content<S: Store>(node: &On<S>, by: &str, index: u64) -> BodyKey {
    let at = EventRef { origin: origin(by), index };
    node.header_at(&at).unwrap().unwrap().body_key(Part::Content).unwrap()
}

/// A referral with a content in each direction, on both nodes.
fn told<A: Store, B: Store>(sg: &mut On<A>, ph: &mut On<B>) -> ReferralId {
    let id = id_of(&one(sg, send(1)).unwrap());
    pass(sg, ph);
    let asked = Command::RequestInformation(v1::InformationRequested::default());
    one(ph, advance(2, id, asked, "CANARY Which ward is she in?")).unwrap();
    pass(ph, sg);
    let given = Command::ProvideInformation(v1::InformationProvided::default());
    one(sg, advance(3, id, given, "CANARY Ward twelve.")).unwrap();
    pass(sg, ph);
    id
}

/// Who has cosigned differs with what has reached whom.
fn unwitnessed(mut referral: api::Referral) -> api::Referral {
    referral.events.iter_mut().for_each(|event| event.witnesses = 0);
    referral
}

fn confirmed(referral: &api::Referral) -> Vec<(&str, bool)> {
    let erasure = referral.erasure.as_ref().unwrap();
    erasure.confirmations.iter().map(|side| (side.society.as_str(), side.confirmed)).collect()
}

/// Whether any sixteen bytes of the body's end stand in any file under `dir`; every sealed body
/// begins alike. No zeros are among them: they are passed over, page by page, of which stores write
/// many ahead.
fn is_anywhere(dir: &Path, body: &[u8]) -> bool {
    const PAGE: usize = 4096;
    let parts: BTreeSet<&[u8]> = body.rchunks_exact(16).take(32).collect();
    assert!(parts.iter().all(|part| part.iter().any(|byte| *byte != 0)));
    let first: Vec<bool> = (0..=255).map(|b| parts.iter().any(|part| part[0] == b)).collect();
    files(dir).iter().any(|bytes| {
        (0..bytes.len()).step_by(PAGE).any(|at| {
            let page = &bytes[at..bytes.len().min(at + PAGE + 15)];
            let blank = [0; PAGE + 15].starts_with(page);
            let mut windows = page.windows(16).filter(|window| first[usize::from(window[0])]);
            !blank && windows.any(|window| parts.contains(window))
        })
    })
}

/// What stands in every file under `dir`.
fn files(dir: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(fs::read(&path).unwrap()),
        }
    }
    found
}

#[test]
fn consent_withdrawn_erases_on_every_disk_and_both_sides_confirm() {
    let federation = federation();
    let dirs = ["sg", "ph", "qa"].map(|_| tempfile::tempdir().unwrap());
    let mut sg = disk(&federation, "sg", dirs[0].path());
    let mut ph = disk(&federation, "ph", dirs[1].path());
    let mut qa = disk(&federation, "qa", dirs[2].path());
    let id = told(&mut sg, &mut ph);
    let places = [("sg", 0), ("ph", 0), ("sg", 1)];
    let bodies = places.map(|(by, index)| {
        let place = Place::new(&origin(by), index, Part::Content);
        held(&sg, place, &content(&sg, by, index))
    });
    for body in &bodies {
        assert!(
            is_anywhere(dirs[0].path(), body.bytes()) && is_anywhere(dirs[1].path(), body.bytes())
        );
    }
    let root = sg.store.tree(&origin("sg")).root();
    // ph hears it from the person; sg is away, and comes back.
    one(&mut ph, advance(4, id, withdraw_consent(), "")).unwrap();
    assert!(shown(&ph, id).content.is_none(), "at once");
    for body in &bodies {
        assert_eq!(ph.store.body_state(&body.key()), BodyState::Erased);
    }
    ph.tick(NOW_MS);
    assert_eq!(confirmed(&shown(&ph, id)), [("sg", false), ("ph", true)]);
    assert_eq!(
        (ph.erasures_open(&Actor::node(), NOW_MS), sg.erasures_open(&Actor::node(), NOW_MS)),
        (1, 0)
    );
    pass(&ph, &mut sg);
    assert!(shown(&sg, id).content.is_none(), "before anything is shown");
    sg.tick(NOW_MS);
    pass(&sg, &mut ph);
    assert_eq!(unwitnessed(shown(&sg, id)), unwitnessed(shown(&ph, id)));
    let referral = shown(&sg, id);
    assert_eq!(referral.state(), api::ReferralState::ConsentWithdrawn);
    assert_eq!(confirmed(&referral), [("sg", true), ("ph", true)]);
    assert_eq!(referral.content_state(), api::BodyState::Erased);
    assert!(referral.consent.is_none());
    assert!(referral.events.iter().all(|event| event.note.is_empty() && event.effective));
    assert_eq!(
        (ph.erasures_open(&Actor::node(), NOW_MS), sg.erasures_open(&Actor::node(), NOW_MS)),
        (0, 0)
    );
    pass_entries(&sg, &mut qa);
    pass_entries(&ph, &mut qa);
    // Nothing more is written by itself, and nothing goes on.
    let size = sg.store.tree(&origin("sg")).size();
    for _ in 0..3 {
        sg.tick(NOW_MS + 120_000);
        ph.tick(NOW_MS + 120_000);
    }
    assert_eq!(sg.store.tree(&origin("sg")).size(), size);
    for command in [
        Command::ProvideInformation(v1::InformationProvided::default()),
        Command::Withdraw(v1::Withdrawn { code: 1 }),
    ] {
        assert!(matches!(one(&mut sg, advance(9, id, command, "more")), Err(Refused::State(_))));
    }
    // The log stands as it stood, and goes on.
    assert_eq!(sg.store.root_at(&origin("sg"), 2).unwrap(), root);
    for body in &bodies {
        for store in [&mut sg.store, &mut ph.store] {
            assert!(
                store.put_bodies(std::slice::from_ref(body)).is_err(),
                "it is never taken again"
            );
        }
    }
    drop((sg, ph, qa));
    for (dir, body) in dirs.iter().flat_map(|dir| bodies.iter().map(move |body| (dir, body))) {
        assert!(!is_anywhere(dir.path(), body.bytes()));
        assert!(!is_anywhere(dir.path(), b"CANARY Ward twel"));
    }
    let again = disk(&federation, "ph", dirs[1].path());
    assert_eq!(confirmed(&shown(&again, id)), [("sg", true), ("ph", true)]);
}

#[test]
fn what_was_durable_before_a_crash_is_erased_at_the_start_and_confirmed_then() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = told(&mut sg, &mut ph);
    let key = content(&ph, "sg", 0);
    let before = ph.store.clone();
    let requested =
        Command::RequestErasure(v1::ErasureRequested { ground: 1, ..Default::default() });
    one(&mut sg, advance(4, id, requested, "")).unwrap();
    pass(&sg, &mut ph);
    // As if the process had died between the event and the erasure: the old bodies, the new log.
    let mut crashed = before;
    let end = crashed.tree(&origin("sg"));
    let entries = ph.store.entries(&origin("sg"), end.size(), 9, usize::MAX).unwrap();
    let head = ph.store.head(&origin("sg")).unwrap();
    let batch = VerifiedBatch::verify(&end, end.size(), &entries, head, Vec::new()).unwrap();
    crashed.append(&batch, &[]).unwrap();
    let at = EventRef { origin: origin("sg"), index: 2 };
    let header = ph.header_at(&at).unwrap().unwrap();
    let record = header.body_key(Part::Record).unwrap();
    crashed.put_bodies(&[held(&ph, header.place(Part::Record), &record)]).unwrap();
    assert_eq!(crashed.body_state(&key), BodyState::Present);
    let mut ph = engine(&federation, "ph", crashed);
    assert_eq!(ph.store.body_state(&key), BodyState::Erased);
    assert_eq!(shown(&ph, id).state(), api::ReferralState::ErasureRequested);
    ph.tick(NOW_MS);
    assert_eq!(confirmed(&shown(&ph, id)), [("sg", false), ("ph", true)]);
}

#[test]
fn what_never_came_is_wanted_no_more_and_never_taken() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    let key = content(&sg, "sg", 0);
    let body = held(&sg, Place::new(&origin("sg"), 0, Part::Content), &key);
    pass_entries(&sg, &mut ph);
    let wanted = wants(&mut ph);
    let (record, content): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|want| want.part == Part::Record);
    pass_body(&sg, &mut ph, &record[0]);
    one(&mut sg, advance(2, id, withdraw_consent(), "")).unwrap();
    pass(&sg, &mut ph);
    assert_eq!(ph.bodies_wanted(), 0);
    let effect = tutti_core::session::Effect::Body { want: content[0].clone(), body };
    ph.run(effect, NOW_MS);
    assert_eq!(ph.store.body_state(&key), BodyState::Erased, "marked, though it never came");
    assert_eq!(shown(&ph, id).content_state(), api::BodyState::Erased);
    ph.tick(NOW_MS);
    assert_eq!(confirmed(&shown(&ph, id)), [("sg", false), ("ph", true)]);
}

#[test]
fn with_fresh_consent_the_case_is_told_anew_and_the_old_stays_gone() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = told(&mut sg, &mut ph);
    one(&mut sg, advance(4, id, withdraw_consent(), "")).unwrap();
    pass(&sg, &mut ph);
    let Write::Send { sent, content: case, .. } = send(5) else { panic!() };
    let reopened = v1::Reopened { code: 4, consent: None, information_disclosed: Vec::new() };
    let without = Command::Reopen(reopened.clone(), Some(case.clone()));
    assert!(matches!(one(&mut sg, advance(5, id, without, "")), Err(Refused::Invalid(_))));
    let fresh = v1::Reopened { consent: sent.consent, ..reopened };
    one(&mut sg, advance(6, id, Command::Reopen(fresh, Some(case)), "")).unwrap();
    pass(&sg, &mut ph);
    one(&mut ph, advance(7, id, Command::Accept, "We meet her on Friday.")).unwrap();
    pass(&ph, &mut sg);
    for node in [&mut sg, &mut ph] {
        node.tick(NOW_MS);
    }
    pass(&sg, &mut ph);
    pass(&ph, &mut sg);
    let referral = shown(&ph, id);
    assert_eq!(unwitnessed(referral.clone()), unwitnessed(shown(&sg, id)));
    assert_eq!(referral.state(), api::ReferralState::Accepted);
    assert_eq!(referral.content.as_ref().unwrap().person.as_ref().unwrap().name, "Jose Example");
    let notes: Vec<&str> = referral.events.iter().map(|event| event.note.as_str()).collect();
    assert!(notes.contains(&"We meet her on Friday.") && !notes.contains(&"CANARY Ward twelve."));
    assert_eq!(confirmed(&referral), [("sg", true), ("ph", true)]);
    let restarted = restarted(&federation, &ph, "ph");
    assert_eq!(shown(&restarted, id), referral, "the same from the first entry on");
}

#[test]
fn contents_go_when_their_time_has_passed() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = told(&mut sg, &mut ph);
    let end = shown(&ph, id).retained_until_ms;
    assert!(end > NOW_MS);
    ph.tick(end - 1);
    assert!(shown(&ph, id).content.is_some());
    ph.tick(end + 60_000);
    ph.tick(end + 62_000);
    let request =
        api::GetReferralRequest { id: id.to_string(), with_content: true, ..Default::default() };
    let referral = ph.referral(&Actor::node(), &request, end + 62_000).unwrap();
    assert_eq!(referral.erasure.as_ref().unwrap().reason, "retention");
    assert_eq!(confirmed(&referral), [("sg", false), ("ph", true)]);
    assert_eq!(ph.store.body_state(&content(&ph, "sg", 0)), BodyState::Erased);
    assert!(referral.content.is_none());
}

/// By the roster's time. What would be due at once is refused before it is signed; what is still written
/// gives the case no more time, and hides no receipt that is open.
#[test]
fn when_their_time_has_passed_nothing_goes_on_and_nothing_comes_back() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = told(&mut sg, &mut ph);
    let end = shown(&ph, id).retained_until_ms;
    ph.tick(end + 60_000);
    ph.tick(end + 62_000);
    let (later, size) = (end + 90_000, ph.store.tree(&origin("ph")).size());
    let decline = || Command::Decline(v1::Declined { code: v1::DeclineCode::NoCapacity as i32 });
    for (key, command, note) in [(7, Command::Accept, ""), (8, decline(), "CANARY No bed is free.")]
    {
        let refused = ph.write(vec![advance(key, id, command, note)], later).remove(0).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("the time to keep this case is over"), "{text}");
    }
    assert_eq!(ph.store.tree(&origin("ph")).size(), size, "nothing was signed");
    ph.write(vec![advance(9, id, decline(), "")], later).remove(0).unwrap();
    pass(&ph, &mut sg);
    let close = Command::Close(v1::Closed {
        outcome: v1::Outcome::NeedNotMet as i32,
        feedback: v1::Feedback::NotGiven as i32,
    });
    // sg has not looked whether the time of what it keeps has passed; it may say how the case ended.
    sg.write(vec![advance(10, id, close, "")], later + 60_000).remove(0).unwrap();
    pass(&sg, &mut ph);
    let request = api::GetReferralRequest { id: id.to_string(), ..Default::default() };
    for node in [&ph, &sg] {
        let referral = node.referral(&Actor::node(), &request, later + 120_000).unwrap();
        assert_eq!(referral.state(), api::ReferralState::Closed);
        assert_eq!(referral.retained_until_ms, end);
        assert_eq!(referral.erasure.as_ref().unwrap().reason, "retention");
        assert!(confirmed(&referral).contains(&("sg", false)), "{referral:#?}");
    }
    for at_ms in [later + 200_000, later + 300_000] {
        for node in [&mut sg, &mut ph] {
            node.tick(at_ms);
        }
    }
    pass(&ph, &mut sg);
    pass(&sg, &mut ph);
    for node in [&ph, &sg] {
        let referral = node.referral(&Actor::node(), &request, later + 400_000).unwrap();
        assert_eq!(confirmed(&referral), [("sg", true), ("ph", true)], "{referral:#?}");
    }
}

/// Its receipt says that the content is not here, and so it stays.
#[test]
fn a_clock_that_was_ahead_has_nothing_fetched_when_it_is_right_again() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    let key = content(&sg, "sg", 0);
    pass_entries(&sg, &mut ph);
    let record = wants(&mut ph).into_iter().find(|want| want.part == Part::Record).unwrap();
    pass_body(&sg, &mut ph, &record);
    let end = shown(&ph, id).retained_until_ms;
    assert_eq!(ph.bodies_wanted(), 1);
    ph.tick(end + 60_000);
    ph.tick(end + 62_000);
    let ph = restarted(&federation, &ph, "ph");
    assert_eq!(ph.bodies_wanted(), 0);
    assert_eq!(ph.store.body_state(&key), BodyState::Erased);
    assert_eq!(ph.store.tree(&origin("ph")).size(), 1, "the receipt");
}
