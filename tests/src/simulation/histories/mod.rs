//! Random histories of small federations, and checkers that share nothing with what they check.
//!
//! A history is some dozens of acts among three to five societies, one or two of them relays:
//! referrals, races, withdrawals, erasures, cases that are passed on, information; machines that are
//! away, restored, full, cut off from all but a relay. Each history is besides about one of four
//! things that would else be rare ([`Theme`]). After each act and at the end the checkers look
//! ([`checks`]). One number decides everything; a history that fails prints it.

mod attaching;
mod checks;
mod ending;
mod erasures;
mod facts;
mod files_shown;
mod forging;
mod machines;
mod model;
mod over;
mod people;
mod telling;
mod trials;
mod whole;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use tutti_core::store::MemoryStore;
use tutti_proto::v1::referral_event::Transition;

use self::{attaching::Added, checks::Look, facts::Facts, people::Matter, trials::Trial};
use super::{Network, Odds, Plan, Simulation, scenarios::number};

/// How long everything may take to become whole after healing, milliseconds.
const WHOLE_MS: u64 = 900_000;

const DAY_MS: u64 = 86_400_000;

/// What a history is about besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Theme {
    /// Cases that are passed on to a third society.
    Onward,
    /// Contents whose time is over in the end.
    Retention,
    /// Information for some alone.
    Addressed,
    /// Events of a referral by a stranger to it.
    Forged,
}

/// As long as cases are kept that are to be kept for a while, days; clocks are an hour off.
const KEEP_DAYS: u64 = 3;

/// One history.
struct History {
    seed: u64,
    theme: Theme,
    /// The time has passed that cases were to be kept.
    passed: bool,
    /// Words of what was told to some alone.
    told: Vec<String>,
    /// Nodes whose society has forged something, and how often any has.
    forgers: BTreeSet<usize>,
    forged: u64,
    simulation: Simulation,
    facts: Facts,
    /// What each node has shown of each referral when its contents were last looked into.
    looks: BTreeMap<(usize, usize), Look>,
    /// Decides when they are looked into though nothing has changed; a history goes as it goes
    /// however closely it is looked at.
    eyes: ChaCha20Rng,
    /// They are looked into everywhere.
    closely: bool,
    looked_closely: u64,
    relays: usize,
    written: u64,
    matters: Vec<Matter>,
    /// Whether people add files to cases.
    with_files: bool,
    files: Vec<Added>,
    /// How many parts of the full size may be written yet.
    large_left: u32,
    backups: BTreeMap<usize, MemoryStore>,
    /// Nodes that came back from a backup: what they show as erased may be on their disk again
    /// while they are off.
    restored: BTreeSet<usize>,
    restores: u64,
    parted: bool,
}

/// What happened in some histories, so that it can be seen that they are about something.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Told {
    histories: u64,
    entries: u64,
    referrals: u64,
    passed_on: u64,
    stopped: u64,
    overtaken: u64,
    crashes: u64,
    restores: u64,
    relayed: u64,
    /// Whose time was over, steps that were written of such ones then, information for some alone, events by
    /// strangers.
    over: u64,
    ended: u64,
    addressed: u64,
    forged: u64,
    /// Files of cases, and entries that hold a part; files that were taken back, that went along where
    /// a case was passed on, and that were taken back there since they were where they came from.
    files: u64,
    parts: u64,
    taken_back: u64,
    along: u64,
    recalled: u64,
    /// In how many histories a case was passed on, and in how many each of these was: what was over, what
    /// was written of it then, what was addressed, forged, and what is told of files but for their parts.
    about: [u64; 9],
    /// How often contents were looked into, and each kind of key was tried.
    looked_closely: u64,
    tried: BTreeMap<Trial, u64>,
    virtual_s: u64,
}

