//! Time zones: offsets, abbreviations and names.
//!
//! ```text
//! +05:30, -0800, +2     an offset from UTC
//! CET, PDT, Z           abbreviations, each with one offset
//! Europe/Helsinki       a name of the time zone database of the machine
//! ```
//!
//! PostgreSQL has a database of its own, and its abbreviations are those of `timezonesets/Default`;
//! some of them (`MSK`, `VET`) meant several offsets in the course of time and are refused here.

use crate::calendar::Civil;
use crate::parse::Error;
use crate::{DAY_US, SECOND_US};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const MINUTE_US: i64 = 60 * SECOND_US;
/// From 1970, where `jiff` begins to count, to 2000.
const UNIX_US: i64 = 946_684_800 * SECOND_US;

/// Abbreviations and their minutes east of UTC.
const ABBREVIATIONS: [(&str, i64); 60] = [
    ("acdt", 630),
    ("acst", 570),
    ("adt", -180),
    ("aedt", 660),
    ("aest", 600),
    ("akdt", -480),
    ("akst", -540),
    ("ast", -240),
    ("awst", 480),
    ("brst", -120),
    ("brt", -180),
    ("bst", 60),
    ("cdt", -300),
    ("cest", 120),
    ("cet", 60),
    ("cetdst", 120),
    ("cot", -300),
    ("cst", -360),
    ("eat", 180),
    ("edt", -240),
    ("eest", 180),
    ("eet", 120),
    ("eetdst", 180),
    ("est", -300),
    ("gmt", 0),
    ("hkt", 480),
    ("hst", -600),
    ("ict", 420),
    ("idt", 180),
    ("irt", 210),
    ("ist", 120),
    ("jst", 540),
    ("kst", 540),
    ("mdt", -360),
    ("mest", 120),
    ("mesz", 120),
    ("met", 60),
    ("metdst", 120),
    ("mez", 60),
    ("msd", 240),
    ("mst", -420),
    ("mut", 240),
    ("myt", 480),
    ("ndt", -150),
    ("npt", 345),
    ("nst", -210),
    ("nzdt", 780),
    ("nzst", 720),
    ("pdt", -420),
    ("pet", -300),
    ("pht", 480),
    ("pkt", 300),
    ("pst", -480),
    ("sast", 120),
    ("uct", 0),
    ("ut", 0),
    ("utc", 0),
    ("wet", 0),
    ("z", 0),
    ("zulu", 0),
];

/// A time zone of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Zone {
    /// Microseconds east of UTC.
    Offset(i64),
    /// A name, whose offset depends on the day.
    Named(TimeZone),
}

/// The abbreviation in lower case, if it is one.
pub fn abbreviation(word: &str) -> Option<Zone> {
    let found = ABBREVIATIONS.iter().find(|it| it.0 == word);
    found.map(|it| Zone::Offset(it.1 * MINUTE_US))
}

/// Other abbreviations of PostgreSQL; the offsets of many depend on the year.
const OTHERS: &str = " acsst act acwst aesst aft almst almt amst amt anast anat arst art \
    awsst azost azot azst azt bdst bdt bnt bort bot bra btt cadt cast cct \
    chadt chast chut ckt clst clt cxt davt ddut easst east egst egt fet \
    fjst fjt fkst fkt fnst fnt galt gamt gest get gft gilt gyt iot irkst \
    irkt jayt kdt kgst kgt kost krast krat lhdt lhst ligt lint lkt magst \
    magt mart mawt mht mmt mpt msk must mvt nft novst novt nut nzt omsst \
    omst petst pett pgt pkst pmdt pmst pont pwt pyst pyt ret sadt sct sgt \
    taht tft tjt tkt tmt tot trut tvt ulast ulat uyst uyt uzst uzt vet \
    vlast vlat volt vut wadt wakt wast wat wdt wetdst wft wgst wgt xjt \
    yakst yakt yapt yekst yekt ";

/// The zone of this name, in any case: one of the database, or letters and an offset as POSIX has
/// them, where plus is west: `GMT-4` is four hours east.
///
/// # Errors
/// If there is none.
pub fn named(name: &str) -> Result<Zone, Error> {
    if let Ok(zone) = jiff::tz::db().get(name) {
        return Ok(Zone::Named(zone));
    }
    if OTHERS.contains(&format!(" {} ", name.to_lowercase())) {
        return Err(Error::OtherZone(name.to_owned()));
    }
    let letters = name.find(|it: char| !it.is_ascii_alphabetic()).unwrap_or(name.len());
    if letters >= 3 && name[letters..].starts_with(['+', '-']) {
        return Ok(offset(&name[letters..])?.mirrored());
    }
    Err(Error::UnknownZone(name.to_owned()))
}

