//! Hexadecimal floats, which C's `strtod` reads and Rust's `parse` does not.
//!
//! ```text
//! 0x1.8p3     1.5 * 2^3                12
//! 0x10        no exponent              16
//! 0x.8        no digit before it       0.5
//! 0x1p-1074   the smallest there is    4.9406564584124654e-324
//! ```
//!
//! Nobody writes scores like this, but Redis takes them (`strtod` under `string2d` in `util.c`), so
//! a score must not be refused here. Digits beyond what a double holds round to nearest, ties to
//! even: they are kept as one sticky bit, as long as 60 bits of the others are.

/// The number that stands behind `0x`; 0 or infinite where it is too small or too great. `None` if
/// it is none. Linear in the text.
pub fn parse(text: &[u8]) -> Option<f64> {
    let at = text.iter().position(|byte| matches!(byte, b'p' | b'P'));
    let (digits, exponent) = match at {
        None => (text, 0),
        Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
    };
    let mut number = Number { mantissa: 0, lost: false, exponent };
    let (mut point, mut any) = (false, false);
    for byte in digits {
        match char::from(*byte).to_digit(16) {
            Some(digit) => number.push(digit.into(), point),
            None if *byte == b'.' && !point => point = true,
            None => return None,
        }
        any |= *byte != b'.';
    }
    any.then(|| number.rounded())
}

/// Digits with a sign; beyond 64 bits it stays at the end of them.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: i64, digit: &u8| sum.saturating_mul(10).saturating_add((digit - b'0').into());
    let magnitude = digits.iter().fold(0, add);
    Some(if negative { -magnitude } else { magnitude })
}

/// `mantissa * 2^exponent`, and whether there is a little more.
struct Number {
    mantissa: u64,
    lost: bool,
    exponent: i64,
}

impl Number {
    /// One more digit; behind the point it makes the number no greater.
    fn push(&mut self, digit: u64, behind_point: bool) {
        let has_room = self.mantissa < 1 << 58;
        if has_room {
            self.mantissa = self.mantissa * 16 + digit;
        } else {
            self.lost |= digit != 0;
        }
        let step = 4 * (i64::from(!has_room) - i64::from(behind_point));
        self.exponent = self.exponent.saturating_add(step);
    }

    /// The nearest double.
    fn rounded(&self) -> f64 {
        if self.mantissa == 0 {
            return 0.0;
        }
        // One more bit below tells a tie from a little more than one.
        let mantissa = u128::from(self.mantissa << 1 | u64::from(self.lost));
        let exponent = self.exponent.saturating_sub(1);
        let top = exponent.saturating_add(127 - i64::from(mantissa.leading_zeros()));
        if top > i64::from(f64::MAX_EXP) {
            return f64::INFINITY;
        }
        // What the lowest bit of the double is worth, and how far that is above ours.
        let unit = top.saturating_sub(52).max(-1074);
        let shift = unit.saturating_sub(exponent);
        let kept = match shift {
            ..=0 => mantissa << -shift,
            1..=64 => {
                let kept = mantissa >> shift;
                let (rest, half) = (mantissa - (kept << shift), 1 << (shift - 1));
                kept + u128::from(rest > half || (rest == half && kept & 1 == 1))
            }
            _ => 0,
        };
        // The hidden bit counts the exponent up by one, and so does a carry out of the mantissa:
        // beyond the greatest double that gives the bits of infinity.
        let bits = ((unit + 1074) as u64) << 52;
        f64::from_bits(bits + kept as u64).min(f64::INFINITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strtod_makes_of_them() {
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
            assert_eq!(parse(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["", ".", "p1", "1p", "1p+", "1p1x", "1.2.3", "g", "1 ", "-1"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        let zeros = "0".repeat(400);
        assert_eq!(parse(format!("1{zeros}").as_bytes()), Some(f64::INFINITY));
        assert_eq!(parse(format!("1{zeros}p-1600").as_bytes()), Some(1.0));
        assert_eq!(parse(format!(".{zeros}1p1604").as_bytes()), Some(1.0));
    }
}
