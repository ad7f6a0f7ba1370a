//! Bodies: pulled in chunks, from the author first, by those who may have them.
//!
//! A token is shown to the author and to relays alone: whoever holds it could claim the body. A
//! body is handed over only after its size and digest were checked. Nothing is reserved for a
//! size; the buffer grows with what came.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRngCore;
use tutti_proto::v1::{self, body_unavailable::Reason};

use super::{BodyWant, Effect, Exchange, FrameKind, LinkId, Misbehaved, Part, Sender, Step};
use crate::{
    limits::{CHUNK_BYTES_MAX, CHUNKS_AHEAD, PULLS_MAX, PULLS_PER_LINK},
    roster::Role,
    sealing::digest,
    society::{Origin, Society},
    store::{BodyState, Reader},
};

/// Without a chunk for this long another link is asked, milliseconds.
pub(super) const CHUNK_MS: u64 = 10_000;

/// The first and the longest wait before all are asked again, milliseconds.
const RETRY_MS: u64 = 1_000;
const RETRY_MS_MAX: u64 = 300_000;

const CHUNK: u64 = CHUNK_BYTES_MAX as u64;

type Key = (Origin, u64, Part);

#[derive(Debug, Default)]
pub(super) struct Bodies {
    wanted: BTreeMap<Key, Wanted>,
    /// Those that are not being pulled, by the time to try them.
    queue: BTreeSet<(u64, Key)>,
}

#[derive(Debug)]
struct Wanted {
    want: BodyWant,
    /// Societies that were asked in this round.
    asked: BTreeSet<Society>,
    rounds: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    /// In the queue at this time.
    Waiting {
        at_ms: u64,
    },
    Pulling {
        link: LinkId,
        bytes: Vec<u8>,
        requested: u64,
        due_ms: u64,
    },
}

impl Bodies {
    pub(super) fn wanted(&self) -> usize {
        self.wanted.len()
    }

    pub(super) fn next_timer(&self) -> Option<u64> {
        let free = self.pulls().count() < PULLS_MAX;
        let queued = self.queue.first().map(|(at, _)| *at).filter(|_| free);
        queued.into_iter().chain(self.pulls().map(|(_, _, due_ms)| due_ms)).min()
    }

    fn pulls(&self) -> impl Iterator<Item = (&Key, LinkId, u64)> {
        self.wanted.iter().filter_map(|(key, wanted)| match &wanted.state {
            State::Pulling { link, due_ms, .. } => Some((key, *link, *due_ms)),
            State::Waiting { .. } => None,
        })
    }

    fn wait(&mut self, key: &Key, until_ms: u64) {
        if let Some(wanted) = self.wanted.get_mut(key) {
            if let State::Waiting { at_ms } = wanted.state {
                self.queue.remove(&(at_ms, key.clone()));
            }
            wanted.state = State::Waiting { at_ms: until_ms };
            self.queue.insert((until_ms, key.clone()));
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Wanted> {
        let wanted = self.wanted.remove(key)?;
        if let State::Waiting { at_ms } = wanted.state {
            self.queue.remove(&(at_ms, key.clone()));
        }
        Some(wanted)
    }
}

impl Exchange {
    pub(super) fn want_body<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        want: BodyWant,
    ) {
        let key = (want.origin.clone(), want.index, want.part);
        if self.bodies.wanted.contains_key(&key)
            || step.store.body_state(&want.commitment.digest) != BodyState::Absent
        {
            return;
        }
        let state = State::Waiting { at_ms: step.now_ms };
        self.bodies.queue.insert((step.now_ms, key.clone()));
        self.bodies.wanted.insert(key, Wanted { want, asked: BTreeSet::new(), rounds: 0, state });
        self.pull_bodies(step);
    }

    /// Starts what may be started, and gives up on links that are late.
    pub(super) fn pull_bodies<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>) {
        let now_ms = step.now_ms;
        let late: Vec<Key> = self
            .bodies
            .pulls()
            .filter(|(_, _, due_ms)| *due_ms <= now_ms)
            .map(|(key, ..)| key.clone())
            .collect();
        for key in &late {
            self.bodies.wait(key, now_ms);
        }
        // What finds no link is put off, so that this ends.
        while self.bodies.pulls().count() < PULLS_MAX {
            let Some((at_ms, key)) = self.bodies.queue.first().cloned() else { return };
            if at_ms > now_ms {
                return;
            }
            self.pull(step, &key);
        }
    }

