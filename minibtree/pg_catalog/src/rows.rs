//! The rows of the catalog's relations.
//!
//! ```text
//! CREATE TABLE p (id int PRIMARY KEY)
//!
//! pg_class        (16384, p, ..), (16386, p_pkey, ..)
//! pg_attribute    (16384, id, 23, ..), (16386, id, 23, ..)      an index has columns too
//! pg_index        (16386, 16384, ..)
//! pg_constraint   (16386, p_pkey, .., p, ..)                    it has the OID of its index
//! ```

use crate::names::{Constraint, Object, all, constraints, expression_name, owned_column};
use crate::objects::{EXPRESSIONS, Identity, Index, IndexColumn, Objects, Table};
use crate::relations::Relation;
use minibtree_types::values::{Category, ColumnType, Type, Value};

/// The collation of text, and of names.
const COLLATIONS: [(i64, &str); 2] = [(100, "default"), (950, "C")];

/// The rows of a relation.
pub fn rows_of(objects: &Objects, relation: &'static Relation) -> Vec<Vec<Value>> {
    let mut rows = Rows { relation, rows: Vec::new() };
    match relation.name {
        "pg_class" => classes(objects, &mut rows),
        "pg_attribute" => attributes(objects, &mut rows),
        "pg_type" => Type::ALL.iter().for_each(|it| add_type(*it, &mut rows)),
        "pg_index" => each_index(objects, |table, index| add_index(table, index, &mut rows)),
        "pg_constraint" => {
            constraints(objects).iter().for_each(|it| add_constraint(it, &mut rows));
        }
        "pg_attrdef" => defaults(objects, &mut rows),
        "pg_namespace" => {
            rows.add(&[("oid", int(11)), ("nspname", text("pg_catalog")), ("nspowner", int(10))]);
            rows.add(&[("oid", int(2200)), ("nspname", text("public")), ("nspowner", int(6171))]);
        }
        "pg_am" => {
            for (oid, name, kind) in [(2, "heap", "t"), (403, "btree", "i"), (405, "hash", "i")] {
                rows.add(&[("oid", int(oid)), ("amname", text(name)), ("amtype", text(kind))]);
            }
        }
        "pg_database" => rows.add(&[("oid", int(5)), ("datname", text("postgres"))]),
        "pg_roles" => rows.add(&[("oid", int(10)), ("rolname", text("postgres"))]),
        "pg_tablespace" => rows.add(&[("oid", int(1663)), ("spcname", text("pg_default"))]),
        "pg_collation" => {
            for (oid, name) in COLLATIONS {
                rows.add(&[("oid", int(oid)), ("collname", text(name))]);
            }
        }
        "pg_sequence" | "pg_depend" => sequences(objects, &mut rows),
        _ => {}
    }
    rows.rows
}

/// The rows so far.
struct Rows {
    relation: &'static Relation,
    rows: Vec<Vec<Value>>,
}

impl Rows {
    /// Adds a row with these values. A column that the relation does not have is left out.
    fn add(&mut self, values: &[(&str, Value)]) {
        let row = self.relation.columns.iter().map(|(name, _, usual)| {
            let given = values.iter().find(|it| it.0 == *name);
            given.map_or(usual, |it| &it.1).clone()
        });
        self.rows.push(row.collect());
    }
}

