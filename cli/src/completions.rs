//! `tutti completions`.

use clap::{Args, CommandFactory as _};

use crate::{
    cli::Cli,
    failure::{Exit, Outcome},
    screen::say,
};

/// Write a completion script for a shell to standard output.
///
/// For bash: `tutti completions bash > ~/.local/share/bash-completion/completions/tutti`
#[derive(Args)]
pub(crate) struct Completions {
    /// Which shell.
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "tutti", &mut script);
        say(String::from_utf8_lossy(&script).trim_end());
        Ok(Exit::Ok)
    }
}
