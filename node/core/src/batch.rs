//! [`VerifiedBatch`]: entries that continue a log and are what its society signed.
//!
//! It is the only thing that a store appends, and it is only made here: from the network, from a
//! file and from one's own writing alike. One signature vouches for the whole batch; a batch that
//! ends before its head carries the consistency proof from its end to that head.

use tlog_tiles::Hash;

use crate::{
    entry::{Entry, EntryBytes, EntryError},
    head::{Head, SignedHead},
    keys::{KeyError, NoteSecret},
    society::Origin,
    tree::{ProofError, Tree, check_consistency},
};

/// New entries of one log, checked against a signed head.
///
/// A store takes nothing else, and nobody else makes one. Entries as they come are refused by the
/// compiler:
///
/// ```compile_fail,E0308
/// use tutti_core::{entry::EntryBytes, store::{MemoryStore, Store}};
/// let entries: Vec<EntryBytes> = Vec::new();
/// let _ = MemoryStore::new().append(&entries, &[]);
/// ```
///
/// and so is one that is put together by hand, where the same with [`VerifiedBatch::verify`] compiles:
///
/// ```compile_fail,E0451
/// use tutti_core::{batch::VerifiedBatch, head::SignedHead, tree::Tree};
/// fn forged(head: SignedHead) -> VerifiedBatch {
///     VerifiedBatch { start: 0, entries: vec![], tree: Tree::default(), head, consistency: vec![] }
/// }
/// ```
///
/// ```
/// use tutti_core::{batch::{BatchError, VerifiedBatch}, entry::EntryBytes, head::SignedHead, tree::Tree};
/// fn checked(head: SignedHead, entries: &[EntryBytes]) -> Result<VerifiedBatch, BatchError> {
///     VerifiedBatch::verify(&Tree::default(), 0, entries, head, vec![])
/// }
/// ```
#[derive(Debug, Clone)]
pub struct VerifiedBatch {
    held: Tree,
    entries: Vec<EntryBytes>,
    tree: Tree,
    stored: Vec<Hash>,
    head: SignedHead,
    consistency: Vec<Hash>,
    signed_here: bool,
}

/// Why entries were not taken. All but `Gap` and `Nothing` are the sender's or the author's fault.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BatchError {
    /// The batch begins after what is held.
    #[error("batch begins at {start} where {held} entries are held")]
    Gap {
        /// Where it begins.
        start: u64,
        /// How many entries are held.
        held: u64,
    },
    /// Every entry is held already.
    #[error("batch holds nothing new")]
    Nothing,
    /// The head is of another log, or covers less than the batch.
    #[error("batch does not lie under its head")]
    Head,
    /// An entry is malformed or stands in the wrong place.
    #[error("entry {index} is refused: {source}")]
    Entry {
        /// Its index.
        index: u64,
        /// What is wrong with it.
        source: EntryError,
    },
    /// The entries are not those that the head commits to.
    #[error("entries are not what the head commits to")]
    Proof(#[from] ProofError),
}

impl VerifiedBatch {
    /// Checks that `entries`, from index `start`, continue `held` and lie under `head`.
    ///
    /// Entries that are held already are skipped. `consistency` leads from the end of the batch to
    /// the head and is empty where they are the same size.
    pub fn verify(
        held: &Tree,
        start: u64,
        entries: &[EntryBytes],
        head: SignedHead,
        consistency: Vec<Hash>,
    ) -> Result<Self, BatchError> {
        let known =
            held.size().checked_sub(start).ok_or(BatchError::Gap { start, held: held.size() })?;
        let new = usize::try_from(known).ok().and_then(|known| entries.get(known..));
        let Some(new @ [_, ..]) = new else {
            return Err(BatchError::Nothing);
        };
        let (tree, stored) = grown(held, head.origin(), new)?;
        if tree.size() > head.size() {
            return Err(BatchError::Head);
        }
        if tree.size() == head.size() {
            if tree.root() != head.root() || !consistency.is_empty() {
                return Err(ProofError.into());
            }
        } else {
            check_consistency(tree.size(), tree.root(), head.size(), head.root(), &consistency)?;
        }
        let (held, entries) = (held.clone(), new.to_vec());
        Ok(Self { held, entries, tree, stored, head, consistency, signed_here: false })
    }

    /// Signs `entries` as the continuation of one's own log.
    pub fn author(
        held: &Tree,
        origin: &Origin,
        entries: Vec<EntryBytes>,
        secret: &NoteSecret,
    ) -> Result<Self, AuthorError> {
        let (tree, stored) = grown(held, origin, &entries)?;
        if entries.is_empty() {
            return Err(BatchError::Nothing.into());
        }
        let head = Head { origin: origin.clone(), size: tree.size(), root: tree.root() };
        let head = SignedHead::sign(head, secret)?;
        let (held, consistency) = (held.clone(), Vec::new());
        Ok(Self { held, entries, tree, stored, head, consistency, signed_here: true })
    }