fn int(number: impl Into<i64>) -> Value {
    Value::Int(number.into())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn numbers(positions: impl Iterator<Item = usize>) -> Value {
    Value::from(positions.map(|it| int(it as i64)).collect::<Vec<_>>())
}

fn each_index(objects: &Objects, mut each: impl FnMut(&Table, &Index)) {
    objects.tables.iter().for_each(|table| table.indexes.iter().for_each(|it| each(table, it)));
}

fn classes(objects: &Objects, rows: &mut Rows) {
    for (oid, name, object) in all(objects) {
        let mut row = vec![("oid", int(oid)), ("relname", text(name))];
        match object {
            Object::Table(table) => {
                row.extend(table.size.into_iter().flat_map(sizes));
                let mut all = objects.tables.iter().flat_map(|it| &it.foreign_keys);
                let keyed = all.any(|it| it.parent == table.oid) || !table.foreign_keys.is_empty();
                row.extend([
                    ("relfilenode", int(table.file)),
                    ("relnatts", int(table.columns.len() as i64)),
                    ("relchecks", int(table.checks.len() as i64)),
                    ("relhasindex", Value::Bool(!table.indexes.is_empty())),
                    ("relhastriggers", Value::Bool(keyed)),
                ]);
            }
            Object::Index(_, it) => row.extend(it.size.into_iter().flat_map(sizes).chain([
                ("relkind", text("i")),
                ("relreplident", text("n")),
                ("relam", int(if it.is_hash { 405 } else { 403 })),
                ("relnatts", int((it.columns.len() + it.included.len()) as i64)),
            ])),
            Object::Sequence => row.extend([
                ("relkind", text("S")),
                ("relreplident", text("n")),
                ("relam", int(0)),
                ("relnatts", int(3)),
            ]),
            Object::System(it) => row.extend([
                ("relnamespace", int(11)),
                ("relnatts", int(it.columns.len() as i64)),
                ("relreplident", text("n")),
                // In PostgreSQL this one is a view of a table with passwords.
                ("relkind", text(if it.name == "pg_roles" { "v" } else { "r" })),
            ]),
        }
        rows.add(&row);
    }
}

fn sizes((pages, rows, visible): (u32, f64, u32)) -> [(&'static str, Value); 3] {
    [("relpages", int(pages)), ("reltuples", rows.into()), ("relallvisible", int(visible))]
}

fn attributes(objects: &Objects, rows: &mut Rows) {
    for (oid, _, object) in all(objects) {
        match object {
            Object::Table(table) => {
                for (number, it) in table.columns.iter().enumerate() {
                    let is_default = it.default.is_some() && it.identity == Identity::None;
                    let more = [
                        ("attnotnull", Value::Bool(it.not_null)),
                        ("atthasdef", Value::Bool(is_default)),
                        ("attidentity", text(it.identity.letter())),
                    ];
                    add_attribute(oid, number, &it.name, it.column_type, &more, rows);
                }
            }
            Object::Index(table, index) => {
                for (number, it) in index.positions().enumerate() {
                    let (name, of) = match it.checked_sub(EXPRESSIONS) {
                        None => (table.columns[it].name.clone(), table.columns[it].column_type),
                        Some(it) => {
                            let (text, base) = &index.expressions[it];
                            (expression_name(text), base.plain())
                        }
                    };
                    // A hash index of PostgreSQL has nothing but the hash, an integer.
                    let of = if index.is_hash { Type::Int4.plain() } else { of };
                    add_attribute(oid, number, &name, of, &[], rows);
                }
            }
            Object::Sequence => {
                let names = ["last_value", "log_cnt", "is_called"];
                let types = [Type::Int8, Type::Int8, Type::Bool];
                for (number, (name, base)) in names.into_iter().zip(types).enumerate() {
                    let more = [("attnotnull", Value::Bool(true))];
                    add_attribute(oid, number, name, base.plain(), &more, rows);
                }
            }
            Object::System(relation) => {
                for (number, (name, base, _)) in relation.columns.iter().enumerate() {
                    add_attribute(oid, number, name, base.plain(), &[], rows);
                }
            }
        }
    }
}

fn add_attribute(
    oid: u32,
    number: usize,
    name: &str,
    of: ColumnType,
    more: &[(&str, Value)],
    rows: &mut Rows,
) {
    let mut row = vec![
        ("attrelid", int(oid)),
        ("attname", text(name)),
        ("atttypid", int(of.base.oid())),
        ("attlen", int(of.base.size())),
        ("attnum", int(number as i64 + 1)),
        ("atttypmod", int(of.modifier)),
        ("attstorage", text(storage(of.base))),
        ("attcollation", int(collation(of.base))),
    ];
    row.extend_from_slice(more);
    rows.add(&row);
}

/// How a long value would be kept: in place and as it is, first compressed, or first elsewhere.
fn storage(base: Type) -> &'static str {
    match base {
        Type::Numeric => "m",
        base if base.size() > 0 => "p",
        _ => "x",
    }
}

fn collation(base: Type) -> i64 {
    match base {
        Type::Text | Type::Varchar | Type::Bpchar => COLLATIONS[0].0,
        Type::Name => COLLATIONS[1].0,
        Type::AclItemArray => 0,
        base => base.element().map_or(0, collation),
    }
}

fn add_type(base: Type, rows: &mut Rows) {
    let category = match base.category() {
        Category::Boolean => "B",
        Category::Numeric => "N",
        Category::String => "S",
        Category::DateTime => "D",
        Category::User => "U",
        Category::Array => "A",
        Category::Internal => "Z",
        Category::Unknown => "X",
    };
    let oid = |it: Option<Type>| int(it.map_or(0, Type::oid));
    rows.add(&[
        ("oid", int(base.oid())),
        ("typname", text(base.internal_name())),
        ("typlen", int(base.size())),
        ("typtype", text(if base == Type::Unknown { "p" } else { "b" })),
        ("typcategory", text(category)),
        ("typispreferred", Value::Bool(base.is_preferred())),
        ("typelem", oid(base.element())),
        ("typarray", oid(Type::array_of(base))),
        ("typcollation", int(collation(base))),
    ]);
}

fn add_index(table: &Table, index: &Index, rows: &mut Rows) {
    let option = |it: &IndexColumn| usize::from(it.descending) | usize::from(it.nulls_first) << 1;
    let column = |it: usize| if it < EXPRESSIONS { it + 1 } else { 0 };
    let expressions: Vec<&str> = index.expressions.iter().map(|it| it.0.as_str()).collect();
    let expressions = expressions.join(", ");
    rows.add(&[
        ("indexrelid", int(index.oid)),
        ("indrelid", int(table.oid)),
        ("indnatts", int((index.columns.len() + index.included.len()) as i64)),
        ("indnkeyatts", int(index.columns.len() as i64)),
        ("indisunique", Value::Bool(index.is_unique)),
        ("indisprimary", Value::Bool(index.is_primary)),
        ("indpred", index.predicate.as_deref().map_or(Value::Null, text)),
        ("indexprs", if expressions.is_empty() { Value::Null } else { text(&expressions) }),
        ("indkey", numbers(index.positions().map(column))),
        ("indoption", numbers(index.columns.iter().map(option))),
    ]);
}

fn add_constraint(constraint: &Constraint<'_>, rows: &mut Rows) {
    let list = |positions: &[usize]| match positions {
        [] => Value::Null,
        some => numbers(some.iter().map(|it| it + 1)),
    };
    let action = text(if constraint.kind == "f" { "a" } else { " " });
    rows.add(&[
        ("oid", int(constraint.oid)),
        ("conname", text(constraint.name)),
        ("contype", text(constraint.kind)),
        ("conrelid", int(constraint.table.map_or(0, |it| it.oid))),
        ("conindid", int(constraint.index.map_or(0, |it| it.oid))),
        ("confrelid", int(constraint.key.map_or(0, |it| it.parent))),
        ("confupdtype", action.clone()),
        ("confdeltype", action),
        ("confmatchtype", text(if constraint.kind == "f" { "s" } else { " " })),
        ("conkey", list(&constraint.columns)),
        ("confkey", list(constraint.key.map_or(&[], |it| &it.parent_columns))),
    ]);
}

fn defaults(objects: &Objects, rows: &mut Rows) {
    for table in &objects.tables {
        for (number, column) in table.columns.iter().enumerate() {
            // The default of an identity column is no expression of its own.
            let has_own = column.identity == Identity::None;
            let Some(default) = column.default.as_ref().filter(|_| has_own) else { continue };
            rows.add(&[
                ("oid", int(i64::from(table.oid) + 1 + number as i64)),
                ("adrelid", int(table.oid)),
                ("adnum", int(number as i64 + 1)),
                ("adbin", text(default)),
            ]);
        }
    }
}

/// `pg_sequence`, and in `pg_depend` which column each belongs to.
fn sequences(objects: &Objects, rows: &mut Rows) {
    for sequence in &objects.sequences {
        let Some((table, at)) = owned_column(objects, sequence) else { continue };
        let column = &table.columns[at];
        let base = column.column_type.base;
        let bits = 8 * u32::try_from(base.size()).unwrap_or(8);
        rows.add(&[
            ("seqrelid", int(sequence.oid)),
            ("seqtypid", int(base.oid())),
            ("seqmax", int(i64::MAX >> (64 - bits))),
            ("objid", int(sequence.oid)),
            ("refobjid", int(table.oid)),
            ("refobjsubid", int(at as i64 + 1)),
            ("deptype", text(if column.identity == Identity::None { "a" } else { "i" })),
        ]);
    }
}
