//! What is shown and given out of the files that go with a case.

use std::collections::BTreeSet;

use tutti_core::{
    body::Part,
    referral::attachment::PART_BYTES,
    store::{BodyState, Reader as _},
};
use tutti_node::local::Actor;
use tutti_proto::{node::v1 as api, v1};

use super::{
    History,
    attaching::Added,
    model::{File, FileId, Judged, Line, Place, files},
};

impl History {
    /// A node shows the files that the model makes of the records that it holds: so many parts of each as
    /// are on its disk, and nothing of one that is to be gone.
    pub(super) fn check_files(
        &self,
        who: &str,
        (node, matter): (usize, usize),
        shown: &api::Referral,
        judged: &Judged,
        lines: &[Line],
    ) {
        let files = files(lines, judged);
        let told = &shown.attachments;
        assert_eq!(told.len(), files.len(), "{who}: {told:#?} {files:#?}");
        for (told, file) in told.iter().zip(&files) {
            let who = format!("{who}: {told:?}");
            let author = self.matters[matter].parties[usize::from(!file.id.0)];
            let kind = v1::AttachmentKind::try_from(file.kind).expect("a known kind");
            assert_eq!(told.id, hex::encode(&file.id.1), "{who}");
            assert_eq!(told.society, self.society(author).to_string(), "{who}");
            assert_eq!((told.parts, &told.kind), (file.parts, &kind_name(kind)), "{who}");
            let gone =
                |place: &Place| judged.gone.contains(place) && !judged.doubtful.contains(place);
            let is_gone = file.known.values().any(gone);
            assert!(!is_gone || told.state() == api::BodyState::Erased, "{who}: it is to be gone");
            let held = self.parts_held(node, matter, file);
            match told.state() {
                api::BodyState::Erased => assert_eq!(told.parts_present, 0, "{who}"),
                _ => assert_eq!(told.parts_present, held, "{who}"),
            }
            if told.state() == api::BodyState::Present {
                assert_eq!(held, file.parts, "{who}");
            }
            let added = self.added(&file.id);
            if !told.name.is_empty() {
                assert_ne!(told.state(), api::BodyState::Erased, "{who}: its name is shown");
                let manifest = (told.name.as_str(), told.size, &told.sha256);
                let (name, sha256) = (added.name(), added.sha256());
                assert_eq!(manifest, (name.as_str(), added.size, &sha256), "{who}");
            }
            if self.closely && told.state() == api::BodyState::Present {
                assert_eq!(told.name, added.name(), "{who}");
            }
        }
    }

    fn added(&self, file: &FileId) -> &Added {
        let added = self.files.iter().find(|added| added.id[..] == file.1);
        added.expect("nobody adds a file that nobody has added")
    }

    /// How many parts of a file are on a node's disk.
    fn parts_held(&self, node: usize, matter: usize, file: &File) -> u32 {
        let disk = self.simulation.nodes[node].store();
        let places: BTreeSet<&Place> = file.known.values().collect();
        let keys = self.facts_of(matter).filter_map(|fact| {
            let place = (self.is_senders(matter, fact), fact.header.index);
            fact.key(Part::Content).filter(|_| places.contains(&place))
        });
        keys.filter(|key| disk.body_state(key) == BodyState::Present).count() as u32
    }

    /// At the end: each party gives out, to the byte, the files that stand and are whole; nobody gives out
    /// any other, and no other society knows of one.
    pub(super) fn check_files_read(&mut self) {
        for file in 0..self.files.len() {
            let matter = self.files[file].matter;
            let judged = self.judged(matter, &self.lines(matter, |_| true));
            let lines = self.lines(matter, |_| true);
            let id = self.file_id(file);
            let known = files(&lines, &judged).into_iter().find(|known| known.id == id);
            let stands = known.is_some_and(|known| {
                known.known.len() as u32 == known.parts
                    && !known.known.values().any(|place| judged.gone.contains(place))
            });
            for node in 0..self.count() {
                let party = self.matters[matter].parties.contains(&node);
                let bytes = self.read_file(node, file);
                let who = self.society(node);
                let added = &self.files[file];
                match stands && party {
                    true => {
                        let parts = (1..=added.parts()).flat_map(|part| added.part(part));
                        let whole: Vec<u8> = parts.collect();
                        assert!(bytes.as_ref() == Some(&whole), "{who} does not read {added:?}");
                    }
                    false => assert!(bytes.is_none(), "{who} reads {added:?}"),
                }
            }
        }
    }

    /// A file as a node gives it out; `None` where it gives out nothing of it.
    fn read_file(&mut self, node: usize, file: usize) -> Option<Vec<u8>> {
        let Added { matter, id, size, .. } = self.files[file];
        let request = api::ReadAttachmentRequest {
            id: self.matters[matter].id.to_string(),
            attachment: hex::encode(id),
            ..Default::default()
        };
        let now_ms = self.simulation.nodes[node].clock(self.simulation.now_ms);
        let engine = self.simulation.nodes[node].engine_mut().expect("all are on");
        let mut bytes = Vec::new();
        for offset in (0..size).step_by(PART_BYTES) {
            let first = offset == 0;
            let part = engine.read_attachment(&Actor::node(), &request, offset, first, now_ms);
            bytes.extend_from_slice(&part.ok()?.bytes);
        }
        Some(bytes)
    }
}

fn kind_name(kind: v1::AttachmentKind) -> String {
    let name = kind.as_str_name().strip_prefix("ATTACHMENT_KIND_").expect("one of its list");
    name.to_ascii_lowercase()
}
