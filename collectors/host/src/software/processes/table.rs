//! The process table: what /proc says of each process, parsed.
//!
//! A process may end between two of its files; what was read of it until then counts, and a process whose `stat` is
//! gone was not there. Files that may not be read leave their fact open.

use super::super::directory::Directory;
use super::fold::{self, Program};
use super::owner::{self, Owner};
use super::sockets::Namespace;
use crate::files;
use std::fmt::Write;

/// Ticks in which /proc counts; the same on every architecture that Linux runs on (`USER_HZ`).
pub(super) const TICKS_PER_SECOND: u64 = 100;

/// Longest `stat`, `cgroup` or `status` that is read.
const FILE_BYTES_MAX: usize = 16 * 1024;

/// Longest command line that is read; the kernel allows megabytes.
const COMMAND_LINE_BYTES_MAX: usize = 16 * 1024;

/// Longest command line that is kept as a reading.
const COMMAND_LINE_SHOWN_MAX: usize = 4096;

/// `PF_KTHREAD` of the kernel's `sched.h`.
const KERNEL_THREAD_FLAG: u64 = 0x0020_0000;

/// One process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent_pid: u32,
    pub(super) uid: Option<u32>,
    pub(super) is_kernel: bool,
    pub(super) has_executable: bool,
    pub(super) is_replaced: bool,
    pub(super) start_ticks: u64,
    pub(super) cpu_ticks: u64,
    pub(super) memory_bytes: u64,
    pub(super) threads: u64,
    pub(super) namespace: Namespace,
    pub(super) program: Program,
    pub(super) owner: Owner,
    pub(super) command_line: String,
}

/// All processes, by pid.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) processes: Vec<Process>,
    /// When the system was started, in seconds since the Unix epoch.
    pub(super) booted_at_seconds: Option<u64>,
    /// How long ago that was.
    pub(super) uptime_ticks: u64,
    pub(super) is_cut: bool,
    pub(super) is_denied: bool,
    /// Whether this process is in the network namespace of the host itself.
    pub(super) is_in_host_namespace: bool,
}

/// What `/proc/PID/stat` says (proc_pid_stat(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) name: String,
    pub(super) state: u8,
    pub(super) parent_pid: u32,
    pub(super) flags: u64,
    pub(super) cpu_ticks: u64,
    pub(super) threads: u64,
    pub(super) start_ticks: u64,
    pub(super) resident_pages: u64,
}

impl Table {
    /// Reads the process table, at most `limit` processes.
    pub(super) fn read(proc: &Directory, limit: usize) -> Self {
        let mut table = Self::default();
        let mut buffer = Vec::with_capacity(FILE_BYTES_MAX);
        if proc.read("stat", 1 << 20, &mut buffer).is_ok() {
            table.booted_at_seconds = parse_boot_time(&buffer);
        }
        if proc.read("uptime", 256, &mut buffer).is_ok() {
            table.uptime_ticks = parse_uptime(&buffer).unwrap_or(0);
        }
        let mut pids: Vec<u32> = Vec::new();
        let listed = proc.names(|name| {
            if let Some(pid) = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok()) {
                pids.push(pid);
            }
            pids.len() <= limit
        });
        table.is_denied |= listed.is_err();
        table.is_cut = pids.len() > limit;
        pids.truncate(limit);
        pids.sort_unstable();
        let mut reader = Reader { proc, name: String::new(), buffer, is_denied: false };
        let own = reader.namespace_of("self");
        let host = reader.namespace(1).or(own);
        table.is_in_host_namespace = own.is_some() && own == host;
        reader.is_denied = false;
        table.processes = pids.into_iter().filter_map(|pid| reader.process(pid, host)).collect();
        table.is_denied |= reader.is_denied;
        table
    }
}

/// Reads the files of one process after the other with the same buffers.
struct Reader<'a> {
    proc: &'a Directory,
    name: String,
    buffer: Vec<u8>,
    is_denied: bool,
}

