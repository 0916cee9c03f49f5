//! The console's files, and what is none.

use crate::support::{Rig, Who};
use http::{Method, StatusCode, header};

async fn rig() -> Rig {
    let folder = tempfile::tempdir().unwrap().keep();
    std::fs::create_dir(folder.join("assets")).unwrap();
    std::fs::write(folder.join("index.html"), "<!doctype html>first page").unwrap();
    std::fs::write(folder.join("assets/index-abc.js"), "plain").unwrap();
    std::fs::write(folder.join("assets/index-abc.js.br"), "compressed").unwrap();
    Rig::start_with(|config| config.console_dir = Some(folder)).await
}

#[tokio::test]
async fn an_address_of_the_console_is_its_first_page_and_an_address_of_the_api_an_error() {
    let rig = rig().await;
    for path in ["/", "/items/01900000-0000-7000-8000-000000000000", "/inventory?class=host"] {
        let answer = rig.get(&Who::Nobody, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.bytes, "<!doctype html>first page");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-cache");
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"));
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
    for path in [
        "/api",
        "/api/v2/items",
        "/api/v1/nothing",
        "/graphql/nothing",
        "/assets/gone.js",
        "/gone.png",
    ] {
        let answer = rig.get(&Who::Nobody, path).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::NOT_FOUND, "NOT_FOUND"),
            "{path}"
        );
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_file_with_a_hash_is_kept_for_ever_and_sent_as_the_build_compressed_it() {
    let rig = rig().await;
    let plain = rig.get(&Who::Nobody, "/assets/index-abc.js").await;
    assert_eq!(plain.bytes, "plain");
    assert!(plain.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    let mut request = rig.request(&Who::Nobody, Method::GET, "/assets/index-abc.js", None);
    request.headers_mut().insert(header::ACCEPT_ENCODING, "gzip, br".parse().unwrap());
    let compressed = rig.send(request).await;
    assert_eq!(compressed.headers[header::CONTENT_ENCODING], "br");
    assert_eq!(compressed.headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert_eq!(compressed.bytes, "compressed");
    rig.stop().await;
}

#[tokio::test]
async fn the_first_page_is_not_sent_again_to_who_has_it() {
    let rig = rig().await;
    let first = rig.get(&Who::Nobody, "/").await;
    let mut request = rig.request(&Who::Nobody, Method::GET, "/", None);
    request.headers_mut().insert(header::IF_NONE_MATCH, first.headers[header::ETAG].clone());
    let again = rig.send(request).await;
    assert_eq!((again.status, again.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    rig.stop().await;
}

#[tokio::test]
async fn paths_that_lead_out_of_the_folder_find_nothing() {
    let rig = rig().await;
    for path in [
        "/assets/../../state/dharma.sqlite",
        "/..%2f..%2fetc%2fpasswd",
        "/.env",
        "/assets/%2e%2e/index.html",
    ] {
        let answer = rig.get(&Who::Nobody, path).await;
        let is_page = answer.bytes == "<!doctype html>first page";
        assert!(answer.status == StatusCode::NOT_FOUND || is_page, "{path}: {answer:?}");
    }
    rig.stop().await;
}
