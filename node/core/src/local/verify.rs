//! Checking an export of the local log, trusting nobody: every leaf under the signed head, every
//! opened record against its leaf, nothing of what must be open withheld, and that it goes on from
//! where an earlier export ended.

use signed_note::{Note, Signature};
use tlog_tiles::{Checkpoint, Hash};
use tutti_proto::v1::{self, local_record::Event};

use super::{head_text, is_for_auditors, leaf_hash, opens, parse_leaf};
use crate::{
    keys::NoteKey,
    limits::HEAD_BYTES_MAX,
    tiles::{Layer, Place, TILE_WIDTH},
    tree::Tree,
};

/// Who has read what, when and, where the glass was broken, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The entry.
    pub index: u64,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Who.
    pub pseudonym: String,
    /// Which case, in hexadecimal; empty where it was none.
    pub referral: String,
    /// Which addressed information share, in hexadecimal; empty where it was none.
    pub share: String,
    /// Whose titles were listed, of addressed shares, in hexadecimal; empty where none were.
    pub titles: Vec<String>,
    /// Which cases a search has found by their contents, in hexadecimal.
    pub found: Vec<String>,
    /// Of a search how many contents were opened, of titles how many there were; else one.
    pub count: u64,
    /// content, print, share, …
    pub what: String,
    /// Empty where no glass was broken.
    pub reason: String,
}

/// What is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A stable word for programs.
    pub code: &'static str,
    /// A file or an entry.
    pub place: String,
}

/// What an export holds, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The log's name, as its head says.
    pub log: String,
    /// Entries that the head speaks of.
    pub size: u64,
    /// Entries by kind.
    pub kinds: std::collections::BTreeMap<String, u64>,
    /// Every read.
    pub reads: Vec<Read>,
    /// Every alert: index, time, what, who.
    pub alerts: Vec<(u64, u64, String, String)>,
    /// Empty where all is well.
    pub findings: Vec<Finding>,
}

impl Report {
    fn find(&mut self, code: &'static str, place: impl Into<String>) {
        self.findings.push(Finding { code, place: place.into() });
    }
}

/// Checks an export. `file` gives the bytes of a path in it; `earlier` is the `checkpoint` of one
/// that was taken before, which this one must go on from.
pub fn verify(
    key: &NoteKey,
    mut file: impl FnMut(&str) -> Option<Vec<u8>>,
    earlier: Option<&[u8]>,
) -> Report {
    let mut report = Report::default();
    let Some(bytes) = file("checkpoint") else {
        report.find("no_checkpoint", "checkpoint");
        return report;
    };
    let Some((size, root)) = open_head(key, &bytes) else {
        report.find("head_not_signed", "checkpoint");
        return report;
    };
    report.log = key.name().into();
    report.size = size;
    let earlier = earlier.map(|bytes| open_head(key, bytes));
    if earlier == Some(None) {
        report.find("earlier_head_not_signed", "earlier checkpoint");
    }
    let earlier = earlier.flatten();
    let mut tree = Tree::default();
    let mut met = earlier.is_none_or(|(size, root)| size == 0 && root == tree.root());
    for number in 0..size.div_ceil(u64::from(TILE_WIDTH)) {
        let Some(place) = Place::new(Layer::Entries, number, size) else { break };
        let opened = opened_path(&place);
        let (Some(leaves), Some(records)) = (
            file(&place.to_string()).and_then(|bytes| frames(&bytes, place.width())),
            file(&opened).and_then(|bytes| frames(&bytes, place.width())),
        ) else {
            report.find("file_missing_or_broken", place.to_string());
            return report;
        };
        for ((index, leaf), record) in (place.start()..).zip(&leaves).zip(&records) {
            tree.push(leaf_hash(leaf), |_| ());
            if earlier == Some((tree.size(), tree.root())) {
                met = true;
            }
            entry(&mut report, key.name(), index, leaf, record);
        }
    }
    if tree.root() != root {
        report.find("root_differs", "checkpoint");
    }
    if !met {
        report.find("does_not_go_on_from_earlier", "checkpoint");
    }
    report
}

