//! Request targets: the normalized path, and the query.
//!
//! ```text
//! target as sent                   sent on                          the router compares
//! /%61dmin                         /admin                           /admin
//! /caf\xc3\xa9/%c3%a9?q=a%20b      /caf%C3%A9/%C3%A9?q=a%20b        /café/é
//! /users/%40me                     /users/%40me                     /users/@me
//! /x/../admin  //admin  /a%2fb     400                              (see [`normalize`])
//! ```
//!
//! To a server `/%61dmin` means `/admin` (RFC 3986, 6.2.2). If the router took it for another path,
//! a route `/*` could forward it without the key that a route `/admin` requires. So the router
//! compares decoded paths, and the upstream gets a normalized one: unreserved characters are
//! decoded, and other encodings have uppercase digits. `%40` and similar ones stay, because some
//! servers distinguish `%2B` from `+`. Counterparts: Envoy's `normalize_path` and
//! `path_with_escaped_slashes_action`.

use std::borrow::Cow;
use std::io::Write;

/// A target with only one meaning.
#[derive(Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path and query for the upstream; `None` if the target is already normalized.
    pub normalized: Option<Vec<u8>>,
    /// The percent-decoded path, for the router.
    pub path: Cow<'a, [u8]>,
}

/// Normalizes a target without scheme and host. The query stays unchanged.
///
/// # Errors
/// The detail of the problem, if servers interpret the target in different ways: some cut a segment
/// at `;`, some merge slashes, resolve dots or decode twice.
pub fn normalize(target: &[u8]) -> Result<Target<'_>, &'static str> {
    let (path, query) = target.split_at(target.len() - query_with_mark(target).len());
    if target.contains(&b'#') {
        return Err("a target has no fragment");
    }
    // Nearly all paths are normalized already.
    let is_in_path = |it: &u8| *it == b'/' || is_segment_character(*it);
    let has = |text: &[u8]| memchr::memmem::find(path, text).is_some();
    if path.starts_with(b"/") && path.iter().all(is_in_path) && !has(b"//") && !has(b"/.") {
        return Ok(Target { normalized: None, path: Cow::Borrowed(path) });
    }

    let (mut normalized, mut decoded) = (Vec::with_capacity(target.len()), Vec::new());
    let segments = path.strip_prefix(b"/").ok_or("a path begins with a slash")?;
    for (index, segment) in segments.split(|it| *it == b'/').enumerate() {
        if index > 0 && decoded.ends_with(b"/") {
            return Err("a path has no empty segments");
        }
        normalized.push(b'/');
        decoded.push(b'/');
        push_segment(segment, &mut normalized, &mut decoded)?;
    }
    normalized.extend_from_slice(query);
    Ok(Target { normalized: Some(normalized), path: Cow::Owned(decoded) })
}

fn push_segment(
    segment: &[u8],
    normalized: &mut Vec<u8>,
    decoded: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let (mut bytes, start) = (segment.iter(), decoded.len());
    while let Some(byte) = bytes.next() {
        let is_encoded = *byte == b'%';
        let byte = if is_encoded { hex(&mut bytes).ok_or(MALFORMED)? } else { *byte };
        decoded.push(byte);
        let is_unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        match is_unreserved || !is_encoded && is_segment_character(byte) {
            true => normalized.push(byte),
            false => write!(normalized, "%{byte:02X}").expect("a vector takes everything"),
        }
    }

    let decoded = &decoded[start..];
    let mut rest = decoded;
    while let Some(percent) = rest.iter().position(|it| *it == b'%') {
        rest = &rest[percent + 1..];
        if hex(&mut rest.iter()).is_some() {
            return Err("the path is encoded twice");
        }
    }
    let is_separator = |it: &u8| it.is_ascii_control() || b"/\\;".contains(it);
    match decoded {
        b"." | b".." => Err("a path has no segments of dots"),
        _ if decoded.iter().any(is_separator) => {
            Err("a segment of a path has no slash, backslash, semicolon or control character")
        }
        // This also refuses overlong encodings of a slash, which are not UTF-8.
        _ => std::str::from_utf8(decoded).map(|_| ()).map_err(|_| MALFORMED),
    }
}

const MALFORMED: &str = "the path has a malformed percent encoding, or is not UTF-8";

/// RFC 3986's `pchar`, without `;` and percent signs.
fn is_segment_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

fn query_with_mark(target: &[u8]) -> &[u8] {
    target.iter().position(|it| *it == b'?').map_or(&[], |it| &target[it..])
}

/// Returns the query: the text after the question mark.
pub fn query(target: &[u8]) -> &[u8] {
    query_with_mark(target).get(1..).unwrap_or_default()
}

