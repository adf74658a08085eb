//! `SORT`: the elements of a list, set or sorted set, in an order that other keys may give, shown
//! as other keys say (`sort.c`).
//!
//! ```text
//! RPUSH ids 3 1 2      MSET age_1 40 age_2 7 age_3 25      HSET user_2 name bob
//!
//! SORT ids                                1 2 3
//! SORT ids BY age_*                       2 3 1      by the numbers under age_2, age_3, age_1
//! SORT ids BY age_* LIMIT 0 1 GET user_*->name       bob
//! SORT ids BY nosort DESC                 2 1 3      no star: as they are, from the end
//! ```
//!
//! In a pattern the first `*` stands for the element; behind `->` is a field of the hash that the
//! key must hold; `#` is the element itself. The keys cannot be known beforehand, so all shards are
//! locked. Elements compare byte by byte under `ALPHA`; Redis asks the locale unless it stores.
//!
//! Differences: Redis sorts only the part that `LIMIT` asks for, and turns a packed sorted set into
//! a skip list before it sorts it.

use crate::commands::Call;
use crate::engine::access::Access;
use crate::engine::config::events::Events;
use crate::engine::error::{Answer, Error};
use crate::engine::number::parse_f64_loosely;
use crate::engine::object::{Object, Value};
use crate::engine::values::list::{End, List};
use std::cmp::Ordering;
use std::ops::Range;

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]
/// [STORE destination]`
pub fn sort(c: &mut Call) -> Answer {
    let request = Request::parse(c, true)?;
    run(c, &request)
}

/// `SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC]
/// [ALPHA]`
pub fn sort_ro(c: &mut Call) -> Answer {
    let request = Request::parse(c, false)?;
    run(c, &request)
}

fn run(c: &mut Call, request: &Request) -> Answer {
    let elements = Elements::read(c.store, c.args.at(1))?;
    let sorted = request.sort(c.store, elements)?;
    let wanted = &sorted[request.range(sorted.len())];
    match request.destination {
        Some(key) => store(c, key, wanted, &request.get),
        None => list(c, wanted, &request.get),
    }
    Ok(())
}

/// What is to be sorted.
struct Elements {
    texts: Vec<Vec<u8>>,
    /// Whether they come from a plain set, where no order is the given one.
    unordered: bool,
}

impl Elements {
    fn read(store: &mut Access, key: &[u8]) -> Result<Elements, Error> {
        let (texts, unordered) = match store.read(key) {
            None => (Vec::new(), false),
            Some(Value::Object(Object::List(list))) => {
                (list.iter().map(|element| element.to_vec()).collect(), false)
            }
            Some(Value::Object(Object::Set(set))) => {
                (set.iter().map(|member| member.to_vec()).collect(), true)
            }
            Some(Value::Object(Object::ZSet(zset))) => {
                (zset.iter().map(|(member, _)| member.to_vec()).collect(), false)
            }
            Some(_) => return Err(Error::WRONG_TYPE),
        };
        Ok(Elements { texts, unordered })
    }
}

/// What is wanted.
#[derive(Default)]
struct Request<'a> {
    /// Where the weights are.
    by: Option<Pattern<'a>>,
    /// A `BY` without a star asks for no sorting.
    as_given: bool,
    descending: bool,
    alpha: bool,
    /// How many to pass over, and how many to show at most; negative for none and all.
    limit: Option<(i64, i64)>,
    get: Vec<Pattern<'a>>,
    destination: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(c: &Call<'a, '_>, may_store: bool) -> Result<Request<'a>, Error> {
        let mut request = Request::default();
        let mut at = 2;
        while at < c.args.len() {
            at += request.take_option(c, at, may_store)?;
        }
        Ok(request)
    }

    /// Reads the option at argument `at`; returns how many arguments it takes.
    fn take_option(
        &mut self,
        c: &Call<'a, '_>,
        at: usize,
        may_store: bool,
    ) -> Result<usize, Error> {
        let behind = c.args.len() - at - 1;
        match () {
            () if c.is(at, "asc") => self.descending = false,
            () if c.is(at, "desc") => self.descending = true,
            () if c.is(at, "alpha") => self.alpha = true,
            () if c.is(at, "limit") && behind >= 2 => {
                self.limit = Some((c.int(at + 1)?, c.int(at + 2)?));
                return Ok(3);
            }
            () if behind == 0 => return Err(Error::SYNTAX),
            () if c.is(at, "store") && may_store => {
                self.destination = Some(c.arg(at + 1));
                return Ok(2);
            }
            () if c.is(at, "by") => {
                self.by = Some(Pattern::parse(c.arg(at + 1)));
                self.as_given |= !c.arg(at + 1).contains(&b'*');
                return Ok(2);
            }
            () if c.is(at, "get") => {
                self.get.push(Pattern::parse(c.arg(at + 1)));
                return Ok(2);
            }
            () => return Err(Error::SYNTAX),
        }
        Ok(1)
    }

    /// The elements in the order wanted.
    fn sort(&self, store: &mut Access, elements: Elements) -> Result<Vec<Vec<u8>>, Error> {
        let Elements { mut texts, unordered } = elements;
        // What is stored must not depend on how a set happens to lie in memory.
        let for_stability = self.as_given && unordered && self.destination.is_some();
        if self.as_given && !for_stability {
            if self.descending && !unordered {
                texts.reverse();
            }
            return Ok(texts);
        }
        let weigh = |text: Vec<u8>| {
            let weight = if for_stability { Weight::Itself } else { self.weigh(store, &text)? };
            Ok((weight, text))
        };
        let mut weighed = texts.into_iter().map(weigh).collect::<Result<Vec<_>, Error>>()?;
        weighed.sort_by(|one, other| match self.descending {
            false => compare(one, other),
            true => compare(other, one),
        });
        Ok(weighed.into_iter().map(|(_, text)| text).collect())
    }

    fn weigh(&self, store: &mut Access, text: &[u8]) -> Result<Weight, Error> {
        const NOT_NUMBERS: Error =
            Error::new("ERR One or more scores can't be converted into double");
        let found = match &self.by {
            None if self.alpha => return Ok(Weight::Itself),
            None => return parse_f64_loosely(text).map(Weight::Number).ok_or(NOT_NUMBERS),
            Some(pattern) => pattern.look_up(store, text),
        };
        match found {
            text if self.alpha => Ok(Weight::Text(text)),
            None => Ok(Weight::Number(0.0)),
            Some(text) => parse_f64_loosely(&text).map(Weight::Number).ok_or(NOT_NUMBERS),
        }
    }

    /// The places among `len` that `LIMIT` asks for.
    fn range(&self, len: usize) -> Range<usize> {
        let (offset, count) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(offset).unwrap_or(0).min(len);
        let rest = len - start;
        start..start + usize::try_from(count).map_or(rest, |most| most.min(rest))
    }
}

