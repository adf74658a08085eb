//! The command line of minicache.

use clap::Parser;
use minicache::engine::config::Config;
use minicache::raw::Counting;
use minicache::server::start::{self, Start};
use minikit::cli::{Engine, ServeArgs, main_with, print_ready};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ENGINE: Engine = Engine { name: "minicache", listen: "127.0.0.1:6379" };

/// A Redis small enough to read in an evening
#[derive(Parser)]
#[command(name = "minicache", version)]
enum Cli {
    /// Run the server
    Serve(Serve),
}

#[derive(clap::Args)]
struct Serve {
    #[command(flatten)]
    common: ServeArgs,
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    main_with(&ENGINE, std::env::args_os(), |Cli::Serve(args)| {
        let start = Start {
            options: args.common.options(),
            config: Config::new(),
            config_file: String::new(),
        };
        start::run(start, |_, bound| print_ready(&ENGINE, bound))?;
        Ok(())
    })
}
