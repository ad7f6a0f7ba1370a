//! One log as the exchange sees it: what the store holds, what is known to lie beyond, and the
//! timers for getting and passing it on.

use std::collections::BTreeMap;

use super::{LinkId, doubts::Doubt, frontier::part_of, neighbours::Place};
use crate::{
    evidence::Evidence,
    head::SignedHead,
    society::{Origin, Society},
    store::Reader,
};

#[derive(Debug, Default)]
pub(super) struct Log {
    /// Entries in the store.
    pub(super) size: u64,
    /// The store's head; larger than `size` while the log is being fetched.
    pub(super) head: Option<SignedHead>,
    /// The largest head beyond `size`. The log has signed it, so it is no mere claim of a peer's.
    pub(super) ahead: Option<SignedHead>,
    /// A head that our entries contradict, kept until our own head can prove it.
    pub(super) contender: Option<SignedHead>,
    /// Two heads that nobody has shown to agree.
    pub(super) doubt: Option<Doubt>,
    /// How many wants in a row brought nothing.
    pub(super) vain: u32,
    /// The log was forked: it is neither extended nor cosigned.
    pub(super) frozen: Option<Evidence>,
    /// For each witness the largest head that it is known to have cosigned.
    pub(super) witnessed: BTreeMap<Society, u64>,
    /// Whom entries were asked from.
    pub(super) asked: Option<Asked>,
    /// The link that brought what is being appended.
    pub(super) brought_by: Option<LinkId>,
    /// Links that this log is pushed to besides the tree's, and until when.
    pub(super) grafted: BTreeMap<LinkId, u64>,
    /// When to ask for entries that were announced and did not come.
    pub(super) graft_at_ms: Option<u64>,
    /// Whose turn it is to cosign: the place of this node among all members but the author.
    pub(super) turn: usize,
    /// When to cosign.
    pub(super) cosign_at_ms: Option<u64>,
    /// Where it is not its turn: the size from which on others are waited for.
    pub(super) waits_from: Option<u64>,
    /// The earliest time to cosign again.
    pub(super) cosign_next_ms: u64,
    /// When to tell everyone of the new head.
    pub(super) announce_at_ms: Option<u64>,
    /// When to pass new cosignatures along the tree.
    pub(super) relay_at_ms: Option<u64>,
    /// How often in a row the store had no room for entries, and until when they are not asked for.
    pub(super) no_room: u32,
    pub(super) no_room_until_ms: u64,
    /// A head that the store could not take, and when to offer it again.
    pub(super) unkept: Option<SignedHead>,
    pub(super) unkept_at_ms: Option<u64>,
    /// Where this node stands in the log's tree.
    pub(super) place: Place,
    /// The part of the frontier that it falls into.
    pub(super) part: usize,
    /// Its place among the timers of all logs: [`super::logs::Logs`] alone sets it.
    pub(super) set_for_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) link: LinkId,
    pub(super) at_ms: u64,
    pub(super) due_ms: u64,
    /// Asked for behind a batch that was not durable yet: the answer says nothing of the link.
    pub(super) early: bool,
    /// A batch of the answer has come, and said that more follow.
    pub(super) begun: bool,
}

impl Log {
    pub(super) fn load(store: &impl Reader, origin: &Origin) -> Self {
        let (frozen, part) = (store.evidence(origin), part_of(origin));
        let mut log = Self { frozen, part, ..Self::default() };
        for (witness, head) in store.cosigned(origin) {
            log.witnessed.insert(witness, head.size());
        }
        log.read(store, origin);
        log
    }

    /// Takes over what the store holds by now.
    pub(super) fn read(&mut self, store: &impl Reader, origin: &Origin) {
        self.size = store.tree(origin).size();
        self.head = store.head(origin);
        if let Some(head) = self.head.clone() {
            self.note_witnesses(&head);
        }
        if self.ahead.as_ref().is_some_and(|ahead| ahead.size() <= self.size) {
            self.ahead = None;
        }
        // A head that the store holds and the entries do not reach yet.
        if let Some(head) = &self.head
            && head.size() > self.size
            && self.ahead.as_ref().is_none_or(|ahead| ahead.size() < head.size())
        {
            self.ahead = Some(head.clone());
        }
    }

    /// Remembers who cosigned; says whether any of them never cosigned one as large before.
    pub(super) fn note_witnesses(&mut self, head: &SignedHead) -> bool {
        let mut news = false;
        for cosignature in head.witnesses() {
            let known = self.witnessed.entry(cosignature.society).or_default();
            news |= *known < head.size();
            *known = head.size().max(*known);
        }
        news
    }

    /// The head, where every entry under it is held: what may be told, pushed and cosigned.
    pub(super) fn whole(&self) -> Option<&SignedHead> {
        self.head.as_ref().filter(|head| head.size() == self.size && self.frozen.is_none())
    }

    /// The same head as it is held, whose signatures need no second look.
    pub(super) fn known(&self, size: u64) -> Option<&SignedHead> {
        let mut heads = [&self.head, &self.ahead].into_iter().flatten();
        heads.find(|head| head.size() == size)
    }

    /// Stops everything that would extend the log or vouch for it.
    pub(super) fn freeze(&mut self, evidence: Evidence) {
        self.frozen = Some(evidence);
        self.ahead = None;
        self.contender = None;
        self.doubt = None;
        self.asked = None;
        self.graft_at_ms = None;
        self.cosign_at_ms = None;
        self.announce_at_ms = None;
        self.relay_at_ms = None;
        self.unkept = None;
        self.unkept_at_ms = None;
    }

    /// The next timer, by the exchange's own clock.
    pub(super) fn next_timer(&self) -> Option<u64> {
        let asked = self.asked.map(|asked| asked.due_ms);
        let timers = [
            asked,
            self.graft_at_ms,
            self.cosign_at_ms,
            self.announce_at_ms,
            self.relay_at_ms,
            self.unkept_at_ms,
        ];
        timers.into_iter().flatten().min()
    }
}

/// Brings a timer forward, never back.
pub(super) fn no_later(timer: &mut Option<u64>, at_ms: u64) {
    *timer = Some(timer.map_or(at_ms, |set| set.min(at_ms)));
}
