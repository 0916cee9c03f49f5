//! Targets and credentials over the real ports: what people may do, what agents are told, and what nobody is shown.

use crate::support::{Agent, Answer, PATIENCE, Rig, Session, Who, eventually};
use http::{Method, StatusCode};
use proto::v1;
use proto::v1::server_frame::Frame;
use serde_json::{Value, json};

async fn put(rig: &Rig, who: &Who, path: &str, body: Value) -> Answer {
    rig.send(rig.request(who, Method::PUT, path, Some(body))).await
}

async fn enrolled(rig: &Rig, admin: &Who) -> Agent {
    let (token, _) = rig.join_token(admin, 1).await;
    rig.enroll(&token).await.unwrap()
}

async fn community(rig: &Rig, admin: &Who, secret: &str) {
    let body = json!({"kind": "snmp_community", "secrets": {"community": secret}});
    let answer = put(rig, admin, "/api/v1/credentials/lab", body).await;
    assert!(answer.status.is_success(), "{answer:?}");
}

fn lab(address: &str) -> Value {
    json!({"collector": "snmp", "addresses": [address], "site": "berlin", "credentials": ["lab"]})
}

/// Waits for a Desired with this many targets; their ids, the secrets, and the generation.
async fn desired(session: &mut Session, count: usize) -> (Vec<String>, Vec<String>, u64) {
    loop {
        let frame = tokio::time::timeout(PATIENCE, session.next()).await.unwrap();
        let Some(Frame::Desired(part)) = frame else {
            assert!(frame.is_some(), "the stream ended");
            continue;
        };
        let targets: Vec<String> =
            part.sets.iter().flat_map(|set| &set.targets).map(|one| one.id.clone()).collect();
        if targets.len() == count {
            let secrets = part.credentials.iter().flat_map(|one| one.secrets.values().cloned());
            return (targets, secrets.collect(), part.generation);
        }
    }
}

#[tokio::test]
async fn a_secret_goes_in_and_no_answer_ever_shows_it() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let secret = "s3cr3t-in-the-wrong-place";
    // In every wrong place of the body, too.
    for body in [
        json!({"kind": {"x": secret}}),
        json!({"kind": secret, "secrets": secret}),
        json!({"kind": "snmp_community", "secrets": {"community": [secret]}}),
        json!({"kind": "snmp_community", secret: 1}),
        json!({"kind": "snmp_community", "references": {"community": secret}}),
        json!({"kind": "snmp_community", "secrets": {secret.to_uppercase(): secret}}),
        json!(secret),
    ] {
        let answer = put(&rig, &admin, "/api/v1/credentials/lab", body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
        let text = String::from_utf8_lossy(&answer.bytes).to_lowercase();
        assert!(!text.contains(secret), "{text}");
    }
    community(&rig, &admin, secret).await;
    for path in ["/api/v1/credentials", "/api/v1/credentials/lab", "/api/v1/targets"] {
        let answer = rig.get(&admin, path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!String::from_utf8_lossy(&answer.bytes).contains(secret), "{path}");
    }
    let shown = rig.get(&admin, "/api/v1/credentials/lab").await;
    assert_eq!(shown.json()["secrets"], json!(["community"]));
    assert!(shown.headers.contains_key(http::header::ETAG));
    // Nor does the state on disk, key and log of the database included.
    let state = rig.folder.path().join("state");
    for entry in std::fs::read_dir(state).unwrap().flatten().filter(|entry| entry.path().is_file())
    {
        let bytes = std::fs::read(entry.path()).unwrap();
        let is_there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!is_there, "{}", entry.path().display());
    }
    rig.stop().await;
}

