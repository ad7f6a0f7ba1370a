//! `tutti audit`: whether exported logs are what they say, from their files alone, and whether the
//! work that they tell of was done as it must be.

mod page;
mod told;

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tutti_core::{
    audit::{self, Options, Process, Report, Unreadable},
    sealing::Identity,
};
use tutti_node::{export_folder::read_ahead, keyring};

use crate::{
    failure::{Exit, Failure, Outcome},
    files, json, passphrase,
    progress::Progress,
    screen::{note, say},
    text, time,
};

/// Check exported logs: every entry, signature, cosignature and body.
///
/// Needs the exports and nothing else. Lists all that it finds, and what it could not see. With an
/// audit key it also opens the records, which hold no personal data, and judges the work: each step
/// of each referral, the consent for each field that was disclosed, times to answer, erasures. A
/// referral is written in two logs: give the exports of both societies to have both held to it.
/// Exit code: 0 nothing found (or notes alone), 1 findings, 2 unreadable.
#[derive(Args)]
pub(crate) struct Audit {
    /// The directories that `tutti log export` wrote.
    #[arg(required = true, value_name = "OUT")]
    outs: Vec<PathBuf>,
    /// An audit key: audit.key of a society whose referrals are judged. May be repeated.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// A file whose first line is the keys' passphrase.
    #[arg(long, env = "TUTTI_PASSPHRASE_FILE", value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// SHA-256 of the founding roster's text, from elsewhere than the export.
    #[arg(long, value_name = "HEX", value_parser = hash)]
    first_roster: Option<[u8; 32]>,
    /// Write a page to read and to print as well: a new file, HTML.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

fn hash(text: &str) -> Result<[u8; 32], &'static str> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).map_err(|_| "a SHA-256 is 64 hexadecimal digits")?;
    Ok(hash)
}

/// The document of an audit of one log: the log's report, and the work that it tells of.
#[derive(Serialize)]
struct One<'a> {
    #[serde(flatten)]
    log: &'a Report,
    process: &'a Option<Process>,
}

impl Audit {
    pub(crate) fn run(self) -> Outcome {
        let now_ms = time::now_ms();
        let audit = self.audit(now_ms)?;
        if let Some(path) = &self.report {
            files::write_new(path, page::page(&audit, now_ms).as_bytes())?;
            note(format!("The report is in {}", text::shell(&path.display().to_string())));
        }
        match (self.json, audit.logs.as_slice()) {
            (true, [log]) => json::print(&One { log, process: &audit.process }),
            (true, _) => json::print(&audit),
            (false, _) => say(told::describe(&audit)),
        }
        Ok(if audit.is_clean() { Exit::Ok } else { Exit::Refused })
    }

    fn audit(&self, now_ms: u64) -> Result<audit::Audit, Failure> {
        if let Some(path) = self.report.as_deref().filter(|path| path.exists()) {
            let what = format!("{} exists already", path.display());
            return Err(Failure::new(Exit::Usage, what)
                .kept("what is there; nothing was judged")
                .todo("name a new file with --report"));
        }
        let mut identities: Vec<Identity> = Vec::new();
        for path in &self.keys {
            let secret = passphrase::for_key(path, self.passphrase_file.as_deref())?;
            let identity = keyring::identity_file(path, secret.as_ref())
                .map_err(|error| Failure::new(Exit::Key, error.to_string()))?;
            identities.push(identity);
        }
        let keys: Vec<&Identity> = identities.iter().collect();
        let options = Options { audit_keys: &keys, first_roster_hash: self.first_roster };
        for out in &self.outs {
            if !out.join("checkpoint").exists() {
                let error = Unreadable::new("checkpoint", "there is no such file");
                return Err(unreadable(&error, out));
            }
        }
        let folders: Vec<&Path> = self.outs.iter().map(PathBuf::as_path).collect();
        let progress = Progress::new("auditing");
        let mut tell = |done, of| progress.at(done, of);
        let audit =
            read_ahead(&folders, |files| audit::audit_all(files, options, now_ms, &mut tell));
        audit.map_err(|(number, error)| {
            let out = self.outs.get(number).cloned().unwrap_or_default();
            unreadable(&error, &out)
        })
    }
}

fn unreadable(error: &Unreadable, out: &Path) -> Failure {
    let what = format!("{} cannot be audited: {error}", out.display());
    Failure::new(Exit::Usage, what)
        .kept("nothing was judged")
        .todo("give the directory that `tutti log export --out` wrote, whole")
}
