//! Bodies: pulled in chunks, from the author first, by those who may have them.
//!
//! A token is shown to the author, to other addressees and to relays alone: whoever holds it could
//! claim the body. A body is handed over only after its size and digest were checked. Nothing is reserved for a
//! size; the buffer grows with what came. What takes more than one chunk has room of its own, less of
//! it, and is asked for at a [`Pace`]: so neither entries nor small bodies wait behind an attachment.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_core::CryptoRngCore;
use tutti_proto::v1::{self, body_unavailable::Reason};

use super::{BodyWant, Effect, Exchange, FrameKind, LinkId, Misbehaved, Sender, Step, pace::Pace};
use crate::{
    body::{Body, Part, Place},
    limits::{
        BULK_BYTES_MAX, BULK_PER_LINK, CHUNK_BYTES_MAX, PULL_BYTES_MAX, PULL_BYTES_PER_LINK,
        PULLS_PER_LINK,
    },
    roster::{Role, Roster},
    society::{Origin, Society},
    store::{BodyState, Reader},
};

/// Without a chunk for this long another link is asked, milliseconds.
pub(super) const CHUNK_MS: u64 = 10_000;

/// The first and the longest wait before all are asked again, milliseconds.
const RETRY_MS: u64 = 1_000;
const RETRY_MS_MAX: u64 = 300_000;

const CHUNK: u64 = CHUNK_BYTES_MAX as u64;

pub(super) type Key = (Origin, u64, Part);

/// What goes before what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// One chunk holds all of it.
    Small,
    /// It takes several.
    Bulk,
}

impl Class {
    fn of(size: u64) -> Self {
        if size <= CHUNK { Self::Small } else { Self::Bulk }
    }
}

/// Every body that is wanted stands in `wanted`, and besides in just one of `queue`, `parked` and
/// `pulls`. So whatever happens looks at those alone that it concerns, however many are wanted.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    wanted: BTreeMap<Key, Wanted>,
    /// Those to be tried, by the time to try them.
    queue: BTreeSet<(u64, Key)>,
    /// Those that wait for room on a link, in the order of the queue; small ones first.
    parked: BTreeMap<(Class, LinkId), VecDeque<Key>>,
    pulls: BTreeMap<Key, Pull>,
    paces: BTreeMap<LinkId, Pace>,
}

#[derive(Debug)]
struct Wanted {
    want: BodyWant,
    /// Its time in the queue, where it is there.
    try_at_ms: u64,
    /// Societies that were asked in this round.
    asked: BTreeSet<Society>,
    rounds: u32,
    /// What had come when a link was lost, and from whom: it goes on behind that with them alone, so that
    /// nobody answers for what another has sent.
    begun: Option<(Society, Vec<u8>)>,
}

#[derive(Debug)]
struct Pull {
    link: LinkId,
    from: Society,
    class: Class,
    size: u64,
    bytes: Vec<u8>,
    /// Asked for up to here.
    requested: u64,
    /// When it is given up on that link; `u64::MAX` where nothing is asked for.
    due_ms: u64,
}

impl Bodies {
    pub(super) fn wanted(&self) -> usize {
        self.wanted.len()
    }

    pub(super) fn next_timer(&self) -> Option<u64> {
        // What is parked is tried when a pull ends.
        let queued = self.queue.first().map(|(at_ms, _)| *at_ms);
        let pulled = self.pulls.values().map(|pull| pull.due_ms).filter(|at_ms| *at_ms < u64::MAX);
        queued.into_iter().chain(pulled).min()
    }

    /// Whether one more of its class may be pulled over this link. Room is counted in what is on its
    /// way; one body always fits.
    fn has_room(&self, class: Class, link: LinkId) -> bool {
        let (mut all, mut count, mut bytes) = (0u64, 0, 0u64);
        for pull in self.pulls.values().filter(|pull| pull.class == class) {
            all = all.saturating_add(pull.size);
            if pull.link == link {
                count += 1;
                bytes = bytes.saturating_add(pull.size);
            }
        }
        match class {
            Class::Small => {
                all < PULL_BYTES_MAX && count < PULLS_PER_LINK && bytes < PULL_BYTES_PER_LINK
            }
            Class::Bulk => all < BULK_BYTES_MAX && count < BULK_PER_LINK,
        }
    }

    /// Takes the next to be tried: one that waited for room which there is now, else the first in
    /// the queue that is due.
    fn next(&mut self, now_ms: u64) -> Option<Key> {
        let mut places = self.parked.keys().copied();
        let place = places.find(|(class, link)| self.has_room(*class, *link));
        if let Some(parked) = place.and_then(|place| self.parked.get_mut(&place)) {
            let key = parked.pop_front();
            self.parked.retain(|_, keys| !keys.is_empty());
            return key;
        }
        let due = self.queue.first().is_some_and(|(at_ms, _)| *at_ms <= now_ms);
        if due { self.queue.pop_first().map(|(_, key)| key) } else { None }
    }

