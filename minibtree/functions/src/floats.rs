//! Functions of floats: powers, logarithms, angles.
//!
//! PostgreSQL's `float.c`: what leaves the range of a float is an error, unless infinity came in.

use crate::numbers::number;
use crate::table::{Function, function};
use Type::*;
use minibtree_types::error;
use minibtree_types::error::Result;
use minibtree_types::values::{Type, Value};

pub fn rows() -> Vec<Function> {
    /// A function of one float that is defined everywhere.
    macro_rules! total {
        ($name:literal, $compute:expr) => {
            function($name, &[Float8], Float8, |v| Ok(Value::from($compute(number(&v[0])))))
        };
    }
    /// A function of one float, and where it is defined.
    macro_rules! partial {
        ($name:literal, $compute:expr, $is_defined:expr) => {
            function($name, &[Float8], Float8, |v| {
                let argument: f64 = number(&v[0]);
                match argument.is_nan() || $is_defined(argument) {
                    true => Ok(Value::from($compute(argument))),
                    false => Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")),
                }
            })
        };
    }

    let mut rows = vec![
        total!("cbrt", f64::cbrt),
        total!("||/", f64::cbrt),
        total!("radians", f64::to_radians),
        total!("atan", f64::atan),
        total!("sinh", f64::sinh),
        total!("cosh", f64::cosh),
        total!("tanh", f64::tanh),
        total!("asinh", f64::asinh),
        partial!("sin", f64::sin, f64::is_finite),
        partial!("cos", f64::cos, f64::is_finite),
        partial!("tan", f64::tan, f64::is_finite),
        partial!("cot", |it: f64| it.tan().recip(), f64::is_finite),
        partial!("asin", f64::asin, |it: f64| it.abs() <= 1.0),
        partial!("acos", f64::acos, |it: f64| it.abs() <= 1.0),
        partial!("acosh", f64::acosh, |it| it >= 1.0),
        partial!("atanh", f64::atanh, |it: f64| it.abs() <= 1.0),
        function("atan2", &[Float8, Float8], Float8, |v| {
            Ok(Value::from(number(&v[0]).atan2(number(&v[1]))))
        }),
        function("degrees", &[Float8], Float8, |v| {
            finite(number(&v[0]).to_degrees(), &[number(&v[0])])
        }),
        function("pi", &[], Float8, |_| Ok(Value::from(std::f64::consts::PI))),
        function("exp", &[Float8], Float8, |v| {
            let argument = number(&v[0]);
            nonzero(finite(argument.exp(), &[argument])?, argument.is_infinite())
        }),
        function("ln", &[Float8], Float8, |v| logarithm(number(&v[0]), f64::ln)),
        function("log", &[Float8], Float8, |v| logarithm(number(&v[0]), f64::log10)),
        function("log10", &[Float8], Float8, |v| logarithm(number(&v[0]), f64::log10)),
    ];
    for name in ["sqrt", "|/"] {
        rows.push(function(name, &[Float8], Float8, |v| match number(&v[0]) {
            it if it < 0.0 => {
                let text = "cannot take square root of a negative number";
                Err(error!(INVALID_ARGUMENT_FOR_POWER, "{text}"))
            }
            it => Ok(Value::from(it.sqrt())),
        }));
    }
    for name in ["power", "pow", "^"] {
        rows.push(function(name, &[Float8, Float8], Float8, |v| {
            power(number(&v[0]), number(&v[1]))
        }));
    }
    rows
}

fn finite(result: f64, arguments: &[f64]) -> Result<Value> {
    match result.is_infinite() && arguments.iter().all(|it| it.is_finite()) {
        true => Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")),
        false => Ok(Value::from(result)),
    }
}

fn nonzero(result: Value, may_be_zero: bool) -> Result<Value> {
    match number(&result) == 0.0 && !may_be_zero {
        true => Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")),
        false => Ok(result),
    }
}

fn logarithm(argument: f64, compute: fn(f64) -> f64) -> Result<Value> {
    let what = match () {
        () if argument == 0.0 => "zero",
        () if argument < 0.0 => "a negative number",
        () => return Ok(Value::from(compute(argument))),
    };
    Err(error!(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of {what}"))
}

fn power(base: f64, exponent: f64) -> Result<Value> {
    if base == 0.0 && exponent < 0.0 {
        let text = "zero raised to a negative power is undefined";
        return Err(error!(INVALID_ARGUMENT_FOR_POWER, "{text}"));
    }
    if base < 0.0 && exponent.floor() != exponent && !exponent.is_nan() {
        let text = "a negative number raised to a non-integer power yields a complex result";
        return Err(error!(INVALID_ARGUMENT_FOR_POWER, "{text}"));
    }
    let result = finite(base.powf(exponent), &[base, exponent])?;
    nonzero(result, base == 0.0 || base.is_infinite() || exponent.is_infinite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_end_where_floats_do() {
        assert_eq!(power(144.0, 0.5), Ok(Value::from(12.0)));
        assert_eq!(power(f64::NAN, 0.0), Ok(Value::from(1.0)));
        assert_eq!(power(-1.0, f64::INFINITY), Ok(Value::from(1.0)));
        assert_eq!(power(0.0, f64::NEG_INFINITY).expect_err("undefined").code, "2201F");
        assert_eq!(power(10.0, 400.0).expect_err("too large").code, "22003");
        assert_eq!(power(10.0, -400.0).expect_err("too small").code, "22003");
    }
}
