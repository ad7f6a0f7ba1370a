//! Two signed heads that nobody brings together: told of, shown, and settled one way or the other.

use tutti_proto::v1;

use super::fixture::*;
use crate::{
    head::{Head, SignedHead},
    session::{Input, Misbehaved},
    store::{Reader as _, Store as _},
};

fn doubt(first: &SignedHead, second: &SignedHead) -> Kind {
    let (first, second) = (first.to_bytes_bare(), second.to_bytes_bare());
    Kind::Doubt(v1::Doubt { first, second })
}

fn doubts(sent: &[(u64, Kind)]) -> Vec<u64> {
    sent.iter().filter(|(_, kind)| matches!(kind, Kind::Doubt(_))).map(|(link, _)| *link).collect()
}

/// A node that holds one entry of `ph`, and a head of three in another history without its entries.
fn doubting(federation: &Federation) -> (Node<'_>, SignedHead, SignedHead) {
    let ph = federation.node("ph");
    let (own, other) = (ph.author(1, 0), ph.author(3, 1));
    let mut sg = federation.node("sg");
    sg.meet(1, "ph");
    sg.meet(2, "qa");
    sg.frame(1, Kind::Batch(message(&own)));
    sg.wait(5_000);
    sg.take();
    let withheld = message(&other);
    sg.frame(
        1,
        Kind::Batch(v1::Batch { start: 1, entries: withheld.entries[1..].to_vec(), ..withheld }),
    );
    (sg, own.head().clone(), other.head().clone())
}

#[test]
fn what_could_not_be_brought_together_is_told_once_and_shown_after_a_while() {
    let federation = Federation::new(&["ph", "sg", "qa", "bd"]);
    let (mut sg, own, other) = doubting(&federation);
    let log = origin("ph");
    let sent = sg.take();
    assert_eq!(doubts(&sent), [1, 2]);
    assert!(sent.iter().any(|(_, kind)| *kind == doubt(&own, &other)));
    assert!(sg.exchange.doubt(&log).is_none(), "most of it is over in a moment");
    sg.meet(3, "bd");
    assert_eq!(doubts(&sg.take()), [3]);
    sg.wait(120_000);
    assert_eq!(doubts(&sg.take()), [0; 0]);
    let [first, second] = sg.exchange.doubt(&log).unwrap();
    assert_eq!((first.size(), second.size()), (1, 3));
    assert!(sg.exchange.log_status(&log).doubted && !sg.exchange.log_status(&log).frozen);
    assert!(sg.store.evidence(&log).is_none());
}

#[test]
fn who_holds_the_larger_history_proves_the_fork_and_everybody_learns_it() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (mut sg, own, other) = doubting(&federation);
    let mut qa = federation.node("qa");
    qa.meet(9, "ph");
    qa.frame(9, Kind::Batch(message(&federation.node("ph").author(3, 1))));
    join(&mut sg, &mut qa, 5);
    for node in [&sg, &qa] {
        assert!(node.store.evidence(&origin("ph")).is_some());
        assert!(node.exchange.doubt(&origin("ph")).is_none());
        assert!(node.closed.is_empty(), "{:?}", node.closed);
    }
    // Also from nothing but the pair.
    let mut bd = federation.node("qa");
    bd.meet(9, "ph");
    bd.frame(9, Kind::Batch(message(&federation.node("ph").author(3, 1))));
    bd.frame(9, doubt(&own, &other));
    assert!(bd.store.evidence(&origin("ph")).is_some());
}

/// An honest log, of which a liar says that it is in doubt, or a carrier has altered entries.
#[test]
fn doubt_on_an_honest_log_ends_with_its_entries() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let mut ph = federation.node("ph");
    ph.write(1);
    let small = ph.store.head(&origin("ph")).unwrap();
    let mut sg = federation.node("sg");
    join(&mut ph, &mut sg, 1);
    sg.wait(2_000);
    carry(&mut ph, &mut sg, 1);
    ph.write(2);
    ph.take();
    let large = ph.store.head(&origin("ph")).unwrap();
    sg.meet(2, "qa");
    sg.frame(2, doubt(&small, &large));
    assert!(sg.exchange.log_status(&origin("ph")).contested);
    sg.wait(100_000);
    assert!(sg.exchange.doubt(&origin("ph")).is_some());
    // Whoever holds them both says so, and gives the entries.
    for (link, frame) in sg.take() {
        if link == 1 {
            ph.frame(1, frame);
        }
    }
    ph.frame(1, doubt(&small, &large));
    carry(&mut ph, &mut sg, 1);
    // A push is waited for, two round trips.
    sg.wait(3_000);
    carry(&mut ph, &mut sg, 1);
    assert_eq!(sg.store.tree(&origin("ph")).size(), 3);
    assert!(!sg.exchange.log_status(&origin("ph")).contested);
    assert!(sg.exchange.doubt(&origin("ph")).is_none());
    sg.wait(5_000);
    carry(&mut ph, &mut sg, 1);
    let held = sg.store.head(&origin("ph")).unwrap();
    assert!(held.size() == 3 && held.is_cosigned_by(society("sg")), "vouched for again");
    // Who has both is not led into doubt.
    sg.take();
    sg.frame(2, doubt(&small, &large));
    assert!(!sg.exchange.log_status(&origin("ph")).contested);
    assert!(doubts(&sg.take()).is_empty());
}

