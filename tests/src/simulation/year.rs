//! A year of thirty societies: working days in their own time zones, referrals that take days,
//! nights, weekends, outages, full disks, power cuts, and everything whole again every week. Over one pair
//! in ten all comes twice, and what one member sends is dropped, late, repeated or altered on its way.
//!
//! Contents are kept for a while and then erased, by the wall clock of each node: most are off by up
//! to a day and a half, every third by up to ten years, and people set them. At the end all clocks
//! are put right; when every time is over, both sides of each referral have erased all of it, and
//! have each other's receipts.

use std::collections::{BTreeMap, BTreeSet};

use tutti_core::referral::{Side, State};

use super::{
    Case, Load, Network, Odds, Plan, Simulation, Tampering,
    scenarios::{number, spread},
};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// How long contents are kept that were sent without a day, and with one, days.
const RETENTION_DAYS: u32 = 45;
const KEEP_DAYS: (u64, u64) = (5, 60);

/// One pair in so many has two links.
const SECOND_LINK_IN: u64 = 10;

/// What becomes of a hundred frames of the last member.
const TAMPERING: Tampering = Tampering { drops: 3, delays: 5, repeats: 5, splices: 1 };

/// Before one in so many acts a link is cut: more than a thousand times a year.
const CUT_IN: u64 = 10;

/// Steps that are tried on one case before people give up.
const TRIES: u32 = 16;

#[derive(Debug, Clone, Copy)]
enum Act {
    Send,
    Step {
        case: Case,
        side: Side,
        tries: u32,
    },
    Publish,
    Revise,
    /// A society's power or line is out.
    Outage,
    /// A region is cut off.
    Partition,
    Rejoin,
    Full,
    Room {
        node: usize,
    },
    /// Somebody sets a clock.
    Clock,
    /// All are on and reach each other, and are compared.
    Whole,
}

struct Year {
    simulation: Simulation,
    load: Load,
    agenda: BTreeMap<(u64, u64), Act>,
    /// Where referrals have stood.
    seen: BTreeSet<State>,
    sequence: u64,
    odds: Odds,
    start_ms: u64,
}

impl Year {
    fn new(members: usize, seed: u64) -> Self {
        let network = Network {
            latency_ms: (10, 300),
            jitter_ms: 20,
            second_link_in: SECOND_LINK_IN,
            ..Network::default()
        };
        let odds = Odds { crash_in: 20_000, full_in: 5_000 };
        let retention_days = RETENTION_DAYS;
        let plan = Plan { network, odds, retention_days, ..Plan::new(members, seed) };
        let mut simulation = Simulation::new(&plan);
        simulation.tamper(members - 1, TAMPERING);
        let start_ms = simulation.now_ms();
        let mut load = Load::default();
        load.keep_days = Some(KEEP_DAYS);
        load.seldom = true;
        let (agenda, seen) = (BTreeMap::new(), BTreeSet::new());
        let mut year = Self { simulation, load, agenda, seen, sequence: 0, odds, start_ms };
        (0..members).for_each(|node| year.set_clock(node));
        year
    }

    /// Somebody sets a clock, as well as they do there.
    fn set_clock(&mut self, node: usize) {
        let error_ms = if node.is_multiple_of(3) { super::TEN_YEARS_MS } else { 36 * HOUR_MS };
        let skew_ms = self.random(2 * error_ms) as i64 - error_ms as i64;
        self.simulation.set_clock(node, skew_ms);
    }

    fn plan(&mut self, at_ms: u64, act: Act) {
        self.sequence += 1;
        self.agenda.insert((at_ms, self.sequence), act);
    }

    fn random(&mut self, bound: u64) -> u64 {
        self.simulation.choose(bound as usize) as u64
    }

    fn node(&mut self) -> usize {
        let count = self.simulation.nodes().len();
        self.simulation.choose(count)
    }

