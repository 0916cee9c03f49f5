//! A root file system in memory for a guest's start: the cpio archive that Linux unpacks (newc; kernel
//! documentation, driver-api/early-userspace/buffer-format).

use anyhow::Result;
use std::collections::BTreeSet;
use std::path::Path;

/// An archive being written.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    count: u32,
    /// What is in it already: programs share their libraries.
    paths: BTreeSet<String>,
}

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;

impl Archive {
    /// Adds a folder; its parents must be there.
    pub fn folder(&mut self, path: &str) {
        self.entry(path, FOLDER, &[]);
    }

    /// Adds a file that may be executed.
    pub fn file(&mut self, path: &str, contents: &[u8]) {
        self.entry(path, PROGRAM, contents);
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.entry(path, LINK, target.as_bytes());
    }

    /// Adds a program of this machine with the libraries that it needs, at the paths that it expects them at.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn program(&mut self, path: &str, program: &Path) -> Result<()> {
        self.file(path, &std::fs::read(program)?);
        for library in super::libraries(program)? {
            let place = library.to_string_lossy().trim_start_matches('/').to_owned();
            self.parents(&place);
            self.file(&place, &std::fs::read(&library)?);
        }
        Ok(())
    }

    /// Adds the folders above a path.
    pub fn parents(&mut self, path: &str) {
        let parts: Vec<&str> = path.split('/').collect();
        for length in 1..parts.len() {
            self.folder(&parts.get(..length).unwrap_or_default().join("/"));
        }
    }

    /// The finished archive.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, contents: &[u8]) {
        if !self.paths.insert(path.to_owned()) {
            return;
        }
        self.count += 1;
        let links = 1;
        let header = [
            self.count,
            mode,
            0,
            0,
            links,
            0,
            u32::try_from(contents.len()).unwrap_or(u32::MAX),
            0,
            0,
            0,
            0,
            u32::try_from(path.len() + 1).unwrap_or(u32::MAX),
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in header {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(contents);
        self.pad();
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_archive_begins_at_a_multiple_of_four() {
        let mut archive = Archive::default();
        archive.folder("bin");
        archive.file("bin/x", b"12345");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(bytes.windows(6).filter(|window| window == b"070701").count(), 3);
    }

    #[test]
    fn what_is_added_twice_is_there_once() {
        let mut archive = Archive::default();
        archive.parents("usr/lib/x");
        archive.parents("usr/lib/y");
        archive.folder("usr");
        let bytes = archive.finish();
        assert_eq!(bytes.windows(6).filter(|window| window == b"070701").count(), 3);
    }
}
