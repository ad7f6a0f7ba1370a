//! A case that is passed on to a third society, and the person's word that follows it.

use tutti_core::{
    referral::{CATEGORIES, EventRef},
    store::{BodyState, Reader},
};

use super::*;

/// The template's referral, whose person agrees that qa may have it, too.
pub(super) fn send_for_all(key: u8) -> Write {
    let Write::Send { key, mut sent, content } = send(key) else { panic!() };
    sent.consent.as_mut().unwrap().recipients.push("qa".into());
    Write::Send { key, sent, content }
}

pub(super) fn pass_on(key: u8, id: ReferralId) -> Write {
    Write::PassOn {
        key: [key; 16],
        id,
        to: society("qa"),
        told: None,
        services: vec![v1::ServiceCategory::LegalAssistance as i32],
        withhold: vec!["person.safe_contact".into(), "category.vulnerabilities".into()],
    }
}

/// `hour` by hour: the clock does not go back.
pub(super) fn all_pass(nodes: &mut [Node; 3], hour: u64) {
    // What is written by itself rests a second in between.
    for round in 0..4 {
        for node in nodes.iter_mut() {
            node.tick(NOW_MS + hour * 3_600_000 + round * 2000);
        }
        let [sg, ph, qa] = nodes;
        pass(sg, ph);
        pass(ph, sg);
        pass(ph, qa);
        pass(qa, ph);
        pass_entries(sg, qa);
        pass_entries(qa, sg);
    }
}

/// sg refers to ph, which passes the case on to qa.
fn passed_on(federation: &Federation) -> ([Node; 3], ReferralId, ReferralId) {
    let mut nodes = ["sg", "ph", "qa"].map(|code| node(federation, code));
    let first = id_of(&one(&mut nodes[0], send_for_all(1)).unwrap());
    all_pass(&mut nodes, 1);
    one(&mut nodes[1], advance(2, first, Command::Acknowledge, "")).unwrap();
    let onward = id_of(&one(&mut nodes[1], pass_on(3, first)).unwrap());
    all_pass(&mut nodes, 2);
    (nodes, first, onward)
}

pub(super) fn withdraw_consent() -> Command {
    Command::WithdrawConsent(v1::ConsentWithdrawn { by: 1, form: 2, ..Default::default() })
}

/// Taken up again, with the consent and the content that this one is sent with.
fn taken_up_again(write: Write) -> Command {
    let Write::Send { sent, content, .. } = write else { panic!() };
    let reopened =
        v1::Reopened { code: 4, consent: sent.consent, information_disclosed: Vec::new() };
    Command::Reopen(reopened, Some(content))
}

/// What each side says of those further on: society, stopped, confirmed.
pub(super) fn further_on(referral: &api::Referral) -> Vec<(&str, bool, bool)> {
    let sides = referral.erasure.iter().flat_map(|erasure| &erasure.confirmations);
    sides.flat_map(|s| &s.onward).map(|o| (o.society.as_str(), o.stopped, o.confirmed)).collect()
}

#[test]
fn a_case_is_passed_on_as_far_as_the_person_agreed_and_both_ends_see_their_part() {
    let federation = federation();
    let ([mut sg, mut ph, qa], first, onward) = passed_on(&federation);
    let seen = shown(&sg, first);
    assert_eq!(seen.onward, [onward.to_string()]);
    assert_eq!(seen.events.last().unwrap().transition, "onward");
    assert!(
        sg.referral(
            &Actor::node(),
            &api::GetReferralRequest { id: onward.to_string(), ..Default::default() },
            NOW_MS
        )
        .is_err()
    );
    let got = shown(&qa, onward);
    let sent = got.sent.unwrap();
    assert_eq!(sent.onward_of, first.as_bytes());
    assert_eq!((got.sender.as_str(), got.receiver.as_str()), ("ph", "qa"));
    assert_eq!(sent.services_requested, [v1::ServiceCategory::LegalAssistance as i32]);
    let case = got.content.unwrap();
    let person = case.person.unwrap();
    assert_eq!((person.name.as_str(), person.safe_contact.as_str()), ("Jose Example", ""));
    assert!(sent.information_withheld.contains(&"person.safe_contact".into()));
    // What the record tells is left out as the case is.
    assert!(sent.information_withheld.contains(&"category.vulnerabilities".into()));
    assert!(seen.sent.unwrap().vulnerabilities.len() == 1 && sent.vulnerabilities.is_empty());
    assert!(!sent.information_disclosed.contains(&"category.vulnerabilities".into()));
    assert!(sent.information_disclosed.contains(&"category.sex".into()));
    assert!(case.focal_point.is_none(), "that is at the first society");
    assert!(qa.case(&first).is_none());
    // The same key again is the same write, here as after a restart; another is a second one.
    let again = one(&mut ph, pass_on(3, first)).unwrap();
    assert_eq!(id_of(&again), onward);
    let mut ph = restarted(&federation, &ph, "ph");
    assert_eq!(one(&mut ph, pass_on(3, first)).unwrap(), again);
    assert!(matches!(one(&mut ph, pass_on(4, first)), Err(Refused::State(_))), "a duplicate");
    // It is not for the sender to pass on, and nobody passes on by sending.
    assert!(matches!(one(&mut sg, pass_on(5, first)), Err(Refused::NotAllowed(_))));
    let Write::Send { key, mut sent, content } = send_for_all(6) else { panic!() };
    sent.onward_of = first.as_bytes().to_vec();
    assert!(one(&mut ph, Write::Send { key, sent, content }).is_err());
}

