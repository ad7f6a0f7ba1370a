//! A repair of damaged data that itself is struck: nothing of what was there is lost by that, and it is
//! brought to its end by doing it again.

use std::{fs, path::Path};

use tutti_core::{
    body::Body,
    store::{BodyState, Reader as _, Store as _, contract::World},
};
use tutti_node::store;

use super::{Problem, Script, audit::Audited, must, noise, said, store::open};

/// See the module. With `bodies` a header among them is damaged too, and they are written anew.
pub(super) struct Repair {
    pub(super) bodies: bool,
}

fn body(number: u64) -> Body {
    World::new().body(number, &noise(number, 3000))
}

/// The one whose header is damaged.
const HARMED: u64 = 1;
const ERASED: u64 = 3;

/// Entries of ph, this node's own log, and of sg, whose folder is damaged.
const OWN: u64 = 30;
const OTHER: u64 = 40;

fn harm(path: &Path, harm: impl FnOnce(&mut Vec<u8>)) -> Result<(), Problem> {
    let mut bytes = fs::read(path).map_err(said)?;
    harm(&mut bytes);
    fs::write(path, bytes).map_err(said)
}

/// So that what was settled is nowhere else.
fn forget_commits(dir: &Path) -> Result<(), Problem> {
    ["commits-a", "commits-b"].iter().try_for_each(|file| {
        harm(&dir.join("journal").join(file), |bytes| {
            bytes.iter_mut().skip(512).for_each(|byte| *byte = 0);
        })
    })?;
    fs::remove_file(dir.join("journal/acknowledged")).map_err(said)
}

/// What others give back afterwards.
fn take_again(store: &mut store::DiskStore, world: &World) -> Result<(), Problem> {
    let origin = world.origin("sg");
    let held = store.tree(&origin);
    if held.size() < OTHER {
        let batch = world.batch(&origin, &held, OTHER - held.size());
        store.append(&batch, &[]).map_err(said)?;
    }
    store.put_bodies(&[body(HARMED)]).map_err(said)
}

impl Repair {
    /// What a repair leaves, and what is there once the rest was taken again.
    fn is_sound(&self, store: &store::DiskStore, complete: bool) -> Result<(), Problem> {
        let world = World::new();
        let sizes = ["ph", "sg"].map(|code| store.tree(&world.origin(code)).size());
        must(sizes == [OWN, if complete { OTHER } else { 0 }], || format!("{sizes:?} entries"))?;
        must(store.evidence(&world.origin("qa")).is_some(), || "the evidence is gone".into())?;
        must(store.notes().len() == 1, || "the note is gone".into())?;
        for number in 1..=4 {
            let expected = match number {
                // Behind a damaged header that is not believed; the log erases it again at the next start.
                ERASED if self.bodies => BodyState::Absent,
                ERASED => BodyState::Erased,
                HARMED if self.bodies && !complete => BodyState::Absent,
                _ => BodyState::Present,
            };
            let key = body(number).key();
            let whole = store.body(&key, 0, usize::MAX).map_err(said)?;
            let whole = whole.is_none_or(|bytes| bytes == body(number).bytes());
            must(whole && store.body_state(&key) == expected, || {
                format!("body {number} is {:?}", store.body_state(&key))
            })?;
        }
        Ok(())
    }
}

impl Script for Repair {
    fn prepare(&self, dir: &Path) -> Result<(), Problem> {
        let world = World::committing(&(1..=4).map(body).collect::<Vec<_>>());
        let mut store = open(dir, &world)?;
        for (code, count, bodies) in [("ph", OWN, vec![body(1), body(2)]), ("sg", OTHER, vec![])] {
            let origin = world.origin(code);
            let batch = world.batch(&origin, &store.tree(&origin), count);
            store.append(&batch, &bodies).map_err(said)?;
        }
        store.put_bodies(&[body(ERASED), body(4)]).map_err(said)?;
        store.erase_body(&body(ERASED).key()).map_err(said)?;
        store.put_note(b"delivery", b"seen").map_err(said)?;
        store.put_evidence(&world.evidence(&world.origin("qa"), 4, 1)).map_err(said)?;
        drop(store);
        harm(&dir.join("journal/m.example.org_sg_1/entries"), |bytes| bytes.truncate(900))?;
        forget_commits(dir)?;
        if self.bodies {
            harm(&dir.join("bodies/00000001"), |bytes| {
                if let Some(byte) = bytes.get_mut(12) {
                    *byte ^= 1;
                }
            })?;
        }
        Ok(())
    }

    fn write(&self, dir: &Path, done: &mut dyn FnMut()) -> Result<(), Problem> {
        let world = World::new();
        store::repair(dir, &world.origin("ph"), &world).map_err(said)?;
        done();
        let mut store = open(dir, &world)?;
        take_again(&mut store, &world)?;
        done();
        Ok(())
    }

    fn check(&self, dir: &Path, acknowledged: usize) -> Result<(), Problem> {
        let (world, own) = (World::new(), World::new().origin("ph"));
        // A machine that comes up again starts the node by itself, in the midst of a repair.
        if acknowledged == 0 && dir.join("repaired/whole").exists() {
            let refused = open(dir, &world).err().unwrap_or_default();
            must(refused.contains("tutti repair"), || {
                format!("a node starts in the midst of a repair, or says: {refused:?}")
            })?;
        }
        let done = store::repair(dir, &own, &world).map_err(said)?;
        must(acknowledged == 0 || done.problem.is_none(), || {
            format!("after a repair there is damage: {:?}", done.problem)
        })?;
        must(done.highwater == Some(OWN), || format!("the mark is {:?}", done.highwater))?;
        must(!dir.join("repaired").exists(), || "the repair has left its folder".into())?;
        let aside = |number: u32| dir.join(format!("damaged-{number}")).exists();
        must(aside(1) && !aside(2), || "what was damaged is set aside once".into())?;
        let mut store = open(dir, &world)?;
        let audited = Audited::world()?;
        audited.is_clean(&store)?;
        let complete = store.tree(&world.origin("sg")).size() > 0
            && store.body_state(&body(HARMED).key()) == BodyState::Present;
        must(complete || acknowledged < 2, || "what was taken again is gone".into())?;
        if acknowledged != 1 {
            self.is_sound(&store, complete)?;
        }
        take_again(&mut store, &world)?;
        self.is_sound(&store, true)?;
        let found = audited.is_clean(&store)?;
        let present = found.get(&own).map(|bodies| bodies.present);
        must(found.len() == 2 && present == Some(3), || format!("an auditor finds {found:?}"))
    }
}
