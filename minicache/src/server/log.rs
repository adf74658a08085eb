//! Log lines in the form that tools around Redis read.
//!
//! ```text
//! 4242:M 22 Nov 2026 16:43:00.123 * Ready to accept connections
//! │    │ └ the time, UTC          │ └ what there is to say
//! │    └ M: a primary             └ . debug   - verbose   * notice   # warning
//! └ the process
//! ```
//!
//! Only the Redis way of starting logs like this; `serve` logs as all engines do. `loglevel` is
//! asked at every event, so `CONFIG SET loglevel` works at once. Redis prints local time; here it
//! is UTC, because the rules of a time zone are a database (`serverLogRaw` in `server.c`).

use crate::conf::settings::LogLevel;
use std::fmt::{self, Display};
use std::fs::{File, OpenOptions};
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, layer};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Sends log lines to the end of the file at `path`, or to standard output where that is empty.
/// Only the first call in a process counts.
///
/// # Errors
/// The system's, where the file cannot be opened or made.
pub fn start(path: &str, level: impl Fn() -> LogLevel + Send + Sync + 'static) -> io::Result<()> {
    if path.is_empty() {
        install(io::stdout, level);
    } else {
        let file: File = OpenOptions::new().create(true).append(true).open(path)?;
        install(std::sync::Mutex::new(file), level);
    }
    Ok(())
}

fn install<W>(writer: W, level: impl Fn() -> LogLevel + Send + Sync + 'static)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = dynamic_filter_fn(move |event, _| rank(*event.level()) >= level() as u8);
    let lines = layer().event_format(Line).with_ansi(false).with_writer(writer).with_filter(filter);
    // An earlier subscriber stays in force.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

/// How grave an event is, counted as [`LogLevel`] counts.
fn rank(level: Level) -> u8 {
    match level {
        Level::TRACE => LogLevel::Debug as u8,
        Level::DEBUG => LogLevel::Verbose as u8,
        Level::INFO => LogLevel::Notice as u8,
        Level::WARN | Level::ERROR => LogLevel::Warning as u8,
    }
}

/// The form of a line.
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
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mark = [".", "-", "*", "#"][usize::from(rank(*event.metadata().level()))];
        write!(out, "{}:M {} {mark} ", std::process::id(), Date(since_1970))?;
        context.field_format().format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}

/// A time, shown as `22 Nov 2026 16:43:00.123`.
struct Date(Duration);

impl Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let seconds = self.0.as_secs();
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let ms = self.0.subsec_millis();
        let month = MONTHS[month];
        write!(out, "{day:02} {month} {year} {hour:02}:{minute:02}:{second:02}.{ms:03}")
    }
}

/// Year, month from 0, and day of the month, `days` after 1970-01-01. Years are counted from March,
/// so that a leap day is the last day of one (Hinnant, "chrono-compatible low-level date
/// algorithms").
fn civil(days: u64) -> (u64, usize, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + DAYS_TO_1970;
    let (cycle, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let since_january = (month + 2) % 12;
    (cycle * 400 + year + u64::from(month >= 10), since_january as usize, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_around_leap_days_and_new_years() {
        for (seconds, text) in [
            (0, "01 Jan 1970 00:00:00.007"),
            (951_782_399, "28 Feb 2000 23:59:59.007"),
            (951_782_400, "29 Feb 2000 00:00:00.007"),
            (1_709_251_200, "01 Mar 2024 00:00:00.007"),
            (1_795_365_780, "22 Nov 2026 16:43:00.007"),
            (4_102_444_799, "31 Dec 2099 23:59:59.007"),
            (4_107_542_400, "01 Mar 2100 00:00:00.007"),
        ] {
            assert_eq!(Date(Duration::new(seconds, 7_000_000)).to_string(), text);
        }
    }

    #[test]
    fn every_level_has_its_rank() {
        let ranks = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR].map(rank);
        assert_eq!(ranks, [0, 1, 2, 3, 3]);
    }
}
