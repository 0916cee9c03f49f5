//! How an estate hangs together: seen by the real write path, asked over REST and GraphQL, within limits.

use crate::support::{Rig, Session, Who};
use http::StatusCode;
use model::classes::{host, network_interface, service_unit};
use model::{IdentityKey, KeyType, Observation, Realm, RelationTarget, relationships};
use serde_json::{Value, json};

const INTERFACES: u32 = 20;

/// A host with many interfaces, two of them members of a bond, and two services, of which one needs the other.
fn estate(agent: &str) -> Vec<Observation> {
    let host = Observation::of(&host::CLASS, "host")
        .with(&host::FQDN, "web1.example.net".to_owned())
        .key(IdentityKey::new(KeyType::AgentKey, Realm::everywhere(), agent));
    let mut seen = vec![host];
    let interface = |name: &str| {
        Observation::part(&network_interface::CLASS, "host", &[name])
            .with(&network_interface::NAME, name.to_owned())
    };
    for number in 0..INTERFACES {
        let mut one = interface(&format!("eth{number}"));
        if number < 2 {
            let bond = interface("bond0").native_key;
            one.relate(relationships::MEMBER_OF, RelationTarget::Native(bond));
        }
        seen.push(one);
    }
    seen.push(interface("bond0"));
    let unit = |name: &str| {
        Observation::part(&service_unit::CLASS, "host", &["systemd", name])
            .with(&service_unit::NAME, name.to_owned())
    };
    let mut web = unit("web.service");
    web.relate(relationships::REQUIRES, RelationTarget::Native(unit("db.service").native_key));
    seen.extend([unit("db.service"), web]);
    seen
}

