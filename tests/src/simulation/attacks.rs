//! Attacks 2, 4, 5 and 9 of the list, as simulations.

use std::collections::{BTreeMap, BTreeSet};

use tutti_core::{society::Origin, store::Reader as _};

use super::{Conduct, Load, Network, Plan, Simulation, TEN_YEARS_MS, Tampering, scenarios::number};

/// What is missing somewhere is shown there after this long: the head says how much there is.
const SHOWN_WITHIN_MS: u64 = 60_000;

/// Which node lacks entries of which log and does not know it, and since when.
#[derive(Default)]
struct Omissions {
    unshown: BTreeMap<(usize, Origin), u64>,
    shown: BTreeSet<(usize, Origin)>,
    longest_ms: u64,
}

impl Omissions {
    /// Fails where somebody believes in more than was ever signed, or lacks something for long and does
    /// not say so.
    fn look(&mut self, simulation: &Simulation) {
        let now_ms = simulation.now_ms();
        let truth = simulation.truth();
        for (number, node) in simulation.nodes().iter().enumerate() {
            for (origin, size, _) in truth.honest() {
                let held = node.store().tree(origin).size();
                let known = node.engine().expect("is on").log_beyond(origin).known;
                let who = node.society();
                assert!(known <= size, "{who}: {known} of {origin}, where {size} were signed");
                let place = (number, origin.clone());
                if held == size || known > held {
                    if known > held {
                        self.shown.insert(place.clone());
                    }
                    self.unshown.remove(&place);
                    continue;
                }
                let for_ms = now_ms - *self.unshown.entry(place).or_insert(now_ms);
                self.longest_ms = self.longest_ms.max(for_ms);
                assert!(for_ms <= SHOWN_WITHIN_MS, "{who} lacks {held}.. of {origin} unknowingly");
            }
        }
    }
}

/// Two halves of a federation hear of each other through three carriers alone, who tamper; one of them is
/// a relay by the roster, and so carries bodies, too.
fn through_carriers(tampering: Tampering, seed: u64) {
    let mut simulation = Simulation::new(&Plan { relays: 1, ..Plan::new(12, seed) });
    let mut load = Load::default();
    simulation.partition(|node| match node {
        0..=3 => 1,
        4..=8 => 2,
        _ => 3,
    });
    for carrier in 9..12 {
        simulation.tamper(carrier, tampering);
    }
    simulation.run(3_000);
    load.many(&mut simulation, 40, 300);
    let (mut omissions, began_ms) = (Omissions::default(), simulation.now_ms());
    while !simulation.logs_converged() {
        omissions.look(&simulation);
        let for_ms = simulation.now_ms() - began_ms;
        assert!(for_ms <= 1_800_000, "the logs do not come through");
        simulation.run(1_000);
    }
    println!(
        "apart for {} s more: omissions shown at {} nodes and logs, the longest one unshown for {} s",
        (simulation.now_ms() - began_ms) / 1_000,
        omissions.shown.len(),
        omissions.longest_ms / 1_000
    );
    // What has gone missing was shown.
    assert!(!omissions.shown.is_empty(), "nothing was missing anywhere");
    let offers = simulation.traffic().frames("offer");
    assert!(offers > 0, "the relay was offered nothing");
    // From author to addressee alone bodies go only now, between the halves. The carriers go on.
    simulation.calm();
    simulation.settle(1_800_000);
    let carriers: Vec<_> = (9..12).map(|node| simulation.nodes()[node].society()).collect();
    for (who, blamed, why) in simulation.closed() {
        assert!(carriers.contains(blamed), "{who} blames {blamed}: {why}");
    }
    println!("{} links were closed on carriers", simulation.closed().len());
}

/// Attack 4: half of all is dropped, the rest comes out of order, twice and spliced.
#[test]
fn carriers_that_drop_reorder_and_splice_change_nothing() {
    through_carriers(Tampering { drops: 50, delays: 25, repeats: 10, splices: 3 }, 4);
}

