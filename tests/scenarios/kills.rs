//! kill -9 at random moments, under load, again and again: while the node writes and while it
//! starts. Half of the load are notices, half sealed cases: they are sent, taken a step on, taken back, and
//! erased because the person no longer agrees; now and then their addressee is away, and a relay keeps what
//! is for it. After each restart, while all rest, what was acknowledged is there, at the place that was told, once;
//! the whole log is exported and audited, and is, entry by entry, what was ever seen in it; each case is
//! shown as it was answered, each erasure that was answered is done; and the node writes on. At intervals
//! the writing stops, the log is audited at its author's and at the peer's, and both agree on every case.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use tutti_core::{entry::EntryBytes, limits::TOLD_AT_ONCE, tree::Tree};

use crate::{
    casework::{Caseworkers, Said, agree, cases, holds},
    harness::{Dice, Federation, PATIENCE, Seat, eventually},
    writer::{Gate, Writers, entries, mode},
};

/// Who writes at the same time.
#[derive(Clone, Copy)]
struct Load {
    writers: u64,
    caseworkers: u64,
}

const NOTICES: Load = Load { writers: 4, caseworkers: 0 };
const CASES: Load = Load { writers: 2, caseworkers: 2 };

/// `sg` writes and is killed, `ph` follows and is killed now and then, `ifrc` relays.
struct Siege {
    federation: Federation,
    writers: Writers,
    caseworkers: Caseworkers,
    /// Closed while it is looked at what they wrote, or the log would grow faster than it is read.
    gate: Gate,
    /// Receipts of the present writers, and words of the present caseworkers, that were checked.
    checked: usize,
    heard: usize,
    /// All that was answered of cases.
    said: Vec<Said>,
    /// Every receipt: the place in the log, and what stands there.
    acknowledged: BTreeMap<u64, String>,
    /// Every entry that was ever seen, and what it is.
    seen: Vec<(EntryBytes, String)>,
    summaries: BTreeSet<String>,
    /// How often the log was audited under load, and how long that took.
    audited: u32,
    auditing: Duration,
    dice: Dice,
    load: Load,
}

impl Siege {
    fn lay(dice: Dice, load: Load) -> Self {
        let relay = Seat { role: "relay", ..Seat::of("ifrc") };
        let mut federation = Federation::seated(&[relay, Seat::of("ph"), Seat::of("sg")]);
        for society in ["ifrc", "ph", "sg"] {
            federation.node(society).start();
        }
        let dir = federation.at("sg").dir.clone();
        let gate = Gate::default();
        Self {
            federation,
            writers: Writers::start(&dir, load.writers, &gate),
            caseworkers: Caseworkers::start(&dir, load.caseworkers, &gate),
            gate,
            checked: 0,
            heard: 0,
            said: Vec::new(),
            acknowledged: BTreeMap::new(),
            seen: Vec::new(),
            summaries: BTreeSet::new(),
            audited: 0,
            auditing: Duration::ZERO,
            dice,
            load,
        }
    }

    fn kill(&mut self) {
        let first = self.writers.acknowledged() + 1;
        let (writers, caseworkers, heard) = (&self.writers, &self.caseworkers, self.heard);
        let load = self.load;
        eventually("a write is acknowledged", || {
            let said = load.caseworkers == 0 || !caseworkers.said_from(heard).is_empty();
            writers.acknowledged() >= first && said
        });
        thread::sleep(self.dice.micros(120_000));
        self.federation.node("sg").kill();
        if self.dice.below(4) == 0 {
            // While it starts: reading the journal, settling, filling the index.
            let node = self.federation.node("sg");
            node.launch();
            thread::sleep(self.dice.micros(60_000));
            node.kill();
        }
        if self.dice.below(5) == 0 {
            // Half of the times it is away for a while.
            self.federation.node("ph").kill();
        }
        let returns = self.load.caseworkers == 0 || self.dice.below(2) == 0;
        if !self.federation.at("ph").runs() && returns {
            self.federation.node("ph").start();
        }
        self.federation.node("sg").start();
        self.check();
    }

