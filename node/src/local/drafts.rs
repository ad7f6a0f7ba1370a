//! Drafts: forms that are not sent yet, each a file of its own, sealed; erased in place.
//!
//! The log tells whose a draft is and which file holds it. A new text is written into a new file
//! first; once the log names that, the old one is overwritten and removed. What a crash leaves
//! over, no entry names, and the next start erases it. Invariant: while a text of a draft lies here,
//! named or not, the draft counts as kept.

use std::{collections::BTreeSet, io, path::Path};

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use rand_core::CryptoRngCore;
use tutti_core::{information::InformationId, store::StoreError};
use tutti_proto::v1::{LocalAlert, LocalDraft, LocalRead, local_record::Event};
use zeroize::Zeroizing;

use super::{Actor, Local, PeopleError};
use crate::{disk, store::DiskError};

/// The longest form, bytes.
pub const DRAFT_BYTES_MAX: usize = 256 * 1024;

/// How long a draft is kept on which nobody works, where the society sets nothing else, days: somebody
/// may be on leave for weeks, and a case that nobody sent in a month is to be asked for anew.
pub const DRAFT_KEEP_DAYS: u32 = 30;

/// Drafts of one account at once.
const DRAFTS_MAX: usize = 200;

const NONCE_BYTES: usize = 24;

/// What a draft is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A referral.
    Referral,
    /// An information share, which may take the place of another.
    Publish(Option<InformationId>),
    /// A new version of a share.
    Revise(InformationId),
    /// A translation of one.
    Translate(InformationId),
}

impl Use {
    /// The share that is meant.
    pub fn target(self) -> Option<InformationId> {
        match self {
            Self::Referral => None,
            Self::Publish(target) => target,
            Self::Revise(target) | Self::Translate(target) => Some(target),
        }
    }

    /// As it stands in the log.
    pub fn to_parts(self) -> (u32, Vec<u8>) {
        let number = match self {
            Self::Referral => 0,
            Self::Publish(_) => 1,
            Self::Revise(_) => 2,
            Self::Translate(_) => 3,
        };
        (number, self.target().map(|id| id.as_bytes().to_vec()).unwrap_or_default())
    }

    /// The reverse; `None` for what a later version may have written.
    pub fn from_parts(number: u32, target: &[u8]) -> Option<Self> {
        let target = match target {
            [] => None,
            bytes => Some(InformationId::from_bytes(bytes.try_into().ok()?)),
        };
        match (number, target) {
            (0, None) => Some(Self::Referral),
            (1, target) => Some(Self::Publish(target)),
            (2, Some(target)) => Some(Self::Revise(target)),
            (3, Some(target)) => Some(Self::Translate(target)),
            _ => None,
        }
    }
}

impl Local {
    /// What a draft is to become; whoever's it is.
    pub fn use_of(&self, id: &[u8; 16]) -> Option<Use> {
        self.state.drafts.get(id).map(|draft| draft.used)
    }

    /// The drafts of an account: number, and when saved.
    pub fn drafts(&self, account: &[u8; 16]) -> Vec<([u8; 16], u64)> {
        let own = self.state.drafts.iter().filter(|(_, draft)| draft.account == *account);
        own.map(|(id, draft)| (*id, draft.saved_ms)).collect()
    }

    /// The text of a draft of that account, and when it was saved.
    pub fn draft(
        &self,
        account: &[u8; 16],
        id: &[u8; 16],
    ) -> Result<(Zeroizing<String>, u64), PeopleError> {
        let draft = self.state.drafts.get(id).filter(|draft| draft.account == *account);
        let draft = draft.ok_or_else(unknown)?;
        let sealed = match &self.dir {
            None => self.kept.get(&draft.file).cloned(),
            Some(dir) => disk::read(&dir.join("drafts").join(&draft.file), 2 << 20)
                .map_err(|error| disk::unreadable("a draft", error))?,
        };
        let open = |sealed: Vec<u8>| {
            let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
            let cipher = XChaCha20Poly1305::new((&*self.keys.seal).into());
            let payload = Payload { msg: sealed, aad: draft.file.as_bytes() };
            let text = cipher.decrypt(XNonce::from_slice(nonce), payload).ok()?;
            String::from_utf8(text).ok().map(Zeroizing::new)
        };
        let text = sealed.and_then(open);
        let text = text.ok_or_else(|| disk::unreadable("a draft", "it does not open"))?;
        Ok((text, draft.saved_ms))
    }

