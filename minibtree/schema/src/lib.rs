//! Definitions of tables, columns, indexes and constraints, and the rows that keep them.
//!
//! The catalog is heaps of rows like any others, so `CREATE TABLE` is as atomic and durable as
//! `INSERT`. These are the rows of pgbench's tellers:
//!
//! ```text
//! TABLES        (16384, pgbench_tellers, 16385)        oid, name, heap
//! COLUMNS       (16384, 1, tid, 23, -1, true, NULL, , NULL)
//!               (16384, 2, bid, 23, -1, false, 0, , 0)
//!                                                      table, number, name, type, modifier,
//!                                                        NOT NULL, default, identity, default as
//!                                                        it is shown
//! INDEXES       (16384, tellers_pkey, 16390, primary, 1al, , NULL, NULL, )
//!                                                      table, name, index, kind, columns with
//!                                                        their order, included ones, WHERE, WHERE
//!                                                        as it is shown, expressions
//! CONSTRAINTS   (16384, tellers_bid_fkey, f, 16400, 2, 1)
//!                                                      table, name, kind, parent, columns,
//!                                                        parent's columns; or a condition, as
//!                                                        written and as it is shown
//! SEQUENCES     (16420, t_id_seq, 16384)               heap, name, table
//! ```
//!
//! Columns are counted from 1 on in rows, as in PostgreSQL's `pg_attribute.attnum`, and from 0 on
//! in memory. This crate turns definitions into the values of a row and back; it does not know
//! where rows are stored.
//!
//! ```
//! use minibtree_schema::{Index, read_index, index_row};
//!
//! let index = Index { name: "t_a_idx".into(), included: vec![2], ..Index::default() };
//! let row = index_row(16384, 16390, &index);
//! let (table, file, read) = read_index(row)?;
//! assert_eq!((table, file, read.included), (16384, 16390, vec![2]));
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```

use Type::{Bool, Int2, Int4, Int8, Text};
use minibtree_functions::casts::is_implicit;
use minibtree_pg_catalog::objects::{ForeignKey, Identity, IndexColumn};
use minibtree_statement::parse_expression;
use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::unsupported;
use minibtree_types::values::{Category, ColumnType, Type, Value};
use sqlparser::ast;
use std::sync::Arc;

/// The types of the row of a table.
pub const TABLES: &[Type] = &[Int8, Text, Int8];
/// The types of the row of a column.
pub const COLUMNS: &[Type] = &[Int8, Int2, Text, Int8, Int4, Bool, Text, Text, Text];
/// The types of the row of an index.
pub const INDEXES: &[Type] = &[Int8, Text, Int8, Text, Text, Text, Text, Text, Text];
/// The types of the row of a CHECK constraint or a foreign key.
pub const CONSTRAINTS: &[Type] = &[Int8, Text, Text, Int8, Text, Text];
/// The types of the row of a sequence.
pub const SEQUENCES: &[Type] = &[Int8, Text, Int8];

/// An expression of the catalog.
#[derive(Clone, Debug)]
pub struct Stored {
    /// As it was written.
    pub text: String,
    /// The same as a tree.
    pub expr: Arc<ast::Expr>,
    /// With the types that it was found to have, as clients are shown it.
    pub shown: String,
}

impl Stored {
    /// Reads an expression.
    ///
    /// # Errors
    /// `42601`.
    pub fn read(text: String, shown: String) -> Result<Stored> {
        let expr = Arc::new(parse_expression(&text)?);
        Ok(Stored { text, expr, shown })
    }

    /// The expression of two columns of a row, or `None` if they are NULL.
    fn of_values(written: Value, shown: Value) -> Result<Option<Stored>> {
        match written {
            Value::Null => Ok(None),
            written => Stored::read(text(written)?, text(shown)?).map(Some),
        }
    }

    /// What [`Stored::of_values`] reads.
    fn values(stored: Option<&Stored>) -> [Value; 2] {
        stored.map_or([Value::Null, Value::Null], |it| [text_of(&it.text), text_of(&it.shown)])
    }
}

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// It is declared NOT NULL, or part of a primary key.
    pub not_null: bool,
    /// DEFAULT; that of an identity column takes the next number of its sequence.
    pub default: Option<Stored>,
    /// What makes the values that an INSERT does not name.
    pub identity: Identity,
}

/// An index of a table.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// A PRIMARY KEY made it.
    pub is_primary: bool,
    /// No two rows have the same key, unless a column of it is NULL.
    pub is_unique: bool,
    /// A PRIMARY KEY or UNIQUE constraint made it.
    pub is_constraint: bool,
    /// The columns that it is sorted by.
    pub columns: Vec<IndexColumn>,
    /// Those of its columns that are expressions, with their types.
    pub expressions: Vec<(Stored, Type)>,
    /// Positions of the columns that its entries have beside the key.
    pub included: Vec<usize>,
    /// WHERE: only rows that meet it have entries.
    pub predicate: Option<Stored>,
}

impl Index {
    /// Returns true if no two rows of the table have the same values in its columns.
    pub fn is_key(&self) -> bool {
        self.is_unique && self.predicate.is_none() && self.expressions.is_empty()
    }

    /// Returns true if no two rows have the same values in these columns, in any order.
    pub fn is_key_of(&self, columns: &[usize]) -> bool {
        self.is_key()
            && self.columns.len() == columns.len()
            && self.columns.iter().all(|it| columns.contains(&it.position))
    }

    /// Positions of the columns that it is sorted by.
    pub fn positions(&self) -> Vec<usize> {
        self.columns.iter().map(|it| it.position).collect()
    }
}

/// A CHECK constraint.
#[derive(Clone, Debug)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What no row makes false.
    pub condition: Stored,
}

/// A row of constraints.
pub enum Constraint {
    /// CHECK.
    Check(Check),
    /// REFERENCES.
    ForeignKey(ForeignKey),
}

/// The row of a table or a sequence, whose third column names its heap or its table.
pub fn named_row(id: u32, name: &str, other: u32) -> Vec<Value> {
    vec![int_of(id), text_of(name), int_of(other)]
}

/// Reads what [`named_row`] made.
///
/// # Errors
/// `XX001` for other values.
pub fn read_named(values: Vec<Value>) -> Result<(u32, String, u32)> {
    let [id, name, other] = array(values)?;
    Ok((number(&id)?, text(name)?, number(&other)?))
}

/// The row of a column.
pub fn column_row(table: u32, position: usize, column: &Column) -> Vec<Value> {
    let [default, shown] = Stored::values(column.default.as_ref());
    vec![
        int_of(table),
        Value::Int(position as i64 + 1),
        text_of(&column.name),
        Value::Int(column.column_type.base.oid().into()),
        Value::Int(column.column_type.modifier.into()),
        Value::Bool(column.not_null),
        default,
        text_of(column.identity.letter()),
        shown,
    ]
}

/// Reads the row of a column. Returns its table and its number as well.
///
/// # Errors
/// `XX001` for other values.
pub fn read_column(values: Vec<Value>) -> Result<(u32, i64, Column)> {
    let [table, place, name, oid, modifier, not_null, default, identity, shown] = array(values)?;
    let base = Type::from_oid(number(&oid)?).ok_or_else(damaged)?;
    let column = Column {
        name: text(name)?,
        column_type: ColumnType { base, modifier: int(&modifier)? as i32 },
        not_null: not_null == Value::Bool(true),
        default: Stored::of_values(default, shown)?,
        identity: Identity::of_letter(&text(identity)?),
    };
    Ok((number(&table)?, int(&place)?, column))
}

/// The row of an index whose pages are the relation `file`.
pub fn index_row(table: u32, file: u32, index: &Index) -> Vec<Value> {
    let kind = match index {
        Index { is_primary: true, .. } => "primary",
        Index { is_constraint: true, .. } => "constraint",
        Index { is_unique: true, .. } => "unique",
        _ => "",
    };
    let column = |it: &IndexColumn| {
        let descending = if it.descending { "d" } else { "a" };
        let nulls = if it.nulls_first { "f" } else { "l" };
        format!("{}{descending}{nulls}", it.position + 1)
    };
    let columns: Vec<String> = index.columns.iter().map(column).collect();
    // No SQL has a zero character.
    let expression =
        |(it, base): &(Stored, Type)| format!("{}\0{}\0{}\0", base.oid(), it.text, it.shown);
    let [predicate, shown] = Stored::values(index.predicate.as_ref());
    vec![
        int_of(table),
        text_of(&index.name),
        int_of(file),
        text_of(kind),
        text_of(&columns.join(" ")),
        numbers(&index.included),
        predicate,
        shown,
        text_of(&index.expressions.iter().map(expression).collect::<String>()),
    ]
}

/// Reads the row of an index. Returns its table and the relation of its pages as well.
///
/// # Errors
/// `XX001` for other values.
pub fn read_index(values: Vec<Value>) -> Result<(u32, u32, Index)> {
    let [table, name, file, kind, columns, included, predicate, shown, expressions] =
        array(values)?;
    let kind = text(kind)?;
    let column = |it: &str| {
        let (number, flags) = it.split_at_checked(it.len().checked_sub(2)?)?;
        Some(IndexColumn {
            position: number.parse::<usize>().ok()?.checked_sub(1)?,
            descending: flags.starts_with('d'),
            nulls_first: flags.ends_with('f'),
        })
    };
    let columns = text(columns)?;
    let columns = columns.split_terminator(' ').map(column).collect::<Option<_>>();
    let index = Index {
        name: text(name)?,
        is_primary: kind == "primary",
        is_unique: !kind.is_empty(),
        is_constraint: kind == "primary" || kind == "constraint",
        columns: columns.ok_or_else(damaged)?,
        expressions: read_expressions(&text(expressions)?)?,
        included: positions(included)?,
        predicate: Stored::of_values(predicate, shown)?,
    };
    Ok((number(&table)?, number(&file)?, index))
}

fn read_expressions(text: &str) -> Result<Vec<(Stored, Type)>> {
    let parts: Vec<&str> = text.split_terminator('\0').collect();
    let expressions = parts.chunks(3).map(|it| {
        let [oid, text, shown] = it else { return Err(damaged()) };
        let base = oid.parse().ok().and_then(Type::from_oid).ok_or_else(damaged)?;
        Ok((Stored::read((*text).to_owned(), (*shown).to_owned())?, base))
    });
    expressions.collect()
}

/// The row of a constraint that is no index.
pub fn constraint_row(table: u32, constraint: &Constraint) -> Vec<Value> {
    let (name, kind, parent, [first, second]) = match constraint {
        Constraint::Check(it) => (&it.name, "c", 0, Stored::values(Some(&it.condition))),
        Constraint::ForeignKey(it) => {
            (&it.name, "f", it.parent, [numbers(&it.columns), numbers(&it.parent_columns)])
        }
    };
    vec![int_of(table), text_of(name), text_of(kind), int_of(parent), first, second]
}

/// Reads the row of a constraint. Returns its table as well.
///
/// # Errors
/// `XX001` for other values.
pub fn read_constraint(values: Vec<Value>) -> Result<(u32, Constraint)> {
    let [table, name, kind, parent, first, second] = array(values)?;
    let name = text(name)?;
    let constraint = if text(kind)? == "c" {
        let condition = Stored::of_values(first, second)?.ok_or_else(damaged)?;
        Constraint::Check(Check { name, condition })
    } else {
        let (columns, parent_columns) = (positions(first)?, positions(second)?);
        let parent = number(&parent)?;
        Constraint::ForeignKey(ForeignKey { name, columns, parent, parent_columns })
    };
    Ok((number(&table)?, constraint))
}

/// The list of numbers, from 1 on, of positions from 0 on.
fn numbers(positions: &[usize]) -> Value {
    let numbers: Vec<String> = positions.iter().map(|it| (it + 1).to_string()).collect();
    text_of(&numbers.join(" "))
}

/// What [`numbers`] lists.
fn positions(value: Value) -> Result<Vec<usize>> {
    let text = text(value)?;
    let numbers = text.split_terminator(' ');
    let positions = numbers.map(|it| it.parse::<usize>().ok()?.checked_sub(1));
    positions.collect::<Option<_>>().ok_or_else(damaged)
}

fn text_of(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn int_of(id: u32) -> Value {
    Value::Int(id.into())
}

fn array<const N: usize>(values: Vec<Value>) -> Result<[Value; N]> {
    <[Value; N]>::try_from(values).map_err(|_| damaged())
}

fn number(value: &Value) -> Result<u32> {
    u32::try_from(int(value)?).map_err(|_| damaged())
}

fn int(value: &Value) -> Result<i64> {
    let Value::Int(number) = value else { return Err(damaged()) };
    Ok(*number)
}

fn text(value: Value) -> Result<String> {
    let Value::Text(text) = value else { return Err(damaged()) };
    Ok(text)
}

/// Returns true if a foreign key of one type can refer to a column of another.
///
/// # Errors
/// `0A000` for two types that PostgreSQL compares and we do not.
pub fn can_refer(from: Type, to: Type) -> Result<bool> {
    let both = |is_meant: fn(Type) -> bool| is_meant(from) && is_meant(to);
    let is_varying = |it| matches!(it, Type::Text | Type::Varchar);
    if from == to || both(Type::is_integer) || both(is_varying) {
        return Ok(true);
    }
    let is_family = both(|it| matches!(it, Type::Float4 | Type::Float8))
        || both(|it| it.category() == Category::DateTime)
        || both(|it| matches!(it, Type::Text | Type::Varchar | Type::Name));
    match is_family || is_implicit(from, to) {
        true => {
            let (from, to) = (from.name(), to.name());
            Err(unsupported!("a foreign key of type {from} to a column of type {to}"))
        }
        false => Ok(false),
    }
}

/// `(a, b)=(1, 2)`, as error messages show a key: the names, types and values of its columns.
pub fn key_text<'v>(parts: impl Iterator<Item = (String, Type, &'v Value)>) -> String {
    let part = |(name, base, value): (String, Type, &Value)| match value {
        Value::Null => (name, "null".to_owned()),
        value => (name, base.text_of(value)),
    };
    let (names, texts): (Vec<String>, Vec<String>) = parts.map(part).unzip();
    format!("({})=({})", names.join(", "), texts.join(", "))
}

fn damaged() -> SqlError {
    SqlError::new(code::DATA_CORRUPTED, "a row of the catalog is damaged")
}

/// A name for an index, sequence or constraint that is not taken: `t_a_idx`, `t_a_idx1`.
pub fn free_name(
    table: &str,
    columns: &[String],
    label: &str,
    is_taken: impl Fn(&str) -> bool,
) -> String {
    let mut stem = [&[table.to_owned()], columns].concat().join("_");
    stem.truncate(stem.floor_char_boundary(63 - label.len() - 1));
    let numbers = std::iter::once(String::new()).chain((1..).map(|it: u32| it.to_string()));
    numbers
        .map(|number| format!("{stem}_{label}{number}"))
        .find(|name| !is_taken(name))
        .expect("there are more numbers than names")
}

/// The DETAIL of an error about a row. Like PostgreSQL, shows at most 64 bytes of a value.
pub fn failing_row(types: &[Type], values: &[Value]) -> String {
    let text = |(base, value): (&Type, &Value)| match value {
        Value::Null => "null".to_owned(),
        value => {
            let mut text = base.text_of(value);
            if text.len() > 64 {
                text.truncate(text.floor_char_boundary(64));
                text += "...";
            }
            text
        }
    };
    let texts: Vec<String> = types.iter().zip(values).map(text).collect();
    format!("Failing row contains ({}).", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_another_kind_is_damaged() {
        let rows = [named_row(1, "t", 2), vec![Value::Null; 9], vec![Value::Null; 6]];
        for row in rows {
            let errors = [
                read_index(row.clone()).err(),
                read_column(row.clone()).err(),
                read_constraint(row).err(),
            ];
            assert!(errors.iter().all(|it| matches!(it, Some(it) if it.code == "XX001")));
        }
    }
}
