//! Parts of moments, and moments cut to the beginning of a part.
//!
//! ```text
//! 2026-11-29 13:07:05.25    dow 0    quarter 4    week 48    second 5.250000
//! cut to the quarter        2026-10-01 00:00:00
//! ```

use crate::calendar::{Civil, first_week, week_year, weekday};
use crate::{DAY_US, SECOND_US};

/// A part of a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// A whole number.
    Whole(i64),
    /// Units of 10^-n, with the n digits after the point that PostgreSQL shows.
    Decimal(i128, i64),
    /// Days and microseconds of a day: the Julian day.
    Days(i64, i64),
    /// Of infinity: the part grows with time.
    Infinite(bool),
    /// Of infinity: it does not.
    Unknown,
}

/// The units of moments, and the other names that PostgreSQL has for them.
const UNITS: [(&str, &str); 23] = [
    ("microseconds", " microsecond microsec us usec usecs usecond useconds microsecon "),
    ("milliseconds", " millisecond millisecon ms msec msecs msecond mseconds "),
    ("second", " s sec secs seconds "),
    ("minute", " m min mins minutes "),
    ("hour", " h hr hrs hours "),
    ("day", " d days "),
    ("week", " w weeks "),
    ("month", " mon mons months "),
    ("quarter", " qtr "),
    ("year", " y yr yrs years "),
    ("decade", " dec decs decades "),
    ("century", " c cent centuries "),
    ("millennium", " mil mils millennia "),
    ("julian", " j jd "),
    ("isoyear", " "),
    ("dow", " "),
    ("isodow", " "),
    ("doy", " "),
    ("epoch", " "),
    ("timezone", " "),
    ("timezone_hour", " timezone_h "),
    ("timezone_minute", " timezone_m "),
    ("timezone_second", " "),
];

/// The unit of this name, in lower case.
fn unit_of(name: &str) -> Option<&'static str> {
    let is_meant = |it: &&(&str, &str)| it.0 == name || it.1.contains(&format!(" {name} "));
    UNITS.iter().find(is_meant).map(|it| it.0)
}

/// Returns true if PostgreSQL knows the unit.
pub fn is_unit(name: &str) -> bool {
    unit_of(name).is_some()
}

/// A part of a moment, as `extract` names it; `None` if there is no such part. A day is a moment
/// at midnight without a time, so it has no parts of one.
pub fn part(us: i64, name: &str, is_date: bool) -> Option<Part> {
    const OF_TIME: [&str; 5] = ["microseconds", "milliseconds", "second", "minute", "hour"];
    const GROWING: [&str; 8] =
        ["year", "decade", "century", "millennium", "julian", "isoyear", "epoch", "timezone"];

    let unit = unit_of(name).filter(|it| !it.starts_with("timezone"))?;
    if is_date && OF_TIME.contains(&unit) {
        return None;
    }
    if us == i64::MAX || us == i64::MIN {
        let is_growing = GROWING.contains(&unit);
        return Some(if is_growing { Part::Infinite(us > 0) } else { Part::Unknown });
    }

    let (days, time_us) = (us.div_euclid(DAY_US), us.rem_euclid(DAY_US));
    let minute_us = time_us % (60 * SECOND_US);
    let Civil { year, month, day } = Civil::of(days);
    Some(Part::Whole(match unit {
        "microseconds" => minute_us,
        "milliseconds" => return Some(Part::Decimal(minute_us.into(), 3)),
        "second" => return Some(Part::Decimal(minute_us.into(), 6)),
        "minute" => time_us / (60 * SECOND_US) % 60,
        "hour" => time_us / (3_600 * SECOND_US),
        "day" => day,
        "month" => month,
        "quarter" => (month - 1) / 3 + 1,
        "year" => without_zero(year),
        "decade" => year.div_euclid(10),
        "century" => centuries(year, 100),
        "millennium" => centuries(year, 1_000),
        "week" => (days - first_week(week_year(days))) / 7 + 1,
        "isoyear" => without_zero(week_year(days)),
        "dow" => (weekday(days) + 1) % 7,
        "isodow" => weekday(days) + 1,
        "doy" => days - Civil::first_of(year).days() + 1,
        "julian" => return Some(Part::Days(days - crate::calendar::DAY_MIN, time_us)),
        _ => {
            let seconds = days * 86_400 + 946_684_800;
            match is_date {
                true => seconds,
                false => {
                    // The last years do not fit when they are counted from 1970.
                    let us = i128::from(seconds) * i128::from(SECOND_US) + i128::from(time_us);
                    return Some(Part::Decimal(us, 6));
                }
            }
        }
    }))
}

