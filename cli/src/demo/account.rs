//! The running account: steps, commands as they are typed, what they answer, what was checked.

use std::{
    cell::Cell,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Instant,
};

use crate::{
    failure::{Exit, Failure},
    screen::{Style, paint, say},
    text,
};

/// The three societies: code, name, where they are.
pub(super) const SOCIETIES: [(&str, &str, &str); 3] = [
    ("ph", "Philippine Red Cross", "The Philippines"),
    ("sg", "Singapore Red Cross", "Singapore"),
    ("qa", "Qatar Red Crescent Society", "Qatar"),
];

/// Tells the story, runs its commands, and counts what was checked.
pub(super) struct Account {
    dir: PathBuf,
    executable: PathBuf,
    steps: Cell<u32>,
    checks: Cell<u32>,
    started: Instant,
}

impl Account {
    pub(super) fn new(dir: &Path) -> Result<Self, Failure> {
        let executable = std::env::current_exe().map_err(|error| {
            Failure::new(Exit::Internal, format!("this program cannot tell where it is: {error}"))
        })?;
        Ok(Self {
            dir: dir.into(),
            executable,
            steps: Cell::new(0),
            checks: Cell::new(0),
            started: Instant::now(),
        })
    }

    /// The demo's directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A society's node.
    pub(super) fn node(&self, society: &str) -> PathBuf {
        self.dir.join(society)
    }

    /// Where a node's own log lines go.
    pub(super) fn log(&self, society: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{society}.log"))
    }

    /// The command as it works when typed.
    pub(super) fn typed(&self, words: &[&str]) -> String {
        let mut line = text::shell(&self.executable.display().to_string());
        for word in words {
            line.push(' ');
            line.push_str(&text::shell(word));
        }
        line
    }

    /// Begins a step.
    pub(super) fn step(&self, heading: &str) {
        self.steps.set(self.steps.get() + 1);
        say(format!("\n{}", paint(Style::Bold, format!("{}. {heading}", self.steps.get()))));
    }

    /// A sentence of the account.
    pub(super) fn tell(&self, sentence: &str) {
        say(text::wrap(sentence, "   ", crate::screen::text_width()));
    }

    /// Something that was checked and held.
    pub(super) fn checked(&self, what: &str) {
        self.checks.set(self.checks.get() + 1);
        let wrapped = text::wrap(what, "     ", crate::screen::text_width());
        say(format!("   {} {}", paint(Style::Good, "✓"), wrapped.trim_start()));
    }

    /// Checks it; a failure names itself.
    pub(super) fn check(&self, holds: bool, what: &str) -> Result<(), Failure> {
        if !holds {
            return Err(self.failed(what, ""));
        }
        self.checked(what);
        Ok(())
    }

    /// The failure of a check, with what was seen instead.
    pub(super) fn failed(&self, what: &str, seen: &str) -> Failure {
        say(format!("   {} {what}", paint(Style::Bad, "✗")));
        let seen = if seen.is_empty() { String::new() } else { format!("\n{seen}") };
        Failure::new(Exit::Refused, format!("this check of the demo failed: {what}{seen}"))
    }

    /// Shows a command, and of its answer the first lines.
    pub(super) fn command(&self, words: &[&str], lines: usize) -> Result<String, Failure> {
        let answer = self.quiet(words)?;
        let first: Vec<&str> = answer.lines().take(lines).collect();
        self.show(words, &first.join("\n"));
        Ok(answer)
    }

    /// Runs a command that must exit with 0, and shows nothing.
    pub(super) fn quiet(&self, words: &[&str]) -> Result<String, Failure> {
        let output = self.run(words)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(self.failed(
            &format!("{} succeeds", self.shown(words)),
            &format!("{}: {}", output.status, said.trim_end()),
        ))
    }

    /// Runs a command, whatever its exit code.
    pub(super) fn run(&self, words: &[&str]) -> Result<Output, Failure> {
        self.clean_command()
            .args(words)
            .stdin(Stdio::null())
            .process_group(0)
            .output()
            .map_err(|error| Failure::io(&self.executable, &error))
    }

    /// This executable, with nothing of the caller's environment that would change what it does.
    pub(super) fn clean_command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TUTTI_") {
                command.env_remove(&name);
            }
        }
        command
    }

    fn show(&self, words: &[&str], answer: &str) {
        say(format!("   {}", paint(Style::Dim, format!("$ {}", self.shown(words)))));
        if !answer.trim().is_empty() {
            let dir = self.dir.display().to_string();
            // What it says was made safe by the command itself; our directory is said in short.
            let short = answer.trim_end().replace(&dir, "DIR");
            let lines: Vec<String> = short.lines().map(|line| format!("     {line}")).collect();
            say(lines.join("\n"));
        }
    }

    /// A command in short: `tutti`, and DIR for the demo's directory.
    fn shown(&self, words: &[&str]) -> String {
        let dir = self.dir.display().to_string();
        let words: Vec<String> =
            words.iter().map(|word| text::shell(&word.replace(&dir, "DIR"))).collect();
        format!("tutti {}", words.join(" "))
    }

    /// The last word, where every check held.
    pub(super) fn all_checked(&self) {
        let seconds = self.started.elapsed().as_millis();
        let line = format!(
            "All {} checks held, in {}.{} s.",
            self.checks.get(),
            seconds / 1000,
            seconds % 1000 / 100
        );
        say(format!("\n{}", paint(Style::Good, line)));
    }
}
