//! `tutti.node.v1.Attachments`.

mod passing;

use std::{sync::Arc, time::Duration};

use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tutti_core::referral::attachment::{
    HEAD_BYTES, MediaType, PART_BYTES, TextCheck, WrongType, bytes_of_part, recognise,
};
use tutti_proto::node::v1::{self as api, attachments_server::Attachments};
use zeroize::Zeroizing;

use super::Context;
use crate::{
    engine::{Receipt, Refused, parse_attachment},
    grpc::decode,
    local::{Actor, Upload},
};

/// The most bytes in one piece.
const PIECE_BYTES: usize = 64 * 1024;

/// Answers that may wait for a slow reader.
const QUEUE: usize = 4;

/// Files that come in or go out at once, each with a part or two in memory.
const AT_ONCE: usize = 8;

/// How long the next piece of a file is waited for.
const PIECE_MAX: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(super) struct Service {
    context: Context,
    turns: Arc<Semaphore>,
}

impl Service {
    pub(super) fn new(context: Context) -> Self {
        Self { context, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    fn turn(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Status> {
        self.turns.clone().try_acquire_owned().map_err(|_| {
            Status::unavailable(
                "too many files are coming in or going out at this moment; what has come is kept. \
                 Try again in a minute",
            )
        })
    }
}

#[tonic::async_trait]
impl Attachments for Service {
    type UploadStream = ReceiverStream<Result<api::UploadProgress, Status>>;
    type AddOfDraftStream = ReceiverStream<Result<api::UploadProgress, Status>>;
    type PassOnStream = ReceiverStream<Result<api::UploadProgress, Status>>;
    type ReadStream = ReceiverStream<Result<api::AttachmentPiece, Status>>;

    async fn begin(
        &self,
        request: Request<api::BeginAttachmentRequest>,
    ) -> Result<Response<api::AttachmentUpload>, Status> {
        let actor = self.context.actor(&request)?;
        let request = request.into_inner();
        let engine = &self.context.engine;
        let ask = engine.ask(move |engine, now| engine.begin_attachment(&actor, &request, now));
        Ok(Response::new(ask.await??))
    }

    async fn upload(
        &self,
        request: Request<Streaming<api::UploadPiece>>,
    ) -> Result<Response<Self::UploadStream>, Status> {
        let actor = self.context.actor(&request)?;
        let turn = self.turn()?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let taking = Taking { context: self.context.clone(), actor, sender };
        tokio::spawn(async move {
            let _turn = turn;
            taking.run(request.into_inner()).await;
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn add_of_draft(
        &self,
        request: Request<api::AddOfDraftRequest>,
    ) -> Result<Response<Self::AddOfDraftStream>, Status> {
        let actor = self.context.actor(&request)?;
        let turn = self.turn()?;
        let (by, draft) = (actor.clone(), request.into_inner().draft);
        let ask = self.context.engine.ask(move |engine, _| engine.files_to_add(&by, &draft));
        let files = ask.await??;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let taking = Taking { context: self.context.clone(), actor, sender };
        tokio::spawn(async move {
            let _turn = turn;
            taking.run_held(files).await;
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn pass_on(
        &self,
        request: Request<api::PassAttachmentOnRequest>,
    ) -> Result<Response<Self::PassOnStream>, Status> {
        let actor = self.context.actor(&request)?;
        let turn = self.turn()?;
        let (by, request) = (actor.clone(), request.into_inner());
        let engine = &self.context.engine;
        let ask = engine.ask(move |engine, now| engine.begin_passing(&by, &request, now));
        let passing = ask.await??;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let taking = Taking { context: self.context.clone(), actor, sender };
        tokio::spawn(async move {
            let _turn = turn;
            taking.run_passed(passing).await;
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn discard(
        &self,
        request: Request<api::DiscardUploadRequest>,
    ) -> Result<Response<api::DiscardUploadResponse>, Status> {
        let actor = self.context.actor(&request)?;
        let id = parse_attachment(&request.into_inner().attachment)?;
        let ask = self.context.engine.ask(move |engine, _| engine.discard_upload(&actor, &id));
        Ok(Response::new(api::DiscardUploadResponse { discarded: ask.await?? }))
    }

    async fn list(
        &self,
        request: Request<api::ListAttachmentsRequest>,
    ) -> Result<Response<api::ListAttachmentsResponse>, Status> {
        let actor = self.context.actor(&request)?;
        let request = request.into_inner();
        let engine = &self.context.engine;
        let ask = engine.ask(move |engine, now| engine.list_attachments(&actor, &request, now));
        Ok(Response::new(ask.await??))
    }

    async fn read(
        &self,
        request: Request<api::ReadAttachmentRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let actor = self.context.actor(&request)?;
        let turn = self.turn()?;
        let request = request.into_inner();
        let giving = Giving { context: self.context.clone(), actor, request };
        let first = giving.part(giving.request.offset, true).await?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let _turn = turn;
            giving.run(first, sender).await;
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// A file that is being read.
struct Giving {
    context: Context,
    actor: Actor,
    request: api::ReadAttachmentRequest,
}

impl Giving {
    async fn part(
        &self,
        offset: u64,
        first: bool,
    ) -> Result<(api::Attachment, Zeroizing<Vec<u8>>), Refused> {
        let (actor, request) = (self.actor.clone(), self.request.clone());
        let ask = self
            .context
            .engine
            .ask(move |engine, now| engine.read_attachment(&actor, &request, offset, first, now));
        ask.await?.map(|opened| (opened.file, opened.bytes))
    }

    /// Gives piece after piece. Ends when the client has gone away.
    async fn run(
        self,
        first: (api::Attachment, Zeroizing<Vec<u8>>),
        sender: mpsc::Sender<Result<api::AttachmentPiece, Status>>,
    ) {
        let (file, mut bytes) = first;
        let mut offset = self.request.offset;
        let size = file.size;
        let mut about = Some(file);
        loop {
            let within = usize::try_from(offset % PART_BYTES as u64).unwrap_or(0);
            for piece in bytes.get(within..).unwrap_or_default().chunks(PIECE_BYTES) {
                offset += piece.len() as u64;
                let piece = api::AttachmentPiece { attachment: about.take(), data: piece.to_vec() };
                if sender.send(Ok(piece)).await.is_err() {
                    return;
                }
            }
            if offset >= size {
                return;
            }
            bytes = match self.part(offset, false).await {
                Ok((_, bytes)) => bytes,
                Err(refused) => {
                    let _ = sender.send(Err(refused.into())).await;
                    return;
                }
            };
        }
    }
}

/// A file that is being taken in.
struct Taking {
    context: Context,
    actor: Actor,
    sender: mpsc::Sender<Result<api::UploadProgress, Status>>,
}

impl Taking {
    async fn run(self, incoming: Streaming<api::UploadPiece>) {
        if let Err(status) = self.take(incoming).await {
            let _ = self.sender.send(Err(status)).await;
        }
    }

    /// Adds files that were kept with a draft, one after the other.
    async fn run_held(self, files: Vec<Upload>) {
        for file in files {
            if let Err(status) = self.add_held(&file).await {
                let _ = self.sender.send(Err(status)).await;
                return;
            }
        }
    }

    async fn add_held(&self, file: &Upload) -> Result<(), Status> {
        if !file.is_whole() {
            return Err(Status::failed_precondition(
                "a file of the draft has not come whole, and was not added. Attach it to the referral",
            ));
        }
        let mut check = Check::default();
        self.check_held(file, &mut check).await?;
        let media = self.fits(check.finish(&file.sha256), &file.id).await?;
        let receipt = self.add(file, media).await?;
        self.say(file, file.size, file.parts(), receipt).await;
        Ok(())
    }

    /// Looks through the parts that are here.
    async fn check_held(&self, upload: &Upload, check: &mut Check) -> Result<(), Status> {
        let id = upload.id;
        for part in 1..=upload.held {
            let actor = self.actor.clone();
            let ask =
                self.context.engine.ask(move |engine, _| engine.upload_part(&actor, &id, part));
            self.fits(check.feed(&upload.name, &ask.await??), &id).await?;
        }
        Ok(())
    }

    async fn take(&self, mut incoming: Streaming<api::UploadPiece>) -> Result<(), Status> {
        let first = next(&mut incoming).await?;
        let first = first.ok_or_else(|| Status::invalid_argument("nothing came"))?;
        let id = parse_attachment(&first.attachment)?;
        let actor = self.actor.clone();
        let ask = self.context.engine.ask(move |engine, _| engine.own_upload(&actor, &id));
        let upload = ask.await??;
        if first.offset != upload.offset() {
            return Err(Status::failed_precondition(format!(
                "{} bytes of the file are here; go on from there, not from {}",
                upload.offset(),
                first.offset
            )));
        }
        let mut check = Check::default();
        self.check_held(&upload, &mut check).await?;
        self.take_rest(&upload, &mut check, first.data, &mut incoming).await?;
        let media = self.fits(check.finish(&upload.sha256), &id).await?;
        let ask = self.context.engine.ask({
            let upload = upload.clone();
            move |engine, _| engine.waits_with_its_draft(&upload)
        });
        if ask.await? {
            let held = api::UploadProgress { held: true, ..progress(&upload, upload.size) };
            let _ = self.sender.send(Ok(held)).await;
            return Ok(());
        }
        let receipt = self.add(&upload, media).await?;
        self.say(&upload, upload.size, upload.parts(), receipt).await;
        Ok(())
    }

    /// Keeps part after part until the file is whole.
    async fn take_rest(
        &self,
        upload: &Upload,
        check: &mut Check,
        mut data: Vec<u8>,
        incoming: &mut Streaming<api::UploadPiece>,
    ) -> Result<(), Status> {
        let (id, mut held) = (upload.id, upload.held);
        let mut part = Zeroizing::new(Vec::with_capacity(PART_BYTES));
        while held < upload.parts() {
            let bytes = usize::try_from(bytes_of_part(upload.size, held + 1)).unwrap_or(0);
            let (now, later) = data.split_at(data.len().min(bytes.saturating_sub(part.len())));
            part.extend_from_slice(now);
            let later = later.to_vec();
            // What it is shows at once; nobody sends all of it for nothing.
            if held == 0 && part.len() >= HEAD_BYTES.min(bytes) && check.media.is_none() {
                self.fits(recognise(&upload.name, &part).map_err(Unfit::Type), &id).await?;
            }
            if part.len() < bytes {
                data = match next(incoming).await? {
                    Some(piece) if piece.data.len() <= PIECE_BYTES => piece.data,
                    Some(_) => {
                        return Err(Status::invalid_argument("a piece has at most 65,536 bytes"));
                    }
                    None => {
                        return Err(Status::cancelled(
                            "the file ended before it was whole; the parts that came are kept for a \
                             day. Do the same again to go on",
                        ));
                    }
                };
                continue;
            }
            self.fits(check.feed(&upload.name, &part), &id).await?;
            let (actor, whole) = (self.actor.clone(), std::mem::take(&mut *part));
            let next_part = held + 1;
            let ask = self.context.engine.ask(move |engine, now| {
                let whole = Zeroizing::new(whole);
                engine.keep_upload_part(&actor, &id, next_part, &whole, now)
            });
            ask.await??;
            held = next_part;
            data = later;
            self.say(upload, Upload { held, ..upload.clone() }.offset(), 0, None).await;
        }
        if data.is_empty() {
            return Ok(());
        }
        self.fits(Err::<(), _>(Unfit::Other), &id).await
    }

    /// Writes part after part; what cannot be added any more is erased, but for what a draft holds: that may
    /// be the only copy, and goes with the draft.
    async fn add(&self, upload: &Upload, media: MediaType) -> Result<Option<Receipt>, Status> {
        let id = upload.id;
        let mut receipt = None;
        for part in 1..=upload.parts() {
            let actor = self.actor.clone();
            let ask = self
                .context
                .engine
                .ask(move |engine, _| engine.attaching(&actor, &id, part, media));
            let Some(write) = ask.await?? else { continue };
            match self.context.write(self.actor.clone(), write).await {
                Ok(written) => receipt = Some(written),
                Err(refused) => {
                    let later = matches!(
                        refused,
                        Refused::NotWriting(_)
                            | Refused::Full
                            | Refused::Stopping
                            | Refused::Internal(_)
                    );
                    if !later && upload.draft.is_none() {
                        self.discard(&id).await;
                    }
                    return Err(refused.into());
                }
            }
            self.say(upload, upload.size, part, None).await;
        }
        self.discard(&id).await;
        Ok(receipt)
    }

    /// Passes on what fits; what does not is erased at once, for it will not fit later.
    async fn fits<T>(&self, checked: Result<T, Unfit>, id: &[u8; 16]) -> Result<T, Status> {
        match checked {
            Ok(fits) => Ok(fits),
            Err(unfit) => {
                self.discard(id).await;
                Err(Status::invalid_argument(format!("{unfit}. Nothing was added")))
            }
        }
    }

    async fn discard(&self, id: &[u8; 16]) {
        let (actor, id) = (self.actor.clone(), *id);
        // What is left is erased after a day.
        let _ = self.context.engine.ask(move |engine, _| engine.discard_upload(&actor, &id)).await;
    }

    /// Whoever does not listen is not waited for: the file is added all the same.
    async fn say(&self, upload: &Upload, kept: u64, parts_added: u32, receipt: Option<Receipt>) {
        let receipt = receipt.as_ref().map(decode::receipt);
        let word = api::UploadProgress { parts_added, receipt, ..progress(upload, kept) };
        let _ = self.sender.send(Ok(word)).await;
    }
}

fn progress(upload: &Upload, kept: u64) -> api::UploadProgress {
    api::UploadProgress {
        kept,
        parts: upload.parts(),
        attachment: hex::encode(upload.id),
        ..api::UploadProgress::default()
    }
}

async fn next(
    incoming: &mut Streaming<api::UploadPiece>,
) -> Result<Option<api::UploadPiece>, Status> {
    match tokio::time::timeout(PIECE_MAX, incoming.message()).await {
        Ok(piece) => piece,
        Err(_) => Err(Status::deadline_exceeded(
            "nothing came for a minute; the parts that came are kept for a day. Do the same again to \
             go on",
        )),
    }
}

/// Looks through the bytes of a file as they come.
#[derive(Default)]
struct Check {
    digest: Sha256,
    media: Option<MediaType>,
    text: TextCheck,
}

/// Why a file is not what was announced, or may not go along.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("{0}")]
    Type(WrongType),
    #[error("these are not the bytes that were announced: was the file changed meanwhile?")]
    Other,
}

impl Check {
    fn feed(&mut self, name: &str, part: &[u8]) -> Result<(), Unfit> {
        self.digest.update(part);
        let media = match self.media {
            Some(media) => media,
            None => {
                let head = part.get(..HEAD_BYTES).unwrap_or(part);
                *self.media.insert(recognise(name, head).map_err(Unfit::Type)?)
            }
        };
        if media == MediaType::Text && !self.text.feed(part) {
            return Err(Unfit::Type(WrongType::NotText));
        }
        Ok(())
    }

    fn finish(&self, sha256: &[u8; 32]) -> Result<MediaType, Unfit> {
        if self.digest.clone().finalize()[..] != sha256[..] {
            return Err(Unfit::Other);
        }
        match self.media {
            Some(MediaType::Text) if !self.text.is_whole() => Err(Unfit::Type(WrongType::NotText)),
            Some(media) => Ok(media),
            None => Err(Unfit::Other),
        }
    }
}
