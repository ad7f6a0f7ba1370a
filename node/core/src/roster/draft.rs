//! A roster on its way round the founders: the text that all sign, and who has signed so far.
//!
//! Invariant: a [`Draft`] keeps every rule that one version alone must keep, and each signature on
//! it was checked; only their number may be too small. A note without signatures ends after the
//! blank line.

use signed_note::{Note, Signature};

use super::{
    Card, DataProtection, Document, Group, Member, Roster, RosterError, Status, document::hash_of,
    signatures_of,
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
    signatures: Vec<(Society, Signature)>,
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
        let draft = Self::new(document)?;
        previous.check_succession(&draft.document)?;
        Ok(draft)
    }

    fn new(document: Document) -> Result<Self, RosterError> {
        document.check()?;
        let text = document.to_text()?;
        if text.len() > NOTE_BYTES_MAX {
            return Err(RosterError::Size(text.len()));
        }
        Ok(Self { document, text, signatures: Vec::new() })
    }

    /// Reads a draft, with or without signatures; each must be by a root key of the draft.
    pub fn open(bytes: &[u8]) -> Result<Self, RosterError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(RosterError::Size(bytes.len()));
        }
        // A note without signatures is none yet, by the specification.
        if let Some(text) = bytes.strip_suffix(b"\n").filter(|text| text.ends_with(b"}\n")) {
            return Self::new(Document::parse(text)?);
        }
        let note = Note::from_bytes(bytes).map_err(|_| RosterError::Note)?;
        let mut draft = Self::new(Document::parse(note.text())?)?;
        for line in signatures_of(bytes, note.text())? {
            draft.take(&note, line)?;
        }
        Ok(draft)
    }

    fn take(&mut self, note: &Note, line: Signature) -> Result<(), RosterError> {
        let signer = self
            .document
            .members
            .iter()
            .find(|member| member.root_key.made(&line))
            .ok_or_else(|| RosterError::Stranger(line.name().into()))?;
        if !signer.root_key.verify(note, &line) {
            return Err(RosterError::BadSignature(line.name().into()));
        }
        match self.signatures.binary_search_by_key(&signer.society, |(society, _)| *society) {
            Ok(_) => return Err(RosterError::SignedTwice(line.name().into())),
            Err(at) => self.signatures.insert(at, (signer.society, line)),
        }
        Ok(())
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
            .document
            .members
            .iter()
            .find(|member| member.root_key == *root.public())
            .ok_or_else(|| RosterError::NotARootKey(root.public().name().into()))?;
        let (society, line) = (member.society, root.sign(self.text.as_bytes())?);
        match self.signatures.binary_search_by_key(&society, |(society, _)| *society) {
            Ok(_) => {}
            Err(at) => self.signatures.insert(at, (society, line)),
        }
        Ok(society)
    }

    /// Who has signed.
    pub fn signed(&self) -> impl Iterator<Item = Society> {
        self.signatures.iter().map(|(society, _)| *society)
    }

    /// Active members who have not signed. Version 1 needs all of them; a later one needs as many
    /// as the thresholds say.
    pub fn missing(&self) -> Vec<Society> {
        self.document
            .members
            .iter()
            .filter(|member| member.status == Status::Active)
            .map(|member| member.society)
            .filter(|society| !self.signed().any(|signed| signed == *society))
            .collect()
    }

    /// Takes over the signatures that another copy of the same draft has more.
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.text != other.text {
            return false;
        }
        for (society, line) in &other.signatures {
            if let Err(at) = self.signatures.binary_search_by_key(society, |(own, _)| *own) {
                self.signatures.insert(at, (*society, line.clone()));
            }
        }
        true
    }

    /// The note as it stands.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [self.text.as_bytes(), b"\n"].concat();
        for (_, line) in &self.signatures {
            bytes.extend(line.to_bytes());
        }
        bytes
    }
}
