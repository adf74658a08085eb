//! What the fields of a text mean: days and moments.
//!
//! ```text
//! 1999-01-08, 19990108, Jan-08-1999, 1/8/1999, 1999.008    one day
//! 99-01-08                                                 none: 99 is no month
//! 08-01-99 BC                                              August of the year 99 BC
//! ```
//!
//! A year has three digits or more, or comes last; with two digits it is one from 1970 to 2069.
//! PostgreSQL's `DecodeDateTime`.

use crate::calendar::{Civil, checked_days, checked_moment, timestamp_of_date};
use crate::fields::{Field, fields};
use crate::zone::{self, Zone};
use crate::{DAY_US, SECOND_US};

/// Why a text is no day or moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It has another form.
    Malformed,
    /// A field is out of its range.
    FieldOverflow,
    /// The month or the day is; in another order they might not be.
    OrderOverflow,
    /// The offset of a time zone is too large.
    Displacement,
    /// There is no time zone of this name.
    UnknownZone(String),
    /// The calendar does not have it.
    OutOfRange,
    /// The time zone database does not have the year.
    FarYear,
    /// It depends on the clock: `now`, `today`.
    Clock(String),
}

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Meaning {
    Month(i64),
    /// A day of the week, `at`, `on`: nothing.
    Nothing,
    IsBc(bool),
    IsPm(bool),
    /// It says what the number after it is.
    Unit(Unit),
    Infinity(bool),
    Epoch,
    Clock,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unit {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Julian,
    /// A time, digits only.
    Time,
}

/// What this word means, in lower case, if it is none of a time zone.
pub fn word_meaning(word: &str) -> Option<Meaning> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    const DAYS: &str = " sun sunday mon monday tue tues tuesday wed weds wednesday thu thur thurs \
                        thursday fri friday sat saturday at on ";

    let is_month = |name: &&str| *name == word || &name[..3] == word;
    if let Some(index) = MONTHS.iter().position(is_month) {
        return Some(Meaning::Month(index as i64 + 1));
    }
    if DAYS.contains(&format!(" {word} ")) {
        return Some(Meaning::Nothing);
    }
    Some(match word {
        "sept" => Meaning::Month(9),
        "ad" => Meaning::IsBc(false),
        "bc" => Meaning::IsBc(true),
        "am" => Meaning::IsPm(false),
        "pm" => Meaning::IsPm(true),
        "y" => Meaning::Unit(Unit::Year),
        "m" => Meaning::Unit(Unit::Month),
        "d" => Meaning::Unit(Unit::Day),
        "h" => Meaning::Unit(Unit::Hour),
        "mm" => Meaning::Unit(Unit::Minute),
        "s" => Meaning::Unit(Unit::Second),
        "j" | "jd" | "julian" => Meaning::Unit(Unit::Julian),
        "t" => Meaning::Unit(Unit::Time),
        "infinity" => Meaning::Infinity(true),
        "-infinity" => Meaning::Infinity(false),
        "epoch" => Meaning::Epoch,
        "now" | "today" | "tomorrow" | "yesterday" | "allballs" => Meaning::Clock,
        _ => return None,
    })
}

/// Reads a day. A time and a zone are read, and mean nothing.
///
/// # Errors
/// If it is none.
pub fn parse_date(text: &str) -> Result<i32, Error> {
    match read(text)? {
        Read::Infinity(is_late) => Ok(if is_late { i32::MAX } else { i32::MIN }),
        Read::Epoch => Ok(Civil::first_of(1970).days() as i32),
        Read::Moment { days, .. } => checked_days(days).ok_or(Error::OutOfRange),
    }
}

/// Reads a moment. Without `with_zone` a zone means nothing.
///
/// # Errors
/// If it is none.
pub fn parse_timestamp(text: &str, with_zone: bool) -> Result<i64, Error> {
    match read(text)? {
        Read::Infinity(is_late) => Ok(if is_late { i64::MAX } else { i64::MIN }),
        Read::Epoch => Ok(Civil::first_of(1970).days() * DAY_US),
        Read::Moment { days, time_us, zone } => {
            let local = i128::from(days) * i128::from(DAY_US) + i128::from(time_us);
            let us = match zone {
                Some(Zone::Offset(offset)) if with_zone => local - i128::from(offset),
                Some(zone) if with_zone => {
                    let local = i64::try_from(local).map_err(|_| Error::OutOfRange)?;
                    zone.moment(local)?.into()
                }
                _ => local,
            };
            checked_moment(us).ok_or(Error::OutOfRange)
        }
    }
}

