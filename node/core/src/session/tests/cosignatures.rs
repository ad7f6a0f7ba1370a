//! Cosignatures by themselves, the frontier, and whose turn it is to cosign.

use tutti_proto::v1;

use super::fixture::*;
use crate::{
    head::SignedHead,
    session::{Effect, Input, Misbehaved, WITNESSES, witnesses},
    society::Society,
    store::Reader as _,
};

/// As long as a cosignature is held back at most, and a little.
const HELD_MS: u64 = 600;

fn cosigned_by(federation: &Federation, head: &SignedHead, codes: &[&str]) -> SignedHead {
    let mut head = head.bare();
    for code in codes {
        head.cosign(society(code), &federation.secrets[&society(code)].witness, 1).unwrap();
    }
    head
}

/// Bytes of heads and of cosignatures that went over each link.
fn heads_and_lines(sent: &[(u64, Kind)], link: u64) -> (usize, usize) {
    sent.iter().filter(|(on, _)| *on == link).fold((0, 0), |(heads, lines), (_, kind)| match kind {
        Kind::Heads(sent) => (heads + sent.checkpoints.len(), lines),
        Kind::Cosignatures(sent) => {
            let bytes: usize = sent.heads.iter().map(|head| head.cosignatures.len()).sum();
            (heads, lines + bytes / 76)
        }
        _ => (heads, lines),
    })
}

fn codes(count: u8) -> Vec<String> {
    (0..count)
        .map(|n| format!("{}{}", char::from(b'a' + n / 26), char::from(b'a' + n % 26)))
        .collect()
}

#[test]
fn a_head_goes_over_a_link_once_and_after_it_new_cosignatures_alone() {
    let federation = Federation::new(&["ph", "sg", "qa", "bd", "np"]);
    let mut ph = federation.node("ph");
    for (link, code) in [(1, "sg"), (2, "qa"), (3, "bd"), (4, "np")] {
        ph.meet(link, code);
    }
    ph.write(2);
    ph.take();
    let head = ph.store.head(&origin("ph")).unwrap();
    ph.frame(1, cosignatures(&cosigned_by(&federation, &head, &["sg"])));
    ph.frame(2, cosignatures(&cosigned_by(&federation, &head, &["qa", "bd"])));
    assert!(ph.take().is_empty(), "held back, so that they go together");
    ph.wait(HELD_MS);
    let sent = ph.take();
    // Never back to who gave them; not to whom they are known.
    let each: Vec<_> = (1..=4).map(|link| heads_and_lines(&sent, link)).collect();
    assert_eq!(each, [(0, 2), (0, 1), (0, 3), (0, 3)]);
    assert_eq!(sent.len(), 4, "one frame each");
    assert_eq!(ph.store.head(&origin("ph")).unwrap().cosignatures().len(), 3);
    // The same again is nothing new.
    ph.frame(3, cosignatures(&cosigned_by(&federation, &head, &["sg", "qa", "bd"])));
    ph.wait(HELD_MS);
    assert!(ph.take().is_empty());
    ph.frame(3, cosignatures(&cosigned_by(&federation, &head, &["np"])));
    ph.wait(HELD_MS);
    let sent = ph.take();
    let each: Vec<_> = (1..=4).map(|link| heads_and_lines(&sent, link)).collect();
    assert_eq!(each, [(0, 1), (0, 1), (0, 0), (0, 1)]);
    assert!(ph.closed.is_empty());
}

#[test]
fn a_cosignature_is_verified_and_a_forged_one_costs_the_link() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let mut ph = federation.node("ph");
    ph.write(2);
    let head = ph.store.head(&origin("ph")).unwrap();
    let Kind::Cosignatures(good) = cosignatures(&cosigned_by(&federation, &head, &["qa"])) else {
        panic!("made above")
    };
    for bit in 0..76 * 8 {
        let mut bad = good.clone();
        bad.heads[0].cosignatures[bit / 8] ^= 1 << (bit % 8);
        ph.meet(bit as u64, "sg");
        ph.frame(bit as u64, Kind::Cosignatures(bad));
        // By a key that nobody knows, it may be of a newer roster; all else is forged.
        match ph.closed.pop() {
            Some((_, why)) => assert!(
                matches!(&why, Misbehaved::Head { society: by, .. } if *by == society("sg"))
                    && why.to_string().contains("qa/witness"),
                "{why}"
            ),
            None => assert!(bit < 32, "bit {bit}"),
        }
        ph.input(Input::Closed { link: bit as u64 });
        assert!(ph.store.head(&origin("ph")).unwrap().cosignatures().is_empty());
    }
    ph.meet(1_000, "sg");
    ph.frame(1_000, Kind::Cosignatures(good));
    assert!(ph.store.head(&origin("ph")).unwrap().is_cosigned_by(society("qa")));
}

