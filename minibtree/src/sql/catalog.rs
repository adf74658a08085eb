//! The catalog: which tables there are, their columns and indexes.
//!
//! It is kept in three heaps of fixed numbers, as rows like any others, so that `CREATE TABLE` is
//! as atomic and durable as `INSERT`:
//!
//! ```text
//! heap 1, tables     (16384, pgbench_tellers, 16385)           oid, name, heap
//! heap 2, columns    (16384, 1, tid, 23, -1, true)             table, number, name, type,
//!                    (16384, 2, bid, 23, -1, false)              modifier, NOT NULL
//! heap 3, indexes    (16384, pgbench_tellers_pkey, 16390, true, 1)  table, name, index, primary,
//!                                                              column numbers
//! ```
//!
//! A table has two numbers: its OID, which names it for ever and is what statements lock, and its
//! heap, which `TRUNCATE` replaces.
//!
//! # How does a session know that its copy is current?
//!
//! Reading the three heaps for every statement would cost more than most statements. So sessions
//! keep a [`Catalog`] and compare a counter, [`Versions`]. The order matters:
//!
//! 1. A transaction that changed the catalog calls `begin_change`, commits, calls `end_change`.
//! 2. A session reads the counters first, then the heaps, and keeps the copy only if no change was
//!    on its way. It looks again after it has locked the table.
//!
//! A change that commits before the session has its lock was announced before, so the second look
//! finds it. One that comes later waits for the lock. PostgreSQL's `pg_class`, `pg_attribute`,
//! `pg_index`; its caches are told what to forget (`inval.c`), ours are thrown away whole.

use super::types::{ColumnType, Type};
use super::{Value, row};
use crate::engine::{Database, Heap, Index, Result as EngineResult, Snapshot, Transaction};
use crate::format::{RelationId, Tid};
use crate::wire::{SqlError, code};
use minikit::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The heap of tables. Transactions that change the catalog hold its lock.
pub const TABLES: RelationId = RelationId(1);
const COLUMNS: RelationId = RelationId(2);
const INDEXES: RelationId = RelationId(3);

const TABLE_ROW: [Type; 3] = [Type::Int8, Type::Text, Type::Int8];
const COLUMN_ROW: [Type; 6] =
    [Type::Int8, Type::Int2, Type::Text, Type::Int8, Type::Int4, Type::Bool];
const INDEX_ROW: [Type; 5] = [Type::Int8, Type::Text, Type::Int8, Type::Bool, Type::Text];

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// NULL is refused.
    pub not_null: bool,
}

/// An index of a table. All are unique so far: they come from PRIMARY KEY.
#[derive(Clone)]
pub struct TableIndex {
    /// Its name.
    pub name: String,
    /// The B+tree.
    pub index: Index,
    /// It is the primary key.
    pub is_primary: bool,
    /// Positions of its columns in the table, from 0 on.
    pub columns: Vec<usize>,
}

/// A table.
#[derive(Clone)]
pub struct Table {
    /// What names it for ever, and what is locked.
    pub oid: RelationId,
    /// Its name.
    pub name: String,
    /// Its rows.
    pub heap: Heap,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Their types, for the row codec.
    pub types: Vec<Type>,
    /// Its indexes.
    pub indexes: Vec<TableIndex>,
}

/// A copy of the catalog.
#[derive(Default)]
pub struct Catalog {
    tables: BTreeMap<String, Arc<Table>>,
}

impl Catalog {
    /// Creates the three heaps in a new database.
    pub fn create(database: &Database) -> EngineResult<()> {
        if database.relations().contains(&INDEXES) {
            return Ok(());
        }
        let mut transaction = database.begin(crate::engine::Isolation::ReadCommitted);
        for id in [TABLES, COLUMNS, INDEXES] {
            Heap::create(&mut transaction, id)?;
        }
        transaction.commit()
    }

