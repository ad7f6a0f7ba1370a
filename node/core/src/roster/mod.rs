//! The roster: who the members are, by which keys they are known, and how it may change.
//!
//! A roster is a signed note. Version 1 is signed by every founder; version N+1 by a threshold of
//! the root keys of N *and* of N+1, exactly N+1, never skipping (TUF's rule for its root role).
//! Invariants: a [`Roster`] exists only after its signatures were checked; its text is kept byte
//! for byte and hashed as it is; nothing in it can be read in two ways (round-trip gate).
//!
//! Source: `docs/protocol.md`, "The roster"; TUF specification, 5.3.

mod card;
mod chain;
mod desk;
mod document;
mod draft;
mod error;
mod tls;

use std::collections::BTreeSet;

use signed_note::{Note, Signature};

pub use card::{CARD_LINE, Card};
pub use chain::Chain;
pub use desk::{Desk, DeskError};
pub use document::{Document, Group, ROSTER_LINE, is_group_name};
pub use draft::{Draft, Standing};
pub use error::RosterError;
pub use tls::{TlsKeyError, TlsSpki};

use crate::{
    head::HeadKeys,
    keys::NoteKey,
    limits::NOTE_BYTES_MAX,
    sealing::{Recipient, RoutingKey},
    society::{Origin, Society},
};

/// What a member takes part in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
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
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// In good standing.
    Active,
    /// No live streams; its log and its past stay.
    Suspended,
    /// Gone for good; its log and its past stay.
    Removed,
}

/// One society in the roster: all that others need to know of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// How to reach its referral desk; left out where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desk: Option<Desk>,
}

/// Times to answer and to acknowledge by priority, and how long cases are kept.
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
    /// Hours to acknowledge; left out where they are those to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledge_hours: Option<AcknowledgeHours>,
}

/// Hours to acknowledge by priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeHours {
    /// An emergency.
    pub emergency: u32,
    /// An urgent referral.
    pub urgent: u32,
    /// A normal one.
    pub normal: u32,
}

impl DataProtection {
    /// Hours to answer: an emergency, an urgent referral, a normal one.
    pub fn hours_to_answer(&self) -> [u32; 3] {
        [self.emergency_hours, self.urgent_hours, self.normal_hours]
    }

    /// Hours to acknowledge, in the same order: those to answer, where nothing else was agreed on.
    pub fn hours_to_acknowledge(&self) -> [u32; 3] {
        let apart = self.acknowledge_hours.map(|hours| {
            let AcknowledgeHours { emergency, urgent, normal } = hours;
            [emergency, urgent, normal]
        });
        apart.unwrap_or(self.hours_to_answer())
    }
}

/// What members that are relays keep for the others, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relaying {
    /// Of one author's bodies at one time, MiB.
    pub member_mib: u32,
    /// Of all bodies at one time, MiB.
    pub total_mib: u32,
    /// How long a body is kept that nobody comes for, days.
    pub keep_days: u32,
}

impl Default for Relaying {
    fn default() -> Self {
        Self { member_mib: 64, total_mib: 1024, keep_days: 30 }
    }
}

impl Relaying {
    /// The quota of one author, bytes.
    pub fn member_bytes(&self) -> u64 {
        u64::from(self.member_mib) << 20
    }

    /// What is kept of all, bytes.
    pub fn total_bytes(&self) -> u64 {
        u64::from(self.total_mib) << 20
    }

    /// How long a body is kept, milliseconds.
    pub fn keep_ms(&self) -> u64 {
        u64::from(self.keep_days) * 24 * 60 * 60 * 1000
    }
}

impl Member {
    /// A key that stands for two uses of one member is refused.
    fn check_keys_differ(&self) -> Result<(), RosterError> {
        document::check_uses(std::slice::from_ref(self)).map(|_| ())
    }
}

/// A roster whose signatures were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    document: Document,
    hash: [u8; 32],
    bytes: Vec<u8>,
}

