//! Opening the data of a node: the lock, the format, then journal, bodies and index against each
//! other.

use std::{
    fs::File,
    io::{Error, ErrorKind},
    path::Path,
};

use fs4::fs_std::FileExt;
use tutti_core::{head::HeadKeys, society::Origin, store::StoreError};

use super::{DiskError, DiskStore, Opened, notes::Notes, opened, repair};
use crate::{
    bodies::Bodies,
    disk,
    highwater::Highwater,
    index::Index,
    journal::{self, Journal, Log, OpenedJournal},
};

/// The format of the data that this program writes, and the newest that it reads.
const FORMAT: u64 = 1;

/// See [`DiskStore::open`].
pub(super) fn open(
    dir: &Path,
    own: &Origin,
    keys: &impl HeadKeys,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<Opened, DiskError> {
    disk::make_dir(dir).map_err(|error| DiskError::io(dir, error))?;
    let lock = lock(dir, true)?;
    repair::not_interrupted(dir)?;
    if !has_format(dir)? {
        create(dir)?;
    }
    let rest = repair::clear(dir);
    let (highwater, odd) = Highwater::open(dir)?;
    let mut index = Index::open(dir);
    let OpenedJournal { mut journal, mut notices, bodies: mark } =
        Journal::open(&journal::dir_of(dir), keys, true, &mut index, progress)?;
    notices.extend(odd.into_iter().chain(rest));
    let mut tell = |done, of| progress("bodies", done, of);
    let (bodies, cut) = Bodies::open(&dir.join("bodies"), mark, true, &mut index, &mut tell)?;
    notices.extend(cut);
    let (notes, torn) = Notes::open(dir, true)?;
    notices.extend(torn);
    settle(dir, &mut journal, &mut index, &mut notices)?;
    let index = check_index(dir, index, &mut journal, &bodies, &mut notices)?;
    notices.extend(leftovers(dir));
    journal.acknowledge(bodies.mark());
    let known = highwater.size();
    let store = DiskStore {
        journal,
        bodies,
        index,
        highwater,
        notes,
        opened: opened::Opened::open(dir, true)?,
        own: own.clone(),
        writable: true,
        failed: None,
        _lock: lock,
    };
    Ok(Opened { store, notices, highwater: known })
}

/// See [`DiskStore::open_read_only`].
pub(super) fn open_read_only(
    dir: &Path,
    own: &Origin,
    keys: &impl HeadKeys,
) -> Result<Opened, DiskError> {
    let lock = lock(dir, false)?;
    let mut opened = read(dir, own, keys)?;
    opened.store._lock = lock;
    Ok(opened)
}

/// The same for who holds the lock.
pub(super) fn read(dir: &Path, own: &Origin, keys: &impl HeadKeys) -> Result<Opened, DiskError> {
    repair::not_interrupted(dir)?;
    if !has_format(dir)? {
        return Err(DiskError::Damaged {
            place: dir.join("format").display().to_string(),
            problem: "it is missing: these are not the data of a node that has ever run".into(),
        });
    }
    let (highwater, odd) = Highwater::open(dir)?;
    let mut index = Index::in_memory();
    let OpenedJournal { journal, mut notices, bodies: mark } =
        Journal::open(&journal::dir_of(dir), keys, false, &mut index, &mut |_, _, _| ())?;
    notices.extend(odd);
    let (bodies, cut) = Bodies::open(&dir.join("bodies"), mark, false, &mut index, &mut |_, _| ())?;
    notices.extend(cut);
    let (notes, torn) = Notes::open(dir, false)?;
    notices.extend(torn);
    let known = highwater.size();
    let store = DiskStore {
        journal,
        bodies,
        index,
        highwater,
        notes,
        opened: opened::Opened::open(dir, false)?,
        own: own.clone(),
        writable: false,
        failed: None,
        _lock: None,
    };
    Ok(Opened { store, notices, highwater: known })
}

/// The lock of the one writer. Readers share it where there is one.
pub(super) fn lock(dir: &Path, writable: bool) -> Result<Option<File>, DiskError> {
    let path = dir.join("lock");
    let file = match disk::open(&path, writable) {
        Err(error) if !writable && error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| DiskError::io(&path, error))?,
    };
    let locked =
        if writable { FileExt::try_lock_exclusive(&file) } else { FileExt::try_lock_shared(&file) };
    match locked.map_err(|error| DiskError::io(&path, error))? {
        true => Ok(Some(file)),
        false => Err(DiskError::Locked),
    }
}

