//! What an auditor checks: a whole export, from plain files alone, and every finding at once.
//!
//! [`audit`] derives the tree anew from the entries, and compares with it the hash tiles, the
//! signed head, and each head that a witness cosigned; it checks the roster chain from its
//! founding, every entry, and every body that is there. With an audit key it opens the records and
//! follows each referral. [`audit_all`] does so for several logs and judges the work over all of
//! them. Invariants: nothing in the files is believed before it was checked, and one wrong thing
//! does not hide the next; memory does not grow with the log, only (with a key) with the number of
//! steps of referrals; no text out of a body gets into a report.
//!
//! Source: `docs/protocol.md`, "Export"; `docs/auditing.md`.

mod bodies;
mod finding;
#[cfg(test)]
mod fixture;
mod gap;
mod gathered;
mod heads;
pub mod process;
mod records;
mod rosters;
mod walk;
mod workflow;

use std::collections::BTreeMap;

use serde::Serialize;

pub use finding::{Code, Finding, Severity};

use crate::{
    head::Head,
    limits::HEAD_BYTES_MAX,
    sealing::Identity,
    society::Society,
    tiles::{BUNDLE_BYTES_MAX, Bundle, BundleError, Place},
};
use finding::Findings;
use gathered::Gathered;
pub use process::Process;

/// The files of an export, wherever they are.
pub trait Files {
    /// The first `limit` bytes of a file, by its path with forward slashes; `None` where there is
    /// no such file.
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, Unreadable>;

    /// The bundle of entries at `place`, taken apart and hashed; `None` where there is no such file.
    /// Whoever can may have done so ahead, on another thread: it follows from the file's bytes.
    fn bundle(&self, place: Place) -> Result<Option<Result<Bundle, BundleError>>, Unreadable> {
        let bytes = self.read(&place.to_string(), BUNDLE_BYTES_MAX + 1)?;
        Ok(bytes.map(|bytes| Bundle::derive(bytes, place.width())))
    }

    /// Gives `each` the names in a directory (`""` for the export itself), in any order; none
    /// where there is no such directory.
    fn list(&self, dir: &str, each: &mut dyn FnMut(&str)) -> Result<(), Unreadable>;
}

/// The files could not be read, or are no export. This is no finding: nothing was judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct Unreadable {
    /// Which file or directory.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

impl Unreadable {
    /// A file that could not be read.
    pub fn new(path: &str, problem: impl ToString) -> Self {
        Self { path: path.into(), problem: problem.to_string() }
    }
}

/// What the auditor brings along.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Open records, which hold no personal data.
    pub audit_keys: &'a [&'a Identity],
    /// SHA-256 of the text of the founding roster, from elsewhere than the export.
    pub first_roster_hash: Option<[u8; 32]>,
}

/// A witness's newest word on this log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// Who.
    pub society: Society,
    /// How many entries it has checked.
    pub size: u64,
    /// When, seconds since the Unix epoch, by its clock.
    pub time_s: u64,
}

/// How many bodies, of those that entries commit to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Bodies {
    /// Are in the export.
    pub present: u64,
    /// Are not, and are not erased either.
    pub absent: u64,
    /// Were erased by the holder.
    pub erased: u64,
}

/// What was seen of records and of the work that they tell of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Records {
    /// Were read.
    pub opened: u64,
    /// Are sealed, and no key was given.
    pub sealed: u64,
    /// Are sealed to other keys than the one that was given.
    pub not_for_key: u64,
    /// Tell of something that this version does not know.
    pub unknown: u64,
    /// Steps of referrals.
    pub referral_events: u64,
    /// Referrals of which a step was seen.
    pub referrals: u64,
    /// Steps of information shares.
    pub information_events: u64,
}

/// The result of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The log.
    pub origin: String,
    /// Its federation, by the rosters.
    pub federation: String,
    /// How many entries the signed head speaks of.
    pub size: u64,
    /// Its root hash, in hex.
    pub root: String,
    /// The newest version in a valid chain; 0 where there is none.
    pub roster_version: u64,
    /// SHA-256 of the text of version 1, in hex, to compare with one from elsewhere.
    pub first_roster_hash: String,
    /// When the newest version expires; people are warned, nothing else.
    pub roster_expires_on: String,
    /// Who has cosigned, the newest word of each.
    pub witnesses: Vec<Witness>,
    /// Entries that were read and checked.
    pub entries: u64,
    /// Entries of a version that this program does not know.
    pub entries_unknown: u64,
    /// Bodies.
    pub bodies: Bodies,
    /// Records.
    pub records: Records,
    /// What this audit could not see, in sentences.
    pub unseen: Vec<String>,
    /// All that was found, the worst first.
    pub findings: Vec<Finding>,
    /// How many of each code, those that are not listed too.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Whether anything was found that a person must look at.
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }
}

/// What several exports tell together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Each log by itself, in the order in which they were given.
    pub logs: Vec<Report>,
    /// The work that the logs tell of together; none where no key was given.
    pub process: Option<Process>,
}

