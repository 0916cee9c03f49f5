//! Whoever makes a tree must not be able to have the agent read this host's files as if they were the tree's: links
//! that lead out of it, at any depth of any path that a scope reads, show nothing of what lies beyond.

use collector::{Collector, Target, testing};
use collector_host::HostCollector;
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Files whose text, with `MARK` in it, is told by some scope.
const FILES: &[(&str, &str)] = &[
    ("etc/hostname", "MARK\n"),
    ("etc/os-release", "ID=debian\nPRETTY_NAME=\"MARK\"\n"),
    ("etc/resolv.conf", "search MARK.example\n"),
    ("etc/passwd", "MARK:x:1000:1000::/home/a:/bin/sh\n"),
    ("etc/group", "MARK:x:1000:\n"),
    ("etc/crontab", "1 2 * * * root MARK\n"),
    ("etc/cron.d/job", "1 2 * * * root MARK\n"),
    ("etc/systemd/system/one.service", "[Unit]\nDescription=MARK\n[Service]\nExecStart=/bin/x\n"),
    ("etc/systemd/system/two.service.d/MARK.conf", "[Service]\nExecStart=/bin/y\n"),
    ("etc/systemd/system/x.target.wants/getty@MARK.service", ""),
    ("usr/lib/systemd/system/two.service", "[Service]\nExecStart=/bin/MARK\n"),
    ("etc/init.d/three", "#!/bin/sh\n# Short-Description: MARK\n"),
    ("proc/cpuinfo", "processor\t: 0\nmodel name\t: MARK\n"),
    ("proc/modules", "MARK 16384 0 - Live 0x0\n"),
    ("proc/77/stat", "77 (MARK) S 1 1 1 0 0 0 0 0 0 0 1 1 0 0 20 0 1 0 1 1 1"),
    ("proc/77/cmdline", "MARK\0"),
    ("sys/class/dmi/id/product_name", "MARK\n"),
    ("sys/class/hwmon/hwmon0/name", "MARK\n"),
    ("sys/class/hwmon/hwmon0/temp1_label", "MARK\n"),
    ("sys/class/thermal/thermal_zone0/type", "MARK\n"),
    ("sys/class/net/eth0/ifalias", "MARK\n"),
    ("sys/block/sda/device/model", "MARK\n"),
    ("sys/bus/usb/devices/1-1/product", "MARK\n"),
    ("sys/devices/system/cpu/vulnerabilities/spectre_v1", "MARK\n"),
    ("var/lib/dpkg/status", "Package: MARK\nVersion: 1\nStatus: install ok installed\n\n"),
    ("var/lib/dpkg/status.d/x", "Package: MARK\nVersion: 1\n"),
    ("lib/apk/db/installed", "P:MARK\nV:1\n\n"),
    ("var/lib/pacman/local/x-1/desc", "%NAME%\nMARK\n\n%VERSION%\n1\n"),
    ("usr/lib/python3/dist-packages/x-1.dist-info/METADATA", "Name: MARK\nVersion: 1\n"),
    ("usr/lib/node_modules/x/package.json", "{\"name\":\"MARK\",\"version\":\"1\"}"),
    ("usr/lib/node_modules/@s/x/package.json", "{\"name\":\"@s/MARK\",\"version\":\"1\"}"),
    ("snap/x/current/meta/snap.yaml", "name: MARK\nversion: '1'\n"),
    (
        "run/containerd/io.containerd.runtime.v2.task/k8s.io/aa/config.json",
        "{\"process\":{\"args\":[\"MARK\"]}}",
    ),
    (
        "var/lib/containers/storage/overlay-images/images.json",
        "[{\"id\":\"aa\",\"names\":[\"MARK\"]}]",
    ),
];

