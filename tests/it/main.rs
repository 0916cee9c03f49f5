//! The system as a user meets it: real processes, real files, real sockets.

mod machines;
mod main_job;
