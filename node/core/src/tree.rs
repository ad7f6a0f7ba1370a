//! The RFC 6962 Merkle tree of a log, kept as a compact range.
//!
//! A [`Tree`] holds only the roots of the complete subtrees on its right edge: 32 bytes a level.
//! It grows a leaf at a time and gives back the inner hashes that became final, in the order in
//! which an index stores them. Proofs are checked here for untrusted sizes and lengths.

use tlog_tiles::{EMPTY_HASH, Hash, node_hash};

use crate::limits::LOG_SIZE_MAX;

/// A proof did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Merkle proof does not hold")]
pub struct ProofError;

/// The right edge of a tree: enough to append and to know the root.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree {
    size: u64,
    /// Roots of complete subtrees, largest first: one for each set bit of `size`.
    edge: Vec<Hash>,
}

impl Tree {
    /// The tree whose complete right-edge subtrees, largest first, have these roots; `None` where
    /// their number does not fit the size.
    pub fn from_edge(size: u64, edge: Vec<Hash>) -> Option<Self> {
        (size.count_ones() as usize == edge.len()).then_some(Self { size, edge })
    }

    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete right-edge subtrees, largest first.
    pub fn edge(&self) -> &[Hash] {
        &self.edge
    }

    /// Appends a leaf; `stored` is given the leaf and then each inner hash that is now final, from
    /// the lowest level up: the order of `tlog_tiles::stored_hash_index`.
    pub fn push(&mut self, leaf: Hash, mut stored: impl FnMut(Hash)) {
        stored(leaf);
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.edge.pop() {
                hash = node_hash(left, hash);
                stored(hash);
            }
        }
        self.edge.push(hash);
        self.size += 1;
    }

    /// Appends a complete subtree of `2^height` leaves by its root; `stored` is given the root and
    /// then each inner hash above it that is now final. `false`, and nothing is changed, where a
    /// subtree of this height cannot begin.
    pub fn push_subtree(&mut self, height: u32, root: Hash, mut stored: impl FnMut(Hash)) -> bool {
        let Some(width) = 1u64.checked_shl(height).filter(|w| self.size.is_multiple_of(*w)) else {
            return false;
        };
        let Some(size) = self.size.checked_add(width) else { return false };
        stored(root);
        let mut hash = root;
        for _ in 0..(self.size >> height).trailing_ones() {
            if let Some(left) = self.edge.pop() {
                hash = node_hash(left, hash);
                stored(hash);
            }
        }
        self.edge.push(hash);
        self.size = size;
        true
    }

    /// The root hash; that of the empty string for an empty tree.
    pub fn root(&self) -> Hash {
        self.edge
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(left, right))
            .unwrap_or(EMPTY_HASH)
    }
}

/// Checks that the tree (`size`, `root`) begins with the tree (`old_size`, `old_root`).
///
/// RFC 6962 section 2.1.2; an empty old tree needs an empty proof.
pub fn check_consistency(
    old_size: u64,
    old_root: Hash,
    size: u64,
    root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if size > LOG_SIZE_MAX || old_size > size || proof.len() > 64 {
        return Err(ProofError);
    }
    if old_size == 0 {
        return if proof.is_empty() && old_root == EMPTY_HASH { Ok(()) } else { Err(ProofError) };
    }
    tlog_tiles::check_tree(&proof.to_vec(), size, root, old_size, old_root).map_err(|_| ProofError)
}

/// Checks that the tree (`size`, `root`) has `leaf` at `index`. RFC 6962 section 2.1.1.
pub fn check_inclusion(
    index: u64,
    leaf: Hash,
    size: u64,
    root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if size > LOG_SIZE_MAX || index >= size || proof.len() > 64 {
        return Err(ProofError);
    }
    tlog_tiles::check_record(&proof.to_vec(), size, root, index, leaf).map_err(|_| ProofError)
}

/// Reads hashes as given: `None` where one is not 32 bytes.
pub fn hashes(bytes: &[Vec<u8>]) -> Option<Vec<Hash>> {
    bytes.iter().map(|bytes| hash(bytes)).collect()
}

/// The same for one.
pub fn hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok().map(Hash)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tlog_tiles::{HashReader, record_hash};

    struct Stored(Vec<Hash>);
    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
            Ok(indexes.iter().map(|&i| self.0[i as usize]).collect())
        }
    }

    #[test]
    fn agrees_with_the_stored_hashes_of_tlog_tiles_at_every_size() {
        let (mut tree, mut stored) = (Tree::default(), Stored(Vec::new()));
        for n in 0..130u64 {
            let leaf = record_hash(&n.to_be_bytes());
            let expected = tlog_tiles::stored_hashes_for_record_hash(n, leaf, &stored).unwrap();
            let mut got = Vec::new();
            tree.push(leaf, |hash| got.push(hash));
            assert_eq!(got, expected);
            stored.0.extend(got);
            assert_eq!(tree.root(), tlog_tiles::tree_hash(n + 1, &stored).unwrap());
            let size = n + 1;
            for old in 1..=size {
                let old_root = tlog_tiles::tree_hash(old, &stored).unwrap();
                let proof = tlog_tiles::prove_tree(size, old, &stored).unwrap();
                check_consistency(old, old_root, size, tree.root(), &proof).unwrap();
                assert!(
                    check_consistency(old, leaf, size, tree.root(), &proof).is_err() || size == 1
                );
            }
            let proof = tlog_tiles::prove_record(size, n, &stored).unwrap();
            check_inclusion(n, leaf, size, tree.root(), &proof).unwrap();
            assert!(check_inclusion(n, EMPTY_HASH, size, tree.root(), &proof).is_err());
        }
    }

    #[test]
    fn subtrees_give_the_tree_that_leaves_give() {
        let leaf = |n: u64| record_hash(&n.to_be_bytes());
        let (mut by_leaves, mut by_subtrees) = (Tree::default(), Tree::default());
        let (mut all, mut high) = (Vec::new(), Vec::new());
        for chunk in 0..21u64 {
            let mut subtree = Tree::default();
            (chunk * 8..chunk * 8 + 8).for_each(|n| subtree.push(leaf(n), |_| ()));
            assert!(by_subtrees.push_subtree(3, subtree.root(), |hash| high.push(hash)));
            (chunk * 8..chunk * 8 + 8).for_each(|n| by_leaves.push(leaf(n), |h| all.push(h)));
            assert_eq!(by_subtrees, by_leaves);
        }
        all.retain(|hash| high.contains(hash));
        assert_eq!(all, high, "in the order in which they are stored");
        by_subtrees.push(leaf(0), |_| ());
        let before = by_subtrees.clone();
        assert!(!by_subtrees.push_subtree(3, leaf(0), |_| ()));
        assert!(!by_subtrees.push_subtree(64, leaf(0), |_| ()));
        assert_eq!(by_subtrees, before);
    }

    #[test]
    fn untrusted_sizes_are_refused_and_not_computed_with() {
        for size in [0, 1, u64::MAX, LOG_SIZE_MAX + 1] {
            for index in [0, 1, u64::MAX] {
                assert!(
                    check_inclusion(index, EMPTY_HASH, size, EMPTY_HASH, &[EMPTY_HASH; 65])
                        .is_err()
                );
                assert!(
                    check_consistency(index, EMPTY_HASH, size, EMPTY_HASH, &[EMPTY_HASH; 65])
                        .is_err()
                );
            }
        }
    }
}
