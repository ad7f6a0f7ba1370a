//! A body: the bytes that an entry commits to, bound to the entry.
//!
//! A digest is the SHA-256 of a body's bytes behind a prefix that names the log, the index and the
//! part. So no bytes fit two entries, and whoever copies another's digest into an entry of its own
//! commits to nothing that anyone holds. Invariants: a [`Body`] has the digest of its place; what a
//! holder keeps is found by a [`BodyKey`] alone, which is made of place *and* digest, so that a
//! copied digest finds nothing. This module must not know what a body says, nor to whom it is sealed.
//!
//! Source: `docs/protocol.md`, "Bodies".

use sha2::{Digest as _, Sha256};

use crate::{entry::Commitment, society::Origin};

/// What stands before everything that a digest is taken of.
const DIGEST: &[u8] = b"tutti/v1/body\0";

/// What a [`BodyKey`] is taken of; no part of any format between nodes.
const KEY: &[u8] = b"tutti/held-body\0";

/// Which of an entry's two bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// What happened.
    Record,
    /// The person's case.
    Content,
}

impl Part {
    /// Both, in the order of the entry.
    pub const ALL: [Self; 2] = [Self::Record, Self::Content];

    fn to_byte(self) -> u8 {
        match self {
            Self::Record => 1,
            Self::Content => 2,
        }
    }
}

/// Where a body belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The log.
    pub origin: Origin,
    /// The entry.
    pub index: u64,
    /// Which of its bodies.
    pub part: Part,
}

impl Place {
    /// The place of a body.
    pub fn new(origin: &Origin, index: u64, part: Part) -> Self {
        Self { origin: origin.clone(), index, part }
    }

    /// What the entry at this place commits to where these are the body's bytes.
    pub fn commit(&self, bytes: &[u8]) -> Commitment {
        Commitment { digest: self.digest(bytes), size: bytes.len() as u64 }
    }

    /// The digest of these bytes at this place: SHA-256 of "tutti/v1/body" ‖ 00 ‖ origin ‖ 00 ‖
    /// index (8 bytes) ‖ part (1 byte) ‖ bytes.
    pub fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(self.prefix()).chain_update(bytes).finalize().into()
    }

    /// By what a holder finds the body that has this digest here.
    pub fn key(&self, digest: &[u8; 32]) -> BodyKey {
        let hash = Sha256::new().chain_update(KEY).chain_update(self.prefix());
        BodyKey(hash.chain_update(digest).finalize().into())
    }

    fn prefix(&self) -> Vec<u8> {
        let mut bytes = DIGEST.to_vec();
        bytes.extend(self.origin.as_str().as_bytes());
        bytes.push(0);
        bytes.extend(self.index.to_be_bytes());
        bytes.push(self.part.to_byte());
        bytes
    }
}

/// By what a holder finds a body: of its place and its digest, and of nothing less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyKey([u8; 32]);

impl BodyKey {
    /// As a store wrote it.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For a store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A body at its place.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    place: Place,
    digest: [u8; 32],
    /// The prefix and the bytes: what the digest is taken of, and what a store keeps.
    bound: Vec<u8>,
    prefix: usize,
}

impl Body {
    /// The body of these bytes, sealed or salted, at this place.
    pub fn new(place: Place, bytes: &[u8]) -> Self {
        let mut bound = place.prefix();
        let prefix = bound.len();
        bound.extend_from_slice(bytes);
        Self { place, digest: Sha256::digest(&bound).into(), bound, prefix }
    }

    /// Reads what [`Body::bound`] gave; `None` where it is nothing of the kind.
    pub fn from_bound(bound: Vec<u8>) -> Option<Self> {
        let rest = bound.strip_prefix(DIGEST)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (origin, rest) = rest.split_at_checked(end)?;
        let origin = std::str::from_utf8(origin).ok()?.parse().ok()?;
        let (index, rest) = rest.get(1..)?.split_first_chunk::<8>()?;
        let (part, bytes) = rest.split_first()?;
        let part = Part::ALL.into_iter().find(|known| known.to_byte() == *part)?;
        let place = Place { origin, index: u64::from_be_bytes(*index), part };
        let prefix = bound.len().checked_sub(bytes.len())?;
        Some(Self { place, digest: Sha256::digest(&bound).into(), bound, prefix })
    }

    /// Where it belongs.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What an entry commits to that has this body.
    pub fn commitment(&self) -> Commitment {
        Commitment { digest: self.digest, size: self.bytes().len() as u64 }
    }

    /// By what a holder finds it.
    pub fn key(&self) -> BodyKey {
        self.place.key(&self.digest)
    }

    /// The bytes, sealed or salted: what goes over the wire and into an export.
    pub fn bytes(&self) -> &[u8] {
        self.bound.get(self.prefix..).unwrap_or_default()
    }

    /// The prefix and the bytes, as a store keeps them.
    pub fn bound(&self) -> &[u8] {
        &self.bound
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({:?}, {} bytes)", self.place, self.bytes().len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn place(origin: &str, index: u64, part: Part) -> Place {
        Place::new(&origin.parse().unwrap(), index, part)
    }

    #[test]
    fn the_same_bytes_have_another_digest_at_every_place() {
        let places = [
            place("m.example.org/ph/1", 7, Part::Record),
            place("m.example.org/ph/1", 7, Part::Content),
            place("m.example.org/ph/1", 8, Part::Record),
            place("m.example.org/ph/2", 7, Part::Record),
            place("m.example.org/sg/1", 7, Part::Record),
        ];
        let digests: std::collections::BTreeSet<_> =
            places.iter().map(|place| place.digest(b"bytes")).collect();
        assert_eq!(digests.len(), places.len());
    }

    #[test]
    fn a_copied_digest_finds_nothing() {
        let own = Body::new(place("m.example.org/ph/1", 7, Part::Record), b"bytes");
        let copied = own.commitment().digest;
        assert_eq!(own.place().key(&copied), own.key());
        for elsewhere in [
            place("m.example.org/sg/1", 7, Part::Record),
            place("m.example.org/ph/1", 8, Part::Record),
            place("m.example.org/ph/1", 7, Part::Content),
        ] {
            assert_ne!(elsewhere.key(&copied), own.key());
            assert_ne!(elsewhere.digest(b"bytes"), copied);
        }
    }

    #[test]
    fn what_a_store_keeps_says_where_it_belongs() {
        for bytes in [b"".as_slice(), b"bytes", &[0; 300]] {
            let body = Body::new(place("m.example.org/ph/1", u64::MAX, Part::Content), bytes);
            assert_eq!(body.bytes(), bytes);
            assert_eq!(body.commitment().digest, body.place().digest(bytes));
            assert_eq!(Body::from_bound(body.bound().to_vec()), Some(body));
        }
        for broken in [
            b"".as_slice(),
            b"tutti/v1/body\0",
            b"tutti/v1/body\0m.example.org/ph/1\0\0\0\0\0\0\0\0\0",
            b"tutti/v1/body\0m.example.org/ph/1\0\0\0\0\0\0\0\0\0\x03",
            b"tutti/v1/body\0no origin\0\0\0\0\0\0\0\0\0\x01",
        ] {
            assert_eq!(Body::from_bound(broken.to_vec()), None, "{broken:?}");
        }
    }
}
