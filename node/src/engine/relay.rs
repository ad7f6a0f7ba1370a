//! A relay: sealed bodies of others, kept for those who can show a token, and for no longer.
//!
//! Where the roster makes this society a relay, it takes the bodies of addressed entries that their
//! authors offer, within a quota for each author, and drops them on the receipts of those who were
//! waited for, at the author's word, or when their time is over. It can read none of them and is not
//! told for whom they are. What it keeps stands in the store's notes, so that a restart changes
//! nothing. Invariant: a body that is addressed to this society itself is none of its relaying.

mod note;
mod told;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use rand_core::CryptoRngCore;
use tutti_core::{
    body::{Part, Place},
    entry::{Header, Visibility},
    limits::{TAGS_MAX, TOLD_AT_ONCE},
    referral::EventRef,
    roster::Role,
    sealing::routing::{Receipt, admits},
    session::{Arrival, BodyWant, HeldState, Input},
    society::{Origin, Society},
    store::{BodyState, Store, StoreError},
};

use super::Engine;

/// How often it is looked whether the time of something is over, milliseconds.
const LOOK_MS: u64 = 60_000;

/// After how long bytes that could not be dropped are dropped again, milliseconds.
const RETRY_MS: u64 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its author is asked for it.
    Asked,
    /// It is durable here.
    Here,
    /// It was received and dropped; the receipts wait for the author.
    Received,
}

/// The bodies of one entry.
#[derive(Debug)]
struct Kept {
    state: State,
    /// By the wall clock: it outlives the process.
    since_ms: u64,
    bytes: u64,
    /// How many receipts end it.
    waiting: u8,
    receipts: Vec<Receipt>,
    /// What its author has erased meanwhile.
    gone: BTreeSet<Part>,
}

type At = (Origin, u64);

/// All that is kept for others.
#[derive(Debug, Default)]
pub(super) struct Relay {
    kept: BTreeMap<At, Kept>,
    /// Bytes and entries by author; what was received and dropped counts no more.
    shares: BTreeMap<Society, Share>,
    total: Share,
    look_at_ms: u64,
    /// Entries whose bytes could not be dropped.
    undropped: BTreeSet<At>,
    drop_at_ms: u64,
    /// Up to where an author was told what is kept of it: it goes on behind that, and begins anew.
    told: BTreeMap<Society, At>,
    /// Offers that were refused since the start, for want of room, and when the last one was.
    pub(super) refused: u64,
    pub(super) refused_at_ms: u64,
}

/// What is kept, of one author or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) bytes: u64,
    pub(super) entries: u64,
}

impl Share {
    fn add(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries = self.entries.saturating_add(1);
    }

    fn take(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.entries = self.entries.saturating_sub(1);
    }
}

impl Relay {
    /// What the notes say.
    pub(super) fn read(notes: &BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        let mut relay = Self::default();
        let kept = notes
            .iter()
            .filter_map(|(key, value)| Some((note::read_key(key)?, note::read(value)?)));
        kept.for_each(|(at, kept)| relay.insert(at, kept));
        relay
    }

    /// What is kept for others, of one author or of all.
    pub(super) fn share(&self, author: Option<Society>) -> Share {
        match author {
            Some(author) => self.shares.get(&author).copied().unwrap_or_default(),
            None => self.total,
        }
    }

    /// Each author of whom something is kept.
    pub(super) fn shares(&self) -> impl Iterator<Item = (Society, Share)> {
        self.shares.iter().map(|(author, share)| (*author, *share))
    }

    /// Since when the oldest is kept that is still here; `None` where nothing is.
    pub(super) fn oldest_ms(&self) -> Option<u64> {
        let here = self.kept.values().filter(|kept| kept.state != State::Received);
        here.map(|kept| kept.since_ms).min()
    }

    fn insert(&mut self, at: At, kept: Kept) {
        self.remove(&at);
        if kept.state != State::Received {
            self.total.add(kept.bytes);
            self.shares.entry(at.0.society()).or_default().add(kept.bytes);
        }
        self.kept.insert(at, kept);
    }

    fn remove(&mut self, at: &At) -> Option<Kept> {
        let kept = self.kept.remove(at)?;
        if kept.state != State::Received {
            self.uncount(at.0.society(), kept.bytes);
        }
        Some(kept)
    }

