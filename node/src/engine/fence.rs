//! Whether new entries are signed, and if not, why: the fence against honest forks.
//!
//! Most forks are restores from a backup: the node signs anew what it has signed before. So it
//! signs nothing while a larger head of its own log is known than what it holds, nor where the
//! high-water mark is missing (a restored backup: the mark is kept out of backups), until a peer has
//! told a head of that log. That peer may itself have been away: so others have a while to tell a
//! larger one before anything is signed. Where nothing of the log is held, as where the keys alone came
//! back, a peer that has joined since, or lost its disk too, has no head to tell: that counts once two
//! have none. A brand-new node has its mark, made when its keys were drawn, and is not fenced; and no
//! society waits for another in any other case.

use std::collections::BTreeSet;

use rand_core::CryptoRngCore;
use tutti_core::{head::SignedHead, society::Society, store::Store};
use tutti_proto::v1;

use super::{Engine, Refused};

/// After a peer has told, how long others have to tell more, milliseconds: longer than it takes to
/// get a link to every peer in reach, and its hello.
const HEAR_MS: u64 = 15_000;

/// What passes at most between two looks at the clock: a process that was held up has not listened.
const LOOK_MS: u64 = 1_000;

/// How many societies must know nothing of a log of which nothing is held, before it counts as never signed;
/// fewer where there are no more.
const SILENT: usize = 2;

/// What to do with a case until then. Drafts are no part of the log.
const MEANWHILE: &str = "A referral that is typed already need not be typed again: `tutti referral \
                         draft new --file FILE` keeps it here, sealed, and `draft send` sends it then";

/// Where it is not known how far the own log was signed.
#[derive(Debug, Default)]
pub(super) struct Unsure {
    /// A peer has told a head of it that is not smaller than what is held.
    told: bool,
    /// Who has shown what it holds, and of our log nothing.
    silent: BTreeSet<Society>,
    /// Since then, and the clock at the last look.
    heard_ms: u64,
    looked_ms: u64,
}

/// Whether new entries are signed, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// All is well.
    Writing,
    /// This may be an old copy of our log. It signs nothing until peers have told of it and it has
    /// fetched back what it lacks.
    Fenced {
        /// How many entries the log is known to have; `None` where peers have not told, or others
        /// may still tell more.
        known: Option<u64>,
    },
    /// Two of our own heads contradict each other.
    Forked,
    /// The last write found no room. Reading goes on; each new write tries again.
    Full,
}

