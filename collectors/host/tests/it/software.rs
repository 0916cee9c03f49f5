//! What the software half says, beside dpkg-query, ss, ps, systemctl, getent, ssh-keygen and openssl.
//!
//! Processes and sockets of other programs come and go while a test runs. So the other tool is asked before and
//! after: what both of its answers hold must have been seen, and what was seen must stand in one of them.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a helper of tests fails its test"
)]

use crate::{line, look, of_class, the, this_host, tool};
use collector::{Target, testing};
use collector_host::HostCollector;
use model::{CoverageStatus, Observation, RelationTarget};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;

/// Looks at a scope of a tree that a test made.
async fn look_at(root: &Path, scope: &str) -> Vec<Observation> {
    let target = Target { root: root.to_owned(), ..this_host() };
    testing::look(&HostCollector, &target, scope).await.unwrap().observations
}

#[tokio::test]
async fn packages_are_those_of_dpkg_query() {
    let (seen, coverage) = look("packages.dpkg").await;
    assert_eq!(coverage.status, CoverageStatus::Complete);
    let fields = [
        "Package",
        "Version",
        "Architecture",
        "source:Package",
        "Installed-Size",
        "Maintainer",
        "Section",
        "binary:Summary",
        "db:Status-Want",
    ];
    let format = fields.map(|field| format!("${{{field}}}")).join("\t");
    let told =
        tool("dpkg", "dpkg-query", &["-W", "-f", &format!("${{db:Status-Status}}\t{format}\n")]);
    let expected: BTreeSet<String> = told
        .lines()
        .filter_map(|line| line.strip_prefix("installed\t"))
        .map(|line| {
            let mut fields: Vec<&str> = line.split('\t').map(str::trim).collect();
            let kib: u64 = fields[4].parse().unwrap_or(0);
            let bytes = if fields[4].is_empty() { String::new() } else { (kib * 1024).to_string() };
            fields[4] = &bytes;
            fields[8] = if fields[8] == "hold" { "true" } else { "false" };
            fields.join("\t")
        })
        .collect();
    let attributes = [
        "name",
        "version",
        "architecture",
        "source_package",
        "installed_bytes",
        "maintainer",
        "section",
        "summary",
        "is_held",
    ];
    let ours: BTreeSet<String> =
        seen.iter().map(|seen| attributes.map(|name| line(seen, name)).join("\t")).collect();
    let differences: Vec<_> = ours.symmetric_difference(&expected).take(10).collect();
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(ours.len() > 50, "{} packages", ours.len());
}

/// The ends of `ss`: protocol, address and port of column `column`, with what stands behind.
fn ends(arguments: &[&str], column: usize) -> BTreeMap<(String, String, String), String> {
    let text = tool("iproute2", "ss", arguments);
    let mut ends = BTreeMap::new();
    for row in text.lines() {
        let fields: Vec<&str> = row.split_whitespace().collect();
        let (address, port) = fields[column].rsplit_once(':').unwrap();
        let address = address.trim_matches(['[', ']']).split('%').next().unwrap();
        // `*` is how ss writes a socket that takes both families.
        let address = if address == "*" { "::" } else { address };
        let key = (fields[0].to_owned(), address.to_owned(), port.to_owned());
        ends.insert(key, fields.last().unwrap().to_string());
    }
    ends
}

fn ephemeral(port: &str) -> bool {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let range: Vec<u16> = range.split_whitespace().map(|port| port.parse().unwrap()).collect();
    (range[0]..=range[1]).contains(&port.parse().unwrap())
}

#[tokio::test]
async fn listeners_are_those_of_ss() {
    let four = TcpListener::bind("127.0.0.1:0").unwrap();
    let six = TcpListener::bind("[::1]:0").unwrap();
    // A port that the kernel picked does not make a listener of UDP, so one of our own choice is taken.
    let datagrams =
        (20_000..21_000).find_map(|port| UdpSocket::bind(("127.0.0.1", port)).ok()).unwrap();
    let wanted = ["-H", "-tulnp"];
    let before = ends(&wanted, 4);
    let look = testing::look(&HostCollector, &this_host(), "processes").await.unwrap();
    let after = ends(&wanted, 4);
    let is_listener =
        |(protocol, _, port): &&(String, String, String)| protocol == "tcp" || !ephemeral(port);
    let ours: BTreeSet<_> = of_class(&look.observations, "listening_endpoint")
        .into_iter()
        .filter(|seen| line(seen, "namespace") == "host")
        .map(|seen| (line(seen, "protocol"), line(seen, "address"), line(seen, "port")))
        .collect();
    for end in before.keys().filter(|end| after.contains_key(*end)).filter(is_listener) {
        assert!(ours.contains(end), "ss knows {end:?}");
    }
    for end in &ours {
        assert!(before.contains_key(end) || after.contains_key(end), "ss does not know {end:?}");
    }
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_str().unwrap();
    for port in [&four, &six].map(|listener| listener.local_addr().unwrap().port().to_string()) {
        let seen = the(&look.observations, "listening_endpoint", "port", &port);
        assert_eq!(line(seen, "program"), program);
        assert_eq!(line(seen, "is_exposed"), "false");
        let us = the(&look.observations, "process", "name", program);
        let listens = RelationTarget::Native(seen.native_key.clone());
        assert!(us.relations.iter().any(|relation| relation.target == listens));
    }
    let port = datagrams.local_addr().unwrap().port().to_string();
    assert_eq!(
        line(the(&look.observations, "listening_endpoint", "port", &port), "protocol"),
        "udp"
    );
}

