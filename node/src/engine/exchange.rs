//! The exchange, run: frames and ticks in, effects done in their order.
//!
//! This is glue and decides nothing. Each effect that changes a log is made durable, projected, and
//! only then told to the exchange, which sends and cosigns what the store holds. A store that could
//! not write changes nothing here: what was not kept is asked for again later.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use tutti_core::{
    body::{Body, Part},
    referral::EventRef,
    session::{BodyWant, Effect, Input, LogStatus, Tally, Unkept},
    society::{Origin, Society},
    store::{Store, StoreError},
};

use super::{Engine, Mode, joined::joined};
use crate::{
    clock::Now,
    peers::{Outbox, PeerEvent},
};

/// What the exchange knows of one peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerStatus {
    /// Whether a link is up.
    pub connected: bool,
    /// Whether the last link was dialled from here.
    pub dialled: bool,
    /// The other end's address.
    pub address: String,
    /// When the last link came up, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// When the last frame came.
    pub last_heard_ms: u64,
    /// A round trip, milliseconds, an average; 0 before its hello.
    pub round_trip_ms: u64,
    /// Whether it works by another roster than this node.
    pub roster_differs: bool,
    /// Whether two processes answer for it at this moment: somebody runs a copy.
    pub twin: bool,
    /// What ended the last link, in a few words.
    pub last_error: String,
}

/// One link that is up.
pub(super) struct Link {
    pub(super) society: Society,
    pub(super) outbox: Outbox,
}

/// What happened inside and the exchange is still to be told of. It is told at the next tick, which
/// follows at once.
#[derive(Debug)]
pub(super) enum Happening {
    /// A log grew, and the change is durable.
    Grew(Origin),
    /// A body is wanted.
    Want(BodyWant),
    /// A link is gone.
    Closed(u64),
    /// The store did not take something.
    NotKept(Unkept),
    /// What a delivery makes necessary.
    Told(Box<Input>),
}

/// Bodies that came together and are not durable yet: nobody is told of them.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    wants: Vec<BodyWant>,
    /// One for each of them.
    bodies: Vec<Body>,
    bytes: usize,
}

/// Bytes of bodies that are made durable by one sync.
const ARRIVED_BYTES_MAX: usize = 2 * 1024 * 1024;

impl Arrived {
    /// Takes one more. Whether that is enough.
    fn take(&mut self, want: BodyWant, body: Body) -> bool {
        self.bytes += body.bytes().len();
        self.wants.push(want);
        self.bodies.push(body);
        self.bytes >= ARRIVED_BYTES_MAX
    }
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Takes what happened on a link.
    pub fn peer(&mut self, event: PeerEvent, now: impl Into<Now>) {
        self.peers(vec![event], now);
    }

    /// Takes all that waited together, so that what is alike in it becomes durable together.
    pub fn peers(&mut self, events: Vec<PeerEvent>, now: impl Into<Now>) {
        let now_ms = self.set_now(now);
        for event in joined(events) {
            self.happened(event, now_ms);
        }
        self.keep_bodies(now_ms);
        self.carry_stops(now_ms);
        self.tell_exchange(now_ms);
    }

