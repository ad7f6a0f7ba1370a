//! Reading an export ahead of its audit, on a thread of its own.
//!
//! An audit asks for one bundle of entries after the other, each with its hash tile, the list of what
//! was erased and the bodies that its entries commit to. The thread reads them in that order, takes
//! bundles apart and hashes them. Invariant: what the audit is given is what [`Folder`] would have
//! given: where it asks for anything else than what was read, it is read when it asks. So a guess
//! that is wrong costs time and nothing else. Memory: a few portions, each of a bundle or some bodies.

use std::{
    cell::RefCell,
    collections::VecDeque,
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use tutti_core::{
    audit::{Files, Unreadable},
    body::Part,
    entry::Entry,
    export::{body_path, erased_path},
    head::Head,
    limits::{BODY_BYTES_MAX, HEAD_BYTES_MAX},
    tiles::{Bundle, BundleError, Layer, Place, TILE_BYTES_MAX, TILE_WIDTH},
};

use super::Folder;

/// Portions that may wait.
const PORTIONS: usize = 4;

/// Bodies, and bytes of them, after which a portion is handed over.
const PORTION_BODIES: usize = 32;
const PORTION_BYTES: usize = 1024 * 1024;

/// More than a list of erased bodies may have.
const ERASED_BYTES_MAX: usize = 64 * 1024;

/// A file that was read, or was not there. Nothing that failed is handed over: it is tried again when
/// it is asked for.
enum Read {
    /// The beginning of a file, up to a limit.
    File {
        path: String,
        limit: usize,
        bytes: Option<Vec<u8>>,
    },
    Bundle {
        place: Place,
        bundle: Option<Result<Bundle, BundleError>>,
    },
}

type Portion = VecDeque<Read>;

/// An export's directory that is read ahead.
pub struct Ahead<'a> {
    folder: Folder<'a>,
    waiting: RefCell<Waiting>,
}

struct Waiting {
    portion: Portion,
    /// None where there is no thread, or it has ended.
    more: Option<Receiver<Portion>>,
}

/// Gives `audit` the exports in these directories, each of them read ahead until it has ended.
pub fn read_ahead<T>(dirs: &[&Path], audit: impl FnOnce(&[Ahead<'_>]) -> T) -> T {
    thread::scope(|scope| {
        let start = |folder| {
            let (portions, more) = sync_channel(PORTIONS);
            let read = move || {
                // It ends when it can foresee no more, or when nobody takes it.
                let _ = Reading::of(folder, portions).run();
            };
            // Where there is no thread to be had, all is read when it is asked for.
            let thread = thread::Builder::new().spawn_scoped(scope, read);
            let more = thread.is_ok().then_some(more);
            Ahead { folder, waiting: RefCell::new(Waiting { portion: Portion::new(), more }) }
        };
        let files: Vec<Ahead> = dirs.iter().map(|dir| start(Folder(dir))).collect();
        let done = audit(&files);
        // Whoever still reads ends by nobody taking it.
        drop(files);
        done
    })
}

impl Waiting {
    /// What was read next, where that is what is asked for.
    fn take<T>(&mut self, wanted: impl FnOnce(&Read) -> bool, read: fn(Read) -> T) -> Option<T> {
        if self.portion.is_empty() {
            match self.more.as_ref()?.recv() {
                Ok(portion) => self.portion = portion,
                Err(_) => self.more = None,
            }
        }
        if wanted(self.portion.front()?) { self.portion.pop_front().map(read) } else { None }
    }
}

impl Files for Ahead<'_> {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        // The rosters, heads and lists at either end are not read ahead, and are not waited for.
        let ahead = ["tile/", "erased/", "bodies/"].iter().any(|dir| path.starts_with(dir));
        let read = |read| match read {
            Read::File { bytes, .. } => bytes,
            Read::Bundle { .. } => None,
        };
        let wanted = |next: &Read| matches!(next, Read::File { path: next, limit: most, .. } if next == path && *most >= limit);
        let taken = if ahead { self.waiting.borrow_mut().take(wanted, read) } else { None };
        match taken {
            Some(bytes) => Ok(bytes.map(|mut bytes| {
                bytes.truncate(limit);
                bytes
            })),
            None => self.folder.read(path, limit),
        }
    }

    fn bundle(&self, place: Place) -> Result<Option<Result<Bundle, BundleError>>, Unreadable> {
        let read = |read| match read {
            Read::Bundle { bundle, .. } => bundle,
            Read::File { .. } => None,
        };
        let wanted =
            |next: &Read| matches!(next, Read::Bundle { place: next, .. } if *next == place);
        match self.waiting.borrow_mut().take(wanted, read) {
            Some(bundle) => Ok(bundle),
            None => self.folder.bundle(place),
        }
    }

    fn list(&self, dir: &str, each: &mut dyn FnMut(&str)) -> Result<(), Unreadable> {
        self.folder.list(dir, each)
    }
}

