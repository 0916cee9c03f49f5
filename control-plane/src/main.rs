//! The binary `dharma-control-plane`: reads its arguments, assembles the library and runs it.

fn main() {}
