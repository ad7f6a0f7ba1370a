//! Fixed scripts over a node's data on the disk, for `tests/storage/run`, which makes their system
//! calls fail one by one.
//!
//! - `storage-driver scripts` names them.
//! - `storage-driver SCRIPT prepare DIR` makes what the script begins with; nothing of it is struck.
//! - `storage-driver SCRIPT write DIR` goes through its steps and prints a line for each that was
//!   acknowledged; a failure ends it with a plain sentence and the exit code of a node.
//! - `storage-driver SCRIPT check DIR N` looks at it in a fresh process: the first N steps are there,
//!   the one that was under way wholly or not at all, each log there is audits clean as it was found,
//!   and it can be gone on from there.

mod audit;
mod local;
mod repair;
mod rosters;
mod segments;
mod store;
mod work;

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Whatever went wrong, in a sentence for people.
type Problem = String;

/// Some writes, in a fixed order, and what must be there of them whatever happened meanwhile.
trait Script {
    /// Makes what it begins with.
    fn prepare(&self, _dir: &Path) -> Result<(), Problem> {
        Ok(())
    }

    /// Goes through the steps; `done` is called as soon as one is acknowledged.
    fn write(&self, dir: &Path, done: &mut dyn FnMut()) -> Result<(), Problem>;

    /// Looks at what is there after the first `acknowledged` steps, of which the next may have been
    /// under way, and goes on from there.
    fn check(&self, dir: &Path, acknowledged: usize) -> Result<(), Problem>;
}

const SCRIPTS: [(&str, &dyn Script); 7] = [
    ("store", &store::Storing),
    ("segments", &segments::Segments),
    ("local", &local::People),
    ("rosters", &rosters::Rosters),
    ("repair", &repair::Repair { bodies: false }),
    ("repair-bodies", &repair::Repair { bodies: true }),
    ("work", &work::Work),
];

/// What an error says, as its problem.
fn said(error: impl ToString) -> Problem {
    error.to_string()
}

/// What must hold, or a sentence.
fn must(holds: bool, otherwise: impl FnOnce() -> Problem) -> Result<(), Problem> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// A fault may strike this very line, which is no fault of the store's: then nobody was told.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Bytes that no other number gives, and that stand nowhere by chance.
fn noise(number: u64, len: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        // Xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..len.div_ceil(8)).flat_map(|_| next()).take(len).collect()
}

/// Every file below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// In which file below `dir` these bytes stand, if in any. They begin with no zero.
fn stands_in(dir: &Path, bytes: &[u8]) -> Option<PathBuf> {
    const PAGE: usize = 4096;
    let holds = |path: &PathBuf| {
        let held = fs::read(path).unwrap_or_default();
        // Most of what is preallocated is zeros, which are passed over as fast as memory is read.
        held.chunks(PAGE).enumerate().filter(|(_, page)| *page != &[0; PAGE][..page.len()]).any(
            |(at, page)| {
                let end = (at * PAGE + page.len() + bytes.len() - 1).min(held.len());
                held[at * PAGE..end].windows(bytes.len()).any(|window| window == bytes)
            },
        )
    };
    files(dir).into_iter().find(holds)
}

fn run(args: &[&str]) -> Result<(), Problem> {
    if let ["scripts"] = args {
        SCRIPTS.iter().for_each(|(name, _)| say(name));
        return Ok(());
    }
    let [name, verb, dir, rest @ ..] = args else {
        return Err("storage-driver scripts | SCRIPT prepare|write DIR | SCRIPT check DIR N".into());
    };
    let script = SCRIPTS.iter().find(|(known, _)| known == name).map(|(_, script)| *script);
    let script = script.ok_or_else(|| format!("there is no script {name}"))?;
    let dir = Path::new(dir);
    match (*verb, rest) {
        ("prepare", []) => fs::create_dir_all(dir).map_err(said).and_then(|()| script.prepare(dir)),
        ("write", []) => {
            let mut steps = 0;
            script.write(dir, &mut || {
                steps += 1;
                say(&format!("acknowledged {steps}"));
            })
        }
        ("check", [count]) => script.check(dir, count.parse().map_err(said)?),
        _ => Err(format!("a script knows no {verb} so")),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "{problem}");
            ExitCode::from(15)
        }
    }
}
