//! What the events of a referral come to for the files that go with it, by `docs/protocol.md`,
//! "Attachments" and "Erasure".

use std::collections::{BTreeMap, BTreeSet};

use tutti_proto::v1::{self, referral_event::Transition as T};

use super::{Judged, Line, Place};

/// Whether the sender added it, and its id.
pub(in crate::simulation::histories) type FileId = (bool, Vec<u8>);

/// A file, as its parts tell that count and have come.
#[derive(Debug)]
pub(in crate::simulation::histories) struct File {
    pub(in crate::simulation::histories) id: FileId,
    pub(in crate::simulation::histories) kind: i32,
    pub(in crate::simulation::histories) parts: u32,
    /// Where each part stands that is known, by its number.
    pub(in crate::simulation::histories) known: BTreeMap<u32, Place>,
}

/// The id of the file of which a line holds a part.
pub(in crate::simulation::histories) fn attached(line: &Line) -> Option<&[u8]> {
    match &line.says {
        T::Attached(part) => Some(&part.attachment_id),
        _ => None,
    }
}

/// The files that these lines take back, all of which count.
pub(super) fn taken_back<'a>(lines: impl Iterator<Item = &'a Line>) -> BTreeMap<FileId, Vec<u8>> {
    let mut taken_back = BTreeMap::new();
    for line in lines {
        if let T::EnteredInError(v1::EnteredInError { attachment, .. }) = &line.says
            && !attachment.is_empty()
        {
            let file = (line.place.0, attachment.clone());
            taken_back.entry(file).or_insert_with(|| line.event_id.clone());
        }
    }
    taken_back
}

/// The contents of all parts of these files, whatever became of the parts.
pub(super) fn gone(lines: &[Line], taken_back: &BTreeMap<FileId, Vec<u8>>) -> BTreeSet<Place> {
    let of_one = |line: &&Line| {
        let file = attached(line).map(|id| (line.place.0, id.to_vec()));
        line.content && file.is_some_and(|file| taken_back.contains_key(&file))
    };
    lines.iter().filter(of_one).map(|line| line.place).collect()
}

/// Those of the events that count which are told one by one: of the parts of a file the first alone.
pub(in crate::simulation::histories) fn shown_apart(
    lines: &[Line],
    judged: &Judged,
) -> BTreeSet<Place> {
    let mut begun = BTreeSet::new();
    let mut shown = BTreeSet::new();
    for line in in_order(lines, judged) {
        if attached(line).is_none_or(|id| begun.insert((line.place.0, id))) {
            shown.insert(line.place);
        }
    }
    shown
}

/// The files that go with the referral: the sender's, then the receiver's, as they began.
pub(in crate::simulation::histories) fn files(lines: &[Line], judged: &Judged) -> Vec<File> {
    let mut files: Vec<(File, Option<&v1::FileSource>)> = Vec::new();
    for line in in_order(lines, judged) {
        let T::Attached(part) = &line.says else { continue };
        let id = (line.place.0, part.attachment_id.clone());
        let known = files.iter_mut().find(|(file, _)| file.id == id);
        match known {
            Some((file, source)) => {
                let fits = (file.kind, file.parts, *source)
                    == (part.kind, part.parts, part.source.as_ref());
                if fits {
                    file.known.entry(part.part).or_insert(line.place);
                }
            }
            None => {
                let known = BTreeMap::from([(part.part, line.place)]);
                let file = File { id, kind: part.kind, parts: part.parts, known };
                files.push((file, part.source.as_ref()));
            }
        }
    }
    files.into_iter().map(|(file, _)| file).collect()
}

/// Lines that count: the sender's, then the receiver's, each in the order of their log.
fn in_order<'a>(lines: &'a [Line], judged: &Judged) -> Vec<&'a Line> {
    let counts = |line: &&Line| judged.counts.contains(&line.place);
    let mut counted: Vec<&Line> = lines.iter().filter(counts).collect();
    counted.sort_by_key(|line| (!line.place.0, line.place.1));
    counted
}
