//! Functions of the catalog, and functions of arrays.
//!
//! ```text
//! format_type(1043, 24)              character varying(20)
//! array_to_string('{a,b}', ', ')     a, b
//! ```
//!
//! Some ask the catalog, or another part of the database, which this crate does not know; they are
//! a [`Call::System`] here. PostgreSQL's `ruleutils.c`, `format_type.c` and `dbsize.c`.

use crate::numbers::integer;
use crate::strings::{some, text};
use crate::table::{Call, CatalogCall, Function, SystemCall, function};
use CatalogCall::*;
use Type::*;
use minibtree_types::error::{Result, SqlError};
use minibtree_types::values::{Category, ColumnType, Type, Value};

/// What `version()` returns; drivers read the number.
const VERSION: &str = concat!("PostgreSQL 15.0 (minibtree ", env!("CARGO_PKG_VERSION"), ")");

/// The words that are names in quotes only: those of PostgreSQL's `kwlist.h` that are reserved, in
/// part or everywhere.
const KEYWORDS: &str = "\
     all analyse analyze and any array as asc asymmetric authorization between bigint binary bit \
     boolean both case cast char character check coalesce collate collation column concurrently \
     constraint create cross current_catalog current_date current_role current_schema \
     current_time current_timestamp current_user dec decimal default deferrable desc distinct do \
     else end except exists extract false fetch float for foreign freeze from full grant greatest \
     group grouping having ilike in initially inner inout int integer intersect interval into is \
     isnull join lateral leading least left like limit localtime localtimestamp national natural \
     nchar none normalize not notnull null nullif numeric offset on only or order out outer \
     overlaps overlay placing position precision primary real references returning right row \
     select session_user setof similar smallint some substring symmetric table tablesample then \
     time timestamp to trailing treat trim true union unique user using values varchar variadic \
     verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest \
     xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable";

/// A name as it has to be written: in quotes unless it is a plain word in lower case.
pub fn quoted(name: &str) -> String {
    let is_word = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    let is_reserved = KEYWORDS.split(' ').any(|it| it == name);
    let starts_well = !name.is_empty() && !name.starts_with(|it: char| it.is_ascii_digit());
    match starts_well && name.chars().all(is_word) && !is_reserved {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// A function that asks the database.
fn system(name: &'static str, arguments: &[Type], result: Type, call: SystemCall) -> Function {
    Function { call: Call::System(call), ..function(name, arguments, result, |_| Ok(Value::Null)) }
}

/// A function that asks the catalog.
fn catalog(name: &'static str, arguments: &[Type], result: Type, call: CatalogCall) -> Function {
    system(name, arguments, result, SystemCall::Catalog(call))
}

/// The rows of the table.
pub fn rows() -> Vec<Function> {
    let mut rows = vec![
        function("version", &[], Text, |_| some(VERSION)),
        function("current_schema", &[], Name, |_| some("public")),
        function("quote_ident", &[Text], Text, |v| some(quoted(text(&v[0])))),
        system("nextval", &[Regclass], Int8, SystemCall::NextValue),
        catalog("to_regclass", &[Text], Regclass, ToRegclass),
        catalog("to_regtype", &[Text], Regtype, ToRegtype),
        catalog("pg_get_constraintdef", &[Oid], Text, ConstraintDefinition),
        catalog("pg_get_constraintdef", &[Oid, Bool], Text, ConstraintDefinition),
        catalog("pg_get_indexdef", &[Oid], Text, IndexDefinition),
        catalog("pg_get_indexdef", &[Oid, Int4, Bool], Text, IndexDefinition),
        catalog("pg_get_expr", &[Text, Oid], Text, Expression),
        catalog("pg_get_expr", &[Text, Oid, Bool], Text, Expression),
        Function { takes_nulls: true, ..function("format_type", &[Oid, Int4], Text, format_type) },
        function("pg_get_userbyid", &[Oid], Name, |v| match integer(&v[0]) {
            10 => some("postgres"),
            6171 => some("pg_database_owner"),
            oid => some(format!("unknown (OID={oid})")),
        }),
        function("pg_encoding_to_char", &[Int4], Name, |v| {
            some(if integer(&v[0]) == 6 { "UTF8" } else { "" })
        }),
        function("pg_size_pretty", &[Int8], Text, |v| some(size_text(integer(&v[0])))),
        function("pg_relation_is_publishable", &[Regclass], Bool, |_| Ok(Value::Bool(true))),
        // Nothing has a comment, a trigger or extended statistics.
        function("obj_description", &[Oid, Name], Text, |_| Ok(Value::Null)),
        function("col_description", &[Oid, Int4], Text, |_| Ok(Value::Null)),
        function("shobj_description", &[Oid, Name], Text, |_| Ok(Value::Null)),
        function("pg_get_triggerdef", &[Oid, Bool], Text, |_| Ok(Value::Null)),
        function("pg_get_statisticsobjdef_columns", &[Oid], Text, |_| Ok(Value::Null)),
    ];
    rows.extend([
        catalog("pg_table_is_visible", &[Oid], Bool, TableIsVisible),
        function("pg_type_is_visible", &[Oid], Bool, |v| {
            Ok(Value::Bool(Type::from_oid(integer(&v[0]) as u32).is_some()))
        }),
    ]);
    let size = |heap, indexes| SystemCall::Size { heap, indexes };
    for (name, call) in [
        ("pg_relation_size", size(true, false)),
        ("pg_table_size", size(true, false)),
        ("pg_indexes_size", size(false, true)),
        ("pg_total_relation_size", size(true, true)),
    ] {
        rows.push(system(name, &[Regclass], Int8, call));
    }
    rows.push(function("pg_relation_size", &[Regclass, Text], Int8, |_| {
        Err(SqlError::unsupported("pg_relation_size of a fork"))
    }));
    for name in ["pg_current_wal_insert_lsn", "pg_current_wal_lsn"] {
        rows.push(system(name, &[], Text, SystemCall::WalEnd));
    }
    rows.extend(of_arrays());
    rows
}

/// Functions of arrays.
fn of_arrays() -> Vec<Function> {
    let mut rows = Vec::new();
    for base in Type::ALL.iter().copied().filter(|it| it.category() == Category::Array) {
        // Values of most types say how they are written.
        let to_string: fn(&[Value]) -> Result<Value> = match base {
            Float4Array => |v| joined(Float4, v),
            TimestampTzArray => |v| joined(TimestampTz, v),
            _ => |v| joined(Text, v),
        };
        rows.extend([
            function("array_to_string", &[base, Text], Text, to_string),
            function("array_upper", &[base, Int4], Int4, |v| Ok(length(v))),
            function("array_length", &[base, Int4], Int4, |v| Ok(length(v))),
            function("[]", &[base, Int4], Text, |v| {
                let at = usize::try_from(integer(&v[1]) - 1).unwrap_or(usize::MAX);
                match elements(&v[0]).get(at) {
                    None | Some(Value::Null) => Ok(Value::Null),
                    Some(element) => some(Text.text_of(element)),
                }
            }),
            Function { takes_nulls: true, ..function("||", &[base, base], base, concatenated) },
        ]);
    }
    rows
}

/// The elements of the array in a value.
fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) => elements,
        _ => unreachable!("the argument is an array"),
    }
}

