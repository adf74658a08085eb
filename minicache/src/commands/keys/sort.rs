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
//! In a pattern the first `*` stands for the element; after `->` is a field of the hash that the
//! key must hold; `#` is the element itself. The keys cannot be known beforehand, so all shards are
//! locked. Elements compare byte by byte under `ALPHA`; Redis asks the locale unless it stores.
//!
//! With `LIMIT` no more is sorted, or where the order is the given one looked at, than is shown.
//! As in Redis, a packed sorted set becomes a skip list by being sorted, even by `SORT_RO`: nothing
//! here needs that, but `OBJECT ENCODING` shows it.

use crate::commands::{Call, store_result};
use crate::engine::error::{Answer, Error};
use crate::engine::object::{Container as _, Object, Value};
use crate::engine::values::list::{End, List};
use crate::engine::{events::Events, key::Key, keyspace::Keyspace, values::zset::ZSet};
use crate::format::{listpack::Element, number::parse_weight};
use std::{cmp::Ordering, ops::Range};

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]
/// [STORE destination]`
pub fn sort(c: &mut Call) -> Answer {
    run(c, true)
}

/// `SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC]
/// [ALPHA]`
pub fn sort_ro(c: &mut Call) -> Answer {
    run(c, false)
}

fn run(c: &mut Call, may_store: bool) -> Answer {
    let request = Request::parse(c, may_store)?;
    let elements = request.elements(c.keyspace, c.key(1))?;
    match request.destination {
        Some(key) => store(c, c.keyspace.key(key), &elements, &request.get),
        None => {
            list(c, &elements, &request.get);
            Ok(())
        }
    }
}

/// The list, set or sorted set under a key; `None` if there is no key.
fn source<'s>(keyspace: &'s mut Keyspace, key: Key) -> Result<Option<&'s Object>, Error> {
    match keyspace.read(key) {
        None => Ok(None),
        Some(Value::Object(object @ (Object::List(_) | Object::Set(_) | Object::ZSet(_)))) => {
            Ok(Some(object))
        }
        Some(_) => Err(Error::WRONG_TYPE),
    }
}

fn len(source: Option<&Object>) -> usize {
    match source {
        Some(Object::List(list)) => list.len(),
        Some(Object::Set(set)) => set.len(),
        Some(Object::ZSet(zset)) => zset.len(),
        _ => 0,
    }
}