/// The moment of a day and a time. A negative year is one before 1.
///
/// # Errors
/// If there is no such day or time.
pub fn moment(date: [i64; 3], hour: i64, minute: i64, seconds: f64) -> Result<i64, Error> {
    let [year, month, day] = date;
    let mut parts = Parts { is_bc: year < 0, ..Parts::default() };
    (parts.year, parts.month, parts.day) = (Some(year.abs()), Some(month), Some(day));
    let days = checked_days(parts.days()?).ok_or(Error::OutOfRange)?;
    if !(0..=24).contains(&hour) || !(0..60).contains(&minute) || !(0.0..=60.0).contains(&seconds) {
        return Err(Error::FieldOverflow);
    }
    let seconds_us = (seconds * SECOND_US as f64).round_ties_even() as i64;
    let time_us = (hour * 60 + minute) * 60 * SECOND_US + seconds_us;
    if time_us > DAY_US {
        return Err(Error::FieldOverflow);
    }
    let start = timestamp_of_date(days).ok_or(Error::OutOfRange)?;
    checked_moment(i128::from(start) + i128::from(time_us)).ok_or(Error::OutOfRange)
}

enum Read {
    Infinity(bool),
    Epoch,
    Moment { days: i64, time_us: i64, zone: Option<Zone> },
}

fn read(text: &str) -> Result<Read, Error> {
    let mut parts = Parts::default();
    for field in fields(text)? {
        match field {
            Field::Number(text) => parts.number_field(&text)?,
            Field::Date(text) => parts.date_field(&text)?,
            Field::Time(text) => {
                if parts.unit.take().is_some_and(|it| it != Unit::Time) {
                    return Err(Error::Malformed);
                }
                set(&mut parts.time_us, clock(&text)?)?;
            }
            Field::Offset(text) => set(&mut parts.zone, zone::offset(&text)?)?,
            Field::Word(word) => match (zone::abbreviation(&word), word_meaning(&word)) {
                (Some(zone), _) => set(&mut parts.zone, zone)?,
                (None, Some(Meaning::Infinity(is_late))) => return Ok(Read::Infinity(is_late)),
                (None, Some(Meaning::Epoch)) => return Ok(Read::Epoch),
                (None, Some(Meaning::Clock)) => return Err(Error::Clock(word)),
                (None, Some(meaning)) => parts.word(meaning)?,
                (None, None) => {
                    let zone = zone::named(&word).map_err(|error| match error {
                        Error::UnknownZone(_) => Error::Malformed,
                        error => error,
                    })?;
                    set(&mut parts.zone, zone)?;
                }
            },
        }
    }
    if parts.unit.is_some() {
        return Err(Error::Malformed);
    }
    let days = parts.days()?;
    let time_us = parts.time()?;
    Ok(Read::Moment { days, time_us, zone: parts.zone })
}

/// What is known so far.
#[derive(Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    /// The day by the Julian count.
    julian: Option<i64>,
    time_us: Option<i64>,
    zone: Option<Zone>,
    is_bc: bool,
    is_pm: Option<bool>,
    has_short_year: bool,
    has_month_word: bool,
    /// What the next number is.
    unit: Option<Unit>,
    /// Of a time that is told by units: hours, minutes, seconds.
    clock: [Option<i64>; 3],
}

/// Sets what is not known yet.
fn set<T>(part: &mut Option<T>, value: T) -> Result<(), Error> {
    match part.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::Malformed),
    }
}

fn whole(digits: &str) -> Result<i64, Error> {
    match digits.parse::<i32>() {
        Ok(number) => Ok(number.into()),
        Err(_) if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) => {
            Err(Error::Malformed)
        }
        Err(_) => Err(Error::FieldOverflow),
    }
}

/// A fraction of a second, rounded as a float is.
fn fraction_us(digits: &str) -> Result<i64, Error> {
    if !digits.bytes().all(|it| it.is_ascii_digit()) {
        return Err(Error::Malformed);
    }
    let fraction: f64 = format!("0.{digits}0").parse().map_err(|_| Error::Malformed)?;
    Ok((fraction * SECOND_US as f64).round_ties_even() as i64)
}

