#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};
use tutti_proto::v1::{self, referral_event::Transition};

use super::{fixture::*, *};
use crate::{
    batch::VerifiedBatch,
    entry::EntryBytes,
    export,
    head::{Head, SignedHead},
    roster::tests::Founder,
    store::{MemoryStore, Reader, Store},
    tiles::{bundle, parse_bundle},
    tree::Tree,
};

fn check(files: &Export) -> Report {
    audit(files, Options::default(), &mut |_, _| ()).unwrap()
}

fn codes(report: &Report) -> BTreeSet<&'static str> {
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn a_sound_export_is_clean_and_says_what_was_not_seen() {
    let fixture = Fixture::new();
    let files = fixture.export();
    assert!(files.contains_key("tile/0/000") && files.contains_key("tile/1/000.p/2"));
    assert!(files.contains_key("tile/entries/002.p/88") && files.contains_key("erased/001"));
    let mut seen = Vec::new();
    let report = audit(&files, Options::default(), &mut |done, total| seen.push((done, total)));
    let report = report.unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_eq!(codes(&report), BTreeSet::from(["entry-unknown-version"]));
    assert_eq!(seen, [(0, 600), (256, 600), (512, 600), (600, 600)]);
    assert_eq!((report.size, report.entries, report.entries_unknown), (600, 600, 1));
    assert_eq!(report.bodies, Bodies { present: 5, absent: 594, erased: 1 });
    let witness =
        |at: usize, size, time_s| Witness { society: fixture.founders[at].society, size, time_s };
    assert_eq!(report.witnesses, [witness(1, 400, 1_764_000_400), witness(2, 600, 1_764_000_600)]);
    assert_eq!((report.records.opened, report.records.sealed), (4, 1));
    assert!(report.unseen.iter().any(|line| line.contains("audit key")));
    assert!(report.unseen.iter().any(|line| line.contains("founding roster")));
    let options = Options { first_roster_hash: Some(fixture.roster.hash()), ..Options::default() };
    let report = audit(&files, options, &mut |_, _| ()).unwrap();
    assert!(report.is_clean() && !report.unseen.iter().any(|line| line.contains("founding")));
    // It can be told to machines.
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["findings"][0]["code"], "entry-unknown-version");
    assert_eq!(json["findings"][0]["severity"], "note");
}

#[test]
fn the_export_is_of_the_size_that_it_began_with() {
    let mut fixture = Fixture::new();
    let origin = fixture.founders[0].origin();
    let rosters = [fixture.roster.as_bytes().to_vec()];
    let mut export = export::Export::new(&fixture.store, &origin, &rosters, true).unwrap();
    let mut files = Export::new();
    while let Some(file) = export.next_file(&fixture.store) {
        let file = file.unwrap();
        files.insert(file.path, file.bytes);
        if files.len() == 4 {
            let entry = crate::entry::tests::header(origin.as_str(), SIZE).encode();
            let held = fixture.store.tree(&origin);
            let log = &fixture.founders[0].log;
            let batch = VerifiedBatch::author(&held, &origin, vec![entry], log).unwrap();
            fixture.store.append(&batch, &[]).unwrap();
        }
    }
    assert_eq!(export.progress(), (600, 600));
    assert!(check(&files).is_clean());
}

#[test]
fn who_is_catching_up_exports_what_can_be_checked_in_full() {
    let fixture = Fixture::new();
    let (ph, qa) = (&fixture.founders[0], &fixture.founders[1]);
    let origin = ph.origin();
    let entries = fixture.store.entries(&origin, 0, 500, usize::MAX).unwrap();
    let mut store = MemoryStore::new();
    let first = VerifiedBatch::author(&Tree::default(), &origin, entries[..400].to_vec(), &ph.log);
    store.append(&first.unwrap(), &[]).unwrap();
    let mut head = store.head(&origin).unwrap();
    head.cosign(qa.society, &qa.witness, 7).unwrap();
    store.put_head(&head).unwrap();
    let newest = fixture.store.head(&origin).unwrap();
    let proof = fixture.store.consistency(&origin, 500, SIZE).unwrap();
    let tree = store.tree(&origin);
    let part = VerifiedBatch::verify(&tree, 400, &entries[400..], newest, proof).unwrap();
    store.append(&part, &[]).unwrap();
    assert_eq!((store.head(&origin).unwrap().size(), store.tree(&origin).size()), (SIZE, 500));
    let files: Export = export::files(&store, &origin, &[fixture.roster.as_bytes().to_vec()], true)
        .map(|file| file.map(|file| (file.path, file.bytes)).unwrap())
        .collect();
    let report = check(&files);
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_eq!((report.size, report.entries), (400, 400));
}

