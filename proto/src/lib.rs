//! The wire: generated messages and services, and their conversion to and from the vocabulary.
//!
//! Only this crate knows prost. Decoding is where foreign bytes become typed values: every size, depth and count
//! is bounded here, and what does not fit is refused with a reason, never cut.
//!
//! Deliberately not here: what is done with a message.

pub mod convert;
pub mod limits;

/// The messages and services of `dharma.v1`.
#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated; the .proto files carry the comments"
)]
pub mod v1 {
    tonic::include_proto!("dharma.v1");

    /// The descriptors of all messages and services, for gRPC reflection.
    pub const DESCRIPTORS: &[u8] =
        include_bytes!(concat!(env!("OUT_DIR"), "/dharma.v1.descriptors.binpb"));
}

pub use prost::Message;
pub use tonic;

/// The protocol versions that this build speaks.
pub const PROTOCOL_MIN: u32 = 1;
/// The newest protocol version that this build speaks.
pub const PROTOCOL_MAX: u32 = 1;
