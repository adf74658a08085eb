//! `pg_catalog`: the catalog as relations, which psql and drivers read.
//!
//! | module | what it is |
//! |---|---|
//! | [`objects`] | the tables, indexes, constraints and sequences that it describes |
//! | `relations` | the relations and their columns |
//! | `rows` | their rows |
//! | `names` | from an OID to a name and back, and definitions as SQL |
//! | `functions` | functions that ask the catalog |
//!
//! minibtree describes its tables as [`objects::Objects`]. Where a query names a relation of the
//! catalog, the binder replaces it with VALUES of its rows ([`rows_of`]), so the planner joins,
//! filters and sorts them like any others.
//!
//! ```
//! use minibtree_pg_catalog::objects::{Objects, Table};
//! use minibtree_pg_catalog::{name_of, relation, rows_of};
//! use minibtree_types::values::{Type, Value};
//!
//! let table = Table { oid: 16384, name: "t".to_owned(), ..Table::default() };
//! let objects = Objects { tables: vec![table], sequences: Vec::new() };
//!
//! let rows = rows_of(&objects, relation("pg_class").expect("a relation"));
//! assert!(rows.iter().any(|row| row[..2] == [Value::Int(16384), Value::Text("t".to_owned())]));
//! assert_eq!(name_of(&objects, Type::Regclass, 16384), "t");
//! ```
//!
//! PostgreSQL's `src/include/catalog`: there the relations are tables of their own, and fill the
//! catalog caches. Ours are computed from the session's copy of the catalog.

mod functions;
mod names;
pub mod objects;
mod relations;
mod rows;

pub use functions::call;
pub use names::{expression_name, files, index_expression, name_of, number_of};
pub use relations::{Relation, relation};
pub use rows::rows_of;
