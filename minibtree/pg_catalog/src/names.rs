//! From an OID to a name and back, and definitions as SQL.
//!
//! ```text
//! 't_pkey'::regclass           16390
//! pg_get_indexdef(16390)       CREATE UNIQUE INDEX t_pkey ON public.t USING btree (a)
//! ```
//!
//! PostgreSQL's `regproc.c` and `ruleutils.c`.

use crate::objects::{EXPRESSIONS, ForeignKey, Index, IndexColumn, Objects, Sequence, Table};
use crate::relations::{Relation, relations};
use minibtree_functions::quoted;
use minibtree_statement::pretty;
use minibtree_types::error;
use minibtree_types::error::Result;
use minibtree_types::values::Type;

/// The schemas.
const SCHEMAS: [(u32, &str); 2] = [(11, "pg_catalog"), (2200, "public")];

/// What `pg_class` has a row for.
pub enum Object<'a> {
    Table(&'a Table),
    Index(&'a Table, &'a Index),
    Sequence,
    System(&'static Relation),
}

/// All of them, with OIDs and names.
pub fn all(objects: &Objects) -> impl Iterator<Item = (u32, &str, Object<'_>)> {
    let system = relations().iter().map(|it| (it.oid, it.name, Object::System(it)));
    let tables = objects.tables.iter().flat_map(|table| {
        let indexes = table.indexes.iter();
        let indexes = indexes.map(move |it| (it.oid, &*it.name, Object::Index(table, it)));
        std::iter::once((table.oid, &*table.name, Object::Table(table))).chain(indexes)
    });
    let sequences = objects.sequences.iter();
    let sequences = sequences.map(|it| (it.oid, &*it.name, Object::Sequence));
    system.chain(tables).chain(sequences)
}

/// The object of this OID.
pub fn object(objects: &Objects, oid: i64) -> Option<Object<'_>> {
    all(objects).find(|it| i64::from(it.0) == oid).map(|it| it.2)
}

/// The files of a table's heap and of its indexes, or of an index or a sequence; `None` if there is
/// no such relation.
pub fn files(objects: &Objects, oid: u32, has_heap: bool, has_indexes: bool) -> Option<Vec<u32>> {
    Some(match object(objects, oid.into())? {
        Object::Table(table) => {
            let indexes = table.indexes.iter().filter(|_| has_indexes).map(|it| it.oid);
            has_heap.then_some(table.file).into_iter().chain(indexes).collect()
        }
        Object::Index(..) | Object::Sequence if has_heap => vec![oid],
        _ => Vec::new(),
    })
}

/// The number that a text of `regclass` or its kin means.
///
/// # Errors
/// `42P01`, `42704` or `3F000` if nothing has this name.
pub fn number_of(objects: &Objects, base: Type, text: &str) -> Result<i64> {
    if let Ok(number) = text.parse::<u32>() {
        return Ok(number.into());
    }
    let plain = |it: &str| match it.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => it.to_lowercase(),
    };
    let (schema, name) = match text.split_once('.') {
        Some((schema, name)) => (Some(plain(schema)), plain(name)),
        None => (None, plain(text)),
    };
    let is_in = |schema_of: &str| schema.as_ref().is_none_or(|it| it == schema_of);
    let found = match base {
        Type::Regclass => {
            let is_meant = |it: &(u32, &str, Object<'_>)| {
                let is_system = matches!(it.2, Object::System(_));
                it.1 == name && is_in(if is_system { "pg_catalog" } else { "public" })
            };
            all(objects).find(is_meant).map(|it| it.0)
        }
        Type::Regtype => {
            let is_meant = |it: &&Type| it.name() == text || it.internal_name() == name;
            Type::ALL.iter().find(is_meant).map(|it| it.oid())
        }
        _ => SCHEMAS.iter().find(|it| it.1 == text).map(|it| it.0),
    };
    found.map(i64::from).ok_or_else(|| match base {
        Type::Regclass => error!(UNDEFINED_TABLE, "relation \"{text}\" does not exist"),
        Type::Regtype => error!(UNDEFINED_OBJECT, "type \"{text}\" does not exist"),
        _ => error!(UNDEFINED_SCHEMA, "schema \"{text}\" does not exist"),
    })
}

/// What a number of `regclass` or its kin is shown as.
pub fn name_of(objects: &Objects, base: Type, number: i64) -> String {
    let is_meant = |oid: u32| i64::from(oid) == number;
    let found = match base {
        _ if number == 0 => Some("-".to_owned()),
        Type::Regtype => Type::ALL.iter().find(|it| is_meant(it.oid())).map(|it| it.name().into()),
        Type::Regnamespace => SCHEMAS.iter().find(|it| is_meant(it.0)).map(|it| it.1.into()),
        _ => all(objects).find(|it| is_meant(it.0)).map(|it| quoted(it.1)),
    };
    found.unwrap_or_else(|| number.to_string())
}

/// The column whose values a sequence makes, and the table that has it.
pub fn owned_column<'a>(objects: &'a Objects, sequence: &Sequence) -> Option<(&'a Table, usize)> {
    let table = objects.table(sequence.owner)?;
    let text = format!("nextval('{}'", quoted(&sequence.name).replace('\'', "''"));
    let makes = |default: &Option<String>| default.as_ref().is_some_and(|it| it.starts_with(&text));
    table.columns.iter().position(|it| makes(&it.default)).map(|at| (table, at))
}

