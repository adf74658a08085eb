//! The hash: a listpack of fields and values while they are few and short, a dictionary otherwise.
//!
//! ```text
//! HSET user:1 name Ada born 1815    listpack    name Ada born 1815     27 bytes in all
//! ```
//!
//! Finding a field in the packed form compares every field before it. Up to a few dozen fields that
//! is as fast as hashing, and at the limit of 512 it still takes only some microseconds, for less
//! than a third of the memory. A hash is converted when a field or value is longer than the limit
//! or there are too many fields, and never converted back.
//!
//! Counterpart in Redis: `t_hash.c`.

use super::dict::{Dict, Entry};
use super::{Limits, allocation};
use crate::format::listpack::{self, Element, Listpack};

#[derive(Clone)]
pub enum Hash {
    /// Field, value, field, value, in the order in which the fields were added.
    Packed(Listpack),
    /// Any number of fields.
    Indexed(Box<Dict<Pair>>),
}

impl Default for Hash {
    fn default() -> Hash {
        Hash::Packed(Listpack::new())
    }
}

impl Hash {
    pub fn len(&self) -> usize {
        match self {
            Hash::Packed(pack) => pack.len() / 2,
            Hash::Indexed(dict) => dict.len(),
        }
    }

    pub fn get(&self, field: &[u8]) -> Option<Element<'_>> {
        match self {
            Hash::Packed(pack) => {
                let offset = pack.find(Element::of(field), 2)?;
                pack.iter_from(offset).nth(1)
            }
            Hash::Indexed(dict) => dict.get(field).map(|pair| Element::Bytes(pair.value())),
        }
    }

    pub fn contains(&self, field: &[u8]) -> bool {
        match self {
            Hash::Packed(pack) => pack.find(Element::of(field), 2).is_some(),
            Hash::Indexed(dict) => dict.get(field).is_some(),
        }
    }

    /// Sets the value of a field. Returns true if the field is new.
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: &Limits) -> bool {
        self.unpack_for([field, value], limits);
        let pack = match self {
            Hash::Packed(pack) => pack,
            Hash::Indexed(dict) => return put(dict, field, value),
        };

        let (field, value) = (Element::of(field), Element::of(value));
        if let Some(offset) = pack.find(field, 2) {
            pack.replace(pack.after(offset), value);
            return false;
        }
        pack.push_back(field);
        pack.push_back(value);
        if self.len() > limits.hash_max_listpack_entries {
            self.unpack();
        }
        true
    }

    /// Removes a field. Returns false if there is none.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self {
            Hash::Packed(pack) => {
                let found = pack.find(Element::of(field), 2);
                found.is_some_and(|offset| pack.delete(offset, 2) == 2)
            }
            Hash::Indexed(dict) => dict.remove(field).is_some(),
        }
    }

    /// Converts the hash to a dictionary if one of these texts is too long for the packed form.
    /// Commands pass all their fields and values before they set the first, because Redis decides
    /// at that point, even if the command then sets nothing.
    pub fn unpack_for<'a>(&mut self, texts: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) {
        let Hash::Packed(pack) = self else { return };
        let mut sum = 0usize;
        let long = texts.into_iter().any(|text| {
            sum = sum.saturating_add(text.len());
            text.len() > limits.hash_max_listpack_value
        });
        if long || !pack.has_room_for(sum) {
            self.unpack();
        }
    }

    /// The field at an index, `0..len()`, and its value. Constant time, or linear if packed.
    pub fn nth(&self, index: usize) -> Option<(Element<'_>, Element<'_>)> {
        match self {
            Hash::Packed(pack) => {
                let mut iter = pack.iter_from(pack.seek(index.checked_mul(2)?)?);
                Some((iter.next()?, iter.next()?))
            }
            Hash::Indexed(dict) => dict.nth(index).map(Pair::elements),
        }
    }

    pub fn iter(&self) -> Iter<'_> {
        match self {
            Hash::Packed(pack) => Iter::Packed(pack.iter()),
            Hash::Indexed(dict) => Iter::Indexed(dict.iter()),
        }
    }

    /// Passes some fields to `emit` and returns the next cursor; see
    /// [`Table::scan`](crate::engine::store::table::Table::scan). A listpack is passed as a whole.
    pub fn scan(&self, cursor: u64, mut emit: impl FnMut(Element, Element)) -> u64 {
        match self {
            Hash::Packed(_) => {
                self.iter().for_each(|(field, value)| emit(field, value));
                0
            }
            Hash::Indexed(dict) => dict.scan(cursor, |pair| {
                let (field, value) = pair.elements();
                emit(field, value);
            }),
        }
    }

    /// The name that `OBJECT ENCODING` replies.
    pub fn encoding(&self) -> &'static str {
        match self {
            Hash::Packed(_) => "listpack",
            Hash::Indexed(_) => "hashtable",
        }
    }

    /// Bytes of memory, without this struct itself.
    pub fn bytes(&self) -> usize {
        match self {
            Hash::Packed(pack) => allocation(pack.allocated()),
            Hash::Indexed(dict) => allocation(size_of_val(&**dict)) + dict.bytes(),
        }
    }

    fn unpack(&mut self) {
        if let Hash::Packed(_) = self {
            let mut dict = Dict::default();
            let (mut first, mut second) = Default::default();
            for (field, value) in self.iter() {
                put(&mut dict, field.as_bytes(&mut first), value.as_bytes(&mut second));
            }
            *self = Hash::Indexed(Box::new(dict));
        }
    }
}

