//! Time zones: offsets, abbreviations and names.
//!
//! ```text
//! +05:30, -0800, +2     an offset from UTC
//! CET, PDT, Z           abbreviations
//! Europe/Helsinki       a name of the time zone database of the machine
//! ```
//!
//! PostgreSQL can have a database of its own. The abbreviations are those of its file
//! `timezonesets/Default`; some of them (`MSK`, `VET`) depend on the year.

use crate::calendar::Civil;
use crate::parse::Error;
use crate::{DAY_US, SECOND_US};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

const MINUTE_US: i64 = 60 * SECOND_US;
/// How many changes of a zone are looked at for an abbreviation that it may have later: those of a
/// century.
const CHANGES_MAX: usize = 200;
/// From 1970, where `jiff` begins to count, to 2000.
const UNIX_US: i64 = 946_684_800 * SECOND_US;

/// Abbreviations and their minutes east of UTC.
const FIXED: &str = " \
    acdt=630 acsst=630 acst=570 act=-300 acwst=525 adt=-180 aedt=660 aesst=660 aest=600 aft=270 \
    akdt=-480 akst=-540 almst=420 almt=360 amt=-240 ast=-240 awsst=540 awst=480 azost=0 azot=-60 \
    bdst=120 bdt=360 bnt=480 bort=480 bot=-240 bra=-180 brst=-120 brt=-180 bst=60 btt=360 \
    cadt=630 cast=570 cct=480 cdt=-300 cest=120 cet=60 cetdst=120 chadt=825 chast=765 chut=600 \
    clst=-180 cot=-300 cst=-360 cxt=420 ddut=600 eat=180 edt=-240 eest=180 eet=120 eetdst=180 \
    egst=0 egt=-60 est=-300 fet=180 fjst=780 fjt=720 fnst=-60 fnt=-120 galt=-360 gamt=-540 \
    gft=-180 gilt=720 gmt=0 hkt=480 hst=-600 ict=420 idt=180 irt=210 ist=120 jayt=540 jst=540 \
    kdt=600 kgst=360 kst=540 lhst=630 ligt=600 mart=-570 mdt=-360 mest=120 mesz=120 met=60 \
    metdst=120 mez=60 mht=720 mmt=390 mpt=600 msd=240 mst=-420 must=300 mut=240 mvt=300 myt=480 \
    ndt=-150 nft=-210 npt=345 nst=-210 nzdt=780 nzst=720 nzt=720 pdt=-420 pet=-300 pgt=600 \
    pht=480 pkst=360 pkt=300 pmdt=-120 pmst=-180 pont=660 pst=-480 pwt=540 pyst=-180 ret=240 \
    sadt=630 sast=120 sct=240 taht=-600 tft=300 tjt=300 tot=780 trut=600 tvt=720 uct=0 ulast=540 \
    ut=0 utc=0 uyst=-120 uyt=-180 uzst=360 uzt=300 vut=660 wadt=480 wakt=720 wast=420 wat=60 \
    wdt=540 wet=0 wetdst=60 wft=720 wgst=-120 wgt=-180 xjt=360 yapt=600 yekst=360 z=0 zulu=0";

/// Abbreviations that meant several offsets in the course of time, and the zones where they did.
const MOVING: &str = " \
    amst=Asia/Yerevan anast=Asia/Anadyr anat=Asia/Anadyr arst=America/Argentina/Buenos_Aires \
    art=America/Argentina/Buenos_Aires azst=Asia/Baku azt=Asia/Baku ckt=Pacific/Rarotonga \
    clt=America/Santiago davt=Antarctica/Davis easst=Pacific/Easter east=Pacific/Easter \
    fkst=Atlantic/Stanley fkt=Atlantic/Stanley gest=Asia/Tbilisi get=Asia/Tbilisi \
    gyt=America/Guyana iot=Indian/Chagos irkst=Asia/Irkutsk irkt=Asia/Irkutsk kgt=Asia/Bishkek \
    kost=Pacific/Kosrae krast=Asia/Krasnoyarsk krat=Asia/Krasnoyarsk lhdt=Australia/Lord_Howe \
    lint=Pacific/Kiritimati lkt=Asia/Colombo magst=Asia/Magadan magt=Asia/Magadan \
    mawt=Antarctica/Mawson msk=Europe/Moscow novst=Asia/Novosibirsk novt=Asia/Novosibirsk \
    nut=Pacific/Niue omsst=Asia/Omsk omst=Asia/Omsk petst=Asia/Kamchatka pett=Asia/Kamchatka \
    pyt=America/Asuncion sgt=Asia/Singapore tkt=Pacific/Fakaofo tmt=Asia/Ashgabat \
    ulat=Asia/Ulaanbaatar vet=America/Caracas vlast=Asia/Vladivostok vlat=Asia/Vladivostok \
    volt=Europe/Volgograd yakst=Asia/Yakutsk yakt=Asia/Yakutsk yekt=Asia/Yekaterinburg";

