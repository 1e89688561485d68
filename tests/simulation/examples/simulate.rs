//! The command: `cargo run --profile simulation -p cairn-simulation --example simulate -- --help`.
//!
//! An example and not a binary, so that `cargo run` at the root means the server.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cairn_simulation::main()
}
