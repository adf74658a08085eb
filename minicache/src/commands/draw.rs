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

use crate::engine::{error::Error, rng::Rng};
use crate::format::number::parse_i64;

/// How many elements are to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// So many different ones, or all.
    Different(usize),
    /// So many, each one out of all.
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

    /// The same for elements that come with a second part, such as a value: there may be half as
    /// many.
    pub fn of_pairs(self) -> Result<Draw, Error> {
        let (Draw::Different(count) | Draw::Repeatable(count)) = self;
        let too_many = count as u64 > i64::MAX as u64 / 2;
        if too_many { Err(Error::new("ERR value is out of range")) } else { Ok(self) }
    }

    /// How many elements a container of `len` elements yields.
    pub fn len(self, len: usize) -> usize {
        match self {
            Draw::Different(count) => count.min(len),
            Draw::Repeatable(count) => count,
        }
    }

    /// Shows the places of the elements drawn out of `len` to `visit`, until it answers false;
    /// whether it never did.
    pub fn all(self, len: usize, rng: &mut Rng, mut visit: impl FnMut(usize) -> bool) -> bool {
        match self {
            Draw::Repeatable(count) => (0..count).all(|_| visit(rng.below(len))),
            Draw::Different(count) if count >= len => (0..len).all(visit),
            Draw::Different(count) => rng.distinct(len, count).into_iter().all(visit),
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
