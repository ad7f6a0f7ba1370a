//! How far what this society wrote has come: saved here, with a relay, on their node, seen by a person.
//!
//! An addressed entry of ours is offered to its addressees until each has sent its receipt, and to
//! relays once it is plain that an addressee is not to be met. Receipts are kept in the store's notes:
//! that something was received is never forgotten, everything else is asked for anew. Invariant: only
//! a receipt that this society and the addressee alone can make counts, whoever brings it.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRngCore;
use tutti_core::{
    body::{Part, Place},
    entry::{Header, Visibility},
    referral::{EventRef, Outcome, is_seen},
    sealing::routing::{self, Receipt},
    session::{Arrival, HeldState, Input, Offering},
    society::Society,
    store::{BodyState, Store},
};

use super::{Engine, Routing, exchange::Happening};

/// How long an addressee that is not linked is waited for before a relay is asked, milliseconds.
const RELAY_AFTER_MS: u64 = 5_000;

/// The same where it is linked: it may have no room, or have been restored.
const LINKED_AFTER_MS: u64 = 60_000;

/// How often it is looked, milliseconds.
const LOOK_MS: u64 = 1_000;

/// How far an entry of ours has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Delivery {
    /// It is here alone, as far as is known.
    Saved,
    /// A relay has it.
    WithRelay,
    /// The addressee's node has all of it.
    OnTheirNode,
    /// Somebody there has gone on with it.
    Seen,
}

/// An entry of ours that has not reached all.
#[derive(Debug)]
struct Out {
    waiting: BTreeSet<Society>,
    /// By the steady clock.
    since_ms: u64,
    /// Relays may take it.
    relayed: bool,
    /// This one has it.
    relay: Option<Society>,
    /// A relay has dropped it unclaimed, or had no room: not again before the addressee shows.
    rests: bool,
    /// Relays that were told to take it anew, without the content that was erased.
    purged: BTreeSet<Society>,
}

/// All that is not seen to have arrived, and what has.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    out: BTreeMap<u64, Out>,
    received: BTreeMap<u64, BTreeSet<Society>>,
    /// Relays that have said last that they have no room.
    without_room: BTreeSet<Society>,
    /// Something may have to go to a relay.
    pending: bool,
    look_at_ms: u64,
}

impl Deliveries {
    /// What the notes say.
    pub(super) fn read(notes: &BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        let received = notes.iter().filter_map(|(key, value)| {
            let index = key.strip_prefix(b"d").and_then(|index| index.try_into().ok())?;
            let societies = std::str::from_utf8(value).ok()?.split(',');
            Some((
                u64::from_be_bytes(index),
                societies.filter_map(|code| code.parse().ok()).collect(),
            ))
        });
        Self { received: received.collect(), ..Self::default() }
    }

    /// When it is to be looked again, by the steady clock.
    pub(super) fn next_look(&self) -> Option<u64> {
        self.pending.then_some(self.look_at_ms)
    }
}

impl Routing {
    /// The receipt by which `society` shows that it has the bodies of an entry of ours, or by which
    /// we show it to the author of theirs.
    pub(super) fn receipt(&self, society: Society, header: &Header) -> Option<Receipt> {
        let pair = self.pairs.get(&society)?;
        let (slot, _) = routing::claim(pair, &header.origin, header.index, &header.tags)?;
        Some(routing::receipt(pair, &header.origin, header.index, slot))
    }
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    pub(super) fn tell(&mut self, input: Input) {
        self.inbox.push_back(Happening::Told(Box::new(input)));
    }

    /// An entry of ours is durable: it is offered to those that it is addressed to.
    pub(super) fn deliver(&mut self, header: &Header) {
        let index = header.index;
        if header.origin != self.identity.origin || header.visibility != Visibility::Addressed {
            return;
        }
        let Some((_, mut waiting)) = self.routing.claim(&self.identity.origin, header) else {
            return;
        };
        if let Some(received) = self.deliveries.received.get(&index) {
            waiting.retain(|society| !received.contains(society));
        }
        if waiting.is_empty() || self.deliveries.out.contains_key(&index) {
            return;
        }
        let out = Out {
            waiting,
            since_ms: self.now.steady_ms,
            relayed: false,
            relay: None,
            rests: false,
            purged: BTreeSet::new(),
        };
        self.deliveries.out.insert(index, out);
        self.deliveries.pending = true;
        self.offer(index);
    }

