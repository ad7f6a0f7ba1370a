//! `tutti audit`: whether an exported log is what it says, from its files alone.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::Args;
use tutti_core::audit::{self, Files, Finding, Options, Report, Severity, Unreadable};
use tutti_node::keyring;

use crate::{
    failure::{Exit, Failure, Outcome},
    json, passphrase,
    progress::Progress,
    screen::{Style, fields, paint, say, text_width},
    text, time,
};

/// Check an exported log: every entry, signature, cosignature and body.
///
/// Needs the export and nothing else. Lists all that it finds, and what it could not see. With an
/// audit key it also opens the records, which hold no personal data, and checks that each step of
/// each referral was legal. Exit code: 0 nothing found (or notes alone), 1 findings, 2 unreadable.
#[derive(Args)]
pub(crate) struct Audit {
    /// The directory that `tutti log export` wrote.
    out: PathBuf,
    /// An audit key: audit.key of this log's society.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A file whose first line is the key's passphrase.
    #[arg(long, env = "TUTTI_PASSPHRASE_FILE", value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// SHA-256 of the founding roster's text, from elsewhere than the export.
    #[arg(long, value_name = "HEX", value_parser = hash)]
    first_roster: Option<[u8; 32]>,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

fn hash(text: &str) -> Result<[u8; 32], &'static str> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).map_err(|_| "a SHA-256 is 64 hexadecimal digits")?;
    Ok(hash)
}

impl Audit {
    pub(crate) fn run(self) -> Outcome {
        let report = self.report()?;
        match self.json {
            true => json::print(&report),
            false => say(describe(&report)),
        }
        Ok(if report.is_clean() { Exit::Ok } else { Exit::Refused })
    }

    fn report(&self) -> Result<Report, Failure> {
        let identity = match &self.key {
            None => None,
            Some(path) => {
                let secret = passphrase::for_key(path, self.passphrase_file.as_deref())?;
                let identity = keyring::identity_file(path, secret.as_ref())
                    .map_err(|error| Failure::new(Exit::Key, error.to_string()))?;
                Some(identity)
            }
        };
        let options =
            Options { audit_key: identity.as_ref(), first_roster_hash: self.first_roster };
        let progress = Progress::new("auditing");
        let files = Folder(&self.out);
        if !self.out.join("checkpoint").exists() {
            return Err(unreadable(&Unreadable::new("checkpoint", "there is no such file"), self));
        }
        audit::audit(&files, options, &mut |done, total| progress.at(done, total))
            .map_err(|error| unreadable(&error, self))
    }
}

fn unreadable(error: &Unreadable, audit: &Audit) -> Failure {
    let what = format!("{} cannot be audited: {error}", audit.out.display());
    Failure::new(Exit::Usage, what)
        .kept("nothing was judged")
        .todo("give the directory that `tutti log export --out` wrote, whole")
}

/// The export's directory. Links are not followed: an export has none, and what lies elsewhere is
/// not part of it.
struct Folder<'a>(&'a Path);

impl Folder<'_> {
    /// What lies at a path, where no part of the path is a link.
    fn about(&self, path: &str) -> Result<Option<fs::Metadata>, Unreadable> {
        let (mut full, mut about) = (self.0.to_path_buf(), None);
        for part in path.split('/').filter(|part| !part.is_empty()) {
            full.push(part);
            let found = match fs::symlink_metadata(&full) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
                found => found.map_err(|error| Unreadable::new(path, error))?,
            };
            if found.is_symlink() {
                return Err(Unreadable::new(path, "is a link, or lies behind one"));
            }
            about = Some(found);
        }
        Ok(about)
    }
}

impl Files for Folder<'_> {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        let full = self.0.join(path);
        let failed = |error: std::io::Error| Unreadable::new(path, error);
        match self.about(path)? {
            None => return Ok(None),
            Some(about) if !about.is_file() => {
                return Err(Unreadable::new(path, "is no plain file"));
            }
            Some(_) => {}
        }
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        fs::File::open(&full)
            .and_then(|file| file.take(limit).read_to_end(&mut bytes))
            .map_err(failed)?;
        Ok(Some(bytes))
    }

    fn list(&self, dir: &str, each: &mut dyn FnMut(&str)) -> Result<(), Unreadable> {
        let failed = |error: std::io::Error| Unreadable::new(dir, error);
        if !dir.is_empty() && !self.about(dir)?.is_some_and(|about| about.is_dir()) {
            return Ok(());
        }
        for entry in fs::read_dir(self.0.join(dir)).map_err(failed)? {
            each(&entry.map_err(failed)?.file_name().to_string_lossy());
        }
        Ok(())
    }
}

