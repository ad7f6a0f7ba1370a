//! Time to each node and to all nodes, bytes and redundancy, for thirty nodes and for one in each country.
//! Of an entry, the time to all nodes is that to the last of them.
//!
//! Plumtree, measured at these sizes with the same links and random senders: at most 443 ms, and a
//! third of all messages redundant.

use super::{
    Load, Network, Plan, Simulation, Traffic,
    scenarios::{number, spread},
};

/// Random societies write one entry each, all links being up, 10 to 50 ms long.
fn measured(members: usize, entries: usize, seed: u64) -> Simulation {
    let mut simulation = Simulation::new(&Plan::new(members, seed));
    let mut load = Load::default();
    simulation.run(5_000);
    simulation.truth().forget_delays();
    let (before, batches) = (simulation.traffic().clone(), counts(&simulation));
    for _ in 0..entries {
        let node = simulation.choose(members);
        load.publish(&mut simulation, node, 1);
        simulation.run(5_000);
    }
    let delays = simulation.truth().delays_ms().to_vec();
    let to_all = simulation.truth().to_all_ms(members - 1);
    assert_eq!(delays.len(), entries * (members - 1), "each entry reached each other node");
    assert_eq!(to_all.len(), entries, "each entry reached all other nodes");
    for (what, delays) in [("to each node", delays), ("to all nodes", to_all)] {
        let [p50, p99, max] = spread(delays);
        println!("{members} nodes, {what}: p50 {p50} ms, p99 {p99} ms, max {max} ms");
    }
    let [.., slowest] = spread(simulation.truth().to_all_ms(members - 1));
    let (got, redundant) = counts(&simulation);
    let (got, redundant) = (got - batches.0, redundant - batches.1);
    let share = redundant as f64 / (got + redundant) as f64;
    println!(
        "{:.2} redundant batches an entry, {share:.3} of all",
        redundant as f64 / entries as f64
    );
    shown(&simulation.traffic().since(&before), entries);
    assert!(slowest < 443 && share < 0.33, "Plumtree does better");
    simulation
}

fn counts(simulation: &Simulation) -> (u64, u64) {
    simulation.nodes().iter().map(|node| node.tally()).fold((0, 0), |(got, redundant), tally| {
        (got + tally.batches, redundant + tally.batches_redundant)
    })
}

fn shown(traffic: &Traffic, entries: usize) {
    for (kind, frames, bytes) in traffic.by_kind() {
        let (frames, bytes) = (frames as f64, bytes as f64);
        let entries = entries as f64;
        println!("  {kind}: {:.1} frames, {:.0} bytes an entry", frames / entries, bytes / entries);
    }
    println!("  {} bytes an entry in all", traffic.bytes() / entries as u64);
}

#[test]
fn thirty_nodes_beat_plumtree() {
    measured(30, 5, 1).settle(120_000);
}

/// The short form: as many entries as fit into a few seconds.
#[test]
fn a_node_in_each_country_beats_plumtree() {
    let began = std::time::Instant::now();
    measured(191, number("TUTTI_ENTRIES").unwrap_or(3) as usize, 1).settle(120_000);
    println!("{} ms", began.elapsed().as_millis());
}

/// Found in a year of thirty: where frontiers crossed a push, a fifth of all batches were for
/// nothing. Each entry is written when every frontier is due.
#[test]
fn what_is_pushed_while_frontiers_are_shown_is_not_asked_for() {
    let network = Network { latency_ms: (10, 300), jitter_ms: 20, ..Network::default() };
    let mut simulation = Simulation::new(&Plan { network, ..Plan::new(30, 2) });
    let mut load = Load::default();
    simulation.run(20_000);
    let before = counts(&simulation);
    for _ in 0..10 {
        let later_ms = simulation.now_ms() + 3_600_000;
        simulation.run_until(later_ms);
        let node = simulation.choose(30);
        load.publish(&mut simulation, node, 1);
        simulation.run(20_000);
    }
    let (got, redundant) = counts(&simulation);
    let (got, redundant) = (got - before.0, redundant - before.1);
    let share = redundant as f64 / (got + redundant) as f64;
    println!("{redundant} of {} batches were for nothing", got + redundant);
    simulation.settle(120_000);
    assert!(share < 0.15, "{share:.3} of all batches were for nothing");
}
