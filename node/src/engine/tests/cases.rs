//! What is known of cases without reading them: the same as a start makes of the store, whatever the
//! cache of opened records holds.

use tutti_core::{
    body::BodyKey,
    referral::{Brief, EventRef},
    store::Reader as _,
};

use super::*;

/// Asks for all that lists, counts and metrics tell.
fn told<S: Store>(node: &On<S>, now_ms: u64) -> Vec<String> {
    let actor = Actor::node();
    let list = node.referrals(&actor, &Default::default(), now_ms).unwrap();
    let late = api::ListReferralsRequest { overdue: true, ..Default::default() };
    let late = node.referrals(&actor, &late, now_ms).unwrap();
    let shares = api::ListInformationRequest { with_ended: true, ..Default::default() };
    let shares = node.shares(&actor, &shares, now_ms).unwrap();
    vec![
        format!("{list:?}"),
        format!("{late:?}"),
        format!("{shares:?}"),
        format!("{:?}", node.waiting(&actor, now_ms)),
        format!("{} {}", node.overdue(&actor, now_ms), node.erasures_open(&actor, now_ms)),
        format!("{:?}", node.referral_counts(&actor)),
    ]
}

/// What a node has come to know in passing is what a start finds.
fn check_rebuilt(federation: &Federation, node: &Node, code: &str) {
    let again = restarted(federation, node, code);
    assert!(node.referral_register() == again.referral_register(), "{code}");
    assert!(node.information_register() == again.information_register(), "{code}");
    assert_eq!(node.cases().collect::<Vec<_>>(), again.cases().collect::<Vec<_>>());
    for (id, brief) in node.referral_register().iter() {
        assert_eq!(*brief, Brief::of(&node.case(id).unwrap(), society(code)));
    }
    for days in [0, 1, 15, 400, 4000] {
        let now_ms = NOW_MS + days * 86_400_000;
        assert_eq!(told(node, now_ms), told(&again, now_ms), "{code} after {days} days");
    }
}

/// A case on both sides, taken a step at a time; each step is given to `after`.
fn story(federation: &Federation, mut after: impl FnMut(&[Node; 2])) -> [Node; 2] {
    let mut nodes = ["sg", "ph"].map(|code| node(federation, code));
    let id = ReferralId::of(&origin("sg"), &[1; 16]);
    let asked = Command::RequestInformation(v1::InformationRequested::default());
    let given = Command::ProvideInformation(v1::InformationProvided::default());
    let stop =
        Command::WithdrawConsent(v1::ConsentWithdrawn { by: 1, form: 2, ..Default::default() });
    let steps = [
        (0, send(1)),
        (1, advance(2, id, asked, "Which ward?")),
        (0, advance(3, id, given, "Ward twelve.")),
        (1, advance(4, id, Command::Accept, "")),
        (0, send_other(5)),
        (1, advance(6, id, Command::Start, "")),
        (0, advance(7, id, stop, "")),
    ];
    for (at, write) in steps {
        one(&mut nodes[at], write).unwrap();
        after(&nodes);
        let [sg, ph] = &mut nodes;
        for round in 0..3 {
            sg.tick(NOW_MS + round * 2000);
            ph.tick(NOW_MS + round * 2000);
            pass(sg, ph);
            pass(ph, sg);
        }
        after(&nodes);
    }
    nodes
}

fn send_other(key: u8) -> Write {
    let Write::Send { key, sent, mut content } = send(key) else { panic!() };
    content.case_code = "another".into();
    Write::Send { key, sent, content }
}

#[test]
fn what_is_known_in_passing_is_what_a_start_makes_of_the_store() {
    let federation = federation();
    let [sg, _] = story(&federation, |[sg, ph]| {
        check_rebuilt(&federation, sg, "sg");
        check_rebuilt(&federation, ph, "ph");
    });
    assert_eq!(sg.referral_register().iter().count(), 2);
}

/// The keys of all sealed records that a node holds.
fn records(node: &Node) -> Vec<BodyKey> {
    let mut keys = Vec::new();
    for origin in node.store.logs() {
        for index in 0..node.store.tree(&origin).size() {
            let at = EventRef { origin: origin.clone(), index };
            let header = node.header_at(&at).unwrap().unwrap();
            keys.push(header.body_key(Part::Record).unwrap());
        }
    }
    keys
}

#[test]
fn a_cache_that_is_lost_damaged_or_of_others_changes_nothing() {
    let federation = federation();
    let [mut sg, _] = story(&federation, |_| ());
    let before = told(&sg, NOW_MS);
    let keys = records(&sg);
    let kept: Vec<Vec<u8>> = keys.iter().map(|key| sg.store.opened(key).unwrap()).collect();
    for (key, bytes) in keys.iter().zip(&kept) {
        assert!(bytes.len() > 1024, "padded as the sealed one is");
        assert!(!bytes.windows(4).any(|word| word == b"m.ex"), "sealed");
        let mut bad = bytes.clone();
        bad[100] ^= 1;
        sg.store.keep_opened(key, &bad);
    }
    assert_eq!(told(&restarted(&federation, &sg, "sg"), NOW_MS), before);
    for (key, bytes) in keys.iter().zip(kept.iter().cycle().skip(1)) {
        sg.store.keep_opened(key, bytes);
    }
    let mut again = restarted(&federation, &sg, "sg");
    assert_eq!(told(&again, NOW_MS), before, "of another record");
    for key in &keys {
        assert_ne!(again.store.opened(key), sg.store.opened(key), "opened and kept anew");
        again.store.keep_opened(key, b"");
    }
    assert_eq!(told(&restarted(&federation, &again, "sg"), NOW_MS), before);
}