    /// Reads the catalog that the snapshot sees.
    pub fn load(database: &Database, snapshot: &Arc<Snapshot>) -> Result<Catalog, SqlError> {
        let mut columns: BTreeMap<i64, BTreeMap<i64, Column>> = BTreeMap::new();
        scan(database, COLUMNS, &COLUMN_ROW, snapshot, |_, values| {
            let [table, number, name, oid, modifier, not_null] = array(values)?;
            let base = Type::from_oid(int(&oid)? as u32).ok_or_else(damaged)?;
            let column_type = ColumnType { base, modifier: int(&modifier)? as i32 };
            let (name, not_null) = (text(name)?, not_null == Value::Bool(true));
            let column = Column { name, column_type, not_null };
            columns.entry(int(&table)?).or_default().insert(int(&number)?, column);
            Ok(())
        })?;

        let mut indexes: BTreeMap<i64, Vec<TableIndex>> = BTreeMap::new();
        scan(database, INDEXES, &INDEX_ROW, snapshot, |_, values| {
            let [table, name, id, primary, numbers] = array(values)?;
            let numbers = text(numbers)?;
            let positions = numbers.split(' ').map(|it| it.parse::<usize>().ok()?.checked_sub(1));
            indexes.entry(int(&table)?).or_default().push(TableIndex {
                name: text(name)?,
                index: database.index(relation(&id)?)?,
                is_primary: primary == Value::Bool(true),
                columns: positions.collect::<Option<_>>().ok_or_else(damaged)?,
            });
            Ok(())
        })?;

        let mut catalog = Catalog::default();
        scan(database, TABLES, &TABLE_ROW, snapshot, |_, values| {
            let [oid, name, heap] = array(values)?;
            let number = int(&oid)?;
            let columns: Vec<Column> =
                columns.remove(&number).unwrap_or_default().into_values().collect();
            let table = Table {
                oid: relation(&oid)?,
                name: text(name)?,
                heap: database.heap(relation(&heap)?)?,
                types: columns.iter().map(|column| column.column_type.base).collect(),
                columns,
                indexes: indexes.remove(&number).unwrap_or_default(),
            };
            catalog.tables.insert(table.name.clone(), Arc::new(table));
            Ok(())
        })?;
        Ok(catalog)
    }

    /// The table of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(name)
    }

    /// The table of this name, or `42P01`.
    pub fn table(&self, name: &str) -> Result<&Arc<Table>, SqlError> {
        self.get(name).ok_or_else(|| undefined_table(name))
    }

    /// The names of all tables, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// Returns true if a relation belongs to a table, or to the catalog itself.
    pub fn uses(&self, id: RelationId) -> bool {
        let used_by = |table: &Arc<Table>| {
            table.heap.id() == id || table.indexes.iter().any(|it| it.index.id() == id)
        };
        [TABLES, COLUMNS, INDEXES].contains(&id) || self.tables.values().any(used_by)
    }
}

/// The error for a table that is not there.
pub fn undefined_table(name: &str) -> SqlError {
    SqlError::new(code::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

/// Changes the catalog within a transaction that holds the lock of [`TABLES`].
pub struct Editor<'a> {
    /// The database.
    pub database: &'a Database,
    /// The transaction.
    pub transaction: &'a mut Transaction,
}

impl Editor<'_> {
    /// Adds a table with an empty heap.
    pub fn create_table(&mut self, name: &str, columns: &[Column]) -> Result<RelationId, SqlError> {
        let oid = self.database.allocate_relation_id()?;
        let heap = self.create_heap()?;
        let values = [int_of(oid), Value::Text(name.to_owned()), int_of(heap)];
        self.insert(TABLES, &TABLE_ROW, &values)?;
        for (position, column) in columns.iter().enumerate() {
            self.insert(COLUMNS, &COLUMN_ROW, &column_row(oid, position, column))?;
        }
        Ok(oid)
    }

    /// Removes a table, its columns and indexes; their files go when the transaction commits.
    pub fn drop_table(&mut self, table: &Table) -> Result<(), SqlError> {
        for (id, types) in [(TABLES, &TABLE_ROW[..]), (COLUMNS, &COLUMN_ROW), (INDEXES, &INDEX_ROW)]
        {
            self.delete(id, types, |values| values[0] == int_of(table.oid))?;
        }
        self.transaction.drop_relation(table.heap.id());
        table.indexes.iter().for_each(|it| self.transaction.drop_relation(it.index.id()));
        Ok(())
    }

    /// Gives a table new, empty relations.
    pub fn truncate(&mut self, table: &Table) -> Result<(), SqlError> {
        self.delete(TABLES, &TABLE_ROW, |values| values[0] == int_of(table.oid))?;
        let heap = self.create_heap()?;
        let values = [int_of(table.oid), Value::Text(table.name.clone()), int_of(heap)];
        self.insert(TABLES, &TABLE_ROW, &values)?;
        self.transaction.drop_relation(table.heap.id());

        for index in &table.indexes {
            let old = int_of(index.index.id());
            self.delete(INDEXES, &INDEX_ROW, |values| values[2] == old)?;
            self.transaction.drop_relation(index.index.id());
            self.add_index(table.oid, &index.name, &index.columns)?;
        }
        Ok(())
    }

    /// Adds a primary key with an empty B+tree, and returns that.
    pub fn add_index(
        &mut self,
        table: RelationId,
        name: &str,
        columns: &[usize],
    ) -> Result<Index, SqlError> {
        let id = self.database.allocate_relation_id()?;
        let index = Index::create(self.transaction, id)?;
        let numbers: Vec<String> = columns.iter().map(|it| (it + 1).to_string()).collect();
        let (name, numbers) = (Value::Text(name.to_owned()), Value::Text(numbers.join(" ")));
        let values = [int_of(table), name, int_of(id), Value::Bool(true), numbers];
        self.insert(INDEXES, &INDEX_ROW, &values)?;
        Ok(index)
    }

    /// Makes columns of a table NOT NULL.
    pub fn set_not_null(&mut self, table: &Table, positions: &[usize]) -> Result<(), SqlError> {
        for position in positions {
            let column = Column { not_null: true, ..table.columns[*position].clone() };
            let values = column_row(table.oid, *position, &column);
            self.delete(COLUMNS, &COLUMN_ROW, |old| old[..2] == values[..2])?;
            self.insert(COLUMNS, &COLUMN_ROW, &values)?;
        }
        Ok(())
    }

    fn create_heap(&mut self) -> Result<RelationId, SqlError> {
        let id = self.database.allocate_relation_id()?;
        Heap::create(self.transaction, id)?;
        Ok(id)
    }

    fn insert(&mut self, id: RelationId, types: &[Type], row: &[Value]) -> Result<(), SqlError> {
        let mut bytes = Vec::new();
        row::encode(types, row, &mut bytes);
        self.database.heap(id)?.insert(self.transaction, &bytes)?;
        Ok(())
    }

    fn delete(
        &mut self,
        id: RelationId,
        types: &[Type],
        is_meant: impl Fn(&[Value]) -> bool,
    ) -> Result<(), SqlError> {
        // The rows that earlier steps of this statement wrote must be seen.
        self.transaction.next_statement();
        let mut tids = Vec::new();
        let snapshot = self.transaction.snapshot();
        scan(self.database, id, types, &snapshot, |tid, values| {
            tids.extend(is_meant(&values).then_some(tid));
            Ok(())
        })?;
        drop(snapshot);
        let heap = self.database.heap(id)?;
        for tid in tids {
            heap.delete(self.transaction, tid)?;
        }
        Ok(())
    }
}

