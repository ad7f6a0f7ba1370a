//! Signed heads: a C2SP checkpoint in a C2SP signed note, with C2SP cosignatures.
//!
//! A [`SignedHead`] exists only after the log's own signature was verified strictly. Its text is
//! kept byte for byte; of the signature lines it keeps the log's and those of witnesses that the
//! roster knows, and drops the rest (they are no evidence of anything and could grow without end).

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use signed_note::{Note, Signature};
use tlog_tiles::{Checkpoint, Hash};

use crate::{
    keys::{KeyError, NoteKey, NoteSecret, cosigned_at},
    limits::{COSIGNATURES_MAX, HEAD_BYTES_MAX, LOG_SIZE_MAX},
    society::{Origin, Society},
};

/// Whose keys are believed: the roster, or an auditor's list.
pub trait HeadKeys {
    /// The key that signs the heads of `origin`.
    fn log_key(&self, origin: &Origin) -> Option<&NoteKey>;
    /// The witness whose key bears `name`, and whose it is.
    fn witness(&self, name: &str) -> Option<(Society, &NoteKey)>;
}

/// What a head says: this log has `size` entries and this root.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The log.
    pub origin: Origin,
    /// How many entries.
    pub size: u64,
    /// RFC 6962 root hash.
    pub root: Hash,
}

impl Head {
    /// What an unverified note claims. For an auditor, who goes on where a signature is not sound;
    /// nothing else may act on it.
    pub fn claimed(bytes: &[u8]) -> Result<Self, HeadError> {
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(HeadError::Size(bytes.len()));
        }
        parse_text(Note::from_bytes(bytes).map_err(|_| HeadError::Note)?.text())
    }
}

/// A witness's word that it has checked a head.
#[derive(Debug, Clone, PartialEq)]
pub struct Cosignature {
    /// The witness.
    pub society: Society,
    /// When, seconds since the Unix epoch, by its clock.
    pub time_s: u64,
    line: Signature,
}

/// Bytes of a cosignature that is sent by itself: what its line holds in base64, which is the key
/// ID, the time and the signature (C2SP signed-note, tlog-cosignature).
pub const COSIGNATURE_BYTES: usize = 4 + 8 + 64;

impl Cosignature {
    /// As it is sent by itself: [`COSIGNATURE_BYTES`].
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.line.id().to_be_bytes().as_slice(), self.line.signature()].concat()
    }
}

/// A head that its log has signed. Cheap to clone: a node keeps one for each witness.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedHead {
    head: Head,
    text: Arc<[u8]>,
    signature: Arc<Signature>,
    cosignatures: Arc<Vec<Cosignature>>,
}

/// Why bytes are no signed head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// More than [`HEAD_BYTES_MAX`] bytes.
    #[error("signed head is {0} bytes, more than {HEAD_BYTES_MAX}")]
    Size(usize),
    /// Not a C2SP signed note.
    #[error("not a signed note")]
    Note,
    /// Not a C2SP checkpoint, or one with extension lines, which this version does not know.
    #[error("not a checkpoint of this version")]
    Checkpoint,
    /// The origin is no log's name.
    #[error("checkpoint origin is not <federation>/<society>/<epoch>")]
    Origin,
    /// No key is known for the origin.
    #[error("no key is known for log {0}")]
    UnknownLog(Origin),
    /// The log's own signature is missing.
    #[error("head of {0} is not signed by its log")]
    Unsigned(Origin),
    /// A signature by a known key does not verify.
    #[error("signature by {0} does not verify")]
    BadSignature(String),
}

impl SignedHead {
    /// Signs a head with the key of its log.
    pub fn sign(head: Head, secret: &NoteSecret) -> Result<Self, KeyError> {
        if secret.public().name() != head.origin.as_str() {
            return Err(KeyError::Name(secret.public().name().into()));
        }
        let text = text_of(&head);
        let signature = secret.sign(&text)?;
        Ok(Self {
            head,
            text: text.into(),
            signature: Arc::new(signature),
            cosignatures: Arc::default(),
        })
    }

