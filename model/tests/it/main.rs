//! The vocabulary through its public surface, with input that nobody meant.

#[cfg(test)]
mod identity;
#[cfg(test)]
mod own_classes;
#[cfg(test)]
mod policies;
