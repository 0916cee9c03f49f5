//! The control plane over its real ports and its real store: what people, programs and agents get, and what they are
//! refused.

mod access;
mod agents;
mod console;
mod contract;
mod documents;
mod enrollment;
mod graphql;
mod grpc;
mod live;
mod rest;
mod setup;
mod support;