#[test]
fn what_the_person_has_not_agreed_to_is_not_passed_on() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let first = id_of(&one(&mut sg, send(1)).unwrap());
    pass(&sg, &mut ph);
    one(&mut ph, advance(2, first, Command::Acknowledge, "")).unwrap();
    let size = ph.store.tree(&origin("ph")).size();
    let refused = |ph: &mut Node, write| match one(ph, write) {
        Err(Refused::State(why) | Refused::Invalid(why)) => why,
        other => panic!("{other:?}"),
    };
    let why = refused(&mut ph, pass_on(3, first));
    assert!(why.contains("does not name that society") && why.contains("renew-consent"), "{why}");
    // The person agrees that qa has it, but not to everything, and to one use.
    let Write::Send { sent, content, .. } = send_for_all(4) else { panic!() };
    let mut consent = sent.consent.clone().unwrap();
    let fields = ["person.name", "reason"].into_iter().chain(CATEGORIES);
    // All that the record tells, but for one.
    consent.fields = fields.filter(|name| *name != "category.sex").map(String::from).collect();
    let renewed = Command::RenewConsent(v1::ConsentRenewed { consent: Some(consent.clone()) });
    one(&mut ph, advance(4, first, renewed.clone(), "")).unwrap();
    // ph's word alone lets nothing go to qa: sg has to know.
    let why = refused(&mut ph, pass_on(5, first));
    assert!(why.contains("nobody at sg") && why.contains("confirm-consent"), "{why}");
    // sg confirms it, word for word: that is no renewal of its own.
    pass(&ph, &mut sg);
    one(&mut sg, advance(11, first, renewed, "")).unwrap();
    pass(&sg, &mut ph);
    for node in [&sg, &ph] {
        let standing = shown(node, first).consent_standing.unwrap();
        assert_eq!((standing.society.as_str(), standing.unseen_by.as_str()), ("ph", ""));
    }
    assert!(refused(&mut ph, pass_on(5, first)).contains("every field"));
    let told = |change: &dyn Fn(&mut v1::Sent, &mut v1::ReferralContent)| {
        let mut told = (*sent.clone(), (*content).clone());
        told.0.consent = Some(consent.clone());
        told.1 =
            v1::ReferralContent { reason: "She wishes to go home.".into(), ..Default::default() };
        told.0.information_withheld.clear();
        told.0.sex = 0;
        change(&mut told.0, &mut told.1);
        Write::PassOn {
            key: [7; 16],
            id: first,
            to: society("qa"),
            told: Some(Box::new(told)),
            services: Vec::new(),
            withhold: Vec::new(),
        }
    };
    // A wider consent in the new form does not widen what the person agreed to with the first.
    let wide = told(&|sent, case| {
        sent.consent.as_mut().unwrap().fields.clear();
        case.risk = "many".into();
    });
    assert!(refused(&mut ph, wide).contains("every field"));
    let with_sex = told(&|sent, _| {
        sent.consent.as_mut().unwrap().fields.clear();
        sent.sex = v1::Sex::Female as i32;
    });
    assert!(refused(&mut ph, with_sex).contains("every field"));
    let other_use = told(&|sent, _| {
        sent.purpose = v1::Purpose::FamilyLinks as i32;
        sent.consent.as_mut().unwrap().purposes.push(v1::Purpose::FamilyLinks as i32);
    });
    assert!(refused(&mut ph, other_use).contains("that use"));
    let to_employer = told(&|sent, _| sent.restrictions.clear());
    assert!(refused(&mut ph, to_employer).contains("restrictions"));
    let none = Write::PassOn {
        key: [8; 16],
        id: first,
        to: society("qa"),
        told: None,
        services: Vec::new(),
        withhold: vec!["name".into()],
    };
    assert!(refused(&mut ph, none).contains("person.name"));
    assert_eq!(ph.store.tree(&origin("ph")).size(), size + 1, "the renewal alone was written");
    one(&mut ph, told(&|_, _| {})).unwrap();
    // After a withdrawal nothing is passed on, and it is said why.
    one(&mut ph, advance(9, first, withdraw_consent(), "")).unwrap();
    let why = refused(&mut ph, pass_on(10, first));
    assert!(why.contains("consent_withdrawn"), "{why}");
}

