//! Entries: pushed along the log's tree as they are written, pulled where they are missing.
//!
//! One want is open for a log at a time. What does not come in time, or was cut off, is asked from
//! another link. A batch changes the log only as a [`VerifiedBatch`].

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRngCore;
use tutti_proto::v1;

use super::{
    Effect, Exchange, FrameKind, LinkId, Misbehaved, Sender, Step,
    cosignatures::witnesses_of,
    log::{Asked, no_later},
    quota::Cost,
    unkept::UNKEPT_MS,
};
use crate::{
    batch::{BatchError, VerifiedBatch},
    entry::EntryBytes,
    head::HeadKeys as _,
    limits::{ANSWER_BYTES_MAX, BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, LOG_SIZE_MAX, WANTS_PER_LINK},
    society::Origin,
    store::Reader,
    tree::hashes,
};

/// How long an answer to a want may take, milliseconds.
pub(super) const WANT_MS: u64 = 5_000;

/// After an answer that came as fast, several batches are asked for at once.
const FAST_MS: u64 = 500;

/// How long a peer that had to ask is pushed to, milliseconds.
const GRAFTED_MS: u64 = 300_000;

/// A link that is up for less is still catching up, milliseconds.
const SETTLED_MS: u64 = 5_000;

/// Peers that a log is pushed to besides the tree's.
const GRAFTED_MAX: usize = 2;

