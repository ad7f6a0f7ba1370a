//! Handshakes under way, of which there are only so many.
//!
//! Above the limit the oldest gives way: an honest handshake takes milliseconds, so a flood of
//! stalled ones pushes out its own.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use super::{limits::HANDSHAKES_MAX, wire::Grip};

/// See the module. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Pending(Arc<Mutex<VecDeque<Arc<Grip>>>>);

/// One handshake; no longer pending once this is dropped.
pub(crate) struct Underway {
    pending: Pending,
    grip: Arc<Grip>,
}

impl Pending {
    pub(crate) fn begin(&self, grip: &Arc<Grip>) -> Underway {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() >= HANDSHAKES_MAX
            && let Some(oldest) = pending.pop_front()
        {
            oldest.cut();
        }
        pending.push_back(grip.clone());
        drop(pending);
        Underway { pending: self.clone(), grip: grip.clone() }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let mut pending = self.pending.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|other| !Arc::ptr_eq(other, &self.grip));
    }
}