/// Reads two hexadecimal digits.
fn hex<'a>(bytes: &mut impl Iterator<Item = &'a u8>) -> Option<u8> {
    let mut digit = || char::from(*bytes.next()?).to_digit(16);
    Some((digit()? * 16 + digit()?) as u8)
}

/// Decodes `%40` as `@`. `None` if two hexadecimal digits are missing, or if it is not UTF-8.
pub fn percent_decode(text: &[u8]) -> Option<String> {
    let (mut bytes, mut decoded) = (text.iter(), Vec::with_capacity(text.len()));
    while let Some(byte) = bytes.next() {
        decoded.push(if *byte == b'%' { hex(&mut bytes)? } else { *byte });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the normalized target, and the path for the router.
    fn both(target: &[u8]) -> Option<(String, String)> {
        let Target { normalized, path } = normalize(target).ok()?;
        let text = |it: &[u8]| String::from_utf8(it.to_vec()).expect("UTF-8");
        Some((text(normalized.as_deref().unwrap_or(target)), text(&path)))
    }

    #[test]
    fn the_example_of_the_head() {
        for (target, normalized, path) in [
            ("/%61dmin", "/admin", "/admin"),
            ("/caf\u{e9}/%c3%a9?q=a%20b", "/caf%C3%A9/%C3%A9?q=a%20b", "/caf\u{e9}/\u{e9}"),
            ("/users/%40me", "/users/%40me", "/users/@me"),
            ("/", "/", "/"),
            ("/a/", "/a/", "/a/"),
            ("/%2ehidden/a.b?../%zz;//", "/.hidden/a.b?../%zz;//", "/.hidden/a.b"),
            ("/.../a..b/~%7E", "/.../a..b/~~", "/.../a..b/~~"),
            ("/%7ba\"b|", "/%7Ba%22b%7C", "/{a\"b|"),
            ("/100%25/%3f%23", "/100%25/%3F%23", "/100%/?#"),
            ("/a:b@c,d=e+f%2b?", "/a:b@c,d=e+f%2B?", "/a:b@c,d=e+f+"),
        ] {
            let expected = Some((normalized.to_owned(), path.to_owned()));
            assert_eq!(both(target.as_bytes()), expected, "{target}");
        }
        assert_eq!(query(b"/search?q=a%20b?"), b"q=a%20b?");
        assert_eq!([query(b"/search"), query(b"/search?")], [b"", b""]);
        assert_eq!(percent_decode(b"q=a%20b").as_deref(), Some("q=a b"));
        for text in ["%", "%4", "%zz", "%+4", "%ff"] {
            assert_eq!(percent_decode(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn targets_that_servers_read_in_different_ways_are_refused() {
        for target in [
            "",
            "?a",
            "a",
            "*",
            "//",
            "//a",
            "/a//",
            "/a//b",
            "/.",
            "/..",
            "/./a",
            "/a/../b",
            "/a/..",
            "/%2e/a",
            "/.%2E/a",
            "/%2e%2e",
            "/a%2fb",
            "/a%2Fb",
            "/a\\b",
            "/a%5cb",
            "/a;b",
            "/a;",
            "/a%3bb",
            "/a#b",
            "/a?b#c",
            "/%00",
            "/a%0d%0a",
            "/a%1f",
            "/%7f",
            "/\t",
            "/%",
            "/%4",
            "/%zz",
            "/%u0061",
            "/%2561",
            "/%25%36%31",
            "/%252fa",
            "/%ff",
            "/%c0%af",
            "/%c0%ae%c0%ae/",
        ] {
            assert!(normalize(target.as_bytes()).is_err(), "{target}");
        }
        assert!(normalize(b"/\xff").is_err());
    }

    proptest! {
        /// A server that decodes repeatedly, merges slashes, resolves dots or cuts off parameters
        /// gets the same path as the router.
        #[test]
        fn no_server_gets_another_path(target in "/(%(2[5ef]|61|3b|40|c3%a9|00)|[a/.;é{+@%])*") {
            if let Some((mut decoded, path)) = both(target.as_bytes()) {
                prop_assert!(decoded.is_ascii());
                prop_assert_eq!(both(decoded.as_bytes()), Some((decoded.clone(), path.clone())));
                let again = |it: &str| percent_decode(it.as_bytes()).filter(|next| next != it);
                while let Some(next) = again(&decoded) {
                    decoded = next;
                    prop_assert_eq!(&decoded, &path);
                }
                let mut resolved = Vec::new();
                for segment in decoded.split('/').filter(|it| !it.is_empty() && *it != ".") {
                    match segment {
                        ".." => _ = resolved.pop(),
                        _ => resolved.push(segment.split(';').next().expect("one at least")),
                    }
                }
                prop_assert_eq!(resolved.join("/"), path.trim_matches('/'));
            }
        }
    }
}