/// What decides where an element goes.
enum Weight {
    /// A number; equal ones leave it to the elements.
    Number(f64),
    /// What a pattern found; nothing comes first.
    Text(Option<Vec<u8>>),
    /// The element.
    Itself,
}

fn compare((one, text): &(Weight, Vec<u8>), (other, other_text): &(Weight, Vec<u8>)) -> Ordering {
    match (one, other) {
        (Weight::Number(one), Weight::Number(other)) => {
            one.partial_cmp(other).unwrap_or(Ordering::Equal).then_with(|| text.cmp(other_text))
        }
        (Weight::Text(one), Weight::Text(other)) => one.cmp(other),
        _ => text.cmp(other_text),
    }
}

/// Where to find something about an element.
enum Pattern<'a> {
    /// `#`: it is the element.
    Element,
    /// Without a star: nowhere.
    Nowhere,
    /// Under a key, or in a field of the hash there.
    Key { before: &'a [u8], behind: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    fn parse(text: &'a [u8]) -> Pattern<'a> {
        if text == b"#" {
            return Pattern::Element;
        }
        let Some(star) = text.iter().position(|byte| *byte == b'*') else {
            return Pattern::Nowhere;
        };
        let (before, behind) = (&text[..star], &text[star + 1..]);
        let arrow = behind.windows(2).position(|two| two == b"->");
        match arrow.filter(|arrow| arrow + 2 < behind.len()) {
            None => Pattern::Key { before, behind, field: None },
            Some(arrow) => {
                let field = Some(&behind[arrow + 2..]);
                Pattern::Key { before, behind: &behind[..arrow], field }
            }
        }
    }

    fn look_up(&self, store: &mut Access, element: &[u8]) -> Option<Vec<u8>> {
        let Pattern::Key { before, behind, field } = self else {
            return matches!(self, Pattern::Element).then(|| element.to_vec());
        };
        match (store.read(&[before, element, behind].concat())?, field) {
            (value, None) => value.as_str().map(|text| text.to_vec()),
            (Value::Object(Object::Hash(hash)), Some(field)) => {
                hash.get(field).map(|value| value.to_vec())
            }
            _ => None,
        }
    }
}

fn list(c: &mut Call, elements: &[Vec<u8>], get: &[Pattern]) {
    let bytes_max = c.reply_bytes_max();
    c.out.array(elements.len().saturating_mul(get.len().max(1)));
    for element in elements {
        if get.is_empty() {
            c.out.bulk(element);
        }
        for pattern in get {
            match pattern.look_up(c.store, element) {
                Some(text) => c.out.bulk(&text),
                None => c.out.null(),
            }
        }
        if c.out.len() > bytes_max {
            c.session.closing = true;
            return;
        }
    }
}

fn store(c: &mut Call, key: &[u8], elements: &[Vec<u8>], get: &[Pattern]) {
    let limits = &c.store.rules.limits;
    let mut result = List::new();
    for element in elements {
        if get.is_empty() {
            result.push(End::Right, element, limits);
        }
        for pattern in get {
            let text = pattern.look_up(c.store, element).unwrap_or_default();
            result.push(End::Right, &text, limits);
        }
    }
    c.out.count(result.len());
    if !result.is_empty() {
        c.store.put(key, result);
        c.store.changed(Events::LIST, "sortstore", key);
        c.store.filled(key);
    } else if c.store.remove(key) {
        c.store.changed(Events::GENERIC, "del", key);
    }
}
