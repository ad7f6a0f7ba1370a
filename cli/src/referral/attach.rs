//! `tutti referral attach`: adding a file to a referral.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use sha2::{Digest as _, Sha256};
use tokio_stream::wrappers::ReceiverStream;
use tutti_core::{
    limits::ATTACHMENT_BYTES_MAX,
    referral::{
        attachment::{HEAD_BYTES, MediaType, TextCheck, WrongType, parts_of, recognise},
        codes::Code as _,
    },
};
use tutti_proto::{
    node::v1::{self as api, BeginAttachmentRequest, UploadPiece},
    v1::AttachmentKind,
};

use super::{IdArg, code, short};
use crate::{
    failure::{Exit, Failure, Outcome},
    json,
    node::{self, Node, NodeArgs},
    progress::Progress,
    screen::say,
    text,
};

/// Bytes in one piece.
const PIECE_BYTES: usize = 64 * 1024;

/// How long the node is waited for, from one word to the next.
pub(super) const WORD_MAX: Duration = Duration::from_secs(120);

/// Add a file to a referral: a consent form, a medical letter, a photo.
///
/// PDF, JPEG, PNG, WebP, HEIC or plain text, up to 25 MiB; what it is, its bytes must show. It is
/// sealed to the two societies. Broken off? The same command goes on where it stopped.
#[derive(Debug, Args)]
pub(crate) struct Attach {
    #[command(flatten)]
    id: IdArg,
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What it is. Where the basis is consent, the person must have agreed to it.
    #[arg(long, value_name = "KIND", value_parser = code::<AttachmentKind>())]
    kind: AttachmentKind,
    #[command(flatten)]
    node: NodeArgs,
    /// Show what was added as JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl Attach {
    pub(super) async fn run(self) -> Outcome {
        let ready = Ready::look(&self.file, self.kind)?;
        let node = self.node.connect().await?;
        let id = self.id.resolve(&node).await?;
        let added = ready.add(&node, &id).await?;
        match self.json {
            true => json::print(&added.json(&id)),
            false => {
                say(format!("{}, attachment {}.", added.sentence(&id), short(&added.id)));
                say("  the other side has it once `tutti referral attachments` says so");
            }
        }
        Ok(Exit::Ok)
    }
}

/// A file that was looked at and may go along.
#[derive(Debug)]
pub(super) struct Ready {
    path: PathBuf,
    file: File,
    name: String,
    kind: AttachmentKind,
    media: MediaType,
    size: u64,
    sha256: [u8; 32],
}

/// A file that goes with a referral now.
pub(super) struct Added {
    pub(super) id: String,
    kind: AttachmentKind,
    media: MediaType,
    size: u64,
    sha256: [u8; 32],
    /// It did before.
    before: bool,
}

impl Added {
    pub(super) fn sentence(&self, referral: &str) -> String {
        let word = if self.before { "went with it already" } else { "goes with it now" };
        let what = self.kind.name().replace('_', " ");
        format!("Referral {}: the {what} {word}", short(referral))
    }

    /// As one of several, below the referral that they go with.
    pub(super) fn goes_along(&self) -> String {
        format!("the {} goes with it: {}", self.kind.name().replace('_', " "), short(&self.id))
    }

    pub(super) fn json(&self, referral: &str) -> json::Added {
        json::Added {
            referral: referral.to_owned(),
            attachment: self.id.clone(),
            kind: self.kind.name(),
            media_type: self.media.mime(),
            size: self.size,
            sha256: hex::encode(self.sha256),
            added_before: self.before,
        }
    }
}

