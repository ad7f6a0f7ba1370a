//! A store that keeps everything in memory: for tests and the simulator. Durable as long as it lives.

use std::collections::BTreeMap;

use tlog_tiles::{Hash, HashReader};

use super::{BodyState, Heads, Reader, Store, StoreError, proofs};
use crate::{
    batch::VerifiedBatch,
    body::{Body, BodyKey},
    entry::EntryBytes,
    evidence::Evidence,
    head::SignedHead,
    society::{Origin, Society},
    tree::Tree,
};

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    logs: BTreeMap<Origin, Log>,
    /// `None`: erased.
    bodies: BTreeMap<BodyKey, Option<Vec<u8>>>,
    notes: BTreeMap<Vec<u8>, Vec<u8>>,
    opened: BTreeMap<BodyKey, Vec<u8>>,
}

#[derive(Debug, Clone, Default)]
struct Log {
    entries: Vec<EntryBytes>,
    tree: Tree,
    stored: Stored,
    heads: Heads,
    evidence: Option<Evidence>,
}

#[derive(Debug, Clone, Default)]
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        indexes
            .iter()
            .map(|index| usize::try_from(*index).ok().and_then(|index| self.0.get(index)).copied())
            .collect::<Option<_>>()
            .ok_or(tlog_tiles::Error::IndexesNotInTree)
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// All that is kept, piece by piece: what it is, and its bytes. For tests that look for what
    /// should be gone.
    #[doc(hidden)]
    pub fn raw(&self) -> Vec<(String, Vec<u8>)> {
        let mut raw = Vec::new();
        for (origin, log) in &self.logs {
            let entries = log.entries.iter().enumerate();
            raw.extend(
                entries.map(|(n, entry)| (format!("{origin} entry {n}"), entry.as_slice().into())),
            );
            let heads = log.heads.newest().into_iter().chain(log.heads.cosigned().values());
            raw.extend(heads.map(|head| (format!("a head of {origin}"), head.to_bytes())));
        }
        for (key, body) in &self.bodies {
            raw.extend(body.iter().map(|body| (format!("body {key:?}"), body.clone())));
        }
        for (key, value) in &self.notes {
            raw.push(("a note".into(), [key.as_slice(), value].concat()));
        }
        raw
    }

    /// The stored hashes and the size of a log; none and 0 for an unknown one.
    fn hashes(&self, origin: &Origin) -> (&Stored, u64) {
        const NONE: &Stored = &Stored(Vec::new());
        self.logs.get(origin).map_or((NONE, 0), |log| (&log.stored, log.tree.size()))
    }
}

impl Reader for MemoryStore {
    fn logs(&self) -> Vec<Origin> {
        self.logs.keys().cloned().collect()
    }

    fn tree(&self, origin: &Origin) -> Tree {
        self.logs.get(origin).map(|log| log.tree.clone()).unwrap_or_default()
    }

    fn head(&self, origin: &Origin) -> Option<SignedHead> {
        self.logs.get(origin)?.heads.newest().cloned()
    }

    fn cosigned(&self, origin: &Origin) -> BTreeMap<Society, SignedHead> {
        self.logs.get(origin).map(|log| log.heads.cosigned().clone()).unwrap_or_default()
    }

