//! Beside each case: who owes an answer, and how to reach them by the roster in force.

use tutti_core::roster::Desk;

use super::*;

fn desk() -> Desk {
    Desk {
        name: "Migration desk".into(),
        telephone: "+63 2 8790 2300".into(),
        hours: "Mon to Fri 8:00 to 17:00 (UTC+8)".into(),
        ..Desk::default()
    }
}

#[test]
fn a_case_says_who_owes_an_answer_and_how_their_desk_is_reached() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    pass(&sg, &mut ph);
    let seen = |node: &Node| shown_with_delivery(node, id);
    assert_eq!(seen(&sg).direction(), api::Direction::Sent);
    assert_eq!(seen(&ph).direction(), api::Direction::Received);
    for node in [&sg, &ph] {
        let case = seen(node);
        assert_eq!(
            (case.waits_for.as_str(), case.sender_desk, case.receiver_desk),
            ("ph", None, None)
        );
    }

    // The next roster names one, and from then on every case shows it, those of before too.
    let roster = federation.next(|document| {
        let ph = document.members.iter_mut().find(|m| m.society == society("ph"));
        ph.unwrap().desk = Some(desk());
    });
    for node in [&mut sg, &mut ph] {
        node.go_by((*roster).clone(), NOW_MS);
        let case = seen(node);
        assert_eq!(case.sender_desk, None);
        let shown = case.receiver_desk.unwrap();
        assert_eq!((shown.name, shown.telephone), (desk().name, desk().telephone));
        assert_eq!((shown.hours, shown.email.as_str()), (desk().hours, ""));
    }
    let listed = sg.referrals(&Actor::node(), &Default::default(), NOW_MS).unwrap();
    assert!(listed.referrals[0].receiver_desk.is_some(), "a list says it, too");

    // A question turns it round; what is over waits for nobody.
    let asked = Command::RequestInformation(v1::InformationRequested::default());
    one(&mut ph, advance(2, id, asked, "Which ward?")).unwrap();
    pass(&ph, &mut sg);
    assert_eq!((seen(&sg).waits_for, seen(&ph).waits_for), ("sg".into(), "sg".into()));
    one(&mut ph, advance(3, id, decline(), "")).unwrap();
    pass(&ph, &mut sg);
    assert_eq!((seen(&sg).waits_for, seen(&ph).waits_for), (String::new(), String::new()));
    assert!(seen(&sg).receiver_desk.is_some(), "it can still be called");
}

/// Whoever was let out is called all the same.
#[test]
fn the_desk_of_a_member_that_is_suspended_stays_known() {
    let federation = federation();
    let mut sg = node(&federation, "sg");
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    let roster = federation.next(|document| {
        let ph = document.members.iter_mut().find(|m| m.society == society("ph")).unwrap();
        ph.status = tutti_core::roster::Status::Suspended;
        ph.desk = Some(desk());
    });
    sg.go_by((*roster).clone(), NOW_MS);
    assert!(shown(&sg, id).receiver_desk.is_some());
}