fn texts(source: Option<&Object>, places: Range<usize>) -> Vec<Vec<u8>> {
    let text = |element: Element| element.to_vec();
    match source {
        Some(Object::List(list)) => list.range(places.start, places.len()).map(text).collect(),
        Some(Object::Set(set)) => {
            set.iter().skip(places.start).take(places.len()).map(text).collect()
        }
        Some(Object::ZSet(zset)) => zset.range(places).map(|(member, _)| text(member)).collect(),
        _ => Vec::new(),
    }
}

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
    /// What to show of each element: itself, if no `GET` says otherwise.
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
        if request.get.is_empty() {
            request.get.push(Pattern::Element);
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

    fn elements(&self, keyspace: &mut Keyspace, key: Key) -> Result<Vec<Vec<u8>>, Error> {
        if let Ok(Some(zset)) = keyspace.get_mut::<ZSet>(key) {
            zset.unpack();
        }
        let source = source(keyspace, key)?;
        let unordered = matches!(source, Some(Object::Set(_)));
        let wanted = self.range(len(source));
        // What is stored must not depend on how a set happens to lie in memory.
        let for_stability = self.as_given && unordered && self.destination.is_some();
        if self.as_given && !for_stability {
            if !self.descending || unordered {
                return Ok(texts(source, wanted));
            }
            let mut texts = texts(source, len(source) - wanted.end..len(source) - wanted.start);
            texts.reverse();
            return Ok(texts);
        }
        let texts = texts(source, 0..len(source));
        match &self.by {
            Some(pattern) if !for_stability => self.sort_by(keyspace, pattern, texts, wanted),
            None if !self.alpha => self.sort_numbers(texts, wanted, parse_weight),
            _ => {
                let themselves = texts.into_iter().map(|text| ((), text)).collect();
                Ok(arranged(themselves, Ord::cmp, self.descending, wanted))
            }
        }
    }

    fn sort_by(
        &self,
        keyspace: &mut Keyspace,
        pattern: &Pattern,
        texts: Vec<Vec<u8>>,
        wanted: Range<usize>,
    ) -> Result<Vec<Vec<u8>>, Error> {
        if !self.alpha {
            return self.sort_numbers(texts, wanted, |text| {
                pattern.look_up(keyspace, text).map_or(Some(0.0), |found| parse_weight(&found))
            });
        }
        let weigh = |text: Vec<u8>| (pattern.look_up(keyspace, &text), text);
        let weighed = texts.into_iter().map(weigh).collect();
        Ok(arranged(weighed, |one, other| one.0.cmp(&other.0), self.descending, wanted))
    }

    fn sort_numbers(
        &self,
        texts: Vec<Vec<u8>>,
        wanted: Range<usize>,
        mut number: impl FnMut(&[u8]) -> Option<f64>,
    ) -> Result<Vec<Vec<u8>>, Error> {
        const NOT_NUMBERS: Error =
            Error::new("ERR One or more scores can't be converted into double");
        let weigh = |text: Vec<u8>| Some((number(&text)?, text));
        let weighed: Option<Vec<_>> = texts.into_iter().map(weigh).collect();
        let order = |(one, text): &Weighed<f64>, (other, other_text): &Weighed<f64>| {
            one.partial_cmp(other).unwrap_or(Ordering::Equal).then_with(|| text.cmp(other_text))
        };
        Ok(arranged(weighed.ok_or(NOT_NUMBERS)?, order, self.descending, wanted))
    }

    /// The places among `len` that `LIMIT` asks for.
    fn range(&self, len: usize) -> Range<usize> {
        let (offset, count) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(offset).unwrap_or(0).min(len);
        let rest = len - start;
        start..start + usize::try_from(count).map_or(rest, |most| most.min(rest))
    }
}

type Weighed<W> = (W, Vec<u8>);

/// The elements that have the places `wanted` when all are in order. No more is sorted than that,
/// so what the order does not tell apart stays as it was only where all is wanted.
fn arranged<W>(
    mut weighed: Vec<Weighed<W>>,
    order: impl Fn(&Weighed<W>, &Weighed<W>) -> Ordering,
    descending: bool,
    wanted: Range<usize>,
) -> Vec<Vec<u8>> {
    let compare = |one: &Weighed<W>, other: &Weighed<W>| match descending {
        false => order(one, other),
        true => order(one, other).reverse(),
    };
    if wanted.end < weighed.len() {
        weighed.select_nth_unstable_by(wanted.end, compare);
        weighed.truncate(wanted.end);
    }
    weighed.sort_by(compare);
    weighed.into_iter().skip(wanted.start).map(|(_, text)| text).collect()
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

    fn look_up(&self, keyspace: &mut Keyspace, element: &[u8]) -> Option<Vec<u8>> {
        let Pattern::Key { before, behind, field } = self else {
            return matches!(self, Pattern::Element).then(|| element.to_vec());
        };
        let name = [before, element, *behind].concat();
        match (keyspace.read(keyspace.key(&name))?, field) {
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
    c.out.array(elements.len().saturating_mul(get.len()));
    for element in elements {
        for pattern in get {
            match pattern.look_up(c.keyspace, element) {
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

fn store(c: &mut Call, key: Key, elements: &[Vec<u8>], get: &[Pattern]) -> Answer {
    let limits = &c.keyspace.parts.tuning.limits;
    let mut result = List::default();
    for element in elements {
        for pattern in get {
            let text = pattern.look_up(c.keyspace, element).unwrap_or_default();
            result.push(End::Right, &text, limits);
        }
    }
    // By its outcome: another server may order equal elements otherwise.
    c.keyspace.log(&[b"DEL", key.bytes]);
    if !result.is_empty() {
        let texts: Vec<_> = result.iter().map(|element| element.to_vec()).collect();
        let words = [&b"RPUSH"[..], key.bytes].into_iter().chain(texts.iter().map(|it| &**it));
        c.keyspace.log(&words.collect::<Vec<_>>());
    }
    store_result(c, key, (result.len(), result.into_object()), Events::LIST, "sortstore")
}
