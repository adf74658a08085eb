//! Rows of a result as clients get them: each value in the format that the client asked for.
//!
//! A number of the catalog (`regclass` and its kin) is shown as the name of its object, so a row
//! may need what the catalog describes. `objects` is only called for such a value.
//!
//! ```
//! use minibtree_data_row::write_row;
//! use minibtree_pg_catalog::objects::Objects;
//! use minibtree_types::values::{Format, Type, Value};
//! use minibtree_wire::Replies;
//!
//! let (objects, mut replies) = (Objects::default(), Replies::default());
//! let (types, values) = ([Type::Int4, Type::Regtype], [Value::Int(7), Value::Int(23)]);
//! write_row(|| &objects, &types, &values, &[Format::Text], &mut replies);
//! assert_eq!(replies.bytes(), b"D\0\0\0\x16\0\x02\0\0\0\x017\0\0\0\x07integer");
//! ```
//!
//! PostgreSQL's `printtup.c`.

use minibtree_pg_catalog::name_of;
use minibtree_pg_catalog::objects::Objects;
use minibtree_types::values::{Format, Type, Value};
use minibtree_wire::{Field, Replies, format_of};

/// Appends a DataRow message.
pub fn write_row<'o>(
    objects: impl Fn() -> &'o Objects + Copy,
    types: &[Type],
    values: &[Value],
    formats: &[Format],
    out: &mut Replies,
) {
    let mut text = Vec::new();
    out.row(types.len(), |row| {
        for (index, (base, value)) in types.iter().zip(values).enumerate() {
            let format = format_of(formats, index);
            row.value(write_value(objects, *base, value, format, &mut text));
        }
    });
}

/// Writes a value in the format that the client wants. Returns its bytes; `None` is NULL.
pub fn write_value<'b, 'o>(
    objects: impl Fn() -> &'o Objects,
    base: Type,
    value: &Value,
    format: Format,
    buffer: &'b mut Vec<u8>,
) -> Option<&'b [u8]> {
    buffer.clear();
    match (value, format) {
        (Value::Null, _) => return None,
        (Value::Int(number), Format::Text) if base.is_object() => {
            buffer.extend_from_slice(name_of(objects(), base, *number).as_bytes());
        }
        (value, format) => base.send(value, format, buffer),
    }
    Some(buffer)
}

/// A column of text.
pub fn text_field(name: &str) -> Field {
    let (type_oid, size) = (Type::Text.oid(), Type::Text.size());
    Field { name: name.to_owned(), type_oid, size, modifier: -1, origin: (0, 0) }
}