/// `+hh`, `+hhmm`, `+hh:mm` or `+hh:mm:ss`.
///
/// # Errors
/// If it is none, or more than 15 hours and 59 minutes.
pub fn offset(text: &str) -> Result<Zone, Error> {
    let digits = text.get(1..).unwrap_or_default();
    let parts: Vec<i64> = digits
        .split(':')
        .enumerate()
        .map(|(index, part)| match part {
            // `+1:` is `+1:00`.
            "" if index > 0 => Some(0),
            part => part.parse().ok().filter(|_| part.bytes().all(|it| it.is_ascii_digit())),
        })
        .collect::<Option<_>>()
        .ok_or(Error::Malformed)?;
    let (hours, minutes, seconds) = match parts[..] {
        [packed] if digits.len() > 2 => (packed / 100, packed % 100, 0),
        [hours] => (hours, 0, 0),
        [hours, minutes] => (hours, minutes, 0),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return Err(Error::Malformed),
    };
    if hours > 15 || minutes > 59 || seconds > 59 {
        return Err(Error::Displacement);
    }
    let us = ((hours * 60 + minutes) * 60 + seconds) * SECOND_US;
    Ok(Zone::Offset(if text.starts_with('-') { -us } else { us }))
}

impl Zone {
    /// As far on the other side of UTC.
    fn mirrored(self) -> Zone {
        match self {
            Zone::Offset(us) => Zone::Offset(-us),
            named => named,
        }
    }

    /// The moment of a day and a time in this zone, in microseconds after 2000 in UTC. A time that
    /// a clock skips is that of the offset before; of a time that it shows twice, the second one is
    /// meant.
    ///
    /// # Errors
    /// If the year is beyond those of the time zone database.
    pub fn moment(&self, local: i64) -> Result<i64, Error> {
        let zone = match self {
            Zone::Offset(us) => return Ok(local - us),
            Zone::Named(zone) => zone,
        };
        let ambiguous = zone.to_ambiguous_timestamp(civil(local)?);
        let offset = match ambiguous.offset() {
            jiff::tz::AmbiguousOffset::Unambiguous { offset } => offset,
            jiff::tz::AmbiguousOffset::Gap { before, .. } => before,
            jiff::tz::AmbiguousOffset::Fold { after, .. } => after,
        };
        Ok(local - i64::from(offset.seconds()) * SECOND_US)
    }

    /// What a clock in this zone shows at a moment.
    fn local(&self, us: i64) -> Result<i64, Error> {
        match self {
            Zone::Offset(offset) => Ok(us + offset),
            Zone::Named(zone) => {
                let unix = us.checked_add(UNIX_US).ok_or(Error::FarYear)?;
                let moment = Timestamp::from_microsecond(unix).map_err(|_| Error::FarYear)?;
                let offset = zone.to_offset(moment);
                Ok(us + i64::from(offset.seconds()) * SECOND_US)
            }
        }
    }
}

/// The zone of this name or abbreviation, or the offset.
fn zone_of(name: &str) -> Result<Zone, Error> {
    let lower = name.trim().to_lowercase();
    if lower.starts_with(['+', '-']) {
        // In a name, as in POSIX, plus is west.
        return Ok(offset(&lower)?.mirrored());
    }
    match abbreviation(&lower) {
        Some(zone) => Ok(zone),
        None => named(&lower).map_err(|error| match error {
            Error::UnknownZone(_) => Error::UnknownZone(name.to_owned()),
            error => error,
        }),
    }
}

/// `timestamp AT TIME ZONE name`: the moment at which a clock there shows this.
///
/// # Errors
/// If there is no such zone.
pub fn moment_of(local: i64, name: &str) -> Result<i64, Error> {
    let zone = zone_of(name)?;
    if local == i64::MAX || local == i64::MIN { Ok(local) } else { zone.moment(local) }
}

/// `timestamptz AT TIME ZONE name`: what a clock there shows at a moment.
///
/// # Errors
/// If there is no such zone.
pub fn local_of(us: i64, name: &str) -> Result<i64, Error> {
    let zone = zone_of(name)?;
    if us == i64::MAX || us == i64::MIN { Ok(us) } else { zone.local(us) }
}

fn civil(us: i64) -> Result<DateTime, Error> {
    let Civil { year, month, day } = Civil::of(us.div_euclid(DAY_US));
    let time = us.rem_euclid(DAY_US);
    let (seconds, fraction) = (time / SECOND_US, time % SECOND_US);
    let year = i16::try_from(year).map_err(|_| Error::FarYear)?;
    let clock = [seconds / 3_600, seconds / 60 % 60, seconds % 60].map(|it| it as i8);
    let [hour, minute, second] = clock;
    DateTime::new(year, month as i8, day as i8, hour, minute, second, fraction as i32 * 1_000)
        .map_err(|_| Error::FarYear)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_several_forms() {
        for (text, minutes) in
            [("+5", 300), ("-0530", -330), ("+05:30", 330), ("+1559", 959), ("+1:", 60)]
        {
            assert_eq!(offset(text), Ok(Zone::Offset(minutes * MINUTE_US)), "{text}");
        }
        assert_eq!(offset("+16"), Err(Error::Displacement));
        assert_eq!(offset("+5x"), Err(Error::Malformed));
        assert!(ABBREVIATIONS.is_sorted());
    }

    #[test]
    fn a_clock_elsewhere_shows_another_time() {
        assert_eq!(local_of(0, "PST"), Ok(-8 * 60 * MINUTE_US));
        assert_eq!(moment_of(0, "GMT-4"), Ok(-4 * 60 * MINUTE_US));
        assert_eq!(moment_of(0, "MSK"), Err(Error::OtherZone("msk".into())));
        assert_eq!(moment_of(0, "CET"), Ok(-60 * MINUTE_US));
        assert_eq!(moment_of(0, "nowhere"), Err(Error::UnknownZone("nowhere".into())));
    }
}
