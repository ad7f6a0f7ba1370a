//! The chain of rosters, from its founding: whose keys are believed.

use super::{Code, Files, Findings, Unreadable};
use crate::{limits::NOTE_BYTES_MAX, roster::Roster};

/// Reads `roster/1`, `roster/2` and so on as far as they follow each other, in order.
pub(super) fn check(
    files: &impl Files,
    first_hash: Option<[u8; 32]>,
    findings: &mut Findings,
) -> Result<Vec<Roster>, Unreadable> {
    let mut chain: Vec<Roster> = Vec::new();
    let mut versions = Vec::new();
    files.list("roster", &mut |name| match name
        .parse::<u64>()
        .ok()
        .filter(|version| version.to_string() == name)
    {
        Some(version) => versions.push(version),
        None => findings.add(Code::FileUnknown, format!("roster/{name}"), "no version's name"),
    })?;
    versions.sort_unstable();
    if versions.first() != Some(&1) {
        return Err(Unreadable::new("roster/1", "the founding roster is not there: no export"));
    }
    for (expected, version) in (1u64..).zip(versions) {
        let place = format!("roster/{version}");
        if version != expected {
            findings.add(
                Code::RosterGap,
                &place,
                format!("version {expected} is missing; later versions cannot be checked"),
            );
            break;
        }
        let bytes = files.read(&place, NOTE_BYTES_MAX + 1)?.unwrap_or_default();
        let read = match chain.last() {
            None => Roster::open_first(&bytes),
            Some(previous) => Roster::open_next(previous, &bytes),
        };
        match read {
            Ok(roster) => chain.push(roster),
            Err(error) => {
                findings.add(Code::RosterInvalid, &place, error);
                break;
            }
        }
    }
    if let (Some(expected), Some(first)) = (first_hash, chain.first())
        && first.hash() != expected
    {
        findings.add(
            Code::RosterOther,
            "roster/1",
            format!(
                "its hash is {}, not {}: it founds another federation than the one you know",
                hex::encode(first.hash()),
                hex::encode(expected)
            ),
        );
    }
    Ok(chain)
}
