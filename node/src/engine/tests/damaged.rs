//! A node's whole directory, damaged anywhere: keys, rosters, logs, bodies, marks, the local log.
//!
//! Each copy is started. Either the start is refused in a sentence that names what is damaged, or
//! nothing is missing that the node does not tell of. Then what the manual says is done: what only a
//! backup has is put back, the store is repaired. And with one peer in reach every log is whole again,
//! every body is here, and the node writes.

use std::{collections::BTreeMap, fs, path::Path};

use rand_core::RngCore as _;
use tempfile::TempDir;
use tutti_core::{entry::EntryBytes, store::BodyState};

use super::{
    exchange::{Wire, carry, connect},
    information::{publish, version},
    *,
};
use crate::{
    config::Config,
    engine::Mode,
    serve::{Checked, Options, Stopped, check},
    store::{DiskError, DiskStore, repair},
};

type OnDisk = On<DiskStore>;

/// What must never be lost in silence.
#[derive(Debug, PartialEq)]
struct Held {
    logs: BTreeMap<Origin, Vec<EntryBytes>>,
    witnesses: BTreeMap<Origin, usize>,
    roster: Vec<u8>,
    keys: Vec<String>,
    /// Entries of the local log, accounts and drafts.
    local: (u64, usize, Vec<String>),
}

impl Held {
    fn of(checked: &Checked) -> Self {
        let (store, keys) = (&checked.opened.store, &checked.keyring);
        let logs = store.logs().into_iter();
        let witnesses = store.logs().into_iter();
        let account = [1; 16];
        let drafts = checked.local.drafts(&account);
        let text = |(id, _): &([u8; 16], u64)| match checked.local.draft(&account, id) {
            Ok((text, _)) => text.to_string(),
            Err(error) => format!("refused: {error}"),
        };
        Self {
            logs: logs.map(|log| (log.clone(), entries(store, &log))).collect(),
            witnesses: witnesses.map(|log| (log.clone(), store.cosigned(&log).len())).collect(),
            roster: checked.roster.as_bytes().to_vec(),
            keys: vec![
                keys.log.public().to_string(),
                keys.witness.public().to_string(),
                keys.tls.spki().unwrap().to_string(),
                keys.case.recipient().to_string(),
                keys.audit.recipient().to_string(),
                keys.routing.public().to_string(),
                hex::encode(*keys.local),
            ],
            local: (
                checked.local.size(),
                checked.local.accounts().count(),
                drafts.iter().map(text).collect(),
            ),
        }
    }
}

fn entries(store: &dyn tutti_core::store::Reader, log: &Origin) -> Vec<EntryBytes> {
    store.entries(log, 0, u64::MAX, usize::MAX).unwrap()
}

fn start(dir: &Path) -> Result<Checked, Stopped> {
    let config = Config::load_with(dir, [])?;
    check(config, Options::default())
}

fn run(checked: Checked, now_ms: u64) -> OnDisk {
    let identity = Identity {
        society: checked.config.society,
        name: checked.config.name.clone(),
        origin: checked.config.origin.clone(),
        keyring: checked.keyring,
        started_at_ms: now_ms,
        listen: String::new(),
    };
    let opened = checked.opened;
    let rng = ChaCha20Rng::seed_from_u64(now_ms);
    let mut engine =
        Engine::new(identity, checked.roster, opened.store, opened.highwater, rng, now_ms);
    engine.set_local(checked.local);
    engine
}

fn temporary() -> TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { tempfile::tempdir_in(shm).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found.sort();
    found
}

/// Two nodes with a history: the one in `sg`, stopped and as a kill would leave it, and its peer.
struct Story {
    federation: Federation,
    stopped: TempDir,
    killed: TempDir,
    peer: MemoryStore,
    id: ReferralId,
    held: Held,
    bodies: BTreeMap<BodyKey, Vec<u8>>,
    shown: api::Referral,
}

