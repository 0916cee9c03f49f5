//! Agents that are slow, broken or hostile: every look ends in bounded time and says what it could not see.

use super::agent::{Agent, Manner, Variables, recording};
use super::{community, look_at, target};
use collector::CollectError;
use collector::testing::look;
use collector_snmp::SnmpCollector;
use model::run::{CoverageReason, CoverageStatus};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A switch with forty interfaces.
fn switch() -> Variables {
    let mut text = String::from(
        "1.3.6.1.2.1.1.1.0|4|Example Switch\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.1\n\
         1.3.6.1.2.1.1.3.0|67|123456\n1.3.6.1.2.1.1.5.0|4|switch1.example.net\n",
    );
    for index in 1..=40 {
        let rows = [
            format!("1.3.6.1.2.1.2.2.1.2.{index}|4|port {index}"),
            format!("1.3.6.1.2.1.2.2.1.3.{index}|2|6"),
            format!("1.3.6.1.2.1.2.2.1.6.{index}|4x|00005e0053{index:02x}"),
            format!("1.3.6.1.2.1.2.2.1.8.{index}|2|1"),
            format!("1.3.6.1.2.1.31.1.1.1.1.{index}|4|p{index}"),
            format!("1.3.6.1.2.1.31.1.1.1.15.{index}|66|1000"),
        ];
        text.push_str(&rows.join("\n"));
        text.push('\n');
    }
    recording(&text)
}

/// The interfaces that such an agent shows, and how completely.
async fn interfaces(
    manner: Manner,
    version: &str,
) -> (usize, CoverageStatus, CoverageReason, usize) {
    let agent = Agent::start(switch(), manner).await;
    let look = timeout(Duration::from_secs(30), look_at(agent.address, version, "interfaces"));
    let look = look.await.unwrap().unwrap();
    let whole = look.observations.iter().filter(|seen| seen.facts.contains_key("state")).count();
    let requests = agent.requests.load(Ordering::Relaxed);
    (whole, look.coverage.status, look.coverage.reason, requests)
}

const COMPLETE: (usize, CoverageStatus, CoverageReason) =
    (40, CoverageStatus::Complete, CoverageReason::None);

async fn assert_complete(manner: Manner, version: &str) {
    let (count, status, reason, _) = interfaces(manner, version).await;
    assert_eq!((count, status, reason), COMPLETE, "{manner:?}");
}

#[tokio::test]
async fn what_is_lost_is_asked_for_again() {
    assert_complete(Manner::Loses, "2c").await;
}

#[tokio::test]
async fn what_is_too_big_is_asked_for_in_parts() {
    assert_complete(Manner::TooBig(7), "2c").await;
}

#[tokio::test]
async fn answers_that_are_cut_are_taken_as_far_as_they_go() {
    assert_complete(Manner::Cuts, "2c").await;
}

#[tokio::test]
async fn answers_with_wrong_lengths_around_them_are_understood() {
    assert_complete(Manner::WrongLengths, "2c").await;
}

#[tokio::test]
async fn version_1_gives_what_version_2c_gives() {
    assert_complete(Manner::Honest, "1").await;
    assert_complete(Manner::Honest, "2c").await;
}

#[tokio::test]
async fn an_agent_with_numbers_of_its_own_is_understood_and_told_of() {
    assert_complete(Manner::OddIds, "2c").await;
    let agent = Agent::start(switch(), Manner::OddIds).await;
    let look = look_at(agent.address, "2c", "identity").await.unwrap();
    let access = look.observations.iter().find(|seen| seen.class == "management_access").unwrap();
    assert!(format!("{:?}", access.facts["oddities"]).contains("request numbers"));
}

#[tokio::test]
async fn an_agent_that_goes_round_is_left_and_its_scope_is_partial() {
    let (_, status, reason, requests) = interfaces(Manner::GoesRound, "2c").await;
    assert_eq!((status, reason), (CoverageStatus::Partial, CoverageReason::Malformed));
    assert!(requests < 200, "{requests}");
}

