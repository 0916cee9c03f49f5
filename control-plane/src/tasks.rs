//! Background tasks, and the one place that owns them.
