//! A log as plain files, one after the other, for anyone to check with any tool.
//!
//! The files are those of C2SP tlog-tiles, and beside them the rosters, the bodies that are held,
//! and the heads that witnesses cosigned. Invariants: the export is of the size that its head had
//! when it began, whatever is appended meanwhile; no more than one body, one bundle and the right
//! edge of the tree are in memory; `checkpoint` comes last, so that an export that was cut short is
//! none.
//!
//! Source: `docs/protocol.md`, "Export"; C2SP `tlog-tiles.md`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    body::{BodyKey, Part},
    entry::{Entry, EntryBytes},
    head::SignedHead,
    limits::BODY_BYTES_MAX,
    society::{Origin, Society},
    store::{BodyState, Reader, StoreError},
    tiles::{BUNDLE_BYTES_MAX, Layer, Place, TILE_WIDTH, Tiler, bundle, number_path},
};

/// One file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFile {
    /// Relative, with forward slashes.
    pub path: String,
    /// The whole of it; at most a body's size.
    pub bytes: Vec<u8>,
}

/// An export under way. It holds no reader, so that the owner of the store can take a step
/// between other work.
#[derive(Debug)]
pub struct Export {
    origin: Origin,
    head: SignedHead,
    cosigned: BTreeMap<Society, SignedHead>,
    with_bodies: bool,
    /// How many entries are held of those that the head speaks of.
    size: u64,
    next: u64,
    tiler: Tiler,
    pending: VecDeque<Step>,
    /// Digests of the bodies of this bundle that were given.
    given: BTreeSet<[u8; 32]>,
    ended: bool,
}

#[derive(Debug)]
enum Step {
    File(ExportFile),
    Body(Held),
    /// What of these is erased, for the bundle of this number.
    Erased(u64, Vec<Held>),
}

/// A body that an entry commits to.
#[derive(Debug, Clone, Copy)]
struct Held {
    key: BodyKey,
    digest: [u8; 32],
}

impl Step {
    fn file(path: impl ToString, bytes: Vec<u8>) -> Self {
        Self::File(ExportFile { path: path.to_string(), bytes })
    }
}

/// All files of the export of `origin`; none where no head of it is held.
///
/// `rosters` are the signed notes of all versions, from 1.
pub fn files<R: Reader>(
    reader: &R,
    origin: &Origin,
    rosters: &[Vec<u8>],
    with_bodies: bool,
) -> impl Iterator<Item = Result<ExportFile, StoreError>> {
    let mut export = Export::new(reader, origin, rosters, with_bodies);
    std::iter::from_fn(move || {
        let step = export.as_mut()?.next_file(reader);
        if !matches!(step, Some(Ok(_))) {
            export = None;
        }
        step
    })
}

impl Export {
    /// Begins; `None` where no head of `origin` is held.
    pub fn new(
        reader: &impl Reader,
        origin: &Origin,
        rosters: &[Vec<u8>],
        with_bodies: bool,
    ) -> Option<Self> {
        let (newest, held) = (reader.head(origin)?, reader.tree(origin).size());
        let mut cosigned = reader.cosigned(origin);
        let catching_up = newest.size() > held;
        // Who is catching up has entries up to a smaller size than its newest head: then the
        // largest head that can be checked in full. Failing that, an auditor sees what is missing.
        let head = match catching_up {
            false => newest,
            true => {
                let whole = cosigned.values().filter(|head| head.size() <= held);
                whole.max_by_key(|head| head.size()).cloned().unwrap_or(newest)
            }
        };
        let size = head.size().min(held);
        // Whoever is catching up lacks entries that others have checked, and that says nothing of
        // the log. Where all that the newest head speaks of is held, a larger cosigned one shows
        // that the log was cut: the evidence that an export is for.
        if catching_up {
            cosigned.retain(|_, seen| seen.size() <= head.size());
        }
        let pending = (1..)
            .zip(rosters)
            .map(|(version, note)| Step::file(format!("roster/{version}"), note.clone()))
            .collect();
        Some(Self {
            origin: origin.clone(),
            head,
            cosigned,
            with_bodies,
            size,
            next: 0,
            tiler: Tiler::default(),
            pending,
            given: BTreeSet::new(),
            ended: false,
        })
    }

