//! Numbers as text: which texts are numbers, and how numbers are written.
//!
//! A cache stores text, but it adds, compares and packs numbers. The answers to two questions are
//! visible to clients.
//!
//! **When is a text an integer?** Only if writing the integer gives the same bytes again. Otherwise
//! storing it in binary would change what the client has stored.
//!
//! ```text
//! "42" "-7" "0" "9223372036854775807"       integers
//! "042" "+7" "-0" " 1" "9223372036854775808" texts
//! ```
//!
//! **How is a score written?** With 17 significant digits, so that different doubles always have
//! different texts, and without trailing zeros: C's `%.17g`. So a score of 0.1 is returned as
//! `0.10000000000000001`, and 1e20 as `1e+20`.
//!
//! Counterparts in Redis: `string2ll`, `ll2string`, `string2d` and `d2string` in `util.c`.

use rustc_apfloat::Float;
use rustc_apfloat::ieee::Double;
use std::io::Write as _;

/// Returns the integer whose decimal form is `text`: no sign but `-`, no leading zeros, no blanks,
/// within 64 bits.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= I64_DIGITS_MAX => {}
        _ => return None,
    }
    let mut magnitude = 0u64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit - b'0');
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { magnitude.try_into().ok() }
}

/// Digits of 2^63. That many nines still fit into 64 bits, so the sum in [`parse_i64`] cannot
/// overflow.
const I64_DIGITS_MAX: usize = 19;

/// Parses a score: decimal or hexadecimal, with or without fraction and exponent, or infinity.
/// Refuses NaN, blanks, and numbers that overflow to infinity or underflow to zero.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    // Most scores are integers, and those are read in a third of the time.
    if let Some(value) = parse_i64(text) {
        return Some(value as f64);
    }
    let (value, exact) = strtod(text)?;
    (exact || (value != 0.0 && value.is_finite())).then_some(value)
}

/// The double that `text` spells where C's `strtod` decides alone, which is at the ends of a range
/// of scores: a zero byte ends the text, blanks in front do not matter, nothing at all is 0, and
/// what overflows is infinite.
pub fn parse_f64_loosely(text: &[u8]) -> Option<f64> {
    parse_prefix(text).map(|(value, _)| value)
}

/// The double that `text` spells where `SORT` looks: likewise, but what overflows, underflows, or
/// is so small that digits are lost, is refused.
pub fn parse_weight(text: &[u8]) -> Option<f64> {
    parse_prefix(text).filter(|(_, exact)| *exact).map(|(value, _)| value)
}

/// See [`parse_f64_loosely`] and [`strtod`].
fn parse_prefix(text: &[u8]) -> Option<(f64, bool)> {
    if let Some(value) = parse_i64(text) {
        return Some((value as f64, true));
    }
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some((0.0, true));
    }
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    strtod(&text[text.iter().take_while(|byte| blank(byte)).count()..])
}

/// Reads a text as C's `strtod` does. Also returns true if the number is in the range where doubles
/// have all their digits. Returns `None` if not the whole text is a number, and for NaN.
fn strtod(text: &[u8]) -> Option<(f64, bool)> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let (value, mantissa) = match digits {
        [b'+' | b'-', ..] => return None,
        [b'0', b'x' | b'X', digits @ ..] => {
            let end = digits.iter().position(|byte| matches!(byte, b'p' | b'P'));
            (parse_hex(digits)?, &digits[..end.unwrap_or(digits.len())])
        }
        _ => {
            let end = digits.iter().position(|byte| matches!(byte, b'e' | b'E'));
            let value: f64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
            (value, &digits[..end.unwrap_or(digits.len())])
        }
    };
    let spelt_out = matches!(digits, [b'i' | b'I', ..]);
    let zero = !spelt_out && mantissa.iter().all(|byte| matches!(byte, b'0' | b'.'));
    let exact = spelt_out || zero || value.is_normal();
    (!value.is_nan()).then_some((if negative { -value } else { value }, exact))
}

/// The double that hexadecimal digits spell after `0x`, as C's `strtod` reads them: `1.8p3` is 12.
/// Returns 0 or infinity if it is out of range. Rust's `parse` reads no hexadecimals, but the
/// software floats of the compiler do; they require the exponent that C makes optional.
fn parse_hex(digits: &[u8]) -> Option<f64> {
    let exponent = if digits.iter().any(|byte| matches!(byte, b'p' | b'P')) { "" } else { "p0" };
    let text = format!("0x{}{exponent}", str::from_utf8(digits).ok()?);
    Some(f64::from_bits(text.parse::<Double>().ok()?.to_bits() as u64))
}

/// Room for the longest double, written without allocating.
pub struct DtoaBuf {
    integer: itoa::Buffer,
    text: [u8; 32],
}

impl DtoaBuf {
    pub fn new() -> DtoaBuf {
        DtoaBuf { integer: itoa::Buffer::new(), text: [0; 32] }
    }

