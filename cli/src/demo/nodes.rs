//! The three nodes: real processes, each of which ends with its standard input.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use tutti_proto::node::v1::{LogStatus, Peer, PeersRequest, StatusRequest, StatusResponse};

use super::account::{Account, SOCIETIES};
use crate::{
    failure::{Exit, Failure},
    node::{self, Node},
    pages,
};

/// How long anything may take before it counts as failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// How long a node may take to stop.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Three running nodes. Dropping them ends their standard input, and they stop.
pub(super) struct Nodes {
    running: Vec<Running>,
}

struct Running {
    society: &'static str,
    child: Child,
    node: Node,
}

impl Nodes {
    /// Starts all three and waits until each is linked with the two others.
    pub(super) async fn start(account: &Account) -> Result<Self, Failure> {
        account.step("Three nodes start, and find each other");
        let begun = Instant::now();
        let mut children = Children(Vec::new());
        for (society, ..) in SOCIETIES {
            children.0.push((society, spawn(account, society)?));
        }
        let mut nodes = Self { running: Vec::new() };
        while !children.0.is_empty() {
            let (society, child) = children.0.remove(0);
            nodes.running.push(answer(account, society, child).await?);
        }
        nodes.linked(account).await?;
        account.checked(&format!(
            "Three nodes are up, and each says that it is linked with both others, {} ms after the \
             first was started. Links are mutual TLS 1.3 by the roster's keys; there is no other \
             kind.",
            begun.elapsed().as_millis()
        ));
        Ok(nodes)
    }

    /// The node of a society.
    pub(super) fn of(&self, society: &str) -> Result<&Node, Failure> {
        let running = self.running.iter().find(|running| running.society == society);
        running.map(|running| &running.node).ok_or_else(|| {
            Failure::new(Exit::Internal, format!("the demo has no node of {society}"))
        })
    }