    /// What was acknowledged before this moment stands where its receipt says; what was seen
    /// before is as it was; nothing stands twice.
    fn check(&mut self) {
        self.gate.close();
        let receipts = self.writers.receipts_from(self.checked);
        self.checked += receipts.len();
        let said = self.caseworkers.said_from(self.heard);
        self.heard += said.len();
        let begun = Instant::now();
        let report = self.federation.audit_under_way("sg");
        let dir = &self.federation.at("sg").dir;
        let mut read = 0;
        for entry in entries(dir) {
            assert_eq!(entry.index, read as u64, "the log has a hole");
            let now = (EntryBytes::new(&entry.entry), entry.summary);
            match self.seen.get(read) {
                Some(before) => {
                    let same =
                        before.0 == now.0 && (before.1 == now.1 || now.1.contains(" erased"));
                    assert!(same, "entry {read} was another one before: {} {}", before.1, now.1);
                }
                None => {
                    // Of a receipt of erasure there is one for each time that there was something.
                    let once = now.1.contains(" erased") || self.summaries.insert(now.1.clone());
                    assert!(once, "{} stands twice", now.1);
                    self.seen.push(now);
                }
            }
            read += 1;
        }
        assert_eq!(read, self.seen.len(), "entries are gone that were there before the kill");
        // What the audit has found under the signed head is what the node shows.
        let size = report["size"].as_u64().expect("a size") as usize;
        assert!(size <= read, "an export has {size} entries, and the node shows {read}");
        assert_eq!(report["root"], self.root_of(size), "of {size} entries");
        (self.audited, self.auditing) = (self.audited + 1, self.auditing + begun.elapsed());
        let notices = receipts
            .iter()
            .map(|receipt| (receipt, format!("information {} published", receipt.id)));
        let words = said.iter().map(|said| (&said.receipt, said.summary()));
        for (receipt, wanted) in notices.chain(words) {
            let stands = self.seen.get(receipt.index as usize).map(|(_, summary)| summary);
            assert_eq!(stands, Some(&wanted), "what was acknowledged at {}", receipt.index);
            let twice = self.acknowledged.insert(receipt.index, wanted);
            assert_eq!(twice, None, "index {} was given twice", receipt.index);
        }
        assert_eq!(mode(dir), "writing");
        self.said.extend(said);
        let shown = cases(dir);
        // The last word on a case is the one that holds.
        let last: BTreeMap<&str, &Said> =
            self.said.iter().map(|said| (said.receipt.id.as_str(), said)).collect();
        last.values().for_each(|said| holds(&shown, said));
        self.gate.open();
    }

    /// The root of the first `size` entries that were seen.
    fn root_of(&self, size: usize) -> String {
        let mut tree = Tree::default();
        self.seen.iter().take(size).for_each(|(entry, _)| tree.push(entry.leaf_hash(), |_| ()));
        hex::encode(tree.root().0)
    }

