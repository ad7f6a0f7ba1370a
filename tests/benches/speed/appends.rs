//! Durable appends, against the same bytes appended to one file with one `fdatasync`.
//!
//! Store level: a batch is signed and appended. Engine level: a write is decided, committed and
//! projected; an information share is not sealed, a referral is. With 64 writers each waits for its
//! own answer before it writes again, and the limit is the bytes of 64 of them in one write and
//! sync.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    time::Instant,
};

use rand_core::OsRng;
use tutti_core::{
    batch::VerifiedBatch, entry::Entry, sealing, store::Reader as _, store::Store as _,
};
use tutti_node::engine::{Order, Write};

use crate::{
    Sizes,
    fixture::{Federation, body, folder, open_entry, origin, publish, send},
    measure::{Row, Samples, Target, Unit},
    nodes::{Node, noted},
};

/// The file that the limit is measured on.
struct Raw(File);

impl Raw {
    fn new(dir: &Path) -> Self {
        let path = dir.join("raw");
        Self(OpenOptions::new().create_new(true).append(true).open(path).expect("a file"))
    }

    fn append(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("written");
        self.0.sync_data().expect("synced");
    }
}

const RAW: &str = "append + fdatasync";

/// One author, one or many entries a commit, with and without bodies.
pub(crate) fn store(sizes: &Sizes) -> Vec<Row> {
    let federation = Federation::found(&["sg", "ph"]);
    let (own, keys) = (origin("sg"), federation.keyring("sg"));
    let mut rows = Vec::new();
    for (writers, kib, target) in [
        (1, 0, Target::AtLeast(0.6)),
        (1, 3, Target::AtLeast(0.6)),
        (64, 0, Target::AtLeast(0.5)),
        (64, 3, Target::AtLeast(0.5)),
    ] {
        let dir = folder();
        let mut store = federation.store(&dir.path().join("data"), "sg");
        let mut raw = Raw::new(dir.path());
        let (mut ours, mut limit) = (Samples::default(), Samples::default());
        for _ in 0..sizes.commits {
            let tree = store.tree(&own);
            let (entries, bodies): (Vec<_>, Vec<_>) = (tree.size()..tree.size() + writers)
                .map(|index| open_entry(&own, index, kib.max(1)))
                .unzip();
            let bodies = if kib == 0 { Vec::new() } else { bodies };
            let mut bytes: Vec<u8> =
                entries.iter().flat_map(|entry| entry.as_slice()).copied().collect();
            bytes.extend(bodies.iter().flat_map(|body| body.bytes()));
            ours.time(|| {
                let batch = VerifiedBatch::author(&tree, &own, entries, &keys.log).expect("signed");
                store.append(&batch, &bodies).expect("appended");
            });
            bytes.extend(store.head(&own).expect("a head").to_bytes());
            limit.time(|| raw.append(&bytes));
        }
        let what = match kib {
            0 => format!("store: a commit of {writers} without bodies, signed"),
            _ => format!("store: a commit of {writers} with a body of 3 KiB each, signed"),
        };
        rows.push(Row::speed(what, Unit::Seconds, &ours, (RAW, &limit), target));
    }
    rows
}

/// Through the engine's queue, as the API does.
pub(crate) async fn engine(sizes: &Sizes) -> Vec<Row> {
    let mut rows = Vec::new();
    for writers in [1, 64] {
        let (ours, raw) = written(sizes, publish, writers).await;
        let target = Target::AtLeast(if writers == 1 { 0.6 } else { 0.5 });
        let what = "engine: an information share (not sealed)";
        rows.push(row(what, writers, &ours, (RAW, &raw), target));
    }
    let (what, one) = sealing(sizes).await;
    for writers in [1, 64] {
        let (ours, _) = written(sizes, send, writers).await;
        let sealing = one.times(writers as f64);
        let limit = ("sealing them alone, on one core", &sealing);
        rows.push(row("engine: a referral (sealed)", writers, &ours, limit, Target::None));
    }
    rows.push(Row::alone(what, Unit::Seconds, &one, Target::None));
    rows
}

fn row(what: &str, writers: u64, ours: &Samples, limit: (&str, &Samples), target: Target) -> Row {
    let unit = Unit::Rate("writes", writers as f64);
    let writers = if writers == 1 { "1 caller".into() } else { format!("{writers} callers") };
    Row::speed(format!("{what}, {writers}"), unit, ours, limit, target)
}

/// What each round of one write a caller took, and the same bytes appended raw.
async fn written(sizes: &Sizes, write: fn(u64) -> Write, writers: u64) -> (Samples, Samples) {
    let federation = Federation::found(&["sg", "ph"]);
    let dir = folder();
    let node = Node::start(&federation, "sg", &dir.path().join("data"), None);
    let mut raw = Raw::new(dir.path());
    let (mut ours, mut limit) = (Samples::default(), Samples::default());
    // Many writes a round of many writers, so that what waits can be committed together.
    let each = if writers == 1 { 1 } else { sizes.writes_each };
    let rounds = if writers == 1 { sizes.commits / 2 } else { sizes.rounds };
    for round in 0..rounds {
        let before = noted(&node.noted).bytes;
        let writes: Vec<Vec<Write>> = (0..writers)
            .map(|writer| (0..each).map(|n| write((round * writers + writer) * each + n)).collect())
            .collect();
        let start = Instant::now();
        let tasks: Vec<_> = writes
            .into_iter()
            .map(|writes| {
                let engine = node.engine.clone();
                tokio::spawn(async move {
                    for write in writes {
                        engine.write(Order::by_node(write)).await.expect("written");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a writer");
        }
        ours.add(start.elapsed().as_secs_f64() / each as f64);
        let bytes = (noted(&node.noted).bytes - before) / each;
        let bytes = body(round, usize::try_from(bytes).expect("few"));
        limit.time(|| raw.append(&bytes));
        if writers > 1 {
            (1..each).for_each(|_| limit.time(|| raw.append(&bytes)));
        }
    }
    node.stop().await;
    (ours, limit)
}

/// What sealing alone takes, of bodies of the same sizes to as many recipients.
async fn sealing(sizes: &Sizes) -> (String, Samples) {
    let federation = Federation::found(&["sg", "ph"]);
    let dir = folder();
    let node = Node::start(&federation, "sg", dir.path(), None);
    node.engine.write(Order::by_node(send(0))).await.expect("written");
    let entries = node.engine.ask(|engine, _| engine.store().entries(&origin("sg"), 0, 1, 4096));
    let entry = entries.await.expect("asked").expect("read").remove(0);
    node.stop().await;
    let Ok(Entry::V1(header)) = Entry::parse(entry.as_slice()) else { panic!("no entry") };
    let keys = [federation.keyring("sg"), federation.keyring("ph")];
    let parties = keys
        .map(|keys| sealing::Party { case: keys.case.recipient(), audit: keys.audit.recipient() });
    // As large as they may be without taking a larger frame than it took.
    let (record, content) = (vec![7; 600], vec![7; 1_500]);
    let mut samples = Samples::default();
    for _ in 0..sizes.commits / 2 {
        samples
            .time(|| sealing::seal_both(&record, &content, &parties, &mut OsRng).expect("sealed"));
    }
    let what = format!(
        "sealing one referral ({} + {} bytes, 6 + 3 stanzas)",
        header.record.size,
        header.content.map_or(0, |content| content.size)
    );
    (what, samples)
}
