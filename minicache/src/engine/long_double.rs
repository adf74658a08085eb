//! The arithmetic of `INCRBYFLOAT` and `HINCRBYFLOAT`, to the digit.
//!
//! Redis adds in the C type `long double`, which on x86-64 is a float of 80 bits with a mantissa of
//! 64, and writes the sum with 17 decimals. Rust has no type with that mantissa, and doubles would
//! show, so it is done in integers:
//!
//! ```text
//! 3 + 0.1      the sum                    with 17 decimals, trimmed
//! double       3.1000000000000000888…     3.10000000000000009
//! long double  3.0999999999999999999132…  3.1
//! ```
//!
//! A number is `mantissa * 2^exponent`, the top bit of the mantissa being set. Three things lose
//! digits: reading decimals, adding, and writing 17 decimals. Each is computed exactly, or with one
//! bit that stands for all that was lost, and then rounded once, to nearest, ties to even. Numbers
//! far from 1 need big integers for that; [`Big`] has the few operations it takes.
//!
//! Left out: the very smallest numbers have fewer bits in hardware; here they keep all 64, which
//! 17 decimals cannot show. The counterparts in Redis are `string2ld` and `ld2string` in `util.c`.

use std::cmp::Ordering;

/// A long double that is not NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    /// The top bit is set, unless the number is zero.
    mantissa: u64,
    /// The power of two that the lowest bit of the mantissa stands for, or [`INFINITE`].
    exponent: i64,
}

/// The exponent of infinity.
const INFINITE: i64 = i64::MAX;
/// The greatest exponent of a number: all are less than 2^16384.
const EXPONENT_MAX: i64 = 16384 - 64;
/// Numbers up to two to this power become zero.
const VANISHING: i64 = -16446;
/// Decimals written.
const DECIMALS: u32 = 17;
/// Texts longer than this are no numbers to Redis.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;

impl LongDouble {
    /// Zero.
    pub const ZERO: LongDouble = LongDouble { negative: false, mantissa: 0, exponent: 0 };

    /// Reads what `strtold` reads: decimals with or without fraction and exponent, hexadecimals as
    /// in `0x1.8p3`, infinity. `None` for all else, for NaN, and for numbers so great or so small
    /// that they would become infinity or zero: "value is not a valid float".
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (negative, digits) = match text {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        let number = match digits {
            [b'i' | b'I', ..] => {
                let spelt = ["inf", "infinity"];
                let known = spelt.iter().any(|it| digits.eq_ignore_ascii_case(it.as_bytes()));
                known.then_some(LongDouble { exponent: INFINITE, ..LongDouble::ZERO })
            }
            [b'0', b'x' | b'X', digits @ ..] => Numeral::parse(digits, 16, b'p')?.binary_value(),
            digits => Numeral::parse(digits, 10, b'e')?.decimal_value(),
        };
        number.map(|number| LongDouble { negative, ..number })
    }

    /// Whether it is infinite, in either direction.
    pub fn is_infinite(self) -> bool {
        self.exponent == INFINITE
    }

    /// The sum, rounded once. `None` if it is not a finite number: "increment would produce NaN or
    /// Infinity".
    pub fn plus(self, other: LongDouble) -> Option<LongDouble> {
        if self.is_infinite() || other.is_infinite() {
            return None;
        }
        let (great, small) = if other.outweighs(self) { (other, self) } else { (self, other) };
        if small.mantissa == 0 {
            return Some(great);
        }
        // The greater one takes bits 62 to 125 of 128: above it is room for a carry, below it for
        // 62 bits of the smaller one. Whatever of that falls off is far below the rounding.
        let high = u128::from(great.mantissa) << 62;
        let low = shifted_right(u128::from(small.mantissa) << 62, great.exponent - small.exponent);
        let sum = if great.negative == small.negative { high + low } else { high - low };
        rounded(sum, great.exponent - 62)
            .map(|sum| LongDouble { negative: great.negative && sum.mantissa != 0, ..sum })
    }

    /// Whether it is farther from zero.
    fn outweighs(self, other: LongDouble) -> bool {
        let both = self.mantissa != 0 && other.mantissa != 0;
        let greater = (self.exponent, self.mantissa) > (other.exponent, other.mantissa);
        if both { greater } else { other.mantissa == 0 }
    }

    /// What Redis keeps and replies: at most 17 decimals, no trailing zeros, never `-0`.
    pub fn to_text(self) -> String {
        if self.is_infinite() {
            return if self.negative { "-inf".into() } else { "inf".into() };
        }
        let unit = 10u128.pow(DECIMALS);
        let mut text = String::new();
        if self.exponent >= 0 {
            let whole = Big::from(u128::from(self.mantissa)).shifted_left(self.exponent as usize);
            text.push_str(&whole.to_text());
        } else {
            let units = divided_by_power(u128::from(self.mantissa) * unit, -self.exponent);
            text.push_str(&(units / unit).to_string());
            let decimals = format!(".{:017}", units % unit);
            text.push_str(decimals.trim_end_matches('0').trim_end_matches('.'));
        }
        if self.negative && text != "0" { format!("-{text}") } else { text }
    }
}

