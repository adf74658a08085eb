//! Days and moments in ISO form.

use crate::calendar::Civil;
use crate::{DAY_US, SECOND_US};

/// A day in ISO form.
pub fn date_text(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        days => text(days.into(), ""),
    }
}

/// A moment in ISO form, without trailing zeros of the fraction, and the zone.
pub fn timestamp_text(us: i64, zone: &str) -> String {
    match us {
        i64::MAX => return "infinity".to_owned(),
        i64::MIN => return "-infinity".to_owned(),
        _ => {}
    }
    let (days, time_us) = (us.div_euclid(DAY_US), us.rem_euclid(DAY_US));
    let (seconds, fraction) = (time_us / SECOND_US, time_us % SECOND_US);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut fraction = if fraction > 0 { format!(".{fraction:06}") } else { String::new() };
    fraction.truncate(fraction.trim_end_matches('0').len());
    text(days, &format!(" {hour:02}:{minute:02}:{second:02}{fraction}{zone}"))
}

/// A day, what comes after it, and `BC` at the end for years before 1.
fn text(days: i64, time: &str) -> String {
    let Civil { year, month, day } = Civil::of(days);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    format!("{year:04}-{month:02}-{day:02}{time}{era}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_before_christ_say_so() {
        assert_eq!(date_text(-730_120), "0001-12-31 BC");
        assert_eq!(timestamp_text(-1, "+00"), "1999-12-31 23:59:59.999999+00");
        assert_eq!(timestamp_text(i64::MIN, "+00"), "-infinity");
    }
}