impl Reader<'_> {
    fn process(&mut self, pid: u32, host: Option<u64>) -> Option<Process> {
        self.file(pid, "stat", FILE_BYTES_MAX).then_some(())?;
        let stat = parse_stat(&self.buffer)?;
        // A zombie has no memory, no files and no arguments: it runs no more.
        if matches!(stat.state, b'Z' | b'X' | b'x') {
            return None;
        }
        let is_kernel = stat.flags & KERNEL_THREAD_FLAG != 0;
        let mut process = Process {
            pid,
            parent_pid: stat.parent_pid,
            uid: Some(0),
            is_kernel,
            has_executable: false,
            is_replaced: false,
            start_ticks: stat.start_ticks,
            cpu_ticks: stat.cpu_ticks,
            memory_bytes: stat.resident_pages.saturating_mul(page_bytes()),
            threads: stat.threads,
            namespace: Namespace::HOST,
            program: Program::default(),
            owner: Owner::default(),
            command_line: String::new(),
        };
        if is_kernel {
            process.program = fold::kernel_thread(&stat.name);
            return Some(process);
        }
        process.uid = self.uid(pid);
        if self.file(pid, "cgroup", FILE_BYTES_MAX) {
            process.owner = owner::parse(&self.buffer);
        }
        let namespace = self.namespace(pid);
        process.namespace = match namespace {
            Some(inode) if Some(inode) != host && host.is_some() => Namespace(inode),
            _ => Namespace::HOST,
        };
        let executable = self.executable(pid);
        process.has_executable = executable.is_some();
        process.is_replaced = executable.as_ref().is_some_and(|(_, is_replaced)| *is_replaced);
        if !self.file(pid, "cmdline", COMMAND_LINE_BYTES_MAX) {
            self.buffer.clear();
        }
        let line = String::from_utf8_lossy(&self.buffer);
        let arguments = fold::split_arguments(&line);
        let shown = crate::redact::redact_arguments(arguments.iter().copied());
        crate::redact::cut(&shown, COMMAND_LINE_SHOWN_MAX).clone_into(&mut process.command_line);
        process.program = fold::program(executable.map(|(path, _)| path), &arguments, &stat.name);
        Some(process)
    }

    /// Reads a file of a process into the buffer; whether that went well.
    fn file(&mut self, pid: u32, file: &str, limit: usize) -> bool {
        self.name.clear();
        // Writing into a string cannot fail.
        write!(self.name, "{pid}/{file}").unwrap_or_default();
        match self.proc.read(&self.name, limit, &mut self.buffer) {
            Ok(()) => true,
            Err(error) => {
                self.is_denied |= files::refusal(&error) == files::Refusal::PermissionDenied;
                false
            }
        }
    }

    /// The user that a process acts as. The folder belongs to root when the process may not be dumped, so root's
    /// are asked again.
    fn uid(&mut self, pid: u32) -> Option<u32> {
        match self.proc.owner(&pid.to_string()).ok()? {
            0 if self.file(pid, "status", FILE_BYTES_MAX) => parse_uid(&self.buffer),
            uid => Some(uid),
        }
    }

    fn namespace(&mut self, pid: u32) -> Option<u64> {
        self.namespace_of(&pid.to_string())
    }

    fn namespace_of(&mut self, pid: &str) -> Option<u64> {
        let mut place = [0; 64];
        match self.proc.link(&format!("{pid}/ns/net"), &mut place) {
            Ok(link) => super::sockets::bracketed_number(link, b"net:["),
            Err(error) => {
                // The first process is in the host's namespace, seen or not.
                self.is_denied |=
                    pid != "1" && files::refusal(&error) == files::Refusal::PermissionDenied;
                None
            }
        }
    }

    /// The path of the executable, and whether it was replaced since; `None` when it may not be seen.
    fn executable(&mut self, pid: u32) -> Option<(String, bool)> {
        const REPLACED: &str = " (deleted)";
        let mut place = [0; 4096];
        let link = self.proc.link(&format!("{pid}/exe"), &mut place).ok()?;
        let path = String::from_utf8_lossy(link);
        Some(match path.strip_suffix(REPLACED) {
            // A program in memory never had a file.
            Some(path) => (path.to_owned(), !path.starts_with("/memfd:")),
            None => (path.into_owned(), false),
        })
    }
}

/// The size of a page of memory.
#[expect(unsafe_code, reason = "sysconf only returns a number")]
fn page_bytes() -> u64 {
    // SAFETY: sysconf takes no pointer and has no precondition.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

/// Parses `/proc/PID/stat`. The name stands in brackets and may itself hold brackets and spaces.
pub(super) fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let text = String::from_utf8_lossy(bytes);
    let (before, after) = text.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = after.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    // The numbers from field 4 on: the parent, then those that are of use, by their distance to it.
    let mut numbers = [0_u64; 21];
    for (place, field) in numbers.iter_mut().zip(fields) {
        // Some are signed; a negative one is none of those that are of use.
        *place = field.parse().unwrap_or(0);
    }
    let [
        parent,
        _,
        _,
        _,
        _,
        flags,
        _,
        _,
        _,
        _,
        user,
        system,
        _,
        _,
        _,
        _,
        threads,
        _,
        start,
        _,
        resident,
    ] = numbers;
    Some(Stat {
        name: name.to_owned(),
        state,
        parent_pid: u32::try_from(parent).ok()?,
        flags,
        cpu_ticks: user.saturating_add(system),
        threads,
        start_ticks: start,
        resident_pages: resident,
    })
}

fn parse_boot_time(bytes: &[u8]) -> Option<u64> {
    let line = bytes.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"btime "))?;
    std::str::from_utf8(line).ok()?.trim().parse().ok()
}

/// The uptime in ticks, of a text such as `1234.56 2000.00`.
fn parse_uptime(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (whole, part) = text.split_whitespace().next()?.split_once('.')?;
    let whole: u64 = whole.parse().ok()?;
    Some(whole.saturating_mul(TICKS_PER_SECOND).saturating_add(part.parse().ok()?))
}

/// The effective user of `/proc/PID/status`.
fn parse_uid(bytes: &[u8]) -> Option<u32> {
    let line = bytes.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    std::str::from_utf8(line).ok()?.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let text = b"42 (a) (b c) S 7 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 152709 3133440 388 18446744073709551615 1 1";
        assert_eq!(
            parse_stat(text),
            Some(Stat {
                name: "a) (b c".into(),
                state: b'S',
                parent_pid: 7,
                flags: 4_194_560,
                cpu_ticks: 300,
                threads: 3,
                start_ticks: 152_709,
                resident_pages: 388,
            })
        );
    }

    #[test]
    fn the_effective_user_counts() {
        assert_eq!(parse_uid(b"Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t1\n"), Some(0));
        assert_eq!(parse_uptime(b"1527.09 2000.00\n"), Some(152_709));
        assert_eq!(
            parse_boot_time(b"cpu 1 2\nbtime 1700000000\nprocesses 5\n"),
            Some(1_700_000_000)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            parse_stat(&bytes);
            parse_uid(&bytes);
            parse_uptime(&bytes);
            parse_boot_time(&bytes);
            owner::parse(&bytes);
        }
    }
}
