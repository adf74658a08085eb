//! The catalog: the tables of the database, their columns, indexes, constraints and sequences.
//!
//! It is stored as rows like any others, in heaps with fixed numbers, so that `CREATE TABLE` is as
//! atomic and durable as `INSERT`:
//!
//! ```text
//! heap 1, tables         heap 3, indexes         heap 5, sequences     heap 7, statistics
//! heap 2, columns        heap 4, constraints     heap 6, sizes
//! ```
//!
//! The crates `minibtree/schema` and `minibtree/statistics` have the columns of these heaps, and
//! turn definitions and statistics into rows.
//!
//! A table has two numbers: its OID, which never changes and is what statements lock, and that of
//! its heap, which `TRUNCATE` replaces (PostgreSQL's relfilenode).
//!
//! Sessions keep a copy of the catalog, and [`minibtree_versions`] tells them if it is current.
//! PostgreSQL's `pg_class`, `pg_attribute`, `pg_index`.

use super::row::{self, Pointer};
use super::values::{Type, Value, key};
use crate::engine::{
    Database, Error, Heap, Index, LongValues, Result as EngineResult, Snapshot, Transaction,
};
use crate::format::{RelationId, Tid};
use crate::wire::{Result, SqlError};
use minibtree_errors::relations::undefined_table;
use minibtree_pg_catalog::index_expression;
use minibtree_pg_catalog::objects::{self, Objects};
pub use minibtree_pg_catalog::objects::{EXPRESSIONS, ForeignKey, Identity, IndexColumn};
use minibtree_schema::{self as schema, column_row, key_text, named_row};
pub use minibtree_schema::{Check, Column, Constraint, Stored};
use minibtree_statistics::{self as statistics, Statistics, TableStatistics};
use std::collections::{BTreeMap, HashSet};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// The heap of tables. Transactions that change the catalog hold its lock.
pub const TABLES: RelationId = RelationId(1);
const COLUMNS: RelationId = RelationId(2);
const INDEXES: RelationId = RelationId(3);
const CONSTRAINTS: RelationId = RelationId(4);
const SEQUENCES: RelationId = RelationId(5);
const SIZES: RelationId = RelationId(6);
const STATISTICS: RelationId = RelationId(7);
/// The heaps of the catalog, and the types of their columns.
pub const HEAPS: [(RelationId, &[Type]); 7] = [
    (TABLES, schema::TABLES),
    (COLUMNS, schema::COLUMNS),
    (INDEXES, schema::INDEXES),
    (CONSTRAINTS, schema::CONSTRAINTS),
    (SEQUENCES, schema::SEQUENCES),
    (SIZES, statistics::SIZES),
    (STATISTICS, statistics::STATISTICS),
];

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
    fn object(&self, statistics: &Statistics) -> objects::Table {
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

/// A copy of the catalog.
#[derive(Debug, Default)]
pub struct Catalog {
    tables: BTreeMap<String, Arc<Table>>,
    sequences: BTreeMap<String, objects::Sequence>,
    /// True if an index is not read: see [`TableIndex::is_read`].
    pub is_for_old_snapshot: bool,
    /// What `pg_class` says of the sizes of tables.
    pub statistics: Arc<Statistics>,
    /// What `pg_catalog` describes, once it is asked for.
    objects: OnceLock<Objects>,
}

impl Catalog {
    /// Creates its heaps in a new database.
    pub fn create(database: &Database) -> EngineResult<()> {
        if database.relations().contains(&SEQUENCES) {
            return Ok(());
        }
        let mut transaction = database.begin(crate::engine::Isolation::ReadCommitted);
        for (id, _) in HEAPS {
            Heap::create(&mut transaction, id)?;
        }
        transaction.commit()
    }

    /// Reads the catalog that the snapshot sees.
    pub fn load(database: &Database, snapshot: &Arc<Snapshot>) -> Result<Catalog> {
        let mut columns = load_columns(database, snapshot)?;
        let mut indexes = load_indexes(database, snapshot)?;
        let (mut checks, mut foreign_keys) = load_constraints(database, snapshot)?;
        let mut catalog = Catalog::default();
        scan(database, TABLES, snapshot, |_, values| {
            let (oid, name, heap) = schema::read_named(values)?;
            let columns: Vec<Column> =
                columns.remove(&oid).unwrap_or_default().into_values().collect();
            let table = Table {
                oid: RelationId(oid),
                name,
                heap: database.heap(RelationId(heap))?,
                types: columns.iter().map(|column| column.column_type.base).collect(),
                columns,
                indexes: indexes.remove(&oid).unwrap_or_default(),
                checks: checks.remove(&oid).unwrap_or_default(),
                foreign_keys: foreign_keys.remove(&oid).unwrap_or_default(),
            };
            catalog.tables.insert(table.name.clone(), Arc::new(table));
            Ok(())
        })?;
        scan(database, SEQUENCES, snapshot, |_, values| {
            let (oid, name, owner) = schema::read_named(values)?;
            catalog.sequences.insert(name.clone(), objects::Sequence { oid, owner, name });
            Ok(())
        })?;
        Ok(catalog)
    }

    /// Reads the statistics that ANALYZE has collected.
    pub fn load_statistics(database: &Database, snapshot: &Arc<Snapshot>) -> Result<Statistics> {
        let mut rows = [Vec::new(), Vec::new()];
        for (id, rows) in [SIZES, STATISTICS].into_iter().zip(&mut rows) {
            scan(database, id, snapshot, |_, values| {
                rows.push(values);
                Ok(())
            })?;
        }
        let [sizes, columns] = rows;
        statistics::read(sizes, columns)
    }

    /// Marks the indexes that are newer than a snapshot, which may see rows that they lack.
    pub fn mark_newer_indexes(
        &mut self,
        database: &Database,
        snapshot: &Arc<Snapshot>,
    ) -> Result<()> {
        let mut seen = HashSet::new();
        scan(database, INDEXES, snapshot, |_, values| {
            seen.insert(RelationId(schema::read_index(values)?.1));
            Ok(())
        })?;
        let is_new = |it: &TableIndex| !seen.contains(&it.index.id());
        for table in self.tables.values_mut().filter(|it| it.indexes.iter().any(is_new)) {
            self.is_for_old_snapshot = true;
            let indexes = &mut Arc::make_mut(table).indexes;
            indexes.iter_mut().for_each(|it| it.is_read = !is_new(it));
        }
        Ok(())
    }

    /// The sequences that are dropped with a table, by their names.
    pub fn sequences_of(&self, table: RelationId) -> Vec<(String, RelationId)> {
        let owned = self.sequences.iter().filter(|it| it.1.owner == table.0);
        owned.map(|(name, it)| (name.clone(), RelationId(it.oid))).collect()
    }

    /// The table of this number.
    pub fn by_oid(&self, oid: RelationId) -> Option<&Arc<Table>> {
        self.tables.values().find(|it| it.oid == oid)
    }

    /// The foreign keys that refer to a table, with the tables that have them, the oldest first.
    pub fn children_of(&self, oid: RelationId) -> Vec<(ForeignKey, Arc<Table>)> {
        let keys = |table: &Arc<Table>| {
            let keys = table.foreign_keys.iter().filter(|it| it.parent == oid.0);
            keys.map(|key| (key.clone(), Arc::clone(table))).collect::<Vec<_>>()
        };
        let mut children: Vec<_> = self.tables.values().flat_map(keys).collect();
        children.sort_by_key(|it| it.1.oid);
        children
    }

    /// The table that has an index of this name.
    pub fn table_of_index(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.values().find(|it| it.indexes.iter().any(|index| index.name == name))
    }

    /// Returns true if a table, index or sequence has this name.
    pub fn has_relation(&self, name: &str) -> bool {
        self.tables.contains_key(name)
            || self.sequences.contains_key(name)
            || self.table_of_index(name).is_some()
    }

    /// The table of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(name)
    }

    /// The table of this name, or `42P01`.
    pub fn table(&self, name: &str) -> Result<&Arc<Table>> {
        self.get(name).ok_or_else(|| undefined_table(name))
    }

    /// What `pg_catalog` describes.
    pub fn objects(&self) -> &Objects {
        self.objects.get_or_init(|| Objects {
            tables: self.tables.values().map(|it| it.object(&self.statistics)).collect(),
            sequences: self.sequences.values().cloned().collect(),
        })
    }

    /// The name of an object of a type like `regclass`, by its number.
    pub fn name_of(&self, base: Type, number: i64) -> String {
        minibtree_pg_catalog::name_of(self.objects(), base, number)
    }

    /// All tables, by their names.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values()
    }

    /// Returns true if a relation belongs to a table, or to the catalog itself.
    pub fn uses(&self, id: RelationId) -> bool {
        let used_by = |table: &Arc<Table>| {
            table.heap.id() == id || table.indexes.iter().any(|it| it.index.id() == id)
        };
        HEAPS.iter().any(|it| it.0 == id)
            || self.tables.values().any(used_by)
            || self.sequences.values().any(|it| it.oid == id.0)
    }
}