#[test]
fn a_withdrawal_reaches_the_third_society_and_the_first_sees_that_it_did() {
    let federation = federation();
    let (mut nodes, first, onward) = passed_on(&federation);
    let at = EventRef { origin: origin("ph"), index: 1 };
    let header = nodes[1].header_at(&at).unwrap().unwrap();
    let case = header.body_key(Part::Content).unwrap();
    assert_eq!(nodes[2].store.body_state(&case), BodyState::Present);
    one(&mut nodes[0], advance(4, first, withdraw_consent(), "")).unwrap();
    // ph hears of it: before it shows anything it has stopped and erased what it passed on.
    let [sg, ph, qa] = &mut nodes;
    pass(sg, ph);
    assert!(shown(ph, onward).content.is_none(), "even before anything else happens");
    ph.tick(NOW_MS);
    assert_eq!(ph.store.body_state(&case), BodyState::Erased);
    pass(ph, sg);
    assert_eq!(further_on(&shown(sg, first)), [("qa", true, false)]);
    assert_eq!(
        sg.erasures_open(&Actor::node(), NOW_MS),
        1,
        "until the third society has confirmed"
    );
    pass(ph, qa);
    assert_eq!(qa.store.body_state(&case), BodyState::Erased);
    let there = shown(qa, onward);
    assert_eq!(there.state(), api::ReferralState::ConsentWithdrawn);
    assert!(there.content.is_none() && there.consent.is_none());
    let told = there.events.iter().find(|event| event.transition == "consent_withdrawn").unwrap();
    assert_eq!((told.society.as_str(), told.code.as_str()), ("ph", "person"));
    all_pass(&mut nodes, 3);
    for node in &nodes[..2] {
        let referral = shown(node, first);
        assert_eq!(further_on(&referral), [("qa", true, true)]);
        assert_eq!(node.erasures_open(&Actor::node(), NOW_MS), 0);
    }
    // Nothing more is written by itself.
    let sizes = |nodes: &[Node; 3]| {
        ["sg", "ph", "qa"].map(|code| nodes[1].store.tree(&origin(code)).size())
    };
    let before = sizes(&nodes);
    all_pass(&mut nodes, 4);
    assert_eq!(sizes(&nodes), before);
    // The same after a restart from nothing but the logs.
    let again = restarted(&federation, &nodes[1], "ph");
    assert_eq!(shown(&again, first), shown(&nodes[1], first));
    // With fresh consent the two go on; what was passed on stays stopped until it is reopened, too.
    let reopen = taken_up_again(send_for_all(5));
    one(&mut nodes[0], advance(6, first, reopen.clone(), "")).unwrap();
    all_pass(&mut nodes, 5);
    assert_eq!(shown(&nodes[2], onward).state(), api::ReferralState::ConsentWithdrawn);
    let Command::Reopen(mut reopened, case) = reopen else { panic!() };
    reopened.consent.as_mut().unwrap().recipients = vec!["qa".into()];
    one(&mut nodes[1], advance(7, onward, Command::Reopen(reopened, case), "")).unwrap();
    all_pass(&mut nodes, 6);
    assert_eq!(shown(&nodes[2], onward).state(), api::ReferralState::Acknowledged);
    assert!(shown(&nodes[2], onward).content.is_some());
    // A second withdrawal is carried, too.
    one(&mut nodes[1], advance(8, first, withdraw_consent(), "")).unwrap();
    assert!(shown(&nodes[1], onward).content.is_none(), "at once");
    all_pass(&mut nodes, 7);
    assert_eq!(shown(&nodes[2], onward).state(), api::ReferralState::ConsentWithdrawn);
    assert_eq!(further_on(&shown(&nodes[0], first)), [("qa", true, true)]);
}