/// The elements as text, without the NULLs.
fn joined(element: Type, values: &[Value]) -> Result<Value> {
    let known = elements(&values[0]).iter().filter(|it| !it.is_null());
    some(known.map(|it| element.text_of(it)).collect::<Vec<_>>().join(text(&values[1])))
}

/// The length of an array in its only dimension; an empty one has none.
fn length(values: &[Value]) -> Value {
    match (elements(&values[0]).len(), integer(&values[1])) {
        (0, _) => Value::Null,
        (length, 1) => Value::Int(length as i64),
        _ => Value::Null,
    }
}

/// Two arrays as one. NULL is as good as an empty one.
fn concatenated(values: &[Value]) -> Result<Value> {
    let [Value::Array(left), Value::Array(right)] = values else {
        return Ok(values.iter().find(|it| !it.is_null()).cloned().unwrap_or(Value::Null));
    };
    Ok(Value::from([&left[..], right].concat()))
}

fn format_type(values: &[Value]) -> Result<Value> {
    let Value::Int(oid) = values[0] else { return Ok(Value::Null) };
    let modifier = match values[1] {
        Value::Int(modifier) => modifier as i32,
        _ => -1,
    };
    match Type::from_oid(oid as u32) {
        None => some("???"),
        // A character without a modifier would be one with the modifier of one character.
        Some(Type::Bpchar) if modifier == -1 && !values[1].is_null() => some("bpchar"),
        Some(base) => some(ColumnType { base, modifier }.name()),
    }
}

/// Bytes in the largest unit of which there are ten.
fn size_text(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];

    let (mut size, mut unit) = (bytes, 0);
    let limit = |unit| if unit == 0 { 10 * 1024 } else { 20 * 1024 - 1 };
    while size.abs() >= limit(unit) && unit + 1 < UNITS.len() {
        // From the second unit on, halves are counted, and the last one is rounded.
        size >>= if unit == 0 { 9 } else { 10 };
        unit += 1;
    }
    match unit {
        0 => format!("{size} bytes"),
        unit => format!("{} {}", (size + size.signum()) / 2, UNITS[unit]),
    }
}
