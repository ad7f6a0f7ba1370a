//! The entry: the leaf of a log, a small header that commits to what lies beside it.
//!
//! Invariant: the bytes are law. What was received is what is hashed, stored and relayed; a parsed
//! [`Header`] is only ever a reading of them, and a version 1 header whose re-encoding differs from
//! the received bytes is refused.

mod canonical;

use std::{fmt, sync::Arc};

use prost::Message as _;
use tlog_tiles::Hash;
use tutti_proto::v1;

use crate::{
    body::{BodyKey, Part, Place},
    limits::{BODY_BYTES_MAX, ENTRY_BYTES_MAX, LOG_SIZE_MAX, TAGS_MAX},
    society::Origin,
};

/// The version that this code writes and interprets.
pub const VERSION: u32 = 1;

/// An encoded entry, exactly as it was written or received. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct EntryBytes(Arc<[u8]>);

impl EntryBytes {
    /// Takes bytes as they are; [`Entry::parse`] says whether they are an entry.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The RFC 6962 leaf hash: SHA-256(0x00 ‖ bytes).
    pub fn leaf_hash(&self) -> Hash {
        tlog_tiles::record_hash(&self.0)
    }
}

impl fmt::Debug for EntryBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryBytes({})", hex::encode(&self.0))
    }
}

/// Who may hold the bodies of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// Anyone: unsealed.
    Public,
    /// Members, over their mutual TLS: unsealed.
    Federation,
    /// The societies that the tags name and the author: sealed.
    Addressed,
}

/// A commitment to a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment {
    /// SHA-256 of the body's place and its bytes as stored ([`crate::body`]).
    pub digest: [u8; 32],
    /// Its size in bytes, 1 to [`BODY_BYTES_MAX`].
    pub size: u64,
}

/// A version 1 entry, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The log it belongs to.
    pub origin: Origin,
    /// Its place there, from 0.
    pub index: u64,
    /// Milliseconds since the Unix epoch by the author's clock; for people, never for order.
    pub recorded_at_ms: u64,
    /// Who may hold the bodies.
    pub visibility: Visibility,
    /// What happened, without personal data.
    pub record: Commitment,
    /// The person's case; always there where addressed, for its absence would tell the step.
    pub content: Option<Commitment>,
    /// Routing tags: 0, 2, 4 or 8; none unless addressed.
    pub tags: Vec<[u8; 16]>,
}

/// An entry, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A version that this code interprets.
    V1(Header),
    /// A later version: stored and relayed, never interpreted.
    Unknown {
        /// Its version, from 2.
        version: u32,
    },
}

/// Why bytes are no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// More than [`ENTRY_BYTES_MAX`] bytes.
    #[error("entry is {0} bytes, more than {ENTRY_BYTES_MAX}")]
    Size(usize),
    /// It does not begin with its version.
    #[error("entry does not begin with a version")]
    Version,
    /// Not a protobuf message of that shape.
    #[error("entry is not decodable")]
    Decode,
    /// Decoding and encoding give other bytes: an unknown field, a default written out, an order.
    #[error("entry is not in its one canonical encoding")]
    NotCanonical,
    /// A field has a value that it may not have.
    #[error("entry field {0} is not valid")]
    Field(&'static str),
    /// The entry says that it stands elsewhere.
    #[error("entry belongs at {origin} {index}")]
    Misplaced {
        /// The log that the entry names.
        origin: String,
        /// The index that the entry names.
        index: u64,
    },
}

impl Entry {
    /// Reads an entry: size, version, and for version 1 the round-trip gate and every field.
    ///
    /// A version 1 entry begins with the bytes 08 01, its version field.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::Size(bytes.len()));
        }
        let Some((0x08, mut rest)) = bytes.split_first().map(|(first, rest)| (*first, rest)) else {
            return Err(EntryError::Version);
        };
        let version = prost::encoding::decode_varint(&mut rest).map_err(|_| EntryError::Version)?;
        match u32::try_from(version).map_err(|_| EntryError::Version)? {
            0 => Err(EntryError::Version),
            VERSION => {
                canonical::header(bytes, None).map_or_else(|| parse_v1(bytes), Ok).map(Self::V1)
            }
            version => Ok(Self::Unknown { version }),
        }
    }

    /// Reads the entry that stands at `index` of `origin`; an unknown version is let through.
    pub fn parse_at(bytes: &[u8], origin: &Origin, index: u64) -> Result<Self, EntryError> {
        if let Some(header) = canonical::header(bytes, Some(origin)).filter(|h| h.index == index) {
            return Ok(Self::V1(header));
        }
        let entry = Self::parse(bytes)?;
        if let Self::V1(header) = &entry
            && (header.origin != *origin || header.index != index)
        {
            return Err(EntryError::Misplaced {
                origin: header.origin.to_string(),
                index: header.index,
            });
        }
        Ok(entry)
    }

    /// The header, where this code interprets the version.
    pub fn header(&self) -> Option<&Header> {
        match self {
            Self::V1(header) => Some(header),
            Self::Unknown { .. } => None,
        }
    }
}

impl Header {
    /// What it commits to; `None` for a content that it has not.
    pub fn commitment(&self, part: Part) -> Option<Commitment> {
        match part {
            Part::Record => Some(self.record),
            Part::Content => self.content,
        }
    }

    /// Where its body belongs.
    pub fn place(&self, part: Part) -> Place {
        Place::new(&self.origin, self.index, part)
    }

    /// By what a holder finds its body; `None` for a content that it has not.
    pub fn body_key(&self, part: Part) -> Option<BodyKey> {
        self.commitment(part).map(|committed| self.place(part).key(&committed.digest))
    }

