//! Reading a log's entries at start, and whenever the index is filled anew.
//!
//! The file is read piece by piece. While one piece is hashed, the next one is read and split into
//! entries, and the one before is compared with the index; whoever has nothing else to do hashes. A
//! piece is split as soon as it is read, while the processor still has it at hand.

use std::{
    fs::File,
    io,
    num::NonZero,
    sync::{Mutex, PoisonError},
    thread,
};

use tlog_tiles::{Hash, record_hash};
use tutti_core::tree::Tree;

use super::Log;
use crate::{
    disk,
    index::{CHUNK, CHUNK_HEIGHT, Index},
    journal::record::split_entry,
    store::DiskError,
};

/// How much of the file is read at a time.
const PIECE_BYTES: usize = 1024 * 1024;

/// Entries of so few chunks are hashed sooner than a thread is started.
const PARALLEL_CHUNKS_MIN: usize = 32;

/// Chunks that a thread takes at a time.
const STEP_CHUNKS: usize = 4;

/// Entries that stand one after another in the file: whole chunks, and at the end what is left.
#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    /// Where in the file it begins.
    offset: u64,
    /// Where in it the frame of each entry ends.
    ends: Vec<usize>,
}

/// How far the file was read.
struct Cursor {
    offset: u64,
    /// Entries that are still to come.
    left: u64,
}

impl Piece {
    /// Reads from `offset` on, and finds at most `max` entries that are whole.
    fn fill(&mut self, file: Option<&File>, offset: u64, max: usize) -> io::Result<()> {
        self.bytes.resize(PIECE_BYTES, 0);
        let read = file.map_or(Ok(0), |file| disk::read_into(file, &mut self.bytes, offset))?;
        self.offset = offset;
        self.ends.clear();
        let whole = self.bytes.get(..read).unwrap_or_default();
        let mut rest = whole;
        while self.ends.len() < max
            && let Some((_, after)) = split_entry(rest)
        {
            self.ends.push(whole.len() - after.len());
            rest = after;
        }
        Ok(())
    }

    /// Its entries from `first` to before `end`.
    fn entries(&self, first: usize, end: usize) -> impl Iterator<Item = &[u8]> {
        let before = first.checked_sub(1).and_then(|before| self.ends.get(before));
        let mut start = before.copied().unwrap_or(0);
        self.ends.get(first..end).unwrap_or_default().iter().filter_map(move |end| {
            let frame = self.bytes.get(start..*end);
            start = *end;
            // Behind its length.
            frame?.get(2..)
        })
    }

    fn chunks(&self) -> usize {
        self.ends.len() / CHUNK as usize
    }

    /// Where in the file the entry before `end` ends.
    fn end_of(&self, end: usize) -> u64 {
        let last = end.checked_sub(1).and_then(|last| self.ends.get(last));
        self.offset + last.copied().unwrap_or(0) as u64
    }

    /// The root over a chunk of its entries.
    fn root(&self, chunk: usize) -> Hash {
        let (first, mut subtree) = (chunk * CHUNK as usize, Tree::default());
        let entries = self.entries(first, first + CHUNK as usize);
        entries.for_each(|entry| subtree.push(record_hash(entry), |_| ()));
        subtree.root()
    }

    /// The roots over all its chunks, derived by `processors` threads, of which this one does
    /// something else first.
    fn roots<T>(&self, processors: usize, meanwhile: impl FnOnce() -> T) -> (Vec<Hash>, T) {
        let mut roots = vec![Hash::default(); self.chunks()];
        let threads = if roots.len() < PARALLEL_CHUNKS_MIN { 1 } else { processors };
        let work = Mutex::new(roots.chunks_mut(STEP_CHUNKS).enumerate());
        let take = || work.lock().unwrap_or_else(PoisonError::into_inner).next();
        let hash = || {
            while let Some((step, roots)) = take() {
                for (chunk, root) in (step * STEP_CHUNKS..).zip(roots) {
                    *root = self.root(chunk);
                }
            }
        };
        let done = thread::scope(|scope| {
            for _ in 1..threads {
                // Where there is no thread to be had, it is done here.
                let _ = thread::Builder::new().spawn_scoped(scope, hash);
            }
            let done = meanwhile();
            hash();
            done
        });
        (roots, done)
    }
}

