//! How the ends of a range are written.
//!
//! | range of | written | means |
//! |----------|---------|-------|
//! | ranks | `0`, `-1` | the first, the last; both ends belong to it |
//! | scores | `10`, `(10`, `-inf` | from 10 on, above 10, from the start on |
//! | names | `[b`, `(b`, `-`, `+` | from b on, after b, from the start, to the end |
//!
//! Ranges of names make sense where all scores are equal. The counterparts in Redis are
//! `zslParseRange` and `zslParseLexRangeItem`.

use crate::commands::indexes;
use crate::engine::error::Error;
use crate::engine::values::zset::{Bound, LexBound, ZSet};
use crate::format::number::{parse_f64_loosely, parse_i64};
use std::ops::Range;

/// What a range is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Places in the order.
    Rank,
    Score,
    /// Names.
    Lex,
}

/// A range with both ends.
#[derive(Clone, Copy)]
pub enum Interval<'a> {
    /// From one place to another, negative ones counted from the end.
    Ranks(i64, i64),
    /// Between scores.
    Scores(Bound, Bound),
    /// Between names.
    Names(LexBound<'a>, LexBound<'a>),
}

impl<'a> Interval<'a> {
    /// Reads a range, the lower end first.
    pub fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Interval<'a>, Error> {
        const NOT_SCORES: Error = Error::new("ERR min or max is not a float");
        const NOT_NAMES: Error = Error::new("ERR min or max not valid string range item");
        match by {
            By::Rank => match (parse_i64(min), parse_i64(max)) {
                (Some(start), Some(stop)) => Ok(Interval::Ranks(start, stop)),
                _ => Err(Error::NOT_AN_INTEGER),
            },
            By::Score => match (score(min), score(max)) {
                (Some(min), Some(max)) => Ok(Interval::Scores(min, max)),
                _ => Err(NOT_SCORES),
            },
            By::Lex => match (name(min), name(max)) {
                (Some(min), Some(max)) => Ok(Interval::Names(min, max)),
                _ => Err(NOT_NAMES),
            },
        }
    }

    /// The ranks of the members in it. Where `reverse`, places count from the other end; scores
    /// mean the same members either way, and so do names that are in order.
    pub fn ranks(self, zset: &ZSet, reverse: bool) -> Range<usize> {
        match self {
            Interval::Scores(min, max) => zset.ranks_by_score(min, max),
            Interval::Names(min, max) => zset.ranks_by_lex(min, max, reverse),
            Interval::Ranks(start, stop) => {
                let places = indexes(start, stop, zset.len());
                match reverse {
                    false => places,
                    true => zset.len() - places.end..zset.len() - places.start,
                }
            }
        }
    }
}

fn score(text: &[u8]) -> Option<Bound> {
    match text {
        [b'(', number @ ..] => parse_f64_loosely(number).map(Bound::Excl),
        number => parse_f64_loosely(number).map(Bound::Incl),
    }
}

fn name(text: &[u8]) -> Option<LexBound<'_>> {
    match text {
        b"-" => Some(LexBound::Min),
        b"+" => Some(LexBound::Max),
        [b'[', name @ ..] => Some(LexBound::Incl(name)),
        [b'(', name @ ..] => Some(LexBound::Excl(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_ranges() {
        assert_eq!(score(b"(1.5"), Some(Bound::Excl(1.5)));
        assert_eq!(score(b"-inf"), Some(Bound::Incl(f64::NEG_INFINITY)));
        assert_eq!((score(b"((1"), score(b"nan"), score(b"x")), (None, None, None));
        assert_eq!(name(b"["), Some(LexBound::Incl(b"")));
        assert_eq!(name(b"(a\0b"), Some(LexBound::Excl(b"a\0b")));
        assert_eq!((name(b""), name(b"a"), name(b"+x"), name(b"1")), (None, None, None, None));
    }
}