    /// `value` with 17 significant digits, the way scores appear in replies (`inf` and `-inf`
    /// included).
    pub fn format(&mut self, value: f64) -> &[u8] {
        let negative_zero = value == 0.0 && value.is_sign_negative();
        if value.is_nan() {
            b"nan"
        } else if value.is_infinite() {
            if value > 0.0 { b"inf" } else { b"-inf" }
        } else if value.trunc() == value && value.abs() < INTEGER_LIMIT && !negative_zero {
            self.integer.format(value as i64).as_bytes()
        } else {
            let len = write_general(&mut self.text, value);
            &self.text[..len]
        }
    }
}

/// Whole numbers below this have at most 17 digits, so they print without an exponent.
const INTEGER_LIMIT: f64 = 1e17;
/// Digits that tell any two doubles apart.
const SIGNIFICANT: usize = 17;

/// Writes `%.17g` of a finite value and returns the length, at most 24 as in
/// `-1.2345678901234567e-308`.
fn write_general(out: &mut [u8; 32], value: f64) -> usize {
    let mut out = Writer { bytes: out, len: 0 };
    if value.is_sign_negative() {
        out.put(b"-");
    }
    let decimal = Decimal::of(value);
    if (-4..SIGNIFICANT as i32).contains(&decimal.exponent) {
        decimal.write_plain(&mut out);
    } else {
        decimal.write_scientific(&mut out);
    }
    out.len
}

/// A finite value as `d.ddd` times a power of ten.
struct Decimal {
    digits: [u8; SIGNIFICANT],
    /// How many digits are left without the trailing zeros; one at least.
    kept: usize,
    exponent: i32,
}

impl Decimal {
    /// Rust rounds `{:.16e}` exactly, as C does; only where it puts digits and exponent differs.
    fn of(value: f64) -> Decimal {
        let mut text = [0; 32];
        let mut rest = &mut text[..];
        write!(rest, "{:.16e}", value.abs()).expect("a point, an e and 21 digits at most");
        let len = 32 - rest.len();
        let mut digits = [text[0]; SIGNIFICANT];
        digits[1..].copy_from_slice(&text[2..18]);
        let exponent = parse_i64(&text[19..len]).expect("an exponent follows the e");
        let zeros = digits[1..].iter().rev().take_while(|digit| **digit == b'0').count();
        Decimal { digits, kept: SIGNIFICANT - zeros, exponent: exponent as i32 }
    }

    fn write_plain(&self, out: &mut Writer) {
        let digits = &self.digits[..self.kept];
        if self.exponent < 0 {
            out.put(b"0.");
            (1..-self.exponent).for_each(|_| out.put(b"0"));
            return out.put(digits);
        }
        let whole = self.exponent as usize + 1;
        if self.kept > whole {
            out.put(&digits[..whole]);
            out.put(b".");
            out.put(&digits[whole..]);
        } else {
            out.put(&self.digits[..whole]);
        }
    }

    fn write_scientific(&self, out: &mut Writer) {
        out.put(&self.digits[..1]);
        if self.kept > 1 {
            out.put(b".");
            out.put(&self.digits[1..self.kept]);
        }
        out.put(if self.exponent < 0 { b"e-" } else { b"e+" });
        let magnitude = self.exponent.unsigned_abs();
        if magnitude < 10 {
            out.put(b"0");
        }
        out.put(itoa::Buffer::new().format(magnitude).as_bytes());
    }
}

