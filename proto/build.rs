//! Generates the Rust code of the .proto files with a compiler that is itself Rust: no protoc to install.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["proto/dharma/v1/agent.proto", "proto/dharma/v1/query.proto"];
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("dharma.v1.descriptors.binpb");
    std::fs::write(out, prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure()
        .bytes(".dharma.v1.Observation.body")
        .bytes(".dharma.v1.Entry.record")
        // In an order that is always the same: their digest tells whether something changed.
        .btree_map(".dharma.v1.DesiredSet")
        .btree_map(".dharma.v1.DesiredCredential")
        .btree_map(".dharma.v1.Probe")
        // It holds secrets; `lib.rs` prints its name alone.
        .skip_debug([".dharma.v1.DesiredCredential"])
        .compile_fds(descriptors)?;
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    Ok(())
}
