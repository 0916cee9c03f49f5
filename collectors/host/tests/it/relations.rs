//! What programs and services came with, beside `dpkg -S`, and the certificates that servers prove themselves with:
//! every relationship leads to an item that another scope tells of.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use crate::{line, look, of_class, the, this_host, tool};
use collector::{Target, testing};
use collector_host::HostCollector;
use model::{Observation, RelationTarget};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

/// The native keys that an observation leads to by a relationship.
fn targets<'a>(seen: &'a Observation, verb: &str) -> Vec<&'a str> {
    seen.relations
        .iter()
        .filter(|relation| relation.verb == verb)
        .map(|relation| match &relation.target {
            RelationTarget::Native(key) => key.as_str(),
            other => unreachable!("{verb} leads to {other:?}"),
        })
        .collect()
}

/// The path with `/usr` and without it, as far as these are one here.
fn both_names(path: &str) -> Vec<String> {
    let is_merged = std::fs::symlink_metadata("/lib").unwrap().is_symlink();
    match path.strip_prefix("/usr") {
        Some(rest)
            if is_merged && ["/bin/", "/sbin/", "/lib"].iter().any(|s| rest.starts_with(s)) =>
        {
            vec![path.to_owned(), rest.to_owned()]
        }
        _ => vec![path.to_owned()],
    }
}

/// Whether a process sees this host's files; those of a container, and those that changed their root, do not.
fn is_of_host(seen: &Observation) -> bool {
    let file =
        |path: &str| std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    let root = file(&format!("/proc/{}/root", line(seen, "pid")));
    root.is_some() && root == file("/")
}

/// The packages of each path, as `dpkg -S` says.
fn packages_of_dpkg(paths: &BTreeSet<String>) -> BTreeMap<String, BTreeSet<String>> {
    // What dpkg is asked for is a pattern, in which a backslash has to be doubled.
    let pattern = |path: String| path.replace('\\', "\\\\");
    let names: Vec<String> = paths.iter().flat_map(|path| both_names(path)).map(pattern).collect();
    let output = std::process::Command::new("dpkg")
        .arg("-S")
        .args(&names)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in told.lines().filter(|line| !line.starts_with("diversion by")) {
        let (owners, path) = line.split_once(": ").unwrap();
        for owner in owners.split(", ") {
            let name = owner.split(':').next().unwrap();
            packages.entry(path.to_owned()).or_default().insert(name.to_owned());
        }
    }
    paths
        .iter()
        .map(|path| {
            let of = |name: &String| packages.get(name).cloned().unwrap_or_default();
            (path.clone(), both_names(path).iter().flat_map(of).collect())
        })
        .collect()
}

#[tokio::test]
async fn programs_and_services_came_with_the_packages_that_dpkg_names() {
    let (packages, _) = look("packages.dpkg").await;
    let keys: BTreeMap<&str, String> =
        packages.iter().map(|seen| (&*seen.native_key, line(seen, "name"))).collect();
    // Of the first process the sockets may be closed even to root, which other tests are about.
    let processes = testing::look(&HostCollector, &this_host(), "processes").await.unwrap();
    let processes = processes.observations;
    let (units, _) = look("units").await;
    let mut ours: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (seen, attribute) in of_class(&processes, "process")
        .into_iter()
        .filter(|seen| is_of_host(seen))
        .map(|seen| (seen, "executable"))
        .chain(units.iter().map(|seen| (seen, "fragment_path")))
    {
        let names = targets(seen, "installed_by").into_iter().map(|key| {
            keys.get(key).unwrap_or_else(|| unreachable!("no package has the key {key}")).clone()
        });
        let path = line(seen, attribute);
        if path.starts_with('/') {
            ours.entry(path).or_default().extend(names);
        }
    }
    let expected = packages_of_dpkg(&ours.keys().cloned().collect());
    let differences: Vec<_> =
        ours.iter().filter(|(path, names)| expected[*path] != **names).collect();
    assert!(differences.is_empty(), "{differences:#?}");
    let found = ours.values().filter(|names| !names.is_empty()).count();
    assert!(found > 3, "{found} of {} files came with a package", ours.len());
}