/// `value * 2^exponent` with 64 bits of mantissa; `None` if it is too great. If bits below `value`
/// were lost, its lowest bit must be set and be beyond the 64.
fn rounded(value: u128, exponent: i64) -> Option<LongDouble> {
    let spare = 64 - i64::from(value.leading_zeros());
    let (mut mantissa, mut exponent) = match value {
        0 => return Some(LongDouble::ZERO),
        _ if spare <= 0 => (value << -spare, exponent + spare),
        _ => (divided_by_power(value, spare), exponent + spare),
    };
    if mantissa == 1 << 64 {
        (mantissa, exponent) = (1 << 63, exponent + 1);
    }
    let number = LongDouble { negative: false, mantissa: mantissa as u64, exponent };
    (exponent <= EXPONENT_MAX).then_some(number)
}

/// `value / 2^power` to the nearest integer, ties to even, for values below 2^127 and powers from
/// 1.
fn divided_by_power(value: u128, power: i64) -> u128 {
    if power >= 128 {
        return 0;
    }
    let whole = value >> power;
    let lost = value & ((1 << power) - 1);
    let up = match lost.cmp(&(1 << (power - 1))) {
        Ordering::Less => false,
        Ordering::Equal => whole & 1 == 1,
        Ordering::Greater => true,
    };
    whole + u128::from(up)
}

/// `value >> by` with the lowest bit set if a bit was lost.
fn shifted_right(value: u128, by: i64) -> u128 {
    if by >= 128 {
        return 1;
    }
    let shifted = value >> by;
    shifted | u128::from(shifted << by != value)
}

/// A number as it was written: all digits as one integer, and the powers to multiply it with.
struct Numeral {
    digits: Big,
    /// How many digits there are from the first that is not 0.
    significant: i64,
    /// How many of them stand behind the point.
    fraction: i64,
    /// The exponent, in so far as it matters: far beyond the bounds is as good as farther.
    exponent: i64,
}

impl Numeral {
    /// Reads digits of a radix, perhaps with a point, and perhaps with an exponent behind a letter.
    fn parse(text: &[u8], radix: u32, letter: u8) -> Option<Numeral> {
        let end = text.iter().position(|byte| byte.to_ascii_lowercase() == letter);
        let (digits, exponent) = match end {
            Some(end) => (&text[..end], Numeral::exponent(&text[end + 1..])?),
            None => (text, 0),
        };
        let point = digits.iter().position(|byte| *byte == b'.');
        let fraction = point.map_or(0, |point| digits.len() - point - 1);
        let mut number = Numeral { digits: Big(vec![]), significant: 0, fraction: 0, exponent };
        let mut any = false;
        for (index, byte) in digits.iter().enumerate() {
            if Some(index) != point {
                let digit = char::from(*byte).to_digit(radix)?;
                number.digits.multiply_and_add(radix, digit);
                number.significant += i64::from(number.significant > 0 || digit > 0);
                any = true;
            }
        }
        number.fraction = fraction as i64;
        any.then_some(number)
    }

    fn exponent(text: &[u8]) -> Option<i64> {
        const FAR: i64 = 1_000_000;
        let (sign, digits) = match text {
            [b'-', digits @ ..] => (-1, digits),
            [b'+', digits @ ..] => (1, digits),
            digits => (1, digits),
        };
        let valid = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let add = |sum: i64, digit: &u8| (sum * 10 + i64::from(digit - b'0')).min(FAR);
        valid.then(|| sign * digits.iter().fold(0, add))
    }

    fn binary_value(self) -> Option<LongDouble> {
        self.digits.rounded(self.exponent - 4 * self.fraction)
    }

    fn decimal_value(self) -> Option<LongDouble> {
        let power = self.exponent - self.fraction;
        // It is less than ten to this power, and at least a tenth of that. Beyond these bounds the
        // answer is known, and within them the integers stay below 5 KiB.
        let magnitude = power + self.significant;
        if self.significant == 0 {
            return Some(LongDouble::ZERO);
        } else if !(-4951..=4934).contains(&magnitude) {
            return None;
        }
        if power >= 0 {
            return self.digits.multiplied_by_ten_to(power).rounded(0);
        }
        let divisor = Big::from(1).multiplied_by_ten_to(-power);
        let (quotient, shift) = self.digits.divided(divisor);
        Big::from(quotient).rounded(-shift)
    }
}