#[test]
fn a_head_whose_entries_nobody_gives_is_in_doubt_after_three_wants() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let ph = federation.node("ph");
    let (own, other) = (ph.author(1, 0), ph.author(3, 1));
    let mut sg = federation.node("sg");
    sg.meet(1, "ph");
    sg.frame(1, Kind::Batch(message(&own)));
    for round in 1..=3 {
        sg.frame(1, heads(&[other.head()]));
        sg.wait(300);
        assert!(sg.take().iter().any(|(_, kind)| matches!(kind, Kind::Want(_))), "{round}");
        // One says that there is nothing, the others say nothing.
        if round == 2 {
            let nothing = v1::Batch { origin: origin("ph").to_string(), ..Default::default() };
            sg.frame(1, Kind::Batch(nothing));
        }
        sg.wait(6_000);
        assert_eq!(sg.exchange.log_status(&origin("ph")).contested, round == 3);
    }
    assert_eq!(doubts(&sg.take()), [1]);
    // What the peer was not asked for does not count.
    let mut sg = federation.node("sg");
    sg.meet(1, "ph");
    sg.frame(1, Kind::Batch(message(&own)));
    sg.frame(1, heads(&[other.head()]));
    for _ in 0..10 {
        let nothing = v1::Batch { origin: origin("ph").to_string(), ..Default::default() };
        sg.frame(1, Kind::Batch(nothing));
    }
    assert!(!sg.exchange.log_status(&origin("ph")).contested);
}

#[test]
fn one_pair_is_held_and_nobody_makes_a_node_talk_without_end() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let secret = &federation.secrets[&society("ph")].log;
    let head = |size: u64| {
        let root = tlog_tiles::Hash([size as u8; 32]);
        SignedHead::sign(Head { origin: origin("ph"), size, root }, secret).unwrap()
    };
    let mut sg = federation.node("sg");
    sg.meet(1, "ph");
    sg.meet(2, "qa");
    sg.take();
    for size in 2..100 {
        sg.frame(1, doubt(&head(1), &head(size)));
    }
    assert_eq!(doubts(&sg.take()), [2], "the first, to the others");
    sg.wait(61_000);
    let sent = sg.take();
    assert_eq!(doubts(&sent), [2], "the last, with the frontier");
    assert!(sent.iter().any(|(_, kind)| *kind == doubt(&head(1), &head(99))));
    assert_eq!(sg.exchange.links.values().map(|link| link.doubts.len()).max(), Some(1));
    // The order in which they come does not matter.
    sg.frame(2, doubt(&head(1), &head(50)));
    assert_eq!(sg.exchange.doubt(&origin("ph")).unwrap()[1].size(), 99);
    // Two of one size are no doubt: they are proof.
    let root = tlog_tiles::Hash([0; 32]);
    let other = SignedHead::sign(Head { root, ..head(99).head().clone() }, secret).unwrap();
    sg.frame(2, doubt(&head(1), &other));
    assert!(sg.store.evidence(&origin("ph")).is_some() && sg.closed.is_empty());
}

#[test]
fn what_is_no_pair_costs_the_link_and_leaves_nothing() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let author = |code: &str, count| federation.node(code).author(count, 0).head().clone();
    let (small, large) = (author("ph", 1), author("ph", 3));
    let mut forged = large.to_bytes_bare();
    let last = forged.len() - 5;
    forged[last] ^= 1;
    let forged = Kind::Doubt(v1::Doubt { first: small.to_bytes_bare(), second: forged });
    let wrong = [
        doubt(&large, &small),
        doubt(&small, &small),
        doubt(&author("qa", 1), &large),
        forged,
        Kind::Doubt(v1::Doubt::default()),
    ];
    let mut sg = federation.node("sg");
    for (link, kind) in (1..).zip(wrong) {
        sg.meet(link, "qa");
        sg.frame(link, kind);
        let (_, why) = sg.closed.pop().unwrap();
        assert!(
            matches!(&why, Misbehaved::Head { society: by, .. } | Misbehaved::Frame { society: by, .. }
                if *by == society("qa")),
            "{why}"
        );
        sg.input(Input::Closed { link });
        assert!(sg.exchange.logs.iter().next().is_none());
    }
}

/// A restart forgets it; the peers tell it again.
#[test]
fn doubt_is_not_kept_and_comes_back() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (sg, own, other) = doubting(&federation);
    let mut later = federation.node("sg");
    later.store = sg.store.clone();
    later.meet(1, "qa");
    assert!(!later.exchange.log_status(&origin("ph")).contested);
    later.frame(1, doubt(&own, &other));
    assert!(later.exchange.log_status(&origin("ph")).contested);
    assert!(later.store.put_head(&own).is_ok());
}
