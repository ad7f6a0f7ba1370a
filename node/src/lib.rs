//! A node of Tutti: the disk, the engine, the wire to other nodes, and the API for its own society.
//!
//! The map of the code and its invariants are in `docs/architecture.md`; how a node is run is in
//! `docs/operating.md`.

#![forbid(unsafe_code)]

mod bodies;
pub mod client;
pub mod clock;
pub mod config;
mod disk;
pub mod engine;
pub mod exit;
pub mod export_folder;
mod grpc;
mod highwater;
mod index;
mod journal;
pub mod keyring;
pub mod local;
mod logging;
mod metrics;
pub mod paper;
pub mod peers;
pub mod rosters;
pub mod serve;
pub mod store;
#[cfg(test)]
mod testing;
pub mod tls_key;
