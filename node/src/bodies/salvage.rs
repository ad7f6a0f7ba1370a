//! What of damaged segments is whole all the same.
//!
//! Behind a header that cannot be read the next one is looked for. What is found there might stand inside
//! a body, where whoever wrote that body could have put it; so of such frames only bodies count, each of
//! which proves itself by its digest. That something was erased is only believed where frame follows
//! frame from the beginning; what is due to be erased is erased again by the log at the next start. What the
//! disk does not let be read is not given up: that is an error, and the repair is done again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
};

use tutti_core::body::{Body, BodyKey};

use super::{
    frame::{Frame, HEADER, Spot, State},
    scan,
};
use crate::{disk, journal::BodiesMark, store::DiskError};

/// What stands in the segments.
pub(crate) struct Found {
    /// Up to where bodies stand, where frame follows frame; there may have been more behind. Bodies
    /// themselves are looked at when they are read.
    pub(crate) whole: Option<BodiesMark>,
    dir: PathBuf,
    segments: BTreeMap<u32, File>,
    present: Vec<(BodyKey, Spot)>,
    erased: BTreeSet<BodyKey>,
}

impl Found {
    /// Reads the segments; nothing is changed.
    pub(crate) fn look(dir: &Path) -> Result<Self, DiskError> {
        let mut found = Self {
            whole: None,
            dir: dir.into(),
            segments: scan::files(dir, false)?,
            present: Vec::new(),
            erased: BTreeSet::new(),
        };
        let (mut sound, mut end, mut last) = (true, 0, 0);
        for (&number, file) in &found.segments {
            let io = |error| DiskError::io(&scan::path(dir, number), error);
            let seal = scan::seal(number, file).map_err(io)?;
            let is_newest = found.segments.keys().next_back() == Some(&number);
            sound &= number == last + 1;
            sound &= match seal {
                Some(seal) => (seal.segment, seal.end) == (last, end),
                None => {
                    number == 1 || (is_newest && scan::is_zero(file, 0, u64::MAX).map_err(io)?)
                }
            };
            let len = file.metadata().map_err(io)?.len();
            (last, end) = (number, scan::start(number));
            let (mut at, mut in_order) = (end, true);
            if number > 1 && seal.is_none() {
                end = 0;
            }
            while at < len {
                let header = disk::read_at(file, HEADER, at).map_err(io)?;
                let frame = Frame::read(&header);
                let frame = frame.filter(|frame| at + HEADER as u64 + u64::from(frame.len) <= len);
                match frame {
                    Some(frame) => {
                        let spot = frame.at(number, at);
                        match frame.state {
                            State::Present => found.present.push((frame.key, spot)),
                            State::Erasing | State::Erased if in_order => {
                                found.erased.insert(frame.key);
                            }
                            State::Erasing | State::Erased | State::Dropping | State::Dropped => {}
                        }
                        at += frame.size();
                        end = at;
                    }
                    None if header.iter().all(|byte| *byte == 0)
                        && scan::is_zero(file, at, len).map_err(io)? =>
                    {
                        break;
                    }
                    None => {
                        (sound, in_order) = (false, false);
                        at += HEADER as u64;
                    }
                }
            }
        }
        found.whole = sound.then_some(BodiesMark { segment: last, end });
        Ok(found)
    }

    /// What was erased, and is believed to have been.
    pub(crate) fn erased(&self) -> &BTreeSet<BodyKey> {
        &self.erased
    }

    /// How many bodies there are, whole or not.
    pub(crate) fn count(&self) -> u64 {
        self.present.len() as u64
    }

    /// Each body that is whole and was not erased.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = Result<Body, DiskError>> {
        let kept = self.present.iter().filter(|(key, _)| !self.erased.contains(key));
        kept.filter_map(|(key, spot)| self.body(key, spot).transpose())
    }

    /// `None` where the bytes are not what was written.
    fn body(&self, key: &BodyKey, spot: &Spot) -> Result<Option<Body>, DiskError> {
        let Some(file) = self.segments.get(&spot.segment) else { return Ok(None) };
        let bytes = disk::read_at(file, spot.len as usize, spot.offset + HEADER as u64)
            .map_err(|error| DiskError::io(&scan::path(&self.dir, spot.segment), error))?;
        Ok(Body::from_bound(bytes).filter(|body| body.key() == *key))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::{self, OpenOptions};

    use tutti_core::store::contract::World;

    use super::*;
    use crate::{bodies::Bodies, index::Index};

    #[test]
    fn a_body_that_cannot_be_read_at_this_moment_is_not_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let body = World::new().body(1, &[7; 300]);
        let mut index = Index::in_memory();
        let mark = BodiesMark::default();
        let (mut bodies, _) =
            Bodies::open(dir.path(), mark, true, &mut index, &mut |_, _| ()).unwrap();
        bodies.put(std::slice::from_ref(&body), &mut index).unwrap();
        drop(bodies);
        let path = scan::path(dir.path(), 1);
        let mut found = Found::look(dir.path()).unwrap();
        assert_eq!(found.bodies().map(Result::unwrap).collect::<Vec<_>>(), [body]);
        // A file that is open for writing alone fails as a disk does.
        found.segments.insert(1, OpenOptions::new().write(true).open(&path).unwrap());
        let failed: Vec<DiskError> = found.bodies().filter_map(Result::err).collect();
        assert_eq!(failed.len(), 1);
        assert!(failed[0].to_string().contains("00000001"), "{}", failed[0]);
        // What can be read and is something else is left.
        let mut bytes = fs::read(&path).unwrap();
        bytes[HEADER + 100] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(Found::look(dir.path()).unwrap().bodies().count(), 0);
    }
}
