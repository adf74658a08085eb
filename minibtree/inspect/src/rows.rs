//! What `mb_pages` and `mb_btree` return: pages and levels as rows of SQL.
//!
//! ```text
//! SELECT page, kind, level, items, free_bytes FROM mb_pages('t_pkey')    0 | btree | 1 | 2 | 8116
//! SELECT level, pages, entries, fill_percent FROM mb_btree('t_pkey')     1 | 1 | 2 | 0.5
//! ```
//!
//! PostgreSQL's `bt_page_stats`, `heap_page_items` and `pgstatindex` ask page by page.

use crate::page::PageSummary;
use crate::relation::Level;
use minibtree_format::PageBytes;
use minibtree_types::values::{Float, Type, Value};

/// The columns of `mb_pages`.
pub const PAGE_COLUMNS: [(&str, Type); 8] = [
    ("page", Type::Int4),
    ("kind", Type::Text),
    ("level", Type::Int4),
    ("items", Type::Int4),
    ("free_bytes", Type::Int4),
    ("next_page", Type::Int8),
    ("lsn", Type::Text),
    ("flags", Type::Text),
];

/// The columns of `mb_btree`.
pub const LEVEL_COLUMNS: [(&str, Type); 5] = [
    ("level", Type::Int4),
    ("pages", Type::Int4),
    ("entries", Type::Int8),
    ("fill_percent", Type::Float8),
    ("key_bytes", Type::Float8),
];

/// The row of a page.
pub fn page_row(block: u32, page: &PageBytes) -> Vec<Value> {
    let PageSummary { kind, level, items, free, lsn, next, flags } = PageSummary::of(page);
    vec![
        Value::Int(block.into()),
        Value::Text(kind),
        level.map_or(Value::Null, |it| Value::Int(it.into())),
        Value::Int(items as i64),
        Value::Int(free as i64),
        next.map_or(Value::Null, |it| Value::Int(it.into())),
        Value::Text(lsn.to_string()),
        Value::Text(flags),
    ]
}

/// The row of a level. Figures have one decimal.
pub fn level_row(number: usize, level: &Level) -> Vec<Value> {
    let rounded = |it: f64| Value::Float(Float((it * 10.0).round() / 10.0));
    vec![
        Value::Int(number as i64),
        Value::Int(level.pages.len() as i64),
        Value::Int(level.entries as i64),
        rounded(level.fill()),
        rounded(level.key_mean()),
    ]
}
