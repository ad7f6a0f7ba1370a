//! Bringing a log's folder up to the commits.
//!
//! Safe to be interrupted anywhere and to be done again: the commits are given up only after all of
//! this was synced, and the next start applies them to whatever stands here.

use tutti_core::{evidence::Evidence, head::SignedHead, store::StoreError};

use super::Log;
use crate::{
    disk,
    index::{CHUNK, Index},
    journal::{
        record::{blocks, bundle},
        settled::{Name, Sum, sum},
    },
};

impl Log {
    /// Brings the folder up to the commits, and syncs it.
    pub(crate) fn settle(&mut self, index: &mut Index) -> Result<(), StoreError> {
        if self.recent.is_empty() && !self.dirty {
            return Ok(());
        }
        disk::make_dir(&self.dir).map_err(disk::failed)?;
        self.settle_entries(index)?;
        self.settle_heads()?;
        self.dirty = false;
        Ok(())
    }

    fn settle_entries(&mut self, index: &mut Index) -> Result<(), StoreError> {
        if self.recent.is_empty() {
            return Ok(());
        }
        let is_new = self.file.is_none();
        if is_new {
            self.file = Some(disk::open(&self.path("entries"), true).map_err(disk::failed)?);
        }
        let Some(file) = &self.file else { return Ok(()) };
        let bytes = bundle(&self.recent);
        let end = self.settled_bytes + bytes.len() as u64;
        if let Err(error) = disk::write_at(file, &bytes, self.settled_bytes) {
            // The commits still hold them; a half entry would only be cut at the next start.
            disk::set_len(file, self.settled_bytes).map_err(StoreError::Fatal)?;
            return Err(disk::failed(error));
        }
        let longer = file.metadata().map_err(StoreError::Fatal)?.len() > end;
        if longer {
            disk::set_len(file, end).map_err(StoreError::Fatal)?;
        }
        disk::sync(file).map_err(StoreError::Fatal)?;
        if is_new {
            disk::sync_dir(&self.dir).map_err(StoreError::Fatal)?;
        }
        for entry in std::mem::take(&mut self.recent) {
            self.settled += 1;
            self.settled_bytes += 2 + entry.as_slice().len() as u64;
            if self.settled == (self.chunks + 1) * CHUNK
                && let Some(above) = self.complete.front()
                && index.put_chunk(&self.origin, self.chunks, self.chunks_end, above)
            {
                self.complete.pop_front();
                self.chunks += 1;
                self.chunks_end = self.settled_bytes;
            }
        }
        Ok(())
    }

    fn settle_heads(&self) -> Result<(), StoreError> {
        for (name, bytes) in self.small_files() {
            let path = self.path(name);
            let done =
                if bytes.is_empty() { disk::remove(&path) } else { disk::replace(&path, &bytes) };
            done.map_err(disk::failed)?;
        }
        Ok(())
    }

    /// What the small files are to hold; nothing is no file.
    fn small_files(&self) -> [(&'static str, Vec<u8>); 4] {
        let newest = self.heads.newest();
        let mut consistency = Vec::new();
        if newest.is_some_and(|head| head.size() > self.size()) {
            consistency.extend(self.size().to_be_bytes());
            consistency.extend(self.consistency.iter().flat_map(|hash| hash.0));
        }
        let mut others: Vec<&SignedHead> = Vec::new();
        for head in self.heads.cosigned().values() {
            let text = head.text();
            if !others.iter().chain(&newest).any(|other| other.text() == text) {
                others.push(head);
            }
        }
        [
            ("checkpoint", newest.map(SignedHead::to_bytes).unwrap_or_default()),
            ("consistency", consistency),
            ("cosigned", blocks(others.into_iter().map(SignedHead::to_bytes))),
            ("evidence", self.evidence.as_ref().map(Evidence::to_bytes).unwrap_or_default()),
        ]
    }

    /// The files that settling will change, and what they will be.
    pub(crate) fn changes(&self) -> Vec<(Name, Sum)> {
        if self.recent.is_empty() && !self.dirty {
            return Vec::new();
        }
        let files = self.small_files().into_iter();
        files.map(|(name, bytes)| ((self.origin.clone(), name.into()), sum(&bytes))).collect()
    }
}