    /// Reads and verifies a head. A bad signature by any known key refuses the whole note.
    pub fn open(bytes: &[u8], keys: &impl HeadKeys) -> Result<Self, HeadError> {
        Self::open_beside(bytes, keys, |_| None)
    }

    /// Like [`SignedHead::open`], where `known` may give the same head as it is held already: lines
    /// that are equal to the held ones, byte for byte, are not verified a second time.
    pub fn open_beside<'a>(
        bytes: &[u8],
        keys: &impl HeadKeys,
        known: impl FnOnce(&Head) -> Option<&'a Self>,
    ) -> Result<Self, HeadError> {
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(HeadError::Size(bytes.len()));
        }
        let note = Note::from_bytes(bytes).map_err(|_| HeadError::Note)?;
        let head = parse_text(note.text())?;
        let known = known(&head).filter(|known| *known.text == *note.text());
        let key =
            keys.log_key(&head.origin).ok_or_else(|| HeadError::UnknownLog(head.origin.clone()))?;
        let mut signature = None;
        let mut cosignatures: Vec<Cosignature> = Vec::new();
        for line in signatures_of(bytes, &note)? {
            let bad = || HeadError::BadSignature(line.name().into());
            if key.made(&line) {
                if !known.is_some_and(|known| *known.signature == line) && !key.verify(&note, &line)
                {
                    return Err(bad());
                }
                signature.get_or_insert(line);
            } else if let Some((society, witness)) = keys.witness(line.name())
                && witness.made(&line)
            {
                let held =
                    known.is_some_and(|known| known.cosignatures.iter().any(|c| c.line == line));
                if !held && !witness.verify(&note, &line) {
                    return Err(bad());
                }
                let time_s = cosigned_at(&line).ok_or_else(bad)?;
                keep_earliest(&mut cosignatures, Cosignature { society, time_s, line });
            }
        }
        let signature = signature.ok_or_else(|| HeadError::Unsigned(head.origin.clone()))?;
        Ok(Self {
            head,
            text: note.text().into(),
            signature: Arc::new(signature),
            cosignatures: Arc::new(cosignatures),
        })
    }

    /// Whether this society has cosigned.
    pub fn is_cosigned_by(&self, society: Society) -> bool {
        self.cosignatures.binary_search_by_key(&society, |own| own.society).is_ok()
    }

    /// The head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The log that signed.
    pub fn origin(&self) -> &Origin {
        &self.head.origin
    }

    /// How many entries.
    pub fn size(&self) -> u64 {
        self.head.size
    }

    /// The root hash.
    pub fn root(&self) -> Hash {
        self.head.root
    }

    /// The cosignatures, by society.
    pub fn cosignatures(&self) -> &[Cosignature] {
        &self.cosignatures
    }

    /// The cosignatures that count: a society is no witness of its own log.
    pub fn witnesses(&self) -> impl Iterator<Item = &Cosignature> {
        let own = self.head.origin.society();
        self.cosignatures.iter().filter(move |cosignature| cosignature.society != own)
    }

    /// The text that is signed, byte for byte.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The note: text, the log's signature, the cosignatures.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.text.to_vec();
        bytes.push(b'\n');
        bytes.extend(self.signature.to_bytes());
        for cosignature in self.cosignatures.iter() {
            bytes.extend(cosignature.line.to_bytes());
        }
        bytes
    }

    /// The note without cosignatures.
    pub fn to_bytes_bare(&self) -> Vec<u8> {
        [&self.text, b"\n".as_slice(), &self.signature.to_bytes()].concat()
    }

    /// Adds the cosignature of `society`, made at `time_s`. Only for a head whose log the caller
    /// holds, has checked up to here, and has on the disk (C2SP tlog-witness).
    pub fn cosign(
        &mut self,
        society: Society,
        secret: &NoteSecret,
        time_s: u64,
    ) -> Result<(), KeyError> {
        let line = secret.cosign(&self.text, time_s)?;
        keep_earliest(Arc::make_mut(&mut self.cosignatures), Cosignature { society, time_s, line });
        Ok(())
    }

    /// The same head without cosignatures.
    pub fn bare(&self) -> Self {
        Self { cosignatures: Arc::default(), ..self.clone() }
    }

    /// Adds a cosignature that came by itself ([`Cosignature::to_bytes`]), made by the `key` of
    /// `society`, once it is verified against this head's text. Says whether it was.
    pub fn add_cosignature(&mut self, society: Society, key: &NoteKey, bytes: &[u8]) -> bool {
        let Some((id, signature)) = bytes.split_first_chunk::<4>() else { return false };
        let line = Signature::new(key.name().into(), u32::from_be_bytes(*id), signature.into());
        let Ok(line) = line else { return false };
        let time_s = cosigned_at(&line).filter(|_| key.verify_text(&self.text, &line));
        let Some(time_s) = time_s else { return false };
        keep_earliest(Arc::make_mut(&mut self.cosignatures), Cosignature { society, time_s, line });
        true
    }

    /// Takes over the cosignatures that `other` has more. Says whether there were any; `false`
    /// too where `other` is not this very head.
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.text != other.text {
            return false;
        }
        let mut news = false;
        for cosignature in other.cosignatures.iter() {
            if !self.is_cosigned_by(cosignature.society) {
                keep_earliest(Arc::make_mut(&mut self.cosignatures), cosignature.clone());
                news |= self.is_cosigned_by(cosignature.society);
            }
        }
        news
    }

    /// Whether both heads cannot be true: same log and size, another root.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.head.origin == other.head.origin
            && self.head.size == other.head.size
            && self.head.root != other.head.root
    }
}

