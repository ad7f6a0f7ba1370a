//! Links: who keeps one with whom, how they come up and go down, and what goes over them.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use rand_core::RngCore as _;
use sha2::Digest as _;
use tutti_core::{session::neighbours, society::Society};
use tutti_proto::v1;

use super::{
    Conduct, Node, Simulation,
    events::Event,
    network::{Wire, kind},
};

impl Simulation {
    /// Who keeps a link with whom. The machines of an equivocator share out its neighbours.
    pub(super) fn plan_links(&mut self) {
        let graph: BTreeMap<Society, BTreeSet<Society>> = self
            .federation
            .secrets
            .keys()
            .map(|society| (*society, neighbours(&self.federation.roster, *society)))
            .collect();
        let share = |node: &Node, number: usize| match node.conduct {
            Conduct::Honest => true,
            Conduct::Equivocator(history) => number % 2 == history,
        };
        for one in 0..self.nodes.len() {
            for other in one + 1..self.nodes.len() {
                let (a, b) = (&self.nodes[one], &self.nodes[other]);
                if graph[&a.society].contains(&b.society) && share(a, other) && share(b, one) {
                    let second = self.network.second_link_in;
                    let twice = second > 0 && self.rng.next_u64().is_multiple_of(second);
                    self.pairs.insert((one, other), if twice { 2 } else { 1 });
                }
            }
        }
        self.waiting = self.pairs.keys().copied().collect();
        self.dial_waiting();
        if self.network.cut_every_ms > 0 {
            self.at(self.network.cut_every_ms, Event::Cut);
        }
    }

    pub(super) fn dial_waiting(&mut self) {
        for (one, other) in std::mem::take(&mut self.waiting) {
            for _ in 0..self.pairs.get(&(one, other)).copied().unwrap_or_default() {
                let wait_ms = self.random(1_000);
                self.at(wait_ms, Event::Dial { one, other });
            }
        }
    }

    pub(super) fn dial(&mut self, one: usize, other: usize) {
        let now = self.wires.values().filter(|wire| wire.ends == [one, other]).count();
        if now >= self.pairs.get(&(one, other)).copied().unwrap_or_default() {
            return;
        }
        let up = self.nodes[one].is_up() && self.nodes[other].is_up();
        if !up || self.side[one] & self.side[other] == 0 {
            self.waiting.insert((one, other));
            return;
        }
        let (low, high) = self.network.latency_ms;
        let latency_ms = low + self.random(high - low + 1);
        let wire = self.next_wire;
        self.next_wire += 1;
        let arrives_ms = [self.now_ms + 2 * latency_ms, self.now_ms + latency_ms];
        self.wires.insert(wire, Wire { ends: [one, other], latency_ms, arrives_ms });
        self.at(latency_ms, Event::Up { link: 2 * wire + 1 });
        self.at(2 * latency_ms, Event::Up { link: 2 * wire });
    }

    /// Cuts a link: what is under way is lost, both ends hear of it in their time, and dial anew.
    pub(super) fn cut(&mut self, wire: u64) {
        let Some(Wire { ends: [one, other], .. }) = self.wires.remove(&wire) else { return };
        for (link, node) in [(2 * wire, one), (2 * wire + 1, other)] {
            let wait_ms = self.random(200);
            self.at(wait_ms, Event::Down { node, link });
        }
        let wait_ms = 300 + self.random(2_000);
        self.at(wait_ms, Event::Dial { one, other });
    }

    pub(super) fn carry(&mut self, node: usize, link: u64, frame: v1::Frame) {
        let frame = match self.nodes[node].conduct {
            Conduct::Equivocator(1) if self.withholding => self.nodes[node].withheld(frame),
            Conduct::Equivocator(_) | Conduct::Honest => frame,
        };
        let bytes = frame.encoded_len();
        assert!(bytes <= tutti_core::limits::FRAME_BYTES_MAX, "a frame is too large");
        if self.nodes[node].conduct == Conduct::Honest {
            let roster = &self.federation.roster;
            self.truth.borrow_mut().check_sent(self.nodes[node].society, &frame, roster);
        }
        if !self.wires.contains_key(&(link / 2)) {
            return;
        }
        self.traffic.count(&frame, bytes);
        self.trace_frame(link, &frame, bytes);
        match self.carriers.get_mut(&node) {
            None => self.send(link, frame, None),
            Some(carrier) => {
                for (later_ms, frame) in carrier.carry(frame, &mut self.rng) {
                    self.send(link, frame, Some(later_ms));
                }
            }
        }
    }

    /// Puts a frame on the wire; `later_ms` where it need not keep its place.
    fn send(&mut self, link: u64, frame: v1::Frame, later_ms: Option<u64>) {
        let jitter_ms = match self.network.jitter_ms {
            0 => 0,
            jitter_ms => self.random(jitter_ms),
        };
        let Some(wire) = self.wires.get_mut(&(link / 2)) else { return };
        // It arrives at the other end.
        let end = usize::from(link.is_multiple_of(2));
        let mut at_ms = self.now_ms + wire.latency_ms + jitter_ms;
        match later_ms {
            Some(later_ms) if later_ms > 0 => at_ms += later_ms,
            _ => {
                at_ms = at_ms.max(wire.arrives_ms[end]);
                wire.arrives_ms[end] = at_ms;
            }
        }
        self.at(at_ms - self.now_ms, Event::Frame { link: link ^ 1, frame });
    }

    fn trace_frame(&mut self, link: u64, frame: &v1::Frame, bytes: usize) {
        use v1::frame::Frame as Kind;
        let trace = &mut self.trace;
        trace.update(self.now_ms.to_be_bytes());
        trace.update(link.to_be_bytes());
        trace.update(kind(frame));
        // age puts a stanza of random length before what it seals.
        if !matches!(frame.frame, Some(Kind::BodyChunk(_))) {
            trace.update((bytes as u64).to_be_bytes());
        }
        match &frame.frame {
            Some(Kind::Batch(batch)) => {
                trace.update(&batch.origin);
                trace.update(batch.start.to_be_bytes());
                trace.update((batch.entries.len() as u64).to_be_bytes());
            }
            Some(Kind::Heads(heads)) => {
                for head in &heads.checkpoints {
                    // The log and its size; the root comes from what age has drawn.
                    head.split(|byte| *byte == b'\n').take(2).for_each(|line| trace.update(line));
                }
            }
            Some(Kind::Cosignatures(cosignatures)) => {
                for head in &cosignatures.heads {
                    trace.update(&head.origin);
                    trace.update(head.size.to_be_bytes());
                }
            }
            Some(Kind::Want(want)) => {
                trace.update(&want.origin);
                trace.update(want.start.to_be_bytes());
            }
            Some(Kind::WantBody(want)) => {
                trace.update(&want.origin);
                trace.update([want.index.to_be_bytes(), want.offset.to_be_bytes()].concat());
            }
            Some(_) | None => {}
        }
    }

    /// An author keeps a link with each to whom it has addressed something.
    pub(super) fn link_to(&mut self, author: usize, society: Society) {
        let Some(other) = self.nodes.iter().position(|node| node.society == society) else {
            return;
        };
        let (one, other) = (author.min(other), author.max(other));
        if let std::collections::btree_map::Entry::Vacant(pair) = self.pairs.entry((one, other)) {
            pair.insert(1);
            self.at(0, Event::Dial { one, other });
        }
    }
}
