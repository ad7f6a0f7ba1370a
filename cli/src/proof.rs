//! `tutti proof`: evidence of one entry, checked without any node.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tutti_core::{
    entry::{Entry, Visibility},
    limits::NOTE_BYTES_MAX,
    opened::{OPENED_BYTES_MAX, OPENED_LINE, Opened},
    proof::Proof as TlogProof,
    roster::Chain,
};
use tutti_node::rosters;

use crate::{
    failure::{Exit, Failure, Outcome},
    files, json,
    screen::{Style, fields, paint, say},
    text, time,
};

/// Check evidence that somebody handed over.
#[derive(Subcommand)]
pub(crate) enum Proof {
    Verify(Verify),
}

/// Check that an entry is in a society's log, as the file says.
///
/// The file is a C2SP tlog-proof, made by `tutti log prove`. It holds the entry, its place, the
/// hashes that lead to the head, and the head with its signatures. It is checked against the keys
/// of the roster; nothing is asked of any node. Where the file was made --with-record, it is shown
/// what the record says, which is checked to be the one that the entry commits to.
#[derive(Args)]
pub(crate) struct Verify {
    /// The proof.
    file: PathBuf,
    /// The roster, all its versions from 1 in order; if not given, that of the node in --dir.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    roster: Vec<PathBuf>,
    /// The node's directory, whose roster is relied on.
    #[arg(long, env = "TUTTI_DIR", value_name = "DIR", required_unless_present = "roster")]
    dir: Option<PathBuf>,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl Proof {
    pub(crate) fn run(self) -> Outcome {
        let Self::Verify(verify) = self;
        let keys = verify.keys()?;
        let unreadable = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Usage, format!("{} is no proof: {error}", verify.file.display()))
        };
        let refused = |error: &dyn std::fmt::Display| {
            let what = format!("{} proves nothing: {error}", verify.file.display());
            Failure::new(Exit::Refused, what)
                .todo("ask for the proof again, and for the roster that goes with it")
        };
        let bytes = files::read(&verify.file, OPENED_BYTES_MAX)?;
        let (proof, record) = match bytes.starts_with(OPENED_LINE.as_bytes()) {
            false => (TlogProof::parse(&bytes).map_err(|error| unreadable(&error))?, None),
            true => {
                let opened = Opened::parse(&bytes).map_err(|error| unreadable(&error))?;
                let proven = opened.verify(&keys).map_err(|error| refused(&error))?;
                (opened.proof, Some(proven.record))
            }
        };
        let (entry, head) = proof.verify(&keys, None).map_err(|error| refused(&error))?;
        let parsed = Entry::parse(entry.as_slice()).map_err(|error| unreadable(&error))?;
        if verify.json {
            json::print(&json::Proven::new(proof.index, &parsed, &head, record.as_ref()));
            return Ok(Exit::Ok);
        }
        let witnesses: Vec<String> = head
            .witnesses()
            .map(|word| {
                let at = time::local(word.time_s.saturating_mul(1000));
                format!("{} on {at}", word.society)
            })
            .collect();
        let mut lines = vec![
            ("entry", format!("{} of {}", proof.index, head.origin())),
            ("under a head of", format!("{} entries, signed by {}", head.size(), head.origin())),
            (
                "witnessed by",
                match witnesses.is_empty() {
                    true => "nobody".to_owned(),
                    false => witnesses.join("\n"),
                },
            ),
        ];
        if let Some(header) = parsed.header() {
            let seen_by = match header.visibility {
                Visibility::Public => "anybody",
                Visibility::Federation => "members of the federation",
                Visibility::Addressed => "the societies that it is sealed to",
            };
            lines.push(("recorded", time::local(header.recorded_at_ms)));
            lines.push(("to be read by", seen_by.to_owned()));
            lines.push(("record", format!("digest {}", hex::encode(header.record.digest))));
            if let Some(content) = &header.content {
                lines.push(("content", format!("digest {}", hex::encode(content.digest))));
            }
        }
        say(format!("{}\n\n{}", paint(Style::Good, "Proven."), fields(lines)));
        if let Some(record) = record {
            // The names are those of record.proto; control codes are shown, not obeyed.
            let said = text::block(&format!("{record:#?}"), "  ");
            say(format!("\nAnd its record, which is the one that it commits to, says:\n{said}"));
        }
        Ok(Exit::Ok)
    }
}

impl Verify {
    fn keys(&self) -> Result<Chain, Failure> {
        if self.roster.is_empty() {
            let dir = self.dir.clone().unwrap_or_default();
            return rosters::chain(&dir)
                .map_err(|error| Failure::new(Exit::Configuration, error.to_string()));
        }
        let notes = self
            .roster
            .iter()
            .map(|file| files::read(file, NOTE_BYTES_MAX))
            .collect::<Result<Vec<_>, _>>()?;
        Chain::open(notes.iter().map(Vec::as_slice)).map_err(|error| {
            Failure::new(Exit::Usage, format!("the roster is refused: {error}"))
                .todo("give every version from 1, in order")
        })
    }
}