#[test]
fn a_cosignature_that_nobody_waits_for_leaves_nothing_behind() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let mut sg = federation.node("sg");
    let mut ph = federation.node("ph");
    ph.write(1);
    let old = ph.store.head(&origin("ph")).unwrap();
    sg.meet(1, "ph");
    // On a log of which nothing is known, with a size and root that nobody has signed, by the log's
    // own society.
    sg.frame(1, cosignatures(&cosigned_by(&federation, &old, &["qa"])));
    assert!(sg.exchange.logs.iter().next().is_none());
    assert!(sg.exchange.links.values().all(|link| link.standing.is_empty()));
    sg.frame(1, heads(&[&old]));
    for (size, root, by) in [(9, old.root(), "qa"), (1, tlog_tiles::Hash([9; 32]), "qa")] {
        let Kind::Cosignatures(mut message) = cosignatures(&cosigned_by(&federation, &old, &[by]))
        else {
            panic!("made above")
        };
        message.heads[0].size = size;
        message.heads[0].root = root.0.to_vec();
        sg.frame(1, Kind::Cosignatures(message));
    }
    sg.frame(1, cosignatures(&cosigned_by(&federation, &old, &["ph"])));
    assert!(sg.closed.is_empty(), "{:?}", sg.closed);
    let log = sg.exchange.logs.get(&origin("ph")).unwrap();
    assert!(log.ahead.as_ref().unwrap().cosignatures().is_empty());
    assert_eq!(log.witnessed.len(), 0);
}

#[test]
fn cosignatures_on_what_is_still_being_fetched_are_kept_with_it() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    ph.write(2);
    let head = ph.store.head(&origin("ph")).unwrap();
    sg.meet(1, "qa");
    sg.frame(1, heads(&[&head]));
    sg.frame(1, cosignatures(&cosigned_by(&federation, &head, &["qa"])));
    sg.input(Input::Closed { link: 1 });
    join(&mut ph, &mut sg, 2);
    assert!(sg.store.head(&origin("ph")).unwrap().is_cosigned_by(society("qa")));
}

