//! Files that hold keys and certificates: written whole or not at all, readable by their owner only.

use crate::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of one PEM file. A chain of a few P-256 certificates has under 4 KiB.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Reads a file of bounded size.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)
        .map_err(failed)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

/// Reads a private key; refuses one that other users can read.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata =
            fs::metadata(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Error::KeyExposed { path: path.to_owned(), mode });
        }
    }
    read(path)
}

/// Writes a file through a temporary one beside it, with mode 0600, and makes it durable.
///
/// A crash leaves the old file or the new one, and at most a temporary file that the next call replaces.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = temporary_of(path);
    write_through(&temporary, path, bytes)
        .map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn write_through(temporary: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    // The rename is durable only when the directory is.
    if let Some(directory) = path.parent() {
        sync_directory(directory)?;
    }
    Ok(())
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> std::io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory)?.sync_all()
}

/// Windows makes renames durable by itself and cannot open a directory as a file.
#[cfg(not(unix))]
fn sync_directory(_directory: &Path) -> std::io::Result<()> {
    Ok(())
}

fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    path.with_file_name(name)
}

/// Makes a directory that only its owner may enter.
pub(crate) fn create_private_directory(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}
