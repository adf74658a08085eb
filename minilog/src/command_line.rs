//! The command line of minilog.
//!
//! ```text
//! minilog serve --data-dir data      a broker on 127.0.0.1:9092
//! minilog explain FILE               every byte of a segment, an index or a request
//! minilog topic list                 what a cluster has; also produce, consume, group, import
//! ```
//!
//! Everything but `serve` and `explain` is a client ([`client`]) and works with any Kafka.

mod client;

use clap::Parser;
use minikit::cli::{Engine, ServeArgs, main_with, print_ready};
use minilog::engine::group::coordinator::GroupConfig;
use minilog::engine::log::config::LogConfig;
use minilog::explain;
use minilog::server::start::{self, Start};
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const ENGINE: Engine = Engine { name: "minilog", listen: "127.0.0.1:9092", sections: &[] };

/// A Kafka small enough to read in an evening
#[derive(Parser)]
#[command(name = "minilog", version)]
enum Command {
    /// Run the broker
    Serve(Box<Serve>),
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

#[derive(clap::Args)]
struct Serve {
    #[command(flatten)]
    common: ServeArgs,
    /// Where topics are kept; created if missing
    #[arg(long, value_name = "DIR", default_value = "minilog-data")]
    data_dir: PathBuf,
    /// What clients are told to connect to, if it is not the address listened on
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    advertise: Option<(String, u16)>,
    /// When records are acknowledged: `os` from the page cache as in Kafka; `always` after a sync,
    /// as log.flush.interval.messages=1
    #[arg(long, value_name = "WHEN", value_parser = ["os", "always"], default_value = "os")]
    sync: String,
    /// Create topics that clients ask for, as auto.create.topics.enable
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    auto_create_topics: bool,
    /// Partitions of a topic that does not say how many, as num.partitions
    #[arg(long, value_name = "N", default_value_t = 1)]
    num_partitions: i32,
    /// Bytes of a segment, as log.segment.bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    segment_bytes: i32,
    /// Milliseconds to keep records, as log.retention.ms; -1 for ever
    #[arg(long, value_name = "MS", default_value_t = 604_800_000, allow_hyphen_values = true)]
    retention_ms: i64,
    /// Bytes of a partition to keep, as log.retention.bytes; -1 for all
    #[arg(long, value_name = "BYTES", default_value_t = -1, allow_hyphen_values = true)]
    retention_bytes: i64,
    /// How long a new group waits for more members, as group.initial.rebalance.delay.ms
    #[arg(long, value_name = "MS", default_value_t = 0)]
    group_initial_rebalance_delay_ms: u32,
    /// Minutes to keep the offsets of a group without members, as offsets.retention.minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 10_080)]
    offsets_retention_minutes: u32,
    /// Milliseconds between two looks for logs to compact, as log.cleaner.backoff.ms
    #[arg(long, value_name = "MS", default_value_t = 15_000)]
    log_cleaner_backoff_ms: u64,
    /// Clients at a time
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_connections: usize,
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    main_with(&ENGINE, std::env::args_os(), |command| match command {
        Command::Serve(serve) => serve.run(),
        Command::Explain(args) => {
            let bytes = std::fs::read(&args.file)?;
            let text = explain::explain(&args.file.to_string_lossy(), &bytes, args.count)?;
            // A text that nobody reads to the end (`explain ... | head`) is no failure.
            let _ = std::io::stdout().write_all(text.as_bytes());
            Ok(())
        }
        Command::Topic(topic) => topic.run(),
        Command::Produce(produce) => produce.run(),
        Command::Consume(consume) => consume.run(),
        Command::Group(group) => group.run(),
        Command::Import(import) => import.run(),
    })
}

impl Serve {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let log = LogConfig {
            segment_bytes: self.segment_bytes.into(),
            retention_ms: self.retention_ms,
            retention_bytes: self.retention_bytes,
            flush_messages: if self.sync == "always" { 1 } else { i64::MAX },
            ..Default::default()
        };
        let start = Start {
            options: self.common.options(),
            admin: self.common.admin,
            data_dir: self.data_dir,
            advertise: self.advertise,
            log,
            groups: GroupConfig {
                initial_delay_ms: self.group_initial_rebalance_delay_ms.into(),
                offsets_retention_ms: i64::from(self.offsets_retention_minutes) * 60_000,
                ..Default::default()
            },
            auto_create_topics: self.auto_create_topics,
            num_partitions: self.num_partitions,
            cleaner_backoff: Duration::from_millis(self.log_cleaner_backoff_ms),
            connections_max: self.max_connections,
        };
        start::run(start, |bound| print_ready(&ENGINE, bound))
    }
}

fn host_and_port(text: &str) -> Result<(String, u16), &'static str> {
    let expected = "needs a host and a port, as in broker.example:9092";
    let (host, port) = text.rsplit_once(':').ok_or(expected)?;
    let port = port.parse().map_err(|_| expected)?;
    if host.is_empty() { Err(expected) } else { Ok((host.to_owned(), port)) }
}
