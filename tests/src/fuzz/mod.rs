//! Fuzz targets: one function a format, given any bytes at all. It must return, whatever they are;
//! what it accepts it must be able to give back to the byte, and nothing that was not signed may
//! be believed.
//!
//! The same functions run in two ways: the seeds and some thousand mutations of each in every
//! ordinary test run (`tests`), and guided by coverage under libFuzzer (`tests/fuzz/run`).

pub mod corpus;
mod federation;
mod formats;
mod link;
#[cfg(test)]
mod tests;

/// A target: its name, what it does with any bytes, and the inputs that it starts from.
pub struct Target {
    /// The folder of its corpus is called so too.
    pub name: &'static str,
    /// Panics where a rule is broken.
    pub run: fn(&[u8]),
    /// Sound inputs, made anew from seeds.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 10] = [
    Target { name: "entry", run: formats::entry, seeds: formats::entry_seeds },
    Target { name: "head", run: formats::head, seeds: formats::head_seeds },
    Target { name: "note", run: formats::note, seeds: formats::note_seeds },
    Target { name: "roster", run: formats::roster, seeds: formats::roster_seeds },
    Target { name: "frame", run: formats::frame, seeds: link::frame_seeds },
    Target { name: "session", run: link::session, seeds: link::session_seeds },
    Target { name: "record", run: formats::record, seeds: formats::record_seeds },
    Target { name: "sealed", run: formats::sealed, seeds: formats::sealed_seeds },
    Target { name: "export", run: formats::export, seeds: formats::export_seeds },
    Target { name: "proof", run: formats::proof, seeds: formats::proof_seeds },
];