    /// The next moment after `from_ms` at which somebody works there: 8 to 17, Monday to Friday.
    fn at_work(&mut self, node: usize, from_ms: u64) -> u64 {
        let mut at_ms = from_ms + self.random(HOUR_MS);
        loop {
            let local_ms = at_ms + node as u64 % 24 * HOUR_MS;
            let (day, hour) = (local_ms / DAY_MS, local_ms % DAY_MS / HOUR_MS);
            // The first of January 1970 was a Thursday.
            if (8..17).contains(&hour) && !matches!((day + 4) % 7, 0 | 6) {
                return at_ms;
            }
            at_ms += HOUR_MS;
        }
    }

    fn run(&mut self, days: u64, referrals: u64) {
        let start_ms = self.start_ms;
        for (count, act) in [
            (referrals, Act::Send),
            (referrals / 8, Act::Publish),
            (referrals / 16, Act::Revise),
            (days / 3, Act::Outage),
            (days / 14, Act::Partition),
            (days / 7, Act::Full),
            (days / 7, Act::Clock),
        ] {
            for _ in 0..count {
                let at_ms = start_ms + self.random(days * DAY_MS);
                self.plan(at_ms, act);
            }
        }
        for day in (7..=days).step_by(7) {
            self.plan(start_ms + day * DAY_MS, Act::Whole);
        }
        while let Some(((at_ms, _), act)) = self.agenda.pop_first() {
            if at_ms > start_ms + days * DAY_MS {
                break;
            }
            self.simulation.run_until(at_ms);
            if self.random(CUT_IN) == 0 {
                self.simulation.cut_one();
            }
            self.act(act);
        }
        self.whole();
        self.all_is_over();
    }

    /// Clocks are right again, and every time passes: a clock that was ten years ahead may have
    /// dated an event by as much.
    fn all_is_over(&mut self) {
        self.simulation.set_odds(Odds::default());
        let count = self.simulation.nodes().len();
        (0..count).for_each(|node| self.simulation.set_clock(node, 0));
        let over_ms = self.simulation.now_ms() + super::TEN_YEARS_MS + 365 * DAY_MS;
        self.simulation.run_until(over_ms);
        self.simulation.run(300_000);
        self.simulation.settle(900_000);
        self.simulation.check_all_is_erased();
    }

    fn act(&mut self, act: Act) {
        let now_ms = self.simulation.now_ms();
        let (node, other) = (self.node(), self.node());
        match act {
            Act::Send if node == other => {}
            Act::Send => {
                self.load.send(&mut self.simulation, node, other);
                let case = *self.load.cases.last().expect("just sent");
                self.seen.extend(self.state(node, case));
                self.both_sides(case, 0);
            }
            Act::Step { case, side, tries } => self.step(case, side, tries),
            Act::Publish => drop(self.load.publish(&mut self.simulation, node, 1)),
            Act::Revise => self.load.revise(&mut self.simulation, node),
            Act::Outage => {
                let away_ms = 60_000 + self.random(4 * DAY_MS);
                self.simulation.stop(node, away_ms);
            }
            Act::Partition => {
                self.simulation.partition(|node| if node % 5 == 0 { 1 } else { 2 });
                let away_ms = HOUR_MS + self.random(2 * DAY_MS);
                self.plan(now_ms + away_ms, Act::Rejoin);
            }
            Act::Rejoin => self.simulation.rejoin(),
            Act::Full => {
                self.simulation.set_full(node, true);
                let full_ms = HOUR_MS + self.random(DAY_MS);
                self.plan(now_ms + full_ms, Act::Room { node });
            }
            Act::Room { node } => self.simulation.set_full(node, false),
            Act::Clock => self.set_clock(node),
            Act::Whole => self.whole(),
        }
    }

    fn step(&mut self, case: Case, side: Side, tries: u32) {
        let node = match side {
            Side::Sender => case.sender,
            Side::Receiver => case.receiver,
        };
        if self.state(node, case) == Some(State::Closed) && self.random(4) > 0 {
            return;
        }
        let step = self.load.step(&mut self.simulation, case, side);
        self.seen.extend(self.state(node, case));
        match step {
            Some(_) => self.both_sides(case, tries + 1),
            None => self.plan_step(case, side, tries + 1),
        }
    }

