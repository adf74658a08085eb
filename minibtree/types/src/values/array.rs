//! Arrays as text: `{a,"b c",NULL}`, and `1 2` for an `int2vector`.
//!
//! Only the catalog has arrays, of one dimension, and they are short, so the text is the value.
//! PostgreSQL's `arrayfuncs.c`, whose arrays have any number of dimensions and are binary.

use super::Type;

/// The elements of an array; `None` is NULL.
pub fn elements(text: &str) -> Vec<Option<String>> {
    let Some(inner) = text.strip_prefix('{').and_then(|it| it.strip_suffix('}')) else {
        return text.split_whitespace().map(|it| Some(it.to_owned())).collect();
    };
    let (mut elements, mut element) = (Vec::new(), String::new());
    let (mut is_quoted, mut was_quoted) = (false, false);
    let mut characters = inner.chars();
    let finish = |element: &mut String, was_quoted| {
        let element = std::mem::take(element);
        (was_quoted || element != "NULL").then_some(element)
    };
    while let Some(character) = characters.next() {
        match character {
            '\\' => element.extend(characters.next()),
            '"' => (is_quoted, was_quoted) = (!is_quoted, true),
            ',' if !is_quoted => {
                elements.push(finish(&mut element, std::mem::take(&mut was_quoted)));
            }
            other => element.push(other),
        }
    }
    if !inner.is_empty() {
        elements.push(finish(&mut element, was_quoted));
    }
    elements
}

/// An array of these elements.
pub fn text_of(base: Type, elements: Vec<Option<String>>) -> String {
    let needs_quotes = |it: &str| {
        it.is_empty() || it == "NULL" || it.contains(['{', '}', ',', '"', '\\', ' ', '\n', '\t'])
    };
    let element = |it: Option<String>| match it {
        None => "NULL".to_owned(),
        Some(it) if needs_quotes(&it) => {
            format!("\"{}\"", it.replace('\\', "\\\\").replace('"', "\\\""))
        }
        Some(it) => it,
    };
    let elements: Vec<String> = elements.into_iter().map(element).collect();
    match base {
        Type::Int2Vector => elements.join(" "),
        _ => format!("{{{}}}", elements.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        for text in ["{}", "{a,b}", "{\"a b\",NULL,\"NULL\",\"\"}", "{\"a\\\"b\\\\\"}"] {
            assert_eq!(text_of(Type::TextArray, elements(text)), text);
        }
        assert_eq!(text_of(Type::Int2Vector, elements("1 2")), "1 2");
        assert_eq!(elements("{a,NULL}"), [Some("a".to_owned()), None]);
    }
}