    /// Keeps a text: a new draft, or in place of what one held; what it is to become stays.
    pub fn save_draft(
        &mut self,
        account: &[u8; 16],
        id: Option<[u8; 16]>,
        used: Use,
        text: &str,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<[u8; 16], PeopleError> {
        if text.len() > DRAFT_BYTES_MAX {
            return Err(PeopleError::Wrong(format!(
                "the form has {} bytes, more than {DRAFT_BYTES_MAX}",
                text.len()
            )));
        }
        let before = match id {
            Some(id) => {
                let draft = self.state.drafts.get(&id).filter(|draft| draft.account == *account);
                Some(draft.ok_or_else(unknown)?.file.clone())
            }
            None if self.drafts(account).len() >= DRAFTS_MAX => {
                return Err(PeopleError::Wrong(format!(
                    "you have {DRAFTS_MAX} drafts already: send or delete some"
                )));
            }
            None => None,
        };
        let (mut name, mut fresh, mut nonce) = ([0; 16], [0; 16], [0; NONCE_BYTES]);
        rng.fill_bytes(&mut name);
        rng.fill_bytes(&mut fresh);
        rng.fill_bytes(&mut nonce);
        let (id, file) = (id.unwrap_or(fresh), hex::encode(name));
        let cipher = XChaCha20Poly1305::new((&*self.keys.seal).into());
        let payload = Payload { msg: text.as_bytes(), aad: file.as_bytes() };
        let sealed = cipher
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| disk::unreadable("a draft", "sealing failed"))?;
        let bytes = [nonce.as_slice(), &sealed].concat();
        // Until the log names it.
        self.unerased.insert(file.clone(), id);
        match &self.dir {
            None => drop(self.kept.insert(file.clone(), bytes)),
            Some(dir) => {
                let folder = dir.join("drafts");
                disk::make_dir(&folder).map_err(disk::failed)?;
                disk::replace(&folder.join(&file), &bytes).map_err(disk::failed)?;
            }
        }
        let (number, target) = used.to_parts();
        let draft = LocalDraft {
            draft: id.to_vec(),
            account: account.to_vec(),
            file: file.clone(),
            r#use: number,
            target,
        };
        self.write(vec![Event::Draft(draft)], now_ms, rng)?;
        self.unerased.remove(&file);
        if let Some(before) = before {
            self.erase(&id, before)?;
        }
        Ok(id)
    }

    /// Erases a draft: the log says so first, then its bytes go. Where the disk does not let them,
    /// [`erase_again`](Self::erase_again) tries it again.
    pub fn delete_draft(
        &mut self,
        account: &[u8; 16],
        id: &[u8; 16],
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), PeopleError> {
        let draft = self.state.drafts.get(id).filter(|draft| draft.account == *account);
        let file = draft.ok_or_else(unknown)?.file.clone();
        let gone =
            LocalDraft { draft: id.to_vec(), account: account.to_vec(), ..LocalDraft::default() };
        self.write(vec![Event::Draft(gone)], now_ms, rng)?;
        Ok(self.erase(id, file)?)
    }

    /// Erases what the disk kept of drafts that were erased or written anew, or could not be saved.
    /// Nothing where the log itself has failed: it may name such a file, and the next start knows.
    pub fn erase_again(&mut self) -> Result<(), StoreError> {
        if self.log.has_failed() {
            return Ok(());
        }
        for (file, id) in self.unerased.clone() {
            self.erase(&id, file)?;
        }
        Ok(())
    }

    /// The number of every draft of which a text lies here, also of one that the log no longer names.
    pub fn drafts_here(&self) -> BTreeSet<[u8; 16]> {
        self.state.drafts.keys().chain(self.unerased.values()).copied().collect()
    }

