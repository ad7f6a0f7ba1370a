//! The frontier: by it two nodes find, every 30 to 60 s and in a few bytes, where they differ.
//!
//! On connection each shows every head that it holds. After that it sends digests over parts of all
//! its logs; for a part whose digest is not the other's, the other says what it holds of it, and is
//! sent what it lacks. So nothing is lost for good by a link that drops a frame, a tree that misses
//! somebody, or an older roster. Invariant: what a peer says that it holds is its claim. It decides
//! what the peer is asked for and sent, ends with the link, and is nothing that is kept.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRngCore;
use sha2::{Digest as _, Sha256};
use tlog_tiles::Hash;
use tutti_proto::v1;

use super::{
    Effect, Exchange, FrameKind, LinkId, Misbehaved, Sender, Step,
    cosignatures::{Outgoing, witnesses_of},
    log::Log,
};
use crate::{
    head::SignedHead,
    limits::{COSIGNATURES_MAX, HEADS_MAX, LOG_SIZE_MAX},
    society::{Origin, Society},
    store::Reader,
    tree::hash,
};

/// Between two frontiers on one link, milliseconds: this, and up to as much again.
pub(super) const FRONTIER_MS: u64 = 30_000;

/// Between two answers to frontiers on one link, milliseconds.
const HOLDINGS_MS: u64 = FRONTIER_MS / 2;

/// Parts that the logs fall into.
pub(super) const PARTS: usize = 16;

/// Of the digest of one part.
const DIGEST_BYTES: usize = 16;

/// Over one part.
pub(super) type Digest = [u8; DIGEST_BYTES];

/// What a peer says that it holds of one log.
struct Claim {
    size: u64,
    root: Hash,
    witnesses: BTreeSet<Society>,
}

impl Exchange {
    /// Shows what is held: on connection every whole log, later digests, and besides them again what
    /// the peer was not known to hold the last time either. And the evidence on every forked log.
    pub(super) fn show_frontier<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        id: LinkId,
    ) {
        let next_ms = step.after(FRONTIER_MS, FRONTIER_MS);
        let Some(link) = self.links.get_mut(&id) else { return };
        let first = std::mem::replace(&mut link.frontier_at_ms, next_ms) == u64::MAX;
        link.holdings_due = true;
        let mut shown = Outgoing::default();
        for (origin, log) in self.logs.iter() {
            if let Some(evidence) = &log.frozen {
                if link.told.insert(origin.clone()) {
                    step.send(id, FrameKind::Evidence(evidence.to_message()));
                }
            } else if let Some(head) = log.whole() {
                let standing = link.standing(origin);
                let unheld = standing.holds < head.size();
                let before = std::mem::replace(&mut standing.unheld, head.size()) == head.size();
                if unheld && (first || before) {
                    standing.told = standing.told.max(head.size());
                    standing.saw(head.size(), []);
                    shown.notes.push(head.to_bytes_bare());
                }
            }
        }
        shown.send(step, id, true);
        let digests = self.logs.digests().concat();
        step.send(id, FrameKind::Frontier(v1::Frontier { digests }));
        let origins: Vec<Origin> = self.logs.iter().map(|(origin, _)| origin.clone()).collect();
        for origin in origins {
            self.tell_doubt(step, id, &origin);
            self.consider_cosigning(step, &origin);
        }
    }

    /// Compares the peer's frontier with ours, and says what is held where they differ.
    pub(super) fn frontier<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        frontier: &v1::Frontier,
    ) -> Result<(), Misbehaved> {
        if frontier.digests.len() != PARTS * DIGEST_BYTES {
            return Err(from.wrong("digests"));
        }
        let theirs = frontier.digests.chunks_exact(DIGEST_BYTES);
        let own = self.logs.digests();
        let differs: Vec<bool> =
            own.iter().zip(theirs).map(|(own, their)| own.as_slice() != their).collect();
        let differs = |part: usize| differs.get(part).copied().unwrap_or(true);
        // The others another time: they stand in another frontier.
        let first = usize::try_from(step.random(PARTS as u64)).unwrap_or_default();
        let mut sizes = [0; PARTS];
        for (_, log) in self.logs.iter().filter(|(_, log)| log.whole().is_some()) {
            sizes[log.part] += usize::from(differs(log.part));
        }
        let told =
            that_fit((0..PARTS).map(|at| (first + at) % PARTS).filter(|p| differs(*p)), &sizes);
        let Some(link) = self.links.get_mut(&from.link) else { return Ok(()) };
        let mut logs = Vec::new();
        for (origin, log) in self.logs.iter() {
            let Some(head) = log.whole() else { continue };
            if differs(log.part) {
                if told.contains(&log.part) {
                    logs.push(holding(head));
                }
                continue;
            }
            let standing = link.standing(origin);
            if !standing.is_at(head) {
                standing.shown(head.size(), witnesses_of(head));
            }
            if *origin == self.settings.origin {
                step.effects.push(Effect::OwnLogShown { size: head.size() });
            }
        }
        let parts = told.iter().fold(0, |parts, part| parts | 1_u32 << part);
        if parts != 0 && link.holdings_next_ms <= step.now_ms {
            link.holdings_next_ms = step.now_ms.saturating_add(HOLDINGS_MS);
            step.send(from.link, FrameKind::Holdings(v1::Holdings { parts, logs }));
        }
        Ok(())
    }

    /// Takes the answer to our frontier, and sends what the peer lacks. One that was not asked for is
    /// passed over: it could be made to cost more than it does.
    pub(super) fn holdings<S: Reader, R: CryptoRngCore>(
        &mut self,
        step: &mut Step<'_, S, R>,
        from: Sender,
        holdings: &v1::Holdings,
    ) -> Result<(), Misbehaved> {
        if holdings.logs.len() > HEADS_MAX {
            return Err(Misbehaved::TooMuch { society: from.society, what: "holdings" });
        }
        let claims = holdings.logs.iter().map(|holding| claim(from, holding));
        let claims: BTreeMap<Origin, Claim> = claims.collect::<Result<_, _>>()?;
        let Some(link) = self.links.get_mut(&from.link) else { return Ok(()) };
        if !std::mem::take(&mut link.holdings_due) {
            return Ok(());
        }
        let in_parts = |log: &Log| holdings.parts >> log.part & 1 == 1;
        let (mut lacking, mut missing) = (Vec::new(), Vec::new());
        for (origin, log) in self.logs.iter().filter(|(_, log)| in_parts(log)) {
            let claim = claims.get(origin);
            let standing = link.standing(origin);
            standing.holds = claim.map_or(standing.holds, |claim| claim.size);
            match (log.whole(), claim) {
                (Some(head), Some(claim)) if claim.is_of(head) => {
                    standing.shown(claim.size, claim.witnesses.clone());
                    if *origin == self.settings.origin {
                        step.effects.push(Effect::OwnLogShown { size: head.size() });
                    }
                    lacking.push((head.clone(), false));
                }
                // It has more: of what the log is known to have signed, that is asked for.
                (Some(head), Some(claim)) if claim.size > head.size() => {
                    missing.push(origin.clone());
                }
                // It lacks entries, or has another history.
                (Some(head), Some(_) | None) => lacking.push((head.clone(), true)),
                (None, Some(_)) => missing.push(origin.clone()),
                (None, None) => {}
            }
        }
        let mut out = Outgoing::default();
        for (head, again) in &lacking {
            self.outstanding(from.link, head, *again, &mut out);
        }
        out.send(step, from.link, true);
        for origin in missing {
            self.ask(step, &origin, Some(from.link));
        }
        Ok(())
    }
}

