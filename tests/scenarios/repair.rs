//! A journal that the disk has damaged: the node says where and stops, the manual's steps are done by
//! the command line, and a real peer brings back what the disk has lost.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    all_audit_clean,
    harness::{Federation, PATIENCE, eventually},
    nothing_acknowledged_is_lost,
    story::{CANARIES, refer, state},
    writer::publish,
};

fn change(path: &Path, harm: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    harm(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn log_of(dir: &Path, society: &str) -> std::path::PathBuf {
    dir.join(format!("journal/migrants.example.org_{society}_1"))
}

/// So that what was settled is nowhere else: what a node that has long run has overwritten.
fn forget_commits(dir: &Path) {
    for file in ["commits-a", "commits-b"] {
        change(&dir.join("journal").join(file), |bytes| bytes[512..].fill(0));
    }
    fs::remove_file(dir.join("journal/acknowledged")).unwrap();
}

/// Starts the node, which must say what is wrong and end with the code for damage.
fn refused(federation: &mut Federation, at: &str) -> String {
    let before = federation.at(at).log().len();
    federation.node(at).launch();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = federation.node(at).ended() {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "the node runs on damaged data");
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(15));
    let said = federation.at(at).log()[before..].to_string();
    assert!(said.contains("When stored data are damaged"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

fn repair(federation: &Federation, at: &str) -> Value {
    federation.at(at).json(&["repair"])
}

type Harm<'a> = (&'a str, &'a dyn Fn(&Path), &'a str);

#[test]
fn a_damaged_journal_is_repaired_and_comes_back_whole_from_a_peer() {
    let mut federation = Federation::found(&["ph", "sg"]);
    let receipts = publish(&federation.at("sg").dir, 40);
    publish(&federation.at("ph").dir, 25);
    let id = refer(&federation, "sg", "ph");
    let back = refer(&federation, "ph", "sg");
    eventually("ph has it", || state(&federation, "ph", &id) == "sent");
    federation.at("ph").ok(&["referral", "acknowledge", &id]);
    eventually("sg has the answer", || state(&federation, "sg", &id) == "acknowledged");
    eventually("sg has the other", || state(&federation, "sg", &back) == "sent");
    federation.converge();
    let dir = federation.at("sg").dir.clone();
    let held = |federation: &Federation| {
        let sg = federation.at("sg");
        ["sg", "ph"].map(|society| (sg.holds(society).size, sg.holds(society).root))
    };
    let whole = held(&federation);
    let harms: [Harm; 7] = [
        (
            "the end of the own log is cut off",
            &|dir| {
                change(&log_of(dir, "sg").join("entries"), |bytes| bytes.truncate(900));
                forget_commits(dir);
            },
            "sg_1/entries",
        ),
        (
            "a bit in the middle of the peer's log",
            &|dir| {
                change(&log_of(dir, "ph").join("entries"), |bytes| {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 4;
                });
                forget_commits(dir);
            },
            "ph_1/entries",
        ),
        (
            "the own log's file is gone",
            &|dir| {
                fs::remove_file(log_of(dir, "sg").join("entries")).unwrap();
                forget_commits(dir);
            },
            "sg_1/entries",
        ),
        (
            "a page of both logs is zeros",
            &|dir| {
                for society in ["sg", "ph"] {
                    change(&log_of(dir, society).join("entries"), |bytes| {
                        let end = bytes.len().min(4096);
                        bytes[..end].fill(0);
                    });
                }
                forget_commits(dir);
            },
            "_1/entries",
        ),
        (
            "the checkpoint is gone, and the commits can be read",
            &|dir| fs::remove_file(log_of(dir, "sg").join("checkpoint")).unwrap(),
            "checkpoint",
        ),
        (
            "the commit log is gone",
            &|dir| fs::remove_file(dir.join("journal/commits-a")).unwrap(),
            "commits-a",
        ),
        (
            "the journal is gone, and a header among the bodies",
            &|dir| {
                fs::remove_dir_all(dir.join("journal")).unwrap();
                change(&dir.join("bodies/00000001"), |bytes| bytes[12] ^= 1);
            },
            "journal",
        ),
    ];
    for (what, harm, named) in harms {
        federation.node("sg").stop();
        harm(&dir);
        let said = refused(&mut federation, "sg");
        assert!(said.contains(named), "{what}: {said}");
        let done = repair(&federation, "sg");
        let problem = done["problem"].as_str().unwrap();
        assert!(problem.contains(named), "{what}: {problem}");
        let aside = dir.join(done["set_aside"].as_str().unwrap());
        assert!(aside.join("journal").exists() || what.starts_with("the journal"), "{what}");
        // The peer is away: nothing is signed where the own log is not all here.
        federation.node("ph").stop();
        federation.node("sg").start();
        let mode = federation.at("sg").json(&["status"])["mode"].clone();
        let here = done["logs"].as_array().unwrap().iter();
        let own = here.clone().find(|log| log["origin"] == "migrants.example.org/sg/1");
        let all_here = own.is_some_and(|log| log["entries"] == whole[0].0);
        assert_eq!(mode, if all_here { "writing" } else { "fenced" }, "{what}");
        federation.node("ph").start();
        eventually(&format!("{what}: both logs are back"), || {
            held(&federation) == whole && federation.at("sg").json(&["status"])["mode"] == "writing"
        });
        nothing_acknowledged_is_lost(&federation, "sg", &receipts);
        for (id, says) in [(&id, "acknowledged"), (&back, "sent")] {
            eventually(&format!("{what}: the cases are back"), || {
                let output =
                    federation.at("sg").run(&["referral", "show", id, "--content", "--json"]);
                state(&federation, "sg", id) == says
                    && String::from_utf8_lossy(&output.stdout).contains(CANARIES[0])
            });
        }
        eventually(&format!("{what}: the shares are back"), || federation.at("sg").shares() == 65);
        let warnings = federation.at("sg").json(&["status"])["warnings"].to_string();
        assert!(warnings.contains("delete it"), "{what}: {warnings}");
        federation.converge();
        all_audit_clean(&federation);
        // The last step of the manual.
        fs::remove_dir_all(aside).unwrap();
        federation.node("sg").stop();
        assert_eq!(repair(&federation, "sg")["problem"], Value::Null, "{what}");
        federation.node("sg").start();
        let warnings = federation.at("sg").json(&["status"])["warnings"].to_string();
        assert!(!warnings.contains("delete it"), "{what}: {warnings}");
    }
    // It writes on where its log ended.
    let more = publish(&federation.at("sg").dir, 1);
    assert_eq!(more[0].index, whole[0].0);
    federation.converge();
    all_audit_clean(&federation);
}

/// A key that is not the one that the roster names: nothing is started, nobody is spoken to.
#[test]
fn a_damaged_key_stops_the_start_before_anybody_is_spoken_to() {
    let mut federation = Federation::found(&["ph", "sg"]);
    federation.converge();
    federation.node("sg").stop();
    let keys = federation.at("sg").dir.join("keys");
    let others = federation.at("ph").dir.join("keys");
    for name in ["tls", "routing", "case", "audit", "witness"] {
        let file = format!("{name}.key");
        let whole = fs::read(keys.join(&file)).unwrap();
        fs::copy(others.join(&file), keys.join(&file)).unwrap();
        let before = federation.at("sg").log().len();
        federation.node("sg").launch();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = federation.node("sg").ended() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "{name}: the node runs with another's key");
            thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(12), "{name}");
        let said = federation.at("sg").log()[before..].to_string();
        assert!(said.contains(&format!("keys/{file}")), "{name}: {said}");
        assert!(said.contains("no other node was spoken to"), "{name}: {said}");
        assert!(said.contains("Put it back from your backup of the keys"), "{name}: {said}");
        fs::write(keys.join(&file), whole).unwrap();
    }
    federation.node("sg").start();
    federation.converge();
}
