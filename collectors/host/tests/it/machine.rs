//! Hardware, storage and network beside lscpu, lsblk, ip and lshw.

use crate::{line, look, of_class, the, tool, tool_json};
use collector::{Collector, testing};
use collector_host::{HostCollector, fields_missing};
use model::{Observation, RelationTarget};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn array<'a>(json: &'a Json, key: &str) -> &'a [Json] {
    json.get(key).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The number at the start of a text such as `65536 (2 instances)`.
fn leading_number(text: &str) -> String {
    text.chars().take_while(char::is_ascii_digit).collect()
}

fn sorted_words(text: &str, separator: &str) -> Vec<String> {
    let mut words: Vec<String> =
        text.split(separator).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    words.sort();
    words
}

#[tokio::test]
async fn processors_are_what_lscpu_says() {
    let told = tool_json("util-linux", "lscpu", &["-J", "-B"]);
    let told: BTreeMap<&str, &str> = array(&told, "lscpu")
        .iter()
        .map(|field| (text(field, "field").trim_end_matches(':'), text(field, "data")))
        .collect();
    let (seen, _) = look("hardware").await;
    let hardware = of_class(&seen, "hardware")[0];
    let processors = of_class(&seen, "processor");
    let first = processors[0];
    let number = |name: &str| told[name].parse::<u64>().unwrap();
    assert_eq!(line(hardware, "sockets_count"), told["Socket(s)"]);
    let cores = number("Socket(s)") * number("Core(s) per socket");
    assert_eq!(line(hardware, "cores_count"), cores.to_string());
    assert_eq!(line(hardware, "threads_count"), (cores * number("Thread(s) per core")).to_string());
    assert_eq!(processors.len().to_string(), told["Socket(s)"]);
    for (attribute, name) in [
        ("model", "Model name"),
        ("vendor", "Vendor ID"),
        ("family_number", "CPU family"),
        ("model_number", "Model"),
        ("stepping", "Stepping"),
    ] {
        if let Some(told) = told.get(name) {
            assert_eq!(line(first, attribute), *told, "{attribute}");
        }
    }
    assert_eq!(sorted_words(&line(first, "features"), ", "), sorted_words(told["Flags"], " "));
    for (attribute, name) in [
        ("cache_l1d_bytes", "L1d cache"),
        ("cache_l1i_bytes", "L1i cache"),
        ("cache_l2_bytes", "L2 cache"),
        ("cache_l3_bytes", "L3 cache"),
    ] {
        let all: u64 =
            processors.iter().filter_map(|p| line(p, attribute).parse::<u64>().ok()).sum();
        let told = told.get(name).map(|size| leading_number(size)).unwrap_or_else(|| "0".into());
        assert_eq!(all.to_string(), told, "{attribute}");
    }
    if let Some(nodes) = told.get("NUMA node(s)") {
        assert_eq!(line(hardware, "numa_nodes_count"), *nodes);
    }
    let known = line(hardware, "vulnerabilities");
    for (name, state) in
        told.iter().filter_map(|(name, state)| Some((name.strip_prefix("Vulnerability ")?, state)))
    {
        let name = name.to_lowercase().replace(' ', "_");
        assert!(known.to_lowercase().contains(&name), "{name} in {known}");
        // lscpu writes the kernel's `Mitigation: X; Y` as `Mitigation; X, Y`.
        let state: String = state.chars().filter(char::is_ascii_alphanumeric).collect();
        let known: String = known.chars().filter(char::is_ascii_alphanumeric).collect();
        assert!(known.contains(&state), "{name} is {state}");
    }
}

#[tokio::test]
async fn the_hypervisor_is_the_one_that_lscpu_sees() {
    let told = tool_json("util-linux", "lscpu", &["-J"]);
    let vendor = array(&told, "lscpu")
        .iter()
        .find(|field| text(field, "field").starts_with("Hypervisor vendor"))
        .map_or("none", |field| text(field, "data"))
        .to_lowercase();
    let (seen, _) = look("host").await;
    let hypervisor = line(&seen[0], "hypervisor");
    // Under KVM the firmware may name the cloud or the emulator, which says more.
    let is_same = hypervisor == vendor
        || (vendor == "kvm" && ["qemu", "amazon", "google"].contains(&hypervisor.as_str()));
    assert!(is_same, "lscpu: {vendor}, here: {hypervisor}");
}

