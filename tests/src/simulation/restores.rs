//! Attack 14: machines that come back from old backups, again and again. [`super::Truth`] fails the
//! run at the first index that is signed twice.

use tutti_core::store::{MemoryStore, Reader as _};

use super::{Load, Network, Plan, Simulation, origin, scenarios::number};

/// The node that is restored.
const OWN: usize = 3;

/// Restores in one federation: logs stay small, as each start reads them all.
const ROUND: u64 = 50;

fn held(simulation: &Simulation) -> u64 {
    let node = &simulation.nodes()[OWN];
    node.store().tree(&origin(node.society())).size()
}

/// One restore: alone for a while, then with one peer in reach that has seen everything, and
/// perhaps with one that has not, while somebody tries to write all the time.
fn restore(simulation: &mut Simulation, load: &mut Load, backups: &mut Vec<MemoryStore>) {
    // One peer hears nothing of what is written now.
    let stale = simulation.choose(3);
    simulation.partition(|node| if node == stale { 1 } else { 2 });
    let count = 1 + simulation.choose(3);
    load.publish(simulation, OWN, count);
    simulation.run(400);
    if simulation.choose(3) == 0 {
        backups.push(simulation.backup(OWN));
    }
    let count = simulation.choose(3);
    load.publish(simulation, OWN, count);
    simulation.run(1_500);
    simulation.stop(OWN, 500);
    let backup = backups[simulation.choose(backups.len())].clone();
    simulation.replace_disk(OWN, backup);

    simulation.partition(|node| if node == OWN { 1 } else { 2 });
    simulation.run(600);
    let before = (held(simulation), simulation.signatures(OWN));
    load.publish(simulation, OWN, 1);
    for _ in 0..20 {
        simulation.run(1_000);
        simulation.retry_all();
    }
    assert_eq!((held(simulation), simulation.signatures(OWN)), before, "signed with none in reach");

    let current = (stale + 1 + simulation.choose(2)) % 3;
    let both = simulation.choose(2) == 0;
    simulation.partition(|node| match node {
        OWN => 1,
        _ if node == current => 1,
        _ if node == stale && both => 4 | 1,
        _ => 2,
    });
    simulation.reach();
    let mut waited_ms = 0;
    while simulation.waits_to_write(OWN) {
        simulation.run(50);
        simulation.retry_all();
        waited_ms += 50;
        assert!(waited_ms < 60_000, "with a current peer in reach the node writes again");
    }
    simulation.rejoin();
    simulation.run(2_000);
}

/// A sample; thousands with `TUTTI_RESTORES=2000`.
#[test]
fn a_node_that_is_restored_again_and_again_never_forks() {
    let times = number("TUTTI_RESTORES").unwrap_or(ROUND);
    for round in 0..times.div_ceil(ROUND) {
        let mut simulation = Simulation::new(&Plan::new(4, 1_000 + round));
        let mut load = Load::default();
        // The first is from before the node had written anything.
        let mut backups = vec![simulation.backup(OWN)];
        simulation.run(2_000);
        for _ in 0..ROUND.min(times - round * ROUND) {
            restore(&mut simulation, &mut load, &mut backups);
        }
        simulation.heal();
        simulation.settle(120_000);
        assert_eq!(simulation.truth().forked().count(), 0);
    }
    println!("{times} restores");
}

/// The same among cut links: people write at once, and nothing is signed before peers have told
/// the node of its log and given it back.
#[test]
fn a_node_that_was_restored_from_a_backup_does_not_fork() {
    let network = Network { cut_every_ms: 1_500, ..Network::default() };
    let mut simulation = Simulation::new(&Plan { network, ..Plan::new(6, 11) });
    let mut load = Load::default();
    simulation.run(2_000);
    for _ in 0..4 {
        load.publish(&mut simulation, OWN, 2);
        let backup = simulation.backup(OWN);
        load.publish(&mut simulation, OWN, 3);
        load.many(&mut simulation, 5, 300);
        simulation.run(3_000);
        simulation.stop(OWN, 500);
        simulation.replace_disk(OWN, backup);
        simulation.run(501);
        load.publish(&mut simulation, OWN, 1);
        simulation.run(20_000);
    }
    simulation.heal();
    simulation.settle(180_000);
    assert!(held(&simulation) >= 24);
}

#[test]
fn a_node_that_lost_its_disk_gets_its_log_back() {
    let mut simulation = Simulation::new(&Plan::new(6, 12));
    let mut load = Load::default();
    simulation.run(2_000);
    load.publish(&mut simulation, OWN, 5);
    simulation.run(3_000);
    simulation.stop(OWN, 500);
    simulation.replace_disk(OWN, MemoryStore::new());
    simulation.run(600);
    load.publish(&mut simulation, OWN, 1);
    simulation.run(15_000);
    simulation.settle(60_000);
    assert_eq!(held(&simulation), 6);
}
