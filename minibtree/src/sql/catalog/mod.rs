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
//! `table.rs` has the tables, and `editor.rs` changes the catalog.
//!
//! Sessions keep a copy of the catalog, and [`minibtree_versions`] tells them if it is current.
//! PostgreSQL's `pg_class`, `pg_attribute`, `pg_index`.

mod editor;
mod table;

use super::row;
use super::values::{Type, Value};
use crate::engine::{Database, Heap, Result as EngineResult, Snapshot};
use crate::format::{RelationId, Tid};
use crate::wire::Result;
pub use editor::Editor;
use minibtree_errors::relations::undefined_table;
use minibtree_pg_catalog::objects::{self, Objects};
pub use minibtree_pg_catalog::objects::{EXPRESSIONS, ForeignKey, Identity, IndexColumn};
use minibtree_schema as schema;
pub use minibtree_schema::{Check, Column, Constraint, Stored};
use minibtree_statistics::{self as statistics, Statistics};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, OnceLock};
pub use table::{Table, TableIndex};

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

    /// The foreign keys of a table, with the tables that they refer to.
    pub fn parents_of(&self, table: &Table) -> Vec<(ForeignKey, Arc<Table>)> {
        let parent = |key: &ForeignKey| self.by_oid(RelationId(key.parent)).map(Arc::clone);
        table.foreign_keys.iter().filter_map(|it| Some((it.clone(), parent(it)?))).collect()
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
