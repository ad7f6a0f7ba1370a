//! Files in a history: added to a case, taken back, and passed on with it.
//!
//! The files are real ones: small, or cut into parts of their full size, of which the last may come
//! first and the first never. Besides what happens by chance it is asked here at once: that whoever
//! added a file can take it back, whatever has become of the case; and that none is added to what
//! its node knows to be over.

use sha2::{Digest as _, Sha256};
use tutti_core::referral::{
    Command,
    attachment::{self, PART_BYTES},
};
use tutti_node::engine::Write;
use tutti_proto::{
    node::v1 as api,
    v1::{self, referral_event::Transition as T},
};

use super::{
    History,
    facts::Fact,
    model::{Judged, attached},
    words::STEM,
};
use crate::simulation::{truth::Parties, writing::Job};

/// A file that somebody added to a referral, or was to.
#[derive(Debug, Clone)]
pub(super) struct Added {
    pub(super) matter: usize,
    pub(super) node: usize,
    pub(super) id: [u8; 16],
    /// Stands in its name and in each part of its bytes, and in those of its copies.
    pub(super) word: String,
    /// The one of which it is the copy.
    pub(super) source: Option<usize>,
    pub(super) size: u64,
    kind: i32,
}

impl Added {
    pub(super) fn name(&self) -> String {
        format!("{}txt", self.word)
    }

    pub(super) fn parts(&self) -> u32 {
        attachment::parts_of(self.size).expect("a file that may be sent")
    }

    /// What part `part` holds.
    pub(super) fn part(&self, part: u32) -> Vec<u8> {
        let bytes = attachment::bytes_of_part(self.size, part) as usize;
        let mut text = format!("{} part {part}\n", self.word).into_bytes();
        text.resize(bytes, b'.');
        text
    }

    pub(super) fn sha256(&self) -> Vec<u8> {
        let mut hasher = Sha256::new();
        (1..=self.parts()).for_each(|part| hasher.update(self.part(part)));
        hasher.finalize().to_vec()
    }
}

impl History {
    /// Somebody adds a file, takes one back, passes one on, or goes on with one.
    pub(super) fn act_on_files(&mut self) {
        match self.choose(10) {
            0..=4 => self.add_any_file(),
            5 | 6 => self.take_any_file_back(),
            7 | 8 => self.pass_any_file_on(),
            _ => self.go_on_with_a_file(),
        }
    }

    fn add_any_file(&mut self) {
        let Some(matter) = self.any_matter() else { return };
        let side = self.choose(2);
        let node = self.matters[matter].parties[side];
        self.add_file(matter, node);
    }

    /// A file of a few hundred bytes, or one that needs two parts.
    pub(super) fn add_file(&mut self, matter: usize, node: usize) {
        let tail = 100 + self.choose(4_000) as u64;
        let size = if self.choose(4) == 0 { PART_BYTES as u64 + tail } else { tail };
        let file = self.new_file(matter, node, size);
        // Of two parts the second comes first: it is small, and where nothing follows the file
        // stays as it is.
        let last = self.files[file].parts();
        self.add_part(file, last);
        if last > 1 && self.choose(2) == 0 {
            self.add_part(file, 1);
        }
    }

    /// One that is whole at once.
    pub(super) fn add_small_file(&mut self, matter: usize, node: usize) {
        let size = 100 + self.choose(4_000) as u64;
        let file = self.new_file(matter, node, size);
        self.add_part(file, 1);
    }

    fn new_file(&mut self, matter: usize, node: usize, size: u64) -> usize {
        let kind = 1 + self.choose(5) as i32;
        let id = self.key();
        let word = format!("{STEM}{}x{}.", self.seed, self.written);
        self.files.push(Added { matter, node, id, word, source: None, size, kind });
        self.files.len() - 1
    }

    fn go_on_with_a_file(&mut self) {
        if let Some(file) = self.any_file() {
            self.add_part(file, 1);
        }
    }

