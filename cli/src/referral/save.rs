//! `tutti referral save`: a file that goes with a referral, onto this machine's disk.
//!
//! Invariants: the name of what is written is ours or the person's who asks, never the other
//! society's; nothing is overwritten unasked; a file has its name only once its SHA-256 was checked,
//! and nobody but this user may read it.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use sha2::{Digest as _, Sha256};
use tutti_core::referral::attachment::MediaType;
use tutti_proto::node::v1::{Attachment, ReadAttachmentRequest};

use super::{IdArg, attachments, id_or_prefix, short};
use crate::{
    failure::{Exit, Failure, Outcome},
    json,
    node::{self, Node, NodeArgs},
    progress::Progress,
    screen::say,
    text,
};

/// How long the next piece is waited for.
const PIECE_MAX: Duration = Duration::from_secs(120);

/// Save a file that goes with a referral to this machine.
///
/// That you read it is recorded first. It is written for you alone to read, and never opened here: what
/// opens it is your own program, so look at where it came from. Broken off? The same command goes on.
#[derive(Debug, Args)]
pub(crate) struct Save {
    #[command(flatten)]
    id: IdArg,
    /// The file's id, or its first characters: see `tutti referral attachments`.
    #[arg(value_name = "ATTACHMENT", value_parser = id_or_prefix)]
    attachment: String,
    /// Where to; a folder, or the name of a file. Left out: here, under a name of ours.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Put it in place of a file that is there.
    #[arg(long)]
    force: bool,
    /// From a case that is not yours, and say why; give its whole id.
    #[arg(long, value_name = "REASON")]
    break_glass: Option<String>,
    #[command(flatten)]
    node: NodeArgs,
    /// Say what was saved as JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl Save {
    pub(super) async fn run(self) -> Outcome {
        let node = self.node.connect().await?;
        let id = self.id.resolve(&node).await?;
        let attachment = attachments::resolve(&node, &id, &self.attachment).await?;
        let to = self.to.clone().unwrap_or_else(|| ".".into());
        // Before anybody reads anything.
        let named = !to.is_dir();
        if named {
            self.check_free(&to)?;
        }
        let partial = match named {
            true => beside(&to, ".partial"),
            false => to.join(format!("attachment-{}.partial", short(&attachment))),
        };
        let (file, sha256) = self.fetch(&node, &id, &attachment, &partial).await?;
        if sha256 != file.sha256[..] {
            let removed = fs::remove_file(&partial);
            return Err(Failure::new(
                Exit::Damaged,
                "the bytes are not those that their author has announced",
            )
            .kept(if removed.is_ok() { "nothing" } else { "only the partial file" })
            .todo("do the same again; should it end like this again, ask for the file anew"));
        }
        let path = match named {
            true => to,
            false => to.join(our_name(&file)),
        };
        self.put(&partial, &path)?;
        match self.json {
            true => json::print(&json::Saved {
                path: path.display().to_string(),
                attachment,
                name: file.name,
                media_type: file.media_type,
                size: file.size,
                sha256: hex::encode(sha256),
            }),
            false => {
                say(format!("Saved as {}.", path.display()));
                say(format!("  its author calls it {}", text::line(&file.name)));
                say("  delete it when you need it no more: what is erased here stays there");
            }
        }
        Ok(Exit::Ok)
    }

    fn check_free(&self, path: &Path) -> Result<(), Failure> {
        match fs::symlink_metadata(path) {
            Ok(_) if !self.force => Err(there(path)),
            Ok(about) if !about.is_file() => {
                Err(Failure::new(Exit::Usage, format!("{} is no file", path.display()))
                    .kept("what is there; nothing was read"))
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Failure::io(path, &error)),
        }
    }

