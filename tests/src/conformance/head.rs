//! Heads: checkpoint, signed note, cosignatures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tlog_tiles::Hash;
use tutti_core::{
    head::{Head, HeadKeys, SignedHead},
    keys::{NoteKey, NoteSecret},
    society::{Origin, Society},
};

use super::{Expect, Page, expect, frozen, seeds};

/// Keys as text.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    pub(super) logs: Vec<NoteKey>,
    pub(super) witnesses: BTreeMap<Society, NoteKey>,
}

impl Keys {
    pub(super) fn seeded() -> Self {
        let societies = [seeds::ph(), seeds::sg()];
        Self {
            logs: societies.iter().map(|s| s.log.public().clone()).collect(),
            witnesses: societies.iter().map(|s| (s.society, s.witness.public().clone())).collect(),
        }
    }
}

impl HeadKeys for Keys {
    fn log_key(&self, origin: &Origin) -> Option<&NoteKey> {
        self.logs.iter().find(|key| key.name() == origin.as_str())
    }

    fn witness(&self, name: &str) -> Option<(Society, &NoteKey)> {
        let (society, key) = self.witnesses.iter().find(|(_, key)| key.name() == name)?;
        Some((*society, key))
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    expect: Expect,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    note: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    says: Option<Says>,
}

/// What a valid note says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Says {
    origin: String,
    size: u64,
    /// In hex.
    root: String,
    /// Society, seconds since the Unix epoch.
    cosigned: Vec<(Society, u64)>,
    /// The note as it is written out: strangers' lines dropped, witnesses in order.
    written: String,
}

fn says(head: &SignedHead) -> Says {
    Says {
        origin: head.origin().to_string(),
        size: head.size(),
        root: hex::encode(head.root().0),
        cosigned: head.cosignatures().iter().map(|one| (one.society, one.time_s)).collect(),
        written: String::from_utf8(head.to_bytes()).unwrap(),
    }
}

fn note(text: &str, lines: &[Vec<u8>]) -> String {
    format!("{text}\n{}", String::from_utf8(lines.concat()).unwrap())
}

