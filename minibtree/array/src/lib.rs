//! Arrays of one dimension, as text and in binary.
//!
//! ```
//! use minibtree_array::{elements, text_of};
//!
//! let fruits = elements(r#"{fig, red apple , NULL, "NULL", a\"b}"#).unwrap();
//! let some = |text: &str| Some(text.to_owned());
//! assert_eq!(fruits, [some("fig"), some("red apple"), None, some("NULL"), some("a\"b")]);
//! assert_eq!(text_of(fruits), r#"{fig,"red apple",NULL,"NULL","a\"b"}"#);
//! ```
//!
//! What the elements are is the business of `minibtree/types`. PostgreSQL's `ArrayCount`,
//! `ReadArrayStr`, `array_out` and `array_recv` in `arrayfuncs.c`, whose arrays have any number of
//! dimensions, and bounds of their own (`[0:1]={a,b}`).

/// The bytes of each element; `None` is NULL.
pub type Elements<'b> = Vec<Option<&'b [u8]>>;

/// Why a text is no array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Malformed, with PostgreSQL's detail if it is text.
    Malformed(String),
    /// An array with several dimensions, or with bounds.
    Dimensions,
}

/// What the parser has just read (`ArrayParseState`).
#[derive(Clone, Copy, PartialEq)]
enum State {
    Start,
    /// A character without quotes around it.
    Plain,
    Quoted,
    /// The second quote.
    Closed,
    Comma,
}

/// The elements of an array; `None` is NULL.
///
/// # Errors
/// The reason why it is none.
pub fn elements(text: &str) -> Result<Vec<Option<String>>, Refusal> {
    use State::*;

    let refused = |detail: &str| Err(Refusal::Malformed(detail.to_owned()));
    let text = text.trim_start_matches(is_space);
    let Some(inner) = text.strip_prefix('{') else {
        let detail = "Array value must start with \"{\" or dimension information.";
        return if text.starts_with('[') { Err(Refusal::Dimensions) } else { refused(detail) };
    };

    // The element so far, its bytes without trailing spaces, and whether it cannot be NULL.
    let (mut element, mut length, mut is_literal) = (String::new(), 0, false);
    let (mut elements, mut state) = (Vec::new(), Start);
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        is_literal |= matches!(character, '"' | '\\');
        let (next, kept) = match (state, character) {
            (Quoted, '\\') => (Quoted, characters.next()),
            (Start | Plain | Comma, '\\') => (Plain, characters.next()),
            (Quoted, '"') => (Closed, None),
            (Quoted, other) => (Quoted, Some(other)),
            (Start | Comma, '"') => (Quoted, None),
            (Start, '{') => return Err(Refusal::Dimensions),
            (Start | Plain | Closed, '}') | (Plain | Closed, ',') => {
                element.truncate(length);
                let is_value = is_literal || !element.eq_ignore_ascii_case("null");
                elements.extend((state != Start).then(|| is_value.then_some(element)));
                (element, length, is_literal) = (String::new(), 0, false);
                if character == '}' {
                    let junk = refused("Junk after closing right brace.");
                    return if characters.all(is_space) { Ok(elements) } else { junk };
                }
                (Comma, None)
            }
            (_, '{' | '}' | ',' | '\\') => {
                return refused(&format!("Unexpected \"{character}\" character."));
            }
            (state, space) if is_space(space) => {
                // It counts if the element goes on after it.
                element.extend((state == Plain).then_some(space));
                (state, None)
            }
            (Closed, _) | (_, '"') => return refused("Unexpected array element."),
            (_, other) => (Plain, Some(other)),
        };
        state = next;
        element.extend(kept);
        length = if kept.is_some() { element.len() } else { length };
    }
    refused("Unexpected end of input.")
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

/// An array of these elements.
pub fn text_of(elements: impl IntoIterator<Item = Option<String>>) -> String {
    let is_special = |it| matches!(it, '{' | '}' | ',' | '"' | '\\') || is_space(it);
    let is_null = |it: &str| it.is_empty() || it.eq_ignore_ascii_case("null");
    let element = |it: Option<String>| match it {
        None => "NULL".to_owned(),
        Some(it) if !is_null(&it) && !it.contains(is_special) => it,
        Some(it) => format!("\"{}\"", it.replace('\\', "\\\\").replace('"', "\\\"")),
    };
    let elements: Vec<String> = elements.into_iter().map(element).collect();
    format!("{{{}}}", elements.join(","))
}