    /// How many entries were given, and how many there are.
    pub fn progress(&self) -> (u64, u64) {
        (self.next, self.size)
    }

    /// The next file; `None` after the last.
    pub fn next_file(&mut self, reader: &impl Reader) -> Option<Result<ExportFile, StoreError>> {
        loop {
            let step = match self.pending.pop_front() {
                Some(Step::File(file)) => Ok(Some(file)),
                Some(Step::Body(held)) => self.body(reader, held),
                Some(Step::Erased(bundle, held)) => Ok(self.erased(reader, bundle, &held)),
                None if self.next < self.size => self.read_bundle(reader).map(|()| None),
                None if !self.ended => {
                    self.end();
                    Ok(None)
                }
                None => return None,
            };
            if let Some(answer) = step.transpose() {
                return Some(answer);
            }
        }
    }

    /// Reads the next bundle of entries and notes what follows from it.
    fn read_bundle(&mut self, reader: &impl Reader) -> Result<(), StoreError> {
        let number = self.next / u64::from(TILE_WIDTH);
        let place = Place::new(Layer::Entries, number, self.size)
            .ok_or(StoreError::OutOfRange(self.next))?;
        let mut entries: Vec<EntryBytes> = Vec::new();
        while entries.len() < usize::from(place.width()) {
            let at = place.start() + entries.len() as u64;
            let count = u64::from(place.width()) - entries.len() as u64;
            let more = reader.entries(&self.origin, at, count, BUNDLE_BYTES_MAX)?;
            if more.is_empty() || more.len() as u64 > count {
                return Err(StoreError::OutOfRange(at));
            }
            entries.extend(more);
        }
        self.pending.push_back(Step::file(place, bundle(&entries)));
        let mut bodies = Vec::new();
        for (index, entry) in (place.start()..).zip(&entries) {
            let pending = &mut self.pending;
            self.tiler.push(entry.leaf_hash(), |place, bytes| {
                pending.push_back(Step::file(place, bytes));
            });
            if let Ok(Entry::V1(header)) = Entry::parse_at(entry.as_slice(), &self.origin, index) {
                bodies.extend(Part::ALL.into_iter().filter_map(|part| {
                    let digest = header.commitment(part)?.digest;
                    Some(Held { key: header.body_key(part)?, digest })
                }));
            }
        }
        self.given.clear();
        if self.with_bodies {
            self.pending.extend(bodies.iter().map(|held| Step::Body(*held)));
        }
        self.pending.push_back(Step::Erased(number, bodies));
        self.next = place.start() + u64::from(place.width());
        Ok(())
    }

    fn body(&mut self, reader: &impl Reader, held: Held) -> Result<Option<ExportFile>, StoreError> {
        let limit = usize::try_from(BODY_BYTES_MAX).unwrap_or(usize::MAX);
        let Some(bytes) = reader.body(&held.key, 0, limit)? else { return Ok(None) };
        self.given.insert(held.digest);
        Ok(Some(ExportFile { path: body_path(&held.digest), bytes }))
    }

    /// A body that was erased after it was given is not listed: this export still holds it.
    fn erased(&mut self, reader: &impl Reader, bundle: u64, bodies: &[Held]) -> Option<ExportFile> {
        let lines: String = bodies
            .iter()
            .filter(|held| reader.body_state(&held.key) == BodyState::Erased)
            .filter(|held| !self.given.contains(&held.digest))
            .map(|held| format!("{}\n", hex::encode(held.digest)))
            .collect();
        let path = erased_path(bundle);
        (!lines.is_empty()).then(|| ExportFile { path, bytes: lines.into() })
    }

    fn end(&mut self) {
        self.ended = true;
        for (place, bytes) in self.tiler.partial() {
            self.pending.push_back(Step::file(place, bytes));
        }
        for (society, head) in std::mem::take(&mut self.cosigned) {
            self.pending.push_back(Step::file(format!("heads/{society}"), head.to_bytes()));
        }
        self.pending.push_back(Step::file("checkpoint", self.head.to_bytes()));
    }
}

/// Where the body with this digest lies.
pub fn body_path(digest: &[u8; 32]) -> String {
    format!("bodies/{}", hex::encode(digest))
}

/// Where the digests of the erased bodies of bundle `number` are listed, one a line.
pub fn erased_path(number: u64) -> String {
    format!("erased/{}", number_path(number))
}
