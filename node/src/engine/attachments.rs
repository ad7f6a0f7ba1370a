//! Reading the files that go with a case: what there is, and the bytes.
//!
//! Invariants: a name or a byte is given to a person only once that is recorded; what is to be erased is
//! gone for whoever asks, whether the bytes are still on the disk or not; a file that is not what its
//! manifest says is given to nobody as whole.

use rand_core::CryptoRngCore;
use tutti_core::{
    body::Part,
    referral::{
        self, Referral, ReferralId,
        attachment::{self, Attachment},
    },
    store::{BodyState, Store},
};
use tutti_proto::{
    node::v1 as api,
    v1::{self, content::Content},
};
use zeroize::Zeroizing;

use super::{Engine, Refused};
use crate::local::Actor;

/// One part of a file, as it was asked for.
pub struct OpenedPart {
    /// What the file is.
    pub file: api::Attachment,
    /// The part's bytes.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// A file that goes along where a case is passed on.
pub struct Passing {
    /// How much of it is here already, for the new referral.
    pub begun: api::AttachmentUpload,
    /// By what its bytes are read.
    pub read: api::ReadAttachmentRequest,
}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Begins to add a file of the case that a referral passes on to that referral. That it is read is
    /// recorded.
    pub fn begin_passing(
        &mut self,
        actor: &Actor,
        request: &api::PassAttachmentOnRequest,
        now_ms: u64,
    ) -> Result<Passing, Refused> {
        let id = parse(&request.id)?;
        self.seen(actor, &id)?;
        let onward = self.case(&id).ok_or_else(hidden)?;
        let first = <[u8; 16]>::try_from(onward.sent.onward_of.as_slice()).ok();
        let first = first.map(ReferralId::from_bytes).filter(|_| self.is_own(&onward));
        let first = first.ok_or_else(|| {
            Refused::State("this referral passes on none that came here; nothing was added".into())
        })?;
        let read = api::ReadAttachmentRequest {
            id: first.to_string(),
            attachment: request.attachment.clone(),
            ..Default::default()
        };
        let opened = self.read_attachment(actor, &read, 0, true, now_ms)?;
        let first = self.case(&first).ok_or_else(hidden)?;
        let wanted = parse_attachment(&request.attachment)?;
        let files = first.attachments();
        let file = files.iter().find(|file| file.id == wanted).ok_or_else(hidden)?;
        let announced = api::BeginAttachmentRequest {
            id: request.id.clone(),
            kind: file.kind,
            name: opened.file.name,
            size: opened.file.size,
            sha256: opened.file.sha256,
            ..Default::default()
        };
        let begun = self.begin_file(actor, &announced, Some(file.source_here()), now_ms)?;
        Ok(Passing { begun, read })
    }

    fn is_own(&self, referral: &Referral) -> bool {
        referral.sender == self.identity.society
    }

    /// What goes with a referral; names only once the reading is recorded. At most
    /// [`REFERRAL_PARTS_MAX`](tutti_core::limits::REFERRAL_PARTS_MAX) files a side, each with a name of one
    /// line: 300 KiB.
    pub fn list_attachments(
        &mut self,
        actor: &Actor,
        request: &api::ListAttachmentsRequest,
        now_ms: u64,
    ) -> Result<api::ListAttachmentsResponse, Refused> {
        let id = parse(&request.id)?;
        match request.with_content {
            // Whoever breaks the glass may see a case that no list shows them.
            true => self.gate_reading(actor, id, &request.break_glass, "attachments", now_ms)?,
            false => drop(self.seen(actor, &id)?),
        }
        let referral = self.case(&id).ok_or_else(hidden)?;
        let attachments = self.attachment_messages(&referral, request.with_content, now_ms)?;
        Ok(api::ListAttachmentsResponse { attachments })
    }

