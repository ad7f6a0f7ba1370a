//! Federations of thirty under everything that networks and disks do, each with its seed.

use super::{Conduct, Load, Network, Odds, Plan, Simulation};

/// A number from the environment, for longer runs than the ordinary ones.
pub(super) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The median, the 99th percentile and the maximum.
pub(super) fn spread(mut delays_ms: Vec<u64>) -> [u64; 3] {
    delays_ms.sort_unstable();
    [500, 990, 1000].map(|share| delays_ms[(delays_ms.len() - 1) * share / 1000])
}

/// Everything at once: cut links, second links, a partition of three that heals, machines that
/// are switched off, disks that fail and fill up, clocks ten years off and jumping.
fn storm(members: usize, seed: u64) -> Simulation {
    let network =
        Network { latency_ms: (5, 400), jitter_ms: 50, cut_every_ms: 700, second_link_in: 10 };
    let odds = Odds { crash_in: 2_000, full_in: 500 };
    let mut simulation = Simulation::new(&Plan { network, odds, ..Plan::new(members, seed) });
    let mut load = Load::default();
    simulation.run(3_000);
    load.many(&mut simulation, 2 * members, 200);
    simulation.partition(|node| 1 << (node % 3));
    load.many(&mut simulation, members, 200);
    for _ in 0..4 {
        let (node, away_ms) = (simulation.choose(members), 1_000 + simulation.choose(10_000));
        simulation.stop(node, away_ms as u64);
        let (node, full) = (simulation.choose(members), simulation.choose(members));
        simulation.set_full(full, true);
        simulation.set_clock(node, -86_400_000);
    }
    load.many(&mut simulation, members, 200);
    simulation.heal();
    simulation.settle(300_000);
    simulation
}

/// One seed; as many as `TUTTI_STORMS` says where it is set, from the seed in `TUTTI_SEED`.
#[test]
fn nodes_converge_after_a_storm() {
    let first = number("TUTTI_SEED").unwrap_or(1);
    let members = number("TUTTI_MEMBERS").unwrap_or(20) as usize;
    for seed in first..first + number("TUTTI_STORMS").unwrap_or(1) {
        println!("storm with seed {seed}");
        let simulation = storm(members, seed);
        let (crashes, refusals) = simulation.faults();
        println!("{crashes} power cuts, {refusals} writes without room");
        assert!(simulation.closed().is_empty(), "{:?}", simulation.closed());
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = |seed| {
        let simulation = storm(9, seed);
        (simulation.trace_hash(), simulation.nodes()[3].meaning())
    };
    let first = trace(7);
    assert_eq!(first, trace(7));
    assert_ne!(first, trace(8));
}

/// Found by a storm of nine with seed 7: what came while there was no room was never asked for
/// again, until the next start.
#[test]
fn what_found_no_room_comes_when_there_is_room() {
    let mut simulation = Simulation::new(&Plan::new(5, 7));
    let mut load = Load::default();
    simulation.run(2_000);
    // The entry comes and its bodies do not; then neither does; then only cosignatures do not.
    load.send(&mut simulation, 0, 1);
    simulation.run(30);
    simulation.set_full(1, true);
    simulation.run(1_000);
    load.publish(&mut simulation, 0, 2);
    simulation.run(1_000);
    simulation.set_full(1, false);
    load.publish(&mut simulation, 2, 1);
    simulation.run(60);
    simulation.set_full(3, true);
    simulation.run(2_000);
    simulation.set_full(3, false);
    simulation.settle(60_000);
    assert!(simulation.closed().is_empty());
}

#[test]
fn real_stores_converge_like_those_in_memory() {
    let dir = tempfile::tempdir().expect("a folder");
    let network = Network { cut_every_ms: 2_000, ..Network::default() };
    let disks = Some(dir.path().into());
    let mut simulation = Simulation::new(&Plan { network, disks, ..Plan::new(4, 9) });
    let mut load = Load::default();
    simulation.run(2_000);
    for node in 0..4 {
        load.many(&mut simulation, 8, 200);
        simulation.stop(node, 3_000);
    }
    simulation.heal();
    simulation.settle(120_000);
}

#[test]
fn a_small_federation_pushes_to_all() {
    let mut simulation = Simulation::new(&Plan::new(8, 3));
    let mut load = Load::default();
    simulation.run(3_000);
    for node in 0..8 {
        load.publish(&mut simulation, node, 1);
        simulation.run(1_000);
    }
    assert_eq!(simulation.redundant_batches(), 0);
    assert_eq!(simulation.traffic().frames("want"), 0);
    simulation.settle(5_000);
    let slowest = simulation.truth().delays_ms().iter().copied().max();
    assert!(slowest.is_some_and(|ms| ms <= 50), "one hop: {slowest:?}");
}

#[test]
fn a_node_that_was_away_for_hundreds_of_entries_catches_up() {
    let mut simulation = Simulation::new(&Plan::new(5, 5));
    let mut load = Load::default();
    simulation.run(2_000);
    simulation.stop(2, 60_000);
    for _ in 0..20 {
        load.publish(&mut simulation, 0, 20);
        simulation.run(200);
    }
    simulation.run(60_000);
    simulation.settle(30_000);
}

/// Found by killing nodes under sealed cases: all that had piled up was told as soon as a link came up, which
/// cut it, and each one after it.
#[test]
fn what_has_piled_up_for_somebody_cuts_no_link() {
    const CASES: u64 = 300;
    let mut simulation = Simulation::new(&Plan { relays: 1, skew_ms: 0, ..Plan::new(3, 13) });
    let mut load = Load::default();
    simulation.run(2_000);
    // A relay takes what is for who is away, and gives it on while the sender is.
    simulation.stop(1, 60_000);
    for _ in 0..CASES {
        load.send(&mut simulation, 0, 1);
        simulation.run(50);
    }
    simulation.run(10_000);
    simulation.stop(0, 180_000);
    simulation.run(170_000);
    simulation.stop(1, 1_000);
    simulation.run(20_000);
    simulation.settle(300_000);
    assert!(simulation.closed().is_empty(), "{:?}", simulation.closed());
    assert!(simulation.traffic().frames("received") > 2 * CASES);
}

fn equivocators(count: usize) {
    let network = Network { cut_every_ms: 2_000, ..Network::default() };
    let plan = Plan { network, equivocators: count, ..Plan::new(30, count as u64) };
    let mut simulation = Simulation::new(&plan);
    let mut load = Load::default();
    simulation.run(2_000);
    // Both machines of each tell their histories, of lengths that differ and go on differing: where
    // one author's machine hides what it has signed, the log stays in doubt until the other grows.
    for round in 0..3 {
        for node in 0..simulation.nodes().len() {
            if let Conduct::Equivocator(history) = simulation.nodes()[node].conduct {
                let longest = if round == 2 && history == count % 2 { 9 } else { 0 };
                load.publish(&mut simulation, node, 1 + (history + count) % 3 + longest);
                simulation.run(100);
            }
        }
        load.many(&mut simulation, 3, 200);
    }
    simulation.heal();
    simulation.settle(180_000);
    assert_eq!(simulation.truth().forked().count(), count);
}

/// Attack 3: every honest node ends with the evidence, or [`Simulation::settle`] fails.
#[test]
fn one_or_two_equivocators_are_found_out_by_every_honest_node() {
    (1..=2).for_each(equivocators);
}

#[test]
fn three_to_five_equivocators_are_found_out_by_every_honest_node() {
    (3..=5).for_each(equivocators);
}
