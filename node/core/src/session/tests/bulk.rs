//! Large bodies over slow links: what is small does not wait behind them, and what has come is not lost.

use std::collections::{BTreeSet, VecDeque};

use prost::Message as _;

use super::fixture::*;
use crate::{
    body::Part,
    entry::{Commitment, Visibility},
    session::{BodyWant, Effect, Input},
    store::Reader as _,
};
use tutti_proto::v1;

/// One direction of a link: frames queue behind each other.
struct Way {
    bytes_per_s: u64,
    latency_ms: u64,
    free_us: u64,
    under_way: VecDeque<(u64, Kind)>,
}

impl Way {
    fn new(bytes_per_s: u64, latency_ms: u64) -> Self {
        Self { bytes_per_s, latency_ms, free_us: 0, under_way: VecDeque::new() }
    }

    fn send(&mut self, now_ms: u64, frame: Kind) {
        let bytes = v1::Frame { frame: Some(frame.clone()) }.encoded_len() as u64;
        self.free_us = self.free_us.max(now_ms * 1000) + bytes * 1_000_000 / self.bytes_per_s;
        self.under_way.push_back((self.free_us / 1000 + self.latency_ms, frame));
    }

    fn arrived(&mut self, now_ms: u64) -> Option<Kind> {
        let due = self.under_way.front().is_some_and(|(at_ms, _)| *at_ms <= now_ms);
        if due { self.under_way.pop_front().map(|(_, frame)| frame) } else { None }
    }
}

/// Lets both live for so long, over this link, or until `done`; gives the milliseconds.
fn live<'a>(
    one: &mut Node<'a>,
    other: &mut Node<'a>,
    ways: &mut [Way; 2],
    ms: u64,
    done: impl Fn(&Node<'_>) -> bool,
) -> u64 {
    let begun_ms = one.now_ms;
    for now_ms in begun_ms..begun_ms + ms {
        for node in [&mut *one, &mut *other] {
            node.now_ms = now_ms;
            if node.exchange.next_timer().is_some_and(|at_ms| at_ms <= now_ms) {
                node.input(Input::Tick);
            }
        }
        for (_, frame) in one.take() {
            ways[0].send(now_ms, frame);
        }
        for (_, frame) in other.take() {
            ways[1].send(now_ms, frame);
        }
        while let Some(frame) = ways[0].arrived(now_ms) {
            other.frame(1, frame);
        }
        while let Some(frame) = ways[1].arrived(now_ms) {
            one.frame(1, frame);
        }
        if done(other) {
            return now_ms - begun_ms;
        }
    }
    ms
}

fn want(index: u64, commitment: Commitment) -> BodyWant {
    let (origin, part, addressees) = (origin("ph"), Part::Record, BTreeSet::new());
    BodyWant { origin, index, part, commitment, token: None, lent: false, addressees }
}

