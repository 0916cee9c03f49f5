//! The past over REST and GraphQL: as of a moment, between two moments, from change to change, and where it ends.

use crate::support::{Rig, Session, Who};
use http::StatusCode;
use model::classes::{host, package};
use model::{IdentityKey, KeyType, Observation, Realm, Timestamp};
use serde_json::{Value, json};

/// A host that was renamed and lost a package, with the moments at which it was first seen and changed.
struct Renamed {
    rig: Rig,
    admin: Who,
    id: String,
    first: String,
    second: String,
}

fn seen(agent: &str, fqdn: &str, packages: &[(&str, &str)]) -> Vec<Observation> {
    let own = Observation::of(&host::CLASS, "host")
        .with(&host::FQDN, fqdn.to_owned())
        .key(IdentityKey::new(KeyType::AgentKey, Realm::everywhere(), agent));
    let part = |(name, version): &(&str, &str)| {
        Observation::part(&package::CLASS, "host", &["dpkg", name, "amd64"])
            .with(&package::VERSION, (*version).to_owned())
    };
    std::iter::once(own).chain(packages.iter().map(part)).collect()
}

async fn renamed() -> Renamed {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    let mut session = Session::open(&agent).await.unwrap();
    let name = agent.id();
    session.report("all", &seen(&name, "db1.example.net", &[("vim", "1"), ("nano", "7")])).await;
    session.report("all", &seen(&name, "db2.example.net", &[("vim", "2"), ("bash", "5")])).await;
    let host = rig.get(&admin, "/api/v1/items?class=host").await.json();
    let id = host["items"][0]["id"].as_str().unwrap().to_owned();
    let moments = rig.get(&admin, &format!("/api/v1/items/{id}/moments")).await.json();
    let at = |name: &str| moments[name].as_str().unwrap().to_owned();
    let (first, second) = (at("first"), at("last"));
    assert!(first < second, "{moments}");
    Renamed { rig, admin, id, first, second }
}

fn titles(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|item| item["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_item_a_list_its_relations_and_its_counts_are_answered_as_of_a_moment() {
    let Renamed { rig, admin, id, first, second } = renamed().await;
    let get = async |path: String| rig.get(&admin, &path).await.json();
    let was = get(format!("/api/v1/items/{id}?at={first}")).await;
    assert_eq!(was["title"], "db1.example.net", "{was}");
    assert_eq!(was["attributes"]["fqdn"][0]["value"], "db1.example.net");
    let packages = get(format!("/api/v1/items?class=package&at={first}")).await;
    assert_eq!(titles(&packages), ["nano", "vim"]);
    let packages = get(format!("/api/v1/items?class=package&at={second}")).await;
    assert_eq!(titles(&packages), ["bash", "vim"]);
    let found = get(format!("/api/v1/items?text=db1&at={first}")).await;
    assert_eq!(titles(&found), ["db1.example.net"], "found by what it was called then");
    let relations = get(format!("/api/v1/items/{id}/relations?verb=part_of&at={first}")).await;
    let others: Vec<&str> = relations["relations"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|relation| relation["title"].as_str())
        .collect();
    assert_eq!(others, ["nano", "vim"]);
    let around = get(format!("/api/v1/items/{id}/neighborhood?at={first}")).await;
    assert_eq!(around["item"]["title"], "db1.example.net", "{around}");
    let others = around["items"].as_array().unwrap().iter();
    let others: Vec<&str> = others.filter_map(|one| one["item"]["title"].as_str()).collect();
    assert_eq!((others, &around["count"]), (vec!["vim", "nano"], &json!(2)));
    let query = format!(
        r#"{{ neighborhood(item: "{id}", at: "{first}", fold: 1, first: 5) {{ count bundles {{ count class }}
            item {{ title parts(first: 5) {{ totalCount {{ value }} }} }} }} }}"#
    );
    let answer = rig.graphql(&admin, &query).await.json();
    let expected = json!({"count": 0, "bundles": [{"count": 2, "class": "package"}],
        "item": {"title": "db1.example.net", "parts": {"totalCount": {"value": 2}}}});
    assert_eq!(answer["data"]["neighborhood"], expected, "{answer}");
    let counts = get(format!("/api/v1/counts?parent={id}&at={first}")).await;
    assert_eq!(counts["classes"], json!([{"class": "package", "count": 2}]));
    let query = format!(
        r#"{{ item(id: "{id}", at: "{first}") {{ title moments {{ next previous }}
            parts(first: 5) {{ edges {{ node {{ title parent {{ title }} }} }} }} }} }}"#
    );
    let answer = rig.graphql(&admin, &query).await.json();
    let item = &answer["data"]["item"];
    assert_eq!(item["title"], "db1.example.net", "{answer}");
    assert_eq!(item["moments"], json!({"next": second, "previous": null}));
    assert_eq!(item["parts"]["edges"][0]["node"]["title"], "nano");
    assert_eq!(item["parts"]["edges"][0]["node"]["parent"]["title"], "db1.example.net");
    rig.stop().await;
}

