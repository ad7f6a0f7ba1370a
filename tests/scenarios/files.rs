//! Files that go with a case, by the command as a caseworker types it, over real nodes: how they yield on
//! a slow line, what they cost in memory, what a killed node makes of them, and that nothing is left.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    harness::{Dice, Federation, eventually, files_below, tutti},
    story::{refer, refer_case, state},
};

pub(crate) const CANARY: &str = "canary in the medical letter, 7731";

/// A letter of that many bytes with canaries all through it, no part like another.
pub(crate) fn letter(federation: &Federation, name: &str, bytes: usize) -> PathBuf {
    let mut text = b"%PDF-1.7\n".to_vec();
    let mut n = 0u64;
    while text.len() < bytes {
        text.extend_from_slice(CANARY.as_bytes());
        text.extend_from_slice(&n.to_be_bytes());
        n += 1;
    }
    text.truncate(bytes);
    let file = federation.path(name);
    fs::write(&file, text).unwrap();
    file
}

pub(crate) fn attach(federation: &Federation, at: &str, id: &str, file: &Path) -> Value {
    let file = file.to_str().unwrap();
    federation.at(at).json(&["referral", "attach", id, file, "--kind", "medical_letter"])
}

/// The one file that goes with the referral, as that node shows it.
pub(crate) fn shown(federation: &Federation, at: &str, id: &str) -> Value {
    let output = federation.at(at).run(&["referral", "attachments", id, "--json"]);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    listed["attachments"][0].clone()
}

pub(crate) fn is_here(federation: &Federation, at: &str, id: &str) -> bool {
    shown(federation, at, id)["state"] == "present"
}

/// The most memory that a process has had, KiB.
fn memory_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

pub(crate) fn holds(file: &Path, words: &str) -> bool {
    let bytes = fs::read(file).unwrap_or_default();
    bytes.windows(words.len()).any(|window| window == words.as_bytes())
}

/// 25 MiB over a line of 2 Mbit/s: two minutes. Meanwhile somebody is in need.
#[test]
fn an_urgent_referral_does_not_wait_behind_a_file_of_25_mib() {
    let federation = Federation::found(&["ph", "sg"]);
    let id = refer(&federation, "sg", "ph");
    eventually("ph has the first", || state(&federation, "ph", &id) == "sent");
    federation.nodes().for_each(|node| node.link.slow(250_000));
    let file = letter(&federation, "letter.pdf", 25 << 20);
    let added = attach(&federation, "sg", &id, &file);
    eventually("some of it has come", || {
        shown(&federation, "ph", &id)["parts_present"].as_u64().unwrap_or(0) >= 2
    });
    let begun = Instant::now();
    let urgent = refer_case(&federation, "sg", "ph", "urgent");
    eventually("ph has the urgent one", || state(&federation, "ph", &urgent) == "sent");
    let entry = begun.elapsed();
    eventually("ph has its case", || {
        let shown = federation.at("ph").json(&["referral", "show", &urgent]);
        shown["content_state"] == "present"
    });
    let case = begun.elapsed();
    let parts = shown(&federation, "ph", &id)["parts_present"].as_u64().unwrap();
    assert!(parts < 26, "the file was there before: nothing was shown by this");
    // Alone it takes about half a second, of which the commands that look take most.
    assert!(entry < Duration::from_secs(4), "the entry took {entry:?}");
    assert!(case < Duration::from_secs(6), "the case took {case:?}");

    federation.nodes().for_each(|node| node.link.slow(0));
    eventually("the whole file is there", || is_here(&federation, "ph", &id));
    for node in federation.nodes() {
        let kib = memory_kib(node.pid());
        assert!(kib < 100 * 1024, "{} took {kib} KiB", node.society);
    }
    let saved = federation.path("saved.pdf");
    let attachment = added["attachment"].as_str().unwrap();
    let to = saved.to_str().unwrap();
    federation.at("ph").ok(&["referral", "save", &id, attachment, "--to", to]);
    assert!(fs::read(&saved).unwrap() == fs::read(&file).unwrap());
    assert_eq!(fs::metadata(&saved).unwrap().permissions().mode() & 0o777, 0o600);
    for node in federation.nodes() {
        let kib = memory_kib(node.pid());
        assert!(kib < 100 * 1024, "{} took {kib} KiB", node.society);
    }
}

