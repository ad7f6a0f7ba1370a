//! The clock of the node's edges. Nothing below the engine reads one.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch: for display and for retry timers alone.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
