//! Compares every row of every table with Kafka's own files.
//!
//! `clients/messages.py` has printed `kafka_4_3_0.txt` from Kafka's jar.

use minilog::wire::codec::Kind;
use minilog::wire::schema::{Field, Table};
use minilog::wire::{APIS, Api};
use std::ops::RangeInclusive;

#[test]
fn tables_are_kafkas() {
    let ours = comparable(&APIS.iter().map(print_api).collect::<String>());
    let kafkas = comparable(include_str!("kafka_4_3_0.txt"));
    for (ours, kafkas) in ours.iter().zip(&kafkas) {
        assert_eq!(ours, kafkas);
    }
    assert_eq!(ours.len(), kafkas.len());
}

/// Normalizes a listing: removes the names of structs, which our tables share, limits the versions
/// of each field to those of its struct, and removes tagged fields, which our tables do not have.
fn comparable(listing: &str) -> Vec<String> {
    let (mut lines, mut around, mut left_out) = (Vec::new(), Vec::new(), usize::MAX);
    for line in listing.lines() {
        let depth = (line.len() - line.trim_start().len()) / 2;
        if depth > left_out {
            continue;
        }
        left_out = usize::MAX;
        around.truncate(depth.saturating_sub(1));
        let words = line.split_whitespace().collect::<Vec<_>>();
        let ([name, kind, versions, rest @ ..], 1..) = (&words[..], depth) else {
            lines.push(line.to_owned());
            continue;
        };

        let versions = parse_versions(versions);
        let outer = around.last().cloned().unwrap_or(0..=i16::MAX);
        let first = *versions.start().max(outer.start());
        let versions = first..=*versions.end().min(outer.end());
        if rest.contains(&"tag") || versions.is_empty() {
            left_out = depth;
            continue;
        }
        around.push(versions.clone());

        let kind = match kind.trim_start_matches("[]").starts_with(char::is_uppercase) {
            true => kind.replace(char::is_alphabetic, ""),
            false => (*kind).to_owned(),
        };
        let mut text = format!("{depth} {name} {kind} {}", print_versions(&versions));
        for pair in rest.chunks(2) {
            text += &match pair {
                ["null", from] => format!(" null {}+", parse_versions(from).start().max(&first)),
                pair => format!(" {}", pair.join(" ")),
            };
        }
        lines.push(text);
    }
    lines
}

fn parse_versions(text: &str) -> RangeInclusive<i16> {
    let (first, last) = text.split_once(['+', '-']).expect("a range of versions");
    let last = if last.is_empty() { i16::MAX } else { last.parse().unwrap() };
    first.parse().unwrap()..=last
}

fn print_api(api: &Api) -> String {
    let (first, last) = (api.versions.start(), api.versions.end());
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
        *text += &format!("{:1$}{name} {kind} {2}", "", indent * 2, print_versions(versions));
        *text += &field.null_from.map(|first| format!(" null {first}+")).unwrap_or_default();
        *text += &field.default.map(|it| format!(" default {}", value(it))).unwrap_or_default();
        *text += "\n";
        if let Some(table) = struct_of(&field.kind) {
            print_fields(table, indent + 1, text);
        }
    }
}

fn print_versions(versions: &RangeInclusive<i16>) -> String {
    match (versions.start(), *versions.end()) {
        (first, i16::MAX) => format!("{first}+"),
        (first, last) => format!("{first}-{last}"),
    }
}

fn print_kind(kind: &Kind) -> String {
    match kind {
        Kind::Fixed(name, ..) => (*name).into(),
        Kind::String => "string".into(),
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
