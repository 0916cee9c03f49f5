//! Agents: enrollment, registry, revocation.
