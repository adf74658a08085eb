//! Roots, powers and logarithms of numerics.
//!
//! ```text
//! sqrt(2)      1.414213562373095        at least 16 significant digits, in groups of four
//! exp(1)       2.7182818284590452
//! ln(10)       2.3025850929940457
//! 2 ^ 0.5      1.4142135623730950
//! ```
//!
//! Each function first decides how many digits the result has, as PostgreSQL's `numeric.c` does,
//! and then computes with more digits than that and rounds. What it computes with are integers: a
//! number times a power of ten.

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, One, RoundingMode, Signed, ToPrimitive, Zero};
use minibtree_types::error;
use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::values::numeric::{DIGITS_MAX, checked, divide, first, multiply, round};
use std::f64::consts::LOG10_E;

/// Significant digits of a result at least: `NUMERIC_MIN_SIG_DIGITS`.
const SIGNIFICANT_MIN: i64 = 16;
/// Most digits after the point of a result: `NUMERIC_MAX_DISPLAY_SCALE`.
const SCALE_MAX: i64 = 1_000;
/// The largest exponent of e that is tried: three times `NUMERIC_MAX_RESULT_SCALE`.
const EXPONENT_MAX: f64 = 6_000.0;
/// Digits beyond those of the result.
const GUARD: i64 = 24;

fn scale_of(number: &BigDecimal) -> i64 {
    number.as_bigint_and_exponent().1
}

/// Digits after the point of a result with `digits` before it.
fn scale_for(digits: i64, operands: &[&BigDecimal]) -> i64 {
    let of_operands = operands.iter().map(|it| scale_of(it)).max().unwrap_or(0);
    (SIGNIFICANT_MIN - digits).max(of_operands).clamp(0, SCALE_MAX)
}

/// The number as an integer times 10^-scale.
fn fixed(number: &BigDecimal, scale: i64) -> BigInt {
    number.with_scale_round(scale, RoundingMode::HalfUp).into_bigint_and_exponent().0
}

fn ten_to(exponent: i64) -> BigInt {
    BigInt::from(10).pow(exponent.max(0) as u32)
}

fn float(number: &BigDecimal) -> f64 {
    number.to_f64().unwrap_or(0.0)
}

/// The square root.
///
/// # Errors
/// `2201F` of a negative number.
pub fn sqrt(number: &BigDecimal) -> Result<BigDecimal> {
    if number.is_negative() {
        let text = "cannot take square root of a negative number";
        return Err(SqlError::new(code::INVALID_ARGUMENT_FOR_POWER, text));
    }
    let (weight, _) = first(number);
    Ok(sqrt_to(number, scale_for(2 * (weight + 1) - 1, &[number])))
}

/// The square root with so many digits after the point.
pub fn sqrt_to(number: &BigDecimal, scale: i64) -> BigDecimal {
    let square = fixed(number, 2 * scale);
    let mut root = square.sqrt();
    // It was rounded down: (root + 1/2)^2 = root^2 + root + 1/4.
    if &square - &root * &root > root {
        root += 1;
    }
    BigDecimal::new(root, scale)
}

/// e to the power of a number.
///
/// # Errors
/// `22003` if it is too large.
pub fn exp(number: &BigDecimal) -> Result<BigDecimal> {
    let digits = (float(number) * LOG10_E).clamp(-2_000.0, 2_000.0) as i64;
    exp_to(number, scale_for(digits, &[number]))
}

fn exp_to(number: &BigDecimal, scale: i64) -> Result<BigDecimal> {
    let size = float(number);
    if size.abs() >= EXPONENT_MAX {
        return if size > 0.0 { Err(overflow()) } else { Ok(BigDecimal::new(0.into(), scale)) };
    }

    // e^x = (e^(x / 2^n))^(2^n), and the series is short if x / 2^n is below 1/100.
    let halvings = (size.abs() * 100.0).max(1.0).log2().ceil() as i64;
    let digits = ((size * LOG10_E) as i64).max(0);
    let working = scale + digits + halvings + GUARD;
    let one = ten_to(working);
    let small = fixed(number, working) >> halvings;
    let (mut sum, mut term, mut count) = (one.clone(), one.clone(), 0);
    while !term.is_zero() {
        count += 1;
        term = term * &small / &one / count;
        sum += &term;
    }
    for _ in 0..halvings {
        sum = &sum * &sum / &one;
    }
    Ok(BigDecimal::new(sum, working).with_scale_round(scale, RoundingMode::HalfUp))
}

/// The natural logarithm.
///
/// # Errors
/// `2201E` unless the number is positive.
pub fn ln(number: &BigDecimal) -> Result<BigDecimal> {
    let digits = logarithm_digits(number);
    ln_to(number, scale_for(digits, &[number]))
}

