//! `DEBUG DIGEST` and `DEBUG DIGEST-VALUE`: whether two datasets are the same, in 40 digits.
//!
//! Of a list or sorted set the order counts, of a hash, a set or a database it does not: there the
//! digests of the parts are added up, which comes out the same in any order. How a value is encoded
//! makes no difference. Redis mixes SHA-1s (`debug.c`); the digits differ from its own, and from
//! those of another run of the server.

use crate::engine::object::{Object, Value};
use ahash::RandomState;

/// The digest of a value and its deadline, as far as there are any; zeros for nothing.
pub fn of_value(value: Option<Value<'_>>, deadline: Option<i64>) -> u128 {
    let Some(value) = value else { return 0 };
    let parts = match value {
        Value::Short(text) => mix(&[&text.to_vec()]),
        Value::Object(object) => of_object(object),
    };
    parts.wrapping_add(mix(&[value.type_name().as_bytes(), &deadline.unwrap_or(-1).to_le_bytes()]))
}

/// The digest of a key and what is under it.
pub fn of_pair(key: &[u8], value: u128) -> u128 {
    mix(&[key, &value.to_le_bytes()])
}

/// The digits, as many as a SHA-1 has.
pub fn digits(digest: u128) -> String {
    format!("{digest:040x}")
}

fn of_object(object: &Object) -> u128 {
    let in_order = |sum: u128, part: u128| mix(&[&sum.to_le_bytes(), &part.to_le_bytes()]);
    match object {
        Object::Text(text) => mix(&[text]),
        Object::List(list) => list.iter().map(|e| mix(&[&e.to_vec()])).fold(0, in_order),
        Object::Set(set) => set.iter().map(|e| mix(&[&e.to_vec()])).fold(0, u128::wrapping_add),
        Object::Hash(hash) => hash
            .iter()
            .map(|(field, value)| mix(&[&field.to_vec(), &value.to_vec()]))
            .fold(0, u128::wrapping_add),
        Object::ZSet(zset) => zset
            .iter()
            .map(|(member, score)| mix(&[&member.to_vec(), &score.to_bits().to_le_bytes()]))
            .fold(0, in_order),
    }
}

/// 128 bits out of two seeds.
fn mix(parts: &[&[u8]]) -> u128 {
    let half = |seed| u128::from(RandomState::with_seed(seed).hash_one(parts));
    half(1) << 64 | half(2)
}