    /// The bytes of an entry are dropped, and its receipts wait for the author.
    fn receive(&mut self, at: &At, now_ms: u64) {
        if let Some(kept) = self.kept.get_mut(at).filter(|kept| kept.state != State::Received) {
            (kept.state, kept.since_ms) = (State::Received, now_ms);
            let bytes = kept.bytes;
            self.uncount(at.0.society(), bytes);
        }
    }

    fn uncount(&mut self, author: Society, bytes: u64) {
        self.total.take(bytes);
        if let Some(share) = self.shares.get_mut(&author) {
            share.take(bytes);
            if share.entries == 0 {
                self.shares.remove(&author);
            }
        }
    }

    /// Of one author, as much as is told at one time; with each call that which follows.
    fn next_told(&mut self, author: Society) -> Vec<At> {
        let behind = self.told.remove(&author);
        let from = behind.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.kept.range::<At, _>((from, Bound::Unbounded)).map(|(at, _)| at);
        let mut rest = rest.filter(|at| at.0.society() == author);
        let told: Vec<At> = rest.by_ref().take(TOLD_AT_ONCE).cloned().collect();
        if let Some(last) = told.last().filter(|_| rest.next().is_some()) {
            self.told.insert(author, last.clone());
        }
        told
    }

    /// The shares counted anew: what they must be at any moment.
    #[cfg(test)]
    pub(super) fn recounted(&self) -> (BTreeMap<Society, Share>, Share) {
        let (mut shares, mut total) = (BTreeMap::<Society, Share>::new(), Share::default());
        for (at, kept) in self.kept.iter().filter(|(_, kept)| kept.state != State::Received) {
            total.add(kept.bytes);
            shares.entry(at.0.society()).or_default().add(kept.bytes);
        }
        (shares, total)
    }

    #[cfg(test)]
    pub(super) fn counted(&self) -> (BTreeMap<Society, Share>, Share) {
        (self.shares.clone(), self.total)
    }
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    fn is_relay(&self) -> bool {
        let own = self.roster.member(self.identity.society);
        own.is_some_and(|own| own.role == Role::Relay)
    }

    /// The author of an entry offers its bodies: to us as an addressee, or as a relay.
    pub(super) fn offered(&mut self, origin: Origin, index: u64, waiting: u8, now_ms: u64) {
        let event = EventRef { origin: origin.clone(), index };
        let Ok(Some(header)) = self.header_at(&event) else { return };
        if header.visibility != Visibility::Addressed || origin == self.identity.origin {
            return;
        }
        if self.routing.claim(&self.identity.origin, &header).is_some() {
            return self.say_arrived(&header, now_ms);
        }
        let at = (origin, index);
        if waiting == 0 {
            return self.let_go(&at);
        }
        if let Some(kept) = self.relay.kept.get_mut(&at) {
            kept.waiting = waiting;
            return self.tell_author(&at);
        }
        if !self.is_relay() {
            return;
        }
        let bytes = Part::ALL.into_iter().filter_map(|part| header.commitment(part));
        let bytes = bytes.fold(0u64, |sum, body| sum.saturating_add(body.size));
        let author = at.0.society();
        let room = |author, max| self.relay.share(author).bytes.saturating_add(bytes) <= max;
        let rules = self.roster.relaying();
        if !room(Some(author), rules.member_bytes()) || !room(None, rules.total_bytes()) {
            self.relay.refused = self.relay.refused.saturating_add(1);
            self.relay.refused_at_ms = now_ms;
            return self.answer_author(&at, HeldState::NoRoom, Vec::new());
        }
        let (state, gone) = (State::Asked, BTreeSet::new());
        let kept = Kept { state, since_ms: now_ms, bytes, waiting, receipts: Vec::new(), gone };
        self.relay.insert(at.clone(), kept);
        for part in Part::ALL {
            let Some(commitment) = header.commitment(part) else { continue };
            let (origin, addressees) = (at.0.clone(), BTreeSet::new());
            let (token, lent) = (None, true);
            self.tell(Input::Want(BodyWant {
                origin,
                index,
                part,
                commitment,
                token,
                lent,
                addressees,
            }));
        }
        self.lent_came(&header, now_ms);
    }

