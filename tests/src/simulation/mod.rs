//! A deterministic simulator of a federation: the very exchange that runs in production, with
//! virtual time, links that are cut, partitions, restarts and clocks that are years apart.
//!
//! A link is a reliable, ordered stream while it is up, as gRPC over TLS gives it; when it is cut,
//! what was under way is lost. Everything random comes from one seed: the same seed gives the same
//! trace, event for event and byte for byte. What must hold at every moment is in [`truth`].

mod federation;
mod node;
#[cfg(test)]
mod scenarios;
mod truth;

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::RngCore as _;
use sha2::{Digest as _, Sha256};
use tutti_core::{
    batch::VerifiedBatch,
    entry::Entry,
    session::{Input, LinkId, Misbehaved, neighbours},
    society::{Origin, Society},
    store::Store,
};
use tutti_proto::v1;

use self::node::Deed;
pub use self::{
    federation::{Federation, origin, society},
    node::{Conduct, Node},
    truth::Truth,
};

/// How links behave.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    /// The shortest and the longest time one way, milliseconds; each link has its own.
    pub latency_ms: (u64, u64),
    /// Every so often a random link is cut, milliseconds on average; 0 for never.
    pub cut_every_ms: u64,
    /// One in so many pairs gets a second link; 0 for none.
    pub second_link_in: u64,
}

impl Default for Network {
    fn default() -> Self {
        Self { latency_ms: (10, 50), cut_every_ms: 0, second_link_in: 0 }
    }
}

/// A pair's way to each other. Its two ends have numbers of their own.
#[derive(Debug)]
struct Wire {
    ends: [(usize, LinkId); 2],
    latency_ms: u64,
    /// When the last frame in each direction arrives: none overtakes it.
    arrives_ms: [u64; 2],
}

#[derive(Debug)]
enum Event {
    /// One end hears that the link is up.
    Up {
        wire: u64,
        end: usize,
    },
    /// One end hears that the link is gone.
    Down {
        node: usize,
        link: LinkId,
    },
    /// A frame arrives at an end.
    Frame {
        wire: u64,
        end: usize,
        frame: v1::Frame,
    },
    Tick {
        node: usize,
    },
    /// A pair without a link tries to get one.
    Dial {
        one: usize,
        other: usize,
    },
    /// A random link is cut.
    Cut,
    /// A process that was ended starts again.
    Start {
        node: usize,
    },
}

/// See the module.
pub struct Simulation<S> {
    federation: Federation,
    nodes: Vec<Node<S>>,
    truth: Truth,
    network: Network,
    now_ms: u64,
    sequence: u64,
    events: BTreeMap<(u64, u64), Event>,
    wires: BTreeMap<u64, Wire>,
    /// Which side of a partition a node is on.
    side: Vec<u32>,
    /// Pairs that keep a link, and how many.
    pairs: BTreeMap<(usize, usize), usize>,
    next_link: u64,
    ticks: Vec<Option<u64>>,
    rng: ChaCha20Rng,
    trace: Sha256,
    frames: BTreeMap<&'static str, u64>,
    /// When each entry was written.
    written: BTreeMap<(Origin, u64), u64>,
    delays_ms: Vec<u64>,
    misbehaved: Vec<(Society, Misbehaved)>,
}

/// 2026-01-01; each node's own clock is years off.
const START_MS: u64 = 1_767_225_600_000;

/// Ten years, milliseconds.
const SKEW_MS: u64 = 315_360_000_000;

