//! Evidence of one entry together with what its record says, for somebody who trusts nobody.
//!
//! A tlog-proof shows that a log commits to the sealed bytes of a record. Here those bytes are
//! beside it, and the key that opens them and nothing else ([`RevealedKey`]). An [`Opened`] is a
//! claim until [`Opened::verify`] has checked the proof, that the bytes are those which the entry
//! commits to, and that the key opens them. Invariant: a content has no place in this format.
//!
//! Source: `docs/protocol.md`, "Evidence with the record".

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tutti_proto::v1;

use crate::{
    body::Part,
    entry::{Entry, Header, Visibility},
    head::{HeadKeys, SignedHead},
    limits::BODY_BYTES_MAX,
    proof::{PROOF_BYTES_MAX, Proof, ProofRefused},
    record::{self, Unreadable},
    sealing::{Identity, OpenError, RevealedKey, reveal},
};

/// The first line.
pub const OPENED_LINE: &str = "tutti-opened/v1";

/// The file, bytes: a body in base64, the key, and the proof.
pub const OPENED_BYTES_MAX: usize = BODY_BYTES_MAX as usize / 3 * 4 + 1024 + PROOF_BYTES_MAX;

/// Evidence of an entry and its record: not checked yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// That the entry is in the log.
    pub proof: Proof,
    /// The record's body, as stored.
    pub body: Vec<u8>,
    /// What opens it; `None` where it is not sealed.
    pub key: Option<RevealedKey>,
}

/// Why such a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenedRefused {
    /// Larger than it can be.
    #[error("the file is {0} bytes, more than is read")]
    Size(usize),
    /// A line is not as the format has it.
    #[error("the file is not in the format of evidence with a record: {0}")]
    Format(&'static str),
    /// The proof in it.
    #[error(transparent)]
    Proof(#[from] ProofRefused),
    /// The entry is of a version that this program does not know.
    #[error("the entry is of a version that this program does not know")]
    Version,
    /// The body is another one.
    #[error("the record is not the one that the entry commits to")]
    OtherBody,
    /// Sealed and no key, or the other way about.
    #[error("a key belongs to a sealed record and to no other")]
    Key,
    /// The key, or an own one, does not open it.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// What is inside is no record of this entry.
    #[error(transparent)]
    Record(#[from] Unreadable),
}

/// What was proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// The entry.
    pub header: Header,
    /// The head that it stands under.
    pub head: SignedHead,
    /// What its record says.
    pub record: v1::Record,
}

impl Opened {
    /// Opens the record beside its proof: with `identity`, an audit or case key that it is sealed
    /// to, where it is sealed. Nothing of the proof is checked but that it carries this entry.
    ///
    /// # Errors
    /// [`OpenedRefused`]; nothing was revealed.
    pub fn new(
        proof: Proof,
        body: Vec<u8>,
        identity: Option<&Identity>,
    ) -> Result<Self, OpenedRefused> {
        let entry = proof.entry.as_ref().ok_or(ProofRefused::NoEntry)?;
        let entry = Entry::parse(entry.as_slice()).map_err(ProofRefused::Entry)?;
        let header = entry.header().ok_or(OpenedRefused::Version)?;
        let key = match (header.visibility, identity) {
            (Visibility::Public | Visibility::Federation, _) => None,
            (Visibility::Addressed, None) => return Err(OpenedRefused::Key),
            (Visibility::Addressed, Some(identity)) => Some(reveal(&body, identity)?),
        };
        let opened = Self { proof, body, key };
        opened.read(header)?;
        Ok(opened)
    }

    /// The file. `parse` gives back the same.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{OPENED_LINE}\n");
        if let Some(key) = &self.key {
            text += &format!("file-key {}\n", BASE64_STANDARD.encode(key.as_bytes()));
        }
        text += &format!("record {}\n\n", BASE64_STANDARD.encode(&self.body));
        [text.into_bytes(), self.proof.to_bytes()].concat()
    }

    /// Reads a file; nothing of it is believed yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, OpenedRefused> {
        if bytes.len() > OPENED_BYTES_MAX {
            return Err(OpenedRefused::Size(bytes.len()));
        }
        let bad = OpenedRefused::Format;
        let text = std::str::from_utf8(bytes).map_err(|_| bad("not text"))?;
        let (claims, proof) = text.split_once("\n\n").ok_or(bad("no empty line"))?;
        let mut lines = claims.split('\n').peekable();
        if lines.next() != Some(OPENED_LINE) {
            return Err(bad("the first line is not tutti-opened/v1"));
        }
        let base64 = |line: &str, name: &str| {
            let data = line.strip_prefix(name)?;
            BASE64_STANDARD.decode(data).ok()
        };
        let key = match lines.next_if(|line| line.starts_with("file-key ")) {
            None => None,
            Some(line) => {
                let key = base64(line, "file-key ").and_then(|key| key.try_into().ok());
                Some(RevealedKey::from_bytes(key.ok_or(bad("the key is not 16 bytes in base64"))?))
            }
        };
        let body = lines.next().and_then(|line| base64(line, "record "));
        let body = body.ok_or(bad("the record line is not a body in base64"))?;
        if lines.next().is_some() {
            return Err(bad("more lines than it has"));
        }
        Ok(Self { proof: Proof::parse(proof.as_bytes())?, body, key })
    }

    /// Checks all of it: the proof by `keys`, that the body is the entry's record, and what the key
    /// opens.
    ///
    /// # Errors
    /// [`OpenedRefused`]; then nothing is proven.
    pub fn verify(&self, keys: &impl HeadKeys) -> Result<Proven, OpenedRefused> {
        let (entry, head) = self.proof.verify(keys, None)?;
        let entry = Entry::parse(entry.as_slice()).map_err(ProofRefused::Entry)?;
        let header = entry.header().ok_or(OpenedRefused::Version)?;
        let record = self.read(header)?;
        Ok(Proven { header: header.clone(), head, record })
    }

    fn read(&self, header: &Header) -> Result<v1::Record, OpenedRefused> {
        if header.place(Part::Record).commit(&self.body) != header.record {
            return Err(OpenedRefused::OtherBody);
        }
        match (header.visibility, &self.key) {
            (Visibility::Addressed, Some(key)) => {
                Ok(record::open_revealed(header, &self.body, key)?)
            }
            (Visibility::Public | Visibility::Federation, None) => {
                Ok(record::open(header, &self.body, &[])?)
            }
            (Visibility::Addressed, None)
            | (Visibility::Public | Visibility::Federation, Some(_)) => Err(OpenedRefused::Key),
        }
    }
}

#[cfg(test)]
#[path = "opened_tests.rs"]
mod tests;