    /// The canonical encoding: protobuf fields in ascending order, defaults left out.
    pub fn encode(&self) -> EntryBytes {
        EntryBytes::new(&self.message().encode_to_vec())
    }

    fn message(&self) -> v1::Entry {
        let commitment =
            |c: &Commitment| v1::Commitment { digest: c.digest.to_vec(), size: c.size };
        v1::Entry {
            version: VERSION,
            origin: self.origin.to_string(),
            index: self.index,
            recorded_at_ms: self.recorded_at_ms,
            visibility: match self.visibility {
                Visibility::Public => v1::Visibility::Public,
                Visibility::Federation => v1::Visibility::Federation,
                Visibility::Addressed => v1::Visibility::Addressed,
            } as i32,
            record: Some(commitment(&self.record)),
            content: self.content.as_ref().map(commitment),
            tags: self.tags.iter().map(|tag| tag.to_vec()).collect(),
        }
    }
}

/// The rule itself, and what is wrong where it is broken; see [`canonical`] for what is right.
fn parse_v1(bytes: &[u8]) -> Result<Header, EntryError> {
    let message = v1::Entry::decode(bytes).map_err(|_| EntryError::Decode)?;
    if message.encode_to_vec() != bytes {
        return Err(EntryError::NotCanonical);
    }
    let visibility = match v1::Visibility::try_from(message.visibility) {
        Ok(v1::Visibility::Public) => Visibility::Public,
        Ok(v1::Visibility::Federation) => Visibility::Federation,
        Ok(v1::Visibility::Addressed) => Visibility::Addressed,
        Ok(v1::Visibility::Unspecified) | Err(_) => return Err(EntryError::Field("visibility")),
    };
    if message.index >= LOG_SIZE_MAX {
        return Err(EntryError::Field("index"));
    }
    let tags: Vec<[u8; 16]> = message
        .tags
        .iter()
        .map(|tag| <[u8; 16]>::try_from(tag.as_slice()))
        .collect::<Result<_, _>>()
        .map_err(|_| EntryError::Field("tags"))?;
    let count_allowed = match visibility {
        Visibility::Addressed => matches!(tags.len(), 0 | 2 | 4 | TAGS_MAX),
        Visibility::Public | Visibility::Federation => tags.is_empty(),
    };
    if !count_allowed {
        return Err(EntryError::Field("tags"));
    }
    if visibility == Visibility::Addressed && message.content.is_none() {
        return Err(EntryError::Field("content"));
    }
    Ok(Header {
        origin: message.origin.parse().map_err(|_| EntryError::Field("origin"))?,
        index: message.index,
        recorded_at_ms: message.recorded_at_ms,
        visibility,
        record: message.record.as_ref().and_then(commitment).ok_or(EntryError::Field("record"))?,
        content: match &message.content {
            None => None,
            Some(content) => Some(commitment(content).ok_or(EntryError::Field("content"))?),
        },
        tags,
    })
}

fn commitment(message: &v1::Commitment) -> Option<Commitment> {
    let digest = <[u8; 32]>::try_from(message.digest.as_slice()).ok()?;
    (1..=BODY_BYTES_MAX)
        .contains(&message.size)
        .then_some(Commitment { digest, size: message.size })
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(crate) fn header(origin: &str, index: u64) -> Header {
        Header {
            origin: origin.parse().unwrap(),
            index,
            recorded_at_ms: 1_764_000_000_000 + index,
            visibility: Visibility::Addressed,
            record: Commitment { digest: [1; 32], size: 4096 },
            content: Some(Commitment { digest: [2; 32], size: 8192 }),
            tags: vec![[3; 16], [4; 16]],
        }
    }

    #[test]
    fn round_trip() {
        let header = header("m.example.org/ph/1", 7);
        let bytes = header.encode();
        assert_eq!(Entry::parse(bytes.as_slice()), Ok(Entry::V1(header)));
    }

    #[test]
    fn an_unknown_version_is_let_through_unread() {
        assert_eq!(Entry::parse(&[8, 2, 0xff, 0xff]), Ok(Entry::Unknown { version: 2 }));
        assert_eq!(Entry::parse(&[8, 0]), Err(EntryError::Version));
        assert_eq!(Entry::parse(&[]), Err(EntryError::Version));
    }

    #[test]
    fn every_flipped_bit_changes_the_leaf_or_is_refused() {
        let header = header("m.example.org/ph/1", 7);
        let bytes = header.encode();
        for bit in 0..bytes.as_slice().len() * 8 {
            let mut mutated = bytes.as_slice().to_vec();
            mutated[bit / 8] ^= 1 << (bit % 8);
            if let Ok(Entry::V1(other)) = Entry::parse(&mutated) {
                assert_ne!(other, header);
                assert_ne!(EntryBytes::new(&mutated).leaf_hash(), bytes.leaf_hash());
            }
        }
    }

    #[test]
    fn another_encoding_of_the_same_fields_is_refused() {
        let bytes = header("m.example.org/ph/1", 7).encode();
        let mut unknown_field = bytes.as_slice().to_vec();
        unknown_field.extend([0x78, 1]);
        assert_eq!(Entry::parse(&unknown_field), Err(EntryError::NotCanonical));
        let mut version_twice = bytes.as_slice().to_vec();
        version_twice.extend([8, 1]);
        assert_eq!(Entry::parse(&version_twice), Err(EntryError::NotCanonical));
    }

    #[test]
    fn an_entry_knows_its_place() {
        let bytes = header("m.example.org/ph/1", 7).encode();
        let place = |origin: &str, index| {
            Entry::parse_at(bytes.as_slice(), &origin.parse().unwrap(), index).is_ok()
        };
        assert!(place("m.example.org/ph/1", 7));
        assert!(!place("m.example.org/ph/1", 8));
        assert!(!place("m.example.org/sg/1", 7));
    }
}