impl Roster {
    /// Version 1: every founder's root key has signed.
    pub fn open_first(bytes: &[u8]) -> Result<Self, RosterError> {
        let (roster, note) = Self::read(bytes)?;
        roster.check_version(1)?;
        if let Some(member) = roster.members().iter().find(|m| m.status != Status::Active) {
            return Err(RosterError::field(
                format!("{}: status", member.society),
                "founders are active",
            ));
        }
        let signed = verified(bytes, &note, &[&roster])?;
        let missing: Vec<Society> = roster
            .members()
            .iter()
            .filter(|member| !signed.contains(&member.root_key.to_string()))
            .map(|member| member.society)
            .collect();
        if missing.is_empty() { Ok(roster) } else { Err(RosterError::FounderMissing(missing)) }
    }

    /// The version after `previous`: a threshold of the root keys of both has signed.
    pub fn open_next(previous: &Self, bytes: &[u8]) -> Result<Self, RosterError> {
        let (roster, note) = Self::read(bytes)?;
        previous.check_succession(&roster.document)?;
        let signed = verified(bytes, &note, &[previous, &roster])?;
        for one in [previous, &roster] {
            let count = one.active().filter(|m| signed.contains(&m.root_key.to_string())).count();
            if count < one.threshold() as usize {
                return Err(RosterError::TooFewSignatures {
                    version: one.version(),
                    signed: count,
                    threshold: one.threshold(),
                });
            }
        }
        Ok(roster)
    }

    /// Versions 1 to N, in order: the last of them.
    pub fn open_chain<'a>(notes: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, RosterError> {
        let mut notes = notes.into_iter();
        let first = Self::open_first(notes.next().ok_or(RosterError::Empty)?)?;
        notes.try_fold(first, |previous, bytes| Self::open_next(&previous, bytes))
    }

    fn read(bytes: &[u8]) -> Result<(Self, Note), RosterError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(RosterError::Size(bytes.len()));
        }
        let note = Note::from_bytes(bytes).map_err(|_| RosterError::Note)?;
        let document = Document::parse(note.text())?;
        let hash = document::hash_of(note.text());
        Ok((Self { document, hash, bytes: bytes.to_vec() }, note))
    }

    fn check_version(&self, expected: u64) -> Result<(), RosterError> {
        let found = self.version();
        if found == expected { Ok(()) } else { Err(RosterError::Version { found, expected }) }
    }

    /// All that `next` must keep of this version, signatures apart.
    fn check_succession(&self, next: &Document) -> Result<(), RosterError> {
        let expected = self.version().saturating_add(1);
        if next.version != expected {
            return Err(RosterError::Version { found: next.version, expected });
        }
        if next.previous != Some(self.hash) {
            return Err(RosterError::Previous);
        }
        if next.federation != self.document.federation {
            return Err(RosterError::Federation {
                found: next.federation.clone(),
                expected: self.document.federation.clone(),
            });
        }
        let uses_before = self.document.keys()?;
        for (key, second) in next.keys()? {
            if let Some(first) = uses_before.get(&key).filter(|first| **first != second) {
                return Err(RosterError::KeyReused { first: first.clone(), second });
            }
        }
        for member in self.members() {
            let now = next.members.iter().find(|now| now.society == member.society);
            let now = now.ok_or(RosterError::Dropped(member.society))?;
            let epoch = |member: &Member| member.origin().map(|origin| origin.epoch());
            if now.log_key != member.log_key && epoch(now) <= epoch(member) {
                return Err(RosterError::Epoch(member.society));
            }
        }
        Ok(())
    }

    /// What it says.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// From 1.
    pub fn version(&self) -> u64 {
        self.document.version
    }

    /// SHA-256 of the note's text.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The hash in short, to read over the telephone.
    pub fn fingerprint(&self) -> String {
        card::fingerprint(&self.hash)
    }

    /// The signed note, byte for byte.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The federation's name.
    pub fn federation(&self) -> &str {
        &self.document.federation
    }

    /// How many root keys a change needs.
    pub fn threshold(&self) -> u32 {
        self.document.threshold
    }

    /// YYYY-MM-DD. After it people are warned; service never stops.
    pub fn expires_on(&self) -> &str {
        &self.document.expires_on
    }

    /// Whether the day after [`Roster::expires_on`] has begun (UTC) at `now_s`, seconds since the
    /// Unix epoch.
    pub fn has_expired(&self, now_s: u64) -> bool {
        document::day_of(self.expires_on()).is_some_and(|day| now_s / 86_400 > day)
    }

    /// Deadlines and retention.
    pub fn data_protection(&self) -> &DataProtection {
        &self.document.data_protection
    }

    /// What relays keep for others.
    pub fn relaying(&self) -> &Relaying {
        &self.document.relaying
    }

    /// Every member of whatever status, by code.
    pub fn members(&self) -> &[Member] {
        &self.document.members
    }

    /// Members in good standing, by code.
    pub fn active(&self) -> impl Iterator<Item = &Member> {
        self.document.active()
    }

    /// Working groups, by name.
    pub fn groups(&self) -> &[Group] {
        &self.document.groups
    }

    /// The member with this code.
    pub fn member(&self, society: Society) -> Option<&Member> {
        self.members().iter().find(|member| member.society == society)
    }

    /// The witness keys with this ID, and whose they are. It has four bytes: there may be several.
    pub fn witnesses_by_id(&self, id: u32) -> impl Iterator<Item = (Society, &NoteKey)> {
        let keys = self.members().iter().map(|member| (member.society, &member.witness_key));
        keys.filter(move |(_, key)| key.id() == id)
    }

    /// The member whose TLS key this is.
    pub fn member_by_tls(&self, key: &TlsSpki) -> Option<&Member> {
        self.members().iter().find(|member| member.tls_key == *key)
    }
}

