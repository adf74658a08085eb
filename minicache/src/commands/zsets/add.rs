//! Members come, change and go: `ZADD`, `ZINCRBY`, `ZREM`.
//!
//! The options of `ZADD` are conditions on each member; a member that does not meet them is passed
//! over. With `board` holding ada 310:
//!
//! ```text
//! ZADD board NX 1 ada 2 bob      ada is there: passed over. bob is new: added          1
//! ZADD board GT CH 300 ada       300 is not greater than 310: passed over              0
//! ZADD board XX INCR 5 ada       310 + 5                                               315
//! ZADD board XX INCR 5 eve       not there: passed over                                (nil)
//! ```
//!
//! All scores are checked before the first member is touched: a command happens as a whole or not.

use crate::commands::{Call, handlers::variants, remove_named};
use crate::engine::error::{Answer, Error};
use crate::engine::{events::Events, key::Key, values::Limits, values::zset::ZSet};
use crate::format::number::parse_f64;

variants! {
    // key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]
    zadd = add(Options::default());
    // key member [member ...]
    zrem = remove_named<ZSet>(Events::ZSET, "zrem", |zset, member| zset.remove(member).is_some());
    zincrby = add(Options { increment: true, ..Options::default() });  // key increment member
}

/// The conditions of `ZADD`, and how it replies.
#[derive(Clone, Copy, Default)]
struct Options {
    /// `NX`: only members that are not there.
    only_new: bool,
    /// `XX`: only members that are.
    only_present: bool,
    /// `GT`: a present member only gets a greater score.
    only_greater: bool,
    /// `LT`: or a lower one.
    only_lower: bool,
    /// `CH`: count changed members along with added ones.
    count_changed: bool,
    /// `INCR`: add to the score of one member, and reply with the sum.
    increment: bool,
}

#[derive(Default)]
struct Tally {
    added: usize,
    updated: usize,
    /// The score of the last one, unless it was passed over.
    score: Option<f64>,
}

fn add(c: &mut Call, preset: Options) -> Answer {
    let (options, first) = Options::parse(c, preset)?;
    for index in (first..c.args.len()).step_by(2) {
        c.float(index)?;
    }
    let key = c.key(1);
    let tally = options.apply_all(c, key, first)?;
    if tally.added + tally.updated > 0 {
        c.keyspace.changed(Events::ZSET, if options.increment { "zincr" } else { "zadd" }, key);
    }
    match tally.score {
        _ if !options.increment && options.count_changed => {
            c.out.count(tally.added + tally.updated);
        }
        _ if !options.increment => c.out.count(tally.added),
        Some(score) => c.out.double(score),
        None => c.out.null(),
    }
    Ok(())
}

impl Options {
    /// Reads the options and checks that they and the pairs after them fit together; also gives
    /// the index of the first score.
    fn parse(c: &Call, preset: Options) -> Result<(Options, usize), Error> {
        let mut options = preset;
        let mut at = 2;
        while at < c.args.len() {
            match () {
                () if c.is(at, "nx") => options.only_new = true,
                () if c.is(at, "xx") => options.only_present = true,
                () if c.is(at, "gt") => options.only_greater = true,
                () if c.is(at, "lt") => options.only_lower = true,
                () if c.is(at, "ch") => options.count_changed = true,
                () if c.is(at, "incr") => options.increment = true,
                () => break,
            }
            at += 1;
        }
        options.check(c.args.len() - at)?;
        Ok((options, at))
    }

    fn check(&self, words: usize) -> Answer {
        let Options { only_new, only_present, only_greater, only_lower, .. } = *self;
        if words == 0 || !words.is_multiple_of(2) {
            return Err(Error::SYNTAX);
        }
        if only_new && only_present {
            return Err(Error::new("ERR XX and NX options at the same time are not compatible"));
        }
        if [only_new, only_greater, only_lower].iter().filter(|set| **set).count() > 1 {
            return Err(Error::new(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if self.increment && words > 2 {
            return Err(Error::new("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    /// Returns true if nothing depends on the score a member has. Then inserting it is one search.
    fn are_plain(&self) -> bool {
        let Options { only_new, only_present, only_greater, only_lower, increment, .. } = *self;
        ![only_new, only_present, only_greater, only_lower, increment].contains(&true)
    }

    /// Goes through the pairs from argument `first` on.
    fn apply_all(&self, c: &mut Call, key: Key, first: usize) -> Result<Tally, Error> {
        let mut tally = Tally::default();
        let limits = &c.keyspace.parts.tuning.limits;
        let zset = match self.only_present {
            true => c.keyspace.get_mut::<ZSet>(key)?,
            false => Some(c.keyspace.get_or_create::<ZSet>(key)?),
        };
        let Some(zset) = zset else { return Ok(tally) };
        for index in (first..c.args.len()).step_by(2) {
            let score = parse_f64(c.args.at(index)).ok_or(Error::NOT_A_FLOAT)?;
            self.apply(zset, score, c.args.at(index + 1), limits, &mut tally)?;
        }
        Ok(tally)
    }

    fn apply(
        &self,
        zset: &mut ZSet,
        mut score: f64,
        member: &[u8],
        limits: &Limits,
        tally: &mut Tally,
    ) -> Answer {
        tally.score = None;
        let old = if self.are_plain() {
            zset.insert(score, member, limits)
        } else {
            let old = zset.score(member);
            let excluded = if old.is_some() { self.only_new } else { self.only_present };
            if excluded {
                return Ok(());
            }
            if let Some(old) = old {
                score = if self.increment { old + score } else { score };
                if score.is_nan() {
                    return Err(Error::new("ERR resulting score is not a number (NaN)"));
                }
                if (self.only_greater && score <= old) || (self.only_lower && score >= old) {
                    return Ok(());
                }
            }
            if old != Some(score) {
                zset.insert(score, member, limits);
            }
            old
        };

        tally.score = Some(score);
        match old {
            None => tally.added += 1,
            Some(old) if old != score => tally.updated += 1,
            Some(_) => {}
        }
        Ok(())
    }
}
