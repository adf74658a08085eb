//! A table and its indexes: what they are called, and how a row becomes bytes and keys.
//!
//! ```text
//! t (a int, b text), index t_b ON t (b DESC) INCLUDE (a)
//!
//! row (1, 'x')      bytes of the heap: a, b
//! key of t_b        'x' so that bytes sort in descending order
//! payload of t_b    bytes of a
//! ```

use crate::engine::{Error, Heap, Index, LongValues};
use crate::format::{RelationId, Tid};
use crate::sql::row::{self, Pointer};
use crate::sql::values::{Type, Value, key};
use crate::wire::{Result, SqlError};
use minibtree_pg_catalog::index_expression;
use minibtree_pg_catalog::objects::{self, ForeignKey, IndexColumn};
use minibtree_schema::{self as schema, Check, Column, key_text};
use minibtree_statistics::Statistics;
use std::ops::Deref;

/// An index of a table.
#[derive(Clone)]
pub struct TableIndex {
    /// The index in the engine: a B+tree or a hash index.
    pub index: Index,
    pub definition: schema::Index,
    /// False if the index is newer than the transaction's snapshot, which may see rows that the
    /// index lacks. The transaction still adds entries to it.
    pub is_read: bool,
}

impl Deref for TableIndex {
    type Target = schema::Index;

    fn deref(&self) -> &schema::Index {
        &self.definition
    }
}

/// A table.
#[derive(Clone)]
pub struct Table {
    /// Never changes. Statements lock this number.
    pub oid: RelationId,
    pub name: String,
    pub heap: Heap,
    pub columns: Vec<Column>,
    /// The types of the columns, for the row codec.
    pub types: Vec<Type>,
    pub indexes: Vec<TableIndex>,
    pub checks: Vec<Check>,
    pub foreign_keys: Vec<ForeignKey>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// Copies of a table are equal, whatever an `ALTER TABLE` has changed between them.
impl PartialEq for Table {
    fn eq(&self, other: &Table) -> bool {
        self.oid == other.oid
    }
}

impl Eq for Table {}

impl Table {
    /// Returns true if it has a column of this name.
    pub fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    /// The values of a row of the heap.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<Value>> {
        let mut values = vec![Value::Null; self.types.len()];
        self.decode_into(bytes, |_| true, &mut values)?;
        Ok(values)
    }

    /// Reads the columns of a row that are needed into `values`, which holds NULLs. A long value
    /// that is not needed costs nothing.
    pub fn decode_into(
        &self,
        bytes: &[u8],
        is_needed: impl Fn(usize) -> bool,
        values: &mut [Value],
    ) -> Result<()> {
        let load = |Pointer { first, length }| {
            Ok(LongValues::of(&self.heap).fetch(Tid::from_bytes(first), length as usize)?)
        };
        row::decode_into(&self.types, bytes, is_needed, load, values)
    }

    /// The key of a row in an index. `computed` are the values of the index's expressions.
    pub fn key_of(&self, index: &TableIndex, values: &[Value], computed: &[Value]) -> Vec<u8> {
        // Six more bytes: the index appends a TID.
        let mut key = Vec::with_capacity(index.columns.len() * 9 + 6);
        for column in &index.columns {
            key::append(self.order_of(index, column), column.value(values, computed), &mut key);
        }
        key
    }

    /// How an index sorts a column.
    pub fn order_of(&self, index: &TableIndex, column: &IndexColumn) -> key::Order {
        let IndexColumn { descending, nulls_first, .. } = *column;
        key::Order { base: self.type_of(index, column), descending, nulls_first }
    }

    /// The type of a column of an index.
    pub fn type_of(&self, index: &TableIndex, column: &IndexColumn) -> Type {
        let expression = column.expression().map(|it| index.expressions[it].1);
        expression.unwrap_or_else(|| self.types[column.position])
    }

    /// The payload of an index entry: the values of the INCLUDE columns.
    pub fn payload_of(&self, index: &TableIndex, values: &[Value]) -> Vec<u8> {
        let mut payload = Vec::new();
        if !index.included.is_empty() {
            let types: Vec<Type> = index.included.iter().map(|it| self.types[*it]).collect();
            let values: Vec<Value> = index.included.iter().map(|it| values[*it].clone()).collect();
            row::encode(&types, &values, &mut payload);
        }
        payload
    }

    /// `(a, b)=(1, 2)`, as error messages show a key.
    pub fn key_text(&self, columns: &[usize], values: &[Value]) -> String {
        let part = |it: &usize| (self.columns[*it].name.clone(), self.types[*it], &values[*it]);
        key_text(columns.iter().map(part))
    }

    /// The same for the key of an index.
    pub fn index_key_text(&self, index: &TableIndex, row: &[Value], computed: &[Value]) -> String {
        let name = |column: &IndexColumn| match column.expression() {
            Some(number) => index_expression(&index.expressions[number].0.shown, true),
            None => self.columns[column.position].name.clone(),
        };
        let columns = index.columns.iter();
        key_text(columns.map(|it| (name(it), self.type_of(index, it), it.value(row, computed))))
    }

    /// The table as `pg_catalog` describes it.
    pub fn object(&self, statistics: &Statistics) -> objects::Table {
        let known = statistics.get(&self.heap.id());
        let is_visible = |it: &u32| self.heap.is_all_visible(Tid { block: *it, slot: 1 });
        let column = |it: &Column| objects::Column {
            name: it.name.clone(),
            column_type: it.column_type,
            not_null: it.not_null,
            default: it.default.as_ref().map(|it| it.shown.clone()),
            identity: it.identity,
        };
        let index = |it: &TableIndex| objects::Index {
            oid: it.index.id().0,
            name: it.name.clone(),
            size: known.map(|known| (it.index.pages(), known.rows, 0)),
            is_hash: it.index.is_hash(),
            is_primary: it.is_primary,
            is_unique: it.is_unique,
            is_constraint: it.is_constraint,
            columns: it.columns.clone(),
            expressions: it.expressions.iter().map(|it| (it.0.shown.clone(), it.1)).collect(),
            included: it.included.clone(),
            predicate: it.predicate.as_ref().map(|it| it.shown.clone()),
        };
        let check = |it: &Check| (it.name.clone(), it.condition.shown.clone());
        objects::Table {
            oid: self.oid.0,
            name: self.name.clone(),
            file: self.heap.id().0,
            size: known
                .map(|it| (it.pages, it.rows, (0..it.pages).filter(is_visible).count() as u32)),
            columns: self.columns.iter().map(column).collect(),
            indexes: self.indexes.iter().map(index).collect(),
            checks: self.checks.iter().map(check).collect(),
            foreign_keys: self.foreign_keys.clone(),
        }
    }
}

impl TableIndex {
    /// The error for an entry that the engine could not add to the index.
    pub fn entry_error(&self, error: Error) -> SqlError {
        let Error::TooLarge { size, limit } = error else { return error.into() };
        let method = if self.index.is_hash() { "hash" } else { "btree version 4" };
        let what = format!("index row size {size} exceeds {method} maximum {limit}");
        let error = error!(PROGRAM_LIMIT_EXCEEDED, "{what} for index \"{}\"", self.name);
        error.hint("Values larger than 1/3 of a buffer page cannot be indexed.")
    }
}
