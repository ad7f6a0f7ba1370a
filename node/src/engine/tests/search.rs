//! Finding a case: who finds which, by what, and what is on record of it.

use tutti_core::people::Role;

use super::{approvals::person, *};
use crate::{engine::Order, local::BULK_READS};

/// The template's referral, of a person of that name under that code, as somebody sends it.
fn refer(node: &mut Node, by: &Actor, key: u8, code: &str, name: &str) -> String {
    let Write::Send { key, sent, mut content } = send(key) else { panic!() };
    content.case_code = code.into();
    content.person.as_mut().unwrap().name = name.into();
    let write = Write::Send { key, sent, content };
    let order = Order { by: by.clone(), write, draft: None };
    id_of(&node.write_all(vec![order], NOW_MS).remove(0).unwrap()).to_string()
}

fn looking_for(text: &str) -> api::ListReferralsRequest {
    api::ListReferralsRequest { search: text.into(), ..Default::default() }
}

/// What somebody finds, in the order of the numbers.
fn found(node: &mut Node, by: &Actor, text: &str) -> Vec<String> {
    let answer = node.read_referrals(by, &looking_for(text), NOW_MS).unwrap();
    let mut ids: Vec<String> = answer.referrals.into_iter().map(|referral| referral.id).collect();
    ids.sort();
    ids
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.sort();
    ids
}

/// Every search on record, the first first: who, how many contents were opened, which were found.
fn searches(node: &Node) -> Vec<(String, u64, Vec<String>)> {
    let told = |shown: crate::local::Shown| match shown.event {
        v1::local_record::Event::Read(read) if read.what == "search" => {
            Some((read.pseudonym, read.opened, tutti_core::local::ids(&read.found)))
        }
        _ => None,
    };
    node.local.shown(false, 1000).into_iter().rev().filter_map(told).collect()
}

#[test]
fn a_case_is_found_by_who_may_open_it_and_that_is_on_record_and_nothing_of_the_words() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let maria = person(&mut sg, "maria", &[Role::Caseworker]);
    let rosa = person(&mut sg, "rosa", &[Role::Caseworker]);
    let focal = person(&mut sg, "focal", &[Role::FocalPoint]);
    let auditor = person(&mut sg, "auditor", &[Role::Auditor]);
    let observer = person(&mut sg, "observer", &[Role::Observer]);
    let amina = refer(&mut sg, &maria, 1, "C-12", "Amina Yusuf");
    let two = refer(&mut sg, &maria, 2, "C-13", "María José");
    let other = refer(&mut sg, &rosa, 3, "C-14", "Amina Diallo");

    // By what records say nothing is opened, and everybody finds what they see.
    for words in ["", "ph", "sg ph sent"] {
        assert_eq!(found(&mut sg, &maria, words), sorted(&[&amina, &two]), "{words}");
    }
    let all = sorted(&[&amina, &two, &other]);
    for by in [&focal, &auditor] {
        assert_eq!(found(&mut sg, by, "PH sent"), all);
        assert_eq!(found(&mut sg, by, "qa"), [""; 0], "no content is opened for them");
    }
    assert_eq!(found(&mut sg, &observer, "ph"), [""; 0]);
    assert_eq!(searches(&sg), []);

    // By name and code: of the own cases, and on record, also where nothing is found.
    let refused = sg.referrals(&maria, &looking_for("amina"), NOW_MS);
    assert!(matches!(refused, Err(Refused::NotAllowed(_))), "not without a record");
    // Of a number the other cases might have it as their code.
    assert_eq!(found(&mut sg, &maria, &amina[..8]), sorted(&[&amina]));
    let mut expected = vec![(maria.pseudonym().to_owned(), 1, Vec::new())];
    for (by, words, ids) in [
        (&maria, "amina", vec![&amina]),
        (&maria, "Yusuf ph c–12", vec![&amina]),
        (&maria, "jose", vec![&two]),
        (&maria, "C", vec![&amina, &two]),
        (&maria, "amina diallo", vec![]),
        (&rosa, "AMINA", vec![&other]),
        // Whose cases they are not: as if their contents said nothing.
        (&focal, "amina", vec![]),
        (&auditor, "amina", vec![]),
        (&observer, "amina", vec![]),
    ] {
        assert_eq!(found(&mut sg, by, words), sorted(&ids), "{words}");
        let opened = [(&maria, 2), (&rosa, 1)]
            .into_iter()
            .find(|(who, _)| who.pseudonym() == by.pseudonym());
        if let Some((who, opened)) = opened {
            expected.push((who.pseudonym().to_owned(), opened, sorted(&ids)));
        }
    }
    let told: Vec<_> = searches(&sg)
        .into_iter()
        .map(|(who, opened, mut ids)| {
            ids.sort();
            (who, opened, ids)
        })
        .collect();
    assert_eq!(told, expected);
    let log = format!("{:?}", sg.local.shown(false, 1000)).to_lowercase();
    assert!(["amina", "yusuf", "c-12"].iter().all(|word| !log.contains(word)));
    let long = "x".repeat(1000);
    assert!(matches!(
        sg.read_referrals(&maria, &looking_for(&long), NOW_MS),
        Err(Refused::Invalid(_))
    ));

    // What is erased is not found.
    let stop = v1::ConsentWithdrawn { by: v1::ConsentGiver::Person as i32, ..Default::default() };
    one(&mut sg, advance(9, amina.parse().unwrap(), Command::WithdrawConsent(stop), "")).unwrap();
    sg.tick(NOW_MS);
    assert_eq!(found(&mut sg, &maria, "amina"), [""; 0]);
    assert_eq!(searches(&sg).last().unwrap().1, 1, "one is left to open");
}

#[test]
fn names_that_many_cases_bear_sound_the_alarm_as_opening_them_does() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let maria = person(&mut sg, "maria", &[Role::Caseworker]);
    for n in 0..=BULK_READS as u8 {
        refer(&mut sg, &maria, n + 1, &format!("C-{n}"), "Amina Yusuf");
    }
    let mut request = looking_for("amina");
    request.page_size = BULK_READS as u32 - 1;
    let page = sg.read_referrals(&maria, &request, NOW_MS).unwrap();
    assert_eq!(sg.local.shown(true, 9).len(), 0);
    request.page_token = page.next_page_token;
    let rest = sg.read_referrals(&maria, &request, NOW_MS).unwrap();
    assert_eq!(page.referrals.len() + rest.referrals.len(), BULK_READS + 1);
    let alerts = sg.local.shown(true, 9);
    assert!(matches!(
        &alerts[..],
        [shown] if matches!(
            &shown.event,
            v1::local_record::Event::Alert(alert)
                if alert.what == "bulk_reading" && alert.count == BULK_READS as u64
        )
    ));
}
