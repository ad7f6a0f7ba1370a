//! A disk that is full: the node refuses to write, in a plain sentence, goes on reading, and writes
//! again as soon as there is room. On a small file system of its own in memory.

use std::{fs, io::Write as _, path::PathBuf, process::Command};

use crate::{
    harness::{Federation, eventually},
    nothing_acknowledged_is_lost,
    writer::{mode, publish, try_publish},
};

/// A small tmpfs over a node's directory, with what was in it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where nothing may be mounted.
    fn under(dir: &std::path::Path) -> Option<Self> {
        let aside = dir.with_extension("aside");
        fs::rename(dir, &aside).unwrap();
        fs::create_dir(dir).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m,mode=700", "tutti-test"])
            .arg(dir)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            return None;
        }
        let disk = Self(dir.to_path_buf());
        let from = aside.join(".");
        let copied = Command::new("cp").arg("-a").arg(from).arg(dir).status();
        assert!(copied.unwrap().success());
        Some(disk)
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Takes all the room there is, to the last page.
    fn fill(&self) {
        let mut file = fs::File::create(self.filler()).unwrap();
        for size in [1 << 20, 1 << 12] {
            let piece = vec![1; size];
            while file.write_all(&piece).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a node that a failed test left behind may still be in it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_writing_alone_and_only_until_there_is_room() {
    let mut federation = Federation::founded(&["ph", "sg"]);
    let dir = federation.at("sg").dir.clone();
    let Some(disk) = SmallDisk::under(&dir) else {
        eprintln!("SKIPPED: no tmpfs may be mounted here; a full disk was not tried.");
        return;
    };
    federation.node("ph").start();
    federation.node("sg").start();
    let mut receipts = publish(&dir, 50);
    disk.fill();
    // What was allocated before is used up first.
    let refusal = loop {
        match try_publish(&dir) {
            Ok(receipt) => receipts.push(receipt),
            Err(refusal) => break refusal,
        }
        assert!(receipts.len() < 50_000, "the disk is never full");
    };
    assert!(refusal.contains("the disk is full; nothing was written"), "{refusal}");
    assert_eq!(mode(&dir), "disk_full");
    // Reading goes on, and the others go on.
    nothing_acknowledged_is_lost(&federation, "sg", &receipts);
    publish(&federation.at("ph").dir, 5);
    let again = try_publish(&dir).unwrap_err();
    assert!(again.contains("the disk is full"), "{again}");

    fs::remove_file(disk.filler()).unwrap();
    receipts.push(try_publish(&dir).unwrap());
    assert_eq!(mode(&dir), "writing");
    receipts.extend(publish(&dir, 20));
    eventually("sg has the entries that ph wrote meanwhile", || {
        federation.at("sg").holds("ph").size == 5
    });
    federation.converge();
    nothing_acknowledged_is_lost(&federation, "sg", &receipts);

    // Killed while it is full, it still starts, reads, and refuses.
    disk.fill();
    while try_publish(&dir).is_ok() {}
    federation.node("sg").kill();
    federation.node("sg").start();
    nothing_acknowledged_is_lost(&federation, "sg", &receipts);
    fs::remove_file(disk.filler()).unwrap();
    receipts.push(try_publish(&dir).unwrap());
    nothing_acknowledged_is_lost(&federation, "sg", &receipts);
    let log = federation.at("sg").log();
    assert!(!log.contains("panicked"), "{log}");
    federation.node("sg").stop();
    federation.node("ph").stop();
}