/// `hh:mm`, `hh:mm:ss.f` or `mm:ss.f` in microseconds.
fn clock(text: &str) -> Result<i64, Error> {
    let (whole_part, fraction) = text.split_once('.').unwrap_or((text, ""));
    let parts: Vec<i64> = whole_part.split(':').map(whole).collect::<Result<_, _>>()?;
    let (hour, minute, second) = match parts[..] {
        [minute, second] if text.contains('.') => (0, minute, second),
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return Err(Error::Malformed),
    };
    time_of(hour, minute, second, fraction_us(fraction)?)
}

fn time_of(hour: i64, minute: i64, second: i64, us: i64) -> Result<i64, Error> {
    let time_us = ((hour * 60 + minute) * 60 + second) * SECOND_US + us;
    match hour > 24 || minute > 59 || second > 60 || time_us > DAY_US {
        true => Err(Error::FieldOverflow),
        false => Ok(time_us),
    }
}

impl Parts {
    fn has_date(&self) -> bool {
        self.year.is_some() && self.month.is_some() && self.day.is_some()
            || self.day_of_year.is_some()
            || self.julian.is_some()
    }

    fn is_without_date(&self) -> bool {
        !self.has_date() && self.year.is_none() && self.month.is_none() && self.day.is_none()
    }

    fn word(&mut self, meaning: Meaning) -> Result<(), Error> {
        match meaning {
            Meaning::Month(month) => {
                // What was taken for the month was the day: 8 January.
                let is_day = self.month.is_some_and(|it| (1..=31).contains(&it));
                if is_day && !self.has_month_word && self.day.is_none() {
                    self.day = self.month.take();
                }
                self.has_month_word = true;
                set(&mut self.month, month)?;
            }
            Meaning::IsBc(is_bc) => self.is_bc = is_bc,
            Meaning::IsPm(is_pm) => self.is_pm = Some(is_pm),
            Meaning::Unit(Unit::Time) if !self.has_date() => return Err(Error::Malformed),
            Meaning::Unit(unit) => self.unit = Some(unit),
            Meaning::Nothing | Meaning::Infinity(_) | Meaning::Epoch | Meaning::Clock => {}
        }
        Ok(())
    }

    fn number_field(&mut self, text: &str) -> Result<(), Error> {
        if let Some(unit) = self.unit.take() {
            return self.of_unit(unit, text);
        }
        match text.find('.') {
            Some(_) if self.is_without_date() => self.date_field(text),
            Some(at) if at > 2 => self.digits(text, false),
            None if text.len() >= 6 && (self.is_without_date() || self.time_us.is_none()) => {
                self.digits(text, self.has_date())
            }
            _ => self.number(text),
        }
    }

    /// A number after a word that says what it is.
    fn of_unit(&mut self, unit: Unit, text: &str) -> Result<(), Error> {
        let (digits, fraction) = match text.split_once('.') {
            Some((digits, fraction)) => (digits, Some(fraction)),
            None => (text, None),
        };
        if unit == Unit::Time {
            return self.digits(text, true);
        }
        let number = whole(digits)?;
        if fraction.is_some() && !matches!(unit, Unit::Julian | Unit::Second) {
            return Err(Error::Malformed);
        }
        match unit {
            Unit::Year => set(&mut self.year, number),
            Unit::Month if self.month.is_some() && self.clock[0].is_some() => {
                set(&mut self.clock[1], number)
            }
            Unit::Month => set(&mut self.month, number),
            Unit::Day => set(&mut self.day, number),
            Unit::Hour => set(&mut self.clock[0], number),
            Unit::Minute => set(&mut self.clock[1], number),
            Unit::Second => {
                let us = fraction_us(fraction.unwrap_or_default())?;
                set(&mut self.clock[2], number * SECOND_US + us)
            }
            _ => {
                if let Some(digits) = fraction {
                    let part: f64 = format!("0.{digits}0").parse().map_err(|_| Error::Malformed)?;
                    set(&mut self.time_us, (part * DAY_US as f64) as i64)?;
                }
                set(&mut self.julian, number)
            }
        }
    }

