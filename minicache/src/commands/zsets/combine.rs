//! Unions, intersections and differences, of sorted sets and plain sets alike.
//!
//! ```text
//! ZADD spring 10 ada 20 bob      ZADD summer 5 bob 7 cyd      SADD members bob cyd
//!
//! ZUNION 2 spring summer WITHSCORES                    cyd 7, ada 10, bob 25
//! ZINTER 2 spring summer WEIGHTS 1 10 AGGREGATE MAX    bob: the greater of 20 and 50
//! ZINTER 2 spring members WITHSCORES                   bob 21: members of a plain set count 1
//! ZDIFF 2 spring summer                                ada, with the score from spring
//! ```
//!
//! Unions and intersections start with the smallest input. A difference asks all other inputs about
//! each member of the first; Redis has a second way for many inputs that are smaller than the first
//! (`zdiffAlgorithm2`), which is left out: the same reply, later.

use super::{Listing, store};
use crate::commands::{Call, handlers::variants};
use crate::engine::error::{Answer, Error};
use crate::engine::object::{Object, Value};
use crate::engine::values::set::Set;
use crate::engine::values::zset::{self, Scored, ZSet};
use crate::format::listpack::Element;
use crate::format::number::{parse_f64, parse_i64};
use std::collections::HashMap;
use std::{iter, ops::Range};

// The usage of all is `numkeys key [key ...]`, with a destination first to store the result. Then
// `[WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]`, except for differences, and
// `[WITHSCORES]`, except where the result is stored.
variants! {
    zunion = list(Operation::Union);
    zinter = list(Operation::Inter);
    zdiff = list(Operation::Diff);
    zunionstore = store_result(Operation::Union, "zunionstore");
    zinterstore = store_result(Operation::Inter, "zinterstore");
    zdiffstore = store_result(Operation::Diff, "zdiffstore");
}

/// `ZINTERCARD numkeys key [key ...] [LIMIT limit]`
pub fn zintercard(c: &mut Call) -> Answer {
    let request = Request::parse(c, 1, Operation::Inter, Purpose::Count)?;
    let most = if request.limit == 0 { usize::MAX } else { request.limit };
    let count = request.intersect(&request.inputs(c)).take(most).count();
    c.out.answer_count(count)
}

fn list(c: &mut Call, operation: Operation) -> Answer {
    let request = Request::parse(c, 1, operation, Purpose::List)?;
    let result = request.result(c);
    let listing = Listing::new(request.with_scores, c.out.protocol);
    let members = result.iter().map(|(score, member)| (Element::Bytes(member), *score));
    super::list(c.out, listing, result.len(), members);
    Ok(())
}

fn store_result(c: &mut Call, operation: Operation, event: &str) -> Answer {
    let request = Request::parse(c, 2, operation, Purpose::Store)?;
    let result = request.result(c);
    store(c, result, event)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// What becomes of the result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    List,
    Store,
    Count,
}

/// How scores of one member in several inputs become one.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

struct Request {
    operation: Operation,
    /// Where the keys are among the arguments.
    keys: Range<usize>,
    /// One for each key, or none where all are 1.
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
    /// How many to count at most; 0 for all.
    limit: usize,
}

impl Request {
    /// Reads the arguments from the number of keys on. The keys are looked up on the way, because a
    /// key of the wrong type is an error before an option is.
    fn parse(
        c: &mut Call,
        at: usize,
        operation: Operation,
        purpose: Purpose,
    ) -> Result<Request, Error> {
        let count = c.int(at)?;
        if count < 1 {
            let name = c.command.name;
            return Err(Error::text(format!(
                "ERR at least 1 input key is needed for '{name}' command"
            )));
        }
        let keys = match usize::try_from(count) {
            Ok(count) if count < c.args.len() - at => at + 1..at + 1 + count,
            _ => return Err(Error::SYNTAX),
        };
        for index in keys.clone() {
            match c.keyspace.read(c.key(index)) {
                None | Some(Value::Object(Object::ZSet(_) | Object::Set(_))) => {}
                Some(_) => return Err(Error::WRONG_TYPE),
            }
        }
        let mut request = Request {
            operation,
            keys,
            weights: Vec::new(),
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: 0,
        };
        request.parse_options(c, purpose)?;
        Ok(request)
    }

    fn parse_options(&mut self, c: &Call, purpose: Purpose) -> Answer {
        let weighs = self.operation != Operation::Diff && purpose != Purpose::Count;
        let mut at = self.keys.end;
        while at < c.args.len() {
            let behind = c.args.len() - at - 1;
            match () {
                () if weighs && behind >= self.keys.len() && c.is(at, "weights") => {
                    self.weights = weights(c, at + 1..at + 1 + self.keys.len())?;
                    at += self.keys.len();
                }
                () if weighs && behind >= 1 && c.is(at, "aggregate") => {
                    at += 1;
                    self.aggregate = Aggregate::parse(c.arg(at))?;
                }
                () if purpose == Purpose::List && c.is(at, "withscores") => {
                    self.with_scores = true;
                }
                () if purpose == Purpose::Count && behind >= 1 && c.is(at, "limit") => {
                    at += 1;
                    let limit = parse_i64(c.arg(at)).and_then(|limit| usize::try_from(limit).ok());
                    self.limit = limit.ok_or(Error::new("ERR LIMIT can't be negative"))?;
                }
                () => return Err(Error::SYNTAX),
            }
            at += 1;
        }
        Ok(())
    }

