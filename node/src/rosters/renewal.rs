//! New keys of this society, which wait for the roster that names them.
//!
//! `tutti card renew --new-key` puts them into `keys/next/`, and the card that names them into
//! `card-next.note`. When a roster with just these keys is installed, they take the place of the old
//! ones, which are kept in `keys/old/`. Invariant: the roster is on the disk before any key moves; what a
//! power cut interrupts, installing the same roster again completes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tutti_core::roster::{Card, Roster};

use super::{RostersError, fits};
use crate::disk;

/// The card that waits for its roster, in the node's directory.
pub const NEXT_CARD: &str = "card-next.note";

/// Where the keys wait.
pub fn next_keys(dir: &Path) -> PathBuf {
    dir.join("keys").join("next")
}

/// Whether this roster names the keys that wait.
pub(super) fn is_awaited(dir: &Path, roster: &Roster) -> Result<bool, RostersError> {
    let path = dir.join(NEXT_CARD);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(RostersError::Io { path, source }),
    };
    let card = Card::open(&bytes)
        .map_err(|error| RostersError::Unfit(format!("{NEXT_CARD} is refused: {error}")))?;
    Ok(roster.federation() == card.federation && fits::names(roster, &card))
}

/// Puts the keys that waited in their places, where `roster` names them.
pub(super) fn finish(dir: &Path, roster: &Roster) -> Result<(), RostersError> {
    if !is_awaited(dir, roster)? {
        return Ok(());
    }
    let (keys, next, old) = (dir.join("keys"), next_keys(dir), dir.join("keys").join("old"));
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| RostersError::Io { path, source }
    };
    disk::make_dir(&old).map_err(io(&old))?;
    for entry in fs::read_dir(&next).map_err(io(&next))? {
        let from = entry.map_err(io(&next))?.path();
        let Some(name) = from.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            continue;
        };
        let (place, kept) = (keys.join(&name), old.join(format!("{}-{name}", roster.version())));
        // The root key may be kept elsewhere; a key that was moved before a power cut stays moved.
        let is_there = |path: &Path| path.try_exists().map_err(io(path));
        if is_there(&place)? && !is_there(&kept)? {
            disk::rename(&place, &kept).map_err(io(&place))?;
        }
        disk::rename(&from, &place).map_err(io(&from))?;
    }
    // Last, for it is the sign that there is something to do.
    disk::rename(&dir.join(NEXT_CARD), &dir.join("card.note")).map_err(io(dir))
}
