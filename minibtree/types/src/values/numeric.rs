//! Decimal arithmetic: exact, with PostgreSQL's rules for the digits after the point.
//!
//! ```text
//! 1.50 + 2       3.50                    the larger scale
//! 1.50 * 2.5     3.750                   the sum of the scales
//! 1 / 3          0.33333333333333333333  enough for 16 significant digits, in groups of four
//! 10 / 3         3.3333333333333333
//! ```
//!
//! Ties round away from zero. PostgreSQL's `numeric.c`, whose digits have base 10,000, which is why
//! the scale of a quotient comes in steps of four. NaN and the infinities are no decimals: as a
//! numeric, they are a [`Value::Float`].

use super::Value;
use crate::error::{Result, SqlError, code};
use bigdecimal::num_bigint::{BigInt, Sign};
use bigdecimal::{BigDecimal, RoundingMode, Signed, ToPrimitive, Zero};

/// Most digits after the point of a quotient: `NUMERIC_MAX_DISPLAY_SCALE`.
const DISPLAY_SCALE_MAX: i64 = 1_000;
/// Most digits after the point: `NUMERIC_DSCALE_MAX`.
pub const SCALE_MAX: i64 = 16_383;
/// Most digits before the point: the limit of weights.
pub const DIGITS_MAX: i64 = 131_072;
/// Significant digits of a quotient at least: `NUMERIC_MIN_SIG_DIGITS`.
const SIGNIFICANT_MIN: i64 = 16;

/// Reads a number, NaN or an infinity; `None` if it is none.
///
/// # Errors
/// `22003` if it is too long.
pub fn read(text: &str) -> Result<Option<Value>> {
    let special = || match text.to_ascii_lowercase().as_str() {
        "nan" => Some(f64::NAN),
        "infinity" | "+infinity" | "inf" | "+inf" => Some(f64::INFINITY),
        "-infinity" | "-inf" => Some(f64::NEG_INFINITY),
        _ => None,
    };
    Ok(parse(text)?.map(Value::from).or_else(|| special().map(Value::from)))
}

/// Reads a number; `None` if it is none.
///
/// # Errors
/// `22003` if it is too long.
pub fn parse(text: &str) -> Result<Option<BigDecimal>> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let Ok(exponent) = exponent.parse::<i64>() else { return Ok(None) };
    let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (before, after) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = [before, after].concat();
    if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return Ok(None);
    }

    let scale = after.len() as i64 - exponent;
    if scale > SCALE_MAX || exponent > DIGITS_MAX || before.len() as i64 + exponent > DIGITS_MAX {
        return Err(overflow());
    }
    let whole = BigInt::parse_bytes(digits.as_bytes(), 10).expect("only digits");
    let whole = if mantissa.starts_with('-') { -whole } else { whole };
    let number = BigDecimal::new(whole, scale);
    Ok(Some(if scale < 0 { number.with_scale(0) } else { number }))
}

/// `numeric(precision, scale)`.
///
/// # Errors
/// `22003` if there are too many digits before the point.
pub fn fit(number: &BigDecimal, precision: u32, scale: i64) -> Result<BigDecimal> {
    let rounded = round(number, scale);
    let places = i64::from(precision) - scale;
    if rounded.is_zero() || digits_before(&rounded) <= places {
        return Ok(rounded);
    }
    let limit = if places == 0 { "1".to_owned() } else { format!("10^{places}") };
    Err(no_fit(precision, scale, &format!("must round to an absolute value less than {limit}")))
}