/// A file of 25 MiB is coming; then the author writes an entry with a small body.
fn with_a_file_under_way(bytes_per_s: u64, latency_ms: u64) -> (u64, u64, u64) {
    const PART: usize = 1_000_000;
    let federation = Federation::new(&["ph", "sg"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    let wants: Vec<BodyWant> = (0..26)
        .map(|n| want(n, ph.write_body(&[n as u8; PART], Visibility::Federation, vec![])))
        .collect();
    join(&mut ph, &mut sg, 1);
    assert_eq!(sg.store.tree(&origin("ph")).size(), 26);
    let mut ways = [Way::new(bytes_per_s, latency_ms), Way::new(bytes_per_s, latency_ms)];
    for want in wants {
        sg.input(Input::Want(want));
    }
    live(&mut ph, &mut sg, &mut ways, 20_000, |_| false);
    let small = ph.write_body(&[7; 8_000], Visibility::Federation, vec![]);
    let held = |sg: &Node<'_>| sg.store.tree(&origin("ph")).size() == 27;
    let entry_ms = live(&mut ph, &mut sg, &mut ways, 60_000, held);
    sg.input(Input::Want(want(26, small)));
    let came = |effect: &Effect| matches!(effect, Effect::Body { want, .. } if want.index == 26);
    let body_ms = live(&mut ph, &mut sg, &mut ways, 60_000, |sg| sg.others.iter().any(came));
    let whole = |effect: &&Effect| matches!(effect, Effect::Body { .. });
    let all = |sg: &Node<'_>| sg.others.iter().filter(whole).count() == 27;
    let rest_ms = live(&mut ph, &mut sg, &mut ways, 1_200_000, all);
    assert!(all(&sg) && sg.closed.is_empty() && ph.closed.is_empty());
    (entry_ms, body_ms, 20_000 + entry_ms + body_ms + rest_ms)
}

#[test]
fn an_entry_and_a_small_body_go_before_a_file_of_25_mib() {
    for (bytes_per_s, latency_ms, before_ms, whole_s) in [
        // A line of 1 Mbit/s: the file alone takes 208 s.
        (125_000, 50, 2_000, 240),
        // 256 kbit/s: 812 s.
        (32_000, 150, 5_000, 1_000),
        // 10 Mbit/s: 21 s.
        (1_250_000, 50, 500, 30),
    ] {
        let (entry_ms, body_ms, all_ms) = with_a_file_under_way(bytes_per_s, latency_ms);
        assert!(entry_ms <= before_ms, "the entry took {entry_ms} ms at {bytes_per_s} bytes/s");
        assert!(body_ms <= before_ms, "its body took {body_ms} ms at {bytes_per_s} bytes/s");
        assert!(all_ms <= whole_s * 1000, "all took {all_ms} ms at {bytes_per_s} bytes/s");
    }
}

/// A line that breaks off every 20 s carries a third of a part each time.
#[test]
fn what_came_of_a_large_body_is_gone_on_with_over_the_next_link() {
    let federation = Federation::new(&["ph", "sg", "qa"]);
    let (mut ph, mut sg) = (federation.node("ph"), federation.node("sg"));
    let body: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
    let commitment = ph.write_body(&body, Visibility::Federation, vec![]);
    join(&mut ph, &mut sg, 1);
    sg.input(Input::Want(want(0, commitment)));
    let mut times = 0;
    while sg.exchange.bodies_wanted() > 0 {
        times += 1;
        assert!(times < 8, "it begins anew each time");
        let mut ways = [Way::new(20_000, 50), Way::new(20_000, 50)];
        live(&mut ph, &mut sg, &mut ways, 20_000, |sg| sg.exchange.bodies_wanted() == 0);
        for node in [&mut ph, &mut sg] {
            node.input(Input::Closed { link: 1 });
            node.take();
        }
        for (node, society) in [(&mut ph, society("sg")), (&mut sg, society("ph"))] {
            node.input(Input::Connected { link: 1, society });
        }
    }
    assert!(times >= 3, "{times}");
    let key = want(0, commitment).key();
    assert_eq!(sg.store.body(&key, 0, usize::MAX).unwrap(), Some(body));
    // From another nothing is gone on with: each answers for all that it has sent.
    let mut late = federation.node("sg");
    late.rng = rand_chacha::rand_core::SeedableRng::seed_from_u64(8);
    join(&mut ph, &mut late, 1);
    late.input(Input::Want(want(0, commitment)));
    let mut ways = [Way::new(20_000, 50), Way::new(20_000, 50)];
    live(&mut ph, &mut late, &mut ways, 20_000, |_| false);
    late.input(Input::Closed { link: 1 });
    late.take();
    late.meet(2, "qa");
    let first = |node: &mut Node<'_>| {
        node.take().into_iter().find_map(|(_, frame)| match frame {
            Kind::WantBody(want) => Some(want.offset),
            _ => None,
        })
    };
    assert_eq!(first(&mut late), Some(0));
}
