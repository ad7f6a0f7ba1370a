//! How fast Tutti is beside what the machine could do: `cargo bench -p tutti-tests`.
//!
//! ```text
//! cargo bench -p tutti-tests                    all, as a table on standard output
//! cargo bench -p tutti-tests -- --write         all, into docs/performance.md
//! cargo bench -p tutti-tests -- --smoke         all, small: whether they run, within a minute
//! cargo bench -p tutti-tests -- catch-up audit  these alone
//! cargo bench -p tutti-tests -- load            ten minutes under load; never among all
//! cargo bench -p tutti-tests -- load --minutes=2  the same for two
//! ```
//!
//! Each row sets ours beside its physical limit, measured in turns in the same run.

#![allow(missing_docs)]

mod appends;
mod audit;
mod bare;
mod catch_up;
mod fixture;
mod load;
mod measure;
mod memory;
mod nodes;
mod opening;
mod propagation;
mod referrals;
mod report;

use std::time::Instant;

use measure::Row;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Commits of one writer.
    pub(crate) commits: u64,
    /// Writes of each of many writers in one round.
    pub(crate) writes_each: u64,
    /// Rounds of all that takes long.
    pub(crate) rounds: u64,
    /// Entries that are caught up on and audited.
    pub(crate) entries: u64,
    /// Entries with bodies that are audited.
    pub(crate) audited: u64,
    /// Entries with bodies that are caught up on and stored.
    pub(crate) bodies: u64,
    /// Entries of the long log.
    pub(crate) opened: u64,
    /// Sealed records that are opened at a start.
    pub(crate) records: u64,
    /// Seconds under load.
    pub(crate) load_s: u64,
    /// Referrals in the worklist.
    pub(crate) worklist: u64,
    /// Minutes of the long load.
    pub(crate) minutes: u64,
}

const FULL: Sizes = Sizes {
    commits: 1000,
    writes_each: 8,
    rounds: 7,
    entries: 100_000,
    audited: 100_000,
    bodies: 10_000,
    opened: 1_000_000,
    records: 1024,
    load_s: 10,
    worklist: 10_000,
    minutes: 10,
};

const SMOKE: Sizes = Sizes {
    commits: 60,
    writes_each: 2,
    rounds: 2,
    entries: 10_000,
    audited: 2_000,
    bodies: 500,
    opened: 50_000,
    records: 64,
    load_s: 1,
    worklist: 500,
    minutes: 1,
};

const ALL: [&str; 11] = [
    "store",
    "engine",
    "catch-up",
    "catch-up-bodies",
    "audit",
    "opening",
    "starting",
    "memory",
    "propagation",
    "on-their-node",
    "worklist",
];

/// Takes as long as it says, so it is run by its name alone.
const LOAD: &str = "load";

/// For how long.
const MINUTES: &str = "--minutes=";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Some(dir) = std::env::var_os(memory::SERVE) {
        return runtime.block_on(memory::be_a_node(dir.as_ref()));
    }
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let given = |option: &str| arguments.iter().any(|argument| argument == option);
    let mut sizes = if given("--smoke") { SMOKE } else { FULL };
    let minutes = arguments.iter().find_map(|argument| argument.strip_prefix(MINUTES));
    if let Some(minutes) = minutes.and_then(|minutes| minutes.parse().ok()) {
        sizes.minutes = minutes;
    }
    let chosen: Vec<&str> = ALL.into_iter().chain([LOAD]).filter(|name| given(name)).collect();
    let names = if chosen.is_empty() { ALL.to_vec() } else { chosen };
    let known = |argument: &String| {
        ["--smoke", "--write", LOAD].contains(&argument.as_str())
            || ALL.contains(&argument.as_str())
            || argument.starts_with(MINUTES)
    };
    if let Some(unknown) = arguments.iter().find(|argument| !known(argument)) {
        eprintln!("{unknown} is none of --smoke, --write, {MINUTES}N, {LOAD}, {}", ALL.join(", "));
        std::process::exit(2);
    }
    let (mut rows, begun) = (Vec::new(), Instant::now());
    println!("{}", measure::HEADING);
    for name in names {
        eprintln!("{:>4} s: {name}", begun.elapsed().as_secs());
        let done: Vec<Row> = runtime.block_on(run(name, &sizes));
        done.iter().for_each(|row| println!("{}", row.line()));
        rows.extend(done);
    }
    if given("--write") {
        report::write(&rows);
    }
}

async fn run(name: &str, sizes: &Sizes) -> Vec<Row> {
    match name {
        "store" => appends::store(sizes),
        "engine" => appends::engine(sizes).await,
        "catch-up" => catch_up::entries(sizes).await,
        "catch-up-bodies" => catch_up::bodies(sizes).await,
        "audit" => audit::rows(sizes),
        "opening" => {
            let mut rows = opening::log(sizes);
            rows.extend(opening::room(sizes));
            rows
        }
        "starting" => opening::records(sizes),
        "memory" => memory::rows(sizes).await,
        "propagation" => propagation::rows(sizes).await,
        "on-their-node" => referrals::on_their_node(sizes).await,
        "worklist" => referrals::worklist(sizes).await,
        _ => load::rows(sizes).await,
    }
}
