//! `Set-Cookie`, taken apart, changed and put together again.
//!
//! # Example
//!
//! ```text
//! id=7;Domain=a.internal ; path=/app/x;secure
//!
//! Cookie::parse      id = 7 │ Domain = a.internal │ path = /app/x │ secure
//! replace("path")    id = 7 │ Domain = a.internal │ path = /x     │ secure
//! set_flags          id = 7 │ Domain = a.internal │ path = /x     │ SameSite = Lax
//!                    by "nosecure" and "samesite=lax"
//! append_to          id=7; Domain=a.internal; path=/x; SameSite=Lax
//! ```
//!
//! What is not changed keeps its spelling, except for the spaces around separators.
//!
//! NGINX counterpart: `ngx_http_proxy_rewrite_cookie`, `ngx_http_proxy_parse_cookie` and
//! `ngx_http_proxy_edit_cookie_flags` (`ngx_http_proxy_module.c`).

/// The value of a header `Set-Cookie`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: Vec<u8>,
    value: Vec<u8>,
    attributes: Vec<Attribute>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Attribute {
    name: Vec<u8>,
    /// `None` without `=`.
    value: Option<Vec<u8>>,
}

/// A flag that can be set: its word in the configuration, its attribute, and the value of that.
type Flag = (&'static str, &'static str, Option<&'static str>);

/// Of several values for one attribute the first wins.
const FLAGS: [Flag; 5] = [
    ("secure", "Secure", None),
    ("httponly", "HttpOnly", None),
    ("samesite=strict", "SameSite", Some("Strict")),
    ("samesite=lax", "SameSite", Some("Lax")),
    ("samesite=none", "SameSite", Some("None")),
];

impl Cookie {
    /// Takes the value of a header apart. Returns `None` if the cookie has no value; NGINX leaves
    /// such a header as it is.
    pub fn parse(header: &[u8]) -> Option<Cookie> {
        let mut pieces = header.split(|it| *it == b';').map(Attribute::parse);
        let Attribute { name, value } = pieces.next()?;
        Some(Cookie { name, value: value?, attributes: pieces.collect() })
    }

    /// Replaces the values of all attributes with this name by what `replace` makes of them.
    /// Returns true if it has changed any.
    pub fn replace(&mut self, attribute: &str, replace: impl Fn(&[u8]) -> Option<Vec<u8>>) -> bool {
        let mut is_changed = false;
        for it in self.attributes.iter_mut().filter(|it| it.is(attribute)) {
            if let Some(value) = it.value.as_deref().and_then(&replace) {
                it.value = Some(value);
                is_changed = true;
            }
        }
        is_changed
    }

    /// Sets flags (`secure`, `samesite=lax`), and removes those with `no` in front (`nosecure`).
    /// Other words mean nothing. Returns false if no word means anything.
    pub fn set_flags(&mut self, words: &[Vec<u8>]) -> bool {
        let has = |word: &str| words.iter().any(|it| it.eq_ignore_ascii_case(word.as_bytes()));
        let is_removed = |attribute: &str| has(&format!("no{attribute}"));
        let mut added = FLAGS.iter().filter(|it| has(it.0)).collect::<Vec<_>>();
        if added.is_empty() && !FLAGS.iter().any(|it| is_removed(it.1)) {
            return false;
        }

        // An attribute that is there already takes one flag, which is then done with.
        self.attributes.retain_mut(|attribute| {
            match added.iter().position(|it| attribute.is(it.1)) {
                Some(index) => {
                    attribute.set(added.remove(index));
                    true
                }
                None => !FLAGS.iter().any(|it| attribute.is(it.1) && is_removed(it.1)),
            }
        });
        added.dedup_by_key(|it| it.1);
        self.attributes.extend(added.into_iter().map(|(_, name, value)| Attribute {
            name: name.as_bytes().to_vec(),
            value: value.map(|it| it.as_bytes().to_vec()),
        }));
        true
    }

    /// Puts the value of the header together.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        out.extend([&self.name[..], b"=", &self.value].concat());
        for Attribute { name, value } in &self.attributes {
            out.extend([b"; ", &name[..]].concat());
            if let Some(value) = value {
                out.extend([b"=", &value[..]].concat());
            }
        }
    }
}

