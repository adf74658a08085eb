//! Functions of days and moments.
//!
//! `extract(field FROM x)` is `extract('field', x)`, of type numeric; `date_part` is the same as a
//! float. `x AT TIME ZONE name` is `timezone(name, x)`.

use crate::numbers::{integer, number};
use crate::strings::text;
use crate::table::{Function, function};
use Type::*;
use bigdecimal::BigDecimal;
use minibtree_datetime::{self as calendar, Part, date_of_timestamp, timestamp_of_date};
use minibtree_types::error::Result;
use minibtree_types::values::datetime::error_of;
use minibtree_types::values::{Type, Value, numeric};
use minibtree_types::{error, unsupported};

pub fn rows() -> Vec<Function> {
    let mut rows = vec![
        function("date_trunc", &[Text, Timestamp], Timestamp, |v| date_trunc(Timestamp, v)),
        function("date_trunc", &[Text, TimestampTz], TimestampTz, |v| date_trunc(TimestampTz, v)),
        function("date_trunc", &[Text, TimestampTz, Text], TimestampTz, |v| {
            // Cut by a clock of that zone.
            let name = text(&v[2]);
            let zoned = |it| error_of(it, TimestampTz.name(), name);
            let local = calendar::local_of(moment(&v[1]), name).map_err(zoned)?;
            let cut = date_trunc(TimestampTz, &[v[0].clone(), Value::Timestamp(local)])?;
            let cut = calendar::moment_of(moment(&cut), name).map_err(zoned)?;
            Ok(Value::Timestamp(cut))
        }),
        function("make_date", &[Int4, Int4, Int4], Date, |v| {
            let [year, month, day] = [0, 1, 2].map(|at| integer(&v[at]));
            let made = calendar::moment([year, month, day], 0, 0, 0.0).map(date_of_timestamp);
            made.map(Value::Date).map_err(|_| {
                let text = format!("{year}-{month:02}-{day:02}");
                error!(DATETIME_FIELD_OVERFLOW, "date field value out of range: {text}")
            })
        }),
        function("make_timestamp", &[Int4, Int4, Int4, Int4, Int4, Float8], Timestamp, made),
        function("make_timestamptz", &[Int4, Int4, Int4, Int4, Int4, Float8], TimestampTz, made),
        function("to_timestamp", &[Float8], TimestampTz, |v| to_timestamp(number(&v[0]))),
    ];
    rows.extend(zones());
    for base in [Date, Timestamp, TimestampTz] {
        rows.push(function("isfinite", &[base], Bool, |v| {
            Ok(Value::Bool(!matches!(
                v[0],
                Value::Date(i32::MIN | i32::MAX) | Value::Timestamp(i64::MIN | i64::MAX)
            )))
        }));
    }
    /// The functions for one type, whose name their errors tell.
    macro_rules! parts {
        ($base:ident) => {
            [
                function("extract", &[Text, $base], Numeric, |v| extract($base, v)),
                function("date_part", &[Text, $base], Float8, |v| date_part($base, v)),
            ]
        };
    }
    rows.extend(parts!(Date));
    rows.extend(parts!(Timestamp));
    rows.extend(parts!(TimestampTz));
    rows
}

/// Functions that ask for a time zone.
fn zones() -> [Function; 3] {
    [
        function("timezone", &[Text, Timestamp], TimestampTz, |v| {
            let moment = calendar::moment_of(moment(&v[1]), text(&v[0]));
            moment.map(Value::Timestamp).map_err(|it| error_of(it, "timestamp", text(&v[0])))
        }),
        function("timezone", &[Text, TimestampTz], Timestamp, |v| {
            let local = calendar::local_of(moment(&v[1]), text(&v[0]));
            local.map(Value::Timestamp).map_err(|it| error_of(it, "timestamp", text(&v[0])))
        }),
        function(
            "make_timestamptz",
            &[Int4, Int4, Int4, Int4, Int4, Float8, Text],
            TimestampTz,
            |v| {
                let (local, name) = (made(v)?, text(&v[6]));
                // Here plus is east, as in a timestamp.
                let name = match name.split_at_checked(1) {
                    Some(("+", digits)) => format!("-{digits}"),
                    Some(("-", digits)) => format!("+{digits}"),
                    _ if name.starts_with(|it: char| it.is_ascii_digit()) => {
                        let text =
                            format!("invalid input syntax for type numeric time zone: \"{name}\"");
                        let hint =
                            "Numeric time zones must have \"-\" or \"+\" as first character.";
                        return Err(error!(INVALID_PARAMETER_VALUE, "{text}").hint(hint));
                    }
                    _ => name.to_owned(),
                };
                let moment = calendar::moment_of(moment(&local), &name);
                moment.map(Value::Timestamp).map_err(|it| match it {
                    calendar::Error::Displacement => {
                        let text = format!("numeric time zone \"{}\" out of range", text(&v[6]));
                        error!(INVALID_PARAMETER_VALUE, "{text}")
                    }
                    other => error_of(other, "numeric time zone", text(&v[6])),
                })
            },
        ),
    ]
}