#[test]
fn whoever_was_away_carries_it_when_it_comes_back_also_where_all_was_reopened_meanwhile() {
    let federation = federation();
    let (mut nodes, first, onward) = passed_on(&federation);
    let requested = v1::ErasureRequested { ground: 1, ..Default::default() };
    one(&mut nodes[0], advance(4, first, Command::RequestErasure(requested), "")).unwrap();
    nodes[0].tick(NOW_MS);
    one(&mut nodes[0], advance(6, first, taken_up_again(send(5)), "")).unwrap();
    all_pass(&mut nodes, 8);
    let there = shown(&nodes[2], onward);
    assert_eq!(there.state(), api::ReferralState::ErasureRequested);
    assert!(there.content.is_none());
    let here = shown(&nodes[1], first);
    assert_eq!(here.state(), api::ReferralState::Acknowledged);
    assert!(here.content.is_some(), "what was told anew stays");
}

#[test]
fn a_node_that_can_write_nothing_shows_nothing_either_and_carries_it_later() {
    let federation = federation();
    let (mut nodes, first, onward) = passed_on(&federation);
    one(&mut nodes[0], advance(4, first, withdraw_consent(), "")).unwrap();
    let [sg, ph, _] = &mut nodes;
    let mode = ph.mode.clone();
    ph.mode = crate::engine::Mode::Fenced { known: None };
    let size = ph.store.tree(&origin("ph")).size();
    pass(sg, ph);
    ph.tick(NOW_MS);
    assert_eq!(ph.store.tree(&origin("ph")).size(), size);
    let hidden = shown(ph, onward);
    assert!(hidden.content.is_none());
    assert_eq!(hidden.content_state(), api::BodyState::Erased);
    ph.mode = mode;
    ph.tick(NOW_MS + 2000);
    assert_eq!(shown(ph, onward).state(), api::ReferralState::ConsentWithdrawn);
}

/// A side, whether it has confirmed, and whether those before it have stopped and confirmed.
type Claim<'a> = (&'a str, bool, Option<(bool, bool)>);

/// Who has confirmed the erasure of the content of a referral, as shown there: each side, and what
/// it says of those before.
fn confirmed(referral: &api::Referral) -> Vec<Claim<'_>> {
    let sides = referral.erasure.iter().flat_map(|erasure| &erasure.confirmations);
    let earlier =
        |side: &api::ErasureConfirmation| side.earlier.map(|it| (it.stopped, it.confirmed));
    sides.map(|side| (side.society.as_str(), side.confirmed, earlier(side))).collect()
}

/// A word that a node carries by itself says nothing of whether anybody there has looked.
#[test]
fn what_a_node_carries_by_itself_is_nobodys_having_seen() {
    use api::Delivery::{Saved, Seen};
    let federation = federation();
    let (mut nodes, first, onward) = passed_on(&federation);
    let own_steps = |node: &Node, id| {
        let shown = shown_with_delivery(node, id);
        let own =
            shown.events.iter().filter(|event| event.delivery() != api::Delivery::Unspecified);
        own.map(|event| (event.transition.clone(), event.delivery())).collect::<Vec<_>>()
    };
    // Nobody at ph has gone on with what sg wrote last.
    one(&mut nodes[0], advance(4, first, Command::Correct(correction(0), None), "Ward 7."))
        .unwrap();
    all_pass(&mut nodes, 3);
    let before = [("sent".to_owned(), Seen), ("corrected".to_owned(), Saved)];
    assert_eq!(own_steps(&nodes[0], first), before);
    // qa has the person's word; ph's node carries it to sg, having the correction. Nobody there looked.
    one(&mut nodes[2], advance(5, onward, withdraw_consent(), "")).unwrap();
    all_pass(&mut nodes, 4);
    assert_eq!(shown(&nodes[0], first).state(), api::ReferralState::ConsentWithdrawn);
    assert_eq!(own_steps(&nodes[0], first)[..2], before);
    // A person at ph says it, too.
    one(&mut nodes[1], advance(6, first, withdraw_consent(), "")).unwrap();
    all_pass(&mut nodes, 5);
    assert_eq!(own_steps(&nodes[0], first)[1], ("corrected".to_owned(), Seen));
}

