//! Heads: what each side holds. Passed on when one grows or gains cosignatures.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use tutti_proto::v1;

use super::{
    Effect, Exchange, LinkId, Misbehaved, Sender, Step,
    cosignatures::{HOLD_MS, Outgoing, witnesses_of},
    log::no_later,
};
use crate::{
    evidence::Evidence,
    head::{HeadError, SignedHead},
    limits::HEADS_MAX,
    society::Origin,
    store::Reader,
};

impl Exchange {
    pub(super) fn heads<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        heads: &v1::Heads,
    ) -> Result<(), Misbehaved> {
        if heads.checkpoints.len() > HEADS_MAX {
            return Err(Misbehaved::TooMuch { society: from.society, what: "heads" });
        }
        self.tally.heads_frames += 1;
        // One that has just come catches up. Later, what a frontier shows may be on its way already.
        let at_once = heads.frontier && self.is_new(step, from);
        for bytes in &heads.checkpoints {
            if let Some(head) = self.open(step, from, bytes)? {
                self.show_holding(from.link, &head);
                self.consider(step, from, head, at_once);
            }
        }
        Ok(())
    }

    /// Reads a head. `None` for a log that this roster does not know: the peer's may be newer.
    pub(super) fn open<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &Step<'_, S, R>,
        from: Sender,
        bytes: &[u8],
    ) -> Result<Option<SignedHead>, Misbehaved> {
        let known = |head: &crate::head::Head| self.logs.get(&head.origin)?.known(head.size);
        match SignedHead::open_beside(bytes, step.roster, known) {
            Ok(head) => Ok(Some(head)),
            Err(HeadError::UnknownLog(_)) => Ok(None),
            Err(source) => Err(Misbehaved::Head { society: from.society, source }),
        }
    }

    /// The peer holds this log whole up to `head` and knows its cosignatures.
    pub(super) fn show_holding(&mut self, id: LinkId, head: &SignedHead) {
        if let Some(link) = self.links.get_mut(&id) {
            let standing = link.standing(head.origin());
            standing.holds = standing.holds.max(head.size());
            standing.saw(head.size(), witnesses_of(head));
        }
    }

    /// Takes in what a signed head says: a fork, news of cosignatures, or entries to be had.
    /// `at_once`: no push of them is to be waited for.
    pub(super) fn consider<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        head: SignedHead,
        at_once: bool,
    ) {
        let origin = head.origin().clone();
        let log = self.log(step, &origin);
        if log.frozen.is_some() {
            return self.tell_evidence(step, from.link, &origin);
        }
        let news = log.note_witnesses(&head);
        if head.size() > log.size {
            return self.beyond(step, from, head, at_once);
        }
        let Ok(root) = step.store.root_at(&origin, head.size()) else { return };
        if root != head.root() {
            return self.contradicted(step, head);
        }
        if news || self.log(step, &origin).size == head.size() {
            self.gather(step, &origin, head);
        }
    }

    /// Keeps what a true head has more than the held one: cosignatures on it, or on a smaller one
    /// by witnesses who never cosigned one as large, or that it ends where our entries do.
    pub(super) fn gather<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
        head: SignedHead,
    ) {
        let log = self.log(step, origin);
        match &log.head {
            Some(own) if own.size() == head.size() => {
                let mut merged = own.clone();
                if merged.merge(&head) {
                    step.effects.push(Effect::Head(merged));
                }
            }
            // It completes a log that was being fetched towards a larger one.
            Some(own) if head.size() == log.size && own.size() > log.size => {
                step.effects.push(Effect::Head(head));
            }
            _ if !head.cosignatures().is_empty() && head.size() < log.size => {
                step.effects.push(Effect::Head(head));
            }
            _ => {}
        }
    }

    /// A head beyond the entries that are held.
    fn beyond<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        head: SignedHead,
        at_once: bool,
    ) {
        let origin = head.origin().clone();
        if origin == self.settings.origin && head.size() > self.own_known {
            self.own_known = head.size();
            step.effects.push(Effect::OwnLogAhead { size: head.size() });
        }
        let ways = [Some(from.link), self.towards(&origin)].into_iter().flatten();
        let ways = ways.filter_map(|id| self.links.get(&id));
        let round_trip_ms = ways.map(|link| link.round_trip_ms).max().unwrap_or_default();
        let log = self.log(step, &origin);
        let contradiction = [&log.ahead, &log.head]
            .into_iter()
            .flatten()
            .find(|known| known.contradicts(&head))
            .and_then(|known| Evidence::of_one_size(known.clone(), head.clone()).ok());
        if let Some(evidence) = contradiction {
            return self.freeze(step, evidence);
        }
        match &mut log.ahead {
            Some(ahead) if ahead.size() == head.size() => {
                ahead.merge(&head);
            }
            Some(ahead) if ahead.size() > head.size() => {}
            _ => log.ahead = Some(head),
        }
        if at_once {
            return self.ask(step, &origin, Some(from.link));
        }
        // As many round trips as there are steps from the author, of whoever tells or of the tree,
        // whichever is slower: by then the tree has brought the entries, or it will not.
        let trips = u64::from(log.place.depth.max(2));
        let graft_at_ms = step.after(round_trip_ms.saturating_mul(trips).clamp(50, 2_000), 50);
        let log = self.log(step, &origin);
        if log.asked.is_none() && log.graft_at_ms.is_none() {
            log.graft_at_ms = Some(graft_at_ms);
        }
    }

    /// The log grew or its head gained cosignatures: pass it on.
    pub(super) fn grew<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
    ) {
        // A log that is new here has grown from nothing.
        let known = self.logs.contains(origin);
        let log = self.log(step, origin);
        let size_before = if known { log.size } else { 0 };
        let cosigned_before = log.whole().map_or(0, |head| head.cosignatures().len());
        let ahead = log.ahead.clone();
        log.read(step.store, origin);
        if log.frozen.is_some() {
            return;
        }
        // What was beyond the entries can be compared with them now. Its cosignatures may be more
        // than those on the head that came with the entries, and nobody would tell them again.
        let reached = ahead.filter(|ahead| ahead.size() <= log.size);
        let contender = log.contender.take();
        let link = log.brought_by.take();
        for head in [reached, contender].into_iter().flatten() {
            match step.store.root_at(origin, head.size()) {
                Ok(root) if root != head.root() => self.contradicted(step, head),
                Ok(_) => self.gather(step, origin, head),
                Err(_) => {
                    self.log(step, origin).contender.get_or_insert(head);
                }
            }
        }
        self.settle_doubt(step, origin);
        let log = self.log(step, origin);
        if log.frozen.is_some() {
            return;
        }
        let grew = log.size > size_before;
        if grew {
            log.vain = 0;
            log.no_room = 0;
            log.no_room_until_ms = 0;
        }
        let cosigned = log.whole().map_or(0, |head| head.cosignatures().len());
        let behind = log.ahead.is_some();
        if grew && !behind {
            log.graft_at_ms = None;
        }
        if grew && behind {
            self.ask(step, origin, link);
        } else if grew {
            self.push(step, origin, size_before);
        } else if cosigned > cosigned_before {
            let at_ms = step.after(HOLD_MS, HOLD_MS);
            no_later(&mut self.log(step, origin).relay_at_ms, at_ms);
        }
        self.consider_cosigning(step, origin);
    }

    /// Sends what the timers say: the head to everyone who may not know of the new size, and along the
    /// tree what there is of cosignatures.
    pub(super) fn tick_heads<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        due: &[Origin],
    ) {
        let mut out: BTreeMap<LinkId, Outgoing> = BTreeMap::new();
        for origin in due {
            let Some(log) = self.logs.get_mut(origin) else { continue };
            let announce = log.announce_at_ms.take_if(|at| *at <= step.now_ms).is_some();
            let relay = log.relay_at_ms.take_if(|at| *at <= step.now_ms).is_some();
            if !announce && !relay {
                continue;
            }
            let along = self.along_the_tree(origin);
            let Some(head) = self.logs.get(origin).and_then(|log| log.whole()).cloned() else {
                continue;
            };
            let ready: Vec<LinkId> =
                self.links.iter().filter(|(_, link)| link.is_ready()).map(|(id, _)| *id).collect();
            for id in ready {
                let out = out.entry(id).or_default();
                if relay && along.contains(&id) {
                    self.outstanding(id, &head, false, out);
                } else if announce && let Some(link) = self.links.get_mut(&id) {
                    let standing = link.standing(origin);
                    if standing.holds.max(standing.told) < head.size() {
                        standing.told = head.size();
                        standing.saw(head.size(), []);
                        out.notes.push(head.to_bytes_bare());
                    }
                }
            }
        }
        for (link, out) in out {
            out.send(step, link, false);
        }
    }

    /// Tells one link of one head now.
    pub(super) fn tell_head<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        id: LinkId,
        head: &SignedHead,
    ) {
        let mut out = Outgoing::default();
        self.outstanding(id, head, true, &mut out);
        out.send(step, id, false);
    }
}