fn scan(
    database: &Database,
    id: RelationId,
    types: &[Type],
    snapshot: &Arc<Snapshot>,
    mut each: impl FnMut(Tid, Vec<Value>) -> Result<(), SqlError>,
) -> Result<(), SqlError> {
    let mut rows = database.heap(id)?.scan(Arc::clone(snapshot));
    while let Some(found) = rows.next()? {
        each(found.tid, row::decode(types, found.bytes)?)?;
    }
    Ok(())
}

fn column_row(table: RelationId, position: usize, column: &Column) -> [Value; 6] {
    [
        int_of(table),
        Value::Int(position as i64 + 1),
        Value::Text(column.name.clone()),
        Value::Int(column.column_type.base.oid().into()),
        Value::Int(column.column_type.modifier.into()),
        Value::Bool(column.not_null),
    ]
}

fn int_of(id: RelationId) -> Value {
    Value::Int(id.0.into())
}

fn array<const N: usize>(values: Vec<Value>) -> Result<[Value; N], SqlError> {
    <[Value; N]>::try_from(values).map_err(|_| damaged())
}

fn relation(value: &Value) -> Result<RelationId, SqlError> {
    Ok(RelationId(u32::try_from(int(value)?).map_err(|_| damaged())?))
}

fn int(value: &Value) -> Result<i64, SqlError> {
    let Value::Int(number) = value else { return Err(damaged()) };
    Ok(*number)
}

fn text(value: Value) -> Result<String, SqlError> {
    let Value::Text(text) = value else { return Err(damaged()) };
    Ok(text)
}

fn damaged() -> SqlError {
    SqlError::new(code::DATA_CORRUPTED, "a row of the catalog is damaged")
}

/// How many changes of the catalog have begun and ended, in all sessions.
#[derive(Default)]
pub struct Versions {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// The version of a session's copy. `None`: a change was on its way, so it is not known.
pub type Version = Option<u64>;

impl Versions {
    /// The version of what is read from now on.
    pub fn look(&self) -> Version {
        let ended = self.ended.load(Ordering::SeqCst);
        let begun = self.begun.load(Ordering::SeqCst);
        (ended == begun).then_some(begun)
    }

    /// Returns true if a copy of this version is current.
    pub fn is_current(&self, version: Version) -> bool {
        version == Some(self.begun.load(Ordering::SeqCst))
    }

    /// Before the commit of a change.
    pub fn begin_change(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// After the commit, or after it failed.
    pub fn end_change(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_copy_made_during_a_change_is_never_current() {
        let versions = Versions::default();
        let before = versions.look();
        assert!(versions.is_current(before));
        versions.begin_change();
        let during = versions.look();
        assert!(!versions.is_current(before) && !versions.is_current(during));
        versions.end_change();
        assert!(!versions.is_current(before) && !versions.is_current(during));
        assert!(versions.is_current(versions.look()));
    }
}
