//! What becomes overdue is told when it does, once, and counted by age.

use tutti_core::roster::AcknowledgeHours;

use super::*;

const HOUR_MS: u64 = 3_600_000;

/// What a watcher of referrals was told since it last looked.
async fn told(watcher: &mut crate::engine::Watcher) -> Vec<(String, String)> {
    let mut told = Vec::new();
    let soon = std::time::Duration::from_millis(20);
    while let Ok(Some(change)) = tokio::time::timeout(soon, watcher.next()).await {
        told.push((change.id, change.what));
    }
    told
}

#[tokio::test]
async fn an_answer_that_becomes_overdue_is_told_at_that_moment_and_once() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    pass(&sg, &mut ph);
    // The template's priority is urgent.
    let due = NOW_MS + 72 * HOUR_MS;
    assert_eq!(shown(&sg, id).due_at_ms, due);
    for node in [&mut sg, &mut ph] {
        let mut watcher = node.watch(&Actor::node(), vec!["referral".into()]).unwrap();
        assert!(node.next_timer().unwrap() <= due + 1);
        node.tick(due);
        assert_eq!(told(&mut watcher).await, []);
        node.tick(due + 1);
        node.tick(due + 2);
        let both = ["acknowledgement_overdue", "answer_overdue"];
        let both = both.map(|what| (id.to_string(), what.to_string()));
        assert_eq!(told(&mut watcher).await, both);
    }
    // Asked back, it is the sender who owes an answer, from then on.
    let mut watcher = sg.watch(&Actor::node(), vec!["referral".into()]).unwrap();
    let asked = Command::RequestInformation(v1::InformationRequested::default());
    let later = due + 5;
    ph.write(vec![advance(2, id, asked, "Which ward?")], later).remove(0).unwrap();
    pass(&ph, &mut sg);
    sg.tick(later + 72 * HOUR_MS);
    let heard = told(&mut watcher).await;
    assert!(heard.iter().all(|(_, what)| !what.ends_with("overdue")), "{heard:?}");
    sg.tick(later + 72 * HOUR_MS + 1);
    assert_eq!(told(&mut watcher).await, [(id.to_string(), "answer_overdue".to_string())]);
    let request = |overdue| api::ListReferralsRequest { overdue, ..Default::default() };
    let listed = |node: &Node, now_ms| {
        node.referrals(&Actor::node(), &request(true), now_ms).unwrap().referrals.len()
    };
    assert_eq!((listed(&sg, later), listed(&sg, later + 72 * HOUR_MS + 1)), (0, 1));
    // An answer ends it; so does a restart tell nothing twice to whoever watches from then on.
    let given = Command::ProvideInformation(v1::InformationProvided::default());
    sg.write(vec![advance(3, id, given, "Twelve.")], later + 80 * HOUR_MS).remove(0).unwrap();
    assert_eq!(listed(&sg, later + 80 * HOUR_MS), 0);
    let mut again = restarted(&federation, &sg, "sg");
    again.tick(later + 81 * HOUR_MS);
    let mut watcher = again.watch(&Actor::node(), vec!["referral".into()]).unwrap();
    again.tick(later + 82 * HOUR_MS);
    assert_eq!(told(&mut watcher).await, []);
}

#[test]
fn what_waits_is_counted_by_who_owes_the_answer_and_by_age_alone() {
    let federation = federation();
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    one(&mut sg, send(1)).unwrap();
    pass(&sg, &mut ph);
    let counts = |node: &Node, now_ms| -> Vec<(String, String, u64, u64)> {
        let waiting = node.status(&Actor::node(), now_ms).unwrap().waiting;
        assert_eq!(waiting.len(), 10, "each is there, also as 0");
        let some = waiting.into_iter().filter(|waiting| waiting.count > 0);
        some.map(|w| (w.on, w.age, w.count, w.overdue)).collect()
    };
    let line = |on: &str, age: &str, overdue| vec![(on.into(), age.into(), 1, overdue)];
    let day = 24 * HOUR_MS;
    assert_eq!(counts(&ph, NOW_MS), line("this_society", "under_1_day", 0));
    assert_eq!(counts(&sg, NOW_MS + 2 * day), line("other_society", "1_to_3_days", 0));
    assert_eq!(counts(&sg, NOW_MS + 5 * day), line("other_society", "3_to_7_days", 1));
    assert_eq!(counts(&sg, NOW_MS + 50 * day), line("other_society", "over_14_days", 1));
}

/// Where the roster leaves less time to acknowledge, that is told by itself, at its own moment.
#[tokio::test]
async fn an_acknowledgement_that_becomes_overdue_is_told_by_name() {
    let hours = AcknowledgeHours { emergency: 1, urgent: 24, normal: 72 };
    let mut federation = federation();
    federation.roster =
        federation.next(|next| next.data_protection.acknowledge_hours = Some(hours));
    let [mut sg, mut ph] = ["sg", "ph"].map(|code| node(&federation, code));
    let id = id_of(&one(&mut sg, send(1)).unwrap());
    pass(&sg, &mut ph);
    let at = |hours| NOW_MS + hours * HOUR_MS;
    let seen = |node: &Node, now_ms| {
        let request = api::GetReferralRequest { id: id.to_string(), ..Default::default() };
        let it = node.referral(&Actor::node(), &request, now_ms).unwrap();
        assert_eq!((it.acknowledgement_due_at_ms, it.due_at_ms), (at(24), at(72)));
        let status = node.status(&Actor::node(), now_ms).unwrap();
        let counts = [status.overdue, status.acknowledgements_overdue, status.answers_overdue];
        ([it.overdue, it.acknowledgement_overdue, it.answer_overdue], counts)
    };
    let mut watcher = sg.watch(&Actor::node(), vec!["referral".into()]).unwrap();
    sg.tick(at(24));
    assert_eq!(told(&mut watcher).await, []);
    assert_eq!(seen(&sg, at(24)), ([false; 3], [0; 3]));
    sg.tick(at(24) + 1);
    let what = "acknowledgement_overdue".to_string();
    assert_eq!(told(&mut watcher).await, [(id.to_string(), what)]);
    assert_eq!(seen(&sg, at(25)), ([true, true, false], [1, 1, 0]));
    sg.tick(at(72) + 1);
    assert_eq!(told(&mut watcher).await, [(id.to_string(), "answer_overdue".to_string())]);
    assert_eq!(seen(&sg, at(73)), ([true; 3], [1; 3]));
    // Acknowledged late, and in time to answer.
    ph.write(vec![advance(2, id, Command::Acknowledge, "")], at(30)).remove(0).unwrap();
    let request = api::GetReferralRequest { id: id.to_string(), ..Default::default() };
    let it = ph.referral(&Actor::node(), &request, at(31)).unwrap();
    assert_eq!((it.overdue, it.acknowledgement_due_at_ms, it.due_at_ms), (false, 0, at(72)));
}
