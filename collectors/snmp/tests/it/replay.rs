//! Recordings of real devices, scrubbed: what each scope makes of them.
