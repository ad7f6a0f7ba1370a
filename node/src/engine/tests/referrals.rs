use super::*;

#[test]
fn one_referral_from_end_to_end_and_a_witness_who_reads_nothing() {
    let federation = federation();
    let [mut sg, mut ph, mut qa] = ["sg", "ph", "qa"].map(|code| node(&federation, code));
    let sent = one(&mut sg, send(1)).unwrap();
    assert_eq!((sent.index, &sent.origin, sent.recorded_at_ms), (0, &origin("sg"), NOW_MS));
    let id = id_of(&sent);
    pass(&sg, &mut ph);
    let steps: [(&str, Command, &str); 6] = [
        ("ph", Command::Acknowledge, ""),
        ("ph", Command::RequestInformation(v1::InformationRequested::default()), "Which ward?"),
        ("sg", Command::ProvideInformation(v1::InformationProvided::default()), "Ward 12."),
        ("ph", Command::Accept, ""),
        (
            "ph",
            Command::Deliver(v1::ServiceDelivered {
                result: v1::DeliveryResult::Fully as i32,
                services_delivered: vec![v1::ServiceCategory::FamilyContact as i32],
            }),
            "Home in Iloilo.",
        ),
        (
            "sg",
            Command::Close(v1::Closed {
                outcome: v1::Outcome::NeedMet as i32,
                feedback: v1::Feedback::Satisfied as i32,
            }),
            "",
        ),
    ];
    for (key, (by, command, note)) in (2..).zip(steps) {
        let write = advance(key, id, command, note);
        one(if by == "sg" { &mut sg } else { &mut ph }, write).unwrap();
        pass(&sg, &mut ph);
        pass(&ph, &mut sg);
        assert_eq!(shown(&sg, id), shown(&ph, id));
    }
    let referral = shown(&ph, id);
    assert_eq!(referral.state(), api::ReferralState::Closed);
    assert_eq!((referral.sender.as_str(), referral.receiver.as_str()), ("sg", "ph"));
    assert!(referral.events.iter().all(|event| event.effective && event.explanation.is_empty()));
    let told: Vec<(&str, &str, &str)> = referral
        .events
        .iter()
        .map(|e| (e.transition.as_str(), e.code.as_str(), e.note.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("sent", "", ""),
            ("acknowledged", "", ""),
            ("information_requested", "", "Which ward?"),
            ("information_provided", "", "Ward 12."),
            ("accepted", "", ""),
            ("service_delivered", "fully", "Home in Iloilo."),
            ("closed", "need_met", ""),
        ]
    );
    let content = referral.content.unwrap();
    assert_eq!(content.person.unwrap().name, "Jose Example");
    assert_eq!(referral.content_state, api::BodyState::Present as i32);
    let disclosed = referral.sent.unwrap().information_disclosed;
    assert!(disclosed.contains(&"person.name".into()), "{disclosed:?}");
    // Without being asked for, nothing of the person is shown.
    let request =
        api::GetReferralRequest { id: id.to_string(), with_content: false, ..Default::default() };
    let without = sg.referral(&Actor::node(), &request, NOW_MS).unwrap();
    assert!(without.content.is_none() && without.events.iter().all(|e| e.note.is_empty()));

    // Qatar holds every entry and can read, ask for and claim none of it.
    pass_entries(&sg, &mut qa);
    pass_entries(&ph, &mut qa);
    assert_eq!(qa.store.tree(&origin("sg")).size(), 3);
    assert_eq!(qa.store.tree(&origin("ph")).size(), 4);
    assert!(wants(&mut qa).is_empty());
    assert_eq!(qa.bodies_wanted(), 0);
    let entries = qa.entries(&Actor::node(), &origin("sg"), 0, 100).unwrap();
    assert!(entries.iter().all(|entry| entry.summary == "sealed for others"));
    assert!(matches!(qa.referral(&Actor::node(), &request, NOW_MS), Err(Refused::NotFound(_))));
    assert_eq!(
        qa.referrals(&Actor::node(), &Default::default(), NOW_MS).unwrap().referrals.len(),
        0
    );
    let own = sg.entries(&Actor::node(), &origin("sg"), 0, 1).unwrap();
    assert_eq!(own[0].summary, format!("referral {id} sent to ph"));
}

