//! The roster that links go by, which may change while the node runs.
//!
//! Invariant: from the moment that another roster stands here, nobody is let in by the one before.

use std::sync::{Arc, PoisonError, RwLock};

use tutti_core::{
    roster::{Roster, Status, TlsSpki},
    society::Society,
};

/// See the module.
pub(crate) struct Members(RwLock<Arc<Roster>>);

impl Members {
    pub(crate) fn new(roster: Arc<Roster>) -> Arc<Self> {
        Arc::new(Self(RwLock::new(roster)))
    }

    /// The roster in force at this moment.
    pub(crate) fn now(&self) -> Arc<Roster> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn replace(&self, roster: Arc<Roster>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = roster;
    }

    /// The active member whose TLS key this is.
    pub(crate) fn active(&self, key: &TlsSpki) -> Option<Society> {
        let roster = self.now();
        let member = roster.member_by_tls(key)?;
        (member.status == Status::Active).then_some(member.society)
    }
}
