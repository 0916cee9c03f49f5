//! Which unit or container a process belongs to, from the names of its control groups.
//!
//! Container engines put the id of the container into the name (64 hexadecimal digits), systemd the name of the
//! unit. Where the name is the id alone, the group around it tells the engine: Docker's own group, a pod of
//! Kubernetes, or a namespace of containerd. A container wins over the unit around it. Names of scopes that are made for one session or one command
//! are folded, so that the next session is the same owner.

use super::fold;

/// Deepest control group that is looked at; Kubernetes inside nspawn inside a user's session has 12.
const DEPTH_MAX: usize = 64;

/// Digits of a container id; all engines use SHA-256 sized ids.
const CONTAINER_ID_LENGTH: usize = 64;

/// Digits of a container id that a person is shown, as `docker ps` does.
const CONTAINER_ID_SHOWN: usize = 12;

/// Namespaces of containerd that are groups of their own: its client's and nerdctl's, and that of pods without a parent.
/// Another namespace looks as a parent that Docker was given (`--cgroup-parent`), and is taken for one.
const CONTAINERD_NAMESPACES: [&str; 2] = ["default", "k8s.io"];

/// The unit or container of a process; empty for neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owner {
    /// What a person reads and what is part of the identity.
    pub(super) name: String,
    /// The systemd unit.
    pub(super) unit: Option<String>,
    /// Engine and id of the container.
    pub(super) container: Option<(&'static str, String)>,
}

/// Parses `/proc/PID/cgroup` (cgroups(7)): lines of `number:controllers:path`.
pub(super) fn parse(bytes: &[u8]) -> Owner {
    let text = String::from_utf8_lossy(bytes);
    let mut unit = None;
    for line in text.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if let Some((engine, id)) = container(path) {
            let shown = id.get(..CONTAINER_ID_SHOWN).unwrap_or(&id);
            return Owner {
                name: format!("{engine}:{shown}"),
                unit: None,
                container: Some((engine, id)),
            };
        }
        if (controllers.is_empty() || controllers == "name=systemd") && unit.is_none() {
            unit = unit_of(path);
        }
    }
    match unit {
        Some(unit) => {
            let name = folded_unit(&unit);
            Owner { name, unit: Some(unit), container: None }
        }
        None => Owner::default(),
    }
}

/// The container whose control group this is.
fn container(path: &str) -> Option<(&'static str, String)> {
    let mut engine = if path.contains("kubepods") { "containerd" } else { "docker" };
    for part in path.split('/').take(DEPTH_MAX) {
        let name = part.strip_suffix(".scope").unwrap_or(part);
        // containerd's own driver writes `kubepods…:cri-containerd:ID`.
        let (prefix, id) = match name.rsplit_once(['-', ':']) {
            Some((prefix, id)) => (prefix, id),
            None => ("", name),
        };
        engine = match prefix {
            "docker" => "docker",
            // `libpod-payload-ID` lies in the group of the unit that started Podman (`--cgroups=split`, Quadlet).
            "libpod" | "libpod-payload" => "podman",
            "crio" => "cri-o",
            "nerdctl" => "containerd",
            prefix if prefix.ends_with("cri-containerd") => "containerd",
            "" => engine,
            // `libpod-conmon-ID`: the engine's helper outside of the container; `crio-conmon-ID` likewise.
            _ => continue,
        };
        let is_id =
            id.len() == CONTAINER_ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id {
            return Some((engine, id.to_ascii_lowercase()));
        }
        engine = match name {
            "libpod_parent" | "libpod" => "podman",
            name if CONTAINERD_NAMESPACES.contains(&name) => "containerd",
            _ => engine,
        };
    }
    None
}

/// The unit that systemd runs a control group for: the deepest service or scope, else nothing.
fn unit_of(path: &str) -> Option<String> {
    let mut unit = None;
    for part in path.split('/').take(DEPTH_MAX) {
        if part.ends_with(".service") || part.ends_with(".scope") {
            // The service manager of a user is a unit of the system; what it runs are not.
            unit = Some(part);
            if part.starts_with("user@") {
                break;
            }
        }
    }
    // systemd puts `_` before names that the kernel would take for its own files.
    unit.map(|unit| unit.strip_prefix('_').unwrap_or(unit).to_owned())
}

