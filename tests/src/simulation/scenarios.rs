//! Federations of thirty under everything that networks do, each with its seed.

use std::collections::BTreeMap;

use tutti_core::store::{MemoryStore, Reader as _};

use super::{Conduct, Network, Simulation, origin};

fn simulation(
    members: usize,
    equivocators: usize,
    network: Network,
    seed: u64,
) -> Simulation<MemoryStore> {
    Simulation::new(members, equivocators, 2, network, seed, |_| MemoryStore::new())
}

/// Random authors write for a while.
fn write_at_random(simulation: &mut Simulation<MemoryStore>, times: usize, apart_ms: u64) {
    for _ in 0..times {
        let node = simulation.choose(simulation.nodes().len());
        let count = 1 + simulation.choose(3) as u64;
        simulation.write(node, count);
        simulation.run(apart_ms);
    }
}

/// Everything at once: cut links, second links, a partition of three that heals, restarts, and
/// clocks up to ten years off.
fn storm(seed: u64) -> Simulation<MemoryStore> {
    let network = Network { latency_ms: (5, 400), cut_every_ms: 700, second_link_in: 10 };
    let mut simulation = simulation(30, 0, network, seed);
    simulation.run(3_000);
    write_at_random(&mut simulation, 15, 300);
    simulation.partition(|node| node as u32 % 3);
    write_at_random(&mut simulation, 15, 300);
    for _ in 0..4 {
        let node = simulation.choose(30);
        let away_ms = 1_000 + simulation.choose(10_000) as u64;
        simulation.restart(node, away_ms);
    }
    write_at_random(&mut simulation, 10, 300);
    simulation.heal();
    simulation.settle(180_000);
    simulation.run(10_000);
    simulation.check_bodies(true);
    assert!(simulation.misbehaved().is_empty(), "{:?}", simulation.misbehaved());
    simulation
}

/// One seed; as many as `TUTTI_STORMS` says where it is set, from the seed in `TUTTI_SEED`.
#[test]
fn thirty_nodes_converge_after_a_storm() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("TUTTI_SEED").unwrap_or(1);
    for seed in first..first + number("TUTTI_STORMS").unwrap_or(1) {
        println!("storm with seed {seed}");
        storm(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = |seed| {
        let network = Network { latency_ms: (5, 100), cut_every_ms: 500, second_link_in: 5 };
        let mut simulation = simulation(12, 1, network, seed);
        write_at_random(&mut simulation, 20, 400);
        simulation.restart(3, 2_000);
        simulation.run(20_000);
        simulation.trace_hash()
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

#[test]
fn equivocators_are_found_out_by_every_honest_node() {
    for equivocators in 1..=5 {
        let network = Network { cut_every_ms: 2_000, ..Network::default() };
        let mut simulation = simulation(12, equivocators, network, equivocators as u64);
        simulation.run(2_000);
        // Both machines of each tell their histories, of lengths that differ.
        for node in 0..simulation.nodes().len() {
            if let Conduct::Equivocator(history) = simulation.nodes()[node].conduct {
                assert!(simulation.write(node, 1 + (history as u64 + equivocators as u64) % 3));
                simulation.run(100);
            }
        }
        write_at_random(&mut simulation, 10, 200);
        simulation.heal();
        simulation.settle(180_000);
        simulation.check_bodies(false);
        assert_eq!(simulation.truth().forked().count(), equivocators);
    }
}

#[test]
fn a_small_federation_pushes_to_all() {
    let mut simulation = simulation(8, 0, Network::default(), 3);
    simulation.run(3_000);
    for node in 0..8 {
        simulation.write(node, 1);
        simulation.run(1_000);
    }
    assert_eq!(simulation.redundant_batches(), 0);
    assert_eq!(simulation.frames().get("want"), None);
    simulation.settle(5_000);
    let slowest = simulation.delays_ms().iter().max();
    assert!(slowest.is_some_and(|ms| *ms <= 50), "one hop: {slowest:?}");
}

#[test]
fn a_node_that_lost_its_disk_fetches_its_own_log_before_it_signs() {
    let network = Network { cut_every_ms: 1_000, ..Network::default() };
    let mut simulation = simulation(10, 0, network, 11);
    simulation.run(3_000);
    for round in 0..6 {
        simulation.write(4, 3);
        write_at_random(&mut simulation, 3, 500);
        if round % 2 == 1 {
            simulation.restart(4, 2_000);
            simulation.replace_store(4, MemoryStore::new(), 12_000);
            simulation.run(15_000);
        }
    }
    simulation.heal();
    simulation.settle(180_000);
    let own = origin(simulation.nodes()[4].society());
    assert!(simulation.nodes()[4].store().tree(&own).size() >= 18);
}

#[test]
fn a_node_that_was_away_for_a_thousand_entries_catches_up() {
    let mut simulation = simulation(5, 0, Network::default(), 5);
    simulation.run(2_000);
    simulation.restart(2, 60_000);
    for _ in 0..50 {
        simulation.write(0, 20);
        simulation.run(200);
    }
    simulation.run(60_000);
    simulation.settle(30_000);
    simulation.check_bodies(true);
}

/// What the design asks to be measured: thirty nodes, 10 to 50 ms a link, all of them up.
#[test]
fn thirty_nodes_measured() {
    let mut simulation = simulation(30, 0, Network::default(), 1);
    simulation.run(5_000);
    let before: BTreeMap<_, _> = simulation.frames().clone();
    let entries = 20;
    for number in 0..entries {
        simulation.write(number, 1);
        simulation.run(5_000);
    }
    simulation.settle(10_000);
    let mut delays = simulation.delays_ms().to_vec();
    delays.sort_unstable();
    assert_eq!(delays.len(), entries * 29, "each entry reached each other node");
    let at = |share: usize| delays[(delays.len() - 1) * share / 1000];
    println!("time to a node: p50 {} ms, p99 {} ms, max {} ms", at(500), at(990), at(1000));
    let redundant = simulation.redundant_batches();
    println!("redundant batches an entry: {:.2}", redundant as f64 / entries as f64);
    for (kind, count) in simulation.frames() {
        let new = count - before.get(kind).copied().unwrap_or_default();
        println!("{kind} frames an entry: {:.1}", new as f64 / entries as f64);
    }
    assert!(at(1000) <= 1_000 && redundant <= entries as u64 * 3);
}