impl Claim {
    fn is_of(&self, head: &SignedHead) -> bool {
        self.size == head.size() && self.root == head.root()
    }
}

/// Over the logs of one part that are held whole, in the order of their origins.
pub(super) fn digest<'a>(logs: impl Iterator<Item = (&'a Origin, &'a Log)>) -> Digest {
    let mut part = Sha256::new_with_prefix(b"tutti/v1/frontier");
    for (origin, log) in logs {
        let Some(head) = log.whole() else { continue };
        part.update(origin.as_str());
        part.update([0]);
        part.update(head.size().to_be_bytes());
        part.update(head.root().0);
        // They stand in the order of their societies.
        for cosignature in head.witnesses() {
            part.update(cosignature.society.as_str());
            part.update([0]);
        }
        part.update([0]);
    }
    part.finalize().first_chunk().copied().unwrap_or_default()
}

/// The part of the frontier that a log falls into.
pub(super) fn part_of(origin: &Origin) -> usize {
    let [first, ..] = <[u8; 32]>::from(Sha256::digest(origin.as_str()));
    usize::from(first) % PARTS
}

/// Of these parts those whose logs go into one frame, at least the first. A federation that has stood for long
/// has more logs than members.
fn that_fit(parts: impl Iterator<Item = usize>, sizes: &[usize; PARTS]) -> BTreeSet<usize> {
    let mut logs = 0;
    let mut told = BTreeSet::new();
    for part in parts {
        logs += sizes[part];
        if !told.is_empty() && logs > HEADS_MAX {
            break;
        }
        told.insert(part);
    }
    told
}

fn holding(head: &SignedHead) -> v1::Holding {
    v1::Holding {
        origin: head.origin().to_string(),
        size: head.size(),
        root: head.root().0.to_vec(),
        witnesses: witnesses_of(head).iter().map(Society::to_string).collect(),
    }
}

fn claim(from: Sender, holding: &v1::Holding) -> Result<(Origin, Claim), Misbehaved> {
    let origin = holding.origin.parse().map_err(|_| from.wrong("origin"))?;
    let root = hash(&holding.root).ok_or_else(|| from.wrong("root"))?;
    if holding.size > LOG_SIZE_MAX {
        return Err(from.wrong("size"));
    }
    if holding.witnesses.len() > COSIGNATURES_MAX {
        return Err(from.wrong("witnesses"));
    }
    let witnesses: Option<BTreeSet<Society>> =
        holding.witnesses.iter().map(|code| code.parse().ok()).collect();
    let witnesses = witnesses.ok_or_else(|| from.wrong("witnesses"))?;
    Ok((origin, Claim { size: holding.size, root, witnesses }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_parts_are_told_than_a_peer_takes_and_one_at_least() {
        let all = |first: usize| (0..PARTS).map(move |at| (first + at) % PARTS);
        assert_eq!(that_fit(all(0), &[HEADS_MAX / PARTS; PARTS]).len(), PARTS);
        assert_eq!(that_fit(all(3), &[HEADS_MAX / 2; PARTS]), [3, 4].into());
        assert_eq!(that_fit(all(15), &[HEADS_MAX / 2 + 1; PARTS]), [15].into());
        assert_eq!(that_fit(all(9), &[2 * HEADS_MAX; PARTS]), [9].into());
        assert_eq!(that_fit([].into_iter(), &[0; PARTS]), BTreeSet::new());
    }
}
