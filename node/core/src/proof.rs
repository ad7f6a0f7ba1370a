//! C2SP tlog-proof: evidence of one entry, in one small file, checked without any server.
//!
//! A [`Proof`] is a claim until [`Proof::verify`] has checked it against keys that the caller
//! believes. Its `extra` line carries the entry itself, so that the file stands alone; it is
//! unauthenticated, as the specification says, until its leaf hash was proven.
//!
//! Source: C2SP `tlog-proof.md`, "Format"; `docs/protocol.md`, "Evidence of one entry".

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tlog_tiles::Hash;

use crate::{
    entry::{Entry, EntryBytes, EntryError},
    head::{HeadError, HeadKeys, SignedHead},
    limits::{ENTRY_BYTES_MAX, HEAD_BYTES_MAX},
    tree::{ProofError, check_inclusion},
};

/// The first line.
pub const PROOF_LINE: &str = "c2sp.org/tlog-proof@v1";

/// The most hashes that lead from a leaf to a root.
const HASHES_MAX: usize = 64;

/// The file, bytes: first lines, 64 hashes in base64, and the head.
pub const PROOF_BYTES_MAX: usize = 4 * 1024 + 2 * ENTRY_BYTES_MAX + HEAD_BYTES_MAX;

/// That an entry is in a log: not checked yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// The entry's place.
    pub index: u64,
    /// The entry, where the file carries it.
    pub entry: Option<EntryBytes>,
    /// RFC 6962 inclusion proof, from the leaf's sibling up.
    pub inclusion: Vec<Hash>,
    /// The signed head, byte for byte.
    pub head: Vec<u8>,
}