impl Audit {
    /// Whether anything was found that a person must look at.
    pub fn is_clean(&self) -> bool {
        self.logs.iter().all(Report::is_clean) && self.process.iter().all(Process::is_clean)
    }
}

/// Checks several exports, and with an audit key the work that they tell of together, at `now_ms`
/// (milliseconds since the Unix epoch; for what is overdue, and nothing else). `progress` is told
/// how many entries of one log are done, and of how many.
///
/// # Errors
/// Which of the exports cannot be read, and why; then nothing was judged.
pub fn audit_all<F: Files>(
    exports: &[F],
    options: Options<'_>,
    now_ms: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Audit, (usize, Unreadable)> {
    let mut gathered = Gathered::default();
    // What the exports claim, so that two of one log can be compared.
    let mut heads = Vec::new();
    for (number, files) in exports.iter().enumerate() {
        let bytes =
            files.read("checkpoint", HEAD_BYTES_MAX + 1).map_err(|error| (number, error))?;
        heads.extend(bytes.and_then(|bytes| Head::claimed(&bytes).ok()).map(|head| (number, head)));
    }
    let mut logs = Vec::new();
    for (number, files) in exports.iter().enumerate() {
        let own = heads.iter().find(|(of, _)| *of == number).map(|(_, head)| head);
        let elsewhere: Vec<Head> = heads
            .iter()
            .filter(|(of, head)| *of != number && own.is_some_and(|own| own.origin == head.origin))
            .map(|(_, head)| head.clone())
            .collect();
        let report = one(files, options, &elsewhere, Some(&mut gathered), progress);
        logs.push(report.map_err(|error| (number, error))?);
    }
    let with_key = !options.audit_keys.is_empty();
    let process = with_key.then(|| process::judge(&gathered, now_ms));
    Ok(Audit { logs, process })
}

/// Checks one export by itself. `progress` is told how many entries are done, and of how many.
pub fn audit(
    files: &impl Files,
    options: Options<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, Unreadable> {
    one(files, options, &[], None, progress)
}

fn one(
    files: &impl Files,
    options: Options<'_>,
    elsewhere: &[Head],
    mut gathered: Option<&mut Gathered>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, Unreadable> {
    let mut findings = Findings::default();
    let chain = rosters::check(files, options.first_roster_hash, &mut findings)?;
    if let Some(gathered) = &mut gathered {
        gathered.rosters(&chain);
    }
    let heads = heads::check(files, &chain, &mut findings)?;
    unknown_files(files, &mut findings)?;
    let mut unseen = Vec::new();
    if options.first_roster_hash.is_none() {
        unseen.push(
            "whether the founding roster is the right one: compare its hash with one that you \
             have from elsewhere"
                .into(),
        );
    }
    let walked = match &heads.head {
        Some(_) => {
            let reading = (options.audit_keys, gathered);
            walk::walk(files, &chain, &heads, elsewhere, reading, &mut findings, progress)?
        }
        None => {
            unseen.push("anything below the checkpoint, which cannot be read".into());
            walk::Walked::default()
        }
    };
    unseen.extend(walked.unseen(!options.audit_keys.is_empty()));
    let newest = chain.last();
    let (findings, counts) = findings.end();
    Ok(Report {
        origin: heads.head.as_ref().map(|head| head.origin.to_string()).unwrap_or_default(),
        federation: newest.map(|roster| roster.federation().into()).unwrap_or_default(),
        size: heads.head.as_ref().map_or(0, |head| head.size),
        root: heads.head.as_ref().map(|head| hex::encode(head.root.0)).unwrap_or_default(),
        roster_version: newest.map_or(0, |roster| roster.version()),
        first_roster_hash: chain.first().map(|one| hex::encode(one.hash())).unwrap_or_default(),
        roster_expires_on: newest.map(|roster| roster.expires_on().into()).unwrap_or_default(),
        witnesses: heads.witnesses,
        entries: walked.entries,
        entries_unknown: walked.entries_unknown,
        bodies: walked.bodies,
        records: walked.records,
        unseen,
        findings,
        counts,
    })
}

/// Names at the top that no export has.
fn unknown_files(files: &impl Files, findings: &mut Findings) -> Result<(), Unreadable> {
    files.list("", &mut |name| {
        if !["checkpoint", "tile", "roster", "bodies", "heads", "erased"].contains(&name) {
            let place: String = name.chars().take(100).collect();
            findings.add(Code::FileUnknown, place, "no part of an export; it was not looked at");
        }
    })
}

/// For tests, and for an export that was never written to a disk.
impl Files for BTreeMap<String, Vec<u8>> {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(self.get(path).map(|bytes| bytes.get(..limit).unwrap_or(bytes).to_vec()))
    }

    fn list(&self, dir: &str, each: &mut dyn FnMut(&str)) -> Result<(), Unreadable> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let mut last = None;
        for path in self.keys().filter_map(|path| path.strip_prefix(&prefix)) {
            let name = path.split('/').next().unwrap_or(path);
            if last != Some(name) {
                each(name);
                last = Some(name);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
