//! Opening what was written, and the room that it takes.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use rand_core::OsRng;
use sha2::{Digest as _, Sha256};
use tutti_core::{
    batch::VerifiedBatch,
    body::{Body, Part, Place},
    store::{Reader as _, Store as _},
};
use tutti_node::{
    clock::Now,
    engine::{Engine, Identity},
};

use crate::{
    Sizes,
    fixture::{Federation, body, folder, open_entry, origin, send, society},
    measure::{Row, Samples, Target, Unit},
    nodes::now_ms,
};

/// A long log, its index at hand and not.
pub(crate) fn log(sizes: &Sizes) -> Vec<Row> {
    let federation = Federation::found(&["sg", "ph"]);
    let (dir, size) = (folder(), sizes.opened);
    let data = dir.path();
    drop(federation.fill(data, "sg", size));
    let entries = fs::read_dir(data.join("journal"))
        .expect("a journal")
        .flatten()
        .map(|entry| entry.path().join("entries"))
        .find(|path| path.is_file())
        .expect("entries");
    let bytes = fs::metadata(&entries).expect("entries").len();
    let room = rooms(data);
    let (mut ours, mut without, mut limit) =
        (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..sizes.rounds {
        limit.time(|| hash_file(&entries));
        drop(ours.time(|| federation.store(data, "sg")));
        fs::remove_dir_all(data.join("index")).expect("removed");
        drop(without.time(|| federation.store(data, "sg")));
    }
    let what = format!("opening a log of {size} entries ({} MB)", bytes / 1_000_000);
    let limit = ("SHA-256 of its bytes", &limit);
    vec![
        Row::cost(what.clone(), Unit::Seconds, &ours, limit, Target::AtMost(2.0)),
        Row::cost(format!("{what}, index lost"), Unit::Seconds, &without, limit, Target::None),
        room_row(format!("room for {size} entries without bodies"), &room, bytes - 2 * size),
    ]
}

fn hash_file(path: &Path) {
    let mut file = fs::File::open(path).expect("opened");
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        let read = std::io::Read::read(&mut file, &mut buffer).expect("read");
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    std::hint::black_box(hash.finalize());
}

/// Bytes on the disk: journal, bodies, index.
struct Rooms {
    journal: u64,
    bodies: u64,
    index: u64,
}

fn rooms(data: &Path) -> Rooms {
    let of = |name: &str| on_disk(&data.join(name));
    Rooms { journal: of("journal"), bodies: of("bodies"), index: of("index") }
}

/// What a folder takes on the disk, in whole blocks.
fn on_disk(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).expect("a folder").flatten();
    let size = |entry: fs::DirEntry| match entry.metadata().expect("metadata") {
        about if about.is_dir() => on_disk(&entry.path()),
        about => about.blocks() * 512,
    };
    entries.map(size).sum()
}

fn room_row(what: String, room: &Rooms, bytes: u64) -> Row {
    let part = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let what = format!(
        "{what}: journal {:.1}, bodies {:.1}, index {:.1} MiB",
        part(room.journal),
        part(room.bodies),
        part(room.index)
    );
    let (mut ours, mut limit) = (Samples::default(), Samples::default());
    ours.add((room.journal + room.bodies + room.index) as f64);
    limit.add(bytes as f64);
    Row::cost(what, Unit::Bytes, &ours, ("headers and bodies", &limit), Target::AtMost(1.5))
}

/// The room that entries with bodies take, written a few at a time as they are in life.
pub(crate) fn room(sizes: &Sizes) -> Vec<Row> {
    let federation = Federation::found(&["sg", "ph"]);
    let (dir, log) = (folder(), origin("sg"));
    let (mut store, keys) = (federation.store(dir.path(), "sg"), federation.keyring("sg"));
    let mut bytes = 0;
    while store.tree(&log).size() < sizes.bodies {
        let held = store.tree(&log);
        let (entries, mut bodies): (Vec<_>, Vec<_>) =
            (held.size()..held.size() + 4).map(|index| open_entry(&log, index, 1)).unzip();
        bodies.extend((held.size()..held.size() + 4).map(|index| {
            Body::new(Place::new(&log, index, Part::Content), &body(index << 32, 4_300))
        }));
        bytes += entries.iter().map(|entry| entry.as_slice().len()).sum::<usize>()
            + bodies.iter().map(|body| body.bytes().len()).sum::<usize>();
        let batch = VerifiedBatch::author(&held, &log, entries, &keys.log).expect("signed");
        store.append(&batch, &bodies).expect("appended");
    }
    drop(store);
    let what = format!("room for {} entries with 1 + 4 KiB of bodies", sizes.bodies);
    vec![room_row(what, &rooms(dir.path()), bytes as u64)]
}

/// What a start takes for each record that is opened again.
pub(crate) fn records(sizes: &Sizes) -> Vec<Row> {
    let federation = Federation::found(&["sg", "ph"]);
    let dir = folder();
    let engine = || {
        let identity = Identity {
            society: society("sg"),
            name: "sg".into(),
            origin: origin("sg"),
            keyring: federation.keyring("sg"),
            started_at_ms: now_ms(),
            listen: String::new(),
        };
        let store = federation.store(dir.path(), "sg");
        let size = store.tree(&identity.origin).size();
        let roster = (*federation.roster).clone();
        let mut start = Samples::default();
        let engine =
            start.time(|| Engine::new(identity, roster, store, Some(size), OsRng, Now::read()));
        (engine, start.median())
    };
    let (mut writer, _) = engine();
    let mut seed = 0;
    while seed < sizes.records {
        let group = (seed..seed + 64).map(send).collect();
        for answer in writer.write(group, Now::read()) {
            answer.expect("written");
        }
        seed += 64;
    }
    drop(writer);
    let mut ours = Samples::default();
    for _ in 0..sizes.rounds {
        ours.add(engine().1 / seed as f64);
    }
    let what = format!("starting the engine on {seed} sealed records, each");
    vec![Row::alone(what, Unit::Seconds, &ours, Target::None)]
}