fn check_block(told: &Json, drives: &[Observation], volumes: &[Observation], checked: &mut usize) {
    let name = text(told, "name");
    let size = told.get("size").and_then(Json::as_u64).unwrap_or(0);
    let is_disk = text(told, "type") == "disk" && !name.starts_with("zram");
    if size > 0 && text(told, "type") != "rom" {
        let seen = if is_disk {
            the(drives, "drive", "name", name)
        } else {
            the(volumes, "volume", "name", name)
        };
        *checked += 1;
        assert_eq!(line(seen, "capacity_bytes"), size.to_string(), "{name}");
        let flag = |key: &str| told.get(key).and_then(Json::as_bool).unwrap_or(false).to_string();
        assert_eq!(line(seen, "is_read_only"), flag("ro"), "{name}");
        if is_disk {
            assert_eq!(line(seen, "is_rotational"), flag("rota"), "{name}");
            assert_eq!(line(seen, "is_removable"), flag("rm"), "{name}");
            for (attribute, key) in
                [("sector_logical_bytes", "log-sec"), ("sector_physical_bytes", "phy-sec")]
            {
                assert_eq!(line(seen, attribute), told[key].to_string(), "{name}.{attribute}");
            }
            for (attribute, key) in [
                ("model", "model"),
                ("serial_number", "serial"),
                ("transport", "tran"),
                ("world_wide_name", "wwn"),
                ("firmware_version", "rev"),
            ] {
                if !text(told, key).is_empty() {
                    assert_eq!(line(seen, attribute), text(told, key).trim(), "{name}.{attribute}");
                }
            }
        } else {
            for (attribute, key) in
                [("content_type", "fstype"), ("content_uuid", "uuid"), ("content_label", "label")]
            {
                if !text(told, key).is_empty() {
                    assert_eq!(line(seen, attribute), text(told, key), "{name}.{attribute}");
                }
            }
        }
    }
    for child in array(told, "children") {
        check_block(child, drives, volumes, checked);
    }
}

#[tokio::test]
async fn drives_and_volumes_are_what_lsblk_says() {
    let told = tool_json("util-linux", "lsblk", &["-J", "-b", "-O"]);
    let ((drives, _), (volumes, _)) = (look("drives").await, look("storage").await);
    let mut checked = 0;
    for device in array(&told, "blockdevices") {
        check_block(device, &drives, &volumes, &mut checked);
    }
    assert!(checked > 0, "lsblk shows no device with anything in it");
}

#[tokio::test]
async fn file_systems_are_what_df_says() {
    // Mounted by name and size; the sizes change only when a file system is grown.
    let told = tool("coreutils", "df", &["-B1", "--output=target,fstype,size", "-x", "devtmpfs"]);
    let (seen, _) = look("storage").await;
    let mut checked = 0;
    for words in told.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>()) {
        let [point, kind, size] = words.as_slice() else { continue };
        if point.starts_with("/sys/") || point.starts_with("/proc/") {
            continue;
        }
        let filesystem = the(&seen, "filesystem", "mount_point", point);
        assert_eq!(line(filesystem, "filesystem_type"), *kind, "{point}");
        assert_eq!(line(filesystem, "capacity_bytes"), *size, "{point}");
        checked += 1;
    }
    assert!(checked > 0);
}