    /// Stops writing, lets the two agree, and audits the whole log at both.
    fn audit(&mut self) {
        let writers = std::mem::replace(&mut self.writers, Writers::stopped(&[]));
        let receipts = writers.stop();
        let checked = std::mem::replace(&mut self.checked, 0);
        self.writers = Writers::stopped(receipts.get(checked..).unwrap_or_default());
        self.caseworkers.stop();
        self.check();
        if !self.federation.at("ph").runs() {
            self.federation.node("ph").start();
        }
        let of = |at: &str| cases(&self.federation.at(at).dir);
        let begun = Instant::now();
        while let Err(what) = agree(&of("sg"), &of("ph")) {
            assert!(begun.elapsed() < PATIENCE * 2, "{what}");
            thread::sleep(Duration::from_millis(100));
        }
        // Receipts go to it a part a second over one link, so that they fill no outbox.
        let paced = Duration::from_secs((self.seen.len() / TOLD_AT_ONCE) as u64);
        let begun = Instant::now();
        while self.federation.at("ifrc").json(&["status"])["relay"]["entries"] != 0 {
            assert!(begun.elapsed() < PATIENCE + paced, "the relay keeps something");
            thread::sleep(Duration::from_millis(100));
        }
        // Receipts of erasure were written meanwhile.
        self.check();
        self.federation.converge();
        self.check();
        let root = self.root_of(self.seen.len());
        for node in ["ph", "sg"] {
            let report = self.federation.audit(node, "sg");
            assert_eq!(report["size"], self.seen.len() as u64, "{report}");
            let held = self.federation.at(node).holds("sg");
            assert_eq!(held.root, root, "at {node}");
            let status = self.federation.at(node).json(&["status"]);
            let forked = |log: &serde_json::Value| log["forked"] != false;
            assert!(!status["logs"].as_array().unwrap().iter().any(forked), "{status}");
        }
        let log = self.federation.at("sg").log() + &self.federation.at("ph").log();
        assert!(!log.contains("panicked"), "{log}");
    }

    fn go_on(&mut self) {
        let dir = &self.federation.at("sg").dir;
        self.writers = Writers::start(dir, self.load.writers, &self.gate);
        self.caseworkers = Caseworkers::start(dir, self.load.caseworkers, &self.gate);
        (self.checked, self.heard) = (0, 0);
    }
}

fn cycles(count: u64, audit_every: u64, dice: Dice, load: Load) -> usize {
    let start = Instant::now();
    let mut siege = Siege::lay(dice, load);
    for cycle in 1..=count {
        siege.kill();
        if cycle % audit_every == 0 || cycle == count {
            siege.audit();
            eprintln!(
                "{cycle} kills, {} entries acknowledged, {} in the log, audited {} times under \
                 load, each in {} ms, {} s",
                siege.acknowledged.len(),
                siege.seen.len(),
                siege.audited,
                (siege.auditing / siege.audited.max(1)).as_millis(),
                start.elapsed().as_secs()
            );
            siege.go_on();
        }
    }
    let all = ["sent", "consent_renewed", "withdrawn", "consent_withdrawn"];
    for what in all.into_iter().filter(|_| load.caseworkers > 0) {
        let times = siege.said.iter().filter(|said| said.what == what).count();
        assert!(times > 0, "nothing was {what}");
    }
    siege.acknowledged.len()
}

/// It found that two nodes which had been apart could not meet again.
#[test]
fn kill_9_under_cases_loses_nothing_acknowledged_and_both_sides_agree() {
    assert!(cycles(8, 8, Dice::new(), CASES) > 8);
}

/// The long form: `cargo test --release -p tutti-cli --test scenarios -- --ignored --nocapture
/// two_thousand_kills`. `TUTTI_KILLS` makes it another number, to the next fifty.
#[test]
#[ignore = "hours: cargo test --release -p tutti-cli --test scenarios -- --ignored --nocapture"]
fn two_thousand_kills() {
    const EACH: u64 = 50;
    let count: u64 = std::env::var("TUTTI_KILLS").map_or(2_000, |n| n.parse().expect("a number"));
    let (mut acknowledged, start) = (0, Instant::now());
    for federation in 1..=count.div_ceil(EACH) {
        let load = if federation % 2 == 0 { CASES } else { NOTICES };
        acknowledged += cycles(EACH, EACH, Dice::new(), load);
        eprintln!(
            "federation {federation}: {} kills, {acknowledged} entries acknowledged, {} s",
            EACH * federation,
            start.elapsed().as_secs()
        );
    }
    // The log must not have been idle meanwhile.
    assert!(acknowledged as u64 > 10 * count, "{acknowledged}");
}
