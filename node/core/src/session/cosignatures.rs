//! Cosignatures, passed on by themselves: a head goes over a link once, and after it those lines alone
//! that the other end is not known to have.
//!
//! They go along the log's tree, held back for a moment, so that many go in one frame; where the tree
//! misses somebody, the frontier shows it. Invariant: a cosignature is taken only on a head that is
//! known here, by a witness that is in the roster and has not cosigned that head yet; whatever else
//! comes is passed over before it costs anything, and a forged one ends the link.

use std::collections::BTreeSet;

use rand_core::CryptoRngCore;
use tutti_proto::v1;

use super::{Exchange, FrameKind, LinkId, Misbehaved, Sender, Step};
use crate::{
    head::{COSIGNATURE_BYTES, Cosignature, HeadError, HeadKeys as _, SignedHead},
    keys::NoteKey,
    limits::{COSIGNATURES_MAX, HEADS_BYTES_MAX, HEADS_MAX},
    society::{Origin, Society},
    store::Reader,
    tree::hash,
};

/// How long a new cosignature waits for others before it is passed on, milliseconds: this, and up to
/// as much again.
pub(super) const HOLD_MS: u64 = 250;

impl Exchange {
    pub(super) fn cosignatures<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        message: &v1::Cosignatures,
    ) -> Result<(), Misbehaved> {
        let too_much = || Misbehaved::TooMuch { society: from.society, what: "cosignatures" };
        let bytes: usize = message.heads.iter().map(|head| head.cosignatures.len()).sum();
        if message.heads.len() > HEADS_MAX || bytes > HEADS_BYTES_MAX {
            return Err(too_much());
        }
        self.tally.cosignature_frames += 1;
        for cosigned in &message.heads {
            let origin: Origin = cosigned.origin.parse().map_err(|_| from.wrong("origin"))?;
            let root = hash(&cosigned.root).ok_or_else(|| from.wrong("root"))?;
            let (lines, rest) = cosigned.cosignatures.as_chunks::<COSIGNATURE_BYTES>();
            if !rest.is_empty() {
                return Err(from.wrong("cosignatures"));
            }
            if lines.len() > COSIGNATURES_MAX {
                return Err(too_much());
            }
            let head = self.cosigned_head(step, &origin, cosigned.size);
            // Of a log that this roster does not know, of a head that others have overtaken, or of
            // another history, of which the heads tell.
            if let Some(head) = head.filter(|head| head.root() == root) {
                self.take_cosignatures(step, from, head, lines)?;
            }
        }
        Ok(())
    }

    /// The head of that size: the one that is held, one that is known to lie beyond, or one on which
    /// some witness has given its last word.
    fn cosigned_head<S: Reader, R>(
        &self,
        step: &Step<'_, S, R>,
        origin: &Origin,
        size: u64,
    ) -> Option<SignedHead> {
        let log = self.logs.get(origin)?;
        step.roster.log_key(origin)?;
        let older = || step.store.cosigned(origin).into_values().find(|head| head.size() == size);
        log.known(size).cloned().or_else(|| older().filter(|_| size < log.size))
    }

    fn take_cosignatures<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        held: SignedHead,
        lines: &[[u8; COSIGNATURE_BYTES]],
    ) -> Result<(), Misbehaved> {
        let mut named = BTreeSet::new();
        let mut brought = held.bare();
        for line in lines {
            let Some((id, _)) = line.split_first_chunk::<4>() else { continue };
            // Two keys may have one ID: it has four bytes, and somebody may have tried for it.
            let keys = step.roster.witnesses_by_id(u32::from_be_bytes(*id));
            let keys: Vec<(Society, &NoteKey)> =
                keys.filter(|(society, _)| *society != held.origin().society()).collect();
            // Of a key that is not in this roster: the peer's may be newer.
            let Some((_, first)) = keys.first() else { continue };
            let is_known = |society: Society, brought: &SignedHead| {
                held.is_cosigned_by(society) || brought.is_cosigned_by(society)
            };
            let (known, open): (Vec<_>, Vec<_>) =
                keys.iter().partition(|(society, _)| is_known(*society, &brought));
            let by =
                open.iter().find(|(society, key)| brought.add_cosignature(*society, key, line));
            match by.or(known.first()) {
                Some((society, _)) => {
                    named.insert(*society);
                }
                None => {
                    let source = HeadError::BadSignature(first.name().into());
                    return Err(Misbehaved::Head { society: from.society, source });
                }
            }
        }
        if let Some(link) = self.links.get_mut(&from.link) {
            let standing = link.standing(held.origin());
            standing.holds = standing.holds.max(held.size());
            standing.saw(held.size(), named);
        }
        if !brought.cosignatures().is_empty() {
            self.consider(step, from, brought, false);
        }
        Ok(())
    }

    /// What a link is to be sent of a head: the head itself where it has not gone over the link yet,
    /// or is to go `again`, and the cosignatures that have not.
    pub(super) fn outstanding(
        &mut self,
        id: LinkId,
        head: &SignedHead,
        again: bool,
        out: &mut Outgoing,
    ) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let standing = link.standing(head.origin());
        if again || !standing.knows(head) {
            out.notes.push(head.to_bytes_bare());
        }
        let lacking = standing.lacking(head);
        if !lacking.is_empty() {
            out.cosigned.push(message(head, &lacking));
        }
        standing.told = standing.told.max(head.size());
        let named: Vec<Society> = lacking.iter().map(|cosignature| cosignature.society).collect();
        standing.saw(head.size(), named);
    }
}

/// Heads, and cosignatures on these and on others, for one link.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) notes: Vec<Vec<u8>>,
    pub(super) cosigned: Vec<v1::CosignedHead>,
}

impl Outgoing {
    /// As many frames as it takes, heads first; none for nothing.
    pub(super) fn send<S, R: CryptoRngCore>(
        self,
        step: &mut Step<'_, S, R>,
        link: LinkId,
        frontier: bool,
    ) {
        for checkpoints in pieces(self.notes, Vec::len) {
            step.send(link, FrameKind::Heads(v1::Heads { checkpoints, frontier }));
        }
        for heads in pieces(self.cosigned, |head| head.cosignatures.len()) {
            step.send(link, FrameKind::Cosignatures(v1::Cosignatures { heads }));
        }
    }
}

/// Cut where a frame would have too many, or too many bytes.
fn pieces<T>(all: Vec<T>, bytes_of: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut pieces: Vec<Vec<T>> = Vec::new();
    let mut bytes = usize::MAX;
    for one in all {
        bytes = bytes.saturating_add(bytes_of(&one));
        match pieces.last_mut().filter(|last| last.len() < HEADS_MAX && bytes <= HEADS_BYTES_MAX) {
            Some(last) => last.push(one),
            None => {
                bytes = bytes_of(&one);
                pieces.push(vec![one]);
            }
        }
    }
    pieces
}

fn message(head: &SignedHead, cosignatures: &[&Cosignature]) -> v1::CosignedHead {
    v1::CosignedHead {
        origin: head.origin().to_string(),
        size: head.size(),
        root: head.root().0.to_vec(),
        cosignatures: cosignatures.iter().flat_map(|cosignature| cosignature.to_bytes()).collect(),
    }
}

/// The societies that have cosigned, whose word counts.
pub(super) fn witnesses_of(head: &SignedHead) -> BTreeSet<Society> {
    head.witnesses().map(|cosignature| cosignature.society).collect()
}