/// Changes one bit in the middle of a file.
fn flip(files: &mut Export, path: &str) {
    let bytes = files.get_mut(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
}

/// Changes the entries of a bundle and signs nothing anew.
fn edit_bundle(files: &mut Export, path: &str, edit: impl FnOnce(&mut Vec<EntryBytes>)) {
    let width = path.rsplit_once(".p/").map_or(256, |(_, width)| width.parse().unwrap());
    let mut entries = parse_bundle(&files[path], width).unwrap();
    edit(&mut entries);
    files.insert(path.into(), bundle(&entries));
}

/// Replaces text in a head, leaving its signatures.
fn replace(files: &mut Export, path: &str, from: &str, to: &str) {
    let text = String::from_utf8(files[path].clone()).unwrap();
    assert!(text.contains(from), "{from:?} in {text}");
    files.insert(path.into(), text.replacen(from, to, 1).into());
}

#[test]
fn every_kind_of_tampering_has_its_code() {
    let fixture = Fixture::new();
    let sound = fixture.export();
    let ph = &fixture.founders[0];
    let erased = sound["erased/001"].clone();
    let body = sound.keys().find(|path| path.starts_with("bodies/")).unwrap().clone();
    type Tamper<'a> = (&'a str, Box<dyn Fn(&mut Export) + 'a>);
    let cases: Vec<Tamper<'_>> = vec![
        ("roster-invalid", Box::new(|f| flip(f, "roster/1"))),
        ("roster-gap", Box::new(|f| drop(f.insert("roster/3".into(), vec![])))),
        ("roster-invalid", Box::new(|f| drop(f.insert("roster/2".into(), f["roster/1"].clone())))),
        ("checkpoint-malformed", Box::new(|f| replace(f, "checkpoint", "\n600\n", "\n0600\n"))),
        ("checkpoint-unknown-log", Box::new(|f| replace(f, "checkpoint", "/ph/1\n", "/ph/2\n"))),
        (
            "checkpoint-unsigned",
            Box::new(|f| {
                replace(f, "checkpoint", "— m.example.org/ph/1 ", "— m.example.org/ph/3 ");
            }),
        ),
        ("checkpoint-signature", Box::new(|f| replace(f, "checkpoint", "\n600\n", "\n599\n"))),
        (
            "cosignature-invalid",
            Box::new(|f| {
                let at = f["checkpoint"].len() - 10;
                let digit = &mut f.get_mut("checkpoint").unwrap()[at];
                *digit = if *digit == b'A' { b'B' } else { b'A' };
            }),
        ),
        (
            "signature-unknown",
            Box::new(|f| {
                replace(f, "checkpoint", "/sg/witness ", "/sx/witness ");
            }),
        ),
        ("head-invalid", Box::new(|f| replace(f, "heads/qa", "\n400\n", "\n401\n"))),
        (
            "head-not-cosigned",
            Box::new(|f| drop(f.insert("heads/qa".into(), f["heads/sg"].clone()))),
        ),
        (
            "head-beyond-checkpoint",
            Box::new(|f| {
                let cut = resign(&fixture, parse_bundle(&sound["tile/entries/000"], 256).unwrap());
                let heads = std::mem::take(f);
                *f = cut;
                f.extend(heads.into_iter().filter(|(path, _)| path.starts_with("heads/")));
            }),
        ),
        (
            "head-fork",
            Box::new(|f| {
                let root = tlog_tiles::Hash([4; 32]);
                let head = Head { origin: ph.origin(), size: 400, root };
                let mut head = SignedHead::sign(head, &ph.log).unwrap();
                let qa = &fixture.founders[1];
                head.cosign(qa.society, &qa.witness, 5).unwrap();
                f.insert("heads/qa".into(), head.to_bytes());
            }),
        ),
        (
            "unwitnessed",
            Box::new(|f| {
                f.retain(|path, _| !path.starts_with("heads/"));
                replace(f, "checkpoint", "/sg/witness ", "/sx/witness ");
            }),
        ),
        ("not-witnessed-by", Box::new(|f| drop(f.remove("heads/qa")))),
        ("bundle-missing", Box::new(|f| drop(f.remove("tile/entries/001")))),
        ("bundle-malformed", Box::new(|f| f.get_mut("tile/entries/001").unwrap().truncate(900))),
        ("tile-missing", Box::new(|f| drop(f.remove("tile/1/000.p/2")))),
        ("tile-malformed", Box::new(|f| f.get_mut("tile/0/001").unwrap().push(0))),
        ("tile-mismatch", Box::new(|f| flip(f, "tile/1/000.p/2"))),
        ("tile-mismatch", Box::new(|f| flip(f, "tile/0/001"))),
        ("root-mismatch", Box::new(|f| edit_bundle(f, "tile/entries/001", |e| e.swap(4, 5)))),
        ("tree-incomplete", Box::new(|f| drop(f.remove("tile/entries/000")))),
        (
            "entry-malformed",
            Box::new(|f| {
                edit_bundle(f, "tile/entries/000", |e| e[7] = EntryBytes::new(&[8, 1, 255]));
            }),
        ),
        ("entry-misplaced", Box::new(|f| edit_bundle(f, "tile/entries/000", |e| e.swap(4, 5)))),
        ("body-altered", Box::new(|f| flip(f, &body))),
        (
            "body-size",
            Box::new(|f| {
                let body = salted(&information(ph, 0));
                *f = one_record(&fixture, |header| header.record.size += 1, body);
            }),
        ),
        (
            "erased-present",
            Box::new(|f| {
                f.insert("erased/000".into(), format!("{}\n", &body[7..]).into());
            }),
        ),
        ("erased-malformed", Box::new(|f| f.get_mut("erased/001").unwrap().truncate(64))),
        ("erased-malformed", Box::new(|f| f.get_mut("erased/001").unwrap().make_ascii_uppercase())),
        ("erased-unknown", Box::new(|f| drop(f.insert("erased/002".into(), erased.clone())))),
        ("body-unknown", Box::new(|f| drop(f.insert(export::body_path(&[3; 32]), vec![1])))),
        ("file-unknown", Box::new(|f| drop(f.insert("README".into(), vec![1])))),
        ("file-unknown", Box::new(|f| drop(f.insert("heads/xyz".into(), vec![1])))),
        (
            "record-malformed",
            Box::new(|f| {
                *f = one_record(&fixture, |_| (), [vec![1; 32], vec![255]].concat());
            }),
        ),
        ("record-malformed", Box::new(|f| *f = one_record(&fixture, |_| (), vec![1; 31]))),
        (
            "record-origin",
            Box::new(|f| {
                *f = one_record(&fixture, |_| (), salted(&information(&fixture.founders[1], 0)));
            }),
        ),
        (
            "record-addressees",
            Box::new(|f| {
                *f = one_record(&fixture, |_| (), salted(&referral(ph, 0)));
            }),
        ),
    ];
    for (code, tamper) in &cases {
        let mut files = sound.clone();
        tamper(&mut files);
        let report = check(&files);
        assert!(codes(&report).contains(code), "{code}: {:#?}", report.findings);
        let severity = report.findings.iter().find(|f| f.code.as_str() == *code).unwrap().severity;
        assert_eq!(report.is_clean(), severity == Severity::Note, "{code}");
    }
    // All at once: one wrong thing does not hide the next.
    let mut files = sound.clone();
    flip(&mut files, &body);
    flip(&mut files, "tile/1/000.p/2");
    files.remove("tile/entries/001");
    files.insert("README".into(), vec![]);
    replace(&mut files, "heads/qa", "\n400\n", "\n401\n");
    let found = codes(&check(&files));
    for code in ["body-altered", "tile-mismatch", "bundle-missing", "file-unknown", "head-invalid"]
    {
        assert!(found.contains(code), "{code}: {found:?}");
    }
}