#[tokio::test]
async fn an_agent_that_dies_on_the_way_leaves_a_partial_scope() {
    let (_, status, reason, requests) = interfaces(Manner::Dies(4), "2c").await;
    assert_eq!((status, reason), (CoverageStatus::Partial, CoverageReason::TimedOut));
    assert!(requests < 10, "{requests}");
}

/// What a look at such an agent ends with, and after how long.
async fn refusal(manner: Manner) -> (CollectError, Duration) {
    let agent = Agent::start(switch(), manner).await;
    let begin = Instant::now();
    let error = look_at(agent.address, "2c", "interfaces").await.unwrap_err();
    (error, begin.elapsed())
}

#[tokio::test]
async fn a_dead_target_costs_bounded_time_and_each_further_scope_nothing() {
    let (error, took) = refusal(Manner::Silent).await;
    assert!(matches!(error, CollectError::Unreachable { .. }), "{error}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    let agent = Agent::start(switch(), Manner::Silent).await;
    look_at(agent.address, "2c", "interfaces").await.unwrap_err();
    let requests = agent.requests.load(Ordering::Relaxed);
    look_at(agent.address, "2c", "neighbors").await.unwrap_err();
    let more = agent.requests.load(Ordering::Relaxed) - requests;
    // Only whether an engine of version 3 answers is asked again.
    assert!(more <= 2, "{more}");
}

#[tokio::test]
async fn noise_and_floods_end_in_a_clear_error() {
    let (error, took) = refusal(Manner::Noise).await;
    assert!(error.to_string().contains("no SNMP message"), "{error}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    let (error, took) = refusal(Manner::Floods).await;
    assert!(error.to_string().contains("it floods"), "{error}");
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn a_port_that_nothing_listens_on_is_told_at_once() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let error = look_at(address, "2c", "identity").await.unwrap_err();
    let CollectError::Unreachable { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn the_first_credential_that_is_accepted_is_told_and_no_secret_is() {
    let agent = Agent::start(switch(), Manner::Honest).await;
    let wrong = community("old", "2c", "hush-hush");
    let right = community("lab", "2c", "public");
    let both = target(agent.address, vec![wrong.clone(), right]);
    let mut seen = Vec::new();
    let mut run = collector::Run::new(&mut seen);
    let collected =
        collector::Collector::collect(&SnmpCollector, &both, "identity", &mut run).await;
    assert!(collected.is_ok());
    assert_eq!(run.accepted_credential(), Some("lab"));
    let error = look(&SnmpCollector, &target(agent.address, vec![wrong]), "identity").await;
    let error = error.unwrap_err();
    let told = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
    assert!(told.contains("`old`") && !told.contains("hush"), "{told}");
}

#[tokio::test]
async fn a_target_without_credentials_or_with_unusable_options_says_what_to_write() {
    let agent = Agent::start(switch(), Manner::Honest).await;
    let why = |target: collector::Target| async move {
        look(&SnmpCollector, &target, "identity").await.unwrap_err().to_string()
    };
    let told = why(target(agent.address, Vec::new())).await;
    assert!(told.contains("snmp_community"), "{told}");
    let told = why(target(agent.address, vec![community("lab", "4", "public")])).await;
    assert!(told.contains("1 or 2c"), "{told}");
    let mut target = target(agent.address, vec![community("lab", "2c", "public")]);
    target.remote.as_mut().unwrap().options.insert("retries".into(), "-1".into());
    assert!(why(target).await.contains("from 0 to 10"));
}

#[tokio::test]
async fn hostile_text_reaches_nobody_as_commands_of_a_terminal() {
    let mut variables = switch();
    let text = b"\x1b[2J<script>alert(1)</script>'; DROP TABLE item; --\x00\x07".to_vec();
    variables.insert(vec![1, 3, 6, 1, 2, 1, 1, 1, 0], (4, text.clone()));
    variables.insert(vec![1, 3, 6, 1, 2, 1, 1, 5, 0], (4, text));
    let agent = Agent::start(variables, Manner::Honest).await;
    let look = look_at(agent.address, "2c", "identity").await.unwrap();
    for seen in &look.observations {
        let keys = seen.keys.iter().map(|key| key.value.clone());
        let texts = seen.facts.values().filter_map(|value| value.as_text().map(str::to_owned));
        for text in keys.chain(texts) {
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}
