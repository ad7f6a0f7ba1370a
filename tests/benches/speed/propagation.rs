//! Live propagation among three nodes: from the answer at the author to the moment at which the
//! entry is on the disks of both others.

use std::time::{Duration, Instant};

use tutti_core::society::Origin;
use tutti_node::engine::Order;

use crate::{
    Sizes,
    fixture::{Federation, folder, origin, publish},
    measure::{Row, Samples, Target, Unit},
    nodes::{Node, noted},
};

const CODES: [&str; 3] = ["sg", "ph", "qa"];

pub(crate) async fn rows(sizes: &Sizes) -> Vec<Row> {
    let mut rows = at_pace(sizes, "at rest", Duration::from_millis(20), sizes.commits / 4).await;
    let writes = 1000 * sizes.load_s;
    rows.extend(at_pace(sizes, "under 1 000 a second", Duration::from_millis(1), writes).await);
    rows
}

/// Writes every `pace`, without waiting for the answers.
async fn at_pace(sizes: &Sizes, what: &str, pace: Duration, writes: u64) -> Vec<Row> {
    let federation = Federation::found(&CODES);
    let folders = CODES.map(|_| folder());
    let nodes: Vec<Node> = CODES
        .iter()
        .zip(&folders)
        .map(|(code, dir)| {
            Node::start(&federation, code, dir.path(), Some(federation.listener(code)))
        })
        .collect();
    let [author, others @ ..] = nodes.as_slice() else { panic!("three nodes") };
    let log = origin("sg");
    // One write that reaches both, so that the links are up and the trees known.
    author.engine.write(Order::by_node(publish(u64::MAX))).await.expect("written");
    for other in others {
        other.until(|noted| noted.reached(&log, 1)).await;
    }
    tokio::time::sleep(Duration::from_millis(500 * sizes.load_s.min(4))).await;
    let prepared: Vec<_> = (0..writes).map(publish).collect();
    let mut clock = tokio::time::interval(pace);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut tasks = Vec::new();
    let begun = Instant::now();
    for write in prepared {
        clock.tick().await;
        let engine = author.engine.clone();
        tasks.push(tokio::spawn(async move {
            let asked = Instant::now();
            let receipt = engine.write(Order::by_node(write)).await.expect("written");
            (receipt.index, asked, Instant::now())
        }));
    }
    let mut answered = Vec::new();
    for task in tasks {
        answered.push(task.await.expect("a writer"));
    }
    let rate = writes as f64 / begun.elapsed().as_secs_f64();
    let ended = Instant::now();
    for other in others {
        other.until(|noted| noted.reached(&log, writes + 1)).await;
    }
    let (mut asking, mut spreading) = (Samples::default(), Samples::default());
    let reached: Vec<Vec<(u64, Instant)>> = others.iter().map(|other| grown(other, &log)).collect();
    for (index, asked, at) in answered {
        asking.took(at - asked);
        let both = reached.iter().map(|grew| {
            let first = grew.partition_point(|(size, _)| *size <= index);
            grew[first].1
        });
        let both = both.max().expect("two others");
        spreading.took(both.saturating_duration_since(at));
    }
    let mut bodies = Samples::default();
    for other in others {
        let all =
            |noted: &crate::nodes::Noted| noted.bodies_at.filter(|_| noted.bodies == writes + 1);
        let last = other.until(all).await;
        bodies.took(last.saturating_duration_since(ended));
    }
    for node in nodes {
        node.stop().await;
    }
    let rate = format!("{what} ({rate:.0} a second)");
    let row = |what: String, samples: &Samples, part: f64| {
        let mut one = Samples::default();
        one.add(samples.quantile(part));
        Row::alone(what, Unit::Seconds, &one, Target::None)
    };
    vec![
        row(format!("write to answer, {rate}, p50"), &asking, 0.5),
        row(format!("write to answer, {rate}, p99"), &asking, 0.99),
        row(format!("answer to durable at both others, {rate}, p50"), &spreading, 0.5),
        row(format!("answer to durable at both others, {rate}, p99"), &spreading, 0.99),
        row(format!("last answer to last body at both others, {rate}"), &bodies, 1.0),
    ]
}

fn grown(node: &Node, log: &Origin) -> Vec<(u64, Instant)> {
    let noted = noted(&node.noted);
    let of_log = noted.grew.iter().filter(|(origin, _, _)| origin == log);
    of_log.map(|(_, size, at)| (*size, *at)).collect()
}