#[tokio::test]
async fn connections_are_those_that_ss_shows_for_the_same_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _client = TcpStream::connect(address).unwrap();
    let (_accepted, _) = listener.accept().unwrap();
    let us = std::process::id();
    let shown = tool(
        "iproute2",
        "ss",
        &["-H", "-tnp", "state", "established", "dst", &address.to_string()],
    );
    assert!(shown.contains(&format!("pid={us},")), "{shown}");
    let look = testing::look(&HostCollector, &this_host(), "processes").await.unwrap();
    let endpoint = RelationTarget::Endpoint {
        protocol: "tcp".into(),
        address: "127.0.0.1".into(),
        port: address.port(),
    };
    let connected: Vec<_> = of_class(&look.observations, "process")
        .into_iter()
        .filter(|seen| seen.relations.iter().any(|relation| relation.target == endpoint))
        .collect();
    assert_eq!(connected.len(), 1);
    let program = std::env::current_exe().unwrap();
    assert_eq!(line(connected[0], "name"), program.file_name().unwrap().to_str().unwrap());
    // The accepted half belongs to the listener and leads nowhere.
    let seen = the(&look.observations, "listening_endpoint", "port", &address.port().to_string());
    assert_eq!(line(seen, "connections_count"), "1");
    let accepted_only = connected[0].relations.iter().filter(|relation| {
        matches!(&relation.target, RelationTarget::Endpoint { port, .. } if *port == address.port())
    });
    assert_eq!(accepted_only.count(), 1);
}

