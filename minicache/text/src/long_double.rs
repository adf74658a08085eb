//! The arithmetic of `INCRBYFLOAT` and `HINCRBYFLOAT`, equal to Redis in every digit.
//!
//! Redis adds in the C type `long double`. On x86-64 that is the 80-bit float of the x87, with 64
//! bits of mantissa, and the sum is written with 17 decimals. Rust has no such type, and a `f64`
//! gives other digits:
//!
//! ```text
//! 3 + 0.1      the sum                    with 17 decimals, trimmed
//! f64          3.1000000000000000888…     3.10000000000000009
//! long double  3.0999999999999999999132…  3.1
//! ```
//!
//! `rustc_apfloat`, the software floats of the Rust compiler, parses and adds numbers. This file
//! implements which texts Redis accepts, and `%.17Lf`: when printing, the crate rounds ties up, and
//! C rounds them to even. The sums in the test `sums_equal_those_of_redis` come from a real server.
//!
//! A typical sum takes 1.5 µs. The largest numbers, near 1e4932, take 5 ms to print, because the
//! crate divides by ten once per digit.
//!
//! The counterparts in Redis are `string2ld` and `ld2string` in `util.c`.

use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Round, Status};

/// A long double that is not NaN.
#[derive(Clone, Copy, Debug)]
pub struct LongDouble(X87DoubleExtended);

const DECIMALS: u32 = 17;
/// Redis copies the text into a buffer of 5 KiB and refuses longer texts.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;
/// More digits than the largest number has (4,933), so that printing never rounds.
const DIGITS_MAX: usize = 5000;

impl LongDouble {
    /// Zero, the value of a missing key.
    pub const ZERO: LongDouble = LongDouble(X87DoubleExtended::ZERO);

    /// Reads what `strtold` reads: decimals with or without fraction and exponent, hexadecimals
    /// such as `0x1.8p3`, and infinity. Returns `None` for anything else, for NaN, and for finite
    /// numbers that would become infinity or zero: "value is not a valid float".
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let mut text = str::from_utf8(text).ok()?.to_ascii_lowercase();
        match text.strip_prefix(['+', '-']).unwrap_or(&text) {
            "inf" | "infinity" => {
                let infinity = X87DoubleExtended::INFINITY;
                return Some(LongDouble(if text.starts_with('-') { -infinity } else { infinity }));
            }
            // The crate requires an exponent after hexadecimal digits; C does not.
            digits if digits.starts_with("0x") && !digits.contains('p') => text.push_str("p0"),
            // The crate accepts `1e`; C does not.
            digits if digits.ends_with(['e', '+', '-']) => return None,
            _ => {}
        }
        let read = X87DoubleExtended::from_str_r(&text, Round::NearestTiesToEven).ok()?;
        let vanished = read.value.is_zero() && read.status.contains(Status::INEXACT);
        (read.value.is_finite() && !vanished).then_some(LongDouble(read.value))
    }

    /// Returns true for both infinities.
    pub fn is_infinite(self) -> bool {
        self.0.is_infinite()
    }

    /// Returns the sum, rounded once, to nearest with ties to even. `None` if it is not finite:
    /// "increment would produce NaN or Infinity".
    pub fn plus(self, other: LongDouble) -> Option<LongDouble> {
        let sum = (self.0 + other.0).value;
        sum.is_finite().then_some(LongDouble(sum))
    }

    /// Formats the number as Redis does: at most 17 decimals, no trailing zeros, never `-0`.
    pub fn to_text(self) -> String {
        if self.is_infinite() {
            return if self.0.is_negative() { "-inf".into() } else { "inf".into() };
        }

        // The number is `mantissa / 2^power`. The exponent is in bits 64 to 78, with a bias of
        // 16383, and counts from the highest of the 63 bits below the leading one.
        let bits = self.0.to_bits();
        let power = 16383 + 63 - ((bits >> 64) & 0x7fff) as i64;
        if power <= 0 {
            return format!("{:DIGITS_MAX$.DIGITS_MAX$}", self.0);
        }

        // 64 bits of mantissa times the 57 bits of 10^17 fit into 128 bits.
        let unit = 10u128.pow(DECIMALS);
        let units = divide_by_power(u128::from(bits as u64) * unit, power);
        let text = format!("{}.{:017}", units / unit, units % unit);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        if self.0.is_negative() && units != 0 { format!("-{text}") } else { text.to_string() }
    }
}

