//! What the relations of the catalog are made of: tables, indexes, constraints and sequences.
//!
//! ```text
//! CREATE TABLE t (id serial PRIMARY KEY, b int DEFAULT 7)
//!
//! Table { oid: 16385, name: t, columns: [id, b], indexes: [t_pkey], .. }
//! Sequence { oid: 16384, name: t_id_seq, owner: 16385 }
//! ```
//!
//! Expressions are text here, with all types and parentheses, as PostgreSQL's `ruleutils.c` writes
//! them. There, they are trees, and the text is made when a client asks for it.

use minibtree_types::values::{ColumnType, Type, Value};

/// All objects of a database. Their OIDs are different from each other.
#[derive(Debug, Default)]
pub struct Objects {
    /// The tables in the order of their names.
    pub tables: Vec<Table>,
    /// The sequences in the order of their names.
    pub sequences: Vec<Sequence>,
}

/// A table.
#[derive(Debug, Default)]
pub struct Table {
    /// What `pg_class.oid` has.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// What `pg_class.relfilenode` has.
    pub file: u32,
    /// Its pages and rows when it was last vacuumed or analyzed, and how many are all-visible.
    pub size: Option<(u32, f64, u32)>,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Its indexes, those of constraints among them.
    pub indexes: Vec<Index>,
    /// Names and conditions of its CHECK constraints.
    pub checks: Vec<(String, String)>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
}

/// A column of a table.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// It is declared NOT NULL, or part of a primary key.
    pub not_null: bool,
    /// Its DEFAULT. That of an identity column takes the next number of its sequence.
    pub default: Option<String>,
    /// What makes the values that an INSERT does not name.
    pub identity: Identity,
}

/// Where the values of a column come from that an INSERT does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// From its default.
    None,
    /// From a sequence, and from nowhere else.
    Always,
    /// From a sequence.
    ByDefault,
}

impl Identity {
    /// What `pg_attribute.attidentity` has.
    pub fn letter(self) -> &'static str {
        match self {
            Identity::None => "",
            Identity::Always => "a",
            Identity::ByDefault => "d",
        }
    }

    /// What a letter of `pg_attribute.attidentity` means.
    pub fn of_letter(letter: &str) -> Identity {
        let all = [Identity::Always, Identity::ByDefault];
        all.into_iter().find(|it| it.letter() == letter).unwrap_or(Identity::None)
    }
}

/// An index.
#[derive(Debug)]
pub struct Index {
    /// What `pg_class.oid` has.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// The same, and 0.
    pub size: Option<(u32, f64, u32)>,
    /// It is a hash index, and not a B+tree.
    pub is_hash: bool,
    /// A PRIMARY KEY made it.
    pub is_primary: bool,
    /// No two rows have the same key, unless a column of it is NULL.
    pub is_unique: bool,
    /// A PRIMARY KEY or UNIQUE constraint made it.
    pub is_constraint: bool,
    /// The columns that it is sorted by.
    pub columns: Vec<IndexColumn>,
    /// Those of its columns that are expressions, with their types.
    pub expressions: Vec<(String, Type)>,
    /// Positions of the columns that its entries have beside the key.
    pub included: Vec<usize>,
    /// The condition that the rows meet that it has.
    pub predicate: Option<String>,
}

/// The position of the first expression of an index. No table has as many columns.
pub const EXPRESSIONS: usize = 1 << 16;

/// A column of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexColumn {
    /// Its position in the table, from 0 on; from [`EXPRESSIONS`] on, that of an expression.
    pub position: usize,
    /// Its order is descending.
    pub descending: bool,
    /// NULLs sort before other values.
    pub nulls_first: bool,
}

/// A foreign key: the values of columns are those of a key of another table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// Positions of its columns.
    pub columns: Vec<usize>,
    /// The OID of the other table.
    pub parent: u32,
    /// Positions of the key in the other table.
    pub parent_columns: Vec<usize>,
}

/// A sequence.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// What `pg_class.oid` has.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// The table that it is dropped with.
    pub owner: u32,
}

impl IndexColumn {
    /// The number of its expression; `None` if it is a column of the table.
    pub fn expression(&self) -> Option<usize> {
        self.position.checked_sub(EXPRESSIONS)
    }

    /// Its value for a row of the table. `computed` are the values of the index's expressions.
    pub fn value<'v>(&self, row: &'v [Value], computed: &'v [Value]) -> &'v Value {
        self.expression().map_or_else(|| &row[self.position], |number| &computed[number])
    }
}

impl Index {
    /// Returns true if no two rows have the same values in these columns, in any order.
    pub(crate) fn is_key_of(&self, columns: &[usize]) -> bool {
        self.is_unique
            && self.predicate.is_none()
            && self.columns.len() == columns.len()
            && self.columns.iter().all(|it| columns.contains(&it.position))
    }

    /// Positions of all its columns: those of the key, then the included ones.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|it| it.position).chain(self.included.iter().copied())
    }
}

impl Objects {
    /// The table of this OID.
    pub fn table(&self, oid: u32) -> Option<&Table> {
        self.tables.iter().find(|it| it.oid == oid)
    }
}