    fn entries(
        &self,
        origin: &Origin,
        start: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Vec<EntryBytes>, StoreError> {
        let entries = self.logs.get(origin).map(|log| log.entries.as_slice()).unwrap_or_default();
        let rest = usize::try_from(start).ok().and_then(|start| entries.get(start..));
        let mut bytes = 0;
        let taken = rest.unwrap_or_default().iter().enumerate().take_while(|(n, entry)| {
            bytes += entry.as_slice().len();
            (*n as u64) < count && (*n == 0 || bytes <= max_bytes)
        });
        Ok(taken.map(|(_, entry)| entry.clone()).collect())
    }

    fn root_at(&self, origin: &Origin, size: u64) -> Result<Hash, StoreError> {
        let (hashes, held) = self.hashes(origin);
        proofs::root_at(hashes, held, size)
    }

    fn consistency(&self, origin: &Origin, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        let (hashes, held) = self.hashes(origin);
        proofs::consistency(hashes, held, from, to)
    }

    fn inclusion(&self, origin: &Origin, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        let (hashes, held) = self.hashes(origin);
        proofs::inclusion(hashes, held, index, size)
    }

    fn body_state(&self, key: &BodyKey) -> BodyState {
        match self.bodies.get(key) {
            Some(Some(_)) => BodyState::Present,
            Some(None) => BodyState::Erased,
            None => BodyState::Absent,
        }
    }

    fn body(
        &self,
        key: &BodyKey,
        offset: u64,
        max_bytes: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(Some(body)) = self.bodies.get(key) else {
            return Ok(None);
        };
        let rest = usize::try_from(offset).ok().and_then(|offset| body.get(offset..));
        Ok(Some(rest.unwrap_or_default().iter().take(max_bytes).copied().collect()))
    }

    fn opened(&self, key: &BodyKey) -> Option<Vec<u8>> {
        self.opened.get(key).cloned()
    }

    fn notes(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.notes.clone()
    }

    fn evidence(&self, origin: &Origin) -> Option<Evidence> {
        self.logs.get(origin)?.evidence.clone()
    }
}

impl Store for MemoryStore {
    fn append(&mut self, batch: &VerifiedBatch, bodies: &[Body]) -> Result<(), StoreError> {
        let held = self.tree(batch.origin()).size();
        if held != batch.start() {
            return Err(StoreError::Conflict {
                origin: batch.origin().clone(),
                held,
                start: batch.start(),
            });
        }
        self.put_bodies(bodies)?;
        let log = self.logs.entry(batch.origin().clone()).or_default();
        for entry in batch.entries() {
            log.tree.push(entry.leaf_hash(), |hash| log.stored.0.push(hash));
            log.entries.push(entry.clone());
        }
        log.heads.vouch(batch.head());
        Ok(())
    }

    fn put_bodies(&mut self, bodies: &[Body]) -> Result<(), StoreError> {
        if bodies.iter().any(|body| self.body_state(&body.key()) == BodyState::Erased) {
            return Err(StoreError::Erased);
        }
        for body in bodies {
            self.bodies.insert(body.key(), Some(body.bytes().to_vec()));
        }
        Ok(())
    }

    fn put_head(&mut self, head: &SignedHead) -> Result<(), StoreError> {
        if let Some(log) = self.logs.get_mut(head.origin()) {
            log.heads.offer(head, &log.tree);
        }
        Ok(())
    }

    fn erase_body(&mut self, key: &BodyKey) -> Result<(), StoreError> {
        self.opened.remove(key);
        self.bodies.insert(*key, None);
        Ok(())
    }

    fn drop_body(&mut self, key: &BodyKey) -> Result<(), StoreError> {
        if self.body_state(key) == BodyState::Present {
            self.opened.remove(key);
            self.bodies.remove(key);
        }
        Ok(())
    }

    fn keep_opened(&mut self, key: &BodyKey, sealed: &[u8]) {
        self.opened.insert(*key, sealed.to_vec());
    }

    fn put_note(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        match value {
            [] => drop(self.notes.remove(key)),
            value => drop(self.notes.insert(key.to_vec(), value.to_vec())),
        }
        Ok(())
    }

    fn put_evidence(&mut self, evidence: &Evidence) -> Result<(), StoreError> {
        let log = self.logs.entry(evidence.origin().clone()).or_default();
        log.evidence.get_or_insert_with(|| evidence.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::{self, Subject};
    use super::*;

    struct InMemory(MemoryStore);

    impl Subject for InMemory {
        fn store(&mut self) -> &mut dyn Store {
            &mut self.0
        }
        /// It is behind `&mut`: the compiler refuses.
        fn refuses_second_writer(&mut self) -> bool {
            true
        }
    }

    #[test]
    fn keeps_the_contract() {
        contract::check(&mut |_| Box::new(InMemory(MemoryStore::new())));
    }
}
