//! How fast a single writer appends, against the same bytes appended to one file and synced.
//!
//! `cargo test --release -p tutti-node rate -- --ignored --nocapture`. The two take turns, so that
//! whatever else the machine does meets both; the median counts.

use std::{
    fs::OpenOptions,
    io::Write as _,
    time::{Duration, Instant},
};

use tutti_core::store::contract::World;

use super::*;

const APPENDS: u64 = 1000;

fn timed(call: impl FnOnce()) -> Duration {
    let start = Instant::now();
    call();
    start.elapsed()
}

fn median(mut all: Vec<Duration>) -> f64 {
    all.sort();
    all[all.len() / 2].as_secs_f64() * 1e6
}

#[test]
#[ignore = "a measurement"]
fn one_writer_against_raw_appends() {
    let world = World::new();
    let origin = world.origin("ph");
    for body_bytes in [0, 1024 + 2048] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path(), &world).unwrap().store;
        let mut raw =
            OpenOptions::new().create_new(true).append(true).open(dir.path().join("raw")).unwrap();
        let (mut signed, mut stored, mut appended) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..APPENDS {
            let body = world.body(n, body(1, body_bytes).bytes());
            let bodies = if body_bytes > 0 { std::slice::from_ref(&body) } else { &[] };
            let start = Instant::now();
            let batch = world.batch(&origin, &store.tree(&origin), 1);
            signed.push(start.elapsed());
            stored.push(timed(|| store.append(&batch, bodies).unwrap()));
            let len = batch.entries()[0].as_slice().len() + batch.head().to_bytes().len();
            let bytes = vec![7; len + body_bytes];
            appended.push(timed(|| {
                raw.write_all(&bytes).unwrap();
                raw.sync_data().unwrap();
            }));
        }
        let (signed, stored, raw) = (median(signed), median(stored), median(appended));
        println!(
            "{body_bytes} bytes of bodies: {stored:.0} us to store, {signed:.0} us to sign, \
             {raw:.0} us raw: ratio {:.2}",
            raw / (stored + signed)
        );
    }
}
