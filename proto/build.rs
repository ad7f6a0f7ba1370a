//! Compiles the `.proto` files with `protox`, so that no `protoc` is needed, and writes the
//! descriptor set that server reflection serves.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("proto");
    let files = [
        "tutti/v1/entry.proto",
        "tutti/v1/record.proto",
        "tutti/v1/federation.proto",
        "tutti/v1/local.proto",
        "tutti/node/v1/node.proto",
        "tutti/node/v1/people.proto",
        "tutti/node/v1/attachments.proto",
    ];
    println!("cargo:rerun-if-changed={}", root.display());
    let descriptors = protox::compile(files.map(|file| root.join(file)), [&root])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