    fn offer(&mut self, index: u64) {
        if let Some(Out { waiting, relayed, .. }) = self.deliveries.out.get(&index) {
            let (waiting, relayed) = (waiting.clone(), *relayed);
            self.tell(Input::Offer(Offering { index, waiting, relayed }));
        }
    }

    /// Relays are to forget what they have of an entry of ours, and to take what is left of it.
    pub(super) fn offer_anew(&mut self, index: u64) {
        if self.deliveries.out.contains_key(&index) {
            self.tell(Input::Settled { index });
            self.offer(index);
        }
    }

    /// What has waited long enough goes to relays.
    pub(super) fn hand_to_relays(&mut self) {
        let now_ms = self.now.steady_ms;
        if !self.deliveries.pending || now_ms < self.deliveries.look_at_ms {
            return;
        }
        self.deliveries.look_at_ms = now_ms.saturating_add(LOOK_MS);
        let linked: BTreeSet<Society> = self.links.values().map(|link| link.society).collect();
        let mut due = Vec::new();
        self.deliveries.pending = false;
        for (index, out) in &mut self.deliveries.out {
            if out.relayed || out.rests {
                continue;
            }
            let wait_ms =
                if out.waiting.is_subset(&linked) { LINKED_AFTER_MS } else { RELAY_AFTER_MS };
            if now_ms >= out.since_ms.saturating_add(wait_ms) {
                out.relayed = true;
                due.push(*index);
            } else {
                self.deliveries.pending = true;
            }
        }
        for index in due {
            self.offer(index);
        }
    }

    /// A society shows itself: what a relay had dropped before it came may go there again.
    pub(super) fn shows_itself(&mut self, society: Society) {
        for out in self.deliveries.out.values_mut() {
            if out.rests && out.waiting.contains(&society) {
                out.rests = false;
                self.deliveries.pending = true;
            }
        }
    }

    /// What a relay says of an entry of ours.
    pub(super) fn relay_says(
        &mut self,
        relay: Society,
        index: u64,
        (state, receipts): (HeldState, Vec<Receipt>),
        now_ms: u64,
    ) {
        let at = EventRef { origin: self.identity.origin.clone(), index };
        let Ok(Some(header)) = self.header_at(&at) else { return };
        let Some(out) = self.deliveries.out.get_mut(&index) else { return };
        match state {
            HeldState::Kept => {
                self.deliveries.without_room.remove(&relay);
                let news = out.relay.replace(relay) != Some(relay);
                let content = header.body_key(Part::Content);
                let gone =
                    content.is_some_and(|key| self.store.body_state(&key) == BodyState::Erased);
                if gone && out.purged.insert(relay) {
                    self.offer_anew(index);
                }
                if news {
                    self.moved(&at, "with_relay", now_ms);
                }
            }
            HeldState::NoRoom => {
                tracing::warn!(%relay, index, "a relay has no room for bodies of this node");
                self.deliveries.without_room.insert(relay);
                self.rest(index);
            }
            HeldState::Over => {
                out.relay = None;
                self.rest(index);
                self.moved(&at, "relay_time_over", now_ms);
            }
            HeldState::Received => {
                let waiting: Vec<Society> = out.waiting.iter().copied().collect();
                for society in waiting {
                    let expected = self.routing.receipt(society, &header);
                    if expected.is_some_and(|expected| receipts.contains(&expected)) {
                        self.received(&header, society, now_ms);
                    }
                }
                // It says so without all receipts: nothing is there any more.
                self.rest(index);
            }
        }
    }

    fn rest(&mut self, index: u64) {
        if let Some(out) = self.deliveries.out.get_mut(&index) {
            (out.relayed, out.rests, out.relay) = (false, true, None);
            self.offer(index);
        }
    }

    /// A peer says that the bodies of an entry of ours have arrived there.
    pub(super) fn receipt_came(&mut self, from: Society, arrival: &Arrival, now_ms: u64) {
        let at = EventRef { origin: arrival.origin.clone(), index: arrival.index };
        let Ok(Some(header)) = self.header_at(&at) else { return };
        if self.routing.receipt(from, &header) != Some(arrival.receipt) {
            return;
        }
        self.received(&header, from, now_ms);
        let (origin, index, receipts) = (at.origin, at.index, Vec::new());
        self.tell(Input::Answer { to: from, origin, index, state: HeldState::Received, receipts });
    }

