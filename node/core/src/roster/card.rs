//! The membership card: what a society hands to the others so that they list it in the roster.
//!
//! A signed note by the society's root key over its own [`Member`]. Invariant: a [`Card`] exists
//! only after its signature was checked. A card proves that whoever holds the root key holds these
//! keys; that this is the society of that name, people must settle, by comparing
//! [`Card::fingerprint`] over the telephone.
//!
//! Source: `docs/protocol.md`, "The membership card".

use serde::{Deserialize, Serialize};
use signed_note::Note;

use super::{
    Member, RosterError, Status,
    document::{hash_of, parse_text, text_of},
    signatures_of,
};
use crate::{
    keys::NoteSecret,
    limits::{CARD_BYTES_MAX, NOTE_BYTES_MAX},
    society::check_federation,
};

/// The first line of a card's text.
pub const CARD_LINE: &str = "tutti-card/v1";

/// A society's own word on its keys, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The federation that it is to join.
    pub federation: String,
    /// What is to be listed. Its role is a wish, which those who sign the roster judge.
    pub member: Member,
    hash: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    federation: String,
    member: Member,
}

impl Document {
    fn check(&self) -> Result<(), RosterError> {
        check_federation(&self.federation)
            .map_err(|error| RosterError::field("federation", error))?;
        self.member.check(&self.federation)?;
        if self.member.status != Status::Active {
            return Err(RosterError::field("status", "a card is of an active member"));
        }
        self.member.check_keys_differ()
    }
}

impl Card {
    /// Signs a card with the society's root key: the note's bytes.
    pub fn sign(
        federation: &str,
        member: Member,
        root: &NoteSecret,
    ) -> Result<Vec<u8>, RosterError> {
        if *root.public() != member.root_key {
            return Err(RosterError::NotARootKey(root.public().name().into()));
        }
        let document = Document { federation: federation.into(), member };
        document.check()?;
        let text = text_of(CARD_LINE, &document)?;
        let line = root.sign(text.as_bytes())?.to_bytes();
        Ok([text.as_bytes(), b"\n", &line].concat())
    }

    /// Reads a card and checks it: one signature, by the root key that it names.
    pub fn open(bytes: &[u8]) -> Result<Self, RosterError> {
        if bytes.len() > CARD_BYTES_MAX.min(NOTE_BYTES_MAX) {
            return Err(RosterError::Size(bytes.len()));
        }
        let note = Note::from_bytes(bytes).map_err(|_| RosterError::Note)?;
        let document: Document = parse_text(CARD_LINE, note.text())?;
        document.check()?;
        let key = &document.member.root_key;
        match signatures_of(bytes, note.text())?.as_slice() {
            [line] if !key.made(line) => Err(RosterError::Stranger(line.name().into())),
            [line] if key.verify(&note, line) => Ok(Self {
                hash: hash_of(note.text()),
                federation: document.federation,
                member: document.member,
            }),
            [_] => Err(RosterError::BadSignature(key.name().into())),
            _ => Err(RosterError::SignedTwice(key.name().into())),
        }
    }

    /// The first 120 bits of the SHA-256 of the text, in six groups of five hex digits: short
    /// enough to read over the telephone, too long for another card to be made to fit.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.hash)
    }
}

/// The first 120 bits of a hash in six groups of five hex digits.
pub(super) fn fingerprint(hash: &[u8; 32]) -> String {
    let digits: Vec<char> = hex::encode(hash).chars().take(30).collect();
    digits.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}
