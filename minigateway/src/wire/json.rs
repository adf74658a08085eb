//! Reads one level of JSON: the members of an object, the elements of a list.
//!
//! ```text
//! {"a": 1.10, "b": {"c": [2]}}        a: 1.10        b: {"c": [2]}
//! ```
//!
//! Values stay text, so numbers keep all their digits. Members keep their order and duplicates.

use minilb::wire::http1::head::Header;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Returns the media types of `Content-Type`, in lower case without parameters.
pub fn media_types<'a>(headers: impl Iterator<Item = Header<'a>>) -> Vec<Vec<u8>> {
    let values = headers.filter(|it| it.name.eq_ignore_ascii_case(b"content-type"));
    let types = values.flat_map(|it| it.value.split(|it| *it == b','));
    let types = types.map(|it| it.split(|it| *it == b';').next().unwrap_or_default());
    types.map(|it| it.trim_ascii().to_ascii_lowercase()).collect()
}

/// Returns true for `application/json` and `application/NAME+json`.
pub fn is_json(media_type: &[u8]) -> bool {
    media_type == b"application/json" || media_type.ends_with(b"+json")
}

/// A member of an object.
pub type Member<'a> = (String, &'a RawValue);

/// Returns the members of an object; `None` if the value is not one.
pub fn members(value: &RawValue) -> Option<Vec<Member<'_>>> {
    serde_json::from_str::<Object<'_>>(value.get()).ok().map(|it| it.0)
}

/// Returns the elements of a list; `None` if the value is not one.
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
