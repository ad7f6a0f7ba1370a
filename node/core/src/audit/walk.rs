//! The walk along the log: one bundle at a time, everything that hangs on it, then the next.
//!
//! Where entries and hash tiles as they were given part, two trees grow side by side from there;
//! which of the two has the signed root tells which was altered. Memory: one bundle, one
//! tile a level, two right edges.

use std::collections::BTreeMap;

use tlog_tiles::Hash;

use super::{
    Bodies, Code, Files, Findings, Records, Unreadable, bodies,
    gap::Gap,
    gathered::{Gathered, Held},
    heads::Heads,
    records::Reading,
};
use crate::{
    body::Part,
    entry::{Entry, EntryError, Header},
    head::Head,
    roster::Roster,
    sealing::Identity,
    society::Society,
    tiles::{Bundle, Layer, Place, TILE_BYTES_MAX, TILE_WIDTH, Tiler, tile_hashes},
    tree::Tree,
};

/// Places in a row where neither entries nor hashes are there, before the walk ends: a head may speak
/// of 2^40 entries that nobody has.
const GONE_MAX: u64 = 1_000;

/// What the walk saw.
#[derive(Default)]
pub(super) struct Walked {
    pub(super) entries: u64,
    pub(super) entries_unknown: u64,
    pub(super) bodies: Bodies,
    pub(super) records: Records,
    /// Audit keys that are in no roster.
    pub(super) keys_unknown: u64,
}

/// A tree that grows until a leaf is missing.
#[derive(Clone)]
struct Growing(Option<Tree>);

impl Growing {
    fn push(&mut self, leaf: Option<Hash>) {
        match (&mut self.0, leaf) {
            (Some(tree), Some(leaf)) => tree.push(leaf, |_| ()),
            _ => self.0 = None,
        }
    }

    fn root(&self) -> Option<Hash> {
        self.0.as_ref().map(Tree::root)
    }
}

struct Walk<'a, F> {
    files: &'a F,
    head: &'a Head,
    /// By size: what witnesses say that the root was.
    wanted: BTreeMap<u64, Vec<(Society, Hash)>>,
    /// By size: what another export of this log says.
    elsewhere: &'a [Head],
    by_entries: Growing,
    /// From where the tiles say something else than the entries.
    by_tiles: Option<Growing>,
    /// Hash tiles above level 0, from those of level 0; none once one is missing.
    tiler: Option<Tiler>,
    reading: Reading<'a>,
    walked: Walked,
    /// Whether there is any body at all.
    bodies: bool,
    findings: &'a mut Findings,
    /// Places in a row, up to here, where nothing is.
    gone: u64,
    /// Those, up to here, where no entries are, and where no hashes of leaves are.
    no_entries: Option<Gap>,
    no_hashes: Option<Gap>,
}

