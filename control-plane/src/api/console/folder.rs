//! The console from a folder, for people who work on it.

use super::File;
use std::borrow::Cow;
use std::path::Path;

/// Bytes of one file; the console's greatest has a few hundred thousand.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Reads a file below the folder; links that lead out of it are not followed.
pub(super) async fn read(folder: &Path, path: &str) -> Option<File> {
    let root = tokio::fs::canonicalize(folder).await.ok()?;
    let found = tokio::fs::canonicalize(root.join(path)).await.ok()?;
    if !found.starts_with(&root) {
        return None;
    }
    let about = tokio::fs::metadata(&found).await.ok()?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return None;
    }
    let bytes = tokio::fs::read(&found).await.ok()?;
    let tag = blake3::hash(&bytes).to_hex().chars().take(32).collect();
    Some(File { bytes: Cow::Owned(bytes), tag })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_link_out_of_the_folder_is_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.txt"), "secret").unwrap();
        std::fs::write(folder.path().join("page.txt"), "page").unwrap();
        let link = folder.path().join("link.txt");
        std::os::unix::fs::symlink(outside.path().join("secret.txt"), link).unwrap();
        assert!(read(folder.path(), "link.txt").await.is_none());
        assert!(read(folder.path(), "page.txt").await.is_some());
    }
}
