//! The system calls that describe the running host where no file does.
//!
//! The only module of the machine half with unsafe code; each block says why it is sound. Nothing here interprets
//! what the kernel answers beyond its outermost structure.

#![expect(unsafe_code, reason = "system calls without a safe wrapper in our dependencies")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Sizes of a mounted file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    /// All of it.
    pub(super) capacity_bytes: u64,
    /// In use.
    pub(super) used_bytes: u64,
    /// Left to users without privileges.
    pub(super) available_bytes: u64,
    /// Inodes that there can be; zero where the file system makes them as needed.
    pub(super) files_max_count: u64,
    /// Inodes in use.
    pub(super) files_count: u64,
}

/// The machine architecture, as `uname -m` names it.
pub(super) fn architecture() -> Option<String> {
    // SAFETY: utsname is plain data, for which all zeros are valid; uname only writes into it.
    let name = unsafe {
        let mut name: libc::utsname = std::mem::zeroed();
        if libc::uname(&raw mut name) != 0 {
            return None;
        }
        name
    };
    let machine: Vec<u8> = name
        .machine
        .iter()
        .take_while(|letter| **letter != 0)
        .map(|letter| letter.cast_unsigned())
        .collect();
    String::from_utf8(machine).ok().filter(|machine| !machine.is_empty())
}

/// The sizes of the file system mounted at `path`.
///
/// Waits as long as the file system does: the caller asks only for those that lie on this host.
pub(super) fn space(path: &Path) -> io::Result<Space> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: statvfs is plain data, for which all zeros are valid; the call reads a terminated string that
    // lives until it returns, and writes only into the structure.
    let answer = unsafe {
        let mut answer: libc::statvfs = std::mem::zeroed();
        if libc::statvfs(path.as_ptr(), &raw mut answer) != 0 {
            return Err(io::Error::last_os_error());
        }
        answer
    };
    let bytes = |blocks: u64| blocks.saturating_mul(answer.f_frsize);
    Ok(Space {
        capacity_bytes: bytes(answer.f_blocks),
        used_bytes: bytes(answer.f_blocks.saturating_sub(answer.f_bfree)),
        available_bytes: bytes(answer.f_bavail),
        files_max_count: answer.f_files,
        files_count: answer.f_files.saturating_sub(answer.f_ffree),
    })
}

/// The letters by which a hypervisor names itself: CPUID leaf 0x40000000.
#[cfg(target_arch = "x86_64")]
pub(super) fn hypervisor_leaf() -> [u8; 12] {
    // The instruction exists on every x86-64 processor, and an unknown leaf gives some other leaf's numbers.
    let leaf = core::arch::x86_64::__cpuid(0x4000_0000);
    let mut letters = [0; 12];
    let words = [leaf.ebx, leaf.ecx, leaf.edx];
    for (place, word) in letters.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    letters
}

/// The most bytes of one netlink answer that are read; 10,000 routes make some 1.2 MB.
const NETLINK_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The buffer for one packet of a netlink answer; the kernel packs up to 32 KiB into it.
const NETLINK_BUFFER_BYTES: usize = 64 * 1024;
/// How long the kernel may take for a packet. It answers at once; a bound is still a bound.
const NETLINK_TIMEOUT_SECONDS: libc::time_t = 5;
/// How often a dump is asked for again that the kernel says was disturbed by a change.
const NETLINK_ATTEMPTS_MAX: usize = 3;

/// What a netlink dump is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// The protocol, such as `NETLINK_ROUTE`.
    pub(super) protocol: libc::c_int,
    /// The message's type.
    pub(super) kind: u16,
    /// The message's body.
    pub(super) body: &'a [u8],
}

/// Asks the kernel for everything of a kind; `each` gets type and body of every message of the answer.
pub(super) fn netlink_dump(
    question: Question<'_>,
    each: &mut dyn FnMut(u16, &[u8]),
) -> io::Result<()> {
    let socket = netlink_socket(question.protocol)?;
    let mut answer = Vec::new();
    for _ in 0..NETLINK_ATTEMPTS_MAX {
        answer.clear();
        send(&socket, &netlink_request(question.kind, question.body)?)?;
        if receive_dump(&socket, &mut answer)? {
            break;
        }
    }
    super::netlink::for_each_message(&answer, each);
    Ok(())
}

