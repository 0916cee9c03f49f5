//! Authorized keys (sshd(8)): fingerprints, types and comments, never the options' values.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// The largest file of keys that is read.
pub(super) const FILE_BYTES_MAX: usize = 1 << 20;

/// The most keys of one file that are described.
const KEYS_MAX: usize = 1000;

/// Longest comment that is kept.
const COMMENT_LENGTH_MAX: usize = 200;

/// Types of keys and what ssh-keygen calls them.
const TYPES: &[(&str, &str)] = &[
    ("ssh-ed25519", "ED25519"),
    ("ssh-rsa", "RSA"),
    ("ssh-dss", "DSA"),
    ("ecdsa-sha2-nistp256", "ECDSA"),
    ("ecdsa-sha2-nistp384", "ECDSA"),
    ("ecdsa-sha2-nistp521", "ECDSA"),
    ("sk-ssh-ed25519@openssh.com", "ED25519-SK"),
    ("sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK"),
];

/// The keys of a file, as `SHA256:… (ED25519) comment`.
pub(super) fn fingerprints(text: &str) -> Vec<String> {
    text.lines().filter_map(fingerprint).take(KEYS_MAX).collect()
}

fn fingerprint(line: &str) -> Option<String> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let (options, label, rest) = key_start(line)?;
    let (blob, comment) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let blob = STANDARD.decode(blob).ok()?;
    let digest = STANDARD_NO_PAD.encode(Sha256::digest(&blob));
    let mut fingerprint = format!("SHA256:{digest} ({label})");
    if options.split(',').any(|option| option.trim() == "cert-authority") {
        fingerprint.push_str(" [cert-authority]");
    }
    let comment = comment.trim();
    if !comment.is_empty() {
        fingerprint.push(' ');
        fingerprint.push_str(crate::redact::cut(comment, COMMENT_LENGTH_MAX));
    }
    Some(fingerprint)
}

/// Options, type and what follows. Options hold blanks only inside of quotation marks.
fn key_start(line: &str) -> Option<(&str, &'static str, &str)> {
    let (mut is_quoted, mut is_start, mut before) = (false, true, '\0');
    for (place, letter) in line.char_indices() {
        if is_start && !is_quoted {
            let rest = line.get(place..)?;
            let word = rest.split_whitespace().next().unwrap_or_default();
            if let Some((_, label)) = TYPES.iter().find(|(name, _)| *name == word) {
                let after = rest.get(word.len()..)?.trim_start();
                return Some((line.get(..place)?, label, after));
            }
        }
        if letter == '"' && before != '\\' {
            is_quoted = !is_quoted;
        }
        is_start = letter.is_whitespace();
        before = letter;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Made for this test; its private half was thrown away.
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f web@example.org";

    #[test]
    fn a_key_is_told_by_its_fingerprint() {
        let seen = fingerprints(KEY);
        assert_eq!(seen.len(), 1);
        assert!(seen[0].starts_with("SHA256:"), "{seen:?}");
        assert!(seen[0].ends_with(" (ED25519) web@example.org"), "{seen:?}");
    }

    #[test]
    fn options_before_a_key_do_not_hide_it_and_are_not_told() {
        let text = format!(
            "command=\"echo ssh-rsa hunter2\",no-pty {KEY}\ncert-authority {KEY}\n# {KEY}\nbad\n"
        );
        let seen = fingerprints(&text);
        assert_eq!(seen.len(), 2);
        assert!(!seen[0].contains("hunter2"));
        assert!(seen[1].contains("[cert-authority]"));
        assert_eq!(seen[0], fingerprints(KEY)[0]);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(text in "\\PC{0,200}") {
            fingerprints(&text);
            fingerprints(&format!("ssh-rsa {text}"));
        }
    }
}
