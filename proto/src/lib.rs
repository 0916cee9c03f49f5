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

impl std::fmt::Debug for v1::DesiredCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, kind) = (&self.name, &self.kind);
        f.debug_struct("DesiredCredential")
            .field("name", name)
            .field("kind", kind)
            .finish_non_exhaustive()
    }
}

pub use prost::Message;
pub use tonic;

/// The protocol versions that this build speaks.
pub const PROTOCOL_MIN: u32 = 1;
/// The newest protocol version that this build speaks.
pub const PROTOCOL_MAX: u32 = 1;

#[cfg(test)]
mod tests {
    use super::v1;

    #[test]
    fn a_frame_with_a_secret_is_printed_without_it() {
        let credential = v1::DesiredCredential {
            name: "lab".into(),
            secrets: [("password".to_owned(), "hush".to_owned())].into(),
            ..v1::DesiredCredential::default()
        };
        let desired = v1::Desired { credentials: vec![credential], ..v1::Desired::default() };
        let frame = v1::ServerFrame { frame: Some(v1::server_frame::Frame::Desired(desired)) };
        let printed = format!("{frame:?}");
        assert!(printed.contains("lab") && !printed.contains("hush"), "{printed}");
    }
}