/// A recorded host: nginx in two roles, a container's nginx, and a program of the administrator.
fn recorded(root: &Path, pem: &str) {
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let id = "0123456789abcdef".repeat(4);
    for (pid, executable, line, cgroup, inode) in [
        (70, "/usr/sbin/nginx", "nginx: master process", "/system.slice/nginx.service", Some(7001)),
        (71, "/usr/sbin/nginx", "nginx: worker process", "/system.slice/nginx.service", None),
        (72, "/usr/sbin/nginx", "nginx: master process", &*format!("/docker/{id}"), Some(7002)),
        (73, "/usr/local/bin/tool", "tool\0--cert=/etc/ssl/private/own.pem", "/", Some(7003)),
    ] {
        write(&format!("proc/{pid}/stat"), &format!("{pid} (x) S 1 {}", "0 ".repeat(22)));
        write(&format!("proc/{pid}/cmdline"), &format!("{line}\0"));
        write(&format!("proc/{pid}/cgroup"), &format!("0::{cgroup}\n"));
        symlink(executable, root.join(format!("proc/{pid}/exe"))).unwrap();
        std::fs::create_dir(root.join(format!("proc/{pid}/fd"))).unwrap();
        if let Some(inode) = inode {
            let link = root.join(format!("proc/{pid}/fd/3"));
            symlink(format!("socket:[{inode}]"), link).unwrap();
        }
    }
    let row = |port: u16, inode: u32| {
        format!(
            "   0: 00000000:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {inode} 1\n"
        )
    };
    write(
        "proc/net/tcp",
        &format!("head\n{}{}{}", row(443, 7001), row(8443, 7002), row(9443, 7003)),
    );
    write(
        "var/lib/dpkg/status",
        "Package: nginx\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n",
    );
    write(
        "var/lib/dpkg/info/nginx.list",
        "/.\n/usr/sbin/nginx\n/usr/lib/systemd/system/nginx.service\n",
    );
    write("usr/lib/systemd/system/nginx.service", "[Service]\nExecStart=/usr/sbin/nginx\n");
    write("etc/systemd/system/own.service", "[Service]\nExecStart=/usr/local/bin/tool\n");
    write(
        "etc/nginx/nginx.conf",
        "ssl_certificate /srv/web.pem;\nssl_client_certificate /srv/authority.pem;\n",
    );
    for path in ["srv/web.pem", "srv/authority.pem", "etc/ssl/private/own.pem"] {
        write(path, pem);
    }
}

#[tokio::test]
async fn every_relationship_of_a_program_leads_to_what_another_scope_tells() {
    let place = tempfile::tempdir().unwrap();
    let key = place.path().join("key.pem");
    let pem = tool(
        "openssl",
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=web.example.org",
            "-days",
            "30",
            "-keyout",
            key.to_str().unwrap(),
        ],
    );
    let root = place.path().join("root");
    recorded(&root, &pem);
    let target = Target { root, ..this_host() };
    let mut all = Vec::new();
    for scope in ["processes", "units", "certificates", "packages.dpkg"] {
        let look = testing::look(&HostCollector, &target, scope).await.unwrap();
        assert!(testing::complaints(&HostCollector, scope, &look.observations).is_empty());
        all.extend(look.observations);
    }
    let known: BTreeSet<&str> = all.iter().map(|seen| &*seen.native_key).collect();
    for verb in ["installed_by", "secured_by", "listens_on"] {
        for key in all.iter().flat_map(|seen| targets(seen, verb)) {
            assert!(known.contains(key), "{verb} leads to {key}, of which no scope tells");
        }
    }
    let package = ["host/package/dpkg/nginx/amd64"];
    let process = |pid: &str| {
        let is_it = |seen: &&Observation| line(seen, "pid") == pid;
        of_class(&all, "process").into_iter().find(is_it).unwrap()
    };
    let (server, worker, contained, own) =
        (process("70"), process("71"), process("72"), process("73"));
    assert_eq!(targets(server, "installed_by"), package);
    assert_eq!(targets(worker, "installed_by"), package);
    assert!(targets(contained, "installed_by").is_empty());
    assert!(targets(own, "installed_by").is_empty());
    let secured = |seen: &Observation| {
        let keys = targets(seen, "secured_by");
        let of =
            |key: &str| line(all.iter().find(|seen| *seen.native_key == *key).unwrap(), "path");
        keys.into_iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(secured(server), ["/srv/web.pem"]);
    assert!(secured(worker).is_empty() && secured(contained).is_empty());
    assert_eq!(secured(own), ["/etc/ssl/private/own.pem"]);
    assert_eq!(
        targets(the(&all, "service_unit", "name", "nginx.service"), "installed_by"),
        package
    );
    let unit = the(&all, "service_unit", "name", "own.service");
    assert!(targets(unit, "installed_by").is_empty());
}
