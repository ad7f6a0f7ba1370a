//! Files on their way into a referral: kept part by part, sealed, until all have come and are added, or,
//! with a draft, until that is sent.
//!
//! Each is some files in `local/uploads`: one that says what it is, and one for each part that has come
//! whole. A part is on the disk before it is told of as kept, so that a broken upload goes on behind it,
//! also after a restart. Invariants: nothing of a file lies here in clear; what is added, given up,
//! too old, or of a referral that is to be erased is overwritten and removed; what a crash leaves over
//! the next start erases.

use std::collections::{BTreeMap, BTreeSet};

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use prost::Message as _;
use rand_core::CryptoRngCore;
use tutti_core::{
    limits::ATTACHMENT_BYTES_MAX,
    referral::{
        ReferralId,
        attachment::{PART_BYTES, Source, bytes_of_part, parts_of},
    },
    store::StoreError,
};
use tutti_proto::v1::LocalUpload;
use zeroize::Zeroizing;

use super::{
    Local, PeopleError,
    drafts::{erase, names_in},
};
use crate::{disk, store::DiskError};

/// How long a file is kept on which nothing has come, milliseconds: a day.
pub const UPLOAD_KEEP_MS: u64 = 24 * 3_600_000;

/// Files of one account that may be under way at once, those of one draft, and bytes of one account and of
/// all together.
const UPLOADS_MAX: usize = 8;
const DRAFT_FILES_MAX: usize = 8;
const ACCOUNT_BYTES_MAX: u64 = 10 * ATTACHMENT_BYTES_MAX;
const UPLOADS_BYTES_MAX: u64 = 40 * ATTACHMENT_BYTES_MAX;

const NONCE_BYTES: usize = 24;

/// The largest file here: a part, or what a file is, sealed.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// A file that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The attachment's id.
    pub id: [u8; 16],
    /// Whose it is.
    pub account: [u8; 16],
    /// To which referral it is added; with a draft, the one that it will be sent as.
    pub referral: ReferralId,
    /// The draft that it is kept with, until that is sent.
    pub draft: Option<[u8; 16]>,
    /// Where it goes along to a referral that passes a case on: which file of the first one it is.
    pub source: Option<Source>,
    /// A code of `v1::AttachmentKind`.
    pub kind: i32,
    /// As its author calls it.
    pub name: String,
    /// Bytes of the whole.
    pub size: u64,
    /// SHA-256 of the whole.
    pub sha256: [u8; 32],
    /// Whole parts that are here: the first ones.
    pub held: u32,
    /// When something of it came last in this run, or it was begun; milliseconds since the Unix epoch.
    pub touched_ms: u64,
}

impl Upload {
    /// Bytes that are here.
    pub fn offset(&self) -> u64 {
        (u64::from(self.held) * PART_BYTES as u64).min(self.size)
    }

    /// How many parts it has.
    pub fn parts(&self) -> u32 {
        parts_of(self.size).unwrap_or(0)
    }

    /// Whether all of it is here.
    pub fn is_whole(&self) -> bool {
        self.held >= self.parts()
    }

    fn about(&self) -> String {
        format!("{}.about", hex::encode(self.id))
    }

    fn part(&self, part: u32) -> String {
        format!("{}.{part}", hex::encode(self.id))
    }
}

/// Files under way, by their ids.
pub(super) type Uploads = BTreeMap<[u8; 16], Upload>;

impl Local {
    /// A file that is under way.
    pub fn upload(&self, id: &[u8; 16]) -> Option<&Upload> {
        self.uploads.get(id)
    }

    /// Keeps what a file is that is about to come; one of that id that is here stays as it is.
    pub fn begin_upload(
        &mut self,
        upload: Upload,
        rng: &mut impl CryptoRngCore,
    ) -> Result<&Upload, PeopleError> {
        if !self.uploads.contains_key(&upload.id) {
            let own = self.uploads.values().filter(|other| other.account == upload.account);
            let own_bytes: u64 = own.clone().map(|other| other.size).sum();
            let (with_draft, rest): (Vec<&Upload>, Vec<&Upload>) =
                own.partition(|other| other.draft.is_some());
            let of_draft = with_draft.iter().filter(|other| other.draft == upload.draft);
            match upload.draft {
                None if rest.len() >= UPLOADS_MAX => {
                    return Err(PeopleError::Wrong(format!(
                        "you have {UPLOADS_MAX} files under way already: let them end, or discard some"
                    )));
                }
                Some(_) if of_draft.count() >= DRAFT_FILES_MAX => {
                    return Err(PeopleError::Wrong(format!(
                        "{DRAFT_FILES_MAX} files are with this draft already: detach some, or send it \
                         and attach the rest to the referral"
                    )));
                }
                None | Some(_) => {}
            }
            if own_bytes.saturating_add(upload.size) > ACCOUNT_BYTES_MAX {
                return Err(PeopleError::Wrong(format!(
                    "your files under way and with drafts would be more than {} MiB: send or delete a \
                     draft, or detach some",
                    ACCOUNT_BYTES_MAX >> 20
                )));
            }
            let bytes: u64 = self.uploads.values().map(|other| other.size).sum();
            if bytes.saturating_add(upload.size) > UPLOADS_BYTES_MAX {
                return Err(PeopleError::Wrong(
                    "too many files are under way on this node; try again later".into(),
                ));
            }
            let about = LocalUpload {
                attachment: upload.id.to_vec(),
                account: upload.account.to_vec(),
                referral: upload.referral.as_bytes().to_vec(),
                kind: upload.kind,
                name: upload.name.clone(),
                size: upload.size,
                sha256: upload.sha256.to_vec(),
                begun_ms: upload.touched_ms,
                draft: upload.draft.map(Vec::from).unwrap_or_default(),
                source: upload.source.map(Source::to_record),
            };
            let about = Zeroizing::new(about.encode_to_vec());
            self.keep_file(&upload.about(), &about, rng)?;
        }
        Ok(self.uploads.entry(upload.id).or_insert(upload))
    }