/// Parent, account and number of threads of each process, by pid.
fn processes_of_ps() -> BTreeMap<String, (String, String)> {
    let text = tool("procps", "ps", &["-eo", "pid=,ppid=,euser:32=,stat="]);
    let rows =
        text.lines().map(|row| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    rows.filter(|row| !row[3].starts_with('Z'))
        .map(|row| (row[0].clone(), (row[1].clone(), row[2].clone())))
        .collect()
}

#[tokio::test]
async fn processes_are_those_of_ps() {
    let before = processes_of_ps();
    let look = testing::look(&HostCollector, &this_host(), "processes").await.unwrap();
    let after = processes_of_ps();
    let lasting = before.keys().filter(|pid| after.contains_key(*pid)).count();
    let seen = of_class(&look.observations, "process");
    let instances: usize =
        seen.iter().map(|seen| line(seen, "instances_count").parse::<usize>().unwrap()).sum();
    let young = tool("procps", "ps", &["-eo", "etimes="]);
    let young = young.lines().filter(|age| age.trim().parse::<u64>().unwrap() < 30).count();
    assert!(instances + young >= lasting, "{instances} of {lasting}, {young} young");
    let mut compared = 0;
    for seen in seen {
        let pid = line(seen, "pid");
        if let (Some(told), Some(same)) = (before.get(&pid), after.get(&pid))
            && told == same
        {
            assert_eq!((line(seen, "parent_pid"), line(seen, "run_as")), *told, "pid {pid}");
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared} processes were compared");
}

#[tokio::test]
async fn what_is_enabled_is_what_systemctl_says() {
    let (seen, _) = look("units").await;
    let text =
        tool("systemd", "systemctl", &["--root=/", "list-unit-files", "--no-pager", "--no-legend"]);
    let expected: BTreeMap<&str, &str> = text
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>())
        .filter(|row| row[1] != "alias")
        .map(|row| (row[0], row[1]))
        .collect();
    assert!(expected.len() > 50, "{} units", expected.len());
    let ours: BTreeMap<String, String> = seen
        .iter()
        .filter(|seen| line(seen, "manager") == "systemd")
        .map(|seen| (line(seen, "name"), line(seen, "enabled_state")))
        .collect();
    for (unit, state) in &expected {
        assert_eq!(ours.get(*unit).map(String::as_str), Some(*state), "{unit}");
    }
    // systemctl lists no instances; every other unit of ours is one of its.
    for unit in ours.keys().filter(|unit| !unit.contains('@')) {
        assert!(expected.contains_key(unit.as_str()), "systemctl does not know {unit}");
    }
}

#[tokio::test]
async fn accounts_are_those_of_getent() {
    let (seen, _) = look("accounts").await;
    let text = tool("libc-bin", "getent", &["passwd"]);
    for row in text.lines() {
        let fields: Vec<&str> = row.split(':').collect();
        let user = the(&seen, "user_account", "name", fields[0]);
        let ours = ["uid", "gid", "home", "shell"].map(|name| line(user, name));
        assert_eq!(ours, [fields[2], fields[3], fields[5], fields[6]].map(str::to_owned));
        let groups = tool("coreutils", "id", &["-Gn", fields[0]]);
        let expected: BTreeSet<String> = groups.split_whitespace().map(str::to_owned).collect();
        let told = line(user, "groups");
        assert_eq!(
            told.split(", ").map(str::to_owned).collect::<BTreeSet<_>>(),
            expected,
            "{}",
            fields[0]
        );
    }
    assert_eq!(of_class(&seen, "user_account").len(), text.lines().count());
    let text = tool("libc-bin", "getent", &["group"]);
    for row in text.lines() {
        let fields: Vec<&str> = row.split(':').collect();
        let group = the(&seen, "user_group", "name", fields[0]);
        assert_eq!(line(group, "gid"), fields[2]);
        assert_eq!(line(group, "members").replace(", ", ","), fields[3]);
    }
}

#[tokio::test]
async fn fingerprints_of_keys_are_those_of_ssh_keygen() {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("home/alice/.ssh");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::create_dir_all(place.path().join("etc")).unwrap();
    std::fs::write(place.path().join("etc/passwd"), "alice:x:1000:1000::/home/alice:/bin/bash\n")
        .unwrap();
    let mut keys = String::new();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let file = place.path().join(kind);
        let file = file.to_str().unwrap();
        tool(
            "openssh-client",
            "ssh-keygen",
            &["-q", "-t", kind, "-N", "", "-C", "alice@example.org", "-f", file],
        );
        keys.push_str(&std::fs::read_to_string(format!("{file}.pub")).unwrap());
    }
    let file = home.join("authorized_keys");
    std::fs::write(&file, keys).unwrap();
    // `256 SHA256:… alice@example.org (ED25519)`
    let expected: Vec<String> =
        tool("openssh-client", "ssh-keygen", &["-lf", file.to_str().unwrap()])
            .lines()
            .map(|row| {
                let fields: Vec<&str> = row.split_whitespace().collect();
                format!("{} {} {}", fields[1], fields[3], fields[2])
            })
            .collect();
    assert_eq!(expected.len(), 3);
    let seen = look_at(place.path(), "accounts").await;
    assert_eq!(
        line(the(&seen, "user_account", "name", "alice"), "authorized_keys"),
        expected.join(", ")
    );
}

#[tokio::test]
async fn certificates_are_those_of_openssl() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("etc/ssl");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, key) in [("ec", "ec:P-384"), ("rsa", "rsa:2048"), ("ed", "ed25519")] {
        let mut arguments = vec![
            "req",
            "-x509",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/C=DE/O=Example/CN=db.example.org",
        ];
        match key.split_once(':') {
            Some(("ec", _)) => {
                arguments.extend(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"])
            }
            _ => arguments.extend(["-newkey", key]),
        }
        let file = folder.join(format!("{name}.pem"));
        let key_file = place.path().join("key");
        arguments.extend([
            "-addext",
            "subjectAltName=DNS:db.example.org,IP:192.0.2.9",
            "-out",
            file.to_str().unwrap(),
            "-keyout",
            key_file.to_str().unwrap(),
        ]);
        tool("openssl", "openssl", &arguments);
    }
    let seen = look_at(place.path(), "certificates").await;
    assert_eq!(seen.len(), 3);
    for seen in &seen {
        let file = format!("{}{}", place.path().display(), line(seen, "path"));
        let ask = |what: &[&str]| {
            let mut arguments = vec!["x509", "-noout", "-in", &file];
            arguments.extend(what);
            let told = tool("openssl", "openssl", &arguments);
            told.trim().split_once('=').unwrap().1.to_owned()
        };
        assert_eq!(
            line(seen, "fingerprint"),
            ask(&["-fingerprint", "-sha256"]).replace(':', "").to_lowercase()
        );
        assert_eq!(
            line(seen, "serial_number"),
            ask(&["-serial"]).to_lowercase().trim_start_matches("00")
        );
        assert_eq!(line(seen, "subject"), ask(&["-subject", "-nameopt", "sep_comma_plus_space"]));
        let end = ask(&["-enddate"]);
        let end = tool("coreutils", "date", &["-d", &end, "+%s"]);
        assert_eq!(line(seen, "not_after"), format!("{}000", end.trim()));
        assert_eq!(line(seen, "alternative_names"), "db.example.org, 192.0.2.9");
        assert_eq!(line(seen, "is_self_signed"), "true");
    }
    let keys: BTreeSet<String> = seen.iter().map(|seen| line(seen, "key_algorithm")).collect();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["EC P-384", "Ed25519", "RSA 2048"]);
}

