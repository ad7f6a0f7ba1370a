//! Bodies on the disk that are not what was written: the node says so and fetches them again.

use std::{fs, path::Path};

use crate::{
    all_audit_clean,
    harness::{Federation, eventually},
    story::{CANARIES, refer, state},
    writer::publish,
};

fn change(path: &Path, harm: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    harm(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Flips a bit in every body that is here.
fn harm_bodies(dir: &Path) -> usize {
    let mut harmed = 0;
    change(&dir.join("bodies/00000001"), |bytes| {
        let mut at = 0;
        while bytes[at..].starts_with(b"tutti-b1") {
            let len = u32::from_be_bytes(bytes[at + 12..at + 16].try_into().unwrap()) as usize;
            if len > 0 {
                bytes[at + 64 + len * 2 / 3] ^= 16;
                harmed += 1;
            }
            at += (64 + len).next_multiple_of(64);
        }
    });
    harmed
}

#[test]
fn damaged_bodies_count_as_absent_and_come_again_from_who_may_have_them() {
    let mut federation = Federation::found(&["ph", "sg"]);
    publish(&federation.at("sg").dir, 5);
    let id = refer(&federation, "sg", "ph");
    eventually("ph has it", || state(&federation, "ph", &id) == "sent");
    federation.at("ph").ok(&["referral", "acknowledge", &id]);
    eventually("sg has the answer", || state(&federation, "sg", &id) == "acknowledged");
    federation.converge();
    let content = |federation: &Federation, at: &str| {
        let output = federation.at(at).run(&["referral", "show", &id, "--content", "--json"]);
        String::from_utf8_lossy(&output.stdout).contains(CANARIES[0])
    };
    // At the addressee, then at the author: whichever has lost them, the other gives them back.
    for (at, other) in [("ph", "sg"), ("sg", "ph")] {
        assert!(content(&federation, at));
        let dir = federation.at(at).dir.clone();
        for society in [at, other] {
            federation.node(society).stop();
        }
        let harmed = harm_bodies(&dir);
        assert!(harmed >= 8, "{harmed}");
        federation.node(at).start();
        eventually("people are told", || {
            let warnings = federation.at(at).json(&["status"])["warnings"].to_string();
            warnings.contains(&format!("{harmed} bodies on this node's disk"))
        });
        assert!(!content(&federation, at) && federation.at(at).shares() == 0);
        federation.node(other).start();
        eventually(&format!("{at} has its bodies again"), || {
            content(&federation, at) && federation.at(at).shares() == 5
        });
        assert_eq!(state(&federation, at, &id), "acknowledged");
        let warnings = federation.at(at).json(&["status"])["warnings"].to_string();
        assert!(!warnings.contains("not what was written"), "{warnings}");
        // They are written again in their places.
        federation.node(at).stop();
        federation.node(at).start();
        assert!(content(&federation, at) && federation.at(at).shares() == 5);
        assert!(!federation.at(at).log().contains("panicked"));
    }
    federation.converge();
    all_audit_clean(&federation);
}
