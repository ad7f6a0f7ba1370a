//! The node: journal, bodies, index, engine, peers, gRPC services.

#![forbid(unsafe_code)]

pub mod store;
