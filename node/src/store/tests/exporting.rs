//! What an export shows of a log that somebody cut on the disk.

use std::{collections::BTreeMap, fs};

use tutti_core::{export, head::SignedHead, store::contract::World};

use super::*;

/// A society that cuts its log, and signs the shorter one, still has on its disk what the others
/// cosigned; so does whoever takes over its disk. The export must show it.
#[test]
fn a_log_that_was_cut_on_the_disk_is_exported_with_what_others_have_checked() {
    let world = World::new();
    let origin = world.origin("ph");
    let dir = folder();
    let steps = [
        Step::Append("ph", 40, vec![]),
        Step::Head("ph", 40, "qa", 10),
        Step::Append("ph", 20, vec![]),
        Step::Head("ph", 60, "sg", 11),
        Step::Append("ph", 1, vec![]),
    ];
    drop(write(dir.path(), &world, &steps));
    let log = dir.path().join("journal").join(origin.as_str().replace('/', "_"));
    // 50 of its 61 entries, under a head that the log's own key has signed.
    let entries = fs::read(log.join("entries")).unwrap();
    let mut end = 0;
    for _ in 0..50 {
        end += 2 + usize::from(u16::from_be_bytes([entries[end], entries[end + 1]]));
    }
    fs::write(log.join("entries"), &entries[..end]).unwrap();
    fs::write(log.join("checkpoint"), world.cosigned(&origin, 50, &[], 1).to_bytes()).unwrap();
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    // Whoever does this knows what else there is on the disk.
    let mut settled = String::from("tutti-settled/v1\n");
    for name in ["checkpoint", "cosigned"] {
        let sum = hex::encode(Sha256::digest(fs::read(log.join(name)).unwrap()));
        settled += &format!("{origin} {name} {sum}\n");
    }
    let check = hex::encode(Sha256::digest(&settled));
    fs::write(dir.path().join("journal/settled"), format!("{settled}{check}\n")).unwrap();
    // The commits that would bring the rest back, replaced by a new node's.
    let new = folder();
    drop(write(new.path(), &world, &[]));
    for name in ["journal/commits-a", "journal/commits-b", "journal/acknowledged"] {
        fs::copy(new.path().join(name), dir.path().join(name)).unwrap();
    }

    let store = open_read_only(dir.path(), &world).unwrap().store;
    assert_eq!(store.tree(&origin).size(), 50);
    let files: BTreeMap<_, _> = export::files(&store, &origin, &[], true)
        .map(|file| file.map(|file| (file.path, file.bytes)).unwrap())
        .collect();
    let size = |path: &str| SignedHead::open(&files[path], &world).unwrap().size();
    assert_eq!((size("checkpoint"), size("heads/qa"), size("heads/sg")), (50, 40, 60));
}
