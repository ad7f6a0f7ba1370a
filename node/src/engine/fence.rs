//! Whether new entries are signed, and if not, why: the fence against honest forks.
//!
//! Most forks are restores from a backup: the node signs anew what it has signed before. So it
//! signs nothing while a larger head of its own log is known than what it holds, nor where the
//! high-water mark is missing beside a log that is not empty (a restored backup: the mark is kept
//! out of backups), until a peer has told a head of that log. A brand-new node is not fenced, and
//! no society waits for another in any other case.

use rand_core::CryptoRngCore;
use tutti_core::{head::SignedHead, store::Store};
use tutti_proto::v1;

use super::{Engine, Refused};

/// Whether new entries are signed, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// All is well.
    Writing,
    /// This may be an old copy of our log. It signs nothing until peers have told of it and it has
    /// fetched back what it lacks.
    Fenced {
        /// How many entries the log is known to have; `None` where no peer has told yet.
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
        let frozen = self.exchange.log_status(origin).frozen;
        self.mode = if frozen || self.store.evidence(origin).is_some() {
            Mode::Forked
        } else if known > held {
            Mode::Fenced { known: Some(known) }
        } else if self.highwater.is_none() && held > 0 && !self.own_head_told {
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

    /// Looks whether a frame tells a head of our own log, which lifts the fence of a node that
    /// does not know how far it had signed. To be called with each frame before the exchange.
    ///
    /// A smaller head than what is held says nothing: the peer was away. Nor does one outside a
    /// frontier: it may be an echo of the very head that was told from here a moment ago.
    pub(super) fn look_for_own_head(&mut self, frame: &v1::Frame) {
        if !matches!(self.mode, Mode::Fenced { known: None }) {
            return;
        }
        let Some(v1::frame::Frame::Heads(heads)) = &frame.frame else {
            return;
        };
        if !heads.frontier {
            return;
        }
        let held = self.store.tree(&self.identity.origin).size();
        // Few: this is looked at in the first moments after a restore alone.
        let largest = heads
            .checkpoints
            .iter()
            .take(tutti_core::limits::HEADS_MAX)
            .filter_map(|bytes| SignedHead::open(bytes, &self.roster).ok())
            .filter(|head| *head.origin() == self.identity.origin && head.size() >= held.max(1))
            .map(|head| head.size())
            .max();
        if let Some(size) = largest {
            self.own_head_told = true;
            self.own_log_is_ahead(size);
        }
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
                 connected"
            ))),
            Mode::Fenced { known: None } => Err(Refused::NotWriting(format!(
                "this node holds {held} entries of its own log and does not know whether that is \
                 all it has ever signed, as after a restore from a backup; it signs nothing until \
                 a peer has told. Nothing was written. See `tutti peers`, and try again when one \
                 is connected"
            ))),
            Mode::Forked => Err(Refused::NotWriting(
                "this society's log was forked: two of its signed heads contradict each other. \
                 Nothing was written, and nothing will be until the roster names a new epoch. See \
                 docs/operating.md, \"When a log is forked\""
                    .into(),
            )),
        }
    }
}
