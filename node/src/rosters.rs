//! The rosters of a node on the disk: `roster/1`, `roster/2`, … and how the next one gets there.
//!
//! Each is kept byte for byte. The whole chain is checked at every start and at every
//! installation; a roster that is not the successor of the last one never lies there.

mod fits;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

pub(crate) use fits::check_keyring;
pub use tutti_core::roster::Roster;
use tutti_core::{
    limits::NOTE_BYTES_MAX,
    roster::{Chain, RosterError},
};

/// Why rosters were not read or installed.
#[derive(Debug, thiserror::Error)]
pub enum RostersError {
    /// No roster has been installed.
    #[error(
        "there is no roster in {0}; nothing was started. When all founders have signed, run: \
         tutti roster install FILE"
    )]
    None(PathBuf),
    /// One of the chain is wrong.
    #[error("roster {path} is refused: {source}. Nothing was changed")]
    Refused {
        /// The file.
        path: PathBuf,
        /// Which rule it breaks.
        source: RosterError,
    },
    /// What is to be installed is wrong.
    #[error("the roster is refused: {0}. Nothing was installed")]
    New(RosterError),
    /// It is of another federation, or does not name this node as it is.
    #[error("the roster does not fit this node: {0}. Nothing was changed")]
    Unfit(String),
    /// The roster names other keys.
    #[error(
        "the roster names other keys ({keys}) than {place} has; nothing was changed. Restore the \
         keys that belong to it, or have the roster changed"
    )]
    WrongKeys {
        /// Which.
        keys: String,
        /// Where the own ones are.
        place: String,
    },
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The bytes of every roster of the node in `dir`, from version 1, as they lie there. Empty where
/// none is installed.
pub fn load(dir: &Path) -> Result<Vec<Vec<u8>>, RostersError> {
    let mut rosters = Vec::new();
    loop {
        let path = dir.join("roster").join((rosters.len() + 1).to_string());
        match read_bounded(&path) {
            Ok(bytes) => rosters.push(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(rosters),
            Err(source) => return Err(RostersError::Io { path, source }),
        }
    }
}

/// The roster in force: the last of a chain that was checked from its first.
pub fn current(dir: &Path) -> Result<Roster, RostersError> {
    chain(dir).map(|chain| chain.newest().clone())
}

/// Every roster of the node, checked from the first: what stored heads are checked with.
pub fn chain(dir: &Path) -> Result<Chain, RostersError> {
    let rosters = load(dir)?;
    if rosters.is_empty() {
        return Err(RostersError::None(dir.join("roster")));
    }
    Chain::open(rosters.iter().map(Vec::as_slice))
        .map_err(|source| RostersError::Refused { path: dir.join("roster"), source })
}

/// Checks a roster and keeps it as the next of the node in `dir`: version 1 where there is none,
/// else the successor of the last, and in it this society with the keys of this node's card.
///
/// Installing the roster that is in force again changes nothing.
pub fn install(dir: &Path, bytes: &[u8]) -> Result<Roster, RostersError> {
    let mut rosters = load(dir)?;
    if rosters.last().is_some_and(|last| last == bytes) {
        return current(dir);
    }
    rosters.push(bytes.to_vec());
    let roster =
        Roster::open_chain(rosters.iter().map(Vec::as_slice)).map_err(RostersError::New)?;
    fits::check(dir, &roster)?;
    write(dir, &roster)?;
    Ok(roster)
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(NOTE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Durable under its name, or not there at all.
fn write(dir: &Path, roster: &Roster) -> Result<(), RostersError> {
    let folder = dir.join("roster");
    let path = folder.join(roster.version().to_string());
    let io = |source| RostersError::Io { path: path.clone(), source };
    fs::create_dir_all(&folder).map_err(io)?;
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(io)?;
    file.write_all(roster.as_bytes()).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist_noclobber(&path).map_err(|error| io(error.error))?;
    fs::File::open(&folder).and_then(|folder| folder.sync_all()).map_err(io)
}