#[tokio::test]
async fn who_may_not_is_refused_and_what_is_wrong_is_named() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let reader = rig.token(&admin, &["read"]).await;
    let writer = rig.token(&admin, &["write"]).await;
    community(&rig, &admin, "x").await;
    for who in [&reader, &writer] {
        let answer = put(&rig, who, "/api/v1/targets/lab", lab("192.0.2.1")).await;
        assert_eq!(answer.code(), "PERMISSION_DENIED");
        assert_eq!(rig.get(who, "/api/v1/credentials").await.code(), "PERMISSION_DENIED");
        assert_eq!(rig.get(who, "/api/v1/targets").await.status, StatusCode::OK);
    }
    assert_eq!(
        rig.post(&reader, "/api/v1/targets/lab/run", json!({})).await.code(),
        "PERMISSION_DENIED"
    );
    for (path, body, parameter) in [
        ("/api/v1/targets/lab", lab("192.0.2.300"), "addresses"),
        ("/api/v1/targets/lab", lab("10.0.0.0/8"), "addresses"),
        ("/api/v1/targets/La%2Fb", lab("192.0.2.1"), "name"),
        (
            "/api/v1/targets/lab",
            json!({"collector": "host", "addresses": ["192.0.2.1"]}),
            "collector",
        ),
        (
            "/api/v1/targets/lab",
            json!({"collector": "snmp", "addresses": ["192.0.2.1"], "credentials": ["no"]}),
            "credentials",
        ),
        (
            "/api/v1/targets/lab",
            json!({"collector": "snmp", "addresses": ["192.0.2.1"], "windows": ["00:00-00:00"]}),
            "windows",
        ),
    ] {
        let answer = put(&rig, &admin, path, body).await;
        assert_eq!(answer.code(), "VALIDATION_FAILED", "{answer:?}");
        assert_eq!(answer.json()["params"]["parameter"], parameter, "{answer:?}");
    }
    assert_eq!(rig.get(&admin, "/api/v1/targets/none").await.code(), "NOT_FOUND");
    assert_eq!(rig.delete(&admin, "/api/v1/targets/none").await.code(), "NOT_FOUND");
    let created = put(&rig, &admin, "/api/v1/targets/lab", lab("192.0.2.0/30")).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    assert_eq!(created.json()["targets_count"], 2);
    let remedy = created.json()["remedy"].as_str().unwrap().to_owned();
    assert!(remedy.contains("no agent that is connected"), "{remedy}");
    assert_eq!(rig.post(&admin, "/api/v1/targets/lab/run", json!({})).await.code(), "UNAVAILABLE");
    let states = rig.get(&admin, "/api/v1/targets/lab/states?page_size=1").await.json();
    assert_eq!(states["states"][0]["state"], "unassigned");
    let next = states["next_page_token"].as_str().unwrap();
    let path = format!("/api/v1/targets/lab/states?page_size=1&page_token={next}");
    let states = rig.get(&admin, &path).await.json();
    assert_eq!(
        (&states["states"][0]["address"], &states["next_page_token"]),
        (&json!("192.0.2.2"), &json!(""))
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_target_goes_to_one_agent_and_to_the_other_when_that_one_is_gone() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    community(&rig, &admin, "first-secret").await;
    let (one, other) = (enrolled(&rig, &admin).await, enrolled(&rig, &admin).await);
    let mut first = Session::open_able(&one, &["snmp"]).await.unwrap();
    assert_eq!(
        put(&rig, &admin, "/api/v1/targets/lab", lab("192.0.2.1")).await.status,
        StatusCode::CREATED
    );
    let (ids, secrets, generation) = desired(&mut first, 1).await;
    assert_eq!(
        (ids, secrets),
        (vec!["192.0.2.1@berlin".to_owned()], vec!["first-secret".to_owned()])
    );
    // A rotated secret comes by itself.
    community(&rig, &admin, "second-secret").await;
    let (_, secrets, newer) = desired(&mut first, 1).await;
    assert_eq!(secrets, ["second-secret"]);
    assert!(newer > generation);
    first.say(target_beat(1, newer)).await;
    assert!(
        matches!(first.next().await, Some(Frame::Lease(lease)) if lease.number == 1 && lease.seconds > 0)
    );
    let mut second = Session::open_able(&other, &["snmp"]).await.unwrap();
    assert!(desired(&mut second, 0).await.0.is_empty());
    drop(first);
    eventually("the first stream to end", || async {
        let agent = rig.get(&admin, &format!("/api/v1/agents/{}", one.id())).await.json();
        (agent["state"] == "disconnected").then_some(())
    })
    .await;
    let states = rig.get(&admin, "/api/v1/targets/lab/states").await.json();
    assert_eq!(states["states"][0]["agent_id"], one.id(), "its lease is not over yet");
    rig.clock.advance(std::time::Duration::from_secs(17));
    assert_eq!(desired(&mut second, 1).await.0, ["192.0.2.1@berlin"]);
    rig.stop().await;
}

fn target_beat(number: u64, generation: u64) -> v1::agent_frame::Frame {
    v1::agent_frame::Frame::TargetBeat(v1::TargetBeat {
        number,
        generation,
        ..v1::TargetBeat::default()
    })
}