impl History {
    fn new(seed: u64, with_files: bool) -> Self {
        let members = 3 + (seed % 3) as usize;
        let relays = 1 + usize::from(seed.is_multiple_of(7) && members > 3);
        let network = match seed % 4 {
            0 => Network { cut_every_ms: 4_000, ..Network::default() },
            1 => Network { latency_ms: (5, 900), jitter_ms: 100, ..Network::default() },
            _ => Network::default(),
        };
        let odds = match seed % 5 {
            0 => Odds { crash_in: 60, full_in: 0 },
            1 => Odds { crash_in: 200, full_in: 40 },
            _ => Odds::default(),
        };
        let plan = Plan { relays, network, odds, skew_ms: 3_600_000, ..Plan::new(members, seed) };
        let mut simulation = Simulation::new(&plan);
        simulation.run(1_500);
        Self {
            seed,
            theme: match seed / 4 % 4 {
                0 => Theme::Onward,
                1 => Theme::Retention,
                2 => Theme::Addressed,
                _ => Theme::Forged,
            },
            passed: false,
            told: Vec::new(),
            forgers: BTreeSet::new(),
            forged: 0,
            facts: Facts::new(&simulation, seed),
            looks: BTreeMap::new(),
            eyes: ChaCha20Rng::seed_from_u64(seed),
            closely: false,
            looked_closely: 0,
            simulation,
            relays,
            written: 0,
            matters: Vec::new(),
            with_files,
            files: Vec::new(),
            large_left: if seed % 4 == 1 { 2 } else { 0 },
            backups: BTreeMap::new(),
            restored: BTreeSet::new(),
            restores: 0,
            parted: false,
        }
    }

    fn run(mut self) -> Told {
        // Files come on top of what there was before.
        let acts = match self.with_files {
            true => 18 + self.choose(48),
            false => 15 + self.choose(40),
        };
        for _ in 0..acts {
            self.act();
            self.check_now();
        }
        self.simulation.heal();
        self.become_whole();
        self.restored.clear();
        self.closely = true;
        self.check_now();
        self.check_end();
        self.check_files_read();
        let (mut over, mut ended) = (0, 0);
        if self.theme == Theme::Retention {
            // Whatever the clocks say, it is over everywhere.
            self.simulation.run_until(1000 * self.until_s() + 2 * DAY_MS);
            self.simulation.run(180_000);
            self.passed = true;
            self.become_whole();
            self.check_now();
            self.check_end();
            self.check_files_read();
            over = (0..self.matters.len()).filter(|matter| self.is_over(*matter)).count() as u64;
            ended = self.act_when_over();
            self.become_whole();
            self.check_now();
            self.check_end();
            self.check_files_read();
        }
        let closed = self.simulation.closed();
        assert!(closed.is_empty(), "an honest peer was called misbehaving: {closed:?}");
        let told = Told { over, ended, ..self.told() };
        let rare = [
            told.passed_on,
            told.over,
            told.ended,
            told.addressed,
            told.forged,
            told.files,
            told.taken_back,
            told.along,
            told.recalled,
        ];
        Told { about: rare.map(|count| u64::from(count > 0)), ..told }
    }

    fn become_whole(&mut self) {
        let from_ms = self.simulation.now_ms();
        loop {
            self.simulation.retry_all();
            self.simulation.run(2_000);
            match self.whole() {
                Ok(()) => break,
                Err(missing) => {
                    let passed_ms = self.simulation.now_ms() - from_ms;
                    assert!(passed_ms < WHOLE_MS, "not whole in {passed_ms} ms: {missing}");
                }
            }
        }
    }

    /// The end of the time to keep a case that is kept for a while, seconds since the Unix epoch.
    fn until_s(&self) -> u64 {
        (super::START_MS / DAY_MS + KEEP_DAYS) * DAY_MS / 1000
    }

    fn told(&self) -> Told {
        let (crashes, _) = self.simulation.faults();
        let mut told = Told {
            histories: 1,
            entries: self.facts.iter().count() as u64,
            crashes,
            restores: self.restores,
            relayed: self.simulation.traffic().frames("held"),
            addressed: self.facts.iter().filter(|fact| fact.is_for_some()).count() as u64,
            forged: self.forged,
            looked_closely: self.looked_closely,
            tried: self.facts.tried().clone(),
            virtual_s: (self.simulation.now_ms() - super::START_MS) / 1000,
            ..Told::default()
        };
        for (number, matter) in self.matters.iter().enumerate() {
            let Some(shown) = self.shown(matter.parties[0], number) else { continue };
            told.referrals += 1;
            told.passed_on += u64::from(matter.first.is_some());
            told.stopped += u64::from(shown.erasure.is_some());
            told.overtaken += shown.events.iter().filter(|event| !event.effective).count() as u64;
            self.tell_files(number, &mut told);
        }
        told
    }

    fn tell_files(&self, matter: usize, told: &mut Told) {
        let mut known = BTreeSet::new();
        for says in self.facts_of(matter).filter_map(|fact| fact.referral()?.transition.as_ref()) {
            match says {
                Transition::Attached(part) => {
                    told.parts += 1;
                    if known.insert(&part.attachment_id) {
                        told.files += 1;
                        told.along += u64::from(part.source.is_some());
                    }
                }
                Transition::EnteredInError(which) if !which.attachment.is_empty() => {
                    told.taken_back += 1;
                    told.recalled += u64::from(!which.carried.is_empty());
                }
                _ => {}
            }
        }
    }
}

