//! Every log that the exchange knows, with an ordered set of their timers.
//!
//! Looking for what is due takes no walk through all logs: a federation has as many as it has
//! members, and something happens a thousand times a second. Invariant: a log is changed through
//! [`Logs`] alone, which notes it; [`Logs::settle`], at the end of each input, brings the sets up
//! to it. By the same notes the digests of the frontier are made anew only where a log has changed.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    frontier::{Digest, PARTS, digest},
    log::Log,
};
use crate::society::Origin;

#[derive(Debug, Default)]
pub(super) struct Logs {
    logs: BTreeMap<Origin, Log>,
    /// By the next timer of each.
    timers: BTreeSet<(u64, Origin)>,
    /// Those that are known to go on beyond what is held.
    behind: BTreeSet<Origin>,
    /// Those that may have changed since the last settling.
    touched: BTreeSet<Origin>,
    /// Over each part of the frontier, where no log in it may have changed since.
    digests: [Option<Digest>; PARTS],
}

impl Logs {
    pub(super) fn get(&self, origin: &Origin) -> Option<&Log> {
        self.logs.get(origin)
    }

    pub(super) fn get_mut(&mut self, origin: &Origin) -> Option<&mut Log> {
        let log = self.logs.get_mut(origin)?;
        touch(&mut self.touched, origin);
        forget(&mut self.digests, log);
        Some(log)
    }

    pub(super) fn get_or_insert_with(
        &mut self,
        origin: &Origin,
        log: impl FnOnce() -> Log,
    ) -> &mut Log {
        touch(&mut self.touched, origin);
        let log = self.logs.entry(origin.clone()).or_insert_with(log);
        forget(&mut self.digests, log);
        log
    }

    pub(super) fn contains(&self, origin: &Origin) -> bool {
        self.logs.contains_key(origin)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Origin, &Log)> {
        self.logs.iter()
    }

    /// All, to be changed: for what happens seldom.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Origin, &mut Log)> {
        self.touched.extend(self.logs.keys().cloned());
        self.digests = [None; PARTS];
        self.logs.iter_mut()
    }

    /// Over each part of the logs that are held whole.
    pub(super) fn digests(&mut self) -> Vec<Digest> {
        let (logs, parts) = (&self.logs, (0..).zip(&mut self.digests));
        let of = |part: usize| logs.iter().filter(move |(_, log)| log.part == part);
        parts.map(|(part, known)| *known.get_or_insert_with(|| digest(of(part)))).collect()
    }

    /// Those that are known to go on beyond what is held, in their order.
    pub(super) fn behind(&self) -> Vec<Origin> {
        let at_all = self.behind.union(&self.touched);
        at_all.filter(|origin| self.logs.get(*origin).is_some_and(is_behind)).cloned().collect()
    }

    /// Those of which a timer is due, in their order.
    pub(super) fn due(&self, now_ms: u64) -> Vec<Origin> {
        let due = self.timers.iter().take_while(|(at_ms, _)| *at_ms <= now_ms);
        let mut due: Vec<Origin> = due.map(|(_, origin)| origin.clone()).collect();
        due.sort_unstable();
        due
    }

    /// The earliest timer, as of the last settling.
    pub(super) fn next_timer(&self) -> Option<u64> {
        self.timers.first().map(|(at_ms, _)| *at_ms)
    }

    /// Brings the sets up to what has changed.
    pub(super) fn settle(&mut self) {
        for origin in std::mem::take(&mut self.touched) {
            let Some(log) = self.logs.get_mut(&origin) else { continue };
            if is_behind(log) {
                self.behind.insert(origin.clone());
            } else {
                self.behind.remove(&origin);
            }
            let next = log.next_timer();
            if next == log.set_for_ms {
                continue;
            }
            if let Some(at_ms) = std::mem::replace(&mut log.set_for_ms, next) {
                self.timers.remove(&(at_ms, origin.clone()));
            }
            if let Some(at_ms) = next {
                self.timers.insert((at_ms, origin));
            }
        }
    }
}

fn forget(digests: &mut [Option<Digest>; PARTS], log: &Log) {
    if let Some(known) = digests.get_mut(log.part) {
        *known = None;
    }
}

fn is_behind(log: &Log) -> bool {
    log.ahead.is_some()
}

/// Most steps touch one log many times.
fn touch(touched: &mut BTreeSet<Origin>, origin: &Origin) {
    if !touched.contains(origin) {
        touched.insert(origin.clone());
    }
}