pub enum Iter<'a> {
    Packed(listpack::Iter<'a>),
    Indexed(std::slice::Iter<'a, Pair>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, Element<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Iter::Packed(iter) => Some((iter.next()?, iter.next()?)),
            Iter::Indexed(iter) => iter.next().map(Pair::elements),
        }
    }
}

/// A field and its value in one allocation: half as many allocations, and the value is in the cache
/// when the field has been compared.
#[derive(Clone)]
pub struct Pair {
    text: Box<[u8]>,
    field_len: usize,
}

impl Pair {
    fn new(field: &[u8], value: &[u8]) -> Pair {
        Pair { text: [field, value].concat().into(), field_len: field.len() }
    }

    fn value(&self) -> &[u8] {
        &self.text[self.field_len..]
    }

    /// Replaces the value; in place if the new one has the same length.
    fn set_value(&mut self, value: &[u8]) {
        if self.value().len() == value.len() {
            self.text[self.field_len..].copy_from_slice(value);
        } else {
            *self = Pair::new(self.member(), value);
        }
    }

    fn elements(&self) -> (Element<'_>, Element<'_>) {
        (Element::Bytes(self.member()), Element::Bytes(self.value()))
    }
}

impl Entry for Pair {
    fn member(&self) -> &[u8] {
        &self.text[..self.field_len]
    }

    fn heap(&self) -> usize {
        allocation(self.text.len())
    }
}

fn put(dict: &mut Dict<Pair>, field: &[u8], value: &[u8]) -> bool {
    dict.put(field, || Pair::new(field, value), |pair| pair.set_value(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rng::Rng;
    use std::collections::{BTreeMap, HashSet};

    fn pairs(hash: &Hash) -> BTreeMap<Vec<u8>, Vec<u8>> {
        hash.iter().map(|(field, value)| (field.to_vec(), value.to_vec())).collect()
    }

    fn random_text(rng: &mut Rng, longest: usize) -> Vec<u8> {
        match rng.below(3) {
            0 => (rng.next_u64() as i64 >> rng.below(64)).to_string().into_bytes(),
            _ => vec![b'a' + rng.below(26) as u8; rng.below(longest + 1)],
        }
    }

    /// Staying packed, growing out of it by number, and by one long value.
    #[test]
    fn follows_a_map_through_random_changes() {
        for (fields, longest, encoding) in
            [(300, 64, "listpack"), (2000, 64, "hashtable"), (300, 65, "hashtable")]
        {
            let mut rng = Rng::new(51);
            let (mut hash, mut model) = (Hash::default(), BTreeMap::new());
            for _ in 0..10_000 {
                let number = rng.below(fields);
                let prefix = if number.is_multiple_of(2) { "f" } else { "" };
                let field = format!("{prefix}{number}").into_bytes();
                let value = random_text(&mut rng, longest);
                assert_eq!(hash.get(&field).map(|v| v.to_vec()), model.get(&field).cloned());
                assert_eq!(
                    hash.get(&field).map_or(0, Element::text_len),
                    model.get(&field).map_or(0, Vec::len)
                );
                if rng.below(3) > 0 {
                    let new = hash.set(&field, &value, &Limits::default());
                    assert_eq!(new, model.insert(field, value).is_none());
                } else {
                    assert_eq!(hash.remove(&field), model.remove(&field).is_some());
                }
                assert_eq!(hash.len(), model.len());
            }
            assert_eq!(hash.encoding(), encoding);
            assert_eq!(pairs(&hash), model);
        }
    }

    #[test]
    fn unpacks_where_redis_does() {
        let limits = Limits::default();
        let mut many = Hash::default();
        (0..512).for_each(|n| assert!(many.set(format!("{n}").as_bytes(), b"v", &limits)));
        assert_eq!(many.encoding(), "listpack");
        assert!(many.set(b"one more", b"v", &limits));
        assert_eq!((many.encoding(), many.len()), ("hashtable", 513));

        let mut long = Hash::default();
        assert!(long.set(b"f", &[b'x'; 64], &limits));
        assert_eq!(long.encoding(), "listpack");
        long.unpack_for([&b"f"[..], &[b'x'; 65]], &limits);
        assert_eq!(
            (long.encoding(), long.get(b"f").map_or(0, Element::text_len)),
            ("hashtable", 64)
        );
    }

    #[test]
    fn scans_and_draws_everything() {
        let mut rng = Rng::new(52);
        for n in [100, 3000] {
            let mut hash = Hash::default();
            for n in 0..n {
                hash.set(format!("f{n}").as_bytes(), format!("{n}").as_bytes(), &Limits::default());
            }
            let (mut seen, mut cursor, mut calls) = (BTreeMap::new(), 0, 0);
            while cursor != 0 || calls == 0 {
                cursor = hash.scan(cursor, |field, value| {
                    seen.insert(field.to_vec(), value.to_vec());
                });
                calls += 1;
            }
            assert_eq!(calls == 1, n == 100);
            assert_eq!(seen, pairs(&hash));
            let drawn: HashSet<_> =
                (0..n * 20).map(|_| hash.nth(rng.below(hash.len())).unwrap().0.to_vec()).collect();
            assert_eq!(drawn.len(), seen.len());
            assert!(hash.nth(n).is_none());
        }
    }
}