/// What a society has recorded reaches whoever it is for: when the appointment is, what was given, what
/// the person thought of it, what was asked for, and which entry was taken back.
#[test]
fn all_that_a_record_says_is_shown_at_both_ends() {
    use v1::referral_event::Transition as T;
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    let asked = v1::InformationRequested { fields: vec!["person.languages".into()] };
    let told = v1::InformationProvided { information_disclosed: vec!["reason".into()] };
    let appointment = v1::AppointmentScheduled { at: 1_764_100_000 };
    let missed = v1::AppointmentMissed { code: 1 };
    let event = Some(v1::Seen { origin: origin("ph").to_string(), index: 3 });
    let taken_back = v1::EnteredInError { event, ..Default::default() };
    let services = [v1::ServiceCategory::FamilyContact, v1::ServiceCategory::Cash];
    let delivered = v1::ServiceDelivered {
        result: v1::DeliveryResult::Partly as i32,
        services_delivered: services.map(|service| service as i32).to_vec(),
    };
    let closed = v1::Closed {
        outcome: v1::Outcome::NeedMet as i32,
        feedback: v1::Feedback::NotSatisfied as i32,
    };
    let steps: [(&str, Command, &str); 8] = [
        ("ph", Command::RequestInformation(asked.clone()), ""),
        ("sg", Command::ProvideInformation(told.clone()), "He fell."),
        ("ph", Command::Accept, ""),
        ("ph", Command::Schedule(appointment), ""),
        ("ph", Command::Miss(missed), ""),
        ("ph", Command::EnterInError(taken_back.clone()), ""),
        ("ph", Command::Deliver(delivered.clone()), ""),
        ("sg", Command::Close(closed), ""),
    ];
    for (key, (by, command, note)) in (2..).zip(steps) {
        pass(&sg, &mut ph);
        pass(&ph, &mut sg);
        let write = advance(key, id, command, note);
        one(if by == "sg" { &mut sg } else { &mut ph }, write).unwrap();
    }
    pass(&sg, &mut ph);
    for node in [&sg, &ph] {
        let referral = shown(node, id);
        let mut events = referral.events.into_iter().map(|event| event.event.unwrap());
        let sent = events.next().unwrap();
        let Some(T::Sent(sent)) = sent.transition else { panic!() };
        assert_eq!(Some(sent), referral.sent);
        let said: Vec<T> = events.map(|event| event.transition.unwrap()).collect();
        let expected = [
            T::InformationRequested(asked.clone()),
            T::InformationProvided(told.clone()),
            T::Accepted(v1::Accepted {}),
            T::AppointmentScheduled(appointment),
            T::AppointmentMissed(missed),
            T::EnteredInError(taken_back.clone()),
            T::ServiceDelivered(delivered.clone()),
            T::Closed(closed),
        ];
        assert_eq!(said, expected);
    }
}

#[test]
fn a_decline_says_whose_reason_it_was() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    for (key, code, whose) in [
        (1, v1::DeclineCode::NoCapacity, "provider"),
        (2, v1::DeclineCode::PersonUnreachable, "person"),
        (3, v1::DeclineCode::Other, ""),
    ] {
        let id = id_of(&one(&mut sg, send(key)).unwrap());
        pass(&sg, &mut ph);
        let declined = Command::Decline(v1::Declined { code: code as i32 });
        one(&mut ph, advance(key + 10, id, declined, "The ward is closed.")).unwrap();
        pass(&ph, &mut sg);
        for node in [&sg, &ph] {
            let events = shown(node, id).events;
            let told: Vec<&str> = events.iter().map(|event| event.reason_of.as_str()).collect();
            assert_eq!(told, ["", whose]);
        }
    }
}