#[test]
fn the_tiles_tell_which_side_was_altered() {
    let sound = Fixture::new().export();
    let text = |files: &Export| {
        let report = check(files);
        report.findings.into_iter().find(|f| f.code == Code::RootMismatch).map(|f| f.text)
    };
    let mut files = sound.clone();
    edit_bundle(&mut files, "tile/entries/001", |entries| entries.swap(4, 5));
    assert!(text(&files).unwrap().contains("the entries"));
    assert!(!codes(&check(&files)).contains("head-fork"), "nobody showed two histories");
    let mut files = sound;
    flip(&mut files, "tile/0/001");
    assert_eq!(text(&files), None);
}

#[test]
fn a_log_made_anew_by_its_own_key_is_caught_by_its_witnesses() {
    let fixture = Fixture::new();
    let sound = fixture.export();
    let mut entries: Vec<EntryBytes> = Vec::new();
    for (path, width) in
        [("tile/entries/000", 256), ("tile/entries/001", 256), ("tile/entries/002.p/88", 88)]
    {
        entries.extend(parse_bundle(&sound[path], width).unwrap());
    }
    entries[10] = EntryBytes::new(&[8, 3]);
    let mut files = resign(&fixture, entries);
    assert_eq!(
        codes(&check(&files)).into_iter().collect::<Vec<_>>(),
        ["entry-unknown-version", "unwitnessed"]
    );
    files.insert("heads/qa".into(), sound["heads/qa"].clone());
    assert!(codes(&check(&files)).contains("head-fork"));
}

