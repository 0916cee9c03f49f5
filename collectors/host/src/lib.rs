//! The host collector: describes the host that the agent runs on.
//!
//! Facts come from /proc, /sys and the tools' own files; nothing is executed. What needs a right that is missing
//! is reported as *not looked at*, never as empty. Every reader takes the target's root, so that an image or a
//! recorded tree is described by the same code.
//!
//! Deliberately not here: scheduling, fingerprints and sending (the agent), identity (reconciliation).

/// The native key of the host itself: the parent of everything that the operating system holds.
pub const HOST: &str = "host";

/// The native key of the machine under the host: the parent of everything that can be touched.
pub const HARDWARE: &str = "hardware";
