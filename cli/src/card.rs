//! `tutti card`: the membership card, what a society hands to the others.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use rand_core::OsRng;
use tutti_core::{
    limits::NOTE_BYTES_MAX,
    roster::{self, Desk, Member},
};
use tutti_node::{
    config::Config,
    keyring::{self, Keyring, KeyringError},
    rosters,
};

use crate::{
    failure::{Exit, Failure, Outcome},
    files, json, passphrase,
    screen::{fields, say},
    text,
};

/// Look at a membership card, or make this society's anew.
#[derive(Subcommand)]
pub(crate) enum Card {
    Show(Show),
    Renew(Renew),
}

/// Make this society's card anew: with the name, the endpoints and the desk that tutti.toml has now,
/// and, where asked for, with new keys.
///
/// The card goes to the other societies, who take it over with `tutti roster change --update`. New keys
/// wait in keys/next, and the card that names them in card-next.note, until a roster that names them is
/// installed; until then the node goes on with the old ones, which are kept afterwards in keys/old. A TLS or
/// witness key that was stolen is worthless to the thief from the moment at which the others have
/// installed that roster. What else changes while they wait goes into that card, too: send it again.
#[derive(clap::Args)]
pub(crate) struct Renew {
    /// A key to be drawn anew: root, witness or tls.
    #[arg(long, value_name = "KEY", value_parser = ["root", "witness", "tls"])]
    new_key: Vec<String>,
    /// The node's directory.
    #[arg(long, env = "TUTTI_DIR", value_name = "DIR")]
    dir: PathBuf,
    /// The root key that signs the card, where it is kept elsewhere than in keys/root.key.
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    /// A file whose first line is the passphrase of the keys.
    #[arg(long, env = "TUTTI_PASSPHRASE_FILE", value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
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
        let show = match self {
            Self::Show(show) => show,
            Self::Renew(renew) => return renew.run(),
        };
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

impl Renew {
    fn run(self) -> Outcome {
        let config = Config::load(&self.dir)
            .map_err(|error| Failure::new(Exit::Configuration, error.to_string()))?;
        let before = open(&config.card())?;
        let (keys, next) = (config.keys(), rosters::next_keys(&self.dir));
        let waiting = self.dir.join(rosters::NEXT_CARD);
        let is_there = |path: &Path| path.try_exists().map_err(|error| Failure::io(path, &error));
        let waits = is_there(&waiting)?;
        if !self.new_key.is_empty() && waits {
            return Err(Failure::new(Exit::Usage, format!("{} waits already", waiting.display()))
                .kept("every key as it was")
                .todo(
                    "send that card to the others; or, if it was never sent, remove it and keys/next",
                ));
        }
        let key = |error: KeyringError| Failure::new(Exit::Key, error.to_string());
        let secret = passphrase::for_key(&keys.join("tls.key"), self.passphrase_file.as_deref())?;
        for file in &self.new_key {
            Keyring::draw(&next, file, &config.origin, secret.as_ref(), &mut OsRng).map_err(key)?;
        }
        // Where keys wait, the card that the others are to have is the one that names them. The card of
        // the keys in force stays as it is: rosters that name these are still to be taken.
        let mut anew = waits;
        for file in ["root", "witness", "tls"] {
            anew |= is_there(&next.join(format!("{file}.key")))?;
        }
        let next_root = next.join("root.key");
        let root = match &self.root_key {
            _ if is_there(&next_root)? => next_root,
            Some(path) => path.clone(),
            None => keys.join("root.key"),
        };
        if !is_there(&root)? {
            return Err(Failure::new(Exit::Key, format!("{} is not there", root.display()))
                .kept("the card as it was")
                .todo("name the root key where it is kept offline: --root-key FILE"));
        }
        let opens_root = passphrase::for_key(&root, self.passphrase_file.as_deref())?;
        let root = keyring::root_key(&root, opens_root.as_ref()).map_err(key)?;
        let keyring = Keyring::open_with(&keys, &next, secret.as_ref()).map_err(key)?;
        let tls_key = keyring
            .tls
            .spki()
            .map_err(|error| Failure::new(Exit::Key, format!("the TLS key: {error}")))?;
        let member = Member {
            name: config.name.clone(),
            endpoints: config.endpoints.clone(),
            root_key: root.public().clone(),
            witness_key: keyring.witness.public().clone(),
            tls_key,
            desk: config.desk.clone(),
            ..before.member
        };
        let bytes = roster::Card::sign(&config.federation, member, &root).map_err(|error| {
            Failure::new(Exit::Usage, format!("no card can be made of this: {error}"))
                .kept("the card as it was")
        })?;
        let place = if anew { waiting } else { config.card() };
        match is_there(&place)? {
            true => files::replace(&place, &bytes)?,
            false => files::write_new(&place, &bytes)?,
        }
        let card = open(&place)?;
        if self.json {
            json::print(&json::Card::from(&card));
            return Ok(Exit::Ok);
        }
        say(describe(&card));
        say(format!(
            "\nNext: send {} to whoever makes the next roster (tutti roster change --update), and \
             compare the fingerprint by telephone.",
            text::shell(&place.display().to_string())
        ));
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
        ("desk", member.desk.as_ref().map_or_else(|| "none".to_owned(), Desk::to_string)),
        ("fingerprint", card.fingerprint()),
    ])
}