impl Exchange {
    /// Asks for what is missing of a log, from `prefer` where that is known to hold it, else from
    /// towards the author, else from anyone.
    pub(super) fn ask<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
        prefer: Option<LinkId>,
    ) {
        let log = self.log(step, origin);
        if log.frozen.is_some() || log.asked.is_some() || log.ahead.is_none() {
            return;
        }
        // Every peer's frontier would have it asked for anew; the timer is set.
        if log.no_room_until_ms > step.now_ms {
            return;
        }
        let size = log.size;
        let open = self.open_wants();
        let holders: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| link.is_ready() && link.holds(origin) > size)
            .filter(|(_, link)| !link.doubted.contains(origin))
            .map(|(id, _)| *id)
            .filter(|id| open.get(id).is_none_or(|wants| *wants < WANTS_PER_LINK))
            .collect();
        let near = self.towards(origin);
        let chosen = [prefer, near].into_iter().flatten().find(|id| holders.contains(id));
        let at = step.random(holders.len() as u64);
        let any = usize::try_from(at).ok().and_then(|at| holders.get(at).copied());
        let Some(link) = chosen.or(any) else { return };
        self.log(step, origin).graft_at_ms = None;
        self.send_want(step, origin, link, size, BATCH_BYTES_MAX, false);
    }

    fn send_want<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
        link: LinkId,
        start: u64,
        max_bytes: usize,
        early: bool,
    ) {
        let (at_ms, due_ms) = (step.now_ms, step.now_ms.saturating_add(WANT_MS));
        let begun = false;
        self.log(step, origin).asked = Some(Asked { link, at_ms, due_ms, early, begun });
        self.tally.wants += 1;
        step.send(
            link,
            FrameKind::Want(v1::Want {
                origin: origin.to_string(),
                start,
                max_bytes: u32::try_from(max_bytes).unwrap_or(u32::MAX),
            }),
        );
    }

    /// Wants that are not answered yet, by link.
    fn open_wants(&self) -> BTreeMap<LinkId, usize> {
        let mut open = BTreeMap::new();
        for asked in self.logs.iter().filter_map(|(_, log)| log.asked) {
            *open.entry(asked.link).or_default() += 1;
        }
        open
    }

    /// Answers a want; with no entries where there is nothing to give.
    pub(super) fn wanted<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        want: &v1::Want,
    ) -> Result<(), Misbehaved> {
        let origin: Origin = want.origin.parse().map_err(|_| from.wrong("origin"))?;
        if want.start > LOG_SIZE_MAX {
            return Err(from.wrong("start"));
        }
        if self.logs.get(&origin).is_some_and(|log| log.frozen.is_some()) {
            self.tell_evidence(step, from.link, &origin);
        }
        let max_bytes = usize::try_from(want.max_bytes).unwrap_or(usize::MAX).min(ANSWER_BYTES_MAX);
        let mut left = (max_bytes / BATCH_BYTES_MAX).max(1);
        let mut start = want.start;
        while left > 0 {
            left -= 1;
            let Some(mut batch) = self.batch_from(step.store, &origin, start, max_bytes) else {
                let origin = want.origin.clone();
                let nothing = v1::Batch { origin, start, ..v1::Batch::default() };
                step.send(from.link, FrameKind::Batch(nothing));
                break;
            };
            start = start.saturating_add(batch.entries.len() as u64);
            // Without a proof it reaches the head.
            batch.more = left > 0 && !batch.consistency.is_empty();
            left = if batch.more { left } else { 0 };
            self.given(step, from, &origin, start);
            step.send(from.link, FrameKind::Batch(batch));
        }
        Ok(())
    }

    /// A peer that said itself where it stands is given what lies before `end`.
    fn given<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &Step<'_, S, R>,
        from: Sender,
        origin: &Origin,
        end: u64,
    ) {
        self.graft(step, from, origin);
        if let Some(link) = self.links.get_mut(&from.link) {
            link.standing(origin).holds = end;
            if let Some(head) = self.logs.get(origin).and_then(|log| log.whole()) {
                link.standing(origin).saw(head.size(), witnesses_of(head));
            }
        }
    }

    /// A peer had to ask: the tree does not reach it, so it is pushed to for a while.
    fn graft<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &Step<'_, S, R>,
        from: Sender,
        origin: &Origin,
    ) {
        let until_ms = step.now_ms.saturating_add(GRAFTED_MS);
        // One that has just come catches up; that says nothing of the tree.
        if self.is_new(step, from) {
            return;
        }
        let log = self.log(step, origin);
        log.grafted.retain(|_, until| *until > step.now_ms);
        let in_tree = log.place.children.contains(&from.society);
        if !in_tree && (log.grafted.len() < GRAFTED_MAX || log.grafted.contains_key(&from.link)) {
            log.grafted.insert(from.link, until_ms);
        }
    }

    /// Whether the link is up so shortly that its ends are still catching up.
    pub(super) fn is_new<S, R>(&self, step: &Step<'_, S, R>, from: Sender) -> bool {
        let up_ms = self.links.get(&from.link).map_or(step.now_ms, |link| link.connected_at_ms);
        step.now_ms.saturating_sub(up_ms) < SETTLED_MS
    }

    /// Entries of a log that is held whole, with their head and proof.
    fn batch_from(
        &self,
        store: &impl Reader,
        origin: &Origin,
        start: u64,
        max_bytes: usize,
    ) -> Option<v1::Batch> {
        let head = self.logs.get(origin)?.whole()?;
        if start >= head.size() {
            return None;
        }
        let max_bytes = max_bytes.min(BATCH_BYTES_MAX);
        let entries = store.entries(origin, start, BATCH_ENTRIES_MAX as u64, max_bytes).ok()?;
        let end = start.checked_add(entries.len() as u64)?;
        let proof = store.consistency(origin, end, head.size()).ok()?;
        (end > start).then(|| v1::Batch {
            origin: origin.to_string(),
            start,
            entries: entries.iter().map(|entry| entry.as_slice().to_vec()).collect(),
            checkpoint: head.to_bytes(),
            consistency: proof.iter().map(|hash| hash.0.to_vec()).collect(),
            more: false,
        })
    }

    /// Takes a batch, asked for or pushed.
    pub(super) fn batch<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        batch: v1::Batch,
    ) -> Result<(), Misbehaved> {
        let origin: Origin = batch.origin.parse().map_err(|_| from.wrong("origin"))?;
        if batch.entries.len() > BATCH_ENTRIES_MAX {
            return Err(Misbehaved::TooMuch { society: from.society, what: "entries" });
        }
        if step.roster.log_key(&origin).is_none() {
            return Ok(());
        }
        let log = self.log(step, &origin);
        let answered = log.asked.take_if(|asked| asked.link == from.link);
        if let (Some(asked), Some(link)) = (answered, self.links.get_mut(&from.link))
            && !asked.early
            && !asked.begun
        {
            link.measured(step.now_ms.saturating_sub(asked.at_ms));
        }
        if batch.entries.is_empty() {
            if let Some(link) = self.links.get_mut(&from.link) {
                link.standing(&origin).holds = 0;
            }
            if answered.is_some() {
                self.in_vain(step, &origin);
            }
            self.ask(step, &origin, None);
            return Ok(());
        }
        let Some(head) = self.open(step, from, &batch.checkpoint)? else { return Ok(()) };
        if *head.origin() != origin {
            return Err(from.wrong("checkpoint"));
        }
        let consistency = hashes(&batch.consistency).ok_or_else(|| from.wrong("consistency"))?;
        self.show_holding(from.link, &head);
        // A fork, a larger head of our own log, news of cosignatures.
        self.consider(step, from, head.clone(), false);
        if self.log(step, &origin).frozen.is_some() {
            return Ok(());
        }
        let entries: Vec<EntryBytes> =
            batch.entries.iter().map(|entry| EntryBytes::new(entry)).collect();
        let held = step.store.tree(&origin);
        let put_off = self.entries_wait(&origin, step.now_ms);
        match VerifiedBatch::verify(&held, batch.start, &entries, head.clone(), consistency) {
            // Put off, as where the disk is full: its days do not allow it yet.
            Ok(_) if put_off.is_some() => {
                let log = self.log(step, &origin);
                log.brought_by = None;
                log.no_room_until_ms = put_off.unwrap_or_default();
                log.graft_at_ms = put_off;
            }
            Ok(verified) => {
                let bytes =
                    entries.iter().fold(0, |sum, entry| sum + entry.as_slice().len() as u64);
                self.quotas.spend(origin.society(), Cost::Entries, bytes, step.now_ms);
                self.tally.batches += 1;
                self.tally.entries += verified.entries().len() as u64;
                self.log(step, &origin).brought_by = Some(from.link);
                if let Some(asked) = answered.filter(|_| !verified.is_complete()) {
                    self.go_on(step, &origin, asked, batch.more, verified.tree().size());
                }
                step.effects.push(Effect::Append(verified));
            }
            Err(BatchError::Nothing) => {
                self.tally.batches_redundant += 1;
                self.ask(step, &origin, Some(from.link));
            }
            // What came before it could not be kept: there is no room. It is tried again later.
            Err(BatchError::Gap { .. }) if answered.is_some_and(|asked| asked.early) => {
                let at_ms = step.after(UNKEPT_MS, UNKEPT_MS / 2);
                self.log(step, &origin).graft_at_ms.get_or_insert(at_ms);
            }
            Err(BatchError::Gap { .. }) => {
                self.tally.batches_redundant += 1;
                self.ask(step, &origin, Some(from.link));
            }
            Err(source @ BatchError::Proof(_)) => {
                self.unfit(step, from, head, source)?;
            }
            Err(source @ (BatchError::Head | BatchError::Entry { .. })) => {
                return Err(Misbehaved::Batch { society: from.society, origin, source });
            }
        }
        self.ask_waiting(step);
        Ok(())
    }

    /// After a batch that was asked for and does not reach the head: waits for the rest of the
    /// answer, or asks for what comes next. That travels while this becomes durable. It is a
    /// question, and tells nobody that anything is held.
    fn go_on<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
        asked: Asked,
        more: bool,
        end: u64,
    ) {
        if more {
            let due_ms = step.now_ms.saturating_add(WANT_MS);
            self.log(step, origin).asked = Some(Asked { due_ms, begun: true, ..asked });
            return;
        }
        let fast = step.now_ms.saturating_sub(asked.at_ms) <= FAST_MS;
        let max_bytes = if fast { ANSWER_BYTES_MAX } else { BATCH_BYTES_MAX };
        self.send_want(step, origin, asked.link, end, max_bytes, true);
    }

    /// A want was answered: there is room for the next.
    fn ask_waiting<S: Reader, R: CryptoRngCore>(&mut self, step: &mut Step<'_, S, R>) {
        for origin in self.logs.behind() {
            let waits = self.logs.get(&origin).is_some_and(|log| {
                let coming = log.asked.is_some() || log.brought_by.is_some();
                !coming && log.graft_at_ms.is_none()
            });
            if waits {
                self.ask(step, &origin, None);
            }
        }
    }

    /// The log grew from `size_before`: push what is new down the tree, tell the others.
    pub(super) fn push<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
        size_before: u64,
    ) {
        let own = *origin == self.settings.origin;
        let children = self.children(step.now_ms, origin);
        let Some(head) = self.logs.get(origin).and_then(|log| log.whole()).cloned() else { return };
        let batch = self
            .batch_from(step.store, origin, size_before, BATCH_BYTES_MAX)
            .filter(|batch| size_before + batch.entries.len() as u64 == head.size());
        let links: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| link.is_ready()).map(|(id, _)| *id).collect();
        for id in links {
            let Some(link) = self.links.get_mut(&id) else { continue };
            let standing = link.standing(origin);
            if standing.holds >= head.size() {
                continue;
            }
            match &batch {
                Some(batch) if children.contains(&id) => {
                    standing.holds = head.size();
                    standing.saw(head.size(), witnesses_of(&head));
                    self.tally.pushes += 1;
                    step.send(id, FrameKind::Batch(batch.clone()));
                }
                // The author tells everyone at once; others leave it time to be told.
                _ if own => self.tell_head(step, id, &head),
                _ => {}
            }
        }
        if !own {
            let at_ms = step.after(50, 100);
            no_later(&mut self.log(step, origin).announce_at_ms, at_ms);
        }
    }

    /// Links down the tree, and those that had to ask.
    fn children(&mut self, now_ms: u64, origin: &Origin) -> BTreeSet<LinkId> {
        let Some(log) = self.logs.get_mut(origin) else { return BTreeSet::new() };
        log.grafted.retain(|_, until| *until > now_ms);
        let in_tree =
            self.links.iter().filter(|(_, link)| log.place.children.contains(&link.society));
        in_tree.map(|(id, _)| *id).chain(log.grafted.keys().copied()).collect()
    }

    /// The link one step nearer to the author: the tree's, or the nearest that is up.
    pub(super) fn towards(&self, origin: &Origin) -> Option<LinkId> {
        let place = &self.logs.get(origin)?.place;
        let author = origin.society();
        place.parent.iter().chain([&author]).chain(&place.nearer).find_map(|society| {
            self.links
                .iter()
                .find(|(_, link)| link.society == *society && link.is_ready())
                .map(|(id, _)| *id)
        })
    }

    /// The links of the log's tree, up and down; every link where there is none nearer to the
    /// author, so that those of one cut-off part reach each other.
    pub(super) fn along_the_tree(&mut self, origin: &Origin) -> BTreeSet<LinkId> {
        let mut along = self.children(0, origin);
        let is_author = origin.society() == self.settings.society;
        match self.towards(origin) {
            Some(up) => {
                along.insert(up);
            }
            None if is_author => {}
            None => along.extend(self.links.keys().copied()),
        }
        along
    }

    /// Asks elsewhere for what did not come, and for what was announced and was not pushed.
    pub(super) fn tick_entries<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
    ) {
        let now_ms = step.now_ms;
        let log = self.log(step, origin);
        if let Some(late) = log.asked.take_if(|asked| asked.due_ms <= now_ms) {
            if let Some(link) = self.links.get_mut(&late.link) {
                link.standing(origin).holds = 0;
            }
            self.in_vain(step, origin);
            self.ask(step, origin, None);
        }
        let log = self.log(step, origin);
        if log.graft_at_ms.take_if(|at| *at <= now_ms).is_some() {
            self.ask(step, origin, None);
        }
    }
}
