//! Reading what is inside a body: the record and the content.
//!
//! A body whose digest was checked against its entry is opened, decoded through the round-trip
//! gate, and believed only where it names the log that it stands in. Invariants: nothing here
//! decides what a record means; an error never holds any of the message.
//!
//! Source: `docs/protocol.md`, "Record and content".

use tutti_proto::v1;
use zeroize::Zeroizing;

use crate::{
    entry::{Header, Visibility},
    sealing::{self, Identity, OpenError},
    society::Society,
};

/// Why a body says nothing to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not for these keys, or not sealed as it must be.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// An unsealed body that is too short.
    #[error(transparent)]
    Salt(#[from] sealing::SaltError),
    /// Not the message that it must be.
    #[error("body is not decodable")]
    Decode,
    /// Fields that this version does not know, or another encoding than the canonical one.
    #[error("body is of a later version, or not in its one canonical encoding")]
    NotCanonical,
    /// It names another log than the one it stands in.
    #[error("body is of another log than its entry")]
    Origin,
    /// Its addressees do not fit the entry's visibility and tags.
    #[error("record names addressees that its entry has no room for, or none")]
    Addressees,
    /// A content that belongs to another record.
    #[error("content is of another event than the record")]
    Event,
}

/// Opens the record of the entry with this `header`.
///
/// # Errors
/// [`Unreadable`]; the entry counts as one that says nothing.
pub fn open(
    header: &Header,
    body: &[u8],
    identities: &[&Identity],
) -> Result<v1::Record, Unreadable> {
    let record: v1::Record = decode(header, body, identities)?;
    if record.origin != header.origin.as_str() {
        return Err(Unreadable::Origin);
    }
    let count = record.addressees.len();
    let fits = match header.visibility {
        Visibility::Public | Visibility::Federation => count == 0,
        Visibility::Addressed => (1..=header.tags.len()).contains(&count),
    };
    if fits { Ok(record) } else { Err(Unreadable::Addressees) }
}

/// Opens the content of the entry with this `header`, whose record has this `event_id`.
///
/// # Errors
/// [`Unreadable`]; the content is shown to nobody.
pub fn open_content(
    header: &Header,
    event_id: &[u8; 16],
    body: &[u8],
    identities: &[&Identity],
) -> Result<v1::Content, Unreadable> {
    let content: v1::Content = decode(header, body, identities)?;
    if content.origin != header.origin.as_str() {
        return Err(Unreadable::Origin);
    }
    if content.event_id != event_id { Err(Unreadable::Event) } else { Ok(content) }
}

/// The addressees that can be read, for people.
pub fn addressees(record: &v1::Record) -> Vec<Society> {
    record.addressees.iter().filter_map(|code| code.parse().ok()).collect()
}

fn decode<M: prost::Message + Default>(
    header: &Header,
    body: &[u8],
    identities: &[&Identity],
) -> Result<M, Unreadable> {
    let opened;
    let message = match header.visibility {
        Visibility::Public | Visibility::Federation => sealing::unsalt(body)?,
        Visibility::Addressed => {
            opened = sealing::open(body, identities)?;
            opened.as_slice()
        }
    };
    let decoded = M::decode(message).map_err(|_| Unreadable::Decode)?;
    let again = Zeroizing::new(decoded.encode_to_vec());
    if *again == message { Ok(decoded) } else { Err(Unreadable::NotCanonical) }
}
