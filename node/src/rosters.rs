//! The rosters of a node on the disk: `roster/1`, `roster/2`, … and how the next one gets there.
//!
//! Each is kept byte for byte. The whole chain is checked at every start and at every
//! installation; a roster that is not the successor of the last one never lies there. `roster/newest`
//! says how many there are: without the last one, who was let out would be a member again.

mod fits;
mod renewal;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) use fits::check_keyring;
pub use renewal::{NEXT_CARD, next_keys};
use sha2::{Digest as _, Sha256};
pub use tutti_core::roster::Roster;
use tutti_core::{
    limits::NOTE_BYTES_MAX,
    roster::{Chain, RosterError},
};

use crate::disk;

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
    /// One that was installed is gone.
    #[error(
        "roster {path} is missing, and this node has had it. Nothing was started: an older roster \
         would name members and keys that are none any more. Restore the folder roster/ from a \
         backup, or fetch the file from another society and run: tutti roster install FILE"
    )]
    Lost {
        /// The file that should be there.
        path: PathBuf,
    },
    /// The keys on the disk are not those of this node.
    #[error(
        "{files}: not the keys that this node's own card and the roster name. A file is damaged, or \
         is another node's. Nothing was started, and no other node was spoken to. Put it back from \
         your backup of the keys"
    )]
    DamagedKeys {
        /// Which files.
        files: String,
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
    let rosters = read_all(dir)?;
    let known = known(dir)?;
    if known > rosters.len() as u64 {
        let path = dir.join("roster").join((rosters.len() + 1).to_string());
        return Err(RostersError::Lost { path });
    }
    Ok(rosters)
}

fn read_all(dir: &Path) -> Result<Vec<Vec<u8>>, RostersError> {
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

/// How many there must be, by their names and by `newest`.
fn known(dir: &Path) -> Result<u64, RostersError> {
    let folder = dir.join("roster");
    let io = |source| RostersError::Io { path: folder.clone(), source };
    let files = match fs::read_dir(&folder) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(io(error)),
    };
    let mut known = 0;
    for file in files {
        let name = file.map_err(io)?.file_name();
        let name = name.to_str().unwrap_or_default();
        if name == NEWEST {
            let text = read_bounded(&folder.join(NEWEST)).map_err(io)?;
            let text = String::from_utf8(text).unwrap_or_default();
            let number = text.split(' ').next().and_then(|number| number.parse().ok());
            known = known.max(number.filter(|number| newest(*number) == text).unwrap_or(0));
        }
        known = known.max(name.parse().unwrap_or(0));
    }
    Ok(known)
}

const NEWEST: &str = "newest";

/// What `newest` says where there are so many: one that has become another number says nothing.
fn newest(version: u64) -> String {
    let check = hex::encode(Sha256::digest(version.to_be_bytes()));
    format!("{version} {}\n", check.get(..16).unwrap_or_default())
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
    chain_of(dir, &rosters)
}

fn chain_of(dir: &Path, rosters: &[Vec<u8>]) -> Result<Chain, RostersError> {
    Chain::open(rosters.iter().map(Vec::as_slice))
        .map_err(|source| RostersError::Refused { path: dir.join("roster"), source })
}

/// Checks a roster and keeps it as the next of the node in `dir`: version 1 where there is none,
/// else the successor of the last, and in it this society with the keys of this node's card.
///
/// Installing the roster that is in force again changes nothing.
pub fn install(dir: &Path, bytes: &[u8]) -> Result<Roster, RostersError> {
    // One that was lost is put back so.
    let mut rosters = read_all(dir)?;
    if rosters.last().is_some_and(|last| last == bytes) {
        let roster = chain_of(dir, &rosters)?.newest().clone();
        // What a power cut or a failure has kept from coming to its end.
        note_newest(dir, roster.version())?;
        renewal::finish(dir, &roster)?;
        return Ok(roster);
    }
    rosters.push(bytes.to_vec());
    let roster =
        Roster::open_chain(rosters.iter().map(Vec::as_slice)).map_err(RostersError::New)?;
    if !renewal::is_awaited(dir, &roster)? {
        fits::check(dir, &roster)?;
    }
    write(dir, &roster)?;
    renewal::finish(dir, &roster)?;
    Ok(roster)
}

/// Whether this version was installed.
pub fn is_there(dir: &Path, version: u64) -> bool {
    dir.join("roster").join(version.to_string()).exists()
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
    disk::make_dir(&folder).map_err(io)?;
    disk::create(&path, roster.as_bytes()).map_err(io)?;
    note_newest(dir, roster.version())
}

/// Writes how many there are, and makes their names durable.
fn note_newest(dir: &Path, version: u64) -> Result<(), RostersError> {
    let path = dir.join("roster").join(NEWEST);
    let known = known(dir)?.max(version);
    disk::replace(&path, newest(known).as_bytes())
        .map_err(|source| RostersError::Io { path, source })
}
