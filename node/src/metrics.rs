//! Prometheus metrics over HTTP, on loopback alone and off unless configured.
//!
//! Counts, sizes and times: societies' codes and log names, never a referral's id and nothing about
//! a person. Gauges are read from the engine when they are asked for.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tutti_proto::node::v1::{self as api, PutOff};

use crate::peers::PeerState;

mod classic;
mod http;

pub(crate) use http::serve;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Log {
    origin: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Peer {
    society: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cost {
    society: String,
    what: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Waiting {
    on: String,
    age: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModeLabel {
    mode: String,
}

type Gauges<L> = Family<L, Gauge<i64, AtomicI64>>;

/// Every metric of a node.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    entries: Gauges<Log>,
    known: Gauges<Log>,
    witnesses: Gauges<Log>,
    forked: Gauges<Log>,
    referrals: Gauges<State>,
    overdue: Gauge,
    acknowledgements_overdue: Gauge,
    answers_overdue: Gauge,
    waiting: Gauges<Waiting>,
    waiting_overdue: Gauges<Waiting>,
    erasures_open: Gauge,
    connected: Gauges<Peer>,
    received: Gauges<Peer>,
    sent: Gauges<Peer>,
    mode: Gauges<ModeLabel>,
    roster: Gauge,
    relay_bytes: Gauges<Peer>,
    relay_entries: Gauges<Peer>,
    relay_bytes_max: Gauge,
    relay_member_bytes_max: Gauge,
    relay_oldest: Gauge,
    relay_refused: Gauge,
    put_off: Gauges<Cost>,
    commits: Family<Answer, Counter<u64, AtomicU64>>,
    commit_seconds: Histogram,
}

/// All that the mode may be, so that each is there as 0 or 1.
const MODES: [&str; 4] = ["writing", "fenced", "forked", "disk_full"];

impl Metrics {
    pub(crate) fn new(version: &str) -> Self {
        // From a tenth of a millisecond: one fdatasync takes about two.
        let buckets =
            [0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0];
        let metrics = Self {
            registry: Mutex::default(),
            entries: Family::default(),
            known: Family::default(),
            witnesses: Family::default(),
            forked: Family::default(),
            referrals: Family::default(),
            overdue: Gauge::default(),
            acknowledgements_overdue: Gauge::default(),
            answers_overdue: Gauge::default(),
            waiting: Family::default(),
            waiting_overdue: Family::default(),
            erasures_open: Gauge::default(),
            connected: Family::default(),
            received: Family::default(),
            sent: Family::default(),
            mode: Family::default(),
            roster: Gauge::default(),
            relay_bytes: Family::default(),
            relay_entries: Family::default(),
            relay_bytes_max: Gauge::default(),
            relay_member_bytes_max: Gauge::default(),
            relay_oldest: Gauge::default(),
            relay_refused: Gauge::default(),
            put_off: Family::default(),
            commits: Family::default(),
            commit_seconds: Histogram::new(buckets),
        };
        *metrics.registry() = metrics.described(version);
        metrics
    }

    fn described(&self, version: &str) -> Registry {
        let mut registry = Registry::with_prefix("tutti");
        let mut add = |name: &str, help: &str, gauges: &dyn Register| {
            gauges.register(&mut registry, name, help);
        };
        add("log_entries", "Entries of a log that are held and verified here", &self.entries);
        add("log_known_entries", "Entries that the newest signed head speaks of", &self.known);
        add("log_witnesses", "Societies that cosigned the newest head", &self.witnesses);
        add("log_forked", "1 where two signed heads contradict each other", &self.forked);
        add("referrals", "Referrals that this society is a party to", &self.referrals);
        add(
            "referrals_overdue",
            "Referrals whose acknowledgement or answer is overdue",
            &self.overdue,
        );
        add(
            "referrals_acknowledgement_overdue",
            "Referrals whose acknowledgement is overdue",
            &self.acknowledgements_overdue,
        );
        add("referrals_answer_overdue", "Referrals whose answer is overdue", &self.answers_overdue);
        add(
            "referrals_waiting",
            "Referrals that wait for an answer, by who owes it and for how long",
            &self.waiting,
        );
        add(
            "referrals_waiting_overdue",
            "Those of referrals_waiting whose acknowledgement or answer is overdue",
            &self.waiting_overdue,
        );
        add(
            "erasures_open",
            "Referrals whose content is to be erased, not confirmed by both sides",
            &self.erasures_open,
        );
        add("peer_connected", "1 where the link with this peer is up", &self.connected);
        add("peer_received_bytes", "Bytes received from this peer since the start", &self.received);
        add("peer_sent_bytes", "Bytes sent to this peer since the start", &self.sent);
        add("mode", "1 for the mode that the node is in", &self.mode);
        add("roster_version", "The version of the roster in force", &self.roster);
        add("relay_bytes", "Bytes that are kept for others, by author", &self.relay_bytes);
        add("relay_entries", "Entries whose bodies are kept, by author", &self.relay_entries);
        add("relay_bytes_max", "Bytes that may be kept in all", &self.relay_bytes_max);
        add(
            "relay_member_bytes_max",
            "Bytes that may be kept of one author",
            &self.relay_member_bytes_max,
        );
        add(
            "relay_oldest_seconds",
            "When what is kept longest came, seconds since the Unix epoch; 0 where nothing is",
            &self.relay_oldest,
        );
        add(
            "relay_refused",
            "Offers that were refused for want of room since the start",
            &self.relay_refused,
        );
        add(
            "member_put_off",
            "1 where a member writes more than is taken of one a day, by what",
            &self.put_off,
        );
        registry.register("commits", "Writes that were asked for", self.commits.clone());
        registry.register_with_unit(
            "commit",
            "How long a write took for whoever asked",
            Unit::Seconds,
            self.commit_seconds.clone(),
        );
        let info = prometheus_client::metrics::info::Info::new(vec![(
            "version".to_string(),
            version.to_string(),
        )]);
        registry.register("build", "The program", info);
        registry
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a write.
    pub(crate) fn commit(&self, took: Duration, written: bool) {
        let result = if written { "written" } else { "refused" };
        self.commits.get_or_create(&Answer { result }).inc();
        if written {
            self.commit_seconds.observe(took.as_secs_f64());
        }
    }

    /// Everything as OpenMetrics text, with the gauges as they are now.
    pub(crate) fn text<'a>(
        &self,
        status: &api::StatusResponse,
        peers: impl IntoIterator<Item = (String, &'a PeerState)>,
    ) -> Result<String, std::fmt::Error> {
        for log in &status.logs {
            let label = Log { origin: log.origin.clone() };
            self.entries.get_or_create(&label).set(whole(log.size));
            self.known.get_or_create(&label).set(whole(log.head_size));
            self.witnesses.get_or_create(&label).set(whole(log.witnesses.len() as u64));
            self.forked.get_or_create(&label).set(i64::from(log.forked));
        }
        for (state, count) in &status.referrals {
            self.referrals.get_or_create(&State { state: state.clone() }).set(whole(*count));
        }
        self.overdue.set(whole(status.overdue));
        self.acknowledgements_overdue.set(whole(status.acknowledgements_overdue));
        self.answers_overdue.set(whole(status.answers_overdue));
        for waiting in &status.waiting {
            let label = Waiting { on: waiting.on.clone(), age: waiting.age.clone() };
            self.waiting.get_or_create(&label).set(whole(waiting.count));
            self.waiting_overdue.get_or_create(&label).set(whole(waiting.overdue));
        }
        self.erasures_open.set(whole(status.erasures_open));
        self.roster.set(whole(status.roster_version));
        if let Some(relay) = &status.relay {
            // Of whom nothing is kept any more is told as nought, not as it was.
            self.relay_bytes.clear();
            self.relay_entries.clear();
            for share in &relay.shares {
                let label = Peer { society: share.society.clone() };
                self.relay_bytes.get_or_create(&label).set(whole(share.bytes));
                self.relay_entries.get_or_create(&label).set(whole(share.entries));
            }
            self.relay_bytes_max.set(whole(relay.bytes_max));
            self.relay_member_bytes_max.set(whole(relay.member_bytes_max));
            self.relay_oldest.set(whole(relay.oldest_since_ms / 1000));
            self.relay_refused.set(whole(relay.refused));
        }
        self.put_off.clear();
        for PutOff { society, what } in status.put_off.iter().cloned() {
            self.put_off.get_or_create(&Cost { society, what }).set(1);
        }
        for (society, state) in peers {
            let label = Peer { society };
            self.connected.get_or_create(&label).set(i64::from(state.link.is_some()));
            self.received.get_or_create(&label).set(whole(state.bytes_in()));
            self.sent.get_or_create(&label).set(whole(state.bytes_out()));
        }
        for mode in MODES {
            let label = ModeLabel { mode: mode.into() };
            self.mode.get_or_create(&label).set(i64::from(status.mode == mode));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry())?;
        Ok(text)
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Gauges of whatever labels, registered alike.
trait Register {
    fn register(&self, registry: &mut Registry, name: &str, help: &str);
}

impl<M> Register for M
where
    M: prometheus_client::registry::Metric + Clone,
{
    fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register(name, help, self.clone());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_manual_lists_every_metric() {
        let metrics = Metrics::new("0.1.0");
        metrics.commit(Duration::from_millis(3), true);
        let status = api::StatusResponse {
            mode: "fenced".into(),
            referrals: [("sent".to_string(), 2)].into(),
            logs: vec![api::LogStatus { origin: "m.org/ph/1".into(), ..Default::default() }],
            relay: Some(api::RelayStatus {
                shares: vec![api::RelayShare { society: "ph".into(), bytes: 7, entries: 1 }],
                ..Default::default()
            }),
            ..Default::default()
        };
        let state = PeerState::default();
        let text = metrics.text(&status, [("ph".to_string(), &state)]).unwrap();
        assert!(text.contains("tutti_mode{mode=\"fenced\"} 1\n"), "{text}");
        assert!(text.contains("tutti_mode{mode=\"writing\"} 0\n"), "{text}");
        assert!(text.contains("tutti_relay_bytes{society=\"ph\"} 7\n"), "{text}");
        let manual = include_str!("../../docs/operating.md");
        for line in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
            let name = line.split(' ').next().unwrap();
            assert!(manual.contains(&format!("`{name}`")), "docs/operating.md lacks {name}");
        }
    }
}
