//! The memory of a node in a process of its own: at rest, and once it has caught up.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tutti_node::{
    client::{Target as At, connect},
    serve::{Options, serve},
};
use tutti_proto::node::v1::{StatusRequest, node_client::NodeClient};

use crate::{
    Sizes,
    fixture::{Federation, folder},
    measure::{Row, Samples, Target, Unit},
    nodes::Node,
};

/// Where it is set, this process is the node in that directory.
pub(crate) const SERVE: &str = "TUTTI_BENCH_SERVE";

const MIB: f64 = 1024.0 * 1024.0;

/// Runs the node until it is killed.
pub(crate) async fn be_a_node(dir: &Path) {
    let options = Options { quiet: true, ..Options::default() };
    serve(dir, options).await.expect("served");
}

/// A node in a process of its own.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) async fn start(dir: &Path) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.env(SERVE, dir).stdin(Stdio::null()).stdout(Stdio::null());
        let process = Self(command.spawn().expect("started"));
        while connect(&At::Dir(dir.into())).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process
    }

    /// Resident bytes now, and the most there ever were.
    pub(crate) fn memory(&self) -> (f64, f64) {
        let path = format!("/proc/{}/status", self.0.id());
        let text = std::fs::read_to_string(path).expect("a process");
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
            let kib = line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok());
            kib.expect("a number") * 1024.0
        };
        (field("VmRSS:"), field("VmHWM:"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) async fn rows(sizes: &Sizes) -> Vec<Row> {
    let mut federation = Federation::found(&["sg", "ph", "qa"]);
    let (data, size) = (folder(), sizes.opened);
    drop(federation.fill(data.path(), "qa", size));
    let listener = federation.listener("sg");
    federation.release();
    let home = federation.home("ph");
    let node = Process::start(&home).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let at_rest = node.memory().0;
    let holder = Node::start(&federation, "sg", data.path(), Some(listener));
    let channel = connect(&At::Dir(home)).await.expect("connected");
    let mut client = NodeClient::new(channel);
    loop {
        let status = client.status(StatusRequest {}).await.expect("a status").into_inner();
        if status.logs.iter().any(|log| log.size == size) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (caught_up, most) = node.memory();
    holder.stop().await;
    let row = |what: String, bytes: f64, most: f64| {
        let mut samples = Samples::default();
        samples.add(bytes);
        Row::alone(what, Unit::Bytes, &samples, Target::AtMost(most * MIB))
    };
    vec![
        row("memory at rest".into(), at_rest, 30.0),
        row(format!("memory after a catch-up of {size} entries"), caught_up, 128.0),
        row(format!("the most while catching up on {size}"), most, 128.0),
    ]
}
