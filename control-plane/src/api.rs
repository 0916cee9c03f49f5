//! The transports: REST, GraphQL, gRPC and the embedded console.
//!
//! The only module that names axum, tonic servers or async-graphql. A handler decodes, calls one service function
//! and encodes; what may be called by whom is decided in [`auth`], what is answered when it fails in [`error`].

pub mod auth;
pub mod console;
pub mod error;
pub mod graphql;
pub mod grpc;
pub mod http;
pub mod live;
pub mod moment;
pub mod rest;
pub mod serve;
pub mod view;
