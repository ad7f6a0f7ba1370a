//! Making sound data of damaged ones: whatever proves itself is kept, the rest is set aside.
//!
//! While no node runs. A store is made beside the damaged one, in `repaired/`, by the same code that
//! a node writes with: each log whose root is the one that it signed, each commit that is whole, each
//! body that is what its digest says. Nothing of the old data is changed until that is on the disk and
//! opens. Then `repaired/whole` is written, and from there on the work is only renaming, which is taken
//! up again where it was interrupted; until then no node starts, for it would find half of each. What was
//! there before lies in `damaged-N/`.
//!
//! Invariants: no copy of a body is left where nobody knows of it; nothing is forgotten of how far the own
//! log was signed, for `highwater` is not touched. So a
//! node that has lost entries of its own signs nothing until a peer has given them back.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use tutti_core::{
    batch::VerifiedBatch,
    body::Body,
    head::HeadKeys,
    society::Origin,
    store::{Reader as _, Store as _, StoreError},
};

use super::{DiskError, DiskStore, open};
use crate::{
    bodies::salvage::Found,
    disk,
    journal::{self, Change, salvage},
};

/// Where the sound store is made.
const ASIDE: &str = "repaired";

/// In there, once it is on the disk: what is renamed.
const WHOLE: &str = "whole";

/// How many bytes of bodies are made durable at a time.
const GROUP_BYTES: usize = 1024 * 1024;

/// What was done.
#[derive(Debug, Default)]
pub struct Repaired {
    /// What was wrong, as a start would say; `None` where nothing was, and then nothing was done.
    pub problem: Option<String>,
    /// Where the damaged data lie now.
    pub set_aside: Option<PathBuf>,
    /// Each log, and how many entries of it are here.
    pub logs: BTreeMap<Origin, u64>,
    /// Logs of which not everything could be kept, and what was wrong.
    pub left: BTreeMap<Origin, String>,
    /// Where bodies had to be written anew: how many were whole, and how many were found.
    pub bodies: Option<(u64, u64)>,
    /// The largest size at which the own log was ever signed; `None` where that is not known.
    pub highwater: Option<u64>,
}

/// See the module. `own` is this society's log, `keys` are those of the node's rosters.
pub fn repair(dir: &Path, own: &Origin, keys: &impl HeadKeys) -> Result<Repaired, DiskError> {
    let aside = dir.join(ASIDE);
    let mut done = Repaired::default();
    let begun = is_there(&aside.join(WHOLE))?;
    if !begun {
        match open::open_read_only(dir, own, keys) {
            Ok(opened) => {
                done.logs = sizes(&opened.store);
                done.highwater = opened.highwater;
                drop(opened);
                if is_there(&aside)? {
                    let _lock = open::lock(dir, true)?;
                    remove_all(&aside)?;
                }
                return Ok(done);
            }
            Err(error @ DiskError::Damaged { .. }) => done.problem = Some(error.to_string()),
            // A folder or file that is gone, or cannot be read any more.
            Err(error @ DiskError::Io { .. }) => done.problem = Some(error.to_string()),
            Err(error) => return Err(error),
        }
    } else {
        done.problem = Some("an earlier repair was interrupted".into());
    }
    let _lock = open::lock(dir, true)?;
    if !begun {
        let io = |error| DiskError::io(&aside, error);
        remove_all(&aside)?;
        disk::make_dir(&aside).map_err(io)?;
        let plan = build(dir, &aside, own, keys, &mut done)?;
        open::open_read_only(&aside, own, keys)?;
        disk::replace(&aside.join(WHOLE), plan.to_text().as_bytes()).map_err(io)?;
    }
    done.set_aside = Some(put_in_place(dir, &aside)?);
    let opened = open::read(dir, own, keys)?;
    done.logs = sizes(&opened.store);
    done.highwater = opened.highwater;
    Ok(done)
}

/// Refuses where a repair has put one thing in its place and perhaps not the next.
pub(super) fn not_interrupted(dir: &Path) -> Result<(), DiskError> {
    let aside = dir.join(ASIDE);
    if !is_there(&aside.join(WHOLE))? {
        return Ok(());
    }
    Err(DiskError::Damaged {
        place: aside.display().to_string(),
        problem: "a repair was interrupted before all was in its place. Repair again: it goes on \
                  where it was"
            .into(),
    })
}

/// Removes what a repair has left that came to its end, or that never changed anything; for who holds the
/// lock. Says so, where there was something.
pub(super) fn clear(dir: &Path) -> Option<String> {
    let aside = dir.join(ASIDE);
    let removed = match is_there(&aside) {
        Ok(false) => return None,
        Ok(true) => remove_all(&aside),
        Err(error) => Err(error),
    };
    Some(match removed {
        Ok(()) => format!("{}, the rest of a repair, was removed", aside.display()),
        Err(error) => format!(
            "the rest of a repair could not be removed: {error}. It may hold sealed bodies, and \
             erasing does not reach them there: remove {}",
            aside.display()
        ),
    })
}

fn sizes(store: &DiskStore) -> BTreeMap<Origin, u64> {
    store.logs().into_iter().map(|origin| (origin.clone(), store.tree(&origin).size())).collect()
}

/// What is renamed at the end.
struct Plan {
    /// The folder for what was there.
    damaged: String,
    /// What is put in its place.
    names: Vec<String>,
}

impl Plan {
    fn to_text(&self) -> String {
        format!("{}\n{}\n", self.damaged, self.names.join("\n"))
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(String::from);
        Some(Self { damaged: lines.next()?, names: lines.collect() })
    }
}

