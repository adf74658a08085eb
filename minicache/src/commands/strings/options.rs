//! The options of `SET key value` and `GETEX key`: conditions, and how long the key is to
//! live (`parseExtendedStringArgumentsOrReply` in `t_string.c`).
//!
//! ```text
//! NX GET PX 1500      only if there is no such key; reply what was there; live for 1500 ms
//! EX 10 EX 20         said twice: the last one counts
//! EX 10 PX 20         ERR syntax error: two kinds of term
//! ```

use crate::commands::Call;
use crate::engine::error::Error;

#[derive(Default)]
pub struct Options {
    /// `XX`: only if the key is there; `NX`: only if not.
    pub only_if_there: Option<bool>,
    /// `GET`: reply with the string that was there.
    pub get: bool,
    /// How long to live.
    pub term: Option<Term>,
}

/// How long a key is to live. Where there is a number, it is the argument at this index.
#[derive(Clone, Copy)]
pub enum Term {
    /// `KEEPTTL`: as long as before.
    Keep,
    /// `PERSIST`: for ever.
    Never,
    /// `EX`, `PX`: this long from now.
    In(Unit, usize),
    /// `EXAT`, `PXAT`: until then.
    At(Unit, usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Thousands of the other.
    Seconds,
    /// What deadlines are kept in.
    Milliseconds,
}

impl Options {
    pub fn of_set(c: &Call) -> Result<Options, Error> {
        let mut options = Options::default();
        let mut at = 3;
        while at < c.args.len() {
            let presence = match () {
                _ if c.is(at, "nx") => Some(false),
                _ if c.is(at, "xx") => Some(true),
                _ => None,
            };
            match presence {
                Some(_) if options.only_if_there.is_none_or(|said| Some(said) == presence) => {
                    options.only_if_there = presence;
                }
                None if c.is(at, "get") => options.get = true,
                None => at += options.take_term(c, at, "keepttl", Term::Keep)?,
                Some(_) => return Err(Error::SYNTAX),
            }
            at += 1;
        }
        Ok(options)
    }

    pub fn of_getex(c: &Call) -> Result<Options, Error> {
        let mut options = Options::default();
        let mut at = 2;
        while at < c.args.len() {
            at += 1 + options.take_term(c, at, "persist", Term::Never)?;
        }
        Ok(options)
    }

    /// Takes note of a term: `word`, which means `plain`, or one with a number. Returns how many
    /// arguments belong to it besides the word.
    fn take_term(&mut self, c: &Call, at: usize, word: &str, plain: Term) -> Result<usize, Error> {
        let term = match () {
            _ if c.is(at, word) => plain,
            _ if at + 1 == c.args.len() => return Err(Error::SYNTAX),
            _ if c.is(at, "ex") => Term::In(Unit::Seconds, at + 1),
            _ if c.is(at, "px") => Term::In(Unit::Milliseconds, at + 1),
            _ if c.is(at, "exat") => Term::At(Unit::Seconds, at + 1),
            _ if c.is(at, "pxat") => Term::At(Unit::Milliseconds, at + 1),
            _ => return Err(Error::SYNTAX),
        };
        if self.term.is_some_and(|said| !said.is_like(term)) {
            return Err(Error::SYNTAX);
        }
        self.term = Some(term);
        Ok(usize::from(matches!(term, Term::In(..) | Term::At(..))))
    }
}

impl Term {
    /// The deadline in Unix milliseconds, of a term with a number.
    pub fn deadline(self, c: &Call) -> Result<Option<i64>, Error> {
        let (unit, at, start) = match self {
            Term::Keep | Term::Never => return Ok(None),
            Term::In(unit, at) => (unit, at, c.keyspace.now.ms),
            Term::At(unit, at) => (unit, at, 0),
        };
        let number = c.int(at)?;
        let scale = if unit == Unit::Seconds { 1000 } else { 1 };
        let deadline = number.checked_mul(scale).and_then(|ms| ms.checked_add(start));
        let deadline = deadline.filter(|_| number > 0);
        let invalid = || format!("ERR invalid expire time in '{}' command", c.command.name);
        deadline.map(Some).ok_or_else(|| Error::text(invalid()))
    }

    /// Returns true if both are written with the same word.
    fn is_like(self, other: Term) -> bool {
        match (self, other) {
            (Term::In(one, _), Term::In(other, _)) | (Term::At(one, _), Term::At(other, _)) => {
                one == other
            }
            (one, other) => std::mem::discriminant(&one) == std::mem::discriminant(&other),
        }
    }
}
