//! Doubt: two heads that a log has signed, and of which nobody has shown that they agree.
//!
//! An author that shows two histories may withhold what would prove it. Then whoever has met both
//! heads passes both on: that the log has signed each, everyone can check, and nothing more is
//! claimed. A node that has the larger history settles it, for one that has it whole either finds
//! both heads in it or can prove the fork. Invariants: of a log at most one pair is held, the largest; it
//! freezes nothing, and stops cosigning alone; it ends when the entries have come or the
//! fork is proven; it is not kept on the disk, for peers tell it again.

use rand_core::CryptoRngCore;
use tutti_proto::v1;

use super::{Exchange, FrameKind, LinkId, Misbehaved, Sender, Step};
use crate::{evidence::Evidence, head::SignedHead, society::Origin, store::Reader};

/// Wants in a row that brought nothing, after which a head that is known to lie beyond is in doubt.
/// A peer of whom one was in vain is asked again when it has shown that head anew.
const VAIN_MAX: u32 = 3;

/// How long doubt has lasted before people are told, milliseconds: most of it is over by then.
const SHOWN_MS: u64 = 30_000;

/// A pair of heads, for comparing.
pub(super) type Pair = (u64, [u8; 32], u64, [u8; 32]);

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Doubt {
    smaller: SignedHead,
    larger: SignedHead,
    since_ms: u64,
}

impl Doubt {
    /// The larger heads first: the pair that is the largest is held.
    fn pair(&self) -> Pair {
        let (large, small) = (self.larger.head(), self.smaller.head());
        (large.size, large.root.0, small.size, small.root.0)
    }
}

impl Exchange {
    /// A want brought nothing, or nothing in time, although the log has signed more than is here.
    pub(super) fn in_vain<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
    ) {
        let log = self.log(step, origin);
        log.vain = log.vain.saturating_add(1);
        if log.vain >= VAIN_MAX
            && let (Some(_), Some(ahead)) = (log.whole(), log.ahead.clone())
        {
            self.suspect(step, ahead);
        }
    }

    /// A signed head is not known to agree with ours.
    pub(super) fn suspect<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        other: SignedHead,
    ) {
        let origin = other.origin().clone();
        if let Some(own) = self.log(step, &origin).head.clone() {
            self.put_in_doubt(step, own, other, None);
        }
    }

    /// Takes two heads that another could not bring together.
    pub(super) fn doubted<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        message: &v1::Doubt,
    ) -> Result<(), Misbehaved> {
        let first = self.open(step, from, &message.first)?;
        let second = self.open(step, from, &message.second)?;
        let (Some(first), Some(second)) = (first, second) else { return Ok(()) };
        // Two of one size agree or are evidence.
        if first.origin() != second.origin() || first.size() >= second.size() {
            return Err(from.wrong("doubt"));
        }
        let origin = first.origin().clone();
        for head in [&first, &second] {
            self.consider(step, from, head.clone(), true);
        }
        let log = self.log(step, &origin);
        if log.frozen.is_some() {
            return Ok(());
        }
        if log.size >= second.size() {
            // Both are in our history, and here are its entries.
            if let Some(head) = log.whole().cloned() {
                self.tell_head(step, from.link, &head);
            }
            return Ok(());
        }
        self.put_in_doubt(step, first, second, Some(from.link));
        Ok(())
    }

    /// Holds the pair where it is larger than the one that is held, and passes the first one on at
    /// once; others go with the frontier, so that nobody can make us talk without end.
    fn put_in_doubt<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        one: SignedHead,
        other: SignedHead,
        from: Option<LinkId>,
    ) {
        if one.contradicts(&other) {
            if let Ok(evidence) = Evidence::of_one_size(one, other) {
                self.freeze(step, evidence);
            }
            return;
        }
        let (smaller, larger) = if one.size() < other.size() { (one, other) } else { (other, one) };
        // Before its first entry a log has said nothing.
        if smaller.size() == larger.size() || smaller.size() == 0 {
            return;
        }
        let since_ms = step.now_ms;
        let doubt = Doubt { smaller: smaller.bare(), larger: larger.bare(), since_ms };
        let origin = larger.origin().clone();
        if let Some(link) = from.and_then(|id| self.links.get_mut(&id)) {
            link.doubts.insert(origin.clone(), doubt.pair());
        }
        let log = self.log(step, &origin);
        match &mut log.doubt {
            Some(held) if held.pair() >= doubt.pair() => {}
            Some(held) => *held = Doubt { since_ms: held.since_ms, ..doubt },
            None => {
                log.doubt = Some(doubt);
                log.cosign_at_ms = None;
                let ready = self.links.iter().filter(|(_, link)| link.is_ready());
                let ready: Vec<LinkId> = ready.map(|(id, _)| *id).collect();
                for link in ready {
                    self.tell_doubt(step, link, &origin);
                }
            }
        }
    }

    /// Sends the pair to one peer, once.
    pub(super) fn tell_doubt<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        id: LinkId,
        origin: &Origin,
    ) {
        let doubt = self.logs.get(origin).and_then(|log| log.doubt.as_ref());
        if let (Some(doubt), Some(link)) = (doubt, self.links.get_mut(&id))
            && link.doubts.insert(origin.clone(), doubt.pair()) != Some(doubt.pair())
        {
            let (first, second) = (doubt.smaller.to_bytes_bare(), doubt.larger.to_bytes_bare());
            step.send(id, FrameKind::Doubt(v1::Doubt { first, second }));
        }
    }

    /// The log grew: the pair is compared with it, and doubt ends where it holds both.
    pub(super) fn settle_doubt<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        origin: &Origin,
    ) {
        let Some(doubt) = self.log(step, origin).doubt.clone() else { return };
        let mut open = false;
        for head in [doubt.smaller, doubt.larger] {
            match step.store.root_at(origin, head.size()) {
                Ok(root) if root != head.root() => {
                    open = true;
                    self.contradicted(step, head);
                }
                Ok(_) => {}
                Err(_) => open = true,
            }
        }
        if !open {
            self.log(step, origin).doubt = None;
        }
    }

    /// Two heads that the log has signed and that nobody has shown to agree, the smaller first: where
    /// that has lasted for a while.
    pub fn doubt(&self, origin: &Origin) -> Option<[&SignedHead; 2]> {
        let doubt = self.logs.get(origin)?.doubt.as_ref()?;
        let lasted_ms = self.clock.now().saturating_sub(doubt.since_ms);
        (lasted_ms >= SHOWN_MS).then_some([&doubt.smaller, &doubt.larger])
    }
}
