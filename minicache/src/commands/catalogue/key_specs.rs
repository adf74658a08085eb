//! Where the keys of a command line are.
//!
//! A command says so in a few *key specs*; each is a run of arguments:
//!
//! ```text
//! MSET k1 v1 k2 v2                 from 1 to the last, every second
//! ZUNIONSTORE dst 2 k1 k2 …        1 alone; and as many as argument 2 says, after it
//! SORT k BY w_* STORE dst          1 alone; after STORE; and some that only the data can tell
//! ```
//!
//! This file is the data; `commands/getkeys.rs` applies it to a command line. Redis has the same
//! key specs in `server.h`. Left out: runs after a keyword anywhere (`XREAD … STREAMS`), which no
//! command here has.

use super::names::named_bits;

named_bits! {
    /// What happens to a key. The first four exclude each other and concern the value as a whole;
    /// the next four concern the data in it.
    Access:
    "RO"              // The value is only read.
    "RW"              // The value is read and changed.
    "OW"              // The value is replaced.
    "RM"              // The key is deleted.
    "access"          // Data is returned, or copied to where it can be.
    "update"          // Data is changed.
    "insert"          // Data is added, none is changed.
    "delete"          // Data is deleted.
    "variable_flags"  // The arguments decide which of these bits hold.
}

impl Access {
    pub(in crate::commands) const VARIABLE_FLAGS: Access = Access::of("variable_flags");
}

/// A run of keys, and what happens to them.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// The argument where the run, or the number of its keys, is; the command's name is argument 0.
    pub first: u8,
    /// How the run goes on.
    pub run: Run,
    pub access: Access,
}

/// How a run of keys goes on from its first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// To another argument, every `step`-th.
    To {
        /// How far after the first; if negative, counted from the end of the command line, where
        /// -1 is its last argument.
        last: i8,
        /// 1, or 2 where values stand between keys.
        step: u8,
    },
    /// The first argument is a number; this many keys follow it.
    Counted,
    Stored,
    /// Keys that only the data can tell.
    Unknown,
}

pub(super) const fn key(at: u8, access: &str) -> KeySpec {
    KeySpec { first: at, run: Run::To { last: 0, step: 1 }, access: Access::of(access) }
}

/// Keys from one argument to another counted from the end.
pub(super) const fn key_run(first: u8, last: i8, step: u8, access: &str) -> KeySpec {
    KeySpec { first, run: Run::To { last, step }, access: Access::of(access) }
}

/// As many keys as the argument says, after it.
pub(super) const fn counted(at: u8, access: &str) -> KeySpec {
    KeySpec { first: at, run: Run::Counted, access: Access::of(access) }
}

pub(super) const fn stored(access: &str) -> KeySpec {
    KeySpec { first: 0, run: Run::Stored, access: Access::of(access) }
}

pub(super) const fn unknown(access: &str) -> KeySpec {
    KeySpec { first: 0, run: Run::Unknown, access: Access::of(access) }
}

#[derive(Clone, Copy, Debug)]
pub struct Keys(pub &'static [KeySpec]);

impl Keys {
    /// What older clients know of keys: the first, the last (negative: from the end) and the step,
    /// as the runs at fixed places have them; zeros for none.
    pub fn legacy_range(&self) -> (i64, i64, i64) {
        let fixed = self.0.iter().filter_map(|spec| match spec.run {
            Run::To { last, step } => {
                let first = i64::from(spec.first);
                let last = if last < 0 { i64::from(last) } else { first + i64::from(last) };
                Some((first, last, i64::from(step)))
            }
            _ => None,
        });
        fixed.reduce(|(first, _, step), (_, last, _)| (first, last, step)).unwrap_or((0, 0, 0))
    }

    /// Returns true if a run is not at a fixed place.
    pub(super) const fn are_movable(&self) -> bool {
        let mut index = 0;
        while index < self.0.len() {
            if !matches!(self.0[index].run, Run::To { .. }) {
                return true;
            }
            index += 1;
        }
        false
    }
}
