//! `tutti user`: the society's people, their roles and how they get in.

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::PossibleValuesParser};
use rand_core::OsRng;
use tutti_core::people::Role;
use tutti_node::{config::Config, keyring::Keyring, local};
use tutti_proto::node::v1::{
    Account, AccountRequest, AccountResponse, AddAccountRequest, ResolveRequest, SetActiveRequest,
    SetRolesRequest,
};

use crate::{
    failure::{Exit, Failure, Outcome},
    json,
    node::{self, Asked},
    pages, passphrase,
    screen::{Style, note, paint, say, table},
    text, time,
};

/// The people of this society: who may do what on its node.
#[derive(Subcommand)]
pub(crate) enum User {
    Add(Add),
    List(List),
    Roles(Roles),
    Off(Off),
    On(On),
    StartCode(StartCode),
    Resolve(Resolve),
    Reset(Reset),
}

/// Make an account, with a start code that its owner chooses a password with.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// What people call it: letters, digits and . _ - @
    name: String,
    #[command(flatten)]
    roles: RoleArgs,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, Args)]
struct RoleArgs {
    /// What the person is to the society. May be repeated; docs/operating.md has the table.
    #[arg(long = "role", value_name = "ROLE", required = true, value_parser = PossibleValuesParser::new(Role::NAMES))]
    roles: Vec<String>,
}

/// List the accounts: who has which roles, and how each gets in.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    asked: Asked,
}

/// Give an account other roles, in place of those that it has.
#[derive(Debug, Args)]
pub(crate) struct Roles {
    /// Whose.
    name: String,
    #[command(flatten)]
    roles: RoleArgs,
    #[command(flatten)]
    asked: Asked,
}

/// Switch an account off: its tokens and its password are no more, its cases are nobody's.
#[derive(Debug, Args)]
pub(crate) struct Off {
    #[command(flatten)]
    one: One,
}

/// Switch an account on again; it needs a start code.
#[derive(Debug, Args)]
pub(crate) struct On {
    #[command(flatten)]
    one: One,
}

/// Give a new start code, for a password that was forgotten.
#[derive(Debug, Args)]
pub(crate) struct StartCode {
    #[command(flatten)]
    one: One,
}

#[derive(Debug, Args)]
struct One {
    /// Whose.
    name: String,
    #[command(flatten)]
    asked: Asked,
}

/// Show whose a pseudonym of a record or of the access log is.
#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// 32 hexadecimal digits.
    pseudonym: String,
    #[command(flatten)]
    asked: Asked,
}

/// Get back in when no administrator can: with the keys, and the node stopped.
///
/// The account becomes an administrator, or is made. All tokens and the password that it had are no
/// more; a new token is written into the node's directory. The focal point is told.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// Whose.
    name: String,
    /// The node's directory.
    #[arg(long, env = "TUTTI_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A file whose first line opens the keys.
    #[arg(long, env = "TUTTI_PASSPHRASE_FILE", value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl User {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Add(add) => node::block_on(add.run()),
            Self::List(list) => node::block_on(list.run()),
            Self::Roles(roles) => node::block_on(roles.run()),
            Self::Off(off) => node::block_on(off.one.set(false)),
            Self::On(on) => node::block_on(on.one.set(true)),
            Self::StartCode(code) => node::block_on(code.one.start_code()),
            Self::Resolve(resolve) => node::block_on(resolve.run()),
            Self::Reset(reset) => reset.run(),
        }
    }
}

impl Add {
    async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let request = AddAccountRequest { name: self.name, roles: self.roles.roles };
        let answer = node::ask(node.people().add_account(request)).await?;
        shown(&answer, "is made", self.asked.json);
        Ok(Exit::Ok)
    }
}

