//! The descriptions of the APIs: served, kept in the reference, complete.

use control_plane::api::{graphql, rest};
use std::path::{Path, PathBuf};

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(name)
}

/// Compares with the kept text; `DHARMA_WRITE_REFERENCE=1` writes it.
fn compare(name: &str, text: &str, command: &str) {
    let path = reference(name);
    if std::env::var_os("DHARMA_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "docs/reference/{name} is not what the code says; run `{command} > docs/reference/{name}` and look at the difference"
    );
}

#[test]
fn the_kept_graphql_schema_is_what_the_code_says() {
    let sdl = graphql::sdl(&model::Catalog::built_in()).unwrap();
    compare("schema.graphql", &sdl, "dharma-control-plane schema graphql");
}

#[test]
fn the_kept_openapi_document_is_what_the_code_says() {
    let text = rest::openapi::text() + "\n";
    compare("openapi.json", &text, "dharma-control-plane schema openapi");
}

#[test]
fn every_path_of_the_api_is_described_and_every_described_path_is_there() {
    let source = include_str!("../../src/api/rest.rs");
    let mut served: Vec<String> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix(".route(\"")?.split('"').next())
        .filter(|path| path.starts_with("/api/v1"))
        .map(str::to_owned)
        .collect();
    served.sort();
    let document: serde_json::Value = serde_json::from_str(&rest::openapi::text()).unwrap();
    let described: Vec<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(served, described);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        }
    }
}
