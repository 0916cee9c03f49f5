//! Tests of the command line that nmap gets, and of reading saved reports.

use super::*;
use collector::Remote;

fn target(address: &str, options: &[(&str, &str)]) -> Target {
    let options = options.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let remote = Remote {
        address: address.into(),
        port: None,
        options: options.collect(),
        credentials: Vec::new(),
    };
    Target::remote("office", "berlin", remote)
}

#[test]
fn a_target_adds_no_words_of_its_own_to_the_command_line() {
    let hostile = [
        ("ports", "22 --script=evil"),
        ("profile", "services -oN /etc/passwd"),
        ("rate", "10 --script=evil"),
        ("exclude", "--script=evil"),
    ];
    for (name, value) in hostile {
        let target = target("192.0.2.0/24", &[("engine", "nmap"), (name, value)]);
        assert!(Options::of(&target).is_err(), "{name}");
    }
    let options =
        Options::of(&target("192.0.2.0/24", &[("engine", "nmap"), ("ports", "22")])).unwrap();
    let line = command_line(&options).join(" ");
    assert_eq!(line, "-n -T4 -oX - -iL - -sV --version-light -p 22 --max-rate 10000");
}

#[tokio::test(flavor = "current_thread")]
async fn a_saved_report_is_observed_within_the_addresses_of_the_target() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/testdata/nmap-services.xml");
    let target = target("192.0.2.0/28", &[("nmap_file", path)]);
    let look =
        collector::testing::look(&crate::SweepCollector, &target, crate::SCOPE).await.unwrap();
    assert_eq!(look.coverage, Coverage::complete());
    assert_eq!(look.failures.len(), 1, "192.0.2.20 is outside");
    let complaints =
        collector::testing::complaints(&crate::SweepCollector, crate::SCOPE, &look.observations);
    assert_eq!(complaints, Vec::<String>::new());
    let keys: Vec<&str> = look.observations.iter().map(|seen| seen.native_key.as_str()).collect();
    assert_eq!(
        keys,
        ["address/192.0.2.10", "address/192.0.2.10/listening_endpoint/host/tcp/192.0.2.10/22"]
    );
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_no_report_is_refused_with_what_to_name() {
    for path in ["/nonexistent/report.xml", "/dev/zero", "/etc/hostname", "/"] {
        let target = target("192.0.2.0/28", &[("nmap_file", path)]);
        let error = collector::testing::look(&crate::SweepCollector, &target, crate::SCOPE).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("nmap -oX"), "{path}: {error}");
    }
}