impl Story {
    async fn tell() -> Self {
        let federation = federation();
        let home = federation.home("sg");
        let mut sg = run(start(&home).unwrap(), NOW_MS);
        let mut ph = node(&federation, "ph");
        let mut wire = connect(1, &mut sg, &mut ph, NOW_MS);
        let id = id_of(&one(&mut sg, send(1)).unwrap());
        for n in 0..6 {
            one(&mut sg, publish([10 + n; 16], version("hours"))).unwrap();
            one(&mut ph, publish([30 + n; 16], version("hours"))).unwrap();
        }
        carry(&mut wire, &mut sg, &mut ph, NOW_MS).await;
        one(&mut ph, advance(2, id, Command::Acknowledge, "received, thank you")).unwrap();
        settle(&mut wire, &mut sg, &mut ph, NOW_MS, 10).await;
        let account = [1; 16];
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let used = crate::local::Use::Referral;
        sg.local.save_draft(&account, None, used, "name = not yet sent", NOW_MS, &mut rng).unwrap();
        for _ in 0..20 {
            let actor = Actor::node();
            sg.local.reading(&actor, Some(id), "content", "a reason", NOW_MS, &mut rng).unwrap();
        }
        let shown = shown(&sg, id);
        assert_eq!(shown.state(), api::ReferralState::Acknowledged);
        let bodies = bodies_of(&sg.store);
        assert!(bodies.len() >= 15, "{}", bodies.len());
        let (stopped, killed) = (temporary(), temporary());
        copy(&home, killed.path());
        drop(sg);
        copy(&home, stopped.path());
        let held = Held::of(&start(stopped.path()).unwrap());
        Self { federation, stopped, killed, peer: ph.store, id, held, bodies, shown }
    }

    /// With the peer in reach everything is here again.
    async fn comes_back(&self, checked: Checked, place: &str) {
        let now_ms = NOW_MS + 10_000;
        let mut sg = run(checked, now_ms);
        let mut ph = engine(&self.federation, "ph", self.peer.clone());
        let mut wire = connect(2, &mut sg, &mut ph, now_ms);
        let mut at_ms = now_ms;
        for _ in 0..30 {
            settle(&mut wire, &mut sg, &mut ph, at_ms, 4).await;
            at_ms += 4_000;
            let here = |key: &BodyKey| sg.store.body_state(key) == BodyState::Present;
            if *sg.mode() == Mode::Writing && self.bodies.keys().all(here) {
                break;
            }
        }
        assert_eq!(*sg.mode(), Mode::Writing, "{place}");
        for (log, held) in &self.held.logs {
            assert_eq!(&entries(&sg.store, log), held, "{place}: {log}");
            assert!(sg.store.evidence(log).is_none() && ph.store.evidence(log).is_none());
        }
        for (key, bytes) in &self.bodies {
            let body = sg.store.body(key, 0, usize::MAX);
            assert_eq!(body.unwrap().as_ref(), Some(bytes), "{place}: {key:?}");
        }
        assert_eq!(shown(&sg, self.id), self.shown, "{place}");
        // And it goes on where its log ended.
        let size = self.held.logs[&origin("sg")].len() as u64;
        let receipt = one(&mut sg, advance(77, self.id, withdraw(), "")).unwrap();
        assert_eq!(receipt.index, size, "{place}");
        settle(&mut wire, &mut sg, &mut ph, at_ms, 4).await;
        assert_eq!(ph.store.tree(&origin("sg")).size(), size + 1, "{place}");
    }
}

/// Seconds pass, with frames carried in each.
async fn settle<A: Store, B: Store>(
    wire: &mut Wire,
    one: &mut On<A>,
    other: &mut On<B>,
    from_ms: u64,
    seconds: u64,
) {
    for second in 0..seconds {
        carry(wire, one, other, from_ms + second * 1000).await;
    }
}

/// Every body of every entry that is here.
fn bodies_of(store: &DiskStore) -> BTreeMap<BodyKey, Vec<u8>> {
    use tutti_core::entry::Entry;
    let mut bodies = BTreeMap::new();
    for log in store.logs() {
        for (index, bytes) in (0..).zip(entries(store, &log)) {
            let Ok(Entry::V1(header)) = Entry::parse_at(bytes.as_slice(), &log, index) else {
                panic!("{log} {index}")
            };
            for part in Part::ALL {
                if let Some(key) = header.body_key(part)
                    && let Some(body) = store.body(&key, 0, usize::MAX).unwrap()
                {
                    bodies.insert(key, body);
                }
            }
        }
    }
    bodies
}

/// Damages one file, and says how.
fn damage(path: &Path, rng: &mut ChaCha20Rng) -> &'static str {
    let mut below = |bound: usize| (rng.next_u64() % bound.max(1) as u64) as usize;
    let mut bytes = fs::read(path).unwrap();
    let len = bytes.len();
    let used: Vec<usize> = (0..len).filter(|at| bytes[*at] != 0).collect();
    let said = used.last().map_or(0, |last| last + 1);
    let what = match below(7) {
        0 => {
            fs::remove_file(path).unwrap();
            return "missing";
        }
        1 => {
            bytes.truncate(below(len));
            "cut"
        }
        // Most of the preallocated files are zeros.
        2 => {
            bytes.truncate(below(said));
            "cut where something stands"
        }
        3 => {
            let page = below(said) / 4096 * 4096;
            bytes[page..(page + 4096).min(len)].fill(0);
            "a page zeroed"
        }
        4 => {
            let from = below(said);
            bytes[from..].fill(0);
            "zeroed to its end"
        }
        n => {
            for _ in 0..if n == 5 { 1 } else { 1 + below(8) } {
                if let Some(at) = used.get(below(used.len())) {
                    bytes[*at] ^= 1 << below(8);
                }
            }
            "bits flipped"
        }
    };
    fs::write(path, bytes).unwrap();
    what
}

