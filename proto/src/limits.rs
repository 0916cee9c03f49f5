//! The limits of the wire, each with its reason. Both sides hold them: the sender before sending, the receiver
//! before using.

/// Bytes of one gRPC message. A batch is far smaller; the rest is room for one large observation.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of one spool record: a part of a scope report. Small enough that a lost record costs little.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that a sender aims at for one part of a scope report.
pub const PART_BYTES_TARGET: usize = 256 * 1024;

/// Bytes that a sender aims at for one batch.
pub const BATCH_BYTES_TARGET: usize = 512 * 1024;

/// Entries of one batch.
pub const BATCH_ENTRIES_MAX: usize = 4096;

/// Observations in one part of a scope report.
pub const OBSERVATIONS_MAX: usize = 16_384;

/// Attributes of one observation; the richest class has under a hundred.
pub const ATTRIBUTES_MAX: usize = 512;

/// Identity keys of one observation; a switch with a MAC address a port stays below it.
pub const KEYS_MAX: usize = 2048;

/// Relations of one observation; a proxy with this many clients is cut by its collector.
pub const RELATIONS_MAX: usize = 8192;

/// Bytes of a name: class, attribute, verb, scope.
pub const NAME_BYTES_MAX: usize = 128;

/// Bytes of a native key.
pub const NATIVE_KEY_BYTES_MAX: usize = 1024;

/// Bytes of one text value.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Values in one list or record.
pub const VALUES_MAX: usize = 16_384;

/// How deep lists and records may lie in each other.
pub const VALUE_DEPTH_MAX: usize = 8;

/// Bytes that a sender aims at for one part of a Desired.
pub const DESIRED_BYTES_TARGET: usize = 1024 * 1024;

/// Parts of one Desired; with their size this bounds what an agent holds of it.
pub const DESIRED_PARTS_MAX: usize = 32;

/// Targets that one agent is given.
pub const DESIRED_TARGETS_MAX: usize = 100_000;

/// States of targets in one beat; more follow with the next.
pub const TARGET_STATES_MAX: usize = 2048;
