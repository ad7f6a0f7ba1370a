//! Entry bundles: the entries under a tile of level 0, and what follows from their bytes alone.

use tlog_tiles::{Hash, node_hash, record_hash};

use super::TILE_WIDTH;
use crate::{entry::EntryBytes, limits::ENTRY_BYTES_MAX};

/// Why bytes are no entry bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It ends within an entry or its length.
    #[error("entry bundle ends within entry {0} of it")]
    Cut(usize),
    /// An entry is larger than any may be.
    #[error("entry {0} of the bundle is larger than an entry may be")]
    Large(usize),
    /// It has another number of entries than its place says.
    #[error("entry bundle holds {found} entries, not {expected}")]
    Width {
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: u16,
    },
}

/// A bundle that was taken apart, with the leaf hash of each entry. What an entry says is not looked
/// at, and nothing is believed: the hashes say what the bytes are, not what they should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    bytes: Vec<u8>,
    /// Where the frame of each entry ends.
    ends: Vec<usize>,
    leaves: Vec<Hash>,
    root: Option<Hash>,
}

impl Bundle {
    /// Takes a bundle of `width` entries apart, and hashes them.
    pub fn derive(bytes: Vec<u8>, width: u16) -> Result<Self, BundleError> {
        let ends = split(&bytes, width)?;
        let leaves: Vec<Hash> = frames(&bytes, &ends).map(record_hash).collect();
        let root = (width == TILE_WIDTH).then(|| root_of(&leaves));
        Ok(Self { bytes, ends, leaves, root })
    }

    /// The entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = &[u8]> {
        frames(&self.bytes, &self.ends)
    }

    /// Their leaf hashes.
    pub fn leaves(&self) -> &[Hash] {
        &self.leaves
    }

    /// The root over them, where it is a full bundle.
    pub fn root(&self) -> Option<Hash> {
        self.root
    }
}

fn split(bytes: &[u8], width: u16) -> Result<Vec<usize>, BundleError> {
    let (mut ends, mut rest) = (Vec::with_capacity(usize::from(width)), bytes);
    while !rest.is_empty() {
        let at = ends.len();
        if at >= usize::from(width) {
            return Err(BundleError::Width { found: at + 1, expected: width });
        }
        let (length, after) = rest.split_first_chunk::<2>().ok_or(BundleError::Cut(at))?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length > ENTRY_BYTES_MAX {
            return Err(BundleError::Large(at));
        }
        (_, rest) = after.split_at_checked(length).ok_or(BundleError::Cut(at))?;
        ends.push(bytes.len() - rest.len());
    }
    if ends.len() != usize::from(width) {
        return Err(BundleError::Width { found: ends.len(), expected: width });
    }
    Ok(ends)
}

/// The entries in `bytes` whose frames end there, each behind its length.
fn frames<'a>(bytes: &'a [u8], ends: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(start, end)| bytes.get(start + 2..*end).unwrap_or_default())
}

/// Takes a bundle of `width` entries apart. What an entry says is not looked at.
pub fn parse_bundle(bytes: &[u8], width: u16) -> Result<Vec<EntryBytes>, BundleError> {
    let ends = split(bytes, width)?;
    Ok(frames(bytes, &ends).map(EntryBytes::new).collect())
}

/// The root over a full tile.
pub(crate) fn root_of(hashes: &[Hash]) -> Hash {
    let mut level = hashes.to_vec();
    let mut width = level.len();
    while width > 1 {
        let half = width / 2;
        for at in 0..half {
            if let (Some(left), Some(right)) = (level.get(2 * at), level.get(2 * at + 1)) {
                let hash = node_hash(*left, *right);
                level.get_mut(at).into_iter().for_each(|above| *above = hash);
            }
        }
        width = half;
    }
    level.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{tiles::bundle, tree::Tree};

    fn entries(width: u16) -> Vec<EntryBytes> {
        let entry = |n: u16| EntryBytes::new(&vec![n as u8; usize::from(n % 7) * 5]);
        (0..width).map(entry).collect()
    }

    #[test]
    fn what_is_derived_is_what_the_entries_give() {
        for width in [1, 2, 3, 63, 255, 256] {
            let entries = entries(width);
            let derived = Bundle::derive(bundle(&entries), width).unwrap();
            assert!(derived.entries().eq(entries.iter().map(EntryBytes::as_slice)));
            let leaves: Vec<Hash> = entries.iter().map(EntryBytes::leaf_hash).collect();
            assert_eq!(derived.leaves(), leaves);
            let mut tree = Tree::default();
            leaves.iter().for_each(|leaf| tree.push(*leaf, |_| ()));
            assert_eq!(derived.root(), (width == 256).then(|| tree.root()));
        }
    }

    #[test]
    fn bundles_are_read_back_and_broken_ones_refused() {
        let entries: Vec<EntryBytes> =
            [&b"one"[..], b"", &[7; 512]].iter().map(|bytes| EntryBytes::new(bytes)).collect();
        let bytes = bundle(&entries);
        assert_eq!(bytes[..5], [0, 3, b'o', b'n', b'e']);
        let both = |bytes: &[u8], width| {
            let derived = Bundle::derive(bytes.to_vec(), width);
            let derived = derived.map(|b| b.entries().map(EntryBytes::new).collect::<Vec<_>>());
            assert_eq!(derived, parse_bundle(bytes, width));
            derived
        };
        assert_eq!(both(&bytes, 3), Ok(entries));
        assert_eq!(both(&bytes, 4), Err(BundleError::Width { found: 3, expected: 4 }));
        assert_eq!(both(&bytes, 2), Err(BundleError::Width { found: 3, expected: 2 }));
        for cut in 1..bytes.len() {
            assert!(both(&bytes[..cut], 3).is_err());
        }
        assert_eq!(both(&[2, 1], 1), Err(BundleError::Large(0)));
    }
}