/// What is shown of the person's word is how it stands, at both ends: who renewed it, whether the other
/// has gone on with that, when it has ended, and that it was withdrawn.
#[test]
fn the_persons_word_is_shown_as_it_stands() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    let both = |sg: &mut Node, ph: &mut Node| {
        pass(sg, ph);
        pass(ph, sg);
        let [here, there] = [&*sg, &*ph].map(|node| shown(node, id).consent_standing.unwrap());
        assert_eq!(here, there);
        (here.word, here.society, here.unseen_by)
    };
    let is =
        |word: &str, by: &str, unseen: &str| (word.to_owned(), by.to_owned(), unseen.to_owned());
    assert_eq!(both(&mut sg, &mut ph), is("given", "sg", ""));
    one(&mut ph, advance(2, id, Command::Accept, "")).unwrap();
    pass(&ph, &mut sg);
    let Write::Send { sent, .. } = send(3) else { panic!() };
    let until = NOW_MS / 1000 + 3600;
    let consent = v1::Consent { expires_at: until, ..sent.consent.unwrap() };
    let renewed = v1::ConsentRenewed { consent: Some(consent.clone()) };
    one(&mut ph, advance(4, id, Command::RenewConsent(renewed), "")).unwrap();
    assert_eq!(both(&mut sg, &mut ph), is("renewed", "ph", "sg"));
    assert_eq!(shown(&sg, id).consent, Some(consent.clone()));
    let follow_up = Command::FollowUp(v1::FollowUp { result: 1 });
    one(&mut sg, advance(5, id, follow_up, "")).unwrap();
    assert_eq!(both(&mut sg, &mut ph), is("renewed", "ph", ""));
    let request = api::GetReferralRequest { id: id.to_string(), ..Default::default() };
    let later = ph.referral(&Actor::node(), &request, until * 1000).unwrap();
    let standing = later.consent_standing.unwrap();
    assert_eq!((standing.word.as_str(), standing.ends_at_ms), ("ended", until * 1000));
    let withdrawn = v1::ConsentWithdrawn { by: 1, form: 2, ..Default::default() };
    one(&mut sg, advance(6, id, Command::WithdrawConsent(withdrawn), "")).unwrap();
    assert_eq!(both(&mut sg, &mut ph), is("withdrawn", "sg", ""));
    let gone = shown(&ph, id);
    assert!(gone.consent.is_none() && gone.consent_standing.unwrap().ends_at_ms == 0);
}

#[test]
fn nothing_of_the_person_is_in_what_is_stored() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    one(&mut sg, send(1)).unwrap();
    let entries = sg.store.entries(&origin("sg"), 0, 10, usize::MAX).unwrap();
    let mut kept: Vec<u8> = entries.iter().flat_map(|e| e.as_slice().to_vec()).collect();
    let header = sg
        .header_at(&tutti_core::referral::EventRef { origin: origin("sg"), index: 0 })
        .unwrap()
        .unwrap();
    let [record, content] = Part::ALL.map(|part| {
        sg.store.body(&header.body_key(part).unwrap(), 0, usize::MAX).unwrap().unwrap()
    });
    kept.extend(record.iter().chain(&content));
    for canary in ["Jose", "Iloilo", "SG-2025-0117", "repatriation"] {
        assert!(!kept.windows(canary.len()).any(|bytes| bytes == canary.as_bytes()), "{canary}");
    }
    // The auditor opens the record and not the content; the case key opens both.
    for code in ["sg", "ph"] {
        let keyring = federation.keyring(code);
        let opened = tutti_core::sealing::open(&record, &[&keyring.audit]).unwrap();
        assert!(!opened.windows(4).any(|bytes| bytes == b"Jose"));
        assert!(tutti_core::sealing::open(&content, &[&keyring.audit]).is_err());
        assert!(tutti_core::sealing::open(&content, &[&keyring.case]).is_ok());
    }
    let stranger = federation.keyring("qa");
    for body in [&record, &content] {
        let keys = [&stranger.case, &stranger.audit];
        assert!(tutti_core::sealing::open(body, &keys).is_err());
    }
}

#[test]
fn a_race_ends_the_same_at_both_ends() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    pass(&sg, &mut ph);
    one(&mut ph, advance(2, id, Command::Accept, "")).unwrap();
    one(&mut sg, advance(3, id, withdraw(), "")).unwrap();
    assert_eq!(shown(&ph, id).state(), api::ReferralState::Accepted);
    pass(&sg, &mut ph);
    pass(&ph, &mut sg);
    let referral = shown(&ph, id);
    assert_eq!(referral, shown(&sg, id));
    assert_eq!(referral.state(), api::ReferralState::Withdrawn);
    let lost = referral.events.iter().find(|event| !event.effective).unwrap();
    assert_eq!(lost.transition, "accepted");
    assert_eq!(
        lost.explanation,
        "overtaken by withdrawn (sg entry 1), which its author had not seen"
    );
    let refused = one(&mut ph, advance(4, id, decline(), "")).unwrap_err();
    assert!(matches!(refused, Refused::State(_)), "{refused}");
}

