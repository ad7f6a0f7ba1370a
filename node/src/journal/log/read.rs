//! Reading a log's folder at start: heads, entries, and the one against the other.

use sha2::{Digest as _, Sha256};
use tutti_core::{
    entry::{Entry, EntryBytes},
    evidence::Evidence,
    head::{HeadKeys, SignedHead},
    limits::{HEAD_BYTES_MAX, MEMBERS_MAX},
    store::Heads,
    tree::check_consistency,
};

use super::{FRAME_MAX, Log, READ_BYTES};
use crate::{
    disk,
    index::Index,
    journal::record::{read_blocks, read_hashes, split_entry},
    store::DiskError,
};

impl Log {
    /// Reads the folder. Of the entries only the first `keep` count, where commits follow there;
    /// else as many as the checkpoint vouches for. Says in words what was found besides.
    pub(crate) fn load(
        &mut self,
        keep: Option<u64>,
        keys: &impl HeadKeys,
        writable: bool,
        index: &mut Index,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<String>, DiskError> {
        let mut notices = Vec::new();
        let vouched = self.load_heads(keys, &mut notices)?;
        let count = keep.unwrap_or(vouched);
        let path = self.path("entries");
        match disk::open(&path, false).and_then(|_| disk::open(&path, writable)) {
            Ok(file) => self.file = Some(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(DiskError::io(&path, error)),
        }
        self.scan(count, index, progress)?;
        if keep.is_none() {
            let len = self.file.as_ref().map(|file| file.metadata().map(|meta| meta.len()));
            let len = len.transpose().map_err(|error| DiskError::io(&path, error))?;
            if self.heads.newest().is_none() && len.is_some_and(|len| len > 0) {
                return Err(self.damaged(
                    "checkpoint",
                    None,
                    "it is missing, and there are entries",
                ));
            }
            notices.extend(self.cut_tail(writable)?);
        }
        // Otherwise what lies behind comes again from the commits.
        Ok(notices)
    }

    /// Reads the small files. How many entries the checkpoint vouches for.
    fn load_heads(
        &mut self,
        keys: &impl HeadKeys,
        notices: &mut Vec<String>,
    ) -> Result<u64, DiskError> {
        let mut found = Vec::new();
        let mut read = |name: &str, max: usize| {
            let path = self.path(name);
            let bytes = disk::read(&path, max as u64).map_err(|error| DiskError::io(&path, error));
            let held =
                bytes.as_ref().ok().and_then(Option::as_deref).map(|b| Sha256::digest(b).into());
            found.push(((self.origin.clone(), name.to_string()), held));
            bytes
        };
        let mut open = |name: &str, bytes: &[u8]| {
            let head = SignedHead::open(bytes, keys)
                .map_err(|error| self.damaged(name, None, error.to_string()))?;
            if head.origin() != &self.origin {
                let problem = format!("it is a head of {}", head.origin());
                return Err(self.damaged(name, None, problem));
            }
            if head.to_bytes() != bytes {
                notices.push(format!(
                    "{} holds cosignatures of witnesses that the roster does not know; they are \
                     left out",
                    self.path(name).display()
                ));
            }
            Ok(head)
        };
        let mut heads = Heads::default();
        let mut vouched = 0;
        if let Some(bytes) = read("checkpoint", HEAD_BYTES_MAX)? {
            let head = open("checkpoint", &bytes)?;
            vouched = head.size();
            heads.vouch(&head);
        }
        if let Some(bytes) = read("cosigned", HEAD_BYTES_MAX * MEMBERS_MAX)? {
            let blocks = read_blocks(&bytes)
                .ok_or_else(|| self.damaged("cosigned", None, "its parts are not whole"))?;
            for block in blocks {
                heads.witness(&open("cosigned", block)?);
            }
        }
        let mut consistency = Vec::new();
        if let Some(bytes) = read("consistency", 8 + 64 * 32)? {
            let parts = bytes.split_first_chunk::<8>();
            let parts = parts.and_then(|(size, rest)| Some((size, read_hashes(rest)?)));
            let (size, hashes) = parts
                .ok_or_else(|| self.damaged("consistency", None, "its parts are not whole"))?;
            // Of a head that was replaced since, where a crash came between: commits follow.
            vouched = vouched.min(u64::from_be_bytes(*size));
            consistency = hashes;
        }
        let mut evidence = None;
        if let Some(bytes) = read("evidence", 4 * HEAD_BYTES_MAX)? {
            let read = Evidence::from_bytes(&bytes, keys)
                .map_err(|error| self.damaged("evidence", None, error.to_string()))?;
            evidence = Some(read);
        }
        self.found = found;
        self.heads = heads;
        self.consistency = consistency;
        self.evidence = evidence;
        Ok(vouched)
    }

    /// Whole entries that stand in the file from `offset` on, after skipping `skip` of them; at
    /// most `count`, and at most `max_bytes` but at least one. `None` where not even one is whole.
    pub(super) fn read_from(
        &self,
        mut offset: u64,
        mut skip: u64,
        count: u64,
        max_bytes: usize,
    ) -> Result<Option<Vec<EntryBytes>>, DiskError> {
        let Some(file) = &self.file else { return Ok(None) };
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let want = skip.saturating_add(count).saturating_mul(FRAME_MAX as u64);
        let want = usize::try_from(want).unwrap_or(usize::MAX).min(READ_BYTES);
        'file: while (entries.len() as u64) < count {
            let buffer = disk::read_at(file, want, offset)
                .map_err(|error| DiskError::io(&self.path("entries"), error))?;
            let mut rest = buffer.as_slice();
            while let Some((entry, after)) = split_entry(rest) {
                offset += (rest.len() - after.len()) as u64;
                rest = after;
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                bytes += entry.len();
                let enough = entries.len() as u64 == count || bytes > max_bytes;
                if enough && !entries.is_empty() {
                    break 'file;
                }
                entries.push(EntryBytes::new(entry));
            }
            if buffer.len() < want || rest.len() >= FRAME_MAX {
                break;
            }
        }
        Ok(if entries.is_empty() { None } else { Some(entries) })
    }

    /// Sets aside what lies behind the last entry that is vouched for.
    fn cut_tail(&self, writable: bool) -> Result<Option<String>, DiskError> {
        let Some(file) = self.file.as_ref().filter(|_| writable) else { return Ok(None) };
        let path = self.path("entries");
        let io = |error| DiskError::io(&path, error);
        let len = file.metadata().map_err(io)?.len();
        let Some(more) = len.checked_sub(self.settled_bytes).filter(|more| *more > 0) else {
            return Ok(None);
        };
        let aside = self.path("entries.cut");
        let tail = usize::try_from(more).map_err(std::io::Error::other);
        let tail = tail.and_then(|more| disk::read_at(file, more, self.settled_bytes));
        tail.and_then(|tail| disk::replace(&aside, &tail))
            .map_err(|error| DiskError::io(&aside, error))?;
        disk::set_len(file, self.settled_bytes).and_then(|()| disk::sync(file)).map_err(io)?;
        Ok(Some(format!(
            "{} holds {more} bytes after entry {}, for which there is no signed head here. They \
             were cut off and kept in {}",
            path.display(),
            self.settled,
            aside.display()
        )))
    }

    /// Compares the tree that was derived from the entries with the signed head.
    pub(crate) fn verify(&self) -> Result<(), DiskError> {
        let Some(head) = self.heads.newest() else {
            return if self.size() == 0 {
                Ok(())
            } else {
                Err(self.damaged("checkpoint", None, "it is missing, and there are entries"))
            };
        };
        let (size, root) = (self.size(), self.tree.root());
        let vouched = if head.size() == size {
            head.root() == root
        } else {
            check_consistency(size, root, head.size(), head.root(), &self.consistency).is_ok()
        };
        if vouched {
            return Ok(());
        }
        let (at, problem) = self.first_bad_entry()?;
        Err(self.damaged("entries", at, problem))
    }

    /// Where the entries are visibly wrong, if they are.
    fn first_bad_entry(&self) -> Result<(Option<u64>, String), DiskError> {
        let (mut offset, mut index) = (0, 0);
        while let Some(entries) = self.read_from(offset, 0, u64::MAX, READ_BYTES)? {
            for entry in entries.iter().take((self.settled - index) as usize) {
                if let Err(error) = Entry::parse_at(entry.as_slice(), &self.origin, index) {
                    return Ok((
                        Some(offset),
                        format!("entry {index} is not what was written: {error}"),
                    ));
                }
                offset += 2 + entry.as_slice().len() as u64;
                index += 1;
            }
            if index >= self.settled {
                break;
            }
        }
        let problem = format!(
            "the root of the {} entries is not the one that the log signed: one of them is not \
             what was written, or the checkpoint beside them is another one's",
            self.size()
        );
        Ok((None, problem))
    }
}
