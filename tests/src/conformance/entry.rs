//! The entry header: its one encoding, and every way to break it.

use prost::Message as _;
use serde::{Deserialize, Serialize};
use tutti_core::entry::{Entry, Header, Visibility};
use tutti_proto::v1;

use super::{Expect, Page, expect, frozen, seeds};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    expect: Expect,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    /// In hex.
    entry: String,
    /// SHA-256(0x00 ‖ entry), in hex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    leaf_hash: String,
    /// The place where the entry is offered.
    origin: String,
    index: u64,
}

fn case(name: &str, bytes: &[u8], reason: &str) -> Case {
    let valid = reason.is_empty();
    let leaf = tlog_tiles::record_hash(bytes);
    Case {
        name: name.into(),
        expect: if valid { Expect::Valid } else { Expect::Refuse },
        reason: reason.into(),
        entry: hex::encode(bytes),
        leaf_hash: if valid { hex::encode(leaf.0) } else { String::new() },
        origin: seeds::ph().origin().to_string(),
        index: 7,
    }
}

fn valid(base: &Header) -> Vec<Case> {
    let with = |name: &str, change: &dyn Fn(&mut Header)| {
        let mut header = base.clone();
        change(&mut header);
        case(name, header.encode().as_slice(), "")
    };
    vec![
        with("addressed, with a content and two tags", &|_| ()),
        with("addressed, to nobody", &|h| h.tags.clear()),
        with("addressed, four tags", &|h| h.tags = vec![[9; 16]; 4]),
        with("addressed, eight tags", &|h| h.tags = vec![[9; 16]; 8]),
        with("federation, with a content", &|h| {
            h.visibility = Visibility::Federation;
            h.tags.clear();
        }),
        with("federation, without content", &|h| {
            h.visibility = Visibility::Federation;
            h.content = None;
            h.tags.clear();
        }),
        with("public, at time 0", &|h| {
            h.visibility = Visibility::Public;
            h.recorded_at_ms = 0;
            h.tags.clear();
        }),
        with("the largest time and sizes", &|h| {
            h.recorded_at_ms = u64::MAX;
            h.record.size = 1 << 20;
        }),
        case("a later version, not interpreted", &[8, 2, 0xff, 0xff, 1], ""),
        case("the largest version", &[8, 0xff, 0xff, 0xff, 0xff, 0x0f], ""),
    ]
}

fn refused(base: &Header) -> Vec<Case> {
    let message = v1::Entry::decode(base.encode().as_slice()).unwrap();
    let with = |name: &str, reason: &str, change: &dyn Fn(&mut v1::Entry)| {
        let mut message = message.clone();
        change(&mut message);
        case(name, &message.encode_to_vec(), reason)
    };
    let record = |m: &mut v1::Entry, change: &dyn Fn(&mut v1::Commitment)| {
        change(m.record.as_mut().unwrap());
    };
    let bytes = base.encode().as_slice().to_vec();
    let raw = |name: &str, reason: &str, bytes: &[u8]| case(name, bytes, reason);
    vec![
        raw("nothing", "does not begin with a version", &[]),
        with("version 0, and so left out", "does not begin with a version", &|m| m.version = 0),
        raw("version 0, written out", "does not begin with a version", &[8, 0]),
        raw("a version above 32 bits", "does not begin", &[8, 0xff, 0xff, 0xff, 0xff, 0x1f]),
        raw("another field in front", "does not begin", &[&[0x18, 7], bytes.as_slice()].concat()),
        raw("cut short", "not decodable", &bytes[..bytes.len() - 1]),
        raw("an unknown field", "canonical", &[bytes.as_slice(), &[0x78, 1]].concat()),
        raw("the version twice", "canonical", &[bytes.as_slice(), &[8, 1]].concat()),
        raw("a default written out", "canonical", &{
            let at_zero = Header { recorded_at_ms: 0, ..base.clone() };
            [at_zero.encode().as_slice(), &[0x20, 0]].concat()
        }),
        raw("a varint that is too long", "canonical", &[&[8, 0x81, 0], &bytes[2..]].concat()),
        raw("fields out of order", "canonical", &{
            let origin = 2 + base.origin.as_str().len();
            let (front, rest) = bytes[2..].split_at(origin);
            [&[8, 1], &rest[..2], front, &rest[2..]].concat()
        }),
        raw("more than 512 bytes", "more than 512", &[bytes.as_slice(), &[0; 512]].concat()),
        with("no origin", "field origin", &|m| m.origin.clear()),
        with("an origin in upper case", "field origin", &|m| m.origin.make_ascii_uppercase()),
        with("an epoch with a zero in front", "field origin", &|m| {
            m.origin = m.origin.replace("/1", "/01");
        }),
        with("index 2^40", "field index", &|m| m.index = 1 << 40),
        with("no visibility", "field visibility", &|m| m.visibility = 0),
        with("visibility 4", "field visibility", &|m| m.visibility = 4),
        with("no record", "field record", &|m| m.record = None),
        with("an empty record", "field record", &|m| m.record = Some(v1::Commitment::default())),
        with("a digest of 31 bytes", "field record", &|m| record(m, &|c| c.digest.truncate(31))),
        with("a digest of 33 bytes", "field record", &|m| record(m, &|c| c.digest.push(0))),
        with("size 0", "field record", &|m| record(m, &|c| c.size = 0)),
        with("a size above 1 MiB", "field record", &|m| record(m, &|c| c.size = (1 << 20) + 1)),
        with("an empty content", "field content", &|m| m.content = Some(v1::Commitment::default())),
        with("addressed, without content", "field content", &|m| m.content = None),
        with("one tag", "field tags", &|m| m.tags.truncate(1)),
        with("three tags", "field tags", &|m| m.tags = vec![vec![1; 16]; 3]),
        with("sixteen tags", "field tags", &|m| m.tags = vec![vec![1; 16]; 16]),
        with("a tag of 15 bytes", "field tags", &|m| m.tags[0].truncate(15)),
        with("tags on a federation entry", "field tags", &|m| m.visibility = 2),
        with("another index", "belongs at", &|m| m.index = 8),
        with("another society's log", "belongs at", &|m| m.origin = m.origin.replace("ph", "sg")),
        with("another epoch", "belongs at", &|m| m.origin = m.origin.replace("/1", "/2")),
        with("another federation", "belongs at", &|m| m.origin = m.origin.replace("mi", "im")),
    ]
}

#[test]
fn entries() {
    let base = seeds::header(&seeds::ph().origin(), 7);
    let mut cases = valid(&base);
    cases.extend(refused(&base));
    let page: Page<Case> = Page {
        about: "docs/protocol.md, \"The entry\". `entry` is offered at `index` of `origin`.".into(),
        shared: None,
        cases,
    };
    for case in frozen("entry.json", &page).cases {
        let bytes = hex::decode(&case.entry).unwrap();
        let read = Entry::parse_at(&bytes, &case.origin.parse().unwrap(), case.index);
        if let Some(entry) = expect(&case.name, case.expect, &case.reason, read) {
            assert_eq!(hex::encode(tlog_tiles::record_hash(&bytes).0), case.leaf_hash);
            if let Some(header) = entry.header() {
                assert_eq!(header.encode().as_slice(), bytes, "{}", case.name);
            }
        }
    }
}