/// A year as it is counted: the one before 1 is -1.
fn without_zero(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

/// The century or millennium of a year: the first one begins with the year 1.
fn centuries(year: i64, length: i64) -> i64 {
    without_zero((year + length - 1).div_euclid(length))
}

/// A moment cut to the beginning of its year, month, day and so on; `None` for parts without one.
pub fn date_trunc(unit: &str, us: i64) -> Option<i64> {
    let unit = unit_of(unit)?;
    let (days, time_us) = (us.div_euclid(DAY_US), us.rem_euclid(DAY_US));
    let cut = |unit_us: i64| Some(us - time_us % unit_us);
    let Civil { year, month, .. } = Civil::of(days);
    let start = match unit {
        "julian" | "isoyear" | "dow" | "isodow" | "doy" | "epoch" => return None,
        unit if unit.starts_with("timezone") => return None,
        _ if us == i64::MAX || us == i64::MIN => return Some(us),
        "microseconds" => return Some(us),
        "milliseconds" => return cut(1_000),
        "second" => return cut(SECOND_US),
        "minute" => return cut(60 * SECOND_US),
        "hour" => return cut(3_600 * SECOND_US),
        "day" => return cut(DAY_US),
        "week" => days - weekday(days),
        "month" => Civil { year, month, day: 1 }.days(),
        "quarter" => Civil { year, month: (month - 1) / 3 * 3 + 1, day: 1 }.days(),
        "year" => Civil::first_of(year).days(),
        "decade" => Civil::first_of(year.div_euclid(10) * 10).days(),
        "century" => Civil::first_of((year - 1).div_euclid(100) * 100 + 1).days(),
        _ => Civil::first_of((year - 1).div_euclid(1_000) * 1_000 + 1).days(),
    };
    Some(start * DAY_US)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse_timestamp, timestamp_text};

    #[test]
    fn parts_and_beginnings() {
        let us = parse_timestamp("2026-11-29 13:07:05.25", false).expect("valid");
        assert_eq!(part(us, "dow", false), Some(Part::Whole(0)));
        assert_eq!(part(us, "week", false), Some(Part::Whole(48)));
        assert_eq!(part(us, "secs", false), Some(Part::Decimal(5_250_000, 6)));
        assert_eq!(part(us, "hour", true), None);
        let last = parse_timestamp("294276-12-31", false).expect("valid");
        let seconds = part(last, "epoch", false);
        assert_eq!(seconds, Some(Part::Decimal(9_224_318_015_999_000_000 - 86_399_000_000, 6)));
        assert_eq!(part(i64::MAX, "year", false), Some(Part::Infinite(true)));
        for (unit, wanted) in [
            ("quarter", "2026-10-01 00:00:00"),
            ("week", "2026-11-23 00:00:00"),
            ("century", "2001-01-01 00:00:00"),
        ] {
            assert_eq!(timestamp_text(date_trunc(unit, us).expect("known"), ""), wanted);
        }
    }

    #[test]
    fn centuries_have_no_zero() {
        // Asked of PostgreSQL 15.
        for (date, century, millennium, decade) in [
            ("0101-12-31 BC", -2, -1, -10),
            ("0100-12-31 BC", -1, -1, -10),
            ("0001-12-31 BC", -1, -1, 0),
            ("0001-01-01", 1, 1, 0),
            ("0100-12-31", 1, 1, 10),
            ("0101-01-01", 2, 1, 10),
            ("2001-01-01", 21, 3, 200),
        ] {
            let us = parse_timestamp(date, false).expect(date);
            let of = |unit| part(us, unit, true);
            assert_eq!(of("century"), Some(Part::Whole(century)), "{date}");
            assert_eq!(of("millennium"), Some(Part::Whole(millennium)), "{date}");
            assert_eq!(of("decade"), Some(Part::Whole(decade)), "{date}");
        }
    }
}
