//! Reaching the addressee: after a restore, and where two societies never meet.

use std::{fs, path::Path};

use crate::{
    harness::{Federation, eventually, files_below},
    story::{CANARIES, refer_case},
};

/// What docs/operating.md says to back up, with its empty folders and its modes.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = (entry.as_ref().unwrap().path(), entry.unwrap().file_name());
        if ["index", "highwater", "lock", "tutti.sock"].iter().any(|left_out| name == *left_out) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn cases(federation: &Federation, at: &str) -> usize {
    let listed = federation.at(at).json(&["referral", "list"]);
    listed["referrals"].as_array().unwrap().len()
}

fn delivery(federation: &Federation, at: &str, id: &str) -> String {
    let output = federation.at(at).run(&["referral", "show", id, "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    shown["delivery"].as_str().unwrap_or_default().to_owned()
}

/// The case as its caseworker reads it.
fn is_whole(federation: &Federation, at: &str, id: &str) -> bool {
    let output = federation.at(at).run(&["referral", "show", id, "--content", "--json"]);
    String::from_utf8_lossy(&output.stdout).contains(CANARIES[0])
}

#[test]
fn a_society_that_was_restored_has_its_log_and_the_cases_that_it_sent_since() {
    let mut federation = Federation::found(&["ph", "sg"]);
    federation.node("sg").stop();
    let (dir, backup) = (federation.at("sg").dir.clone(), federation.path("backup"));
    copy(&dir, &backup);
    federation.node("sg").start();
    let ids: Vec<String> =
        (1..=3).map(|n| refer_case(&federation, "sg", "ph", &format!("SG-{n}"))).collect();
    for id in &ids {
        eventually("ph has the case", || is_whole(&federation, "ph", id));
    }
    federation.converge();
    federation.at("ph").ok(&["referral", "acknowledge", &ids[1]]);
    eventually("sg knows", || delivery(&federation, "sg", &ids[1]) == "seen");
    let before = federation.at("sg").holds("sg");

    // The machine is gone; what is left is the backup from before.
    federation.node("sg").kill();
    fs::remove_dir_all(&dir).unwrap();
    copy(&backup, &dir);
    federation.node("sg").start();
    eventually("the log is back", || federation.at("sg").holds("sg").root == before.root);
    for id in &ids {
        eventually("the case is back", || is_whole(&federation, "sg", id));
    }
    assert_eq!(cases(&federation, "sg"), 3);
    eventually("it writes", || federation.at("sg").json(&["status"])["mode"] == "writing");
    refer_case(&federation, "sg", "ph", "SG-4");
    federation.converge();
    assert_eq!(federation.at("ph").holds("sg").size, before.size + 1);
    eventually("no warning is left", || {
        let status = federation.at("sg").json(&["status"]);
        !status["warnings"].to_string().contains("own entries")
    });
    for at in ["sg", "ph"] {
        federation.audit(at, "sg");
    }
}

/// Sealed bodies as they stand on a node's disk: whether the end of any of them stands there.
fn holds_any(dir: &Path, ends: &[Vec<u8>]) -> bool {
    files_below(dir).iter().any(|file| {
        let bytes = fs::read(file).unwrap_or_default();
        ends.iter().any(|end| bytes.windows(end.len()).any(|window| window == end.as_slice()))
    })
}

#[test]
fn two_societies_that_only_dial_out_reach_each_other_through_a_relay_that_keeps_nothing() {
    let mut federation = Federation::around_a_relay();
    let id = refer_case(&federation, "sg", "ph", "SG-1");
    assert_eq!(delivery(&federation, "sg", &id), "saved");
    eventually("the relay has it", || delivery(&federation, "sg", &id) == "with_relay");
    let out = federation.path("sent");
    federation.at("sg").ok(&["log", "export", "--out", out.to_str().unwrap()]);
    let ends: Vec<Vec<u8>> = files_below(&out.join("bodies"))
        .iter()
        .map(|file| fs::read(file).unwrap())
        .map(|body| body[body.len() - 64..].to_vec())
        .collect();
    assert_eq!(ends.len(), 2);
    let relay = federation.at("ifrc").dir.clone();
    assert!(holds_any(&relay, &ends), "the relay keeps the sealed bytes");
    federation.node("sg").stop();

    // Only now the other one comes.
    federation.node("ph").start();
    eventually("ph has the case", || is_whole(&federation, "ph", &id));
    eventually("the relay has dropped it", || !holds_any(&relay, &ends));
    federation.at("ph").ok(&["referral", "acknowledge", &id]);
    eventually("the relay has the answer", || delivery(&federation, "ph", &id) == "with_relay");
    federation.node("ph").stop();

    federation.node("sg").start();
    eventually("sg has the answer", || delivery(&federation, "sg", &id) == "seen");
    federation.node("sg").stop();
    federation.node("ph").start();
    eventually("ph knows", || delivery(&federation, "ph", &id) == "on_their_node");
    for file in files_below(&relay) {
        let bytes = fs::read(&file).unwrap_or_default();
        for canary in CANARIES {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary:?} stands in {}", file.display());
        }
    }
}
