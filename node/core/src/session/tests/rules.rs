//! One test a rule of the exchange.

use super::fixture::*;
use crate::{
    head::SignedHead,
    session::{Effect, Input, Misbehaved},
    store::{Reader as _, Store as _},
};
use tutti_proto::v1;

fn wants(sent: &[(u64, Kind)]) -> Vec<(u64, u64)> {
    sent.iter()
        .filter_map(|(link, kind)| match kind {
            Kind::Want(want) => Some((*link, want.start)),
            _ => None,
        })
        .collect()
}

fn batches(sent: &[(u64, Kind)]) -> Vec<(u64, v1::Batch)> {
    sent.iter()
        .filter_map(|(link, kind)| match kind {
            Kind::Batch(batch) => Some((*link, batch.clone())),
            _ => None,
        })
        .collect()
}

fn cosigned(node: &Node<'_>) -> Vec<SignedHead> {
    node.others
        .iter()
        .filter_map(|effect| match effect {
            Effect::Cosign(head) => Some(head.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn hello_comes_first_and_says_who_it_is() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let mut node = federation.node("ph");
    node.input(Input::Connected { link: 1, society: society("sg") });
    assert!(matches!(node.take().as_slice(), [(1, Kind::Hello(hello))] if hello.society == "ph"));
    node.frame(1, heads(&[]));
    assert_eq!(node.closed.pop(), Some((1, Misbehaved::NoHello(society("sg")))));

    let good = federation.hello("sg");
    type Change = fn(&mut v1::Hello);
    let wrong: [(Change, Misbehaved); 6] = [
        (|h| h.version = 2, Misbehaved::Version { society: society("sg"), version: 2 }),
        (|h| h.federation = "o.org".into(), Misbehaved::Federation(society("sg"))),
        (
            |h| h.society = "qa".into(),
            Misbehaved::Impostor { proven: society("sg"), claimed: "qa".into() },
        ),
        (
            |h| h.roster_hash = vec![0; 31],
            Misbehaved::Hello { society: society("sg"), field: "roster_hash" },
        ),
        (
            |h| h.incarnation = vec![],
            Misbehaved::Hello { society: society("sg"), field: "incarnation" },
        ),
        (
            |h| h.roster_version = 0,
            Misbehaved::Hello { society: society("sg"), field: "roster_version" },
        ),
    ];
    for (link, (change, why)) in (2..).zip(wrong) {
        let mut hello = good.clone();
        change(&mut hello);
        node.input(Input::Connected { link, society: society("sg") });
        node.frame(link, Kind::Hello(hello));
        assert_eq!(node.closed.pop(), Some((link, why)));
    }
    assert_eq!(node.exchange.links().count(), 0);

    // Another roster is shown, and is no reason to part.
    node.input(Input::Connected { link: 20, society: society("sg") });
    node.frame(20, Kind::Hello(v1::Hello { roster_version: 9, ..good.clone() }));
    assert!(node.closed.is_empty());
    assert!(node.exchange.links().all(|link| link.roster_differs));
    node.frame(20, Kind::Hello(good));
    assert_eq!(node.closed.pop(), Some((20, Misbehaved::HelloTwice(society("sg")))));

    node.input(Input::Connected { link: 21, society: society("ph") });
    assert_eq!(node.closed.pop(), Some((21, Misbehaved::Twin(society("ph")))));
    node.input(Input::Connected { link: 22, society: society("zz") });
    assert_eq!(node.closed.pop(), Some((22, Misbehaved::NotAMember(society("zz")))));
    node.input(Input::Connected { link: 23, society: society("qa") });
    node.wait(10_000);
    assert_eq!(node.closed.pop(), Some((23, Misbehaved::Silent(society("qa")))));
}

#[test]
fn the_frontier_is_shown_on_connection_and_every_30_to_60_s() {
    let federation = Federation::new(&["ph", "sg"]);
    let mut node = federation.node("ph");
    node.write(3);
    node.meet(1, "sg");
    let mut shown = Vec::new();
    for _ in 0..300 {
        node.wait(1_000);
        if node.take().iter().any(|(_, kind)| matches!(kind, Kind::Heads(h) if h.frontier)) {
            shown.push(node.now_ms);
        }
    }
    assert!((5..=11).contains(&shown.len()), "{shown:?}");
    assert!(shown.windows(2).all(|pair| (29_000..=61_000).contains(&(pair[1] - pair[0]))));
}

#[test]
fn what_is_missing_is_pulled_in_pieces() {
    let federation = Federation::new(&["ph", "sg"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    // Some 75 bytes each: three batches.
    ph.write(5_000);
    join(&mut ph, &mut sg, 1);
    assert_eq!(sg.store.tree(&ph.origin()), ph.store.tree(&ph.origin()));
    assert!(sg.exchange.tally().batches >= 3, "{:?}", sg.exchange.tally());
    assert_eq!(sg.exchange.tally().batches_redundant, 0);
    // And witnessed, which flows back.
    sg.wait(2_000);
    carry(&mut ph, &mut sg, 1);
    assert!(ph.store.head(&ph.origin()).unwrap().is_cosigned_by(society("sg")));
    assert_eq!(cosigned(&sg).len(), 1, "catching up is cosigned once");
}

#[test]
fn new_entries_are_pushed_and_cosigned_once() {
    let federation = Federation::new(&["ph", "sg"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    join(&mut ph, &mut sg, 1);
    for round in 1..=5 {
        ph.write(1);
        carry(&mut ph, &mut sg, 1);
        assert_eq!(sg.store.tree(&ph.origin()).size(), round);
        sg.wait(10);
    }
    assert_eq!(sg.exchange.tally().wants, 0);
    sg.wait(5_000);
    // The first at once; the others, which came within a second, with the last of them.
    let sizes: Vec<u64> = cosigned(&sg).iter().map(SignedHead::size).collect();
    assert_eq!(sizes, [1, 5]);
    sg.wait(200_000);
    assert_eq!(cosigned(&sg).len(), 2);
}

#[test]
fn nothing_is_cosigned_below_what_was_cosigned_elsewhere() {
    let federation = Federation::new(&["ph", "sg"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    ph.write(4);
    let small = ph.author(1, 0); // the fifth, pushed below
    let mut large = ph.author(6, 0).head().clone();
    // This society has cosigned ten entries, before its disk was lost.
    large.cosign(society("sg"), &federation.secrets[&society("sg")].witness, 1).unwrap();
    sg.meet(1, "ph");
    sg.frame(1, heads(&[&large]));
    let whole = v1::Batch {
        start: 0,
        entries: (0..5).map(|i| entry("ph", i, 0).as_slice().to_vec()).collect(),
        ..message(&small)
    };
    sg.frame(1, Kind::Batch(whole));
    assert_eq!(sg.store.tree(&origin("ph")).size(), 5);
    sg.wait(300_000);
    assert!(cosigned(&sg).is_empty());
    // Beyond it is another matter.
    ph.write(11);
    let rest = v1::Batch {
        start: 5,
        entries: (5..15).map(|i| entry("ph", i, 0).as_slice().to_vec()).collect(),
        checkpoint: ph.store.head(&origin("ph")).unwrap().to_bytes(),
        ..v1::Batch { origin: origin("ph").to_string(), ..Default::default() }
    };
    sg.frame(1, Kind::Batch(rest));
    sg.wait(5_000);
    assert_eq!(cosigned(&sg).iter().map(SignedHead::size).collect::<Vec<_>>(), [15]);
}

#[test]
fn cosignatures_that_came_before_the_entries_are_kept() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    ph.write(2);
    let bare = ph.store.head(&origin("ph")).unwrap();
    let mut cosigned = bare.clone();
    cosigned.cosign(society("qa"), &federation.secrets[&society("qa")].witness, 1).unwrap();
    sg.meet(1, "ph");
    sg.meet(2, "qa");
    sg.frame(2, Kind::Heads(v1::Heads { checkpoints: vec![cosigned.to_bytes()], frontier: false }));
    let batch = v1::Batch {
        origin: origin("ph").to_string(),
        entries: (0..2).map(|i| entry("ph", i, 0).as_slice().to_vec()).collect(),
        checkpoint: bare.to_bytes(),
        ..Default::default()
    };
    sg.frame(1, Kind::Batch(batch));
    let held = sg.store.head(&origin("ph")).unwrap();
    assert_eq!(held.size(), 2);
    assert!(held.is_cosigned_by(society("qa")));
}

#[test]
fn a_want_that_is_not_answered_goes_to_another_link() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    ph.write(3);
    let head = ph.store.head(&origin("ph")).unwrap();
    sg.meet(1, "ph");
    sg.meet(2, "qa");
    sg.take();
    sg.frame(1, heads(&[&head]));
    sg.frame(2, heads(&[&head]));
    assert_eq!(wants(&sg.take()), [(1, 0)], "one want a log");
    sg.wait(4_900);
    assert_eq!(wants(&sg.take()), []);
    sg.wait(200);
    assert_eq!(wants(&sg.take()), [(2, 0)]);
    // Nothing to give is an answer too: nobody is left until someone shows the head again.
    let nothing = v1::Batch { origin: origin("ph").to_string(), ..Default::default() };
    sg.frame(2, Kind::Batch(nothing));
    assert_eq!(wants(&sg.take()), []);
    sg.frame(1, heads(&[&head]));
    sg.wait(300);
    assert_eq!(wants(&sg.take()), [(1, 0)]);
    // A cut link: at once elsewhere, where another is known to hold it.
    sg.frame(2, heads(&[&head]));
    sg.input(Input::Closed { link: 1 });
    assert_eq!(wants(&sg.take()), [(2, 0)]);
}

#[test]
fn entries_that_are_announced_and_do_not_come_are_asked_for() {
    let federation = Federation::new(&["ph", "sg"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    ph.write(1);
    let head = ph.store.head(&origin("ph")).unwrap();
    sg.meet(1, "ph");
    sg.take();
    sg.frame(1, Kind::Heads(v1::Heads { checkpoints: vec![head.to_bytes()], frontier: false }));
    assert_eq!(wants(&sg.take()), []);
    sg.wait(300);
    assert_eq!(wants(&sg.take()), [(1, 0)]);
}

/// Found in a year of thirty: where a frontier crosses a push, what is on its way came twice.
#[test]
fn what_a_later_frontier_shows_is_given_time_to_come() {
    let federation = Federation::new(&["ph", "sg"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    let batch = ph.author(1, 0);
    sg.meet(1, "ph");
    sg.wait(5_000);
    sg.take();
    sg.frame(1, heads(&[batch.head()]));
    assert_eq!(wants(&sg.take()), []);
    sg.frame(1, Kind::Batch(message(&batch)));
    sg.wait(2_000);
    assert_eq!(wants(&sg.take()), [], "it has come");
    ph.write(2);
    sg.frame(1, heads(&[&ph.store.head(&origin("ph")).unwrap()]));
    sg.wait(300);
    assert_eq!(wants(&sg.take()), [(1, 1)], "it does not");
}

#[test]
fn a_want_is_answered_within_its_bounds() {
    let federation = Federation::new(&["ph", "sg"]);
    let mut ph = federation.node("ph");
    ph.write(20);
    ph.meet(1, "sg");
    ph.take();
    let mut ask = |start, max_bytes| {
        let want = v1::Want { origin: origin("ph").to_string(), start, max_bytes };
        ph.frame(1, Kind::Want(want));
        let sent = ph.take();
        let (_, batch) = batches(&sent).pop().unwrap();
        batch
    };
    assert_eq!(ask(0, u32::MAX).entries.len(), 20);
    assert_eq!(ask(5, 300).entries.len(), 4);
    assert_eq!(ask(19, 0).entries.len(), 1);
    assert!(ask(20, 1_000).entries.is_empty());
    assert!(!ask(5, 300).consistency.is_empty());
}

#[test]
fn an_own_log_that_is_larger_elsewhere_is_told_of_and_fetched_back() {
    let federation = Federation::new(&["ph", "sg"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    ph.write(3);
    join(&mut ph, &mut sg, 1);
    // The disk of ph is lost.
    let mut again = federation.node("ph");
    sg.input(Input::Closed { link: 1 });
    join(&mut again, &mut sg, 2);
    assert!(matches!(again.others.as_slice(), [Effect::OwnLogAhead { size: 3 }]));
    assert_eq!(again.store.tree(&origin("ph")).size(), 3);
    again.wait(100_000);
    assert!(cosigned(&again).is_empty(), "nobody cosigns its own log");
}

#[test]
fn two_heads_of_one_size_freeze_the_log_and_everyone_is_told_once() {
    let federation = Federation::new(&["ph", "sg", "qa", "bd"]);
    let ph = federation.node("ph");
    let (left, right) = (ph.author(3, 0), ph.author(3, 1));
    let mut sg = federation.node("sg");
    sg.meet(1, "qa");
    sg.meet(2, "bd");
    sg.frame(1, Kind::Batch(message(&left)));
    sg.wait(5_000);
    assert_eq!(cosigned(&sg).len(), 1);
    sg.take();
    sg.others.clear();
    sg.frame(2, heads(&[right.head()]));
    assert!(matches!(sg.others.as_slice(), [Effect::Evidence(_)]));
    let evidence = |sent: Vec<(u64, Kind)>| -> Vec<u64> {
        sent.iter().filter(|(_, k)| matches!(k, Kind::Evidence(_))).map(|(l, _)| *l).collect()
    };
    assert_eq!(evidence(sg.take()), [1, 2]);
    // Frozen: not extended, not cosigned, not told of, told once; also after a restart.
    sg.store.put_head(left.head()).unwrap();
    let mut later = federation.node("sg");
    later.store = sg.store.clone();
    later.meet(3, "qa");
    assert_eq!(evidence(later.take()), [3]);
    for node in [&mut sg, &mut later] {
        let link =
            if node.sent.is_empty() && node.exchange.links().any(|l| l.link == 1) { 1 } else { 3 };
        let longer = {
            let mut author = federation.node("ph");
            author.store.append(&left, &[]).unwrap();
            author.author(2, 0)
        };
        node.frame(link, Kind::Batch(message(&longer)));
        node.wait(100_000);
        assert_eq!(node.store.tree(&origin("ph")).size(), 3);
        assert!(cosigned(node).is_empty());
        let sent = node.take();
        assert!(evidence(sent.clone()).is_empty());
        assert!(!sent.iter().any(|(_, kind)| matches!(kind, Kind::Heads(_))));
    }
}

#[test]
fn heads_of_two_sizes_are_proven_by_whoever_holds_the_larger_history() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    for (short, long) in [(2, 5), (4, 5), (1, 9), (5, 2)] {
        let ph = federation.node("ph");
        let (mut sg, mut qa) = (federation.node("sg"), federation.node("qa"));
        sg.meet(9, "ph");
        qa.meet(9, "ph");
        sg.frame(9, Kind::Batch(message(&ph.author(short, 0))));
        qa.frame(9, Kind::Batch(message(&ph.author(long, 1))));
        join(&mut sg, &mut qa, 1);
        for node in [&sg, &qa] {
            assert!(node.store.evidence(&origin("ph")).is_some(), "{short} {long}");
            assert!(node.closed.is_empty());
        }
    }
}

/// An author can sign two histories and give nobody what proves it: then nobody vouches for either,
/// people see why, and the proof is made as soon as one history reaches the other's head.
#[test]
fn a_fork_whose_author_withholds_the_proof_is_in_doubt_until_it_shows() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let mut ph = federation.node("ph");
    let log = origin("ph");
    let other = message(&ph.author(3, 1));
    let mut sg = federation.node("sg");
    sg.meet(1, "ph");
    ph.write(1);
    sg.frame(1, Kind::Batch(message(&federation.node("ph").author(1, 0))));
    sg.wait(5_000);
    assert_eq!(cosigned(&sg).len(), 1);
    sg.frame(1, Kind::Batch(v1::Batch { start: 1, entries: other.entries[1..].to_vec(), ..other }));
    assert!(sg.exchange.log_status(&log).contested && !sg.exchange.log_status(&log).frozen);
    for size in 2..=3 {
        let next = ph.author(1, 0);
        ph.write(1);
        sg.frame(1, Kind::Batch(message(&next)));
        sg.wait(5_000);
        assert_eq!(cosigned(&sg).len(), 1, "nothing more is cosigned");
        assert_eq!(sg.exchange.log_status(&log).frozen, size == 3);
    }
    assert!(sg.store.evidence(&log).is_some());
}

#[test]
fn altered_entries_cost_the_link_the_second_time() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let ph = federation.node("ph");
    let mut sg = federation.node("sg");
    sg.meet(1, "qa");
    let mut altered = message(&ph.author(3, 0));
    altered.entries[1] = entry("ph", 1, 7).as_slice().to_vec();
    sg.frame(1, Kind::Batch(altered.clone()));
    assert!(sg.closed.is_empty());
    sg.frame(1, Kind::Batch(altered.clone()));
    assert!(matches!(sg.closed.as_slice(), [(1, Misbehaved::Batch { .. })]));
    assert_eq!(sg.store.tree(&origin("ph")).size(), 0);
    // The log is in doubt until the true entries come.
    assert!(sg.exchange.log_status(&origin("ph")).contested);
    sg.meet(3, "ph");
    sg.frame(3, Kind::Batch(message(&ph.author(3, 0))));
    sg.wait(5_000);
    assert!(!sg.exchange.log_status(&origin("ph")).contested);
    assert_eq!(cosigned(&sg).len(), 1);
    // Misplaced entries are nobody's history.
    sg.meet(2, "qa");
    altered = message(&federation.node("qa").author(3, 0));
    altered.entries[1] = entry("qa", 2, 0).as_slice().to_vec();
    sg.frame(2, Kind::Batch(altered));
    assert!(matches!(sg.closed.as_slice(), [_, (2, Misbehaved::Batch { .. })]));
}

#[test]
fn a_clock_that_is_set_back_by_years_stops_nothing() {
    let federation = Federation::new(&["ph", "sg"]);
    let mut node = federation.node("ph");
    node.now_ms = 2_000_000_000_000;
    node.write(1);
    node.meet(1, "sg");
    node.take();
    node.now_ms = 1_000;
    node.input(Input::Tick);
    node.wait(61_000);
    assert!(node.take().iter().any(|(_, kind)| matches!(kind, Kind::Heads(_))));
}

#[test]
fn two_processes_of_one_society_show() {
    let federation = Federation::new(&["ph", "sg"]);
    let mut node = federation.node("ph");
    node.meet(1, "sg");
    assert!(node.exchange.twins().is_empty());
    node.input(Input::Connected { link: 2, society: society("sg") });
    let other = v1::Hello { incarnation: vec![2; 16], ..federation.hello("sg") };
    node.frame(2, Kind::Hello(other));
    assert!(node.exchange.twins().contains(&society("sg")));
}