impl<S: Store> Simulation<S> {
    /// A federation of so many; the first `equivocators` of them run `histories` machines each.
    pub fn new(
        members: usize,
        equivocators: usize,
        histories: usize,
        network: Network,
        seed: u64,
        mut store: impl FnMut(Society) -> S,
    ) -> Self {
        let federation = Federation::new(members);
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut nodes = Vec::new();
        for number in 0..members {
            let machines = if number < equivocators { histories } else { 1 };
            for machine in 0..machines {
                let conduct = match number < equivocators {
                    true => Conduct::Equivocator(machine),
                    false => Conduct::Honest,
                };
                let skew = i64::try_from(rng.next_u64() % (2 * SKEW_MS)).unwrap_or_default();
                let skew = skew - i64::try_from(SKEW_MS).unwrap_or_default();
                let (society, seed) = (society(number), rng.next_u64());
                let node = Node::new(&federation, society, conduct, store(society), seed, skew);
                nodes.push(node);
            }
        }
        let count = nodes.len();
        let mut simulation = Self {
            federation,
            nodes,
            truth: Truth::default(),
            network,
            now_ms: START_MS,
            sequence: 0,
            events: BTreeMap::new(),
            wires: BTreeMap::new(),
            side: vec![0; count],
            pairs: BTreeMap::new(),
            next_link: 1,
            ticks: vec![None; count],
            rng,
            trace: Sha256::new(),
            frames: BTreeMap::new(),
            written: BTreeMap::new(),
            delays_ms: Vec::new(),
            misbehaved: Vec::new(),
        };
        simulation.plan_links();
        simulation
    }

    /// Who keeps a link with whom. The machines of an equivocator share out its neighbours.
    fn plan_links(&mut self) {
        let graph: BTreeMap<Society, BTreeSet<Society>> = self
            .federation
            .secrets
            .keys()
            .map(|society| (*society, neighbours(&self.federation.roster, *society)))
            .collect();
        let machine = |node: &Node<S>| match node.conduct {
            Conduct::Honest => 0,
            Conduct::Equivocator(history) => history,
        };
        let histories =
            |society: Society| self.nodes.iter().filter(|node| node.society == society).count();
        for one in 0..self.nodes.len() {
            for other in one + 1..self.nodes.len() {
                let (a, b) = (&self.nodes[one], &self.nodes[other]);
                if !graph[&a.society].contains(&b.society) {
                    continue;
                }
                let turn_a = other % histories(a.society) == machine(a);
                let turn_b = one % histories(b.society) == machine(b);
                if turn_a && turn_b {
                    let second = self.network.second_link_in;
                    let twice = second > 0 && self.rng.next_u64().is_multiple_of(second);
                    self.pairs.insert((one, other), if twice { 2 } else { 1 });
                }
            }
        }
        let pairs: Vec<_> = self.pairs.iter().map(|(pair, count)| (*pair, *count)).collect();
        for ((one, other), count) in pairs {
            for _ in 0..count {
                let wait_ms = self.random(1_000);
                self.at(wait_ms, Event::Dial { one, other });
            }
        }
        if self.network.cut_every_ms > 0 {
            self.at(self.network.cut_every_ms, Event::Cut);
        }
    }