    fn received(&mut self, header: &Header, society: Society, now_ms: u64) {
        let index = header.index;
        let Some(out) = self.deliveries.out.get_mut(&index) else { return };
        if !out.waiting.remove(&society) {
            return;
        }
        let all = out.waiting.is_empty();
        let received = self.deliveries.received.entry(index).or_default();
        received.insert(society);
        let codes: Vec<&str> = received.iter().map(Society::as_str).collect();
        let key = [b"d".as_slice(), &index.to_be_bytes()].concat();
        // Where there is no room for it, it is asked for again after a restart.
        if let Err(error) = self.store.put_note(&key, codes.join(",").as_bytes()) {
            self.could_not_note(error);
        }
        if all {
            self.deliveries.out.remove(&index);
            self.tell(Input::Settled { index });
        } else {
            self.offer(index);
        }
        let at = EventRef { origin: header.origin.clone(), index };
        if all && self.is_silent_at(&at) {
            self.discard_silent(&at, now_ms);
        }
        self.moved(&at, "on_their_node", now_ms);
    }

    /// What this society has to send and no relay takes.
    pub(super) fn no_room_warning(&self) -> Option<String> {
        let waiting = self.deliveries.out.values().filter(|out| out.rests).count();
        let relays: Vec<String> =
            self.deliveries.without_room.iter().map(ToString::to_string).collect();
        (waiting > 0 && !relays.is_empty()).then(|| {
            format!(
                "{waiting} entries of this society wait for their addressee, and the relay of {} has \
                 no room for more. They go as soon as the addressee is connected; see `tutti peers`",
                relays.join(", ")
            )
        })
    }

    /// Tells watchers that an entry has come further.
    fn moved(&mut self, at: &EventRef, what: &str, now_ms: u64) {
        let id = self.id_at(at).unwrap_or_default();
        self.changed(now_ms, "referral", id, what);
    }

    /// Whether all bodies of an entry have come, or will never be taken.
    fn is_complete(&self, header: &Header, now_ms: u64) -> bool {
        let at = EventRef { origin: header.origin.clone(), index: header.index };
        Part::ALL.into_iter().all(|part| {
            header.body_key(part).is_none_or(|key| {
                self.store.body_state(&key) != BodyState::Absent
                    || part == Part::Content && self.is_due(&at, now_ms)
            })
        })
    }

    /// Tells the author of an entry that is addressed to us, and relays, once all of it is here.
    pub(super) fn say_arrived(&mut self, header: &Header, now_ms: u64) {
        let author = header.origin.society();
        if author == self.identity.society || !self.is_complete(header, now_ms) {
            return;
        }
        let claim = self.routing.claim(&self.identity.origin, header);
        if let (Some((token, _)), Some(receipt)) = (claim, self.routing.receipt(author, header)) {
            let (origin, index) = (header.origin.clone(), header.index);
            self.tell(Input::Arrived(Arrival { origin, index, token, receipt }));
        }
    }

    /// A body of an entry that is addressed to us has come: perhaps that was the last.
    pub(super) fn say_arrived_at(&mut self, place: &Place, now_ms: u64) {
        let at = EventRef { origin: place.origin.clone(), index: place.index };
        if let Ok(Some(header)) = self.header_at(&at)
            && header.visibility == Visibility::Addressed
        {
            self.say_arrived(&header, now_ms);
        }
    }

    /// Whether all that an entry of ours is addressed to have said that they have its bodies.
    pub(super) fn has_arrived(&self, at: &EventRef) -> bool {
        at.origin == self.identity.origin
            && !self.deliveries.out.contains_key(&at.index)
            && self.deliveries.received.contains_key(&at.index)
    }

    /// How far an event of ours has come; `None` for others'. `outcomes` are those of its referral.
    pub(super) fn delivery(&self, at: &EventRef, outcomes: &[Outcome]) -> Option<Delivery> {
        if at.origin != self.identity.origin {
            return None;
        }
        let out = self.deliveries.out.get(&at.index);
        Some(match out {
            _ if is_seen(outcomes, at) => Delivery::Seen,
            None if self.deliveries.received.contains_key(&at.index) => Delivery::OnTheirNode,
            Some(Out { relay: Some(_), .. }) => Delivery::WithRelay,
            Some(_) | None => Delivery::Saved,
        })
    }
}