#[test]
fn a_key_writes_once_also_after_a_restart() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let first = one(&mut sg, send(1)).unwrap();
    assert_eq!(one(&mut sg, send(1)).unwrap(), first);
    let again = || advance(2, id_of(&first), withdraw(), "");
    let answers = sg.write(vec![again(), again(), send(1)], NOW_MS);
    let receipts: Vec<Receipt> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(receipts[0].index, 1);
    assert_eq!(receipts[1], receipts[0]);
    assert_eq!(receipts[2], first);
    let repeated = again();
    let mut again = restarted(&federation, &sg, "sg");
    assert_eq!(one(&mut again, send(1)).unwrap(), first);
    assert_eq!(one(&mut again, repeated).unwrap(), receipts[0]);
    assert_eq!(again.store.tree(&origin("sg")).size(), 2);
    assert_eq!(shown(&again, id_of(&first)), shown(&sg, id_of(&first)));
    assert_eq!(
        again.status(&Actor::node(), NOW_MS).unwrap(),
        sg.status(&Actor::node(), NOW_MS).unwrap()
    );
}

#[test]
fn in_a_group_each_write_sees_those_before_it() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let id = ReferralId::of(&origin("sg"), &[1; 16]);
    let answers = sg.write(
        vec![
            send(1),
            send(2),
            advance(3, id, Command::Accept, ""),
            advance(4, id, withdraw(), "found help at home"),
            send(5),
        ],
        NOW_MS,
    );
    let text = |at: usize| answers[at].as_ref().unwrap_err().to_string();
    assert!(text(1).contains(&id.to_string()), "{}", text(1));
    assert!(matches!(answers[2], Err(Refused::NotAllowed(_))));
    let indexes: Vec<u64> = [0, 3, 4].map(|at| answers[at].as_ref().unwrap().index).to_vec();
    assert_eq!(indexes, [0, 1, 2]);
    assert_eq!(sg.store.tree(&origin("sg")).size(), 3);
    assert_eq!(shown(&sg, id).state(), api::ReferralState::Withdrawn);
    let grown = sg.inbox.iter().filter(|h| matches!(h, Happening::Grew(_))).count();
    assert_eq!(grown, 1, "one group, one append");
}

#[test]
fn lists_come_in_pages_and_say_what_is_overdue() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    for key in 1..=7u8 {
        let Write::Send { key, sent, mut content } = send(key) else { panic!() };
        content.case_code = format!("case {}", key[0]);
        let write = Write::Send { key, sent, content };
        let now_ms = NOW_MS + u64::from(key[0] / 2);
        assert!(sg.write(vec![write], now_ms)[0].is_ok());
    }
    let mut request = api::ListReferralsRequest { page_size: 3, ..Default::default() };
    let mut listed = Vec::new();
    let mut pages = 0;
    loop {
        let page = sg.referrals(&Actor::node(), &request, NOW_MS).unwrap();
        pages += 1;
        listed.extend(page.referrals);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!((pages, listed.len()), (3, 7));
    assert!(listed.is_sorted_by_key(|r| (std::cmp::Reverse(r.sent_at_ms), r.id.clone())));
    request.page_token = "zz".into();
    assert!(matches!(sg.referrals(&Actor::node(), &request, NOW_MS), Err(Refused::Invalid(_))));
    let of = |direction, states: &[api::ReferralState], now_ms| {
        let states = states.iter().map(|state| *state as i32).collect();
        let request = api::ListReferralsRequest { states, direction, ..Default::default() };
        sg.referrals(&Actor::node(), &request, now_ms).unwrap().referrals
    };
    let sent = api::Direction::Sent as i32;
    assert_eq!(of(sent, &[api::ReferralState::Sent], NOW_MS).len(), 7);
    assert_eq!(of(sent, &[api::ReferralState::Closed], NOW_MS).len(), 0);
    assert_eq!(of(api::Direction::Received as i32, &[], NOW_MS).len(), 0);
    // Urgent: 72 hours.
    let due = NOW_MS + 3 + 72 * 3_600_000;
    assert!(of(sent, &[], due + 1).iter().all(|referral| referral.overdue));
    assert_eq!(sg.overdue(&Actor::node(), due + 1), 7);
    assert_eq!(sg.overdue(&Actor::node(), NOW_MS), 0);
    assert_eq!(sg.status(&Actor::node(), NOW_MS).unwrap().referrals["sent"], 7);
}

