//! `LCS`: the longest common subsequence of two strings (`lcsCommand` in `t_string.c`).
//!
//! The classic table: row i, column j holds the length for the first i bytes of one string and the
//! first j of the other. Equal bytes extend the diagonal, others inherit the better neighbour:
//!
//! ```text
//!         o h m y          walking back from the corner: equal bytes belong to the
//!       0 0 0 0 0          answer and step diagonally, else towards the greater
//!    m  0 0 0 1 1          number. Here y, m: the answer is "my", bytes 0 to 1 of
//!    y  0 0 0 1 2          one and 2 to 3 of the other.
//! ```
//!
//! Time and memory are the product of the lengths, 4 bytes a cell; the table may not be larger than
//! `proto-max-bulk-len`.

use crate::commands::Call;
use crate::engine::error::{Answer, Error};
use crate::engine::object::{Str, Value};
use crate::wire::reply::Reply;

/// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]`
pub fn lcs(c: &mut Call) -> Answer {
    let (one, other) = (text(c, 1), text(c, 2));
    let (one, other) = (one?, other?);
    let options = Options::parse(c)?;
    let table = Table::of(&one, &other, c.settings.proto_max_bulk_len)?;
    if options.ranges {
        c.out.map(2);
        c.out.text("matches");
        report_ranges(&table, &options, c.out);
        c.out.text("len");
        c.out.int(table.corner().into());
    } else if options.len {
        c.out.int(table.corner().into());
    } else {
        let mut bytes: Vec<u8> = table.matches().map(|(i, _)| one[i]).collect();
        bytes.reverse();
        c.out.bulk(&bytes);
    }
    Ok(())
}

/// A copy of the string under a key, empty if there is no key.
fn text(c: &mut Call, at: usize) -> Result<Vec<u8>, Error> {
    match c.keyspace.read(c.key(at)).map(Value::as_str) {
        None => Ok(Vec::new()),
        Some(text) => text
            .map(Str::to_vec)
            .ok_or(Error::new("ERR The specified keys must contain string values")),
    }
}

#[derive(Default)]
struct Options {
    len: bool,
    /// `IDX`.
    ranges: bool,
    range_len_min: i64,
    with_range_len: bool,
}

impl Options {
    fn parse(c: &Call) -> Result<Options, Error> {
        let mut options = Options::default();
        let mut at = 3;
        while at < c.args.len() {
            if c.is(at, "idx") {
                options.ranges = true;
            } else if c.is(at, "len") {
                options.len = true;
            } else if c.is(at, "withmatchlen") {
                options.with_range_len = true;
            } else if c.is(at, "minmatchlen") && at + 1 < c.args.len() {
                at += 1;
                options.range_len_min = c.int(at)?;
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        if options.len && options.ranges {
            return Err(Error::new(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

struct Table<'a> {
    one: &'a [u8],
    other: &'a [u8],
    /// Rows of `other.len() + 1` cells.
    cells: Vec<u32>,
}

impl<'a> Table<'a> {
    fn of(one: &'a [u8], other: &'a [u8], bytes_max: u64) -> Result<Table<'a>, Error> {
        const EXCEEDS: Error = Error::new(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        );
        const FAILED: Error =
            Error::new("ERR Insufficient memory, failed allocating transient memory for LCS");
        let width = other.len() + 1;
        let count = width.checked_mul(one.len() + 1).ok_or(FAILED)?;
        if (count as u64).checked_mul(4).is_none_or(|bytes| bytes > bytes_max) {
            return Err(EXCEEDS);
        }
        let mut cells = Vec::new();
        cells.try_reserve_exact(count).map_err(|_| FAILED)?;
        cells.resize(count, 0);
        let mut rest = &mut cells[..];
        for byte in one {
            let (above, below) = rest.split_at_mut(width);
            let mut left = 0;
            let pairs = above.windows(2).zip(other);
            for (cell, (above, other_byte)) in below[1..width].iter_mut().zip(pairs) {
                left = if byte == other_byte { above[0] + 1 } else { left.max(above[1]) };
                *cell = left;
            }
            rest = below;
        }
        Ok(Table { one, other, cells })
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.cells[i * (self.other.len() + 1) + j]
    }

    /// The length of the whole.
    fn corner(&self) -> u32 {
        self.at(self.one.len(), self.other.len())
    }

    /// Places of the bytes of the subsequence in both strings, from the last to the first.
    fn matches(&self) -> impl Iterator<Item = (usize, usize)> {
        let (mut i, mut j) = (self.one.len(), self.other.len());
        std::iter::from_fn(move || {
            while i > 0 && j > 0 {
                if self.one[i - 1] == self.other[j - 1] {
                    (i, j) = (i - 1, j - 1);
                    return Some((i, j));
                }
                if self.at(i - 1, j) > self.at(i, j - 1) { i -= 1 } else { j -= 1 }
            }
            None
        })
    }
}

/// Replies with the runs of matches that are contiguous in both strings.
fn report_ranges(table: &Table, options: &Options, out: &mut Reply) {
    let mark = out.mark();
    let mut reported = 0;
    let mut matches = table.matches().peekable();
    while let Some((last_one, last_other)) = matches.next() {
        let (mut first_one, mut first_other) = (last_one, last_other);
        let before = |i: usize, j: usize| Some((i.checked_sub(1)?, j.checked_sub(1)?));
        while let Some(next) = matches.next_if(|it| Some(*it) == before(first_one, first_other)) {
            (first_one, first_other) = next;
        }
        let len = (last_one - first_one + 1) as i64;
        if len < options.range_len_min {
            continue;
        }
        out.array(2 + usize::from(options.with_range_len));
        for (first, last) in [(first_one, last_one), (first_other, last_other)] {
            out.array(2);
            out.count(first);
            out.count(last);
        }
        if options.with_range_len {
            out.int(len);
        }
        reported += 1;
    }
    out.array_at(mark, reported);
}