/// Walks all entries that the head speaks of.
pub(super) fn walk<F: Files>(
    files: &F,
    chain: &[Roster],
    heads: &Heads,
    elsewhere: &[Head],
    reading: (&[&Identity], Option<&mut Gathered>),
    findings: &mut Findings,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Walked, Unreadable> {
    let Some(head) = &heads.head else { return Ok(Walked::default()) };
    let mut wanted: BTreeMap<u64, Vec<(Society, Hash)>> = BTreeMap::new();
    for (society, seen) in &heads.cosigned {
        wanted.entry(seen.size).or_default().push((*society, seen.root));
    }
    let mut any_body = false;
    files.list("bodies", &mut |_| any_body = true)?;
    let mut walk = Walk {
        files,
        head,
        wanted,
        elsewhere,
        by_entries: Growing(Some(Tree::default())),
        by_tiles: None,
        tiler: Some(Tiler::default()),
        reading: Reading::new(head.origin.clone(), reading.0, reading.1, chain),
        walked: Walked::default(),
        bodies: any_body,
        findings,
        gone: 0,
        no_entries: None,
        no_hashes: None,
    };
    walk.compare_witnesses(0);
    progress(0, head.size);
    for number in 0..head.size.div_ceil(u64::from(TILE_WIDTH)) {
        walk.bundle(number)?;
        if walk.gone > GONE_MAX {
            walk.give_up(number);
            break;
        }
        progress(head.size.min((number + 1) * u64::from(TILE_WIDTH)), head.size);
    }
    walk.end()
}

impl<F: Files> Walk<'_, F> {
    fn bundle(&mut self, number: u64) -> Result<(), Unreadable> {
        let (Some(place), Some(tile)) = (
            Place::new(Layer::Entries, number, self.head.size),
            Place::new(Layer::Hashes(0), number, self.head.size),
        ) else {
            return Ok(());
        };
        let entries = self.read_entries(place)?;
        let hashes = self.read_tile(tile)?;
        let nothing = entries.is_none() && hashes.is_none();
        self.gone = if nothing { self.gone + 1 } else { 0 };
        let leaves = entries.as_ref().map(Bundle::leaves);
        if leaves.is_some()
            && leaves == hashes.as_deref()
            && let Some(root) = entries.as_ref().and_then(Bundle::root)
            && self.take_full(place, root)?
        {
            return self.check_entries(number, place, entries.as_ref());
        }
        let leaf = |at: usize| leaves?.get(at).copied();
        for (at, index) in (place.start()..).take(usize::from(place.width())).enumerate() {
            let given = hashes.as_ref().and_then(|hashes| hashes.get(at).copied());
            let derived = leaf(at);
            if let (Some(derived), Some(given)) = (derived, given)
                && derived != given
            {
                self.findings.add(
                    Code::TileMismatch,
                    format!("{tile} hash {at}"),
                    format!("entry {index} hashes to {derived}, the tile says {given}"),
                );
            }
            if self.by_tiles.is_none() && derived != given {
                self.by_tiles = Some(self.by_entries.clone());
            }
            self.by_entries.push(derived);
            if let Some(tiles) = &mut self.by_tiles {
                tiles.push(given);
            }
            self.grow_tiles(given.or(derived))?;
            self.compare_witnesses(index + 1);
        }
        self.check_entries(number, place, entries.as_ref())
    }

    /// Takes a full bundle that its tile agrees with by the root over it. `false`, and nothing is
    /// taken, where it must be looked at leaf by leaf.
    fn take_full(&mut self, place: Place, root: Hash) -> Result<bool, Unreadable> {
        let (start, end) = (place.start(), place.start() + u64::from(TILE_WIDTH));
        let (Growing(Some(tree)), None, Some(tiler)) =
            (&mut self.by_entries, &self.by_tiles, &mut self.tiler)
        else {
            return Ok(false);
        };
        if tree.size() != start || self.wanted.range(start + 1..end).next().is_some() {
            return Ok(false);
        }
        let mut above = Vec::new();
        if !tiler.push_full(root, |place, bytes| above.push((place, bytes)))
            || !tree.push_subtree(TILE_WIDTH.trailing_zeros(), root, |_| ())
        {
            self.tiler = None;
            return Ok(false);
        }
        above.into_iter().try_for_each(|(place, bytes)| self.compare_tile(place, &bytes))?;
        self.compare_witnesses(end);
        Ok(true)
    }

    /// Ends the walk after the place of this number.
    fn give_up(&mut self, number: u64) {
        self.close_gaps();
        let next = (number + 1).saturating_mul(u64::from(TILE_WIDTH));
        self.findings.add(
            Code::BundleMissing,
            "tile",
            format!(
                "{GONE_MAX} places in a row are empty; nothing from entry {next} on was looked for"
            ),
        );
        self.reading.missed(None);
        for (size, words) in std::mem::take(&mut self.wanted) {
            for (society, _) in words {
                self.findings.add(
                    Code::TreeIncomplete,
                    format!("heads/{society}"),
                    format!("entries before {size} are missing; the head could not be compared"),
                );
            }
        }
    }

    fn read_entries(&mut self, place: Place) -> Result<Option<Bundle>, Unreadable> {
        let Some(bundle) = self.files.bundle(place)? else {
            self.no_entries = Some(Gap::extended(self.no_entries, place));
            return Ok(None);
        };
        self.close_entries();
        match bundle {
            Ok(bundle) => Ok(Some(bundle)),
            Err(error) => {
                self.findings.add(Code::BundleMalformed, place, error);
                Ok(None)
            }
        }
    }

    fn read_tile(&mut self, place: Place) -> Result<Option<Vec<Hash>>, Unreadable> {
        let Some(bytes) = self.files.read(&place.to_string(), TILE_BYTES_MAX + 1)? else {
            match place.layer() {
                Layer::Hashes(0) => self.no_hashes = Some(Gap::extended(self.no_hashes, place)),
                _ => self.findings.add(Code::TileMissing, place, "the hash tile is not there"),
            }
            return Ok(None);
        };
        if place.layer() == Layer::Hashes(0) {
            self.close_hashes();
        }
        let hashes = tile_hashes(&bytes, place.width());
        if hashes.is_none() {
            self.findings.add(
                Code::TileMalformed,
                place,
                format!("{} bytes, not {} hashes", bytes.len(), place.width()),
            );
        }
        Ok(hashes)
    }

    fn close_gaps(&mut self) {
        self.close_entries();
        self.close_hashes();
    }

    fn close_entries(&mut self) {
        if let Some(gap) = self.no_entries.take() {
            self.findings.add(Code::BundleMissing, gap, gap.of_entries());
        }
    }

    fn close_hashes(&mut self) {
        if let Some(gap) = self.no_hashes.take() {
            self.findings.add(Code::TileMissing, gap, gap.of_hashes());
        }
    }

    /// Checks the tiles above level 0 that the next leaf completes.
    fn grow_tiles(&mut self, leaf: Option<Hash>) -> Result<(), Unreadable> {
        let (Some(tiler), Some(leaf)) = (&mut self.tiler, leaf) else {
            self.tiler = None;
            return Ok(());
        };
        let mut full = Vec::new();
        tiler.push(leaf, |place, bytes| full.push((place, bytes)));
        full.into_iter().try_for_each(|(place, bytes)| self.compare_tile(place, &bytes))
    }

    fn compare_tile(&mut self, place: Place, expected: &[u8]) -> Result<(), Unreadable> {
        if place.layer() == Layer::Hashes(0) {
            return Ok(());
        }
        let Some(given) = self.read_tile(place)? else { return Ok(()) };
        let expected = tile_hashes(expected, place.width()).unwrap_or_default();
        for (at, (given, expected)) in given.iter().zip(&expected).enumerate() {
            if given != expected {
                self.findings.add(
                    Code::TileMismatch,
                    format!("{place} hash {at}"),
                    format!("the tiles below give {expected}, the tile says {given}"),
                );
            }
        }
        Ok(())
    }

    fn root_by_tiles(&self) -> Option<Hash> {
        self.by_tiles.as_ref().unwrap_or(&self.by_entries).root()
    }

    /// Compares the root at this size with what witnesses cosigned there.
    fn compare_witnesses(&mut self, size: u64) {
        for other in self.elsewhere.iter().filter(|other| other.size == size) {
            if self.by_entries.root().is_some_and(|root| root != other.root) {
                self.findings.add(
                    Code::ExportsDiffer,
                    "checkpoint",
                    format!(
                        "another export that was given says that the root at {size} entries is \
                         {}, which these do not give: the log showed two histories, or one was \
                         altered",
                        other.root
                    ),
                );
            }
        }
        let Some(words) = self.wanted.remove(&size) else { return };
        let (root, by_tiles) = (self.by_entries.root(), self.root_by_tiles());
        for (society, seen) in words {
            let place = format!("heads/{society}");
            match root {
                Some(root) if root == seen => {}
                Some(_) if by_tiles == Some(seen) => self.findings.add(
                    Code::RootMismatch,
                    place,
                    format!(
                        "the hash tiles give the root that {society} cosigned at {size} entries, \
                         and the entries do not: they were altered after it had checked them"
                    ),
                ),
                Some(root) => self.findings.add(
                    Code::HeadFork,
                    place,
                    format!(
                        "{society} cosigned root {seen} at {size} entries, these entries give \
                         {root}: the log showed two histories, or was altered here"
                    ),
                ),
                None => self.findings.add(
                    Code::TreeIncomplete,
                    place,
                    format!("entries before {size} are missing; the head could not be compared"),
                ),
            }
        }
    }

    /// Headers, bodies and records of a bundle, and its list of erased bodies.
    fn check_entries(
        &mut self,
        number: u64,
        place: Place,
        entries: Option<&Bundle>,
    ) -> Result<(), Unreadable> {
        let Some(entries) = entries else {
            self.reading.missed(None);
            return Ok(());
        };
        let mut erased = bodies::Erased::read(self.files, number, self.findings)?;
        for (index, entry) in (place.start()..).zip(entries.entries()) {
            self.walked.entries += 1;
            match Entry::parse_at(entry, &self.head.origin, index) {
                Ok(Entry::V1(header)) => self.header(&header, &mut erased)?,
                Ok(Entry::Unknown { version }) => {
                    self.walked.entries_unknown += 1;
                    self.reading.missed(None);
                    self.findings.add(
                        Code::EntryUnknownVersion,
                        format!("entry {index}"),
                        format!("version {version} is kept and not interpreted"),
                    );
                }
                Err(error) => {
                    let code = match error {
                        EntryError::Misplaced { .. } => Code::EntryMisplaced,
                        EntryError::Size(_)
                        | EntryError::Version
                        | EntryError::Decode
                        | EntryError::NotCanonical
                        | EntryError::Field(_) => Code::EntryMalformed,
                    };
                    self.reading.missed(None);
                    self.findings.add(code, format!("entry {index}"), error);
                }
            }
        }
        erased.end(self.findings);
        Ok(())
    }

    fn header(&mut self, header: &Header, erased: &mut bodies::Erased) -> Result<(), Unreadable> {
        let counts = &mut self.walked.bodies;
        // Where there is none, nothing has to be looked for by name.
        let files = self.bodies.then_some(self.files);
        let record = bodies::Body { header, part: Part::Record };
        let record = bodies::check(files, record, erased, counts, self.findings)?;
        let mut held = Held::Absent;
        if let Some(commitment) = header.content {
            let content = bodies::Body { header, part: Part::Content };
            held = match bodies::check(files, content, erased, counts, self.findings)? {
                Some(_) => Held::Present,
                None if erased.names(&commitment.digest) => Held::Erased,
                None => Held::Absent,
            };
        }
        match record {
            Some(record) => self.reading.read(header, &record, held, self.findings),
            None => self.reading.missed(Some(header.visibility)),
        }
        Ok(())
    }

    fn end(mut self) -> Result<Walked, Unreadable> {
        self.close_gaps();
        let partial = self.tiler.as_ref().map(Tiler::partial).unwrap_or_default();
        for (place, bytes) in partial {
            self.compare_tile(place, &bytes)?;
        }
        let signed = Some(self.head.root);
        let (entries, tiles) = (self.by_entries.root(), self.root_by_tiles());
        if entries.is_none() {
            self.findings.add(
                Code::TreeIncomplete,
                "checkpoint",
                if tiles == signed {
                    "entries are missing; the hash tiles do give the signed root"
                } else {
                    "entries are missing, and the hash tiles do not give the signed root"
                },
            );
        } else if entries != signed {
            self.findings.add(
                Code::RootMismatch,
                "checkpoint",
                if tiles == signed {
                    "the hash tiles give the signed root and the entries do not: the entries that \
                     differ from their tile were altered"
                } else {
                    "neither the entries nor the hash tiles give the signed root"
                },
            );
        }
        bodies::count_unknown(self.files, &self.walked.bodies, self.findings)?;
        self.reading.end(&mut self.walked);
        Ok(self.walked)
    }
}

impl Walked {
    /// What could not be seen, in sentences.
    pub(super) fn unseen(&self, with_key: bool) -> Vec<String> {
        let mut unseen = Vec::new();
        let mut say = |count: u64, one: &str, many: &str, what: &str| {
            if count > 0 {
                let noun = if count == 1 { one } else { many };
                unseen.push(format!("{count} {noun} {what}"));
            }
        };
        let mut records = |count, what: &str| say(count, "record", "records", what);
        records(self.records.sealed, "under seal: give an audit key to check their workflow");
        records(self.records.not_for_key, "sealed to other keys than the one given");
        records(self.records.unknown, "of something that this program does not know");
        let later = "of a version that this program does not know";
        say(self.entries_unknown, "entry", "entries", later);
        say(self.bodies.absent, "body", "bodies", "not held by this export");
        say(self.bodies.erased, "body", "bodies", "erased by the holder");
        say(self.keys_unknown, "audit key", "audit keys", "that no roster lists");
        if !with_key {
            unseen.push("who the parties of sealed entries are, and what they did".into());
        }
        unseen
    }
}
