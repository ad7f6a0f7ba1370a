//! Tests of the store on the disk: the contract, crashes, damage, erasure, a full disk.
//!
//! What a store should hold is always told by a [`MemoryStore`] that was given the same steps.

#![allow(clippy::unwrap_used)]

mod conformance;
mod crash;
mod damage;
mod erasure;
mod exporting;
mod full;
mod opening;
mod rate;
mod thousand;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tutti_core::{
    body::Body,
    store::{BodyState, MemoryStore, Reader, Store, StoreError, contract::World},
};

use super::{DiskError, DiskStore, Opened};

/// Opens as the Philippine society; what is new is begun as `tutti init` does.
fn open(dir: &Path, world: &World) -> Result<Opened, DiskError> {
    if !dir.join("format").exists() {
        // Opening tells why it cannot be.
        let _ = DiskStore::begin(dir);
    }
    open_as_found(dir, world)
}

/// Opens what is there, whoever has left it.
fn open_as_found(dir: &Path, world: &World) -> Result<Opened, DiskError> {
    DiskStore::open(dir, &world.origin("ph"), world, &mut |_, _, _| ())
}

fn open_read_only(dir: &Path, world: &World) -> Result<Opened, DiskError> {
    DiskStore::open_read_only(dir, &world.origin("ph"), world)
}

/// In memory where the system has such a place: thousands of openings are made here.
fn folder() -> TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir()
        && let Ok(dir) = tempfile::tempdir_in(shm)
    {
        return dir;
    }
    tempfile::tempdir().unwrap()
}

