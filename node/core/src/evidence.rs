//! [`Evidence`]: two signed heads of one log that cannot both be true, and the proof of it.
//!
//! Anyone who has the log's public key can check it alone. Heads of one size contradict each other
//! by their roots. Heads of two sizes do so by the root that the larger one's log had at the
//! smaller size, which a consistency proof leads to the larger head: it is not the smaller's root.
//! Invariant: the value exists only where both signatures and the contradiction were checked, and
//! one contradiction has one order. Two equal heads are no evidence.
//!
//! Source: `docs/protocol.md`, "The session"; RFC 6962 section 2.1.2.

use prost::Message as _;
use tlog_tiles::Hash;
use tutti_proto::v1;

use crate::{
    head::{HeadError, HeadKeys, SignedHead},
    society::Origin,
    tree::{check_consistency, hashes},
};

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    first: SignedHead,
    second: SignedHead,
    root: Hash,
    consistency: Vec<Hash>,
}

/// Why something is no evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Not the message.
    #[error("evidence is not decodable")]
    Decode,
    /// One of the heads is none.
    #[error("evidence holds no two signed heads: {0}")]
    Head(#[from] HeadError),
    /// The heads are of two logs.
    #[error("evidence is about two logs")]
    Origins,
    /// The heads stand in the wrong order.
    #[error("evidence is not in its one order")]
    Order,
    /// Both heads can be true, or the proof does not hold.
    #[error("evidence does not show a contradiction")]
    NoContradiction,
}

impl Evidence {
    /// Checks that `one` and `other` contradict each other. `root` is what the larger one's log
    /// had at the smaller size, and `consistency` leads from there to the larger one; for equal
    /// sizes `root` is that of either head and `consistency` is empty.
    pub fn new(
        one: SignedHead,
        other: SignedHead,
        root: Hash,
        consistency: Vec<Hash>,
    ) -> Result<Self, EvidenceError> {
        let swap = (one.size(), one.root().0) > (other.size(), other.root().0);
        let (first, second) = if swap { (other, one) } else { (one, other) };
        let root = if first.size() == second.size() { second.root() } else { root };
        Self { first, second, root, consistency }.checked()
    }

    /// Two heads of one size.
    pub fn of_one_size(one: SignedHead, other: SignedHead) -> Result<Self, EvidenceError> {
        let root = one.root();
        Self::new(one, other, root, Vec::new())
    }

    fn checked(self) -> Result<Self, EvidenceError> {
        let (first, second) = (self.first.head(), self.second.head());
        if first.origin != second.origin {
            return Err(EvidenceError::Origins);
        }
        if (first.size, first.root.0) > (second.size, second.root.0) {
            return Err(EvidenceError::Order);
        }
        let proven = if first.size == second.size {
            self.consistency.is_empty() && self.root == second.root
        } else {
            check_consistency(first.size, self.root, second.size, second.root, &self.consistency)
                .is_ok()
        };
        if self.root == first.root || !proven {
            return Err(EvidenceError::NoContradiction);
        }
        Ok(self)
    }

    /// Reads and checks what a peer or a file says.
    pub fn open(message: &v1::Evidence, keys: &impl HeadKeys) -> Result<Self, EvidenceError> {
        let root = <[u8; 32]>::try_from(message.root.as_slice());
        let consistency = hashes(&message.consistency);
        let (Ok(root), Some(consistency)) = (root, consistency) else {
            return Err(EvidenceError::Decode);
        };
        let first = SignedHead::open(&message.first, keys)?;
        let second = SignedHead::open(&message.second, keys)?;
        Self { first, second, root: Hash(root), consistency }.checked()
    }

    /// Reads and checks what [`Evidence::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8], keys: &impl HeadKeys) -> Result<Self, EvidenceError> {
        Self::open(&v1::Evidence::decode(bytes).map_err(|_| EvidenceError::Decode)?, keys)
    }

    /// As it is sent.
    pub fn to_message(&self) -> v1::Evidence {
        v1::Evidence {
            first: self.first.to_bytes(),
            second: self.second.to_bytes(),
            root: self.root.0.to_vec(),
            consistency: self.consistency.iter().map(|hash| hash.0.to_vec()).collect(),
        }
    }

    /// As it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_message().encode_to_vec()
    }

    /// The log that was forked.
    pub fn origin(&self) -> &Origin {
        self.first.origin()
    }

    /// The smaller head, or of two of one size that with the smaller root.
    pub fn first(&self) -> &SignedHead {
        &self.first
    }

    /// The other head.
    pub fn second(&self) -> &SignedHead {
        &self.second
    }
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
