//! Arrays of one dimension, whose elements are values. An `int2vector` is written `1 2`, and begins
//! at 0.

use super::binary::{self, malformed};
use super::{Type, Value};
use crate::error::Result;
use minibtree_array::Refusal;

fn element(base: Type) -> Type {
    base.element().expect("only arrays are read and written here")
}

/// Reads an array.
pub fn parse(base: Type, text: &str) -> Result<Value> {
    let malformed = || error!(INVALID_TEXT_REPRESENTATION, "malformed array literal: \"{text}\"");
    let refused = |refusal| match refusal {
        Refusal::Malformed(detail) => malformed().detail(detail),
        Refusal::Dimensions => unsupported!("the array {text}"),
    };
    let elements = match base {
        Type::Int2Vector => text.split_whitespace().map(|it| Some(it.to_owned())).collect(),
        _ => minibtree_array::elements(text).map_err(refused)?,
    };
    let base = element(base);
    let value = |it: Option<String>| it.map_or(Ok(Value::Null), |it| base.parse(&it));
    Ok(Value::from(elements.into_iter().map(value).collect::<Result<Vec<_>>>()?))
}

/// An array as text.
pub fn text_of(base: Type, elements: &[Value]) -> String {
    let of_element = element(base);
    let texts = elements.iter().map(|it| (!it.is_null()).then(|| of_element.text_of(it)));
    match base {
        Type::Int2Vector => texts.flatten().collect::<Vec<_>>().join(" "),
        _ => minibtree_array::text_of(texts),
    }
}

/// Reads an array as it is sent in binary.
pub fn receive(base: Type, bytes: &[u8]) -> Result<Value> {
    let base = element(base);
    let (oid, elements) = minibtree_array::received(bytes).map_err(|refusal| match refusal {
        Refusal::Malformed(_) => malformed(),
        Refusal::Dimensions => unsupported!("an array of several dimensions"),
    })?;
    if oid != base.oid() {
        return Err(error!(DATATYPE_MISMATCH, "binary data has array element type {oid}"));
    }
    let value = |it: Option<&[u8]>| it.map_or(Ok(Value::Null), |it| base.receive(it));
    Ok(Value::from(elements.into_iter().map(value).collect::<Result<Vec<_>>>()?))
}

/// Appends an array as it is sent in binary.
pub fn send(base: Type, elements: &[Value], out: &mut Vec<u8>) {
    let (of_element, first) = (element(base), u32::from(base != Type::Int2Vector));
    let bytes = |it: &Value| {
        let mut bytes = Vec::new();
        binary::send(of_element, it, &mut bytes);
        (!it.is_null()).then_some(bytes)
    };
    let elements: Vec<_> = elements.iter().map(bytes).collect();
    minibtree_array::send(of_element.oid(), first, &elements, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_read_and_sent() {
        let array = parse(Type::Int4Array, "{7,NULL}").unwrap();
        let Value::Array(elements) = &array else { panic!("an array") };
        let mut sent = Vec::new();
        send(Type::Int4Array, elements, &mut sent);
        let words = [1, 1, 23, 2, 1, 4, 7, u32::MAX];
        assert_eq!(sent, words.map(u32::to_be_bytes).concat());
        assert_eq!(receive(Type::Int4Array, &sent), Ok(array));
        assert_eq!(receive(Type::Int8Array, &sent).unwrap_err().code, "42804");
        sent[3] = 2;
        assert_eq!(receive(Type::Int4Array, &sent).unwrap_err().code, "0A000");
    }

    #[test]
    fn elements_are_those_of_their_type() {
        for (base, text) in [
            (Type::TextArray, r#"{"a b",NULL,""}"#),
            (Type::Int2Vector, "1 2"),
            (Type::NumericArray, "{1.50,-3}"),
            (Type::TimestampTzArray, r#"{"2000-01-01 00:00:00+00",NULL}"#),
            (Type::ByteaArray, r#"{"\\x00ff"}"#),
        ] {
            assert_eq!(base.text_of(&parse(base, text).unwrap()), text);
        }
        let error = parse(Type::Int4Array, "{1,x}").unwrap_err();
        assert_eq!(error.message, "invalid input syntax for type integer: \"x\"");
        assert_eq!(parse(Type::Int4Array, "{{1}}").unwrap_err().code, "0A000");
    }
}