fn related(seen: &Observation, verb: &str) -> Vec<String> {
    seen.relations
        .iter()
        .filter(|relation| relation.verb == verb)
        .filter_map(|relation| match &relation.target {
            RelationTarget::Native(key) => key.rsplit('/').next().map(str::to_owned),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn interfaces_are_what_ip_says() {
    compare_interfaces().await;
}

async fn compare_interfaces() {
    let told = tool_json("iproute2", "ip", &["-j", "-d", "addr"]);
    let told = told.as_array().unwrap();
    let (seen, _) = look("network").await;
    assert_eq!(of_class(&seen, "network_interface").len(), told.len());
    for interface in told {
        let name = text(interface, "ifname");
        let seen = the(&seen, "network_interface", "name", name);
        assert_eq!(line(seen, "mtu_bytes"), interface["mtu"].to_string(), "{name}");
        assert_eq!(line(seen, "state"), text(interface, "operstate").to_lowercase(), "{name}");
        let address = text(interface, "address");
        if text(interface, "link_type") == "ether" {
            assert_eq!(line(seen, "mac_address"), address, "{name}");
        }
        let addresses: BTreeSet<String> = array(interface, "addr_info")
            .iter()
            .map(|info| format!("{}/{}", text(info, "local"), info["prefixlen"]))
            .collect();
        let own: BTreeSet<String> =
            sorted_words(&line(seen, "addresses"), ", ").into_iter().collect();
        assert_eq!(own, addresses, "{name}");
        let is_up = array(interface, "flags").iter().any(|flag| flag == "UP");
        assert_eq!(line(seen, "flags").split(", ").any(|flag| flag == "up"), is_up, "{name}");
        let kind =
            interface.pointer("/linkinfo/info_kind").and_then(Json::as_str).unwrap_or_default();
        assert_eq!(line(seen, "link_kind"), kind, "{name}");
        let expected: Vec<String> = Some(text(interface, "master"))
            .filter(|m| !m.is_empty())
            .map(str::to_owned)
            .into_iter()
            .collect();
        assert_eq!(related(seen, "member_of"), expected, "{name}");
        if text(interface, "link_type") == "loopback" {
            assert_eq!(line(seen, "interface_type"), "loopback");
        }
    }
}

/// A route as both sides can say it.
fn route_line(
    destination: &str,
    gateway: &str,
    interface: &str,
    metric: &str,
    source: &str,
) -> String {
    format!("{destination} via {gateway} dev {interface} metric {metric} src {source}")
}

#[tokio::test]
async fn routes_are_what_ip_says() {
    compare_routes().await;
}

async fn compare_routes() {
    let mut told = BTreeSet::new();
    for (family, host_prefix) in [("-4", "/32"), ("-6", "/128")] {
        let routes = tool_json("iproute2", "ip", &[family, "-j", "route"]);
        for route in routes.as_array().unwrap() {
            let destination = match text(route, "dst") {
                "default" if family == "-6" && text(route, "gateway").is_empty() => {
                    "::/0".to_owned()
                }
                destination if destination == "default" || destination.contains('/') => {
                    destination.to_owned()
                }
                destination => format!("{destination}{host_prefix}"),
            };
            let metric = route.get("metric").map(Json::to_string).unwrap_or_default();
            // A route with several next hops is one per hop here.
            let hops = array(route, "nexthops");
            for hop in if hops.is_empty() { std::slice::from_ref(route) } else { hops } {
                let (gateway, interface) = (text(hop, "gateway"), text(hop, "dev"));
                told.insert(route_line(
                    &destination,
                    gateway,
                    interface,
                    &metric,
                    text(route, "prefsrc"),
                ));
            }
        }
    }
    let (seen, _) = look("network").await;
    let own: BTreeSet<String> = of_class(&seen, "route")
        .into_iter()
        .filter(|route| line(route, "table") == "main")
        .map(|route| {
            let of = |name: &str| line(route, name);
            route_line(
                &of("destination"),
                &of("gateway"),
                &of("interface"),
                &of("metric"),
                &of("source_address"),
            )
        })
        .collect();
    assert_eq!(own, told);
}

fn each_node<'a>(node: &'a Json, found: &mut Vec<&'a Json>) {
    found.push(node);
    for child in array(node, "children") {
        each_node(child, found);
    }
}

#[tokio::test]
async fn memory_and_pci_devices_are_what_lshw_says() {
    let told = tool_json("lshw pci.ids", "lshw", &["-json", "-quiet"]);
    let root = told.as_array().and_then(|list| list.first()).unwrap_or(&told);
    let mut nodes = Vec::new();
    each_node(root, &mut nodes);
    let (hardware, _) = look("hardware").await;
    let memory = nodes.iter().find(|node| text(node, "id") == "memory").unwrap();
    let installed = line(of_class(&hardware, "hardware")[0], "memory_installed_bytes");
    assert_eq!(installed, memory["size"].to_string());
    let (devices, _) = look("devices").await;
    let mut addresses = BTreeSet::new();
    for node in nodes {
        let Some(address) = text(node, "businfo").strip_prefix("pci@") else { continue };
        let seen = the(&devices, "pci_device", "address", address);
        addresses.insert(address.to_owned());
        assert_eq!(line(seen, "vendor"), text(node, "vendor"), "{address}");
        assert_eq!(line(seen, "revision"), text(node, "version"), "{address}");
        let product = text(node, "product");
        // A device that the list does not know is its vendor's name there.
        if product != text(node, "vendor") {
            assert!(line(seen, "name").ends_with(product), "{address}: {product}");
        }
        if text(node, "class") != "bridge" {
            assert_eq!(line(seen, "device_class"), text(node, "description"), "{address}");
        }
        let driver =
            node.pointer("/configuration/driver").and_then(Json::as_str).unwrap_or_default();
        if text(node, "class") != "bridge" {
            assert_eq!(line(seen, "driver"), driver, "{address}");
        }
    }
    assert_eq!(of_class(&devices, "pci_device").len(), addresses.len());
}

#[tokio::test]
async fn the_host_is_what_uname_and_the_kernel_say() {
    let (seen, _) = look("host").await;
    let host = &seen[0];
    let uname = |flag: &str| tool("coreutils", "uname", &[flag]).trim().to_owned();
    assert_eq!(line(host, "kernel_release"), uname("-r"));
    assert_eq!(line(host, "kernel_version"), uname("-v"));
    assert_eq!(line(host, "architecture"), uname("-m"));
    assert_eq!(line(host, "host_name"), uname("-n").split('.').next().unwrap());
    let processors = tool("coreutils", "nproc", &["--all"]);
    assert_eq!(line(host, "processors_count"), processors.trim());
    let free = tool("procps", "free", &["-b"]);
    let total =
        free.lines().nth(1).and_then(|line| line.split_whitespace().nth(1)).unwrap().to_owned();
    assert_eq!(line(host, "memory_bytes"), total);
}

#[tokio::test]
async fn nothing_that_every_machine_has_is_missing() {
    let mut seen = Vec::new();
    for scope in HostCollector.manifest().scopes {
        // A part that fails on this machine shows as a field that is missing.
        let look = testing::look(&HostCollector, &crate::this_host(), scope.name).await.unwrap();
        let complaints = testing::complaints(&HostCollector, scope.name, &look.observations);
        assert!(complaints.is_empty(), "{complaints:#?}");
        seen.extend(look.observations);
    }
    let missing = fields_missing(&seen);
    // Without root, some of it is not looked at; the test must then say which, and no more.
    if tool("coreutils", "id", &["-u"]).trim() == "0" {
        assert!(missing.is_empty(), "{missing:?}");
    } else {
        let needs_root =
            ["host.firewall_tables", "user_account.password_state", "user_account.may_sudo"];
        assert!(missing.iter().all(|field| needs_root.contains(field)), "{missing:?}");
    }
}

#[tokio::test]
async fn two_looks_at_an_unchanged_machine_say_the_same() {
    for scope in ["hardware", "devices", "drives", "storage", "network"] {
        let guard = HostCollector.guard(&crate::this_host(), scope);
        let facts = |seen: Vec<Observation>| -> Vec<_> {
            seen.into_iter().map(|seen| (seen.native_key, seen.facts, seen.relations)).collect()
        };
        let first = facts(look(scope).await.0);
        let second = facts(look(scope).await.0);
        assert_eq!(first, second, "{scope}");
        assert_eq!(HostCollector.guard(&crate::this_host(), scope), guard, "{scope}");
    }
}

/// Builds a network in the namespaces of this process: a bridge with a member, a tunnel on top of it, a second
/// table, a route with two next hops and one that drops.
fn build_network() {
    let run = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        tool("iproute2", "ip", &words);
    };
    for line in [
        "link set lo up",
        "link add br0 type bridge",
        "link add inside0 type veth peer name outside0",
        "link set inside0 master br0",
        "link set inside0 alias office",
        "addr add 192.0.2.1/24 dev br0",
        "addr add 2001:db8::1/64 dev br0 nodad",
        "link add tunnel0 type vxlan id 42 local 192.0.2.1 remote 192.0.2.2 dstport 4789 dev br0",
        "link set br0 up",
        "link set inside0 up",
        "link set outside0 up",
        "route add default via 192.0.2.254 dev br0 metric 100 proto static",
        "route add default via 2001:db8::ff dev br0",
        "route add 198.51.100.0/24 nexthop via 192.0.2.3 dev br0 nexthop via 192.0.2.4 dev br0",
        "route add 203.0.113.7/32 dev br0",
        "route add blackhole 203.0.113.128/25",
        "route add 198.51.100.0/25 via 192.0.2.5 table 100",
    ] {
        run(line);
    }
}

#[tokio::test]
async fn a_built_network_is_what_ip_says() {
    if !crate::watch::is_inside() {
        return crate::watch::run_inside("machine::a_built_network_is_what_ip_says");
    }
    build_network();
    compare_interfaces().await;
    compare_routes().await;
    let (seen, _) = look("network").await;
    let of = |name: &str| the(&seen, "network_interface", "name", name);
    for (name, kind) in
        [("br0", "bridge"), ("inside0", "virtual"), ("tunnel0", "tunnel"), ("lo", "loopback")]
    {
        assert_eq!(line(of(name), "interface_type"), kind, "{name}");
    }
    assert_eq!(related(of("tunnel0"), "stacked_on"), ["br0"]);
    assert_eq!(related(of("inside0"), "member_of"), ["br0"]);
    assert_eq!(line(of("inside0"), "alias"), "office");
    assert_eq!(line(of("tunnel0"), "vlan_id"), "42");
    assert_eq!(line(of("tunnel0"), "tunnel_remote"), "192.0.2.2");
    let elsewhere = the(&seen, "route", "destination", "198.51.100.0/25");
    assert_eq!(line(elsewhere, "table"), "100");
    assert_eq!(
        line(the(&seen, "route", "destination", "203.0.113.128/25"), "route_type"),
        "blackhole"
    );
}

#[tokio::test]
async fn the_packet_filter_is_what_nft_says() {
    if !crate::watch::is_inside() {
        return crate::watch::run_inside("machine::the_packet_filter_is_what_nft_says");
    }
    let (seen, _) = look("host").await;
    assert_eq!(line(&seen[0], "firewall_active"), "false");
    for command in [
        "add table inet filter",
        "add chain inet filter input { type filter hook input priority 0 ; }",
        "add rule inet filter input tcp dport 22 accept",
        "add rule inet filter input drop",
        "add table ip nat",
    ] {
        tool("nftables", "nft", &[command]);
    }
    let (seen, coverage) = look("host").await;
    let told: BTreeSet<String> = tool("nftables", "nft", &["list", "tables"])
        .lines()
        .map(|line| line.replacen("table", "nftables", 1))
        .collect();
    let own: BTreeSet<String> =
        sorted_words(&line(&seen[0], "firewall_tables"), ", ").into_iter().collect();
    assert_eq!(own, told);
    assert_eq!(line(&seen[0], "firewall_rules_count"), "2");
    assert_eq!(line(&seen[0], "firewall_active"), "true");
    assert_eq!(coverage.detail, "");
}
