//! The run of entries that a file is: what each part's record and content are, and which manifests are none.

use prost::Message as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tutti_core::{
    referral::{
        Book, Event, EventRef, Kind,
        attachment::{PART_BYTES, bytes_of_part, check_manifest, parts_of},
    },
    society::Origin,
};
use tutti_proto::v1::{self, referral_event::Transition};

use super::{Expect, Page, expect, frozen, seeds};

/// What every record here is about, and who adds the file.
const REFERRAL: [u8; 16] = [0x33; 16];
const FILE: [u8; 16] = [0x77; 16];

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    expect: Expect,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    /// The author's log.
    origin: String,
    file_name: String,
    media_type: String,
    size: u64,
    /// The file is so many bytes of this, in hex, over and over.
    fill: String,
    sha256: String,
    /// How many parts its records say that it has.
    parts_number: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part>,
    /// The record that takes the whole file back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    taken_back: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    /// The message `Record`, before it is padded and sealed, in hex.
    record: String,
    /// The message `Content`, before it is padded and sealed.
    content_bytes: usize,
    content_sha256: String,
}

fn file(fill: &str, size: u64) -> Vec<u8> {
    hex::decode(fill).unwrap().into_iter().cycle().take(size as usize).collect()
}

fn record(origin: &str, event_id: [u8; 16], has_content: bool, says: Transition) -> Vec<u8> {
    v1::Record {
        origin: origin.into(),
        event_id: event_id.to_vec(),
        actor: String::new(),
        approver: String::new(),
        addressees: vec!["sg".into()],
        has_content,
        event: Some(v1::record::Event::Referral(v1::ReferralEvent {
            referral_id: REFERRAL.to_vec(),
            seen: Some(v1::Seen { origin: seeds::sg().origin().to_string(), index: 4 }),
            transition: Some(says),
        })),
    }
    .encode_to_vec()
}

/// The two messages of each part, in order.
fn messages(case: &Case) -> Vec<[Vec<u8>; 2]> {
    let bytes = file(&case.fill, case.size);
    let parts = (1..).zip(bytes.chunks(PART_BYTES));
    let part = |(part, data): (u32, &[u8])| {
        let event_id = [part as u8; 16];
        let attached = v1::Attached {
            attachment_id: FILE.to_vec(),
            part,
            parts: case.parts_number,
            kind: v1::AttachmentKind::MedicalLetter as i32,
            source: None,
        };
        let manifest = (part == 1).then(|| manifest(case));
        let content = v1::Content {
            origin: case.origin.clone(),
            event_id: event_id.to_vec(),
            content: Some(v1::content::Content::Attachment(v1::AttachmentPart {
                manifest,
                data: data.to_vec(),
            })),
        };
        let record = record(&case.origin, event_id, true, Transition::Attached(attached));
        [record, content.encode_to_vec()]
    };
    parts.map(part).collect()
}

fn manifest(case: &Case) -> v1::AttachmentManifest {
    v1::AttachmentManifest {
        name: case.file_name.clone(),
        media_type: case.media_type.clone(),
        size: case.size,
        sha256: hex::decode(&case.sha256).unwrap(),
    }
}

fn taken_back(case: &Case) -> Vec<u8> {
    let which = v1::EnteredInError { attachment: FILE.to_vec(), ..Default::default() };
    record(&case.origin, [0xee; 16], false, Transition::EnteredInError(which))
}

fn parts(case: &Case) -> Vec<Part> {
    let part = |[record, content]: [Vec<u8>; 2]| Part {
        record: hex::encode(record),
        content_bytes: content.len(),
        content_sha256: hex::encode(Sha256::digest(&content)),
    };
    messages(case).into_iter().map(part).collect()
}

