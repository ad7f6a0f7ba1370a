//! One program for all targets, under libFuzzer: `TUTTI_FUZZ_TARGET` says which. See `run`.

#![no_main]
#![allow(dead_code)]

#[path = "../../src/fuzz/mod.rs"]
mod fuzz;
#[path = "../../src/seeds.rs"]
mod seeds;

use std::{fs, path::Path, sync::OnceLock};

use fuzz::{TARGETS, Target};

fn target() -> &'static Target {
    static ONCE: OnceLock<&'static Target> = OnceLock::new();
    ONCE.get_or_init(|| {
        let name = std::env::var("TUTTI_FUZZ_TARGET").expect("TUTTI_FUZZ_TARGET names a target");
        static ALL: [Target; TARGETS.len()] = TARGETS;
        let found = ALL.iter().find(|target| target.name == name).expect("a target of that name");
        // The sound inputs, made anew, beside what the corpus holds.
        if let Ok(dir) = std::env::var("TUTTI_FUZZ_SEEDS") {
            for (number, seed) in (found.seeds)().iter().enumerate() {
                fs::write(Path::new(&dir).join(format!("seed-{number:03}")), seed).expect("seed");
            }
        }
        found
    })
}

libfuzzer_sys::fuzz_target!(init: { target(); }, |data: &[u8]| (target().run)(data));