    /// The part of a file in which the byte at `offset` stands. With `first` the reading is recorded
    /// before, otherwise it was: what may no longer be read is not, all the same.
    pub fn read_attachment(
        &mut self,
        actor: &Actor,
        request: &api::ReadAttachmentRequest,
        offset: u64,
        first: bool,
        now_ms: u64,
    ) -> Result<OpenedPart, Refused> {
        let id = parse(&request.id)?;
        match first {
            true => self.gate_reading(actor, id, &request.break_glass, "attachment", now_ms)?,
            false => drop(self.gate(actor, id, &request.break_glass)?),
        }
        let referral = self.case(&id).ok_or_else(hidden)?;
        let wanted = parse_attachment(&request.attachment)?;
        let mut files = referral.attachments().into_iter().filter(|file| file.id == wanted);
        let file = files.next().ok_or_else(|| {
            Refused::NotFound(
                "no such file goes with this referral. See `tutti referral attachments`".into(),
            )
        })?;
        // Which of the two was meant nobody can tell, and it might be passed on as the other.
        if files.next().is_some() {
            return Err(Refused::State(
                "the other society has written a file under the id of this one; neither is opened. Tell \
                 your IT staff"
                    .into(),
            ));
        }
        let message = self.attachment_message(&file, true, now_ms)?;
        match message.state() {
            api::BodyState::Present => {}
            api::BodyState::Erased => {
                return Err(Refused::State("the file was erased; it cannot be had again".into()));
            }
            api::BodyState::Absent | api::BodyState::Unspecified => {
                return Err(Refused::State(format!(
                    "{} of {} parts of the file are here; the rest is on its way. Try again later",
                    message.parts_present, message.parts
                )));
            }
        }
        if message.sha256.is_empty() {
            return Err(unfit());
        }
        if offset >= message.size {
            return Err(Refused::Invalid("the file has no such byte".into()));
        }
        let part = u32::try_from(offset / attachment::PART_BYTES as u64 + 1).unwrap_or(u32::MAX);
        let opened = self.open_part(&file, part, now_ms)?.ok_or_else(unfit)?;
        if opened.data.len() as u64 != attachment::bytes_of_part(message.size, part) {
            return Err(unfit());
        }
        Ok(OpenedPart { file: message, bytes: Zeroizing::new(opened.data) })
    }

    pub(super) fn attachment_messages(
        &self,
        referral: &Referral,
        with_content: bool,
        now_ms: u64,
    ) -> Result<Vec<api::Attachment>, Refused> {
        let files = referral.attachments();
        files.iter().map(|file| self.attachment_message(file, with_content, now_ms)).collect()
    }

    fn attachment_message(
        &self,
        file: &Attachment,
        with_content: bool,
        now_ms: u64,
    ) -> Result<api::Attachment, Refused> {
        let (mut present, mut delivered, mut erased) = (0, 0, false);
        for (at, _) in file.known.values() {
            let header = self.header_at(at)?;
            let key = header.and_then(|header| header.body_key(Part::Content));
            let state = key.map(|key| self.store.body_state(&key));
            erased |= self.is_due(at, now_ms) || state == Some(BodyState::Erased);
            present += u32::from(state == Some(BodyState::Present));
            delivered += u32::from(self.has_arrived(at));
        }
        let state = match (erased, present == file.parts) {
            (true, _) => api::BodyState::Erased,
            (false, true) => api::BodyState::Present,
            (false, false) => api::BodyState::Absent,
        };
        let manifest = match with_content && !erased {
            true => self.open_part(file, 1, now_ms)?.and_then(|part| part.manifest),
            false => None,
        };
        // What does not keep the rules is not shown, for nobody can tell what it would do.
        let manifest = manifest.filter(|m| attachment::check_manifest(m, file.parts).is_ok());
        let manifest = manifest.unwrap_or_default();
        Ok(api::Attachment {
            id: hex::encode(file.id),
            society: file.by.to_string(),
            kind: file.kind_name().into(),
            recorded_at_ms: file.at_ms,
            parts: file.parts,
            parts_present: if erased { 0 } else { present },
            parts_delivered: delivered,
            state: state as i32,
            name: manifest.name,
            media_type: manifest.media_type,
            size: manifest.size,
            sha256: manifest.sha256,
        })
    }

    /// Opens one part; `None` where it is not here or cannot be read.
    fn open_part(
        &self,
        file: &Attachment,
        part: u32,
        now_ms: u64,
    ) -> Result<Option<v1::AttachmentPart>, Refused> {
        let Some((at, event_id)) = file.known.get(&part) else { return Ok(None) };
        Ok(match self.open_content(at, event_id, now_ms)? {
            Some(Content::Attachment(opened)) => Some(opened),
            Some(Content::Referral(_) | Content::Note(_) | Content::Information(_)) | None => None,
        })
    }
}

fn unfit() -> Refused {
    Refused::State(
        "the file is not what its author says of it, so it is not given out. Ask them to send it again"
            .into(),
    )
}

fn hidden() -> Refused {
    referral::Refusal::NotFound.into()
}

fn parse(id: &str) -> Result<ReferralId, Refused> {
    id.parse().map_err(|error| Refused::Invalid(format!("referral id: {error}")))
}

/// The id of a file.
pub(crate) fn parse_attachment(id: &str) -> Result<[u8; 16], Refused> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(id, &mut bytes)
        .map_err(|_| Refused::Invalid("an attachment's id is 32 hexadecimal digits".into()))?;
    Ok(bytes)
}
