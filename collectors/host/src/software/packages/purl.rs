//! Package URLs (<https://github.com/package-url/purl-spec>) and the distribution that they name.

use crate::files;
use collector::Target;
use std::fmt::Write;

/// Longest `os-release` that is read.
const OS_RELEASE_BYTES_MAX: usize = 64 * 1024;

/// The distribution that a target says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Distribution {
    /// `ID` of os-release(5).
    pub(super) id: String,
    /// `VERSION_ID` of os-release(5).
    pub(super) version: String,
}

impl Distribution {
    /// Reads os-release(5).
    pub(super) fn read(target: &Target) -> Self {
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            if let Ok(text) =
                files::read_to_string_limited(&target.path(path), OS_RELEASE_BYTES_MAX)
            {
                return Self::parse(&text);
            }
        }
        Self::default()
    }

    fn parse(text: &str) -> Self {
        let value = |key: &str| {
            text.lines()
                .filter_map(|line| line.trim().split_once('='))
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.trim_matches(['"', '\'']).to_owned())
                .unwrap_or_default()
        };
        Self { id: value("ID"), version: value("VERSION_ID") }
    }

    /// The URL of a package of this distribution.
    pub(super) fn purl(
        &self,
        purl_type: &str,
        name: &str,
        version: &str,
        architecture: &str,
    ) -> String {
        let mut url = format!("pkg:{purl_type}/");
        if !self.id.is_empty() {
            push_encoded(&self.id, &mut url);
            url.push('/');
        }
        push_encoded(name, &mut url);
        url.push('@');
        push_encoded(version, &mut url);
        let mut separator = '?';
        if !architecture.is_empty() {
            url.push_str("?arch=");
            push_encoded(architecture, &mut url);
            separator = '&';
        }
        if !self.id.is_empty() && !self.version.is_empty() {
            url.push(separator);
            url.push_str("distro=");
            push_encoded(&self.id, &mut url);
            url.push('-');
            push_encoded(&self.version, &mut url);
        }
        url
    }
}

/// The URL of a package of a language: `pkg:npm/%40scope/name@1`.
pub(super) fn of_language(purl_type: &str, name: &str, version: &str) -> String {
    let mut url = format!("pkg:{purl_type}/");
    for (index, part) in name.split('/').enumerate() {
        if index > 0 {
            url.push('/');
        }
        push_encoded(part, &mut url);
    }
    url.push('@');
    push_encoded(version, &mut url);
    url
}

fn push_encoded(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':') {
            out.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_url_is_encoded() {
        let debian = Distribution::parse("ID=debian\nVERSION_ID=\"12\"\n");
        assert_eq!(
            debian.purl("deb", "libstdc++6", "1:12.2.0-14+deb12u1", "amd64"),
            "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12"
        );
        assert_eq!(of_language("npm", "@scope/name", "1.0.0"), "pkg:npm/%40scope/name@1.0.0");
        assert_eq!(Distribution::default().purl("deb", "a", "1", ""), "pkg:deb/a@1");
    }
}