/// Reads `format`. `false` where no node has ever run here: there is nothing but what [`create`] may have
/// left half-made.
fn has_format(dir: &Path) -> Result<bool, DiskError> {
    let path = dir.join("format");
    let damaged = |problem: &str| DiskError::Damaged {
        place: path.display().to_string(),
        problem: problem.into(),
    };
    let Some(bytes) = disk::read(&path, 64).map_err(|error| DiskError::io(&path, error))? else {
        if !Journal::is_unused(&journal::dir_of(dir))? {
            return Err(damaged("it is missing, and there is a journal"));
        }
        if !Bodies::is_unused(&dir.join("bodies"))? {
            return Err(damaged("it is missing, and there are bodies"));
        }
        return Ok(false);
    };
    let found = String::from_utf8_lossy(&bytes).trim_ascii().parse::<u64>();
    match found.map_err(|_| damaged("it should hold one number"))? {
        0 => Err(damaged("there is no format 0")),
        found if found > FORMAT => Err(DiskError::NewerFormat { found, known: FORMAT }),
        _ => Ok(true),
    }
}

/// What `format` holds.
pub(super) fn format_line() -> String {
    format!("{FORMAT}\n")
}

/// What lies beside the data and should not stay there.
fn leftovers(dir: &Path) -> Vec<String> {
    let mut names = disk::names_in(dir).unwrap_or_default();
    names.retain(|name| name.starts_with("damaged-"));
    names.sort();
    names
        .into_iter()
        .map(|name| {
            format!(
                "{} holds what a repair has set aside. When everything has come back, delete it: it \
                 holds sealed bodies, and erasing does not reach them there",
                dir.join(name).display()
            )
        })
        .collect()
}

/// See [`DiskStore::begin`].
pub(super) fn begin(dir: &Path) -> Result<(), DiskError> {
    let io = |error| DiskError::io(dir, error);
    disk::make_dir(dir).map_err(io)?;
    if has_format(dir)? {
        let ran = "a node has run on these data: how far its log was signed is not begun anew";
        return Err(io(Error::new(ErrorKind::AlreadyExists, ran)));
    }
    let (mut highwater, _) = Highwater::open(dir)?;
    highwater.raise(0).map_err(io)
}

/// Data where there are none. `format` comes last: where it is missing, all this is done again.
///
/// The mark is not made here: the keys may have signed elsewhere, as where the disk was lost and they alone
/// came back. It is made when they are drawn, by [`begin`].
fn create(dir: &Path) -> Result<(), DiskError> {
    Journal::create(&journal::dir_of(dir))?;
    Bodies::create(&dir.join("bodies"))?;
    disk::replace(&dir.join("format"), format_line().as_bytes())
        .map_err(|error| DiskError::io(dir, error))
}

/// Brings the folders up to the commits. Without room the node still starts, and reads.
fn settle(
    dir: &Path,
    journal: &mut Journal,
    index: &mut Index,
    notices: &mut Vec<String>,
) -> Result<(), DiskError> {
    match journal.settle(index) {
        Ok(()) => Ok(()),
        Err(StoreError::Full(error)) => {
            notices.push(format!(
                "no room on the disk ({error}). What is here can be read; nothing new can be \
                 written until there is room in {}",
                dir.display()
            ));
            Ok(())
        }
        Err(StoreError::Fatal(error)) => Err(DiskError::io(&journal::dir_of(dir), error)),
        Err(error) => Err(DiskError::Damaged {
            place: journal::dir_of(dir).display().to_string(),
            problem: error.to_string(),
        }),
    }
}

/// Takes the index if it is what journal and bodies say; else sets it aside and fills a new one.
fn check_index(
    dir: &Path,
    index: Index,
    journal: &mut Journal,
    bodies: &Bodies,
    notices: &mut Vec<String>,
) -> Result<Index, DiskError> {
    let expected =
        |journal: &Journal| journal.logs().map(Log::chunks).sum::<u64>() + bodies.count();
    let Some(problem) = index.fault(expected(journal)) else {
        let (added, of) = index.added();
        if added > 0 {
            notices.push(format!(
                "the index lacked {added} of {of} values, which were derived again from the \
                 journal and the bodies"
            ));
        }
        return Ok(index);
    };
    let mut index = index.renew(dir)?;
    fill(journal, bodies, &mut index)?;
    if index.fault(expected(journal)).is_some() {
        index = Index::in_memory();
        fill(journal, bodies, &mut index)?;
    }
    notices.push(format!(
        "the index was set aside as index.bad-N ({problem}) and built anew from the journal and \
         the bodies. Nothing is lost"
    ));
    if !index.is_on_disk() {
        notices.push("the new index could not be written; it is kept in memory".into());
    }
    Ok(index)
}

fn fill(journal: &mut Journal, bodies: &Bodies, index: &mut Index) -> Result<(), DiskError> {
    journal.fill(index)?;
    bodies.fill(index)
}