/// Whoever is killed in the middle goes on where it stopped, and the file is there once.
#[test]
fn a_node_killed_while_a_file_is_added_goes_on_with_it() {
    let mut federation = Federation::found(&["ph", "sg"]);
    let id = refer(&federation, "sg", "ph");
    let file = letter(&federation, "letter.pdf", 12 << 20);
    let dir = federation.at("sg").dir.clone();
    let mut dice = Dice::new();
    let mut killed = 0;
    for _ in 0..8 {
        let words = [
            "referral",
            "attach",
            &id,
            file.to_str().unwrap(),
            "--kind",
            "medical_letter",
            "--dir",
            dir.to_str().unwrap(),
        ];
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let adding = thread::spawn(move || {
            tutti(&words.iter().map(String::as_str).collect::<Vec<_>>()).status.success()
        });
        thread::sleep(Duration::from_millis(40) + dice.micros(400_000));
        federation.node("sg").kill();
        killed += u32::from(!adding.join().unwrap());
        federation.node("sg").start();
    }
    assert!(killed > 0, "it was never killed in time");
    // A node that was killed may have to be told by the other what it had signed before it writes.
    eventually("it is added", || {
        let file = file.to_str().unwrap();
        let words = ["referral", "attach", &id, file, "--kind", "medical_letter"];
        federation.at("sg").run(&words).status.success()
    });
    eventually("the whole file is there", || is_here(&federation, "ph", &id));
    let listed = federation.at("ph").json(&["referral", "attachments", &id, "--content"]);
    assert_eq!(listed["attachments"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["attachments"][0]["name"], "letter.pdf");
    assert_eq!(fs::read_dir(dir.join("local/uploads")).map(|d| d.count()).unwrap_or(0), 0);
    let saved = federation.path("saved.pdf");
    let (to, which) = (saved.to_str().unwrap(), listed["attachments"][0]["id"].as_str().unwrap());
    federation.at("ph").ok(&["referral", "save", &id, which, "--to", to]);
    assert!(fs::read(&saved).unwrap() == fs::read(&file).unwrap());
}

/// What saving does on the disk of whoever saves; and that nothing is left when consent is withdrawn.
#[test]
fn a_saved_file_overwrites_nothing_and_an_erased_one_is_gone_from_every_disk() {
    let federation = Federation::found(&["ph", "qa", "sg"]);
    let id = refer(&federation, "sg", "ph");
    let file = letter(&federation, "letter.pdf", 1_500_000);
    let page = federation.path("page.pdf");
    fs::write(&page, "<html><script>alert(1)</script>").unwrap();
    let words = ["referral", "attach", &id, page.to_str().unwrap(), "--kind", "other"];
    let refused = federation.at("sg").run(&words);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("allowed: pdf, jpg"), "{said}");
    let added = attach(&federation, "sg", &id, &file);
    let again = attach(&federation, "sg", &id, &file);
    assert_eq!(
        (&again["attachment"], &again["added_before"]),
        (&added["attachment"], &true.into())
    );
    eventually("the file is at ph", || is_here(&federation, "ph", &id));
    eventually("sg knows", || shown(&federation, "sg", &id)["parts_delivered"] == 2);
    assert_eq!(state(&federation, "qa", &id), "");

    let attachment = added["attachment"].as_str().unwrap();
    let saved = federation.path("saved.pdf");
    let save = |more: &[&str]| {
        let to = saved.to_str().unwrap();
        let words = ["referral", "save", &id, &attachment[..6], "--to", to];
        federation.at("ph").run(&[&words, more].concat())
    };
    fs::write(&saved, "mine").unwrap();
    assert!(!save(&[]).status.success());
    assert_eq!(fs::read(&saved).unwrap(), b"mine");
    assert!(save(&["--force"]).status.success());
    assert!(fs::read(&saved).unwrap() == fs::read(&file).unwrap());
    // What came before goes on; what is not the file is thrown away.
    let partial = federation.path("saved.pdf.partial");
    for begun in [&fs::read(&file).unwrap()[..700_000], b"something else", &[7; 2_000_000]] {
        fs::remove_file(&saved).unwrap();
        fs::write(&partial, begun).unwrap();
        let answer = save(&[]);
        if answer.status.success() {
            assert!(fs::read(&saved).unwrap() == fs::read(&file).unwrap());
        } else {
            assert!(!saved.exists() && !partial.exists());
            assert!(save(&[]).status.success());
        }
        assert!(!partial.exists());
        assert_eq!(fs::metadata(&saved).unwrap().mode() & 0o777, 0o600);
    }
    // Into a folder: under a name of ours.
    let folder = federation.path("folder");
    fs::create_dir(&folder).unwrap();
    let to = folder.to_str().unwrap();
    federation.at("ph").ok(&["referral", "save", &id, attachment, "--to", to]);
    assert!(folder.join(format!("attachment-{}.pdf", &attachment[..8])).is_file());
    let read = federation.at("ph").json(&["access", "log"]);
    let reads = read["entries"].as_array().unwrap().iter();
    assert!(reads.filter(|entry| entry["what"] == "attachment").count() >= 3, "{read}");

    // In clear it lies nowhere, sealed at the two parties alone; then nowhere.
    let dirs: Vec<PathBuf> = federation.nodes().map(|node| node.dir.clone()).collect();
    // Of what is exported the parts alone are so large; their records stay, and say nothing of anybody.
    let out = federation.path("export");
    let path = out.to_str().unwrap();
    federation.at("ph").ok(&["log", "export", "--out", path, "--of", "sg"]);
    let sealed: Vec<Vec<u8>> = files_below(&out.join("bodies"))
        .iter()
        .map(|file| fs::read(file).unwrap_or_default())
        .filter(|bytes| bytes.len() > 400_000)
        .flat_map(|bytes| samples(&bytes))
        .collect();
    fs::remove_dir_all(&out).unwrap();
    assert!(sealed.len() > 20, "{}", sealed.len());
    let held = |dir: &Path| {
        let files: Vec<Vec<u8>> =
            files_below(dir).iter().map(|file| fs::read(file).unwrap_or_default()).collect();
        let held = |sample: &&Vec<u8>| {
            files.iter().any(|file| file.windows(sample.len()).any(|window| window == **sample))
        };
        sealed.iter().filter(held).count()
    };
    for dir in &dirs {
        assert!(files_below(dir).iter().all(|file| !holds(file, CANARY)), "{}", dir.display());
    }
    assert_eq!(held(&federation.at("ph").dir), sealed.len());
    assert_eq!(held(&federation.at("qa").dir), 0);
    federation.at("ph").ok(&["referral", "withdraw-consent", &id]);
    eventually("both have erased and said so", || {
        let shown = federation.at("sg").json(&["referral", "show", &id]);
        let sides = shown["erasure"]["confirmations"].as_array().cloned().unwrap_or_default();
        sides.len() == 2 && sides.iter().all(|side| side["confirmed"] == true)
    });
    for at in ["sg", "ph"] {
        assert_eq!(shown(&federation, at, &id)["state"], "erased");
        assert_eq!(held(&federation.at(at).dir), 0, "of the parts something is left at {at}");
    }
    let gone = federation.at("ph").run(&["referral", "save", &id, attachment, "--to", to]);
    assert!(String::from_utf8_lossy(&gone.stderr).contains("erased"));
    for log in ["sg", "ph"] {
        federation.audit("qa", log);
    }
}

/// Sixteen bytes from every 64 KiB of a part.
pub(crate) fn samples(bytes: &[u8]) -> Vec<Vec<u8>> {
    (0..bytes.len() - 16).step_by(65_536).skip(1).map(|at| bytes[at..at + 16].to_vec()).collect()
}
