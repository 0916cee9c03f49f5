//! Where the agent keeps its files, and how they are written: private to its user, replaced as a whole.
//!
//! Invariant: a file that matters is never half written; it is replaced by a rename after its content is durable.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The state directory of an installed agent.
#[cfg(unix)]
pub const STATE_DIRECTORY: &str = "/var/lib/dharma-agent";
/// The state directory of an installed agent.
#[cfg(windows)]
pub const STATE_DIRECTORY: &str = r"C:\ProgramData\Dharma\agent";

/// The configuration of an installed agent.
#[cfg(unix)]
pub const CONFIG_FILE: &str = "/etc/dharma/agent.toml";
/// The configuration of an installed agent.
#[cfg(windows)]
pub const CONFIG_FILE: &str = r"C:\ProgramData\Dharma\agent.toml";

/// The directory that the service manager makes for an installed agent's socket.
pub const RUNTIME_DIRECTORY: &str = "/run/dharma-agent";

/// The agent's socket: in the runtime directory for an installed agent, else in its state directory.
#[must_use]
pub fn socket_path(state: &Path) -> PathBuf {
    let runtime = Path::new(RUNTIME_DIRECTORY);
    if state == Path::new(STATE_DIRECTORY) && runtime.is_dir() {
        runtime.join("agent.sock")
    } else {
        state.join("agent.sock")
    }
}

/// Creates a directory that only its owner may enter; fine if it is there.
///
/// # Errors
/// What the disk says.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn create(path: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes a file that only its owner may read, without waiting for the disk.
///
/// # Errors
/// What the disk says.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create(path)?.write_all(bytes)
}

/// Replaces a private file as a whole and returns once the new content is durable.
///
/// # Errors
/// What the disk says; the old content is then still there.
pub fn replace_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let mut file = create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&temporary, path)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Makes the names of a directory durable; where directories cannot be flushed, renames are durable by themselves.
///
/// # Errors
/// What the disk says.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::fs::File::open(path)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_private_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        replace_durably(&path, b"one").unwrap();
        replace_durably(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_failed_replacement_keeps_the_old_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b");
        replace_durably(&path, b"x").unwrap_err();
        assert!(!path.exists());
    }
}