    fn inputs<'c>(&self, c: &'c Call) -> Vec<Input<'c>> {
        let mut inputs: Vec<Input> = self
            .keys
            .clone()
            .enumerate()
            .map(|(place, index)| Input {
                members: match c.keyspace.seen(c.key(index)) {
                    Some(Value::Object(Object::ZSet(zset))) => Members::Scored(zset),
                    Some(Value::Object(Object::Set(set))) => Members::Plain(set),
                    _ => Members::None,
                },
                weight: self.weights.get(place).copied().unwrap_or(1.0),
            })
            .collect();
        if self.operation != Operation::Diff {
            inputs.sort_by_key(|input| input.members.len());
        }
        inputs
    }

    /// The members of the result, in order.
    fn result(&self, c: &Call) -> Vec<Scored> {
        let inputs = self.inputs(c);
        let mut result = match self.operation {
            Operation::Union => self.unite(&inputs),
            Operation::Diff => subtract(&inputs),
            Operation::Inter => self.intersect(&inputs).collect(),
        };
        zset::sort(&mut result);
        result
    }

    fn unite(&self, inputs: &[Input]) -> Vec<Scored> {
        let mut scratch = itoa::Buffer::new();
        let mut scores: HashMap<Box<[u8]>, f64> = HashMap::new();
        for input in inputs {
            for (member, score) in input.members.iter() {
                let (member, score) =
                    (member.as_bytes(&mut scratch), or_zero(score * input.weight));
                match scores.get_mut(member) {
                    Some(joined) => *joined = self.aggregate.join(*joined, score),
                    None => drop(scores.insert(member.into(), score)),
                }
            }
        }
        scores.into_iter().map(|(member, score)| (score, member)).collect()
    }

    /// The members that all inputs have.
    fn intersect(&self, inputs: &[Input]) -> impl Iterator<Item = Scored> {
        let (first, others) = inputs.split_first().expect("there is a key at least");
        let mut scratch = itoa::Buffer::new();
        first.members.iter().filter_map(move |(member, score)| {
            let member = member.as_bytes(&mut scratch);
            let mut joined = or_zero(score * first.weight);
            for other in others {
                let score = other.members.score(member)?;
                joined = self.aggregate.join(joined, score * other.weight);
            }
            Some((joined, member.into()))
        })
    }
}

/// What only the first input has.
fn subtract(inputs: &[Input]) -> Vec<Scored> {
    let (first, others) = inputs.split_first().expect("there is a key at least");
    let mut scratch = itoa::Buffer::new();
    let lone = first.members.iter().filter_map(|(member, score)| {
        let member = member.as_bytes(&mut scratch);
        let is_elsewhere = others.iter().any(|other| other.members.score(member).is_some());
        (!is_elsewhere).then(|| (score, member.into()))
    });
    lone.collect()
}

fn weights(c: &Call, places: Range<usize>) -> Result<Vec<f64>, Error> {
    const NOT_A_WEIGHT: Error = Error::new("ERR weight value is not a float");
    places.map(|place| parse_f64(c.arg(place)).ok_or(NOT_A_WEIGHT)).collect()
}

/// Infinity times zero, and infinity less infinity, count as nothing.
fn or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

impl Aggregate {
    fn parse(word: &[u8]) -> Result<Aggregate, Error> {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        match () {
            () if is("sum") => Ok(Aggregate::Sum),
            () if is("min") => Ok(Aggregate::Min),
            () if is("max") => Ok(Aggregate::Max),
            () => Err(Error::SYNTAX),
        }
    }

    /// The joint score; `score` may be NaN, which is neither less nor greater.
    fn join(self, joined: f64, score: f64) -> f64 {
        match self {
            Aggregate::Sum => or_zero(joined + score),
            Aggregate::Min if score < joined => score,
            Aggregate::Max if score > joined => score,
            Aggregate::Min | Aggregate::Max => joined,
        }
    }
}

/// One input and what its scores are multiplied by.
struct Input<'c> {
    members: Members<'c>,
    weight: f64,
}

/// Members from either kind of set; those of a plain one have the score 1.
#[derive(Clone, Copy)]
enum Members<'c> {
    None,
    Scored(&'c ZSet),
    Plain(&'c Set),
}

impl<'c> Members<'c> {
    fn len(self) -> usize {
        match self {
            Members::None => 0,
            Members::Scored(zset) => zset.len(),
            Members::Plain(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Members::None => None,
            Members::Scored(zset) => zset.score(member),
            Members::Plain(set) => set.contains(member).then_some(1.0),
        }
    }

    fn iter(self) -> Box<dyn Iterator<Item = (Element<'c>, f64)> + 'c> {
        match self {
            Members::None => Box::new(iter::empty()),
            Members::Scored(zset) => Box::new(zset.iter()),
            Members::Plain(set) => Box::new(set.iter().map(|member| (member, 1.0))),
        }
    }
}