fn correction(index: u64) -> v1::Corrected {
    let event = Some(v1::Seen { origin: origin("sg").to_string(), index });
    v1::Corrected { event, ..Default::default() }
}

#[test]
fn a_word_for_the_whole_case_at_the_third_society_reaches_the_first_and_all_see_who_confirmed() {
    let federation = federation();
    let (mut nodes, first, onward) = passed_on(&federation);
    one(&mut nodes[2], advance(4, onward, withdraw_consent(), "")).unwrap();
    let [sg, ph, qa] = &mut nodes;
    let told = shown(qa, onward);
    assert_eq!(told.events.last().unwrap().extent, "case");
    assert_eq!(confirmed(&told), [("ph", false, Some((false, false))), ("qa", false, None)]);
    assert_eq!(qa.erasures_open(&Actor::node(), NOW_MS), 1);
    // ph hears of it: before it shows anything it has stopped what it had from sg, too.
    pass(qa, ph);
    let here = shown(ph, first);
    assert!(here.content.is_none(), "even before anything else happens");
    ph.tick(NOW_MS);
    let here = shown(ph, first);
    assert_eq!(here.state(), api::ReferralState::ConsentWithdrawn);
    let event = here.events.iter().find(|event| event.transition == "consent_withdrawn").unwrap();
    assert_eq!((event.society.as_str(), event.code.as_str()), ("ph", "person"));
    // sg is told, stops and erases; it learns nothing of the other referral but that it is.
    pass(ph, sg);
    assert_eq!(shown(sg, first).state(), api::ReferralState::ConsentWithdrawn);
    assert!(shown(sg, first).content.is_none());
    let bodies = |node: &Node, code: &str| {
        let header = node
            .header_at(&EventRef { origin: origin(code), index: u64::from(code == "ph") })
            .unwrap()
            .unwrap();
        node.store.body_state(&header.body_key(Part::Content).unwrap())
    };
    sg.tick(NOW_MS);
    assert_eq!((bodies(sg, "sg"), bodies(ph, "sg")), (BodyState::Erased, BodyState::Erased));
    pass(ph, qa);
    assert_eq!(confirmed(&shown(qa, onward))[0].2, Some((true, false)), "sg has not confirmed");
    all_pass(&mut nodes, 3);
    for node in &nodes[..2] {
        let referral = shown(node, first);
        assert_eq!(confirmed(&referral), [("sg", true, None), ("ph", true, None)]);
        assert_eq!(further_on(&referral), [("qa", true, true)]);
    }
    let there = shown(&nodes[2], onward);
    assert_eq!(confirmed(&there), [("ph", true, Some((true, true))), ("qa", true, None)]);
    let open =
        |nodes: &[Node; 3]| nodes.each_ref().map(|node| node.erasures_open(&Actor::node(), NOW_MS));
    assert_eq!(open(&nodes), [0, 0, 0]);
    // Each word goes over each link once: nothing more is written by itself, after a start neither.
    let sizes = |nodes: &[Node; 3]| {
        ["sg", "ph", "qa"].map(|code| nodes[1].store.tree(&origin(code)).size())
    };
    let before = sizes(&nodes);
    all_pass(&mut nodes, 4);
    nodes[1] = restarted(&federation, &nodes[1], "ph");
    all_pass(&mut nodes, 5);
    assert_eq!(sizes(&nodes), before);
    // The two take it up again with fresh consent: the same word is not carried a second time.
    one(&mut nodes[0], advance(6, first, taken_up_again(send_for_all(5)), "")).unwrap();
    all_pass(&mut nodes, 6);
    assert_eq!(shown(&nodes[1], first).state(), api::ReferralState::Acknowledged);
    assert!(shown(&nodes[1], first).content.is_some());
    assert_eq!(shown(&nodes[2], onward).state(), api::ReferralState::ConsentWithdrawn);
    // A second word is.
    one(&mut nodes[2], advance(7, onward, withdraw_consent(), "")).unwrap();
    all_pass(&mut nodes, 7);
    assert_eq!(shown(&nodes[0], first).state(), api::ReferralState::ConsentWithdrawn);
    assert_eq!(open(&nodes), [0, 0, 0]);
}

