//! The system as a user meets it: real processes, real files, real sockets.

mod command_line;
mod drives;
mod engines;
mod kills;
mod machines;
mod main_job;
mod snmp;
mod sweep;
mod targets;
mod volumes;
