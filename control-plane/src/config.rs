//! What the control plane is told at its start.
