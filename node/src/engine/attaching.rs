//! Adding a file to a referral: begun, kept part by part, and then written part by part.
//!
//! Whether it may be added is asked at the beginning, so that nobody sends 25 MiB for nothing, and
//! again by each part's own write: what was decided before may be overtaken meanwhile. Invariants: no
//! part is written before the whole file is here and is what was announced; what is being added to a
//! referral that is to be erased is erased with it.

use rand_core::CryptoRngCore;
use tutti_core::{
    people::{Action, Verdict},
    referral::{
        self, Command, Referral, ReferralId,
        attachment::{self, Attachment, MediaType, Source, Unfit},
    },
    store::Store,
};
use tutti_proto::{node::v1 as api, v1};
use zeroize::Zeroizing;

use super::{Engine, Refused, Write, allowed::not_allowed, reading::people_refused};
use crate::local::{Actor, Upload};

/// Whose a file is that is being added, and to what.
struct Whose {
    account: [u8; 16],
    referral: ReferralId,
    draft: Option<[u8; 16]>,
    source: Option<Source>,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Begins to add a file, or says how much of it is here already.
    pub fn begin_attachment(
        &mut self,
        actor: &Actor,
        request: &api::BeginAttachmentRequest,
        now_ms: u64,
    ) -> Result<api::AttachmentUpload, Refused> {
        match request.draft.is_empty() {
            true => self.begin_file(actor, request, None, now_ms),
            false => self.begin_draft_file(actor, request, now_ms),
        }
    }

    /// The same for a file of a referral that is sent; where it goes along from another one, `source` is
    /// which file it is there.
    pub(super) fn begin_file(
        &mut self,
        actor: &Actor,
        request: &api::BeginAttachmentRequest,
        source: Option<Source>,
        now_ms: u64,
    ) -> Result<api::AttachmentUpload, Refused> {
        let account = *actor.account().ok_or_else(|| not_allowed(Action::Act))?;
        let referral_id: ReferralId = request
            .id
            .parse()
            .map_err(|error| Refused::Invalid(format!("referral id: {error}")))?;
        let brief = self.seen(actor, &referral_id)?;
        if self.may_with(actor, (&referral_id, brief), Action::Act) != Verdict::Allow {
            return Err(not_allowed(Action::Act));
        }
        let (parts, sha256) = announced(request)?;
        let referral = self.case(&referral_id);
        let referral = referral.ok_or_else(|| Refused::from(referral::Refusal::NotFound))?;
        let what = (request.kind, &sha256, source);
        let (id, before) = self.attachment_id(&referral, what, now_ms);
        let known = before.map(|before| before.known.len()).unwrap_or(0);
        let text = hex::encode(id);
        if known >= parts as usize {
            // The node may have ended between the last part and this.
            self.local.discard_upload(&id).map_err(|error| self.local_failed(error.into()))?;
            return Ok(api::AttachmentUpload {
                attachment: text,
                offset: request.size,
                added: true,
            });
        }
        self.check_writing()?;
        self.check_readable(&referral_id)?;
        let first = v1::Attached {
            attachment_id: id.to_vec(),
            part: 1,
            parts,
            kind: request.kind,
            source: source.map(Source::to_record),
        };
        self.try_attaching(&referral, id, first, now_ms)?;
        let whose = Whose { account, referral: referral_id, draft: None, source };
        let upload = self.begin(request, (id, sha256), whose, now_ms)?;
        Ok(api::AttachmentUpload { attachment: text, offset: upload.offset(), added: false })
    }

    /// The same for a draft: what it will be sent as is known, for it goes out under its own number.
    fn begin_draft_file(
        &mut self,
        actor: &Actor,
        request: &api::BeginAttachmentRequest,
        now_ms: u64,
    ) -> Result<api::AttachmentUpload, Refused> {
        let (draft, account) = self.draft_of_referral(actor, &request.draft)?;
        let (_, sha256) = announced(request)?;
        if !request.id.is_empty() || attachment::field(request.kind).is_none() {
            return Err(Refused::Invalid(
                "a file is added to a referral or to a draft, and its kind is one of the list. Nothing \
                 was added"
                    .into(),
            ));
        }
        let referral = ReferralId::of(&self.identity.origin, &draft);
        if self.case(&referral).is_some() {
            return Err(Refused::State(format!(
                "this draft is sent already, as referral {referral}; nothing was added. Attach the file \
                 to that"
            )));
        }
        let secret = &self.identity.keyring.local;
        let id = attachment::id(secret, &referral, request.kind, &sha256, None, 0);
        let whose = Whose { account, referral, draft: Some(draft), source: None };
        let upload = self.begin(request, (id, sha256), whose, now_ms)?;
        Ok(api::AttachmentUpload {
            attachment: hex::encode(upload.id),
            offset: upload.offset(),
            added: upload.is_whole(),
        })
    }

