//! tlog-proof: evidence of one entry.

use serde::{Deserialize, Serialize};
use tutti_core::{
    batch::VerifiedBatch,
    entry::EntryBytes,
    proof::Proof,
    store::{MemoryStore, Reader, Store},
    tree::Tree,
};

use super::{Expect, Page, expect, frozen, head::Keys, seeds};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    expect: Expect,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    proof: String,
    /// The entry where it is handed over apart, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
}

fn proofs(size: u64) -> Vec<Proof> {
    let (ph, sg) = (seeds::ph(), seeds::sg());
    let origin = ph.origin();
    let entries = seeds::entries(&origin, size);
    let batch = VerifiedBatch::author(&Tree::default(), &origin, entries.clone(), &ph.log).unwrap();
    let mut store = MemoryStore::new();
    store.append(&batch, &[]).unwrap();
    let mut head = store.head(&origin).unwrap();
    head.cosign(sg.society, &sg.witness, 1_764_000_000).unwrap();
    (0u64..)
        .zip(entries)
        .map(|(i, entry)| Proof::new(i, entry, store.inclusion(&origin, i, size).unwrap(), &head))
        .collect()
}

fn case(name: &str, reason: &str, proof: &Proof) -> Case {
    Case {
        name: name.into(),
        expect: if reason.is_empty() { Expect::Valid } else { Expect::Refuse },
        reason: reason.into(),
        proof: String::from_utf8(proof.to_bytes()).unwrap(),
        entry: None,
    }
}

fn cases() -> Vec<Case> {
    let (seven, one) = (proofs(7), proofs(1));
    let base = &seven[3];
    let hex_of = |proof: &Proof| proof.entry.as_ref().map(|entry| hex::encode(entry.as_slice()));
    let bare = Proof { entry: None, ..base.clone() };
    let with = |name: &str, reason: &str, change: &dyn Fn(&mut Proof)| {
        let mut proof = base.clone();
        change(&mut proof);
        case(name, reason, &proof)
    };
    let text = |name: &str, reason: &str, from: &str, to: &str| {
        let mut case = case(name, reason, base);
        assert!(case.proof.contains(from), "{from}");
        case.proof = case.proof.replacen(from, to, 1);
        case
    };
    vec![
        case("entry 3 of 7", "", base),
        case("entry 6 of 7", "", &seven[6]),
        case("the only entry: no hashes", "", &one[0]),
        Case { entry: hex_of(base), ..case("the entry apart", "", &bare) },
        Case { entry: hex_of(base), ..case("the entry apart and in the file", "", base) },
        case("no entry", "carries no entry", &bare),
        Case {
            entry: hex_of(&seven[4]),
            ..case("another entry apart", "is not the one that the proof carries", base)
        },
        with("another entry in the file", "belongs at", &|p| p.entry.clone_from(&seven[4].entry)),
        with("another index", "belongs at", &|p| p.index = 4),
        with("hashes of another entry", "does not hold", &|p| {
            p.inclusion.clone_from(&seven[2].inclusion);
        }),
        with("a hash too few", "does not hold", &|p| p.inclusion.truncate(2)),
        with("a hash too many", "does not hold", &|p| p.inclusion.push(p.inclusion[0])),
        with("an index beyond the head", "does not hold", &|p| {
            p.index = 7;
            p.entry = Some(seeds::header(&seeds::ph().origin(), 7).encode());
        }),
        with("the head of another tree", "does not hold", &|p| p.head.clone_from(&one[0].head)),
        text("a later version", "first line", "tlog-proof@v1", "tlog-proof@v2"),
        text("an index with a zero in front", "index line", "index 3", "index 03"),
        text("no index", "index line", "index 3\n", ""),
        text("an empty extra line", "extra line", "extra ", "extra \nextra "),
        text("a hash that is none", "a hash is not", "index 3\n", "index 3\nAAAA\n"),
        text("carriage returns", "first line", "@v1\n", "@v1\r\n"),
        text("a head of another size", "does not verify", "\n7\n", "\n8\n"),
        text("an unsigned head", "not signed by its log", "— migrants.example.org/ph/1 ", "— x "),
    ]
}

#[test]
fn tlog_proofs() {
    let page = Page {
        about:
            "docs/protocol.md, \"Evidence of one entry: tlog-proof\", with the keys in `shared`."
                .into(),
        shared: Some(Keys::seeded()),
        cases: cases(),
    };
    let page = frozen("proof.json", &page);
    let keys = page.shared.unwrap();
    for case in page.cases {
        let entry = case.entry.map(|entry| EntryBytes::new(&hex::decode(entry).unwrap()));
        let read = Proof::parse(case.proof.as_bytes());
        let verified = read.and_then(|proof| {
            assert_eq!(proof.to_bytes(), case.proof.as_bytes(), "{}", case.name);
            proof.verify(&keys, entry.as_ref())
        });
        expect(&case.name, case.expect, &case.reason, verified);
    }
}