    /// A body that was lent has come, or its author has erased it. Says whether it was lent.
    pub(super) fn lent_body(&mut self, place: &Place, erased: bool, now_ms: u64) -> bool {
        let at = (place.origin.clone(), place.index);
        let Some(kept) = self.relay.kept.get_mut(&at) else { return false };
        if erased {
            kept.gone.insert(place.part);
        }
        let event = EventRef { origin: at.0, index: at.1 };
        if let Ok(Some(header)) = self.header_at(&event) {
            self.lent_came(&header, now_ms);
        }
        true
    }

    /// Says that all of an entry is here, once it is.
    fn lent_came(&mut self, header: &Header, now_ms: u64) {
        let at = (header.origin.clone(), header.index);
        let Some(kept) = self.relay.kept.get_mut(&at) else { return };
        let mut here = 0;
        let whole = Part::ALL.into_iter().all(|part| {
            let present =
                header.body_key(part).map(|key| self.store.body_state(&key) == BodyState::Present);
            here += usize::from(present == Some(true));
            present.unwrap_or(true) || kept.gone.contains(&part)
        });
        if !whole || kept.state != State::Asked {
            return;
        }
        if here == 0 {
            return self.let_go(&at);
        }
        (kept.state, kept.since_ms) = (State::Here, now_ms);
        self.note_kept(&at);
        self.tell_author(&at);
    }

    /// Bodies of others that are here without a note, after a crash in between.
    pub(super) fn find_kept(&mut self, header: &Header, now_ms: u64) {
        let at = (header.origin.clone(), header.index);
        if let Some(kept) = self.relay.kept.get(&at) {
            // A full disk may have kept them.
            if kept.state == State::Received {
                self.drop_bytes(&at);
            }
            return;
        }
        if !self.is_relay() {
            return;
        }
        let here: Vec<u64> = Part::ALL
            .into_iter()
            .filter_map(|part| Some((header.body_key(part)?, header.commitment(part)?)))
            .filter(|(key, _)| self.store.body_state(key) == BodyState::Present)
            .map(|(_, commitment)| commitment.size)
            .collect();
        if !here.is_empty() {
            let kept = Kept {
                state: State::Here,
                since_ms: header.recorded_at_ms.min(now_ms),
                bytes: here.iter().sum(),
                waiting: 1,
                receipts: Vec::new(),
                gone: BTreeSet::new(),
            };
            self.relay.insert(at.clone(), kept);
            self.note_kept(&at);
        }
    }

    /// Somebody who can claim the bodies of another's entry has them.
    pub(super) fn claimed(&mut self, from: Society, arrival: &Arrival, now_ms: u64) {
        let event = EventRef { origin: arrival.origin.clone(), index: arrival.index };
        let Ok(Some(header)) = self.header_at(&event) else { return };
        let at = (arrival.origin.clone(), arrival.index);
        let Some(kept) = self.relay.kept.get_mut(&at) else { return };
        if !admits(&arrival.token, &header.tags) {
            return;
        }
        if !kept.receipts.contains(&arrival.receipt) && kept.receipts.len() < TAGS_MAX {
            kept.receipts.push(arrival.receipt);
        }
        if kept.state != State::Received && kept.receipts.len() >= usize::from(kept.waiting) {
            self.relay.receive(&at, now_ms);
            self.drop_bytes(&at);
            self.tell_author(&at);
        }
        self.note_kept(&at);
        let (origin, index) = at;
        let (state, receipts) = (HeldState::Received, Vec::new());
        self.tell(Input::Answer { to: from, origin, index, state, receipts });
    }

    /// An author is here: it is told of some that is kept of it, since it may wait for that no longer.
    /// What it waits for it asks for itself.
    pub(super) fn met(&mut self, society: Society) {
        for at in self.relay.next_told(society) {
            self.tell_author(&at);
        }
    }