    fn state(&self, node: usize, case: Case) -> Option<State> {
        let engine = self.simulation.nodes()[node].engine()?;
        Some(engine.referral_register().get(&case.id)?.state)
    }

    fn both_sides(&mut self, case: Case, tries: u32) {
        self.plan_step(case, Side::Receiver, tries);
        self.plan_step(case, Side::Sender, tries + 4);
    }

    fn plan_step(&mut self, case: Case, side: Side, tries: u32) {
        if tries < TRIES {
            let node = if side == Side::Sender { case.sender } else { case.receiver };
            let from_ms = self.simulation.now_ms() + self.random(3 * DAY_MS);
            let at_ms = self.at_work(node, from_ms);
            self.plan(at_ms, Act::Step { case, side, tries });
        }
    }

    fn whole(&mut self) {
        self.simulation.calm();
        self.simulation.run(1_000);
        let took_ms = self.simulation.settle(900_000);
        self.simulation.set_odds(self.odds);
        println!(
            "day {}: whole within {took_ms} ms",
            (self.simulation.now_ms() - self.start_ms) / DAY_MS
        );
    }

    fn tell(&self, began: std::time::Instant) {
        let (crashes, refusals) = self.simulation.faults();
        let truth = self.simulation.truth();
        let (entries, bytes) = (truth.entries() as u64, self.simulation.traffic().bytes());
        println!(
            "{} referrals, {entries} entries, {} cosignatures, {} contents erased, {crashes} power \
             cuts, {refusals} writes without room; {} s",
            self.load.cases.len(),
            truth.cosignatures(),
            truth.erasures(),
            began.elapsed().as_secs()
        );
        // Nodes that were off or cut off for days are among them; the last one often is.
        let to_all = truth.to_all_ms(self.simulation.nodes().len() - 1);
        assert_eq!(to_all.len() as u64, entries, "each entry reached all other nodes");
        for (what, delays) in
            [("to each node", truth.delays_ms().to_vec()), ("to all nodes", to_all)]
        {
            let [p50, p99, max] = spread(delays);
            println!("{what}: p50 {p50} ms, p99 {p99} ms, max {max} ms");
        }
        drop(truth);
        let redundant = self.simulation.redundant_batches() as f64 / entries as f64;
        println!("{} bytes and {redundant:.2} redundant batches an entry", bytes / entries);
        let seen: Vec<&str> = self.seen.iter().map(|state| state.name()).collect();
        println!("referrals were {}; trace {}", seen.join(", "), self.simulation.trace_hash());
        let carrier = self.simulation.nodes().last().map(|node| node.society());
        let closed = self.simulation.closed();
        for (who, blamed, why) in closed {
            assert_eq!(Some(*blamed), carrier, "{who} blames {blamed}: {why}");
        }
        println!("{} links were closed on the member whose frames are altered", closed.len());
    }
}

/// The short form: three weeks of ten societies.
#[test]
fn three_weeks_of_ten_societies() {
    let began = std::time::Instant::now();
    let mut year = Year::new(10, number("TUTTI_SEED").unwrap_or(1));
    year.run(21, 20);
    year.tell(began);
}

/// Thirty societies of which each refers some 2,000 persons a year, divided by three hundred; what befalls
/// machines, lines and clocks is not divided. `.ci/run` runs it beside its last steps.
///
/// `TUTTI_SEED` chooses another year, `TUTTI_REFERRALS` how many referrals there are in it.
#[test]
#[ignore = "minutes: cargo test --workspace --lib -- --ignored --nocapture a_year_of_thirty"]
fn a_year_of_thirty_societies() {
    let began = std::time::Instant::now();
    let mut year = Year::new(30, number("TUTTI_SEED").unwrap_or(1));
    let days = number("TUTTI_DAYS").unwrap_or(365);
    year.run(days, number("TUTTI_REFERRALS").unwrap_or(days * 200 / 365));
    year.tell(began);
    if days >= 365 {
        assert_eq!(year.seen.len(), State::ALL.len(), "every state is reached");
    }
}
