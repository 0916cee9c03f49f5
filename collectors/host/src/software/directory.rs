//! An open directory below which many small files are read by relative name.
//!
//! The scope `processes` opens some thousand files of /proc per look; relative names spare the kernel the walk from
//! the root and us the building of paths. In the tree of another host the kernel itself refuses every name that leads
//! out of the directory (`openat2(2)`, `RESOLVE_BENEATH`); a kernel without that call sees nothing of such a tree.

#![expect(
    unsafe_code,
    reason = "openat, openat2, readlinkat, fstatat and getdents64 have no safe form in the standard library"
)]

use collector::Target;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// The longest name below the directory; `4194304/task/4194304/fdinfo/1048576` stays far below it.
const NAME_LENGTH_MAX: usize = 256;

/// Names are listed in steps of this many bytes.
const LISTING_BYTES: usize = 32 * 1024;

/// How files are opened: reading a FIFO must not wait for its writer.
const OPEN_FLAGS: i32 = libc::O_RDONLY | libc::O_NONBLOCK;

/// An open directory.
#[derive(Debug)]
pub(super) struct Directory {
    descriptor: OwnedFd,
    /// Whether it is of another host, so that its links must not lead out of it.
    is_confined: bool,
}

impl Directory {
    /// Opens a directory of the target by its absolute path.
    pub(super) fn open(target: &Target, absolute: &str) -> io::Result<Self> {
        let file = File::open(target.path(absolute))?;
        if !file.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(Self { descriptor: file.into(), is_confined: !target.is_live() })
    }

    /// Opens a directory below this one.
    pub(super) fn open_below(&self, name: &str) -> io::Result<Self> {
        let descriptor = self.open_at(name, OPEN_FLAGS | libc::O_DIRECTORY)?;
        Ok(Self { descriptor, is_confined: self.is_confined })
    }

    fn open_at(&self, name: &str, flags: i32) -> io::Result<OwnedFd> {
        let mut place = [0; NAME_LENGTH_MAX];
        let name = terminated(name, &mut place)?;
        let flags = flags | libc::O_CLOEXEC;
        let descriptor = if self.is_confined {
            self.open_confined(name, flags)?
        } else {
            // SAFETY: the descriptor is open and the name ends in NUL; the call keeps neither.
            unsafe { libc::openat(self.descriptor.as_raw_fd(), name.as_ptr(), flags) }
        };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call just gave us this descriptor, nobody else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }

