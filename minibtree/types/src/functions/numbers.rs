//! Functions of numbers.

use super::operators::{in_range, nonzero};
use super::table::{Function, function};
use crate::error::{Result, SqlError};
use crate::values::{Type, Value, numeric as decimal};
use Type::*;
use bigdecimal::{BigDecimal, Signed};

/// The float in a value.
pub fn number(value: &Value) -> f64 {
    match value {
        Value::Float(float) => float.0,
        _ => unreachable!("the argument is a float"),
    }
}

/// The integer in a value.
pub fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        _ => unreachable!("the argument is an integer"),
    }
}

/// The decimal number in a value.
pub fn numeric(value: &Value) -> &BigDecimal {
    match value {
        Value::Numeric(number) => number,
        _ => unreachable!("the argument is a numeric"),
    }
}

/// The result of an operation with these floats.
///
/// # Errors
/// `22003` if it overflows or vanishes.
pub fn float(result: f64, arguments: &[Value]) -> Result<Value> {
    let is_any = |is: fn(f64) -> bool| arguments.iter().any(|it| is(number(it)));
    if result.is_infinite() && !is_any(f64::is_infinite) {
        return Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"));
    }
    Ok(Value::from(result))
}

/// The same for floats of 32 bits.
pub fn float4(result: f64, arguments: &[Value]) -> Result<Value> {
    float(f64::from(result as f32), arguments)
}

pub fn rows() -> Vec<Function> {
    let mut rows = vec![
        function("abs", &[Int2], Int2, |v| in_range(Int2, integer(&v[0]).checked_abs())),
        function("abs", &[Int4], Int4, |v| in_range(Int4, integer(&v[0]).checked_abs())),
        function("abs", &[Int8], Int8, |v| in_range(Int8, integer(&v[0]).checked_abs())),
        function("abs", &[Float4], Float4, |v| Ok(Value::from(number(&v[0]).abs()))),
        function("abs", &[Float8], Float8, |v| Ok(Value::from(number(&v[0]).abs()))),
        function("abs", &[Numeric], Numeric, |v| Ok(Value::from(numeric(&v[0]).abs()))),
        function("sign", &[Numeric], Numeric, |v| Ok(Value::from(numeric(&v[0]).signum()))),
        function("sign", &[Float8], Float8, |v| {
            let it = number(&v[0]);
            Ok(Value::from(if it == 0.0 || it.is_nan() { it } else { it.signum() }))
        }),
        function("round", &[Float8], Float8, |v| Ok(Value::from(number(&v[0]).round_ties_even()))),
        function("round", &[Numeric], Numeric, |v| rounded(v, decimal::round)),
        function("round", &[Numeric, Int4], Numeric, |v| rounded(v, decimal::round)),
        function("trunc", &[Float8], Float8, |v| Ok(Value::from(number(&v[0]).trunc()))),
        function("trunc", &[Numeric], Numeric, |v| rounded(v, decimal::trunc)),
        function("trunc", &[Numeric, Int4], Numeric, |v| rounded(v, decimal::trunc)),
        function("floor", &[Float8], Float8, |v| Ok(Value::from(number(&v[0]).floor()))),
        function("floor", &[Numeric], Numeric, |v| {
            Ok(Value::from(decimal::integer(numeric(&v[0]), false)))
        }),
        function("sqrt", &[Float8], Float8, |v| match number(&v[0]) {
            it if it < 0.0 => {
                let text = "cannot take square root of a negative number";
                Err(SqlError::new("2201F", text))
            }
            it => Ok(Value::from(it.sqrt())),
        }),
        function("sqrt", &[Numeric], Numeric, |_| Err(unsupported!("sqrt(numeric)"))),
        function("mod", &[Int2, Int2], Int2, |v| modulo(Int2, v)),
        function("mod", &[Int4, Int4], Int4, |v| modulo(Int4, v)),
        function("mod", &[Int8, Int8], Int8, |v| modulo(Int8, v)),
        function("mod", &[Numeric, Numeric], Numeric, |v| {
            decimal::remainder(numeric(&v[0]), numeric(&v[1])).map(Value::from)
        }),
    ];
    for name in ["ceil", "ceiling"] {
        rows.push(function(name, &[Float8], Float8, |v| Ok(Value::from(number(&v[0]).ceil()))));
        rows.push(function(name, &[Numeric], Numeric, |v| {
            Ok(Value::from(decimal::integer(numeric(&v[0]), true)))
        }));
    }
    rows
}

/// A number with so many digits after the point, within PostgreSQL's limits.
fn rounded(values: &[Value], round: fn(&BigDecimal, i64) -> BigDecimal) -> Result<Value> {
    let scale = values.get(1).map_or(0, integer);
    let scale = scale.clamp(-decimal::DIGITS_MAX - 1, decimal::SCALE_MAX);
    let number = round(numeric(&values[0]), scale);
    Ok(Value::from(if scale < 0 { decimal::checked(number)? } else { number }))
}

fn modulo(base: Type, values: &[Value]) -> Result<Value> {
    let divisor = nonzero(integer(&values[1]))?;
    in_range(base, Some(integer(&values[0]).wrapping_rem(divisor)))
}
