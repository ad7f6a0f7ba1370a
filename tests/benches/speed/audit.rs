//! Auditing an export, against SHA-256 of the bytes of the same files.
//!
//! Both read the files from the disk's cache. The audit is the one that `tutti audit` does, with its
//! files read ahead on a second thread; the limit is one thread's.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use tutti_core::{
    audit::{Options, audit_all},
    batch::VerifiedBatch,
    export,
    store::{Reader as _, Store as _},
};
use tutti_node::export_folder::read_ahead;

use crate::{
    Sizes,
    fixture::{Federation, folder, open_entry, origin},
    measure::{Row, Samples, Target, Unit},
};

pub(crate) fn rows(sizes: &Sizes) -> Vec<Row> {
    let federation = Federation::found(&["sg", "ph"]);
    let mut rows = Vec::new();
    {
        let dir = folder();
        let store = federation.fill(&dir.path().join("data"), "sg", sizes.entries);
        let files = written(&federation, &store, dir.path());
        rows.push(row(sizes, "without bodies", sizes.entries, dir.path(), &files));
    }
    let (dir, log) = (folder(), origin("sg"));
    let mut store = federation.store(&dir.path().join("data"), "sg");
    let keys = federation.keyring("sg");
    while store.tree(&log).size() < sizes.audited {
        let held = store.tree(&log);
        let end = sizes.audited.min(held.size() + 2048);
        let (entries, bodies): (Vec<_>, Vec<_>) =
            (held.size()..end).map(|index| open_entry(&log, index, 1)).unzip();
        let batch = VerifiedBatch::author(&held, &log, entries, &keys.log).expect("signed");
        store.append(&batch, &bodies).expect("appended");
    }
    let files = written(&federation, &store, dir.path());
    rows.push(row(sizes, "with a body of 1 KiB each", sizes.audited, dir.path(), &files));
    rows
}

/// Writes the export into a folder beside the data; the paths of its files.
fn written(
    federation: &Federation,
    store: &tutti_node::store::DiskStore,
    dir: &Path,
) -> Vec<PathBuf> {
    let rosters = [federation.roster.as_bytes().to_vec()];
    let mut paths = Vec::new();
    for file in export::files(store, &origin("sg"), &rosters, true) {
        let file = file.expect("a file");
        let path = dir.join("export").join(&file.path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, &file.bytes).expect("written");
        paths.push(path);
    }
    paths
}

fn row(sizes: &Sizes, what: &str, size: u64, dir: &Path, files: &[PathBuf]) -> Row {
    let export = dir.join("export");
    let (mut ours, mut limit) = (Samples::default(), Samples::default());
    for _ in 0..sizes.rounds {
        limit.time(|| {
            for path in files {
                std::hint::black_box(Sha256::digest(fs::read(path).expect("read")));
            }
        });
        let audit = ours.time(|| {
            read_ahead(&[&export], |files| {
                audit_all(files, Options::default(), 0, &mut |_, _| ()).expect("an export")
            })
        });
        let [report] = audit.logs.as_slice() else { panic!("one log") };
        // No other society has cosigned it: that warning alone.
        assert!(report.findings.len() == 1 && report.entries == size, "{:?}", report.findings);
    }
    let what = format!("audit of {size} entries {what}");
    let unit = Unit::Rate("entries", size as f64);
    Row::speed(what, unit, &ours, ("SHA-256 of the files", &limit), Target::AtLeast(0.5))
}