    /// Parts of a date with punctuation between them, or what comes after a date: a zone.
    fn date_field(&mut self, text: &str) -> Result<(), Error> {
        let is_time = self.unit == Some(Unit::Time);
        if is_time || self.month.is_some() && self.day.is_some() || self.julian.is_some() {
            self.unit = None;
            if !is_time && !text.starts_with(|it: char| it.is_ascii_digit()) {
                return set(&mut self.zone, zone::named(text)?);
            }
            // `hhmmss-zz`
            let (time, _) = text.split_once('-').ok_or(Error::Malformed)?;
            self.digits(time, true)?;
            return set(&mut self.zone, zone::offset(&text[time.len()..])?);
        }
        if self.unit.is_some() {
            return Err(Error::Malformed);
        }

        let is_letters = |it: &&str| it.starts_with(|it: char| it.is_ascii_alphabetic());
        let runs = text.split(|it: char| !it.is_ascii_alphanumeric());
        let runs: Vec<&str> = runs.flat_map(split_runs).collect();
        if text.ends_with(|it: char| !it.is_ascii_alphanumeric()) || runs.contains(&"") {
            return Err(Error::Malformed);
        }
        // The words first: a month that is a word decides what the numbers are.
        for word in runs.iter().filter(|it| is_letters(it)) {
            match word_meaning(word) {
                Some(Meaning::Month(month)) => {
                    self.has_month_word = true;
                    set(&mut self.month, month)?;
                }
                Some(Meaning::Nothing) if ["at", "on"].contains(word) => {}
                _ => return Err(Error::Malformed),
            }
        }
        for digits in runs.iter().filter(|it| !is_letters(it)) {
            self.number(digits)?;
        }
        if self.has_date() { Ok(()) } else { Err(Error::Malformed) }
    }

    /// A number alone: what is not known yet decides what it is.
    fn number(&mut self, text: &str) -> Result<(), Error> {
        let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
        if text.contains('.') {
            return if digits.len() > 2 { self.digits(text, true) } else { Err(Error::Malformed) };
        }
        debug_assert!(fraction.is_empty());
        let number = whole(digits)?;
        let length = digits.len();
        let is_short = length <= 2;
        let (year, month, day) = (self.year.is_some(), self.month.is_some(), self.day.is_some());
        if length == 3 && year && !month && !day && (1..=366).contains(&number) {
            return set(&mut self.day_of_year, number);
        }
        match (year, month, day) {
            (false, false, false) if is_short => set(&mut self.month, number),
            (false, true, false) if is_short || !self.has_month_word => set(&mut self.day, number),
            (false, _, false) | (false, true, true) => {
                self.has_short_year = is_short;
                set(&mut self.year, number)
            }
            (true, false, _) | (false, false, true) => set(&mut self.month, number),
            (true, true, false) if self.has_month_word && length >= 3 && self.has_short_year => {
                // The first number was the day: 08 Jan 1999.
                self.has_short_year = false;
                set(&mut self.day, self.year.take().unwrap_or_default())?;
                set(&mut self.year, number)
            }
            (true, true, false) => set(&mut self.day, number),
            (true, true, true) => self.digits(text, true),
        }
    }

    /// Digits that run together: `yymmdd` and `yyyymmdd`, after a date `hhmmss` and `hhmm`.
    fn digits(&mut self, text: &str, is_time: bool) -> Result<(), Error> {
        let (digits, fraction) = match text.split_once('.') {
            Some((digits, fraction)) => (digits, Some(fraction)),
            None => (text, None),
        };
        let length = digits.len();
        if fraction.is_none() && !is_time && !self.has_date() && length >= 6 {
            let (year, rest) = digits.split_at(length - 4);
            self.has_short_year = year.len() == 2;
            set(&mut self.year, whole(year)?)?;
            set(&mut self.month, whole(&rest[..2])?)?;
            return set(&mut self.day, whole(&rest[2..])?);
        }
        let us = fraction_us(fraction.unwrap_or_default())?;
        let two = |at: usize| whole(&digits[at..at + 2]);
        let time_us = match length {
            6 => time_of(two(0)?, two(2)?, two(4)?, us)?,
            4 => time_of(two(0)?, two(2)?, 0, us)?,
            _ => return Err(Error::Malformed),
        };
        set(&mut self.time_us, time_us)
    }