    /// The descriptor that the kernel gives for a name that stays below this directory; negative for an error.
    fn open_confined(&self, name: &CStr, flags: i32) -> io::Result<i32> {
        // SAFETY: all zeros are a valid `open_how`.
        let mut how: libc::open_how = unsafe { std::mem::zeroed() };
        how.flags = u64::from(flags.cast_unsigned());
        how.resolve = libc::RESOLVE_BENEATH;
        // SAFETY: the descriptor is open, the name ends in NUL, and the structure is as long as is said.
        let descriptor = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                self.descriptor.as_raw_fd(),
                name.as_ptr(),
                &raw const how,
                size_of::<libc::open_how>(),
            )
        };
        i32::try_from(descriptor).map_err(io::Error::other)
    }

    /// Reads at most `limit` bytes of a file below this directory into `buffer`, replacing its contents.
    pub(super) fn read(&self, name: &str, limit: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.clear();
        let mut file = File::from(self.open_at(name, OPEN_FLAGS)?);
        buffer.resize(limit.min(4096), 0);
        let mut filled = 0;
        loop {
            let Some(space) = buffer.get_mut(filled..).filter(|space| !space.is_empty()) else {
                if buffer.len() >= limit {
                    break;
                }
                buffer.resize((buffer.len() * 2).min(limit), 0);
                continue;
            };
            match file.read(space) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    buffer.clear();
                    return Err(error);
                }
            }
        }
        buffer.truncate(filled);
        Ok(())
    }

    /// Reads the beginning of a file below this directory with a single call; gives how many bytes there were.
    pub(super) fn read_start(&self, name: &str, place: &mut [u8]) -> io::Result<usize> {
        File::from(self.open_at(name, OPEN_FLAGS)?).read(place)
    }

    /// Opens a regular file below this directory.
    pub(super) fn open_file(&self, name: &str) -> io::Result<File> {
        let file = File::from(self.open_at(name, OPEN_FLAGS)?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        Ok(file)
    }

    /// What a symbolic link below this directory says; cut at the size of `place`.
    pub(super) fn link<'a>(&self, name: &str, place: &'a mut [u8]) -> io::Result<&'a [u8]> {
        if let Some((folder, name)) = name.rsplit_once('/').filter(|_| self.is_confined) {
            return self.open_below(folder)?.link(name, place);
        }
        let mut name_place = [0; NAME_LENGTH_MAX];
        let name = terminated(name, &mut name_place)?;
        // SAFETY: the descriptor is open, the name ends in NUL, and the kernel writes at most `place.len()` bytes.
        let count = unsafe {
            libc::readlinkat(
                self.descriptor.as_raw_fd(),
                name.as_ptr(),
                place.as_mut_ptr().cast(),
                place.len(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        Ok(place.get(..count).unwrap_or_default())
    }

    /// The owner of a file below this directory.
    pub(super) fn owner(&self, name: &str) -> io::Result<u32> {
        if self.is_confined {
            return Ok(File::from(self.open_at(name, libc::O_PATH)?).metadata()?.uid());
        }
        self.status(name).map(|status| status.st_uid)
    }

    /// Device and inode of what a name leads to: two paths with the same are the same file. Only for the running
    /// host, whose names may lead anywhere.
    pub(super) fn file_id(&self, name: &str) -> io::Result<(u64, u64)> {
        if self.is_confined {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        self.status(name).map(|status| (status.st_dev, status.st_ino))
    }

    fn status(&self, name: &str) -> io::Result<libc::stat> {
        let mut place = [0; NAME_LENGTH_MAX];
        let name = terminated(name, &mut place)?;
        // SAFETY: an all-zero `stat` is a valid one; the kernel overwrites it.
        let mut status: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open, the name ends in NUL, and `status` is ours for the length of the call.
        let result = unsafe {
            libc::fstatat(self.descriptor.as_raw_fd(), name.as_ptr(), &raw mut status, 0)
        };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(status)
    }

    /// Calls `each` with the name of every entry but `.` and `..`, until it says `false`. To be called once.
    pub(super) fn names(&self, mut each: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
        // Numbers of eight bytes keep the alignment that the kernel's records have.
        let mut place = vec![0_u64; LISTING_BYTES / 8];
        loop {
            // SAFETY: the descriptor is open and the kernel writes at most `LISTING_BYTES` into the buffer.
            let count = unsafe {
                libc::syscall(
                    libc::SYS_getdents64,
                    self.descriptor.as_raw_fd(),
                    place.as_mut_ptr(),
                    LISTING_BYTES,
                )
            };
            let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
            if count == 0 {
                return Ok(());
            }
            // SAFETY: the buffer is `LISTING_BYTES` long and initialized, and any bytes are valid `u8`.
            let bytes = unsafe {
                std::slice::from_raw_parts(place.as_ptr().cast::<u8>(), count.min(LISTING_BYTES))
            };
            if !each_entry(bytes, &mut each) {
                return Ok(());
            }
        }
    }
}

/// Walks the records of `getdents64(2)`; whether to go on.
fn each_entry(mut bytes: &[u8], each: &mut impl FnMut(&[u8]) -> bool) -> bool {
    // d_ino (8), d_off (8), d_reclen (2), d_type (1), d_name.
    const LENGTH_AT: usize = 16;
    const NAME_AT: usize = 19;
    while let Some([low, high]) = bytes.get(LENGTH_AT..LENGTH_AT + 2) {
        let length = usize::from(u16::from_ne_bytes([*low, *high]));
        let (Some(record), Some(rest)) = (bytes.get(..length), bytes.get(length..)) else {
            return true;
        };
        let name = record.get(NAME_AT..).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if name != b"." && name != b".." && !each(name) {
            return false;
        }
        if length == 0 {
            return true;
        }
        bytes = rest;
    }
    true
}

/// The name with a NUL behind it.
fn terminated<'a>(name: &str, place: &'a mut [u8; NAME_LENGTH_MAX]) -> io::Result<&'a CStr> {
    let too_long = || io::Error::from(io::ErrorKind::InvalidInput);
    place.get_mut(..name.len()).ok_or_else(too_long)?.copy_from_slice(name.as_bytes());
    *place.get_mut(name.len()).ok_or_else(too_long)? = 0;
    CStr::from_bytes_until_nul(place).map_err(|_| too_long())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_standard_library_lists_and_reads_is_listed_and_read() {
        let place = tempfile::tempdir().unwrap();
        for index in 0..2000 {
            std::fs::write(place.path().join(format!("file-{index}")), vec![b'x'; index]).unwrap();
        }
        std::os::unix::fs::symlink("file-7", place.path().join("link")).unwrap();
        let target = Target::own_host("t", "s");
        let directory = Directory::open(&target, place.path().to_str().unwrap()).unwrap();
        let mut names = Vec::new();
        directory
            .names(|name| {
                names.push(String::from_utf8(name.to_vec()).unwrap());
                true
            })
            .unwrap();
        names.sort();
        assert_eq!(names, crate::files::list_dir(place.path()).unwrap());
        let mut buffer = Vec::new();
        directory.read("file-1999", 1 << 20, &mut buffer).unwrap();
        assert_eq!(buffer.len(), 1999);
        directory.read("file-1999", 100, &mut buffer).unwrap();
        assert_eq!(buffer.len(), 100);
        assert_eq!(directory.read_start("file-1999", &mut [0; 64]).unwrap(), 64);
        assert_eq!(directory.read_start("file-7", &mut [0; 64]).unwrap(), 7);
        assert!(directory.open_file("file-7").is_ok());
        assert!(directory.open_file(".").is_err());
        assert_eq!(directory.link("link", &mut [0; 64]).unwrap(), b"file-7");
        assert!(directory.read(&"x".repeat(300), 1, &mut buffer).is_err());
        assert!(directory.open_below("file-1").is_err());
        assert!(directory.owner("file-1").is_ok());
    }

    #[test]
    fn nothing_below_the_directory_of_another_host_leads_out_of_it() {
        use std::os::unix::fs::symlink;
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        std::fs::create_dir_all(root.join("proc/1")).unwrap();
        std::fs::write(root.join("proc/1/stat"), "inside").unwrap();
        std::fs::create_dir(place.path().join("secret")).unwrap();
        std::fs::write(place.path().join("secret/stat"), "outside").unwrap();
        symlink("/elsewhere", place.path().join("secret/exe")).unwrap();
        symlink(place.path().join("secret"), root.join("proc/2")).unwrap();
        symlink("../../secret", root.join("proc/3")).unwrap();
        symlink("4", root.join("proc/4")).unwrap();
        symlink("1", root.join("proc/self")).unwrap();
        symlink("/usr/sbin/web", root.join("proc/1/exe")).unwrap();
        let target = Target { id: "t".into(), site: "s".into(), root, remote: None };
        let proc = Directory::open(&target, "/proc").unwrap();
        let mut buffer = Vec::new();
        for pid in ["2", "3", "4", "../../secret"] {
            assert!(proc.read(&format!("{pid}/stat"), 100, &mut buffer).is_err(), "{pid}");
            assert!(buffer.is_empty());
            assert!(proc.link(&format!("{pid}/exe"), &mut [0; 64]).is_err(), "{pid}");
            assert!(proc.owner(&format!("{pid}/stat")).is_err(), "{pid}");
            assert!(proc.open_file(&format!("{pid}/stat")).is_err(), "{pid}");
            assert!(proc.read_start(&format!("{pid}/stat"), &mut [0; 9]).is_err(), "{pid}");
            assert!(proc.open_below(pid).is_err(), "{pid}");
        }
        proc.read("self/stat", 100, &mut buffer).unwrap();
        assert_eq!(buffer, b"inside");
        assert_eq!(proc.link("1/exe", &mut [0; 64]).unwrap(), b"/usr/sbin/web");
        assert!(proc.owner("1").is_ok());
        assert!(proc.file_id("1").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            each_entry(&bytes, &mut |_| true);
        }
    }
}