/// Nothing is missing; of what the damaged file held at most a draft, which is refused when it is asked
/// for.
fn is_told(held: &Held, now: &Held, file: &str) -> bool {
    let same_store = now.logs == held.logs && now.witnesses == held.witnesses;
    let same_trust = now.roster == held.roster && now.keys == held.keys;
    let refused = now.local.2.iter().all(|draft| draft.starts_with("refused"));
    same_store
        && same_trust
        && (now.local == held.local
            || (file.starts_with("local/drafts") && refused && now.local.0 == held.local.0))
}

async fn damaged_nodes(count: usize, seed: u64) {
    let story = Story::tell().await;
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for round in 0..count {
        let from = if round % 2 == 0 { story.stopped.path() } else { story.killed.path() };
        let (dir, intact) = (temporary(), from);
        copy(from, dir.path());
        // Few large files and many small ones: each kind comes as often.
        let all = files(dir.path());
        let names: Vec<String> = all
            .iter()
            .map(|file| file.strip_prefix(dir.path()).unwrap().to_string_lossy().into_owned())
            .filter(|name| name != "lock" && name != "keys/root.key" && !name.contains("operator"))
            .collect();
        let mut kinds: Vec<&str> =
            names.iter().map(|name| name.split('/').next().unwrap()).collect();
        kinds.dedup();
        let kind = kinds[(rng.next_u64() % kinds.len() as u64) as usize];
        let of_kind: Vec<&String> =
            names.iter().filter(|name| name.split('/').next() == Some(kind)).collect();
        let file = of_kind[(rng.next_u64() % of_kind.len() as u64) as usize].clone();
        let what = damage(&dir.path().join(&file), &mut rng);
        let place = format!("round {round} of seed {seed}: {file} {what}");
        let checked = match start(dir.path()) {
            Ok(checked) => {
                let now = Held::of(&checked);
                assert!(
                    is_told(&story.held, &now, &file),
                    "{place}: {:?}\n{now:?}\n{:?}",
                    checked.opened.notices,
                    story.held
                );
                let told = !checked.opened.notices.is_empty();
                *outcomes.entry(if told { "started, and told" } else { "started" }).or_default() +=
                    1;
                checked
            }
            Err(stopped) => {
                let said = stopped.to_string();
                let named = said.contains(&*dir.path().to_string_lossy())
                    || ["tutti.toml", "roster", "keys/", "local key", "format"]
                        .iter()
                        .any(|name| said.contains(name));
                assert!(named && said.len() > 40, "{place}: {said}");
                let of_store = !["keys", "roster", "local", "tutti.toml", "card.note", "tokens"]
                    .contains(&kind);
                let is_damage = matches!(
                    stopped,
                    Stopped::Data(DiskError::Damaged { .. } | DiskError::Io { .. })
                );
                if of_store && is_damage {
                    let config = Config::load_with(dir.path(), []).unwrap();
                    let chain = crate::rosters::chain(dir.path()).unwrap();
                    let done = repair(dir.path(), &config.origin, &chain)
                        .unwrap_or_else(|error| panic!("{place}: {error}"));
                    assert!(done.problem.is_some(), "{place}: {said}");
                    *outcomes.entry("refused, and repaired").or_default() += 1;
                } else {
                    // What only a backup has.
                    fs::create_dir_all(dir.path().join(&file).parent().unwrap()).unwrap();
                    fs::copy(intact.join(&file), dir.path().join(&file)).unwrap();
                    *outcomes.entry("refused, and restored").or_default() += 1;
                }
                start(dir.path()).unwrap_or_else(|error| panic!("{place}: {error}"))
            }
        };
        story.comes_back(checked, &place).await;
    }
    eprintln!("{count} damaged nodes, each whole again with one peer: {outcomes:?}");
}

#[tokio::test]
async fn twenty_damaged_nodes_lose_nothing_in_silence_and_come_back_whole() {
    damaged_nodes(20, 1).await;
}

/// The long form: `cargo test --release -p tutti-node --lib -- --ignored --nocapture a_thousand_damaged`.
#[tokio::test]
#[ignore = "takes minutes; docs/testing.md says how to run it"]
async fn a_thousand_damaged_nodes_lose_nothing_in_silence_and_come_back_whole() {
    damaged_nodes(1000, 2).await;
}
