//! Bodies that fill a segment: the next one begins with a seal of where the one before it ended.

use std::path::Path;

use tutti_core::{
    body::Body,
    store::{BodyState, Reader as _, Store as _, StoreError, contract::World},
};
use tutti_node::store::DiskStore;

use super::{Problem, Script, audit::Audited, must, noise, said, store::open};

/// See the module.
pub(super) struct Segments;

/// So large, and so many, that the next body has no room in the first segment of 64 MiB.
const LARGE_BYTES: usize = 8 * 1024 * 1024 - 64 * 1024;
const LARGE: u64 = 8;

fn large(number: u64) -> Body {
    World::new().body(100 + number, &vec![number as u8; LARGE_BYTES])
}

fn small(number: u64) -> Body {
    World::new().body(number, &noise(number, 600_000))
}

/// Writes entries that commit to the small ones, before these come. No entry may commit to a body as large as
/// the others, which are there to fill a segment.
fn commit_to_small(store: &mut DiskStore) -> Result<(), Problem> {
    let world = World::committing(&(1..=4).map(small).collect::<Vec<_>>());
    let origin = world.origin("ph");
    let batch = world.batch(&origin, &store.tree(&origin), 5);
    store.append(&batch, &[]).map_err(said)
}

type Step = fn(&mut DiskStore) -> Result<(), StoreError>;

fn steps() -> [Step; 5] {
    [
        |store| store.put_bodies(&[small(1)]),
        |store| store.put_bodies(&[small(2), small(3)]),
        |store| store.erase_body(&large(0).key()),
        |store| store.erase_body(&small(3).key()),
        |store| store.put_bodies(&[small(4)]),
    ]
}

/// What each step makes of the bodies 1 to 4.
fn expected(steps: usize) -> [BodyState; 4] {
    use BodyState::{Absent, Erased, Present};
    match steps {
        0 => [Absent; 4],
        1 => [Present, Absent, Absent, Absent],
        2 | 3 => [Present, Present, Present, Absent],
        4 => [Present, Present, Erased, Absent],
        _ => [Present, Present, Erased, Present],
    }
}

fn found(store: &DiskStore) -> Result<[BodyState; 4], Problem> {
    let mut states = [BodyState::Absent; 4];
    for (number, state) in (1..).zip(&mut states) {
        let body = small(number);
        *state = store.body_state(&body.key());
        let held = store.body(&body.key(), 0, usize::MAX).map_err(said)?;
        let whole = held.is_none_or(|held| held == body.bytes());
        must(whole && (*state == BodyState::Present || !is_whole(store, &body)), || {
            format!("body {number} is not what was put")
        })?;
    }
    Ok(states)
}

fn is_whole(store: &DiskStore, body: &Body) -> bool {
    matches!(store.body(&body.key(), 0, usize::MAX), Ok(Some(_)))
}

impl Script for Segments {
    fn prepare(&self, dir: &Path) -> Result<(), Problem> {
        let world = World::new();
        let mut store = open(dir, &world)?;
        commit_to_small(&mut store)?;
        for number in 0..LARGE {
            store.put_bodies(&[large(number)]).map_err(said)?;
        }
        must(!dir.join("bodies/00000002").exists(), || "the first segment is too full".into())
    }

    fn write(&self, dir: &Path, done: &mut dyn FnMut()) -> Result<(), Problem> {
        let world = World::new();
        let mut store = open(dir, &world)?;
        for step in steps() {
            step(&mut store).map_err(said)?;
            done();
        }
        drop(store);
        must(dir.join("bodies/00000002").exists(), || "no second segment was begun".into())
    }

    fn check(&self, dir: &Path, acknowledged: usize) -> Result<(), Problem> {
        let world = World::new();
        let mut store = open(dir, &world)?;
        let states = found(&store)?;
        let mut possible = vec![expected(acknowledged), expected(acknowledged + 1)];
        // Bodies that come together count each for itself.
        possible.push([
            BodyState::Present,
            BodyState::Present,
            BodyState::Absent,
            BodyState::Absent,
        ]);
        let both = if acknowledged == 1 { 3 } else { 2 };
        must(possible.iter().take(both).any(|one| *one == states), || {
            format!("after {acknowledged} acknowledged steps the bodies are {states:?}")
        })?;
        let first = store.body_state(&large(0).key());
        must(acknowledged < 3 || first == BodyState::Erased, || {
            "a body of the full segment is there that was erased".into()
        })?;
        // One that ends the full segment is read back whole.
        must(is_whole(&store, &large(LARGE - 1)), || "the full segment has lost its end".into())?;
        let audited = Audited::world()?.is_clean(&store)?;
        let there = states.iter().filter(|state| **state == BodyState::Present).count() as u64;
        must(audited.values().map(|bodies| bodies.present).sum::<u64>() == there, || {
            format!("an auditor finds {audited:?}, where {there} bodies are there")
        })?;
        for step in steps().into_iter().skip(acknowledged) {
            step(&mut store).or_else(erased).map_err(said)?;
        }
        let states = found(&store)?;
        must(states == expected(5), || format!("gone on to the end the bodies are {states:?}"))?;
        drop(store);
        open(dir, &world).map(drop)
    }
}

/// What was erased is refused when it is offered again.
fn erased(error: StoreError) -> Result<(), StoreError> {
    if matches!(error, StoreError::Erased) { Ok(()) } else { Err(error) }
}
