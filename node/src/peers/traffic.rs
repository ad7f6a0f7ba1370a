//! What one connection has carried: counted on the wire, read by whoever shows it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters of one connection. Bytes are those of TCP, TLS included.
#[derive(Debug, Default)]
pub struct Traffic {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    last_heard_ms: AtomicU64,
}

impl Traffic {
    /// Bytes received.
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Relaxed)
    }

    /// Bytes sent.
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Relaxed)
    }

    /// When the last byte came, milliseconds since the Unix epoch; 0 where none came.
    pub fn last_heard_ms(&self) -> u64 {
        self.last_heard_ms.load(Relaxed)
    }

    pub(crate) fn received(&self, bytes: usize, now_ms: u64) {
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
        self.last_heard_ms.store(now_ms, Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
    }
}