#[test]
fn what_came_back_from_a_referral_that_is_then_taken_up_again_stays_confirmed_there() {
    let federation = federation();
    let (mut nodes, first, onward) = passed_on(&federation);
    one(&mut nodes[2], advance(4, onward, withdraw_consent(), "")).unwrap();
    all_pass(&mut nodes, 3);
    assert_eq!(further_on(&shown(&nodes[0], first)), [("qa", true, true)]);
    one(&mut nodes[1], advance(6, onward, taken_up_again(send_for_all(5)), "")).unwrap();
    all_pass(&mut nodes, 4);
    assert_eq!(shown(&nodes[2], onward).state(), api::ReferralState::Acknowledged);
    // What was there before is gone there, on both sides' word.
    for node in &nodes[..2] {
        assert_eq!(further_on(&shown(node, first)), [("qa", true, true)]);
    }
}

#[test]
fn a_word_for_one_referral_goes_no_further_back_and_one_for_the_case_reaches_its_other_branches() {
    let federation = federation();
    let (mut nodes, first, onward) = passed_on(&federation);
    let Write::PassOn { id, to, told, withhold, .. } = pass_on(9, first) else { panic!() };
    let services = vec![v1::ServiceCategory::Health as i32];
    let second = Write::PassOn { key: [9; 16], id, to, told, services, withhold };
    let second = id_of(&one(&mut nodes[1], second).unwrap());
    all_pass(&mut nodes, 3);
    let only_here = Command::WithdrawConsent(v1::ConsentWithdrawn {
        by: 1,
        extent: v1::Extent::Referral as i32,
        ..Default::default()
    });
    one(&mut nodes[2], advance(4, onward, only_here, "")).unwrap();
    all_pass(&mut nodes, 4);
    let there = shown(&nodes[2], onward);
    assert_eq!(there.state(), api::ReferralState::ConsentWithdrawn);
    assert_eq!(confirmed(&there), [("ph", true, None), ("qa", true, None)]);
    for node in &nodes[..2] {
        assert_eq!(shown(node, first).state(), api::ReferralState::Acknowledged);
        assert!(shown(node, first).content.is_some() && shown(node, first).erasure.is_none());
    }
    assert!(shown(&nodes[2], second).content.is_some());
    // What an authority asks of one holder is no word of the person's, and cannot be made one.
    let asked = |ground: v1::ErasureGround, extent: i32| {
        let (ground, carried) = (ground as i32, Vec::new());
        Command::RequestErasure(v1::ErasureRequested { ground, carried, extent })
    };
    let case = v1::Extent::Case as i32;
    let refused = advance(5, second, asked(v1::ErasureGround::Authority, case), "");
    assert!(
        matches!(one(&mut nodes[2], refused), Err(Refused::Invalid(why)) if why.contains("extent"))
    );
    let authority = asked(v1::ErasureGround::Authority, 0);
    one(&mut nodes[2], advance(6, second, authority, "")).unwrap();
    all_pass(&mut nodes, 5);
    assert_eq!(shown(&nodes[1], second).state(), api::ReferralState::ErasureRequested);
    assert!(shown(&nodes[1], first).content.is_some());
    // The person asks at the society in between, and on the other referral: all is erased.
    one(&mut nodes[1], advance(7, second, asked(v1::ErasureGround::Person, 0), "")).unwrap();
    all_pass(&mut nodes, 6);
    let here = shown(&nodes[0], first);
    assert_eq!(here.state(), api::ReferralState::ErasureRequested);
    assert_eq!(further_on(&here), [("qa", true, true), ("qa", true, true)]);
    assert_eq!(nodes[0].erasures_open(&Actor::node(), NOW_MS), 0);
    assert_eq!(nodes[2].erasures_open(&Actor::node(), NOW_MS), 0);
}

#[test]
fn a_node_that_can_write_nothing_hides_what_a_third_societys_word_stops_and_carries_it_later() {
    let federation = federation();
    let (mut nodes, first, onward) = passed_on(&federation);
    one(&mut nodes[2], advance(4, onward, withdraw_consent(), "")).unwrap();
    let [_, ph, qa] = &mut nodes;
    let mode = ph.mode.clone();
    ph.mode = crate::engine::Mode::Fenced { known: None };
    pass(qa, ph);
    ph.tick(NOW_MS);
    let hidden = shown(ph, first);
    assert!(hidden.content.is_none());
    assert_eq!(hidden.content_state(), api::BodyState::Erased);
    assert_eq!(hidden.state(), api::ReferralState::Acknowledged, "it is not written yet");
    ph.mode = mode;
    ph.tick(NOW_MS + 2000);
    assert_eq!(shown(ph, first).state(), api::ReferralState::ConsentWithdrawn);
}