    /// Every draft: its number, whose it is, and what it is to become.
    pub fn kept_drafts(&self) -> impl Iterator<Item = (&[u8; 16], &[u8; 16], Use)> {
        self.state.drafts.iter().map(|(id, draft)| (id, &draft.account, draft.used))
    }

    /// When somebody worked on a draft last: saved it, gave it a file, or asked for approval of it;
    /// milliseconds since the Unix epoch.
    pub fn draft_touched_ms(&self, id: &[u8; 16], now_ms: u64) -> u64 {
        let saved = self.state.drafts.get(id).map_or(0, |draft| draft.saved_ms);
        let asked = self.approval(id).map(|approval| approval.asked_ms);
        let files = self.uploads_of_draft(id).map(|upload| upload.touched_ms);
        // A clock that was ahead for a moment keeps nothing for years.
        files.chain(asked).filter(|at_ms| *at_ms <= now_ms).fold(saved, u64::max)
    }

    /// Gives somebody's draft, with its files, to another account, as if saved now; what was said of it
    /// before is over. That it is read is recorded with it.
    pub fn take_draft(
        &mut self,
        by: &Actor,
        account: &[u8; 16],
        id: &[u8; 16],
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), PeopleError> {
        let draft = self.state.drafts.get(id).ok_or_else(unknown)?;
        if self.drafts(account).len() >= DRAFTS_MAX {
            return Err(PeopleError::Wrong(format!(
                "you have {DRAFTS_MAX} drafts already: send or delete some"
            )));
        }
        let (number, target) = draft.used.to_parts();
        let taken = LocalDraft {
            draft: id.to_vec(),
            account: account.to_vec(),
            file: draft.file.clone(),
            r#use: number,
            target,
        };
        let read = LocalRead {
            pseudonym: by.pseudonym().into(),
            what: "draft".into(),
            draft: id.to_vec(),
            ..LocalRead::default()
        };
        self.write(vec![Event::Read(read), Event::Draft(taken)], now_ms, rng)?;
        self.give_uploads_of_draft(id, account);
        Ok(())
    }

    /// Erases somebody else's draft, unread; who did is told as an alert.
    pub fn discard_draft(
        &mut self,
        by: &Actor,
        id: &[u8; 16],
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), PeopleError> {
        let draft = self.state.drafts.get(id).ok_or_else(unknown)?;
        let (file, account) = (draft.file.clone(), draft.account.to_vec());
        let gone = LocalDraft { draft: id.to_vec(), account, ..LocalDraft::default() };
        let alert = LocalAlert {
            what: "draft_discarded".into(),
            pseudonym: by.pseudonym().into(),
            referral: Vec::new(),
            count: 1,
        };
        self.write(vec![Event::Draft(gone), Event::Alert(alert)], now_ms, rng)?;
        Ok(self.erase(id, file)?)
    }

    /// Erases a file that no entry names any more; where that fails it is known as one that is left.
    fn erase(&mut self, id: &[u8; 16], file: String) -> Result<(), StoreError> {
        self.kept.remove(&file);
        if let Some(dir) = &self.dir {
            let path = dir.join("drafts").join(&file);
            self.unerased.insert(file.clone(), *id);
            erase(&path).map_err(disk::failed)?;
        }
        self.unerased.remove(&file);
        Ok(())
    }

    /// Erases what no entry names: the rest of what a crash has interrupted.
    pub(super) fn clear_drafts(&self) -> Result<(), DiskError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let folder = dir.join("drafts");
        for name in names_in(&folder)? {
            if !self.state.drafts.values().any(|draft| name == draft.file) {
                let path = folder.join(name);
                erase(&path).map_err(|error| DiskError::io(&path, error))?;
            }
        }
        Ok(())
    }
}

/// What lies in a folder of this module's; none where there is no folder.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>, DiskError> {
    disk::names_in(folder).map_err(|error| DiskError::io(folder, error))
}

/// Overwrites, syncs, removes.
pub(super) fn erase(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        let file = disk::open(path, true)?;
        disk::write_zeros(&file, 0, file.metadata()?.len())?;
        disk::sync(&file)?;
    }
    disk::remove(path)
}

fn unknown() -> PeopleError {
    PeopleError::Unknown("such draft of yours".into())
}
