//! The `minigateway` program. It only runs the command line.

mod command_line;

fn main() -> std::process::ExitCode {
    command_line::main()
}
