//! What a key can hold: five types, and what `TYPE` and `OBJECT ENCODING` reply for each.
//!
//! Short strings and integers are in the entry itself (`format::entry`). An [`Object`] is a value
//! on the heap: a container, or a string that is long or was changed in place (`robj` in
//! `object.c`).
//!
//! | value | type | encoding reported | where it is |
//! |-------|------|----------|---------------|
//! | `42` | string | `int` | 8 bytes in the entry |
//! | `hello` | string | `embstr` up to 44 bytes, then `raw` | in the entry |
//! | `hello` after `APPEND k x` | string | `raw` | [`Object::Text`] |
//! | `[a, b]` | list | `quicklist` | [`Object::List`] |

use crate::engine::values::{hash::Hash, list::List, set::Set, zset::ZSet};
use crate::format::listpack::Element;

#[derive(Clone)]
pub enum Object {
    /// A string that is long, or has been appended to or overwritten in part.
    Text(Vec<u8>),
    List(List),
    Hash(Hash),
    Set(Set),
    ZSet(ZSet),
}

/// A string, borrowed: a number or bytes, as in a listpack.
pub type Str<'a> = Element<'a>;

/// A value that was taken out of its entry.
pub enum Owned {
    /// A short string. It stays text even if it is the decimal form of a number.
    Text(Vec<u8>),
    Int(i64),
    Object(Object),
}

impl Owned {
    /// A copy of a short string.
    pub fn short(text: Str) -> Owned {
        match text {
            Str::Int(number) => Owned::Int(number),
            Str::Bytes(bytes) => Owned::Text(bytes.to_vec()),
        }
    }
}

/// A value, borrowed.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// A string in its entry.
    Short(Str<'a>),
    /// Anything on the heap.
    Object(&'a Object),
}

/// The longest string that `OBJECT ENCODING` calls `embstr` (Redis: what fits a 64-byte allocation
/// with its header).
const EMBSTR_MAX: usize = 44;

impl<'a> Value<'a> {
    /// The string, or `None` for a container.
    pub fn as_str(self) -> Option<Str<'a>> {
        match self {
            Value::Short(text) => Some(text),
            Value::Object(Object::Text(bytes)) => Some(Str::Bytes(bytes)),
            Value::Object(_) => None,
        }
    }

    /// The reply of `TYPE`.
    pub fn type_name(self) -> &'static str {
        match self {
            Value::Short(_) | Value::Object(Object::Text(_)) => "string",
            Value::Object(Object::List(_)) => "list",
            Value::Object(Object::Hash(_)) => "hash",
            Value::Object(Object::Set(_)) => "set",
            Value::Object(Object::ZSet(_)) => "zset",
        }
    }

    /// The reply of `OBJECT ENCODING`.
    pub fn encoding(self) -> &'static str {
        match self {
            Value::Short(Str::Int(_)) => "int",
            Value::Short(Str::Bytes(bytes)) if bytes.len() <= EMBSTR_MAX => "embstr",
            Value::Short(_) | Value::Object(Object::Text(_)) => "raw",
            Value::Object(Object::List(_)) => "quicklist",
            Value::Object(Object::Hash(hash)) => hash.encoding(),
            Value::Object(Object::Set(set)) => set.encoding(),
            Value::Object(Object::ZSet(zset)) => zset.encoding(),
        }
    }

    /// Bytes of memory outside the entry.
    pub fn heap_bytes(self) -> usize {
        match self {
            Value::Short(_) => 0,
            Value::Object(object) => size_of::<Option<Object>>() + object.heap_bytes(),
        }
    }
}

impl Object {
    /// The cost of freeing it: about the number of its allocations (`lazyfreeGetFreeEffort`).
    pub fn free_effort(&self) -> usize {
        match self {
            Object::Text(_)
            | Object::Hash(Hash::Packed(_))
            | Object::Set(Set::Ints(_))
            | Object::ZSet(ZSet::Packed(_)) => 1,
            Object::List(list) => list.nodes(),
            Object::Hash(hash) => hash.len(),
            Object::Set(set) => set.len(),
            Object::ZSet(zset) => zset.len(),
        }
    }

    /// Bytes of memory it uses.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Object::Text(bytes) => bytes.capacity(),
            Object::List(list) => list.bytes(),
            Object::Hash(hash) => hash.bytes(),
            Object::Set(set) => set.bytes(),
            Object::ZSet(zset) => zset.bytes(),
        }
    }
}

/// A container type, and how to convert it from and to an [`Object`].
pub trait Container: Default {
    /// The container, or `None` if the object is of another type.
    fn of(object: &Object) -> Option<&Self>;
    /// As [`of`](Self::of), mutable.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
    fn into_object(self) -> Object;
    /// Returns true if it has no elements. No key holds an empty container.
    fn is_empty(&self) -> bool;
}

macro_rules! container {
    ($($kind:ident)*) => { $(
        impl Container for $kind {
            fn of(object: &Object) -> Option<&Self> {
                if let Object::$kind(inner) = object { Some(inner) } else { None }
            }
            fn of_mut(object: &mut Object) -> Option<&mut Self> {
                if let Object::$kind(inner) = object { Some(inner) } else { None }
            }
            fn into_object(self) -> Object {
                Object::$kind(self)
            }
            fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }
    )* };
}

container!(List Hash Set ZSet);
