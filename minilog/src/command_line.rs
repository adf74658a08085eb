//! The command line of minilog.
//!
//! ```text
//! minilog serve --data-dir data      a broker on 127.0.0.1:9092
//! minilog explain FILE               every byte of a segment, an index or a request
//! minilog topic list                 the topics of a cluster; also produce, consume, group, import
//! ```
//!
//! Everything but `serve` and `explain` is a client ([`client`]) and works with any Kafka.

mod client;

use clap::Parser;
use minikit::cli::{Engine, main_with, print_ready};
use minilog::explain;
use minilog::server::start::{self, ServeOptions};
use std::path::PathBuf;
use std::process::ExitCode;

const ENGINE: Engine = Engine { name: "minilog", listen: "127.0.0.1:9092", sections: &[] };

/// A Kafka small enough to read in an evening
#[derive(Parser)]
#[command(name = "minilog", version)]
enum Command {
    /// Run the broker
    Serve(Box<ServeOptions>),
    /// Show every byte of a segment, an index, a snapshot or a captured request
    Explain(Explain),
    /// Create, list, describe, delete or alter topics
    #[command(subcommand)]
    Topic(client::Topic),
    /// Send each line of standard input as a record
    Produce(client::Produce),
    /// Print records
    Consume(client::Consume),
    /// List or describe consumer groups, or move their offsets
    #[command(subcommand)]
    Group(client::Group),
    /// Send the batches of a partition's directory, ours or Kafka's, to a broker
    Import(client::Import),
}

#[derive(clap::Args)]
struct Explain {
    /// A file of a partition's directory, as 00000000000000000000.log, or a request frame
    file: PathBuf,
    /// Batches or entries to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    count: usize,
}

/// Runs the command of the command line.
pub fn main() -> ExitCode {
    main_with(&ENGINE, std::env::args_os(), |command| match command {
        Command::Serve(options) => start::run(*options, |bound| print_ready(&ENGINE, bound)),
        Command::Explain(args) => {
            let bytes = client::read(&args.file)?;
            let text = explain::explain(&args.file.to_string_lossy(), &bytes, args.count)?;
            client::put(text.as_bytes()).map(drop)
        }
        Command::Topic(topic) => topic.run(),
        Command::Produce(produce) => produce.run(),
        Command::Consume(consume) => consume.run(),
        Command::Group(group) => group.run(),
        Command::Import(import) => import.run(),
    })
}
