//! The gRPC services.

pub mod uplink;
