//! An export's directory, as an audit reads it: plain files, through no link.
//!
//! What an audit asks for next can be told from what it has asked for, so it is read ahead (see
//! [`read_ahead`]), and entries are hashed ahead: opening files and hashing take a processor of their
//! own. Nothing is judged here.

mod ahead;

use std::{fs, io::Read as _, path::Path};

use tutti_core::audit::{Files, Unreadable};

pub use ahead::{Ahead, read_ahead};

/// The export's directory. Links are not followed: an export has none, and what lies elsewhere is
/// not part of it.
#[derive(Debug, Clone, Copy)]
pub struct Folder<'a>(pub &'a Path);

impl Folder<'_> {
    /// What lies at a path, where no part of the path is a link.
    fn about(&self, path: &str) -> Result<Option<fs::Metadata>, Unreadable> {
        let (mut full, mut about) = (self.0.to_path_buf(), None);
        for part in path.split('/').filter(|part| !part.is_empty()) {
            full.push(part);
            let found = match fs::symlink_metadata(&full) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
                found => found.map_err(|error| Unreadable::new(path, error))?,
            };
            if found.is_symlink() {
                return Err(Unreadable::new(path, "is a link, or lies behind one"));
            }
            about = Some(found);
        }
        Ok(about)
    }
}

impl Files for Folder<'_> {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        let full = self.0.join(path);
        let failed = |error: std::io::Error| Unreadable::new(path, error);
        let size = match self.about(path)? {
            None => return Ok(None),
            Some(about) if !about.is_file() => {
                return Err(Unreadable::new(path, "is no plain file"));
            }
            Some(about) => usize::try_from(about.len()).unwrap_or(usize::MAX),
        };
        // The file may grow meanwhile; it mostly does not.
        let mut bytes = Vec::with_capacity(size.min(limit).saturating_add(1));
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        fs::File::open(&full)
            .and_then(|file| file.take(limit).read_to_end(&mut bytes))
            .map_err(failed)?;
        Ok(Some(bytes))
    }

    fn list(&self, dir: &str, each: &mut dyn FnMut(&str)) -> Result<(), Unreadable> {
        let failed = |error: std::io::Error| Unreadable::new(dir, error);
        if !dir.is_empty() && !self.about(dir)?.is_some_and(|about| about.is_dir()) {
            return Ok(());
        }
        for entry in fs::read_dir(self.0.join(dir)).map_err(failed)? {
            each(&entry.map_err(failed)?.file_name().to_string_lossy());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_link_leads_out_of_the_export() {
        let (export, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("secret"), "x").unwrap();
        fs::create_dir(export.path().join("roster")).unwrap();
        fs::write(export.path().join("roster/1"), "r").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), export.path().join("heads")).unwrap();
        let files = Folder(export.path());
        assert!(files.read("heads/secret", 10).is_err());
        assert!(files.list("heads", &mut |name| panic!("{name} was shown")).is_err());
        assert_eq!(files.read("roster/1", 10).unwrap().as_deref(), Some(b"r".as_slice()));
        assert_eq!(files.read("bodies/1", 10), Ok(None));
        let mut names = Vec::new();
        files.list("", &mut |name| names.push(name.to_owned())).unwrap();
        names.sort();
        assert_eq!(names, ["heads", "roster"]);
    }
}
