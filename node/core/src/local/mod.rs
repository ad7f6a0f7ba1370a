//! The local log of a node: what a leaf is, what hides a person, and how an export is checked.
//!
//! It is a log of the same kind as those that societies exchange: RFC 6962 leaves, entry bundles,
//! a C2SP checkpoint signed by a key of its own. It is never sent. The leaf tells what an entry is
//! about and commits to its record; the record is sealed beside it, and an export opens only what
//! says nothing about a person but under a pseudonym. Nothing here reads a clock or a disk.
//!
//! Source: `docs/protocol.md`, "The local log".

mod verify;

use hmac::{Hmac, Mac};
use prost::Message as _;
use rand_core::CryptoRngCore;
use sha2::{Digest as _, Sha256};
use tlog_tiles::{Hash, record_hash};
use tutti_proto::v1;
use zeroize::Zeroizing;

use crate::{
    keys::{KeyError, KeyKind, NoteSecret},
    society::Origin,
};

pub use verify::{Finding, Read, Report, files, ids, read_count, verify};

/// Random bytes before a record, so that its digest does not tell what it says.
pub const SALT_BYTES: usize = 32;

/// A record with its salt, bytes; a leaf is far smaller.
pub const RECORD_BYTES_MAX: usize = 32 * 1024;

/// The newest version of a leaf.
const VERSION: u32 = 1;

/// The keys of the local log, all made from the one local secret of the node.
pub struct LocalKeys {
    log: String,
    /// Seals records and drafts at rest.
    pub seal: Zeroizing<[u8; 32]>,
    /// Signs heads of the local log.
    pub sign: NoteSecret,
    /// Seals what was opened of records, for the next start.
    pub opened: Zeroizing<[u8; 32]>,
    pseudonym: Zeroizing<[u8; 32]>,
    approval: Zeroizing<[u8; 32]>,
    mark: [u8; 32],
}

impl LocalKeys {
    /// Derives them: HMAC-SHA-256 under `secret` over a label and the log's name, one label a use.
    pub fn derive(secret: &[u8; 32], own: &Origin) -> Result<Self, KeyError> {
        let log = log_name(own);
        let key = |label: &str| Zeroizing::new(mac(secret, &[label, "\0", &log]));
        Ok(Self {
            seal: key("tutti/v1/local/seal"),
            sign: NoteSecret::from_seed(&log, KeyKind::Signature, &key("tutti/v1/local/sign"))?,
            opened: key("tutti/v1/local/opened"),
            pseudonym: key("tutti/v1/local/pseudonym"),
            approval: key("tutti/v1/local/approval"),
            mark: *key("tutti/v1/local/mark"),
            log,
        })
    }

    /// The name of the log, and of the key that signs it.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// What stands at the start of the file, so that another key is seen before anything is read.
    pub fn mark(&self) -> [u8; 32] {
        self.mark
    }

    /// What an approval is bound to: HMAC-SHA-256 over `parts`, each behind its length. Keyed, so that
    /// what is left when the text is gone tells nobody what it was.
    pub fn approval_digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&*self.approval)
            .expect("HMAC takes a key of any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// What stands for an account in records, 32 hexadecimal digits. Only who has the local secret
    /// can tell whose it is.
    pub fn pseudonym(&self, account: &[u8; 16]) -> String {
        let account = hex::encode(account);
        hex::encode(mac(&self.pseudonym, &[&account]).get(..16).unwrap_or_default())
    }
}

/// `<federation>/<society>/local`.
pub fn log_name(own: &Origin) -> String {
    format!("{}/{}/local", own.federation(), own.society())
}

fn mac(key: &[u8; 32], parts: &[&str]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part.as_bytes()));
    mac.finalize().into_bytes().into()
}

/// What a record is about.
pub fn kind_of(record: &v1::LocalRecord) -> v1::LocalKind {
    use v1::{LocalKind as K, local_record::Event as E};
    match &record.event {
        Some(E::Account(_) | E::Password(_) | E::Token(_)) => K::People,
        Some(E::Roles(_) | E::Grant(_)) => K::Roles,
        Some(E::Case(_)) => K::Case,
        Some(E::Read(_)) => K::Access,
        Some(E::Alert(_)) => K::Alert,
        Some(E::Draft(_)) => K::Draft,
        Some(E::Group(_)) => K::Group,
        Some(E::Approval(_)) => K::Approval,
        None => K::Unspecified,
    }
}

/// Whether an export opens records of that kind.
pub fn is_for_auditors(kind: v1::LocalKind) -> bool {
    match kind {
        v1::LocalKind::Roles
        | v1::LocalKind::Case
        | v1::LocalKind::Access
        | v1::LocalKind::Alert
        | v1::LocalKind::Group
        | v1::LocalKind::Approval => true,
        v1::LocalKind::Unspecified | v1::LocalKind::People | v1::LocalKind::Draft => false,
    }
}

/// The salted bytes of a record.
pub fn salted(record: &v1::LocalRecord, rng: &mut impl CryptoRngCore) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; SALT_BYTES]);
    rng.fill_bytes(&mut bytes);
    record.encode_raw(&mut *bytes);
    bytes
}

/// The record of salted bytes; `None` where they are none, or not in the one encoding.
pub fn unsalted(salted: &[u8]) -> Option<v1::LocalRecord> {
    let bytes = salted.get(SALT_BYTES..).filter(|_| salted.len() <= RECORD_BYTES_MAX)?;
    let record = v1::LocalRecord::decode(bytes).ok()?;
    (record.encode_to_vec() == bytes).then_some(record)
}

/// The leaf of a record at `index` of `log`.
pub fn leaf(log: &str, index: u64, now_ms: u64, kind: v1::LocalKind, salted: &[u8]) -> Vec<u8> {
    let leaf = v1::LocalEntry {
        version: VERSION,
        log: log.into(),
        index,
        recorded_at_ms: now_ms,
        kind: kind as i32,
        digest: Sha256::digest(salted).to_vec(),
    };
    leaf.encode_to_vec()
}

/// Reads a leaf; `None` where it is none of this log at this index, or not in the one encoding.
pub fn parse_leaf(bytes: &[u8], log: &str, index: u64) -> Option<v1::LocalEntry> {
    let leaf = v1::LocalEntry::decode(bytes).ok()?;
    let sound = leaf.encode_to_vec() == bytes
        && leaf.version == VERSION
        && leaf.log == log
        && leaf.index == index
        && leaf.kind() != v1::LocalKind::Unspecified
        && leaf.digest.len() == 32;
    sound.then_some(leaf)
}

/// Whether the record is the one that the leaf commits to, and of its kind.
pub fn opens(leaf: &v1::LocalEntry, salted: &[u8]) -> Option<v1::LocalRecord> {
    let record = unsalted(salted)?;
    let digest: [u8; 32] = Sha256::digest(salted).into();
    (leaf.digest == digest && kind_of(&record) == leaf.kind()).then_some(record)
}

/// The hash of a leaf in the tree.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    record_hash(leaf)
}

/// A signed head: a C2SP checkpoint in a C2SP signed note.
pub fn head(keys: &LocalKeys, size: u64, root: Hash) -> Result<Vec<u8>, KeyError> {
    let text = head_text(&keys.log, size, root);
    let signature = keys.sign.sign(text.as_bytes())?;
    Ok([text.as_bytes(), b"\n", &signature.to_bytes()].concat())
}

fn head_text(log: &str, size: u64, root: Hash) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    format!("{log}\n{size}\n{}\n", BASE64_STANDARD.encode(root.0))
}

#[cfg(test)]
mod tests;
