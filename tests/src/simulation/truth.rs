//! What the authors have really signed, and the rules that must hold at every moment.
//!
//! An honest society has one history, an equivocator several. Whatever a node holds must be the
//! beginning of one of them; an honest log is never called forked; a cosignature stands under what
//! its witness holds and never goes back.

use std::collections::BTreeMap;

use tlog_tiles::Hash;
use tutti_core::{
    batch::VerifiedBatch,
    evidence::Evidence,
    head::SignedHead,
    society::{Origin, Society},
    store::Reader,
    tree::Tree,
};

/// One history of a log: its root at every size.
#[derive(Debug, Clone)]
pub(super) struct History {
    roots: Vec<Hash>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Truth {
    histories: BTreeMap<Origin, Vec<History>>,
    /// For each witness and log the sizes that it has cosigned, in order.
    cosigned: BTreeMap<(Society, Origin), u64>,
}

impl Truth {
    /// An author has signed a batch in its history number `branch`.
    pub fn signed(&mut self, branch: usize, batch: &VerifiedBatch, before: &Tree) {
        let histories = self.histories.entry(batch.origin().clone()).or_default();
        while histories.len() <= branch {
            histories.push(History { roots: vec![Tree::default().root()] });
        }
        let roots = &mut histories[branch].roots;
        assert_eq!(roots.len() as u64, batch.start() + 1, "an author continues its own history");
        let mut tree = before.clone();
        for entry in batch.entries() {
            tree.push(entry.leaf_hash(), |_| ());
            roots.push(tree.root());
        }
    }

    /// The logs that one history is all of, with its size.
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

    /// A node holds the beginning of something that was signed.
    pub fn check_log(&self, who: Society, store: &impl Reader, origin: &Origin) {
        let tree = store.tree(origin);
        let known = self.histories.get(origin).into_iter().flatten();
        let size = usize::try_from(tree.size()).expect("a small log");
        assert!(
            known.into_iter().any(|history| history.roots.get(size) == Some(&tree.root())),
            "{who} holds {size} entries of {origin} that its author never signed"
        );
        if let Some(head) = store.head(origin) {
            assert!(head.size() >= tree.size(), "{who}: the head of {origin} vouches for all");
        }
    }

    /// A node is about to cosign.
    pub fn check_cosigning(&mut self, who: Society, store: &impl Reader, head: &SignedHead) {
        let origin = head.origin();
        assert_ne!(who, origin.society(), "nobody cosigns its own log");
        let root = store.root_at(origin, head.size()).ok();
        assert_eq!(root, Some(head.root()), "{who} cosigns what it does not hold");
        let before = self.cosigned.entry((who, origin.clone())).or_default();
        assert!(*before < head.size(), "{who} cosigns {origin} at {} again", head.size());
        *before = head.size();
        assert!(store.evidence(origin).is_none(), "{who} cosigns a forked log");
    }

    /// A node calls a log forked.
    pub fn check_evidence(&self, who: Society, evidence: &Evidence) {
        let histories = self.histories.get(evidence.origin()).map_or(0, Vec::len);
        assert!(histories > 1, "{who} calls the honest log {} forked", evidence.origin());
    }
}
