//! Places in a row of which a file is missing: one finding.
//!
//! A head may speak of far more places than anybody has files for. Invariant: what an audit lists does not
//! outgrow what it was given.

use std::fmt;

use crate::tiles::Place;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap {
    first: Place,
    last: Place,
}

impl Gap {
    /// The gap, or a new one, with the next place in it.
    pub(super) fn extended(gap: Option<Self>, place: Place) -> Self {
        Self { first: gap.map_or(place, |gap| gap.first), last: place }
    }

    /// What is said of bundles of entries.
    pub(super) fn of_entries(&self) -> String {
        let last = self.last.start() + u64::from(self.last.width()) - 1;
        format!("entries {} to {last} were not seen", self.first.start())
    }

    /// What is said of hash tiles.
    pub(super) fn of_hashes(&self) -> &'static str {
        match self.first == self.last {
            true => "the hash tile is not there",
            false => "the hash tiles are not there",
        }
    }
}

/// `tile/entries/004`, or `tile/entries/004 to tile/entries/009`.
impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        if self.first == self.last { Ok(()) } else { write!(f, " to {}", self.last) }
    }
}
