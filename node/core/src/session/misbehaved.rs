//! [`Misbehaved`]: what a peer did that no sound node does. The link is closed with it.
//!
//! What another roster, an older version or plain delay explains is not in this list: that is
//! ignored, or answered.

use crate::{
    batch::BatchError,
    evidence::EvidenceError,
    head::HeadError,
    society::{Origin, Society},
};

/// Why a link is closed. Each names who is at fault in its text.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Misbehaved {
    /// No hello in time.
    #[error("{0} did not say hello in time")]
    Silent(Society),
    /// Another frame came before the hello.
    #[error("{0} spoke before it said hello")]
    NoHello(Society),
    /// A second hello.
    #[error("{0} said hello twice")]
    HelloTwice(Society),
    /// A hello that lacks something.
    #[error("{society}'s hello is wrong in {field}")]
    Hello {
        /// The peer.
        society: Society,
        /// Which field.
        field: &'static str,
    },
    /// A protocol version that is not spoken here.
    #[error("{society} speaks protocol version {version}; this node speaks 1")]
    Version {
        /// The peer.
        society: Society,
        /// Its version.
        version: u32,
    },
    /// It belongs to another federation.
    #[error("{0} belongs to another federation")]
    Federation(Society),
    /// The hello names another society than the TLS key proves.
    #[error("{proven} calls itself {claimed:?}")]
    Impostor {
        /// Whom the TLS key belongs to.
        proven: Society,
        /// What the hello says.
        claimed: String,
    },
    /// The peer proved to be this very society: a second machine runs with its keys.
    #[error("another node answers with the keys of {0}, which is this society")]
    Twin(Society),
    /// Not an active member of the roster.
    #[error("{0} is not an active member")]
    NotAMember(Society),
    /// More of something than a frame may hold.
    #[error("{society} sent more {what} than a frame may hold")]
    TooMuch {
        /// The peer.
        society: Society,
        /// Of what.
        what: &'static str,
    },
    /// A head that is malformed or not signed by its log.
    #[error("{society} sent a head that is refused: {source}")]
    Head {
        /// The peer.
        society: Society,
        /// Why.
        source: HeadError,
    },
    /// A frame with an origin, hash or enum that is none.
    #[error("{society} sent a frame that is wrong in {field}")]
    Frame {
        /// The peer.
        society: Society,
        /// Which field.
        field: &'static str,
    },
    /// Entries that are not what their head commits to.
    #[error("{society} sent entries of {origin} that are refused: {source}")]
    Batch {
        /// The peer.
        society: Society,
        /// The log.
        origin: Origin,
        /// Why.
        source: BatchError,
    },
    /// A chunk that nobody asked for, or of another size or place than was asked for.
    #[error("{0} sent a piece of a body that was not asked for")]
    Chunk(Society),
    /// The bytes of a body are not those that the entry commits to.
    #[error("{society} sent a body that entry {index} of {origin} does not commit to")]
    Body {
        /// The peer.
        society: Society,
        /// The log.
        origin: Origin,
        /// The entry.
        index: u64,
    },
    /// Evidence that shows nothing.
    #[error("{society} sent evidence that is refused: {source}")]
    Evidence {
        /// The peer.
        society: Society,
        /// Why.
        source: EvidenceError,
    },
}
