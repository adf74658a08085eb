//! Functions of numbers.

use crate::operators::{in_range, nonzero};
use crate::table::{Function, function};
use Type::*;
use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, Signed, ToPrimitive, Zero};
use minibtree_numeric::{check_bounds, check_buckets, powers};
use minibtree_types::error;
use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::values::{Type, Value, numeric as decimal};

/// The float in a value.
pub fn number(value: &Value) -> f64 {
    let Value::Float(float) = value else { unreachable!("the argument is a float") };
    float.0
}

/// The integer in a value.
pub fn integer(value: &Value) -> i64 {
    let Value::Int(number) = value else { unreachable!("the argument is an integer") };
    *number
}

/// The decimal number in a value.
pub fn numeric(value: &Value) -> &BigDecimal {
    let Value::Numeric(number) = value else { unreachable!("the argument is a numeric") };
    number
}

/// The result of an operation with these floats. A product or quotient can vanish.
///
/// # Errors
/// `22003` if it overflows or vanishes.
pub fn float(result: f64, arguments: &[Value], can_vanish: bool) -> Result<Value> {
    let is_any = |is: fn(f64) -> bool| arguments.iter().any(|it| is(number(it)));
    if result.is_infinite() && !is_any(f64::is_infinite) {
        return Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"));
    }
    // A part of infinity is zero, and so is what is multiplied by zero.
    if can_vanish && result == 0.0 && !is_any(|it| it == 0.0 || it.is_infinite()) {
        return Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow"));
    }
    Ok(Value::from(result))
}

/// The same for floats of 32 bits.
pub fn float4(result: f64, arguments: &[Value], can_vanish: bool) -> Result<Value> {
    float(f64::from(result as f32), arguments, can_vanish)
}