fn netlink_socket(protocol: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: socket takes no pointers; a descriptor that is not negative is new and owned by no one else.
    let socket = unsafe {
        let raw = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol);
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(raw)
    };
    let timeout = libc::timeval { tv_sec: NETLINK_TIMEOUT_SECONDS, tv_usec: 0 };
    // SAFETY: the option's value is a timeval that lives until the call returns, and its size is given.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            (&raw const timeout).cast(),
            libc::socklen_t::try_from(size_of::<libc::timeval>()).unwrap_or(0),
        )
    };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(socket)
}

/// A request for a dump: header (length, type, flags, sequence, port) and body.
fn netlink_request(kind: u16, body: &[u8]) -> io::Result<Vec<u8>> {
    const FLAGS: u16 = 0x0001 | 0x0300; // NLM_F_REQUEST | NLM_F_DUMP
    let length = u32::try_from(super::netlink::HEADER_BYTES + body.len())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut request = length.to_ne_bytes().to_vec();
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&FLAGS.to_ne_bytes());
    request.extend_from_slice(&1_u32.to_ne_bytes());
    request.extend_from_slice(&0_u32.to_ne_bytes());
    request.extend_from_slice(body);
    Ok(request)
}

fn send(socket: &OwnedFd, request: &[u8]) -> io::Result<()> {
    // SAFETY: pointer and length are those of a live slice. A netlink socket that was not connected sends to
    // the kernel.
    let sent = unsafe {
        libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), libc::MSG_NOSIGNAL)
    };
    if usize::try_from(sent) == Ok(request.len()) {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Receives a whole dump; whether it was undisturbed.
fn receive_dump(socket: &OwnedFd, answer: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = vec![0_u8; NETLINK_BUFFER_BYTES];
    let mut is_whole = true;
    loop {
        // SAFETY: pointer and length are those of a live buffer that nothing else uses meanwhile.
        let received =
            unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let Ok(length) = usize::try_from(received) else {
            return Err(io::Error::last_os_error());
        };
        let packet = buffer.get(..length).unwrap_or_default();
        let end = super::netlink::end_of_dump(packet)?;
        is_whole &= !end.is_disturbed;
        answer.extend_from_slice(packet);
        if end.is_done {
            return Ok(is_whole);
        }
        if length == 0 || answer.len() > NETLINK_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the kernel's answer has no end",
            ));
        }
    }
}

/// The size of a block of data that drives answer with.
const DRIVE_ANSWER_BYTES: usize = 512;
/// How long a drive may take to answer. Its log stands in its memory; a bound is still a bound.
const DRIVE_TIMEOUT_MILLISECONDS: u32 = 5_000;

/// `struct nvme_admin_cmd` of linux/nvme_ioctl.h.
#[repr(C)]
#[derive(Default)]
struct NvmeCommand {
    opcode: u8,
    flags: u8,
    reserved: u16,
    namespace: u32,
    cdw2: u32,
    cdw3: u32,
    metadata: u64,
    address: u64,
    metadata_length: u32,
    data_length: u32,
    cdw10: u32,
    cdw11: u32,
    cdw12: u32,
    cdw13: u32,
    cdw14: u32,
    cdw15: u32,
    timeout_milliseconds: u32,
    result: u32,
}

fn open_device(device: &str) -> io::Result<std::fs::File> {
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    let mut options = std::fs::OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
    let file = options.open(device)?;
    if !file.metadata()?.file_type().is_block_device() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a block device"));
    }
    Ok(file)
}