    fn random(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    fn at(&mut self, wait_ms: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now_ms + wait_ms, self.sequence), event);
    }

    /// Lets time pass.
    pub fn run(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        while let Some(entry) = self.events.first_entry() {
            let (at_ms, _) = *entry.key();
            if at_ms > end_ms {
                break;
            }
            let event = entry.remove();
            self.now_ms = at_ms;
            self.happen(event);
        }
        self.now_ms = end_ms;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Up { wire, end } => {
                let Some(wire) = self.wires.get(&wire) else { return };
                let ((node, link), (other, _)) = (wire.ends[end], wire.ends[1 - end]);
                let society = self.nodes[other].society;
                self.input(node, Input::Connected { link, society });
            }
            Event::Down { node, link } => self.input(node, Input::Closed { link }),
            Event::Frame { wire, end, frame } => {
                let Some(wire) = self.wires.get(&wire) else { return };
                let (node, link) = wire.ends[end];
                self.trace.update(self.now_ms.to_be_bytes());
                self.trace.update((node as u64).to_be_bytes());
                self.trace.update(frame.encode_to_vec());
                self.input(node, Input::Frame { link, frame });
            }
            Event::Tick { node } => {
                self.ticks[node] = None;
                self.input(node, Input::Tick);
            }
            Event::Dial { one, other } => self.dial(one, other),
            Event::Cut => {
                let at = self.random(self.wires.len() as u64);
                let at = usize::try_from(at).unwrap_or_default();
                if let Some(wire) = self.wires.keys().nth(at).copied() {
                    self.cut(wire);
                }
                let wait_ms = 1 + self.random(2 * self.network.cut_every_ms);
                self.at(wait_ms, Event::Cut);
            }
            Event::Start { node } => {
                self.nodes[node].restart(&self.federation);
                for want in self.nodes[node].absent() {
                    self.input(node, Input::Want(want));
                }
                self.input(node, Input::Tick);
            }
        }
    }

    fn dial(&mut self, one: usize, other: usize) {
        let now =
            self.wires.values().filter(|wire| wire.ends[0].0 == one && wire.ends[1].0 == other);
        let wanted = self.pairs.get(&(one, other)).copied().unwrap_or_default();
        if now.count() >= wanted {
            return;
        }
        let possible =
            self.nodes[one].up && self.nodes[other].up && self.side[one] == self.side[other];
        if !possible {
            let wait_ms = 500 + self.random(1_000);
            return self.at(wait_ms, Event::Dial { one, other });
        }
        let (low, high) = self.network.latency_ms;
        let latency_ms = low + self.random(high - low + 1);
        let wire = self.next_link;
        self.next_link += 2;
        let ends = [(one, wire), (other, wire + 1)];
        self.wires.insert(wire, Wire { ends, latency_ms, arrives_ms: [self.now_ms; 2] });
        self.at(latency_ms, Event::Up { wire, end: 1 });
        self.at(2 * latency_ms, Event::Up { wire, end: 0 });
        if let Some(wire) = self.wires.get_mut(&wire) {
            wire.arrives_ms = [self.now_ms + 2 * latency_ms, self.now_ms + latency_ms];
        }
    }

    /// Cuts a link: what is under way is lost, both ends hear of it in their time, and dial anew.
    fn cut(&mut self, wire: u64) {
        let Some(Wire { ends, .. }) = self.wires.remove(&wire) else { return };
        for (node, link) in ends {
            let wait_ms = self.random(200);
            self.at(wait_ms, Event::Down { node, link });
        }
        let wait_ms = 300 + self.random(2_000);
        self.at(wait_ms, Event::Dial { one: ends[0].0, other: ends[1].0 });
    }

    /// Gives a node an input and carries out what it does.
    fn input(&mut self, node: usize, input: Input) {
        if !self.nodes[node].up {
            return;
        }
        let now_ms = self.now_ms;
        let deeds = self.nodes[node].input(input, now_ms, &self.federation, &mut self.truth);
        for deed in deeds {
            match deed {
                Deed::Send { link, frame } => self.carry(node, link, frame),
                Deed::Close { link, why } => {
                    self.misbehaved.push((self.nodes[node].society, why));
                    let wire =
                        self.wires.iter().find(|(_, wire)| wire.ends.contains(&(node, link)));
                    if let Some(wire) = wire.map(|(id, _)| *id) {
                        self.cut(wire);
                    }
                }
                Deed::Appended { batch } => {
                    for index in batch.start()..batch.start() + batch.entries().len() as u64 {
                        let written = self.written.get(&(batch.origin().clone(), index));
                        if let Some(written) = written {
                            self.delays_ms.push(now_ms - written);
                        }
                    }
                }
            }
        }
        if let Some(at_ms) = self.nodes[node].next_timer() {
            let at_ms = at_ms.max(now_ms);
            if self.ticks[node].is_none_or(|set| at_ms < set) {
                self.ticks[node] = Some(at_ms);
                self.at(at_ms - now_ms, Event::Tick { node });
            }
        }
    }

    fn carry(&mut self, node: usize, link: LinkId, frame: v1::Frame) {
        assert!(frame.encoded_len() <= tutti_core::limits::FRAME_BYTES_MAX, "a frame is too large");
        let Some((id, wire)) =
            self.wires.iter_mut().find(|(_, wire)| wire.ends.contains(&(node, link)))
        else {
            return;
        };
        let end = usize::from(wire.ends[0] == (node, link));
        let arrives_ms = (self.now_ms + wire.latency_ms).max(wire.arrives_ms[end]);
        wire.arrives_ms[end] = arrives_ms;
        let id = *id;
        *self.frames.entry(kind(&frame)).or_default() += 1;
        self.at(arrives_ms - self.now_ms, Event::Frame { wire: id, end, frame });
    }

    /// A node writes into its log, where it would. Says whether it did.
    pub fn write(&mut self, node: usize, count: u64) -> bool {
        if !self.nodes[node].may_write(self.now_ms) {
            return false;
        }
        let now_ms = self.now_ms;
        let author = &mut self.nodes[node];
        let clock_ms = now_ms.saturating_add_signed(author.skew_ms);
        let batch = author.write(count, clock_ms, &self.federation, &mut self.truth);
        if author.conduct == Conduct::Honest {
            self.link_to_addressees(node, &batch);
            for index in batch.start()..batch.start() + count {
                self.written.insert((batch.origin().clone(), index), now_ms);
            }
        }
        self.input(node, Input::Grew { origin: batch.origin().clone() });
        true
    }

    /// An author keeps a link with each to whom it has addressed something.
    fn link_to_addressees(&mut self, author: usize, batch: &VerifiedBatch) {
        let mut addressees = BTreeSet::new();
        for entry in batch.entries() {
            let Ok(Entry::V1(header)) = Entry::parse(entry.as_slice()) else { continue };
            let addressed =
                |node: &Node<S>| node.want(&header).is_some_and(|want| want.token.is_some());
            addressees.extend(self.nodes.iter().position(addressed));
        }
        for other in addressees {
            let (one, other) = (author.min(other), author.max(other));
            if self.pairs.insert((one, other), 1).is_none() {
                self.at(0, Event::Dial { one, other });
            }
        }
    }

    /// Splits the network: nodes on different sides do not reach each other.
    pub fn partition(&mut self, side: impl Fn(usize) -> u32) {
        for node in 0..self.nodes.len() {
            self.side[node] = side(node);
        }
        let across: Vec<u64> = self
            .wires
            .iter()
            .filter(|(_, wire)| self.side[wire.ends[0].0] != self.side[wire.ends[1].0])
            .map(|(id, _)| *id)
            .collect();
        for wire in across {
            self.cut(wire);
        }
    }

    /// Ends a node's process; it starts again after a while, on the same disk.
    pub fn restart(&mut self, node: usize, away_ms: u64) {
        if !self.nodes[node].up {
            return;
        }
        let wires: Vec<u64> = self
            .wires
            .iter()
            .filter(|(_, wire)| wire.ends.iter().any(|(at, _)| *at == node))
            .map(|(id, _)| *id)
            .collect();
        for wire in wires {
            self.cut(wire);
        }
        self.nodes[node].up = false;
        self.at(away_ms, Event::Start { node });
    }

    /// The disk of a node that is down is replaced, as by an old backup. It writes nothing until
    /// it has been up for `silent_ms`, in which others tell it of its own log.
    pub fn replace_store(&mut self, node: usize, store: S, silent_ms: u64) {
        assert!(!self.nodes[node].up, "a disk is replaced in a machine that is off");
        self.nodes[node].store = store;
        self.nodes[node].silent_until_ms = self.now_ms + silent_ms;
    }

    /// No more cuts; everyone reaches everyone.
    pub fn heal(&mut self) {
        self.network.cut_every_ms = 0;
        self.events.retain(|_, event| !matches!(event, Event::Cut));
        self.side.fill(0);
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node<S>] {
        &self.nodes
    }

    /// What was really signed.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Frames that were sent, by kind.
    pub fn frames(&self) -> &BTreeMap<&'static str, u64> {
        &self.frames
    }

    /// For every entry and node, how long it took from writing to having it, milliseconds.
    pub fn delays_ms(&self) -> &[u64] {
        &self.delays_ms
    }

    /// Links that a node closed on a peer.
    pub fn misbehaved(&self) -> &[(Society, Misbehaved)] {
        &self.misbehaved
    }

    /// Over every frame, when it came and to whom.
    pub fn trace_hash(&self) -> String {
        hex::encode(self.trace.clone().finalize())
    }

    /// Every honest log is everywhere, whole, with the cosignatures of all; every forked one is
    /// known as such to every honest node. Says what is missing.
    pub fn converged(&self) -> Result<(), String> {
        let members: Vec<Society> = self.federation.secrets.keys().copied().collect();
        for node in self.nodes.iter().filter(|node| node.conduct == Conduct::Honest) {
            let who = node.society;
            for origin in self.truth.forked() {
                if node.store.evidence(origin).is_none() {
                    return Err(format!("{who} has not found out {origin}"));
                }
            }
            for (origin, size, root) in self.truth.honest() {
                let tree = node.store.tree(origin);
                if (tree.size(), tree.root()) != (size, root) {
                    return Err(format!("{who} holds {} of {size} of {origin}", tree.size()));
                }
                let Some(head) = node.store.head(origin).filter(|head| head.size() == size) else {
                    return Err(format!("{who} has no head of {size} for {origin}"));
                };
                let honest = |society: &&Society| {
                    **society != origin.society()
                        && !self.truth.forked().any(|origin| origin.society() == **society)
                };
                if let Some(missing) =
                    members.iter().filter(honest).find(|society| !head.is_cosigned_by(**society))
                {
                    return Err(format!("{who} lacks {missing}'s cosignature on {origin}"));
                }
            }
        }
        Ok(())
    }

    /// Runs until all have converged; the time that it took, milliseconds.
    ///
    /// # Panics
    /// Where it takes longer than `max_ms`, with what is missing.
    pub fn settle(&mut self, max_ms: u64) -> u64 {
        let from_ms = self.now_ms;
        loop {
            match self.converged() {
                Ok(()) => return self.now_ms - from_ms,
                Err(missing) => {
                    assert!(self.now_ms - from_ms < max_ms, "not within {max_ms} ms: {missing}");
                }
            }
            self.run(500);
        }
    }

    /// See [`Node`]: bodies are exactly where they may be. `complete`: and none is missing.
    pub fn check_bodies(&self, complete: bool) {
        for node in self.nodes.iter().filter(|node| node.conduct == Conduct::Honest) {
            node.check_bodies(complete);
        }
    }

    /// Counts of all nodes' exchanges, since each was started.
    pub fn redundant_batches(&self) -> u64 {
        self.nodes.iter().map(|node| node.tally().batches_redundant).sum()
    }

    /// A random number from the simulation's seed, for a scenario's own choices.
    pub fn choose(&mut self, bound: usize) -> usize {
        usize::try_from(self.random(bound as u64)).unwrap_or_default()
    }
}

fn kind(frame: &v1::Frame) -> &'static str {
    match &frame.frame {
        Some(v1::frame::Frame::Hello(_)) => "hello",
        Some(v1::frame::Frame::Heads(heads)) if heads.frontier => "frontier",
        Some(v1::frame::Frame::Heads(_)) => "heads",
        Some(v1::frame::Frame::Want(_)) => "want",
        Some(v1::frame::Frame::Batch(_)) => "batch",
        Some(v1::frame::Frame::WantBody(_)) => "want_body",
        Some(v1::frame::Frame::BodyChunk(_)) => "body_chunk",
        Some(v1::frame::Frame::BodyUnavailable(_)) => "body_unavailable",
        Some(v1::frame::Frame::Evidence(_)) => "evidence",
        Some(v1::frame::Frame::Offer(_)) => "offer",
        Some(v1::frame::Frame::Held(_)) => "held",
        Some(v1::frame::Frame::Received(_)) => "received",
        None => "empty",
    }
}