#[tokio::test]
async fn two_moments_are_compared_with_exact_counts_and_pages() {
    let Renamed { rig, admin, id, first, second } = renamed().await;
    let get = async |path: String| rig.get(&admin, &path).await.json();
    let path = format!("/api/v1/diff?from={first}&to={second}&page_size=3");
    let page = get(path.clone()).await;
    let counts = json!({"created": 1, "returned": 0, "retired": 1, "changed": 2, "attributes": 2,
        "relations_begun": 0, "relations_ended": 0});
    assert_eq!(page["counts"], counts, "{page}");
    let token = page["next_page_token"].as_str().unwrap();
    let rest = get(format!("{path}&page_token={token}")).await;
    assert_eq!(rest["counts"], json!(null));
    let all: Vec<Value> =
        [&page, &rest].iter().flat_map(|page| page["items"].as_array().unwrap().clone()).collect();
    let kinds: Vec<(&str, &str)> = all
        .iter()
        .map(|item| (item["title"].as_str().unwrap(), item["kind"].as_str().unwrap()))
        .collect();
    let expected = [
        ("db2.example.net", "changed"),
        ("vim", "changed"),
        ("nano", "retired"),
        ("bash", "created"),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(
        all[0]["attributes"],
        json!([{"name": "fqdn", "before": "db1.example.net", "after": "db2.example.net"}])
    );
    let retired = get(format!("/api/v1/diff?from={first}&kind=retired&class=package")).await;
    assert_eq!(titles(&retired), ["nano"], "without a later moment, until now");
    let own = get(format!("/api/v1/diff?from={first}&to={second}&item={id}")).await;
    assert_eq!(own["counts"]["relations_begun"], 1, "{own}");
    assert_eq!(own["counts"]["relations_ended"], 1, "parts are told of one item");
    let query = format!(
        r#"{{ diff(from: "{first}", to: "{second}", class: ["package"]) {{ counts {{ created retired changed }}
            items(first: 5) {{ edges {{ kind stateBefore stateAfter node {{ title }}
                attributeDifferences {{ name before after }} }} }} }} }}"#
    );
    let answer = rig.graphql(&admin, &query).await.json();
    let diff = &answer["data"]["diff"];
    assert_eq!(diff["counts"], json!({"created": 1, "retired": 1, "changed": 1}), "{answer}");
    let expected = json!({"kind": "CHANGED", "stateBefore": "ACTIVE", "stateAfter": "ACTIVE",
        "node": {"title": "vim"},
        "attributeDifferences": [{"name": "version", "before": "1", "after": "2"}]});
    assert_eq!(diff["items"]["edges"][0], expected);
    rig.stop().await;
}

#[tokio::test]
async fn before_the_horizon_there_is_a_clear_error_everywhere_and_never_half_an_answer() {
    let Renamed { rig, admin, id, first, second } = renamed().await;
    let whole = rig.get(&admin, "/api/v1/history").await.json();
    assert_eq!(whole, json!({"days": 400, "kept_since": null}));
    let millis = second.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let horizon = Timestamp::from_millis(millis);
    let history = &rig.server.app().history;
    while !history.forget(horizon).await.unwrap().is_done {}
    let extent = rig.get(&admin, "/api/v1/history").await.json();
    assert_eq!(extent["kept_since"], json!(second));
    for path in [
        format!("items/{id}?at={first}"),
        format!("items?class=host&at={first}"),
        format!("items/{id}/relations?at={first}"),
        format!("items/{id}/moments?at={first}"),
        format!("items/{id}/neighborhood?at={first}"),
        format!("counts?at={first}"),
        format!("diff?from={first}"),
        format!("diff?from={first}&item={id}"),
        format!("changes?since={first}"),
    ] {
        let answer = rig.get(&admin, &format!("/api/v1/{path}")).await;
        assert_eq!(answer.code(), "HISTORY_EXPIRED", "{path}");
        assert_eq!(answer.status, StatusCode::GONE);
        assert_eq!(answer.json()["params"]["kept_since"], json!(second), "{path}");
    }
    let query = format!(r#"{{ item(id: "{id}", at: "{first}") {{ title }} }}"#);
    let answer = rig.graphql(&admin, &query).await.json();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "HISTORY_EXPIRED", "{answer}");
    let now = rig.get(&admin, &format!("/api/v1/items/{id}?at={second}")).await.json();
    assert_eq!(now["title"], "db2.example.net");
    let moments = rig.get(&admin, &format!("/api/v1/items/{id}/moments")).await.json();
    assert_eq!(moments["first"], json!(second));
    rig.stop().await;
}

#[tokio::test]
async fn questions_about_the_past_are_refused_to_strangers_and_a_wrong_one_is_named() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let diff = "/api/v1/diff";
    let from = "from=2026-01-31T12:00:00Z";
    for path in [format!("{diff}?{from}"), "/api/v1/history".into()] {
        assert_eq!(rig.get(&Who::Nobody, &path).await.status, StatusCode::UNAUTHORIZED);
    }
    for (question, code) in [
        ("", "VALIDATION_FAILED"),
        ("?from=yesterday", "VALIDATION_FAILED"),
        (&format!("?{from}&to=2026-01-30T12:00:00Z"), "VALIDATION_FAILED"),
        (&format!("?{from}&kind=exploded"), "VALIDATION_FAILED"),
        (&format!("?{from}&item=x"), "NOT_FOUND"),
        (&format!("?{from}&color=red"), "VALIDATION_FAILED"),
    ] {
        let answer = rig.get(&admin, &format!("{diff}{question}")).await;
        assert_eq!(answer.code(), code, "{question}");
    }
    let unknown = "/api/v1/items/01890000-0000-7000-8000-000000000000/moments";
    assert_eq!(rig.get(&admin, unknown).await.status, StatusCode::NOT_FOUND);
    rig.stop().await;
}