#[test]
fn of_two_that_send_the_same_case_at_once_one_is_refused_and_told_of_the_other() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let answers = sg.write(vec![send(1), send(2), send(1)], NOW_MS);
    let first = id_of(answers[0].as_ref().unwrap());
    match &answers[1] {
        Err(Refused::State(why)) => assert!(why.contains(&first.to_string()), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(answers[2].as_ref().unwrap(), answers[0].as_ref().unwrap(), "the same key again");
    assert!(matches!(one(&mut sg, send(3)), Err(Refused::State(_))));
    assert_eq!(sg.store.tree(&origin("sg")).size(), 1, "nothing was signed");
    // Taken back in the same group, it may be sent again; another service may go beside it.
    let again = sg.write(vec![advance(4, first, withdraw(), ""), send(5)], NOW_MS);
    assert!(again.iter().all(Result::is_ok), "{again:?}");
    let Write::Send { key, mut sent, content } = send(6) else { panic!() };
    sent.services_requested = vec![v1::ServiceCategory::LegalAssistance as i32];
    one(&mut sg, Write::Send { key, sent, content }).unwrap();
}

#[test]
fn what_is_put_right_or_erased_breaks_nothing_that_refers_to_it() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    pass(&sg, &mut ph);
    let asked = Command::RequestInformation(v1::InformationRequested::default());
    one(&mut ph, advance(2, id, asked, "Which ward?")).unwrap();
    pass(&ph, &mut sg);
    // The sender puts its first entry right, tells the case anew, and answers what was asked.
    let own = |index| Some(v1::Seen { origin: String::new(), index });
    let Write::Send { content: mut case, .. } = send(3) else { panic!() };
    case.reason = "Put right.".into();
    let corrected = v1::Corrected { event: own(0), ..Default::default() };
    one(&mut sg, advance(3, id, Command::Correct(corrected.clone(), Some(case)), "")).unwrap();
    one(&mut sg, advance(4, id, Command::Correct(corrected, None), "A word more.")).unwrap();
    let given = Command::ProvideInformation(v1::InformationProvided::default());
    one(&mut sg, advance(5, id, given, "Ward twelve.")).unwrap();
    pass(&sg, &mut ph);
    one(&mut ph, advance(6, id, Command::Accept, "")).unwrap();
    pass(&ph, &mut sg);
    let referral = shown(&ph, id);
    assert_eq!(referral.content.as_ref().unwrap().reason, "Put right.");
    assert_eq!(referral.state(), api::ReferralState::Accepted);
    let outcomes = |node: &Node| -> Vec<(String, bool)> {
        let events = shown(node, id).events.into_iter();
        events.map(|event| (event.transition, event.effective)).collect()
    };
    let before = outcomes(&ph);
    assert!(before.iter().all(|(_, effective)| *effective), "{before:?}");
    // Every content is erased, those of what others refer to among them: what happened stays told,
    // in the same order, on both, and after a start from nothing but the logs.
    let requested = v1::ErasureRequested { ground: 1, ..Default::default() };
    one(&mut ph, advance(7, id, Command::RequestErasure(requested), "")).unwrap();
    for hour in 1..4 {
        for node in [&mut sg, &mut ph] {
            node.tick(NOW_MS + hour * 3_600_000);
        }
        pass(&ph, &mut sg);
        pass(&sg, &mut ph);
    }
    for node in [&sg, &ph, &restarted(&federation, &sg, "sg"), &restarted(&federation, &ph, "ph")] {
        let after = outcomes(node);
        assert_eq!(after[..before.len()], before);
        assert!(after.iter().all(|(_, effective)| *effective), "{after:?}");
        let referral = shown(node, id);
        assert!(referral.content.is_none() && referral.events.iter().all(|e| e.note.is_empty()));
        assert!(referral.erasure.unwrap().confirmations.iter().all(|side| side.confirmed));
    }
}