impl Attribute {
    fn parse(text: &[u8]) -> Attribute {
        let trimmed = |it: &[u8]| {
            let start = it.iter().position(|byte| *byte != b' ').unwrap_or(it.len());
            let end = it.iter().rposition(|byte| *byte != b' ').map_or(start, |last| last + 1);
            it[start..end].to_vec()
        };
        let mut parts = text.splitn(2, |it| *it == b'=').map(trimmed);
        Attribute { name: parts.next().unwrap_or_default(), value: parts.next() }
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Gives it the value of a flag, in the flag's spelling, unless it has that value already.
    fn set(&mut self, (_, name, value): &Flag) {
        let Some(value) = value.map(str::as_bytes) else { return };
        if !self.value.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(value)) {
            *self = Attribute { name: name.as_bytes().to_vec(), value: Some(value.to_vec()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cookie after its flags were set; `None` if none of the words is a flag.
    fn flagged(header: &str, words: &str) -> Option<String> {
        let mut cookie = Cookie::parse(header.as_bytes()).expect("it has a value");
        let words = words.split(' ').map(|it| it.as_bytes().to_vec()).collect::<Vec<_>>();
        let mut out = Vec::new();
        let is_changed = cookie.set_flags(&words);
        cookie.append_to(&mut out);
        is_changed.then(|| String::from_utf8(out).expect("it was text"))
    }

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let header = b"id=7;Domain=a.internal ; path=/app/x;secure";
        let mut cookie = Cookie::parse(header).expect("it has a value");
        assert!(cookie.replace("path", |it| Some(it.strip_prefix(b"/app")?.to_vec())));
        assert!(cookie.set_flags(&[b"nosecure".to_vec(), b"samesite=lax".to_vec()]));
        let mut out = Vec::new();
        cookie.append_to(&mut out);
        assert_eq!(out, b"id=7; Domain=a.internal; path=/x; SameSite=Lax");
    }

    #[test]
    fn attributes_are_known_in_any_case_and_without_values_stay() {
        let mut cookie = Cookie::parse(b"a=b=c; PATH=/; path; Path = ; pathx=1").expect("a value");
        assert!(cookie.replace("path", |it| Some([b"<", it, b">"].concat())));
        let mut out = Vec::new();
        cookie.append_to(&mut out);
        assert_eq!(out, b"a=b=c; PATH=</>; path; Path=<>; pathx=1");
        assert!(!cookie.replace("domain", |_| Some(Vec::new())));
        assert_eq!(Cookie::parse(b"a; path=/"), None);
    }

    #[test]
    fn flags_are_set_once_and_keep_what_is_right() {
        for (header, words, expected) in [
            ("a=1", "secure", Some("a=1; Secure")),
            ("a=1;SECURE=x", "Secure", Some("a=1; SECURE=x")),
            ("a=1", "httponly samesite=none secure", Some("a=1; Secure; HttpOnly; SameSite=None")),
            ("a=1; samesite=STRICT", "samesite=strict", Some("a=1; samesite=STRICT")),
            ("a=1; samesite", "samesite=strict", Some("a=1; SameSite=Strict")),
            ("a=1; samesite=x; path=/", "samesite=lax", Some("a=1; SameSite=Lax; path=/")),
            ("a=1; Secure; HttpOnly; SameSite=Lax", "nosecure nohttponly nosamesite", Some("a=1")),
            // Both words count: one for the attribute that is there, the other for a second one.
            ("a=1; secure; secure", "secure nosecure", Some("a=1; secure")),
            (
                "a=1; samesite=x",
                "samesite=lax samesite=strict",
                Some("a=1; SameSite=Strict; SameSite=Lax"),
            ),
            ("a=1", "samesite=lax samesite=strict", Some("a=1; SameSite=Strict")),
            ("a=1", "nosecure", Some("a=1")),
            ("a=1", "samesite", None),
        ] {
            assert_eq!(flagged(header, words).as_deref(), expected, "{header} {words}");
        }
    }
}
