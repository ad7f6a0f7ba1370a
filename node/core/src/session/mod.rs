//! The exchange between nodes, sans I/O: what happens goes in, what is to be done comes out.
//!
//! [`Exchange::handle`] takes one input, the time, the store for reading and the roster. The caller
//! runs the effects **in order** and answers each durable change of a log with [`Input::Grew`].
//! Invariants: nothing is sent or cosigned that the store does not hold; a log is only ever
//! extended by a [`VerifiedBatch`]; a frozen log is neither extended nor cosigned; nothing that a
//! peer claims is allocated for, and what it says of its own state ends with its link; the same
//! inputs with the same random numbers give the same effects. It knows no clock: `now_ms` is the
//! caller's steady one, and where that jumps all the same it only moves timers.
//!
//! Source: `docs/protocol.md`, "The session"; C2SP tlog-witness for cosigning.

mod bodies;
mod clock;
mod cosignatures;
mod doubts;
mod effects;
mod entries;
mod forks;
mod frontier;
mod handing;
mod heads;
mod hello;
mod link;
mod log;
mod logs;
mod misbehaved;
mod neighbours;
mod pace;
mod quota;
mod serving;
mod status;
mod unkept;
mod witness;

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use tutti_proto::v1::{self, frame::Frame as FrameKind};

use self::{
    bodies::Bodies, clock::Clock, handing::Handing, link::Link, log::Log, logs::Logs,
    neighbours::Graph, witness::turn,
};
pub use self::{
    effects::{BodyWant, Effect, Input, Unkept},
    handing::{Arrival, HeldState, Offering},
    link::Greeting,
    misbehaved::Misbehaved,
    neighbours::{MESH_MAX, neighbours},
    quota::Cost,
    status::{LinkStatus, LogStatus, Tally},
    witness::{WITNESSES, witnesses},
};

use crate::{
    roster::{Roster, Status},
    society::{Origin, Society},
    store::Reader,
};

/// One link to a peer, as the caller numbers it; never used twice.
pub type LinkId = u64;

/// Who this node is, for its hello.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The society.
    pub society: Society,
    /// Its own log.
    pub origin: Origin,
    /// Version of the roster in force.
    pub roster_version: u64,
    /// SHA-256 of its text.
    pub roster_hash: [u8; 32],
    /// Drawn when the process starts.
    pub incarnation: [u8; 16],
}

impl Settings {
    /// The federation is the origin's.
    pub fn new(
        society: Society,
        origin: Origin,
        roster_version: u64,
        roster_hash: [u8; 32],
        incarnation: [u8; 16],
    ) -> Self {
        Self { society, origin, roster_version, roster_hash, incarnation }
    }
}

/// The state of the exchange. See the module.
#[derive(Debug)]
pub struct Exchange {
    settings: Settings,
    clock: Clock,
    loaded: bool,
    graph: Graph,
    links: BTreeMap<LinkId, Link>,
    logs: Logs,
    bodies: Bodies,
    handing: Handing,
    quotas: quota::Quotas,
    /// The largest head of our own log that was told of in an [`Effect::OwnLogAhead`].
    own_known: u64,
    tally: Tally,
}

/// What one call to [`Exchange::handle`] works with.
struct Step<'a, S, R> {
    /// By the exchange's own clock.
    now_ms: u64,
    store: &'a S,
    roster: &'a Roster,
    rng: &'a mut R,
    effects: Vec<Effect>,
}

impl<S, R: CryptoRngCore> Step<'_, S, R> {
    fn send(&mut self, link: LinkId, frame: FrameKind) {
        self.effects.push(Effect::Send { link, frame: v1::Frame { frame: Some(frame) } });
    }

    /// A number below `bound`; 0 where that is 0.
    fn random(&mut self, bound: u64) -> u64 {
        self.rng.next_u64().checked_rem(bound).unwrap_or_default()
    }

    /// Now, and `wait_ms`, and up to `spread_ms` more.
    fn after(&mut self, wait_ms: u64, spread_ms: u64) -> u64 {
        let spread = self.random(spread_ms);
        self.now_ms.saturating_add(wait_ms).saturating_add(spread)
    }
}