fn cases() -> Vec<Case> {
    let plain = |name: &str, size: u64, fill: &str| Case {
        name: name.into(),
        expect: Expect::Valid,
        reason: String::new(),
        origin: seeds::ph().origin().to_string(),
        file_name: "letter.pdf".into(),
        media_type: "application/pdf".into(),
        size,
        fill: fill.into(),
        sha256: hex::encode(Sha256::digest(file(fill, size))),
        parts_number: parts_of(size).unwrap_or(1),
        parts: Vec::new(),
        taken_back: String::new(),
    };
    let mut cases = vec![
        plain("one byte", 1, "25"),
        plain("a part that is full", PART_BYTES as u64, "255044462d"),
        plain("a byte more", PART_BYTES as u64 + 1, "255044462d"),
        plain("three parts", 2 * PART_BYTES as u64 + 77_777, "00ff1b"),
    ];
    for case in &mut cases {
        case.parts = parts(case);
        case.taken_back = hex::encode(taken_back(case));
    }
    let mut refuse = |name: &str, reason: &str, change: fn(&mut Case)| {
        let mut case = plain(name, 2000, "25");
        (case.expect, case.reason) = (Expect::Refuse, reason.into());
        change(&mut case);
        cases.push(case);
    };
    refuse("no name", "the file's name", |case| case.file_name.clear());
    refuse("a name that leads upwards", "the file's name", |case| case.file_name = "..".into());
    refuse("a name with a path", "the file's name", |case| case.file_name = "a/b.pdf".into());
    refuse("a name with a path of Windows", "the file's name", |case| {
        case.file_name = "a\\b.pdf".into();
    });
    refuse("a name with a drive", "the file's name", |case| case.file_name = "C:b.pdf".into());
    refuse("a name that turns its end around", "the file's name", |case| {
        case.file_name = "a\u{202e}fdp.exe".into();
    });
    refuse("a name with a control code", "the file's name", |case| {
        case.file_name = "a\u{1b}[2J.pdf".into();
    });
    refuse("a name with space around it", "the file's name", |case| {
        case.file_name = " a.pdf".into();
    });
    refuse("a name that is too long", "the file's name", |case| {
        case.file_name = "a".repeat(201);
    });
    refuse("a type that runs", "no type", |case| case.media_type = "text/html".into());
    refuse("a type in capitals", "no type", |case| case.media_type = "Application/PDF".into());
    refuse("no bytes", "at least one byte", |case| case.size = 0);
    refuse("more bytes than there may be", "at most 25 MiB", |case| {
        (case.size, case.parts_number) = ((25 << 20) + 1, 26);
    });
    refuse("more parts than its bytes fill", "its parts hold", |case| case.parts_number = 2);
    refuse("a digest that is too short", "SHA-256", |case| {
        case.sha256.truncate(62);
    });
    cases
}

#[test]
fn attachments() {
    let about =
        "docs/protocol.md, \"Attachments\": the records and contents of a file's parts, in the \
                 order of the author's log, and manifests."
            .into();
    let page: Page<Case> = Page { about, shared: None, cases: cases() };
    for case in frozen("attachment.json", &page).cases {
        let checked = check_manifest(&manifest(&case), case.parts_number);
        if expect(&case.name, case.expect, &case.reason, checked).is_none() {
            continue;
        }
        assert_eq!(parts(&case), case.parts, "{}", case.name);
        assert_eq!(hex::encode(taken_back(&case)), case.taken_back, "{}", case.name);
        let sum: u64 = (1..=case.parts_number).map(|part| bytes_of_part(case.size, part)).sum();
        assert_eq!((sum, case.parts.len()), (case.size, case.parts_number as usize));
        // The records are events of the kind that they say.
        let origin: Origin = case.origin.parse().unwrap();
        let mut book = Book::default();
        let records = case.parts.iter().map(|part| &part.record).chain([&case.taken_back]);
        for (index, raw) in (0..).zip(records) {
            let record = v1::Record::decode(&*hex::decode(raw).unwrap()).unwrap();
            let at = EventRef { origin: origin.clone(), index };
            let event = Event::from_record(at, 0, true, &record).unwrap();
            let last = index as usize == case.parts.len();
            let kind = if last { Kind::FileEnteredInError } else { Kind::Attached };
            assert_eq!(event.kind(), Some(kind), "{}", case.name);
            assert_eq!((event.has_content, event.is_silent()), (!last, last));
            book.apply(event);
        }
    }
}
