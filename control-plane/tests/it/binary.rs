//! The program as a user starts it: beside its own commands, twice on one state, and told to stop.

use crate::support::{PASSWORD, PATIENCE};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dharma-control-plane");

/// A control plane of its own process; killed when the test ends early.
struct Running {
    child: Child,
    addresses: serde_json::Value,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(state: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args([
        "run",
        "--listen",
        "127.0.0.1:0",
        "--uplink",
        "127.0.0.1:0",
        "--enroll",
        "127.0.0.1:0",
    ]);
    command.arg("--state").arg(state).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

async fn start(folder: &Path) -> Running {
    let ready = folder.join("ready.json");
    let child = command(&folder.join("state")).arg("--ready-file").arg(&ready).spawn().unwrap();
    let mut running = Running { child, addresses: serde_json::Value::Null };
    running.addresses = crate::support::eventually("the ready file", || async {
        serde_json::from_slice(&std::fs::read(&ready).ok()?).ok()
    })
    .await;
    running
}

fn beside(state: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--state").arg(state).output().unwrap()
}

async fn stop(mut running: Running) -> (bool, String) {
    let id = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let status = tokio::time::timeout(std::time::Duration::from_secs(5), async {
        loop {
            if let Some(status) = running.child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    let status = status.await.expect("it takes longer than five seconds to stop");
    let mut text = String::new();
    running.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    (status.success(), text)
}

#[tokio::test]
async fn its_commands_work_while_it_runs_and_it_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let running = start(folder.path()).await;
    for name in ["console", "uplink", "enroll", "pin"] {
        assert!(running.addresses[name].is_string(), "{}", running.addresses);
    }
    let out = folder.path().join("token");
    let made = beside(
        &state,
        &["token", "create", "--uses", "3", "--label", "role=db", "--out", &out.to_string_lossy()],
    );
    assert!(made.status.success(), "{made:?}");
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&out).unwrap();
    let token = pki::token::JoinToken::parse(text.trim()).unwrap();
    let listed = beside(&state, &["token", "list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains(&token.id().to_string()) && listed.contains("0 of 3 used"), "{listed}");
    assert!(!listed.contains(text.trim()), "a secret is listed");
    let unknown = beside(&state, &["token", "revoke", "01900000-0000-7000-8000-000000000000"]);
    assert_eq!(unknown.status.code(), Some(3), "{unknown:?}");
    assert!(beside(&state, &["token", "revoke", &token.id().to_string()]).status.success());
    assert_eq!(beside(&state, &["user", "reset", "nobody"]).status.code(), Some(3));
    let tasks = Command::new(PROGRAM)
        .arg("inspect")
        .arg("--state")
        .arg(&state)
        .arg("tasks")
        .output()
        .unwrap();
    assert!(String::from_utf8(tasks.stdout).unwrap().contains("certificate"));
    let (is_clean, text) = stop(running).await;
    assert!(is_clean);
    let code = text.lines().find_map(|line| line.strip_prefix("Setup code: ")).unwrap();
    assert_eq!(code.len(), 9, "{text}");
    assert!(!folder.path().join("ready.json").exists());
}

#[tokio::test]
async fn a_second_server_on_the_same_state_is_refused_and_a_second_start_keeps_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let first = start(folder.path()).await;
    let second = command(&state).stderr(Stdio::piped()).output().unwrap();
    assert!(!second.status.success());
    let words = String::from_utf8(second.stderr).unwrap();
    assert!(words.contains("another control plane uses the state"), "{words}");
    let pin = first.addresses["pin"].clone();
    let console = first.addresses["console"].as_str().unwrap().to_owned();
    let code = std::fs::read_to_string(state.join("setup-code")).unwrap();
    let body = serde_json::json!({"code": code.trim(), "name": "ann", "password": PASSWORD});
    assert_eq!(post(&format!("{console}/api/v1/setup"), body).await, 200);
    assert!(stop(first).await.0);

    let again = start(folder.path()).await;
    assert_eq!(again.addresses["pin"], pin);
    assert!(!state.join("setup-code").exists());
    let console = again.addresses["console"].as_str().unwrap().to_owned();
    let body = serde_json::json!({"name": "ann", "password": PASSWORD});
    assert_eq!(post(&format!("{console}/api/v1/login"), body).await, 200);
    let (_, text) = stop(again).await;
    assert!(!text.contains("Setup code"), "{text}");
}

async fn post(url: &str, body: serde_json::Value) -> u16 {
    use http_body_util::Full;
    use hyper_util::client::legacy::Client;
    let client = Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let request = http::Request::post(url)
        .header("content-type", "application/json")
        .body(Full::<bytes::Bytes>::from(body.to_string()))
        .unwrap();
    let answer = tokio::time::timeout(PATIENCE, client.request(request)).await;
    answer.unwrap().unwrap().status().as_u16()
}

#[test]
fn a_wrong_place_for_the_state_is_told_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let missing = beside(&folder.path().join("nothing"), &["token", "list"]);
    assert_eq!(missing.status.code(), Some(1));
    let words = String::from_utf8(missing.stderr).unwrap();
    assert!(words.contains("there is no state at") && words.contains("--state"), "{words}");
}
