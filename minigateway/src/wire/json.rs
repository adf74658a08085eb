//! JSON as far as the gateway looks into it: the members of an object, the elements of a list.
//!
//! ```text
//! {"a": 1.10, "b": {"c": [2]}}        a: 1.10        b: {"c": [2]}
//! ```
//!
//! Values stay text, so numbers keep all their digits; members keep their order, two of a name too.

use minilb::wire::http1::head::Headers;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The value of `Content-Type` in lower case, without parameters.
pub fn media_type(headers: Headers<'_>) -> Option<Vec<u8>> {
    let value = headers.get(b"content-type")?;
    Some(value.split(|it| *it == b';').next()?.trim_ascii().to_ascii_lowercase())
}

/// Returns true for `application/json` and `application/NAME+json`; `default` without a type.
pub fn is_json(headers: Headers<'_>, default: bool) -> bool {
    let is_json = |it: Vec<u8>| it == b"application/json" || it.ends_with(b"+json");
    media_type(headers).map_or(default, is_json)
}

/// A member of an object.
pub type Member<'a> = (String, &'a RawValue);

/// The members of an object; `None` if it is another value.
pub fn members(value: &RawValue) -> Option<Vec<Member<'_>>> {
    serde_json::from_str::<Object<'_>>(value.get()).ok().map(|it| it.0)
}

/// The elements of a list; `None` if it is another value.
pub fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

struct Object<'a>(Vec<Member<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Object<'a>, D::Error> {
        from.deserialize_map(Members).map(Object)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}
