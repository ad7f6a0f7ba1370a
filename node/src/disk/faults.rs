//! Faults for tests: a disk that is full, a sync that fails, a crash in the middle of any
//! operation, and the image of what a power cut would leave.
//!
//! All of it is of one thread, so that tests can run beside each other.

#![allow(clippy::unwrap_used)]

use std::{
    cell::RefCell,
    fs::{self, File},
    io,
    os::{fd::AsRawFd as _, unix::fs::FileExt as _},
    path::{Path, PathBuf},
};

/// What happens at the chosen operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// Half of the write is done and then there is no room; later operations work.
    Full,
    /// As `Full`, but it stays full for writes that grow a file.
    StaysFull,
    /// A sync fails; later operations work (nobody may count on them).
    Sync,
    /// Half of the operation is done, and nothing after it: the process was killed.
    Crash,
}

#[derive(Default)]
struct State {
    fault: Option<(Fault, u64)>,
    operations: u64,
    /// Every file as it was at its last sync: (root that is mirrored, where to).
    image: Option<(PathBuf, PathBuf)>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// From now on, the operation number `at` (from 0) of this thread fails.
pub(crate) fn strike(fault: Fault, at: u64) {
    STATE.with_borrow_mut(|state| {
        state.fault = Some((fault, at));
        state.operations = 0;
    });
}

/// No fault any more. Says whether the operation was reached at which it was to strike.
pub(crate) fn heal() -> bool {
    STATE.with_borrow_mut(|state| state.fault.take().is_some_and(|(_, at)| state.operations > at))
}

/// Keeps under `to` what a power cut would leave of `root` at least: files as last synced.
pub(crate) fn keep_image(root: &Path, to: &Path) {
    STATE.with_borrow_mut(|state| state.image = Some((root.into(), to.into())));
}

/// Ends [`keep_image`].
pub(crate) fn drop_image() {
    STATE.with_borrow_mut(|state| state.image = None);
}

fn crashed() -> io::Error {
    io::Error::other("the process was killed (test)")
}

fn full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

/// Counts an operation; the fault that strikes it, if one does.
fn struck(is_sync: bool, grows: bool) -> Option<Fault> {
    STATE.with_borrow_mut(|state| {
        let now = state.operations;
        state.operations += 1;
        let (fault, at) = state.fault?;
        let strikes = match fault {
            Fault::Crash => now >= at,
            Fault::Full => now == at && !is_sync,
            Fault::StaysFull => now >= at && grows,
            Fault::Sync => now == at && is_sync,
        };
        strikes.then_some(fault)
    })
}

pub(super) fn before(operation: &str) -> io::Result<()> {
    match struck(operation.starts_with("sync"), false) {
        None => Ok(()),
        Some(Fault::Full | Fault::StaysFull) if operation == "set_len" => Ok(()),
        Some(Fault::Full | Fault::StaysFull) => Err(full()),
        Some(Fault::Sync) => Err(io::Error::other("input/output error (test)")),
        Some(Fault::Crash) => Err(crashed()),
    }
}

pub(super) fn before_write(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    let grows = file.metadata().is_ok_and(|meta| at + bytes.len() as u64 > meta.len());
    let first =
        STATE.with_borrow(|state| matches!(state.fault, Some((_, at)) if at == state.operations));
    let Some(fault) = struck(false, grows) else {
        return Ok(());
    };
    if first {
        file.write_all_at(&bytes[..bytes.len() / 2], at)?;
    }
    Err(if fault == Fault::Crash { crashed() } else { full() })
}

fn mirror(path: &Path) {
    STATE.with_borrow(|state| {
        let Some((root, to)) = &state.image else { return };
        let Ok(below) = path.strip_prefix(root) else { return };
        let to = to.join(below);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(path, to).unwrap();
    });
}

pub(super) fn synced(file: &File) {
    if STATE.with_borrow(|state| state.image.is_some()) {
        let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
        mirror(&path);
    }
}

/// The names of a folder are durable: renamed files are there, removed ones gone.
pub(super) fn dir_synced(dir: &Path) {
    let Some((root, to)) = STATE.with_borrow(|state| state.image.clone()) else { return };
    let Ok(below) = dir.strip_prefix(&root) else { return };
    let image = to.join(below);
    fs::create_dir_all(&image).unwrap();
    for entry in fs::read_dir(&image).unwrap().flatten() {
        if !dir.join(entry.file_name()).exists() && entry.path().is_file() {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let new = image.join(entry.file_name());
        let renamed = entry.path().extension().is_none() && !new.exists();
        if entry.path().is_file() && (renamed || is_replaced(&entry.path())) {
            fs::copy(entry.path(), new).unwrap();
        }
    }
}

/// Files that are only ever replaced as a whole.
fn is_replaced(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    matches!(&*name, "checkpoint" | "consistency" | "cosigned" | "evidence" | "format" | "settled")
}