/// Checks every signature line of a note; each must be by a root key of one of `rosters`. The
/// answer is the verifier keys, in text, that signed.
fn verified(
    bytes: &[u8],
    note: &Note,
    rosters: &[&Roster],
) -> Result<BTreeSet<String>, RosterError> {
    let mut signed = BTreeSet::new();
    for line in signatures_of(bytes, note.text())? {
        let key = rosters
            .iter()
            .flat_map(|roster| roster.members())
            .map(|member| &member.root_key)
            .find(|key| key.made(&line))
            .ok_or_else(|| RosterError::Stranger(line.name().into()))?;
        if !key.verify(note, &line) {
            return Err(RosterError::BadSignature(line.name().into()));
        }
        if !signed.insert(key.to_string()) {
            return Err(RosterError::SignedTwice(line.name().into()));
        }
    }
    Ok(signed)
}

/// The signature lines of a note that was parsed; each in its one encoding.
fn signatures_of(bytes: &[u8], text: &[u8]) -> Result<Vec<Signature>, RosterError> {
    let lines = bytes.get(text.len() + 1..).ok_or(RosterError::Note)?;
    let signatures: Vec<Signature> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| Signature::from_bytes(line).map_err(|_| RosterError::Note))
        .collect::<Result<_, _>>()?;
    let again: Vec<u8> = signatures.iter().flat_map(Signature::to_bytes).collect();
    if again == lines { Ok(signatures) } else { Err(RosterError::Note) }
}

impl HeadKeys for Roster {
    fn log_key(&self, origin: &Origin) -> Option<&NoteKey> {
        let member = self.member(origin.society())?;
        (member.log_key.name() == origin.as_str()).then_some(&member.log_key)
    }

    fn witness(&self, name: &str) -> Option<(Society, &NoteKey)> {
        let member = self.members().iter().find(|member| member.witness_key.name() == name)?;
        Some((member.society, &member.witness_key))
    }
}

#[cfg(test)]
pub(crate) mod tests;
