//! C2SP tlog-tiles: the plain files in which a log is handed to anyone.
//!
//! A hash tile lists up to 256 consecutive hashes of one level in eight; an entry bundle lists the
//! entries under a tile of level 0. Both are found by their [`Place`] and nothing else. Invariant:
//! [`Tiler`] gives each full tile once, and keeps at most 255 hashes a level. Nothing read from a
//! file is believed here: the caller compares it with a head.
//!
//! Source: C2SP `tlog-tiles.md`, "Merkle Tree", "Partial Tiles", "Log entries".

mod bundles;

use std::{fmt, str::FromStr};

use tlog_tiles::Hash;

use crate::{
    entry::EntryBytes,
    limits::{ENTRY_BYTES_MAX, LOG_SIZE_MAX},
};

pub(crate) use bundles::root_of;
pub use bundles::{Bundle, BundleError, parse_bundle};

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// A full hash tile, bytes.
pub const TILE_BYTES_MAX: usize = 32 * TILE_WIDTH as usize;

/// A full entry bundle of the largest entries, bytes.
pub const BUNDLE_BYTES_MAX: usize = (2 + ENTRY_BYTES_MAX) * TILE_WIDTH as usize;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The entries themselves.
    Entries,
    /// Hashes of subtrees of 256^level leaves; level 0 to 63.
    Hashes(u8),
}

/// Which tile: its layer, its number there, and how much of it there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    layer: Layer,
    index: u64,
    width: u16,
}

/// A path is no tile's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the path of a tile")]
pub struct PlaceError(String);

impl Place {
    /// The tile `index` of `layer` in a log of `size` entries: full, partial, or none.
    pub fn new(layer: Layer, index: u64, size: u64) -> Option<Self> {
        let shift = match layer {
            Layer::Entries => 0,
            Layer::Hashes(level) => 8 * u32::from(level),
        };
        let hashes = size.checked_shr(shift).unwrap_or(0);
        let rest = hashes.checked_sub(index.checked_mul(u64::from(TILE_WIDTH))?)?;
        let width = u16::try_from(rest.min(u64::from(TILE_WIDTH))).ok()?;
        (width > 0).then_some(Self { layer, index, width })
    }

    /// What it holds.
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// Its number in the layer, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Index of its first hash or entry in the layer.
    pub fn start(&self) -> u64 {
        self.index.saturating_mul(u64::from(TILE_WIDTH))
    }
}

/// The number in elements of three digits, all but the last with an `x`: `x001/x234/067`.
pub fn number_path(number: u64) -> String {
    let (mut path, mut rest) = (format!("{:03}", number % 1000), number / 1000);
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

/// `tile/0/x001/234`, `tile/entries/000.p/7`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/")?;
        match self.layer {
            Layer::Entries => f.write_str("entries")?,
            Layer::Hashes(level) => write!(f, "{level}")?,
        }
        write!(f, "/{}", number_path(self.index))?;
        if self.width < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(path: &str) -> Result<Self, PlaceError> {
        parse_place(path)
            .filter(|place| place.to_string() == path)
            .ok_or_else(|| PlaceError(path.chars().take(100).collect()))
    }
}

/// Reads leniently; the caller compares with the one way to write it.
fn parse_place(path: &str) -> Option<Place> {
    let (layer, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let layer = match layer {
        "entries" => Layer::Entries,
        level => Layer::Hashes(level.parse().ok().filter(|level| *level < 64)?),
    };
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, width.parse().ok().filter(|w| *w < TILE_WIDTH)?),
        None => (rest, TILE_WIDTH),
    };
    let index = number.split('/').try_fold(0u64, |index, digits| {
        let digits: u64 = digits.trim_start_matches('x').parse().ok()?;
        index.checked_mul(1000)?.checked_add(digits)
    })?;
    (width > 0 && index <= LOG_SIZE_MAX).then_some(Place { layer, index, width })
}

/// Cuts a growing log into hash tiles.
#[derive(Debug, Clone, Default)]
pub struct Tiler {
    /// By level: how many full tiles were given, and the hashes of the one that grows.
    levels: Vec<(u64, Vec<Hash>)>,
}

impl Tiler {
    /// Takes the hash of the next leaf and gives `tile` those that it completed.
    pub fn push(&mut self, leaf: Hash, tile: impl FnMut(Place, Vec<u8>)) {
        self.push_at(0, leaf, tile);
    }

    /// Takes a full tile of leaves by the root over it, which is then not derived again; `tile` is
    /// given those above it. `false`, and nothing is changed, where the tile that grows has begun.
    pub fn push_full(&mut self, root: Hash, tile: impl FnMut(Place, Vec<u8>)) -> bool {
        if self.levels.is_empty() {
            self.levels.push((0, Vec::new()));
        }
        let Some((index, [])) = self.levels.first_mut().map(|(i, h)| (i, h.as_slice())) else {
            return false;
        };
        *index += 1;
        self.push_at(1, root, tile);
        true
    }

    fn push_at(&mut self, from: u8, hash: Hash, mut tile: impl FnMut(Place, Vec<u8>)) {
        let mut hash = hash;
        for level in from..64 {
            if self.levels.len() == usize::from(level) {
                self.levels.push((0, Vec::new()));
            }
            let Some((index, hashes)) = self.levels.get_mut(usize::from(level)) else { return };
            hashes.push(hash);
            if hashes.len() < usize::from(TILE_WIDTH) {
                return;
            }
            let layer = Layer::Hashes(level);
            tile(Place { layer, index: *index, width: TILE_WIDTH }, tile_bytes(hashes));
            hash = root_of(&std::mem::take(hashes));
            *index += 1;
        }
    }

