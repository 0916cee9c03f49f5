//! The SNMP collector against real agents: net-snmp's snmpd with users of every protocol.

use anyhow::{Context, Result, bail};
use collector::testing::{Look, complaints, look};
use collector::{CollectError, Credential, Remote, Secret, Target};
use collector_snmp::SnmpCollector;
use model::run::{CoverageReason, CoverageStatus};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use system_tests::process::signal;
use system_tests::snmpd::{AUTH_PASSWORD, Agents, PRIVACY_PASSWORD, USERS};

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn community(text: &str) -> Credential {
    Credential {
        name: "lab".into(),
        kind: "snmp_community".into(),
        settings: BTreeMap::new(),
        secrets: BTreeMap::from([("community".into(), Secret::new(text.into()))]),
    }
}

/// A user as snmpd.conf(5) names its protocols.
fn user((name, auth, privacy): (&str, &str, &str), passwords: (&str, &str)) -> Credential {
    let secret = |text: &str| Secret::new(text.to_owned());
    let mut settings = map(&[("user", name)]);
    let mut secrets = BTreeMap::new();
    if !auth.is_empty() {
        settings.insert("auth".into(), auth.to_owned());
        secrets.insert("auth_password".into(), secret(passwords.0));
    }
    if !privacy.is_empty() {
        settings.insert("privacy".into(), privacy.to_owned());
        secrets.insert("privacy_password".into(), secret(passwords.1));
    }
    Credential { name: name.to_owned(), kind: "snmp_user".into(), settings, secrets }
}

fn target(agents: &Agents, credential: Credential) -> Target {
    let remote = Remote {
        address: "127.0.0.1".into(),
        port: Some(agents.port),
        options: map(&[("timeout_seconds", "1"), ("retries", "1")]),
        credentials: vec![credential],
    };
    Target::remote("agent-1", "berlin", remote)
}

async fn look_at(
    agents: &Agents,
    credential: Credential,
    scope: &str,
) -> Result<Look, CollectError> {
    let look = look(&SnmpCollector, &target(agents, credential), scope).await?;
    let complaints = complaints(&SnmpCollector, scope, &look.observations);
    assert!(complaints.is_empty(), "{complaints:?}");
    Ok(look)
}

async fn start(folder: &Path) -> Result<Agents> {
    Agents::start(folder, &["127.0.0.1".to_owned()]).await
}

#[tokio::test]
async fn every_protocol_of_snmpd_is_spoken_and_its_level_is_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let agents = start(folder.path()).await?;
    for protocols in USERS {
        let credential = user(*protocols, (AUTH_PASSWORD, PRIVACY_PASSWORD));
        let look = look_at(&agents, credential, "identity").await.context(protocols.0)?;
        assert_eq!(look.coverage.status, CoverageStatus::Complete, "{:?}", look.failures);
        let access = look.observations.iter().find(|seen| seen.class == "management_access");
        let access = access.context("no access")?;
        assert_eq!(access.facts["protocol_version"].as_text(), Some("3"));
        let level = access.facts["security_level"].as_text().unwrap_or_default();
        let wanted = match (protocols.1.is_empty(), protocols.2.is_empty()) {
            (true, _) => "noAuthNoPriv",
            (_, true) => "authNoPriv",
            _ => "authPriv",
        };
        assert!(level.starts_with(wanted), "{}: {level}", protocols.0);
        let host = look.observations.iter().find(|seen| seen.class == "host").context("no host")?;
        assert_eq!(host.facts["fqdn"].as_text(), Some("agent.example.net"));
    }
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_user_of_snmpd_is_told_apart() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let agents = start(folder.path()).await?;
    let right = (AUTH_PASSWORD, PRIVACY_PASSWORD);
    let cases = [
        (
            user(("sha256aes", "SHA-256", "AES"), (AUTH_PASSWORD, "wrong-pass-9")),
            "privacy password",
        ),
        (user(("md5des", "MD5", "DES"), (AUTH_PASSWORD, "wrong-pass-9")), "privacy password"),
        (
            user(("sha256aes", "SHA-256", "AES"), ("wrong-pass-9", PRIVACY_PASSWORD)),
            "authentication password",
        ),
        (user(("sha256aes", "SHA-512", "AES"), right), "authentication password"),
        (user(("stranger", "SHA-256", "AES"), right), "no such user"),
        (community("guess"), "`lab`"),
    ];
    for (credential, wanted) in cases {
        let name = credential.name.clone();
        let Err(error) = look_at(&agents, credential, "identity").await else {
            bail!("{name} was let in")
        };
        let CollectError::Refused { remedy, .. } = &error else { bail!("{name}: {error}") };
        assert!(remedy.contains(wanted), "{name}: {remedy}");
        assert!(!remedy.contains("pass-"), "{remedy}");
    }
    Ok(())
}

#[tokio::test]
async fn the_interfaces_of_snmpd_are_those_of_the_kernel() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let agents = start(folder.path()).await?;
    let look = look_at(&agents, community("public"), "interfaces").await?;
    let seen: BTreeSet<String> = look
        .observations
        .iter()
        .filter_map(|seen| seen.facts.get("name")?.as_text().map(str::to_owned))
        .collect();
    let kernel: BTreeSet<String> = std::fs::read_dir("/sys/class/net")?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| Path::new("/sys/class/net").join(name).is_dir())
        .collect();
    assert_eq!(seen, kernel);
    let loopback = look.observations.iter().find(|seen| seen.native_key.ends_with("/lo"));
    let loopback = loopback.context("no loopback")?;
    assert_eq!(loopback.facts["interface_type"].as_text(), Some("loopback"));
    assert!(format!("{:?}", loopback.facts["addresses"]).contains("127.0.0.1/8"));
    Ok(())
}

#[tokio::test]
async fn what_a_view_of_snmpd_leaves_out_is_not_an_error() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let agents = start(folder.path()).await?;
    let look = look_at(&agents, community("sysonly"), "software").await?;
    assert_eq!(look.coverage.reason, CoverageReason::NotPresent);
    let whole = look_at(&agents, community("public"), "software").await?;
    assert!(whole.observations.len() > 50, "{}", whole.observations.len());
    Ok(())
}

#[tokio::test]
async fn an_engine_of_snmpd_that_was_started_again_is_believed_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut agents = start(folder.path()).await?;
    let credential = || user(("sha256aes", "SHA-256", "AES"), (AUTH_PASSWORD, PRIVACY_PASSWORD));
    look_at(&agents, credential(), "identity").await?;
    agents.restart(folder.path()).await?;
    let look = look_at(&agents, credential(), "identity").await?;
    assert_eq!(look.coverage.status, CoverageStatus::Complete);
    Ok(())
}

#[tokio::test]
async fn a_process_of_snmpd_that_is_stopped_costs_bounded_time() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let agents = start(folder.path()).await?;
    for pid in agents.pids() {
        signal(pid, libc::SIGSTOP)?;
    }
    let begin = tokio::time::Instant::now();
    let error = look_at(&agents, community("public"), "interfaces").await.err();
    for pid in agents.pids() {
        signal(pid, libc::SIGCONT)?;
    }
    let error = error.context("a stopped agent answered")?;
    assert!(matches!(error, CollectError::Unreachable { .. }), "{error}");
    assert!(begin.elapsed() < std::time::Duration::from_secs(10));
    Ok(())
}
