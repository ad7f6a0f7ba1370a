//! A clock that only goes forward, fed by one that may jump: a timer is never lost to a clock that
//! was set back by years, and never fires early by more than was really waited.

/// Keeps the exchange's own time, milliseconds since the first input.
#[derive(Debug, Default)]
pub(super) struct Clock {
    own_ms: u64,
    seen_ms: Option<u64>,
}

impl Clock {
    /// The own time at the caller's `now_ms`. A step back counts as no time at all.
    pub(super) fn at(&mut self, now_ms: u64) -> u64 {
        let passed = self.seen_ms.map_or(0, |seen| now_ms.saturating_sub(seen));
        self.own_ms = self.own_ms.saturating_add(passed);
        self.seen_ms = Some(now_ms);
        self.own_ms
    }

    /// The own time at the last input.
    pub(super) fn now(&self) -> u64 {
        self.own_ms
    }

    /// The caller's time at the own time `own_ms`.
    pub(super) fn outside(&self, own_ms: u64) -> u64 {
        let wait = own_ms.saturating_sub(self.own_ms);
        self.seen_ms.unwrap_or_default().saturating_add(wait)
    }
}
