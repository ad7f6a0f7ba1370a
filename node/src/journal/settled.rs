//! What the logs' folders hold, by name and hash, so that whatever vanishes from them is missed.
//!
//! A log's entries are proven by its signed head. Nothing proves that there was a log at all, that a
//! witness had cosigned a larger head than the newest that is left, or that there was evidence of a
//! fork: and that is what someone would make vanish. So `journal/settled` names every small file of
//! every log with its SHA-256:
//!
//! ```text
//! tutti-settled/v1
//! <origin> <file> <SHA-256>[ <SHA-256>]
//! …
//! <SHA-256 of all before>
//! ```
//!
//! `-` stands for a file that is not there. A line has two hashes while the folders are being brought
//! up to the commits: as it was, and as it will be. Both are durable before the first file changes, and
//! the first of them is taken away before the commits are given up. So a crash at any moment leaves each
//! file as one of the two says, and the commits are replayed over it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use tutti_core::{society::Origin, store::StoreError};

use super::log::folder_name;
use crate::{disk, store::DiskError};

const TITLE: &str = "tutti-settled/v1\n";

/// A thousand logs, four files each, at 300 bytes a line.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A file of a log.
pub(crate) type Name = (Origin, String);

/// The SHA-256 of a file; `None` where there is none.
pub(crate) type Sum = Option<[u8; 32]>;

/// See the module.
pub(super) struct Settled {
    path: PathBuf,
    /// What each file is; two where it may be either.
    files: BTreeMap<Name, Vec<Sum>>,
}

/// The hash of what a file is to hold; nothing is no file.
pub(super) fn sum(bytes: &[u8]) -> Sum {
    (!bytes.is_empty()).then(|| Sha256::digest(bytes).into())
}

impl Settled {
    /// For a new node: there is no log.
    pub(super) fn create(dir: &Path) -> std::io::Result<()> {
        disk::replace(&dir.join("settled"), &to_bytes(&BTreeMap::new()))
    }

    /// Reads it.
    pub(super) fn open(dir: &Path) -> Result<Self, DiskError> {
        let path = dir.join("settled");
        let bytes = disk::read(&path, BYTES_MAX).map_err(|error| DiskError::io(&path, error))?;
        let Some(bytes) = bytes else {
            return Err(damaged(&path, "it is missing"));
        };
        let files =
            from_bytes(&bytes).ok_or_else(|| damaged(&path, "it is not what was written"))?;
        Ok(Self { path, files })
    }

    /// The logs that have a folder.
    pub(super) fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.files.keys().map(|(origin, _)| origin)
    }

    /// Compares it with the files that were found.
    pub(super) fn check(&self, found: &BTreeMap<Name, Sum>) -> Result<(), DiskError> {
        let dir = self.path.parent().unwrap_or(&self.path);
        let place = |(origin, file): &Name| dir.join(folder_name(origin)).join(file);
        for (name, sums) in &self.files {
            let held = found.get(name).copied().flatten();
            if !sums.contains(&held) {
                let problem = if held.is_none() { "it is missing" } else { "it is another one" };
                return Err(damaged(&place(name), problem));
            }
        }
        match found.iter().find(|(name, sum)| sum.is_some() && !self.files.contains_key(*name)) {
            Some((name, _)) => Err(damaged(&place(name), "this node has not written it")),
            None => Ok(()),
        }
    }

    /// Makes durable that these files are about to change.
    pub(super) fn begin(&mut self, changes: &BTreeMap<Name, Sum>) -> Result<(), StoreError> {
        let mut files = self.files.clone();
        for (name, new) in changes {
            let sums = files.entry(name.clone()).or_insert_with(|| vec![None]);
            if !sums.contains(new) {
                sums.push(*new);
            }
        }
        self.put(files)
    }

    /// Makes durable that these files have changed.
    pub(super) fn end(&mut self, changes: &BTreeMap<Name, Sum>) -> Result<(), StoreError> {
        let mut files = self.files.clone();
        for (name, new) in changes {
            files.insert(name.clone(), vec![*new]);
        }
        files.retain(|_, sums| sums.iter().any(Option::is_some));
        self.put(files)
    }

    fn put(&mut self, files: BTreeMap<Name, Vec<Sum>>) -> Result<(), StoreError> {
        if files != self.files {
            disk::replace(&self.path, &to_bytes(&files)).map_err(disk::failed)?;
            self.files = files;
        }
        Ok(())
    }
}

fn to_bytes(files: &BTreeMap<Name, Vec<Sum>>) -> Vec<u8> {
    let mut text = TITLE.to_string();
    for ((origin, file), sums) in files {
        let _ = write!(text, "{origin} {file}");
        for sum in sums {
            let _ = write!(text, " {}", sum.map_or_else(|| "-".into(), hex::encode));
        }
        text.push('\n');
    }
    let check = hex::encode(Sha256::digest(&text));
    text.push_str(&check);
    text.push('\n');
    text.into_bytes()
}

fn from_bytes(bytes: &[u8]) -> Option<BTreeMap<Name, Vec<Sum>>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (before, check) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let before = text.get(..before.len() + 1)?;
    if hex::encode(Sha256::digest(before)) != check {
        return None;
    }
    let mut files = BTreeMap::new();
    for line in before.strip_prefix(TITLE)?.lines() {
        let mut words = line.split(' ');
        let name = (words.next()?.parse().ok()?, words.next()?.to_string());
        let sums = words.map(|word| match word {
            "-" => Some(None),
            word => {
                let mut sum = [0; 32];
                hex::decode_to_slice(word, &mut sum).ok()?;
                Some(Some(sum))
            }
        });
        files.insert(name, sums.collect::<Option<Vec<Sum>>>()?);
    }
    Some(files)
}

fn damaged(path: &Path, problem: &str) -> DiskError {
    DiskError::Damaged { place: path.display().to_string(), problem: problem.into() }
}
