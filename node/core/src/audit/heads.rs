//! The signed head, and the heads that witnesses cosigned.
//!
//! A head is read with the keys of every roster of the chain, for witnesses change their keys. A
//! cosignature that does not verify is a finding, and does not hide the others.

use std::collections::{BTreeMap, BTreeSet};

use super::{Code, Files, Findings, Unreadable, Witness};
use crate::{
    head::{Head, HeadError, HeadKeys, SignedHead},
    keys::NoteKey,
    limits::HEAD_BYTES_MAX,
    roster::Roster,
    session,
    society::{Origin, Society},
};

/// What the heads of an export say.
pub(super) struct Heads {
    /// The checkpoint. Where its signature is not sound, that is a finding, and what it claims is
    /// still compared with the entries.
    pub(super) head: Option<Head>,
    /// Heads of smaller trees that witnesses cosigned: the roots that the entries must give.
    pub(super) cosigned: Vec<(Society, Head)>,
    /// The newest word of each witness.
    pub(super) witnesses: Vec<Witness>,
}

/// Reads `checkpoint` and `heads/`.
pub(super) fn check(
    files: &impl Files,
    chain: &[Roster],
    findings: &mut Findings,
) -> Result<Heads, Unreadable> {
    let missing = || Unreadable::new("checkpoint", "it is not there: no export, or one cut short");
    let bytes = files.read("checkpoint", HEAD_BYTES_MAX + 1)?.ok_or_else(missing)?;
    let mut newest = BTreeMap::new();
    let head = checkpoint(&bytes, chain, &mut newest, findings);
    let mut names = BTreeSet::new();
    files.list("heads", &mut |name| {
        // Names are codes of societies; a directory of a million others is not read into memory.
        match name.parse::<Society>() {
            Ok(society) => drop(names.insert(society)),
            Err(_) => findings.add(Code::FileUnknown, format!("heads/{name}"), "no society's code"),
        }
    })?;
    let mut cosigned = Vec::new();
    for society in names {
        let place = format!("heads/{society}");
        let bytes = files.read(&place, HEAD_BYTES_MAX + 1)?.unwrap_or_default();
        let Some(seen) = read(&bytes, &place, chain, findings).unwrap_or_else(|error| {
            findings.add(Code::HeadInvalid, &place, error);
            None
        }) else {
            continue;
        };
        if head.as_ref().is_some_and(|head| head.origin != *seen.origin()) {
            findings.add(Code::HeadInvalid, &place, format!("is a head of {}", seen.origin()));
            continue;
        }
        if !seen.cosignatures().iter().any(|one| one.society == society) {
            findings.add(Code::HeadNotCosigned, &place, format!("{society} has not cosigned it"));
            continue;
        }
        note_witnesses(&mut newest, &seen);
        if let Some(head) = head.as_ref().filter(|head| seen.size() > head.size) {
            findings.add(
                Code::HeadBeyond,
                &place,
                format!(
                    "{society} has checked {} entries where the checkpoint has {}: the log was cut",
                    seen.size(),
                    head.size
                ),
            );
        } else {
            cosigned.push((society, seen.head().clone()));
        }
    }
    let witnesses: Vec<Witness> = newest
        .into_iter()
        .filter(|(society, _)| head.as_ref().is_none_or(|h| h.origin.society() != *society))
        .map(|(society, (size, time_s))| Witness { society, size, time_s })
        .collect();
    missing_witnesses(head.as_ref(), chain, &witnesses, findings);
    Ok(Heads { head, cosigned, witnesses })
}

fn checkpoint(
    bytes: &[u8],
    chain: &[Roster],
    newest: &mut BTreeMap<Society, (u64, u64)>,
    findings: &mut Findings,
) -> Option<Head> {
    let error = match read(bytes, "checkpoint", chain, findings) {
        Ok(Some(signed)) => {
            note_witnesses(newest, &signed);
            return Some(signed.head().clone());
        }
        // No roster is valid: that is a finding already.
        Ok(None) => return Head::claimed(bytes).ok(),
        Err(error) => error,
    };
    let code = match &error {
        HeadError::UnknownLog(_) => Code::CheckpointUnknownLog,
        HeadError::Unsigned(_) => Code::CheckpointUnsigned,
        HeadError::BadSignature(_) => Code::CheckpointSignature,
        HeadError::Size(_) | HeadError::Note | HeadError::Checkpoint | HeadError::Origin => {
            Code::CheckpointMalformed
        }
    };
    findings.add(code, "checkpoint", error);
    Head::claimed(bytes).ok()
}