fn ln_to(number: &BigDecimal, scale: i64) -> Result<BigDecimal> {
    check_logarithm(number)?;
    let (half, five) = (BigDecimal::new(5.into(), 1), BigDecimal::from(5));
    if (half..=five).contains(number) {
        let sum = series(number, scale + GUARD);
        return Ok(sum.with_scale_round(scale, RoundingMode::HalfUp));
    }

    // ln(m * 10^n) = ln(m) + n * ln(10)
    let (digits, of_digits) = number.as_bigint_and_exponent();
    let exponent = digits.magnitude().to_string().len() as i64 - 1 - of_digits;
    let mantissa = BigDecimal::new(digits, of_digits + exponent);
    let of_ten = series(&BigDecimal::from(10), scale + GUARD);
    let sum = series(&mantissa, scale + GUARD) + of_ten * BigDecimal::from(exponent);
    Ok(sum.with_scale_round(scale, RoundingMode::HalfUp))
}

/// The logarithm of a number that is not far from 1: twice the series of the area tangent of
/// z = (x - 1) / (x + 1), which is z + z^3/3 + z^5/5 + ...
fn series(number: &BigDecimal, scale: i64) -> BigDecimal {
    let mut roots = 0;
    let mut near = number.clone();
    while !(0.9..1.1).contains(&float(&near)) {
        near = sqrt_to(&near, scale + 2);
        roots += 1;
    }

    let (one, near) = (ten_to(scale), fixed(&near, scale));
    let z = (&near - &one) * &one / (&near + &one);
    let square = &z * &z / &one;
    let (mut sum, mut power, mut odd) = (z.clone(), z, 1);
    while !power.is_zero() {
        odd += 2;
        power = power * &square / &one;
        sum += &power / odd;
    }
    BigDecimal::new(sum << (roots + 1), scale)
}

/// The logarithm to a base.
///
/// # Errors
/// `2201E` unless both are positive, `22012` if the base is 1.
pub fn log(base: &BigDecimal, number: &BigDecimal) -> Result<BigDecimal> {
    check_logarithm(base)?;
    check_logarithm(number)?;
    let (of_base, of_number) = (logarithm_digits(base), logarithm_digits(number));
    let scale = scale_for(of_number - of_base, &[base, number]);

    let working = scale + of_number.abs() + of_base.abs() + GUARD;
    let (top, bottom) = (ln_to(number, working)?, ln_to(base, working)?);
    if bottom.is_zero() {
        return divide(&top, &bottom);
    }
    let quotient = fixed(&top, 2 * working) / fixed(&bottom, working);
    Ok(BigDecimal::new(quotient, working).with_scale_round(scale, RoundingMode::HalfUp))
}

/// A number to the power of another one.
///
/// # Errors
/// `2201F` if there is no such power, `22003` if it is too large.
pub fn power(base: &BigDecimal, exponent: &BigDecimal) -> Result<BigDecimal> {
    let refused = |text| SqlError::new(code::INVALID_ARGUMENT_FOR_POWER, text);
    if base.is_zero() && exponent.is_negative() {
        return Err(refused("zero raised to a negative power is undefined"));
    }
    if exponent.is_integer()
        && let Some(exponent) = exponent.to_i32()
    {
        return whole_power(base, exponent, scale_for(0, &[base]));
    }
    if base.is_zero() {
        return Ok(BigDecimal::new(0.into(), SIGNIFICANT_MIN));
    }
    if base.is_negative() && !exponent.is_integer() {
        let text = "a negative number raised to a non-integer power yields a complex result";
        return Err(refused(text));
    }

    // How large it is decides how many digits it has, and with how many it is computed.
    let positive = base.abs();
    let digits = logarithm_digits(&positive);
    let about = ln_to(&positive, (8 - digits).max(0))? * exponent;
    let size = float(&about);
    if size.abs() > EXPONENT_MAX * 1.003 {
        let vanished = || BigDecimal::new(0.into(), SCALE_MAX);
        return if size > 0.0 { Err(overflow()) } else { Ok(vanished()) };
    }
    let before = (size * LOG10_E) as i64;
    let scale = scale_for(before, &[base, exponent]);
    let working = (scale + before).max(0) - digits + logarithm_digits(exponent).abs() + GUARD;
    let logarithm = ln_to(&positive, working.max(0))? * exponent;
    let result = exp_to(&logarithm, scale)?;
    let is_odd = base.is_negative() && !(exponent / BigDecimal::from(2)).is_integer();
    Ok(if is_odd { -result } else { result })
}