    /// Keeps the next part of a file; durable when it returns.
    pub fn keep_part(
        &mut self,
        id: &[u8; 16],
        part: u32,
        bytes: &[u8],
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), PeopleError> {
        let upload = self.uploads.get(id).ok_or_else(unknown)?;
        let next = part == upload.held + 1 && part <= upload.parts();
        if !next || bytes.len() as u64 != bytes_of_part(upload.size, part) {
            return Err(PeopleError::Wrong(
                "these bytes are not what comes next of the file".into(),
            ));
        }
        let name = upload.part(part);
        self.keep_file(&name, bytes, rng)?;
        if let Some(upload) = self.uploads.get_mut(id) {
            upload.held = part;
            upload.touched_ms = now_ms;
        }
        Ok(())
    }

    /// A part that is kept.
    pub fn kept_part(&self, id: &[u8; 16], part: u32) -> Result<Zeroizing<Vec<u8>>, PeopleError> {
        let upload = self.uploads.get(id).filter(|upload| part <= upload.held);
        let name = upload.ok_or_else(unknown)?.part(part);
        let bytes = self.open_file(&name)?;
        Ok(bytes.ok_or_else(|| disk::unreadable("a part of a file", "it does not open"))?)
    }

    /// Erases all that is here of a file; whether there was something. Where the disk does not let it, the
    /// file is still known here, so that it is tried again.
    pub fn discard_upload(&mut self, id: &[u8; 16]) -> Result<bool, StoreError> {
        let Some(upload) = self.uploads.get(id) else { return Ok(false) };
        // First what makes the rest readable as a file that goes on.
        let parts = (1..=upload.held).map(|part| upload.part(part));
        let names: Vec<String> = [upload.about()].into_iter().chain(parts).collect();
        names.iter().try_for_each(|name| self.erase_file(name))?;
        self.uploads.remove(id);
        Ok(true)
    }

    /// Whether anything is under way into that referral.
    pub fn has_uploads_of(&self, referral: &ReferralId) -> bool {
        self.uploads.values().any(|upload| upload.referral == *referral)
    }

    /// Erases what was under way into that referral; how many files.
    pub fn discard_uploads_of(&mut self, referral: &ReferralId) -> Result<usize, StoreError> {
        self.discard_where(|upload| upload.referral == *referral)
    }

    /// Erases the files on which nothing came for long; how many. What is whole and with a draft stays
    /// as long as that; where the draft went and a full disk kept its files, they go here.
    pub fn discard_old_uploads(&mut self, now_ms: u64) -> Result<usize, StoreError> {
        let drafts: BTreeSet<[u8; 16]> = self.state.drafts.keys().copied().collect();
        self.discard_where(|upload| {
            let waits = upload.draft.is_some_and(|draft| drafts.contains(&draft));
            let old = upload.touched_ms.saturating_add(UPLOAD_KEEP_MS) <= now_ms;
            old && !(waits && upload.is_whole())
        })
    }

    /// Into which referrals something is under way, or will be once a draft is sent.
    pub fn referrals_of_uploads(&self) -> BTreeSet<ReferralId> {
        self.uploads.values().map(|upload| upload.referral).collect()
    }

    /// What goes along from another referral, and which file it is there.
    pub fn copies_under_way(&self) -> impl Iterator<Item = (&Upload, Source)> {
        self.uploads.values().filter_map(|upload| Some((upload, upload.source?)))
    }

    /// The files that are kept with a draft, whoever's it is.
    pub fn uploads_of_draft(&self, draft: &[u8; 16]) -> impl Iterator<Item = &Upload> {
        self.uploads.values().filter(move |upload| upload.draft.as_ref() == Some(draft))
    }

    /// Erases the files of a draft; how many.
    pub fn discard_uploads_of_draft(&mut self, draft: &[u8; 16]) -> Result<usize, StoreError> {
        self.discard_where(|upload| upload.draft.as_ref() == Some(draft))
    }

