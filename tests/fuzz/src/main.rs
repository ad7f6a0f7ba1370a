//! One program for all targets, under libFuzzer: `TUTTI_FUZZ_TARGET` says which. See `run`.

#![no_main]
#![allow(dead_code)]

#[path = "../../src/fuzz/mod.rs"]
mod fuzz;
#[path = "../../src/seeds.rs"]
mod seeds;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use fuzz::{TARGETS, Target, corpus};

fn target() -> &'static Target {
    static ONCE: OnceLock<&'static Target> = OnceLock::new();
    ONCE.get_or_init(|| {
        let name = std::env::var("TUTTI_FUZZ_TARGET").expect("TUTTI_FUZZ_TARGET names a target");
        static ALL: [Target; TARGETS.len()] = TARGETS;
        let found = ALL.iter().find(|target| target.name == name).expect("a target of that name");
        let dir = |name: &str| std::env::var(name).ok().map(PathBuf::from);
        // The sound inputs and those of the corpus, each a file.
        if let Some(to) = dir("TUTTI_FUZZ_UNPACK") {
            let kept = fs::read(Path::new("corpus").join(found.name)).unwrap_or_default();
            let inputs = (found.seeds)().into_iter().chain(corpus::unpack(&kept));
            for (number, input) in inputs.enumerate() {
                fs::write(to.join(format!("given-{number:04}")), input).expect("input");
            }
        }
        // What libFuzzer has minimised becomes the corpus.
        if let Some(from) = dir("TUTTI_FUZZ_PACK") {
            let files = fs::read_dir(from).expect("folder").map(|file| file.expect("file").path());
            let inputs = files.map(|file| fs::read(file).expect("input")).collect();
            fs::create_dir_all("corpus").expect("corpus");
            fs::write(Path::new("corpus").join(found.name), corpus::pack(inputs)).expect("corpus");
            std::process::exit(0);
        }
        found
    })
}

libfuzzer_sys::fuzz_target!(init: { target(); }, |data: &[u8]| (target().run)(data));
