//! Errors of days and moments in PostgreSQL's words; the calendar is `minibtree/datetime`.

use crate::error::{Result, SqlError};
use minibtree_datetime::Error;

/// The error for a text that is none of its type, or for a part of one.
pub fn error_of(error: Error, type_name: &str, text: &str) -> SqlError {
    let out_of_range =
        || error!(DATETIME_FIELD_OVERFLOW, "date/time field value out of range: \"{text}\"");
    match error {
        Error::Malformed => {
            error!(INVALID_DATETIME_FORMAT, "invalid input syntax for type {type_name}: \"{text}\"")
        }
        Error::FieldOverflow => out_of_range(),
        Error::OrderOverflow => {
            out_of_range().hint("Perhaps you need a different \"datestyle\" setting.")
        }
        Error::Displacement => {
            error!(
                INVALID_TIME_ZONE_DISPLACEMENT,
                "time zone displacement out of range: \"{text}\""
            )
        }
        Error::UnknownZone(name) if name.contains(',') => {
            unsupported!("the time zone with rules \"{name}\"")
        }
        Error::UnknownZone(name) => {
            error!(INVALID_PARAMETER_VALUE, "time zone \"{name}\" not recognized")
        }
        Error::OutOfRange => {
            let name = if type_name == "date" { "date" } else { "timestamp" };
            error!(DATETIME_FIELD_OVERFLOW, "{name} out of range: \"{text}\"")
        }
        Error::FarYear => unsupported!("a time zone in the year of {text}"),
        Error::Clock(word) => unsupported!("the date \"{word}\""),
    }
}

/// Reads a day.
///
/// # Errors
/// `22007` if it has another form, `22008` if there is no such day.
pub fn parse_date(text: &str) -> Result<i32> {
    minibtree_datetime::parse_date(text).map_err(|it| error_of(it, "date", text))
}

/// Reads a moment. Without `with_zone` an offset is ignored, as PostgreSQL does.
///
/// # Errors
/// `22007`, `22008`, and `22009` or `22023` for a bad time zone.
pub fn parse_timestamp(text: &str, with_zone: bool) -> Result<i64> {
    let name = if with_zone { "timestamp with time zone" } else { "timestamp" };
    minibtree_datetime::parse_timestamp(text, with_zone).map_err(|it| error_of(it, name, text))
}
