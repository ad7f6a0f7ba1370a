//! Cosigning: this node's word that it has checked a log up to a head (C2SP tlog-witness).
//!
//! Only a head of another society's log, every entry of which is durable here; only one that is
//! larger than any that this society is known to have cosigned, on this machine or on another;
//! never one of a log that was forked or is in doubt. A log that grows fast is cosigned at most
//! once a second.

use rand_core::CryptoRngCore;

use super::{Effect, Exchange, Step, log::no_later};
use crate::{head::SignedHead, society::Origin, store::Reader};

/// Between two cosignatures on one log, milliseconds.
const COSIGN_MS: u64 = 1_000;

impl Exchange {
    /// Sets the timer where there is something to cosign.
    pub(super) fn consider_cosigning<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
    ) {
        if self.to_cosign(origin).is_none() {
            return;
        }
        let now_ms = step.now_ms;
        let log = self.log(step, origin);
        // Where more is on its way, the next head is the one to cosign.
        let wait_ms = if log.ahead.is_some() { COSIGN_MS } else { 0 };
        let at_ms = log.cosign_next_ms.max(now_ms.saturating_add(wait_ms));
        no_later(&mut log.cosign_at_ms, at_ms);
    }

    pub(super) fn tick_cosigning<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
    ) {
        let now_ms = step.now_ms;
        let log = self.log(step, origin);
        if log.cosign_at_ms.take_if(|at| *at <= now_ms).is_none() {
            return;
        }
        log.cosign_next_ms = now_ms.saturating_add(COSIGN_MS);
        if let Some(head) = self.to_cosign(origin) {
            step.effects.push(Effect::Cosign(head));
        }
    }

    fn to_cosign(&self, origin: &Origin) -> Option<SignedHead> {
        let own = self.settings.society;
        let log = self.logs.get(origin)?;
        let head = log.whole()?;
        let before = log.witnessed.get(&own).copied().unwrap_or_default();
        let may = origin.society() != own && log.contender.is_none() && head.size() > before;
        may.then(|| head.clone())
    }
}
