//! That an erasure erases: a word in every field of a case, in each note and each file; then, by the
//! sealed bytes themselves, that of none of them anything is left, on either party's disk, at the relay,
//! in what a process has open, and in a backup made after.
//!
//! Words in clear are looked for, too, but they say nothing of erasure: what is sealed holds none. What
//! says it are pieces of each sealed content, taken while it was there, and found there.

use std::{collections::BTreeSet, fs, path::PathBuf};

use tutti_core::{
    entry::Entry,
    referral::form::{ReferralForm, example},
};

use crate::{
    canary::{all_confirmed, found, found_in},
    files::{self, letter},
    harness::{Federation, Node, eventually, files_below},
    reach::copy,
    story::state,
    writer::entries,
};

/// In each field of a case: a word of its own. Fields that take numbers and codes keep what they have.
fn with_words(form: &mut toml::Table, words: &mut BTreeSet<String>, which: &str) {
    /// What takes a code, a number or a yes: nobody can put a word there.
    const CODED: [&str; 6] = [
        "sex",
        "age",
        "nationality",
        "languages",
        "interpreter_needed",
        "separated_or_unaccompanied",
    ];
    fn fill(table: &mut toml::Table, path: &str, words: &mut BTreeSet<String>) {
        for (name, value) in table.iter_mut() {
            match value {
                toml::Value::Table(inner) => fill(inner, &format!("{path}-{name}"), words),
                _ if CODED.contains(&name.as_str()) => {}
                toml::Value::String(text) => {
                    *text = format!("canary-{path}-{name}");
                    words.insert(text.clone());
                }
                other => {
                    panic!("{path}.{name} is a {}: is a word possible there?", other.type_str())
                }
            }
        }
    }
    // Every field that there is, whether the example fills it in or not.
    let all = toml::Table::try_from(ReferralForm {
        content: Some(Default::default()),
        ..Default::default()
    });
    let mut content = all.unwrap()["content"].as_table().unwrap().clone();
    let given = form["content"].as_table().unwrap()["person"].as_table().unwrap().clone();
    let person = content["person"].as_table_mut().unwrap();
    for (name, value) in person.iter_mut() {
        if let Some(given) = given.get(name) {
            *value = given.clone();
        }
    }
    fill(&mut content, which, words);
    form.insert("content".into(), content.into());
    let witness = format!("canary-{which}-witness");
    words.insert(witness.clone());
    let consent = form["consent"].as_table_mut().unwrap();
    consent.insert("witness".into(), witness.into());
    form.insert("information_withheld".into(), toml::Value::Array(Vec::new()));
}

/// A form for `ph` with words everywhere, in a file.
fn form(federation: &Federation, which: &str, words: &mut BTreeSet<String>) -> PathBuf {
    let mut form: toml::Table = example().parse().unwrap();
    with_words(&mut form, words, which);
    let file = federation.path(&format!("{which}.toml"));
    fs::write(&file, form.to_string()).unwrap();
    file
}

/// Pieces from all through what is sealed, but for how it begins, which is alike in all.
fn pieces(sealed: &[u8]) -> Vec<Vec<u8>> {
    let header = sealed.windows(5).position(|window| window == b"\n--- ").expect("the age format");
    let payload = &sealed[header + 64..];
    let step = (payload.len() / 64).max(64);
    (0..payload.len() - 16).step_by(step).map(|at| payload[at..at + 16].to_vec()).collect()
}

/// Pieces of every content of a society's log, as it holds them.
fn contents(federation: &Federation, at: &str) -> Vec<Vec<u8>> {
    let out = federation.path(&format!("contents-{at}"));
    federation.at(at).ok(&["log", "export", "--out", out.to_str().unwrap(), "--of", at]);
    let mut all = Vec::new();
    for entry in entries(&federation.at(at).dir) {
        let Entry::V1(header) = Entry::parse(&entry.entry).unwrap() else { panic!("a version") };
        let digest = header.content.expect("what is addressed has a content").digest;
        let sealed = fs::read(out.join("bodies").join(hex::encode(digest))).expect("it is held");
        all.extend(pieces(&sealed));
    }
    fs::remove_dir_all(&out).unwrap();
    all
}

/// How many of these pieces stand in anything that this process has open, deleted or not.
fn open_with(node: &Node, pieces: &[Vec<u8>]) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap().flatten();
    let files = open.filter(|file| fs::metadata(file.path()).is_ok_and(|meta| meta.is_file()));
    found_in(files.filter_map(|file| fs::read(file.path()).ok()), pieces)
}

