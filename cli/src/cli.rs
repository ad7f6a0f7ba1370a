//! The command line as a whole; each verb's own file holds its arguments and its work.

use std::ffi::OsString;

use clap::{
    CommandFactory as _, Parser, Subcommand,
    builder::styling::{AnsiColor, Styles},
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{
    access, approval, audit, card, completions, demo, failure::Outcome, group, information, init,
    log, login, peers, proof, referral, repair, roster, serve, status, token, user, watch,
};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Refer people between Red Cross and Red Crescent societies, and check what was done.
///
/// Each society runs one node. The node keeps a signed log, exchanges it with the others, and
/// witnesses theirs. Begin with `tutti demo`.
#[derive(Parser)]
#[command(name = "tutti", version, styles = STYLES, max_term_width = 100)]
#[command(after_help = AFTER_HELP)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const AFTER_HELP: &str = "\
Environment:
  TUTTI_DIR              the node's directory, as --dir
  TUTTI_PASSPHRASE_FILE  a file whose first line opens the keys
  TUTTI_TOKEN            as whom to act, in place of --token-file
  NO_COLOR               no colours

Exit codes: 0 done; 1 refused, or an audit has findings; 2 wrong use or unreadable input; 3 the \
node does not answer; 10 to 16 and 70 are in docs/operating.md.";

#[derive(Subcommand)]
enum Verb {
    Demo(demo::Demo),
    Init(init::Init),
    #[command(subcommand)]
    Card(card::Card),
    #[command(subcommand)]
    Roster(roster::Roster),
    Serve(serve::Serve),
    Repair(repair::Repair),
    Status(status::Status),
    Peers(peers::Peers),
    #[command(subcommand)]
    Referral(Box<referral::Referral>),
    #[command(subcommand)]
    Information(Box<information::Information>),
    #[command(subcommand)]
    Group(group::Group),
    #[command(subcommand)]
    Approval(approval::Approval),
    #[command(subcommand)]
    Log(log::Log),
    Audit(audit::Audit),
    #[command(subcommand)]
    Proof(proof::Proof),
    Watch(watch::Watch),
    Login(login::Login),
    Logout(login::Logout),
    #[command(name = "whoami")]
    WhoAmI(login::WhoAmI),
    #[command(subcommand)]
    User(user::User),
    #[command(subcommand)]
    Token(token::Token),
    #[command(subcommand)]
    Access(access::Access),
    Completions(completions::Completions),
}

impl Cli {
    /// What was typed; where it cannot be understood, that is said, and the process ends.
    pub(crate) fn of_this_process() -> Self {
        Self::try_parse()
            .unwrap_or_else(|error| with_values(error, std::env::args_os().skip(1)).exit())
    }

    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        match self.verb {
            Verb::Demo(demo) => demo.run(),
            Verb::Init(init) => init.run(),
            Verb::Card(card) => card.run(),
            Verb::Roster(roster) => roster.run(),
            Verb::Serve(serve) => serve.run(),
            Verb::Repair(repair) => repair.run(),
            Verb::Status(status) => status.run(),
            Verb::Peers(peers) => peers.run(),
            Verb::Referral(referral) => referral.run(),
            Verb::Information(information) => information.run(),
            Verb::Group(group) => group.run(),
            Verb::Approval(approval) => approval.run(),
            Verb::Log(log) => log.run(),
            Verb::Audit(audit) => audit.run(),
            Verb::Proof(proof) => proof.run(),
            Verb::Watch(watch) => watch.run(),
            Verb::Login(login) => login.run(),
            Verb::Logout(logout) => logout.run(),
            Verb::WhoAmI(me) => me.run(),
            Verb::User(user) => user.run(),
            Verb::Token(token) => token.run(),
            Verb::Access(access) => access.run(),
            Verb::Completions(completions) => completions.run(),
        }
    }
}

/// Of each list that an answer is missing from, what may be answered.
fn with_values(mut error: clap::Error, words: impl Iterator<Item = OsString>) -> clap::Error {
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return error;
    }
    let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let mut whole = Cli::command();
    whole.build();
    let verb = words.fold(&whole, |command, word| command.find_subcommand(word).unwrap_or(command));
    let missing = missing.iter().filter_map(|argument| {
        let name = argument.split(' ').next()?;
        let long = name.strip_prefix("--")?;
        let argument = verb.get_arguments().find(|argument| argument.get_long() == Some(long))?;
        let values = argument.get_possible_values();
        let values: Vec<&str> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
        (!values.is_empty()).then(|| format!("{name} is one of: {}", values.join(", ")).into())
    });
    let tips: Vec<_> = missing.collect();
    if !tips.is_empty() {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    error
}
