//! The roster: who the members are, by which keys they are known, and how it may change.
//!
//! A roster is a signed note. Version 1 is signed by every founder; version N+1 by a threshold of
//! the root keys of N *and* of N+1, exactly N+1, never skipping (TUF's rule for its root role).
//! Invariants: a [`Roster`] exists only after its signatures were checked; its text is kept byte
//! for byte and hashed as it is; nothing in it can be read in two ways (round-trip gate).
//!
//! Source: `docs/protocol.md`, "The roster"; TUF specification, 5.3.

use crate::{
    head::HeadKeys,
    keys::NoteKey,
    sealing::{Recipient, RoutingKey},
    society::{Origin, Society},
};

/// What a member takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Writes a log, sends and receives.
    Member,
    /// Holds and witnesses logs; is addressed by nobody.
    Observer,
    /// A member that also stores and forwards bodies for others.
    Relay,
}

/// Whether a member is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// In good standing.
    Active,
    /// No live streams; its log and its past stay.
    Suspended,
    /// Gone for good; its log and its past stay.
    Removed,
}

/// The public key of a member's TLS certificate: the 44 bytes of an Ed25519 SubjectPublicKeyInfo
/// in DER (RFC 8410), in text as base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlsSpki([u8; 44]);

/// One society in the roster: all that others need to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its code.
    pub society: Society,
    /// Its name, for people.
    pub name: String,
    /// `host:port`, most preferred first; none for a node that only dials out.
    pub endpoints: Vec<String>,
    /// What it takes part in.
    pub role: Role,
    /// Whether it is let in.
    pub status: Status,
    /// Signs rosters and its own card. Kept offline.
    pub root_key: NoteKey,
    /// Signs the heads of its log; its name is the log's origin.
    pub log_key: NoteKey,
    /// Cosigns the heads of others' logs.
    pub witness_key: NoteKey,
    /// Proves its node in TLS.
    pub tls_key: TlsSpki,
    /// Contents and records are sealed to it.
    pub case_key: Recipient,
    /// Records are sealed to it.
    pub audit_key: Recipient,
    /// Entries are addressed to it.
    pub routing_key: RoutingKey,
}

/// Times to answer by priority, and how long cases are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataProtection {
    /// Hours to answer an emergency.
    pub emergency_hours: u32,
    /// Hours to answer an urgent referral.
    pub urgent_hours: u32,
    /// Hours to answer a normal one.
    pub normal_hours: u32,
    /// Days that contents are kept where the sender set no other time.
    pub retention_days: u32,
}

/// A roster whose signatures were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    version: u64,
    hash: [u8; 32],
    bytes: Vec<u8>,
    federation: String,
    threshold: u32,
    expires_on: String,
    data_protection: DataProtection,
    members: Vec<Member>,
}

impl Roster {
    /// From 1.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// SHA-256 of the note's text.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The signed note, byte for byte.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The federation's name.
    pub fn federation(&self) -> &str {
        &self.federation
    }

    /// How many root keys a change needs.
    pub fn threshold(&self) -> u32 {
        self.threshold
    }

    /// YYYY-MM-DD. After it people are warned; service never stops.
    pub fn expires_on(&self) -> &str {
        &self.expires_on
    }

    /// Deadlines and retention.
    pub fn data_protection(&self) -> &DataProtection {
        &self.data_protection
    }

    /// Every member of whatever status, by code.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member with this code.
    pub fn member(&self, society: Society) -> Option<&Member> {
        self.members.iter().find(|member| member.society == society)
    }

    /// The member whose TLS key this is.
    pub fn member_by_tls(&self, key: &TlsSpki) -> Option<&Member> {
        self.members.iter().find(|member| member.tls_key == *key)
    }
}

impl HeadKeys for Roster {
    fn log_key(&self, origin: &Origin) -> Option<&NoteKey> {
        let member = self.member(origin.society())?;
        (member.log_key.name() == origin.as_str()).then_some(&member.log_key)
    }

    fn witness(&self, name: &str) -> Option<(Society, &NoteKey)> {
        let member = self.members.iter().find(|member| member.witness_key.name() == name)?;
        Some((member.society, &member.witness_key))
    }
}

impl std::fmt::Debug for TlsSpki {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TlsSpki({})", hex::encode(self.0))
    }
}