/// Why a proof is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefused {
    /// Larger than a proof can be.
    #[error("proof is {0} bytes, more than is read")]
    Size(usize),
    /// A line is not as the format has it.
    #[error("proof is not in the tlog-proof format: {0}")]
    Format(&'static str),
    /// The entry is neither given nor in the file.
    #[error("proof carries no entry, and none was given")]
    NoEntry,
    /// The entry that was given is not the one in the file.
    #[error("the entry is not the one that the proof carries")]
    OtherEntry,
    /// The head is not signed as it must be.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The entry is malformed, or says that it stands elsewhere.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The hashes do not lead from the entry to the head.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl Proof {
    /// The proof that `entry` stands at `index` under `head`.
    pub fn new(index: u64, entry: EntryBytes, inclusion: Vec<Hash>, head: &SignedHead) -> Self {
        Self { index, entry: Some(entry), inclusion, head: head.to_bytes() }
    }

    /// The file. `parse` gives back the same.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{PROOF_LINE}\n");
        if let Some(entry) = &self.entry {
            text += &format!("extra {}\n", BASE64_STANDARD.encode(entry.as_slice()));
        }
        text += &format!("index {}\n", self.index);
        for hash in &self.inclusion {
            text += &format!("{}\n", BASE64_STANDARD.encode(hash.0));
        }
        [text.as_bytes(), b"\n", &self.head].concat()
    }

    /// Reads a file; nothing of it is believed yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofRefused> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(ProofRefused::Size(bytes.len()));
        }
        let bad = ProofRefused::Format;
        let text = std::str::from_utf8(bytes).map_err(|_| bad("not text"))?;
        let (claims, head) = text.split_once("\n\n").ok_or(bad("no empty line"))?;
        let mut lines = claims.split('\n').peekable();
        if lines.next() != Some(PROOF_LINE) {
            return Err(bad("the first line is not c2sp.org/tlog-proof@v1"));
        }
        let entry = match lines.next_if(|line| line.starts_with("extra ")) {
            None => None,
            Some(line) => Some(EntryBytes::new(
                &line
                    .strip_prefix("extra ")
                    .and_then(|data| BASE64_STANDARD.decode(data).ok())
                    .filter(|data| (1..=ENTRY_BYTES_MAX).contains(&data.len()))
                    .ok_or(bad("the extra line is not an entry in base64"))?,
            )),
        };
        let number = lines.next().and_then(|line| line.strip_prefix("index "));
        let index: u64 = number
            .and_then(|number| number.parse().ok())
            .filter(|index: &u64| Some(index.to_string().as_str()) == number)
            .ok_or(bad("the index line is not a number"))?;
        let mut inclusion = Vec::new();
        for line in lines {
            let hash = BASE64_STANDARD.decode(line).ok().and_then(|hash| hash.try_into().ok());
            inclusion.push(Hash(hash.ok_or(bad("a hash is not 32 bytes in base64"))?));
            if inclusion.len() > HASHES_MAX {
                return Err(bad("more hashes than a proof has"));
            }
        }
        Ok(Self { index, entry, inclusion, head: head.into() })
    }

    /// Checks all of it: the head's signatures by `keys`, the entry, its place, and the hashes.
    ///
    /// `entry` is what was handed over apart, if it was; otherwise the one in the file is taken.
    /// An entry of an unknown version is proven, not interpreted.
    pub fn verify(
        &self,
        keys: &impl HeadKeys,
        entry: Option<&EntryBytes>,
    ) -> Result<(EntryBytes, SignedHead), ProofRefused> {
        let entry = match (entry, &self.entry) {
            (Some(given), Some(carried)) if given != carried => {
                return Err(ProofRefused::OtherEntry);
            }
            (Some(entry), _) | (None, Some(entry)) => entry.clone(),
            (None, None) => return Err(ProofRefused::NoEntry),
        };
        let head = SignedHead::open(&self.head, keys)?;
        Entry::parse_at(entry.as_slice(), head.origin(), self.index)?;
        check_inclusion(self.index, entry.leaf_hash(), head.size(), head.root(), &self.inclusion)?;
        Ok((entry, head))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        batch::VerifiedBatch,
        entry::tests::header,
        head::tests::Keys,
        store::{MemoryStore, Reader, Store},
        tree::Tree,
    };

    fn proofs() -> (Keys, Vec<Proof>) {
        let keys = Keys::new(&["ph", "sg"]);
        let (origin, secret) = keys.logs.first_key_value().unwrap();
        let entries: Vec<_> = (0..7).map(|i| header(origin.as_str(), i).encode()).collect();
        let batch =
            VerifiedBatch::author(&Tree::default(), origin, entries.clone(), secret).unwrap();
        let mut store = MemoryStore::new();
        store.append(&batch, &[]).unwrap();
        let mut head = store.head(origin).unwrap();
        let sg = "sg".parse().unwrap();
        head.cosign(sg, &keys.witnesses[&sg], 1_764_000_000).unwrap();
        let proofs = (0u64..)
            .zip(entries)
            .map(|(i, entry)| Proof::new(i, entry, store.inclusion(origin, i, 7).unwrap(), &head))
            .collect();
        (keys, proofs)
    }

    #[test]
    fn proofs_survive_text_and_hold() {
        let (keys, proofs) = proofs();
        for proof in &proofs {
            let bytes = proof.to_bytes();
            let read = Proof::parse(&bytes).unwrap();
            assert_eq!(&read, proof);
            assert_eq!(read.to_bytes(), bytes);
            let (entry, head) = read.verify(&keys, None).unwrap();
            assert_eq!(Some(entry), proof.entry);
            assert_eq!(head.cosignatures().len(), 1);
            let bare = Proof { entry: None, ..read.clone() };
            let bare = Proof::parse(&bare.to_bytes()).unwrap();
            assert_eq!(bare.verify(&keys, None), Err(ProofRefused::NoEntry));
            assert!(bare.verify(&keys, proof.entry.as_ref()).is_ok());
        }
        let other = proofs[1].entry.as_ref();
        assert_eq!(proofs[0].verify(&keys, other), Err(ProofRefused::OtherEntry));
        let moved = Proof { index: 1, ..proofs[0].clone() };
        assert!(matches!(moved.verify(&keys, None), Err(ProofRefused::Entry(_))));
    }

    #[test]
    fn every_flipped_bit_is_refused_or_drops_a_cosignature() {
        let (keys, proofs) = proofs();
        let bytes = proofs[3].to_bytes();
        let (_, head) = proofs[3].verify(&keys, None).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut mutated = bytes.clone();
            mutated[bit / 8] ^= 1 << (bit % 8);
            let Ok(proof) = Proof::parse(&mutated) else { continue };
            if let Ok((entry, read)) = proof.verify(&keys, None) {
                assert_eq!(Some(&entry), proofs[3].entry.as_ref());
                assert_eq!(read.head(), head.head());
                assert!(read.cosignatures().is_empty());
            }
        }
    }
}
