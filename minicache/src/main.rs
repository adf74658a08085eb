//! The program: its command line, and nothing else.

#[cfg(not(loom))]
mod command_line;

#[cfg(not(loom))]
fn main() -> std::process::ExitCode {
    command_line::main()
}

/// In loom's world there are no sockets, so there is nothing to run.
#[cfg(loom)]
fn main() {}
