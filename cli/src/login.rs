//! `tutti login`, `tutti logout`, `tutti whoami`: as whom commands are carried out.

use std::{
    fs,
    io::IsTerminal as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use tutti_proto::node::v1::{LoginRequest, RevokeTokenRequest, WhoAmIRequest};

use crate::{
    failure::{Exit, Failure, Outcome},
    files, json,
    node::{self, Asked, NodeArgs},
    passphrase,
    screen::{fields, say},
    text, time,
};

/// Log in with name and password; commands on this node are yours until the working day ends.
///
/// With the start code that an administrator gave you, it asks for the password that you choose.
/// With --change it asks for a new password as well.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// Who.
    name: String,
    /// Choose another password.
    #[arg(long)]
    change: bool,
    /// A file whose first line is the password or the start code; else it is asked for.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A file whose first line is the new password.
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

/// End a login: its token is good for nothing any more.
#[derive(Debug, Args)]
pub(crate) struct Logout {
    #[command(flatten)]
    node: NodeArgs,
}

/// Show as whom commands are carried out here, and what that person may do.
#[derive(Debug, Args)]
pub(crate) struct WhoAmI {
    #[command(flatten)]
    asked: Asked,
}

impl Login {
    pub(crate) fn run(self) -> Outcome {
        let old = secret(self.password_file.as_ref(), "Password or start code: ")?;
        let mut new = match (&self.new_password_file, self.change) {
            (Some(file), _) => Some(passphrase::from_file(file)?),
            (None, true) => Some(twice()?),
            (None, false) => None,
        };
        let issued = node::block_on(async {
            let node = self.node.connect_as_nobody().await?;
            loop {
                let request = LoginRequest {
                    name: self.name.clone(),
                    password: old.expose_secret().into(),
                    new_password: new.as_ref().map_or("", |new| new.expose_secret()).into(),
                };
                match node.login().login(request).await {
                    Err(status)
                        if status.code() == tonic::Code::FailedPrecondition
                            && new.is_none()
                            && std::io::stdin().is_terminal() =>
                    {
                        say("That is a start code: choose a password.");
                        new = Some(twice()?);
                    }
                    answer => return Ok(answer?.into_inner()),
                }
            }
        })?;
        let place = self.node.login_file();
        keep(&place, &issued.token)?;
        let until = issued.info.map_or(0, |info| info.expires_at_ms);
        say(format!("You are {} here until {}.", text::line(&self.name), time::local(until)));
        Ok(Exit::Ok)
    }
}

impl Logout {
    pub(crate) fn run(self) -> Outcome {
        let place = self.node.login_file();
        if !place.exists() {
            return Err(Failure::new(Exit::Refused, "nobody is logged in here; nothing was done"));
        }
        let ended = node::block_on(async {
            let node = self.node.connect().await?;
            let me = node::ask(node.people().who_am_i(WhoAmIRequest {})).await?;
            let id = me.token.map(|token| token.id).unwrap_or_default();
            node::ask(node.people().revoke_token(RevokeTokenRequest { id })).await
        });
        fs::remove_file(&place).map_err(|error| Failure::io(&place, &error))?;
        match ended {
            Ok(_) => {
                say("You are logged out.");
                Ok(Exit::Ok)
            }
            // It was good for nothing already.
            Err(failure) if failure.code() == Exit::Key => {
                say("The login had ended.");
                Ok(Exit::Ok)
            }
            Err(failure) => Err(failure.kept(
                "the token is gone from this machine; until its time is over the node knows it",
            )),
        }
    }
}

impl WhoAmI {
    pub(crate) fn run(self) -> Outcome {
        let me = node::block_on(async {
            let node = self.asked.node.connect().await?;
            node::ask(node.people().who_am_i(WhoAmIRequest {})).await
        })?;
        if self.asked.json {
            json::print(&json::Me::from(&me));
            return Ok(Exit::Ok);
        }
        let account = me.account.unwrap_or_default();
        let token = me.token.unwrap_or_default();
        let until = match token.expires_at_ms {
            0 => "without end".to_owned(),
            at => format!("until {}", time::local(at)),
        };
        say(fields([
            ("name", account.name),
            ("roles", account.roles.join(", ")),
            ("pseudonym", account.pseudonym),
            ("token", format!("{}, {}, {until}", token.label, token.scopes.join(" "))),
            ("cases", token.cases.join(", ")),
            ("may", me.may.join(", ").replace('_', " ")),
        ]));
        Ok(Exit::Ok)
    }
}

fn secret(file: Option<&PathBuf>, prompt: &str) -> Result<SecretString, Failure> {
    match file {
        Some(file) => passphrase::from_file(file),
        None if std::io::stdin().is_terminal() => passphrase::ask(prompt),
        None => Err(Failure::new(Exit::Usage, "nobody is there to ask for the password")
            .todo("give --password-file")),
    }
}

fn twice() -> Result<SecretString, Failure> {
    let first = passphrase::ask("New password: ")?;
    let again = passphrase::ask("The same again: ")?;
    match first.expose_secret() == again.expose_secret() {
        true => Ok(first),
        false => Err(Failure::new(Exit::Usage, "the two passwords differ; nothing was done")),
    }
}

/// For this user's eyes only.
fn keep(place: &Path, token: &str) -> Result<(), Failure> {
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::io(folder, &error))?;
        let mode = fs::Permissions::from_mode(0o700);
        fs::set_permissions(folder, mode).map_err(|error| Failure::io(folder, &error))?;
    }
    files::replace(place, format!("{token}\n").as_bytes())
}