fn cases() -> Vec<Case> {
    let (ph, sg, it) = (seeds::ph(), seeds::sg(), seeds::Seeded::new("it", "Croce Rossa", 3));
    let head = Head { origin: ph.origin(), size: 42, root: Hash([7; 32]) };
    let bare = SignedHead::sign(head, &ph.log).unwrap();
    let text = std::str::from_utf8(bare.text()).unwrap().to_owned();
    let sign = |key: &NoteSecret, text: &str| key.sign(text.as_bytes()).unwrap().to_bytes();
    let cosign = |key: &NoteSecret, time| key.cosign(text.as_bytes(), time).unwrap().to_bytes();
    let own = sign(&ph.log, &text);
    let by_ph = cosign(&ph.witness, 1_764_000_100);
    let by_sg = cosign(&sg.witness, 1_764_000_000);
    let valid = |name: &str, note: String| Case {
        name: name.into(),
        expect: Expect::Valid,
        reason: String::new(),
        says: Some(says(&SignedHead::open(note.as_bytes(), &Keys::seeded()).unwrap())),
        note,
    };
    let refuse = |name: &str, reason: &str, note: String| Case {
        name: name.into(),
        expect: Expect::Refuse,
        reason: reason.into(),
        note,
        says: None,
    };
    let retext = |name: &str, reason: &str, text: &str| {
        refuse(name, reason, note(text, &[sign(&ph.log, text)]))
    };
    let lines: Vec<&str> = text.lines().collect();
    let [origin, size, root] = lines.as_slice() else { panic!("three lines") };
    let again = |line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
    let corrupt = |line: &[u8]| {
        let line = again(line);
        let (front, signature) = line.trim_end().rsplit_once(' ').unwrap();
        let at = signature.len() - 20;
        let digit = if signature.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{front} {}{digit}{}\n", &signature[..at], &signature[at + 1..]).into_bytes()
    };
    let empty = Head { origin: ph.origin(), size: 0, root: tlog_tiles::EMPTY_HASH };
    let empty = SignedHead::sign(empty, &ph.log).unwrap();
    vec![
        valid("signed by its log alone", note(&text, std::slice::from_ref(&own))),
        valid("an empty log", String::from_utf8(empty.to_bytes()).unwrap()),
        valid("cosigned by two", note(&text, &[own.clone(), by_ph.clone(), by_sg.clone()])),
        valid("in another order", note(&text, &[by_sg.clone(), by_ph.clone(), own.clone()])),
        valid(
            "cosigned twice: the earliest counts",
            note(&text, &[own.clone(), by_sg.clone(), cosign(&sg.witness, 1_763_999_999)]),
        ),
        valid(
            "a line by a stranger, which is dropped",
            note(&text, &[own.clone(), cosign(&it.witness, 1), sign(&it.log, &text)]),
        ),
        refuse("no blank line", "not a signed note", format!("{text}{}", again(&own))),
        refuse("no signature", "not a signed note", format!("{text}\n")),
        refuse(
            "cosigned, not signed",
            "is not signed by its log",
            note(&text, std::slice::from_ref(&by_sg)),
        ),
        refuse(
            "signed by another's log key",
            "is not signed by its log",
            note(&text, &[sign(&sg.log, &text)]),
        ),
        refuse(
            "a bad signature",
            "signature by migrants.example.org/ph/1",
            note(&text, &[corrupt(&own)]),
        ),
        refuse(
            "a bad cosignature",
            "signature by migrants.example.org/sg/witness",
            note(&text, &[own.clone(), corrupt(&by_sg)]),
        ),
        refuse(
            "a cosignature whose time was changed",
            "sg/witness does not verify",
            note(
                &text,
                &[own.clone(), {
                    let line = again(&cosign(&sg.witness, 1_764_000_000));
                    let other = again(&cosign(&sg.witness, 1_764_000_001));
                    let (front, other) = other.trim_end().rsplit_once(' ').unwrap();
                    let (_, line) = line.trim_end().rsplit_once(' ').unwrap();
                    // Key ID and time of one, signature of the other.
                    format!("{front} {}{}\n", &other[..16], &line[16..]).into_bytes()
                }],
            ),
        ),
        refuse(
            "the size changed",
            "does not verify",
            note(&text.replace("42", "43"), std::slice::from_ref(&own)),
        ),
        refuse("an unknown log", "no key is known", {
            let text = text.replace("/ph/1", "/ph/2");
            note(&text, &[sign(&ph.log, &text)])
        }),
        retext("an origin that is none", "origin is not", &text.replace("/ph/1", "/ph/0")),
        retext("an extension line", "not a checkpoint", &format!("{text}extension\n")),
        retext("a size with a zero in front", "not a checkpoint", &text.replace("42", "042")),
        retext(
            "a size above 2^40",
            "not a checkpoint",
            &format!("{origin}\n1099511627777\n{root}\n"),
        ),
        retext(
            "a root of 31 bytes",
            "not a checkpoint",
            &format!("{origin}\n{size}\n{}\n", {
                use base64::Engine as _;
                base64::prelude::BASE64_STANDARD.encode([7; 31])
            }),
        ),
        retext("no root", "not a checkpoint", &format!("{origin}\n{size}\n")),
    ]
}

#[test]
fn heads() {
    let page = Page {
        about: "docs/protocol.md, \"The log: tree, head, cosignature\". Notes are read with the \
                keys in `shared`; cosignature/v1 lines hold time and signature."
            .into(),
        shared: Some(Keys::seeded()),
        cases: cases(),
    };
    let page = frozen("head.json", &page);
    let keys = page.shared.unwrap();
    for case in page.cases {
        let read = SignedHead::open(case.note.as_bytes(), &keys);
        if let Some(head) = expect(&case.name, case.expect, &case.reason, read) {
            assert_eq!(Some(says(&head)), case.says, "{}", case.name);
        }
    }
}