#[test]
fn what_is_no_export_is_not_judged() {
    let sound = Fixture::new().export();
    for missing in ["checkpoint", "roster/1"] {
        let mut files = sound.clone();
        files.remove(missing);
        let error = audit(&files, Options::default(), &mut |_, _| ()).unwrap_err();
        assert_eq!(error.path, missing);
    }
}

fn with_key(files: &Export, founder: &Founder) -> Report {
    let options = Options { audit_keys: &[&founder.audit], ..Options::default() };
    audit(files, options, &mut |_, _| ()).unwrap()
}

#[test]
fn an_audit_key_opens_records_of_its_society_alone() {
    let fixture = Fixture::new();
    let files = fixture.export();
    let own = with_key(&files, &fixture.founders[0]);
    assert!(own.is_clean(), "{:#?}", own.findings);
    assert_eq!((own.records.opened, own.records.sealed, own.records.not_for_key), (5, 0, 0));
    assert_eq!((own.records.referral_events, own.records.referrals), (1, 1));
    let other = with_key(&files, &fixture.founders[1]);
    assert_eq!((other.records.opened, other.records.not_for_key), (4, 1));
    let stranger = with_key(&files, &Founder::new("it", 9));
    assert!(stranger.unseen.iter().any(|line| line.contains("no roster")));
}

#[test]
fn illegal_steps_are_found_with_the_audit_key_and_never_without() {
    let fixture = Fixture::new();
    let ph = &fixture.founders[0];
    let accepted = Transition::Accepted(v1::Accepted {});
    let withdrawn = |code| Transition::Withdrawn(v1::Withdrawn { code });
    let fine = v1::WithdrawCode::PersonLeft as i32;
    let closed = Transition::Closed(v1::Closed {
        outcome: v1::Outcome::NeedMet as i32,
        feedback: v1::Feedback::NotGiven as i32,
    });
    for (steps, code) in [
        (vec![withdrawn(fine)], None),
        (vec![withdrawn(fine), closed.clone()], None),
        (vec![closed], Some("workflow-illegal")),
        (vec![accepted], Some("workflow-illegal")),
        (vec![withdrawn(0)], Some("workflow-illegal")),
        (vec![withdrawn(fine), withdrawn(fine)], Some("workflow-illegal")),
    ] {
        let mut records = vec![referral(ph, SEALED)];
        records.extend((SEALED + 1..).zip(steps).map(|(index, body)| step(ph, index, body)));
        let files = sealed_log(&fixture, &records);
        let found = codes(&with_key(&files, ph));
        assert_eq!(found.into_iter().find(|code| *code != "unwitnessed"), code);
        assert_eq!(codes(&check(&files)), BTreeSet::from(["unwitnessed"]));
    }
}

#[test]
fn the_same_event_twice_and_a_share_of_others_are_found() {
    let fixture = Fixture::new();
    let ph = &fixture.founders[0];
    let sent = referral(ph, SEALED);
    let twice = with_key(&sealed_log(&fixture, &[sent.clone(), sent]), ph);
    assert_eq!(codes(&twice), BTreeSet::from(["event-twice", "unwitnessed"]));
    let mut retracted = information(ph, 0);
    if let Some(v1::record::Event::Information(event)) = &mut retracted.event {
        let reason = v1::Retracted { reason: "x".into() };
        event.transition = Some(v1::information_event::Transition::Retracted(reason));
    }
    let files = one_record(&fixture, |_| (), salted(&retracted));
    assert!(codes(&check(&files)).contains("workflow-illegal"));
}

