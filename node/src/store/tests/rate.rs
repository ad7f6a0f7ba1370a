//! How fast a single writer appends, against the same bytes appended to one file and synced.
//!
//! `cargo test --release -p tutti-node rate -- --ignored --nocapture`

use std::{
    fs::OpenOptions,
    io::Write as _,
    time::{Duration, Instant},
};

use tutti_core::store::contract::World;

use super::*;

const APPENDS: u64 = 2000;

fn per_second(took: Duration) -> f64 {
    APPENDS as f64 / took.as_secs_f64()
}

/// Appends the same number of bytes to one file, with one sync each.
fn raw(dir: &Path, bytes: usize) -> Duration {
    let mut file = OpenOptions::new().create_new(true).append(true).open(dir.join("raw")).unwrap();
    let piece = vec![7; bytes];
    let start = Instant::now();
    for _ in 0..APPENDS {
        file.write_all(&piece).unwrap();
        file.sync_data().unwrap();
    }
    start.elapsed()
}

#[test]
#[ignore = "a measurement"]
fn one_writer_against_raw_appends() {
    let world = World::new();
    let origin = world.origin("ph");
    for body_bytes in [0, 1024 + 2048] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path(), &world).unwrap().store;
        let mut bytes = 0;
        let mut took = Duration::ZERO;
        for n in 0..APPENDS {
            let mut body = body(1, body_bytes);
            body.iter_mut().zip(n.to_be_bytes()).for_each(|(to, from)| *to = from);
            let bodies: &[&[u8]] = if body_bytes > 0 { &[&body] } else { &[] };
            let entry = world.entry(&origin, n);
            let start = Instant::now();
            let batch = world.batch(&origin, &store.tree(&origin), 1);
            store.append(&batch, bodies).unwrap();
            took += start.elapsed();
            bytes = entry.as_slice().len() + batch.head().to_bytes().len() + body_bytes;
        }
        let ours = per_second(took);
        let raw = per_second(raw(dir.path(), bytes));
        println!(
            "{body_bytes} bytes of bodies: {ours:.0} appends/s signed and stored, {raw:.0}/s raw, \
             ratio {:.2}",
            ours / raw
        );
    }
}
