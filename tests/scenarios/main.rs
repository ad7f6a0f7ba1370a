//! Scenarios over real processes and sockets: what a society's IT person will live through.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod approvals;
mod canary;
mod casework;
mod damage;
mod desk;
mod erased;
mod files;
mod finding;
mod full_disk;
mod harness;
mod hostile;
mod kills;
mod link;
mod reach;
mod repair;
mod story;
mod turned;
mod writer;

use std::{collections::BTreeMap, fs, time::Duration};

use harness::{Federation, eventually};
use tutti_proto::node::v1::Receipt;
use writer::{Gate, Writers, entries, publish};

/// Every receipt's entry stands where the receipt says, once, and nothing stands twice.
fn nothing_acknowledged_is_lost(federation: &Federation, society: &str, receipts: &[Receipt]) {
    let size = federation.at(society).holds(society).size;
    let held = entries(&federation.at(society).dir);
    assert_eq!(held.len() as u64, size);
    let mut by_index = BTreeMap::new();
    for receipt in receipts {
        assert!(receipt.index < size, "acknowledged entry {} is gone", receipt.index);
        assert!(by_index.insert(receipt.index, &receipt.id).is_none(), "one index twice");
    }
    let listed = federation.at(society).json(&["information", "list"]);
    let ids: Vec<&str> =
        listed["shares"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
    for receipt in receipts {
        assert!(ids.contains(&receipt.id.as_str()), "acknowledged share {} is gone", receipt.id);
    }
}

/// Every node audits every log clean, and all are the same.
fn all_audit_clean(federation: &Federation) {
    for author in federation.nodes() {
        if author.holds(author.society).size == 0 {
            continue;
        }
        let mut seen = Vec::new();
        for node in federation.nodes() {
            let report = federation.audit(node.society, author.society);
            seen.push((report["size"].clone(), report["root"].clone()));
        }
        seen.dedup();
        assert_eq!(seen.len(), 1, "the log of {} differs", author.society);
    }
}

#[test]
fn a_node_that_was_away_for_a_thousand_entries_catches_up() {
    let mut federation = Federation::found(&["ph", "qa", "sg"]);
    publish(&federation.at("sg").dir, 1);
    federation.converge();
    federation.node("ph").stop();
    let dir = federation.at("sg").dir.clone();
    let receipts = publish(&dir, 1000);
    federation.node("ph").start();
    federation.converge();
    assert_eq!(federation.at("ph").holds("sg").size, 1001);
    nothing_acknowledged_is_lost(&federation, "sg", &receipts);
    all_audit_clean(&federation);
}

#[test]
fn a_link_that_is_cut_in_the_middle_of_a_batch_costs_nothing() {
    let mut federation = Federation::found(&["ph", "sg"]);
    federation.node("ph").stop();
    let dir = federation.at("sg").dir.clone();
    let receipts = publish(&dir, 1500);
    // Half a megabyte must pass; the link breaks again and again, in the middle of frames.
    federation.node("ph").start();
    for round in 0..6 {
        for node in federation.nodes() {
            node.link.cut_after(20_000 + 7_001 * round);
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    federation.converge();
    let cuts: u64 = federation.nodes().map(|node| node.link.cuts()).sum();
    assert!(cuts > 0, "no link was ever cut");
    nothing_acknowledged_is_lost(&federation, "sg", &receipts);
    all_audit_clean(&federation);
}

#[test]
fn a_partition_stops_nobody_and_heals_by_itself() {
    let federation = Federation::found(&["ph", "sg"]);
    for node in federation.nodes() {
        node.link.cut();
    }
    publish(&federation.at("ph").dir, 20);
    publish(&federation.at("sg").dir, 20);
    assert_eq!(federation.at("ph").holds("ph").size, 20);
    for node in federation.nodes() {
        node.link.heal();
    }
    federation.converge();
    all_audit_clean(&federation);
}

#[test]
fn each_node_restarted_in_turn_while_all_write() {
    let mut federation = Federation::found(&["ph", "qa", "sg"]);
    let writers: Vec<(&str, Writers)> = ["ph", "qa", "sg"]
        .map(|society| (society, Writers::start(&federation.at(society).dir, 2, &Gate::default())))
        .into();
    for society in ["ph", "qa", "sg"] {
        federation.node(society).stop();
        federation.node(society).start();
    }
    let before: Vec<usize> = writers.iter().map(|(_, writer)| writer.acknowledged()).collect();
    eventually("all write again", || {
        writers.iter().zip(&before).all(|((_, writer), before)| writer.acknowledged() > *before)
    });
    let receipts: Vec<(&str, Vec<Receipt>)> =
        writers.into_iter().map(|(society, writer)| (society, writer.stop())).collect();
    federation.converge();
    for (society, receipts) in receipts {
        nothing_acknowledged_is_lost(&federation, society, &receipts);
    }
    all_audit_clean(&federation);
}

#[test]
fn deleting_the_index_costs_nothing_but_the_rebuild() {
    let mut federation = Federation::found(&["ph", "sg"]);
    story::refer(&federation, "sg", "ph");
    publish(&federation.at("sg").dir, 50);
    federation.converge();
    let look = |federation: &Federation| {
        let node = federation.at("ph");
        (
            node.holds("sg").root,
            node.ok(&["referral", "list", "--json"]),
            node.ok(&["information", "list", "--json"]),
        )
    };
    let before = look(&federation);
    federation.node("ph").stop();
    fs::remove_dir_all(federation.at("ph").dir.join("index")).unwrap();
    federation.node("ph").start();
    assert_eq!(look(&federation), before);
    // And what was damaged is put aside, not believed.
    federation.node("ph").stop();
    for file in harness::files_below(&federation.at("ph").dir.join("index")) {
        fs::write(file, b"rubbish").unwrap();
    }
    federation.node("ph").start();
    assert_eq!(look(&federation), before);
    all_audit_clean(&federation);
}
