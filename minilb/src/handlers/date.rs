//! Dates as HTTP and logs write them, in UTC.
//!
//! ```text
//! http       Sun, 29 Nov 2026 00:39:22 GMT
//! local      29/Nov/2026:00:39:22 +0000
//! iso8601    2026-11-29T00:39:22+00:00
//! ```
//!
//! The calendar is Hinnant's: `civil_from_days`, and `days_from_civil` for the way back. NGINX
//! counterpart: `ngx_time_update` (`ngx_times.c`), which writes logs in local time.

use std::io::Write;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

struct Date {
    year: u64,
    month: usize,
    day: u64,
    weekday: &'static str,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Date {
    /// Of seconds since 1970.
    fn new(unix_s: u64) -> Date {
        let days = unix_s / 86_400;
        // Years begin in March, so that the leap day is the last one; 400 of them repeat.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let month = (march_month + 2) % 12;
        Date {
            year: year_of_era + era * 400 + u64::from(month < 2),
            month: month as usize,
            day: of_year - (153 * march_month + 2) / 5 + 1,
            weekday: DAYS[(days % 7) as usize],
            hour: unix_s / 3600 % 24,
            minute: unix_s / 60 % 60,
            second: unix_s % 60,
        }
    }
}

/// Seconds since 1970 of a date and a time, in UTC; negative before.
pub fn unix_s([year, month, day]: [i64; 3], [hour, minute, second]: [i64; 3]) -> i64 {
    let year = year - i64::from(month <= 2);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + of_year;
    let days = year / 400 * 146_097 + of_era - 719_468;
    ((days * 24 + hour) * 60 + minute) * 60 + second
}

/// Appends the form of the header `Date`.
pub fn http(unix_s: u64, out: &mut Vec<u8>) {
    let Date { year, month, day, weekday, hour, minute, second } = Date::new(unix_s);
    let month = MONTHS[month];
    let text =
        write!(out, "{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT");
    text.expect("a vector takes everything");
}

/// Appends the form of `$time_local`.
pub fn local(unix_s: u64, out: &mut Vec<u8>) {
    let Date { year, month, day, hour, minute, second, .. } = Date::new(unix_s);
    let month = MONTHS[month];
    write!(out, "{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} +0000")
        .expect("a vector takes everything");
}

/// Appends the form of `$time_iso8601`.
pub fn iso8601(unix_s: u64, out: &mut Vec<u8>) {
    let Date { year, month, day, hour, minute, second, .. } = Date::new(unix_s);
    let month = month + 1;
    write!(out, "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00")
        .expect("a vector takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let text = |write: fn(u64, &mut Vec<u8>), unix_s| {
            let mut out = Vec::new();
            write(unix_s, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        assert_eq!(text(http, 1_795_912_762), "Sun, 29 Nov 2026 00:39:22 GMT");
        assert_eq!(text(local, 1_795_912_762), "29/Nov/2026:00:39:22 +0000");
        assert_eq!(text(iso8601, 1_795_912_762), "2026-11-29T00:39:22+00:00");
        assert_eq!(text(http, 951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(unix_s([2026, 11, 29], [0, 39, 22]), 1_795_912_762);
        assert_eq!(unix_s([2000, 2, 29], [0, 0, 0]), 951_782_400);
        assert_eq!(unix_s([1969, 12, 31], [23, 59, 59]), -1);
        assert_eq!(text(http, 0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