impl List {
    async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let accounts = pages::accounts(&node).await?;
        if self.asked.json {
            json::print(&json::Accounts::from(accounts.as_slice()));
            return Ok(Exit::Ok);
        }
        let row = |account: &Account| {
            vec![
                account.name.clone(),
                if account.active { "on" } else { "off" }.to_owned(),
                account.roles.join(", "),
                account.password.replace('_', " "),
                account.tokens.to_string(),
                account.pseudonym.clone(),
            ]
        };
        let headings = ["name", "is", "roles", "logs in with", "tokens", "pseudonym"];
        say(table(&headings, accounts.iter().map(row)));
        Ok(Exit::Ok)
    }
}

impl Roles {
    async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let request = SetRolesRequest { name: self.name, roles: self.roles.roles };
        let answer = node::ask(node.people().set_roles(request)).await?;
        shown(&answer, "has these roles now", self.asked.json);
        Ok(Exit::Ok)
    }
}

impl One {
    async fn set(self, active: bool) -> Outcome {
        let node = self.asked.node.connect().await?;
        let request = SetActiveRequest { name: self.name, active };
        let answer = node::ask(node.people().set_active(request)).await?;
        shown(&answer, if active { "is on" } else { "is off" }, self.asked.json);
        let drafts = u64::from(answer.account.map_or(0, |account| account.drafts));
        if !active && drafts > 0 && !self.asked.json {
            say(format!(
                "  {drafts} draft{} of theirs {} kept: {program} referral draft left, {program} \
                 information draft left",
                text::s(drafts),
                if drafts == 1 { "is" } else { "are" },
                program = text::program(),
            ));
        }
        Ok(Exit::Ok)
    }

    async fn start_code(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let request = AccountRequest { name: self.name };
        let answer = node::ask(node.people().renew_start_code(request)).await?;
        shown(&answer, "has a new start code", self.asked.json);
        Ok(Exit::Ok)
    }
}

impl Resolve {
    async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let request = ResolveRequest { pseudonym: self.pseudonym };
        let answer = node::ask(node.people().resolve(request)).await?;
        shown(&answer, "has that pseudonym", self.asked.json);
        Ok(Exit::Ok)
    }
}

impl Reset {
    fn run(self) -> Outcome {
        let dir = self.dir.unwrap_or_else(node::default_dir);
        let config = Config::load(&dir)
            .map_err(|error| Failure::new(Exit::Configuration, error.to_string()))?;
        let file = self.passphrase_file.or(config.passphrase_file.clone());
        let secret = passphrase::for_key(&config.keys().join("local.key"), file.as_deref())?;
        let keyring = Keyring::open(&config.keys(), secret.as_ref())
            .map_err(|error| Failure::new(Exit::Key, error.to_string()))?;
        let (now_ms, own) = (time::now_ms(), &config.origin);
        let made = local::reset(&dir, &keyring.local, own, &self.name, now_ms, &mut OsRng);
        let notices = made.map_err(|error| match error {
            local::ResetError::Disk(tutti_node::store::DiskError::Locked) => {
                Failure::new(Exit::Locked, "the node runs on this directory")
                    .kept("every account as it was")
                    .todo("stop the node, then do this again")
            }
            error => Failure::new(Exit::Refused, error.to_string()),
        })?;
        notices.iter().for_each(note);
        say(format!(
            "{} is an administrator. The token is in {}; start the node.",
            paint(Style::Bold, text::line(&self.name)),
            dir.join(local::OPERATOR_TOKEN).display()
        ));
        Ok(Exit::Ok)
    }
}

fn shown(answer: &AccountResponse, done: &str, as_json: bool) {
    let account = answer.account.clone().unwrap_or_default();
    if as_json {
        return json::print(&json::AccountAnswer::from(answer));
    }
    let name = text::line(&account.name);
    say(format!("{} {done}: {}", paint(Style::Bold, &name), account.roles.join(", ")));
    if !answer.start_code.is_empty() {
        say(format!("  start code  {}", paint(Style::Bold, text::line(&answer.start_code))));
        say(format!(
            "  Tell it to {name} alone; it is shown this once and is good for seven days. Then: \
             {} login {name}",
            text::program()
        ));
    }
}