/// One cosignature a society, the earliest, in the order of their codes, and the first of these
/// where there are too many: whatever came first, the same is kept everywhere in the same bytes.
fn keep_earliest(cosignatures: &mut Vec<Cosignature>, new: Cosignature) {
    match cosignatures.binary_search_by_key(&new.society, |own| own.society) {
        Ok(at) => {
            if let Some(own) = cosignatures.get_mut(at)
                && new.time_s < own.time_s
            {
                *own = new;
            }
        }
        Err(at) => {
            cosignatures.insert(at, new);
            cosignatures.truncate(COSIGNATURES_MAX);
        }
    }
}

fn text_of(head: &Head) -> Vec<u8> {
    format!("{}\n{}\n{}\n", head.origin, head.size, BASE64_STANDARD.encode(head.root.0)).into()
}

fn parse_text(text: &[u8]) -> Result<Head, HeadError> {
    let checkpoint = Checkpoint::from_bytes(text).map_err(|_| HeadError::Checkpoint)?;
    let origin = checkpoint.origin().parse().map_err(|_| HeadError::Origin)?;
    let head = Head { origin, size: checkpoint.size(), root: *checkpoint.hash() };
    // Extension lines, and whatever else is not the one way to write this head.
    if head.size > LOG_SIZE_MAX || text_of(&head) != text {
        return Err(HeadError::Checkpoint);
    }
    Ok(head)
}

