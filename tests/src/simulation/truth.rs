//! What has really happened, seen from outside, and the rules that must hold at every moment.
//!
//! Told by the disks of what becomes durable and by the network of what is sent, it fails the run at
//! the first breach. An honest society has one history, an equivocator several. It knows nothing of
//! what nodes think.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};
use tlog_tiles::Hash;
use tutti_core::{
    batch::VerifiedBatch,
    body::{BodyKey, Part, Place},
    entry::{Commitment, Entry},
    evidence::Evidence,
    head::{COSIGNATURE_BYTES, SignedHead},
    roster::Roster,
    society::{Origin, Society},
    store::Store,
    tree::Tree,
};
use tutti_proto::v1::{self, frame::Frame as FrameKind};

use super::{federation::origin, keeping::Keeping, node::Conduct};

/// One history of a log: its root at every size.
#[derive(Debug, Clone)]
struct History {
    roots: Vec<Hash>,
}

/// Who may hold the bodies of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parties {
    All,
    Named(Vec<Society>),
}

impl Parties {
    pub(super) fn include(&self, society: Society) -> bool {
        match self {
            Self::All => true,
            Self::Named(parties) => parties.contains(&society),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Truth {
    /// Set by the simulation before anything happens.
    pub(super) now_ms: u64,
    histories: BTreeMap<Origin, Vec<History>>,
    /// For each witness and log the largest size that it has cosigned.
    cosigned: BTreeMap<(Society, Origin), u64>,
    cosignatures: u64,
    /// Societies that may hold sealed bodies of others for a while.
    pub(super) relays: BTreeSet<Society>,
    /// How many entries of its own log a caseworker of the society has been told are kept.
    acknowledged: BTreeMap<Society, u64>,
    /// When each entry became durable at its author.
    written: BTreeMap<(Origin, u64), u64>,
    delays_ms: Vec<u64>,
    /// For each entry how long it took to each other node that has it.
    arrived: BTreeMap<(Origin, u64), BTreeMap<Society, u64>>,
    /// The bodies of each entry, and who was meant to read them.
    bodies: BTreeMap<(Origin, u64), Vec<BodyKey>>,
    parties: BTreeMap<(Origin, u64), Parties>,
    holders: BTreeMap<BodyKey, BTreeSet<Society>>,
    /// Notes that were sent before and were sound: they stay so.
    sound: BTreeSet<[u8; 32]>,
    pub(super) keeping: Keeping,
}

impl Truth {
    pub(super) fn starting(now_ms: u64, retention_days: u32) -> Self {
        Self { now_ms, keeping: Keeping::new(retention_days), ..Self::default() }
    }

    /// A batch has become durable at a node. An author continues its one history: no two entries
    /// at one index are ever signed. Anyone else holds the beginning of something that was signed.
    pub(super) fn appended(
        &mut self,
        who: Society,
        conduct: Conduct,
        batch: &VerifiedBatch,
        before: &Tree,
    ) {
        let log = batch.origin();
        if log.society() != who {
            return self.check_extension(who, conduct, batch);
        }
        let branch = match conduct {
            Conduct::Honest => 0,
            Conduct::Equivocator(branch) => branch,
        };
        let histories = self.histories.entry(log.clone()).or_default();
        while histories.len() <= branch {
            histories.push(History { roots: vec![Tree::default().root()] });
        }
        let roots = &mut histories[branch].roots;
        let mut tree = before.clone();
        for (index, entry) in (batch.start()..).zip(batch.entries()) {
            tree.push(entry.leaf_hash(), |_| ());
            // Its own log comes back to a node that had lost it.
            let size = usize::try_from(index + 1).expect("a small log");
            if let Some(root) = roots.get(size) {
                assert_eq!(*root, tree.root(), "{who} has signed two entries {index}");
                continue;
            }
            assert_eq!(roots.len(), size, "{who} continues its own history");
            roots.push(tree.root());
            if conduct == Conduct::Honest {
                self.written.insert((log.clone(), index), self.now_ms);
                if let Ok(Entry::V1(header)) = Entry::parse(entry.as_slice()) {
                    let bodies = [Some(header.record), header.content].into_iter().flatten();
                    let key = |(part, commitment): (&Part, Commitment)| {
                        Place::new(log, index, *part).key(&commitment.digest)
                    };
                    let keys: Vec<BodyKey> = Part::ALL.iter().zip(bodies).map(key).collect();
                    if let [_, content] = keys[..] {
                        self.keeping.content(content, (log.clone(), index));
                    }
                    self.bodies.insert((log.clone(), index), keys);
                }
            }
        }
    }

    fn check_extension(&mut self, who: Society, conduct: Conduct, batch: &VerifiedBatch) {
        let (size, root) = (batch.tree().size(), batch.tree().root());
        let log = batch.origin();
        assert!(
            self.was_signed(log, size, root),
            "{who} holds {size} entries of {log} that its author never signed"
        );
        if conduct == Conduct::Honest {
            for index in batch.start()..size {
                let entry = (log.clone(), index);
                if let Some(written_ms) = self.written.get(&entry) {
                    let delay_ms = self.now_ms - written_ms;
                    self.delays_ms.push(delay_ms);
                    // A disk that has lost what it had not acknowledged takes it again.
                    self.arrived.entry(entry).or_default().entry(who).or_insert(delay_ms);
                }
            }
        }
    }

    fn was_signed(&self, log: &Origin, size: u64, root: Hash) -> bool {
        let size = usize::try_from(size).expect("a small log");
        let histories = self.histories.get(log).into_iter().flatten();
        histories.into_iter().any(|history| history.roots.get(size) == Some(&root))
    }

    /// A caseworker was told that the entry is kept.
    pub(super) fn acknowledged(&mut self, who: Society, index: u64, parties: Parties) {
        let size = self.acknowledged.entry(who).or_default();
        *size = (*size).max(index + 1);
        let before = self.parties.insert((origin(who), index), parties.clone());
        assert!(before.is_none_or(|before| before == parties), "one write has one entry");
    }

    /// A society's disk was replaced: what it had acknowledged comes back from its peers.
    pub(super) fn disk_replaced(&mut self, who: Society) {
        self.acknowledged.remove(&who);
    }

    /// Grows with each head that a society signs or cosigns.
    pub(super) fn signatures(&self, who: Society) -> u64 {
        let own = self.histories.get(&origin(who)).into_iter().flatten();
        let own: usize = own.map(|history| history.roots.len()).sum();
        let cosigned = self.cosigned.iter().filter(|((witness, _), _)| *witness == who);
        own as u64 + cosigned.map(|(_, size)| size).sum::<u64>()
    }

    /// A node has started: what was acknowledged is there.
    pub(super) fn check_start(&self, who: Society, store: &dyn Store) {
        let held = store.tree(&origin(who)).size();
        let acknowledged = self.acknowledged.get(&who).copied().unwrap_or_default();
        assert!(held >= acknowledged, "{who} has lost what it acknowledged: {held}");
        for log in store.logs() {
            let tree = store.tree(&log);
            assert!(self.was_signed(&log, tree.size(), tree.root()), "{who}: {log} is damaged");
            let head = store.head(&log).map_or(0, |head| head.size());
            assert!(head >= tree.size(), "{who}: the head of {log} vouches for all");
        }
    }

    /// A node keeps a head, perhaps with its own cosignature: only on what it holds, only a larger
    /// one, never on its own log nor on a forked one.
    pub(super) fn check_head(&mut self, who: Society, store: &dyn Store, head: &SignedHead) {
        let log = head.origin();
        let signed = self.was_signed(log, head.size(), head.root());
        assert!(signed, "{who} keeps a head of {log} that its author never signed");
        let known = self.cosigned.get(&(who, log.clone())).copied().unwrap_or_default();
        if !head.is_cosigned_by(who) || head.size() <= known {
            return;
        }
        let held = store.root_at(log, head.size()).ok();
        assert_eq!(held, Some(head.root()), "{who} cosigns of {log} what it does not hold");
        self.cosigned.insert((who, log.clone()), head.size());
        self.cosignatures += 1;
        assert_ne!(who, log.society(), "nobody cosigns its own log");
        assert!(store.evidence(log).is_none(), "{who} cosigns a forked log");
    }

    /// A frame leaves an honest node: nothing in it that its author has not made durable, and no
    /// cosignature that its witness has not.
    pub(super) fn check_sent(&mut self, who: Society, frame: &v1::Frame, roster: &Roster) {
        match &frame.frame {
            Some(FrameKind::Heads(heads)) => {
                heads.checkpoints.iter().for_each(|head| self.check_note_once(who, head));
            }
            Some(FrameKind::Batch(batch)) if !batch.entries.is_empty() => {
                self.check_note_once(who, &batch.checkpoint);
            }
            Some(FrameKind::Doubt(doubt)) => {
                self.check_note(who, &doubt.first);
                self.check_note(who, &doubt.second);
            }
            Some(FrameKind::Cosignatures(cosignatures)) => {
                for head in &cosignatures.heads {
                    self.check_cosignatures(who, head, roster);
                }
            }
            Some(_) | None => {}
        }
    }

    fn check_cosignatures(&self, who: Society, head: &v1::CosignedHead, roster: &Roster) {
        let log: Origin = head.origin.parse().expect("an origin");
        let root = Hash(head.root.as_slice().try_into().expect("a hash"));
        let size = head.size;
        assert!(self.was_signed(&log, size, root), "{who} sends {size} of {log}, never durable");
        for line in head.cosignatures.chunks_exact(COSIGNATURE_BYTES) {
            let (id, _) = line.split_first_chunk::<4>().expect("76 bytes");
            let mut keys = roster.witnesses_by_id(u32::from_be_bytes(*id));
            let (witness, _) = keys.next().expect("a member's key");
            self.check_witness(witness, &log, size);
        }
    }

    fn check_witness(&self, witness: Society, log: &Origin, size: u64) {
        let durable = self.cosigned.get(&(witness, log.clone())).copied().unwrap_or_default();
        let forked = self.histories.get(log).is_some_and(|histories| histories.len() > 1);
        let liar = self.histories.get(&origin(witness)).is_some_and(|all| all.len() > 1);
        assert!(durable >= size || forked || liar, "{witness} cosigned {log} and forgot it");
    }

    /// What was durable once is so for good, whoever says it and whenever.
    fn check_note_once(&mut self, who: Society, note: &[u8]) {
        let hash = Sha256::digest(note).into();
        if !self.sound.contains(&hash) {
            self.check_note(who, note);
            self.sound.insert(hash);
        }
    }

    fn check_note(&self, who: Society, note: &[u8]) {
        let mut lines = note
            .split(|byte| *byte == b'\n')
            .map(|line| std::str::from_utf8(line).expect("a note is text"));
        let mut line = || lines.next().expect("a checkpoint has three lines");
        let (log, size, root) = (line(), line(), line());
        let log: Origin = log.parse().expect("an origin");
        let size: u64 = size.parse().expect("a size");
        let root = BASE64_STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        let root = Hash(root.expect("a hash"));
        assert!(self.was_signed(&log, size, root), "{who} sends {size} of {log}, never durable");
        for name in lines.filter_map(|line| line.strip_prefix("\u{2014} ")?.split(' ').next()) {
            let Some(name) = name.strip_suffix("/witness") else { continue };
            let code = name.rsplit('/').next().unwrap_or_default();
            let witness: Society = code.parse().expect("a society");
            self.check_witness(witness, &log, size);
        }
    }

    /// A node calls a log forked.
    pub(super) fn check_evidence(&self, who: Society, evidence: &Evidence) {
        let histories = self.histories.get(evidence.origin()).map_or(0, Vec::len);
        assert!(histories > 1, "{who} calls the honest log {} forked", evidence.origin());
    }

    /// A node holds a body.
    pub(super) fn holds(&mut self, who: Society, key: BodyKey) {
        self.holders.entry(key).or_default().insert(who);
    }

    /// An honest node has erased a body.
    pub(super) fn erased(&mut self, who: Society, key: BodyKey) {
        self.keeping.erased(who, key, self.now_ms);
    }

    /// No body was ever with anyone who may not have it, but for relays.
    pub(super) fn check_bodies(&self) {
        for (at, keys) in &self.bodies {
            let Some(parties) = self.parties.get(at) else { continue };
            for holder in keys.iter().filter_map(|key| self.holders.get(key)).flatten() {
                let may = parties.include(*holder) || self.relays.contains(holder);
                assert!(may, "{holder} held a body of {at:?}, not for it");
            }
        }
    }

    /// The bodies that are meant for `who`.
    pub(super) fn bodies_for(
        &self,
        who: Society,
    ) -> impl Iterator<Item = (&(Origin, u64), Part, &BodyKey)> {
        let meant = self.parties.iter().filter(move |(_, parties)| parties.include(who));
        meant.flat_map(move |(at, _)| {
            let keys = self.bodies.get(at).into_iter().flatten();
            Part::ALL.into_iter().zip(keys).map(move |(part, key)| (at, part, key))
        })
    }

    /// The logs that one history is all of, with its size and root.
    pub fn honest(&self) -> impl Iterator<Item = (&Origin, u64, Hash)> {
        self.histories.iter().filter_map(|(origin, histories)| match histories.as_slice() {
            [one] => Some((origin, one.roots.len() as u64 - 1, *one.roots.last()?)),
            _ => None,
        })
    }

    /// The logs with more than one.
    pub fn forked(&self) -> impl Iterator<Item = &Origin> {
        self.histories.iter().filter(|(_, histories)| histories.len() > 1).map(|(origin, _)| origin)
    }

    /// For every entry and node, how long it took from durable at the author to durable there.
    pub fn delays_ms(&self) -> &[u64] {
        &self.delays_ms
    }

    /// For every entry that `others` other nodes have, how long it took to the last of them.
    pub fn to_all_ms(&self, others: usize) -> Vec<u64> {
        let whole = self.arrived.values().filter(|at| at.len() == others);
        whole.filter_map(|at| at.values().max().copied()).collect()
    }

    /// Forgets the delays so far.
    pub fn forget_delays(&mut self) {
        self.delays_ms.clear();
        self.arrived.clear();
    }

    /// Entries of honest authors.
    pub fn entries(&self) -> usize {
        self.written.len()
    }

    /// Contents that honest nodes have erased, each counted at each holder.
    pub fn erasures(&self) -> u64 {
        self.keeping.count()
    }

    /// Cosignatures of honest witnesses.
    pub fn cosignatures(&self) -> u64 {
        self.cosignatures
    }
}