/// Nobody takes any more, or nothing more can be foreseen.
struct Over;

impl From<Unreadable> for Over {
    fn from(_: Unreadable) -> Self {
        Self
    }
}

/// The thread that reads.
struct Reading<'a> {
    folder: Folder<'a>,
    portions: SyncSender<Portion>,
    portion: Portion,
    bytes: usize,
}

impl<'a> Reading<'a> {
    fn of(folder: Folder<'a>, portions: SyncSender<Portion>) -> Self {
        Self { folder, portions, portion: Portion::new(), bytes: 0 }
    }

    fn run(mut self) -> Result<(), Over> {
        let checkpoint = self.folder.read("checkpoint", HEAD_BYTES_MAX + 1)?.ok_or(Over)?;
        let head = Head::claimed(&checkpoint).map_err(|_| Over)?;
        let mut any_body = false;
        self.folder.list("bodies", &mut |_| any_body = true)?;
        for number in 0..head.size.div_ceil(u64::from(TILE_WIDTH)) {
            let entries = Place::new(Layer::Entries, number, head.size).ok_or(Over)?;
            let bundle = self.folder.bundle(entries)?;
            let headers = if any_body { bodies_of(&head, entries, &bundle) } else { Vec::new() };
            // A log without its bundles is not worth a guess.
            let whole = matches!(bundle, Some(Ok(_)));
            self.add(Read::Bundle { place: entries, bundle }, 0)?;
            let tile = Place::new(Layer::Hashes(0), number, head.size).ok_or(Over)?;
            self.read(tile.to_string(), TILE_BYTES_MAX + 1)?;
            if !whole {
                return self.hand_over();
            }
            self.read_above(number, head.size)?;
            self.read(erased_path(number), ERASED_BYTES_MAX)?;
            self.hand_over()?;
            for digest in headers {
                self.read(body_path(&digest), BODY_BYTES_MAX as usize + 1)?;
            }
            self.hand_over()?;
        }
        Ok(())
    }

    /// The hash tiles above level 0 that a full bundle completes.
    fn read_above(&mut self, number: u64, size: u64) -> Result<(), Over> {
        let (mut complete, mut level) = (number + 1, 1);
        while complete.is_multiple_of(u64::from(TILE_WIDTH)) {
            complete /= u64::from(TILE_WIDTH);
            let tile = Place::new(Layer::Hashes(level), complete - 1, size).ok_or(Over)?;
            self.read(tile.to_string(), TILE_BYTES_MAX + 1)?;
            level += 1;
        }
        Ok(())
    }

    fn read(&mut self, path: String, limit: usize) -> Result<(), Over> {
        let bytes = self.folder.read(&path, limit)?;
        let size = bytes.as_ref().map_or(0, Vec::len);
        self.add(Read::File { path, limit, bytes }, size)
    }

    fn add(&mut self, read: Read, bytes: usize) -> Result<(), Over> {
        self.portion.push_back(read);
        self.bytes += bytes;
        match self.portion.len() >= PORTION_BODIES || self.bytes >= PORTION_BYTES {
            true => self.hand_over(),
            false => Ok(()),
        }
    }

    fn hand_over(&mut self) -> Result<(), Over> {
        self.bytes = 0;
        let portion = std::mem::take(&mut self.portion);
        if portion.is_empty() { Ok(()) } else { self.portions.send(portion).map_err(|_| Over) }
    }
}

/// The digests of the bodies that the entries of a bundle commit to, in their order.
fn bodies_of(
    head: &Head,
    place: Place,
    bundle: &Option<Result<Bundle, BundleError>>,
) -> Vec<[u8; 32]> {
    let Some(Ok(bundle)) = bundle else { return Vec::new() };
    let mut digests = Vec::new();
    for (index, entry) in (place.start()..).zip(bundle.entries()) {
        if let Ok(Entry::V1(header)) = Entry::parse_at(entry, &head.origin, index) {
            let committed = Part::ALL.into_iter().filter_map(|part| header.commitment(part));
            digests.extend(committed.map(|commitment| commitment.digest));
        }
    }
    digests
}

#[cfg(test)]
mod tests;