/// The statement that creates an index, or one of its columns, counted from 1.
pub fn index_definition(
    objects: &Objects,
    oid: i64,
    column: usize,
    is_pretty: bool,
) -> Option<String> {
    let Object::Index(table, index) = object(objects, oid)? else { return None };
    let name = |position: &usize| match position.checked_sub(EXPRESSIONS) {
        Some(number) => index_expression(&index.expressions[number].0, is_pretty),
        None => quoted(&table.columns[*position].name),
    };
    if let Some(at) = column.checked_sub(1) {
        return index.positions().nth(at).map(|it| name(&it));
    }
    let ordered = |it: &IndexColumn| {
        let order = match (it.descending, it.nulls_first) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        };
        name(&it.position) + order
    };
    let unique = if index.is_unique { "UNIQUE " } else { "" };
    let method = if index.is_hash { "hash" } else { "btree" };
    let schema = if is_pretty { "" } else { "public." };
    let included = match &index.included[..] {
        [] => String::new(),
        some => format!(" INCLUDE ({})", listed(some.iter().map(name))),
    };
    let (index_name, table_name) = (quoted(&index.name), quoted(&table.name));
    let columns = listed(index.columns.iter().map(ordered));
    let condition = index.predicate.as_ref().map_or(String::new(), |it| {
        format!(" WHERE {}", if is_pretty { pretty(it) } else { it.clone() })
    });
    Some(format!(
        "CREATE {unique}INDEX {index_name} ON {schema}{table_name} USING {method} \
         ({columns}){included}{condition}"
    ))
}

/// An expression of an index, as its definition has it: in parentheses, unless it is a call.
pub fn index_expression(text: &str, is_pretty: bool) -> String {
    let shown = if is_pretty { pretty(text) } else { text.to_owned() };
    if call_name(text).is_some() { shown } else { format!("({shown})") }
}

/// What a column of an index is called that is an expression.
pub fn expression_name(text: &str) -> String {
    call_name(text).unwrap_or("expr").to_lowercase()
}

/// The name of the function, if an expression is a call.
fn call_name(text: &str) -> Option<&str> {
    let (name, _) = text.split_once('(').filter(|_| text.ends_with(')'))?;
    let is_name = !name.is_empty() && name.chars().all(|it| it.is_alphanumeric() || it == '_');
    is_name.then_some(name)
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// A constraint.
#[derive(Clone, Default)]
pub struct Constraint<'a> {
    pub oid: u32,
    pub name: &'a str,
    pub table: Option<&'a Table>,
    /// `p`, `u`, `c` or `f`.
    pub kind: &'static str,
    pub columns: Vec<usize>,
    /// The index that enforces it.
    pub index: Option<&'a Index>,
    pub key: Option<&'a ForeignKey>,
    /// The condition of a CHECK.
    condition: Option<&'a str>,
}

/// All constraints. Those without an index have numbers that nothing else has, until the catalog
/// changes.
pub fn constraints(objects: &Objects) -> Vec<Constraint<'_>> {
    let mut all = Vec::new();
    for table in &objects.tables {
        let none = Constraint { table: Some(table), ..Constraint::default() };
        all.extend(table.indexes.iter().filter(|it| it.is_constraint).map(|it| Constraint {
            oid: it.oid,
            name: &it.name,
            kind: if it.is_primary { "p" } else { "u" },
            columns: it.columns.iter().map(|it| it.position).collect(),
            index: Some(it),
            ..none.clone()
        }));
        all.extend(table.checks.iter().map(|(name, condition)| Constraint {
            name,
            kind: "c",
            condition: Some(condition),
            ..none.clone()
        }));
        all.extend(table.foreign_keys.iter().map(|it| Constraint {
            name: &it.name,
            kind: "f",
            columns: it.columns.clone(),
            index: key_index(objects, it),
            key: Some(it),
            ..none.clone()
        }));
    }
    let unnumbered = all.iter_mut().filter(|it| it.oid == 0);
    unnumbered.zip(1 << 31..).for_each(|(it, oid)| it.oid = oid);
    all
}

/// The index of the other table that a foreign key looks its values up in.
fn key_index<'a>(objects: &'a Objects, key: &ForeignKey) -> Option<&'a Index> {
    objects.table(key.parent)?.indexes.iter().find(|it| it.is_key_of(&key.parent_columns))
}

/// What `pg_get_constraintdef` shows.
pub fn constraint_definition(objects: &Objects, oid: i64, is_pretty: bool) -> Option<String> {
    let all = constraints(objects);
    let it = all.iter().find(|it| i64::from(it.oid) == oid)?;
    let names = |table: &Table, positions: &[usize]| {
        listed(positions.iter().map(|it| quoted(&table.columns[*it].name)))
    };
    let own = names(it.table?, &it.columns);
    Some(match (it.kind, it.condition, it.key) {
        ("p", ..) => format!("PRIMARY KEY ({own})"),
        ("u", ..) => format!("UNIQUE ({own})"),
        (_, Some(condition), _) if is_pretty => format!("CHECK ({})", pretty(condition)),
        (_, Some(condition), _) => format!("CHECK ({condition})"),
        (.., key) => {
            let key = key?;
            let parent = objects.table(key.parent)?;
            let theirs = names(parent, &key.parent_columns);
            format!("FOREIGN KEY ({own}) REFERENCES {}({theirs})", quoted(&parent.name))
        }
    })
}
