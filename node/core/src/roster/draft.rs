//! A roster on its way round the founders: the text that all sign, and who has signed so far.
//!
//! Invariant: a [`Draft`] keeps every rule that one version alone must keep (and, where the version
//! before is known, every rule of its succession), and each signature on it was checked; only their
//! number may be too small. A note without signatures ends after the blank line.

use std::collections::{BTreeMap, BTreeSet};

use signed_note::{Note, Signature};

use super::{
    Card, DataProtection, Document, Group, Member, Relaying, Roster, RosterError,
    document::hash_of, signatures_of,
};
use crate::{
    keys::NoteSecret,
    limits::{FOUNDERS_MAX, NOTE_BYTES_MAX},
    society::Society,
};

/// A roster that may still lack signatures.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    document: Document,
    text: String,
    /// By society and key: who has another root key from this version on may sign with both.
    signatures: BTreeMap<(Society, String), Signature>,
    /// The version before, where it is known.
    previous: Option<Roster>,
}

/// How far a version's members have signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whose members: this version's, or those of the one before.
    pub version: u64,
    /// How many of them have signed by the root keys that it names.
    pub signed: usize,
    /// How many must.
    pub needed: usize,
}

impl Draft {
    /// Version 1, of the societies whose cards these are.
    pub fn found(
        cards: &[Card],
        threshold: u32,
        expires_on: &str,
        data_protection: DataProtection,
    ) -> Result<Self, RosterError> {
        let first = cards.first().ok_or(RosterError::Empty)?;
        if cards.len() > FOUNDERS_MAX {
            return Err(RosterError::field(
                "members",
                format!("more than {FOUNDERS_MAX} founders"),
            ));
        }
        if let Some(other) = cards.iter().find(|card| card.federation != first.federation) {
            return Err(RosterError::Federation {
                found: other.federation.clone(),
                expected: first.federation.clone(),
            });
        }
        let mut members: Vec<Member> = cards.iter().map(|card| card.member.clone()).collect();
        members.sort_by_key(|member| member.society);
        Self::new(Document {
            federation: first.federation.clone(),
            version: 1,
            previous: None,
            threshold,
            expires_on: expires_on.into(),
            data_protection,
            relaying: Relaying::default(),
            members,
            groups: Vec::new(),
        })
    }

    /// The same with these working groups; what was signed before is not.
    pub fn with_groups(self, mut groups: Vec<Group>) -> Result<Self, RosterError> {
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        for group in &mut groups {
            group.members.sort_unstable();
        }
        Self::new(Document { groups, ..self.document })
    }

    /// The version after `previous`, with what `change` makes of its document.
    pub fn succeed(
        previous: &Roster,
        change: impl FnOnce(&mut Document),
    ) -> Result<Self, RosterError> {
        let mut document = previous.document().clone();
        document.version = previous.version().saturating_add(1);
        document.previous = Some(previous.hash());
        change(&mut document);
        Self::new(document)?.following(previous)
    }

    fn following(self, previous: &Roster) -> Result<Self, RosterError> {
        previous.check_succession(&self.document)?;
        Ok(Self { previous: Some(previous.clone()), ..self })
    }

    fn new(document: Document) -> Result<Self, RosterError> {
        document.check()?;
        let text = document.to_text()?;
        if text.len() > NOTE_BYTES_MAX {
            return Err(RosterError::Size(text.len()));
        }
        Ok(Self { document, text, signatures: BTreeMap::new(), previous: None })
    }

    /// Reads a draft, with or without signatures; each must be by a root key of the draft.
    pub fn open(bytes: &[u8]) -> Result<Self, RosterError> {
        Self::read(bytes, None)
    }

    /// Reads the draft of the version after `previous`, where each signature must be by a root key of
    /// either.
    pub fn open_after(previous: &Roster, bytes: &[u8]) -> Result<Self, RosterError> {
        Self::read(bytes, Some(previous))
    }