fn describe(report: &Report) -> String {
    let witnesses: Vec<String> = report
        .witnesses
        .iter()
        .map(|witness| {
            let at = time::local(witness.time_s.saturating_mul(1000));
            format!(
                "{}, its first {} entr{}, on {at}",
                witness.society,
                witness.size,
                text::ies(witness.size)
            )
        })
        .collect();
    let bodies = &report.bodies;
    let mut parts = vec![fields([
        ("log", report.origin.clone()),
        ("entries", format!("{} of {}", report.entries, report.size)),
        ("root", report.root.clone()),
        (
            "witnessed by",
            match witnesses.is_empty() {
                true => "nobody".to_owned(),
                false => witnesses.join("\n"),
            },
        ),
        (
            "roster",
            format!("version {}, expires {}", report.roster_version, report.roster_expires_on),
        ),
        ("founded as", format!("sha256 {}", report.first_roster_hash)),
        (
            "bodies",
            format!(
                "{} present, {} absent, {} erased",
                bodies.present, bodies.absent, bodies.erased
            ),
        ),
        ("records", records(report)),
    ])];
    if !report.unseen.is_empty() {
        let lines: Vec<String> =
            report.unseen.iter().map(|unseen| hanging("  - ", &text::line(unseen))).collect();
        parts.push(format!("This audit could not see:\n{}", lines.join("\n")));
    }
    if !report.findings.is_empty() {
        let lines: Vec<String> = report.findings.iter().map(finding).collect();
        parts.push(lines.join("\n"));
    }
    parts.push(verdict(report));
    parts.join("\n\n")
}

fn records(report: &Report) -> String {
    let records = &report.records;
    let mut said = vec![format!("{} opened", records.opened)];
    for (count, what) in [
        (records.sealed, "sealed (no key was given)"),
        (records.not_for_key, "sealed to other keys"),
        (records.unknown, "of a later version"),
        (records.referral_events, "steps"),
        (records.referrals, "referrals"),
        (records.information_events, "information shares' steps"),
    ] {
        if count > 0 {
            said.push(format!("{count} {what}"));
        }
    }
    said.join(", ")
}

fn finding(finding: &Finding) -> String {
    let (style, word) = match finding.severity {
        Severity::Error => (Style::Bad, "error  "),
        Severity::Warning => (Style::Warn, "warning"),
        Severity::Note => (Style::Dim, "note   "),
    };
    let said =
        format!("{} ({}): {}", finding.code, text::line(&finding.place), text::line(&finding.text));
    format!("{}  {}", paint(style, word), hanging("         ", &said).trim_start())
}

fn verdict(report: &Report) -> String {
    let count = |severity| {
        report.findings.iter().filter(|finding| finding.severity == severity).count() as u64
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match (errors, warnings) {
        (0, 0) => paint(Style::Good, "All that could be seen is sound."),
        (0, warnings) => paint(
            Style::Warn,
            format!("Sound, with {warnings} thing{} to look at.", text::s(warnings)),
        ),
        (errors, _) => paint(
            Style::Bad,
            format!(
                "NOT SOUND: {errors} error{}. docs/auditing.md says what each means.",
                text::s(errors)
            ),
        ),
    }
}

/// Wrapped, with the first line at the same depth as the rest.
fn hanging(mark: &str, said: &str) -> String {
    let gap = " ".repeat(text::columns(mark));
    let wrapped = text::wrap(said, &gap, text_width());
    format!("{mark}{}", wrapped.trim_start())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_link_leads_out_of_the_export() {
        let (export, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("secret"), "x").unwrap();
        fs::create_dir(export.path().join("roster")).unwrap();
        fs::write(export.path().join("roster/1"), "r").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), export.path().join("heads")).unwrap();
        let files = Folder(export.path());
        assert!(files.read("heads/secret", 10).is_err());
        assert!(files.list("heads", &mut |name| panic!("{name} was shown")).is_err());
        assert_eq!(files.read("roster/1", 10).unwrap().as_deref(), Some(b"r".as_slice()));
        assert_eq!(files.read("bodies/1", 10), Ok(None));
        let mut names = Vec::new();
        files.list("", &mut |name| names.push(name.to_owned())).unwrap();
        names.sort();
        assert_eq!(names, ["heads", "roster"]);
    }
}