/// A time zone of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Zone {
    /// Microseconds east of UTC.
    Offset(i64),
    /// A name, whose offset depends on the day.
    Named(TimeZone),
    /// An abbreviation in upper case, which is that of an offset that the zone has at times.
    Abbreviation(TimeZone, String),
}

/// The abbreviation in lower case, if it is one.
pub fn abbreviation(word: &str) -> Option<Zone> {
    let meaning = |table: &'static str| {
        table.split(' ').find_map(|it| it.strip_prefix(word)?.strip_prefix('='))
    };
    match meaning(FIXED) {
        Some(minutes) => Some(Zone::Offset(minutes.parse::<i64>().ok()? * MINUTE_US)),
        None => {
            let zone = jiff::tz::db().get(meaning(MOVING)?).ok()?;
            Some(Zone::Abbreviation(zone, word.to_uppercase()))
        }
    }
}

/// The zone of this name, in any case: one of the database, or letters and an offset as POSIX has
/// them, where plus is west: `GMT-4` is four hours east. `EST5EDT` has the rules of the USA.
///
/// # Errors
/// If there is none.
pub fn named(name: &str) -> Result<Zone, Error> {
    if let Ok(zone) = jiff::tz::db().get(name) {
        return Ok(Zone::Named(zone));
    }
    let letters = name.find(|it: char| !it.is_ascii_alphabetic()).unwrap_or(name.len());
    if letters >= 3 && name[letters..].starts_with(['+', '-']) {
        return Ok(offset(&name[letters..])?.mirrored());
    }
    let posix = [name.to_owned(), format!("{name},M3.2.0,M11.1.0")];
    if let Some(zone) = posix.iter().find_map(|it| TimeZone::posix(it).ok()) {
        return Ok(Zone::Named(zone));
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
            Zone::Abbreviation(zone, _) => {
                let about = Zone::Named(zone.clone()).moment(local)?;
                return Ok(local - (self.local(about)? - about));
            }
        };
        let ambiguous = zone.to_ambiguous_timestamp(civil(local)?);
        let offset = match ambiguous.offset() {
            jiff::tz::AmbiguousOffset::Unambiguous { offset } => offset,
            jiff::tz::AmbiguousOffset::Gap { before, .. } => before,
            jiff::tz::AmbiguousOffset::Fold { after, .. } => after,
        };
        Ok(local - i64::from(offset.seconds()) * SECOND_US)
    }

    /// The offset that an abbreviation stands for at a moment: the last one before it, or the first
    /// one after it; `None` if the zone never had it. PostgreSQL's `pg_interpret_timezone_abbrev`.
    fn meaning(&self, zone: &TimeZone, moment: Timestamp) -> Option<Offset> {
        let Zone::Abbreviation(_, name) = self else { return None };
        let now = zone.to_offset_info(moment);
        if now.abbreviation() == name {
            return Some(now.offset());
        }
        // Zones change twice a year, for ever.
        let mut changes = zone.preceding(moment).chain(zone.following(moment).take(CHANGES_MAX));
        changes.find(|it| it.abbreviation() == name).map(|it| it.offset())
    }

    /// What a clock in this zone shows at a moment.
    fn local(&self, us: i64) -> Result<i64, Error> {
        match self {
            Zone::Offset(offset) => Ok(us + offset),
            Zone::Named(zone) | Zone::Abbreviation(zone, _) => {
                let unix = us.checked_add(UNIX_US).ok_or(Error::FarYear)?;
                let moment = Timestamp::from_microsecond(unix).map_err(|_| Error::FarYear)?;
                let offset = self.meaning(zone, moment).unwrap_or(zone.to_offset(moment));
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
    }

    #[test]
    fn a_clock_elsewhere_shows_another_time() {
        assert_eq!(local_of(0, "PST"), Ok(-8 * 60 * MINUTE_US));
        assert_eq!(moment_of(0, "GMT-4"), Ok(-4 * 60 * MINUTE_US));
        // Moscow had three hours in 2000, four from 2011 to 2014.
        assert_eq!(moment_of(0, "MSK"), Ok(-180 * MINUTE_US));
        assert_eq!(moment_of(12 * 365 * DAY_US, "MSK"), Ok(12 * 365 * DAY_US - 240 * MINUTE_US));
        assert_eq!(moment_of(0, "FOO8BAR"), Ok(8 * 60 * MINUTE_US));
        assert_eq!(moment_of(0, "CET"), Ok(-60 * MINUTE_US));
        assert_eq!(moment_of(0, "nowhere"), Err(Error::UnknownZone("nowhere".into())));
    }
}
