//! Every kind of write that a store has.

use std::path::Path;

use tutti_core::{
    audit::Bodies,
    body::Body,
    store::{BodyState, MemoryStore, Reader, Store, StoreError, contract::World},
};
use tutti_node::store::DiskStore;

use super::{Problem, Script, audit::Audited, must, noise, said, stands_in};

/// See the module.
pub(super) struct Storing;

enum Step {
    /// Entries, with bodies; several large ones are how the parts of a file arrive.
    Append(&'static str, u64, Vec<Body>),
    Bodies(Vec<Body>),
    /// The newest head with one more cosignature.
    Cosigned(&'static str, u64),
    /// A cosignature of an older size, which travels by itself.
    Witnessed(&'static str, u64),
    Erase(Body),
    /// A body that was kept for others is overwritten.
    Drop(Body),
    Evidence(&'static str),
    /// How far a delivery has come; nothing ends it.
    Note(&'static [u8], &'static [u8]),
    /// What its holder has made of a body: a cache, which nothing depends on.
    Opened(Body),
    /// Closes the store, which settles the journal, and opens it again.
    Reopen,
}

fn body(number: u64, len: usize) -> Body {
    World::new().body(number, &noise(number, len))
}

/// What an auditor finds of the bodies that the log of ph commits to.
const AT_THE_END: Bodies = Bodies { present: 7, absent: 144, erased: 3 };

/// What is kept of a body that was opened.
fn opened(body: &Body) -> Vec<u8> {
    noise(1000 + body.bytes().len() as u64, 200)
}

fn steps() -> Vec<Step> {
    use Step::*;
    vec![
        Append("ph", 1, vec![body(1, 1024), body(2, 300)]),
        Append("sg", 40, vec![]),
        Note(b"delivery", b"with a relay"),
        Bodies(vec![body(3, 2000)]),
        Opened(body(2, 300)),
        Opened(body(3, 2000)),
        Cosigned("sg", 40),
        Witnessed("sg", 30),
        Reopen,
        Drop(body(3, 2000)),
        Append("ph", 4, vec![body(10, 70_000), body(11, 70_000), body(12, 70_000), body(13, 900)]),
        Append("ph", 70, vec![body(4, 5000)]),
        Opened(body(4, 5000)),
        Erase(body(2, 300)),
        Erase(body(9, 77)),
        Evidence("qa"),
        Note(b"delivery", b"seen"),
        Witnessed("ph", 3),
        Reopen,
        Note(b"delivery", b""),
        Erase(body(11, 70_000)),
        Bodies(vec![body(3, 2000)]),
        Append("ph", 2, vec![body(5, 100)]),
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
            Self::Witnessed(code, size) => {
                store.put_head(&world.cosigned(&world.origin(code), *size, &["ph"], 11))
            }
            Self::Erase(body) => store.erase_body(&body.key()),
            Self::Drop(body) => store.drop_body(&body.key()),
            Self::Evidence(code) => store.put_evidence(&world.evidence(&world.origin(code), 4, 1)),
            Self::Note(key, value) => store.put_note(key, value),
            Self::Opened(body) => {
                store.keep_opened(&body.key(), &opened(body));
                Ok(())
            }
            Self::Reopen => Ok(()),
        }
    }
}

pub(super) fn open(dir: &Path, world: &World) -> Result<DiskStore, Problem> {
    DiskStore::open(dir, &world.origin("ph"), world, &mut |_, _, _| ())
        .map(|opened| opened.store)
        .map_err(said)
}

/// What two stores differ in; the bodies of a step that was under way may be here or not.
fn differ(left: &dyn Reader, right: &dyn Reader, either: &[Body]) -> Option<Problem> {
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
    if left.notes() != right.notes() {
        return Some(format!("notes {:?} and {:?}", left.notes(), right.notes()));
    }
    for body in &bodies() {
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

/// Every body that there is a word of.
fn bodies() -> Vec<Body> {
    let mut all = Vec::new();
    for step in steps() {
        match step {
            Step::Append(_, _, more) | Step::Bodies(more) => all.extend(more),
            Step::Erase(one) => all.push(one),
            _ => {}
        }
    }
    all
}

/// Of what was erased or dropped no bytes are anywhere, nor of what was made of it; what the cache
/// says besides is what it was given.
fn nothing_is_left(dir: &Path, store: &dyn Reader, model: &dyn Reader) -> Result<(), Problem> {
    for body in bodies() {
        let (key, bytes) = (body.key(), body.bytes());
        let gone = store.body_state(&key) != BodyState::Present;
        let kept = opened(&body);
        let said = store.opened(&key).filter(|said| said.iter().any(|byte| *byte != 0));
        must(said.as_ref().is_none_or(|said| *said == kept && !gone), || {
            format!("the cache has another answer for a body of {} bytes", bytes.len())
        })?;
        // Bytes that a fault has cut off unsynced may lie behind the end of a file, but in none.
        if gone && model.body_state(&key) == store.body_state(&key) {
            for (what, bytes) in [("a body", bytes), ("what was made of it", &kept)] {
                let place = stands_in(dir, bytes.get(..48).unwrap_or(bytes));
                must(place.is_none(), || format!("{what} that is gone stands in {place:?}"))?;
            }
        }
    }
    Ok(())
}

impl Script for Storing {
    fn write(&self, dir: &Path, done: &mut dyn FnMut()) -> Result<(), Problem> {
        let world = World::committing(&bodies());
        let mut store = open(dir, &world)?;
        for step in &steps() {
            if matches!(step, Step::Reopen) {
                drop(store);
                store = open(dir, &world)?;
            }
            step.run(&world, &mut store).map_err(said)?;
            done();
        }
        Ok(())
    }

    fn check(&self, dir: &Path, acknowledged: usize) -> Result<(), Problem> {
        let (world, audited) = (World::committing(&bodies()), Audited::world()?);
        let mut store = open(dir, &world)?;
        let steps = steps();
        let mut model = MemoryStore::new();
        for step in steps.iter().take(acknowledged) {
            step.run(&world, &mut model).map_err(said)?;
        }
        let none = Vec::new();
        let under_way = match steps.get(acknowledged) {
            Some(Step::Append(_, _, bodies) | Step::Bodies(bodies)) => bodies,
            _ => &none,
        };
        let mut next = acknowledged;
        if let Some(before) = differ(&store, &model, under_way) {
            if let Some(step) = steps.get(acknowledged) {
                step.run(&world, &mut model).map_err(said)?;
                next += 1;
            }
            if let Some(after) = differ(&store, &model, under_way) {
                return Err(format!(
                    "after {acknowledged} acknowledged steps: neither as before ({before}) nor as \
                     after the step that was under way ({after})"
                ));
            }
        }
        nothing_is_left(dir, &store, &model)?;
        audited.is_clean(&store)?;
        // The rest goes through, and comes to the same.
        for step in steps.iter().skip(next) {
            for store in [&mut store as &mut dyn Store, &mut model] {
                step.run(&world, store).map_err(said)?;
            }
        }
        if let Some(after) = differ(&store, &model, &[]) {
            return Err(format!("gone on from step {next} to the end: {after}"));
        }
        drop(store);
        let found = audited.is_clean(&open(dir, &world)?)?;
        must(found.get(&world.origin("ph")) == Some(&AT_THE_END), || {
            format!("an auditor finds {found:?} at the end")
        })
    }
}
