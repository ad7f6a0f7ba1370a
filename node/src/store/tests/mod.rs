//! Tests of the store on the disk: the contract, crashes, damage, erasure, a full disk.

#![allow(clippy::unwrap_used)]

mod conformance;

use std::path::Path;

use tutti_core::store::contract::World;

use super::{DiskError, DiskStore, Opened};

/// Opens as the Philippine society.
fn open(dir: &Path, world: &World) -> Result<Opened, DiskError> {
    DiskStore::open(dir, &world.origin("ph"), world, &mut |_, _, _| ())
}
