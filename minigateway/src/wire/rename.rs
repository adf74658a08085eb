//! Renames fields of JSON bodies between two versions of an API.
//!
//! The client uses version 1, the upstream version 2, and the configuration has `rename = { name =
//! "full_name", "items.price" = "unit_price" }`:
//!
//! ```text
//! client      {"name":"Ann","items":[{"price":1.10}]}
//! upstream    {"full_name":"Ann","items":[{"unit_price":1.10}]}
//! ```
//!
//! Request bodies are renamed on the way to the upstream, response bodies on the way back. A path
//! applies to nested objects, and to the objects in lists.
//!
//! Values are copied, not parsed: 1.10 stays 1.10, and a number keeps thirty digits. Objects on the
//! path lose the whitespace between their members but keep their order.
//!
//! A field that already has the new name is an error: after renaming `{"name":"a","full_name":"b"}`
//! there would be two fields `full_name`, and servers disagree which one counts.

use super::json::{elements, members};
use serde_json::value::RawValue;

/// Why a body cannot be renamed: the status and the detail of the answer.
pub type RenameError = (u16, &'static str);
const MALFORMED: RenameError = (400, "the body is not JSON, or is compressed");
/// The body has a field with the new name of another field.
const CLASH: RenameError = (400, "the body has a field of another version");

/// The fields of an object that are renamed, or that contain such fields.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<Field>);

#[derive(Clone, Debug)]
struct Field {
    from: String,
    to: String,
    inner: Fields,
}

/// Nothing is renamed.
const NONE: Fields = Fields(Vec::new());

impl Fields {
    /// Returns true if nothing is renamed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a field by its path (`items.price`), and its name upstream (`unit_price`).
    ///
    /// # Errors
    /// A hint.
    pub fn insert(&mut self, path: &str, to: &str) -> Result<(), String> {
        if path.split('.').chain([to]).any(str::is_empty) || to.contains('.') {
            return Err("write \"a.b\" = \"c\": field b of a, and its name upstream".to_owned());
        }
        let (name, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
        let index = self.0.iter().position(|it| it.from == name).unwrap_or_else(|| {
            self.0.push(Field { from: name.to_owned(), to: name.to_owned(), inner: NONE });
            self.0.len() - 1
        });
        match rest {
            Some(rest) => self.0[index].inner.insert(rest, to)?,
            None => to.clone_into(&mut self.0[index].to),
        }
        let to = &self.0[index].to;
        match self.0.iter().filter(|it| it.to == *to).count() {
            1 => Ok(()),
            _ => Err(format!("two fields cannot both be \"{to}\" upstream")),
        }
    }

    /// Returns the inverse, for response bodies.
    pub fn inverted(&self) -> Fields {
        let inverted = |Field { from, to, inner }: &Field| Field {
            from: to.clone(),
            to: from.clone(),
            inner: inner.inverted(),
        };
        Fields(self.0.iter().map(inverted).collect())
    }

    /// Renames the fields of a body. An empty body stays empty.
    ///
    /// # Errors
    /// If the body is not JSON, or has a field with a new name. It must not be forwarded then.
    pub fn rename(&self, body: &[u8]) -> Result<Vec<u8>, RenameError> {
        let mut out = Vec::with_capacity(body.len() + 64);
        if !body.is_empty() {
            let value = serde_json::from_slice(body).map_err(|_| MALFORMED)?;
            self.write(value, &mut out)?;
        }
        Ok(out)
    }

    fn write(&self, value: &RawValue, out: &mut Vec<u8>) -> Result<(), RenameError> {
        if self.is_empty() {
            out.extend_from_slice(value.get().as_bytes());
        } else if let Some(members) = members(value) {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                out.extend((index > 0).then_some(b','));
                let field = self.0.iter().find(|it| it.from == *name);
                if field.is_none() && self.0.iter().any(|it| it.to == *name) {
                    return Err(CLASH);
                }
                let name = field.map_or(name, |it| &it.to);
                serde_json::to_writer(&mut *out, name).expect("a vector takes everything");
                out.push(b':');
                field.map_or(&NONE, |it| &it.inner).write(value, out)?;
            }
            out.push(b'}');
        } else if let Some(elements) = elements(value) {
            out.push(b'[');
            for (index, value) in elements.iter().enumerate() {
                out.extend((index > 0).then_some(b','));
                // Copy nested lists as they are: parsing each level costs the square of the depth.
                let inner = if value.get().starts_with('[') { &NONE } else { self };
                inner.write(value, out)?;
            }
            out.push(b']');
        } else if value.get().starts_with('{') {
            // An object with a name such as "\ud800", which is not valid text.
            return Err(MALFORMED);
        } else {
            out.extend_from_slice(value.get().as_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(paths: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (path, upstream) in paths {
            fields.insert(path, upstream).expect("well formed");
        }
        fields
    }

    #[test]
    fn the_example_of_the_head() {
        let fields = fields(&[("name", "full_name"), ("items.price", "unit_price")]);
        let example = include_str!("rename.rs").split("```").nth(1).expect("there is one");
        let mut bodies = example.lines().filter_map(|it| Some(it.split_once('{')?.1));
        let mut next = || format!("{{{}", bodies.next().expect("two of them")).into_bytes();
        let (client, upstream) = (next(), next());
        assert_eq!(fields.rename(&client), Ok(upstream.clone()));
        assert_eq!(fields.inverted().rename(&upstream), Ok(client));
    }

    #[test]
    fn names_are_compared_as_text_and_values_are_copied() {
        let fields = fields(&[("a", "b"), ("b", "a"), ("o.x", "y")]);
        for (body, expected) in [
            ("", ""),
            ("7", "7"),
            (" [ {\"a\": 1e400 } , [ {\"a\":1} ] ] ", "[{\"b\":1e400},[ {\"a\":1} ]]"),
            ("{\"\\u0061\":{\"a\":1},\"b\":\"a\"}", "{\"b\":{\"a\":1},\"a\":\"a\"}"),
            ("{\"o\":{\"x\":{\"x\":1}},\"x\":2}", "{\"o\":{\"y\":{\"x\":1}},\"x\":2}"),
            ("{\"o\":[{\"x\":1},null]}", "{\"o\":[{\"y\":1},null]}"),
            ("{\"\\\"\\n\":0}", "{\"\\\"\\n\":0}"),
        ] {
            let renamed = fields.rename(body.as_bytes()).expect(body);
            assert_eq!(String::from_utf8_lossy(&renamed), expected);
        }
    }

    #[test]
    fn what_cannot_be_renamed_is_an_error() {
        let fields = fields(&[("o.name", "full_name")]);
        let both = "{\"o\":{\"name\":1,\"full_name\":2}}";
        for fields in [fields.inverted(), fields] {
            let rename = |body: &str| fields.rename(body.as_bytes());
            assert_eq!(rename(both), Err(CLASH));
            let name = "[{\"\\ud800\":1}]";
            for body in ["{", "{\"a\":1}x", "{'a':1}", "nul", name, &"[".repeat(100_000)] {
                assert_eq!(rename(body), Err(MALFORMED));
            }
        }
        let mut fields = Fields::default();
        assert!(fields.insert("a", "x").is_ok() && fields.insert("b.c", "x").is_ok());
        for (path, upstream) in [("", "a"), ("a.", "b"), ("a", ""), ("a", "b.c"), ("b", "x")] {
            assert!(fields.clone().insert(path, upstream).is_err(), "{path} {upstream}");
        }
    }
}