/// The health log of an NVMe drive (Get Log Page, identifier 2, of the whole controller).
pub(super) fn nvme_health(device: &str) -> io::Result<Vec<u8>> {
    const NVME_IOCTL_ADMIN_CMD: libc::Ioctl = 0xc048_4e41_u32 as libc::Ioctl;
    const GET_LOG_PAGE: u8 = 0x02;
    const HEALTH_LOG: u32 = 0x02;
    const DWORDS_LESS_ONE: u32 = 127;
    let file = open_device(device)?;
    let mut log = vec![0_u8; DRIVE_ANSWER_BYTES];
    let mut command = NvmeCommand {
        opcode: GET_LOG_PAGE,
        namespace: u32::MAX,
        address: log.as_mut_ptr().expose_provenance() as u64,
        data_length: 512,
        cdw10: HEALTH_LOG | (DWORDS_LESS_ONE << 16),
        timeout_milliseconds: DRIVE_TIMEOUT_MILLISECONDS,
        ..NvmeCommand::default()
    };
    // SAFETY: the command has the layout that the ioctl reads and writes; its address and length are those of a
    // buffer that lives until the call returns and that nothing else uses meanwhile.
    let status = unsafe { libc::ioctl(file.as_raw_fd(), NVME_IOCTL_ADMIN_CMD, &raw mut command) };
    match status {
        0 => Ok(log),
        ..0 => Err(io::Error::last_os_error()),
        // A status of the drive itself: it does not know the log.
        _ => Err(io::Error::from_raw_os_error(libc::ENOTSUP)),
    }
}

/// An ATA command without data, or one that reads a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtaQuestion {
    pub(super) command: u8,
    pub(super) feature: u8,
    pub(super) lba_middle: u8,
    pub(super) lba_high: u8,
    pub(super) reads: bool,
}

/// `struct sg_io_hdr` of scsi/sg.h.
#[repr(C)]
struct SgIoHeader {
    interface: libc::c_int,
    direction: libc::c_int,
    command_length: u8,
    sense_length_max: u8,
    scatter_count: u16,
    data_length: u32,
    data: *mut libc::c_void,
    command: *mut u8,
    sense: *mut u8,
    timeout_milliseconds: u32,
    flags: u32,
    pack_id: libc::c_int,
    user: *mut libc::c_void,
    status: u8,
    masked_status: u8,
    message_status: u8,
    sense_length: u8,
    host_status: u16,
    driver_status: u16,
    residual: libc::c_int,
    duration: u32,
    info: u32,
}

/// A drive that was opened to be asked, not to be read.
#[derive(Debug)]
pub(super) struct Drive {
    file: std::fs::File,
}

impl Drive {
    /// Opens a block device without waking it.
    pub(super) fn open(device: &str) -> io::Result<Self> {
        Ok(Self { file: open_device(device)? })
    }

    /// Sends one ATA command through SCSI's ATA PASS-THROUGH (16) and returns data and registers.
    pub(super) fn ata_command(
        &self,
        question: AtaQuestion,
    ) -> io::Result<(Vec<u8>, Option<super::smart::AtaRegisters>)> {
        const PROTOCOL_NO_DATA: u8 = 3 << 1;
        const PROTOCOL_READ: u8 = 4 << 1;
        // Check condition always, so that the registers come back; for reads: one block, from the device.
        const RETURN_REGISTERS: u8 = 0x20;
        const READ_ONE_BLOCK: u8 = 0x0e;
        let mut data = vec![0_u8; if question.reads { DRIVE_ANSWER_BYTES } else { 0 }];
        let (protocol, transfer) = if question.reads {
            (PROTOCOL_READ, READ_ONE_BLOCK)
        } else {
            (PROTOCOL_NO_DATA, RETURN_REGISTERS)
        };
        let mut command = [0_u8; 16];
        for (place, byte) in [
            (0, 0x85),
            (1, protocol),
            (2, transfer),
            (4, question.feature),
            (6, u8::from(question.reads)),
            (10, question.lba_middle),
            (12, question.lba_high),
            (14, question.command),
        ] {
            if let Some(place) = command.get_mut(place) {
                *place = byte;
            }
        }
        let answer = self.scsi_command(&mut command, &mut data)?;
        Ok((data, super::smart::ata_registers(&answer.sense)))
    }

