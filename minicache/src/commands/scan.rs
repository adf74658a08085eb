//! What `SCAN`, `HSCAN`, `SSCAN` and `ZSCAN` have in common: cursor, options, reply.
//!
//! ```text
//! HSCAN h 0 MATCH f* COUNT 2     1) "6"          go on with HSCAN h 6 …; 0 would be the end
//!                                2) 1) "f1"      what the buckets walked so far hold,
//!                                   2) "v1"      those that match
//! ```
//!
//! `COUNT` says how many elements are looked at, not how many match. A cursor is a place in the
//! index, so the server remembers nothing between two calls; the index explains why an element that
//! stays is never missed ([`table`](crate::engine::store::table)).
//! The counterpart in Redis is `scanGenericCommand` in `db.c`.

use super::Call;
use crate::engine::error::{Answer, Error};
use crate::engine::{glob, object::Container};
use crate::format::listpack::Element;
use crate::format::number::parse_i64;
use crate::wire::reply::{Mark, Reply};
use crate::wire::request::Args;

/// The cursor that a client sent, read as C's `strtoul` reads it: nothing at all is 0, a minus
/// wraps around, a zero byte ends the text.
pub fn cursor(argument: &[u8]) -> Result<u64, Error> {
    const INVALID: Error = Error::new("ERR invalid cursor");
    let text = argument.split(|byte| *byte == 0).next().unwrap_or_default();
    let (negative, digits) = match text {
        [] => return Ok(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(INVALID);
    }
    let digits = str::from_utf8(digits).map_err(|_| INVALID)?;
    let number: u64 = digits.parse().map_err(|_| INVALID)?;
    Ok(if negative { number.wrapping_neg() } else { number })
}

/// `[MATCH pattern] [COUNT count] [TYPE type]`
pub struct Options<'a> {
    /// The type of the keys that are wanted.
    pub type_name: Option<&'a [u8]>,
    pattern: Option<&'a [u8]>,
    count: usize,
}

impl<'a> Options<'a> {
    /// Reads the arguments from `index` on. `TYPE` is for `SCAN` alone.
    pub fn parse(args: Args<'a>, index: usize, may_name_type: bool) -> Result<Options<'a>, Error> {
        const COUNT: usize = 10;
        let mut options = Options { type_name: None, pattern: None, count: COUNT };
        let mut rest = args.from(index).iter();
        while let Some(word) = rest.next() {
            let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
            let value = rest.next().ok_or(Error::SYNTAX)?;
            match () {
                () if is("count") => match parse_i64(value).ok_or(Error::NOT_AN_INTEGER)? {
                    count if count < 1 => return Err(Error::SYNTAX),
                    count => options.count = count as usize,
                },
                // Nothing but the star lets the empty name pass, too.
                () if is("match") => options.pattern = Some(value).filter(|glob| *glob != b"*"),
                () if is("type") && may_name_type => options.type_name = Some(value),
                () => return Err(Error::SYNTAX),
            }
        }
        Ok(options)
    }

    pub fn wants(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }

    /// Walks from `cursor` until enough elements have been looked at; returns the next cursor.
    /// `step` walks one bucket and returns the cursor after it and how many elements it looked at.
    pub fn walk(&self, mut cursor: u64, mut step: impl FnMut(u64) -> (u64, usize)) -> u64 {
        // A sparse index must not keep everybody waiting while the search goes on.
        let buckets_max = self.count.saturating_mul(10);
        let mut looked_at = 0usize;
        for _ in 0..=buckets_max {
            let (next, elements) = step(cursor);
            cursor = next;
            looked_at = looked_at.saturating_add(elements);
            if cursor == 0 || looked_at >= self.count {
                break;
            }
        }
        cursor
    }
}

/// `HSCAN`, `SSCAN` and `ZSCAN`: `key cursor [MATCH pattern] [COUNT count]`. `step` walks one
/// bucket of the container and returns the next cursor. It asks the [`Page`] about the name of each
/// element and writes the element, in `parts` parts, if that says so.
pub fn container<T: Container>(
    c: &mut Call,
    parts: usize,
    step: impl Fn(&T, u64, &mut Page) -> u64,
) -> Answer {
    let cursor = cursor(c.arg(2))?;
    let Some(container) = c.keyspace.get::<T>(c.key(1))? else {
        let mark = c.out.mark();
        finish(c.out, mark, 0, 0);
        return Ok(());
    };
    let options = Options::parse(c.args, 3, false)?;
    let (start, mut listed) = (c.out.mark(), 0);
    let next = options.walk(cursor, |cursor| {
        let mut page = Page { out: c.out, options: &options, looked_at: 0, listed: 0 };
        let next = step(container, cursor, &mut page);
        listed += page.listed;
        (next, page.looked_at)
    });
    finish(c.out, start, next, parts * listed);
    Ok(())
}

/// The elements of one bucket on their way to the reply.
pub struct Page<'p> {
    pub out: &'p mut Reply,
    options: &'p Options<'p>,
    looked_at: usize,
    listed: usize,
}

impl Page<'_> {
    /// Counts an element; returns true if its name matches, and it is to be written.
    pub fn lists(&mut self, name: Element) -> bool {
        let wanted = self.options.wants(name.as_bytes(&mut itoa::Buffer::new()));
        self.looked_at += 1;
        self.listed += usize::from(wanted);
        wanted
    }
}

/// Puts the cursor and the header of the elements in front of the elements.
pub fn finish(out: &mut Reply, elements: Mark, cursor: u64, count: usize) {
    out.insert_at(elements, |out| {
        out.array(2);
        out.bulk_int(cursor as i64);
        out.array(count);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_strtoul_reads_them() {
        for (text, cursor_expected) in [
            (&b"0"[..], Some(0)),
            (b"", Some(0)),
            (b"007", Some(7)),
            (b"+7", Some(7)),
            (b"-1", Some(u64::MAX)),
            (b"7\x00x", Some(7)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b"-", None),
            (b"+-1", None),
            (b" 1", None),
            (b"1 ", None),
            (b"1.5", None),
            (b"one", None),
        ] {
            assert_eq!(cursor(text).ok(), cursor_expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_walk_ends_at_the_count_at_the_end_and_in_a_desert() {
        let options = |count| Options { type_name: None, pattern: None, count };
        assert_eq!(options(10).walk(0, |at| (at + 1, 4)), 3);
        assert_eq!(options(10).walk(5, |at| (at - 1, 1)), 0);
        assert_eq!(options(10).walk(0, |at| (at + 1, 0)), 101);
        assert_eq!(options(usize::MAX).walk(0, |at| ((at + 1) % 1000, usize::MAX / 10)), 11);
    }
}
