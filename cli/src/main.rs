//! `tutti`: the one command of a society's people and of its node.
//!
//! One file a verb; a verb's doc comment is its help. What others wrote reaches the terminal
//! through `text` alone; failures end here, as a sentence on standard error and an exit code of
//! the one table.

#![forbid(unsafe_code)]

mod access;
mod approval;
mod audit;
mod card;
mod cli;
mod completions;
mod demo;
mod desk;
mod failure;
mod files;
mod form;
mod group;
mod information;
mod init;
mod json;
mod key;
mod log;
mod login;
mod names;
mod node;
mod pages;
mod passphrase;
mod peers;
mod progress;
mod proof;
mod referral;
mod repair;
mod roster;
mod screen;
mod serve;
mod status;
mod text;
mod time;
mod token;
mod user;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::of_this_process().run() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            screen::note(format!("tutti: {failure}"));
            failure.code().into()
        }
    }
}
