//! A deterministic simulator of a federation: the engine and the exchange that run in production,
//! with virtual time, on simulated disks ([`disk`]) and a simulated network ([`network`]), with
//! clocks that are years apart.
//!
//! Everything random comes from one seed, but for one thing: age draws its own keys (ADR 1), so the
//! sealed bytes differ between two runs of one seed, and with them hashes and signatures. Nothing
//! depends on their values: the same seed gives the same trace, frame for frame, with the same
//! kinds, places and sizes (but for those of sealed bodies) at the same times. What must hold at
//! every moment is in [`truth`], what must hold at the end in [`verdict`].
//!
//! Time in which nothing happens need not be stepped through: [`Simulation::run_until`] lets it
//! pass at once where for twelve seconds there was nothing on the wires but frontiers; then
//! every timer that has become due meanwhile rings late, as on machines that were asleep.

#[cfg(test)]
mod attacks;
mod disk;
mod events;
mod federation;
#[cfg(test)]
mod histories;
mod keeping;
mod links;
mod load;
#[cfg(test)]
mod measured;
mod network;
mod node;
#[cfg(test)]
mod restores;
#[cfg(test)]
mod scenarios;
mod truth;
mod verdict;
mod writing;
#[cfg(test)]
mod year;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    rc::Rc,
};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::RngCore as _;
use sha2::{Digest as _, Sha256};
use tutti_core::{society::Society, store::MemoryStore};
use tutti_proto::v1;

use self::{
    disk::Medium,
    events::Event,
    network::{Carrier, Wire},
    writing::Job,
};
pub use self::{
    disk::{Disk, Odds},
    federation::{Federation, origin, society},
    load::{Case, Load},
    network::{Network, Tampering, Traffic},
    node::{Conduct, Node},
    truth::Truth,
};

/// What a federation is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many societies.
    pub members: usize,
    /// How many of them, the first ones, run two machines with the same keys.
    pub equivocators: usize,
    /// How many of them, the last ones, are store-and-forward relays by the roster.
    pub relays: usize,
    /// How links behave.
    pub network: Network,
    /// How often a write ends badly.
    pub odds: Odds,
    /// Clocks are off by up to so much, milliseconds.
    pub skew_ms: u64,
    /// How long contents are kept that were sent without a day. Clocks are up to twenty years apart:
    /// with less than that, some are erased before they have come.
    pub retention_days: u32,
    /// Real stores below this folder; none for stores in memory.
    pub disks: Option<PathBuf>,
    /// Decides everything.
    pub seed: u64,
}

impl Plan {
    /// All honest, on disks that do not fail, with clocks that are up to ten years off.
    pub fn new(members: usize, seed: u64) -> Self {
        Self {
            members,
            equivocators: 0,
            relays: 0,
            network: Network::default(),
            odds: Odds::default(),
            skew_ms: TEN_YEARS_MS,
            retention_days: 36_500,
            disks: None,
            seed,
        }
    }
}

/// See the module.
pub struct Simulation {
    federation: Federation,
    nodes: Vec<Node>,
    truth: Rc<RefCell<Truth>>,
    network: Network,
    carriers: BTreeMap<usize, Carrier>,
    /// The second machines of equivocators show heads, and give nobody the entries.
    withholding: bool,
    now_ms: u64,
    /// When something last happened that was not idling.
    busy_ms: u64,
    sequence: u64,
    /// Events since time last went on.
    still: u64,
    events: BTreeMap<(u64, u64), Event>,
    wires: BTreeMap<u64, Wire>,
    /// A bit for each side of a partition that a node is on.
    side: Vec<u32>,
    /// Pairs that keep a link, and how many.
    pairs: BTreeMap<(usize, usize), usize>,
    /// Pairs that wait for the other end to be there again.
    waiting: BTreeSet<(usize, usize)>,
    next_wire: u64,
    ticks: Vec<Option<u64>>,
    rng: ChaCha20Rng,
    trace: Sha256,
    traffic: Traffic,
    unanswered: BTreeMap<usize, Vec<Job>>,
    refused: u64,
    /// Who closed a link on whom, and why.
    closed: Vec<(Society, Society, String)>,
    /// Frames that were delivered, where they are kept.
    recording: Option<Vec<(usize, usize, v1::Frame)>>,
}

/// 2026-01-01.
const START_MS: u64 = 1_767_225_600_000;

/// As far as a clock is off at most, either way.
pub const TEN_YEARS_MS: u64 = 315_360_000_000;

/// Longer than any wait for an answer.
const QUIET_MS: u64 = 12_000;

impl Simulation {
    /// All machines are on.
    pub fn new(plan: &Plan) -> Self {
        let federation = Federation::new(plan.members, plan.relays, plan.retention_days);
        let truth = Rc::new(RefCell::new(Truth::starting(START_MS, plan.retention_days)));
        let mut rng = ChaCha20Rng::seed_from_u64(plan.seed);
        let mut nodes = Vec::new();
        for number in 0..plan.members {
            let society = society(number);
            for machine in 0..if number < plan.equivocators { 2 } else { 1 } {
                let conduct = match number < plan.equivocators {
                    true => Conduct::Equivocator(machine),
                    false => Conduct::Honest,
                };
                let medium = match &plan.disks {
                    None => Medium::Memory(Box::new(MemoryStore::new())),
                    Some(dir) => {
                        let dir = dir.join(society.as_str());
                        Medium::Real(None, dir, Box::new(federation.roster.clone()))
                    }
                };
                // Drawn also where clocks are right, so that all else stays the same.
                let skew = rng.next_u64() % (2 * TEN_YEARS_MS);
                let skew = i64::try_from(skew.min(2 * plan.skew_ms)).unwrap_or_default();
                let skew = skew - i64::try_from(plan.skew_ms).unwrap_or_default();
                let disk_rng = ChaCha20Rng::seed_from_u64(rng.next_u64());
                let disk = Disk::new(society, conduct, medium, disk_rng, truth.clone());
                disk.platter().odds = plan.odds;
                nodes.push(Node::new(society, conduct, disk, rng.next_u64(), skew, truth.clone()));
            }
        }
        let count = nodes.len();
        let mut simulation = Self {
            federation,
            nodes,
            truth,
            network: plan.network,
            carriers: BTreeMap::new(),
            withholding: false,
            now_ms: START_MS,
            busy_ms: START_MS,
            sequence: 0,
            still: 0,
            events: BTreeMap::new(),
            wires: BTreeMap::new(),
            side: vec![u32::MAX; count],
            pairs: BTreeMap::new(),
            waiting: BTreeSet::new(),
            next_wire: 1,
            ticks: vec![None; count],
            rng,
            trace: Sha256::new(),
            traffic: Traffic::default(),
            unanswered: BTreeMap::new(),
            refused: 0,
            closed: Vec::new(),
            recording: None,
        };
        for node in simulation.nodes.iter().rev().take(plan.relays) {
            simulation.truth.borrow_mut().relays.insert(node.society);
        }
        for node in &mut simulation.nodes {
            node.start(&simulation.federation, START_MS);
        }
        simulation.plan_links();
        simulation
    }

    fn random(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }
}