    /// One part of a file. A whole part is large: some histories have two.
    fn add_part(&mut self, file: usize, part: u32) {
        let large = part < self.files[file].parts();
        if large && self.large_left == 0 {
            return;
        }
        let Added { matter, node, id, kind, source, .. } = self.files[file];
        let source = source.map(|source| self.source(source));
        let added = &self.files[file];
        let parts = added.parts();
        let manifest = (part == 1).then(|| v1::AttachmentManifest {
            name: added.name(),
            media_type: "text/plain".into(),
            size: added.size,
            sha256: added.sha256(),
        });
        let data = added.part(part);
        let write = Write::Attach {
            key: attachment::event_id(&id, part),
            id: self.matters[matter].id,
            attached: v1::Attached { attachment_id: id.to_vec(), part, parts, kind, source },
            part: Box::new(v1::AttachmentPart { manifest, data }),
        };
        let may = self.may_be_added(file, part);
        let parties = self.matters[matter].parties.map(|party| self.society(party)).into();
        let job = Job { write, parties: Parties::Named(parties) };
        let receipt = self.simulation.write(node, vec![job]).pop().flatten();
        if receipt.is_some() {
            assert_eq!(may, Ok(()), "a part was added: {:?}", self.files[file]);
            self.large_left -= u32::from(large);
        }
    }

    /// How a copy of that file names it.
    fn source(&self, file: usize) -> v1::FileSource {
        let Added { node, id, .. } = self.files[file];
        v1::FileSource { society: self.society(node).to_string(), attachment_id: id.to_vec() }
    }

    /// Whether a part of a file may be added by all that stands in the logs which its node has; or was,
    /// for what is written again under its key is answered as before.
    fn may_be_added(&mut self, file: usize, part: u32) -> Result<(), String> {
        const ENDED: [&str; 6] = ["", "declined", "withdrawn", "expired", "cancelled", "closed"];
        self.facts.learn(&self.simulation);
        let Added { matter, node, id, source, .. } = self.files[file];
        let is_this = |fact: &Fact| {
            let says = fact.referral().and_then(|event| event.transition.as_ref());
            matches!(says, Some(T::Attached(of)) if of.attachment_id == id && of.part == part)
        };
        if self.facts_of(matter).any(is_this) {
            return Ok(());
        }
        let state = self.stands(node, file)?;
        if ENDED.contains(&state) {
            return Err(format!("the referral is {state}"));
        }
        let Some(source) = source else { return Ok(()) };
        if self.matters[matter].first != Some(self.files[source].matter) {
            return Err("its source is of another case".into());
        }
        self.stands(node, source).map(|_| ())
    }

