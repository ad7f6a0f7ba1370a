//! A federation of real processes on loopback: founded by the command itself, each node behind a
//! link that a test can cut. Everything is stopped and removed when it is dropped.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use crate::link::Link;

const TUTTI: &str = env!("CARGO_BIN_EXE_tutti");
pub(crate) const FEDERATION: &str = "migrants.example.org";

/// How long anything may take on a slow machine before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the command; never inherits the environment's own TUTTI_* settings.
pub(crate) fn tutti(args: &[&str]) -> Output {
    let mut command = Command::new(TUTTI);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TUTTI_")) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null()).output().expect("tutti starts")
}

/// The output of a command that must succeed.
pub(crate) fn ok(output: Output, what: &str) -> String {
    assert!(
        output.status.success(),
        "{what}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// One society's node and the link that leads to it.
pub(crate) struct Node {
    pub(crate) society: &'static str,
    pub(crate) dir: PathBuf,
    pub(crate) link: Link,
    child: Option<Child>,
}

impl Node {
    /// Starts the process and waits until it answers.
    pub(crate) fn start(&mut self) {
        self.launch();
        eventually(&format!("{} answers", self.society), || {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok()?) {
                panic!("{} ended at once, {status}:\n{}", self.society, self.log());
            }
            self.run(&["status", "--json"]).status.success()
        });
    }

    /// Starts the process and waits for nothing.
    pub(crate) fn launch(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.society);
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.with_extension("log"))
            .expect("log file");
        // So that a test can look at what it leaves there.
        let temporary = self.dir.with_extension("tmp");
        fs::create_dir_all(&temporary).expect("a place for temporary files");
        let child = Command::new(TUTTI)
            .args(["serve", "--dir"])
            .arg(&self.dir)
            .env("TMPDIR", temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("node starts");
        self.child = Some(child);
    }

    /// The power cut: SIGKILL, nothing is told.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("kill");
            child.wait().expect("wait");
        }
    }

    /// The orderly end: SIGTERM, and the node must end by itself with 0.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(told.expect("kill").success());
        let start = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("wait") {
                assert!(status.success(), "{} ended with {status}:\n{}", self.society, self.log());
                return;
            }
            if start.elapsed() >= PATIENCE {
                let _ = child.kill();
                panic!("{} does not end when it is told to", self.society);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// How the process has ended by itself, once it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().expect("wait")?;
        self.child = None;
        Some(status)
    }

    /// The number of the process, which must be there.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("the node runs").id()
    }

    /// Whether the process is there.
    pub(crate) fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Runs a verb against this node.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let dir = self.dir.to_str().expect("UTF-8 path");
        tutti(&[args, &["--dir", dir]].concat())
    }

    /// Runs a verb that must succeed; gives what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        ok(self.run(args), &format!("{}: tutti {}", self.society, args.join(" ")))
    }

    /// Runs a reading verb with `--json`.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).expect("JSON")
    }

    /// What the node wrote to its log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.with_extension("log")).unwrap_or_default()
    }

    /// The log of `society` as this node holds it: size, root, and who cosigned that head.
    pub(crate) fn holds(&self, society: &str) -> Held {
        let status = self.json(&["status"]);
        let logs = status["logs"].as_array().expect("logs");
        let Some(log) = logs.iter().find(|log| log["society"] == society) else {
            return Held::default();
        };
        let witnesses = log["witnesses"].as_array().expect("witnesses");
        Held {
            size: log["size"].as_u64().expect("size"),
            root: log["root"].as_str().expect("root").into(),
            witnesses: witnesses.iter().filter_map(|w| Some(w.as_str()?.into())).collect(),
        }
    }

    /// How many information shares this node shows.
    pub(crate) fn shares(&self) -> usize {
        self.json(&["information", "list"])["shares"].as_array().expect("shares").len()
    }
}

/// One log as one node holds it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) size: u64,
    pub(crate) root: String,
    pub(crate) witnesses: Vec<String>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("---- log of {}\n{}", self.society, self.log());
        }
    }
}

/// How a society takes part.
pub(crate) struct Seat {
    pub(crate) society: &'static str,
    pub(crate) role: &'static str,
    /// Whether others can reach it; else it only dials out.
    pub(crate) listens: bool,
}

impl Seat {
    /// A member that others can reach.
    pub(crate) fn of(society: &'static str) -> Self {
        Self { society, role: "member", listens: true }
    }
}

/// Societies with real nodes.
pub(crate) struct Federation {
    nodes: BTreeMap<&'static str, Node>,
    dir: TempDir,
}

