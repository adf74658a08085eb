//! FETCH and MOVE.
//!
//! ```text
//! FETCH c                    Forward 1       FETCH PRIOR FROM c       Backward 1
//! FETCH -2 FROM c            Forward -2      FETCH BACKWARD ALL c     Backward ALL
//! FETCH FIRST FROM c         Absolute 1      FETCH RELATIVE 0 FROM c  Relative 0
//! ```

use crate::words::Words;
use minibtree_types::error::{Result, SqlError};
use minibtree_types::{error, unsupported};
use std::ops::Range;

/// From where the rows of a FETCH are counted, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// So many rows after the current one.
    Forward,
    /// So many rows before it, the nearest first.
    Backward,
    /// The row with this number; negative numbers count from the end.
    Absolute,
    /// The row that is so many rows after the current one.
    Relative,
}

/// `FETCH FORWARD count FROM cursor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The cursor.
    pub cursor: String,
    /// Which way it goes.
    pub direction: Direction,
    /// How many rows, or which; [`Fetch::ALL`] for all that are left.
    pub count: i64,
    /// `MOVE`: they are not returned.
    pub is_move: bool,
}

/// The rows that a FETCH returns, and where the cursor is then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The numbers of the rows; the first row is 1.
    pub rows: Range<u64>,
    /// They are returned from the last to the first.
    pub is_backward: bool,
    /// The new position.
    pub end: u64,
}

impl Fetch {
    /// All rows.
    pub const ALL: i64 = 1 << 40;
    /// The number of rows of a result whose end was not seen yet: more than there can be.
    pub const UNKNOWN: u64 = 1 << 50;

    /// `34000`: there is no such cursor.
    pub fn no_cursor(name: &str) -> SqlError {
        error!(INVALID_CURSOR_NAME, "cursor \"{name}\" does not exist")
    }

    /// The cursor cannot go back: it was declared without SCROLL, or with NO SCROLL.
    pub fn no_way_back(scroll: Option<bool>) -> SqlError {
        if scroll.is_none() {
            return unsupported!("going back in a cursor that is declared without SCROLL");
        }
        error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
            .hint("Declare it with SCROLL option to enable backward scan.")
    }

    /// Where a cursor goes from a position: 0 is before the first row, `rows + 1` after the last.
    pub fn path(&self, at: u64, rows: u64) -> Path {
        let (at, last) = (at as i64, rows as i64);
        // A single row, which may not be there.
        let row = |number: i64, is_backward| {
            let end = number.clamp(0, last + 1);
            let size = i64::from((1..=last).contains(&number));
            (end, end + size, is_backward, end)
        };
        let (start, end_of_rows, is_backward, end) = match (self.direction, self.count) {
            (Direction::Absolute, count) if count < 0 => row(last + 1 + count, true),
            (Direction::Absolute, count) => row(count, false),
            (Direction::Relative, count) if count != 0 => row(at + count, count < 0),
            (direction, 0) => row(at, direction == Direction::Backward),
            (direction, count) => {
                let count = if direction == Direction::Backward { -count } else { count };
                let target = at + count;
                let end = target.clamp(0, last + 1);
                match count > 0 {
                    true => (at + 1, end.min(last) + 1, false, end),
                    false => (end.max(1), at, true, end),
                }
            }
        };
        Path { rows: start as u64..end_of_rows as u64, is_backward, end: end as u64 }
    }

    /// Returns true if this path only needs rows that come after the position.
    pub fn is_ahead(path: &Path, at: u64) -> bool {
        let first = if path.rows.is_empty() { path.end + 1 } else { path.rows.start };
        !path.is_backward && first > at
    }
}

pub fn fetch(mut words: Words<'_>, is_move: bool) -> Result<Fetch> {
    let (direction, count) = direction(&mut words)?;
    let _ = words.accept("from") || words.accept("in");
    let cursor = words.name()?;
    words.end()?;
    Ok(Fetch { cursor, direction, count, is_move })
}

fn direction(words: &mut Words<'_>) -> Result<(Direction, i64)> {
    use Direction::{Absolute, Backward, Forward, Relative};

    for (word, direction, count) in [
        ("next", Forward, 1),
        ("prior", Backward, 1),
        ("first", Absolute, 1),
        ("last", Absolute, -1),
    ] {
        if words.accept(word) {
            return Ok((direction, count));
        }
    }
    for (word, direction) in [("absolute", Absolute), ("relative", Relative)] {
        if words.accept(word) {
            let count = words.number()?.ok_or_else(|| words.unexpected())?;
            return Ok((direction, count));
        }
    }

    let is_backward = words.accept("backward");
    let direction = if is_backward { Backward } else { Forward };
    if !is_backward {
        words.accept("forward");
    }
    if words.accept("all") {
        return Ok((direction, Fetch::ALL));
    }
    Ok((direction, words.number()?.unwrap_or(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_go_where_those_of_postgresql_go() {
        use Direction::{Absolute, Backward, Forward, Relative};

        // Asked of PostgreSQL 15, with three rows.
        for (at, direction, count, rows, end) in [
            (0, Forward, 2, &[1, 2][..], 2),
            (2, Forward, 2, &[3], 4),
            (2, Forward, 1, &[3], 3),
            (4, Forward, 1, &[], 4),
            (2, Forward, 0, &[2], 2),
            (4, Forward, 0, &[], 4),
            (1, Forward, Fetch::ALL, &[2, 3], 4),
            (4, Backward, Fetch::ALL, &[3, 2, 1], 0),
            (4, Backward, 1, &[3], 3),
            (3, Backward, 2, &[2, 1], 1),
            (1, Forward, -1, &[], 0),
            (0, Backward, 1, &[], 0),
            (3, Absolute, 1, &[1], 1),
            (0, Absolute, -1, &[3], 3),
            (2, Absolute, -4, &[], 0),
            (2, Absolute, 9, &[], 4),
            (2, Absolute, 0, &[], 0),
            (1, Relative, 2, &[3], 3),
            (3, Relative, -2, &[1], 1),
            (2, Relative, 0, &[2], 2),
        ] {
            let fetch = Fetch { cursor: "c".to_owned(), direction, count, is_move: false };
            let path = fetch.path(at, 3);
            let mut found = path.rows.clone().collect::<Vec<_>>();
            if path.is_backward {
                found.reverse();
            }
            assert_eq!((&found[..], path.end), (rows, end), "{direction:?} {count} at {at}");
        }
    }

    #[test]
    fn only_later_rows_are_ahead() {
        use Direction::{Absolute, Backward, Forward};

        for (direction, count, is_ahead) in [
            (Forward, 1, true),
            (Backward, -1, true),
            (Absolute, 3, true),
            (Absolute, 2, false),
            (Absolute, 0, false),
            (Absolute, -1, false),
            (Forward, 0, false),
            (Backward, 1, false),
        ] {
            let fetch = Fetch { cursor: "c".to_owned(), direction, count, is_move: false };
            let path = fetch.path(2, Fetch::UNKNOWN);
            assert_eq!(Fetch::is_ahead(&path, 2), is_ahead, "{direction:?} {count}");
        }
    }
}