/// What must be there in any case for the rest to be read.
const GIVEN: &[(&str, &str)] = &[
    ("etc/systemd/system/getty@.service", "[Service]\nExecStart=/bin/z\n"),
    ("sys/devices/system/cpu/online", "0\n"),
    ("sys/class/hwmon/hwmon0/temp1_input", "1000\n"),
    ("sys/class/net/eth0/ifindex", "2\n"),
    ("sys/block/sda/size", "2000\n"),
    ("sys/block/sda/dev", "8:0\n"),
    ("sys/bus/usb/devices/1-1/bDeviceClass", "09\n"),
];

fn write(root: &Path, path: &str, text: &str) {
    let place = root.join(path);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, text).unwrap();
}

/// Everything that all scopes tell of a tree, as text.
async fn told(root: PathBuf) -> String {
    let target = Target { id: "t".into(), site: "s".into(), root, remote: None };
    let mut told = String::new();
    for scope in HostCollector.manifest().scopes {
        let look = testing::look(&HostCollector, &target, scope.name).await.unwrap();
        HostCollector.guard(&target, scope.name);
        told.push_str(&format!("{:?}{:?}{:?}\n", look.observations, look.coverage, look.failures));
    }
    told
}

/// The mark of the file with this number, in a form that every parser lets through.
fn mark(index: usize) -> String {
    format!("beyondx{index}x")
}

/// What a link says, to stand at `depth` for the place of the same name beyond.
type Link = fn(beyond: &Path, start: &str, depth: usize) -> PathBuf;

/// A tree in which the first `depth` parts of every path are a link, made by `link`, to the same place beyond.
fn tree_of_links(root: &Path, beyond: &Path, depth: usize, link: Link) {
    let mut linked = BTreeSet::new();
    let paths =
        FILES.iter().enumerate().map(|(index, (path, _))| path.replace("MARK", &mark(index)));
    for path in paths.chain(GIVEN.iter().map(|(path, _)| (*path).to_owned())) {
        let parts: Vec<&str> = path.split('/').collect();
        let Some(start) = parts.get(..depth) else { continue };
        let start = start.join("/");
        if linked.insert(start.clone()) {
            let place = root.join(&start);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            symlink(link(beyond, &start, depth), place).unwrap();
        }
    }
    for (path, text) in GIVEN.iter().filter(|(path, _)| path.split('/').count() < depth) {
        write(root, path, text);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn links_that_lead_out_of_a_tree_show_nothing_of_what_lies_beyond() {
    let place = tempfile::tempdir().unwrap();
    let beyond = place.path().join("elsewhere");
    for (path, text) in GIVEN {
        write(&beyond, path, text);
    }
    for (index, (path, text)) in FILES.iter().enumerate() {
        let mark = mark(index);
        write(&beyond, &path.replace("MARK", &mark), &text.replace("MARK", &mark));
    }
    // Beyond the status file the folder of status files is not looked at; without it, it is.
    let whole = told(beyond.clone()).await;
    std::fs::remove_file(beyond.join("var/lib/dpkg/status")).unwrap();
    let rest = told(beyond.clone()).await;
    let untold: Vec<&str> = FILES
        .iter()
        .enumerate()
        .filter(|(index, _)| !whole.contains(&mark(*index)) && !rest.contains(&mark(*index)))
        .map(|(_, (path, _))| *path)
        .collect();
    assert!(untold.is_empty(), "nothing tells of {untold:?}");
    let absolute = |beyond: &Path, start: &str, _: usize| beyond.join(start);
    let relative = |_: &Path, start: &str, depth: usize| {
        PathBuf::from(format!("{}elsewhere/{start}", "../".repeat(depth)))
    };
    let links: [(&str, Link); 2] = [("absolute", absolute), ("relative", relative)];
    for (name, link) in links {
        for depth in 1..=7 {
            let root = place.path().join(format!("{name}{depth}"));
            tree_of_links(&root, &beyond, depth, link);
            let told = told(root).await;
            for (index, (path, _)) in FILES.iter().enumerate() {
                // The name of a link is the tree's own.
                let is_own = path.split('/').take(depth).any(|part| part.contains("MARK"));
                assert!(
                    is_own || !told.contains(&mark(index)),
                    "an {name} link at depth {depth} of {path} led out of the tree"
                );
            }
        }
    }
}
