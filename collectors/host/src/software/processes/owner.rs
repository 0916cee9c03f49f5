//! Which unit or container a process belongs to, from the names of its control groups.
//!
//! Container engines put the id of the container into the name (64 hexadecimal digits), systemd the name of the
//! unit. A container wins over the unit around it. Names of scopes that are made for one session or one command
//! are folded, so that the next session is the same owner.

use super::fold;

/// Deepest control group that is looked at; Kubernetes inside nspawn inside a user's session has 12.
const DEPTH_MAX: usize = 64;

/// Digits of a container id; all engines use SHA-256 sized ids.
const CONTAINER_ID_LENGTH: usize = 64;

/// Digits of a container id that a person is shown, as `docker ps` does.
const CONTAINER_ID_SHOWN: usize = 12;

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
            "libpod" => "podman",
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
        if name == "libpod_parent" || name == "libpod" {
            engine = "podman";
        }
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
        ] {
            let owner = parse(format!("0::{path}\n").as_bytes());
            assert_eq!(owner.container, Some((engine, ID.to_owned())), "{path}");
            assert_eq!(owner.name, format!("{engine}:0123456789ab"));
        }
        let helper = parse(format!("0::/machine.slice/libpod-conmon-{ID}.scope").as_bytes());
        assert_eq!(helper.container, None);
    }
}
