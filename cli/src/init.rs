//! `tutti init`: a society's keys, configuration and membership card.

use std::{fs, net::SocketAddr, path::PathBuf};

use clap::Args;
use rand_core::OsRng;
use secrecy::SecretString;
use tutti_core::{
    roster::{Card, Desk, Member, Role, Status},
    society::Society,
};
use tutti_node::{
    config::{Config, ConfigError, NewNode},
    keyring::{self, Keyring},
    local,
    store::DiskStore,
};

use crate::{
    card,
    failure::{Exit, Failure, Outcome},
    files, passphrase,
    screen::{Style, paint, say},
    text, time,
};

/// Make the keys, the configuration and the membership card of a new node.
///
/// Everything goes into one directory, which must be new or empty. Send card.note to the other
/// founders, and read its fingerprint to them over the telephone. Then take keys/root.key to a
/// safe place offline: the node runs without it.
#[derive(Args)]
pub(crate) struct Init {
    /// The node's directory.
    #[arg(long, env = "TUTTI_DIR", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The society: its country's ISO 3166-1 alpha-2 code in lower case, or ifrc, icrc.
    #[arg(long, value_name = "CODE")]
    pub(crate) society: Society,
    /// The society's name, for people.
    #[arg(long)]
    pub(crate) name: String,
    /// The federation's name, a host name such as migrants.example.org.
    #[arg(long, value_name = "NAME")]
    pub(crate) federation: String,
    /// Where this node waits for others; leave it out for a node that only dials out.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// What others dial, if it is not the address that the node listens on. May be repeated.
    #[arg(long = "endpoint", value_name = "HOST:PORT")]
    pub(crate) endpoints: Vec<String>,
    /// How others reach this society's referral desk when no answer comes: an office with its
    /// hours, never a person's own number. FIELD is name, telephone, email, other, hours or
    /// languages; a name and one way to reach it are needed. May be repeated.
    #[arg(long = "desk", value_name = "FIELD=TEXT", value_parser = desk_line)]
    pub(crate) desk: Vec<(String, String)>,
    /// The first account: runs the node and works on cases, until there are others. If not given,
    /// this machine's user.
    #[arg(long, value_name = "NAME")]
    pub(crate) admin: Option<String>,
    /// What the society takes part in.
    #[arg(long, default_value = "member", value_parser = ["member", "observer", "relay"])]
    pub(crate) role: String,
    /// A file whose first line becomes the passphrase of the keys.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Ask for a passphrase for the keys.
    #[arg(long)]
    pub(crate) passphrase: bool,
}

/// `telephone=+65 6664 0500`
fn desk_line(text: &str) -> Result<(String, String), String> {
    let known =
        || format!("write it as FIELD=TEXT, where FIELD is one of {}", Desk::FIELDS.join(", "));
    let (field, line) = text.split_once('=').ok_or_else(known)?;
    match Desk::FIELDS.contains(&field) {
        true => Ok((field.into(), line.trim().into())),
        false => Err(known()),
    }
}

impl Init {
    pub(crate) fn run(self) -> Outcome {
        let secret = match (&self.passphrase_file, self.passphrase) {
            (Some(file), _) => Some(passphrase::from_file(file)?),
            (None, true) => Some(passphrase::new()?),
            (None, false) => None,
        };
        let card = self.make(secret.as_ref())?;
        let dir = self.dir.display().to_string();
        say(format!("{} is made:", paint(Style::Bold, &dir)));
        for (file, what) in [
            ("tutti.toml", "the configuration, with comments"),
            ("keys/", "the keys, for this user's eyes only"),
            ("tokens/operator", "the first account's token; commands on this directory use it"),
            ("keys/root.key", "the root key: take it offline when the roster is signed"),
            ("card.note", "the membership card: send it to the others"),
        ] {
            say(format!("  {file:<14} {what}"));
        }
        say(format!("\n{}", card::describe(&card)));
        say(format!(
            "\nNext: send {} to the founder who makes the roster, and compare the fingerprint by \
             telephone.",
            text::shell(&self.dir.join("card.note").display().to_string())
        ));
        if secret.is_some() {
            say("The node asks for the passphrase when it starts, or reads TUTTI_PASSPHRASE_FILE.");
        }
        Ok(Exit::Ok)
    }