impl Exchange {
    /// Nothing is known yet; the first input reads the store.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            clock: Clock::default(),
            loaded: false,
            graph: Graph::default(),
            links: BTreeMap::new(),
            logs: Logs::default(),
            bodies: Bodies::default(),
            handing: Handing::default(),
            quotas: quota::Quotas::default(),
            own_known: 0,
            tally: Tally::default(),
        }
    }

    /// From now on says in its hello that it works by this roster. What the roster itself changes
    /// is done at the next input.
    pub fn work_by(&mut self, roster: &Roster) {
        self.settings.roster_version = roster.version();
        self.settings.roster_hash = roster.hash();
    }

    /// Takes one input. `now_ms` is by a clock that nobody sets, from any beginning.
    pub fn handle(
        &mut self,
        input: Input,
        now_ms: u64,
        store: &impl Reader,
        roster: &Roster,
        rng: &mut impl CryptoRngCore,
    ) -> Vec<Effect> {
        let now_ms = self.clock.at(now_ms);
        self.quotas.now_ms = now_ms;
        let mut step = Step { now_ms, store, roster, rng, effects: Vec::new() };
        self.follow_roster(&mut step);
        self.load(&mut step);
        match input {
            Input::Connected { link, society } => self.connected(&mut step, link, society),
            Input::Closed { link } => self.forget(&mut step, link),
            Input::Frame { link, frame } => {
                if let Err(why) = self.frame(&mut step, link, frame) {
                    self.close(&mut step, link, why);
                }
            }
            Input::Grew { origin } => self.grew(&mut step, &origin),
            Input::Want(want) => self.want_body(&mut step, want),
            Input::NotKept(unkept) => self.not_kept(&mut step, unkept),
            Input::Offer(offering) => self.offer(&mut step, offering),
            Input::Settled { index } => self.settle(&mut step, index),
            Input::Arrived(arrival) => self.arrived(&mut step, arrival),
            Input::Answer { to, origin, index, state, receipts } => {
                self.answer(&mut step, to, &origin, index, (state, receipts));
            }
            Input::Tick => self.tick(&mut step),
        }
        self.logs.settle();
        step.effects
    }

    /// When the next timer is due, by the caller's clock; [`Input::Tick`] then.
    pub fn next_timer(&self) -> Option<u64> {
        let links = self
            .links
            .values()
            .map(|link| if link.is_ready() { link.frontier_at_ms } else { link.hello_due_ms });
        let handing = self.links.values().flat_map(|link| [link.offers_at_ms, link.receipts_at_ms]);
        links
            .chain(handing.flatten())
            .chain(self.logs.next_timer())
            .chain(self.bodies.next_timer())
            .min()
            .map(|at| self.clock.outside(at))
    }

    /// Reads the logs that the store holds, once.
    fn load<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>) {
        if std::mem::replace(&mut self.loaded, true) {
            return;
        }
        for origin in step.store.logs() {
            self.log(step, &origin);
            self.consider_cosigning(step, &origin);
        }
    }

    /// The log, read from the store where it is new here. Call it only for an origin that the
    /// roster or the store knows: their number is bounded, a peer's imagination is not.
    fn log<S: Reader, R>(&mut self, step: &Step<'_, S, R>, origin: &Origin) -> &mut Log {
        self.logs.get_or_insert_with(origin, || {
            let place = self.graph.place(origin, self.settings.society);
            let turn = turn(step.roster, origin, self.settings.society);
            Log { place, turn, ..Log::load(step.store, origin) }
        })
    }

    /// Where the roster changed: new neighbours, new trees, and no link to who is no longer let in.
    fn follow_roster<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>) {
        if self.graph.roster == step.roster.hash() {
            return;
        }
        self.graph = Graph::new(step.roster);
        for (origin, log) in self.logs.iter_mut() {
            log.place = self.graph.place(origin, self.settings.society);
            log.turn = turn(step.roster, origin, self.settings.society);
        }
        let out: Vec<(LinkId, Society)> = self
            .links
            .iter()
            .filter(|(_, link)| !is_active(step.roster, link.society))
            .map(|(id, link)| (*id, link.society))
            .collect();
        for (link, society) in out {
            self.close(step, link, Misbehaved::NotAMember(society));
        }
    }

    fn frame<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        id: LinkId,
        frame: v1::Frame,
    ) -> Result<(), Misbehaved> {
        // A frame of a kind that a later version has, or of a link that was closed a moment ago.
        let (Some(frame), Some(link)) = (frame.frame, self.links.get(&id)) else {
            return Ok(());
        };
        let from = Sender { link: id, society: link.society };
        if !link.is_ready() && !matches!(frame, FrameKind::Hello(_)) {
            return Err(Misbehaved::NoHello(from.society));
        }
        match frame {
            FrameKind::Hello(hello) => self.hello(step, from, &hello),
            FrameKind::Heads(heads) => self.heads(step, from, &heads),
            FrameKind::Want(want) => self.wanted(step, from, &want),
            FrameKind::Batch(batch) => self.batch(step, from, batch),
            FrameKind::WantBody(want) => self.body_wanted(step, from, &want),
            FrameKind::BodyChunk(chunk) => self.body_chunk(step, from, &chunk),
            FrameKind::BodyUnavailable(answer) => self.body_unavailable(step, from, &answer),
            FrameKind::Evidence(evidence) => self.evidence(step, from, &evidence),
            FrameKind::Offer(offer) => self.offered(step, from, &offer),
            FrameKind::Held(held) => self.held(step, from, &held),
            FrameKind::Received(received) => self.received(step, from, &received),
            FrameKind::Cosignatures(message) => self.cosignatures(step, from, &message),
            FrameKind::Doubt(doubt) => self.doubted(step, from, &doubt),
            FrameKind::Frontier(frontier) => self.frontier(step, from, &frontier),
            FrameKind::Holdings(holdings) => self.holdings(step, from, &holdings),
        }
    }

    fn tick<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>) {
        self.tick_links(step);
        self.logs.settle();
        let due = self.logs.due(step.now_ms);
        for origin in &due {
            self.tick_entries(step, origin);
            self.tick_cosigning(step, origin);
            self.tick_unkept(step, origin);
        }
        self.tick_heads(step, &due);
        self.tick_handing(step);
        self.pull_bodies(step);
    }

    fn close<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        link: LinkId,
        why: Misbehaved,
    ) {
        step.effects.push(Effect::Close { link, why });
        self.forget(step, link);
    }

    /// Forgets a link and all that was said on it, and asks elsewhere for what it still owed.
    fn forget<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>, id: LinkId) {
        self.links.remove(&id);
        let mut owed = Vec::new();
        for (origin, log) in self.logs.iter_mut() {
            log.grafted.remove(&id);
            log.brought_by.take_if(|link| *link == id);
            if log.asked.take_if(|asked| asked.link == id).is_some() {
                owed.push(origin.clone());
            }
        }
        for origin in owed {
            self.ask(step, &origin, None);
        }
        self.bodies_lost(step, id);
    }
}

/// Who sent a frame.
#[derive(Debug, Clone, Copy)]
struct Sender {
    link: LinkId,
    society: Society,
}

impl Sender {
    fn wrong(self, field: &'static str) -> Misbehaved {
        Misbehaved::Frame { society: self.society, field }
    }
}

fn is_active(roster: &Roster, society: Society) -> bool {
    roster.member(society).is_some_and(|member| member.status == Status::Active)
}

#[cfg(test)]
mod tests;
