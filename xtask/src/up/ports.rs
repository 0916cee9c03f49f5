//! Who listens at a port, read from /proc: the socket's inode in the kernel's table, and the process that holds it.

use std::fs;
use std::path::Path;

/// The state of a listening socket in /proc/net/tcp.
const LISTEN: &str = "0A";

/// Who listens at a TCP port, as words for a sentence; none when nobody does.
pub(crate) fn owner(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let listener = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| listener(&table, port))?;
    Some(match holder(&listener.inode) {
        Some((id, name)) => format!("{name} (pid {id})"),
        None => format!("a process of the user with id {}", listener.user),
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Listener {
    inode: String,
    user: String,
}

fn listener(table: &str, port: u16) -> Option<Listener> {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state) = (fields.get(1)?, fields.get(3)?);
        if !local.ends_with(&suffix) || *state != LISTEN {
            return None;
        }
        Some(Listener { inode: (*fields.get(9)?).to_owned(), user: (*fields.get(7)?).to_owned() })
    })
}

/// The process that has a socket open, among those that we may look into.
fn holder(inode: &str) -> Option<(u32, String)> {
    let wanted = format!("socket:[{inode}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let has_it = fs::read_dir(entry.path().join("fd")).ok()?.flatten().any(|descriptor| {
            fs::read_link(descriptor.path()).is_ok_and(|target| target == Path::new(&wanted))
        });
        has_it.then(|| (id, program(&entry.path())))
    })
}

/// What a process was started as; the kernel's own name for it is cut after 15 letters.
fn program(process: &Path) -> String {
    let command = fs::read(process.join("cmdline")).unwrap_or_default();
    let first =
        String::from_utf8_lossy(command.split(|byte| *byte == 0).next().unwrap_or_default())
            .into_owned();
    Path::new(&first)
        .file_name()
        .map_or_else(|| "a process".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1CE8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1D13 0100007F:1CE8 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 100 0 0 10 0
   2: broken";

    #[test]
    fn a_connection_from_the_port_is_no_listener() {
        assert_eq!(listener(TABLE, 0x1D13), None);
        assert_eq!(listener(TABLE, 1), None);
        let found = listener(TABLE, 0x1CE8).unwrap();
        assert_eq!((found.inode.as_str(), found.user.as_str()), ("4711", "1000"));
    }

    #[test]
    fn our_own_listener_is_found_by_its_port_with_its_whole_name() {
        let socket = std::net::TcpListener::bind("[::1]:0")
            .or_else(|_| std::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let owner = owner(socket.local_addr().unwrap().port()).unwrap();
        let program = std::env::current_exe().unwrap();
        let name = program.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(owner, format!("{name} (pid {})", std::process::id()));
    }
}
