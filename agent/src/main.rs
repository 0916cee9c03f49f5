//! The binary `dharma-agent`. Everything is in the library.

fn main() -> std::process::ExitCode {
    agent::main()
}
