//! The high-water mark: the largest size at which this node's own log was ever signed.
//!
//! It lies outside what is backed up. So a node that was restored from an old copy sees that it
//! once knew more, and signs nothing until it has fetched that back. It is written after each own
//! commit and synced once a second at most; after a power cut it may be a second behind, never
//! ahead. The number stands beside the beginning of its SHA-256: one that had become larger by damage
//! would stop the node from writing for ever.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

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
    /// Reads it. A file that is missing is no error: whoever opens must decide. One that is not what
    /// was written counts as missing, and is told of in words.
    pub(crate) fn open(data: &Path) -> Result<(Self, Option<String>), DiskError> {
        let path = data.join("highwater");
        let text = match disk::read(&path, 64) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(Vec::new()),
            text => text.map_err(|error| DiskError::io(&path, error))?,
        };
        let size = text.as_deref().and_then(|text| {
            let size = std::str::from_utf8(text).ok()?.get(..20)?.parse().ok()?;
            (line(size).as_bytes() == text).then_some(size)
        });
        let notice = (text.is_some() && size.is_none()).then(|| {
            format!(
                "{} is not what was written; it should tell the largest size that this society's \
                 log ever had. It counts as missing: nothing is signed until a peer has told",
                path.display()
            )
        });
        Ok((Self { path, file: None, size, synced: None }, notice))
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
        let text = line(size);
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

/// The content of the file: always as long, so that it is written in its place.
fn line(size: u64) -> String {
    let number = format!("{size:020}");
    let check = hex::encode(Sha256::digest(&number));
    format!("{number} {}\n", check.get(..8).unwrap_or_default())
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
            let mut mark = Highwater::open(dir.path()).unwrap().0;
            strike(Fault::Crash, at);
            let raised = mark.raise(7);
            if !heal() {
                raised.unwrap();
                break;
            }
            struck += 1;
            let found = Highwater::open(dir.path()).unwrap().0.size();
            assert!(matches!(found, None | Some(7)), "{found:?} after a kill at {at}");
        }
        assert!(struck >= 3, "only {struck} operations were struck");
    }
}