fn entry(report: &mut Report, log: &str, index: u64, leaf: &[u8], record: &[u8]) {
    let place = format!("entry {index}");
    let Some(leaf) = parse_leaf(leaf, log, index) else {
        return report.find("leaf_malformed", place);
    };
    let kind = leaf.kind().as_str_name().trim_start_matches("LOCAL_KIND_").to_lowercase();
    *report.kinds.entry(kind).or_default() += 1;
    if record.is_empty() {
        if is_for_auditors(leaf.kind()) {
            report.find("withheld", place);
        }
        return;
    }
    match opens(&leaf, record).and_then(|record| record.event) {
        None => report.find("record_differs", place),
        Some(Event::Read(read)) => report.reads.push(Read {
            index,
            at_ms: leaf.recorded_at_ms,
            count: read_count(&read),
            pseudonym: read.pseudonym,
            referral: hex::encode(read.referral),
            share: hex::encode(read.share),
            titles: ids(&read.titles),
            found: ids(&read.found),
            what: read.what,
            reason: read.reason,
        }),
        Some(Event::Alert(v1::LocalAlert { what, pseudonym, .. })) => {
            report.alerts.push((index, leaf.recorded_at_ms, what, pseudonym));
        }
        Some(_) => {}
    }
}

/// The shares or cases that a read names one after the other, in hexadecimal.
pub fn ids(bytes: &[u8]) -> Vec<String> {
    bytes.chunks(16).map(hex::encode).collect()
}

/// What a read counts: of a search how many contents were opened, of titles how many there were; else one.
pub fn read_count(read: &v1::LocalRead) -> u64 {
    let listed = (read.titles.len() + read.found.len()).div_ceil(16) as u64;
    if read.opened > 0 { read.opened } else { listed.max(1) }
}

/// Where the opened records of a bundle of entries lie.
pub(super) fn opened_path(place: &Place) -> String {
    place.to_string().replacen("tile/entries", "opened", 1)
}

/// `count` items, each after its length in two bytes.
fn frames(bytes: &[u8], count: u16) -> Option<Vec<Vec<u8>>> {
    let mut rest = bytes;
    let mut frames = Vec::new();
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (frame, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        frames.push(frame.to_vec());
        rest = after;
    }
    rest.is_empty().then_some(frames)
}

/// Size and root of a head that the key has signed.
fn open_head(key: &NoteKey, bytes: &[u8]) -> Option<(u64, Hash)> {
    if bytes.len() > HEAD_BYTES_MAX {
        return None;
    }
    let note = Note::from_bytes(bytes).ok()?;
    let checkpoint = Checkpoint::from_bytes(note.text()).ok()?;
    let (size, root) = (checkpoint.size(), *checkpoint.hash());
    if checkpoint.origin() != key.name()
        || head_text(key.name(), size, root).as_bytes() != note.text()
    {
        return None;
    }
    let lines = bytes.get(note.text().len() + 1..)?.split(|byte| *byte == b'\n');
    let mut signatures = lines.filter_map(|line| Signature::from_bytes(line).ok());
    signatures.any(|signature| key.verify(&note, &signature)).then_some((size, root))
}

/// The files of an export: path and bytes. `entries` are the leaves, each with its salted record.
pub fn files(head: Vec<u8>, entries: &[(Vec<u8>, Vec<u8>)], log: &str) -> Vec<(String, Vec<u8>)> {
    let size = entries.len() as u64;
    let mut files = Vec::new();
    for (number, bundle) in (0..).zip(entries.chunks(usize::from(TILE_WIDTH))) {
        let Some(place) = Place::new(Layer::Entries, number, size) else { break };
        let (mut leaves, mut opened) = (Vec::new(), Vec::new());
        for (index, (leaf, salted)) in (place.start()..).zip(bundle) {
            let open = parse_leaf(leaf, log, index).is_some_and(|l| is_for_auditors(l.kind()));
            frame(&mut leaves, leaf);
            frame(&mut opened, if open { salted } else { &[] });
        }
        files.push((place.to_string(), leaves));
        files.push((opened_path(&place), opened));
    }
    files.push(("checkpoint".into(), head));
    files
}

fn frame(out: &mut Vec<u8>, bytes: &[u8]) {
    // Leaves and records are below this by their own limits.
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(bytes.iter().take(usize::from(length)));
}