    /// The day, once all is known.
    fn days(&self) -> Result<i64, Error> {
        if let Some(julian) = self.julian {
            return Ok(julian + crate::calendar::DAY_MIN);
        }
        let year = self.year.map(|year| match () {
            () if self.is_bc && year > 0 => Ok(1 - year),
            () if self.is_bc => Err(Error::FieldOverflow),
            () if self.has_short_year && year < 70 => Ok(year + 2_000),
            () if self.has_short_year => Ok(year + 1_900),
            () if year <= 0 => Err(Error::FieldOverflow),
            () => Ok(year),
        });
        let year = year.transpose()?;
        if let (Some(year), Some(day)) = (year, self.day_of_year) {
            return Ok(Civil::first_of(year).days() + day - 1);
        }
        let is_bad = |part: Option<i64>, max| part.is_some_and(|it| !(1..=max).contains(&it));
        if is_bad(self.month, 12) || is_bad(self.day, 31) {
            return Err(Error::OrderOverflow);
        }
        let (Some(year), Some(month), Some(day)) = (year, self.month, self.day) else {
            return Err(Error::Malformed);
        };
        let civil = Civil { year, month, day };
        if day > civil.month_length() {
            return Err(Error::FieldOverflow);
        }
        Ok(civil.days())
    }

    /// Microseconds of the day.
    fn time(&self) -> Result<i64, Error> {
        let [hour, minute, second_us] = self.clock.map(Option::unwrap_or_default);
        let of_units = (hour * 60 + minute) * 60 * SECOND_US + second_us;
        let time_us = self.time_us.unwrap_or(of_units);
        let noon = DAY_US / 2;
        let hour_us = 3_600 * SECOND_US;
        match self.is_pm {
            Some(_) if time_us >= noon + hour_us => Err(Error::FieldOverflow),
            Some(true) if time_us < noon => Ok(time_us + noon),
            Some(false) if time_us >= noon => Ok(time_us - noon),
            _ => Ok(time_us),
        }
    }
}

/// Runs of letters and of digits.
fn split_runs(text: &str) -> Vec<&str> {
    match text.find(|it: char| it.is_ascii_alphabetic()) {
        Some(at) if at > 0 => vec![&text[..at], &text[at..]],
        _ => vec![text],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_day_has_many_forms() {
        // The forms of PostgreSQL's documentation of date input.
        let day = parse_date("1999-01-08").expect("valid");
        for text in [
            "January 8, 1999",
            "1999-Jan-08",
            "Jan-08-1999",
            "08-Jan-1999",
            "08-Jan-99",
            "Jan-08-99",
            "1/8/1999",
            "01/08/99",
            "19990108",
            "990108",
            "1999.008",
            "J2451187",
            "8 January 1999",
            "y1999m01d08",
            "Friday 08 Jan 1999 12:00 PST",
        ] {
            assert_eq!(parse_date(text), Ok(day), "{text}");
        }
        for (text, error) in [
            ("99-01-08", Error::OrderOverflow),
            ("18/1/1999", Error::OrderOverflow),
            ("99-08-Jan", Error::Malformed),
            ("1997-02-29", Error::FieldOverflow),
            ("0000-01-01", Error::FieldOverflow),
            ("4714-11-23 BC", Error::OutOfRange),
            ("today", Error::Clock("today".into())),
            ("99 Jan 08", Error::Malformed),
            ("2000-1", Error::Malformed),
            ("x", Error::Malformed),
        ] {
            assert_eq!(parse_date(text), Err(error), "{text}");
        }
        assert_eq!(parse_date("4714-11-24 BC"), Ok(crate::calendar::DAY_MIN as i32));
        assert_eq!(parse_date("-infinity"), Ok(i32::MIN));
    }

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
            ("20000101T000001-00", 1_000_000),
            ("Fri Dec 31 4:00 PM 1999 PST", 0),
        ] {
            assert_eq!(parse_timestamp(text, true), Ok(us), "{text}");
        }
        for (text, error) in [
            ("2000-01-01 25:00", Error::FieldOverflow),
            ("2000-13-01", Error::OrderOverflow),
            ("2000-01-01 1", Error::Malformed),
            ("2000-01-01 1:00 2:00", Error::Malformed),
            ("2000-01-01 13:00 PM", Error::FieldOverflow),
            ("2000-01-01 1:00 No/Where", Error::UnknownZone("no/where".into())),
            ("2000-01-01 1:00 +16", Error::Displacement),
        ] {
            assert_eq!(parse_timestamp(text, true), Err(error), "{text}");
        }
    }

    #[test]
    fn moments_are_made_of_numbers() {
        assert_eq!(moment([2000, 1, 1], 0, 0, 1.5), Ok(1_500_000));
        assert_eq!(moment([0, 1, 1], 0, 0, 0.0), Err(Error::FieldOverflow));
        assert_eq!(moment([2000, 2, 30], 0, 0, 0.0), Err(Error::FieldOverflow));
    }
}
