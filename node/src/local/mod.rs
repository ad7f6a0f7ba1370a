//! What stays in the house: who the society's people are, whose a case is, who has read what, and
//! forms that are not sent yet. It is a log of its own in `local/`, sealed at rest, and no part of
//! it is ever sent to another node.
//!
//! [`Local`] is owned by the engine: one thread writes it. Every change is on the disk before it
//! is answered; what it comes to is a projection in memory. Invariant: nobody is let in, and no
//! content is shown, but by what the log says.

mod access;
mod actor;
mod approvals;
mod drafts;
mod found;
mod gate;
mod groups;
mod guesses;
mod log;
pub mod password;
mod people;
mod state;
#[cfg(test)]
mod tests;
mod uploads;

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
};

use rand_core::CryptoRngCore;
use tutti_core::{local::LocalKeys, referral::ReferralId, society::Origin, store::StoreError};
use tutti_proto::v1::{self, local_record::Event};

pub use access::{BULK_READS, DUPLICATE_REFUSED, HOUR_MS};
pub use actor::Actor;
pub use approvals::{Approval, Of, Said};
pub use drafts::{DRAFT_BYTES_MAX, DRAFT_KEEP_DAYS, Use};
pub use found::{OPERATOR_TOKEN, ResetError, found, reset};
pub use gate::{Admitted, Gate};
pub use guesses::Address;
pub use people::{Credential, LoginStep, PeopleError};
pub use state::{Account, Shown, Token};
pub use uploads::{UPLOAD_KEEP_MS, Upload};

use crate::{keyring::KeyringError, store::DiskError};

/// See the module.
pub struct Local {
    keys: LocalKeys,
    log: log::Log,
    state: state::State,
    gate: Gate,
    guesses: guesses::Guesses,
    /// By account: when it opened which case, of the last hour.
    recent: BTreeMap<String, VecDeque<(u64, ReferralId)>>,
    /// Files on their way into a referral.
    uploads: uploads::Uploads,
    /// Where drafts and uploads lie; `None`: in memory.
    dir: Option<PathBuf>,
    kept: BTreeMap<String, Vec<u8>>,
    /// Files of drafts that no entry names and that are not erased yet, and whose they are.
    unerased: BTreeMap<String, [u8; 16]>,
    /// Active accounts by pseudonym.
    here: BTreeMap<String, [u8; 16]>,
}

impl Local {
    /// One that forgets, without any account: for tests and the simulator.
    pub fn in_memory(secret: &[u8; 32], own: &Origin) -> Result<Self, KeyringError> {
        Ok(Self {
            keys: derive(secret, own)?,
            log: log::Log::in_memory(),
            state: state::State::default(),
            gate: Gate::default(),
            guesses: guesses::Guesses::default(),
            recent: BTreeMap::new(),
            uploads: uploads::Uploads::new(),
            dir: None,
            kept: BTreeMap::new(),
            unerased: BTreeMap::new(),
            here: BTreeMap::new(),
        })
    }

    /// Opens `local/` in the node's directory, or makes it empty: then nobody is let in until
    /// [`reset`] makes an account. Gives plain sentences on what was cut.
    pub fn open(
        dir: &Path,
        secret: &[u8; 32],
        own: &Origin,
    ) -> Result<(Self, Vec<String>), DiskError> {
        let place = dir.join("local");
        crate::disk::make_dir(&place).map_err(|error| DiskError::io(&place, error))?;
        let keys = derive(secret, own).map_err(|error| DiskError::Damaged {
            place: "the local key".into(),
            problem: error.to_string(),
        })?;
        let (log, entries, notice) = log::Log::open(&place.join("log"), &keys)?;
        let mut local = Self {
            keys,
            log,
            state: state::State::default(),
            gate: Gate::default(),
            guesses: guesses::Guesses::default(),
            recent: BTreeMap::new(),
            uploads: uploads::Uploads::new(),
            dir: Some(place),
            kept: BTreeMap::new(),
            unerased: BTreeMap::new(),
            here: BTreeMap::new(),
        };
        for entry in &entries {
            local.state.apply(entry, |id| local.keys.pseudonym(id));
        }
        local.clear_drafts()?;
        local.find_uploads()?;
        local.let_in();
        Ok((local, notice.into_iter().collect()))
    }

    /// Who is let in; the services hold it.
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// What stands for an account in records.
    pub fn pseudonym(&self, account: &[u8; 16]) -> String {
        self.keys.pseudonym(account)
    }

    /// The key that signs exports, as a C2SP verifier key.
    pub fn verifier(&self) -> String {
        self.keys.sign.public().to_string()
    }

    /// How many entries the log has.
    pub fn size(&self) -> u64 {
        self.log.size()
    }

    #[cfg(test)]
    fn log_end(&self) -> u64 {
        self.log.end()
    }

    /// The files of an export.
    pub fn export(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.log.export(&self.keys)
    }

    /// Writes events as one; durable, and in force, when it returns.
    fn write(
        &mut self,
        events: Vec<Event>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), StoreError> {
        let record = |event| v1::LocalRecord { event: Some(event) };
        let records = events.into_iter().map(record).collect();
        let entries = self.log.append(&self.keys, records, now_ms, rng)?;
        for entry in &entries {
            self.state.apply(entry, |id| self.keys.pseudonym(id));
        }
        Ok(())
    }
}

fn derive(secret: &[u8; 32], own: &Origin) -> Result<LocalKeys, KeyringError> {
    LocalKeys::derive(secret, own).map_err(|error| KeyringError::Malformed {
        path: "local.key".into(),
        problem: error.to_string(),
    })
}
