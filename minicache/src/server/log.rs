//! Log lines in the format of Redis, which scripts and test suites parse.
//!
//! ```text
//! 4242:M 22 Nov 2026 16:43:00.123 * Ready to accept connections
//! │    │ └ the time, UTC          │ └ the message
//! │    └ M: a primary             └ . debug   - verbose   * notice   # warning
//! └ the process id
//! ```
//!
//! Only the Redis-style start logs like this; `serve` logs as all engines do. The filter reads
//! `loglevel` at each event, so `CONFIG SET loglevel` takes effect at once.
//!
//! The counterpart in Redis is `serverLogRaw` (`server.c`), which prints local time. A log in UTC
//! needs no time zone database and has no hour twice.

use crate::conf::settings::LogLevel;
use jiff::Timestamp;
use std::{fmt, fs::OpenOptions, io};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, layer};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Appends log lines to the file at `path`, or writes them to standard output if `path` is empty.
/// Events below `level()` are dropped. Only the first call in a process has an effect.
///
/// # Errors
/// If the file cannot be opened or created.
pub(super) fn start(
    path: &str,
    level: impl Fn() -> LogLevel + Send + Sync + 'static,
) -> io::Result<()> {
    if path.is_empty() {
        install(io::stdout, level);
    } else {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        install(std::sync::Mutex::new(file), level);
    }
    Ok(())
}

fn install<W>(writer: W, level: impl Fn() -> LogLevel + Send + Sync + 'static)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter =
        dynamic_filter_fn(move |event, _| redis_level(*event.level()) as u8 >= level() as u8);
    let lines = layer().event_format(Line).with_ansi(false).with_writer(writer).with_filter(filter);
    // It fails if a subscriber is installed already, which then stays in force.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

fn redis_level(level: Level) -> LogLevel {
    match level {
        Level::TRACE => LogLevel::Debug,
        Level::DEBUG => LogLevel::Verbose,
        Level::INFO => LogLevel::Notice,
        Level::WARN | Level::ERROR => LogLevel::Warning,
    }
}

struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = redis_level(*event.metadata().level());
        write!(out, "{}", prefix(std::process::id(), Timestamp::now(), level))?;
        context.field_format().format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}

/// A line up to its message.
fn prefix(process: u32, time: Timestamp, level: LogLevel) -> String {
    let mark = [".", "-", "*", "#"][level as usize];
    format!("{process}:M {} {mark} ", time.strftime("%d %b %Y %H:%M:%S.%3f"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_head() {
        let time = Timestamp::from_millisecond(1_795_365_780_123).expect("a time in 2026");
        let line = prefix(4242, time, redis_level(Level::INFO));
        assert_eq!(line, "4242:M 22 Nov 2026 16:43:00.123 * ");
    }

    #[test]
    fn every_level_has_its_counterpart() {
        let levels = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];
        let counterparts = levels.map(|level| redis_level(level) as u8);
        assert_eq!(counterparts, [0, 1, 2, 3, 3]);
    }
}