    /// Whether its head was signed here, and not by whoever else has the key, or long ago.
    pub fn is_signed_here(&self) -> bool {
        self.signed_here
    }

    /// The log.
    pub fn origin(&self) -> &Origin {
        self.head.origin()
    }

    /// Index of the first entry; the size that the log must have before.
    pub fn start(&self) -> u64 {
        self.held.size()
    }

    /// The tree that the entries continue; what the log must be before.
    pub fn held(&self) -> &Tree {
        &self.held
    }

    /// The new entries.
    pub fn entries(&self) -> &[EntryBytes] {
        &self.entries
    }

    /// The tree after them.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The hashes of the tree that became final by them, in the order in which they are stored.
    pub fn stored(&self) -> &[Hash] {
        &self.stored
    }

    /// The head that vouches for them; of this size or larger.
    pub fn head(&self) -> &SignedHead {
        &self.head
    }

    /// From the end of the batch to the head; empty where they are the same size.
    pub fn consistency(&self) -> &[Hash] {
        &self.consistency
    }

    /// Whether the batch reaches its head.
    pub fn is_complete(&self) -> bool {
        self.tree.size() == self.head.size()
    }
}

/// The tree with these entries, each valid in its place, and the hashes that became final.
fn grown(
    held: &Tree,
    origin: &Origin,
    entries: &[EntryBytes],
) -> Result<(Tree, Vec<Hash>), BatchError> {
    let (mut tree, mut stored) = (held.clone(), Vec::with_capacity(2 * entries.len() + 64));
    for entry in entries {
        let index = tree.size();
        Entry::parse_at(entry.as_slice(), origin, index)
            .map_err(|source| BatchError::Entry { index, source })?;
        tree.push(entry.leaf_hash(), |hash| stored.push(hash));
    }
    Ok((tree, stored))
}

/// Why one's own entries could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum AuthorError {
    /// An entry is wrong.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The key is not this log's.
    #[error(transparent)]
    Key(#[from] KeyError),
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{entry::tests::header, head::tests::Keys};
    use tlog_tiles::{HashReader, prove_tree};

    struct Stored(Vec<Hash>);
    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
            Ok(indexes.iter().map(|&i| self.0[i as usize]).collect())
        }
    }

    fn log(keys: &Keys, size: u64) -> (VerifiedBatch, Stored) {
        let (origin, secret) = keys.logs.first_key_value().unwrap();
        let entries = (0..size).map(|i| header(origin.as_str(), i).encode()).collect();
        let batch = VerifiedBatch::author(&Tree::default(), origin, entries, secret).unwrap();
        let (mut tree, mut stored) = (Tree::default(), Stored(Vec::new()));
        for entry in batch.entries() {
            tree.push(entry.leaf_hash(), |hash| stored.0.push(hash));
        }
        (batch, stored)
    }

    #[test]
    fn a_log_is_taken_in_any_pieces() {
        let keys = Keys::new(&["ph"]);
        let (whole, stored) = log(&keys, 11);
        for step in 1..=11 {
            let mut held = Tree::default();
            while held.size() < 11 {
                let end = (held.size() + step).min(11);
                let proof =
                    if end < 11 { prove_tree(11, end, &stored).unwrap() } else { Vec::new() };
                // Overlapping by one: what is held is skipped.
                let start = held.size().saturating_sub(1);
                let piece = &whole.entries()[start as usize..end as usize];
                let head = whole.head().clone();
                let batch = VerifiedBatch::verify(&held, start, piece, head, proof).unwrap();
                assert_eq!(batch.start(), held.size());
                held = batch.tree().clone();
            }
            assert_eq!(held.root(), whole.head().root());
        }
    }

    #[test]
    fn what_the_head_does_not_commit_to_is_refused() {
        let keys = Keys::new(&["ph"]);
        let (whole, stored) = log(&keys, 5);
        let head = || whole.head().clone();
        let held = Tree::default();
        let mut swapped = whole.entries().to_vec();
        swapped.swap(1, 2);
        let mut forged = whole.entries().to_vec();
        forged[4] = {
            let mut other = header("m.example.org/ph/1", 4);
            other.recorded_at_ms += 1;
            other.encode()
        };
        for (entries, proof) in [
            (swapped.clone(), vec![]),
            (forged, vec![]),
            (whole.entries().to_vec(), vec![Hash([0; 32])]),
            (whole.entries()[..4].to_vec(), vec![]),
            (swapped[..4].to_vec(), prove_tree(5, 4, &stored).unwrap()),
        ] {
            assert!(VerifiedBatch::verify(&held, 0, &entries, head(), proof).is_err());
        }
        let gap = VerifiedBatch::verify(&held, 1, &whole.entries()[1..], head(), vec![]);
        assert_eq!(gap.err(), Some(BatchError::Gap { start: 1, held: 0 }));
        let again = VerifiedBatch::verify(whole.tree(), 0, whole.entries(), head(), vec![]);
        assert_eq!(again.err(), Some(BatchError::Nothing));
    }
}