/// A power by squaring: a bit of the exponent at a time.
fn whole_power(base: &BigDecimal, exponent: i32, scale: i64) -> Result<BigDecimal> {
    let one = BigDecimal::one();
    match exponent {
        0 => return Ok(one.with_scale(scale)),
        1 => return Ok(round(base, scale)),
        2 => return multiply(base, base).map(|it| round(&it, scale)),
        _ if base.is_zero() => return Ok(BigDecimal::new(0.into(), scale)),
        _ => {}
    }
    let size = f64::from(exponent) * logarithm_10(base);
    if size > 3.0 * DIGITS_MAX as f64 {
        return Err(overflow());
    }
    if size + 1.0 < -scale as f64 || size + 1.0 < -SCALE_MAX as f64 {
        return Ok(BigDecimal::new(0.into(), scale));
    }

    let extra = f64::from(exponent).abs().ln() as i64;
    let digits = (1 + scale + size as i64 + extra + GUARD) as u64;
    let (mut result, mut square, mut bits) = (one.clone(), base.clone(), exponent.unsigned_abs());
    while bits > 0 {
        if bits & 1 == 1 {
            result = (result * &square).with_prec(digits);
        }
        bits >>= 1;
        if bits > 0 {
            square = (&square * &square).with_prec(digits);
        }
        if logarithm_10(&square).abs() > 4.0 * DIGITS_MAX as f64 {
            let vanished = BigDecimal::new(0.into(), scale);
            return if size > 0.0 { Err(overflow()) } else { Ok(vanished) };
        }
    }
    if exponent < 0 {
        let (whole, of_whole) = result.into_bigint_and_exponent();
        let working = scale + GUARD;
        // 1 / (whole * 10^-s) = 10^s / whole
        let shift = working + of_whole;
        let quotient = if shift < 0 { BigInt::zero() } else { ten_to(shift) / whole };
        result = BigDecimal::new(quotient, working);
    }
    checked(round(&result, scale))
}

/// The decimal logarithm of the size of a number, about.
fn logarithm_10(number: &BigDecimal) -> f64 {
    let (whole, scale) = number.as_bigint_and_exponent();
    let digits = whole.magnitude().to_string();
    let leading: f64 = digits[..digits.len().min(17)].parse().expect("digits");
    leading.log10() + (digits.len() as i64 - 17.min(digits.len() as i64) - scale) as f64
}

/// Digits before the point of a logarithm, or zeros after it: `estimate_ln_dweight`.
fn logarithm_digits(number: &BigDecimal) -> i64 {
    if !number.is_positive() {
        return 0;
    }
    let (low, high) = (BigDecimal::new(9.into(), 1), BigDecimal::new(11.into(), 1));
    if (low..=high).contains(number) {
        // Here ln(1 + x) is about x.
        let (weight, digit) = first(&(number - BigDecimal::one()));
        return if digit == 0 { 0 } else { 4 * weight + i64::from(digit.ilog10()) };
    }
    (logarithm_10(number) / LOG10_E).abs().log10() as i64
}

/// Refuses what has no logarithm.
pub fn check_logarithm(number: &BigDecimal) -> Result<()> {
    let what = match () {
        () if number.is_zero() => "zero",
        () if number.is_negative() => "a negative number",
        () => return Ok(()),
    };
    Err(error!(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of {what}"))
}

fn overflow() -> SqlError {
    error!(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

#[cfg(test)]
mod tests {
    use super::*;
    use minibtree_types::values::numeric::parse;

    fn number(text: &str) -> BigDecimal {
        parse(text).expect(text).expect(text)
    }

    #[test]
    fn results_have_the_digits_of_postgresql() {
        // Asked of PostgreSQL 15.
        for (found, wanted) in [
            (sqrt(&number("2")), "1.414213562373095"),
            (sqrt(&number("1.000000000000003")), "1.000000000000001"),
            (exp(&number("1")), "2.7182818284590452"),
            (
                exp(&number("-123.456")),
                "0.000000000000000000000000000000000000000000000000000002419582541264601",
            ),
            (ln(&number("10")), "2.3025850929940457"),
            (ln(&number("0.99949452")), "-0.00050560779808326467"),
            (log(&number("2"), &number("64")), "6.0000000000000000"),
            (power(&number("2"), &number("0.5")), "1.4142135623730950"),
            (power(&number("3.789"), &number("21")), "1409343026052.8716016316022141"),
            (power(&number("0.5678"), &number("-85")), "782333637740774446257.7719390061997396"),
            (power(&number("-2"), &number("3")), "-8.0000000000000000"),
        ] {
            let found = found.expect("valid").to_plain_string();
            assert_eq!(found, wanted);
        }
        assert_eq!(power(&number("0"), &number("-1")).expect_err("none").code, "2201F");
        assert_eq!(power(&number("-2"), &number("0.5")).expect_err("none").code, "2201F");
        assert_eq!(ln(&number("0")).expect_err("none").code, "2201E");
        assert_eq!(power(&number("10"), &number("2147483647")).expect_err("long").code, "22003");
    }
}
