//! The clocks of the node's edges. Nothing below the engine reads one.

use std::{
    sync::LazyLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Now, by the node's two clocks. All that waits goes by the steady one, so that nobody who sets
/// the other one ends a link, asks for anything twice or puts anything off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since some moment before the process began. It never goes back or jumps, and
    /// stands still while the machine sleeps.
    pub steady_ms: u64,
    /// Milliseconds since the Unix epoch, as the machine believes: what is shown to people and
    /// written down, and the days by which a case is to be answered or erased. It may be set.
    pub wall_ms: u64,
}

impl Now {
    /// Reads both.
    pub fn read() -> Self {
        static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
        let steady_ms = u64::try_from(BEGINNING.elapsed().as_millis()).unwrap_or(u64::MAX);
        Self { steady_ms, wall_ms: now_ms() }
    }
}

/// Tests for which the two are one.
#[cfg(test)]
impl From<u64> for Now {
    fn from(now_ms: u64) -> Self {
        Self { steady_ms: now_ms, wall_ms: now_ms }
    }
}

/// Milliseconds since the Unix epoch, as the machine believes.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