    /// Makes everything or, where something fails, nothing.
    pub(crate) fn make(&self, secret: Option<&SecretString>) -> Result<Card, Failure> {
        let endpoints = self.endpoints()?;
        let made = self.take_place()?;
        self.fill(endpoints, secret).inspect_err(|_| {
            // Only what this very call has made: the directory was new or empty before.
            for part in ["tutti.toml", "card.note", "highwater"] {
                let _ = fs::remove_file(self.dir.join(part));
            }
            for folder in ["keys", "local", "tokens"] {
                let _ = fs::remove_dir_all(self.dir.join(folder));
            }
            if made {
                let _ = fs::remove_dir(&self.dir);
            }
        })
    }

    /// Says whether the directory was not there before.
    fn take_place(&self) -> Result<bool, Failure> {
        match fs::read_dir(&self.dir) {
            Ok(mut entries) => match entries.next() {
                None => Ok(false),
                Some(_) => {
                    Err(Failure::new(Exit::Usage, format!("{} is not empty", self.dir.display()))
                        .kept("all that is in it; nothing was made")
                        .todo("give a new directory with --dir"))
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(Failure::io(&self.dir, &error)),
        }
    }

    /// The name of the first account.
    fn administrator(&self) -> String {
        let user = || ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        let name = self.admin.clone().or_else(user).unwrap_or_default();
        if name.is_empty() { "operator".into() } else { name }
    }

    /// What `--desk` says, which the configuration checks.
    fn desk(&self) -> Option<Desk> {
        let mut desk = Desk::default();
        for (field, text) in &self.desk {
            if let Some(line) = desk.line_mut(field) {
                line.clone_from(text);
            }
        }
        (!desk.is_empty()).then_some(desk)
    }

    fn endpoints(&self) -> Result<Vec<String>, Failure> {
        match (self.listen, self.endpoints.is_empty()) {
            (_, false) => Ok(self.endpoints.clone()),
            (None, true) => Ok(Vec::new()),
            (Some(listen), true) if listen.ip().is_unspecified() => Err(Failure::new(
                Exit::Usage,
                format!("{listen} is every address of this machine, which nobody can dial"),
            )
            .kept("nothing was made")
            .todo("say with --endpoint HOST:PORT how others reach this node")),
            (Some(listen), true) => Ok(vec![listen.to_string()]),
        }
    }

    fn fill(&self, endpoints: Vec<String>, secret: Option<&SecretString>) -> Result<Card, Failure> {
        let config = Config::create(
            &self.dir,
            &NewNode {
                society: self.society,
                name: self.name.clone(),
                federation: self.federation.clone(),
                listen: self.listen,
                endpoints: endpoints.clone(),
                api_listen: None,
                metrics_listen: None,
                desk: self.desk(),
            },
        )
        .map_err(|error| match error {
            ConfigError::Io { path, source } => Failure::io(&path, &source),
            error => Failure::new(Exit::Usage, error.to_string()),
        })?;
        let keys = config.keys();
        let key = |error: keyring::KeyringError| Failure::new(Exit::Key, error.to_string());
        let (keyring, root) =
            Keyring::create(&keys, &config.origin, secret, &mut OsRng).map_err(key)?;
        // They have signed nothing yet; keys that are found later may have.
        DiskStore::begin(&self.dir)
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        let tls_key = keyring
            .tls
            .spki()
            .map_err(|error| Failure::new(Exit::Key, format!("the TLS key: {error}")))?;
        let member = Member {
            society: self.society,
            name: self.name.clone(),
            endpoints,
            role: match self.role.as_str() {
                "observer" => Role::Observer,
                "relay" => Role::Relay,
                _ => Role::Member,
            },
            status: Status::Active,
            root_key: root.public().clone(),
            log_key: keyring.log.public().clone(),
            witness_key: keyring.witness.public().clone(),
            tls_key,
            case_key: keyring.case.recipient(),
            audit_key: keyring.audit.recipient(),
            routing_key: keyring.routing.public(),
            desk: config.desk.clone(),
        };
        let bytes = Card::sign(&self.federation, member, &root).map_err(|error| {
            Failure::new(Exit::Usage, format!("no card can be made of this: {error}"))
        })?;
        local::found(
            &self.dir,
            &keyring.local,
            &config.origin,
            &self.administrator(),
            time::now_ms(),
            &mut OsRng,
        )
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        files::write_new(&config.card(), &bytes)?;
        // Read back as the others will read it.
        card::open(&config.card())
    }
}
