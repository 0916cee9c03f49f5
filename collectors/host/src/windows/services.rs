//! The scope `units` of Windows: services as their manager lists them, with how they start, what they run and as whom.
//!
//! The five calls and two structures that are needed are declared here as Windows documents them; everything that
//! they point to lies in a buffer of ours, and nothing is read beyond its end.

#![expect(unsafe_code, reason = "the service manager is only reached by its own interface")]

use super::ITEMS_MAX;
use crate::HOST;
use collector::Run;
use model::classes::service_unit;
use model::run::CoverageReason;
use model::{Coverage, Observation};
use std::ffi::c_void;
use std::io;

/// The largest list of services; a name has 256 letters at most, and a host some hundred services.
const LIST_BYTES_MAX: usize = 4 << 20;

/// The largest configuration of a service, as its documentation says.
const CONFIGURATION_BYTES_MAX: usize = 8 * 1024;

/// The longest text that is read from either.
const TEXT_LENGTH_MAX: usize = 4096;

const ENUMERATE_SERVICES: u32 = 0x0004;
const QUERY_CONFIGURATION: u32 = 0x0001;
/// Services of Windows' own kind, not drivers.
const SERVICES_OF_WIN32: u32 = 0x30;
const ALL_STATES: u32 = 3;

type Handle = *mut c_void;

#[repr(C)]
struct Status {
    name: *const u16,
    display_name: *const u16,
    service_type: u32,
    state: u32,
    controls: u32,
    exit_code: u32,
    specific_exit_code: u32,
    check_point: u32,
    wait_hint: u32,
    pid: u32,
    flags: u32,
}

#[repr(C)]
struct Configuration {
    service_type: u32,
    start_type: u32,
    error_control: u32,
    command: *const u16,
    load_order_group: *const u16,
    tag: u32,
    dependencies: *const u16,
    account: *const u16,
    display_name: *const u16,
}

#[link(name = "advapi32")]
unsafe extern "system" {
    fn OpenSCManagerW(machine: *const u16, database: *const u16, access: u32) -> Handle;
    fn OpenServiceW(manager: Handle, name: *const u16, access: u32) -> Handle;
    fn CloseServiceHandle(handle: Handle) -> i32;
    fn EnumServicesStatusExW(
        manager: Handle,
        level: i32,
        kind: u32,
        state: u32,
        buffer: *mut u8,
        length: u32,
        needed: *mut u32,
        count: *mut u32,
        resume: *mut u32,
        group: *const u16,
    ) -> i32;
    fn QueryServiceConfigW(
        service: Handle,
        buffer: *mut Configuration,
        length: u32,
        needed: *mut u32,
    ) -> i32;
}

/// A handle that is closed when it goes.
struct Open(Handle);

impl Open {
    fn new(handle: Handle) -> io::Result<Self> {
        if handle.is_null() { Err(io::Error::last_os_error()) } else { Ok(Self(handle)) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: the handle is open and nobody uses it any more; that it may fail to close changes nothing.
        unsafe { CloseServiceHandle(self.0) };
    }
}

/// Numbers of eight bytes, so that the structures in it lie as they have to.
struct Buffer(Vec<u64>);

impl Buffer {
    fn new(bytes: usize) -> Self {
        Self(vec![0; bytes / 8])
    }

    fn bytes(&self) -> usize {
        self.0.len() * 8
    }

    fn length(&self) -> u32 {
        u32::try_from(self.bytes()).unwrap_or(u32::MAX)
    }

