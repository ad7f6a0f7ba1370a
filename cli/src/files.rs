//! Files that are read whole with a bound, and files that never overwrite another.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::failure::{Exit, Failure};

/// Reads a file of at most `max` bytes; `-` is standard input.
pub(crate) fn read(path: &Path, max: usize) -> Result<Vec<u8>, Failure> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::io(path, &error))?;
    if bytes.len() > max {
        let what = format!("{} is larger than {max} bytes and was not read", path.display());
        return Err(Failure::new(Exit::Usage, what));
    }
    Ok(bytes)
}

/// The same for text.
pub(crate) fn read_text(path: &Path, max: usize) -> Result<String, Failure> {
    String::from_utf8(read(path, max)?).map_err(|_| {
        Failure::new(Exit::Usage, format!("{} is not text in UTF-8", path.display()))
            .todo("save it as UTF-8 in your editor")
    })
}

/// Writes a new file, durable; one that is there already is left as it is.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write(path, bytes, fs::OpenOptions::new().write(true).create_new(true).mode(0o644))
}

/// Writes a new file that this user alone may read: it holds somebody's case.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write(path, bytes, fs::OpenOptions::new().write(true).create_new(true).mode(0o600))
}

/// Writes a file anew in one step: the old one stays whole until the new one is, and which of them it is
/// does not change any more when this returns.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |error: &std::io::Error| Failure::io(path, error);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|e| failed(&e))?;
    file.persist(path).map_err(|error| failed(&error.error))?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(&error))
}

/// Writes bytes to standard output as they are. Who has seen enough of them may leave.
pub(crate) fn to_stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::io(Path::new("standard output"), &error))
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8], options: &mut fs::OpenOptions) -> Result<(), Failure> {
    let mut file = options.open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::new(Exit::Usage, format!("{} exists already", path.display()))
                .kept("the file that is there; nothing was written")
                .todo("give another name, or move it away")
        }
        _ => Failure::io(path, &error),
    })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| Failure::io(path, &error))
}
