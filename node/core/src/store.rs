//! What keeps logs and bodies: one narrow trait with a written durability contract.
//!
//! The contract, which the conformance suite in [`contract`] checks on every implementation:
//!
//! 1. **Compare and append.** [`Store::append`] takes a batch only where the log has exactly
//!    [`VerifiedBatch::start`] entries; otherwise nothing changes and the answer is `Conflict`.
//! 2. **Contiguous and immutable.** A log is entries 0..size; what was read once at an index is
//!    read there for ever, byte for byte.
//! 3. **`Ok` means durable.** After `Ok`, a power cut loses nothing of it. After `Err` the store
//!    is as before or has the whole of it, never a part (a body counts for itself: bodies that
//!    came before a crash may be there without their entries); `Fatal` ends the process, for nothing that
//!    was written last can be believed.
//! 4. **A head vouches for all that is shown.** [`Reader::head`] is at least as large as
//!    [`Reader::tree`], and the two are consistent.
//! 5. **Bodies** are found by place and digest, and are present, absent or erased. Erased is terminal: the bytes are gone from the
//!    disk, and bytes that are offered again are refused. A body that was kept for others may be
//!    dropped: the bytes are gone too, and it is absent again.
//! 6. **Bounded reads.** No call returns more than it was asked for; an empty answer is an answer.
//! 7. **One writer.** A second writer on the same place is refused at opening.

use std::collections::BTreeMap;

use tlog_tiles::Hash;

use crate::{
    batch::VerifiedBatch,
    body::{Body, BodyKey},
    entry::EntryBytes,
    evidence::Evidence,
    head::SignedHead,
    society::{Origin, Society},
    tree::Tree,
};

#[doc(hidden)]
pub mod contract;
mod heads;
mod memory;
pub mod proofs;

pub use heads::Heads;
pub use memory::MemoryStore;

/// The state of one body at this holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BodyState {
    /// Its bytes are here.
    Present,
    /// Its bytes are not here (yet).
    Absent,
    /// Its bytes were here and are gone for ever.
    Erased,
}

/// Why a store did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The log does not have the size that the batch continues.
    #[error("log {origin} holds {held} entries where the batch begins at {start}")]
    Conflict {
        /// The log.
        origin: Origin,
        /// How many it holds.
        held: u64,
        /// Where the batch begins.
        start: u64,
    },
    /// What was asked for lies outside the log.
    #[error("{0} is not in the log")]
    OutOfRange(u64),
    /// The body was erased: it is never taken again.
    #[error("the body was erased")]
    Erased,
    /// No room; nothing was changed, and reading goes on.
    #[error("no room on the disk: {0}")]
    Full(std::io::Error),
    /// Reading failed, or what was read is not what was written.
    #[error("stored data of {place} is damaged or unreadable: {problem}")]
    Damaged {
        /// Which file or part.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Writing or syncing failed: the process must end, for the disk's state is unknown.
    #[error("writing failed, the process must end: {0}")]
    Fatal(std::io::Error),
}

/// Reading: what the exchange, the services and the auditor may ask.
pub trait Reader {
    /// Every log of which an entry or a head is held, in order.
    fn logs(&self) -> Vec<Origin>;

    /// The tree over the entries that are held; empty for an unknown log.
    fn tree(&self, origin: &Origin) -> Tree;

    /// The newest signed head, with its cosignatures; it may be ahead of the entries.
    fn head(&self, origin: &Origin) -> Option<SignedHead>;

    /// For each witness the largest head that it has cosigned, as far as it is known here.
    fn cosigned(&self, origin: &Origin) -> BTreeMap<Society, SignedHead>;

    /// Entries from `start`: at most `count` of them and at most `max_bytes` bytes, but at least
    /// one where there is one. Empty at and after the end.
    fn entries(
        &self,
        origin: &Origin,
        start: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Vec<EntryBytes>, StoreError>;

    /// The root when the log had `size` entries, 0 to the tree's size.
    fn root_at(&self, origin: &Origin, size: u64) -> Result<Hash, StoreError>;

    /// RFC 6962 consistency proof between two sizes up to the tree's.
    fn consistency(&self, origin: &Origin, from: u64, to: u64) -> Result<Vec<Hash>, StoreError>;

    /// RFC 6962 inclusion proof of `index` in the tree of `size` entries.
    fn inclusion(&self, origin: &Origin, index: u64, size: u64) -> Result<Vec<Hash>, StoreError>;

    /// The state of a body.
    fn body_state(&self, key: &BodyKey) -> BodyState;

    /// Up to `max_bytes` bytes of a present body from `offset`; `None` where it is not present.
    fn body(
        &self,
        key: &BodyKey,
        offset: u64,
        max_bytes: usize,
    ) -> Result<Option<Vec<u8>>, StoreError>;

    /// What [`Store::keep_opened`] was given for a body. A cache: at any time it may know nothing, and
    /// what it says is its owner's to check.
    fn opened(&self, _key: &BodyKey) -> Option<Vec<u8>> {
        None
    }

    /// The small notes of this holder's own, by key.
    fn notes(&self) -> BTreeMap<Vec<u8>, Vec<u8>>;

    /// The proof that this log was forked, where one was found.
    fn evidence(&self, origin: &Origin) -> Option<Evidence>;
}

/// Writing. See the contract above.
pub trait Store: Reader {
    /// Makes `bodies` durable, then the entries with their head. One call, one group commit.
    ///
    /// That the entries commit to these bodies is the caller's business.
    fn append(&mut self, batch: &VerifiedBatch, bodies: &[Body]) -> Result<(), StoreError>;

    /// Makes bodies of entries that are held already durable.
    fn put_bodies(&mut self, bodies: &[Body]) -> Result<(), StoreError>;

    /// Keeps a head of the size that is held, or the same as held with more cosignatures; a
    /// smaller one with cosignatures is kept for [`Reader::cosigned`] alone.
    ///
    /// The caller has verified it, and has compared its root with [`Reader::root_at`] its size. A
    /// head that is larger than the tree, and not the one that is held, is ignored.
    fn put_head(&mut self, head: &SignedHead) -> Result<(), StoreError>;

    /// Overwrites and forgets a body; terminal. Erasing an absent one forbids it for ever.
    fn erase_body(&mut self, key: &BodyKey) -> Result<(), StoreError>;

    /// Overwrites a body that was held for others alone; it is absent then, and may be put again.
    /// One that is not present stays what it is.
    fn drop_body(&mut self, key: &BodyKey) -> Result<(), StoreError>;

    /// Keeps what its holder has made of a present body, sealed by it, where that can be done. It is
    /// overwritten before the body is erased or dropped.
    fn keep_opened(&mut self, _key: &BodyKey, _sealed: &[u8]) {}

    /// Keeps a small note, or forgets it where `value` is empty. A key is at most 255 bytes, a value
    /// at most [`crate::limits::NOTE_VALUE_BYTES_MAX`].
    fn put_note(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Keeps the evidence that a log was forked. The first evidence of a log stays.
    fn put_evidence(&mut self, evidence: &Evidence) -> Result<(), StoreError>;

    /// Compares the next bodies with their digests, some `max_bytes` of them; says whether there are
    /// more before all were looked at once. For stores that can be damaged.
    fn look_over(&mut self, _max_bytes: u64) -> bool {
        false
    }

    /// Bodies that were found, by reading or looking, to be other than what was written, since this
    /// was asked last, and where each stands. They are absent until they are put again.
    fn take_damaged(&mut self) -> Vec<(BodyKey, String)> {
        Vec::new()
    }
}