/// Attack 3, where the author withholds what would prove it: of one history it gives everything, of
/// the other, which is longer, to some the head alone.
fn proof_withheld(count: usize) {
    let mut simulation =
        Simulation::new(&Plan { equivocators: count, ..Plan::new(12, 30 + count as u64) });
    let mut load = Load::default();
    simulation.withhold();
    simulation.run(2_000);
    let machine = |simulation: &Simulation, history: usize| -> Vec<usize> {
        let is_it =
            |node: &usize| simulation.nodes()[*node].conduct == Conduct::Equivocator(history);
        (0..simulation.nodes().len()).filter(is_it).collect()
    };
    for node in machine(&simulation, 0) {
        load.publish(&mut simulation, node, 2);
    }
    for node in machine(&simulation, 1) {
        load.publish(&mut simulation, node, 5);
    }
    simulation.run(300_000);
    // All know of it, as what it is; nobody calls it proven, nothing is frozen.
    let forked: Vec<_> = simulation.truth().forked().cloned().collect();
    assert_eq!(forked.len(), count);
    for node in simulation.nodes().iter().filter(|node| node.conduct == Conduct::Honest) {
        for origin in &forked {
            let beyond = node.engine().expect("is on").log_beyond(origin);
            assert!(beyond.doubted && !beyond.frozen, "{} {origin} {beyond:?}", node.society());
            assert!(node.store().evidence(origin).is_none());
            assert_eq!(node.store().tree(origin).size(), 2);
        }
        let truth = simulation.truth();
        let engine = node.engine().expect("is on");
        let doubted = truth.honest().filter(|(origin, ..)| engine.log_beyond(origin).contested);
        assert_eq!(doubted.count(), 0, "an honest log is in doubt at {}", node.society());
    }
    // The author goes on with the history that it gives: now everyone can prove it.
    for node in machine(&simulation, 0) {
        load.publish(&mut simulation, node, 4);
    }
    simulation.settle(180_000);
    // A body of the one history is not what the other's entry commits to.
    let liars: Vec<_> = forked.iter().map(|origin| origin.society()).collect();
    for (who, blamed, why) in simulation.closed() {
        assert!(liars.contains(blamed), "{who} blames {blamed}: {why}");
    }
}

#[test]
fn a_fork_whose_proof_is_withheld_is_in_doubt_everywhere() {
    (1..=5).for_each(proof_withheld);
}

/// Attack 2: hardly a frame comes through as it was. [`super::Truth`] fails the run at the first
/// entry that its author has not signed.
#[test]
fn carriers_that_forge_and_alter_are_believed_nothing() {
    through_carriers(Tampering { drops: 0, delays: 0, repeats: 0, splices: 40 }, 2);
}

/// Attack 5: frames that were once good come again and again, in any order. A sample; a million
/// with `TUTTI_REPLAYS=1000000`.
#[test]
fn replays_leave_the_state_unchanged() {
    let mut simulation = Simulation::new(&Plan::new(5, 5));
    let mut load = Load::default();
    simulation.record();
    simulation.run(2_000);
    load.many(&mut simulation, 30, 300);
    simulation.settle(120_000);
    let states = |simulation: &Simulation| -> Vec<String> {
        simulation.nodes().iter().map(|node| node.state_hash()).collect()
    };
    let before = states(&simulation);
    let times = number("TUTTI_REPLAYS").unwrap_or(10_000) as usize;
    let drawn = simulation.replay(times);
    simulation.settle(120_000);
    assert_eq!(states(&simulation), before);
    println!(
        "{times} replays delivered, of {drawn} drawn; {} links closed",
        simulation.closed().len()
    );
}

/// Attack 9: with clocks up to ten years off, and set to another year again and again, also while
/// links come up, everything goes as it goes with right ones, frame for frame.
#[test]
fn clocks_that_are_years_off_change_nothing() {
    let run = |skew_ms, set: bool| {
        let network = Network { cut_every_ms: 400, ..Network::default() };
        let mut simulation = Simulation::new(&Plan { skew_ms, network, ..Plan::new(8, 9) });
        let mut load = Load::default();
        for turn in 0..1_600 {
            let node = simulation.choose(8);
            let other_ms = simulation.choose(2 * TEN_YEARS_MS as usize) as i64;
            let skew_ms = match set {
                true => other_ms - TEN_YEARS_MS as i64,
                false => simulation.nodes()[node].skew_ms,
            };
            simulation.set_clock(node, skew_ms);
            if turn > 100 && turn % 30 == 0 {
                load.anything(&mut simulation);
            }
            simulation.run(10);
        }
        simulation.heal();
        simulation.settle(120_000);
        assert!(simulation.closed().is_empty(), "{:?}", simulation.closed());
        let states: Vec<_> = simulation.nodes().iter().map(|node| node.meaning()).collect();
        (states, simulation.trace_hash())
    };
    let right = run(0, false);
    assert_eq!(right, run(TEN_YEARS_MS, false));
    assert_eq!(right, run(TEN_YEARS_MS, true));
}