impl Mode {
    /// One word for machines: `writing`, `fenced`, `forked`, `disk_full`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Writing => "writing",
            Self::Fenced { .. } => "fenced",
            Self::Forked => "forked",
            Self::Full => "disk_full",
        }
    }
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Whether new entries are signed.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// Sets the mode by where the own log stands against all that is known of it. To be called
    /// after every change of the own log, its head or its evidence.
    pub(super) fn set_mode(&mut self) {
        let origin = &self.identity.origin;
        let held = self.store.tree(origin).size();
        let signed = self.store.head(origin).map_or(0, |head| head.size());
        let known = signed.max(self.highwater.unwrap_or(0));
        let own = self.identity.society;
        if held == 0 && self.roster.members().iter().all(|member| member.society == own) {
            // Nobody else could hold it.
            self.unsure = None;
        }
        let frozen = self.exchange.log_status(origin).frozen;
        self.mode = if frozen || self.store.evidence(origin).is_some() {
            Mode::Forked
        } else if known > held {
            Mode::Fenced { known: Some(known) }
        } else if self.unsure.is_some() {
            Mode::Fenced { known: None }
        } else {
            Mode::Writing
        };
    }

    /// A larger head of the own log is known.
    pub(super) fn own_log_is_ahead(&mut self, size: u64) {
        self.highwater = Some(self.highwater.unwrap_or(0).max(size));
        self.set_mode();
    }

    /// Looks whether a frame tells a head of our own log, which in a while lifts the fence of a node
    /// that does not know how far it had signed. To be called with each frame before the exchange.
    ///
    /// A smaller head than what is held says nothing: the peer was away. Nor does one outside a
    /// frontier: it may be an echo of the very head that was told from here a moment ago. Where
    /// nothing is held, frontiers of [`SILENT`] societies say that nothing was signed: whoever holds the log
    /// tells its head before the first frontier on a link, and by a larger head than what is held we stay fenced.
    pub(super) fn look_for_own_head(&mut self, from: Society, frame: &v1::Frame) {
        if self.unsure.is_none() {
            return;
        }
        let heads = match &frame.frame {
            Some(v1::frame::Frame::Heads(heads)) if heads.frontier => heads,
            Some(v1::frame::Frame::Frontier(_)) => return self.own_log_was_left_out(from),
            _ => return,
        };
        // Few: this is looked at in the first moments after a restore alone.
        let largest = heads
            .checkpoints
            .iter()
            .take(tutti_core::limits::HEADS_MAX)
            .filter_map(|bytes| SignedHead::open(bytes, &self.roster).ok())
            .filter(|head| *head.origin() == self.identity.origin)
            .map(|head| head.size())
            .max();
        if let Some(size) = largest {
            self.own_log_was_shown(size);
        }
    }

    /// What a peer holds was shown, and nothing of the own log was in it.
    fn own_log_was_left_out(&mut self, by: Society) {
        let own = self.identity.society;
        let others = self.roster.active().filter(|member| member.society != own).count();
        let Some(unsure) = self.unsure.as_mut() else { return };
        unsure.silent.insert(by);
        if unsure.silent.len() >= others.min(SILENT) {
            // Passed over where anything is held.
            self.own_log_was_shown(0);
        }
    }

    /// A peer has shown, not as an echo, how many entries of the own log it knows.
    pub(super) fn own_log_was_shown(&mut self, size: u64) {
        let held = self.store.tree(&self.identity.origin).size();
        if let Some(unsure) = self.unsure.as_mut().filter(|_| size >= held) {
            if !std::mem::replace(&mut unsure.told, true) {
                unsure.looked_ms = self.now.steady_ms;
            }
            self.own_log_is_ahead(size);
        }
    }

    /// Lifts the fence once others have had their time to tell.
    pub(super) fn listen(&mut self) {
        let now_ms = self.now.steady_ms;
        let Some(unsure) = self.unsure.as_mut().filter(|unsure| unsure.told) else { return };
        let passed_ms = now_ms.saturating_sub(unsure.looked_ms).min(LOOK_MS);
        unsure.looked_ms = now_ms;
        unsure.heard_ms += passed_ms;
        if unsure.heard_ms >= HEAR_MS {
            self.unsure = None;
            self.set_mode();
        }
    }

    /// When to look again, by the steady clock.
    pub(super) fn next_listening(&self) -> Option<u64> {
        let unsure = self.unsure.as_ref().filter(|unsure| unsure.told)?;
        Some(unsure.looked_ms.saturating_add(LOOK_MS))
    }

    /// Refuses where nothing may be signed now, and says what to do.
    pub(super) fn check_writing(&self) -> Result<(), Refused> {
        let held = self.store.tree(&self.identity.origin).size();
        match &self.mode {
            Mode::Writing | Mode::Full => Ok(()),
            Mode::Fenced { known: Some(known) } => Err(Refused::NotWriting(format!(
                "this node holds {held} entries of its own log, which is known to have {known}; it \
                 looks like a restored backup, so it signs nothing until it has fetched the rest \
                 from a peer. Nothing was written. See `tutti peers`, and try again when one is \
                 connected. {MEANWHILE}"
            ))),
            Mode::Fenced { known: None } => Err(Refused::NotWriting(format!(
                "this node holds {held} entries of its own log and does not know whether that is \
                 all it has ever signed, as after a restore from a backup; it signs nothing until \
                 peers have told, which takes some 15 seconds from when the first is connected. \
                 Nothing was written. See `tutti peers`, and try again then. {MEANWHILE}"
            ))),
            Mode::Forked => Err(Refused::NotWriting(format!(
                "this society's log was forked: two of its signed heads contradict each other. \
                 Nothing was written, and nothing will be until the roster names a new epoch. See \
                 docs/operating.md, \"When a log is forked\". {MEANWHILE}"
            ))),
        }
    }
}