/// Makes the sound store.
fn build(
    dir: &Path,
    aside: &Path,
    own: &Origin,
    keys: &impl HeadKeys,
    done: &mut Repaired,
) -> Result<Plan, DiskError> {
    let (old, new) = (journal::dir_of(dir), journal::dir_of(aside));
    let bodies = dir.join("bodies");
    let found = if is_there(&bodies)? { Some(Found::look(&bodies)?) } else { None };
    let whole = found.as_ref().and_then(|found| found.whole);
    let reached = whole.unwrap_or_default();
    let mut names = vec!["journal".to_string(), "format".to_string()];
    disk::make_dir(&aside.join("bodies")).map_err(|error| DiskError::io(aside, error))?;
    if whole.is_none() {
        names.insert(1, "bodies".into());
    } else {
        link_all(&bodies, &aside.join("bodies"))?;
    }
    let salvaged = salvage::salvage(&old, &new, reached, keys)?;
    disk::replace(&aside.join("format"), open::format_line().as_bytes())
        .map_err(|error| DiskError::io(aside, error))?;
    let mut store = open::open(aside, own, keys, &mut |_, _, _| ())?.store;
    for change in salvaged.changes {
        failed(aside, apply(&mut store, change))?;
    }
    done.left = salvaged.left;
    if let (None, Some(found)) = (whole, &found) {
        let kept = write_bodies(&mut store, aside, found)?;
        done.bodies = Some((kept, found.count()));
    } else if found.is_none() {
        done.bodies = Some((0, 0));
    } else if reached < salvage::bodies_mark(&old)? {
        done.bodies = found.map(|found| (found.count(), found.count()));
    }
    drop(store);
    let mut number = 1;
    while is_there(&dir.join(format!("damaged-{number}")))? {
        number += 1;
    }
    Ok(Plan { damaged: format!("damaged-{number}"), names })
}

/// Does again what a commit did, where it goes on from what is held.
fn apply(store: &mut DiskStore, change: Change) -> Result<(), StoreError> {
    match change {
        Change::Append { start, entries, head, consistency } => {
            let held = store.tree(head.origin());
            match VerifiedBatch::verify(&held, start, &entries, head, consistency) {
                Ok(batch) => store.append(&batch, &[]),
                // Held already, or one before it is missing: then it comes again from others.
                Err(_) => Ok(()),
            }
        }
        Change::Head(head) => store.put_head(&head),
        Change::Evidence(evidence) => store.put_evidence(&evidence),
    }
}

/// Writes what is whole into the store in `aside`; says how many bodies that are.
fn write_bodies(store: &mut DiskStore, aside: &Path, found: &Found) -> Result<u64, DiskError> {
    for key in found.erased() {
        failed(aside, store.erase_body(key))?;
    }
    let (mut group, mut bytes, mut kept) = (Vec::<Body>::new(), 0, 0);
    for body in found.bodies() {
        let body = body?;
        bytes += body.bytes().len();
        kept += 1;
        group.push(body);
        if bytes > GROUP_BYTES {
            failed(aside, store.put_bodies(&std::mem::take(&mut group)))?;
            bytes = 0;
        }
    }
    failed(aside, store.put_bodies(&group))?;
    Ok(kept)
}

/// The same files under a second name, or copies where the file system knows no second names.
fn link_all(from: &Path, to: &Path) -> Result<(), DiskError> {
    let io = |error| DiskError::io(to, error);
    for file in fs::read_dir(from).map_err(io)? {
        let file = file.map_err(io)?;
        let name = to.join(file.file_name());
        if fs::metadata(file.path()).map_err(io)?.is_file() {
            fs::hard_link(file.path(), &name)
                .or_else(|_| fs::copy(file.path(), &name).map(|_| ()))
                .map_err(io)?;
        }
    }
    Ok(())
}

/// Renames; to be done again where it was interrupted. Says where the damaged data lie.
fn put_in_place(dir: &Path, aside: &Path) -> Result<PathBuf, DiskError> {
    let io = |error| DiskError::io(aside, error);
    let text = fs::read_to_string(aside.join(WHOLE)).map_err(io)?;
    let plan = Plan::from_text(&text).ok_or_else(|| DiskError::Damaged {
        place: aside.join(WHOLE).display().to_string(),
        problem: "it is not what was written. Remove the folder repaired/ and repair again".into(),
    })?;
    let damaged = dir.join(&plan.damaged);
    disk::make_dir(&damaged).map_err(io)?;
    for name in &plan.names {
        let (new, place) = (aside.join(name), dir.join(name));
        // Otherwise it is in its place already.
        if is_there(&new)? {
            if is_there(&place)? {
                disk::rename(&place, &damaged.join(name)).map_err(io)?;
            }
            disk::rename(&new, &place).map_err(io)?;
        }
    }
    // It is derived anew.
    remove_all(&dir.join("index"))?;
    disk::remove(&aside.join(WHOLE)).map_err(io)?;
    remove_all(aside)?;
    Ok(damaged)
}

/// A disk that does not say so is no answer: what counts as missing would be given up.
fn is_there(path: &Path) -> Result<bool, DiskError> {
    path.try_exists().map_err(|error| DiskError::io(path, error))
}

fn remove_all(path: &Path) -> Result<(), DiskError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { disk::remove(path) };
    removed
        .and_then(|()| path.parent().map_or(Ok(()), disk::sync_dir))
        .map_err(|error| DiskError::io(path, error))
}

fn failed<T>(path: &Path, result: Result<T, StoreError>) -> Result<T, DiskError> {
    result.map_err(|error| match error {
        StoreError::Full(error) | StoreError::Fatal(error) => DiskError::io(path, error),
        other => {
            DiskError::Damaged { place: path.display().to_string(), problem: other.to_string() }
        }
    })
}
