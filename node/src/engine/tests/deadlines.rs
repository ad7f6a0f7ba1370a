//! What becomes overdue is told when it does, once, and counted by age.

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
        assert_eq!(told(&mut watcher).await, [(id.to_string(), "overdue".to_string())]);
    }
    // Asked back, it is the sender who owes an answer, from then on.
    let mut watcher = sg.watch(&Actor::node(), vec!["referral".into()]).unwrap();
    let asked = Command::RequestInformation(v1::InformationRequested::default());
    let later = due + 5;
    ph.write(vec![advance(2, id, asked, "Which ward?")], later).remove(0).unwrap();
    pass(&ph, &mut sg);
    sg.tick(later + 72 * HOUR_MS);
    let heard = told(&mut watcher).await;
    assert!(heard.iter().all(|(_, what)| what != "overdue"), "{heard:?}");
    sg.tick(later + 72 * HOUR_MS + 1);
    assert_eq!(told(&mut watcher).await, [(id.to_string(), "overdue".to_string())]);
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
