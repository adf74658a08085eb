//! The command line.
//!
//! ```text
//! minigateway serve --config gateway.toml      listen on 127.0.0.1:8000; SIGHUP reloads the file
//! minigateway check gateway.toml               print the first error, if any, and exit with 1
//! minigateway why gateway.toml /users/7        print the route, the limits and their arithmetic
//! ```

use clap::Parser;
use minigateway::conf::file::SECTIONS;
use minigateway::explain::why::{Burst, explain_burst};
use minigateway::handlers::pipeline::Pipeline;
use minigateway::server::start::{load, serve};
use minikit::cli::{Engine, ServeArgs, main_with, print_ready};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

const ENGINE: Engine =
    Engine { name: "minigateway", listen: "127.0.0.1:8000", sections: &SECTIONS };

/// An API gateway small enough to read in an evening
#[derive(Parser)]
#[command(name = "minigateway", version)]
enum Command {
    /// Serve requests as a configuration file says
    Serve(ServeArgs),
    /// Test a configuration and exit
    Check {
        /// The configuration
        file: PathBuf,
    },
    /// Explain what would happen to a request or to a burst of them; sends nothing
    Why {
        /// The configuration
        file: PathBuf,
        #[command(flatten)]
        burst: Burst,
    },
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    main_with(&ENGINE, std::env::args_os(), |command| match command {
        Command::Serve(common) => {
            let hint = "a gateway needs routes: serve --config gateway.toml";
            let file = common.config.clone().ok_or(hint)?;
            let config = load(&file)?;
            let options = common.options();
            Ok(serve(options, common.admin, file, config, |bound| print_ready(&ENGINE, bound))?)
        }
        Command::Check { file } => {
            let config = load(&file)?;
            let [routes, limits] = [config.routes.len(), config.limits.len()];
            println!("{}: no errors; routes: {routes}, limits: {limits}", file.display());
            Ok(())
        }
        Command::Why { file, burst } => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            explain_burst(&Pipeline::new(load(&file)?, None), &burst, &mut out)?;
            Ok(out.flush()?)
        }
    })
}