    /// The text that a pointer into this buffer leads to; `None` when it leads elsewhere.
    fn text(&self, at: *const u16) -> Option<String> {
        let start = self.0.as_ptr().addr();
        let offset = at.addr().checked_sub(start).filter(|offset| offset % 2 == 0)?;
        let left = self.bytes().checked_sub(offset)? / 2;
        // SAFETY: `left` units of two bytes lie between the pointer, which is aligned, and the end of the buffer, and
        // all of it is initialized.
        let units = unsafe { std::slice::from_raw_parts(at, left.min(TEXT_LENGTH_MAX)) };
        let end = units.iter().position(|unit| *unit == 0)?;
        Some(String::from_utf16_lossy(units.get(..end)?)).filter(|text| !text.is_empty())
    }
}

/// Looks at the scope.
pub(super) fn collect(run: &mut Run<'_>) -> Coverage {
    match list(run) {
        Ok(()) => Coverage::complete(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Coverage::not_looked_at(
            CoverageReason::PermissionDenied,
            "services may not be listed; run the agent as a service or as an administrator",
        ),
        Err(error) => Coverage::not_looked_at(
            CoverageReason::Unreachable,
            format!("the service manager did not answer: {error}"),
        ),
    }
}

fn list(run: &mut Run<'_>) -> io::Result<()> {
    // SAFETY: both names may be left out, which means this host.
    let manager = unsafe { OpenSCManagerW(std::ptr::null(), std::ptr::null(), ENUMERATE_SERVICES) };
    let manager = Open::new(manager)?;
    let mut buffer = Buffer::new(64 * 1024);
    let count = loop {
        let (mut needed, mut count, mut resume) = (0, 0, 0);
        // SAFETY: the manager is open, the buffer is as long as is said, and all places outlive the call.
        let is_done = unsafe {
            EnumServicesStatusExW(
                manager.0,
                0,
                SERVICES_OF_WIN32,
                ALL_STATES,
                buffer.0.as_mut_ptr().cast(),
                buffer.length(),
                &raw mut needed,
                &raw mut count,
                &raw mut resume,
                std::ptr::null(),
            )
        };
        if is_done != 0 {
            break usize::try_from(count).unwrap_or(0);
        }
        let error = io::Error::last_os_error();
        // ERROR_MORE_DATA
        if error.raw_os_error() != Some(234) || buffer.bytes() >= LIST_BYTES_MAX {
            return Err(error);
        }
        buffer = Buffer::new(LIST_BYTES_MAX);
    };
    let most = buffer.bytes() / size_of::<Status>();
    for index in 0..count.min(most).min(ITEMS_MAX) {
        // SAFETY: the index is below the number of structures that fit, each is aligned, and any bytes are valid.
        let status = unsafe { buffer.0.as_ptr().cast::<Status>().add(index).read() };
        if let Some(name) = buffer.text(status.name) {
            let seen = observe(&name, &status, buffer.text(status.display_name));
            run.saw(configured(seen, &manager, status.name));
        }
    }
    Ok(())
}

fn observe(name: &str, status: &Status, display_name: Option<String>) -> Observation {
    let (active, sub) = match status.state {
        1 => ("inactive", "stopped"),
        2 => ("activating", "start pending"),
        3 => ("deactivating", "stop pending"),
        4 => ("active", "running"),
        5 => ("active", "continue pending"),
        6 => ("active", "pause pending"),
        7 => ("active", "paused"),
        _ => ("unknown", "unknown"),
    };
    Observation::part(&service_unit::CLASS, HOST, &["windows", name])
        .with(&service_unit::UNIT_TYPE, "service")
        .with(&service_unit::ACTIVE_STATE, active)
        .with(&service_unit::SUB_STATE, sub)
        .with_some(&service_unit::DESCRIPTION, display_name)
}

/// Adds how a service starts; what may not be read is left out.
fn configured(seen: Observation, manager: &Open, name: *const u16) -> Observation {
    // SAFETY: the manager is open, and the name ends in NUL in a buffer that the caller holds.
    let service = unsafe { OpenServiceW(manager.0, name, QUERY_CONFIGURATION) };
    let Ok(service) = Open::new(service) else { return seen };
    let mut buffer = Buffer::new(CONFIGURATION_BYTES_MAX);
    let mut needed = 0;
    // SAFETY: the service is open and the buffer, which is aligned, is as long as is said.
    let is_done = unsafe {
        QueryServiceConfigW(
            service.0,
            buffer.0.as_mut_ptr().cast(),
            buffer.length(),
            &raw mut needed,
        )
    };
    if is_done == 0 {
        return seen;
    }
    // SAFETY: the buffer is longer than the structure, aligned and initialized, and any bytes are valid.
    let configuration = unsafe { buffer.0.as_ptr().cast::<Configuration>().read() };
    let enabled = match configuration.start_type {
        0..=2 => Some("enabled"),
        3 => Some("static"),
        4 => Some("disabled"),
        _ => None,
    };
    let command = buffer.text(configuration.command);
    seen.with_some(&service_unit::ENABLED_STATE, enabled)
        .with_some(&service_unit::COMMAND, command.map(|line| crate::redact::redact(&line)))
        .with_some(&service_unit::RUN_AS, buffer.text(configuration.account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_told_with_their_state() {
        let mut seen = Vec::new();
        assert_eq!(collect(&mut Run::new(&mut seen)), Coverage::complete());
        assert!(!seen.is_empty());
        assert!(seen.iter().all(|seen| seen.facts.contains_key("active_state")), "{seen:?}");
    }
}