/// The signature lines of a note that was parsed: `signed_note` does not hand them out unverified.
fn signatures_of(bytes: &[u8], note: &Note) -> Result<Vec<Signature>, HeadError> {
    let lines = bytes.get(note.text().len() + 1..).ok_or(HeadError::Note)?;
    lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| Signature::from_bytes(line).map_err(|_| HeadError::Note))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::keys::KeyKind;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
    use std::collections::BTreeMap;

    /// A few societies with their keys.
    pub(crate) struct Keys {
        pub(crate) logs: BTreeMap<Origin, NoteSecret>,
        pub(crate) witnesses: BTreeMap<Society, NoteSecret>,
    }

    impl Keys {
        pub(crate) fn new(societies: &[&str]) -> Self {
            let mut rng = ChaCha20Rng::seed_from_u64(7);
            let mut keys = Self { logs: BTreeMap::new(), witnesses: BTreeMap::new() };
            for code in societies {
                let society = code.parse().unwrap();
                let origin = Origin::new("m.example.org", society, 1).unwrap();
                let log =
                    NoteSecret::generate(origin.as_str(), KeyKind::Signature, &mut rng).unwrap();
                let name = format!("m.example.org/{code}/witness");
                let witness = NoteSecret::generate(&name, KeyKind::Cosignature, &mut rng).unwrap();
                keys.logs.insert(origin, log);
                keys.witnesses.insert(society, witness);
            }
            keys
        }
    }

    impl HeadKeys for Keys {
        fn log_key(&self, origin: &Origin) -> Option<&NoteKey> {
            self.logs.get(origin).map(NoteSecret::public)
        }
        fn witness(&self, name: &str) -> Option<(Society, &NoteKey)> {
            self.witnesses
                .iter()
                .find(|(_, secret)| secret.public().name() == name)
                .map(|(society, secret)| (*society, secret.public()))
        }
    }

    fn signed(keys: &Keys) -> SignedHead {
        let (origin, secret) = keys.logs.first_key_value().unwrap();
        let head = Head { origin: origin.clone(), size: 3, root: Hash([5; 32]) };
        SignedHead::sign(head, secret).unwrap()
    }

    #[test]
    fn cosignatures_survive_merge_and_bytes() {
        let keys = Keys::new(&["ph", "sg", "qa"]);
        let bare = signed(&keys);
        let cosigned = |code: &str, time_s| {
            let mut head = bare.clone();
            let society: Society = code.parse().unwrap();
            head.cosign(society, &keys.witnesses[&society], time_s).unwrap();
            head
        };
        let (mut left, mut right) = (cosigned("sg", 10), cosigned("qa", 20));
        assert!(left.merge(&right) && right.merge(&left) && !left.merge(&right));
        assert_eq!(left.to_bytes(), right.to_bytes());
        let read = SignedHead::open(&left.to_bytes(), &keys).unwrap();
        assert_eq!(read, left);
        assert_eq!(read.cosignatures().len(), 2);
        assert_eq!(SignedHead::open(&left.to_bytes_bare(), &keys).unwrap(), bare);
    }

    #[test]
    fn a_society_is_no_witness_of_its_own_log() {
        let keys = Keys::new(&["ph", "sg"]);
        let mut head = signed(&keys);
        let own = head.origin().society();
        head.cosign(own, &keys.witnesses[&own], 10).unwrap();
        let read = SignedHead::open(&head.to_bytes(), &keys).unwrap();
        assert_eq!((read.cosignatures().len(), read.witnesses().count()), (1, 0));
    }

    #[test]
    fn every_flipped_bit_is_refused_or_drops_what_it_hit() {
        let keys = Keys::new(&["ph", "sg"]);
        let mut head = signed(&keys);
        let sg: Society = "sg".parse().unwrap();
        head.cosign(sg, &keys.witnesses[&sg], 10).unwrap();
        let bytes = head.to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut mutated = bytes.clone();
            mutated[bit / 8] ^= 1 << (bit % 8);
            // A flip in the name or ID of the witness makes it a stranger, who is dropped.
            if let Ok(read) = SignedHead::open(&mutated, &keys) {
                assert_eq!(read.head(), head.head());
                assert!(read.cosignatures().is_empty());
            }
        }
    }

    #[test]
    fn a_head_of_another_key_extension_lines_or_no_signature_is_refused() {
        let keys = Keys::new(&["ph", "sg"]);
        let head = signed(&keys);
        let other = keys.logs.values().nth(1).unwrap();
        assert!(SignedHead::sign(head.head().clone(), other).is_err());
        let text = [head.text(), b"extension\n"].concat();
        let line = keys.logs.values().next().unwrap().sign(&text).unwrap().to_bytes();
        let note = [text.as_slice(), b"\n", &line].concat();
        assert_eq!(SignedHead::open(&note, &keys), Err(HeadError::Checkpoint));
        let sg: Society = "sg".parse().unwrap();
        let line = keys.witnesses[&sg].cosign(head.text(), 1).unwrap().to_bytes();
        let note = [head.text(), b"\n", &line].concat();
        assert_eq!(SignedHead::open(&note, &keys), Err(HeadError::Unsigned(head.origin().clone())));
    }
}
