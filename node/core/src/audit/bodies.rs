//! Bodies beside the log: each that is there against what its entry commits to.

use std::{collections::BTreeMap, fmt};

use super::{Bodies, Code, Files, Findings, Unreadable};
use crate::{
    body::Part,
    entry::Header,
    export::{body_path, erased_path},
    limits::BODY_BYTES_MAX,
    tiles::TILE_WIDTH,
};

/// Two bodies an entry, 65 bytes a line.
const ERASED_BYTES_MAX: usize = 2 * 65 * TILE_WIDTH as usize;

/// The bodies that a holder says it has erased, of one bundle; and whether an entry named them.
pub(super) struct Erased {
    place: String,
    digests: BTreeMap<[u8; 32], bool>,
}

impl Erased {
    /// Reads the list of bundle `number`; an empty one where there is none.
    pub(super) fn read(
        files: &impl Files,
        number: u64,
        findings: &mut Findings,
    ) -> Result<Self, Unreadable> {
        let place = erased_path(number);
        let mut digests = BTreeMap::new();
        if let Some(bytes) = files.read(&place, ERASED_BYTES_MAX + 1)? {
            match parse(&bytes) {
                Some(listed) => digests.extend(listed.into_iter().map(|digest| (digest, false))),
                None => findings.add(
                    Code::ErasedMalformed,
                    &place,
                    "not one digest of 64 hex digits a line; nothing of it is believed",
                ),
            }
        }
        Ok(Self { place, digests })
    }

    /// Whether this body is listed.
    pub(super) fn names(&self, digest: &[u8; 32]) -> bool {
        self.digests.contains_key(digest)
    }

    /// Whether this body is listed; notes that an entry commits to it.
    fn lists(&mut self, digest: &[u8; 32]) -> bool {
        self.digests.get_mut(digest).map(|named| *named = true).is_some()
    }

    /// Reports what was listed and no entry of the bundle commits to.
    pub(super) fn end(self, findings: &mut Findings) {
        for (digest, _) in self.digests.iter().filter(|(_, named)| !**named) {
            findings.add(
                Code::ErasedUnknown,
                &self.place,
                format!("{}: no entry of this bundle commits to it", hex::encode(digest)),
            );
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Vec<[u8; 32]>> {
    if bytes.len() > ERASED_BYTES_MAX {
        return None;
    }
    let lines = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    lines
        .split('\n')
        .map(|line| {
            let mut digest = [0; 32];
            hex::decode_to_slice(line, &mut digest).ok()?;
            (hex::encode(digest) == line).then_some(digest)
        })
        .collect()
}

/// A body that an entry commits to.
pub(super) struct Body<'a> {
    pub(super) header: &'a Header,
    pub(super) part: Part,
}

impl fmt::Display for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Record => "record",
            Part::Content => "content",
        };
        write!(f, "entry {} {part}", self.header.index)
    }
}

/// Checks one body against its place; gives its bytes where it is there and sound. No `files`: it is
/// not there.
pub(super) fn check(
    files: Option<&impl Files>,
    body: Body<'_>,
    erased: &mut Erased,
    counts: &mut Bodies,
    findings: &mut Findings,
) -> Result<Option<Vec<u8>>, Unreadable> {
    let Some(commitment) = body.header.commitment(body.part) else { return Ok(None) };
    let listed = erased.lists(&commitment.digest);
    let limit = usize::try_from(BODY_BYTES_MAX).unwrap_or(usize::MAX).saturating_add(1);
    let place = || body_path(&commitment.digest);
    let bytes = files.map_or(Ok(None), |files| files.read(&place(), limit))?;
    let Some(bytes) = bytes else {
        *(if listed { &mut counts.erased } else { &mut counts.absent }) += 1;
        return Ok(None);
    };
    counts.present += 1;
    if listed {
        findings.add(Code::ErasedPresent, place(), format!("{body} is listed as erased"));
    }
    if body.header.place(body.part).digest(&bytes) != commitment.digest {
        findings.add(Code::BodyAltered, place(), format!("is not what {body} commits to"));
        return Ok(None);
    }
    if bytes.len() as u64 != commitment.size {
        findings.add(
            Code::BodySize,
            place(),
            format!("{} bytes where {body} says {}", bytes.len(), commitment.size),
        );
    }
    Ok(Some(bytes))
}

/// Compares how many files there are with how many entries commit to. Names are not collected:
/// memory must not grow with the log.
pub(super) fn count_unknown(
    files: &impl Files,
    counts: &Bodies,
    findings: &mut Findings,
) -> Result<(), Unreadable> {
    let mut there = 0u64;
    files.list("bodies", &mut |_| there += 1)?;
    if there > counts.present {
        findings.add(
            Code::BodyUnknown,
            "bodies",
            format!("{there} files, {} of them committed to by entries", counts.present),
        );
    }
    Ok(())
}
