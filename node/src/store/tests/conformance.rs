//! The written contract, with the store opened again before every single step.

use tempfile::TempDir;
use tutti_core::store::{
    Store,
    contract::{self, Subject, World},
};

use super::super::{DiskError, DiskStore};

struct OnDisk {
    dir: TempDir,
    world: World,
    store: Option<DiskStore>,
    reopens: bool,
}

impl Subject for OnDisk {
    fn store(&mut self) -> &mut dyn Store {
        if self.reopens || self.store.is_none() {
            self.store = None;
            let opened = super::open(self.dir.path(), &self.world).unwrap();
            self.store = Some(opened.store);
        }
        self.store.as_mut().unwrap()
    }

    fn refuses_second_writer(&mut self) -> bool {
        self.store();
        matches!(super::open(self.dir.path(), &self.world), Err(DiskError::Locked))
    }
}

fn check(reopens: bool) {
    contract::check(&mut |_| {
        let dir = tempfile::tempdir().unwrap();
        Box::new(OnDisk { dir, world: World::new(), store: None, reopens })
    });
}

#[test]
fn keeps_the_contract() {
    check(false);
}

#[test]
fn keeps_the_contract_when_opened_again_before_every_step() {
    check(true);
}
