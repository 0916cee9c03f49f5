//! The agent's own limits: it never takes from its host what it was not given.
//!
//! Descriptors are capped by the kernel, address space and CPU time of a child as well; the agent's own memory is
//! checked when it works and shed when it is too much (a hard cap would turn a burst into a crash); the processor is
//! shared by niceness and by pauses between looks; the disk by the spool's quota.
//!
//! Deliberately not here: a watchdog. The service manager is one.

mod system;

pub use system::{CpuTime, cpu_time};

use crate::child::Request;
use crate::config::Config;

/// Processor seconds after which the kernel ends a child: ten times what the largest host needs for all scopes.
const CHILD_CPU_SECONDS_MAX: u64 = 60;
/// Descriptors of a child: it reads one file at a time, a few sockets of container engines beside.
const CHILD_DESCRIPTORS_MAX: u64 = 256;
/// How much more than the agent a child gives way.
const CHILD_NICE_MORE: u64 = 5;
/// The least niceness there is to give.
const NICE_MAX: u64 = 19;

/// Puts the agent's limits in force. What the kernel refuses is logged: a missing cap is no reason not to run.
pub fn confine_agent(config: &Config) {
    system::tame_allocator();
    complain("the number of descriptors", system::limit_descriptors(config.descriptors.value));
    complain("the niceness", system::set_nice(config.nice.value));
}

/// Puts a child's limits in force.
pub(crate) fn confine_child(request: &Request) {
    system::tame_allocator();
    complain("the number of descriptors", system::limit_descriptors(CHILD_DESCRIPTORS_MAX));
    complain("the processor time", system::limit_cpu(CHILD_CPU_SECONDS_MAX));
    complain("the address space", system::limit_address_space(request.memory_bytes));
    let nice = request.nice.saturating_add(CHILD_NICE_MORE).min(NICE_MAX);
    complain("the niceness", system::set_nice(nice));
}

fn complain(what: &'static str, result: std::io::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(what, %error, "a limit of the agent could not be set");
    }
}

/// Gives unused memory back to the kernel.
pub fn release_memory() {
    system::trim();
}

/// Gives back the pages of the program's own code. The kernel maps generously around what runs, and most of what ran
/// for the start never runs again. What is needed comes back from the page cache by itself, within microseconds.
pub fn release_program() {
    for (start, length) in own_code() {
        system::unmap_code(start, length);
    }
}

/// The mappings of this program's code: address and length.
fn own_code() -> Vec<(usize, usize)> {
    /// Bytes of the list of mappings; an agent has some forty.
    const MAPS_BYTES_MAX: u64 = 256 * 1024;
    let mut text = String::new();
    let (Ok(program), Ok(file)) =
        (std::fs::read_link("/proc/self/exe"), std::fs::File::open("/proc/self/maps"))
    else {
        return Vec::new();
    };
    if std::io::Read::read_to_string(&mut std::io::Read::take(file, MAPS_BYTES_MAX), &mut text)
        .is_err()
    {
        return Vec::new();
    }
    let program = program.to_string_lossy();
    text.lines().filter_map(|line| code_mapping(line, &program)).collect()
}

/// Address and length of a line of /proc/self/maps, if it maps code of the program that nobody can have written to.
fn code_mapping(line: &str, program: &str) -> Option<(usize, usize)> {
    let (range, rest) = line.split_once(' ')?;
    let is_code = rest.starts_with("r-xp ") && rest.ends_with(program);
    let (start, end) = range.split_once('-').filter(|_| is_code)?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    Some((start, end.checked_sub(start)?))
}

/// Resident memory of this process, if the kernel says.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    /// Bytes of the file: seven numbers.
    const STATM_BYTES_MAX: u64 = 256;
    let file = std::fs::File::open("/proc/self/statm").ok()?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::io::Read::take(file, STATM_BYTES_MAX), &mut text)
        .ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(system::page_bytes())
}

/// Whether the agent takes more memory than it may, after it gave back what it does not use.
#[must_use]
pub fn is_over_memory(limit_bytes: u64) -> bool {
    let is_over = || resident_bytes().is_some_and(|bytes| bytes > limit_bytes);
    if !is_over() {
        return false;
    }
    release_memory();
    is_over()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_the_program_itself_is_given_back() {
        let line =
            |rights: &str, file: &str| format!("1000-3000 {rights} 0023b000 fe:00 99  {file}");
        assert_eq!(code_mapping(&line("r-xp", "/bin/a"), "/bin/a"), Some((0x1000, 0x2000)));
        assert_eq!(code_mapping(&line("rw-p", "/bin/a"), "/bin/a"), None);
        assert_eq!(code_mapping(&line("r--p", "/bin/a"), "/bin/a"), None);
        assert_eq!(code_mapping(&line("r-xp", "/lib/libc.so"), "/bin/a"), None);
        assert_eq!(code_mapping("nonsense", "/bin/a"), None);
        assert!(!own_code().is_empty());
        let before = resident_bytes().unwrap();
        release_program();
        assert!(resident_bytes().unwrap() < before);
    }

    #[test]
    fn resident_memory_and_processor_time_are_told() {
        let bytes = resident_bytes().unwrap();
        assert!(bytes > 500_000, "{bytes}");
        assert!(!is_over_memory(u64::MAX));
        assert!(is_over_memory(1));
        assert!(cpu_time().own < std::time::Duration::from_secs(3600));
    }
}
