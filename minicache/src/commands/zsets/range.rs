//! Members in a range: listed, stored, counted, removed.
//!
//! ```text
//! ZRANGE board (250 +inf BYSCORE REV LIMIT 1 2 …
//!   parse    the ends are scores; reversed, so the greater one was written first
//!   ranks    members with scores above 250 have ranks 3 up to 10
//!   limit    from the greater end: pass over 1, take 2: ranks 7 and 8
//!   list     8, 7
//! ```
//!
//! `ZRANGEBYSCORE` and its kin are `ZRANGE` with some options fixed by the name. An offset is a
//! subtraction here; Redis walks over the members it passes over (`genericZrangebyscoreCommand`).

use super::bounds::{By, Interval};
use super::{super::Call, Listing, store};
use crate::commands::handlers::variants;
use crate::engine::error::{Answer, Error};
use crate::engine::events::Events;
use crate::engine::values::zset::{Iter, Scored, ZSet};
use std::ops::Range;

variants! {
    // key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
    zrange = list(Form::default());
    // key start stop [WITHSCORES]
    zrevrange = list(Form { by: Some(By::Rank), reverse: Some(true) });
    // key min max [WITHSCORES] [LIMIT offset count]
    zrangebyscore = list(Form { by: Some(By::Score), reverse: Some(false) });
    // key max min [WITHSCORES] [LIMIT offset count]
    zrevrangebyscore = list(Form { by: Some(By::Score), reverse: Some(true) });
    // key min max [LIMIT offset count]
    zrangebylex = list(Form { by: Some(By::Lex), reverse: Some(false) });
    // key max min [LIMIT offset count]
    zrevrangebylex = list(Form { by: Some(By::Lex), reverse: Some(true) });
    zcount = count(By::Score);                                // key min max
    zlexcount = count(By::Lex);                               // key min max
    zremrangebyrank = remove(By::Rank, "zremrangebyrank");    // key start stop
    zremrangebyscore = remove(By::Score, "zremrangebyscore"); // key min max
    zremrangebylex = remove(By::Lex, "zremrangebylex");       // key min max
}

/// `ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]`
pub fn zrangestore(c: &mut Call) -> Answer {
    let request = Request::parse(c, 2, Form::default())?;
    let mut result: Vec<Scored> = match c.keyspace.get::<ZSet>(c.key(2))? {
        None => Vec::new(),
        Some(zset) => {
            let members = request.members(zset).1;
            members.map(|(member, score)| (score, member.to_vec().into())).collect()
        }
    };
    if request.reverse {
        result.reverse();
    }
    store(c, result, "zrangestore")
}

fn list(c: &mut Call, form: Form) -> Answer {
    let request = Request::parse(c, 1, form)?;
    let listing = Listing::new(request.with_scores, c.out.protocol);
    match c.keyspace.get::<ZSet>(c.key(1))? {
        None => c.out.array(0),
        Some(zset) => {
            let (count, members) = request.members(zset);
            super::list(c.out, listing, count, members);
        }
    }
    Ok(())
}

fn count(c: &mut Call, by: By) -> Answer {
    let interval = Interval::parse(by, c.arg(2), c.arg(3))?;
    let zset = c.keyspace.get::<ZSet>(c.key(1))?;
    c.out.answer_count(zset.map_or(0, |zset| interval.ranks(zset, false).len()))
}

fn remove(c: &mut Call, by: By, event: &str) -> Answer {
    let interval = Interval::parse(by, c.arg(2), c.arg(3))?;
    let key = c.key(1);
    let removed = match c.keyspace.get_mut::<ZSet>(key)? {
        None => 0,
        Some(zset) => zset.remove_range(interval.ranks(zset, false)),
    };
    if removed > 0 {
        c.keyspace.changed(Events::ZSET, event, key);
        c.keyspace.remove_if_empty::<ZSet>(key);
    }
    c.out.answer_count(removed)
}

/// What the name of a command fixes, leaving the rest to its options.
#[derive(Clone, Copy, Default)]
struct Form {
    by: Option<By>,
    reverse: Option<bool>,
}

/// Which members are wanted, and how.
struct Request<'a> {
    interval: Interval<'a>,
    reverse: bool,
    with_scores: bool,
    /// How many to pass over, and how many to take at most; negative means none and all.
    limit: (i64, i64),
}

#[derive(Default)]
struct Options {
    form: Form,
    with_scores: bool,
    limit: Option<(i64, i64)>,
}

impl<'a> Request<'a> {
    /// Reads the range after the key at argument `at`, and what follows it.
    fn parse(c: &Call<'a, '_>, at: usize, form: Form) -> Result<Request<'a>, Error> {
        let storing = at == 2;
        let Options { form, with_scores, limit } = Options::parse(c, at + 3, form, storing)?;
        let by = form.by.unwrap_or(By::Rank);
        let reverse = form.reverse.unwrap_or(false);
        let limit = limit.unwrap_or((0, -1));
        if by == By::Rank && limit.1 != -1 {
            return Err(Error::new(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or \
                 BYLEX",
            ));
        }
        if by == By::Lex && with_scores {
            return Err(Error::new(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        // With a count of -1 a limit on ranks is tolerated, and means nothing.
        let limit = if by == By::Rank { (0, -1) } else { limit };
        let (first, second) = (c.arg(at + 1), c.arg(at + 2));
        let greater_first = reverse && by != By::Rank;
        let (min, max) = if greater_first { (second, first) } else { (first, second) };
        Ok(Request { interval: Interval::parse(by, min, max)?, reverse, with_scores, limit })
    }

    /// How many members are wanted, and they themselves in the order wanted.
    fn members<'z>(&self, zset: &'z ZSet) -> (usize, Iter<'z>) {
        let ranks = self.limited(self.interval.ranks(zset, self.reverse));
        let count = ranks.len();
        (count, if self.reverse { zset.range_rev(ranks) } else { zset.range(ranks) })
    }

    fn limited(&self, ranks: Range<usize>) -> Range<usize> {
        let Ok(skipped) = usize::try_from(self.limit.0) else { return 0..0 };
        let skipped = skipped.min(ranks.len());
        let rest = ranks.len() - skipped;
        let taken = usize::try_from(self.limit.1).map_or(rest, |most| most.min(rest));
        match self.reverse {
            false => ranks.start + skipped..ranks.start + skipped + taken,
            true => ranks.end - skipped - taken..ranks.end - skipped,
        }
    }
}

impl Options {
    fn parse(c: &Call, from: usize, form: Form, storing: bool) -> Result<Options, Error> {
        let mut options = Options { form, ..Options::default() };
        let mut at = from;
        while at < c.args.len() {
            match () {
                () if !storing && c.is(at, "withscores") => options.with_scores = true,
                () if c.is(at, "limit") && at + 2 < c.args.len() => {
                    options.limit = Some((c.int(at + 1)?, c.int(at + 2)?));
                    at += 2;
                }
                () if options.form.reverse.is_none() && c.is(at, "rev") => {
                    options.form.reverse = Some(true);
                }
                () if options.form.by.is_none() && c.is(at, "bylex") => {
                    options.form.by = Some(By::Lex);
                }
                () if options.form.by.is_none() && c.is(at, "byscore") => {
                    options.form.by = Some(By::Score);
                }
                () => return Err(Error::SYNTAX),
            }
            at += 1;
        }
        Ok(options)
    }
}