    /// Keeps what a file is, by its id and digest, and whose: an account's, with a referral or, until that
    /// is sent, with a draft. Gives how far it has come, where it is that person's.
    fn begin(
        &mut self,
        request: &api::BeginAttachmentRequest,
        (id, sha256): ([u8; 16], [u8; 32]),
        Whose { account, referral, draft, source }: Whose,
        now_ms: u64,
    ) -> Result<Upload, Refused> {
        let upload = Upload {
            id,
            account,
            referral,
            draft,
            source,
            kind: request.kind,
            name: request.name.clone(),
            size: request.size,
            sha256,
            held: 0,
            touched_ms: now_ms,
        };
        let begun = self.local.begin_upload(upload, &mut self.rng).cloned();
        let begun = begun.map_err(|error| self.local_failed(error))?;
        match begun.account == account {
            true => Ok(begun),
            false => Err(Refused::State(
                "a colleague is adding this very file at this moment; nothing was done".into(),
            )),
        }
    }

    /// Whether a file is kept with a draft that is not sent yet; once it is, the file can be added.
    pub fn waits_with_its_draft(&self, upload: &Upload) -> bool {
        upload.draft.is_some() && self.case(&upload.referral).is_none()
    }

    /// The files of a draft of one's own that was sent: they go with the referral now.
    pub fn files_to_add(&self, actor: &Actor, draft: &str) -> Result<Vec<Upload>, Refused> {
        let (draft, _) = self.draft_of_referral(actor, draft)?;
        let referral = ReferralId::of(&self.identity.origin, &draft);
        if self.case(&referral).is_none() {
            return Err(Refused::State("this draft is not sent yet; nothing was added".into()));
        }
        Ok(self.local.uploads_of_draft(&draft).cloned().collect())
    }

    /// The id of a file of our own, and what is written of it: one that was erased does not count.
    fn attachment_id(
        &self,
        referral: &Referral,
        (kind, sha256, source): (i32, &[u8; 32], Option<Source>),
        now_ms: u64,
    ) -> ([u8; 16], Option<Attachment>) {
        let secret = &self.identity.keyring.local;
        let own = self.identity.society;
        let files = referral.attachments();
        let mut again = 0;
        loop {
            let id = attachment::id(secret, &referral.id, kind, sha256, source, again);
            let before = files.iter().find(|file| file.id == id && file.by == own).cloned();
            let gone = before
                .as_ref()
                .is_some_and(|file| file.known.values().any(|(at, _)| self.is_due(at, now_ms)));
            // What was overtaken is no file of the case, and may have been taken back all the same.
            if !gone && !referral.has_taken_back(own, &id) {
                return (id, before);
            }
            again += 1;
        }
    }

    /// Whether the first part that is not written might be written now; `attached` says of the file what
    /// each part does.
    fn try_attaching(
        &self,
        referral: &Referral,
        id: [u8; 16],
        attached: v1::Attached,
        now_ms: u64,
    ) -> Result<(), Refused> {
        let own = self.identity.society;
        let files = referral.attachments();
        let file = files.iter().find(|file| file.id == id && file.by == own);
        let missing = |part: &u32| file.is_none_or(|file| !file.known.contains_key(part));
        let part = (1..=attached.parts).find(missing).unwrap_or(1);
        let attached = v1::Attached { part, ..attached };
        let first = self.passes_on(referral);
        let context = referral::Context {
            origin: &self.identity.origin,
            event_id: attachment::event_id(&id, part),
            now_ms,
            note: "",
            duplicate: None,
            onward_of: first.as_deref(),
            rules: self.roster.data_protection(),
        };
        referral::decide(Some(referral), Command::Attach(attached), &context)?;
        Ok(())
    }

