//! How much of what is large may be under way on a link: little enough that a small frame is not kept
//! waiting behind it.
//!
//! What nobody has asked for is not on a link, so the asker alone decides. Each chunk that comes tells how
//! long it took; what it took beyond the least that one has taken of late is a queue that we made, and
//! everything else stands in it. When as many in a row as may be under way have met a short queue, one more
//! may be; where one meets a long one, half as many; one always is. Invariant: it looks at times alone, never at what a
//! peer says.
//!
//! Source: the idea is that of LEDBAT (RFC 6817): a background transfer that yields.

use std::collections::VecDeque;

use super::bodies::Key;
use crate::limits::BULK_CHUNKS_PER_LINK;

/// A queue up to here is short, and one above the second is long, milliseconds.
const SHORT_MS: u64 = 100;
const LONG_MS: u64 = 400;

/// The chunks of one link.
#[derive(Debug)]
pub(super) struct Pace {
    /// How many may be under way.
    window: usize,
    /// The least that a chunk has taken of late, milliseconds. It grows by one with each chunk, so that
    /// it follows a way that has become longer.
    least_ms: u64,
    /// How many have met a short queue, since the window changed or one has not.
    short: usize,
    /// Those that are, in the order in which they were asked for, and when.
    under_way: VecDeque<(Key, u64, u64)>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { window: 1, least_ms: u64::MAX, short: 0, under_way: VecDeque::new() }
    }
}

impl Pace {
    /// Whether one more may be asked for.
    pub(super) fn has_room(&self) -> bool {
        self.under_way.len() < self.window
    }

    /// One was asked for.
    pub(super) fn asked(&mut self, key: &Key, offset: u64, now_ms: u64) {
        self.under_way.push_back((key.clone(), offset, now_ms));
    }

    /// One has come.
    pub(super) fn came(&mut self, key: &Key, offset: u64, now_ms: u64) {
        let mut under_way = self.under_way.iter();
        let at = under_way.position(|(of, at, _)| of == key && *at == offset);
        let Some((_, _, asked_ms)) = at.and_then(|at| self.under_way.remove(at)) else { return };
        let took_ms = now_ms.saturating_sub(asked_ms);
        self.least_ms = took_ms.min(self.least_ms.saturating_add(1));
        match took_ms - self.least_ms {
            0..=SHORT_MS => self.short += 1,
            took if took <= LONG_MS => self.short = 0,
            _ => {
                self.window = (self.window / 2).max(1);
                self.short = 0;
            }
        }
        if self.short >= self.window {
            self.window = (self.window + 1).min(BULK_CHUNKS_PER_LINK);
            self.short = 0;
        }
    }

    /// None of these is waited for any more.
    pub(super) fn forget(&mut self, key: &Key) {
        self.under_way.retain(|(of, ..)| of != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{body::Part, society::Origin};

    /// Carries chunks of 48 KiB over a link of so many bytes a second and that round trip; gives the
    /// most that were under way, and how many came in so many seconds.
    fn carried(bytes_per_s: u64, round_trip_ms: u64, seconds: u64) -> Option<(usize, u64)> {
        let origin: Origin = "m.example.org/ph/1".parse().ok()?;
        let key = (origin, 0, Part::Content);
        let mut pace = Pace::default();
        let (mut asked, mut came, mut most) = (0u64, 0u64, 0);
        let mut free_ms = 0;
        let mut due: VecDeque<(u64, u64)> = VecDeque::new();
        for now_ms in 0..seconds * 1000 {
            while due.front().is_some_and(|(at_ms, _)| *at_ms <= now_ms) {
                let (_, offset) = due.pop_front()?;
                pace.came(&key, offset, now_ms);
                came += 1;
            }
            while pace.has_room() {
                pace.asked(&key, asked, now_ms);
                free_ms = free_ms.max(now_ms + round_trip_ms / 2) + 49_152_000 / bytes_per_s;
                due.push_back((free_ms + round_trip_ms / 2, asked));
                asked += 1;
            }
            most = most.max(due.len());
        }
        Some((most, came))
    }

    #[test]
    fn a_slow_link_has_two_chunks_on_it_at_most_and_a_fast_one_is_filled() {
        // 1 Mbit/s: 2.5 chunks a second is all that it carries.
        let (most, came) = carried(125_000, 100, 60).unwrap_or_default();
        assert!(most <= 2, "{most}");
        assert!(came >= 120, "{came}");
        let (most, _) = carried(32_000, 300, 120).unwrap_or_default();
        assert!(most <= 2, "{most}");
        // 100 Mbit/s and half the world between: eight a round trip.
        let (most, came) = carried(12_500_000, 300, 60).unwrap_or_default();
        assert_eq!(most, BULK_CHUNKS_PER_LINK);
        assert!(came >= 1_200, "{came}");
    }

    #[test]
    fn what_is_forgotten_makes_room_and_a_stray_chunk_does_nothing() {
        let mut pace = Pace::default();
        let Ok(origin) = "m.example.org/ph/1".parse::<Origin>() else { return };
        let key = (origin, 0, Part::Content);
        pace.asked(&key, 0, 0);
        assert!(!pace.has_room());
        pace.came(&key, 49_152, 10);
        assert!(!pace.has_room());
        pace.forget(&key);
        assert!(pace.has_room());
        pace.came(&key, 0, 10);
        assert_eq!(pace.window, 1);
    }
}
