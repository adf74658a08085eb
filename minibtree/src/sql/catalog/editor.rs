//! Changes of the catalog: rows of its heaps, and the files that they name.
//!
//! ```text
//! TRUNCATE t      heap 1: t 16384 has the heap 16390, no longer 16385
//!                 heap 3: the same for each index
//!                 16385 goes when the transaction commits, 16390 if it does not
//! ```
//!
//! PostgreSQL's `heap.c` and `index.c` in `catalog/`.

use super::{
    COLUMNS, CONSTRAINTS, Catalog, INDEXES, SEQUENCES, SIZES, STATISTICS, TABLES, Table,
    TableIndex, scan, types_of,
};
use crate::engine::{Database, Heap, Index, Transaction};
use crate::format::RelationId;
use crate::sql::row;
use crate::sql::values::Value;
use crate::wire::Result;
use minibtree_pg_catalog::objects::{ForeignKey, IndexColumn};
use minibtree_schema::{self as schema, Column, Constraint, column_row, named_row};
use minibtree_statistics::{self as statistics, TableStatistics};

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

fn int_of(id: RelationId) -> Value {
    Value::Int(id.0.into())
}
