//! Handing over: an author offers what has not reached its addressees, to them and to relays.
//!
//! An offer is a question, asked of those who hold the entry, again and again in turns: an addressee
//! that has the bodies answers with a receipt, a relay takes them and says so. Nothing of it is remembered of a link. What a
//! frame means is the caller's to decide, who has the keys and the store; this module sees to its
//! form, and that an offer comes from the log's author. Invariant: bodies are lent to a relay only
//! for entries that are offered to relays at that moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use rand_core::CryptoRngCore;
use tutti_proto::v1::{self, held::State};

use super::{Effect, Exchange, FrameKind, LinkId, Misbehaved, Sender, Step, log::no_later};
use crate::{
    limits::{RECEIPTS_MAX, TAGS_MAX, TOLD_AT_ONCE},
    roster::{Role, Roster},
    sealing::routing::{Receipt, Token},
    society::{Origin, Society},
    store::Reader,
};

/// Between two turns of all offers over one link, milliseconds; and up to half as much more.
const TURN_MS: u64 = 60_000;

/// Between two parts of a turn, milliseconds.
const PART_MS: u64 = 1_000;

/// An entry of the own log whose bodies have not reached all that it is addressed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offering {
    /// The entry.
    pub index: u64,
    /// Whom they have not reached.
    pub waiting: BTreeSet<Society>,
    /// Whether relays are to take them.
    pub relayed: bool,
}

/// What a holder says of the bodies of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldState {
    /// A relay has them.
    Kept,
    /// A relay has no room for them.
    NoRoom,
    /// All that were waited for have sent receipts, and a relay has dropped the bytes.
    Received,
    /// A relay has dropped the bytes, for their time was over.
    Over,
}

/// The word of an addressee that it holds all bodies of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The log.
    pub origin: Origin,
    /// The entry.
    pub index: u64,
    /// Shows a relay that the bodies may be claimed.
    pub token: Token,
    /// Shows the author who it is.
    pub receipt: Receipt,
}

#[derive(Debug, Default)]
pub(super) struct Handing {
    offers: BTreeMap<u64, Offering>,
    /// Receipts that nobody has taken yet.
    arrivals: BTreeMap<(Origin, u64), Arrival>,
}

impl Offering {
    fn is_for(&self, society: Society, roster: &Roster) -> bool {
        self.waiting.contains(&society) || self.relayed && is_relay(roster, society)
    }
}

fn is_relay(roster: &Roster, society: Society) -> bool {
    roster.member(society).is_some_and(|member| member.role == Role::Relay)
}

impl Exchange {
    /// Whether this peer may take the bodies of an entry of ours on their way.
    pub(super) fn is_lent(&self, roster: &Roster, society: Society, index: u64) -> bool {
        let offered = self.handing.offers.get(&index);
        offered.is_some_and(|offer| offer.relayed) && is_relay(roster, society)
    }