    fn happened(&mut self, event: PeerEvent, now_ms: u64) {
        match event {
            PeerEvent::Connected { link, society, outbox, dialled, address } => {
                self.links.insert(link, Link { society, outbox });
                let peer = self.peers.entry(society).or_default();
                let last_error = std::mem::take(&mut peer.last_error);
                *peer = PeerStatus {
                    connected: true,
                    dialled,
                    address,
                    since_ms: now_ms,
                    last_heard_ms: now_ms,
                    last_error,
                    ..PeerStatus::default()
                };
                self.changed(now_ms, "peer", society.to_string(), "connected");
                self.exchange(Input::Connected { link, society }, now_ms);
            }
            PeerEvent::Frame { link, frame } => {
                if let Some(&Link { society, .. }) = self.links.get(&link) {
                    self.peers.entry(society).or_default().last_heard_ms = now_ms;
                    self.look_for_own_head(society, &frame);
                    self.exchange(Input::Frame { link, frame }, now_ms);
                }
            }
            PeerEvent::Closed { link, why } => {
                self.unlink(link, why, now_ms);
                self.do_what_is_due(now_ms);
            }
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: impl Into<Now>) {
        let now_ms = self.set_now(now);
        self.do_what_is_due(now_ms);
    }

    pub(super) fn do_what_is_due(&mut self, now_ms: u64) {
        self.look_over_bodies(now_ms);
        self.listen();
        self.go_on_erasing(now_ms);
        self.tell_overdue(now_ms);
        self.hand_to_relays();
        self.tend_relay(now_ms);
        self.tend_strays(now_ms);
        self.exchange(Input::Tick, now_ms);
    }

    /// What is known of each peer that was ever linked in this run.
    pub fn peer_statuses(&self) -> BTreeMap<Society, PeerStatus> {
        let mut peers = self.peers.clone();
        let twins = self.exchange.twins();
        for link in self.exchange.links() {
            if let Some(peer) = peers.get_mut(&link.society) {
                peer.round_trip_ms = link.greeting.as_ref().map_or(0, |_| link.round_trip_ms);
                peer.roster_differs |= link.roster_differs;
                peer.twin = twins.contains(&link.society);
            }
        }
        peers
    }

    /// What is known of a log beyond what the store holds.
    pub fn log_beyond(&self, origin: &Origin) -> LogStatus {
        self.exchange.log_status(origin)
    }

    /// Counts of the exchange, for metrics.
    pub fn exchange_tally(&self) -> Tally {
        self.exchange.tally()
    }

    /// Hands over one input, and all that comes of it.
    fn exchange(&mut self, input: Input, now_ms: u64) {
        self.hand_over(input, now_ms);
        self.tell_exchange(now_ms);
    }

    /// Tells the exchange what happened inside, and does all that comes of it.
    fn tell_exchange(&mut self, now_ms: u64) {
        while let Some(happening) = self.inbox.pop_front() {
            let input = match happening {
                Happening::Grew(origin) => Input::Grew { origin },
                Happening::Want(want) => Input::Want(want),
                Happening::Closed(link) => Input::Closed { link },
                Happening::NotKept(unkept) => Input::NotKept(unkept),
                Happening::Told(input) => *input,
            };
            self.hand_over(input, now_ms);
        }
    }

    fn hand_over(&mut self, input: Input, now_ms: u64) {
        // Nothing that was written last can be believed, nor what would build on it.
        if self.fatal.is_some() {
            return;
        }
        let Now { steady_ms, .. } = self.now;
        let effects =
            self.exchange.handle(input, steady_ms, &self.store, &self.roster, &mut self.rng);
        for effect in effects {
            self.run(effect, now_ms);
            if self.fatal.is_some() {
                return;
            }
        }
    }

    pub(super) fn run(&mut self, effect: Effect, now_ms: u64) {
        match effect {
            Effect::Send { link, frame } => {
                let Some(Link { outbox, .. }) = self.links.get(&link) else { return };
                if let Err(full) = outbox.try_send(frame) {
                    outbox.close(full.to_string());
                    self.unlink(link, full.to_string(), now_ms);
                }
            }
            Effect::Close { link, why } => {
                if let Some(Link { outbox, .. }) = self.links.get(&link) {
                    outbox.close(why.to_string());
                }
                self.unlink(link, why.to_string(), now_ms);
            }
            Effect::Append(batch) => {
                let origin = batch.origin().clone();
                let kept = self.store.append(&batch, &[]);
                if self.kept(kept, "entries of a peer", || Unkept::Entries(origin.clone())) {
                    self.log_changed(origin, "grew", now_ms);
                }
            }
            Effect::Head(head) => {
                let kept = self.store.put_head(&head);
                if self.kept(kept, "a head", || Unkept::Head(head.clone())) {
                    self.log_changed(head.origin().clone(), "witnessed", now_ms);
                }
            }
            Effect::Cosign(mut head) => {
                // A restored node does not know what it has cosigned before: that comes with what
                // lifts the fence. The exchange offers again.
                if matches!(self.mode, Mode::Fenced { .. }) {
                    return;
                }
                let witness = &self.identity.keyring.witness;
                if head.cosign(self.identity.society, witness, now_ms / 1000).is_err() {
                    return;
                }
                let kept = self.store.put_head(&head);
                let unkept = || Unkept::Cosignature(head.origin().clone());
                if self.kept(kept, "a cosignature", unkept) {
                    self.log_changed(head.origin().clone(), "witnessed", now_ms);
                }
            }
            Effect::Body { want, .. } if self.is_no_longer_wanted(&want, now_ms) => {
                self.never_take(&EventRef { origin: want.origin, index: want.index }, now_ms);
            }
            // Nobody hears of it before all that came together are durable. What one of them makes
            // due for erasure is on the disk by then, and is erased there before it is shown.
            Effect::Body { want, body } => {
                if self.arrived.take(want, body) {
                    self.keep_bodies(now_ms);
                }
            }
            Effect::BodyErased { want } if want.lent => {
                self.lent_body(&want.place(), true, now_ms);
            }
            Effect::BodyErased { want } => {
                self.forget_body(&want, now_ms);
                self.changed(now_ms, "log", want.origin.to_string(), "body_erased");
            }
            Effect::Evidence(evidence) => {
                let kept = self.store.put_evidence(&evidence);
                let unkept = || Unkept::Evidence(evidence.origin().clone());
                let kept = self.kept(kept, "the evidence of a fork", unkept);
                // Of the own log nothing more is signed, whether or not there was room to keep it.
                self.set_mode();
                if kept {
                    tracing::error!(log = %evidence.origin(), "the log was forked");
                    self.changed(now_ms, "log", evidence.origin().to_string(), "forked");
                }
            }
            Effect::OwnLogAhead { size } => self.own_log_is_ahead(size),
            Effect::OwnLogShown { size } => self.own_log_was_shown(size),
            Effect::Met { society } => {
                self.shows_itself(society);
                self.met(society);
            }
            Effect::Offered { origin, index, waiting } => {
                self.offered(origin, index, waiting, now_ms);
            }
            Effect::Held { relay, index, state, receipts } => {
                self.relay_says(relay, index, (state, receipts), now_ms);
            }
            Effect::Arrived { from, arrival } if arrival.origin == self.identity.origin => {
                self.receipt_came(from, &arrival, now_ms);
            }
            Effect::Arrived { from, arrival } => self.claimed(from, &arrival, now_ms),
        }
    }

    /// Whether a body that was asked for is to be erased meanwhile.
    fn is_no_longer_wanted(&self, want: &BodyWant, now_ms: u64) -> bool {
        let at = EventRef { origin: want.origin.clone(), index: want.index };
        want.part == Part::Content && self.is_due(&at, now_ms)
    }

    /// Makes the bodies that came together durable by one sync, and projects them.
    fn keep_bodies(&mut self, now_ms: u64) {
        let Arrived { wants, bodies, .. } = std::mem::take(&mut self.arrived);
        if bodies.is_empty() || self.fatal.is_some() {
            return;
        }
        let together = self.store.put_bodies(&bodies);
        // Where one of them was erased meanwhile, the others are none the worse for it.
        let apart = bodies.len() > 1 && !matches!(together, Ok(()) | Err(StoreError::Fatal(_)));
        let mut together = Some(together).filter(|_| !apart);
        for (want, body) in wants.iter().zip(&bodies) {
            let kept = match together.as_mut() {
                Some(kept) => std::mem::replace(kept, Ok(())),
                None => self.store.put_bodies(std::slice::from_ref(body)),
            };
            if self.kept(kept, "a body", || Unkept::Body(want.clone())) {
                self.project_body(&want.place(), now_ms);
            }
            if self.fatal.is_some() {
                return;
            }
        }
    }

    /// A log or its head changed and that is durable.
    fn log_changed(&mut self, origin: Origin, what: &str, now_ms: u64) {
        if origin == self.identity.origin {
            self.set_mode();
        }
        self.project(&origin, now_ms);
        if what == "grew" {
            self.shows_itself(origin.society());
        }
        self.changed(now_ms, "log", origin.to_string(), what);
        self.inbox.push_back(Happening::Grew(origin));
    }

    /// A link is gone, by whomever. Hearing of it a second time changes nothing.
    fn unlink(&mut self, link: u64, why: String, now_ms: u64) {
        let Some(Link { society, .. }) = self.links.remove(&link) else { return };
        let connected = self.links.values().any(|other| other.society == society);
        let peer = self.peers.entry(society).or_default();
        peer.connected = connected;
        peer.last_error = why;
        if !connected {
            self.changed(now_ms, "peer", society.to_string(), "disconnected");
        }
        self.inbox.push_back(Happening::Closed(link));
    }

    /// Whether the store did it. Where it must end the process, nothing more is done; where there
    /// was no room, the exchange is told, which tries again later.
    fn kept(
        &mut self,
        result: Result<(), StoreError>,
        what: &str,
        unkept: impl FnOnce() -> Unkept,
    ) -> bool {
        match result {
            Ok(()) => true,
            Err(StoreError::Fatal(error)) => {
                self.fatal = Some(format!("writing {what} failed: {error}"));
                false
            }
            // It is never taken again.
            Err(error @ StoreError::Erased) => {
                tracing::warn!(%error, "{what} was not kept");
                false
            }
            Err(error) => {
                tracing::warn!(%error, "{what} was not kept, and is tried again");
                self.inbox.push_back(Happening::NotKept(unkept()));
                false
            }
        }
    }
}
