//! Functions of days and moments.
//!
//! `extract(field FROM x)` is `extract('field', x)`, of type numeric; `date_part` is the same as a
//! float.

use super::strings::text;
use super::table::{Function, function};
use crate::error::Result;
use crate::values::{Type, Value, datetime};
use Type::*;
use bigdecimal::{BigDecimal, ToPrimitive};

pub fn rows() -> Vec<Function> {
    let mut rows = vec![
        function("date_trunc", &[Text, Timestamp], Timestamp, date_trunc),
        function("date_trunc", &[Text, TimestampTz], TimestampTz, date_trunc),
        function("make_date", &[Int4, Int4, Int4], Date, |v| {
            let parts: Vec<i64> = v.iter().map(super::numbers::integer).collect();
            let text = format!("{:04}-{:02}-{:02}", parts[0], parts[1], parts[2]);
            datetime::parse_date(&text).map(Value::Date).map_err(|_| {
                error!(DATETIME_FIELD_OVERFLOW, "date field value out of range: {text}")
            })
        }),
    ];
    for base in [Date, Timestamp, TimestampTz] {
        rows.push(function("extract", &[Text, base], Numeric, |v| {
            Ok(part(text(&v[0]), &v[1])?.into())
        }));
        rows.push(function("date_part", &[Text, base], Float8, |v| {
            Ok(part(text(&v[0]), &v[1])?.to_f64().unwrap_or(f64::NAN).into())
        }));
    }
    rows
}

fn part(name: &str, value: &Value) -> Result<BigDecimal> {
    let name = name.to_lowercase();
    let (us, is_date) = match value {
        Value::Timestamp(us) => (*us, false),
        Value::Date(days) => (datetime::timestamp_of_date(*days).unwrap_or(i64::MAX), true),
        _ => unreachable!("the argument is a moment"),
    };
    const OF_DATES: [&str; 10] =
        ["year", "quarter", "month", "week", "isoyear", "day", "doy", "dow", "isodow", "epoch"];
    if is_date && !OF_DATES.contains(&name.as_str()) {
        return Err(unsupported!("extracting {name} from a date"));
    }
    let (number, scale) =
        datetime::part(us, &name).ok_or_else(|| unsupported!("extracting {name}"))?;
    // Of a date, seconds are whole.
    if is_date && scale > 0 {
        return Ok(BigDecimal::from(number / 1_000_000));
    }
    Ok(BigDecimal::new(number.into(), scale))
}

fn date_trunc(values: &[Value]) -> Result<Value> {
    let Value::Timestamp(us) = values[1] else { unreachable!("the argument is a moment") };
    let unit = text(&values[0]).to_lowercase();
    datetime::date_trunc(&unit, us)
        .map(Value::Timestamp)
        .ok_or_else(|| unsupported!("date_trunc to {unit}"))
}
