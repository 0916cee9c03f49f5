//! Whether the first process of a container still runs: engines' own records are stale after a crash or a restart.

use crate::files;
use collector::Target;

/// The longest `stat` or `cgroup` of a process that is read.
const FILE_BYTES_MAX: usize = 16 << 10;

/// What the kernel says of a container's first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    Paused,
    Ended,
}

/// What starts containers and stays their parent. The kernel cuts names to 15 letters.
const PARENTS: [&str; 2] = ["conmon", "containerd-shim"];

/// Asks the kernel about the process that an engine noted for a container. The number may have been given to another
/// process since: a container's is in a control group of its id, or a child of what starts containers.
pub(super) fn life(target: &Target, pid: u64, id: &str) -> Life {
    let read = |pid: u64, name: &str| {
        files::read_to_string_limited(&target.path(&format!("/proc/{pid}/{name}")), FILE_BYTES_MAX)
            .unwrap_or_default()
    };
    let stat = read(pid, "stat");
    // The name is in parentheses and may hold some; then state and parent (proc(5)).
    let Some((_, rest)) = stat.rsplit_once(") ") else { return Life::Ended };
    let mut fields = rest.split(' ');
    let has_ended = matches!(fields.next(), Some("Z" | "X") | None);
    let groups = read(pid, "cgroup");
    let is_its = groups.contains(id) || {
        let parent = fields.next().and_then(|parent| parent.parse().ok()).unwrap_or_default();
        let name = read(parent, "comm");
        PARENTS.iter().any(|known| name.starts_with(known))
    };
    if has_ended || !is_its {
        return Life::Ended;
    }
    if groups.lines().any(|line| is_frozen(target, line)) { Life::Paused } else { Life::Running }
}

/// Whether a control group is frozen, by a line of `/proc/PID/cgroup` (cgroups(7)): `number:controllers:path`.
fn is_frozen(target: &Target, line: &str) -> bool {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { return false };
    if path.split('/').any(|part| part == "..") {
        return false;
    }
    let says = |place: String, words: &str| {
        files::read_trimmed(&target.path(&place))
            .is_some_and(|text| text.lines().any(|l| l == words))
    };
    match controllers {
        "" => ["", "/unified"]
            .iter()
            .any(|root| says(format!("/sys/fs/cgroup{root}{path}/cgroup.events"), "frozen 1")),
        "freezer" => says(format!("/sys/fs/cgroup/freezer{path}/freezer.state"), "FROZEN"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_told_from_what_runs_and_what_is_paused() {
        let place = tempfile::tempdir().unwrap();
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        let write = |path: &str, text: &str| {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(life(&target, 7, "aa"), Life::Ended);
        write("proc/7/stat", "7 (a) Z) S 1 7");
        write("proc/7/cgroup", "0::/libpod_parent/libpod-aa\n");
        assert_eq!(life(&target, 7, "aa"), Life::Running);
        assert_eq!(life(&target, 7, "bb"), Life::Ended, "the number is another's now");
        write("sys/fs/cgroup/libpod_parent/libpod-aa/cgroup.events", "populated 1\nfrozen 1\n");
        assert_eq!(life(&target, 7, "aa"), Life::Paused);
        write("proc/7/cgroup", "3:freezer:/x\n0::/../libpod_parent/libpod-aa\n");
        assert_eq!(life(&target, 7, "aa"), Life::Running);
        write("sys/fs/cgroup/freezer/x/freezer.state", "FROZEN\n");
        assert_eq!(life(&target, 7, "aa"), Life::Paused);
        write("proc/7/stat", "7 (a) Z 1 7");
        assert_eq!(life(&target, 7, "aa"), Life::Ended);
    }

    #[test]
    fn a_container_without_a_control_group_is_known_by_its_parent() {
        let place = tempfile::tempdir().unwrap();
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        for (pid, stat, name) in [(7, "7 (web) S 8 7", "web"), (8, "8 (conmon) S 1 8", "conmon")] {
            let folder = place.path().join(format!("proc/{pid}"));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("stat"), stat).unwrap();
            std::fs::write(folder.join("comm"), format!("{name}\n")).unwrap();
        }
        assert_eq!(life(&target, 7, "aa"), Life::Running);
        assert_eq!(life(&target, 8, "aa"), Life::Ended);
    }
}
