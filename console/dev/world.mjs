// A small deterministic world for the fixture server.
import { readFileSync } from "node:fs";

const catalog = JSON.parse(readFileSync(new URL("./catalog.json", import.meta.url), "utf8"));
const AGENT = "01939d2e-7c1a-7e11-9a51-5b1f0d7c2a01";
const source = { collector: "host", target: AGENT };

function generator(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

export function makeWorld() {
  const random = generator(42);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
  const items = [];
  const relations = new Map();
  let serial = 0;
  let revision = 100;
  const id = () => `01939d2e-7c1a-7000-8000-${String(++serial).padStart(12, "0")}`;
  const value = (value, rest = {}) => ({ value, source, since: ago(86400 * 3), confirmed_at: ago(40), confidence: 90, ...rest });
  const add = (name, title, attributes, parent = null, state = "active") => {
    const item = { id: id(), class: name, title, parent_id: parent, state, first_seen: ago(86400 * 3), last_seen: ago(20 + random() * 900), revision: ++revision, attributes: {} };
    for (const [key, each] of Object.entries(attributes)) item.attributes[key] = Array.isArray(each) && each[0]?.source ? each : [value(each)];
    items.push(item);
    return item;
  };
  const relate = (verb, from, to, evidence = "") => {
    const line = (outgoing, other) => ({ verb, outgoing, item_id: other.id, class: other.class, title: other.title, state: other.state, source, since: ago(86400), evidence });
    relations.set(from.id, [...(relations.get(from.id) ?? []), line(true, to)]);
    relations.set(to.id, [...(relations.get(to.id) ?? []), line(false, from)]);
  };
  const host = (name, index) =>
    add("host", name, {
      fqdn: [value(name), value(name.split(".")[0], { source: { collector: "ssh", target: "192.0.2.10" }, confidence: 60 })],
      host_name: name.split(".")[0], os_name: pick(["Debian GNU/Linux 12 (bookworm)", "Ubuntu 24.04.1 LTS", "AlmaLinux 9.4"]), os_id: "debian", os_version: "12", os_codename: "bookworm",
      os_family: "linux", kernel_release: pick(["6.1.0-27-amd64", "6.1.0-28-amd64", "6.8.0-49-generic"]), architecture: "x86_64", machine_id: `a3f1${String(index).padStart(28, "0")}`,
      booted_at: ago(86400 * 12 + index * 5000), time_zone: "Etc/UTC", memory_bytes: pick([8, 16, 32, 64]) * 1024 ** 3, swap_bytes: 0, processors_count: pick([2, 4, 8, 16]),
      virtualization: pick(["kvm", "none", "docker"]), cloud_provider: null, dns_servers: ["192.0.2.53", "2001:db8::53"], security_modules: ["apparmor", "yama", "landlock"],
      kernel_command_line: "BOOT_IMAGE=/vmlinuz-6.1.0-27-amd64 root=UUID=6a1b9c1e-8f7d-4b8f-9a0e-2d7c1a5f9b33 ro quiet net.ifnames=0 mitigations=auto", firewall_active: index % 3 === 0,
      reboot_needed: index % 4 === 0, agent_version: "0.1.0", load_1m: 0.42 + index / 9, load_5m: 0.38, load_15m: 0.31, memory_available_bytes: 11.2e9, uptime_seconds: 86400 * 12 + 3600 * 4 + index * 5000, processes_count: 183,
    });
  const names = ["web-01", "web-02", "web-03", "db-01", "db-02", "cache-01", "queue-01", "build-01", "build-02", "mail-01", "dns-01", "mon-01"];
  const hosts = names.map((name, index) => host(`${name}.example.net`, index));
  const first = hosts[0];
  for (const owner of hosts) {
    const units = ["nginx", "ssh", "cron", "systemd-journald", "postgresql@15-main", "node-exporter", "dharma-agent", "rsyslog"].map((name) =>
      add("service_unit", `${name}.service`, { manager: "systemd", name: `${name}.service`, active_state: pick(["active", "active", "active", "failed"]), sub_state: "running", enabled_state: "enabled", description: `The ${name} service`, run_as: pick(["root", "www-data", "postgres"]) }, owner.id));
    const nginx = add("process", "nginx", { owner: "nginx.service", executable: "/usr/sbin/nginx", arguments: "-g daemon on;", name: "nginx", run_as: "root", pid: 812, instances_count: 5, memory_bytes: 48e6, cpu_seconds: 1284.22, command_line: "nginx: master process /usr/sbin/nginx -g daemon on; master_process on;" }, owner.id);
    const listener = add("listening_endpoint", "tcp 0.0.0.0:443", { namespace: "host", protocol: "tcp", address: "0.0.0.0", port: "443", program: "nginx", is_exposed: true, run_as: "root", connections_count: 41 }, owner.id);
    relate("instance_of", nginx, units[0]);
    relate("listens_on", nginx, listener, "socket inode 48211 of pid 812");
    for (const unit of units.slice(1, 3)) relate("requires", units[0], unit);
    relate("depends_on", units[0], items.find((item) => item.title === "postgresql@15-main.service" && item.parent_id === hosts[3].id) ?? units[4], "nginx (812) → 192.0.2.14:5432, postgres (640) listens there");
    relate("part_of", nginx, owner);
    add("network_interface", "eth0", { name: "eth0", state: "up", interface_type: "ethernet", addresses: ["192.0.2.11/24", "2001:db8::11/64", "fe80::200:5eff:fe00:5311/64"], mac_address: "00:00:5e:00:53:11", speed_bits_per_second: 1e10, mtu_bytes: 1500, received_bytes: 8.1e10 }, owner.id);
    add("network_interface", "lo", { name: "lo", state: "up", interface_type: "loopback", addresses: ["127.0.0.1/8", "::1/128"], mtu_bytes: 65536 }, owner.id);
    for (let index = 0; index < 120; index += 1) {
      const name = pick(["lib", "python3-", "golang-", "node-", "fonts-", "perl-"]) + pick(["ssl", "curl", "yaml", "json", "image", "core", "tools", "common", "net", "crypt"]) + index;
      add("package", name, { manager: "dpkg", name, architecture: "amd64", version: `${pick([1, 2, 3])}.${index}.0-1+deb12u${pick([1, 2, 3])}`, installed_bytes: Math.floor(random() * 9e6), summary: "A package for the fixture server, described in a line", section: "libs" }, owner.id, index === 7 ? "missing" : "active");
    }
    for (const user of ["root", "admin", "www-data", "postgres"]) add("user_account", user, { name: user, uid: user === "root" ? 0 : 33, full_name: user, shell: "/bin/bash", may_log_in: user !== "www-data", may_sudo: user === "admin", groups: [user, "adm"] }, owner.id);
  }
  const scopes = [
    { scope: "hardware.smbios", status: "not_looked_at", reason: "permission_denied", detail: "/sys/class/dmi/id/product_serial needs root. Run the agent with sudo, or install the package.", looked_at: ago(30), seen_count: 0 },
    { scope: "processes.sockets", status: "partial", reason: "permission_denied", detail: "The sockets of 14 processes of other users could not be read (CAP_SYS_PTRACE). Run the agent with sudo, or install the package.", looked_at: ago(30), seen_count: 71 },
    { scope: "packages.dpkg", status: "complete", reason: "", detail: "", looked_at: ago(300), seen_count: 412 },
    { scope: "packages.rpm", status: "complete", reason: "not_present", detail: "There is no rpm database.", looked_at: ago(300), seen_count: 0 },
    { scope: "network.interfaces", status: "complete", reason: "", detail: "", looked_at: ago(5), seen_count: 2 },
    { scope: "host", status: "complete", reason: "", detail: "", looked_at: ago(5), seen_count: 1 },
  ];
  const agents = hosts.slice(0, 3).map((owner, index) => ({
    id: index === 0 ? AGENT : id(), name: owner.title, site: "fra1", labels: { env: "prod" }, version: "0.1.0", state: ["connected", "connected", "disconnected"][index], enrolled_at: ago(86400 * 3), last_seen: ago(10 + index * 4000),
    certificate_expires: new Date(Date.now() + (20 - index * 9) * 3_600_000).toISOString(), address: `192.0.2.1${index}`, item_id: owner.id, complaints: index === 2 ? ["the spool is 80 % full: the control plane was not reached for 2 h"] : [], scopes,
  }));
  const change = (item, index, rest) => ({ revision: item.revision, index, item_id: item.id, class: item.class, title: item.title, observed_at: ago(60 * (revision - item.revision)), recorded_at: ago(59), source, ...rest });
  const changes = items.slice(-60).reverse().map((item) => change(item, 0, { kind: "created", name: "" }));
  changes.unshift(
    { ...change(first, 0, { kind: "attribute_changed", name: "kernel_release", before: "6.1.0-26-amd64", after: "6.1.0-27-amd64" }), observed_at: ago(600), revision: 9001 },
    { ...change(first, 1, { kind: "attribute_changed", name: "dns_servers", before: ["192.0.2.52", "2001:db8::53"], after: ["192.0.2.53", "2001:db8::53"] }), observed_at: ago(600), revision: 9001 },
    { ...change(first, 2, { kind: "attribute_changed", name: "reboot_needed", before: false, after: true }), observed_at: ago(600), revision: 9001 },
    { ...change(items[3], 0, { kind: "state_changed", name: "", before: "active", after: "missing" }), observed_at: ago(900), revision: 9000 },
    { ...change(items[2], 0, { kind: "related", name: "listens_on", other_id: items[8].id }), observed_at: ago(1200), revision: 8999 },
  );
  const tokens = [
    { id: "t1", state: "active", kind: "join", name: "", site: "fra1", labels: {}, uses_left: 3, created_at: ago(600), expires_at: new Date(Date.now() + 3e6).toISOString(), last_used_at: null },
    { id: "t2", state: "active", kind: "service", name: "nightly export", created_at: ago(86400), expires_at: new Date(Date.now() + 80 * 864e5).toISOString(), last_used_at: ago(5000) },
  ];
  let ticks = 0;
  const tick = () => {
    ticks += 1;
    const owner = hosts[ticks % 3];
    const next = 10_000 + ticks;
    const before = owner.attributes.kernel_release[0].value;
    const after = before.endsWith("27-amd64") ? "6.1.0-28-amd64" : "6.1.0-27-amd64";
    owner.attributes.kernel_release = [value(after)];
    owner.revision = next;
    owner.last_seen = ago(0);
    const list = [{ ...change(owner, 0, { kind: "attribute_changed", name: "kernel_release", before, after }), observed_at: ago(0), revision: next }];
    if (ticks % 4 === 0) list.push({ ...change(host(`new-${ticks}.example.net`, ticks), 1, { kind: "created", name: "" }), revision: next });
    changes.unshift(...list);
    return { revision: next, changes: list };
  };
  items.sort((a, b) => a.title.localeCompare(b.title) || a.id.localeCompare(b.id));
  return { catalog, items, relations, scopes, agents, changes, tokens, tick };
}
