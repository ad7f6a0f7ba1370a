//! Other referrals of a case that go on, though the person's word for the whole case stands in one of them.
//!
//! A society that has referred one case to several knows all of these referrals, and each other society only its own.
//! No node stops one because another was stopped: people ask the person, and are told here of which. Invariant:
//! nobody is told of a referral that they may not see, nor counts it.

use std::collections::BTreeSet;

use rand_core::CryptoRngCore;
use tutti_core::{limits::LIST_MAX, referral::ReferralId, store::Store};
use tutti_proto::node::v1 as api;

use super::referrals::state_message;
use crate::{engine::Engine, local::Actor};

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// How many referrals go on, as far as somebody sees them and the one in which the word stands.
    pub fn unstopped_count(&self, actor: &Actor, now_ms: u64) -> u64 {
        let rules = self.roster.data_protection();
        let seen = self.seen_by(actor);
        let beside: BTreeSet<ReferralId> =
            seen.flat_map(|(id, _)| self.referrals.unstopped_beside(id, now_ms, rules)).collect();
        // Cases are read for this, each once.
        beside.iter().filter(|id| self.is_told_of(actor, id)).count() as u64
    }

    /// Which they are beside the one where the word stands.
    pub(super) fn unstopped_messages(
        &self,
        actor: &Actor,
        id: &ReferralId,
        now_ms: u64,
    ) -> Vec<api::UnstoppedReferral> {
        let message = |id: ReferralId| {
            let brief = self.referrals.get(&id)?;
            Some(api::UnstoppedReferral {
                id: id.to_string(),
                receiver: brief.receiver.to_string(),
                state: state_message(brief.state) as i32,
            })
        };
        let beside = self.referrals.unstopped_beside(id, now_ms, self.roster.data_protection());
        let told = beside.into_iter().filter(|other| self.is_told_of(actor, other));
        told.take(LIST_MAX).filter_map(message).collect()
    }

    /// Whether somebody sees that one, and no word from further on or before is to be carried there that is not
    /// written yet.
    fn is_told_of(&self, actor: &Actor, id: &ReferralId) -> bool {
        let is_about_to_stop =
            || self.case(id).is_some_and(|case| self.is_stopped_elsewhere(&case));
        self.sees_case(actor, id) && !is_about_to_stop()
    }
}
