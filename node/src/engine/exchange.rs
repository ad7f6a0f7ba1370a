//! The exchange, run: frames and ticks in, effects done in their order.

use rand_core::CryptoRngCore;
use tutti_core::{
    session::BodyWant,
    society::{Origin, Society},
    store::Store,
};

use super::Engine;
use crate::peers::{Outbox, PeerEvent};

/// What the exchange knows of one peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerStatus {
    /// Whether a link is up.
    pub connected: bool,
}

/// One link that is up.
pub(super) struct Link {
    pub(super) society: Society,
    pub(super) outbox: Outbox,
}

/// What happened inside and the exchange is still to be told of.
pub(super) enum Happening {
    /// A log grew.
    Grew(Origin),
    /// A body is ours and not here.
    Want(BodyWant),
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Takes what happened on a link.
    pub fn peer(&mut self, event: PeerEvent, now_ms: u64) {
        let _ = now_ms;
        match event {
            PeerEvent::Connected { link, society, outbox, .. } => {
                self.links.insert(link, Link { society, outbox });
            }
            PeerEvent::Frame { frame, .. } => self.look_for_own_head(&frame),
            PeerEvent::Closed { link, .. } => {
                self.links.remove(&link);
            }
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now_ms: u64) {
        let _ = now_ms;
    }
}
