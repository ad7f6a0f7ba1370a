//! Roots and proofs from stored hashes, with the bounds of [`super::Reader`], for every store.
//!
//! The stored hashes are those of `tlog_tiles::stored_hash_index`. `held` is the tree's size.

use tlog_tiles::{EMPTY_HASH, Hash, HashReader};

use super::StoreError;

fn damaged(error: tlog_tiles::Error) -> StoreError {
    StoreError::Damaged { place: "the stored tree hashes".into(), problem: error.to_string() }
}

/// See [`super::Reader::root_at`].
pub fn root_at(hashes: &impl HashReader, held: u64, size: u64) -> Result<Hash, StoreError> {
    if size > held {
        return Err(StoreError::OutOfRange(size));
    }
    if size == 0 { Ok(EMPTY_HASH) } else { tlog_tiles::tree_hash(size, hashes).map_err(damaged) }
}

/// See [`super::Reader::consistency`].
pub fn consistency(
    hashes: &impl HashReader,
    held: u64,
    from: u64,
    to: u64,
) -> Result<Vec<Hash>, StoreError> {
    if to > held || from > to {
        return Err(StoreError::OutOfRange(from.max(to)));
    }
    if from == 0 || from == to {
        return Ok(Vec::new());
    }
    tlog_tiles::prove_tree(to, from, hashes).map_err(damaged)
}

/// See [`super::Reader::inclusion`].
pub fn inclusion(
    hashes: &impl HashReader,
    held: u64,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, StoreError> {
    if size > held || index >= size {
        return Err(StoreError::OutOfRange(index.max(size)));
    }
    tlog_tiles::prove_record(size, index, hashes).map_err(damaged)
}