    /// The state of a file's referral, where that is not stopped and the file not taken back, by what a
    /// node has.
    fn stands(&self, node: usize, file: usize) -> Result<&'static str, String> {
        let judged = self.judged_at(node, self.files[file].matter);
        if judged.is_stopped() {
            return Err(format!("{} stopped it", judged.state));
        }
        match judged.taken_back.contains_key(&self.file_id(file)) {
            true => Err("it was taken back".into()),
            false => Ok(judged.state),
        }
    }

    /// A file as the model knows it.
    pub(super) fn file_id(&self, file: usize) -> (bool, Vec<u8>) {
        let Added { matter, node, id, .. } = self.files[file];
        (self.matters[matter].parties[0] == node, id.to_vec())
    }

    /// What a referral comes to by the records that a node has.
    fn judged_at(&self, node: usize, matter: usize) -> Judged {
        let held = self.held(node);
        self.judged(matter, &self.lines(matter, |fact| self.is_here(node, &held, fact)))
    }

    fn any_file(&mut self) -> Option<usize> {
        let count = self.files.len();
        let newest = self.choose(count.max(1)).max(self.choose(count.max(1)));
        (count > 0).then_some(newest)
    }

    fn take_any_file_back(&mut self) {
        if let Some(file) = self.any_file() {
            self.take_file_back(file);
        }
    }

    /// Its author takes a file back, which is always possible where a part of it was written and it was
    /// not taken back before.
    pub(super) fn take_file_back(&mut self, file: usize) {
        self.facts.learn(&self.simulation);
        let Added { matter, node, id, .. } = self.files[file];
        let held = self.held(node);
        let lines = self.lines(matter, |fact| self.is_here(node, &held, fact));
        let own = self.file_id(file);
        let was_added =
            lines.iter().any(|line| line.place.0 == own.0 && attached(line) == Some(&id[..]));
        let goes = was_added
            && !self.judged(matter, &lines).taken_back.contains_key(&own)
            && !self.restored.contains(&node);
        let refused = self.simulation.refused;
        let side = usize::from(self.matters[matter].parties[1] == node);
        let attachment = id.to_vec();
        let which = v1::EnteredInError { attachment, ..Default::default() };
        self.advance(matter, side, Command::EnterInError(which));
        let refused = self.simulation.refused > refused;
        assert!(!(goes && refused), "it cannot be taken back: {:?}", self.files[file]);
    }

    fn pass_any_file_on(&mut self) {
        let onward = (0..self.matters.len()).filter(|matter| self.matters[*matter].first.is_some());
        let onward: Vec<usize> = onward.collect();
        if !onward.is_empty() {
            let onward = onward[self.choose(onward.len())];
            self.pass_files_on(onward, 1);
        }
    }

    /// Whoever passed a case on passes files of it on, too: some that its node holds whole, and now and
    /// then any.
    pub(super) fn pass_files_on(&mut self, onward: usize, files_max: usize) {
        let (Some(first), node) = (self.matters[onward].first, self.matters[onward].parties[0])
        else {
            return;
        };
        let any = self.choose(4) == 0;
        let shown = self.shown(node, first);
        let whole = |id: &[u8; 16]| {
            let mut files = shown.iter().flat_map(|shown| &shown.attachments);
            let present = |file: &&api::Attachment| file.state() == api::BodyState::Present;
            files.any(|file| present(&file) && file.id == hex::encode(id))
        };
        let of_first = |file: &usize| {
            let added = &self.files[*file];
            added.matter == first && (any || whole(&added.id))
        };
        let mut sources: Vec<usize> = (0..self.files.len()).filter(of_first).collect();
        for _ in 0..files_max.min(sources.len()) {
            let source = sources.swap_remove(self.choose(sources.len()));
            self.pass_file_on(onward, source);
        }
    }

    pub(super) fn pass_file_on(&mut self, onward: usize, source: usize) {
        let Added { word, size, kind, .. } = self.files[source].clone();
        let (matter, node, id) = (onward, self.matters[onward].parties[0], self.key());
        self.files.push(Added { matter, node, id, word, source: Some(source), size, kind });
        let file = self.files.len() - 1;
        let parts = self.files[file].parts();
        (1..=parts).rev().for_each(|part| self.add_part(file, part));
    }

    /// So that it happens: a file is taken back in a case that was just passed on, perhaps with it; and
    /// one time in two the third society is away, so that what it has to confirm stays open for a while.
    pub(super) fn recall_from(&mut self, first: usize) {
        let wait_ms = [0, 500, 4_000, 4_000][self.choose(4)];
        self.simulation.run(wait_ms);
        if self.choose(2) == 0
            && let Some(onward) = self.matters.iter().find(|matter| matter.first == Some(first))
        {
            let [_, third] = onward.parties;
            self.simulation.stop(third, 80_000);
        }
        let of_first = |file: &usize| self.files[*file].matter == first;
        if let Some(file) = (0..self.files.len()).rfind(of_first) {
            self.take_file_back(file);
        }
        self.simulation.run(3_000);
    }
}