/// The unit's name without what is made for one session or one command.
fn folded_unit(unit: &str) -> String {
    let is_transient = unit.ends_with(".scope") || unit.starts_with("run-");
    if is_transient { fold::folded(unit) } else { unit.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn name(text: &str) -> String {
        parse(text.as_bytes()).name
    }

    #[test]
    fn the_unit_is_the_deepest_service_or_scope() {
        assert_eq!(name("0::/system.slice/nginx.service\n"), "nginx.service");
        assert_eq!(
            name("0::/system.slice/system-getty.slice/getty@tty1.service"),
            "getty@tty1.service"
        );
        assert_eq!(name("0::/system.slice/docker.service/sub"), "docker.service");
        assert_eq!(name("1:name=systemd:/system.slice/cron.service\n0::/\n"), "cron.service");
        assert_eq!(name("4:memory:/a/b\n0::/\n"), "");
        assert_eq!(name("0::/init.scope"), "init.scope");
    }

    #[test]
    fn sessions_are_folded_and_users_managers_are_their_unit() {
        assert_eq!(name("0::/user.slice/user-1000.slice/session-12.scope"), "session-#.scope");
        assert_eq!(
            name("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service"),
            "user@1000.service"
        );
    }

    #[test]
    fn a_container_wins_over_the_unit_around_it() {
        for (path, engine) in [
            (format!("/system.slice/docker-{ID}.scope"), "docker"),
            (format!("/docker/{ID}"), "docker"),
            (format!("/machine.slice/libpod-{ID}.scope/container"), "podman"),
            (format!("/libpod_parent/libpod-{ID}"), "podman"),
            (
                format!(
                    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-{ID}.scope"
                ),
                "containerd",
            ),
            (format!("/kubepods/besteffort/pod1/{ID}"), "containerd"),
            (
                format!("/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{ID}"),
                "containerd",
            ),
            (format!("/kubepods.slice/crio-{ID}.scope"), "cri-o"),
            // Quadlet on cgroup v2, of the host and of a user.
            (format!("/system.slice/web.service/libpod-payload-{ID}"), "podman"),
            (
                format!(
                    "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/libpod-payload-{ID}"
                ),
                "podman",
            ),
            // `ctr run` and nerdctl with cgroupfs, and a pod of `crictl` that names no parent.
            (format!("/default/{ID}"), "containerd"),
            (format!("/k8s.io/{ID}"), "containerd"),
            (format!("/system.slice/nerdctl-{ID}.scope"), "containerd"),
            // Docker with a parent of its own, as the agent of Amazon ECS gives it.
            (format!("/ecs/0123456789abcdef/{ID}"), "docker"),
        ] {
            let owner = parse(format!("0::{path}\n").as_bytes());
            assert_eq!(owner.container, Some((engine, ID.to_owned())), "{path}");
            assert_eq!(owner.name, format!("{engine}:0123456789ab"));
        }
        let helper = parse(format!("0::/machine.slice/libpod-conmon-{ID}.scope").as_bytes());
        assert_eq!(helper.container, None);
        let helper = parse(b"0::/system.slice/web.service/runtime\n");
        assert_eq!((helper.name.as_str(), helper.container), ("web.service", None));
    }

    #[test]
    fn a_container_is_told_by_any_of_the_hierarchies_of_cgroup_v1() {
        let text = format!(
            "12:pids:/default/{ID}\n11:memory:/default/{ID}\n1:name=systemd:/default/{ID}\n0::/\n"
        );
        let owner = parse(text.as_bytes());
        assert_eq!(owner.container, Some(("containerd", ID.to_owned())));
        let short = ID.get(1..).unwrap();
        for odd in ["/default/web", "/default", &format!("/default/{short}")] {
            assert_eq!(parse(format!("0::{odd}\n").as_bytes()), Owner::default(), "{odd}");
        }
    }
}
