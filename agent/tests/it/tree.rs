//! A small file system tree with the files that the host collector reads, as input that a test controls.

use std::path::{Path, PathBuf};

/// A tree in a temporary directory.
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// A tree with some accounts and packages.
    pub(crate) fn new(root: PathBuf) -> Self {
        let tree = Self { root };
        tree.write("etc/os-release", "ID=debian\nPRETTY_NAME=\"Example 12\"\nVERSION_ID=\"12\"\n");
        tree.write("etc/hostname", "host1.example.net\n");
        tree.write("proc/sys/kernel/hostname", "host1\n");
        tree.set_users(3);
        tree.set_packages(50, "1.0");
        tree
    }

    /// Where it begins.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let temporary = path.with_extension("tmp");
        std::fs::write(&temporary, text).unwrap();
        std::fs::rename(temporary, path).unwrap();
    }

    /// Sets how many accounts there are.
    pub(crate) fn set_users(&self, count: usize) {
        let users = (0..count)
            .map(|n| format!("user{n}:x:{}:{}::/home/user{n}:/bin/sh\n", 1000 + n, 1000 + n));
        self.write("etc/passwd", &users.collect::<String>());
        let groups = (0..count).map(|n| format!("user{n}:x:{}:\n", 1000 + n));
        self.write("etc/group", &groups.collect::<String>());
    }

    /// Sets how many packages there are, and their version.
    pub(crate) fn set_packages(&self, count: usize, version: &str) {
        let packages = (0..count).map(|n| {
            format!(
                "Package: package{n}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\nMaintainer: Example <x@example.net>\nDescription: a package\n\n"
            )
        });
        self.write("var/lib/dpkg/status", &packages.collect::<String>());
    }
}