    /// Those that wait for room on a link are to be tried elsewhere.
    fn unpark(&mut self, link: LinkId, now_ms: u64) {
        for class in [Class::Small, Class::Bulk] {
            for key in self.parked.remove(&(class, link)).unwrap_or_default() {
                self.wait(&key, now_ms);
            }
        }
    }

    /// Puts a body that is nowhere else, or is being pulled, into the queue.
    fn wait(&mut self, key: &Key, until_ms: u64) {
        self.give_up(key);
        if let Some(wanted) = self.wanted.get_mut(key) {
            self.queue.remove(&(wanted.try_at_ms, key.clone()));
            wanted.try_at_ms = until_ms;
            self.queue.insert((until_ms, key.clone()));
        }
    }

    /// Ends the pull of a body, if it is pulled; what has come of it is kept, where there is room.
    fn give_up(&mut self, key: &Key) {
        let Some(pull) = self.pulls.remove(key) else { return };
        self.paces.entry(pull.link).or_default().forget(key);
        let begun = self.wanted.values().filter_map(|wanted| wanted.begun.as_ref());
        let kept: u64 = begun.map(|(_, bytes)| bytes.len() as u64).sum();
        if let Some(wanted) = self.wanted.get_mut(key)
            && pull.class == Class::Bulk
            && !pull.bytes.is_empty()
            && kept < BULK_BYTES_MAX
        {
            wanted.begun = Some((pull.from, pull.bytes));
        }
    }

    fn remove(&mut self, key: &Key) -> Option<(BodyWant, Option<Pull>)> {
        let wanted = self.wanted.remove(key)?;
        let pull = self.pulls.remove(key);
        if let Some(pull) = &pull {
            self.paces.entry(pull.link).or_default().forget(key);
        }
        if pull.is_none() && !self.queue.remove(&(wanted.try_at_ms, key.clone())) {
            self.leave_parked(key);
        }
        Some((wanted.want, pull))
    }

    /// Asks over a link for what may be under way on it: all that is small, and of what is large as much
    /// as its pace allows, in the order of the logs.
    fn request<S, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>, link: LinkId) {
        let pace = self.paces.entry(link).or_default();
        for (key, pull) in self.pulls.iter_mut().filter(|(_, pull)| pull.link == link) {
            let Some(wanted) = self.wanted.get(key) else { continue };
            while pull.requested < pull.size && (pull.class == Class::Small || pace.has_room()) {
                if pull.class == Class::Bulk {
                    pace.asked(key, pull.requested, step.now_ms);
                }
                ask(step, &wanted.want, pull);
            }
        }
    }

    fn leave_parked(&mut self, key: &Key) {
        self.parked.values_mut().for_each(|keys| keys.retain(|parked| parked != key));
        self.parked.retain(|_, keys| !keys.is_empty());
    }
}

impl Exchange {
    /// Asks nobody for a body any more: it is to be erased.
    pub fn unwant(&mut self, place: &Place) {
        self.bodies.remove(&(place.origin.clone(), place.index, place.part));
    }

