//! Cosigning: this node's word that it has checked a log up to a head (C2SP tlog-witness).
//!
//! Only a head of another society's log, every entry of which is durable here; only one that is
//! larger than any that this society is known to have cosigned, on this machine or on another;
//! never one of a log that was forked or is in doubt. A log that grows fast is cosigned at most
//! once a second.
//!
//! Every node checks every log; that each also says so would be, among 191, 36,000 cosignatures on
//! the wires for one entry. So each log has [`WITNESSES`] members whose turn it is, and the others
//! stand in for those that are away (ADR 7).

use rand_core::CryptoRngCore;
use sha2::{Digest as _, Sha256};

use super::{
    Effect, Exchange, Step,
    log::{Log, no_later},
};
use crate::{
    head::SignedHead,
    roster::Roster,
    society::{Origin, Society},
    store::Reader,
};

/// Members that cosign a log at once. With no more than one member more, that is everyone.
pub const WITNESSES: usize = 17;

/// Between two cosignatures on one log, milliseconds.
const COSIGN_MS: u64 = 1_000;

/// How long others wait for those whose turn it is, milliseconds; and each for the one before.
const STAND_IN_MS: u64 = 60_000;
const NEXT_STAND_IN_MS: u64 = 5_000;

/// The active members but the log's own, in the order in which it is their turn to cosign it: the
/// first [`WITNESSES`] do so at once, each further one where one before is away.
pub fn witnesses(roster: &Roster, origin: &Origin) -> Vec<Society> {
    let others = roster.active().map(|member| member.society);
    let mut others: Vec<Society> = others.filter(|other| *other != origin.society()).collect();
    others.sort_by_cached_key(|other| {
        <[u8; 32]>::from(Sha256::digest(format!("tutti/v1/witness {origin} {other}")))
    });
    others
}

/// Whose turn it is: the place of `own` in that order.
pub(super) fn turn(roster: &Roster, origin: &Origin, own: Society) -> usize {
    let order = witnesses(roster, origin);
    order.iter().position(|society| *society == own).unwrap_or(order.len())
}

impl Log {
    /// As many have cosigned this size or a larger one as cosign a log at once.
    fn has_witnesses(&self, size: u64) -> bool {
        self.witnessed.values().filter(|cosigned| **cosigned >= size).count() >= WITNESSES
    }

    /// It is not this node's turn, nobody is waited for, and nobody need be.
    fn needs_no_stand_in(&self, size: u64) -> bool {
        self.turn >= WITNESSES && self.waits_from.is_none() && self.has_witnesses(size)
    }
}

impl Exchange {
    /// Sets the timer where there is something to cosign.
    pub(super) fn consider_cosigning<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
    ) {
        let Some(head) = self.to_cosign(origin) else { return };
        if self.logs.get(origin).is_some_and(|log| log.needs_no_stand_in(head.size())) {
            return;
        }
        let now_ms = step.now_ms;
        let log = self.log(step, origin);
        let wait_ms = match log.turn.checked_sub(WITNESSES) {
            Some(after) => {
                log.waits_from.get_or_insert(head.size());
                (after as u64).saturating_mul(NEXT_STAND_IN_MS).saturating_add(STAND_IN_MS)
            }
            // Where more is on its way, the next head is the one to cosign.
            None if log.ahead.is_some() => COSIGN_MS,
            None => 0,
        };
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
        let waited_from = log.waits_from.take();
        let Some(head) = self.to_cosign(origin) else { return };
        let log = self.log(step, origin);
        if log.turn >= WITNESSES {
            let from = waited_from.unwrap_or(head.size());
            if log.has_witnesses(from) {
                // Those that have cosigned an earlier one have their time for the newest, too.
                if head.size() > from {
                    self.consider_cosigning(step, origin);
                }
                return;
            }
        }
        log.cosign_next_ms = now_ms.saturating_add(COSIGN_MS);
        step.effects.push(Effect::Cosign(head));
    }

    fn to_cosign(&self, origin: &Origin) -> Option<SignedHead> {
        let own = self.settings.society;
        let log = self.logs.get(origin)?;
        let head = log.whole()?;
        let before = log.witnessed.get(&own).copied().unwrap_or_default();
        let in_doubt = log.contender.is_some() || log.doubt.is_some();
        let may = origin.society() != own && !in_doubt && head.size() > before;
        may.then(|| head.clone())
    }
}
