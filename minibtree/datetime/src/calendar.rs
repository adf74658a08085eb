//! The calendar: Gregorian at all times, with a year 0 (1 BC) inside.
//!
//! ```text
//! 4714-11-24 BC     -2451545     the first day: day 0 of the Julian count
//! 2000-01-01               0
//! 5874897-12-31   2145031948     the last day
//! ```
//!
//! Moments end earlier, in the year 294276, because microseconds fill 64 bits. `jiff` has years
//! from -9999 to 9999 and knows the time zones in them; this file has PostgreSQL's years.

use crate::DAY_US;

/// The first day.
pub const DAY_MIN: i64 = -2_451_545;
/// The day after the last one.
pub const DAY_END: i64 = 2_145_031_949;
/// The day after the last one of moments.
const MOMENT_DAY_END: i64 = 106_751_983;

/// Days of 400 years.
const ERA: i64 = 146_097;
/// Days from the first of March of year 0 to 2000-01-01.
const EPOCH: i64 = 730_425;

/// A day as year, month and day. The year before 1 is 0.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
}

impl Civil {
    /// The day of this number. A year begins in March here, so that the leap day is its last.
    pub fn of(days: i64) -> Civil {
        let days = days + EPOCH;
        let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let is_next = month >= 10;
        Civil {
            year: year + 400 * era + i64::from(is_next),
            month: if is_next { month - 9 } else { month + 3 },
            day,
        }
    }

    /// Its number. The day may be outside of the month.
    pub fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let month = (self.month + 9) % 12;
        let of_year = (153 * month + 2) / 5 + self.day - 1;
        era * ERA + 365 * of_era + of_era / 4 - of_era / 100 + of_year - EPOCH
    }

    /// The first day of a year.
    pub fn first_of(year: i64) -> Civil {
        Civil { year, month: 1, day: 1 }
    }

    /// Days of its month.
    pub fn month_length(self) -> i64 {
        let next = match self.month {
            12 => Civil::first_of(self.year + 1),
            month => Civil { month: month + 1, day: 1, ..self },
        };
        next.days() - Civil { day: 1, ..self }.days()
    }
}

/// The day of the week; Monday is 0.
pub fn weekday(days: i64) -> i64 {
    // 2000-01-01 was a Saturday.
    (days + 5).rem_euclid(7)
}

/// The first day of the first week of a year: the week of the fourth of January.
pub fn first_week(year: i64) -> i64 {
    let fourth = Civil { year, month: 1, day: 4 }.days();
    fourth - weekday(fourth)
}

/// The year to which the week of a day belongs.
pub fn week_year(days: i64) -> i64 {
    let thursday = days - weekday(days) + 3;
    Civil::of(thursday).year
}

/// The number of a day, if the calendar has it.
pub fn checked_days(days: i64) -> Option<i32> {
    (DAY_MIN..DAY_END).contains(&days).then_some(days as i32)
}

/// The number of a moment, if there is one.
pub fn checked_moment(us: i128) -> Option<i64> {
    let (first, end) = (i128::from(DAY_MIN), i128::from(MOMENT_DAY_END));
    let day = i128::from(DAY_US);
    (first * day..end * day).contains(&us).then_some(us as i64)
}

/// So many days later; `None` if the calendar ends before. Infinity stays.
pub fn add_days(days: i32, more: i64) -> Option<i32> {
    match days {
        i32::MIN | i32::MAX => Some(days),
        days => checked_days(i64::from(days).checked_add(more)?),
    }
}

/// The day of a moment.
pub fn date_of_timestamp(us: i64) -> i32 {
    match us {
        i64::MAX => i32::MAX,
        i64::MIN => i32::MIN,
        us => us.div_euclid(DAY_US) as i32,
    }
}

/// The beginning of a day; `None` if moments end before.
pub fn timestamp_of_date(days: i32) -> Option<i64> {
    match days {
        i32::MAX => Some(i64::MAX),
        i32::MIN => Some(i64::MIN),
        days => checked_moment(i128::from(days) * i128::from(DAY_US)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_come_back() {
        for (days, year, month, day) in [
            (DAY_MIN, -4713, 11, 24),
            (-730_119, 1, 1, 1),
            (-730_120, 0, 12, 31),
            (-10_957, 1970, 1, 1),
            (59, 2000, 2, 29),
            (DAY_END - 1, 5_874_897, 12, 31),
        ] {
            let civil = Civil { year, month, day };
            assert_eq!((Civil::of(days), civil.days()), (civil, days));
        }
        for days in (-800_000..800_000).step_by(61) {
            assert_eq!(Civil::of(days).days(), days);
        }
    }

    #[test]
    fn weeks_belong_to_the_year_of_their_thursday() {
        let new_year = Civil { year: 2021, month: 1, day: 1 }.days();
        assert_eq!(weekday(new_year), 4);
        assert_eq!(week_year(new_year), 2020);
        assert_eq!(first_week(2021), new_year + 3);
        assert_eq!(Civil { year: 2023, month: 2, day: 1 }.month_length(), 28);
    }
}