/// Opens a head with the keys of every roster; `None` where there is no roster.
fn read(
    bytes: &[u8],
    place: &str,
    chain: &[Roster],
    findings: &mut Findings,
) -> Result<Option<SignedHead>, HeadError> {
    let mut opened: Option<SignedHead> = None;
    let mut failed = None;
    let mut invalid = BTreeSet::new();
    for roster in chain.iter().rev() {
        let mut keys = Except { roster, witnesses: BTreeSet::new() };
        loop {
            match SignedHead::open(bytes, &keys) {
                Ok(head) => match &mut opened {
                    Some(opened) => drop(opened.merge(&head)),
                    None => opened = Some(head),
                },
                Err(HeadError::BadSignature(name)) if keys.witness(&name).is_some() => {
                    keys.witnesses.insert(name);
                    continue;
                }
                // An older roster may know a log that the newest one does not.
                Err(error) if matches!(failed, None | Some(HeadError::UnknownLog(_))) => {
                    failed = Some(error);
                }
                Err(_) => {}
            }
            break;
        }
        invalid.extend(keys.witnesses);
    }
    for name in &invalid {
        findings.add(Code::CosignatureInvalid, place, format!("the one by {name}"));
    }
    match (opened, failed) {
        (Some(head), _) => {
            strangers(bytes, &head, &invalid, place, findings);
            Ok(Some(head))
        }
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

/// Signature lines that were dropped because nobody known made them.
fn strangers(
    bytes: &[u8],
    head: &SignedHead,
    invalid: &BTreeSet<String>,
    place: &str,
    findings: &mut Findings,
) {
    let kept = head.to_bytes();
    let kept: BTreeSet<&[u8]> = kept.split(|byte| *byte == b'\n').collect();
    let lines = bytes.get(head.text().len()..).unwrap_or_default();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !kept.contains(line)) {
        let text = String::from_utf8_lossy(line);
        let name = text.strip_prefix("— ").and_then(|rest| rest.split(' ').next());
        if let Some(name) = name.filter(|name| !invalid.contains(*name)) {
            let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
            findings.add(Code::SignatureUnknown, place, format!("a line by {name:?}"));
        }
    }
}

fn note_witnesses(newest: &mut BTreeMap<Society, (u64, u64)>, head: &SignedHead) {
    for one in head.cosignatures() {
        let word = (head.size(), one.time_s);
        let known = newest.entry(one.society).or_insert(word);
        if known.0 < word.0 {
            *known = word;
        }
    }
}

fn missing_witnesses(
    head: Option<&Head>,
    chain: &[Roster],
    witnesses: &[Witness],
    findings: &mut Findings,
) {
    let (Some(head), Some(roster)) = (head.filter(|head| head.size > 0), chain.last()) else {
        return;
    };
    let missing: Vec<Society> = session::witnesses(roster, &head.origin)
        .into_iter()
        .take(session::WITNESSES)
        .filter(|society| !witnesses.iter().any(|witness| witness.society == *society))
        .collect();
    if witnesses.is_empty() && !missing.is_empty() {
        findings.add(
            Code::Unwitnessed,
            "checkpoint",
            "no other society vouches for this history; only the log's own signature does",
        );
    } else {
        for society in missing {
            findings.add(
                Code::NotWitnessed,
                "heads",
                format!("{society} has cosigned no head of this log that the export holds"),
            );
        }
    }
}

/// A roster's keys without some witnesses.
struct Except<'a> {
    roster: &'a Roster,
    witnesses: BTreeSet<String>,
}

impl HeadKeys for Except<'_> {
    fn log_key(&self, origin: &Origin) -> Option<&NoteKey> {
        self.roster.log_key(origin)
    }

    fn witness(&self, name: &str) -> Option<(Society, &NoteKey)> {
        self.roster.witness(name).filter(|_| !self.witnesses.contains(name))
    }
}
