//! tlog-tiles: paths, tiles and bundles of whole logs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tutti_core::{
    batch::VerifiedBatch,
    body::Body,
    entry::{EntryBytes, Header},
    export,
    head::SignedHead,
    store::{MemoryStore, Reader, Store},
    tiles::{Place, parse_bundle},
    tree::Tree,
};

use super::{Expect, Page, expect, frozen, head::Keys, seeds};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
enum Case {
    /// A whole log: entry i is the header of the shared pattern with index i.
    Log {
        size: u64,
        /// In hex.
        root: String,
        checkpoint: String,
        /// SHA-256 of each file by its path, the checkpoint and the roster apart.
        files: BTreeMap<String, String>,
    },
    Path {
        name: String,
        expect: Expect,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        path: String,
    },
    Bundle {
        name: String,
        expect: Expect,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        width: u16,
        /// In hex.
        bundle: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        entries: Vec<String>,
    },
}

/// The files of the export of the log of `ph` of this size, without rosters.
pub(super) fn export_of(size: u64) -> (BTreeMap<String, Vec<u8>>, SignedHead) {
    export_with(size, &[])
}

/// The same, where entries commit to these records.
pub(super) fn export_with(size: u64, records: &[Body]) -> (BTreeMap<String, Vec<u8>>, SignedHead) {
    let ph = seeds::ph();
    let origin = ph.origin();
    let mut entries = seeds::entries(&origin, size);
    for body in records {
        let index = body.place().index;
        let header = Header { record: body.commitment(), ..seeds::header(&origin, index) };
        entries[index as usize] = header.encode();
    }
    let batch = VerifiedBatch::author(&Tree::default(), &origin, entries, &ph.log).unwrap();
    let mut store = MemoryStore::new();
    store.append(&batch, records).unwrap();
    let files = export::files(&store, &origin, &[], true)
        .map(|file| file.map(|file| (file.path, file.bytes)).unwrap())
        .collect();
    (files, store.head(&origin).unwrap())
}

fn log(size: u64) -> Case {
    let (mut files, head) = export_of(size);
    Case::Log {
        size,
        root: hex::encode(head.root().0),
        checkpoint: String::from_utf8(files.remove("checkpoint").unwrap()).unwrap(),
        files: files
            .into_iter()
            .map(|(path, bytes)| (path, hex::encode(Sha256::digest(bytes))))
            .collect(),
    }
}

fn path(path: &str, reason: &str) -> Case {
    Case::Path {
        name: path.into(),
        expect: if reason.is_empty() { Expect::Valid } else { Expect::Refuse },
        reason: reason.into(),
        path: path.into(),
    }
}

fn bundle(name: &str, width: u16, bundle: &[u8], reason: &str) -> Case {
    let entries = parse_bundle(bundle, width).unwrap_or_default();
    Case::Bundle {
        name: name.into(),
        expect: if reason.is_empty() { Expect::Valid } else { Expect::Refuse },
        reason: reason.into(),
        width,
        bundle: hex::encode(bundle),
        entries: entries.iter().map(|entry| hex::encode(entry.as_slice())).collect(),
    }
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = [1, 2, 255, 256, 257, 600].map(log).into();
    cases.extend(
        [
            "tile/0/000",
            "tile/0/000.p/1",
            "tile/0/x001/x234/067",
            "tile/63/999.p/255",
            "tile/entries/000",
            "tile/entries/x001/000.p/255",
        ]
        .map(|good| path(good, "")),
    );
    cases.extend(
        [
            "tile/0/0",
            "tile/00/000",
            "tile/64/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/07",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/1000",
            "tile/8/0/000",
            "tile/data/000",
            "tile/entries/",
            "/tile/0/000",
            "tile/0/000/",
        ]
        .map(|bad| path(bad, "not the path of a tile")),
    );
    cases.extend([
        bundle("two entries, one of them empty", 2, &[0, 1, 0xaa, 0, 0], ""),
        bundle("an entry of 512 bytes", 1, &[&[2, 0][..], &[7; 512]].concat(), ""),
        bundle("an entry of 513 bytes", 1, &[&[2, 1][..], &[7; 513]].concat(), "larger than"),
        bundle("an entry too many", 1, &[0, 0, 0, 0], "holds 2 entries, not 1"),
        bundle("an entry too few", 2, &[0, 0], "holds 1 entries, not 2"),
        bundle("half a length", 2, &[0, 0, 0], "ends within entry 1"),
        bundle("half an entry", 1, &[0, 2, 7], "ends within entry 0"),
    ]);
    cases
}

#[test]
fn tiles() {
    let page: Page<Case, Keys> = Page {
        about: "C2SP tlog-tiles as docs/protocol.md, \"Export\", has it. Entries of a log are those \
                of entry.json's first case with index i, time 1764000000000 + 1000 i, and the first \
                eight bytes of both digests i, big-endian."
            .into(),
        shared: Some(Keys::seeded()),
        cases: cases(),
    };
    let page = frozen("tiles.json", &page);
    let keys = page.shared.unwrap();
    for case in page.cases {
        match case {
            Case::Log { size, root, checkpoint, files } => {
                let head = SignedHead::open(checkpoint.as_bytes(), &keys).unwrap();
                assert_eq!((head.size(), hex::encode(head.root().0)), (size, root));
                let (made, _) = export_of(size);
                assert_eq!(made.len(), files.len() + 1);
                for (path, digest) in files {
                    assert_eq!(hex::encode(Sha256::digest(&made[&path])), digest, "{path}");
                    assert!(path.parse::<Place>().is_ok(), "{path}");
                }
            }
            Case::Path { name, expect: expected, reason, path } => {
                if let Some(place) = expect(&name, expected, &reason, path.parse::<Place>()) {
                    assert_eq!(place.to_string(), path);
                }
            }
            Case::Bundle { name, expect: expected, reason, width, bundle, entries } => {
                let read = parse_bundle(&hex::decode(bundle).unwrap(), width);
                if let Some(read) = expect(&name, expected, &reason, read) {
                    let read: Vec<String> =
                        read.iter().map(EntryBytes::as_slice).map(hex::encode).collect();
                    assert_eq!(read, entries);
                }
            }
        }
    }
}
