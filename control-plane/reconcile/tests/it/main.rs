//! What reconciliation promises, shown on small estates with a store in memory.

mod estate;
mod life;
mod network;
mod order;