impl Ready {
    /// Looks through a file, without keeping it in memory: what it is, how large, and its digest.
    pub(super) fn look(path: &Path, kind: AttachmentKind) -> Result<Self, Failure> {
        let failed = |error: &std::io::Error| Failure::io(path, error);
        let mut file = File::open(path).map_err(|error| failed(&error))?;
        let about = file.metadata().map_err(|error| failed(&error))?;
        let size = about.len();
        let refused = |why: String| {
            Failure::new(Exit::Usage, format!("{}: {why}", path.display())).kept("nothing was sent")
        };
        if !about.is_file() {
            return Err(refused("this is no file".into()));
        }
        if parts_of(size).is_none() {
            let most = ATTACHMENT_BYTES_MAX >> 20;
            return Err(refused(format!("it has {size} bytes; allowed: 1 byte to {most} MiB"))
                .todo("scan or photograph it in a lower resolution, or send it in two files"));
        }
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let wrong = |wrong: WrongType| {
            refused(wrong.to_string()).todo("print or scan it to PDF, or take a photo of it")
        };
        let (mut digest, mut check) = (Sha256::new(), TextCheck::default());
        let mut media = None;
        let mut piece = vec![0; PIECE_BYTES.max(HEAD_BYTES)];
        let mut all = 0u64;
        loop {
            let read = fill(&mut file, &mut piece).map_err(|error| failed(&error))?;
            let bytes = piece.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            all += bytes.len() as u64;
            digest.update(bytes);
            let head = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
            let found = match media {
                Some(found) => found,
                None => *media.insert(recognise(&name, head).map_err(wrong)?),
            };
            if found == MediaType::Text && !check.feed(bytes) {
                return Err(wrong(WrongType::NotText));
            }
        }
        let media = media.filter(|_| all == size).ok_or_else(|| {
            refused("it changed while it was read".into()).todo("wait until it is whole")
        })?;
        if media == MediaType::Text && !check.is_whole() {
            return Err(wrong(WrongType::NotText));
        }
        let sha256 = digest.finalize().into();
        Ok(Self { path: path.into(), file, name, kind, media, size, sha256 })
    }

    /// Adds it to a referral, from where it stopped, if it was begun before.
    pub(super) async fn add(self, node: &Node, referral: &str) -> Result<Added, Failure> {
        let request = BeginAttachmentRequest { id: referral.to_owned(), ..self.announced() };
        let begun = node::ask(node.attachments().begin(request)).await?;
        let added = Added {
            id: begun.attachment.clone(),
            kind: self.kind,
            media: self.media,
            size: self.size,
            sha256: self.sha256,
            before: begun.added,
        };
        if !begun.added {
            self.send(node, &begun).await?;
        }
        Ok(added)
    }

    /// Has it kept with a draft, from where it stopped, if it was begun before; gives its id.
    pub(super) async fn keep_with(self, node: &Node, draft: &str) -> Result<String, Failure> {
        let request = BeginAttachmentRequest { draft: draft.to_owned(), ..self.announced() };
        let begun = node::ask(node.attachments().begin(request)).await?;
        if !begun.added {
            self.send(node, &begun).await?;
        }
        Ok(begun.attachment)
    }

    fn announced(&self) -> BeginAttachmentRequest {
        BeginAttachmentRequest {
            kind: self.kind as i32,
            name: self.name.clone(),
            size: self.size,
            sha256: self.sha256.to_vec(),
            ..BeginAttachmentRequest::default()
        }
    }

    async fn send(self, node: &Node, begun: &api::AttachmentUpload) -> Result<(), Failure> {
        let Self { path, mut file, size, .. } = self;
        let (pieces, stream) = tokio::sync::mpsc::channel(2);
        let (attachment, mut offset) = (begun.attachment.clone(), begun.offset);
        let broken = || {
            Failure::new(Exit::Unreachable, "the file did not get there as a whole")
                .kept("what has come, for a day")
                .todo("the same command goes on where it stopped")
        };
        file.seek(SeekFrom::Start(offset)).map_err(|error| Failure::io(&path, &error))?;
        let mut first = Some(attachment);
        let reading = async move {
            loop {
                let mut data = vec![0; PIECE_BYTES];
                let read = fill(&mut file, &mut data)?;
                data.truncate(read);
                let piece =
                    UploadPiece { attachment: first.take().unwrap_or_default(), offset, data };
                offset += read as u64;
                // Who has taken enough, or too much, says why in the answer.
                if pieces.send(piece).await.is_err() || read == 0 || offset >= size {
                    return Ok::<(), std::io::Error>(());
                }
            }
        };
        let reading = tokio::spawn(reading);
        let mut answers = node::ask(node.attachments().upload(ReceiverStream::new(stream))).await?;
        let progress = Progress::new("sealing and adding");
        loop {
            let word = tokio::time::timeout(WORD_MAX, answers.message());
            let Some(word) = word.await.map_err(|_| broken())?? else { break };
            if word.receipt.is_some() || word.held || word.parts_added == word.parts {
                drop(progress);
                return Ok(());
            }
            progress.at(word.kept + u64::from(word.parts_added), size + u64::from(word.parts));
        }
        if let Ok(Err(error)) = reading.await {
            return Err(Failure::io(&path, &error));
        }
        Err(broken())
    }
}