/// A big integer: 32 bits an element, the lowest first, no zeros at the end.
#[derive(PartialEq, Eq)]
struct Big(Vec<u32>);

impl From<u128> for Big {
    fn from(number: u128) -> Big {
        let parts = (0..4).map(|part| (number >> (32 * part)) as u32);
        let mut big = Big(parts.collect());
        big.trim();
        big
    }
}

impl Big {
    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn bits(&self) -> i64 {
        let top = self.0.last().map_or(0, |part| part.leading_zeros());
        self.0.len() as i64 * 32 - i64::from(top)
    }

    fn multiply_and_add(&mut self, factor: u32, mut carry: u32) {
        for part in &mut self.0 {
            let product = u64::from(*part) * u64::from(factor) + u64::from(carry);
            (*part, carry) = (product as u32, (product >> 32) as u32);
        }
        if carry > 0 {
            self.0.push(carry);
        }
    }

    fn multiplied_by_ten_to(mut self, power: i64) -> Big {
        (0..power / 9).for_each(|_| self.multiply_and_add(1_000_000_000, 0));
        (0..power % 9).for_each(|_| self.multiply_and_add(10, 0));
        self
    }

    fn shifted_left(&self, by: usize) -> Big {
        let mut parts = vec![0; by / 32];
        parts.extend_from_slice(&self.0);
        let mut shifted = Big(parts);
        shifted.multiply_and_add(1 << (by % 32), 0);
        shifted
    }

    /// Halves it, losing the lowest bit.
    fn halve(&mut self) {
        let mut carry = 0;
        for part in self.0.iter_mut().rev() {
            (*part, carry) = (*part >> 1 | carry << 31, *part & 1);
        }
        self.trim();
    }

    /// Subtracts a number that is not greater.
    fn subtract(&mut self, other: &Big) {
        let mut borrow = false;
        for (index, part) in self.0.iter_mut().enumerate() {
            let take = other.0.get(index).copied().unwrap_or(0);
            let (rest, first) = part.overflowing_sub(take);
            let (rest, second) = rest.overflowing_sub(u32::from(borrow));
            (*part, borrow) = (rest, first || second);
        }
        self.trim();
    }

    fn at_least(&self, other: &Big) -> bool {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev())).is_ge()
    }

    /// `self * 2^shift / divisor`, with a shift that gives the quotient 66 or 67 bits; its lowest
    /// bit is set if a rest remains. School division, a bit at a time.
    fn divided(self, divisor: Big) -> (u128, i64) {
        let shift = divisor.bits() - self.bits() + 66;
        let mut rest = self.shifted_left(shift.max(0) as usize);
        let mut divisor = divisor.shifted_left(67 + (-shift).max(0) as usize);
        let mut quotient = 0;
        for _ in 0..=67 {
            quotient <<= 1;
            if rest.at_least(&divisor) {
                rest.subtract(&divisor);
                quotient |= 1;
            }
            divisor.halve();
        }
        (quotient | u128::from(!rest.0.is_empty()), shift)
    }

    /// `self * 2^exponent` as a long double, `None` if it is too great or vanishes.
    fn rounded(&self, exponent: i64) -> Option<LongDouble> {
        // The highest four parts hold 97 bits at least; of the others it only matters if there are
        // any.
        let skipped = self.0.len().saturating_sub(4);
        let (low, high) = self.0.split_at(skipped);
        let high = high.iter().rev().fold(0u128, |sum, part| sum << 32 | u128::from(*part));
        let lost = low.iter().any(|part| *part != 0);
        let number = rounded(high | u128::from(lost), exponent + 32 * skipped as i64)?;
        let top = number.exponent + 63;
        let vanishes = top < VANISHING || (top == VANISHING && number.mantissa == 1 << 63);
        (number.mantissa == 0 || !vanishes).then_some(number)
    }

    fn to_text(&self) -> String {
        const BILLION: u64 = 1_000_000_000;
        let mut number = Big(self.0.clone());
        let mut groups = Vec::new();
        while !number.0.is_empty() {
            let mut rest = 0;
            for part in number.0.iter_mut().rev() {
                let value = rest << 32 | u64::from(*part);
                (*part, rest) = ((value / BILLION) as u32, value % BILLION);
            }
            number.trim();
            groups.push(rest);
        }
        let mut text = groups.pop().unwrap_or(0).to_string();
        groups.iter().rev().for_each(|group| text.push_str(&format!("{group:09}")));
        text
    }
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
    fn sums_are_those_of_redis() {
        for (one, other, expected) in SUMS {
            assert_eq!(sum(one, other), *expected, "{one} + {other}");
        }
    }

    /// What `SET k a` and `INCRBYFLOAT k b` gave on a Redis 7.0.15 for x86-64.
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