    /// What is under way under that id, if it is that person's.
    pub fn own_upload(&self, actor: &Actor, id: &[u8; 16]) -> Result<Upload, Refused> {
        let upload = self.local.upload(id);
        let own = upload.filter(|upload| actor.account() == Some(&upload.account));
        own.cloned().ok_or_else(|| {
            Refused::NotFound(
                "no such file of yours is under way here; it may have been too long ago, or what it \
                 was added to is to be erased. Begin again"
                    .into(),
            )
        })
    }

    /// Keeps the next part; durable when it returns.
    pub fn keep_upload_part(
        &mut self,
        actor: &Actor,
        id: &[u8; 16],
        part: u32,
        bytes: &[u8],
        now_ms: u64,
    ) -> Result<(), Refused> {
        self.own_upload(actor, id)?;
        let kept = self.local.keep_part(id, part, bytes, now_ms, &mut self.rng);
        kept.map_err(|error| self.local_failed(error))
    }

    /// A part that is kept.
    pub fn upload_part(
        &self,
        actor: &Actor,
        id: &[u8; 16],
        part: u32,
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        self.own_upload(actor, id)?;
        self.local.kept_part(id, part).map_err(people_refused)
    }

    /// The write that adds one part of a file that is here; `None` where it was added before.
    pub fn attaching(
        &self,
        actor: &Actor,
        id: &[u8; 16],
        part: u32,
        media: MediaType,
    ) -> Result<Option<Write>, Refused> {
        let upload = self.own_upload(actor, id)?;
        let files = self.case(&upload.referral).map(|referral| referral.attachments());
        let own = self.identity.society;
        let file = files.iter().flatten().find(|file| file.id == *id && file.by == own);
        if file.is_some_and(|file| file.known.contains_key(&part)) {
            return Ok(None);
        }
        let data = self.local.kept_part(id, part).map_err(people_refused)?;
        let manifest = (part == 1).then(|| v1::AttachmentManifest {
            name: upload.name.clone(),
            media_type: media.mime().into(),
            size: upload.size,
            sha256: upload.sha256.to_vec(),
        });
        Ok(Some(Write::Attach {
            key: attachment::event_id(id, part),
            id: upload.referral,
            attached: v1::Attached {
                attachment_id: id.to_vec(),
                part,
                parts: upload.parts(),
                kind: upload.kind,
                source: upload.source.map(Source::to_record),
            },
            part: Box::new(v1::AttachmentPart { manifest, data: data.to_vec() }),
        }))
    }

    /// Erases what is here of a file that is added, or given up; whether there was something.
    pub fn discard_upload(&mut self, actor: &Actor, id: &[u8; 16]) -> Result<bool, Refused> {
        if self.own_upload(actor, id).is_err() {
            return Ok(false);
        }
        self.local.discard_upload(id).map_err(|error| self.local_failed(error.into()))
    }

    /// Erases what is being added to a referral that is to be erased.
    pub(super) fn discard_uploads_of(&mut self, id: &ReferralId) {
        if let Err(error) = self.local.discard_uploads_of(id) {
            self.local_failed(error.into());
        }
    }

    /// Erases what is still being added to files that were taken back.
    pub(super) fn discard_uploads_named(&mut self, files: &[[u8; 16]]) {
        for id in files {
            if let Err(error) = self.local.discard_upload(id) {
                self.local_failed(error.into());
            }
        }
    }

    /// Erases what nobody has gone on with for long.
    pub(super) fn discard_old_uploads(&mut self, now_ms: u64) {
        if let Err(error) = self.local.discard_old_uploads(now_ms) {
            self.local_failed(error.into());
        }
    }
}

/// How many parts a file has that is announced so, and its digest.
fn announced(request: &api::BeginAttachmentRequest) -> Result<(u32, [u8; 32]), Refused> {
    let unfit = |unfit: Unfit| Refused::Invalid(format!("{unfit}. Nothing was added"));
    let parts = attachment::parts_of(request.size).ok_or_else(|| unfit(Unfit::Size))?;
    let sha256: [u8; 32] =
        request.sha256.as_slice().try_into().map_err(|_| unfit(Unfit::Digest))?;
    // What it is, its bytes will tell; here it is about the name.
    let manifest = v1::AttachmentManifest {
        name: request.name.clone(),
        media_type: MediaType::Text.mime().into(),
        size: request.size,
        sha256: request.sha256.clone(),
    };
    attachment::check_manifest(&manifest, parts).map_err(unfit)?;
    Ok((parts, sha256))
}