/// Reads as much as fits, or to the end.
fn fill(file: &mut File, bytes: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A file and what it is, as `--attach KIND=FILE` has it.
#[derive(Debug, Clone)]
pub(super) struct KindAndFile {
    pub(super) kind: AttachmentKind,
    pub(super) file: PathBuf,
}

/// Reads `KIND=FILE`.
pub(super) fn kind_and_file(text: &str) -> Result<KindAndFile, String> {
    let kinds = || format!("it is KIND=FILE; kinds are {}", AttachmentKind::NAMES.join(", "));
    let (kind, file) = text.split_once('=').ok_or_else(kinds)?;
    let kind = tutti_core::referral::codes::parse(kind).ok_or_else(kinds)?;
    if file.is_empty() { Err(kinds()) } else { Ok(KindAndFile { kind, file: file.into() }) }
}

/// Looks at files before anything is sent.
pub(super) fn look(files: &[KindAndFile]) -> Result<Vec<Ready>, Failure> {
    files.iter().map(|along| Ready::look(&along.file, along.kind)).collect()
}

/// Adds files to a referral that was just sent; what could not be added is said, and how to do it.
pub(super) async fn add_all(
    node: &Node,
    referral: &str,
    files: Vec<Ready>,
    again: &[String],
) -> Result<Vec<Added>, Failure> {
    let mut added = Vec::new();
    for ready in files {
        let (kind, path) = (ready.kind.name(), ready.path.display().to_string());
        match ready.add(node, referral).await {
            Ok(file) => added.push(file),
            Err(failure) => {
                let mut words = vec![text::program(), "referral".into(), "attach".into()];
                words.extend([short(referral).to_owned(), text::shell(&path)]);
                words.extend(["--kind".to_owned(), kind.to_owned()]);
                words.extend(again.iter().map(|word| text::shell(word)));
                let what = format!("the {} was not added: {failure}", kind.replace('_', " "));
                return Err(Failure::new(failure.code(), what)
                    .kept(format!("referral {} is sent", short(referral)))
                    .todo(words.join(" ")));
            }
        }
    }
    Ok(added)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_may_not_go_along_is_refused_before_anything_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let look = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            Ready::look(&path, AttachmentKind::Other)
        };
        let letter = look("letter.pdf", b"%PDF-1.7\n").unwrap();
        assert_eq!((letter.media, letter.size), (MediaType::Pdf, 9));
        let mut text = vec![b'a'; 70_000];
        assert!(look("long.txt", &text).is_ok());
        text[69_999] = 0xC3;
        for (name, bytes) in [
            ("long.txt", text.as_slice()),
            ("letter.pdf", b""),
            ("letter.pdf", b"<html>"),
            ("letter.png", b"%PDF-1.7\n"),
        ] {
            let said = look(name, bytes).unwrap_err().to_string();
            assert!(said.contains("allowed: "), "{said}");
        }
        let large = dir.path().join("large.pdf");
        File::create(&large).unwrap().set_len(ATTACHMENT_BYTES_MAX + 1).unwrap();
        let said = Ready::look(&large, AttachmentKind::Other).unwrap_err().to_string();
        assert!(said.contains("25 MiB"), "{said}");
        assert!(Ready::look(dir.path(), AttachmentKind::Other).is_err());
    }

    #[test]
    fn a_kind_stands_before_its_file() {
        let read = kind_and_file("photo=a=b.jpg").unwrap();
        assert_eq!((read.kind, read.file), (AttachmentKind::Photo, PathBuf::from("a=b.jpg")));
        for wrong in ["a.jpg", "picture=a.jpg", "photo=", "=a.jpg"] {
            assert!(kind_and_file(wrong).unwrap_err().contains("medical_letter"), "{wrong}");
        }
    }
}
