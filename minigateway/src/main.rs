//! The program: its command line, and nothing else.

mod command_line;

fn main() -> std::process::ExitCode {
    command_line::main()
}