/// Changes the catalog within a transaction that holds the lock of [`TABLES`].
pub struct Editor<'a> {
    pub database: &'a Database,
    pub transaction: &'a mut Transaction,
    /// The bytes of memory that an index may be built with.
    pub maintenance_work_mem: usize,
    /// The tables that open cursors of the session read.
    pub in_use: Vec<RelationId>,
}

impl Editor<'_> {
    /// Adds a table with an empty heap.
    pub fn create_table(&mut self, name: &str, columns: &[Column]) -> Result<RelationId> {
        let oid = self.database.allocate_relation_id()?;
        let heap = self.create_heap()?;
        self.insert(TABLES, &named_row(oid.0, name, heap.0))?;
        for (position, column) in columns.iter().enumerate() {
            self.insert(COLUMNS, &column_row(oid.0, position, column))?;
        }
        Ok(oid)
    }

    /// Removes a table, its columns, indexes, constraints and sequences; their files go when the
    /// transaction commits.
    pub fn drop_table(&mut self, catalog: &Catalog, table: &Table) -> Result<()> {
        for id in [TABLES, COLUMNS, INDEXES, CONSTRAINTS] {
            self.delete(id, |values| values[0] == int_of(table.oid))?;
        }
        self.delete(SEQUENCES, |values| values[2] == int_of(table.oid))?;
        for (_, sequence) in catalog.sequences_of(table.oid) {
            self.transaction.drop_relation(sequence);
        }
        self.drop_heap(table)?;
        table.indexes.iter().for_each(|it| self.transaction.drop_relation(it.index.id()));
        Ok(())
    }

    /// Removes the heap of a table, and its statistics.
    fn drop_heap(&mut self, table: &Table) -> Result<()> {
        self.transaction.drop_relation(table.heap.id());
        self.forget_statistics(table)
    }

    fn forget_statistics(&mut self, table: &Table) -> Result<()> {
        let heap = int_of(table.heap.id());
        [SIZES, STATISTICS].into_iter().try_for_each(|id| self.delete(id, |it| it[0] == heap))
    }

    /// Replaces the statistics of a table. The caller's lock on its heap keeps others out.
    pub fn set_statistics(&mut self, table: &Table, found: &TableStatistics) -> Result<()> {
        self.forget_statistics(table)?;
        let heap = table.heap.id();
        self.insert(SIZES, &statistics::size_row(heap, found))?;
        let mut rows = statistics::column_rows(heap, &table.types, found).into_iter();
        rows.try_for_each(|row| self.insert(STATISTICS, &row))
    }

    /// Gives a table new, empty relations.
    pub fn truncate(&mut self, table: &Table) -> Result<()> {
        self.renew(table, &table.indexes)
    }

    /// Gives a table a new, empty heap, and these indexes, which are empty too.
    fn renew(&mut self, table: &Table, indexes: &[TableIndex]) -> Result<()> {
        self.delete(TABLES, |values| values[0] == int_of(table.oid))?;
        let heap = self.create_heap()?;
        self.insert(TABLES, &named_row(table.oid.0, &table.name, heap.0))?;
        self.drop_heap(table)?;

        table.indexes.iter().try_for_each(|it| self.drop_index(it))?;
        for index in indexes {
            let empty = self.create_index(index.index.is_hash())?;
            self.add_index(table.oid, &TableIndex { index: empty, ..index.clone() })?;
        }
        Ok(())
    }

    /// Gives a table other columns, each with its position before, and new, empty relations. What
    /// needs a column that is gone goes too: indexes, and foreign keys of the table.
    pub fn redefine(
        &mut self,
        catalog: &Catalog,
        table: &Table,
        columns: &[(Column, Option<usize>)],
    ) -> Result<()> {
        self.delete(COLUMNS, |values| values[0] == int_of(table.oid))?;
        for (position, (column, _)) in columns.iter().enumerate() {
            self.insert(COLUMNS, &column_row(table.oid.0, position, column))?;
        }

        let moved = |old: usize| columns.iter().position(|it| it.1 == Some(old));
        let all_moved = |old: &[usize]| old.iter().map(|it| moved(*it)).collect::<Option<Vec<_>>>();
        let index = |it: &TableIndex| {
            let column = |it: &IndexColumn| match it.expression() {
                Some(_) => Some(*it),
                None => Some(IndexColumn { position: moved(it.position)?, ..*it }),
            };
            let columns = it.columns.iter().map(column).collect::<Option<Vec<_>>>()?;
            let included = all_moved(&it.included)?;
            let definition = schema::Index { columns, included, ..it.definition.clone() };
            Some(TableIndex { definition, ..it.clone() })
        };
        let indexes: Vec<TableIndex> = table.indexes.iter().filter_map(index).collect();
        self.renew(table, &indexes)?;

        let own = table.foreign_keys.iter().map(|key| (key.clone(), table.oid));
        let others = catalog.children_of(table.oid).into_iter().map(|(key, it)| (key, it.oid));
        for (mut key, child) in own.chain(others.filter(|it| it.1 != table.oid)) {
            self.drop_constraint(child, &key.name)?;
            let (ours, theirs) = (child == table.oid, key.parent == table.oid.0);
            let columns = if ours { all_moved(&key.columns) } else { Some(key.columns.clone()) };
            if let Some(columns) = columns {
                let parent = theirs.then(|| all_moved(&key.parent_columns)).flatten();
                key = ForeignKey {
                    parent_columns: parent.unwrap_or(key.parent_columns),
                    columns,
                    ..key
                };
                self.add_constraint(child, &Constraint::ForeignKey(key))?;
            }
        }
        Ok(())
    }

    pub fn drop_sequence(&mut self, id: RelationId) -> Result<()> {
        self.delete(SEQUENCES, |values| values[0] == int_of(id))?;
        self.transaction.drop_relation(id);
        Ok(())
    }

    pub fn drop_index(&mut self, index: &TableIndex) -> Result<()> {
        let old = int_of(index.index.id());
        self.delete(INDEXES, |values| values[2] == old)?;
        self.transaction.drop_relation(index.index.id());
        Ok(())
    }

    /// Removes the rows of the indexes of a table, and leaves their pages.
    pub fn forget_indexes(&mut self, table: RelationId) -> Result<()> {
        self.delete(INDEXES, |values| values[0] == int_of(table))
    }

    /// Creates an empty B+tree, or an empty hash index.
    pub fn create_index(&mut self, is_hash: bool) -> Result<Index> {
        let id = self.database.allocate_relation_id()?;
        let create = if is_hash { Index::create_hash } else { Index::create };
        Ok(create(self.transaction, id)?)
    }

    pub fn add_index(&mut self, table: RelationId, new: &TableIndex) -> Result<()> {
        let row = schema::index_row(table.0, new.index.id().0, &new.definition);
        self.insert(INDEXES, &row)
    }

    /// Adds a constraint that is no index.
    pub fn add_constraint(&mut self, table: RelationId, constraint: &Constraint) -> Result<()> {
        self.insert(CONSTRAINTS, &schema::constraint_row(table.0, constraint))
    }

    /// Removes a constraint that is no index.
    pub fn drop_constraint(&mut self, table: RelationId, name: &str) -> Result<()> {
        let name = Value::Text(name.to_owned());
        let is_meant = |values: &[Value]| values[0] == int_of(table) && values[1] == name;
        self.delete(CONSTRAINTS, is_meant)
    }

    /// Adds a sequence that begins at 1.
    pub fn add_sequence(&mut self, name: &str, owner: RelationId) -> Result<()> {
        let id = self.create_heap()?;
        self.insert(SEQUENCES, &named_row(id.0, name, owner.0))
    }

    /// Makes columns of a table NOT NULL.
    pub fn set_not_null(&mut self, table: &Table, positions: &[usize]) -> Result<()> {
        for position in positions {
            let column = Column { not_null: true, ..table.columns[*position].clone() };
            let values = column_row(table.oid.0, *position, &column);
            self.delete(COLUMNS, |old| old[..2] == values[..2])?;
            self.insert(COLUMNS, &values)?;
        }
        Ok(())
    }

    fn create_heap(&mut self) -> Result<RelationId> {
        let id = self.database.allocate_relation_id()?;
        Heap::create(self.transaction, id)?;
        Ok(id)
    }

    fn insert(&mut self, id: RelationId, row: &[Value]) -> Result<()> {
        let mut bytes = Vec::new();
        row::encode(types_of(id), row, &mut bytes);
        self.database.heap(id)?.insert(self.transaction, &bytes)?;
        Ok(())
    }

    fn delete(&mut self, id: RelationId, is_meant: impl Fn(&[Value]) -> bool) -> Result<()> {
        // The rows that earlier steps of this statement wrote must be seen.
        self.transaction.next_statement();
        let mut tids = Vec::new();
        let snapshot = self.transaction.latest_snapshot();
        scan(self.database, id, &snapshot, |tid, values| {
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

fn types_of(id: RelationId) -> &'static [Type] {
    HEAPS.iter().find(|it| it.0 == id).expect("a heap of the catalog").1
}

fn scan(
    database: &Database,
    id: RelationId,
    snapshot: &Arc<Snapshot>,
    mut each: impl FnMut(Tid, Vec<Value>) -> Result<()>,
) -> Result<()> {
    let mut rows = database.heap(id)?.scan(Arc::clone(snapshot));
    while let Some(found) = rows.next()? {
        each(found.tid, row::decode(types_of(id), found.bytes)?)?;
    }
    Ok(())
}

fn load_columns(
    database: &Database,
    snapshot: &Arc<Snapshot>,
) -> Result<BTreeMap<u32, BTreeMap<i64, Column>>> {
    let mut columns: BTreeMap<u32, BTreeMap<i64, Column>> = BTreeMap::new();
    scan(database, COLUMNS, snapshot, |_, values| {
        let (table, number, column) = schema::read_column(values)?;
        columns.entry(table).or_default().insert(number, column);
        Ok(())
    })?;
    Ok(columns)
}

fn load_indexes(
    database: &Database,
    snapshot: &Arc<Snapshot>,
) -> Result<BTreeMap<u32, Vec<TableIndex>>> {
    let mut indexes: BTreeMap<u32, Vec<TableIndex>> = BTreeMap::new();
    scan(database, INDEXES, snapshot, |_, values| {
        let (table, file, definition) = schema::read_index(values)?;
        let index = database.index(RelationId(file))?;
        indexes.entry(table).or_default().push(TableIndex { index, definition, is_read: true });
        Ok(())
    })?;
    Ok(indexes)
}

type Constraints = (BTreeMap<u32, Vec<Check>>, BTreeMap<u32, Vec<ForeignKey>>);

fn load_constraints(database: &Database, snapshot: &Arc<Snapshot>) -> Result<Constraints> {
    let (mut checks, mut keys) = Constraints::default();
    scan(database, CONSTRAINTS, snapshot, |_, values| {
        match schema::read_constraint(values)? {
            (table, Constraint::Check(check)) => checks.entry(table).or_default().push(check),
            (table, Constraint::ForeignKey(key)) => keys.entry(table).or_default().push(key),
        }
        Ok(())
    })?;
    Ok((checks, keys))
}

fn int_of(id: RelationId) -> Value {
    Value::Int(id.0.into())
}
