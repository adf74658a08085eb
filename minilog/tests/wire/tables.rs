//! Every row of every table against Kafka's own files.
//!
//! `kafka_4_3_0.txt` was printed by `clients/messages.py` from Kafka's jar.

use minilog::wire::codec::Kind;
use minilog::wire::schema::{Field, Table, Versions};
use minilog::wire::{APIS, Api};

#[test]
fn tables_are_kafkas() {
    let ours = APIS.iter().map(print_api).collect::<String>();
    let kafkas = include_str!("kafka_4_3_0.txt");
    for (ours, kafkas) in ours.lines().zip(kafkas.lines()) {
        assert_eq!(ours, kafkas);
    }
    assert_eq!(ours.lines().count(), kafkas.lines().count());
}

fn print_api(api: &Api) -> String {
    let Versions { first, last } = api.versions;
    let mut text = String::new();
    for table in [api.request, api.response] {
        let Api { key, flexible_from, .. } = api;
        text += &format!("{} key {key} {first}-{last} flexible {flexible_from}+\n", table.name);
        print_fields(table, 1, &mut text);
    }
    text
}

fn print_fields(table: &Table, indent: usize, text: &mut String) {
    for field in table.fields {
        let Field { name, versions, .. } = field;
        let kind = print_kind(&field.kind);
        *text += &format!("{:1$}{name} {kind} {2}", "", indent * 2, print_versions(*versions));
        *text += &field.null_from.map(|first| format!(" null {first}+")).unwrap_or_default();
        *text += &field.tag.map(|tag| format!(" tag {tag}")).unwrap_or_default();
        *text += &field.default.map(|it| format!(" default {}", value(it))).unwrap_or_default();
        *text += "\n";
        if let Some(table) = struct_of(&field.kind) {
            print_fields(table, indent + 1, text);
        }
    }
}

fn print_versions(versions: Versions) -> String {
    match versions.last {
        i16::MAX => format!("{}+", versions.first),
        last => format!("{}-{last}", versions.first),
    }
}

fn print_kind(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "bool".into(),
        Kind::Integer(bytes) => format!("int{}", bytes * 8),
        Kind::ErrorCode => "int16".into(),
        Kind::Uuid => "uuid".into(),
        Kind::String | Kind::OldString => "string".into(),
        Kind::Bytes => "bytes".into(),
        Kind::Records => "records".into(),
        Kind::Array(element) => format!("[]{}", print_kind(element)),
        Kind::Struct(table) => table.name.into(),
    }
}

fn struct_of(kind: &Kind) -> Option<&'static Table> {
    match kind {
        Kind::Struct(table) => Some(table),
        Kind::Array(element) => struct_of(element),
        _ => None,
    }
}

/// A default as Kafka writes it.
fn value(rust: &str) -> String {
    match rust {
        "i32::MIN" => i32::MIN.to_string(),
        "i32::MAX" => i32::MAX.to_string(),
        "i64::MAX" => i64::MAX.to_string(),
        number => number.replace('_', ""),
    }
}
