//! The protocol buffers of Tutti and the types generated from them.
//!
//! `v1` is what nodes exchange and what logs hold; `node::v1` is the API that one node offers to
//! its own society's software. There is no logic here: what the fields mean, and which bytes are
//! hashed, signed or sealed, is in `docs/protocol.md`.

#![forbid(unsafe_code)]

/// `tutti.v1`: the entry, what is sealed beside it, and the frames that nodes exchange.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod v1 {
    tonic::include_proto!("tutti.v1");
}

/// `tutti.node.v1`: the API of one node for its own society.
pub mod node {
    /// Version 1 of the client API.
    #[allow(missing_docs, unreachable_pub, clippy::all)]
    pub mod v1 {
        tonic::include_proto!("tutti.node.v1");
    }
}

/// Every file above as an encoded `google.protobuf.FileDescriptorSet`, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
