//! `tutti log export`: a log as plain files, from the running node or from its disk.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use clap::Args;
use tutti_core::{
    export,
    society::Origin,
    store::{Reader as _, StoreError},
};
use tutti_node::{
    config::Config,
    rosters,
    store::{DiskError, DiskStore},
};
use tutti_proto::node::v1::{ExportPiece, ExportRequest};

use super::Which;
use crate::{
    failure::{Exit, Failure, Outcome},
    node::{self, Node, NodeArgs},
    progress::Progress,
    screen::{note, say},
    text,
};

/// Write a log as plain files, for an auditor.
///
/// The files are those of C2SP tlog-tiles, and with them the rosters, the heads that witnesses
/// have cosigned, and the bodies that this node holds, sealed as they are. Works with the node up
/// or down. `tutti audit OUT` needs nothing else.
#[derive(Args)]
pub(crate) struct Export {
    /// Where to: a new directory.
    #[arg(long, value_name = "OUT")]
    out: PathBuf,
    #[command(flatten)]
    which: Which,
    /// Leave the bodies out.
    #[arg(long)]
    without_bodies: bool,
    #[command(flatten)]
    node: NodeArgs,
}

impl Export {
    pub(super) async fn run(self) -> Outcome {
        let folder = Folder::new(&self.out)?;
        let (origin, entries, folder) = match self.node.connect_if_up().await? {
            Some(node) => self.by_node(&node, folder).await?,
            None => self.off_disk(folder)?,
        };
        let (files, bytes) = (folder.files, folder.bytes);
        folder.finish()?;
        say(format!(
            "{}: {entries} entr{} in {files} files, {} KiB, written to {}",
            text::line(&origin),
            text::ies(entries),
            bytes.div_ceil(1024),
            self.out.display(),
        ));
        let out = text::shell(&self.out.display().to_string());
        note(format!("Anybody checks it, with nothing else, by: tutti audit {out}"));
        Ok(Exit::Ok)
    }

    async fn by_node(
        &self,
        node: &Node,
        mut folder: Folder,
    ) -> Result<(String, u64, Folder), Failure> {
        let origin = self.which.find(node).await?.origin;
        let request = ExportRequest { origin: origin.clone(), without_bodies: self.without_bodies };
        let mut pieces = node::ask(node.log().export(request)).await?;
        let progress = Progress::new("exporting");
        let (mut file, mut entries) = (Vec::new(), 0);
        while let Some(piece) = pieces.message().await? {
            let ExportPiece { path, data, last, entries_done, entries_total } = piece;
            progress.at(entries_done, entries_total);
            entries = entries_total;
            file.extend(data);
            if last {
                folder.write(&path, &file)?;
                file.clear();
            }
        }
        Ok((origin, entries, folder))
    }

    fn off_disk(&self, mut folder: Folder) -> Result<(String, u64, Folder), Failure> {
        let dir = self.node.dir().unwrap_or_default();
        let setup = |error: String| Failure::new(Exit::Configuration, error);
        let config = Config::load(&dir).map_err(|error| setup(error.to_string()))?;
        let keys = rosters::chain(&dir).map_err(|error| setup(error.to_string()))?;
        let notes = rosters::load(&dir).map_err(|error| setup(error.to_string()))?;
        let opened = DiskStore::open_read_only(&dir, &config.origin, &keys).map_err(disk)?;
        for notice in &opened.notices {
            note(text::line(notice));
        }
        let store = opened.store;
        let origin = self.which.find_among(&store.logs(), &config.origin)?;
        let size = store.tree(&origin).size();
        let progress = Progress::new("exporting");
        note("The node is not running; the log is read from its disk.");
        for (done, file) in (0..).zip(export::files(&store, &origin, &notes, !self.without_bodies))
        {
            let file = file.map_err(|error| stored(&error))?;
            progress.at(size.min(done), size);
            folder.write(&file.path, &file.bytes)?;
        }
        Ok((origin.to_string(), size, folder))
    }
}

impl Which {
    fn find_among(&self, logs: &[Origin], own: &Origin) -> Result<Origin, Failure> {
        let name = self.of.as_deref().unwrap_or(own.as_str());
        logs.iter()
            .filter(|log| log.as_str() == name || log.society().as_str() == name)
            .max_by_key(|log| log.epoch())
            .cloned()
            .ok_or_else(|| {
                super::no_such_log(name, &logs.iter().map(Origin::as_str).collect::<Vec<_>>())
            })
    }
}

fn disk(error: DiskError) -> Failure {
    let exit = match &error {
        DiskError::Locked => Exit::Locked,
        DiskError::NewerFormat { .. } => Exit::NewerFormat,
        DiskError::Damaged { .. } | DiskError::Io { .. } => Exit::Damaged,
        DiskError::Full { .. } => Exit::DiskFull,
    };
    Failure::new(exit, error.to_string())
}

fn stored(error: &StoreError) -> Failure {
    Failure::new(Exit::Damaged, error.to_string())
        .kept("the node's data as they are; the export was thrown away")
        .todo("see docs/operating.md, on damaged data")
}

/// A directory that is filled beside its place and put there when it is whole.
pub(crate) struct Folder {
    place: PathBuf,
    filling: tempfile::TempDir,
    files: u64,
    bytes: u64,
}

impl Folder {
    pub(crate) fn new(place: &Path) -> Result<Self, Failure> {
        if place.exists() {
            let what = format!("{} exists already", place.display());
            return Err(Failure::new(Exit::Usage, what)
                .kept("what is there; nothing was exported")
                .todo("name a new directory with --out"));
        }
        let beside = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let failed = |error| Failure::io(beside, &error);
        fs::create_dir_all(beside).map_err(failed)?;
        let filling =
            tempfile::Builder::new().prefix(".tutti-export-").tempdir_in(beside).map_err(failed)?;
        Ok(Self { place: place.into(), filling, files: 0, bytes: 0 })
    }

    /// Writes one file; a path that leads outside is refused, whoever gave it.
    pub(crate) fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let relative = Path::new(path);
        let inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
        if !inside || path.is_empty() {
            return Err(Failure::new(Exit::Internal, format!("the node named a file {path:?}"))
                .kept("nothing was exported"));
        }
        let full = self.filling.path().join(relative);
        let failed = |error| Failure::io(&full, &error);
        if let Some(folder) = full.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        fs::write(&full, bytes).map_err(failed)?;
        self.files += 1;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), Failure> {
        if self.files == 0 {
            return Err(Failure::new(
                Exit::Refused,
                "the log is empty: there is nothing to export",
            )
            .kept("no directory was made"));
        }
        let filled = self.filling.keep();
        fs::rename(&filled, &self.place).map_err(|error| Failure::io(&self.place, &error))
    }
}