    /// Files go with their draft, whosever it becomes. What the sealed file says of its first owner is
    /// put right at each start.
    pub(super) fn give_uploads_of_draft(&mut self, draft: &[u8; 16], account: &[u8; 16]) {
        let of_draft = self.uploads.values_mut().filter(|file| file.draft.as_ref() == Some(draft));
        of_draft.for_each(|upload| upload.account = *account);
    }

    fn discard_where(&mut self, which: impl Fn(&Upload) -> bool) -> Result<usize, StoreError> {
        let gone = self.uploads.values().filter(|upload| which(upload));
        let gone: Vec<[u8; 16]> = gone.map(|upload| upload.id).collect();
        gone.iter().try_for_each(|id| self.discard_upload(id).map(drop))?;
        Ok(gone.len())
    }

    /// Reads what is under way, and erases what is of no use: the rest of what a crash has
    /// interrupted, and what does not open.
    pub(super) fn find_uploads(&mut self) -> Result<(), DiskError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let folder = dir.join("uploads");
        let mut names = names_in(&folder)?;
        names.sort();
        for name in names.iter().filter(|name| name.ends_with(".about")) {
            // One that cannot be read now may be whole: nothing is erased for that.
            let path = folder.join(name);
            let about = self.open_file(name).map_err(|error| {
                let unread = |said: String| DiskError::io(&path, std::io::Error::other(said));
                unread(error.to_string())
            })?;
            let found = about.and_then(|bytes| read(&bytes));
            let has_draft = |upload: &Upload| {
                upload.draft.is_none_or(|draft| self.state.drafts.contains_key(&draft))
            };
            let found = found.filter(|upload| upload.about() == *name && has_draft(upload));
            if let Some(mut upload) = found {
                let draft = upload.draft.and_then(|draft| self.state.drafts.get(&draft));
                upload.account = draft.map_or(upload.account, |draft| draft.account);
                upload.held = (1..=upload.parts())
                    .take_while(|part| names.contains(&upload.part(*part)))
                    .last()
                    .unwrap_or(0);
                self.uploads.insert(upload.id, upload);
            }
        }
        for name in &names {
            let ours = |upload: &Upload| {
                upload.about() == *name || (1..=upload.held).any(|part| upload.part(part) == *name)
            };
            if !self.uploads.values().any(ours) {
                let path = folder.join(name);
                erase(&path).map_err(|error| DiskError::io(&path, error))?;
            }
        }
        Ok(())
    }

    fn keep_file(
        &mut self,
        name: &str,
        bytes: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let cipher = XChaCha20Poly1305::new((&*self.keys.seal).into());
        let payload = Payload { msg: bytes, aad: name.as_bytes() };
        let sealed = cipher
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| disk::unreadable("a file under way", "sealing failed"))?;
        let bytes = [nonce.as_slice(), &sealed].concat();
        match &self.dir {
            None => drop(self.kept.insert(name.into(), bytes)),
            Some(dir) => {
                let folder = dir.join("uploads");
                disk::make_dir(&folder).map_err(disk::failed)?;
                disk::replace(&folder.join(name), &bytes).map_err(disk::failed)?;
            }
        }
        Ok(())
    }

    fn open_file(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let sealed = match &self.dir {
            None => self.kept.get(name).cloned(),
            Some(dir) => match disk::read(&dir.join("uploads").join(name), FILE_BYTES_MAX) {
                // Larger than any that was written here.
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => None,
                sealed => sealed.map_err(|error| disk::unreadable("a file under way", error))?,
            },
        };
        Ok(sealed.and_then(|sealed| {
            let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
            let cipher = XChaCha20Poly1305::new((&*self.keys.seal).into());
            let payload = Payload { msg: sealed, aad: name.as_bytes() };
            cipher.decrypt(XNonce::from_slice(nonce), payload).ok().map(Zeroizing::new)
        }))
    }

    fn erase_file(&mut self, name: &str) -> Result<(), StoreError> {
        self.kept.remove(name);
        let Some(dir) = &self.dir else { return Ok(()) };
        erase(&dir.join("uploads").join(name)).map_err(disk::failed)
    }
}

fn read(bytes: &[u8]) -> Option<Upload> {
    let about = LocalUpload::decode(bytes).ok()?;
    Some(Upload {
        id: about.attachment.try_into().ok()?,
        account: about.account.try_into().ok()?,
        referral: ReferralId::from_bytes(about.referral.try_into().ok()?),
        kind: about.kind,
        name: about.name,
        size: parts_of(about.size).map(|_| about.size)?,
        sha256: about.sha256.try_into().ok()?,
        draft: match about.draft.as_slice() {
            [] => None,
            draft => Some(draft.try_into().ok()?),
        },
        source: match about.source {
            None => None,
            Some(source) => Some(Source::from_record(&source)?),
        },
        held: 0,
        touched_ms: about.begun_ms,
    })
}

fn unknown() -> PeopleError {
    PeopleError::Unknown("such file of yours under way".into())
}
