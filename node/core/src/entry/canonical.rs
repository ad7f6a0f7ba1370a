//! Reading a header that is in its one canonical encoding, in one pass.
//!
//! To decode and encode again says the same and costs ten times as much, which is most of what
//! checking an entry takes. Invariant: what is read here is what decoding gives, and encoding it
//! gives these bytes; whatever is in doubt is left to that rule, which also names what is wrong.
//!
//! Source: `docs/protocol.md`, "The entry"; protobuf's encoding with fields in ascending order,
//! shortest varints and no defaults.

use super::{Commitment, Header, Visibility};
use crate::{
    limits::{BODY_BYTES_MAX, ENTRY_BYTES_MAX, LOG_SIZE_MAX, TAGS_MAX},
    society::Origin,
};

/// Splits a varint off that is as short as it can be and not 0.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        if at == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * at);
        if byte & 0x80 == 0 {
            let rest = bytes.get(at + 1..)?;
            return (bits != 0).then_some((value, rest));
        }
    }
    None
}

/// Splits a field of `len` bytes off, whose key is `key`.
fn block<const LEN: usize>(bytes: &[u8], key: u8) -> Option<([u8; LEN], &[u8])> {
    let rest = bytes.strip_prefix(&[key, u8::try_from(LEN).ok()?])?;
    let (block, rest) = rest.split_first_chunk::<LEN>()?;
    Some((*block, rest))
}

/// Splits a number off where its key comes next; 0 is left out.
fn number(bytes: &[u8], key: u8) -> Option<(u64, &[u8])> {
    match bytes.strip_prefix(&[key]) {
        Some(rest) => varint(rest),
        None => Some((0, bytes)),
    }
}

/// Splits a commitment off whose key is `key`.
fn commitment(bytes: &[u8], key: u8) -> Option<(Commitment, &[u8])> {
    let (len, rest) = varint(bytes.strip_prefix(&[key])?)?;
    let (message, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    let (digest, size) = block::<32>(message, 0x0a)?;
    let (size, nothing) = varint(size.strip_prefix(&[0x10])?)?;
    let whole = nothing.is_empty() && size <= BODY_BYTES_MAX;
    whole.then_some((Commitment { digest, size }, rest))
}

/// The header, of the log `expected` where that is given. `None` says nothing of why.
pub(super) fn header(bytes: &[u8], expected: Option<&Origin>) -> Option<Header> {
    if bytes.len() > ENTRY_BYTES_MAX {
        return None;
    }
    let (len, rest) = varint(bytes.strip_prefix(&[0x08, 0x01, 0x12])?)?;
    let (origin, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    let origin = match expected {
        Some(expected) if expected.as_str().as_bytes() == origin => expected.clone(),
        Some(_) => return None,
        None => std::str::from_utf8(origin).ok()?.parse().ok()?,
    };
    let (index, rest) = number(rest, 0x18)?;
    let (recorded_at_ms, rest) = number(rest, 0x20)?;
    let (visibility, rest) = number(rest, 0x28)?;
    let visibility = match visibility {
        1 => Visibility::Public,
        2 => Visibility::Federation,
        3 => Visibility::Addressed,
        _ => return None,
    };
    let (record, rest) = commitment(rest, 0x32)?;
    let (content, mut rest) = match commitment(rest, 0x3a) {
        Some((content, rest)) => (Some(content), rest),
        None => (None, rest),
    };
    let mut tags = Vec::new();
    while let Some((tag, after)) = block::<16>(rest, 0x42) {
        tags.push(tag);
        rest = after;
    }
    let tags_allowed = match visibility {
        Visibility::Addressed => matches!(tags.len(), 0 | 2 | 4 | TAGS_MAX),
        Visibility::Public | Visibility::Federation => tags.is_empty(),
    };
    let content_allowed = content.is_some() || visibility != Visibility::Addressed;
    let valid = rest.is_empty() && index < LOG_SIZE_MAX && tags_allowed && content_allowed;
    valid.then_some(Header { origin, index, recorded_at_ms, visibility, record, content, tags })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::parse_v1, *};

    const ORIGIN: &str = "m.example.org/ph/1";

    /// Whatever the bytes, it reads what the rule reads, or nothing.
    fn agrees(bytes: &[u8]) -> bool {
        // What is looked at before it.
        let looked_at = bytes.len() <= ENTRY_BYTES_MAX && bytes.starts_with(&[0x08, 0x01]);
        let by_rule = if looked_at { parse_v1(bytes).ok() } else { None };
        let read = header(bytes, None);
        assert!(read.is_none() || read == by_rule, "{bytes:?}");
        let expected: Origin = ORIGIN.parse().unwrap();
        let at = header(bytes, Some(&expected));
        assert!(at.is_none() || at == by_rule, "{bytes:?}");
        assert_eq!(by_rule.is_some(), read.is_some(), "it leaves nothing to the rule: {bytes:?}");
        read.is_some()
    }

    fn headers() -> Vec<Header> {
        let mut headers = Vec::new();
        for (visibility, tags) in [
            (Visibility::Public, 0),
            (Visibility::Federation, 0),
            (Visibility::Addressed, 0),
            (Visibility::Addressed, 2),
            (Visibility::Addressed, 4),
            (Visibility::Addressed, 8),
        ] {
            for (index, size) in [(0, 1), (1, 127), (128, 128), (LOG_SIZE_MAX - 1, BODY_BYTES_MAX)]
            {
                for recorded_at_ms in [0, 1, 1_764_000_000_000, u64::MAX] {
                    let commitment = Commitment { digest: [tags as u8; 32], size };
                    headers.push(Header {
                        origin: ORIGIN.parse().unwrap(),
                        index,
                        recorded_at_ms,
                        visibility,
                        record: commitment,
                        content: (visibility == Visibility::Addressed || index % 2 == 0)
                            .then_some(commitment),
                        tags: vec![[9; 16]; tags],
                    });
                }
            }
        }
        headers
    }

    #[test]
    fn every_header_is_read_as_the_rule_reads_it() {
        for header in headers() {
            let bytes = header.encode();
            assert!(agrees(bytes.as_slice()));
            assert_eq!(super::header(bytes.as_slice(), None), Some(header));
        }
    }

    #[test]
    fn no_change_of_any_byte_is_read_otherwise_than_by_the_rule() {
        for header in headers() {
            let bytes = header.encode().as_slice().to_vec();
            for at in 0..bytes.len() {
                for value in [0, 1, 2, 0x0a, 0x10, 0x7f, 0x80, 0x81, 0xff, bytes[at] ^ 1] {
                    let mut other = bytes.clone();
                    other[at] = value;
                    agrees(&other);
                    other.insert(at, value);
                    agrees(&other);
                }
                agrees(&bytes[..at]);
                let mut shorter = bytes.clone();
                shorter.remove(at);
                agrees(&shorter);
                // A field twice, or in another place.
                let twice = [&bytes[..], &bytes[at..]].concat();
                agrees(&twice);
                let moved = [&bytes[..2], &bytes[at.max(2)..], &bytes[2..at.max(2)]].concat();
                agrees(&moved);
            }
        }
    }
}
