//! That what is read ahead is what an audit asks for, and that a wrong guess changes nothing.

#![allow(clippy::unwrap_used)]

use std::{cell::RefCell, fs, path::Path};

use tempfile::TempDir;
use tutti_core::{
    audit::{Audit, Options, audit_all},
    batch::VerifiedBatch,
    body::{Body, Place as BodyPlace},
    entry::{Header, Visibility},
    export,
    society::Origin,
    store::{MemoryStore, Reader as _, Store as _},
    tree::Tree,
};

use super::*;
use crate::testing::{FEDERATION, Federation, society};

const SIZE: u64 = 700;

/// An export of a log of which some entries have a record, some a content as well, some nothing any
/// more; one body was erased.
fn exported() -> TempDir {
    let federation = Federation::found(&["ph"], &["ph"]);
    let origin = Origin::new(FEDERATION, society("ph"), 1).unwrap();
    let secret = federation.keyring("ph").log;
    let (mut entries, mut bodies) = (Vec::new(), Vec::new());
    for index in 0..SIZE {
        let body = |part| {
            let bytes = [index.to_be_bytes(); 40].concat();
            Body::new(BodyPlace::new(&origin, index, part), &bytes)
        };
        let (record, content) = (body(Part::Record), body(Part::Content));
        let header = Header {
            origin: origin.clone(),
            index,
            recorded_at_ms: index,
            visibility: Visibility::Federation,
            record: record.commitment(),
            content: (index % 3 == 0).then(|| content.commitment()),
            tags: Vec::new(),
        };
        entries.push(header.encode());
        bodies.extend([record, content].into_iter().filter(|_| index % 5 != 0));
    }
    let mut store = MemoryStore::new();
    let batch = VerifiedBatch::author(&Tree::default(), &origin, entries, &secret).unwrap();
    store.append(&batch, &bodies).unwrap();
    store.erase_body(&bodies[2].key()).unwrap();
    assert_eq!(store.tree(&origin).size(), SIZE);
    let dir = tempfile::tempdir().unwrap();
    let rosters = [federation.roster.as_bytes().to_vec()];
    for file in export::files(&store, &origin, &rosters, true) {
        let file = file.unwrap();
        let path = dir.path().join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file.bytes).unwrap();
    }
    dir
}

fn audited<F: Files>(files: &[F]) -> Result<Audit, (usize, Unreadable)> {
    audit_all(files, Options::default(), 0, &mut |_, _| ())
}

/// What is asked for, in its order.
struct Noting<'a>(Folder<'a>, RefCell<Vec<String>>);

impl Files for Noting<'_> {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        self.1.borrow_mut().push(path.into());
        self.0.read(path, limit)
    }
    fn list(&self, dir: &str, each: &mut dyn FnMut(&str)) -> Result<(), Unreadable> {
        self.0.list(dir, each)
    }
}

#[test]
fn what_is_read_ahead_is_what_an_audit_asks_for_in_its_order() {
    let dir = exported();
    let noting = [Noting(Folder(dir.path()), RefCell::default())];
    audited(&noting).unwrap();
    let mut asked = noting[0].1.take();
    asked.retain(|path| ["tile/", "erased/", "bodies/"].iter().any(|dir| path.starts_with(dir)));
    let (portions, more) = sync_channel(1000);
    assert!(Reading::of(Folder(dir.path()), portions).run().is_ok());
    let read: Vec<String> = more
        .iter()
        .flatten()
        .map(|read| match read {
            Read::File { path, .. } => path,
            Read::Bundle { place, .. } => place.to_string(),
        })
        .collect();
    // The partial tiles above level 0 come last, and are few.
    assert_eq!(asked.split_off(read.len()), ["tile/1/000.p/2"]);
    assert_eq!(read, asked);
    assert!(read.len() as u64 > SIZE, "bodies among them");
}

#[test]
fn the_audit_is_the_same_whatever_is_missing_or_altered() {
    let dir = exported();
    let same = |what: &str| {
        let plain = audited(&[Folder(dir.path())]);
        let ahead = read_ahead(&[dir.path()], |files| audited(files));
        assert_eq!(ahead, plain, "{what}");
        plain.map(|audit| audit.logs[0].counts.clone())
    };
    let sound = same("sound").unwrap();
    let all = |dir: &Path| -> Vec<_> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let body = all(&dir.path().join("bodies")).remove(0);
    let tile = |path: &str| dir.path().join("tile").join(path);
    for path in [
        body,
        tile("entries/001"),
        tile("entries/000"),
        tile("entries/002.p/188"),
        tile("0/001"),
        tile("1/000.p/2"),
        dir.path().join("checkpoint"),
    ] {
        let bytes = fs::read(&path).unwrap();
        let what = path.display().to_string();
        fs::remove_file(&path).unwrap();
        let _ = same(&format!("{what} is missing"));
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let cut = same(&format!("{what} is cut"));
        assert_ne!(cut.ok(), Some(sound.clone()), "{what}");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        let _ = same(&format!("{what} is a link"));
        fs::remove_file(&path).unwrap();
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(same("sound again").unwrap(), sound);
}

#[test]
fn an_audit_that_ends_early_does_not_wait_for_what_was_read_ahead() {
    let dir = exported();
    read_ahead(&[dir.path(), dir.path()], |files| assert_eq!(files.len(), 2));
    let nowhere = dir.path().join("nowhere");
    assert!(read_ahead(&[&nowhere], |files| audited(files)).is_err());
}