impl Federation {
    /// Founds a federation by the command, with every founder's signature, and starts every node.
    pub(crate) fn found(societies: &[&'static str]) -> Self {
        let mut federation = Self::founded(societies);
        for society in societies {
            federation.node(society).start();
        }
        federation
    }

    /// The same, with no node started yet.
    pub(crate) fn founded(societies: &[&'static str]) -> Self {
        Self::seated(&societies.iter().map(|society| Seat::of(society)).collect::<Vec<_>>())
    }

    /// Two that can only dial out, and a relay. `ph` is off.
    pub(crate) fn around_a_relay() -> Self {
        let mut federation = Self::seated(&[
            Seat { role: "relay", ..Seat::of("ifrc") },
            Seat { listens: false, ..Seat::of("ph") },
            Seat { listens: false, ..Seat::of("sg") },
        ]);
        for society in ["ifrc", "sg"] {
            federation.node(society).start();
        }
        federation
    }

    /// The same, each in its own way.
    pub(crate) fn seated(seats: &[Seat]) -> Self {
        let dir = TempDir::new().expect("temporary directory");
        let mut nodes = BTreeMap::new();
        for Seat { society, role, listens } in seats {
            let node_dir = dir.path().join(society);
            let listen = format!("127.0.0.1:{}", free_port());
            let link = Link::to(&listen);
            let name = format!("Society of {society}");
            let path = node_dir.to_str().expect("UTF-8 path");
            let address = link.address();
            let mut args = vec![
                "init",
                "--dir",
                path,
                "--society",
                society,
                "--name",
                &name,
                "--federation",
                FEDERATION,
                "--role",
                role,
            ];
            if *listens {
                args.extend(["--listen", &listen, "--endpoint", &address]);
            }
            ok(tutti(&args), "init");
            nodes.insert(*society, Node { society, dir: node_dir, link, child: None });
        }
        let federation = Self { nodes, dir };
        let roster = federation.path("roster.note");
        let roster = roster.to_str().expect("UTF-8 path");
        let cards: Vec<String> = federation
            .nodes
            .values()
            .map(|node| node.dir.join("card.note").display().to_string())
            .collect();
        let threshold = (seats.len() / 2 + 1).to_string();
        let mut args = vec!["roster", "found"];
        args.extend(cards.iter().map(String::as_str));
        args.extend(["--threshold", &threshold, "--out", roster]);
        ok(tutti(&args), "roster found");
        for node in federation.nodes.values() {
            node.ok(&["roster", "sign", roster]);
        }
        for node in federation.nodes.values() {
            node.ok(&["roster", "install", roster]);
        }
        federation
    }

    /// One node.
    pub(crate) fn node(&mut self, society: &str) -> &mut Node {
        self.nodes.get_mut(society).expect("a founded society")
    }

    /// One node, to look at.
    pub(crate) fn at(&self, society: &str) -> &Node {
        &self.nodes[society]
    }

    /// Every node.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// A path in the federation's temporary directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Waits until every running node holds every log as its author does, each witnessed by all
    /// other running ones, and shows as many shares as any.
    pub(crate) fn converge(&self) {
        let running: Vec<&Node> = self.nodes().filter(|node| node.runs()).collect();
        for author in &running {
            eventually(&format!("all hold the log of {}", author.society), || {
                let own = author.holds(author.society);
                let witnessed = own.size == 0 || own.witnesses.len() + 1 >= running.len();
                witnessed && running.iter().all(|node| node.holds(author.society) == own)
            });
        }
        eventually("all bodies have arrived", || {
            let shares: Vec<usize> = running.iter().map(|node| node.shares()).collect();
            shares.windows(2).all(|pair| pair[0] == pair[1])
        });
    }

    /// Exports `society`'s log from that node and audits it; gives the report.
    pub(crate) fn audit(&self, at: &str, society: &str) -> Value {
        let (report, clean) = self.audited(at, society);
        assert!(clean, "audit of {society} at {at}: {report}");
        report
    }

    /// The same of a node's own log while it writes: nobody else may vouch for it yet.
    pub(crate) fn audit_under_way(&self, society: &str) -> Value {
        let (report, _) = self.audited(society, society);
        let findings = report["findings"].as_array().expect("findings");
        let explained = |one: &&Value| one["severity"] == "note" || one["code"] == "unwitnessed";
        let wrong: Vec<_> = findings.iter().filter(|one| !explained(one)).collect();
        assert!(wrong.is_empty(), "audit of {society}: {wrong:?}");
        report
    }

    fn audited(&self, at: &str, society: &str) -> (Value, bool) {
        let out = self.path(&format!("export-{at}-{society}-{}", unique()));
        let path = out.to_str().expect("UTF-8 path");
        self.at(at).ok(&["log", "export", "--out", path, "--of", society]);
        let output = tutti(&["audit", path, "--json"]);
        let report = String::from_utf8_lossy(&output.stdout).into_owned();
        let report = serde_json::from_str(&report);
        fs::remove_dir_all(&out).expect("an export that nobody needs any more");
        let said = String::from_utf8_lossy(&output.stderr);
        let report = report.unwrap_or_else(|error| panic!("audit of {society}: {error}: {said}"));
        (report, output.status.success())
    }
}

/// Waits until `condition` holds; gives up after [`PATIENCE`].
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "gave up waiting: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Every file below `dir`.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

fn free_port() -> u16 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // None that the system gives to a connection: a node that is not up yet, or not any more, keeps its own.
    let from = u64::from(std::process::id()).wrapping_mul(61);
    loop {
        let number = from.wrapping_add(NEXT.fetch_add(1, Ordering::SeqCst));
        let port = 20_000 + (number % 12_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::SeqCst)
}

/// Random moments. What a process does in them is never twice the same, so there is no seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        use std::hash::{BuildHasher as _, RandomState};
        Self(RandomState::new().hash_one(unique()))
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// A time below so many microseconds.
    pub(crate) fn micros(&mut self, bound: u64) -> Duration {
        Duration::from_micros(self.below(bound))
    }
}
