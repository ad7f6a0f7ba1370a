//! Projections: what people see, derived from the logs, and rebuilt at will.

use rand_core::CryptoRngCore;
use tutti_core::{society::Origin, store::Store};

use super::Engine;

/// How far each log has been read.
#[derive(Debug, Default)]
pub(super) struct Projector {}

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Brings every projection up to the store.
    pub(super) fn project_all(&mut self, now_ms: u64) {
        for origin in self.store.logs() {
            self.project(&origin, now_ms);
        }
    }

    /// Reads what is new in one log.
    pub(super) fn project(&mut self, origin: &Origin, now_ms: u64) {
        let _ = (origin, now_ms);
    }
}