    /// What nobody has come for goes when its time is over.
    pub(super) fn tend_relay(&mut self, now_ms: u64) {
        let steady_ms = self.now.steady_ms;
        if !self.relay.undropped.is_empty() && steady_ms >= self.relay.drop_at_ms {
            let again = std::mem::take(&mut self.relay.undropped);
            // What was offered anew meanwhile is kept.
            let kept =
                |at: &At| self.relay.kept.get(at).is_some_and(|kept| kept.state != State::Received);
            let again: Vec<At> = again.into_iter().filter(|at| !kept(at)).collect();
            again.iter().for_each(|at| self.drop_bytes(at));
        }
        if steady_ms < self.relay.look_at_ms || self.relay.kept.is_empty() {
            return;
        }
        self.relay.look_at_ms = steady_ms.saturating_add(LOOK_MS);
        let here: BTreeSet<Society> = self.links.values().map(|link| link.society).collect();
        here.into_iter().for_each(|author| self.met(author));
        // Where the clock was set back, the time begins anew, and does not last for years.
        let later = self.relay.kept.iter_mut().filter(|(_, kept)| kept.since_ms > now_ms);
        let later: Vec<At> = later
            .map(|(at, kept)| {
                kept.since_ms = now_ms;
                at.clone()
            })
            .collect();
        later.iter().for_each(|at| self.note_kept(at));
        let keep_ms = self.roster.relaying().keep_ms();
        let over = |kept: &Kept| now_ms >= kept.since_ms.saturating_add(keep_ms);
        let over: Vec<At> = self
            .relay
            .kept
            .iter()
            .filter(|(_, kept)| over(kept))
            .map(|(at, _)| at.clone())
            .collect();
        for at in over {
            let dropped = self.relay.kept.get(&at).is_some_and(|kept| kept.state == State::Here);
            self.let_go(&at);
            if dropped {
                self.answer_author(&at, HeldState::Over, Vec::new());
            }
        }
    }

    fn tell_author(&mut self, at: &At) {
        let Some(kept) = self.relay.kept.get(at) else { return };
        match kept.state {
            State::Asked => {}
            State::Here => self.answer_author(at, HeldState::Kept, Vec::new()),
            State::Received => {
                let receipts = kept.receipts.clone();
                self.answer_author(at, HeldState::Received, receipts);
            }
        }
    }

    fn answer_author(&mut self, at: &At, state: HeldState, receipts: Vec<Receipt>) {
        let (origin, index) = at.clone();
        self.tell(Input::Answer { to: origin.society(), origin, index, state, receipts });
    }

    /// Drops all that is kept of an entry, the note too.
    fn let_go(&mut self, at: &At) {
        if self.relay.remove(at).is_some() {
            self.drop_bytes(at);
            let forgotten = self.store.put_note(&note::key(at), &[]);
            forgotten.unwrap_or_else(|error| self.could_not_note(error));
        }
    }

    /// Where the disk does not let it, it is done again: nobody else would ever ask for it.
    fn drop_bytes(&mut self, at: &At) {
        let event = EventRef { origin: at.0.clone(), index: at.1 };
        let Ok(Some(header)) = self.header_at(&event) else { return };
        for part in Part::ALL {
            self.exchange.unwant(&header.place(part));
            let Some(key) = header.body_key(part) else { continue };
            if let Err(error) = self.store.drop_body(&key) {
                self.relay.undropped.insert(at.clone());
                self.relay.drop_at_ms = self.now.steady_ms.saturating_add(RETRY_MS);
                self.could_not_note(error);
            }
        }
    }

    fn note_kept(&mut self, at: &At) {
        let value =
            self.relay.kept.get(at).filter(|kept| kept.state != State::Asked).map(note::write);
        if let Some(value) = value {
            let noted = self.store.put_note(&note::key(at), &value);
            noted.unwrap_or_else(|error| self.could_not_note(error));
        }
    }

    /// All that was asked for of an entry is here.
    #[cfg(test)]
    pub(super) fn relay_arrived(&mut self, (origin, index): &At, now_ms: u64) {
        let at = (origin.clone(), *index);
        if let Some(kept) = self.relay.kept.get_mut(&at).filter(|kept| kept.state == State::Asked) {
            (kept.state, kept.since_ms) = (State::Here, now_ms);
            self.note_kept(&at);
        }
    }

    /// All that were waited for have an entry.
    #[cfg(test)]
    pub(super) fn relay_received(&mut self, (origin, index): &At, now_ms: u64) {
        let at = (origin.clone(), *index);
        if self.relay.kept.get(&at).is_some_and(|kept| kept.state == State::Here) {
            self.relay.receive(&at, now_ms);
            self.drop_bytes(&at);
            self.note_kept(&at);
        }
    }

    pub(super) fn could_not_note(&mut self, error: StoreError) {
        match error {
            StoreError::Fatal(error) => {
                self.fatal = Some(format!("writing a note failed: {error}"))
            }
            error => tracing::warn!(%error, "a note was not kept"),
        }
    }
}
