//! Parts of a URI, and what their percent signs hide.
//!
//! ```text
//! /search?q=a%20b     query q=a%20b, decoded q=a b
//! ```

/// What follows the question mark.
pub fn query(uri: &[u8]) -> &[u8] {
    uri.iter().position(|it| *it == b'?').map_or(&[], |it| &uri[it + 1..])
}

/// Decodes `%40` as `@`. `None` if two hexadecimal digits are missing, or if it is no UTF-8.
pub fn percent_decode(text: &[u8]) -> Option<String> {
    let (mut bytes, mut decoded) = (text.iter(), Vec::with_capacity(text.len()));
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(*bytes.next()?).to_digit(16);
        decoded.push(if *byte == b'%' { (digit()? * 16 + digit()?) as u8 } else { *byte });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_head() {
        assert_eq!(query(b"/search?q=a%20b"), b"q=a%20b");
        assert_eq!(query(b"/search"), b"");
        assert_eq!(percent_decode(b"q=a%20b").as_deref(), Some("q=a b"));
        for text in ["%", "%4", "%zz", "%+4", "%ff"] {
            assert_eq!(percent_decode(text.as_bytes()), None, "{text}");
        }
    }
}
