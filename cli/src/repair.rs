//! `tutti repair`: sound data out of damaged ones, while the node is stopped.

use std::path::{Path, PathBuf};

use clap::Args;
use tutti_node::{
    config::Config,
    rosters,
    serve::Stopped,
    store::{self, DiskError, Repaired},
};

use crate::{
    failure::{Exit, Failure, Outcome},
    json, node,
    screen::{Style, fields, note, paint, say, table},
    text,
};

/// Keep what is whole of damaged data, and set the rest aside; the node is stopped for it.
///
/// Each log whose root is the one that its society signed stays, each commit that is whole, and each
/// body that is what its digest says. What is missing then comes from the other societies when the
/// node runs. Where nothing is damaged, nothing is done.
#[derive(Debug, Args)]
pub(crate) struct Repair {
    /// The node's directory.
    #[arg(long, env = "TUTTI_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,
    /// As JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

impl Repair {
    pub(crate) fn run(self) -> Outcome {
        let dir = self.dir.unwrap_or_else(node::default_dir);
        let stopped = |error: Stopped| Failure::new(error.exit_code(), error.to_string());
        let config = Config::load(&dir).map_err(|error| stopped(error.into()))?;
        let chain = rosters::chain(&dir).map_err(|error| stopped(error.into()))?;
        let done = store::repair(&dir, &config.origin, &chain).map_err(|error| match error {
            DiskError::Locked => Failure::new(Exit::Locked, "the node runs on this directory")
                .kept("all data as they were")
                .todo("stop the node, then do this again"),
            error => stopped(error.into()),
        })?;
        match self.json {
            true => json::print(&json::Repaired::from(&done)),
            false => describe(&dir, config.origin.as_str(), &done),
        }
        Ok(Exit::Ok)
    }
}

fn describe(dir: &Path, own: &str, done: &Repaired) {
    let rows = done.logs.iter().map(|(log, size)| {
        let problem = done.left.get(log).map(|problem| text::line(problem));
        vec![log.to_string(), size.to_string(), problem.unwrap_or_default()]
    });
    let gone = done.left.iter().filter(|(log, _)| !done.logs.contains_key(log));
    let gone = gone.map(|(log, problem)| vec![log.to_string(), "0".into(), text::line(problem)]);
    let logs = table(&["log", "entries here", "what was damaged"], rows.chain(gone));
    let Some(aside) = &done.set_aside else {
        say(format!("{logs}\n\n{}", paint(Style::Good, "Nothing is damaged; nothing was done.")));
        return;
    };
    let problem = done.problem.as_deref().unwrap_or_default();
    let bodies = done.bodies.map_or_else(
        || "all that were here".to_owned(),
        |(whole, found)| format!("{whole} of {found} that were found; more may be missing"),
    );
    let held = |log: &tutti_core::society::Origin| log.as_str() == own;
    let own_size = done.logs.iter().find(|(log, _)| held(log)).map_or(0, |(_, size)| *size);
    let signs = match done.highwater {
        Some(size) if size <= own_size => "this society's log is all here".to_owned(),
        Some(size) => format!(
            "{} of {size} entries of this society's log come back from others; until then the node \
             reads and does not write",
            size - own_size
        ),
        None => "it is not known how far this society's log was signed; the node waits for others \
                 before it writes"
            .to_owned(),
    };
    say(fields([
        ("damaged", text::line(problem)),
        ("set aside in", aside.display().to_string()),
        ("bodies kept", bodies),
        ("own log", signs),
    ]));
    say(format!("\n{logs}"));
    note(format!(
        "Start the node; what is missing comes from the other societies. When `{0} status --dir {1}` \
         says `writing` and nothing is on its way, delete {2}: it holds sealed bodies that erasing \
         does not reach.",
        text::program(),
        text::shell(&dir.display().to_string()),
        aside.display()
    ));
}
