//! The frame around a body in its segment.
//!
//! ```text
//! "tutti-b1" (8) ‖ state (1) ‖ 000000 ‖ length (4) ‖ key (32) ‖ check (16) ‖ bytes ‖ zeros
//! ```
//!
//! `key` is by what the body is found, `bytes` what its digest is taken of: the body behind its place
//! (`tutti_core::body`). `check` is the beginning of the SHA-256 of all before it but the state, which alone changes
//! later. A frame begins at a multiple of 64 bytes, so that its header never straddles two sectors.
//!
//! Every segment but the first begins with a *seal* of the one before, of 64 bytes:
//!
//! ```text
//! "tutti-bs" (8) ‖ segment (4) ‖ zeros (4) ‖ end (8) ‖ zeros (24) ‖ check (16)
//! ```
//!
//! It says where the last frame of that segment ends. It becomes durable with the first frame behind
//! it, and nothing is ever added to a segment that was left. So a segment that was cut between two
//! frames is missed, though each frame that is left is whole.

use sha2::{Digest as _, Sha256};
use tutti_core::{body::BodyKey, store::StoreError};

const MAGIC: &[u8; 8] = b"tutti-b1";
const SEAL_MAGIC: &[u8; 8] = b"tutti-bs";

/// Bytes before the body.
pub(super) const HEADER: usize = 64;

/// Where in the header the state is.
pub(super) const STATE_AT: u64 = 8;

/// The state of a frame. Any two of the numbers differ in four bits: one flipped bit is no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The bytes are here.
    Present = 0x0f,
    /// They are being overwritten.
    Erasing = 0x33,
    /// They are gone, or never were here.
    Erased = 0x55,
    /// They were kept for others and are being overwritten.
    Dropping = 0x69,
    /// They were kept for others and are gone: the frame says nothing any more.
    Dropped = 0x5a,
}

impl State {
    pub(super) fn to_byte(self) -> u8 {
        self as u8
    }

    fn from_byte(byte: u8) -> Option<Self> {
        let all = [Self::Present, Self::Erasing, Self::Erased, Self::Dropping, Self::Dropped];
        all.into_iter().find(|state| state.to_byte() == byte)
    }
}

/// Where a body stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    /// Which segment.
    pub(crate) segment: u32,
    /// Where its frame begins.
    pub(crate) offset: u64,
    /// Bytes of the body and of its place before it.
    pub(crate) len: u32,
    /// Its state.
    pub(crate) state: State,
}

impl Spot {
    /// As the index keeps it.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.segment.to_be_bytes().to_vec();
        bytes.extend(self.offset.to_be_bytes());
        bytes.extend(self.len.to_be_bytes());
        bytes.push(self.state.to_byte());
        bytes
    }

    /// Reads what [`Spot::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (segment, rest) = bytes.split_first_chunk::<4>()?;
        let (offset, rest) = rest.split_first_chunk::<8>()?;
        let (len, state) = rest.split_first_chunk::<4>()?;
        let [state] = state else { return None };
        Some(Self {
            segment: u32::from_be_bytes(*segment),
            offset: u64::from_be_bytes(*offset),
            len: u32::from_be_bytes(*len),
            state: State::from_byte(*state)?,
        })
    }
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) key: BodyKey,
    pub(super) len: u32,
    pub(super) state: State,
}

impl Frame {
    pub(super) fn new(key: BodyKey, len: usize, state: State) -> Result<Self, StoreError> {
        let len =
            u32::try_from(len).map_err(|error| StoreError::Full(std::io::Error::other(error)))?;
        Ok(Self { key, len, state })
    }

    pub(super) fn at(self, segment: u32, offset: u64) -> Spot {
        Spot { segment, offset, len: self.len, state: self.state }
    }

    /// Bytes of the whole frame.
    pub(super) fn size(self) -> u64 {
        (HEADER as u64 + u64::from(self.len)).next_multiple_of(HEADER as u64)
    }

    fn check(&self) -> [u8; 16] {
        check_of(&[MAGIC, &self.len.to_be_bytes(), self.key.as_bytes()])
    }

    /// Appends the frame around `bytes` to `out`, which begins where a frame may.
    pub(super) fn write(self, bytes: &[u8], out: &mut Vec<u8>) {
        out.extend(MAGIC);
        out.extend([self.state.to_byte(), 0, 0, 0]);
        out.extend(self.len.to_be_bytes());
        out.extend(self.key.as_bytes());
        out.extend(self.check());
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(HEADER), 0);
    }

    /// Reads a header.
    pub(super) fn read(header: &[u8]) -> Option<Self> {
        let rest = header.strip_prefix(MAGIC.as_slice())?;
        let ([state, 0, 0, 0], rest) = rest.split_first_chunk::<4>()? else { return None };
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (key, check) = rest.split_first_chunk::<32>()?;
        let len = u32::from_be_bytes(*len);
        let key = BodyKey::from_bytes(*key);
        let frame = Self { key, len, state: State::from_byte(*state)? };
        (frame.check() == check).then_some(frame)
    }
}

/// Where the segment before ended. See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    /// Which segment.
    pub(super) segment: u32,
    /// Where its last frame ends.
    pub(super) end: u64,
}

impl Seal {
    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let (segment, end) = (self.segment.to_be_bytes(), self.end.to_be_bytes());
        let check = check_of(&[SEAL_MAGIC, &segment, &end]);
        let parts = [SEAL_MAGIC, &segment[..], &[0; 4], &end, &[0; 24], &check].concat();
        let mut bytes = [0; HEADER];
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }

    /// `None` where it is not whole.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(SEAL_MAGIC.as_slice())?;
        let (segment, rest) = rest.split_first_chunk::<4>()?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let (end, _) = rest.split_first_chunk::<8>()?;
        let seal = Self { segment: u32::from_be_bytes(*segment), end: u64::from_be_bytes(*end) };
        (seal.to_bytes() == bytes).then_some(seal)
    }
}

/// The beginning of the SHA-256 of the parts, one after another.
fn check_of(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let mut check = [0; 16];
    check.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    check
}