    /// Writes the bytes into a file that has not its name yet, behind what came before.
    async fn fetch(
        &self,
        node: &Node,
        id: &str,
        attachment: &str,
        partial: &Path,
    ) -> Result<(Attachment, [u8; 32]), Failure> {
        let failed = |error: &std::io::Error| Failure::io(partial, error);
        let mut digest = Sha256::new();
        let mut offset = before(partial, &mut digest).map_err(|error| failed(&error))?;
        let request = |offset| ReadAttachmentRequest {
            id: id.to_owned(),
            attachment: attachment.to_owned(),
            offset,
            break_glass: self.break_glass.clone().unwrap_or_default(),
        };
        let mut pieces = match node::ask(node.attachments().read(request(offset))).await {
            Ok(pieces) => pieces,
            // What lies here is whole, or of something else, or is to be had no more.
            Err(failure) if offset > 0 && failure.code() == Exit::Refused => {
                fs::remove_file(partial).map_err(|error| failed(&error))?;
                (offset, digest) = (0, Sha256::new());
                node::ask(node.attachments().read(request(0))).await?
            }
            Err(failure) => return Err(failure),
        };
        let mut file = private(partial).map_err(|error| failed(&error))?;
        let progress = Progress::new("saving");
        let mut about = None;
        loop {
            let broken = || {
                Failure::new(Exit::Unreachable, "the file did not come as a whole")
                    .kept(format!("what came, in {}", partial.display()))
                    .todo("the same command goes on where it stopped")
            };
            let next = tokio::time::timeout(PIECE_MAX, pieces.message()).await;
            let piece = match next.map_err(|_| broken())?? {
                Some(piece) => piece,
                None => {
                    let about: Attachment = about.ok_or_else(broken)?;
                    if offset != about.size {
                        return Err(broken());
                    }
                    file.sync_all().map_err(|error| failed(&error))?;
                    return Ok((about, digest.finalize().into()));
                }
            };
            about = piece.attachment.or(about);
            digest.update(&piece.data);
            file.write_all(&piece.data).map_err(|error| failed(&error))?;
            offset += piece.data.len() as u64;
            progress.at(offset, about.as_ref().map_or(offset, |about| about.size));
        }
    }

    /// Gives the file its name.
    fn put(&self, partial: &Path, path: &Path) -> Result<(), Failure> {
        if self.force {
            self.check_free(path)?;
            return fs::rename(partial, path).map_err(|error| Failure::io(path, &error));
        }
        // A name that somebody has taken meanwhile stays theirs.
        match fs::hard_link(partial, path) {
            Ok(()) => fs::remove_file(partial).map_err(|error| Failure::io(partial, &error)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let kept =
                    format!("the file that is there, and what was read, in {}", partial.display());
                Err(there(path).kept(kept))
            }
            // A file system without links.
            Err(_) => {
                self.check_free(path)?;
                fs::rename(partial, path).map_err(|error| Failure::io(path, &error))
            }
        }
    }
}

fn there(path: &Path) -> Failure {
    Failure::new(Exit::Usage, format!("{} exists already", path.display()))
        .kept("the file that is there; nothing was read")
        .todo("give another name, or --force to put this one in its place")
}

/// The same path with something behind its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// A name that nobody else has a hand in.
fn our_name(file: &Attachment) -> String {
    let extension = MediaType::parse(&file.media_type).map_or("bin", MediaType::extension);
    format!("attachment-{}.{extension}", short(&file.id))
}

/// How much came before, and its digest.
fn before(partial: &Path, digest: &mut Sha256) -> std::io::Result<u64> {
    match fs::symlink_metadata(partial) {
        Ok(about) if about.is_file() => {}
        Ok(_) => return Err(std::io::Error::new(ErrorKind::AlreadyExists, "this is no file")),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    }
    let mut file = File::open(partial)?;
    let (mut piece, mut all) = (vec![0; 64 * 1024], 0);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(all);
        }
        digest.update(piece.get(..read).unwrap_or_default());
        all += read as u64;
    }
}

/// Opens a file to write behind what is in it; only this user may read it.
fn private(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever its author calls it.
    #[test]
    fn the_name_is_ours() {
        let file = Attachment {
            id: "ab".repeat(16),
            name: "../../.bashrc".into(),
            media_type: "application/pdf".into(),
            ..Default::default()
        };
        assert_eq!(our_name(&file), "attachment-abababab.pdf");
        let strange = Attachment { media_type: "text/html".into(), ..file };
        assert_eq!(our_name(&strange), "attachment-abababab.bin");
    }
}