    pub(super) fn want_body<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        want: BodyWant,
    ) {
        let key = (want.origin.clone(), want.index, want.part);
        if step.store.body_state(&want.key()) != BodyState::Absent {
            return;
        }
        if let Some(wanted) = self.bodies.wanted.get_mut(&key) {
            // Its record has come meanwhile, and says who else may have it.
            let before = wanted.want.addressees.len();
            wanted.want.addressees.extend(want.addressees);
            if wanted.want.addressees.len() > before && !self.bodies.pulls.contains_key(&key) {
                self.bodies.leave_parked(&key);
                self.bodies.wait(&key, step.now_ms);
                self.pull_bodies(step);
            }
            return;
        }
        self.want_body_again(want, step.now_ms);
        self.pull_bodies(step);
    }

    /// Wants a body that is not wanted at this moment, from `try_at_ms` on.
    pub(super) fn want_body_again(&mut self, want: BodyWant, try_at_ms: u64) {
        let key = (want.origin.clone(), want.index, want.part);
        let wanted = Wanted { want, try_at_ms, asked: BTreeSet::new(), rounds: 0, begun: None };
        if self.bodies.wanted.contains_key(&key) {
            return;
        }
        self.bodies.wanted.insert(key.clone(), wanted);
        self.bodies.queue.insert((try_at_ms, key));
    }

    /// Starts what may be started, and gives up on links that are late.
    pub(super) fn pull_bodies<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>) {
        let now_ms = step.now_ms;
        let pulls = self.bodies.pulls.iter();
        let late: Vec<Key> =
            pulls.filter(|(_, pull)| pull.due_ms <= now_ms).map(|(key, _)| key.clone()).collect();
        for key in &late {
            self.bodies.wait(key, now_ms);
        }
        // What finds no link is put off, and what finds none with room is parked: this ends.
        while let Some(key) = self.bodies.next(now_ms) {
            self.pull(step, &key);
        }
        // What has ended has left room for what is being pulled already.
        let pulls = self.bodies.pulls.values().filter(|pull| pull.requested < pull.size);
        let links: BTreeSet<LinkId> = pulls.map(|pull| pull.link).collect();
        for link in links {
            self.bodies.request(step, link);
        }
    }

    /// Asks for a body that stands neither in the queue nor elsewhere.
    fn pull<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>, key: &Key) {
        let Some(wanted) = self.bodies.wanted.get(key) else { return };
        if step.store.body_state(&wanted.want.key()) != BodyState::Absent {
            self.bodies.remove(key);
            return;
        }
        let want = wanted.want.clone();
        if let Some(until_ms) = self.body_waits(&want, step.now_ms) {
            return self.bodies.wait(key, until_ms);
        }
        let Some(wanted) = self.bodies.wanted.get(key) else { return };
        let mut left = self.sources(step, &wanted.want);
        if left.is_empty() {
            // It is tried as soon as one is there.
            let at_ms = step.after(RETRY_MS_MAX, RETRY_MS_MAX);
            return self.bodies.wait(key, at_ms);
        }
        left.retain(|(_, society)| !wanted.asked.contains(society));
        if left.is_empty() {
            return self.rest(step, key);
        }
        // The author is worth waiting for; without it, who is nearest to it has it soonest.
        let author = left.iter().find(|(_, society)| *society == key.0.society()).copied();
        let near = self.towards(&key.0);
        let near = left.iter().find(|(link, _)| Some(*link) == near).copied();
        let at = usize::try_from(step.random(left.len() as u64)).unwrap_or_default();
        let Some((link, society)) = author.or(near).or(left.get(at).copied()) else { return };
        let size = wanted.want.commitment.size;
        let class = Class::of(size);
        if !self.bodies.has_room(class, link) {
            self.bodies.parked.entry((class, link)).or_default().push_back(key.clone());
            return;
        }
        let Some(wanted) = self.bodies.wanted.get_mut(key) else { return };
        wanted.asked.insert(society);
        let begun = wanted.begun.take().filter(|(from, _)| *from == society);
        let bytes = begun.map(|(_, bytes)| bytes).unwrap_or_default();
        let (from, requested) = (society, bytes.len() as u64);
        let pull = Pull { link, from, class, size, bytes, requested, due_ms: u64::MAX };
        self.bodies.pulls.insert(key.clone(), pull);
        self.bodies.request(step, link);
    }

    /// All were asked in vain: a longer wait each time, then all again.
    fn rest<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>, key: &Key) {
        let Some(wanted) = self.bodies.wanted.get_mut(key) else { return };
        wanted.asked.clear();
        let wait_ms = RETRY_MS.checked_shl(wanted.rounds).unwrap_or(RETRY_MS_MAX).min(RETRY_MS_MAX);
        wanted.rounds = wanted.rounds.saturating_add(1).min(16);
        let at_ms = step.after(wait_ms, wait_ms / 4);
        self.bodies.wait(key, at_ms);
    }

    /// Who may be asked: the author; for an addressed body the other addressees and relays besides,
    /// for others anyone.
    fn sources<S: Reader, R>(
        &self,
        step: &Step<'_, S, R>,
        want: &BodyWant,
    ) -> Vec<(LinkId, Society)> {
        self.links
            .iter()
            .filter(|(_, link)| link.is_ready())
            .filter(|(_, link)| may_have(want, link.society, step.roster))
            .map(|(id, link)| (*id, link.society))
            .collect()
    }

    /// A peer that may have them is here: try at once what waits for it.
    pub(super) fn bodies_may_come<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        society: Society,
    ) {
        let waiting: Vec<Key> = self
            .bodies
            .queue
            .iter()
            .map(|(_, key)| key)
            .filter(|key| {
                let wanted = self.bodies.wanted.get(*key);
                wanted.is_some_and(|wanted| may_have(&wanted.want, society, step.roster))
            })
            .cloned()
            .collect();
        for key in &waiting {
            if let Some(wanted) = self.bodies.wanted.get_mut(key) {
                wanted.asked.remove(&society);
                wanted.rounds = 0;
            }
            self.bodies.wait(key, step.now_ms);
        }
        self.pull_bodies(step);
    }

    /// A link is gone, and what it had sent with it.
    pub(super) fn bodies_lost<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        id: LinkId,
    ) {
        let pulls = self.bodies.pulls.iter();
        let lost: Vec<Key> =
            pulls.filter(|(_, pull)| pull.link == id).map(|(key, _)| key.clone()).collect();
        for key in &lost {
            self.bodies.wait(key, step.now_ms);
        }
        self.bodies.unpark(id, step.now_ms);
        self.bodies.paces.remove(&id);
        self.pull_bodies(step);
    }

    pub(super) fn body_chunk<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        chunk: &v1::BodyChunk,
    ) -> Result<(), Misbehaved> {
        let key = key(from, &chunk.origin, chunk.index, chunk.part)?;
        let now_ms = step.now_ms;
        let (Some(wanted), Some(pull)) =
            (self.bodies.wanted.get(&key), self.bodies.pulls.get_mut(&key))
        else {
            return Ok(());
        };
        let held = pull.bytes.len() as u64;
        // Late pieces of a pull that was given up: harmless.
        if pull.link != from.link || chunk.offset != held {
            return Ok(());
        }
        if chunk.data.len() as u64 != CHUNK.min(pull.size.saturating_sub(held)) {
            return Err(Misbehaved::Chunk(from.society));
        }
        pull.bytes.extend_from_slice(&chunk.data);
        let held = pull.bytes.len() as u64;
        let asked = pull.requested > held;
        pull.due_ms = if asked { now_ms.saturating_add(CHUNK_MS) } else { u64::MAX };
        if pull.class == Class::Bulk {
            self.bodies.paces.entry(from.link).or_default().came(&key, chunk.offset, now_ms);
        }
        if held < pull.size {
            self.bodies.request(step, from.link);
            return Ok(());
        }
        let body = Body::new(wanted.want.place(), &pull.bytes);
        if body.commitment() != wanted.want.commitment {
            return Err(Misbehaved::Body { society: from.society, origin: key.0, index: key.1 });
        }
        if let Some((want, _)) = self.bodies.remove(&key) {
            self.tally.bodies += 1;
            self.body_cost(&want, body.bytes().len() as u64, step.now_ms);
            step.effects.push(Effect::Body { want, body });
        }
        self.pull_bodies(step);
        Ok(())
    }

    pub(super) fn body_unavailable<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        answer: &v1::BodyUnavailable,
    ) -> Result<(), Misbehaved> {
        let key = key(from, &answer.origin, answer.index, answer.part)?;
        let erased = match Reason::try_from(answer.reason) {
            Ok(Reason::Erased) => true,
            Ok(Reason::Absent | Reason::Refused) => false,
            Ok(Reason::Unspecified) | Err(_) => return Err(from.wrong("reason")),
        };
        if self.bodies.pulls.get(&key).is_none_or(|pull| pull.link != from.link) {
            return Ok(());
        }
        // Another holder has erased its own copy; only the author speaks for all.
        if erased && from.society == key.0.society() {
            if let Some((want, _)) = self.bodies.remove(&key) {
                step.effects.push(Effect::BodyErased { want });
            }
        } else {
            self.bodies.wait(&key, step.now_ms);
        }
        self.pull_bodies(step);
        Ok(())
    }
}

