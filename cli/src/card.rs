//! `tutti card`: the membership card, what a society hands to the others.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use tutti_core::{limits::NOTE_BYTES_MAX, roster};

use crate::{
    failure::{Exit, Failure, Outcome},
    files, json,
    screen::{fields, say},
};

/// Look at a membership card.
#[derive(Subcommand)]
pub(crate) enum Card {
    Show(Show),
}

/// Check a card's signature and show whose it is, with its fingerprint.
///
/// Compare the fingerprint with that society by telephone, with somebody whose voice you know,
/// before you found a roster with the card.
#[derive(clap::Args)]
pub(crate) struct Show {
    /// The card; if not given, that of the node in --dir.
    file: Option<PathBuf>,
    /// The node's directory.
    #[arg(long, env = "TUTTI_DIR", value_name = "DIR", required_unless_present = "file")]
    dir: Option<PathBuf>,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl Card {
    pub(crate) fn run(self) -> Outcome {
        let Self::Show(show) = self;
        let file = match (show.file, show.dir) {
            (Some(file), _) => file,
            (None, Some(dir)) => dir.join("card.note"),
            (None, None) => return Err(Failure::new(Exit::Usage, "give a file or --dir")),
        };
        let card = open(&file)?;
        match show.json {
            true => json::print(&json::Card::from(&card)),
            false => say(describe(&card)),
        }
        Ok(Exit::Ok)
    }
}

/// Reads a card and checks its signature.
pub(crate) fn open(file: &Path) -> Result<roster::Card, Failure> {
    roster::Card::open(&files::read(file, NOTE_BYTES_MAX)?).map_err(|error| {
        let what = format!("{} is no membership card to be relied on: {error}", file.display());
        Failure::new(Exit::Refused, what)
            .todo("ask that society to send its card.note again, as a file")
    })
}

/// Who, where, and the fingerprint.
pub(crate) fn describe(card: &roster::Card) -> String {
    let member = &card.member;
    let endpoints = match member.endpoints.is_empty() {
        true => "none: this node only dials out".to_owned(),
        false => member.endpoints.join(", "),
    };
    fields([
        ("society", format!("{}, {}", member.society, member.name)),
        ("federation", card.federation.clone()),
        ("reached at", endpoints),
        ("fingerprint", card.fingerprint()),
    ])
}
