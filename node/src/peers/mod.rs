//! Peers: the wire between nodes, and nothing of what is said on it.
//!
//! Mutual TLS 1.3 by the roster's keys, one bidirectional gRPC stream a pair of societies, whoever
//! dials. What comes in is handed to the engine as [`PeerEvent`]s with the society that TLS has
//! proven; what the engine sends goes through a bounded [`Outbox`] a link. Invariants: no byte of a
//! stranger reaches a decoder of ours; every queue has a limit; a link that is too slow is closed
//! with the reason, and never slows another.

mod outbox;
pub(crate) mod tls;
mod tls_key;
mod traffic;

use tutti_core::society::Society;
use tutti_proto::v1;

pub use outbox::{Full, Inbox, Outbox};
pub use tls_key::{TlsKey, TlsKeyError};
pub use traffic::Traffic;

/// What happens on the links. For each `Connected` there is one `Closed`, and no `Frame` after it.
#[derive(Debug)]
pub enum PeerEvent {
    /// A link is up.
    Connected {
        /// Its number in this run; never used again.
        link: u64,
        /// Whom TLS has proven at the other end.
        society: Society,
        /// What is sent goes here. Dropping the last copy closes the link.
        outbox: Outbox,
        /// Whether this side dialled.
        dialled: bool,
        /// The other end's address, for people.
        address: String,
    },
    /// A frame came in.
    Frame {
        /// On this link.
        link: u64,
        /// As it was decoded; nothing in it was checked.
        frame: v1::Frame,
    },
    /// The link is gone.
    Closed {
        /// Which.
        link: u64,
        /// Why, in a few words for people.
        why: String,
    },
}
