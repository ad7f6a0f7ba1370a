//! `tutti access`: who has read what, and the auditor's check of it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tutti_core::{
    keys::NoteKey,
    local::{Report, verify},
};
use tutti_proto::node::v1::{AccessEntry, ExportAccessRequest, ListAccessRequest};

use crate::{
    failure::{Exit, Failure, Outcome},
    files, json,
    log::Folder,
    node::{self, Asked, NodeArgs},
    screen::{Style, fields, note, paint, say, table},
    text, time,
};

/// A file of an export: a bundle of 256 entries.
const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Who has read which case, or what is addressed to this society alone; when, and why where it was not
/// theirs.
#[derive(Subcommand)]
pub(crate) enum Access {
    Log(Log),
    Alerts(Alerts),
    Export(Export),
    Verify(Verify),
}

/// Show who has read what, the newest first.
#[derive(Debug, Args)]
pub(crate) struct Log {
    #[command(flatten)]
    list: List,
}

/// Show what the data-protection focal point is told: broken glasses, bulk reading, guessing.
#[derive(Debug, Args)]
pub(crate) struct Alerts {
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Args)]
struct List {
    /// At most this many.
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    #[command(flatten)]
    asked: Asked,
}

/// Write the local log as plain files, for an auditor; no name is in it.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Where to: a new directory.
    #[arg(value_name = "OUT")]
    out: PathBuf,
    #[command(flatten)]
    node: NodeArgs,
}

/// Check an export of the local log, trusting nobody; nothing else is needed.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The directory that `export` has written.
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// The key of the local log, as `tutti access export` has shown it. Note it once, and compare.
    #[arg(long, value_name = "KEY")]
    key: String,
    /// An export that was taken before: this one must go on from it, with nothing cut or changed.
    #[arg(long, value_name = "EARLIER")]
    after: Option<PathBuf>,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl Access {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Log(log) => node::block_on(log.list.run(false)),
            Self::Alerts(alerts) => node::block_on(alerts.list.run(true)),
            Self::Export(export) => node::block_on(export.run()),
            Self::Verify(check) => check.run(),
        }
    }
}

impl List {
    async fn run(self, alerts: bool) -> Outcome {
        let node = self.asked.node.connect().await?;
        let request = ListAccessRequest { alerts, count: self.count };
        let answer = node::ask(node.access().list(request)).await?;
        if self.asked.json {
            json::print(&json::AccessLog::from(&answer));
            return Ok(Exit::Ok);
        }
        if answer.entries.is_empty() {
            say(if alerts { "No alert." } else { "Nobody has read anything yet." });
            return Ok(Exit::Ok);
        }
        let row = |entry: &AccessEntry| {
            vec![
                time::local(entry.at_ms),
                entry.pseudonym.get(..12).unwrap_or(&entry.pseudonym).to_owned(),
                match (alerts, entry.count, entry.what.as_str()) {
                    (true, count, what) if count > 1 => format!("{what}: {count}"),
                    (false, count, what @ "search") => format!("{what}: {count} opened"),
                    (_, _, what) => what.to_owned(),
                },
                about(entry),
                entry.reason.clone(),
            ]
        };
        say(table(
            &["when", "who", "what", "case or share", "why"],
            answer.entries.iter().map(row),
        ));
        say(paint(Style::Dim, "\nWhose a pseudonym is: tutti user list"));
        Ok(Exit::Ok)
    }
}

/// The case, or the share; of titles, and of what a search has found, the first, and how many more (`--json`
/// names all). Of what is about none, nothing.
fn about(entry: &AccessEntry) -> String {
    let several = entry.shares.iter().chain(&entry.referrals);
    let ids = [&entry.referral, &entry.share].into_iter().chain(several);
    let mut ids = ids.filter(|id| !id.is_empty());
    let id = ids.next().and_then(|id| id.get(..8)).unwrap_or_default();
    match ids.count() {
        0 => id.to_owned(),
        more => format!("{id} and {more} more"),
    }
}

impl Export {
    async fn run(self) -> Outcome {
        let mut folder = Folder::new(&self.out)?;
        let node = self.node.connect().await?;
        let listed = node::ask(node.access().list(ListAccessRequest::default())).await?;
        let mut pieces = node::ask(node.access().export(ExportAccessRequest {})).await?;
        let mut file = Vec::new();
        while let Some(piece) = pieces.message().await? {
            file.extend(piece.data);
            if piece.last {
                folder.write(&piece.path, &file)?;
                file.clear();
            }
        }
        folder.finish()?;
        say(format!("The local log is written to {}.", self.out.display()));
        let (out, key) = (text::shell(&self.out.display().to_string()), text::shell(&listed.key));
        note(format!(
            "Anybody checks it, with nothing else, by:\ntutti access verify {out} --key {key}"
        ));
        Ok(Exit::Ok)
    }
}

impl Verify {
    fn run(self) -> Outcome {
        let key: NoteKey = self.key.parse().map_err(|error| {
            Failure::new(Exit::Usage, format!("--key: {error}"))
                .todo("give the key that `tutti access export` has shown")
        })?;
        let earlier = match &self.after {
            Some(dir) => Some(files::read(&dir.join("checkpoint"), FILE_BYTES_MAX)?),
            None => None,
        };
        let file = |path: &str| files::read(&self.out.join(Path::new(path)), FILE_BYTES_MAX).ok();
        let report = verify(&key, file, earlier.as_deref());
        match self.json {
            true => json::print(&json::AccessReport::from(&report)),
            false => say(describe(&report)),
        }
        Ok(if report.findings.is_empty() { Exit::Ok } else { Exit::Refused })
    }
}

fn describe(report: &Report) -> String {
    let kinds = report.kinds.iter().map(|(kind, count)| format!("{count} {kind}"));
    let opened = report.reads.iter().filter(|read| !read.referral.is_empty()).count();
    let shares = report.reads.iter().filter(|read| !read.share.is_empty()).count();
    let titles = report.reads.iter().filter(|read| !read.titles.is_empty()).count();
    let searches = report.reads.iter().filter(|read| read.what == "search").count();
    let broken = report.reads.iter().filter(|read| !read.reason.is_empty()).count();
    let head = fields([
        ("log", report.log.clone()),
        ("entries", report.size.to_string()),
        ("of these", kinds.collect::<Vec<_>>().join(", ")),
        ("cases opened", opened.to_string()),
        ("searches that opened cases", searches.to_string()),
        ("addressed shares read", shares.to_string()),
        ("lists of their titles", titles.to_string()),
        ("with the glass broken", broken.to_string()),
        ("alerts", report.alerts.len().to_string()),
    ]);
    if report.findings.is_empty() {
        return format!(
            "{head}\n\n{}",
            paint(Style::Good, "Nothing was cut, changed or withheld.")
        );
    }
    let lines = report.findings.iter().map(|finding| {
        paint(Style::Bad, format!("{}  {}", finding.code, text::line(&finding.place)))
    });
    format!("{head}\n\n{}", lines.collect::<Vec<_>>().join("\n"))
}