fn moment(value: &Value) -> i64 {
    match value {
        Value::Timestamp(us) => *us,
        Value::Date(days) => timestamp_of_date(*days).unwrap_or(i64::MAX - 1),
        _ => unreachable!("the argument is a moment"),
    }
}

fn part(base: Type, values: &[Value]) -> Result<Part> {
    let name = text(&values[0]).to_lowercase();
    // The zone of a session is UTC.
    if base == TimestampTz && name.starts_with("timezone") && calendar::is_unit(&name) {
        return Ok(Part::Whole(0));
    }
    if let Value::Date(days) = values[1]
        && timestamp_of_date(days).is_none()
    {
        return Err(unsupported!("a part of a day after the year 294276"));
    }
    calendar::part(moment(&values[1]), &name, base == Date).ok_or_else(|| no_unit(base, &name))
}

/// PostgreSQL tells the units that it does not know from those that a type does not have.
fn no_unit(base: Type, name: &str) -> minibtree_types::error::SqlError {
    match calendar::is_unit(name) {
        true => {
            let text = format!("unit \"{name}\" not supported for type {}", base.name());
            error!(FEATURE_NOT_SUPPORTED, "{text}")
        }
        false => {
            let text = format!("unit \"{name}\" not recognized for type {}", base.name());
            error!(INVALID_PARAMETER_VALUE, "{text}")
        }
    }
}

fn extract(base: Type, values: &[Value]) -> Result<Value> {
    Ok(match part(base, values)? {
        Part::Whole(number) => BigDecimal::from(number).into(),
        Part::Decimal(number, scale) => BigDecimal::new(number.into(), scale).into(),
        Part::Days(days, _) if base == Date => BigDecimal::from(days).into(),
        Part::Days(days, us) => {
            let part = numeric::divide(&us.into(), &calendar::DAY_US.into())?;
            numeric::add(&days.into(), &part).into()
        }
        Part::Infinite(is_late) => infinity(is_late),
        Part::Unknown => Value::Null,
    })
}

fn date_part(base: Type, values: &[Value]) -> Result<Value> {
    Ok(match part(base, values)? {
        Part::Whole(number) => (number as f64).into(),
        Part::Decimal(number, scale) => (number as f64 / 10f64.powi(scale as i32)).into(),
        Part::Days(days, us) => (days as f64 + us as f64 / calendar::DAY_US as f64).into(),
        Part::Infinite(is_late) => infinity(is_late),
        Part::Unknown => Value::Null,
    })
}

fn infinity(is_late: bool) -> Value {
    Value::from(if is_late { f64::INFINITY } else { f64::NEG_INFINITY })
}

fn date_trunc(base: Type, values: &[Value]) -> Result<Value> {
    let name = text(&values[0]).to_lowercase();
    let cut = calendar::date_trunc(&name, moment(&values[1]));
    cut.map(Value::Timestamp).ok_or_else(|| no_unit(base, &name))
}

fn made(values: &[Value]) -> Result<Value> {
    let [year, month, day, hour, minute] = [0, 1, 2, 3, 4].map(|at| integer(&values[at]));
    let second = number(&values[5]);
    let made = calendar::moment([year, month, day], hour, minute, second);
    made.map(Value::Timestamp).map_err(|_| {
        // PostgreSQL tells which of the two halves is bad.
        let (what, text) = match calendar::moment([year, month, day], 0, 0, 0.0) {
            Err(_) => ("date", format!("{year}-{month:02}-{day:02}")),
            Ok(_) => ("time", format!("{hour}:{minute:02}:{second:02}")),
        };
        error!(DATETIME_FIELD_OVERFLOW, "{what} field value out of range: {text}")
    })
}

/// The moment so many seconds after 1970.
fn to_timestamp(seconds: f64) -> Result<Value> {
    const FROM_1970: f64 = 946_684_800.0;

    if seconds.is_nan() {
        return Err(error!(DATETIME_FIELD_OVERFLOW, "timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        return Ok(Value::Timestamp(if seconds > 0.0 { i64::MAX } else { i64::MIN }));
    }
    // The years that moments have.
    let seconds_after = seconds - FROM_1970;
    if !(-211_813_488_000.0..9_223_371_331_200.0).contains(&seconds_after) {
        return Err(error!(DATETIME_FIELD_OVERFLOW, "timestamp out of range: \"{seconds}\""));
    }
    Ok(Value::Timestamp((seconds_after * 1e6).round_ties_even() as i64))
}