    /// The partial tiles at the right edge, from level 0.
    pub fn partial(&self) -> Vec<(Place, Vec<u8>)> {
        (0u8..)
            .zip(&self.levels)
            .filter_map(|(level, (index, hashes))| {
                let width = u16::try_from(hashes.len()).ok().filter(|width| *width > 0)?;
                let place = Place { layer: Layer::Hashes(level), index: *index, width };
                Some((place, tile_bytes(hashes)))
            })
            .collect()
    }
}

fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The hashes in a tile's bytes; `None` where they are not `width` hashes.
pub fn tile_hashes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    let whole = rest.is_empty() && hashes.len() == usize::from(width);
    whole.then(|| hashes.iter().map(|hash| Hash(*hash)).collect())
}

/// An entry bundle: each entry behind its length in two bytes, big-endian.
pub fn bundle<'a>(entries: impl IntoIterator<Item = &'a EntryBytes>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        // An entry is at most 512 bytes.
        let length = u16::try_from(entry.as_slice().len()).unwrap_or(u16::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(entry.as_slice());
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;
    use tlog_tiles::{HashReader, Tile, record_hash};

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |layer, index, size| Place::new(layer, index, size).map(|p| p.to_string());
        let hashes = Layer::Hashes;
        assert_eq!(path(hashes(0), 0, 256).as_deref(), Some("tile/0/000"));
        assert_eq!(path(hashes(1), 0, 256).as_deref(), Some("tile/1/000.p/1"));
        assert_eq!(path(hashes(2), 0, 256), None);
        assert_eq!(path(Layer::Entries, 273, 70_000).as_deref(), Some("tile/entries/273.p/112"));
        assert_eq!(path(Layer::Entries, 274, 70_000), None);
        let size = 1_234_068 * 256;
        assert_eq!(path(hashes(0), 1_234_067, size).as_deref(), Some("tile/0/x001/x234/067"));
        // The example of a tree of 70,000.
        assert_eq!(path(hashes(1), 1, 70_000).as_deref(), Some("tile/1/001.p/17"));
        assert_eq!(path(hashes(2), 0, 70_000).as_deref(), Some("tile/2/000.p/1"));
        for size in [0, 1, 255, 257, 70_000, LOG_SIZE_MAX] {
            for layer in (0..64).map(hashes).chain([Layer::Entries]) {
                for index in [0, 1, 273, 1000, 999_999, u64::MAX] {
                    if let Some(place) = Place::new(layer, index, size) {
                        assert_eq!(place.to_string().parse(), Ok(place));
                    }
                }
            }
        }
        for bad in [
            "",
            "tile",
            "tile/0",
            "tile/0/0",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/00/000",
            "tile/64/000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/1000",
            "tile/entries/000/",
            "tile/8/0/000.p",
            "tile/-1/000",
            "/tile/0/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }

    struct Stored(Vec<Hash>);
    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
            Ok(indexes.iter().map(|&i| self.0[i as usize]).collect())
        }
    }

    #[test]
    fn tiles_are_those_of_tlog_tiles() {
        let (mut tiler, mut tree) = (Tiler::default(), crate::tree::Tree::default());
        let (mut stored, mut full) = (Stored(Vec::new()), BTreeMap::new());
        for n in 0..66_000u64 {
            let leaf = record_hash(&n.to_be_bytes());
            tree.push(leaf, |hash| stored.0.push(hash));
            tiler.push(leaf, |place, bytes| {
                assert_eq!(full.insert(place.to_string(), bytes), None, "given once");
            });
            if ![1, 255, 256, 257, 65_535, 65_536, 65_537, 66_000].contains(&(n + 1)) {
                continue;
            }
            let mut ours = full.clone();
            ours.extend(tiler.partial().into_iter().map(|(p, bytes)| (p.to_string(), bytes)));
            let theirs: BTreeMap<String, Vec<u8>> = Tile::new_tiles(8, 0, n + 1)
                .iter()
                .map(|tile| {
                    let path = tile.path().replacen("tile/8/", "tile/", 1);
                    (path, tile.read_data(&stored).unwrap())
                })
                .collect();
            assert_eq!(ours, theirs, "at size {}", n + 1);
        }
    }

    #[test]
    fn a_full_tile_by_its_root_gives_what_its_leaves_give() {
        let leaf = |n: u64| tlog_tiles::record_hash(&n.to_be_bytes());
        let (mut by_leaves, mut by_roots) = (Tiler::default(), Tiler::default());
        let (mut all, mut above) = (Vec::new(), Vec::new());
        for tile in 0..257u64 {
            let leaves: Vec<Hash> = (tile * 256..tile * 256 + 256).map(leaf).collect();
            leaves.iter().for_each(|leaf| {
                by_leaves.push(*leaf, |place, bytes| all.push((place, bytes)));
            });
            let root = root_of(&leaves);
            assert!(by_roots.push_full(root, |place, bytes| above.push((place, bytes))));
        }
        all.retain(|(place, _)| place.layer() != Layer::Hashes(0));
        assert_eq!(all, above);
        assert_eq!(by_leaves.partial(), by_roots.partial());
        by_roots.push(leaf(0), |_, _| ());
        let before = by_roots.partial();
        assert!(!by_roots.push_full(leaf(0), |_, _| ()));
        assert_eq!(by_roots.partial(), before);
    }
}