/// Something that is written.
#[derive(Debug, Clone)]
enum Step {
    /// Entries of a society, with bodies.
    Append(&'static str, u64, Vec<Body>),
    /// Entries up to an index, under a larger head.
    Part(&'static str, u64, u64),
    Bodies(Vec<Body>),
    /// A head of a size, cosigned by one society at a time.
    Head(&'static str, u64, &'static str, u64),
    Erase(Body),
    Evidence(&'static str),
}

/// A body like no other.
fn body(seed: u8, len: usize) -> Body {
    let mut bytes = Vec::new();
    while bytes.len() < len {
        bytes.extend(Sha256::digest([&[seed], &bytes.len().to_be_bytes()[..]].concat()));
    }
    bytes.truncate(len);
    World::new().body(u64::from(seed), &bytes)
}

/// A history with everything in it that a store is told.
fn history() -> Vec<Step> {
    vec![
        Step::Append("ph", 1, vec![body(1, 1024), body(2, 300)]),
        Step::Part("qa", 10, 40),
        Step::Append("ph", 33, vec![]),
        Step::Head("ph", 34, "sg", 10),
        Step::Bodies(vec![body(3, 2000), body(4, 64)]),
        Step::Head("ph", 20, "qa", 11),
        Step::Part("qa", 35, 40),
        Step::Append("sg", 2, vec![body(5, 10)]),
        Step::Erase(body(2, 300)),
        Step::Erase(body(9, 77)),
        Step::Evidence("qa"),
        Step::Append("ph", 40, vec![body(6, 5000)]),
        Step::Part("qa", 40, 40),
        Step::Head("qa", 40, "ph", 12),
        Step::Append("ph", 1, vec![body(7, 1500)]),
    ]
}

impl Step {
    fn run(&self, world: &World, store: &mut dyn Store) -> Result<(), StoreError> {
        match self {
            Step::Append(code, count, bodies) => {
                let origin = world.origin(code);
                let batch = world.batch(&origin, &store.tree(&origin), *count);
                store.append(&batch, bodies)
            }
            Step::Part(code, end, size) => {
                let origin = world.origin(code);
                let batch = world.part(&origin, &store.tree(&origin), *end, *size);
                store.append(&batch, &[])
            }
            Step::Bodies(bodies) => store.put_bodies(bodies),
            Step::Head(code, size, by, time_s) => {
                store.put_head(&world.cosigned(&world.origin(code), *size, &[by], *time_s))
            }
            Step::Erase(body) => store.erase_body(&body.key()),
            Step::Evidence(code) => store.put_evidence(&world.evidence(&world.origin(code), 4, 1)),
        }
    }

    /// Bodies that this step puts.
    fn bodies(&self) -> &[Body] {
        match self {
            Step::Append(_, _, bodies) | Step::Bodies(bodies) => bodies,
            _ => &[],
        }
    }
}

/// Every body of the history, whatever becomes of it. Asked for thousands of times.
fn bodies() -> &'static [Body] {
    static ALL: LazyLock<Vec<Body>> = LazyLock::new(|| {
        let mut all: Vec<_> = history().iter().flat_map(|step| step.bodies().to_vec()).collect();
        all.push(body(9, 77));
        all
    });
    &ALL
}

/// What the logs of two stores differ in; `None` where every answer is the same.
fn logs_differ(left: &dyn Reader, right: &dyn Reader) -> Option<String> {
    if left.logs() != right.logs() {
        return Some(format!("logs {:?} and {:?}", left.logs(), right.logs()));
    }
    for origin in left.logs() {
        let all = |store: &dyn Reader| store.entries(&origin, 0, u64::MAX, usize::MAX).ok();
        let size = left.tree(&origin).size();
        let proofs = |store: &dyn Reader| {
            let root = store.root_at(&origin, size / 2).ok();
            let consistency = store.consistency(&origin, size / 3, size).ok();
            let inclusion = store.inclusion(&origin, size / 2, size).ok();
            let part = store.entries(&origin, size / 2, 3, 600).ok();
            (root.map(|root| root.0), consistency, inclusion, part)
        };
        for (what, same) in [
            ("tree", left.tree(&origin) == right.tree(&origin)),
            ("head", left.head(&origin) == right.head(&origin)),
            ("cosigned", left.cosigned(&origin) == right.cosigned(&origin)),
            ("evidence", left.evidence(&origin) == right.evidence(&origin)),
            ("entries", all(left) == all(right)),
            ("proofs", proofs(left) == proofs(right)),
        ] {
            if !same {
                return Some(format!("{what} of {origin}"));
            }
        }
    }
    None
}

/// The same for bodies, but for those in `either`, which may be there or not.
fn bodies_differ(left: &dyn Reader, right: &dyn Reader, either: &[Body]) -> Option<String> {
    for (number, body) in bodies().iter().enumerate() {
        let key = body.key();
        let got = |store: &dyn Reader| store.body(&key, 0, usize::MAX).unwrap();
        let states = (left.body_state(&key), right.body_state(&key));
        for store in [left, right] {
            let whole = store.body_state(&key) == BodyState::Present;
            assert_eq!(
                got(store),
                whole.then(|| body.bytes().to_vec()),
                "body {number} is whole or none"
            );
        }
        if states.0 != states.1 && !either.contains(body) {
            return Some(format!("body {number}: {:?} and {:?}", states.0, states.1));
        }
    }
    None
}

fn differ(left: &dyn Reader, right: &dyn Reader) -> Option<String> {
    logs_differ(left, right).or_else(|| bodies_differ(left, right, &[]))
}

/// The store that these steps should give.
fn model(world: &World, steps: &[Step]) -> MemoryStore {
    let mut model = MemoryStore::new();
    for step in steps {
        step.run(world, &mut model).unwrap();
    }
    model
}

/// Runs a history on a new disk; every step is acknowledged.
fn write(dir: &Path, world: &World, steps: &[Step]) -> DiskStore {
    let mut store = open(dir, world).unwrap().store;
    for step in steps {
        step.run(world, &mut store).unwrap();
    }
    store
}

/// Every file below `dir`, relative to it, in order.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(dir).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

/// Copies a data folder as it is at this moment, without the index: as a backup would be.
fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        if !file.starts_with("index") {
            fs::create_dir_all(to.join(&file).parent().unwrap()).unwrap();
            fs::copy(from.join(&file), to.join(&file)).unwrap();
        }
    }
    for folder in ["journal", "bodies"] {
        fs::create_dir_all(to.join(folder)).unwrap();
    }
}