impl Told {
    fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.entries += other.entries;
        self.referrals += other.referrals;
        self.passed_on += other.passed_on;
        self.stopped += other.stopped;
        self.overtaken += other.overtaken;
        self.crashes += other.crashes;
        self.restores += other.restores;
        self.relayed += other.relayed;
        self.over += other.over;
        self.ended += other.ended;
        self.addressed += other.addressed;
        self.forged += other.forged;
        self.files += other.files;
        self.parts += other.parts;
        self.taken_back += other.taken_back;
        self.along += other.along;
        self.recalled += other.recalled;
        self.about.iter_mut().zip(other.about).for_each(|(sum, count)| *sum += count);
        self.looked_closely += other.looked_closely;
        for (trial, count) in &other.tried {
            *self.tried.entry(*trial).or_default() += count;
        }
        self.virtual_s += other.virtual_s;
    }
}

/// Tells the number of a history that fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the history with seed {} fails; TUTTI_SEED={} repeats it", self.0, self.0);
        }
    }
}

fn history(seed: u64) -> Told {
    let _seed = Seed(seed);
    History::new(seed, true).run()
}

/// As the history with this number went before people added files: what it has found needs nothing
/// more.
fn history_without_files(seed: u64) {
    let _seed = Seed(seed);
    History::new(seed, false).run();
}

/// Histories from `first`, so many, on as many threads.
fn histories(first: u64, count: u64, threads: u64) -> Told {
    let share = |thread: u64| {
        let mut told = Told::default();
        for seed in (first + thread..first + count).step_by(threads as usize) {
            told.add(&history(seed));
        }
        told
    };
    std::thread::scope(|scope| {
        let share = &share;
        let runs: Vec<_> = (0..threads).map(|thread| scope.spawn(move || share(thread))).collect();
        let mut told = Told::default();
        for run in runs {
            match run.join() {
                Ok(part) => told.add(&part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        told
    })
}

/// Forty of them. `TUTTI_SEED` begins with another one,
/// `TUTTI_HISTORIES` runs another number of them.
#[test]
fn random_histories_keep_every_promise() {
    let began = std::time::Instant::now();
    let first = number("TUTTI_SEED").unwrap_or(1);
    let told = histories(first, number("TUTTI_HISTORIES").unwrap_or(40), 1);
    if told.histories >= 40 {
        let rare = told.about.iter().all(|count| *count >= told.histories / 8);
        assert!(rare, "each in at least an eighth of them: {told:#?}");
        let tried = |trial| told.tried.get(&trial).is_some_and(|count| *count >= told.histories);
        assert!(trials::all().all(tried), "each key at least once a history: {told:#?}");
    }
    println!("seeds from {first}: {told:#?} in {} ms", began.elapsed().as_millis());
}

/// What nobody keeps could not be erased while a disk was full, and was tried again only at a start.
#[test]
fn history_16_what_a_full_disk_kept_is_erased_once_there_is_room() {
    history_without_files(16);
}

/// A relay could not drop a record while its disk was full, and never tried again.
#[test]
fn history_5110_what_a_relay_could_not_drop_goes_once_there_is_room() {
    history_without_files(5110);
}

/// A content had come before its record, and both sides' erasure was told as confirmed without it.
#[test]
fn history_1000631_what_has_come_before_its_record_is_not_confirmed() {
    history(1_000_631);
}

/// A word had come back from a referral that was then taken up again: it was told for good as not carried there.
#[test]
fn history_2004239_what_came_back_from_a_referral_stays_confirmed_there() {
    history(2_004_239);
}

/// A stranger's lie came back from a backup without what it says beside it, which the parties had erased.
#[test]
fn history_4000318_nobody_is_waited_for_who_gives_back_a_lie() {
    history(4_000_318);
}

/// `cargo test --release -p tutti-tests --lib ten_thousand -- --ignored --nocapture`
#[test]
#[ignore = "many minutes"]
fn ten_thousand_random_histories() {
    let began = std::time::Instant::now();
    let first = number("TUTTI_SEED").unwrap_or(1_000_000);
    let count = number("TUTTI_HISTORIES").unwrap_or(10_000);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let told = histories(first, count, threads);
    println!("seeds from {first}: {told:#?} in {} s", began.elapsed().as_secs());
}
