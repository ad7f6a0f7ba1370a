//! The heads of one log that a store holds: the newest, and each witness's last word.
//!
//! The rules of contract 4 and of [`super::Store::put_head`] are here once, for every store.

use std::collections::BTreeMap;

use crate::{head::SignedHead, society::Society, tree::Tree};

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heads {
    newest: Option<SignedHead>,
    cosigned: BTreeMap<Society, SignedHead>,
}

impl Heads {
    /// The head that vouches for what is held.
    pub fn newest(&self) -> Option<&SignedHead> {
        self.newest.as_ref()
    }

    /// For each witness the largest head that it has cosigned.
    pub fn cosigned(&self) -> &BTreeMap<Society, SignedHead> {
        &self.cosigned
    }

    /// Takes the head of a batch that was appended: from now on it vouches.
    pub fn vouch(&mut self, head: &SignedHead) {
        match &mut self.newest {
            Some(newest) if newest.text() == head.text() => {
                newest.merge(head);
            }
            newest => *newest = Some(head.clone()),
        }
        self.witness(head);
    }

    /// Takes a head that came by itself, while the log is `tree`; says whether anything changed.
    /// A log of which nothing is held takes none.
    pub fn offer(&mut self, head: &SignedHead, tree: &Tree) -> bool {
        let Some(newest) = &mut self.newest else {
            return false;
        };
        let of_tree = head.size() == tree.size() && head.root() == tree.root();
        let mut changed = newest.merge(head);
        if newest.size() > tree.size() && of_tree {
            *newest = head.clone();
            changed = true;
        }
        if newest.text() == head.text() || of_tree || head.size() < tree.size() {
            changed |= self.witness(head);
        }
        changed
    }

    /// Notes who cosigned `head`; says whether that is news. Copies of one head always carry the same cosignatures.
    pub fn witness(&mut self, head: &SignedHead) -> bool {
        let before = self.cosigned.clone();
        let mut whole = head.clone();
        for held in self.cosigned.values() {
            whole.merge(held);
        }
        for cosignature in whole.witnesses() {
            let held = self.cosigned.entry(cosignature.society).or_insert_with(|| whole.clone());
            if held.size() < whole.size() || held.text() == whole.text() {
                *held = whole.clone();
            }
        }
        self.cosigned != before
    }
}
