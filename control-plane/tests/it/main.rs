//! The control plane over its real ports and its real store: what people, programs and agents get, and what they are
//! refused.

#[cfg(test)]
mod access;
#[cfg(test)]
mod agents;
#[cfg(test)]
mod binary;
#[cfg(test)]
mod console;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod enrollment;
#[cfg(test)]
mod findings;
#[cfg(test)]
mod graphql;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod history;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod live;
#[cfg(test)]
mod remote;
#[cfg(test)]
mod repeated;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod review;
#[cfg(test)]
mod setup;
#[cfg(test)]
mod support;
#[cfg(test)]
mod targets;
#[cfg(test)]
mod topology;
#[cfg(test)]
mod values;