    fn read(bytes: &[u8], previous: Option<&Roster>) -> Result<Self, RosterError> {
        let following = |draft: Self| match previous {
            Some(previous) => draft.following(previous),
            None => Ok(draft),
        };
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(RosterError::Size(bytes.len()));
        }
        // A note without signatures is none yet, by the specification.
        if let Some(text) = bytes.strip_suffix(b"\n").filter(|text| text.ends_with(b"}\n")) {
            return following(Self::new(Document::parse(text)?)?);
        }
        let note = Note::from_bytes(bytes).map_err(|_| RosterError::Note)?;
        let mut draft = following(Self::new(Document::parse(note.text())?)?)?;
        for line in signatures_of(bytes, note.text())? {
            draft.take(&note, line)?;
        }
        Ok(draft)
    }

    /// The members by whose root keys this may be signed: its own, and those of the version before.
    fn signers(&self) -> impl Iterator<Item = &Member> {
        let before = self.previous.iter().flat_map(Roster::members);
        self.document.members.iter().chain(before)
    }

    fn take(&mut self, note: &Note, line: Signature) -> Result<(), RosterError> {
        let signer = self
            .signers()
            .find(|member| member.root_key.made(&line))
            .ok_or_else(|| RosterError::Stranger(line.name().into()))?;
        if !signer.root_key.verify(note, &line) {
            return Err(RosterError::BadSignature(line.name().into()));
        }
        let by = (signer.society, signer.root_key.to_string());
        let name = line.name().to_owned();
        match self.signatures.insert(by, line) {
            Some(_) => Err(RosterError::SignedTwice(name)),
            None => Ok(()),
        }
    }

    /// What is to be signed.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// SHA-256 of the text: what the signers compare with each other before they sign.
    pub fn hash(&self) -> [u8; 32] {
        hash_of(self.text.as_bytes())
    }

    /// The hash in short, to read over the telephone.
    pub fn fingerprint(&self) -> String {
        super::card::fingerprint(&self.hash())
    }

    /// Signs with a member's root key. Signing twice changes nothing.
    pub fn sign(&mut self, root: &NoteSecret) -> Result<Society, RosterError> {
        let member = self
            .signers()
            .find(|member| member.root_key == *root.public())
            .ok_or_else(|| RosterError::NotARootKey(root.public().name().into()))?;
        let by = (member.society, member.root_key.to_string());
        let line = root.sign(self.text.as_bytes())?;
        let society = by.0;
        self.signatures.entry(by).or_insert(line);
        Ok(society)
    }

    /// Who has signed.
    pub fn signed(&self) -> impl Iterator<Item = Society> {
        let societies: BTreeSet<Society> = self.signatures.keys().map(|(of, _)| *of).collect();
        societies.into_iter()
    }

    /// Active members who have not signed. Version 1 needs all of them; of a later one
    /// [`Draft::standing`] tells how many are needed.
    pub fn missing(&self) -> Vec<Society> {
        self.document
            .active()
            .map(|member| member.society)
            .filter(|society| !self.signed().any(|signed| signed == *society))
            .collect()
    }

    /// How far it has come: of this version, and of the one before where that is known.
    pub fn standing(&self) -> Vec<Standing> {
        let of = |document: &Document| {
            let signed = |member: &&Member| {
                self.signatures.contains_key(&(member.society, member.root_key.to_string()))
            };
            let needed = match document.version {
                1 if self.document.version == 1 => document.active().count(),
                _ => document.threshold as usize,
            };
            let signed = document.active().filter(signed).count();
            Standing { version: document.version, signed, needed }
        };
        let before = self.previous.iter().map(|previous| of(previous.document()));
        before.chain([of(&self.document)]).collect()
    }

    /// Whether all have signed that must, as far as is known here.
    pub fn is_finished(&self) -> bool {
        (self.previous.is_some() || self.document.version == 1)
            && self.standing().iter().all(|standing| standing.signed >= standing.needed)
    }

    /// The version before, where it is known.
    pub fn previous(&self) -> Option<&Roster> {
        self.previous.as_ref()
    }

    /// Takes over the signatures that another copy of the same draft has more.
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.text != other.text {
            return false;
        }
        for (by, line) in &other.signatures {
            self.signatures.entry(by.clone()).or_insert_with(|| line.clone());
        }
        true
    }

    /// The note as it stands.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [self.text.as_bytes(), b"\n"].concat();
        for line in self.signatures.values() {
            bytes.extend(line.to_bytes());
        }
        bytes
    }
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
