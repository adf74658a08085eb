//! Dates and timestamps: parsing, printing, `extract`, and time zones.
//!
//! | file | what it is |
//! |---|---|
//! | `calendar.rs` | years, months and days as a number of days, from 4714 BC on |
//! | `fields.rs` | a text as fields: numbers, words, times, offsets |
//! | `parse.rs` | what those fields mean |
//! | `print.rs` | dates and timestamps in ISO form |
//! | `parts.rs` | `extract` and `date_trunc` |
//! | `zone.rs` | offsets, abbreviations and names of time zones |
//!
//! ```
//! use minibtree_datetime::{date_text, parse_date, parse_timestamp, timestamp_text};
//!
//! for text in ["2026-11-28", "Nov 28, 2026", "11/28/26", "20261128", "J2461373"] {
//!     assert_eq!(parse_date(text), Ok(9_828), "{text}");
//! }
//! assert_eq!(date_text(9_828), "2026-11-28");
//!
//! let moment = parse_timestamp("Sat Nov 28 11:00:49.5 PM 2026 CET", true)?;
//! assert_eq!(timestamp_text(moment, "+00"), "2026-11-28 22:00:49.5+00");
//! # Ok::<(), minibtree_datetime::Error>(())
//! ```
//!
//! A date is the number of days since 2000-01-01, a timestamp the number of microseconds; the
//! greatest and smallest numbers are `infinity` and `-infinity`. Months come before days (`MDY`),
//! and the time zone of a session is UTC.
//!
//! PostgreSQL's `datetime.c`. It also accepts `now`, `today` and the like; ours refuses them, so
//! that a text means the same at all times.

mod calendar;
mod fields;
mod parse;
mod parts;
mod print;
mod zone;

pub use calendar::{Civil, add_days, date_of_timestamp, timestamp_of_date};
pub use parse::{Error, moment, parse_date, parse_timestamp};
pub use parts::{Part, date_trunc, is_unit, part};
pub use print::{date_text, timestamp_text};
pub use zone::{local_of, moment_of};

/// Microseconds of a second.
pub const SECOND_US: i64 = 1_000_000;
/// Microseconds of a day.
pub const DAY_US: i64 = 86_400 * SECOND_US;
