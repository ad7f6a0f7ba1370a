//! Ten minutes under ten writes a second, and a thousand at once every minute: ten times what was
//! measured first. Half are sealed to the node that is watched, half are for all members.
//!
//! *Flat* is: from the second minute to the end its memory grows by no more than what it keeps of the
//! cases and shares that came in between, and what two stores that fill up may take of them, as a heap
//! profile in `docs/performance.md` counts it.
//!
//! `cargo bench -p tutti-tests -- load`: not part of the table, for it takes as long as it says; with
//! `--minutes=2` or another number in its place for that long.

use std::time::{Duration, Instant};

use tutti_node::{
    client::{Target as At, connect},
    engine::Order,
};
use tutti_proto::node::v1::{StatusRequest, node_client::NodeClient};

use crate::{
    Sizes,
    fixture::{Federation, folder, origin, publish, send},
    measure::{Row, Samples, Target, Unit},
    memory::Process,
    nodes::Node,
};

const STEADY: u64 = 10;
const BURST: u64 = 1000;
const BURST_EVERY_S: u64 = 60;

/// What is kept of a case and of a share for good, bytes: in registers, by place and by deadline.
const CASE_BYTES: u64 = 385;
const SHARE_BYTES: u64 = 195;

/// What is held of each entry until the commit log is full, and is free again then.
const NEWEST_BYTES: u64 = 168;

/// What the index holds in memory of each body until its cache is full.
const INDEXED_BYTES: u64 = 185;

/// By how much memory may grow for so many; the allocator may take a third more than it was asked for.
fn allowed_bytes(cases: u64, shares: u64) -> u64 {
    let (entries, bodies) = (cases + shares, 2 * cases + shares);
    let kept = cases * CASE_BYTES + shares * SHARE_BYTES;
    let bounded = entries * NEWEST_BYTES + bodies * INDEXED_BYTES;
    (kept + bounded) * 4 / 3
}

pub(crate) async fn rows(sizes: &Sizes) -> Vec<Row> {
    let mut federation = Federation::found(&["sg", "ph", "qa"]);
    let (home, dir) = (federation.home("ph"), folder());
    let listener = federation.listener("sg");
    federation.release();
    let watched = Process::start(&home).await;
    let _third = Process::start(&federation.home("qa")).await;
    let author = Node::start(&federation, "sg", dir.path(), Some(listener));
    let channel = connect(&At::Dir(home)).await.expect("connected");
    let mut client = NodeClient::new(channel);
    let (mut written, mut early, mut last) = (0u64, None, 0.0);
    let mut asking = Samples::default();
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    for second in 0..sizes.minutes * 60 {
        clock.tick().await;
        let burst = second % BURST_EVERY_S == BURST_EVERY_S / 2;
        let many = if burst { BURST } else { STEADY };
        let tasks: Vec<_> = (written..written + many)
            .map(|n| {
                let engine = author.engine.clone();
                let write = if n % 2 == 0 { send(n) } else { publish(n) };
                tokio::spawn(async move {
                    let asked = Instant::now();
                    engine.write(Order::by_node(write)).await.expect("written");
                    asked.elapsed()
                })
            })
            .collect();
        for task in tasks {
            asking.took(task.await.expect("a writer"));
        }
        written += many;
        if second % 10 == 9 {
            last = watched.memory().0;
            if second + 1 >= 120.min(sizes.minutes * 30) {
                early.get_or_insert((last, written));
            }
            eprintln!("{} s: {written} written, {:.1} MiB", second + 1, last / 1_048_576.0);
        }
    }
    let log = origin("sg").to_string();
    let behind = Instant::now();
    loop {
        let status = client.status(StatusRequest {}).await.expect("a status").into_inner();
        let whole = status.logs.iter().any(|held| held.origin == log && held.size == written);
        let shown: u64 = status.referrals.values().sum();
        if whole && shown == written.div_ceil(2) {
            break;
        }
        assert!(behind.elapsed() < Duration::from_secs(120), "the watched node did not follow");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    author.stop().await;
    let (early, early_written) = early.unwrap_or((last, written));
    let one = |value: f64| {
        let mut samples = Samples::default();
        samples.add(value);
        samples
    };
    let more = (written - early_written).max(1);
    let kept = allowed_bytes(more.div_ceil(2), more / 2);
    vec![
        Row::cost(
            format!("memory at the end of {} minutes, {written} writes", sizes.minutes),
            Unit::Bytes,
            &one(last),
            ("after the second minute, with what is kept since", &one(early + kept as f64)),
            Target::AtMost(1.0),
        ),
        Row::alone(
            "of that since then, for each write",
            Unit::Bytes,
            &one((last - early).max(0.0) / more as f64),
            Target::AtMost(allowed_bytes(500, 500) as f64 / 1000.0),
        ),
        Row::alone("write to answer, p50", Unit::Seconds, &one(asking.quantile(0.5)), Target::None),
        Row::alone(
            "write to answer, p99",
            Unit::Seconds,
            &one(asking.quantile(0.99)),
            Target::None,
        ),
    ]
}
