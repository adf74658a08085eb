//! The URI that locations are compared with: percent-decoded, without dot segments and double
//! slashes, without query and fragment.
//!
//! # Example
//!
//! ```text
//! /a//b/./c/../%64?x=1     /a/b/d       args x=1
//! /a/../../b               refused: it leaves the root
//! /%00  /a%zz              refused
//! ```
//!
//! NGINX counterpart: `ngx_http_parse_complex_uri` (`ngx_http_parse.c`), with `merge_slashes on`.

/// Writes the normalized path of `uri` to `path` and returns the query. Returns `None` if the URI
/// is invalid.
pub fn normalize<'a>(uri: &'a [u8], path: &mut Vec<u8>) -> Option<&'a [u8]> {
    path.clear();
    let without_fragment = uri.split(|it| *it == b'#').next().unwrap_or_default();
    let (raw, args) = match without_fragment.iter().position(|it| *it == b'?') {
        Some(mark) => (&without_fragment[..mark], &without_fragment[mark + 1..]),
        None => (without_fragment, &b""[..]),
    };

    // The usual URI needs no change.
    if !raw.contains(&b'%') && !has_segments_to_remove(raw) {
        path.extend_from_slice(raw);
        return Some(args);
    }
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            b'%' => {
                let mut digit = || char::from(*bytes.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            byte => *byte,
        };
        if decoded == 0 {
            return None;
        }
        // A decoded slash separates segments as well.
        if decoded == b'/' {
            end_segment(path)?;
        } else {
            path.push(decoded);
        }
    }
    // The last segment may be one of dots; a slash that it leaves stays.
    if path.ends_with(b"/.") || path.ends_with(b"/..") {
        end_segment(path)?;
    }
    Some(args)
}

/// Ends a segment with a slash: removes `.`, goes up for `..`, and merges slashes. Returns `None`
/// above the root.
fn end_segment(path: &mut Vec<u8>) -> Option<()> {
    if path.ends_with(b"/..") {
        path.truncate(path.len() - 3);
        let parent = path.iter().rposition(|it| *it == b'/')?;
        path.truncate(parent + 1);
    } else if path.ends_with(b"/.") {
        path.pop();
    } else if !path.ends_with(b"/") {
        path.push(b'/');
    }
    Some(())
}

fn has_segments_to_remove(raw: &[u8]) -> bool {
    let mut slashes = memchr::memchr_iter(b'/', raw);
    slashes.any(|at| matches!(raw.get(at + 1), Some(b'/' | b'.')))
}

/// Appends `path` with the bytes escaped that cannot stand in a path.
pub fn escape(path: &[u8], out: &mut Vec<u8>) {
    for byte in path {
        match byte {
            0..=b' ' | b'"' | b'#' | b'%' | b'?' | 0x7f.. => percent(*byte, out),
            _ => out.push(*byte),
        }
    }
}

/// Appends a byte as `%XX`.
pub fn percent(byte: u8, out: &mut Vec<u8>) {
    out.push(b'%');
    for digit in [byte >> 4, byte & 15] {
        out.push(b"0123456789ABCDEF"[usize::from(digit)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        for (uri, expected) in [
            ("/a//b/./c/../%64?x=1", Some(("/a/b/d", "x=1"))),
            ("/a/../../b", None),
            ("/%00", None),
            ("/a%zz", None),
            ("/a%2", None),
            ("/", Some(("/", ""))),
            ("/a/..", Some(("/", ""))),
            ("/a/.", Some(("/a/", ""))),
            ("/a/...", Some(("/a/...", ""))),
            ("/a%2fb%2F..%2fc", Some(("/a/c", ""))),
            ("/.hidden", Some(("/.hidden", ""))),
            ("/a?b?c#d", Some(("/a", "b?c"))),
            ("/..", None),
            ("//", Some(("/", ""))),
            ("/%2e%2e/", None),
        ] {
            let mut path = Vec::new();
            let args = normalize(uri.as_bytes(), &mut path);
            let found = args.map(|args| (path.as_slice(), args));
            let expected = expected.map(|(path, args)| (path.as_bytes(), args.as_bytes()));
            assert_eq!(found, expected, "{uri}");
        }
    }

    #[test]
    fn what_is_escaped_is_what_nginx_escapes() {
        let mut out = Vec::new();
        escape(b"/a b%?#\"\xc3'~", &mut out);
        assert_eq!(out, b"/a%20b%25%3F%23%22%C3'~");
    }
}
