//! A fixed script over a store on the disk, for `tests/storage/run`, which makes its system calls
//! fail one by one.
//!
//! `storage-driver write DIR` opens the store, goes through the steps from where the store is, and
//! prints a line for each step that was acknowledged; a failure ends it with a plain sentence and
//! the exit code of a node. `storage-driver check DIR N` opens it again and compares it with what
//! the first N steps give, or the first N + 1, for the step that was under way may have come
//! through; then it writes on, so that what is there can be continued.

use std::{
    env,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use tutti_core::{
    body::Body,
    store::{BodyState, MemoryStore, Reader, Store, StoreError, contract::World},
};
use tutti_node::store::DiskStore;

/// Something that is written: every kind of write that a store has.
enum Step {
    Append(&'static str, u64, Vec<Body>),
    Bodies(Vec<Body>),
    Cosigned(&'static str, u64),
    Erase(Body),
    Evidence(&'static str),
    /// Closes the store, which settles the journal, and opens it again.
    Reopen,
}

fn body(seed: u8, len: usize) -> Body {
    let bytes: Vec<u8> =
        (0..len).map(|at| seed.wrapping_mul(31).wrapping_add((at / 3) as u8)).collect();
    World::new().body(u64::from(seed), &bytes)
}

fn steps() -> Vec<Step> {
    vec![
        Step::Append("ph", 1, vec![body(1, 1024), body(2, 300)]),
        Step::Append("sg", 40, vec![]),
        Step::Bodies(vec![body(3, 2000)]),
        Step::Cosigned("sg", 40),
        Step::Reopen,
        Step::Append("ph", 70, vec![body(4, 5000)]),
        Step::Erase(body(2, 300)),
        Step::Erase(body(9, 77)),
        Step::Evidence("qa"),
        Step::Reopen,
        Step::Append("ph", 2, vec![body(5, 100)]),
    ]
}

impl Step {
    fn run(&self, world: &World, store: &mut dyn Store) -> Result<(), StoreError> {
        match self {
            Self::Append(code, count, bodies) => {
                let origin = world.origin(code);
                let batch = world.batch(&origin, &store.tree(&origin), *count);
                store.append(&batch, bodies)
            }
            Self::Bodies(bodies) => store.put_bodies(bodies),
            Self::Cosigned(code, size) => {
                store.put_head(&world.cosigned(&world.origin(code), *size, &["qa"], 10))
            }
            Self::Erase(body) => store.erase_body(&body.key()),
            Self::Evidence(code) => store.put_evidence(&world.evidence(&world.origin(code), 4, 1)),
            Self::Reopen => Ok(()),
        }
    }
}

fn open(dir: &Path, world: &World) -> Result<DiskStore, String> {
    DiskStore::open(dir, &world.origin("ph"), world, &mut |_, _, _| ())
        .map(|opened| opened.store)
        .map_err(|error| error.to_string())
}

/// A fault may strike this very line, which is no fault of the store's: then nobody was told.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn write(dir: &Path) -> Result<(), String> {
    let world = World::new();
    let mut store = open(dir, &world)?;
    say("opened");
    for (number, step) in steps().iter().enumerate() {
        if matches!(step, Step::Reopen) {
            drop(store);
            store = open(dir, &world)?;
        }
        step.run(&world, &mut store).map_err(|error| error.to_string())?;
        say(&format!("acknowledged {}", number + 1));
    }
    Ok(())
}

/// What two stores differ in.
fn differ(left: &dyn Reader, right: &dyn Reader, either: &[Body]) -> Option<String> {
    if left.logs() != right.logs() {
        return Some(format!("logs {:?} and {:?}", left.logs(), right.logs()));
    }
    for origin in left.logs() {
        let all = |store: &dyn Reader| store.entries(&origin, 0, u64::MAX, usize::MAX).ok();
        let same = left.tree(&origin) == right.tree(&origin)
            && left.head(&origin) == right.head(&origin)
            && left.cosigned(&origin) == right.cosigned(&origin)
            && left.evidence(&origin) == right.evidence(&origin)
            && all(left) == all(right);
        if !same {
            let sizes = (left.tree(&origin).size(), right.tree(&origin).size());
            return Some(format!("{origin}: {} and {} entries", sizes.0, sizes.1));
        }
    }
    let mut bodies: Vec<Body> = vec![body(9, 77)];
    for step in steps() {
        if let Step::Append(_, _, more) | Step::Bodies(more) = step {
            bodies.extend(more);
        }
    }
    for body in &bodies {
        let key = body.key();
        for store in [left, right] {
            let held = store.body(&key, 0, usize::MAX);
            let whole = store.body_state(&key) == BodyState::Present;
            if held.ok() != Some(whole.then(|| body.bytes().to_vec())) {
                return Some("a body is neither whole nor absent".into());
            }
        }
        if left.body_state(&key) != right.body_state(&key) && !either.contains(body) {
            return Some(format!("a body of {} bytes", body.bytes().len()));
        }
    }
    None
}

fn check(dir: &Path, acknowledged: usize) -> Result<(), String> {
    let world = World::new();
    let mut store = open(dir, &world)?;
    let steps = steps();
    let mut model = MemoryStore::new();
    for step in steps.iter().take(acknowledged) {
        step.run(&world, &mut model).map_err(|error| error.to_string())?;
    }
    let none = Vec::new();
    let under_way = match steps.get(acknowledged) {
        Some(Step::Append(_, _, bodies) | Step::Bodies(bodies)) => bodies,
        _ => &none,
    };
    if let Some(before) = differ(&store, &model, under_way) {
        if let Some(step) = steps.get(acknowledged) {
            step.run(&world, &mut model).map_err(|error| error.to_string())?;
        }
        if let Some(after) = differ(&store, &model, under_way) {
            return Err(format!(
                "after {acknowledged} acknowledged steps: neither as before ({before}) nor as \
                 after the step that was under way ({after})"
            ));
        }
    }
    Step::Append("ph", 1, vec![]).run(&world, &mut store).map_err(|error| error.to_string())?;
    drop(store);
    open(dir, &world).map(drop)
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["write", dir] => write(Path::new(dir)),
        ["check", dir, count] => match count.parse() {
            Ok(count) => check(Path::new(dir), count),
            Err(_) => Err("N is a number".into()),
        },
        _ => Err("storage-driver write DIR | check DIR N".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "{problem}");
            ExitCode::from(15)
        }
    }
}
