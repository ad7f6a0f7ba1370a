//! Names inside a referral: its id, one event's place, the two sides.

use std::{fmt, str::FromStr};

use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use tutti_proto::v1;

use super::compared_code;
use crate::society::Origin;

const ID_PREFIX: &[u8] = b"tutti/v1/referral\0";

/// A referral, for ever: 16 bytes, in text 32 hexadecimal digits in lower case.
///
/// It is derived from the sender's log and the event that sent it, so that nobody else can send
/// under the same id: a copied `Sent` in another log does not fit its own id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferralId([u8; 16]);

/// A text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of 32 hexadecimal digits in lower case")]
pub struct IdError;

impl ReferralId {
    /// The id of the referral that the event `event_id` in the log `origin` sends: the first 16
    /// bytes of SHA-256("tutti/v1/referral" ‖ 0x00 ‖ origin ‖ 0x00 ‖ event_id).
    pub fn of(origin: &Origin, event_id: &[u8; 16]) -> Self {
        Self(derive(ID_PREFIX, origin, event_id))
    }

    /// Takes an id as it stands in an event.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Sixteen bytes that bind an event to the log it stands in.
pub(crate) fn derive(prefix: &[u8], origin: &Origin, event_id: &[u8; 16]) -> [u8; 16] {
    let digest = Sha256::new()
        .chain_update(prefix)
        .chain_update(origin.as_str())
        .chain_update([0])
        .chain_update(event_id)
        .finalize();
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    id
}

/// Reads 32 hexadecimal digits in lower case.
pub(crate) fn parse_id(text: &str) -> Result<[u8; 16], IdError> {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).map_err(|_| IdError)?;
    if hex::encode(id) == text { Ok(id) } else { Err(IdError) }
}

impl FromStr for ReferralId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_id(text).map(Self)
    }
}

impl fmt::Display for ReferralId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for ReferralId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl serde::Serialize for ReferralId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// One event's place: which log, where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRef {
    /// The log.
    pub origin: Origin,
    /// The entry's index there.
    pub index: u64,
}

impl EventRef {
    /// The event that `seen` names; `None` where its origin is no log's name.
    pub fn from_seen(seen: &v1::Seen) -> Option<Self> {
        Some(Self { origin: seen.origin.parse().ok()?, index: seen.index })
    }

    /// As an event names it.
    pub fn to_seen(&self) -> v1::Seen {
        v1::Seen { origin: self.origin.to_string(), index: self.index }
    }

    /// The order of one society's own word: its epochs, then the entries of each.
    fn key(&self) -> (crate::society::Society, u32, u64, &Origin) {
        (self.origin.society(), self.origin.epoch(), self.index, &self.origin)
    }
}

impl PartialOrd for EventRef {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EventRef {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Display for EventRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entry {}", self.origin, self.index)
    }
}

/// The two sides of a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Who sent it.
    Sender,
    /// Who received it.
    Receiver,
}

impl Side {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Sender => Self::Receiver,
            Self::Receiver => Self::Sender,
        }
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Receiver => "receiver",
        }
    }
}

/// What hides a case code in a record: HMAC-SHA-256 under the sender's own `secret` over
/// "tutti/v1/case" ‖ 0x00 ‖ society ‖ 0x00 ‖ case code, as [`compared_code`] has it. Two referrals of one
/// case show to the sender as such, and to nobody else. Empty where there is no code.
pub fn case_digest(
    secret: &[u8; 32],
    society: crate::society::Society,
    case_code: &str,
) -> Vec<u8> {
    let case_code = compared_code(case_code);
    if case_code.is_empty() {
        return Vec::new();
    }
    let mut mac =
        <Hmac<Sha256> as Mac>::new_from_slice(secret).expect("HMAC takes a key of any length");
    for part in ["tutti/v1/case", "\0", society.as_str(), "\0", &case_code] {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}