/// A program that listens in a network namespace of its own, as in a container; it ends with its input.
const LISTENER: &str = "use IO::Socket::INET; my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '0.0.0.0') or die; \
     $| = 1; print $s->sockport, \"\\n\"; <STDIN>;";

/// Starts it, before it the words of `wrapper`; gives the process and its port.
fn start_listener(wrapper: &[&str]) -> (std::process::Child, String) {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let words = [wrapper, &["perl", "-e", LISTENER]].concat();
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    assert!(!port.trim().is_empty(), "needs root, and apt-get install util-linux perl-base");
    (child, port.trim().to_owned())
}

/// Ends it by the end of its input.
fn end_listener(mut child: std::process::Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[tokio::test]
async fn a_listener_in_another_network_namespace_is_not_one_of_the_host() {
    let (child, port) = start_listener(&["unshare", "--net"]);
    let look = testing::look(&HostCollector, &this_host(), "processes").await.unwrap();
    end_listener(child);
    let seen = the(&look.observations, "listening_endpoint", "port", &port);
    assert_eq!(line(seen, "program"), "perl");
    assert_ne!(line(seen, "namespace"), "host");
    assert!(!seen.facts.contains_key("is_exposed"));
}

/// Runs `work` on a thread that has given up root; the other threads keep it.
#[expect(
    unsafe_code,
    reason = "credentials of one thread are changed by the system calls themselves"
)]
fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    const NOBODY: libc::uid_t = 65_534;
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                // SAFETY: the calls take numbers and an empty list, and change this thread only.
                let results = unsafe {
                    [
                        libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()),
                        libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY),
                        libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY),
                    ]
                };
                assert_eq!(results, [0; 3], "needs root");
                work()
            })
            .join()
            .unwrap()
    })
}

#[test]
fn without_root_what_is_denied_is_not_looked_at_and_the_rest_is_seen() {
    let (child, port) = start_listener(&[]);
    let looks = as_nobody(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        ["accounts", "processes"].map(|scope| {
            runtime.block_on(testing::look(&HostCollector, &this_host(), scope)).unwrap()
        })
    });
    end_listener(child);
    for look in &looks {
        assert_eq!(look.coverage.status, CoverageStatus::Partial);
        assert_eq!(look.coverage.reason, model::run::CoverageReason::PermissionDenied);
        assert!(look.coverage.detail.contains("run the agent as root"), "{}", look.coverage.detail);
    }
    let root = the(&looks[0].observations, "user_account", "name", "root");
    assert_eq!(line(root, "uid"), "0");
    for withheld in ["password_state", "password_changed_at", "authorized_keys"] {
        assert!(!root.facts.contains_key(withheld), "{withheld}");
    }
    let seen = the(&looks[1].observations, "listening_endpoint", "port", &port);
    assert_eq!(line(seen, "address"), "0.0.0.0");
    assert_eq!(line(seen, "is_exposed"), "true");
    assert!(!seen.facts.contains_key("program"));
    assert!(of_class(&looks[1].observations, "process").len() > 10);
}

#[tokio::test]
async fn every_scope_holds_to_manifest_and_catalog() {
    for scope in [
        "processes",
        "units",
        "accounts",
        "jobs",
        "kernel_modules",
        "certificates",
        "containers",
        "packages.rpm",
        "packages.apk",
        "packages.pacman",
        "packages.python",
        "packages.npm",
        "packages.gem",
        "packages.snap",
        "packages.flatpak",
    ] {
        let look = testing::look(&HostCollector, &this_host(), scope).await.unwrap();
        let complaints = testing::complaints(&HostCollector, scope, &look.observations);
        assert!(complaints.is_empty(), "{complaints:#?}");
        let keys: BTreeSet<&str> =
            look.observations.iter().map(|seen| seen.native_key.as_str()).collect();
        assert_eq!(keys.len(), look.observations.len(), "{scope} names two items alike");
    }
}

#[tokio::test]
async fn a_scope_without_a_change_has_the_same_guard() {
    use collector::Collector;
    let host = this_host();
    for scope in HostCollector.manifest().scopes.iter().filter(|scope| !scope.is_volatile) {
        if let Some(guard) = HostCollector.guard(&host, scope.name) {
            assert_eq!(HostCollector.guard(&host, scope.name), Some(guard), "{}", scope.name);
        }
    }
}