/// Returns `value / 2^power`, rounded to the nearest integer, ties to even. `value` is less than
/// 2^127 and `power` at least 1.
fn divide_by_power(value: u128, power: i64) -> u128 {
    if power >= 128 {
        return 0;
    }
    let whole = value >> power;
    let (lost, half) = (value - (whole << power), 1 << (power - 1));
    whole + u128::from(lost > half || (lost == half && whole & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(one: &str, other: &str) -> String {
        let numbers = (LongDouble::parse(one.as_bytes()), LongDouble::parse(other.as_bytes()));
        let (Some(one), Some(other)) = numbers else { return "not a float".into() };
        one.plus(other).map_or("not finite".into(), LongDouble::to_text)
    }

    #[test]
    fn sums_equal_those_of_redis() {
        for (one, other, expected) in SUMS {
            assert_eq!(sum(one, other), *expected, "{one} + {other}");
        }
    }

    /// The results of `SET k a` and `INCRBYFLOAT k b` on a Redis 7.0.15 for x86-64.
    const SUMS: &[(&str, &str, &str)] = &[
        ("10.50", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        ("3", "0.1", "3.1"),
        ("0", "0.1", "0.1"),
        ("0.1", "0.2", "0.3"),
        ("1", "-1.1", "-0.1"),
        ("3.0e3", "-3000", "0"),
        ("-0", "0", "0"),
        ("0", "-1e-18", "0"),
        ("0", "5e-18", "0"),
        ("0", "4.9e-18", "0"),
        ("0", "15e-18", "0.00000000000000002"),
        ("9223372036854775807", "1", "9223372036854775808"),
        ("18446744073709551615", "1", "18446744073709551616"),
        ("18446744073709551615", "0.5", "18446744073709551616"),
        ("18446744073709551616", "1", "18446744073709551616"),
        ("18446744073709551616", "3", "18446744073709551620"),
        ("36893488147419103232", "2", "36893488147419103232"),
        ("36893488147419103232", "6", "36893488147419103240"),
        ("1e20", "-1", "100000000000000000000"),
        ("1.1897e4932", "1.1897e4932", "not finite"),
        ("1", "inf", "not finite"),
        ("-inf", "1", "not finite"),
        ("nan", "1", "not a float"),
        ("1", "0x1.8p1", "4"),
        ("0x", "1", "not a float"),
        ("0xfp-2", "0", "3.75"),
        ("1e-4960", "1", "not a float"),
        ("1e-4940", "1", "1"),
        ("1", "", "not a float"),
        ("1", " 1", "not a float"),
        ("1", "1 ", "not a float"),
        ("1", "1e", "not a float"),
        (".", "1", "not a float"),
        ("1.", ".5", "1.5"),
        ("+1", "1", "2"),
        ("--1", "1", "not a float"),
        ("1e99999", "1", "not a float"),
        ("0e99999", "1", "1"),
        (
            "123456789012345678901234567890",
            "0.000000000000000001",
            "123456789012345678899921813504",
        ),
        ("0.3333333333333333333333", "0.6666666666666666666666", "1"),
        ("1.000000000000000000054", "0", "1"),
        ("2.5", "-2.5", "0"),
        ("1e18", "0.12345678901234567", "1000000000000000000.125"),
        ("1e17", "0.12345678901234567", "100000000000000000.125"),
        ("-7.25", "3.5", "-3.75"),
        ("0x8000000000000001p-1", "0x8000000000000001p-1", "9223372036854775809"),
        ("0x1.0000000000000001p0", "0x1p-64", "1"),
        ("0x1.0000000000000003p0", "0x1p-64", "1"),
        ("3331478932.80407238625511848", "-14910725690109145038", "-14910725686777666105"),
        ("-17141634240580158974", "-982356204242396160.0000", "-18123990444822555134"),
        ("-0.7023114041161098", "1414508733265057138", "1414508733265057137.25"),
        ("5948531116875970096", "6100604419494869384", "12049135536370839480"),
        ("0.0000000058583", "-1577453e0", "-1577452.99999999414171725"),
        ("-1962349931465793635", "+426323284158e29", "42632328415799999999988170184647839318016"),
        ("18710013629e-23", "1542591.943450604099780", "1542591.94345060410000769"),
        ("936591533606026136089e-2136", "-14173526640566396116", "-14173526640566396116"),
        ("0.0814270735112", "-2685.42398853793", "-2685.34256146441879998"),
        ("-8e4", "-7761026994452288482518e7", "-77610269944522884825177128960"),
        ("-12642724879621035567", "11.33", "-12642724879621035556"),
        ("-940451885854382116", "0.35028348838771883", "-940451885854382115.625"),
        ("4557810183948150911", "82802332144878244580e6", "82802336702688428533219328"),
    ];

    #[test]
    fn the_greatest_number_has_all_its_digits() {
        let text = sum("0x1.fffffffffffffffep16383", "0");
        assert_eq!(text.len(), 4933);
        assert!(text.starts_with("1189731495357231765021263853030970205169063322294624200440323"));
        assert!(text.ends_with("604419552086811989770240"));
        assert_eq!(sum("0x1.fffffffffffffffep16383", "0x1p16319"), "not finite");
        assert_eq!(sum("0x1.fffffffffffffffep16383", "0x1p16318"), text);
        assert_eq!(sum("0x1.ffffffffffffffffp16383", "0"), "not a float");
    }

    #[test]
    fn the_smallest_numbers_are_told_from_zero() {
        for (text, known) in [
            ("0x1p-16445", true),
            ("0x1.8p-16446", true),
            ("0x1p-16446", false),
            ("1.9e-4951", true),
            ("1.8e-4951", false),
            ("0e-999999999999999999999", true),
            ("1e-999999999999999999999", false),
        ] {
            assert_eq!(LongDouble::parse(text.as_bytes()).is_some(), known, "{text}");
        }
    }

    #[test]
    fn texts_of_five_kilobytes_are_read_and_longer_ones_are_not() {
        let long = ["0.", &"3".repeat(TEXT_BYTES_MAX - 2)].concat();
        assert_eq!(sum(&long, "0"), "0.33333333333333333");
        assert_eq!(sum(&(long + "3"), "0"), "not a float");
        let nines = "9".repeat(4932);
        assert_eq!(sum(&nines, "0").len(), 4933);
    }

    #[test]
    fn integers_are_exact() {
        for number in [0, 1, -1, i64::MAX, i64::MIN, 1 << 53 | 1] {
            let read = LongDouble::parse(number.to_string().as_bytes()).unwrap();
            assert_eq!(read.to_text(), number.to_string());
        }
        assert!(LongDouble::parse(b"-Infinity").unwrap().is_infinite());
    }
}