#[tokio::test]
async fn only_the_agent_that_has_a_target_can_report_it() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    community(&rig, &admin, "x").await;
    let (one, other) = (enrolled(&rig, &admin).await, enrolled(&rig, &admin).await);
    put(&rig, &admin, "/api/v1/targets/lab", lab("192.0.2.1")).await;
    let mut first = Session::open_able(&one, &["snmp"]).await.unwrap();
    desired(&mut first, 1).await;
    let mut second = Session::open_able(&other, &["snmp"]).await.unwrap();
    let rejected = second.report_target("snmp", "192.0.2.1@berlin", "evil.example.net").await;
    assert_eq!(rejected, ["SOURCE_NOT_ASSIGNED"]);
    let rejected = first.report_target("snmp", "192.0.2.1@berlin", "switch1.example.net").await;
    assert!(rejected.is_empty(), "{rejected:?}");
    let items = rig.get(&admin, "/api/v1/items?class=host").await.json();
    assert_eq!(items["items"].as_array().unwrap().len(), 1, "{items}");
    assert_eq!(items["items"][0]["title"], "switch1.example.net");
    // What an agent confirms and the control plane knows otherwise is asked for, of who has it and of nobody else.
    let confirmation = || v1::ScopeConfirmation {
        scope: Some(v1::ScopeName {
            collector: "snmp".into(),
            target: "192.0.2.1@berlin".into(),
            scope: "device".into(),
        }),
        looked_at: 1,
        digest: vec![7; 16],
    };
    let beat = |number| v1::TargetBeat {
        number,
        confirmations: vec![confirmation()],
        ..v1::TargetBeat::default()
    };
    for (session, is_asked) in [(&mut second, false), (&mut first, true)] {
        session.say(v1::agent_frame::Frame::TargetBeat(beat(1))).await;
        session.say(v1::agent_frame::Frame::TargetBeat(beat(2))).await;
        let mut asked = Vec::new();
        loop {
            match session.next().await {
                Some(Frame::NeedFull(need)) => asked.extend(need.scopes),
                Some(Frame::Lease(lease)) if lease.number == 2 && !is_asked => break,
                Some(_) if !asked.is_empty() => break,
                Some(_) => {}
                None => panic!("the stream ended"),
            }
            if is_asked && !asked.is_empty() {
                break;
            }
        }
        assert_eq!(
            asked.first().map(|scope| scope.target.as_str()),
            is_asked.then_some("192.0.2.1@berlin")
        );
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_credential_is_tried_by_an_agent_and_a_look_is_asked_for() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    community(&rig, &admin, "x").await;
    let agent = enrolled(&rig, &admin).await;
    let test = json!({"collector": "snmp", "address": "192.0.2.1"});
    let nobody = rig.post(&admin, "/api/v1/credentials/lab/test", test.clone()).await;
    assert_eq!(nobody.code(), "UNAVAILABLE");
    let mut session = Session::open_able(&agent, &["snmp"]).await.unwrap();
    let asking = rig.post(&admin, "/api/v1/credentials/lab/test", test);
    let answering = async {
        loop {
            if let Some(Frame::Probe(probe)) = session.next().await {
                assert_eq!(probe.credential.unwrap().secrets["community"], "x");
                let result = v1::ProbeResult {
                    number: probe.number,
                    is_accepted: true,
                    detail: "one\u{1b}[2J thing".into(),
                    millis: 3,
                };
                let beat = v1::TargetBeat { results: vec![result], ..v1::TargetBeat::default() };
                session.say(v1::agent_frame::Frame::TargetBeat(beat)).await;
                return;
            }
        }
    };
    let (answer, ()) = tokio::join!(asking, answering);
    assert_eq!(answer.json()["is_accepted"], true, "{answer:?}");
    assert_eq!(answer.json()["detail"], "one[2J thing");
    put(&rig, &admin, "/api/v1/targets/lab", lab("192.0.2.1")).await;
    desired(&mut session, 1).await;
    let answer = rig.post(&admin, "/api/v1/targets/lab/run", json!({"address": "192.0.2.9"})).await;
    assert_eq!(answer.code(), "NOT_FOUND");
    let answer = rig.post(&admin, "/api/v1/targets/lab/run", json!({"address": "192.0.2.1"})).await;
    assert_eq!((answer.status, &answer.json()["targets_count"]), (StatusCode::ACCEPTED, &json!(1)));
    loop {
        if let Some(Frame::LookNow(look)) = session.next().await {
            assert_eq!(look.targets, ["192.0.2.1@berlin"]);
            break;
        }
    }
    rig.stop().await;
}