/// Whether a society may be asked for a body, and shown the token that claims it.
fn may_have(want: &BodyWant, society: Society, roster: &Roster) -> bool {
    let relays = || roster.member(society).is_some_and(|member| member.role == Role::Relay);
    if want.lent {
        return society == want.origin.society();
    }
    want.token.is_none()
        || society == want.origin.society()
        || want.addressees.contains(&society)
        || relays()
}

/// Asks for one chunk.
fn ask<S, R: CryptoRngCore>(step: &mut Step<'_, S, R>, want: &BodyWant, pull: &mut Pull) {
    let part = match want.part {
        Part::Record => v1::BodyPart::Record,
        Part::Content => v1::BodyPart::Content,
    };
    let want = v1::WantBody {
        origin: want.origin.to_string(),
        index: want.index,
        part: part.into(),
        token: want.token.map(|token| token.to_vec()).unwrap_or_default(),
        offset: pull.requested,
    };
    step.send(pull.link, FrameKind::WantBody(want));
    pull.requested = pull.requested.saturating_add(CHUNK);
    pull.due_ms = step.now_ms.saturating_add(CHUNK_MS);
}

pub(super) fn key(from: Sender, origin: &str, index: u64, part: i32) -> Result<Key, Misbehaved> {
    let origin = origin.parse().map_err(|_| from.wrong("origin"))?;
    let part = match v1::BodyPart::try_from(part) {
        Ok(v1::BodyPart::Record) => Part::Record,
        Ok(v1::BodyPart::Content) => Part::Content,
        Ok(v1::BodyPart::Unspecified) | Err(_) => return Err(from.wrong("part")),
    };
    Ok((origin, index, part))
}