/// Every code is in the page that tells an auditor what to do.
#[test]
fn every_code_is_documented() {
    let page = include_str!("../../../../docs/auditing.md");
    for code in Code::ALL {
        let severity = serde_json::to_value(code.severity()).unwrap();
        let row = format!("| `{code}` | {} |", severity.as_str().unwrap());
        assert!(page.contains(&row), "{row}");
    }
}

#[test]
fn findings_are_listed_and_counted_however_many_there_are() {
    let mut findings = Findings::default();
    for n in 0..1_500 {
        findings.add(Code::BodyAltered, n, "x");
    }
    findings.add(Code::FileUnknown, "y", "y");
    let (listed, counts) = findings.end();
    assert_eq!((listed.len(), counts["body-altered"], counts["file-unknown"]), (1_501, 1_500, 1));
    assert_eq!((listed[1_499].place.as_str(), listed[1_500].code), ("1499", Code::FileUnknown));
}

/// So that no head makes more findings than there are files.
#[test]
fn files_that_are_missing_in_a_row_are_one_finding() {
    let mut files = Fixture::new().export();
    for missing in ["tile/entries/000", "tile/entries/001", "tile/0/001"] {
        assert!(files.remove(missing).is_some());
    }
    let report = check(&files);
    let found = report.findings.iter().filter(|found| found.code.as_str().ends_with("-missing"));
    let found: Vec<_> = found.map(|found| (found.place.as_str(), found.text.as_str())).collect();
    let expected = [
        ("tile/entries/000 to tile/entries/001", "entries 0 to 511 were not seen"),
        ("tile/0/001", "the hash tile is not there"),
    ];
    assert_eq!(found, expected);
}

/// Whatever lies in the files, an audit ends with a report or says that it is no export.
#[test]
fn a_head_that_speaks_of_entries_without_end_ends_in_a_report() {
    let fixture = Fixture::new();
    let ph = &fixture.founders[0];
    let head = Head { origin: ph.origin(), size: 1 << 40, root: tlog_tiles::Hash([1; 32]) };
    let mut seen = head.clone();
    seen.size -= 1;
    let mut seen = SignedHead::sign(seen, &ph.log).unwrap();
    let sg = &fixture.founders[1];
    seen.cosign(sg.society, &sg.witness, 1).unwrap();
    let files = Export::from([
        ("roster/1".into(), fixture.roster.as_bytes().to_vec()),
        ("checkpoint".into(), SignedHead::sign(head, &ph.log).unwrap().to_bytes()),
        (format!("heads/{}", sg.society), seen.to_bytes()),
    ]);
    let report = check(&files);
    let found = codes(&report);
    assert!(found.contains("bundle-missing") && found.contains("tree-incomplete"), "{found:?}");
    let place = format!("heads/{}", sg.society);
    assert!(report.findings.iter().any(|f| f.code == Code::TreeIncomplete && f.place == place));
    assert!(report.findings.len() < 20, "{}", report.findings.len());
}

#[test]
fn hostile_files_end_in_a_report() {
    let fixture = Fixture::new();
    let sound = fixture.export();
    let paths: Vec<&String> = sound.keys().collect();
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    for round in 0..150 {
        let mut files = sound.clone();
        for _ in 0..rng.next_u32() % 3 + 1 {
            let path = paths[rng.next_u32() as usize % paths.len()];
            let bytes = files.get_mut(path).unwrap();
            let at = rng.next_u32() as usize % (bytes.len() + 1);
            match rng.next_u32() % 5 {
                0 => bytes.truncate(at),
                1 => bytes.iter_mut().skip(at).take(2).for_each(|byte| *byte ^= 0x80),
                2 => drop(bytes.splice(at..at, [0xff; 40])),
                3 => bytes.clear(),
                _ => *bytes = sound[paths[rng.next_u32() as usize % paths.len()]].clone(),
            }
        }
        let keys = [&fixture.founders[0].audit];
        let options = Options { audit_keys: &keys[..round % 2], ..Options::default() };
        let report = audit(&files, options, &mut |_, _| ());
        assert!(files == sound || report.is_ok_and(|r| !r.is_clean() || harmless(&r)), "{round}");
    }
}

/// A note that was altered in a line by which nobody known has signed says so and is sound.
fn harmless(report: &Report) -> bool {
    report.findings.iter().any(|f| f.code == Code::SignatureUnknown)
}