/// The error for what `numeric(precision, scale)` cannot be.
pub fn no_fit(precision: u32, scale: i64, reason: &str) -> SqlError {
    let detail = format!("A field with precision {precision}, scale {scale} {reason}.");
    error!(NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").detail(detail)
}

/// Digits before the point; negative if the first digits after it are zeros.
fn digits_before(number: &BigDecimal) -> i64 {
    let (whole, scale) = number.as_bigint_and_exponent();
    whole.magnitude().to_string().len() as i64 - scale
}

/// Rounds to so many digits after the point, ties away from zero. A negative number rounds before
/// the point.
pub fn round(number: &BigDecimal, scale: i64) -> BigDecimal {
    let rounded = number.with_scale_round(scale, RoundingMode::HalfUp);
    if scale < 0 { rounded.with_scale(0) } else { rounded }
}

/// Cuts to so many digits after the point.
pub fn trunc(number: &BigDecimal, scale: i64) -> BigDecimal {
    let cut = number.with_scale_round(scale, RoundingMode::Down);
    if scale < 0 { cut.with_scale(0) } else { cut }
}

/// The smallest integer that is not less (`up`), or the greatest that is not greater.
pub fn integer(number: &BigDecimal, up: bool) -> BigDecimal {
    number.with_scale_round(0, if up { RoundingMode::Ceiling } else { RoundingMode::Floor })
}

/// Divides.
///
/// # Errors
/// `22012`.
pub fn divide(left: &BigDecimal, right: &BigDecimal) -> Result<BigDecimal> {
    nonzero(right)?;
    let ((left_weight, left_digit), (right_weight, right_digit)) = (first(left), first(right));
    let weight = left_weight - right_weight - i64::from(left_digit <= right_digit);
    let (left, left_scale) = left.as_bigint_and_exponent();
    let (right, right_scale) = right.as_bigint_and_exponent();
    let scale = (SIGNIFICANT_MIN - 4 * weight).max(left_scale).max(right_scale).max(0);
    let scale = scale.min(DISPLAY_SCALE_MAX);

    let shift = scale + right_scale - left_scale;
    let power = BigInt::from(10).pow(shift.unsigned_abs() as u32);
    let (top, bottom) = if shift >= 0 { (left * power, right) } else { (left, right * power) };
    let (mut quotient, rest) = (&top / &bottom, &top % &bottom);
    if rest.abs() * 2 >= bottom.abs() {
        let is_negative = (top.sign() == Sign::Minus) != (bottom.sign() == Sign::Minus);
        quotient += if is_negative { -1 } else { 1 };
    }
    Ok(BigDecimal::new(quotient, scale))
}

/// The remainder, with the sign of the dividend.
///
/// # Errors
/// `22012`.
pub fn remainder(left: &BigDecimal, right: &BigDecimal) -> Result<BigDecimal> {
    let (left, right, scale) = aligned(left, nonzero(right)?);
    Ok(BigDecimal::new(left % right, scale))
}

fn nonzero(divisor: &BigDecimal) -> Result<&BigDecimal> {
    let divisor = Some(divisor).filter(|it| !it.is_zero());
    divisor.ok_or_else(|| error!(DIVISION_BY_ZERO, "division by zero"))
}

/// The digits of both with the larger scale.
fn aligned(left: &BigDecimal, right: &BigDecimal) -> (BigInt, BigInt, i64) {
    let scale_of = |it: &BigDecimal| it.as_bigint_and_exponent().1;
    let scale = scale_of(left).max(scale_of(right));
    let digits = |it: &BigDecimal| it.with_scale(scale).into_bigint_and_exponent().0;
    (digits(left), digits(right), scale)
}

/// A sum, or a difference if `right` is negated: with the larger scale, even if one of them is 0.
pub fn add(left: &BigDecimal, right: &BigDecimal) -> BigDecimal {
    let (left, right, scale) = aligned(left, right);
    BigDecimal::new(left + right, scale)
}

/// A product, checked for length.
///
/// # Errors
/// `22003`.
pub fn multiply(left: &BigDecimal, right: &BigDecimal) -> Result<BigDecimal> {
    // Not `left * right`, which forgets the scale if one of them is 0 or 1.
    let (left, left_scale) = left.as_bigint_and_exponent();
    let (right, right_scale) = right.as_bigint_and_exponent();
    let scale = left_scale + right_scale;
    let product = BigDecimal::new(left * right, scale);
    let product = if scale > SCALE_MAX { round(&product, SCALE_MAX) } else { product };
    checked(product)
}

/// The number, if it is not too long.
///
/// # Errors
/// `22003`.
pub fn checked(number: BigDecimal) -> Result<BigDecimal> {
    if digits_before(&number) > DIGITS_MAX { Err(overflow()) } else { Ok(number) }
}

fn overflow() -> SqlError {
    SqlError::new(code::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

/// The position of the first digit of base 10,000, and that digit.
pub fn first(number: &BigDecimal) -> (i64, u16) {
    let (whole, scale) = number.as_bigint_and_exponent();
    if whole.is_zero() {
        return (0, 0);
    }
    let digits = whole.magnitude().to_string();
    let position = digits.len() as i64 - scale - 1;
    let weight = position.div_euclid(4);
    let count = (position - 4 * weight + 1) as usize;
    let digit = format!("{digits:0<4}")[..count].parse().expect("at most four digits");
    (weight, digit)
}

/// As an integer, rounded; `None` if it does not fit 64 bits.
pub fn to_integer(number: &BigDecimal) -> Option<i64> {
    round(number, 0).to_i64()
}

/// The exact decimal form that PostgreSQL gives a finite float: 15 significant digits, or 6.
pub fn from_float(number: f64, digits: usize) -> Result<BigDecimal> {
    let text = format!("{number:.*e}", digits - 1);
    let parsed = parse(&text)?.expect("a finite float");
    let (_, scale) = parsed.as_bigint_and_exponent();
    let shortest = parsed.normalized();
    let (_, short_scale) = shortest.as_bigint_and_exponent();
    Ok(if scale > 0 { shortest.with_scale(short_scale.max(0)) } else { parsed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> BigDecimal {
        parse(text).expect(text).expect(text)
    }

    #[test]
    fn quotients_have_the_scale_of_postgresql() {
        // Asked of PostgreSQL 15.
        for (left, right, quotient) in [
            ("1", "3", "0.33333333333333333333"),
            ("10", "3", "3.3333333333333333"),
            ("2", "3", "0.66666666666666666667"),
            ("100000", "3", "33333.333333333333"),
            ("1.5", "2", "0.75000000000000000000"),
            ("-7", "2", "-3.5000000000000000"),
            ("0", "5", "0.00000000000000000000"),
            ("12345678901234567890", "7", "1763668414462081127"),
        ] {
            let found = divide(&number(left), &number(right)).expect("no zero");
            assert_eq!(found.to_plain_string(), quotient, "{left} / {right}");
        }
    }

    #[test]
    fn sums_and_products_keep_their_scale() {
        for (left, right, sum, product) in [
            ("0.00", "5", "5.00", "0.00"),
            ("100.00", "1", "101.00", "100.00"),
            ("1.50", "-1.5", "0.00", "-2.250"),
        ] {
            let (left, right) = (number(left), number(right));
            assert_eq!(add(&left, &right).to_plain_string(), sum);
            assert_eq!(multiply(&left, &right).expect("short").to_plain_string(), product);
        }
    }

    #[test]
    fn rounding_goes_away_from_zero() {
        assert_eq!(round(&number("2.5"), 0).to_plain_string(), "3");
        assert_eq!(round(&number("-2.5"), 0).to_plain_string(), "-3");
        assert_eq!(round(&number("1250"), -2).to_plain_string(), "1300");
        assert_eq!(trunc(&number("-1.59"), 1).to_plain_string(), "-1.5");
        assert_eq!(integer(&number("-1.5"), false).to_plain_string(), "-2");
        assert_eq!(remainder(&number("-7.5"), &number("2")).expect("2").to_plain_string(), "-1.5");
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_takes_memory() {
        assert!(parse("1e1000000000000").is_err());
        assert!(parse("1e-20000").is_err());
        assert_eq!(parse("1e"), Ok(None));
        assert_eq!(number("1e3").to_plain_string(), "1000");
    }
}
