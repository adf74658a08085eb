//! Text from clients has to be UTF-8 without zero bytes. If it is not, the error shows the bytes.
//!
//! ```
//! use minibtree_utf8::checked;
//!
//! assert_eq!(checked("Kästen".as_bytes()), Ok("Kästen"));
//! // A byte of Latin-1 takes those after it along: it looks like the first of three.
//! let error = checked(b"K\xe4sten").expect_err("Latin-1");
//! assert_eq!(error.message, "invalid byte sequence for encoding \"UTF8\": 0xe4 0x73 0x74");
//! assert_eq!(error.code, "22021");
//! ```
//!
//! PostgreSQL's `pg_verifymbstr` and `report_invalid_encoding` (`mbutils.c`).

use memchr::memchr;
use minibtree_errors::{Result, error};

/// The bytes as text.
///
/// # Errors
/// `22021` with the first bytes that are no character.
pub fn checked(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes);
    let valid = text.as_ref().map_or_else(|error| error.valid_up_to(), |text| text.len());
    match (text, memchr(0, &bytes[..valid])) {
        (Ok(text), None) => Ok(text),
        (_, zero) => {
            let wrong = &bytes[zero.unwrap_or(valid)..];
            let shown = wrong.iter().take(length(wrong[0])).map(|byte| format!(" {byte:#04x}"));
            let text = "invalid byte sequence for encoding \"UTF8\":";
            Err(error!(CHARACTER_NOT_IN_REPERTOIRE, "{text}{}", shown.collect::<String>()))
        }
    }
}

/// How many bytes a character has, as its first byte says.
fn length(first: u8) -> usize {
    match first {
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each with what PostgreSQL 15 shows of it.
    #[test]
    fn the_error_shows_the_bytes() {
        for (bytes, shown) in [
            (&b"a\xff"[..], "0xff"),
            (b"\xc3", "0xc3"),
            (b"'\xc0\x80'", "0xc0 0x80"),
            (b"\xed\xa0\x80", "0xed 0xa0 0x80"),
            (b"\xf5\x80\x80\x80", "0xf5 0x80 0x80 0x80"),
            (b"\xe2\x82'", "0xe2 0x82 0x27"),
            (b"a\0b\xff", "0x00"),
        ] {
            let error = checked(bytes).expect_err(shown);
            assert!(error.message.ends_with(&format!("\"UTF8\": {shown}")), "{error}");
        }
    }
}
