//! Forks: a log that shows two histories is found out, proven, told of and frozen.
//!
//! Two signed heads of one size with two roots are proof at once. Of two sizes, whoever holds the
//! larger history whole proves it from its own tree; whoever holds the smaller one shows its head
//! to the peer whose entries did not fit. A peer is not blamed for entries that do not fit once: it
//! may have been told another history in good faith.

use rand_core::CryptoRngCore;
use tutti_proto::v1;

use super::{Effect, Exchange, FrameKind, LinkId, Misbehaved, Sender, Step};
use crate::{
    batch::BatchError,
    evidence::{Evidence, EvidenceError},
    head::{HeadError, SignedHead},
    society::Origin,
    store::Reader,
};

impl Exchange {
    /// A signed head is not what the entries here lead to. Proves it where the log is held whole;
    /// else keeps the head until it is.
    pub(super) fn contradicted<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        head: SignedHead,
    ) {
        let origin = head.origin().clone();
        let store = step.store;
        let log = self.log(step, &origin);
        let evidence = log.whole().cloned().and_then(|own| {
            let root = store.root_at(&origin, head.size()).ok()?;
            let proof = store.consistency(&origin, head.size(), own.size()).ok()?;
            Evidence::new(own, head.clone(), root, proof).ok()
        });
        match evidence {
            Some(evidence) => self.freeze(step, evidence),
            None => {
                log.contender.get_or_insert(head.clone());
                log.cosign_at_ms = None;
                self.suspect(step, head);
            }
        }
    }

    /// Entries under a validly signed head do not continue ours: either the peer altered them or
    /// the log has two histories. The peer is shown our head, and is asked no more for this log.
    /// Until our entries reach that head the log is in doubt: its author may withhold what would
    /// prove the fork.
    pub(super) fn unfit<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        head: SignedHead,
        source: BatchError,
    ) -> Result<(), Misbehaved> {
        let origin = &head.origin().clone();
        let log = self.log(step, origin);
        log.contender.get_or_insert(head.clone());
        log.cosign_at_ms = None;
        self.suspect(step, head);
        if self.log(step, origin).frozen.is_some() {
            return Ok(());
        }
        let Some(link) = self.links.get_mut(&from.link) else { return Ok(()) };
        if !link.doubted.insert(origin.clone()) {
            let origin = origin.clone();
            return Err(Misbehaved::Batch { society: from.society, origin, source });
        }
        if let Some(head) = self.log(step, origin).head.clone() {
            self.tell_head(step, from.link, &head);
        }
        self.ask(step, origin, None);
        Ok(())
    }

    /// Checks what a peer calls evidence.
    pub(super) fn evidence<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        message: &v1::Evidence,
    ) -> Result<(), Misbehaved> {
        match Evidence::open(message, step.roster) {
            Ok(evidence) => {
                if let Some(link) = self.links.get_mut(&from.link) {
                    link.told.insert(evidence.origin().clone());
                }
                self.freeze(step, evidence);
                Ok(())
            }
            // The peer's roster may be newer.
            Err(EvidenceError::Head(HeadError::UnknownLog(_))) => Ok(()),
            Err(source) => Err(Misbehaved::Evidence { society: from.society, source }),
        }
    }

    /// Freezes a log, once, and tells everyone.
    pub(super) fn freeze<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        evidence: Evidence,
    ) {
        let origin = evidence.origin().clone();
        let log = self.log(step, &origin);
        if log.frozen.is_some() {
            return;
        }
        log.freeze(evidence.clone());
        step.effects.push(Effect::Evidence(Box::new(evidence)));
        let links: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| link.is_ready()).map(|(id, _)| *id).collect();
        for link in links {
            self.tell_evidence(step, link, &origin);
        }
    }

    /// Sends the evidence on a frozen log to one peer, once.
    pub(super) fn tell_evidence<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        id: LinkId,
        origin: &Origin,
    ) {
        let evidence = self.logs.get(origin).and_then(|log| log.frozen.as_ref());
        if let (Some(evidence), Some(link)) = (evidence, self.links.get_mut(&id))
            && link.told.insert(origin.clone())
        {
            step.send(id, FrameKind::Evidence(evidence.to_message()));
        }
    }
}