impl Log {
    /// Reads the first `count` entries of the file, and derives the tree and the index from them.
    pub(crate) fn scan(
        &mut self,
        count: u64,
        index: &mut Index,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), DiskError> {
        self.tree = Tree::default();
        self.recent.clear();
        (self.chunks, self.chunks_end, self.settled, self.settled_bytes) = (0, 0, 0, 0);
        self.complete.clear();
        self.tail.clear();
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let mut cursor = Cursor { offset: 0, left: count };
        let mut next = self.read_piece(Piece::default(), &mut cursor, count)?;
        let mut hashed: Option<(Piece, Vec<Hash>)> = None;
        while let Some(piece) = next {
            let (roots, read) = piece.roots(processors, || {
                let spare = hashed.take().map(|(before, roots)| {
                    self.take_piece(&before, &roots, index);
                    progress(self.settled, count);
                    before
                });
                self.read_piece(spare.unwrap_or_default(), &mut cursor, count)
            });
            hashed = Some((piece, roots));
            next = read?;
        }
        if let Some((last, roots)) = hashed {
            self.take_piece(&last, &roots, index);
            progress(self.settled, count);
        }
        Ok(())
    }

    /// The next entries in the file, of `count` in all; `None` after the last.
    fn read_piece(
        &self,
        mut piece: Piece,
        cursor: &mut Cursor,
        count: u64,
    ) -> Result<Option<Piece>, DiskError> {
        if cursor.left == 0 {
            return Ok(None);
        }
        let left = usize::try_from(cursor.left).unwrap_or(usize::MAX);
        piece
            .fill(self.file.as_ref(), cursor.offset, left)
            .map_err(|error| DiskError::io(&self.path("entries"), error))?;
        let found = piece.ends.len();
        // Whole chunks, and the rest only where it is the end.
        let whole = if found == left { left } else { piece.chunks() * CHUNK as usize };
        if whole == 0 {
            let problem = format!(
                "of {count} entries that a signed head vouches for, entry {} is missing or not \
                 whole",
                count - cursor.left + found as u64
            );
            return Err(self.damaged("entries", Some(cursor.offset), problem));
        }
        piece.ends.truncate(whole);
        cursor.left -= whole as u64;
        cursor.offset = piece.end_of(whole);
        Ok(Some(piece))
    }

    /// Grows the tree by a piece whose `roots` were derived, and compares the index with it.
    fn take_piece(&mut self, piece: &Piece, roots: &[Hash], index: &mut Index) {
        let (mut taken, all) = (0, piece.ends.len());
        for root in roots {
            let mut above = Vec::new();
            self.tree.push_subtree(CHUNK_HEIGHT, *root, |hash| above.push(hash));
            index.expect_chunk(&self.origin, self.chunks, self.settled_bytes, &above);
            taken += CHUNK as usize;
            self.settled += CHUNK;
            self.settled_bytes = piece.end_of(taken);
            self.chunks += 1;
            self.chunks_end = self.settled_bytes;
        }
        for entry in piece.entries(taken, all) {
            self.tree.push(record_hash(entry), |hash| self.tail.push(hash));
            self.settled += 1;
        }
        self.settled_bytes = piece.end_of(all);
    }

    /// Derives the index once more from the entries, into one that is new.
    pub(crate) fn fill(&mut self, index: &mut Index) -> Result<(), DiskError> {
        let recent = std::mem::take(&mut self.recent);
        self.scan(self.settled, index, &mut |_, _| ())?;
        for entry in &recent {
            self.tree.push(entry.leaf_hash(), |hash| self.tail.push(hash));
        }
        self.close_chunks();
        self.recent = recent;
        Ok(())
    }
}
