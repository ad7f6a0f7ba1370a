//! How bytes reach the disk: the only place that writes, syncs, cuts or renames stored data. What a node
//! can do without is not stored in this sense: sled's folder and what is set aside of it (`index`), and
//! the files that people ask for.
//!
//! Writes are positional, so that there is no cursor to share. A failed sync is never tried again:
//! after one, Linux may have dropped the pages and call the next sync good (so the caller ends the
//! process). The tests put faults in here, at every single operation.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use tutti_core::store::StoreError;

#[cfg(test)]
pub(crate) mod faults;

/// Opens for reading and, where `writable`, for writing; makes the file then (mode 0600).
pub(crate) fn open(path: &Path, writable: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(writable).create(writable).mode(0o600).open(path)
}

/// Writes all of `bytes` at `at`.
pub(crate) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    #[cfg(test)]
    faults::before_write(file, bytes, at)?;
    file.write_all_at(bytes, at)
}

/// Writes zeros from `from` to `to`: the space is then allocated, and a sync of later writes into
/// it has no metadata to write.
pub(crate) fn write_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    const ZEROS: [u8; 16 * 1024] = [0; 16 * 1024];
    let mut at = from;
    while at < to {
        let piece = ZEROS.get(..usize::try_from(to - at).unwrap_or(ZEROS.len())).unwrap_or(&ZEROS);
        write_at(file, piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

/// `fdatasync`.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    #[cfg(test)]
    faults::before("sync")?;
    file.sync_data()?;
    #[cfg(test)]
    faults::synced(file);
    Ok(())
}

/// Cuts or grows a file.
pub(crate) fn set_len(file: &File, len: u64) -> io::Result<()> {
    #[cfg(test)]
    faults::before("set_len")?;
    file.set_len(len)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::before("sync_dir")?;
    File::open(dir)?.sync_all()?;
    #[cfg(test)]
    faults::dir_synced(dir);
    Ok(())
}

/// Makes a folder, durably, only its owner's to read.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if dir.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    dir.parent().map_or(Ok(()), sync_dir)
}

/// Replaces a file as a whole: after a power cut it is the old one or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = Path::new(&new);
    let written = (|| {
        let file = open(new, true)?;
        set_len(&file, 0)?;
        write_at(&file, bytes, 0)?;
        sync(&file)?;
        #[cfg(test)]
        faults::before("rename")?;
        fs::rename(new, path)
    })();
    if written.is_err() {
        // Only space is lost where this fails too.
        let _ = fs::remove_file(new);
    }
    written?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes a file as a whole, mode 0600: after a power cut it is there, or not at all. Refused where there is
/// one.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(dir)?;
    write_at(file.as_file(), bytes, 0)?;
    sync(file.as_file())?;
    #[cfg(test)]
    faults::before("rename")?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    sync_dir(dir)
}

/// Writes a file that is not there yet, mode 0600, in its place: of a secret there is never a second file.
/// After a power cut it may be there in part; its name is durable once its folder is synced.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    write_at(&file, bytes, 0)?;
    sync(&file)
}

/// Gives a file or folder another place, durably.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::before("rename")?;
    fs::rename(from, to)?;
    to.parent().map_or(Ok(()), sync_dir)?;
    from.parent().map_or(Ok(()), sync_dir)
}

/// Removes a file, durably; none is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => path.parent().map_or(Ok(()), sync_dir),
    }
}

/// The names of what lies in a folder; none where there is no folder. What cannot be listed is an error.
pub(crate) fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

/// Whether a folder is there. What cannot be looked at is an error, and no answer.
pub(crate) fn is_dir(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        found => Ok(found?.is_dir()),
    }
}

/// The whole of a small file, up to `max` bytes; `None` where there is none.
pub(crate) fn read(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("more than {max} bytes")));
    }
    Ok(Some(bytes))
}

/// Up to `len` bytes at `at`; fewer at the end of the file.
pub(crate) fn read_at(file: &File, len: usize, at: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let filled = read_into(file, &mut bytes, at)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// Fills `bytes` with what stands at `at`; says how much that was, less at the end of the file alone.
pub(crate) fn read_into(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether there was no room: on the disk, in a quota, or under a limit of file sizes.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

/// A write that failed before anything was made durable and that was undone: no room is a state,
/// everything else ends the process.
pub(crate) fn failed(error: io::Error) -> StoreError {
    if is_full(&error) { StoreError::Full(error) } else { StoreError::Fatal(error) }
}

/// Reading failed, or what was read is not what was written.
pub(crate) fn unreadable(place: impl Into<String>, problem: impl ToString) -> StoreError {
    StoreError::Damaged { place: place.into(), problem: problem.to_string() }
}
