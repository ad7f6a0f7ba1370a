//! A disk that is full: the node refuses to write, in a plain sentence, goes on reading, and writes
//! again as soon as there is room. On a small file system of its own in memory. Who may not mount
//! one runs the same in a user namespace of its own, and where there is none either, that is said.

use std::{
    env, fs,
    io::{self, Write as _},
    path::PathBuf,
    process::Command,
};

use crate::{
    harness::{Federation, eventually},
    nothing_acknowledged_is_lost,
    writer::{mode, publish, try_publish},
};

/// A small tmpfs over a node's directory, with what was in it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn under(dir: &std::path::Path) -> Self {
        let aside = dir.with_extension("aside");
        fs::rename(dir, &aside).unwrap();
        fs::create_dir(dir).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m,mode=700", "tutti-test"])
            .arg(dir)
            .status();
        assert!(mounted.unwrap().success());
        let disk = Self(dir.to_path_buf());
        let from = aside.join(".");
        let copied = Command::new("cp").arg("-a").arg(from).arg(dir).status();
        assert!(copied.unwrap().success());
        disk
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

const NAMESPACED: &str = "TUTTI_TEST_NAMESPACED";

/// Whether a tmpfs may be mounted; where only a namespace of one's own allows it, runs the test there
/// and says that nothing is left to do.
fn may_mount(test: &str) -> bool {
    let probe = "d=$(mktemp -d) && mount -t tmpfs none \"$d\" && umount \"$d\"; e=$?; rmdir \"$d\"; exit $e";
    let works = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).args(["-c", probe]).output();
        output.is_ok_and(|output| output.status.success())
    };
    if works("sh", &[]) {
        return true;
    }
    if env::var_os(NAMESPACED).is_none() && works("unshare", &["-rm", "sh"]) {
        let mut again = Command::new("unshare");
        again.arg("-rm").arg(env::current_exe().unwrap()).args([test, "--exact", "--nocapture"]);
        assert!(again.env(NAMESPACED, "1").status().unwrap().success());
    } else {
        // Not by a macro, whose words a test that passes keeps to itself.
        let _ = writeln!(
            io::stderr(),
            "NOT CHECKED: {test}: no tmpfs may be mounted here, nor in a user namespace"
        );
    }
    false
}

#[test]
fn a_full_disk_stops_writing_alone_and_only_until_there_is_room() {
    if !may_mount("full_disk::a_full_disk_stops_writing_alone_and_only_until_there_is_room") {
        return;
    }
    let mut federation = Federation::founded(&["ph", "sg"]);
    let dir = federation.at("sg").dir.clone();
    let disk = SmallDisk::under(&dir);
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
        assert!(receipts.len() < 5_000, "the disk is never full");
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