/// Reads an array in binary: the OID of its elements, and the bytes of each.
///
/// ```text
/// int4[] {7,NULL}    00000001 00000001 00000017   00000002 00000001   00000004 00000007  ffffffff
///                    dimensions, has NULLs, int4   elements, first     length, 7          NULL
/// ```
///
/// # Errors
/// The reason why it is none.
pub fn received(mut bytes: &[u8]) -> Result<(u32, Elements<'_>), Refusal> {
    let malformed = || Refusal::Malformed("The bytes are not those of an array.".to_owned());
    let word = |bytes: &mut &[u8]| {
        let (word, rest) = bytes.split_first_chunk().ok_or_else(malformed)?;
        *bytes = rest;
        Ok(i32::from_be_bytes(*word))
    };
    let [dimensions, _, oid] = [word(&mut bytes)?, word(&mut bytes)?, word(&mut bytes)?];
    let [count, first] = match dimensions {
        0 => [0, 1],
        _ => [word(&mut bytes)?, word(&mut bytes)?],
    };
    if dimensions > 1 || first != 1 {
        return Err(Refusal::Dimensions);
    }

    let mut elements = Vec::new();
    for _ in 0..count {
        let length = word(&mut bytes)?;
        let at = if length == -1 { 0 } else { length as u32 as usize };
        let (element, rest) = bytes.split_at_checked(at).ok_or_else(malformed)?;
        elements.push((length != -1).then_some(element));
        bytes = rest;
    }
    if bytes.is_empty() { Ok((oid as u32, elements)) } else { Err(malformed()) }
}

/// Appends an array in binary. One without elements has no dimension.
pub fn send(oid: u32, first: u32, elements: &[Option<Vec<u8>>], out: &mut Vec<u8>) {
    let (count, has_nulls) = (elements.len() as u32, elements.iter().any(Option::is_none));
    let words = [count.min(1), has_nulls.into(), oid, count, first];
    words[..if count == 0 { 3 } else { 5 }].iter().for_each(|it| out.extend(it.to_be_bytes()));
    for element in elements {
        let length = element.as_ref().map_or(u32::MAX, |it| it.len() as u32);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend(element.iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        for text in ["{}", "{a,b}", r#"{"a b",NULL,"nUll",""}"#, r#"{"a\"b\\","{","\v"}"#] {
            let text = text.replace("\\v", "\u{b}");
            assert_eq!(text_of(elements(&text).unwrap()), text);
        }
        for (text, written) in [
            (" { } ", "{}"),
            ("{ 1 , null,\tb  c }\n", r#"{1,NULL,"b  c"}"#),
            (r#"{ " a " ,\n\u\l\l, x\ }"#, r#"{" a ","null","x "}"#),
        ] {
            assert_eq!(text_of(elements(text).unwrap()), written, "{text}");
        }
    }

    #[test]
    fn what_is_sent_is_received() {
        let array = [Some(b"\0\0\0\x07".to_vec()), None, Some(Vec::new())];
        for array in [&array[..], &[]] {
            let mut sent = Vec::new();
            send(23, 1, array, &mut sent);
            let elements = array.iter().map(Option::as_deref).collect();
            assert_eq!(received(&sent), Ok((23, elements)));
            for end in 0..sent.len() {
                assert!(received(&sent[..end]).is_err(), "{end}");
            }
            assert!(received(&[&sent[..], &[0]].concat()).is_err());
        }
        let head = |dimensions: u8, first: u8| {
            [0, 0, 0, dimensions, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 0, 0, 0, 0, first]
        };
        assert_eq!(received(&head(1, 1)), Ok((23, Vec::new())));
        assert_eq!(received(&head(2, 1)), Err(Refusal::Dimensions));
        assert_eq!(received(&head(1, 0)), Err(Refusal::Dimensions));
    }

    #[test]
    fn malformed_arrays_have_the_details_of_postgresql() {
        // Asked of PostgreSQL 15.
        for (text, detail) in [
            ("", "Array value must start with \"{\" or dimension information."),
            ("1,2", "Array value must start with \"{\" or dimension information."),
            ("{", "Unexpected end of input."),
            ("{a\\", "Unexpected end of input."),
            ("{\"a", "Unexpected end of input."),
            ("{,}", "Unexpected \",\" character."),
            ("{a,,b}", "Unexpected \",\" character."),
            ("{a,}", "Unexpected \"}\" character."),
            ("{a{b}", "Unexpected \"{\" character."),
            ("{a,{b}}", "Unexpected \"{\" character."),
            ("{\"a\"\\b}", "Unexpected \"\\\" character."),
            ("{\"a\"b}", "Unexpected array element."),
            ("{a\"b\"}", "Unexpected array element."),
            ("{\"a\" \"b\"}", "Unexpected array element."),
            ("{a}b", "Junk after closing right brace."),
            ("{a}}", "Junk after closing right brace."),
        ] {
            assert_eq!(elements(text), Err(Refusal::Malformed(detail.to_owned())), "{text}");
        }
        assert_eq!(elements("{{1},{2}}"), Err(Refusal::Dimensions));
        assert_eq!(elements("[0:1]={1,2}"), Err(Refusal::Dimensions));
    }
}
