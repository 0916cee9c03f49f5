//! The transports: REST, GraphQL, gRPC and the embedded console.
//!
//! The only module that names axum, tonic servers or async-graphql. A handler decodes, calls one service function
//! and encodes.

pub mod grpc;