/// Appends to a buffer known to be long enough.
struct Writer<'a> {
    bytes: &'a mut [u8; 32],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rng::Rng;

    fn written(value: f64) -> String {
        String::from_utf8(DtoaBuf::new().format(value).to_vec()).unwrap()
    }

    #[test]
    fn integers_have_one_spelling() {
        for text in ["0", "1", "-1", "42", "-9223372036854775808", "9223372036854775807"] {
            let value = parse_i64(text.as_bytes()).unwrap();
            assert_eq!(itoa::Buffer::new().format(value).as_bytes(), text.as_bytes());
        }
        let strangers = [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "01",
            "-01",
            " 1",
            "1 ",
            "1a",
            "a",
            "--1",
            "1.0",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
        ];
        strangers.iter().for_each(|text| assert_eq!(parse_i64(text.as_bytes()), None, "{text}"));
    }

    #[test]
    fn every_integer_returns_from_its_text() {
        let mut rng = Rng::new(1);
        for _ in 0..20_000 {
            let value = rng.next_u64() as i64 >> rng.below(64);
            let mut buf = itoa::Buffer::new();
            let text = buf.format(value).as_bytes();
            assert_eq!(text, value.to_string().as_bytes());
            assert_eq!(parse_i64(text), Some(value));
        }
    }

    #[test]
    fn scores_are_decimal_or_infinite() {
        let accepted = [
            ("1", 1.0),
            ("+1", 1.0),
            ("-1.5", -1.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1E-2", 0.01),
            ("inf", f64::INFINITY),
            ("+inf", f64::INFINITY),
            ("0e5", 0.0),
            ("-Infinity", f64::NEG_INFINITY),
            ("5.e1", 50.0),
            ("5e-324", 5e-324),
            ("0x10", 16.0),
            ("-0X1.8p+3", -12.0),
            ("0x0p9999", 0.0),
        ];
        accepted.iter().for_each(|(text, value)| {
            assert_eq!(parse_f64(text.as_bytes()), Some(*value), "{text}");
        });
        assert!(parse_f64(b"-0").is_some_and(f64::is_sign_negative));
        let refused = [
            "",
            "nan",
            "-nan",
            " 1",
            "1 ",
            "1e",
            "e1",
            ".",
            "+",
            "1,5",
            "1_0",
            "in",
            "1e400",
            "-1e400",
            "1e-400",
            "\u{661}",
            "1\0",
            "--1",
            "+-1",
            "0x",
            "0x1p",
            "0x1p2000",
            "0x1p-2000",
            "0x1 ",
            "0x-1",
            "nan(1)",
            "infinit",
        ];
        refused.iter().for_each(|text| assert_eq!(parse_f64(text.as_bytes()), None, "{text}"));
        assert_eq!(parse_f64(b"\xff"), None);
    }

    #[test]
    fn ends_of_ranges_are_taken_loosely() {
        for (text, value) in [
            ("", Some(0.0)),
            (" \t1.5", Some(1.5)),
            ("1e400", Some(f64::INFINITY)),
            ("-inf", Some(f64::NEG_INFINITY)),
            (" ", None),
            ("1 ", None),
            ("nan", None),
            ("1x", None),
            (" 0x1p-1", Some(0.5)),
        ] {
            assert_eq!(parse_f64_loosely(text.as_bytes()), value, "{text:?}");
        }
        assert_eq!(parse_weight(b" 1.5\0x"), Some(1.5));
        assert_eq!(parse_weight(b"-inf"), Some(f64::NEG_INFINITY));
        for text in ["1e400", "1e-400", "1e-310"] {
            assert_eq!(parse_weight(text.as_bytes()), None, "{text}");
        }
    }

    /// The expected texts are replies of Redis 7.0.15 to `ZSCORE`.
    #[test]
    fn scores_are_written_with_seventeen_digits() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-42.0, "-42"),
            (0.1, "0.10000000000000001"),
            (1.5, "1.5"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1e20, "1e+20"),
            (1.25e-5, "1.2500000000000001e-05"),
            (0.0001, "0.0001"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (99_999_999_999_999_984.0, "99999999999999984"),
            (123_456_789.125, "123456789.125"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (-1.234_567_890_123_456_7e-300, "-1.2345678901234568e-300"),
            (1.0 / 3.0, "0.33333333333333331"),
        ];
        cases.iter().for_each(|(value, text)| assert_eq!(written(*value), *text));
    }

    #[test]
    fn every_double_returns_from_its_text() {
        let mut rng = Rng::new(2);
        for _ in 0..20_000 {
            let value = f64::from_bits(rng.next_u64());
            if value.is_finite() {
                let back = parse_f64(written(value).as_bytes()).unwrap();
                assert_eq!(back.to_bits(), value.to_bits());
            }
        }
    }

    #[test]
    fn hexadecimals_are_those_of_strtod() {
        for (text, value) in [
            ("10", 16.0),
            ("1p3", 8.0),
            ("1P+3", 8.0),
            (".8", 0.5),
            ("8.", 8.0),
            ("aP-2", 2.5),
            ("1e5", 485.0),
            ("0p99999999999999999999", 0.0),
            ("1p99999999999999999999", f64::INFINITY),
            ("1p-99999999999999999999", 0.0),
            ("1p1024", f64::INFINITY),
            ("1.fffffffffffff7p1023", f64::MAX),
            ("1.fffffffffffff8p1023", f64::INFINITY),
            ("1.00000000000008p0", 1.0),
            ("1.000000000000080000000000000001p0", 1.000_000_000_000_000_2),
            ("1.00000000000018p0", 1.000_000_000_000_000_4),
            ("1p-1074", 5e-324),
            ("1p-1075", 0.0),
            ("1.8p-1075", 5e-324),
            ("1.8p-1074", 1e-323),
            ("0.fffffffffffffp-1022", 2.225_073_858_507_201e-308),
            ("0.fffffffffffff8p-1022", f64::MIN_POSITIVE),
            ("123456789abcdef0123", 5.373_003_642_731_685e21),
        ] {
            assert_eq!(parse_hex(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["", ".", "p1", "1p", "1p+", "1p1x", "1.2.3", "g", "1 ", "-1"] {
            assert_eq!(parse_hex(text.as_bytes()), None, "{text}");
        }
        let zeros = "0".repeat(400);
        assert_eq!(parse_hex(format!("1{zeros}").as_bytes()), Some(f64::INFINITY));
        assert_eq!(parse_hex(format!("1{zeros}p-1600").as_bytes()), Some(1.0));
        assert_eq!(parse_hex(format!(".{zeros}1p1604").as_bytes()), Some(1.0));
    }
}
