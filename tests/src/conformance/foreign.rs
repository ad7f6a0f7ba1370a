//! The program in `docs/auditing.md` that shares no code with us must agree with us.

use std::{fs, path::Path, process::Command};

use tutti_core::{
    body::{Body, Part, Place},
    export::body_path,
};

use super::{head::Keys, tiles::export_with};
use crate::seeds;

/// Runs the page's Python program, word for word, over an export and over one that was altered.
#[test]
fn the_auditors_python_program_agrees() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("not run: there is no python3 on this machine");
        return;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/auditing.md");
    let page = fs::read_to_string(page).unwrap();
    let program = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let body = Body::new(Place::new(&seeds::ph().origin(), 270, Part::Record), b"a body");
    let (files, head) = export_with(300, std::slice::from_ref(&body));
    let body = body_path(&body.commitment().digest);
    for (path, bytes) in &files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let run = || Command::new("python3").args(["-c", program]).arg(dir.path()).output().unwrap();
    let sound = run();
    assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stderr));
    let said = String::from_utf8(sound.stdout).unwrap();
    assert!(said.starts_with(Keys::seeded().logs[0].name()) && said.contains("300 entries"));
    assert!(head.size() == 300);
    let altered = ["tile/entries/000", "tile/entries/001.p/44", "checkpoint", &body];
    for path in altered.map(String::from) {
        let mut bytes = files[&path].clone();
        let at = bytes.len().min(61) - 1;
        bytes[at] ^= 1;
        fs::write(dir.path().join(&path), bytes).unwrap();
        assert!(!run().status.success(), "{path}");
        fs::write(dir.path().join(&path), &files[&path]).unwrap();
    }
    assert!(run().status.success());
}
