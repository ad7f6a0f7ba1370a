//! `tutti token`: what programs, and people elsewhere, show in place of a password.

use clap::{Args, Subcommand, builder::PossibleValuesParser};
use tutti_core::people::Scope;
use tutti_proto::node::v1::{IssueTokenRequest, RevokeTokenRequest, TokenInfo};

use crate::{
    failure::{Exit, Outcome},
    json,
    node::{self, Asked},
    pages,
    screen::{note, say, table},
    text, time,
};

/// Tokens: what programs, and people elsewhere, show in place of a password.
#[derive(Subcommand)]
pub(crate) enum Token {
    New(New),
    List(List),
    Revoke(Revoke),
}

/// Issue a token. It is shown this once, alone on standard output.
///
/// It may do at most what its owner's roles may, and of that what its scopes name.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Whose it is; you need to be an administrator for another's.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// What it is for, in your words.
    #[arg(long, default_value = "")]
    label: String,
    /// What it is good for. May be repeated; reading alone if not given.
    #[arg(long = "scope", value_name = "SCOPE", value_parser = PossibleValuesParser::new(Scope::NAMES))]
    scopes: Vec<String>,
    /// Only for this referral, by its whole id. May be repeated.
    #[arg(long = "case", value_name = "ID")]
    cases: Vec<String>,
    /// How long it is good.
    #[arg(long, default_value = "90", value_parser = clap::value_parser!(u32).range(1..=400))]
    days: u32,
    #[command(flatten)]
    asked: Asked,
}

/// List your tokens that are in force.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Everybody's; for administrators.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    asked: Asked,
}

/// Take a token back, by its number; at once.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The number that `list` shows.
    number: String,
    #[command(flatten)]
    asked: Asked,
}

impl Token {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::New(new) => node::block_on(new.run()),
            Self::List(list) => node::block_on(list.run()),
            Self::Revoke(revoke) => node::block_on(revoke.run()),
        }
    }
}

impl New {
    async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let request = IssueTokenRequest {
            name: self.user.unwrap_or_default(),
            label: self.label,
            scopes: self.scopes,
            cases: self.cases,
            days: self.days,
        };
        let issued = node::ask(node.people().issue_token(request)).await?;
        if self.asked.json {
            json::print(&json::NewToken::from(&issued));
            return Ok(Exit::Ok);
        }
        let info = issued.info.unwrap_or_default();
        say(text::line(&issued.token));
        note(format!(
            "Token {} of {}, for {}, until {}. It is shown this once: keep it in a file that only \
             its user can read.",
            text::line(&info.id),
            text::line(&info.account),
            info.scopes.join(", "),
            time::local(info.expires_at_ms)
        ));
        Ok(Exit::Ok)
    }
}

impl List {
    async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let tokens = pages::tokens(&node, self.all).await?;
        if self.asked.json {
            json::print(&json::Tokens::from(tokens.as_slice()));
            return Ok(Exit::Ok);
        }
        let row = |token: &TokenInfo| {
            vec![
                token.id.clone(),
                token.account.clone(),
                token.label.clone(),
                token.scopes.join(" "),
                match token.cases.len() {
                    0 => "all".to_owned(),
                    count => count.to_string(),
                },
                match token.expires_at_ms {
                    0 => "never".to_owned(),
                    at => time::local(at),
                },
            ]
        };
        let headings = ["number", "of", "label", "good for", "cases", "ends"];
        say(table(&headings, tokens.iter().map(row)));
        Ok(Exit::Ok)
    }
}

impl Revoke {
    async fn run(self) -> Outcome {
        let node = self.asked.node.connect().await?;
        let request = RevokeTokenRequest { id: self.number };
        let revoked = node::ask(node.people().revoke_token(request)).await?;
        match self.asked.json {
            true => json::print(&json::Token::from(&revoked)),
            false => say(format!(
                "Token {} of {} is good for nothing any more.",
                text::line(&revoked.id),
                text::line(&revoked.account)
            )),
        }
        Ok(Exit::Ok)
    }
}
