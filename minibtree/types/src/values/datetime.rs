//! Days and moments: reading, writing, and parts of them. The only time zone is UTC.
//!
//! ```text
//! 2026-11-28                    9828 days after 2000-01-01
//! 2026-11-28 23:00:49.5+01      849218449500000 microseconds after 2000-01-01 00:00:00 UTC
//! ```
//!
//! ISO 8601 forms are read; PostgreSQL's `datetime.c` reads many more (`Jan 5 2020`, `yesterday`),
//! which we refuse. The calendar itself is `jiff`'s, from year -9999 to 9999.

use crate::error::Result;
use jiff::Span;
use jiff::civil::Date;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// Reads a day.
///
/// # Errors
/// `22007` if it has another form, `22008` if there is no such day.
pub fn parse_date(text: &str) -> Result<i32> {
    let (days, _) = parse(text, "date")?;
    Ok(days)
}

/// Reads a moment. Without `with_zone` an offset is ignored, as PostgreSQL does.
///
/// # Errors
/// `22007` or `22008`.
pub fn parse_timestamp(text: &str, with_zone: bool) -> Result<i64> {
    let name = if with_zone { "timestamp with time zone" } else { "timestamp" };
    let (days, (time_us, offset_us)) = parse(text, name)?;
    let offset_us = if with_zone { offset_us } else { 0 };
    Ok(i64::from(days) * DAY_US + time_us - offset_us)
}

/// Days, and the time of day and its offset from UTC in microseconds.
fn parse(text: &str, name: &str) -> Result<(i32, (i64, i64))> {
    let malformed =
        || error!(INVALID_DATETIME_FORMAT, "invalid input syntax for type {name}: \"{text}\"");
    let trimmed = text.trim();
    let (date, rest) = match trimmed.find([' ', 'T', 't']) {
        Some(at) => (&trimmed[..at], trimmed[at + 1..].trim_start()),
        None => (trimmed, ""),
    };
    let parts: Vec<i64> =
        date.split('-').map(digits).collect::<Option<_>>().ok_or_else(malformed)?;
    let [year, month, day] = parts[..] else { return Err(malformed()) };
    if date.split('-').next().is_some_and(|year| year.len() < 4) {
        return Err(malformed());
    }
    let time = parse_time(rest).ok_or_else(malformed)?;

    let out_of_range =
        || error!(DATETIME_FIELD_OVERFLOW, "date/time field value out of range: \"{text}\"");
    let fields = (i16::try_from(year), i8::try_from(month), i8::try_from(day));
    let (Ok(year), Ok(month), Ok(day)) = fields else { return Err(out_of_range()) };
    let date = Date::new(year, month, day).map_err(|_| out_of_range())?;
    if year == 0 {
        return Err(out_of_range());
    }
    Ok((days_of(date), time.ok_or_else(out_of_range)?))
}

