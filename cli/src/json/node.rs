//! The node's state, its peers, and what changes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tutti_core::{head::Head, roster::Desk, society::Origin};
use tutti_node::store;
use tutti_proto::node::v1 as api;

use super::given;
use crate::{desk, time::rfc3339};

/// `tutti status --json`.
#[derive(Serialize)]
pub(crate) struct Status {
    society: String,
    name: String,
    federation: String,
    version: String,
    mode: String,
    listen: Option<String>,
    started_at: Option<String>,
    roster: RosterInForce,
    logs: Vec<Log>,
    peers: Vec<Peer>,
    referrals: BTreeMap<String, u64>,
    overdue: u64,
    acknowledgements_overdue: u64,
    answers_overdue: u64,
    unstopped: u64,
    relay: Option<Relay>,
    put_off: Vec<PutOff>,
    warnings: Vec<String>,
}

/// A member that writes more than is taken of one.
#[derive(Serialize)]
struct PutOff {
    society: String,
    what: String,
}

/// What a relay keeps for others.
#[derive(Serialize)]
struct Relay {
    bytes: u64,
    entries: u64,
    bytes_max: u64,
    member_bytes_max: u64,
    keep_days: u64,
    oldest_since: Option<String>,
    refused: u64,
    shares: Vec<Share>,
}

#[derive(Serialize)]
struct Share {
    society: String,
    bytes: u64,
    entries: u64,
}

#[derive(Serialize)]
struct RosterInForce {
    version: u64,
    expires_on: String,
}

/// A log as this node holds it.
#[derive(Serialize)]
struct Log {
    origin: String,
    society: String,
    size: u64,
    head_size: u64,
    root: String,
    witnesses: Vec<String>,
    forked: bool,
    doubted: Vec<u64>,
}

/// `tutti peers --json`.
#[derive(Serialize)]
pub(crate) struct Peers {
    peers: Vec<Peer>,
}

#[derive(Serialize)]
struct Peer {
    society: String,
    name: String,
    endpoints: Vec<String>,
    connected: bool,
    link: Option<String>,
    since: Option<String>,
    last_heard_at: Option<String>,
    last_error: Option<String>,
    bytes_in: u64,
    bytes_out: u64,
    round_trip_us: Option<u32>,
    desk: Option<Desk>,
}

/// One line of `tutti watch --json`.
#[derive(Serialize)]
pub(crate) struct Change {
    at: Option<String>,
    kind: String,
    id: Option<String>,
    what: String,
    count: u64,
}

impl From<&api::StatusResponse> for Status {
    fn from(status: &api::StatusResponse) -> Self {
        Self {
            society: status.society.clone(),
            name: status.name.clone(),
            federation: status.federation.clone(),
            version: status.version.clone(),
            mode: status.mode.clone(),
            listen: given(&status.listen),
            started_at: rfc3339(status.started_at_ms),
            roster: RosterInForce {
                version: status.roster_version,
                expires_on: status.roster_expires.clone(),
            },
            logs: status.logs.iter().map(Log::from).collect(),
            peers: status.peers.iter().map(Peer::from).collect(),
            referrals: status.referrals.clone().into_iter().collect(),
            overdue: status.overdue,
            acknowledgements_overdue: status.acknowledgements_overdue,
            answers_overdue: status.answers_overdue,
            unstopped: status.unstopped,
            relay: status.relay.as_ref().map(Relay::from),
            put_off: status
                .put_off
                .iter()
                .map(|one| PutOff { society: one.society.clone(), what: one.what.clone() })
                .collect(),
            warnings: status.warnings.clone(),
        }
    }
}

impl From<&api::RelayStatus> for Relay {
    fn from(relay: &api::RelayStatus) -> Self {
        let share = |share: &api::RelayShare| Share {
            society: share.society.clone(),
            bytes: share.bytes,
            entries: share.entries,
        };
        Self {
            bytes: relay.bytes,
            entries: relay.entries,
            bytes_max: relay.bytes_max,
            member_bytes_max: relay.member_bytes_max,
            keep_days: relay.keep_days,
            oldest_since: rfc3339(relay.oldest_since_ms),
            refused: relay.refused,
            shares: relay.shares.iter().map(share).collect(),
        }
    }
}

impl From<&api::LogStatus> for Log {
    fn from(log: &api::LogStatus) -> Self {
        Self {
            origin: log.origin.clone(),
            society: log.society.clone(),
            size: log.size,
            head_size: log.head_size,
            root: hex::encode(&log.root),
            witnesses: log.witnesses.clone(),
            forked: log.forked,
            doubted: sizes(&log.doubted),
        }
    }
}

/// What each of these heads says that the log holds.
fn sizes(heads: &[Vec<u8>]) -> Vec<u64> {
    heads.iter().filter_map(|head| Head::claimed(head).ok()).map(|head| head.size).collect()
}

impl From<&api::PeersResponse> for Peers {
    fn from(answer: &api::PeersResponse) -> Self {
        Self { peers: answer.peers.iter().map(Peer::from).collect() }
    }
}

impl From<&api::Peer> for Peer {
    fn from(peer: &api::Peer) -> Self {
        Self {
            society: peer.society.clone(),
            name: peer.name.clone(),
            endpoints: peer.endpoints.clone(),
            connected: peer.connected,
            link: given(&peer.link),
            since: rfc3339(peer.since_ms),
            last_heard_at: rfc3339(peer.last_heard_ms),
            last_error: given(&peer.last_error),
            bytes_in: peer.bytes_in,
            bytes_out: peer.bytes_out,
            round_trip_us: (peer.round_trip_us != 0).then_some(peer.round_trip_us),
            desk: peer.desk.as_ref().map(desk::of),
        }
    }
}

impl From<&api::WatchEvent> for Change {
    fn from(change: &api::WatchEvent) -> Self {
        Self {
            at: rfc3339(change.at_ms),
            kind: change.kind.clone(),
            id: given(&change.id),
            what: change.what.clone(),
            count: change.count,
        }
    }
}

/// `tutti repair --json`.
#[derive(Serialize)]
pub(crate) struct Repaired {
    problem: Option<String>,
    set_aside: Option<String>,
    highwater: Option<u64>,
    logs: Vec<RepairedLog>,
    bodies: Option<RepairedBodies>,
}

#[derive(Serialize)]
struct RepairedLog {
    origin: String,
    entries: u64,
    problem: Option<String>,
}

#[derive(Serialize)]
struct RepairedBodies {
    found: u64,
    kept: u64,
}

impl From<&store::Repaired> for Repaired {
    fn from(done: &store::Repaired) -> Self {
        let origins: BTreeSet<_> = done.logs.keys().chain(done.left.keys()).collect();
        let log = |origin: &Origin| RepairedLog {
            origin: origin.to_string(),
            entries: done.logs.get(origin).copied().unwrap_or(0),
            problem: done.left.get(origin).cloned(),
        };
        Self {
            problem: done.problem.clone(),
            set_aside: done.set_aside.as_ref().map(|path| path.display().to_string()),
            highwater: done.highwater,
            logs: origins.into_iter().map(log).collect(),
            bodies: done.bodies.map(|(kept, found)| RepairedBodies { found, kept }),
        }
    }
}