pub fn rows() -> Vec<Function> {
    let mut rows = vec![
        function("sign", &[Numeric], Numeric, |v| Ok(Value::from(numeric(&v[0]).signum()))),
        function("sign", &[Float8], Float8, |v| {
            let it = number(&v[0]);
            Ok(Value::from(f64::from(i8::from(it > 0.0) - i8::from(it < 0.0))))
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
        function("sqrt", &[Numeric], Numeric, |v| Ok(powers::sqrt(numeric(&v[0]))?.into())),
        function("exp", &[Numeric], Numeric, |v| Ok(powers::exp(numeric(&v[0]))?.into())),
        function("ln", &[Numeric], Numeric, |v| Ok(powers::ln(numeric(&v[0]))?.into())),
        function("log", &[Numeric], Numeric, |v| decimal_logarithm(&v[0])),
        function("log10", &[Numeric], Numeric, |v| decimal_logarithm(&v[0])),
        function("log", &[Numeric, Numeric], Numeric, |v| {
            Ok(powers::log(numeric(&v[0]), numeric(&v[1]))?.into())
        }),
        function("mod", &[Int2, Int2], Int2, |v| modulo(Int2, v)),
        function("mod", &[Int4, Int4], Int4, |v| modulo(Int4, v)),
        function("mod", &[Int8, Int8], Int8, |v| modulo(Int8, v)),
        function("mod", &[Numeric, Numeric], Numeric, |v| {
            decimal::remainder(numeric(&v[0]), numeric(&v[1])).map(Value::from)
        }),
    ];
    for name in ["abs", "@"] {
        rows.extend([
            function(name, &[Int2], Int2, |v| in_range(Int2, integer(&v[0]).checked_abs())),
            function(name, &[Int4], Int4, |v| in_range(Int4, integer(&v[0]).checked_abs())),
            function(name, &[Int8], Int8, |v| in_range(Int8, integer(&v[0]).checked_abs())),
            function(name, &[Float4], Float4, |v| Ok(Value::from(number(&v[0]).abs()))),
            function(name, &[Float8], Float8, |v| Ok(Value::from(number(&v[0]).abs()))),
            function(name, &[Numeric], Numeric, |v| Ok(Value::from(numeric(&v[0]).abs()))),
        ]);
    }
    for name in ["power", "pow", "^"] {
        rows.push(function(name, &[Numeric, Numeric], Numeric, |v| {
            Ok(powers::power(numeric(&v[0]), numeric(&v[1]))?.into())
        }));
    }
    rows.extend(scales());
    rows.extend(divisors());
    rows.extend(buckets());
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

fn decimal_logarithm(value: &Value) -> Result<Value> {
    powers::log(&BigDecimal::from(10), numeric(value)).map(Value::from)
}

/// Functions of the digits after the point.
fn scales() -> [Function; 3] {
    [
        function("scale", &[Numeric], Int4, |v| Ok(Value::Int(scale(numeric(&v[0]))))),
        function("min_scale", &[Numeric], Int4, |v| Ok(Value::Int(scale_min(numeric(&v[0]))))),
        function("trim_scale", &[Numeric], Numeric, |v| {
            let number = numeric(&v[0]);
            Ok(number.with_scale(scale_min(number)).into())
        }),
    ]
}

fn scale(number: &BigDecimal) -> i64 {
    number.as_bigint_and_exponent().1
}

fn scale_min(number: &BigDecimal) -> i64 {
    scale(&number.normalized()).max(0)
}

/// Whole quotients, common divisors and multiples.
fn divisors() -> [Function; 8] {
    [
        function("div", &[Numeric, Numeric], Numeric, |v| {
            let (left, right) = (numeric(&v[0]), numeric(&v[1]));
            // What the remainder leaves is divided without a rest.
            let whole = decimal::add(left, &-decimal::remainder(left, right)?);
            Ok(decimal::round(&decimal::divide(&whole, right)?, 0).into())
        }),
        function("gcd", &[Int4, Int4], Int4, |v| whole_gcd(Int4, v)),
        function("gcd", &[Int8, Int8], Int8, |v| whole_gcd(Int8, v)),
        function("lcm", &[Int4, Int4], Int4, |v| whole_lcm(Int4, v)),
        function("lcm", &[Int8, Int8], Int8, |v| whole_lcm(Int8, v)),
        function("gcd", &[Numeric, Numeric], Numeric, |v| {
            Ok(gcd(numeric(&v[0]), numeric(&v[1])).into())
        }),
        function("lcm", &[Numeric, Numeric], Numeric, |v| {
            let (left, right) = (numeric(&v[0]), numeric(&v[1]));
            let scale = scale(left).max(scale(right));
            if left.is_zero() || right.is_zero() {
                return Ok(BigDecimal::zero().with_scale(scale).into());
            }
            let factor = decimal::divide(left, &gcd(left, right))?;
            Ok(decimal::multiply(&decimal::round(&factor, 0), right)?
                .abs()
                .with_scale(scale)
                .into())
        }),
        function("factorial", &[Int8], Numeric, |v| match integer(&v[0]) {
            ..0 => {
                let text = "factorial of a negative number is undefined";
                Err(SqlError::new(code::NUMERIC_VALUE_OUT_OF_RANGE, text))
            }
            // The next one has more digits than a numeric.
            32_178.. => Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")),
            number => Ok(BigDecimal::from((1..=number).product::<BigInt>()).into()),
        }),
    ]
}

/// The greatest common divisor, by Euclid.
fn gcd(left: &BigDecimal, right: &BigDecimal) -> BigDecimal {
    let scale = scale(left).max(scale(right));
    let (mut left, mut right) = (left.with_scale(scale).abs(), right.with_scale(scale).abs());
    while !right.is_zero() {
        let rest = decimal::remainder(&left, &right).expect("it is not zero");
        (left, right) = (right, rest);
    }
    left.with_scale(scale)
}

fn whole_gcd(base: Type, values: &[Value]) -> Result<Value> {
    let (mut left, mut right) = (i128::from(integer(&values[0])), integer(&values[1]).into());
    while right != 0 {
        (left, right) = (right, left % right);
    }
    in_range(base, i64::try_from(left.abs()).ok())
}

fn whole_lcm(base: Type, values: &[Value]) -> Result<Value> {
    let (left, right) = (i128::from(integer(&values[0])), i128::from(integer(&values[1])));
    if left == 0 || right == 0 {
        return Ok(Value::Int(0));
    }
    let gcd = match whole_gcd(base, values) {
        Ok(gcd) => i128::from(integer(&gcd)),
        Err(_) => return in_range(base, None),
    };
    in_range(base, i64::try_from((left / gcd * right).abs()).ok())
}

/// `width_bucket`: in which of so many equal parts of a range an operand is.
fn buckets() -> [Function; 2] {
    [
        function("width_bucket", &[Float8, Float8, Float8, Int4], Int4, |v| {
            let [operand, low, high] = [0, 1, 2].map(|index| number(&v[index]));
            check_buckets(integer(&v[3]), [operand, low, high])?;
            check_bounds(low == high)?;
            // A range downwards is the same with every sign changed.
            let sign = if low < high { 1.0 } else { -1.0 };
            let [operand, low, high] = [operand, low, high].map(|it| it * sign);
            let count = integer(&v[3]);
            in_range(
                Int4,
                match operand {
                    it if it < low => Some(0),
                    it if it >= high => Some(count + 1),
                    it => {
                        // Halves do not overflow.
                        let part = (it / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
                        Some(((count as f64 * part) as i64).min(count - 1) + 1)
                    }
                },
            )
        }),
        function("width_bucket", &[Numeric, Numeric, Numeric, Int4], Int4, |v| {
            let [operand, low, high] = [0, 1, 2].map(|index| numeric(&v[index]).clone());
            check_buckets(integer(&v[3]), [0.0; 3])?;
            check_bounds(low == high)?;
            let [operand, low, high] = match low < high {
                true => [operand, low, high],
                false => [-operand, -low, -high],
            };
            let count = integer(&v[3]);
            in_range(
                Int4,
                match operand {
                    it if it < low => Some(0),
                    it if it >= high => Some(count + 1),
                    it => {
                        let (part, whole) = ((it - &low) * BigDecimal::from(count), high - low);
                        let rest = decimal::remainder(&part, &whole)?;
                        ((part - rest) / whole).to_i64().map(|it| it + 1)
                    }
                },
            )
        }),
    ]
}

fn modulo(base: Type, values: &[Value]) -> Result<Value> {
    let divisor = nonzero(integer(&values[1]))?;
    in_range(base, Some(integer(&values[0]).wrapping_rem(divisor)))
}
