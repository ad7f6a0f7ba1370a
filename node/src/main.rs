//! `tutti-node`: one node, for servers. The same as `tutti serve`.

#![forbid(unsafe_code)]

use std::{
    env,
    path::PathBuf,
    process::{ExitCode, Termination as _},
};

use tutti_node::{
    exit::Exit,
    serve::{Options, serve},
};

const USAGE: &str = "\
Runs a node of Tutti.

Usage: tutti-node [--dir DIR]

  --dir DIR   The node's directory, as `tutti init` made it [env: TUTTI_DIR]
  --version   Show the version
  --help      Show this

Exit codes and configuration: docs/operating.md";

enum Asked {
    Serve(PathBuf),
    Show(String),
}

fn main() -> ExitCode {
    match asked(env::args().skip(1)) {
        Ok(Asked::Serve(dir)) => run(dir),
        Ok(Asked::Show(text)) => {
            println!("{text}");
            Exit::Ok.report()
        }
        Err(problem) => {
            eprintln!("error: {problem}\n\n{USAGE}");
            Exit::Usage.report()
        }
    }
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut dir = env::var_os("TUTTI_DIR").map(PathBuf::from);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Asked::Show(USAGE.into())),
            "--version" | "-V" => {
                return Ok(Asked::Show(format!("tutti-node {}", env!("CARGO_PKG_VERSION"))));
            }
            "--dir" => dir = Some(arguments.next().ok_or("--dir names no directory")?.into()),
            other => match other.strip_prefix("--dir=") {
                Some(path) => dir = Some(path.into()),
                None => return Err(format!("{other:?} is not known")),
            },
        }
    }
    dir.map(Asked::Serve).ok_or_else(|| "no directory is given".into())
}

fn run(dir: PathBuf) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot start: {error}");
            return Exit::Internal.report();
        }
    };
    match runtime.block_on(serve(&dir, Options::default())) {
        Ok(()) => Exit::Ok.report(),
        Err(stopped) => {
            eprintln!("error: {stopped}");
            stopped.exit_code().report()
        }
    }
}
