//! What the caller could not keep, as where the disk was full: it is tried again after a while.
//!
//! Peers have sent it and will not send it a second time of themselves. Entries and bodies are asked
//! for again; heads with cosignatures are held here meanwhile, the largest of each log.

use rand_core::CryptoRngCore;

use super::{Effect, Exchange, Step, Unkept, log::no_later};
use crate::{head::SignedHead, society::Origin, store::Reader};

/// Before it is tried again, milliseconds: this, and up to half as much again.
pub(super) const UNKEPT_MS: u64 = 20_000;

/// For entries, which are large, twice as long each time, this often.
const DOUBLED_MAX: u32 = 4;

impl Exchange {
    pub(super) fn not_kept<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        unkept: Unkept,
    ) {
        let mut at_ms = step.after(UNKEPT_MS, UNKEPT_MS / 2);
        match unkept {
            Unkept::Entries(origin) => {
                let now_ms = step.now_ms;
                let log = self.log(step, &origin);
                log.brought_by = None;
                at_ms = now_ms.saturating_add((at_ms - now_ms) << log.no_room.min(DOUBLED_MAX));
                log.no_room = log.no_room.saturating_add(1);
                log.no_room_until_ms = at_ms;
                log.graft_at_ms = None;
                no_later(&mut log.graft_at_ms, at_ms);
            }
            Unkept::Cosignature(origin) => {
                no_later(&mut self.log(step, &origin).cosign_at_ms, at_ms);
            }
            Unkept::Evidence(origin) => {
                no_later(&mut self.log(step, &origin).unkept_at_ms, at_ms);
            }
            Unkept::Head(head) => self.hold_head(step, head, at_ms),
            Unkept::Body(want) => self.want_body_again(want, at_ms),
        }
    }

    fn hold_head<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        head: SignedHead,
        at_ms: u64,
    ) {
        let log = self.log(step, head.origin());
        match &mut log.unkept {
            Some(held) if held.size() == head.size() => {
                held.merge(&head);
            }
            Some(held) if held.size() > head.size() => {}
            _ => log.unkept = Some(head),
        }
        no_later(&mut log.unkept_at_ms, at_ms);
    }

    pub(super) fn tick_unkept<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
    ) {
        let now_ms = step.now_ms;
        let log = self.log(step, origin);
        if log.unkept_at_ms.take_if(|at| *at <= now_ms).is_none() {
            return;
        }
        if let Some(evidence) = &log.frozen {
            return step.effects.push(Effect::Evidence(Box::new(evidence.clone())));
        }
        let Some(head) = log.unkept.take() else { return };
        if step.store.root_at(origin, head.size()).is_ok_and(|root| root == head.root()) {
            self.gather(step, origin, head);
        }
    }
}