/// All that a node has written anywhere: its directory, its log, its temporary files.
fn places(node: &Node) -> [PathBuf; 3] {
    [node.dir.clone(), node.dir.with_extension("log"), node.dir.with_extension("tmp")]
}

fn no_word_in_clear(places: &[PathBuf], words: &BTreeSet<String>) {
    for place in places {
        let files = if place.is_file() { vec![place.clone()] } else { files_below(place) };
        for file in files {
            let bytes = fs::read(&file).unwrap_or_default();
            // They all begin alike.
            for at in (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"canary")) {
                let word = words.iter().find(|word| bytes[at..].starts_with(word.as_bytes()));
                assert_eq!(word, None, "in clear in {}", file.display());
            }
        }
    }
}

#[test]
fn of_an_erased_case_no_field_note_or_file_is_left_on_three_nodes_or_in_a_backup() {
    let mut federation = Federation::around_a_relay();
    let dirs = ["ifrc", "sg", "ph"].map(|society| federation.at(society).dir.clone());
    let [relay, sg, ph] = &dirs;
    let mut words = BTreeSet::from([files::CANARY.to_owned()]);

    // From a draft with a file of it, which is to leave nothing either.
    let first = form(&federation, "sent", &mut words);
    let draft =
        federation.at("sg").json(&["referral", "draft", "new", "--file", first.to_str().unwrap()]);
    let draft = draft["id"].as_str().expect("a draft").to_owned();
    let kinds = ["consent_form", "medical_letter", "identity_document", "photo", "other"];
    let attachment = |federation: &Federation, kind: &str| {
        let name = format!("canary-file-{kind}.pdf");
        let bytes = if kind == "medical_letter" { 1_300_000 } else { 60_000 };
        (letter(federation, &name, bytes), name)
    };
    let (file, name) = attachment(&federation, kinds[0]);
    words.insert(name);
    let file = file.to_str().unwrap().to_owned();
    federation.at("sg").ok(&["referral", "draft", "attach", &draft, &file, "--kind", kinds[0]]);
    let kept = ["local/drafts", "local/uploads"].map(|dir| files_below(&sg.join(dir))).concat();
    let kept: Vec<Vec<u8>> = kept.iter().map(|file| fs::read(file).unwrap()).collect();
    let drafts: Vec<Vec<u8>> = kept
        .iter()
        .filter(|sealed| sealed.len() > 256)
        .flat_map(|sealed| {
            (64..sealed.len() - 16).step_by(512).map(|at| sealed[at..at + 16].to_vec())
        })
        .collect();
    assert!(drafts.len() > 100 && found(sg, &drafts) == drafts.len(), "{}", drafts.len());
    let sent = federation.at("sg").json(&["referral", "draft", "send", &draft]);
    let id = sent["id"].as_str().expect("a referral").to_owned();
    for kind in &kinds[1..] {
        let (file, name) = attachment(&federation, kind);
        words.insert(name);
        federation.at("sg").ok(&[
            "referral",
            "attach",
            &id,
            file.to_str().unwrap(),
            "--kind",
            kind,
        ]);
    }
    eventually("the draft has left nothing", || found(sg, &drafts) == 0);
    let waiting = contents(&federation, "sg");
    eventually("the relay keeps all of it", || found(relay, &waiting) == waiting.len());

    // The other side comes; everything that takes words takes some. (A content without any is thrown away
    // once it was delivered.)
    let anew = form(&federation, "corrected", &mut words);
    federation.node("ph").start();
    let mut take = |at: &str, wanted: &str, words_of_step: &[&str]| {
        eventually(&format!("{at} sees {wanted}"), || state(&federation, at, &id) == wanted);
        let note = format!("canary-note-{}", words_of_step[0]);
        let (verb, flags) = words_of_step.split_first().unwrap();
        let step = [&["referral", *verb, &id][..], flags, &["--note", &note]].concat();
        federation.at(at).ok(&step);
        words.insert(note);
    };
    take("ph", "sent", &["acknowledge"]);
    take("ph", "acknowledged", &["request-information", "--field", "person.safe_contact"]);
    take("sg", "information_requested", &["provide-information", "--field", "person.safe_contact"]);
    take("ph", "acknowledged", &["accept"]);
    take("ph", "accepted", &["schedule", "--at", "2031-03-31T09:30+08:00"]);
    take("ph", "accepted", &["missed", "--code", "other"]);
    take("ph", "accepted", &["start"]);
    take("ph", "in_progress", &["pause", "--code", "other"]);
    take("ph", "on_hold", &["resume"]);
    take("sg", "in_progress", &["follow-up", "--result", "needs_more"]);
    take("ph", "in_progress", &["deliver", "--result", "partly", "--service", "other"]);
    eventually("sg sees completed", || state(&federation, "sg", &id) == "completed");
    let anew = anew.to_str().unwrap();
    federation.at("sg").ok(&["referral", "correct", &id, "--entry", "0", "--file", anew]);
    take("sg", "completed", &["close", "--outcome", "need_met", "--feedback", "not_given"]);
    let told = || {
        let shown = federation.at("ph").json(&["referral", "show", &id, "--content"]).to_string();
        let files =
            federation.at("ph").run(&["referral", "attachments", &id, "--content", "--json"]);
        shown + &String::from_utf8_lossy(&files.stdout)
    };
    let untold = |words: &BTreeSet<String>| -> Vec<String> {
        let told = told();
        let of_first =
            |word: &&String| !word.starts_with("canary-sent-") && **word != files::CANARY;
        words
            .iter()
            .filter(of_first)
            .filter(|word| !told.contains(word.as_str()))
            .cloned()
            .collect()
    };
    eventually("ph reads every word of it", || untold(&words).is_empty());
    federation.converge();
    let everything = [contents(&federation, "sg"), contents(&federation, "ph")].concat();
    assert!(everything.len() > 500, "{}", everything.len());
    for (at, dir) in [("sg", sg), ("ph", ph)] {
        let there = || found(dir, &everything) == everything.len();
        eventually(&format!("{at} holds every content of both logs"), there);
        let open = open_with(federation.at(at), &everything);
        assert!(open > 0, "{at} has none of its bodies open: nothing can be shown by that");
    }

    // One goes away; what is written meanwhile waits at the relay. Then the person's word.
    federation.node("ph").stop();
    let before = entries(sg).len();
    let note = "canary-note-last";
    words.insert(note.into());
    let last = ["referral", "correct", &id, "--entry", "0", "--note", note];
    federation.at("sg").ok(&last);
    assert_eq!(entries(sg).len(), before + 1);
    let everything = [contents(&federation, "sg"), everything].concat();
    eventually("the relay keeps the last", || found(relay, &everything) > 0);
    assert_eq!(found(sg, &everything), distinct(&everything));
    federation.at("sg").ok(&["referral", "withdraw-consent", &id]);
    assert_eq!(found(sg, &everything), 0, "at once");
    eventually("the relay has dropped it", || found(relay, &everything) == 0);
    assert!(found(ph, &everything) > 500, "who was away still has it");
    federation.node("ph").start();
    eventually("both have confirmed", || all_confirmed(&federation, "sg", &id));
    federation.converge();

    let nodes = |federation: &Federation, when: &str| {
        for node in federation.nodes() {
            let left = found(&node.dir, &everything) + found(&node.dir, &drafts);
            assert_eq!(left, 0, "{}: {when}", node.society);
            assert_eq!(open_with(node, &everything), 0, "{}: {when}", node.society);
            no_word_in_clear(&places(node), &words);
        }
    };
    nodes(&federation, "after the erasure");
    // A backup from then holds nothing either, and what is restored from it gets nothing back.
    for society in ["ifrc", "sg", "ph"] {
        federation.node(society).stop();
        let (dir, backup) = (federation.at(society).dir.clone(), backup_of(&federation, society));
        copy(&dir, &backup);
        assert_eq!(found(&backup, &everything) + found(&backup, &drafts), 0, "{society}");
        no_word_in_clear(std::slice::from_ref(&backup), &words);
        fs::remove_dir_all(&dir).unwrap();
        copy(&backup, &dir);
        federation.node(society).start();
    }
    federation.converge();
    eventually("both still say so", || all_confirmed(&federation, "ph", &id));
    nodes(&federation, "restored from a backup made after");
    for log in ["sg", "ph"] {
        federation.audit("ifrc", log);
    }
}

fn backup_of(federation: &Federation, society: &str) -> PathBuf {
    federation.path(&format!("backup-{society}"))
}

/// How many there are that are not the same.
fn distinct(pieces: &[Vec<u8>]) -> usize {
    pieces.iter().map(|piece| &piece[..8]).collect::<BTreeSet<_>>().len()
}
