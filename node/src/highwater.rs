//! The high-water mark: the largest size at which this node's own log was ever signed.
//!
//! It lies outside what is backed up. So a node that was restored from an old copy sees that it
//! once knew more, and signs nothing until it has fetched that back. It is written after each own
//! commit and synced once a second at most; after a power cut it may be a second behind, never
//! ahead.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{disk, store::DiskError};

const SYNC_EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Highwater {
    path: PathBuf,
    file: Option<File>,
    size: Option<u64>,
    synced: Option<Instant>,
}

impl Highwater {
    /// Reads it. A file that is missing is no error: whoever opens must decide.
    pub(crate) fn open(data: &Path) -> Result<Self, DiskError> {
        let path = data.join("highwater");
        let text = disk::read(&path, 64).map_err(|error| DiskError::io(&path, error))?;
        let size = match text {
            None => None,
            Some(text) => {
                let text = String::from_utf8_lossy(&text);
                let size = text.trim_ascii().parse();
                Some(size.map_err(|_| {
                    DiskError::Damaged {
                        place: path.display().to_string(),
                        problem:
                            "it should hold one number: the largest size that this society's log \
                              ever had. Nothing was changed. If this is not an old copy of the \
                              data, delete the file; the node then asks the others before it \
                              signs anything"
                                .into(),
                    }
                })?)
            }
        };
        Ok(Self { path, file: None, size, synced: None })
    }

    /// What it says; `None` where the file is missing.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Makes sure that the next [`Highwater::raise`] has its place on the disk. `held` is the size
    /// of the own log before it.
    pub(crate) fn make_room(&mut self, held: u64) -> io::Result<()> {
        if self.size.is_some() { Ok(()) } else { self.raise(held) }
    }

    /// The own log was signed at `size`. It never goes down.
    pub(crate) fn raise(&mut self, size: u64) -> io::Result<()> {
        if self.size.is_some_and(|held| held >= size) {
            return Ok(());
        }
        // Always as long, so that it is written in its place.
        let text = format!("{size:020}\n");
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                if self.size.is_none() {
                    // Never there without its number: an empty file would stop the next start.
                    disk::replace(&self.path, text.as_bytes())?;
                }
                disk::open(&self.path, true)?
            }
        };
        disk::write_at(&file, text.as_bytes(), 0)?;
        self.size = Some(size);
        let due = self.synced.is_none_or(|synced| synced.elapsed() >= SYNC_EVERY);
        if due {
            disk::sync(&file)?;
            self.synced = Some(Instant::now());
        }
        self.file = Some(file);
        Ok(())
    }

    /// Syncs what was written.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), disk::sync)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::disk::faults::{Fault, heal, strike};

    #[test]
    fn a_kill_while_it_is_made_never_leaves_it_without_its_number() {
        let mut struck = 0;
        for at in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let mut mark = Highwater::open(dir.path()).unwrap();
            strike(Fault::Crash, at);
            let raised = mark.raise(7);
            if !heal() {
                raised.unwrap();
                break;
            }
            struck += 1;
            let found = Highwater::open(dir.path()).unwrap().size();
            assert!(matches!(found, None | Some(7)), "{found:?} after a kill at {at}");
        }
        assert!(struck >= 3, "only {struck} operations were struck");
    }
}
