//! Random elements: the count of `HRANDFIELD`, `SRANDMEMBER` and `ZRANDMEMBER`.
//!
//! ```text
//! SRANDMEMBER s 2      two different members
//! SRANDMEMBER s -2     two draws, perhaps of the same member
//! SRANDMEMBER s 100    all members, if there are no more than that
//! ```
//!
//! A container numbers its elements, so drawing elements is drawing numbers below its length. The
//! draw is even. Redis chooses among three methods by how the count compares with the length
//! (`srandmemberWithCountCommand` in `t_set.c`); the numbers need none of them.

use super::Call;
use crate::engine::{error::Error, rng::Rng};
use crate::format::{listpack::Element, number::parse_i64};
use crate::wire::reply::{Protocol, Reply};

/// The number of elements to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// This many different elements, or all if there are fewer.
    Different(usize),
    /// This many draws, each from all elements.
    Repeatable(usize),
}

impl Draw {
    /// Reads a count; a negative one allows repetitions.
    pub fn parse(argument: &[u8]) -> Result<Draw, Error> {
        match parse_i64(argument).ok_or(Error::NOT_AN_INTEGER)? {
            i64::MIN => Err(Error::text(format!(
                "ERR value is out of range, value must between {} and {}",
                -i64::MAX,
                i64::MAX
            ))),
            count if count < 0 => Ok(Draw::Repeatable(count.unsigned_abs() as usize)),
            count => Ok(Draw::Different(count as usize)),
        }
    }

    /// Reads `count [option]` from argument 2 on; the option asks for pairs.
    pub fn parse_with_option(c: &Call, option: &str) -> Result<(Draw, Listing), Error> {
        let draw = Draw::parse(c.arg(2))?;
        match c.args.len() {
            3 => Ok((draw, Listing::Names)),
            4 if c.is(3, option) => Ok((draw.of_pairs()?, Listing::new(true, c.out.protocol))),
            _ => Err(Error::SYNTAX),
        }
    }

    /// The same for pairs, of which half as many are allowed.
    fn of_pairs(self) -> Result<Draw, Error> {
        let (Draw::Different(count) | Draw::Repeatable(count)) = self;
        let too_many = count as u64 > i64::MAX as u64 / 2;
        if too_many { Err(Error::new("ERR value is out of range")) } else { Ok(self) }
    }

    /// The number of elements that a container of `len` elements yields.
    pub fn len(self, len: usize) -> usize {
        match self {
            Draw::Different(count) => count.min(len),
            Draw::Repeatable(count) => count,
        }
    }

    /// Passes the numbers of the elements drawn out of `len` to `visit`, until it returns false.
    /// Returns true if it never did.
    pub fn all(self, len: usize, rng: &mut Rng, mut visit: impl FnMut(usize) -> bool) -> bool {
        match self {
            Draw::Repeatable(count) => (0..count).all(|_| visit(rng.below(len))),
            Draw::Different(count) if count >= len => (0..len).all(visit),
            Draw::Different(count) => rng.distinct(len, count).into_iter().all(visit),
        }
    }
}

/// How a reply lists elements that may come with a second part: a score or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Names alone.
    Names,
    /// Name, second part, name, second part.
    Flat,
    /// An array of two for each element.
    Pairs,
}

impl Listing {
    /// Names, or what the protocol makes of pairs.
    pub fn new(in_pairs: bool, protocol: Protocol) -> Listing {
        match (in_pairs, protocol) {
            (false, _) => Listing::Names,
            (true, Protocol::Resp2) => Listing::Flat,
            (true, Protocol::Resp3) => Listing::Pairs,
        }
    }

    /// The header of `count` elements.
    pub fn header(self, out: &mut Reply, count: usize) {
        out.array(if self == Listing::Flat { 2 * count } else { count });
    }

    /// One element. `write_second` writes its second part.
    pub fn pair(self, out: &mut Reply, name: Element, write_second: impl FnOnce(&mut Reply)) {
        if self == Listing::Pairs {
            out.array(2);
        }
        out.element(name);
        if self != Listing::Names {
            write_second(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(count: &str, len: usize) -> Vec<usize> {
        let mut places = Vec::new();
        let draw = Draw::parse(count.as_bytes()).unwrap();
        assert!(draw.all(len, &mut Rng::new(1), |place| {
            places.push(place);
            true
        }));
        assert_eq!(places.len(), draw.len(len));
        places
    }

    #[test]
    fn the_sign_allows_repetitions() {
        assert!(drawn("0", 5).is_empty());
        assert_eq!(drawn("9", 5), [0, 1, 2, 3, 4]);
        let mut three = drawn("3", 5);
        three.sort_unstable();
        three.dedup();
        assert_eq!(three.len(), 3);
        let many = drawn("-100", 5);
        assert!((0..5).all(|place| many.contains(&place)) && many.iter().all(|place| *place < 5));
    }

    #[test]
    fn counts_have_limits() {
        let least = i64::MIN.to_string();
        let text = "ERR value is out of range, value must between -9223372036854775807 and \
                    9223372036854775807";
        assert_eq!(Draw::parse(least.as_bytes()).unwrap_err().0, text);
        assert_eq!(Draw::parse(b"1.0"), Err(Error::NOT_AN_INTEGER));
        let half = Draw::parse(b"-4611686018427387903").unwrap();
        assert_eq!(half.of_pairs(), Ok(Draw::Repeatable(4611686018427387903)));
        assert!(Draw::parse(b"4611686018427387904").unwrap().of_pairs().is_err());
    }

    #[test]
    fn a_draw_can_be_stopped() {
        let mut visits = 0;
        let draw = Draw::parse(b"-9223372036854775807").unwrap();
        assert!(!draw.all(3, &mut Rng::new(1), |_| {
            visits += 1;
            visits < 10
        }));
        assert_eq!(visits, 10);
    }
}
