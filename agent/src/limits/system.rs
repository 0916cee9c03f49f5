//! The system calls behind the limits. Everything unsafe of the agent is here: calls that take plain numbers, or a
//! pointer to a local value that lives during the call.
#![cfg_attr(
    unix,
    expect(
        unsafe_code,
        reason = "the standard library has no call for limits, niceness and the allocator"
    )
)]

use std::io;
use std::time::Duration;

/// Processor time of this process and of its children that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// Of this process.
    pub own: Duration,
    /// Of the children that looked.
    pub children: Duration,
}

#[cfg(unix)]
fn checked(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lowers a soft limit; never raises it above the hard one, which needs a right.
#[cfg(unix)]
fn limit(resource: libc::__rlimit_resource_t, value: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a local value that lives during the call.
    checked(unsafe { libc::getrlimit(resource, &raw mut limit) })?;
    limit.rlim_cur = value.min(limit.rlim_max);
    // SAFETY: the pointer is to a local value that lives during the call.
    checked(unsafe { libc::setrlimit(resource, &raw const limit) })
}

#[cfg(unix)]
pub(super) fn limit_descriptors(count: u64) -> io::Result<()> {
    limit(libc::RLIMIT_NOFILE, count)
}

#[cfg(unix)]
pub(super) fn limit_cpu(seconds: u64) -> io::Result<()> {
    limit(libc::RLIMIT_CPU, seconds)
}

#[cfg(unix)]
pub(super) fn limit_address_space(bytes: u64) -> io::Result<()> {
    limit(libc::RLIMIT_AS, bytes)
}

#[cfg(unix)]
pub(super) fn set_nice(nice: u64) -> io::Result<()> {
    let nice = libc::c_int::try_from(nice).unwrap_or(19);
    // SAFETY: the call takes three numbers; zero means this process. It reports an error by -1 and never reads memory.
    let before = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    if before >= nice {
        return Ok(());
    }
    // SAFETY: as above.
    checked(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) })
}

/// One arena for all threads, large blocks straight from the kernel and back: the agent is idle nearly always, and
/// what a burst took must not stay.
#[cfg(all(unix, target_env = "gnu"))]
pub(super) fn tame_allocator() {
    const MMAP_THRESHOLD_BYTES: libc::c_int = 64 * 1024;
    const TRIM_THRESHOLD_BYTES: libc::c_int = 64 * 1024;
    // SAFETY: the calls take two numbers each and change settings of the allocator only.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES);
    }
}

#[cfg(all(unix, target_env = "gnu"))]
pub(super) fn trim() {
    // SAFETY: the call takes a number and gives free pages back; no live allocation is touched.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(unix, target_env = "gnu")))]
pub(super) fn tame_allocator() {}

#[cfg(not(all(unix, target_env = "gnu")))]
pub(super) fn trim() {}

/// Drops clean pages of a mapping of code.
#[cfg(target_os = "linux")]
pub(super) fn unmap_code(start: usize, length: usize) {
    let address = std::ptr::with_exposed_provenance_mut::<libc::c_void>(start);
    // SAFETY: the range is a private mapping of a file that is readable and executable but not writable, so every
    // page of it equals the file and is read again when it is needed; no Rust value lives in it.
    unsafe { libc::madvise(address, length, libc::MADV_DONTNEED) };
}

#[cfg(not(target_os = "linux"))]
pub(super) fn unmap_code(_start: usize, _length: usize) {}

#[cfg(unix)]
pub(super) fn page_bytes() -> u64 {
    // SAFETY: the call takes a number and reads nothing of ours.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

/// Processor time used so far.
#[cfg(unix)]
#[must_use]
pub fn cpu_time() -> CpuTime {
    let of = |who| {
        // SAFETY: all bytes zero is a valid value of this plain structure.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a local value that lives during the call.
        if unsafe { libc::getrusage(who, &raw mut usage) } != 0 {
            return Duration::ZERO;
        }
        let time = |time: libc::timeval| {
            let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
            seconds.saturating_add(Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0)))
        };
        time(usage.ru_utime).saturating_add(time(usage.ru_stime))
    };
    CpuTime { own: of(libc::RUSAGE_SELF), children: of(libc::RUSAGE_CHILDREN) }
}

#[cfg(not(unix))]
pub(super) fn limit_descriptors(_count: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn limit_cpu(_seconds: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn limit_address_space(_bytes: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn set_nice(_nice: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn page_bytes() -> u64 {
    4096
}

/// Processor time used so far; not known on this system.
#[cfg(not(unix))]
#[must_use]
pub fn cpu_time() -> CpuTime {
    CpuTime::default()
}