    async fn linked(&self, account: &Account) -> Result<(), Failure> {
        let begun = Instant::now();
        for running in &self.running {
            loop {
                let peers = node::ask(running.node.node().peers(PeersRequest {})).await?.peers;
                if peers.len() == 2 && peers.iter().all(|peer| peer.connected) {
                    break;
                }
                if begun.elapsed() > PATIENCE {
                    let what = format!("the node of {} links with both others", running.society);
                    return Err(account.failed(&what, &away(&peers)));
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Waits until every node holds every log whole, and knows that both others have witnessed it.
    pub(super) async fn settle(&self, account: &Account) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let mut logs = Vec::new();
            for running in &self.running {
                logs.push(self.logs(running.society).await?);
            }
            if settled(&logs) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                let what = "every node holds every log whole, witnessed by both other societies";
                return Err(account.failed(what, &format!("{logs:#?}")));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The logs that a node holds, in order.
    pub(super) async fn logs(&self, society: &str) -> Result<Vec<LogStatus>, Failure> {
        let mut logs = pages::logs(self.of(society)?).await?;
        logs.sort_by(|one, other| one.origin.cmp(&other.origin));
        Ok(logs)
    }

    /// A node's state.
    pub(super) async fn status(&self, society: &str) -> Result<StatusResponse, Failure> {
        node::ask(self.of(society)?.node().status(StatusRequest {})).await
    }

    /// Resolves when a node has ended that was not told to.
    pub(super) async fn ended(&mut self) -> Failure {
        loop {
            for running in &mut self.running {
                if let Ok(Some(status)) = running.child.try_wait() {
                    let what = format!("the node of {} has ended: {status}", running.society);
                    return Failure::new(Exit::Internal, what);
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Stops all of them, however they do.
    pub(super) async fn end(&mut self) {
        let children = self.disconnect().await;
        drop(children);
    }

    /// Gives up our own connections, for which a node would wait a while.
    async fn disconnect(&mut self) -> Children {
        let children =
            self.running.drain(..).map(|Running { society, child, .. }| (society, child));
        let children = Children(children.collect());
        tokio::time::sleep(LOOK).await;
        children
    }

    /// Stops all of them, and checks that they stopped well.
    pub(super) async fn stop(&mut self, account: &Account) -> Result<(), Failure> {
        let mut stopping = self.disconnect().await;
        for (_, child) in &mut stopping.0 {
            drop(child.stdin.take());
        }
        let begun = Instant::now();
        for (society, child) in &mut stopping.0 {
            loop {
                match child.try_wait() {
                    Ok(Some(status)) if status.success() => break,
                    Ok(Some(status)) => {
                        let what = format!("the node of {society} stops well");
                        let log = last_lines(account, society);
                        return Err(account.failed(&what, &format!("{status}\n{log}")));
                    }
                    Ok(None) if begun.elapsed() < STOP_MAX => tokio::time::sleep(LOOK).await,
                    _ => {
                        let what = format!("the node of {society} stops within 10 s");
                        return Err(account.failed(&what, &last_lines(account, society)));
                    }
                }
            }
        }
        account.checked("The three nodes were told to stop, and stopped well.");
        Ok(())
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        let children =
            self.running.drain(..).map(|Running { society, child, .. }| (society, child));
        drop(Children(children.collect()));
    }
}

/// Nodes that were started and do not answer yet.
struct Children(Vec<(&'static str, Child)>);

impl Drop for Children {
    fn drop(&mut self) {
        let mut children: Vec<&mut Child> = self.0.iter_mut().map(|(_, child)| child).collect();
        end(&mut children);
    }
}

/// Ends their standard input, waits a little, then kills what is left; each is waited for.
fn end(children: &mut [&mut Child]) {
    for child in children.iter_mut() {
        drop(child.stdin.take());
    }
    let begun = Instant::now();
    for child in children {
        while matches!(child.try_wait(), Ok(None)) {
            if begun.elapsed() > STOP_MAX {
                // It may have ended by itself meanwhile.
                let _ = child.kill();
                let _ = child.wait();
                break;
            }
            std::thread::sleep(LOOK);
        }
    }
}

fn spawn(account: &Account, society: &str) -> Result<Child, Failure> {
    let path = account.log(society);
    let log = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::File::create(&path))
        .map_err(|error| Failure::io(&path, &error))?;
    account
        .clean_command()
        .args(["serve", "--while-stdin", "--dir"])
        .arg(account.node(society))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        // Ctrl-C is for the demo, which then stops its nodes in order.
        .process_group(0)
        .spawn()
        .map_err(|error| Failure::new(Exit::Internal, format!("no node was started: {error}")))
}

/// Waits until the node answers.
async fn answer(
    account: &Account,
    society: &'static str,
    mut child: Child,
) -> Result<Running, Failure> {
    let begun = Instant::now();
    loop {
        if let Ok(node) = Node::in_dir(&account.node(society)).await
            && node.node().status(StatusRequest {}).await.is_ok()
        {
            return Ok(Running { society, child, node });
        }
        let ended = child.try_wait().ok().flatten();
        if ended.is_some() || begun.elapsed() > PATIENCE {
            let what = format!("the node of {society} starts");
            let log = last_lines(account, society);
            end(&mut [&mut child]);
            return Err(account.failed(&what, &log));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn settled(nodes: &[Vec<LogStatus>]) -> bool {
    let Some(first) = nodes.first() else {
        return false;
    };
    let whole = |log: &LogStatus| {
        !log.forked && log.size == log.head_size && log.witnesses.len() + 1 == SOCIETIES.len()
    };
    let same = |one: &LogStatus, other: &LogStatus| {
        one.origin == other.origin && one.size == other.size && one.root == other.root
    };
    first.len() == SOCIETIES.len()
        && nodes.iter().all(|logs| {
            logs.len() == first.len()
                && logs.iter().zip(first).all(|(log, of_first)| whole(log) && same(log, of_first))
        })
}

fn away(peers: &[Peer]) -> String {
    let lines: Vec<String> = peers
        .iter()
        .filter(|peer| !peer.connected)
        .map(|peer| format!("{}: {}", peer.society, peer.last_error))
        .collect();
    lines.join("\n")
}

fn last_lines(account: &Account, society: &str) -> String {
    let log = fs::read_to_string(account.log(society)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(8)..).unwrap_or_default().join("\n")
}