    pub(super) fn offer<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        offering: Offering,
    ) {
        let (index, waiting) = (offering.index, offering.waiting.len());
        let at_ms = step.after(TURN_MS, TURN_MS / 2);
        let soon_ms = step.now_ms.saturating_add(PART_MS);
        let mut told = Vec::new();
        for (id, link) in self.links.iter_mut().filter(|(_, link)| link.is_ready()) {
            link.offers_at_ms.get_or_insert(at_ms);
            if !offering.is_for(link.society, step.roster) {
                continue;
            }
            if index < link.holds(&self.settings.origin) {
                told.push(*id);
            } else {
                if link.offers_from == 0 || index < link.offers_from {
                    link.offers_from = index;
                }
                no_later(&mut link.offers_at_ms, soon_ms);
            }
        }
        for link in told {
            self.send_offer(step, link, index, waiting);
        }
        self.handing.offers.insert(index, offering);
    }

    /// Nobody waits for these bodies any more: relays drop them.
    pub(super) fn settle<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        index: u64,
    ) {
        if self.handing.offers.remove(&index).is_some_and(|offer| offer.relayed) {
            let links = self.links.iter().filter(|(_, link)| link.is_ready());
            let relays: Vec<LinkId> = links
                .filter(|(_, link)| is_relay(step.roster, link.society))
                .map(|(id, _)| *id)
                .collect();
            for link in relays {
                self.send_offer(step, link, index, 0);
            }
        }
    }

    /// Says that all bodies of an entry are here, now and to whoever comes, until it was taken.
    pub(super) fn arrived<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        arrival: Arrival,
    ) {
        let key = (arrival.origin.clone(), arrival.index);
        for (id, link) in self.links.iter().filter(|(_, link)| link.is_ready()) {
            if may_take(&arrival, link.society, step.roster) {
                step.send(*id, received(&arrival));
            }
        }
        self.handing.arrivals.insert(key, arrival);
        if self.handing.arrivals.len() > RECEIPTS_MAX {
            self.handing.arrivals.pop_first();
        }
    }

    /// Tells a society, where it is linked, what is held.
    pub(super) fn answer<S, R: CryptoRngCore>(
        &self,
        step: &mut Step<'_, S, R>,
        to: Society,
        origin: &Origin,
        index: u64,
        (state, receipts): (HeldState, Vec<Receipt>),
    ) {
        let state = match state {
            HeldState::Kept => State::Kept,
            HeldState::NoRoom => State::NoRoom,
            HeldState::Received => State::Received,
            HeldState::Over => State::Over,
        };
        let link = self.links.iter().find(|(_, link)| link.is_ready() && link.society == to);
        if let Some((id, _)) = link {
            let receipts = receipts.iter().map(|receipt| receipt.to_vec()).collect();
            let origin = origin.to_string();
            let held = v1::Held { origin, index, state: state.into(), receipts };
            step.send(*id, FrameKind::Held(held));
        }
    }

    /// A peer is there: what it may take is told to it.
    pub(super) fn greet<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
    ) {
        self.tell_receipts(step, from.link);
        self.take_turn(step, from.link);
        step.effects.push(Effect::Met { society: from.society });
    }

    /// Offers again what is still waited for, and goes on with the receipts, where it is time.
    pub(super) fn tick_handing<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>) {
        let now_ms = step.now_ms;
        let links = self.links.iter().filter(|(_, link)| link.is_ready());
        let due = |at_ms: Option<u64>| at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        let due: Vec<(LinkId, bool, bool)> = links
            .map(|(id, link)| (*id, due(link.offers_at_ms), due(link.receipts_at_ms)))
            .collect();
        for (link, offers, receipts) in due {
            if offers {
                self.take_turn(step, link);
            }
            if receipts {
                self.tell_receipts(step, link);
            }
        }
    }

    /// Tells a peer some of the receipts that it may take; the rest follow in a second.
    fn tell_receipts<S, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let behind = link.receipts_behind.take();
        let from = behind.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.handing.arrivals.range::<(Origin, u64), _>((from, Bound::Unbounded));
        let mut rest = rest.filter(|(_, it)| may_take(it, link.society, step.roster));
        let part: Vec<_> = rest.by_ref().take(TOLD_AT_ONCE).collect();
        let more = rest.next().is_some();
        link.receipts_at_ms = more.then(|| step.now_ms.saturating_add(PART_MS));
        link.receipts_behind = part.last().filter(|_| more).map(|(at, _)| (*at).clone());
        for (_, arrival) in part {
            step.send(id, received(arrival));
        }
    }

    fn take_turn<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>, id: LinkId) {
        let turn_ms = step.after(TURN_MS, TURN_MS / 2);
        let Some(link) = self.links.get_mut(&id) else { return };
        let held = link.holds(&self.settings.origin);
        let mut offers = self.handing.offers.range(link.offers_from..);
        let mut part: Vec<(u64, usize)> = Vec::new();
        // What goes on in a second: the rest of this turn, or what the peer does not hold yet.
        let next = loop {
            match offers.find(|(_, offer)| offer.is_for(link.society, step.roster)) {
                None => break None,
                Some((index, _)) if part.len() == TOLD_AT_ONCE || *index >= held => {
                    break Some(*index);
                }
                Some((index, offer)) => part.push((*index, offer.waiting.len())),
            }
        };
        let part_ms = step.now_ms.saturating_add(PART_MS);
        link.offers_from = next.unwrap_or_default();
        link.offers_at_ms = match next {
            Some(_) => Some(part_ms),
            None => Some(turn_ms).filter(|_| self.handing.has_offers()),
        };
        for (index, waiting) in part {
            self.send_offer(step, id, index, waiting);
        }
    }

    fn send_offer<S, R: CryptoRngCore>(
        &self,
        step: &mut Step<'_, S, R>,
        link: LinkId,
        index: u64,
        waiting: usize,
    ) {
        let origin = self.settings.origin.to_string();
        let waiting = u32::try_from(waiting.min(TAGS_MAX)).unwrap_or_default();
        step.send(link, FrameKind::Offer(v1::Offer { origin, index, waiting }));
    }

    /// Tells a relay that nobody waits for these bodies: it drops what it has of them.
    pub(super) fn tell_relay_over<S, R: CryptoRngCore>(
        &self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        index: u64,
    ) {
        if is_relay(step.roster, from.society) {
            self.send_offer(step, from.link, index, 0);
        }
    }

    pub(super) fn offered<S, R>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        offer: &v1::Offer,
    ) -> Result<(), Misbehaved> {
        let origin: Origin = offer.origin.parse().map_err(|_| from.wrong("origin"))?;
        if origin.society() != from.society {
            return Err(from.wrong("origin"));
        }
        let waiting = u8::try_from(offer.waiting).ok().filter(|n| usize::from(*n) <= TAGS_MAX);
        let waiting = waiting.ok_or_else(|| from.wrong("waiting"))?;
        step.effects.push(Effect::Offered { origin, index: offer.index, waiting });
        Ok(())
    }

    pub(super) fn held<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        held: &v1::Held,
    ) -> Result<(), Misbehaved> {
        let origin: Origin = held.origin.parse().map_err(|_| from.wrong("origin"))?;
        let index = held.index;
        let state = match State::try_from(held.state) {
            Ok(State::Kept) => HeldState::Kept,
            Ok(State::NoRoom) => HeldState::NoRoom,
            Ok(State::Received) => HeldState::Received,
            Ok(State::Over) => HeldState::Over,
            Ok(State::Unspecified) | Err(_) => return Err(from.wrong("state")),
        };
        let receipts: Option<Vec<Receipt>> =
            held.receipts.iter().map(|receipt| receipt.as_slice().try_into().ok()).collect();
        let receipts = receipts.filter(|receipts| receipts.len() <= TAGS_MAX);
        let receipts = receipts.ok_or_else(|| from.wrong("receipts"))?;
        if origin != self.settings.origin {
            let key = (origin, index);
            let arrivals = &mut self.handing.arrivals;
            if arrivals.get(&key).is_some_and(|a| may_take(a, from.society, step.roster)) {
                arrivals.remove(&key);
            }
        } else if is_relay(step.roster, from.society) {
            if self.handing.offers.contains_key(&index) {
                let relay = from.society;
                step.effects.push(Effect::Held { relay, index, state, receipts });
            } else if matches!(state, HeldState::Kept | HeldState::Received) {
                // It has come, or was erased, while that relay was away.
                self.send_offer(step, from.link, index, 0);
            }
        }
        Ok(())
    }

    pub(super) fn received<S: Reader, R>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        received: &v1::Received,
    ) -> Result<(), Misbehaved> {
        let origin = received.origin.parse().map_err(|_| from.wrong("origin"))?;
        let token = received.token.as_slice().try_into().map_err(|_| from.wrong("token"))?;
        let receipt = received.receipt.as_slice().try_into().map_err(|_| from.wrong("receipt"))?;
        let arrival = Arrival { origin, index: received.index, token, receipt };
        step.effects.push(Effect::Arrived { from: from.society, arrival });
        Ok(())
    }
}

impl Handing {
    fn has_offers(&self) -> bool {
        !self.offers.is_empty()
    }
}

/// A receipt, and the token with it, goes to who may have the bodies and cares: author and relays.
fn may_take(arrival: &Arrival, society: Society, roster: &Roster) -> bool {
    arrival.origin.society() == society || is_relay(roster, society)
}

fn received(arrival: &Arrival) -> FrameKind {
    FrameKind::Received(v1::Received {
        origin: arrival.origin.to_string(),
        index: arrival.index,
        token: arrival.token.to_vec(),
        receipt: arrival.receipt.to_vec(),
    })
}
