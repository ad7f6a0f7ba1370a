#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use tutti_proto::v1::local_record::Event;

use super::*;
use crate::tree::Tree;

fn keys() -> LocalKeys {
    LocalKeys::derive(&[7; 32], &"m.example.org/ph/1".parse().unwrap()).unwrap()
}

fn read(n: u8) -> v1::LocalRecord {
    let read = v1::LocalRead {
        pseudonym: "p".into(),
        referral: vec![n; 16],
        what: "content".into(),
        ..Default::default()
    };
    v1::LocalRecord { event: Some(Event::Read(read)) }
}

/// Of a share that is addressed to some alone.
fn read_share(n: u8) -> v1::LocalRecord {
    let read = v1::LocalRead {
        pseudonym: "p".into(),
        what: "share".into(),
        share: vec![n; 16],
        ..Default::default()
    };
    v1::LocalRecord { event: Some(Event::Read(read)) }
}

/// The titles of two of them.
fn read_titles(one: u8, other: u8) -> v1::LocalRecord {
    let read = v1::LocalRead {
        pseudonym: "p".into(),
        what: "share_titles".into(),
        titles: [[one; 16], [other; 16]].concat(),
        ..Default::default()
    };
    v1::LocalRecord { event: Some(Event::Read(read)) }
}

/// A search that opened some contents and found one case.
fn search(n: u8) -> v1::LocalRecord {
    let read = v1::LocalRead {
        pseudonym: "p".into(),
        what: "search".into(),
        found: vec![n; 16],
        opened: 9,
        ..Default::default()
    };
    v1::LocalRecord { event: Some(Event::Read(read)) }
}

fn account() -> v1::LocalRecord {
    let account = v1::LocalAccount { account: vec![1; 16], name: "Maria Santos".into() };
    v1::LocalRecord { event: Some(Event::Account(account)) }
}

fn export(records: &[v1::LocalRecord]) -> BTreeMap<String, Vec<u8>> {
    salted_by(1, records)
}

/// An export of these records; the same seed gives the same bytes.
fn salted_by(seed: u64, records: &[v1::LocalRecord]) -> BTreeMap<String, Vec<u8>> {
    let (keys, mut rng) = (keys(), ChaCha20Rng::seed_from_u64(seed));
    let (mut tree, mut entries) = (Tree::default(), Vec::new());
    for (index, record) in (0..).zip(records) {
        let salted = salted(record, &mut rng);
        let leaf = leaf(keys.log(), index, 1_000 + index, kind_of(record), &salted);
        tree.push(leaf_hash(&leaf), |_| ());
        entries.push((leaf, salted.to_vec()));
    }
    let head = head(&keys, tree.size(), tree.root()).unwrap();
    files(head, &entries, keys.log()).into_iter().collect()
}

fn codes(files: &BTreeMap<String, Vec<u8>>, earlier: Option<&[u8]>) -> Vec<&'static str> {
    let report = verify(keys().sign.public(), |path| files.get(path).cloned(), earlier);
    report.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn an_export_is_checked_and_tells_who_has_read_and_no_name() {
    let mut records = vec![account()];
    records.extend((0..=255).map(read));
    records.extend([read_share(7), read_titles(7, 8), search(3)]);
    let files = export(&records);
    let report = verify(keys().sign.public(), |path| files.get(path).cloned(), None);
    assert_eq!(report.findings, Vec::new());
    assert_eq!((report.size, report.reads.len()), (260, 259));
    let told = |read: &Read| (read.referral.clone(), read.share.clone(), read.what.clone());
    let of_case = ("00".repeat(16), String::new(), "content".into());
    assert_eq!(told(&report.reads[0]), of_case);
    let of_share = (String::new(), "07".repeat(16), "share".into());
    assert_eq!(told(&report.reads[256]), of_share);
    assert_eq!(report.reads[256].titles, Vec::<String>::new());
    assert_eq!(report.reads[257].titles, ["07".repeat(16), "08".repeat(16)]);
    assert_eq!([256, 257, 258].map(|at: usize| report.reads[at].count), [1, 2, 9]);
    assert_eq!(report.reads[258].found, ["03".repeat(16)]);
    assert_eq!(report.kinds["people"], 1);
    let bytes: Vec<u8> = files.values().flatten().copied().collect();
    assert!(!bytes.windows(5).any(|window| window == b"Maria"));
}

#[test]
fn what_was_cut_changed_or_withheld_is_found() {
    let (short, long) = (export(&[account(), read(1)]), export(&[account(), read(1), read(2)]));
    let rewritten = salted_by(2, &[account(), read(1), read(2)]);
    assert_eq!(codes(&rewritten, Some(&short["checkpoint"])), ["does_not_go_on_from_earlier"]);
    let mut again = export(&[account(), read(1), read(2)]);
    assert_eq!(codes(&again, Some(&long["checkpoint"])), Vec::<&str>::new());
    assert_eq!(codes(&again, Some(&short["checkpoint"])), Vec::<&str>::new());
    assert_eq!(codes(&short, Some(&long["checkpoint"])), ["does_not_go_on_from_earlier"]);
    again.insert("checkpoint".into(), short["checkpoint"].clone());
    assert_eq!(codes(&again, None), ["file_missing_or_broken"]);

    let opened = "opened/000.p/3";
    for at in 0..long[opened].len() {
        let mut bad = long.clone();
        bad.get_mut(opened).unwrap()[at] ^= 1;
        assert!(!codes(&bad, None).is_empty(), "byte {at}");
    }
    let leaves = "tile/entries/000.p/3";
    for at in 0..long[leaves].len() {
        let mut bad = long.clone();
        bad.get_mut(leaves).unwrap()[at] ^= 1;
        assert!(!codes(&bad, None).is_empty(), "byte {at}");
    }
    let mut withheld = long.clone();
    withheld.insert(opened.into(), vec![0; 6]);
    assert_eq!(codes(&withheld, None), ["withheld", "withheld"]);
    let other = LocalKeys::derive(&[8; 32], &"m.example.org/ph/1".parse().unwrap()).unwrap();
    let report = verify(other.sign.public(), |path| long.get(path).cloned(), None);
    assert_eq!(report.findings[0].code, "head_not_signed");
}

#[test]
fn a_pseudonym_is_the_same_each_time_and_another_under_another_secret() {
    let other = LocalKeys::derive(&[8; 32], &"m.example.org/ph/1".parse().unwrap()).unwrap();
    let (one, two) = (keys().pseudonym(&[1; 16]), keys().pseudonym(&[2; 16]));
    assert_eq!(one, keys().pseudonym(&[1; 16]));
    assert!(one != two && one != other.pseudonym(&[1; 16]) && one.len() == 32);
}
