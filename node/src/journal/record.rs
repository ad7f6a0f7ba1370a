//! One commit as bytes: what `commits` records hold.
//!
//! Only headers, heads and proofs are in here, never a body: so erasing a body never has to look
//! at commits. Signatures are verified again when a record is read.

use tlog_tiles::Hash;
use tutti_core::{
    batch::VerifiedBatch,
    entry::EntryBytes,
    evidence::Evidence,
    head::{HeadKeys, SignedHead},
    limits::ENTRY_BYTES_MAX,
};

/// How far the bodies were durable when a commit was made: what lies before is damage where it is
/// not whole, what lies after is a torn write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BodiesMark {
    /// The newest segment.
    pub(crate) segment: u32,
    /// Where its last body ends.
    pub(crate) end: u64,
}

/// One commit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// Entries with the head that vouches for them, and the proof that leads to it.
    Append { start: u64, entries: Vec<EntryBytes>, head: SignedHead, consistency: Vec<Hash> },
    /// A head that came by itself.
    Head(SignedHead),
    /// A log was forked.
    Evidence(Evidence),
}

const APPEND: u8 = 1;
const HEAD: u8 = 2;
const EVIDENCE: u8 = 3;

fn begin(kind: u8, mark: BodiesMark) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(mark.segment.to_be_bytes());
    bytes.extend(mark.end.to_be_bytes());
    bytes
}

fn put_block(bytes: &mut Vec<u8>, block: &[u8]) {
    bytes.extend((block.len() as u32).to_be_bytes());
    bytes.extend(block);
}

/// Entries as a tlog-tiles entry bundle: for each its length in two bytes, then its bytes.
pub(crate) fn bundle(entries: &[EntryBytes]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.iter().map(|e| 2 + e.as_slice().len()).sum());
    put_bundle(&mut bytes, entries);
    bytes
}

fn put_bundle(bytes: &mut Vec<u8>, entries: &[EntryBytes]) {
    for entry in entries {
        // An entry has at most ENTRY_BYTES_MAX bytes.
        bytes.extend((entry.as_slice().len() as u16).to_be_bytes());
        bytes.extend(entry.as_slice());
    }
}

/// Splits the first entry off a bundle. `None` where it is not whole, empty or too large.
pub(crate) fn split_entry(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bundle.split_first_chunk::<2>()?;
    let len = usize::from(u16::from_be_bytes(*len));
    if len == 0 || len > ENTRY_BYTES_MAX { None } else { rest.split_at_checked(len) }
}

/// The record of a batch.
pub(crate) fn of_batch(batch: &VerifiedBatch, mark: BodiesMark) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len_of_batch(batch));
    bytes.extend(begin(APPEND, mark));
    bytes.extend(batch.start().to_be_bytes());
    bytes.push(batch.consistency().len() as u8);
    for hash in batch.consistency() {
        bytes.extend(hash.0);
    }
    put_block(&mut bytes, &batch.head().to_bytes());
    put_bundle(&mut bytes, batch.entries());
    bytes
}

/// How long [`of_batch`] is.
pub(crate) fn len_of_batch(batch: &VerifiedBatch) -> usize {
    let entries: usize = batch.entries().iter().map(|entry| 2 + entry.as_slice().len()).sum();
    let begin = begin(APPEND, BodiesMark::default()).len();
    begin + 8 + 1 + 32 * batch.consistency().len() + 4 + batch.head().to_bytes().len() + entries
}

/// The record of a head.
pub(crate) fn of_head(head: &SignedHead, mark: BodiesMark) -> Vec<u8> {
    let mut bytes = begin(HEAD, mark);
    bytes.extend(head.to_bytes());
    bytes
}

/// The record of the evidence of a fork.
pub(crate) fn of_evidence(evidence: &Evidence, mark: BodiesMark) -> Vec<u8> {
    let mut bytes = begin(EVIDENCE, mark);
    bytes.extend(evidence.to_bytes());
    bytes
}

/// Reads a record; the problem in words where it is none.
pub(crate) fn read(bytes: &[u8], keys: &impl HeadKeys) -> Result<(BodiesMark, Change), String> {
    let short = || "a commit is shorter than it says".to_string();
    let (kind, rest) = bytes.split_first().ok_or_else(short)?;
    let (segment, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    let (end, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
    let mark = BodiesMark { segment: u32::from_be_bytes(*segment), end: u64::from_be_bytes(*end) };
    let change = match *kind {
        APPEND => read_append(rest, keys)?,
        HEAD => Change::Head(SignedHead::open(rest, keys).map_err(|e| e.to_string())?),
        EVIDENCE => Change::Evidence(Evidence::from_bytes(rest, keys).map_err(|e| e.to_string())?),
        other => return Err(format!("a commit is of kind {other}, which is not known")),
    };
    Ok((mark, change))
}

fn read_append(rest: &[u8], keys: &impl HeadKeys) -> Result<Change, String> {
    let short = || "a commit of entries is shorter than it says".to_string();
    let (start, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
    let (count, rest) = rest.split_first().ok_or_else(short)?;
    let (hashes, rest) = rest.split_at_checked(usize::from(*count) * 32).ok_or_else(short)?;
    let (len, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    let (head, mut rest) =
        rest.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or_else(short)?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, after) = split_entry(rest).ok_or_else(short)?;
        entries.push(EntryBytes::new(entry));
        rest = after;
    }
    Ok(Change::Append {
        start: u64::from_be_bytes(*start),
        entries,
        head: SignedHead::open(head, keys).map_err(|error| error.to_string())?,
        consistency: read_hashes(hashes).ok_or_else(short)?,
    })
}

/// Hashes that stand one after another.
pub(crate) fn read_hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    bytes.chunks(32).map(|hash| <[u8; 32]>::try_from(hash).ok().map(Hash)).collect()
}

/// Blocks, each with its length in four bytes before it.
pub(crate) fn blocks(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for item in items {
        put_block(&mut bytes, &item);
    }
    bytes
}

/// Reads what [`blocks`] wrote.
pub(crate) fn read_blocks(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut blocks = Vec::new();
    while !bytes.is_empty() {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        let (block, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        blocks.push(block);
        bytes = rest;
    }
    Some(blocks)
}