async fn described(rig: &Rig, admin: &Who) -> Session {
    let (token, _) = rig.join_token(admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    let mut session = Session::open(&agent).await.unwrap();
    session.report("host", &estate(&agent.id())).await;
    session
}

async fn id_of(rig: &Rig, admin: &Who, class: &str, title: &str) -> String {
    let found = rig.get(admin, &format!("/api/v1/items?class={class}&page_size=500")).await.json();
    let items = found["items"].as_array().unwrap();
    let item =
        items.iter().find(|item| item["title"] == title).unwrap_or_else(|| panic!("{found}"));
    item["id"].as_str().unwrap().to_owned()
}

fn titles(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|one| one["item"]["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_failure_is_followed_and_what_has_others_to_stand_in_only_weakens() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let _session = described(&rig, &admin).await;
    let db = id_of(&rig, &admin, "service_unit", "db.service").await;
    let impact = rig.get(&admin, &format!("/api/v1/items/{db}/impact")).await.json();
    assert_eq!((titles(&impact["items"]), &impact["count"]), (vec!["web.service"], &json!(1)));
    assert_eq!(impact["classes"], json!([{"class": "service_unit", "count": 1}]));

    let eth0 = id_of(&rig, &admin, "network_interface", "eth0").await;
    let eth1 = id_of(&rig, &admin, "network_interface", "eth1").await;
    let one = rig.get(&admin, &format!("/api/v1/items/{eth0}/impact")).await.json();
    assert_eq!((&one["count"], &one["weakened_count"]), (&json!(0), &json!(1)), "{one}");
    assert_eq!(
        (&one["weakened"][0]["left"], &one["weakened"][0]["needed"]),
        (&json!(1), &json!(1))
    );
    let both = rig.get(&admin, &format!("/api/v1/items/{eth0}/impact?with={eth1}")).await.json();
    assert_eq!(titles(&both["items"]), ["bond0"], "{both}");

    let host = id_of(&rig, &admin, "host", "web1.example.net").await;
    let cut = rig.get(&admin, &format!("/api/v1/items/{host}/impact?limit=2")).await.json();
    assert_eq!((&cut["count"], &cut["is_cut"]), (&json!(INTERFACES + 3), &json!(true)));
    assert_eq!(cut["items"].as_array().unwrap().len(), 2);
    let needs = rig.get(&admin, &format!("/api/v1/items/{db}/dependencies")).await.json();
    assert_eq!(
        (titles(&needs["items"]), &needs["certain_count"]),
        (vec!["web1.example.net"], &json!(1))
    );
    let query = format!(
        "{{ impact(item: \"{host}\", first: 1) {{ count isCut rings items {{ depth item {{ title ... on ServiceUnit {{ name }} }} }} }} }}"
    );
    let answer = rig.graphql(&admin, &query).await.json();
    let asked = &answer["data"]["impact"];
    assert_eq!((&asked["count"], &asked["isCut"]), (&cut["count"], &json!(true)), "{answer}");
    assert!(answer["extensions"]["cost"]["cost"].as_u64().unwrap() > 100);
    rig.stop().await;
}

#[tokio::test]
async fn ways_neighbors_orphans_and_groups_are_shown_with_exact_counts() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let _session = described(&rig, &admin).await;
    let host = id_of(&rig, &admin, "host", "web1.example.net").await;
    let web = id_of(&rig, &admin, "service_unit", "web.service").await;
    let eth0 = id_of(&rig, &admin, "network_interface", "eth0").await;
    let path = rig.get(&admin, &format!("/api/v1/items/{web}/path?to={eth0}")).await.json();
    assert_eq!((&path["distance"], &path["count"]), (&json!(2), &json!(1)), "{path}");
    assert_eq!(titles(&path["paths"][0]), ["web.service", "web1.example.net", "eth0"]);
    assert_eq!(path["paths"][0][1]["via"], json!([{"verb": "part_of", "outgoing": true}]));
    let none = rig.get(&admin, &format!("/api/v1/items/{web}/path?to={eth0}&verb=requires")).await;
    assert_eq!((&none.json()["distance"], &none.json()["count"]), (&json!(null), &json!(0)));

    let around = rig.get(&admin, &format!("/api/v1/items/{host}/neighborhood")).await.json();
    assert_eq!(around["bundles"][0]["count"], json!(INTERFACES + 1), "{around}");
    assert_eq!(around["bundles"][0]["class"], "network_interface");
    assert_eq!(around["count"], 2);
    let open = format!("/api/v1/items/{host}/neighborhood?fold=100&limit=3");
    let open = rig.get(&admin, &open).await.json();
    assert_eq!((&open["count"], &open["is_cut"]), (&json!(INTERFACES + 3), &json!(true)));

    let orphans = rig.get(&admin, "/api/v1/topology/orphans").await.json();
    assert_eq!(orphans["count"], 0, "{orphans}");
    let groups = rig.get(&admin, "/api/v1/topology/groups").await.json();
    assert_eq!(groups["items_count"], json!(INTERFACES + 4), "{groups}");
    assert_eq!(groups["groups"][0]["path"], json!(["berlin", "network_interface"]));
    let by_label = rig.get(&admin, "/api/v1/topology/groups?by=label:role&links=0").await.json();
    assert_eq!(by_label["groups"][0]["path"], json!(["db"]), "{by_label}");
    let within = rig.get(&admin, "/api/v1/topology/groups?within=berlin&limit=1").await.json();
    assert_eq!((&within["groups_count"], &within["is_cut"]), (&json!(3), &json!(true)));
    let query = "{ groups(by: [\"connectivity\"], first: 10) { groupsCount groups { count path } links { count } } }";
    let answer = rig.graphql(&admin, query).await.json();
    assert_eq!(answer["data"]["groups"]["groupsCount"], 1, "{answer}");
    rig.stop().await;
}

#[tokio::test]
async fn a_question_beyond_its_limits_is_refused_with_the_limit_and_a_stranger_altogether() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let _session = described(&rig, &admin).await;
    let host = id_of(&rig, &admin, "host", "web1.example.net").await;
    let item = format!("/api/v1/items/{host}");
    let nobody = "01900000-0000-7000-8000-000000000000";
    for (path, code, max) in [
        (format!("{item}/impact?depth=0"), "VALIDATION_FAILED", json!(100)),
        (format!("{item}/impact?limit=10001"), "VALIDATION_FAILED", json!(10_000)),
        (
            format!("{item}/impact?with={}", [nobody; 100].join(",")),
            "VALIDATION_FAILED",
            json!(100),
        ),
        (format!("{item}/impact?at=2026-01-01T00:00:00Z"), "VALIDATION_FAILED", json!(null)),
        (format!("{item}/dependencies?depth=101"), "VALIDATION_FAILED", json!(100)),
        (format!("{item}/neighborhood?depth=7"), "VALIDATION_FAILED", json!(6)),
        (format!("{item}/neighborhood?limit=x"), "VALIDATION_FAILED", json!(null)),
        (format!("{item}/path"), "VALIDATION_FAILED", json!(null)),
        (format!("{item}/path?to={nobody}"), "NOT_FOUND", json!(null)),
        (format!("/api/v1/items/{nobody}/impact"), "NOT_FOUND", json!(null)),
        ("/api/v1/topology/groups?by=color".into(), "VALIDATION_FAILED", json!(null)),
        ("/api/v1/topology/groups?limit=301".into(), "VALIDATION_FAILED", json!(300)),
        (
            "/api/v1/topology/groups?within=a&within=b&within=c".into(),
            "VALIDATION_FAILED",
            json!(2),
        ),
        ("/api/v1/topology/orphans?kind=lonely".into(), "VALIDATION_FAILED", json!(null)),
        ("/api/v1/topology/orphans?page_token=x".into(), "PAGE_TOKEN_MISMATCH", json!(null)),
    ] {
        let answer = rig.get(&admin, &path).await;
        assert_eq!(answer.code(), code, "{path}: {answer:?}");
        assert_eq!(answer.json()["params"]["max"], max, "{path}");
        assert_eq!(rig.get(&Who::Nobody, &path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for (query, code) in [
        (format!("{{ impact(item: \"{host}\", first: 501) {{ count }} }}"), "VALIDATION_FAILED"),
        (format!("{{ impact(item: \"{nobody}\", first: 5) {{ count }} }}"), "NOT_FOUND"),
        (
            format!("{{ neighborhood(item: \"{host}\", depth: 7, first: 5) {{ count }} }}"),
            "VALIDATION_FAILED",
        ),
        ("{ groups(by: [\"color\"], first: 5) { groupsCount } }".into(), "VALIDATION_FAILED"),
        (
            format!(
                "{{ {} }}",
                "groups(by: [\"class\"], first: 300) { links { count } groups { path } } "
                    .split_inclusive("} } ")
                    .cycle()
                    .take(30)
                    .enumerate()
                    .map(|(number, text)| format!("g{number}: {text}"))
                    .collect::<String>()
            ),
            "QUERY_TOO_COSTLY",
        ),
    ] {
        let answer = rig.graphql(&admin, &query).await.json();
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{query}: {answer}");
    }
    rig.stop().await;
}