fn digits(text: &str) -> Option<i64> {
    let is_number =
        !text.is_empty() && text.len() < 10 && text.bytes().all(|it| it.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// `hh:mm:ss.f` and an offset. The outer `None`: another form; the inner: no such time.
fn parse_time(text: &str) -> Option<Option<(i64, i64)>> {
    let (text, is_utc) = match text.strip_suffix(['Z', 'z']) {
        Some(text) => (text, true),
        None => (text.strip_suffix("UTC").map_or(text, str::trim_end), text.ends_with("UTC")),
    };
    if text.is_empty() {
        return (!is_utc).then_some(Some((0, 0)));
    }
    let (time, offset) = match text.rfind(['+', '-']) {
        Some(at) if is_utc || at == 0 => return None,
        Some(at) => (text[..at].trim_end(), Some(&text[at..])),
        None => (text, None),
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let parts: Vec<i64> = clock.split(':').map(digits).collect::<Option<_>>()?;
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    if fraction.is_empty() || !fraction.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    // PostgreSQL reads a float and rounds to microseconds.
    let fraction: f64 = format!("0.{fraction}").parse().ok()?;
    let fraction_us = (fraction * SECOND_US as f64).round_ties_even() as i64;
    let time_us = ((hour * 60 + minute) * 60 + second) * SECOND_US + fraction_us;
    let is_valid = hour <= 24 && minute < 60 && second <= 60 && time_us <= DAY_US;

    let Some(offset) = offset else { return Some(is_valid.then_some((time_us, 0))) };
    let parts: Vec<i64> = offset[1..].split(':').map(digits).collect::<Option<_>>()?;
    let (hour, minute) = match parts[..] {
        [packed] if offset.len() == 5 => (packed / 100, packed % 100),
        [hour] => (hour, 0),
        [hour, minute] => (hour, minute),
        _ => return None,
    };
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let is_valid = is_valid && hour <= 15 && minute < 60;
    Some(is_valid.then_some((time_us, sign * (hour * 60 + minute) * 60 * SECOND_US)))
}

fn epoch() -> Date {
    jiff::civil::date(2000, 1, 1)
}

/// Days since 2000.
fn days_of(date: Date) -> i32 {
    (date - epoch()).get_days()
}

/// The date so many days after 2000, if the calendar has it.
fn date_of(days: i32) -> Option<Date> {
    epoch().checked_add(Span::new().try_days(days).ok()?).ok()
}

/// A day in ISO form.
pub fn date_text(days: i32) -> String {
    match date_of(days) {
        Some(date) => format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()),
        // PostgreSQL's own way to show days beyond the calendar.
        None => if days > 0 { "infinity" } else { "-infinity" }.to_owned(),
    }
}

/// A moment in ISO form, without trailing zeros of the fraction, and the zone.
pub fn timestamp_text(us: i64, zone: &str) -> String {
    let (days, time_us) = (us.div_euclid(DAY_US), us.rem_euclid(DAY_US));
    let date = date_text(i32::try_from(days).unwrap_or(if us > 0 { i32::MAX } else { i32::MIN }));
    if date.ends_with("infinity") {
        return date;
    }
    let (seconds, fraction) = (time_us / SECOND_US, time_us % SECOND_US);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut fraction = if fraction > 0 { format!(".{fraction:06}") } else { String::new() };
    fraction.truncate(fraction.trim_end_matches('0').len());
    format!("{date} {hour:02}:{minute:02}:{second:02}{fraction}{zone}")
}

/// The day of a moment.
pub fn date_of_timestamp(us: i64) -> i32 {
    us.div_euclid(DAY_US) as i32
}

/// The beginning of a day; `None` if it does not fit.
pub fn timestamp_of_date(days: i32) -> Option<i64> {
    i64::from(days).checked_mul(DAY_US)
}

/// A part of a moment, as `extract` names it, with the digits after the point that PostgreSQL
/// shows. `None`: there is no such part, or we do not have it.
pub fn part(us: i64, name: &str) -> Option<(i64, i64)> {
    let (days, time_us) = (us.div_euclid(DAY_US) as i32, us.rem_euclid(DAY_US));
    let date = date_of(days)?;
    let whole = |number: i64| Some((number, 0));
    match name {
        "year" => whole(date.year().into()),
        "quarter" => whole((i64::from(date.month()) - 1) / 3 + 1),
        "month" => whole(date.month().into()),
        "week" => whole(date.iso_week_date().week().into()),
        "isoyear" => whole(date.iso_week_date().year().into()),
        "day" => whole(date.day().into()),
        "doy" => whole(date.day_of_year().into()),
        "dow" => whole(date.weekday().to_sunday_zero_offset().into()),
        "isodow" => whole(date.weekday().to_monday_one_offset().into()),
        "hour" => whole(time_us / (3600 * SECOND_US)),
        "minute" => whole(time_us / (60 * SECOND_US) % 60),
        "second" => Some((time_us % (60 * SECOND_US), 6)),
        "millisecond" | "milliseconds" => Some((time_us % (60 * SECOND_US), 3)),
        "microsecond" | "microseconds" => whole(time_us % (60 * SECOND_US)),
        "epoch" => Some((us + 946_684_800 * SECOND_US, 6)),
        _ => None,
    }
}

/// A moment cut to the beginning of its year, month, day and so on; `None` for units we do not
/// have.
pub fn date_trunc(unit: &str, us: i64) -> Option<i64> {
    let (days, time_us) = (us.div_euclid(DAY_US) as i32, us.rem_euclid(DAY_US));
    let cut = |unit_us: i64| Some(us - time_us % unit_us);
    let date = date_of(days)?;
    let start = match unit {
        "microseconds" => return Some(us),
        "milliseconds" => return cut(1_000),
        "second" => return cut(SECOND_US),
        "minute" => return cut(60 * SECOND_US),
        "hour" => return cut(3600 * SECOND_US),
        "day" => return cut(DAY_US),
        "week" => days - i32::from(date.weekday().to_monday_zero_offset()),
        "month" => days_of(date.first_of_month()),
        "quarter" => days_of(Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).ok()?),
        "year" => days_of(date.first_of_year()),
        _ => return None,
    };
    timestamp_of_date(start)
}

/// So many days later; `None` if the calendar ends before.
pub fn add_days(days: i32, more: i64) -> Option<i32> {
    let sum = i32::try_from(i64::from(days).checked_add(more)?).ok()?;
    date_of(sum).map(|_| sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_in_several_forms() {
        for (text, us) in [
            ("2000-01-01", 0),
            (" 2000-01-01T00:00:01.5 ", 1_500_000),
            ("1999-12-31 23:59:59.9999999", 0),
            ("2000-01-01 01:30:00+01:30", 0),
            ("1999-12-31 19:00-05", 0),
            ("2000-01-01 00:00Z", 0),
            ("1999-12-31 24:00:00", 0),
        ] {
            assert_eq!(parse_timestamp(text, true).expect(text), us, "{text}");
        }
        for (text, code) in [
            ("2000-01-01 25:00", "22008"),
            ("2000-13-01", "22008"),
            ("2000-1", "22007"),
            ("today", "22007"),
            ("2000-01-01 1", "22007"),
        ] {
            assert_eq!(parse_timestamp(text, true).expect_err(text).code, code, "{text}");
        }
    }

    #[test]
    fn parts_and_beginnings() {
        let us = parse_timestamp("2026-11-29 13:07:05.25", false).expect("valid");
        assert_eq!(part(us, "dow"), Some((0, 0)));
        assert_eq!(part(us, "second"), Some((5_250_000, 6)));
        assert_eq!(
            timestamp_text(date_trunc("quarter", us).expect("known"), ""),
            "2026-10-01 00:00:00"
        );
        assert_eq!(
            timestamp_text(date_trunc("week", us).expect("known"), "+00"),
            "2026-11-23 00:00:00+00"
        );
    }
}