    fn pull<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>, key: &Key) {
        let Some(wanted) = self.bodies.wanted.get(key) else { return };
        if step.store.body_state(&wanted.want.commitment.digest) != BodyState::Absent {
            self.bodies.remove(key);
            return;
        }
        let size = wanted.want.commitment.size;
        let may = self.sources(step, &wanted.want);
        let busy = |id: LinkId| {
            self.bodies.pulls().filter(|(_, link, _)| *link == id).count() >= PULLS_PER_LINK
        };
        let left: Vec<(LinkId, Society)> =
            may.iter().filter(|(_, society)| !wanted.asked.contains(society)).copied().collect();
        let author = left.iter().find(|(_, society)| *society == key.0.society()).copied();
        let free: Vec<(LinkId, Society)> =
            left.iter().filter(|(id, _)| !busy(*id)).copied().collect();
        let at = usize::try_from(step.random(free.len() as u64)).unwrap_or_default();
        let chosen = author.filter(|(id, _)| !busy(*id)).or(free.get(at).copied());
        // The author is worth waiting for.
        let chosen = if author.is_some_and(|(id, _)| busy(id)) { None } else { chosen };
        let Some((link, society)) = chosen else {
            if left.is_empty() {
                self.rest(step, key);
            } else {
                // All are busy; the end of a pull starts the next at once.
                let at_ms = step.after(200, 100);
                self.bodies.wait(key, at_ms);
            }
            return;
        };
        let due_ms = step.now_ms.saturating_add(CHUNK_MS);
        if let Some(wanted) = self.bodies.wanted.get_mut(key) {
            if let State::Waiting { at_ms } = wanted.state {
                self.bodies.queue.remove(&(at_ms, key.clone()));
            }
            wanted.asked.insert(society);
            let (bytes, mut requested) = (Vec::new(), 0);
            request(step, link, &wanted.want, 0, &mut requested, size);
            wanted.state = State::Pulling { link, bytes, requested, due_ms };
        }
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

    /// Who may be asked: the author; for an addressed body relays besides, for others anyone.
    fn sources<S: Reader, R>(
        &self,
        step: &Step<'_, S, R>,
        want: &BodyWant,
    ) -> Vec<(LinkId, Society)> {
        let author = want.origin.society();
        self.links
            .iter()
            .filter(|(_, link)| link.is_ready())
            .filter(|(_, link)| {
                let relays = || {
                    let member = step.roster.member(link.society);
                    member.is_some_and(|member| member.role == Role::Relay)
                };
                link.society == author || want.token.is_none() || relays()
            })
            .map(|(id, link)| (*id, link.society))
            .collect()
    }

    /// A peer that may have them is here: try at once what waits for it.
    pub(super) fn bodies_may_come<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        society: Society,
    ) {
        let relay = step.roster.member(society).is_some_and(|member| member.role == Role::Relay);
        let waiting: Vec<Key> = self
            .bodies
            .queue
            .iter()
            .map(|(_, key)| key)
            .filter(|key| {
                let open = self.bodies.wanted.get(*key).is_some_and(|w| w.want.token.is_none());
                key.0.society() == society || relay || open
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
        let lost: Vec<Key> = self
            .bodies
            .pulls()
            .filter(|(_, link, _)| *link == id)
            .map(|(key, ..)| key.clone())
            .collect();
        for key in &lost {
            self.bodies.wait(key, step.now_ms);
        }
        self.pull_bodies(step);
    }

    pub(super) fn body_chunk<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        chunk: &v1::BodyChunk,
    ) -> Result<(), Misbehaved> {
        let key = key(from, &chunk.origin, chunk.index, chunk.part)?;
        let due_ms = step.now_ms.saturating_add(CHUNK_MS);
        let Some(wanted) = self.bodies.wanted.get_mut(&key) else { return Ok(()) };
        let State::Pulling { link, bytes, requested, due_ms: due } = &mut wanted.state else {
            return Ok(());
        };
        let size = wanted.want.commitment.size;
        // Late pieces of a pull that was given up: harmless.
        if *link != from.link || chunk.offset != bytes.len() as u64 {
            return Ok(());
        }
        if chunk.data.len() as u64 != CHUNK.min(size.saturating_sub(chunk.offset)) {
            return Err(Misbehaved::Chunk(from.society));
        }
        bytes.extend_from_slice(&chunk.data);
        *due = due_ms;
        let held = bytes.len() as u64;
        if held < size {
            request(step, from.link, &wanted.want, held, requested, size);
            return Ok(());
        }
        if digest(bytes) != wanted.want.commitment.digest {
            return Err(Misbehaved::Body { society: from.society, origin: key.0, index: key.1 });
        }
        if let Some(Wanted { want, state: State::Pulling { bytes, .. }, .. }) =
            self.bodies.remove(&key)
        {
            self.tally.bodies += 1;
            step.effects.push(Effect::Body { want, bytes });
        }
        self.next_pull(step);
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
        let asked =
            self.bodies.pulls().any(|(pulled, link, _)| *pulled == key && link == from.link);
        if !asked {
            return Ok(());
        }
        // Another holder has erased its own copy; only the author speaks for all.
        if erased && from.society == key.0.society() {
            if let Some(wanted) = self.bodies.remove(&key) {
                step.effects.push(Effect::BodyErased { want: wanted.want });
            }
        } else {
            self.bodies.wait(&key, step.now_ms);
        }
        self.next_pull(step);
        Ok(())
    }

    /// A pull has ended: those that found everyone busy need not wait on.
    fn next_pull<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>) {
        let soon = step.now_ms.saturating_add(300);
        let waiting: Vec<Key> = self
            .bodies
            .queue
            .iter()
            .take_while(|(at_ms, _)| *at_ms <= soon)
            .take(PULLS_MAX)
            .map(|(_, key)| key.clone())
            .collect();
        for key in &waiting {
            self.bodies.wait(key, step.now_ms);
        }
        self.pull_bodies(step);
    }
}

/// Asks for the chunks after `held` that the window has room for.
fn request<S, R: CryptoRngCore>(
    step: &mut Step<'_, S, R>,
    link: LinkId,
    want: &BodyWant,
    held: u64,
    requested: &mut u64,
    size: u64,
) {
    while *requested < size && *requested < held.saturating_add(CHUNK.saturating_mul(CHUNKS_AHEAD))
    {
        step.send(
            link,
            FrameKind::WantBody(v1::WantBody {
                origin: want.origin.to_string(),
                index: want.index,
                part: match want.part {
                    Part::Record => v1::BodyPart::Record,
                    Part::Content => v1::BodyPart::Content,
                } as i32,
                token: want.token.map(|token| token.to_vec()).unwrap_or_default(),
                offset: *requested,
            }),
        );
        *requested = requested.saturating_add(CHUNK);
    }
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
