//! Digests of bodies: of the bytes at their place.

use serde::{Deserialize, Serialize};
use tutti_core::body::{Body, Part, Place};

use super::{Page, frozen, seeds};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    origin: String,
    index: u64,
    /// 1 the record, 2 the content.
    part: u8,
    /// In hex.
    body: String,
    digest: String,
}

fn place(origin: &str, index: u64, part: u8) -> Place {
    let part = if part == 1 { Part::Record } else { Part::Content };
    Place::new(&origin.parse().unwrap(), index, part)
}

fn case(name: &str, origin: &str, index: u64, part: u8, body: &[u8]) -> Case {
    Case {
        name: name.into(),
        origin: origin.into(),
        index,
        part,
        body: hex::encode(body),
        digest: hex::encode(place(origin, index, part).digest(body)),
    }
}

fn cases() -> Vec<Case> {
    let own = seeds::ph().origin().to_string();
    let epoch = own.replace("/1", "/10");
    let bytes = [b"age-encryption.org/v1\n".as_slice(), &[7; 40]].concat();
    vec![
        case("a record", &own, 7, 1, &bytes),
        case("the same bytes as the content", &own, 7, 2, &bytes),
        case("at another index", &own, 8, 1, &bytes),
        case("at the last index", &own, (1 << 40) - 1, 1, &bytes),
        case("in another log", &seeds::sg().origin().to_string(), 7, 1, &bytes),
        case("in a later epoch", &epoch, 7, 1, &bytes),
        case("one byte", &own, 0, 1, &[0]),
    ]
}

#[test]
fn bodies() {
    let about = "docs/protocol.md, \"Bodies\". Body and digest in hex.".into();
    let page: Page<Case> = Page { about, shared: None, cases: cases() };
    let mut seen = std::collections::BTreeSet::new();
    for case in frozen("body.json", &page).cases {
        let body = hex::decode(&case.body).unwrap();
        let place = place(&case.origin, case.index, case.part);
        let made = Body::new(place.clone(), &body);
        assert_eq!(hex::encode(made.commitment().digest), case.digest, "{}", case.name);
        assert_eq!(place.commit(&body), made.commitment());
        assert!(seen.insert(case.digest), "{}: the digest of another place", case.name);
    }
}