    /// A log page of the drive's current values (LOG SENSE); `None` when it is refused or the drive is not ready.
    pub(super) fn scsi_log_page(&self, page: u8) -> io::Result<Option<Vec<u8>>> {
        const LOG_SENSE: u8 = 0x4d;
        const CUMULATIVE: u8 = 0x40;
        let mut data = vec![0_u8; DRIVE_ANSWER_BYTES];
        let [high, low] = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
        let mut command = [LOG_SENSE, 0, CUMULATIVE | page, 0, 0, 0, 0, high, low, 0];
        let answer = self.scsi_command(&mut command, &mut data)?;
        Ok((answer.status == 0).then_some(data))
    }

    /// Sends a SCSI command without data, or one that reads into all of `data`.
    fn scsi_command(&self, command: &mut [u8], data: &mut [u8]) -> io::Result<ScsiAnswer> {
        const SG_IO: libc::Ioctl = 0x2285;
        const TO_DEVICE_NONE: libc::c_int = -1;
        const FROM_DEVICE: libc::c_int = -3;
        let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let mut sense = [0_u8; 32];
        let mut header = SgIoHeader {
            interface: libc::c_int::from(b'S'),
            direction: if data.is_empty() { TO_DEVICE_NONE } else { FROM_DEVICE },
            command_length: u8::try_from(command.len()).map_err(too_long)?,
            sense_length_max: 32,
            scatter_count: 0,
            data_length: u32::try_from(data.len()).map_err(too_long)?,
            data: data.as_mut_ptr().cast(),
            command: command.as_mut_ptr(),
            sense: sense.as_mut_ptr(),
            timeout_milliseconds: DRIVE_TIMEOUT_MILLISECONDS,
            flags: 0,
            pack_id: 0,
            user: std::ptr::null_mut(),
            status: 0,
            masked_status: 0,
            message_status: 0,
            sense_length: 0,
            host_status: 0,
            driver_status: 0,
            residual: 0,
            duration: 0,
            info: 0,
        };
        // SAFETY: the header has the layout that the ioctl reads and writes; its three pointers and their lengths
        // are those of buffers that live until the call returns and that nothing else uses meanwhile.
        let status = unsafe { libc::ioctl(self.file.as_raw_fd(), SG_IO, &raw mut header) };
        if status != 0 {
            return Err(io::Error::last_os_error());
        }
        if header.host_status != 0 {
            return Err(io::Error::from_raw_os_error(libc::ENOTSUP));
        }
        Ok(ScsiAnswer { status: header.status, sense })
    }
}

/// How a SCSI command ended.
struct ScsiAnswer {
    status: u8,
    sense: [u8; 32],
}

/// Whether a table of the old iptables, which must be there, holds rules besides its chains' policies.
///
/// The kernel only says how many entries there are: one for each policy and one that ends the table come by
/// themselves.
pub(super) fn old_table_has_rules(is_ipv6: bool, table: &str) -> io::Result<bool> {
    const GET_INFO: libc::c_int = 64;
    const NAME_BYTES: usize = 32;
    /// `struct ipt_getinfo` of linux/netfilter_ipv4/ip_tables.h; IPv6 has the same.
    #[repr(C)]
    struct Info {
        name: [u8; NAME_BYTES],
        hooks: u32,
        entries: [u32; 5],
        underflow: [u32; 5],
        entries_count: u32,
        size: u32,
    }
    let (family, level) = if is_ipv6 {
        (libc::AF_INET6, libc::IPPROTO_IPV6)
    } else {
        (libc::AF_INET, libc::IPPROTO_IP)
    };
    // SAFETY: socket takes no pointers; a descriptor that is not negative is new and owned by no one else.
    let socket = unsafe {
        let raw = libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW);
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(raw)
    };
    let mut info = Info {
        name: [0; NAME_BYTES],
        hooks: 0,
        entries: [0; 5],
        underflow: [0; 5],
        entries_count: 0,
        size: 0,
    };
    // The last byte stays zero: the name ends there.
    for (place, letter) in info.name.iter_mut().take(NAME_BYTES - 1).zip(table.bytes()) {
        *place = letter;
    }
    let mut length = libc::socklen_t::try_from(size_of::<Info>()).unwrap_or_default();
    // SAFETY: value and length are those of a structure with the option's layout, and live until the call returns.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            GET_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(info.entries_count > info.hooks.count_ones() + 1)
}
