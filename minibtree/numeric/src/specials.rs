//! Functions of numerics of which at least one is NaN or infinite.
//!
//! ```text
//! Infinity - Infinity    NaN        5 % Infinity      5      the dividend
//! Infinity * 0           NaN        0.5 ^ -Infinity   Infinity
//! ```
//!
//! Of a decimal beside such a value only little counts: its sign, on which side of 1 it is, and, in
//! a power, whether it is odd. So a small float stands for it, and floats compute the rest: they
//! follow the rules (IEEE 754, POSIX `pow`) that PostgreSQL's `numeric.c` spells out.

use crate::{check_bounds, check_buckets, powers};
use bigdecimal::{BigDecimal, One, Signed, Zero};
use minibtree_types::error;
use minibtree_types::error::Result;
use minibtree_types::values::{Type, Value, compare};

/// The value of a function, by its name.
///
/// # Errors
/// Those of the function for numbers.
pub fn special(name: &str, values: &[Value]) -> Result<Value> {
    let numbers: Vec<f64> = values.iter().map(stand_in).collect();
    let has_nan = numbers.iter().any(|it| it.is_nan());
    let result = match (name, &numbers[..]) {
        ("+", [it])
        | ("round" | "trunc" | "floor" | "ceil" | "ceiling" | "trim_scale", [it, ..]) => *it,
        ("-", [it]) => -it,
        ("abs" | "@", [it]) => it.abs(),
        ("sign", [it]) => it.signum(),
        ("scale" | "min_scale", _) => return Ok(Value::Null),
        ("gcd" | "lcm", _) => f64::NAN,
        ("+", [left, right]) => left + right,
        ("-", [left, right]) => left - right,
        ("*", [left, right]) => left * right,
        ("/" | "div", [left, right]) => quotient(*left, *right)?,
        ("%" | "mod", [left, _]) if left.is_finite() && !has_nan => return Ok(values[0].clone()),
        ("%" | "mod", [left, right]) => {
            quotient(*left, *right)?;
            f64::NAN
        }
        ("exp", [it]) => it.exp(),
        ("sqrt", [f64::NEG_INFINITY]) => {
            return powers::sqrt(&BigDecimal::from(-1)).map(Value::from);
        }
        ("sqrt", [it]) => it.sqrt(),
        ("ln" | "log" | "log10", [..]) if has_nan => f64::NAN,
        ("ln" | "log" | "log10", all) => {
            // What is negative is refused before what is zero.
            let least = all.iter().copied().fold(f64::INFINITY, f64::min);
            let sign = i64::from(least > 0.0) - i64::from(least < 0.0);
            powers::check_logarithm(&BigDecimal::from(sign))?;
            if let [base, number] = all { number / base } else { all[0] }
        }
        ("power" | "pow" | "^", [base, exponent]) => {
            let is_whole = exponent.is_infinite() || exponent.fract() == 0.0;
            if !has_nan && (*base == 0.0 && *exponent < 0.0 || *base < 0.0 && !is_whole) {
                // It fails as decimals of this kind do.
                let base = BigDecimal::from(if *base == 0.0 { 0 } else { -1 });
                let exponent = BigDecimal::new(if is_whole { -10 } else { 5 }.into(), 1);
                return powers::power(&base, &exponent).map(Value::from);
            }
            base.powf(*exponent)
        }
        ("width_bucket", [operand, low, high, count]) => {
            check_buckets(*count as i64, [*operand, *low, *high])?;
            let order = compare(&values[1], &values[2], false);
            check_bounds(order.is_eq())?;
            let is_above = (*operand > 0.0) == order.is_lt();
            let bucket = if is_above { *count as i64 + 1 } else { 0 };
            let fits = Type::Int4.holds(bucket);
            return if fits { Ok(Value::Int(bucket)) } else { Err(Type::Int4.out_of_range()) };
        }
        _ => unreachable!("{name} of NaN or an infinity"),
    };
    Ok(if result.is_finite() { BigDecimal::from(result as i64).into() } else { result.into() })
}

/// A float with the sign of a number, on its side of 1, and odd, even or no integer as it is.
fn stand_in(value: &Value) -> f64 {
    let number = match value {
        Value::Float(special) => return special.0,
        Value::Int(number) => return *number as f64,
        Value::Numeric(number) => number,
        _ => unreachable!("the arguments are numbers"),
    };
    let (size, is_even) = (number.abs(), (&**number / BigDecimal::from(2)).is_integer());
    let stand_in = match () {
        () if size.is_zero() => 0.0,
        () if size.is_one() => 1.0,
        () if is_even => 2.0,
        () if size.is_integer() => 3.0,
        () if size > BigDecimal::one() => 1.5,
        () => 0.5,
    };
    if number.is_negative() { -stand_in } else { stand_in }
}

fn quotient(left: f64, right: f64) -> Result<f64> {
    match right == 0.0 && !left.is_nan() {
        true => Err(error!(DIVISION_BY_ZERO, "division by zero")),
        false => Ok(left / right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_those_of_postgresql() {
        // Asked of PostgreSQL 15.
        for (name, arguments, wanted) in [
            ("-", &["Infinity", "Infinity"][..], "NaN"),
            ("*", &["-Infinity", "0.000001"], "-Infinity"),
            ("/", &["-12", "Infinity"], "0"),
            ("/", &["NaN", "0"], "NaN"),
            ("%", &["12.50", "-Infinity"], "12.50"),
            ("%", &["Infinity", "3"], "NaN"),
            ("^", &["NaN", "0"], "1"),
            ("^", &["-Infinity", "3"], "-Infinity"),
            ("^", &["-0.5", "-Infinity"], "Infinity"),
            ("^", &["-1", "Infinity"], "1"),
            ("log", &["Infinity", "5"], "0"),
            ("log", &["0.5", "Infinity"], "Infinity"),
            ("exp", &["-Infinity"], "0"),
            ("sign", &["-Infinity"], "-1"),
        ] {
            let arguments: Vec<Value> =
                arguments.iter().map(|it| Type::Numeric.parse(it).expect(it)).collect();
            let found = Type::Numeric.text_of(&special(name, &arguments).expect(name));
            assert_eq!(found, wanted, "{name} {arguments:?}");
        }
        let code = |name, arguments: &[&str]| {
            let parse = |it: &&str| Type::Numeric.parse(it).expect("a number");
            special(name, &arguments.iter().map(parse).collect::<Vec<_>>()).expect_err(name).code
        };
        assert_eq!(code("/", &["Infinity", "0"]), "22012");
        assert_eq!(code("%", &["Infinity", "0"]), "22012");
        assert_eq!(code("sqrt", &["-Infinity"]), "2201F");
        assert_eq!(code("^", &["0.0", "-Infinity"]), "2201F");
        assert_eq!(code("^", &["-Infinity", "1.5"]), "2201F");
        assert_eq!(code("ln", &["-Infinity"]), "2201E");
    }
}
