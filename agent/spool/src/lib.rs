//! The spool: where records wait on disk until the control plane has them. It survives crashes, power cuts, full and
//! failing disks, and it never loses a record silently.
//!
//! **Accepted** means that `append` returned `Ok`: the record is durable. Every accepted record is returned by `read`
//! until it is acknowledged, or is covered by an `Entry::Gap` that says how many are lost and why.
//!
//! The life of a record: `append` adds it to the group of its class; the writer thread writes the group with one call
//! and flushes it with another, and wakes all who wait for it; `read` returns it; `acknowledge` moves the cursor of the
//! class and removes the segments it passed. `README.md` states the problem, `format` the bytes, `log` the rules.
//!
//! It deliberately does not know what a record means: no compression, no retries towards the network, no merging of
//! records. Merging newest-wins happens before `append`.

mod entry;
mod error;
mod format;
mod log;
mod options;
mod priority;
mod queue;
mod scan;
mod spool;
mod statistics;
pub mod tool;
mod writer;

pub use entry::{Entry, Gap, GapReason};
pub use error::{AppendError, DiskTrouble, Error, ReadError};
pub use log::{Batch, Log};
pub use options::{
    Options, RECORD_BYTES_MAX, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MIN, TOTAL_BYTES_DEFAULT,
    TOTAL_BYTES_MAX, TOTAL_BYTES_MIN,
};
pub use priority::{PerClass, Priority};
pub use queue::Ticket;
pub use spool::Spool;
pub use statistics::{ClassStatistics, Statistics};
