//! What a relay tells its operator: how much it keeps, of whom, for how long, and what it refused.
//!
//! Invariant: nothing here says for whom anything is; a relay does not know.

use rand_core::CryptoRngCore;
use tutti_core::store::Store;
use tutti_proto::node::v1 as api;

use super::Engine;

/// Of a quota, percent: from here on people are told.
const NEAR_PERCENT: u64 = 80;

/// How long after an offer was refused people are told, milliseconds: a day.
const REFUSED_MS: u64 = 24 * 60 * 60 * 1000;

const MIB: u64 = 1 << 20;

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// What is kept; `None` where this node is no relay and keeps nothing.
    pub(in crate::engine) fn relay_message(&self) -> Option<api::RelayStatus> {
        let (total, rules) = (self.relay.share(None), self.roster.relaying());
        (self.is_relay() || total.entries > 0).then(|| api::RelayStatus {
            bytes: total.bytes,
            entries: total.entries,
            bytes_max: rules.total_bytes(),
            member_bytes_max: rules.member_bytes(),
            keep_days: u64::from(rules.keep_days),
            oldest_since_ms: self.relay.oldest_ms().unwrap_or(0),
            refused: self.relay.refused,
            shares: self
                .relay
                .shares()
                .map(|(society, share)| api::RelayShare {
                    society: society.to_string(),
                    bytes: share.bytes,
                    entries: share.entries,
                })
                .collect(),
        })
    }

    /// What whoever runs a relay should look at.
    pub(in crate::engine) fn relay_warnings(&self, now_ms: u64) -> Vec<String> {
        let rules = self.roster.relaying();
        let near = |bytes: u64, max: u64| bytes.saturating_mul(100) >= max * NEAR_PERCENT;
        let mut warnings = Vec::new();
        for (society, share) in self.relay.shares() {
            if near(share.bytes, rules.member_bytes()) {
                warnings.push(format!(
                    "this relay keeps {} of the {} MiB that the roster gives {society}; beyond them it \
                     takes nothing more of it. Nobody has come for {} entries",
                    share.bytes / MIB,
                    rules.member_mib,
                    share.entries
                ));
            }
        }
        let total = self.relay.share(None);
        if near(total.bytes, rules.total_bytes()) {
            warnings.push(format!(
                "this relay keeps {} of the {} MiB that the roster gives all; beyond them it takes \
                 nothing more",
                total.bytes / MIB,
                rules.total_mib
            ));
        }
        if self.relay.refused > 0 && now_ms.saturating_sub(self.relay.refused_at_ms) < REFUSED_MS {
            warnings.push(format!(
                "this relay has refused {} offers since it was started, for want of room. Another \
                 relay, or more room, is for a next roster to give",
                self.relay.refused
            ));
        }
        warnings
    }
}