#[test]
fn two_nodes_that_hold_the_same_say_so_in_a_few_bytes() {
    use prost::Message as _;
    let federation = Federation::new(&["ph", "sg"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    join(&mut ph, &mut sg, 1);
    ph.write(3);
    sg.write(2);
    for _ in 0..3 {
        carry(&mut ph, &mut sg, 1);
        ph.wait(HELD_MS);
        sg.wait(HELD_MS);
    }
    carry(&mut ph, &mut sg, 1);
    // Once around for what was not known, then an hour.
    for round in 0..60 {
        ph.wait(61_000);
        sg.wait(61_000);
        if round > 1 {
            let sent: Vec<_> = ph.sent.iter().chain(&sg.sent).collect();
            assert!(sent.iter().all(|(_, kind)| matches!(kind, Kind::Frontier(_))), "{sent:?}");
            let frame = v1::Frame { frame: Some(sent[0].1.clone()) };
            assert!(frame.encoded_len() < 280);
        }
        carry(&mut ph, &mut sg, 1);
    }
}

/// Where a frame was lost, or a tree missed somebody.
#[test]
fn what_one_lacks_is_found_by_the_frontier_and_sent() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    join(&mut ph, &mut sg, 1);
    ph.meet(2, "qa");
    ph.write(3);
    carry(&mut ph, &mut sg, 1);
    let head = ph.store.head(&origin("ph")).unwrap();
    // A cosignature and three entries later, of which nothing gets through.
    ph.frame(2, cosignatures(&cosigned_by(&federation, &head, &["qa"])));
    ph.wait(HELD_MS);
    sg.wait(HELD_MS);
    ph.take();
    sg.take();
    for _ in 0..3 {
        ph.wait(61_000);
        sg.wait(61_000);
        carry(&mut ph, &mut sg, 1);
    }
    for node in [&ph, &sg] {
        let held = node.store.head(&origin("ph")).unwrap();
        assert!(held.is_cosigned_by(society("qa")) && held.is_cosigned_by(society("sg")));
    }
    ph.write(3);
    ph.take();
    for _ in 0..3 {
        ph.wait(61_000);
        sg.wait(61_000);
        carry(&mut ph, &mut sg, 1);
    }
    assert_eq!(sg.store.tree(&origin("ph")).size(), 6);
}

#[test]
fn holdings_are_told_and_answered_once_a_frontier() {
    let federation = Federation::new(&["ph", "sg"]);
    let mut ph = federation.node("ph");
    ph.write(1);
    ph.meet(1, "sg");
    ph.take();
    let nothing = Kind::Holdings(v1::Holdings { parts: 0xffff, logs: Vec::new() });
    let other = Kind::Frontier(v1::Frontier { digests: vec![0; 256] });
    for round in 0..10 {
        ph.frame(1, nothing.clone());
        ph.frame(1, other.clone());
        let sent = ph.take();
        assert_eq!(sent.len(), if round == 0 { 2 } else { 0 }, "{round}: {sent:?}");
    }
    // What is claimed without end is no reason to ask for anything.
    let claim = v1::Holding {
        origin: origin("ph").to_string(),
        size: 1 << 40,
        root: vec![1; 32],
        witnesses: Vec::new(),
    };
    ph.wait(61_000);
    ph.take();
    ph.frame(1, Kind::Holdings(v1::Holdings { parts: 0xffff, logs: vec![claim] }));
    assert!(ph.take().is_empty() && ph.closed.is_empty());
}

/// A fork shows although both hold as many entries.
#[test]
fn two_histories_of_one_size_show_in_the_frontier() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let ph = federation.node("ph");
    let (mut sg, mut qa) = (federation.node("sg"), federation.node("qa"));
    sg.meet(9, "ph");
    qa.meet(9, "ph");
    join(&mut sg, &mut qa, 1);
    sg.frame(9, Kind::Batch(message(&ph.author(3, 0))));
    qa.frame(9, Kind::Batch(message(&ph.author(3, 1))));
    sg.take();
    qa.take();
    for _ in 0..2 {
        sg.wait(61_000);
        qa.wait(61_000);
        // All that was said of either head is lost; but for the frontier and what follows.
        sg.sent.retain(|(_, kind)| matches!(kind, Kind::Frontier(_)));
        qa.sent.retain(|(_, kind)| matches!(kind, Kind::Frontier(_)));
        carry(&mut sg, &mut qa, 1);
    }
    for node in [&sg, &qa] {
        assert!(node.store.evidence(&origin("ph")).is_some());
    }
}

/// The author's log at one of twenty members, as `node` sees it after it has come.
fn one_of_twenty<'a>(
    federation: &'a Federation,
    author: &str,
    place: usize,
) -> (Node<'a>, SignedHead) {
    let order = witnesses(&federation.roster, &origin(author));
    assert_eq!(order.len(), 19);
    let mut node = federation.node(order[place].as_str());
    let batch = federation.node(author).author(2, 0);
    node.meet(1, author);
    node.frame(1, Kind::Batch(message(&batch)));
    (node, batch.head().clone())
}

fn has_cosigned(node: &Node<'_>) -> bool {
    node.others.iter().any(|effect| matches!(effect, Effect::Cosign(_)))
}

#[test]
fn in_a_large_federation_some_cosign_and_others_stand_in() {
    let names = codes(20);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let federation = Federation::new(&names);
    let order: Vec<Society> = witnesses(&federation.roster, &origin("aa"));
    let code = |place: usize| order[place].as_str();
    let first: Vec<&str> = (0..WITNESSES).map(code).collect();
    // Whose turn it is, at once.
    let (mut node, _) = one_of_twenty(&federation, "aa", WITNESSES - 1);
    node.wait(10);
    assert!(has_cosigned(&node));
    // The next, a minute later, where somebody is missing; the one after it five seconds later.
    for (place, wait_ms) in [(WITNESSES, 60_000), (WITNESSES + 1, 65_000)] {
        let (mut node, head) = one_of_twenty(&federation, "aa", place);
        node.frame(1, cosignatures(&cosigned_by(&federation, &head, &first[1..])));
        node.wait(wait_ms - 100);
        assert!(!has_cosigned(&node), "{place}");
        node.wait(200);
        assert!(has_cosigned(&node), "{place}");
        // Where nobody is missing, never.
        let (mut node, head) = one_of_twenty(&federation, "aa", place);
        node.frame(1, cosignatures(&cosigned_by(&federation, &head, &first)));
        node.wait(600_000);
        assert!(!has_cosigned(&node), "{place}");
    }
}
