//! How what a relay keeps stands in the store's notes, so that a restart changes nothing: one note an entry.

use std::collections::BTreeSet;

use tutti_core::limits::TAGS_MAX;

use super::{At, Kept, State};

/// Under which key: `k`, the log, a zero byte, the entry.
pub(super) fn key(at: &At) -> Vec<u8> {
    [b"k", at.0.as_str().as_bytes(), &[0], &at.1.to_be_bytes()].concat()
}

/// Of which entry a note is; `None` for one of another kind.
pub(super) fn read_key(key: &[u8]) -> Option<At> {
    let (origin, index) = key.strip_prefix(b"k")?.split_last_chunk::<8>()?;
    let origin = std::str::from_utf8(origin.strip_suffix(&[0])?).ok()?.parse().ok()?;
    Some((origin, u64::from_be_bytes(*index)))
}

/// Whether it was received, how many receipts end it, since when, its bytes, and the receipts so far.
pub(super) fn write(kept: &Kept) -> Vec<u8> {
    let mut bytes = vec![u8::from(kept.state == State::Received), kept.waiting];
    bytes.extend(kept.since_ms.to_be_bytes());
    bytes.extend(kept.bytes.to_be_bytes());
    bytes.extend(kept.receipts.iter().take(TAGS_MAX).flatten());
    bytes
}

/// The same, read; `None` where it is not whole.
pub(super) fn read(value: &[u8]) -> Option<Kept> {
    let ([received, waiting], rest) = value.split_first_chunk::<2>()?;
    let (since_ms, rest) = rest.split_first_chunk::<8>()?;
    let (bytes, rest) = rest.split_first_chunk::<8>()?;
    let receipts = rest.chunks(32).map(|receipt| receipt.try_into().ok());
    Some(Kept {
        state: if *received == 1 { State::Received } else { State::Here },
        since_ms: u64::from_be_bytes(*since_ms),
        bytes: u64::from_be_bytes(*bytes),
        waiting: *waiting,
        receipts: receipts.collect::<Option<_>>()?,
        gone: BTreeSet::new(),
    })
}
