//! The folder of the state: who may open it, and what lies in it.
//!
//! Invariants: only its owner can enter it; one server at a time has it, by a lock that ends with the process.

use crate::config::Settings;
use model::Catalog;
use pki::Authority;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use store::database::Database;
use store::sqlite::SqliteItems;

/// Name of the database.
const DATABASE_FILE: &str = "dharma.sqlite";

/// Folder of the authority.
const PKI_FOLDER: &str = "pki";

/// Name of the lock.
const LOCK_FILE: &str = "lock";

/// Name of the file with the code for the first administrator.
const SETUP_FILE: &str = "setup-code";

/// The user's own classes, when the settings name no other file.
const CLASSES_FILE: &str = "classes.toml";

/// Bytes of the file with the user's own classes.
const CLASSES_BYTES_MAX: u64 = 1024 * 1024;

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder cannot be made or entered.
    #[error("cannot use the state at `{path}`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Another server has it.
    #[error(
        "another control plane uses the state at `{path}`; stop it first, or choose another --state"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// There is no state.
    #[error(
        "there is no state at `{path}`; start the control plane once, or name its folder with --state"
    )]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// The database cannot be used.
    #[error("cannot open the database")]
    Database(#[from] store::database::DatabaseError),
    /// The items cannot be read.
    #[error("cannot read the items")]
    Items(#[from] store::observed::CommitError),
    /// The authority cannot be used.
    #[error("cannot open the authority")]
    Authority(#[from] pki::Error),
    /// The user's own classes cannot be used.
    #[error("the classes in `{path}` cannot be used: {reason}")]
    Classes {
        /// The file.
        path: PathBuf,
        /// Every problem.
        reason: String,
    },
}

/// An open state.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    /// The database.
    pub database: Database,
    /// What signs certificates.
    pub authority: Arc<Authority>,
    /// The declared classes, the user's own among them.
    pub catalog: Arc<Catalog>,
    /// Held as long as the state is open; `None` for commands that work beside a server.
    _lock: Option<File>,
}

impl State {
    /// Opens the state for a server, or makes it.
    ///
    /// # Errors
    /// When another server has it, or a part of it cannot be used.
    pub fn open(settings: &Settings, now: SystemTime) -> Result<Self, StateError> {
        make_private(&settings.state)?;
        let lock = lock(&settings.state)?;
        let catalog = catalog(&settings.state, settings.classes.as_deref())?;
        Self::opened(&settings.state, now, catalog, Some(lock))
    }

    /// Opens a state that is there, beside a server that may run.
    ///
    /// # Errors
    /// When there is none, or a part of it cannot be used.
    pub fn open_beside(path: &Path, now: SystemTime) -> Result<Self, StateError> {
        if !path.join(DATABASE_FILE).exists() {
            return Err(StateError::Missing { path: path.to_owned() });
        }
        let catalog = catalog(path, None)?;
        Self::opened(path, now, catalog, None)
    }

    fn opened(
        path: &Path,
        now: SystemTime,
        catalog: Catalog,
        lock: Option<File>,
    ) -> Result<Self, StateError> {
        Ok(Self {
            path: path.to_owned(),
            database: Database::open(&path.join(DATABASE_FILE))?,
            authority: Arc::new(Authority::load_or_create(&path.join(PKI_FOLDER), now)?),
            catalog: Arc::new(catalog),
            _lock: lock,
        })
    }

    /// The items of the state.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn items(&self) -> Result<Arc<SqliteItems>, StateError> {
        Ok(Arc::new(SqliteItems::open_with(self.database.clone(), Arc::clone(&self.catalog))?))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.path
    }

    /// Where the code for the first administrator is written.
    #[must_use]
    pub fn setup_file(&self) -> PathBuf {
        self.path.join(SETUP_FILE)
    }

    /// Writes a file that only the owner reads.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_private(&self, name: &str, text: &str) -> Result<(), StateError> {
        write_private(&self.path.join(name), text)
            .map_err(|source| StateError::Folder { path: self.path.join(name), source })
    }

    /// Finishes what is being written.
    pub async fn close(self) {
        self.database.close().await;
    }
}

/// Writes a file that only its owner reads, whatever the process's mask.
///
/// # Errors
/// What the operating system says.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let aside = path.with_extension("part");
    if let Err(error) = std::fs::remove_file(&aside)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)
}

fn make_private(path: &Path) -> Result<(), StateError> {
    let failed = |source| StateError::Folder { path: path.to_owned(), source };
    std::fs::create_dir_all(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, StateError> {
    let failed = |source| StateError::Folder { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let file = options.open(path.join(LOCK_FILE)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn catalog(state: &Path, named: Option<&Path>) -> Result<Catalog, StateError> {
    let mut catalog = Catalog::built_in();
    let default = state.join(CLASSES_FILE);
    let path = match named {
        Some(path) => path,
        None if default.exists() => default.as_path(),
        None => return Ok(catalog),
    };
    let failed = |reason: String| StateError::Classes { path: path.to_owned(), reason };
    let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if length > CLASSES_BYTES_MAX {
        return Err(failed(format!("the file has more than {CLASSES_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    model::custom::extend(&mut catalog, &text).map_err(|invalid| failed(invalid.to_string()))?;
    Ok(catalog)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// Certificates reach back by a day, so the first days of 1970 have none.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)
    }

    fn settings(folder: &Path) -> Settings {
        Config { state: Some(folder.join("state")), ..Config::default() }.settings().unwrap()
    }

    #[test]
    fn a_second_server_is_refused_and_the_folder_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let first = State::open(&settings, now()).unwrap();
        let second = State::open(&settings, now());
        assert!(matches!(second, Err(StateError::Locked { .. })));
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&settings.state).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(first);
        assert!(State::open(&settings, now()).is_ok());
    }

    #[test]
    fn a_command_beside_the_server_needs_a_state_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let missing = State::open_beside(&folder.path().join("state"), now());
        assert!(matches!(missing, Err(StateError::Missing { .. })));
        let settings = settings(folder.path());
        let _server = State::open(&settings, now()).unwrap();
        assert!(State::open_beside(&settings.state, now()).is_ok());
    }

    #[test]
    fn a_private_file_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write_private(&path, "one").unwrap();
        write_private(&path, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
