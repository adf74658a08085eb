//! CREATE INDEX, REINDEX, and the indexes of PRIMARY KEY and UNIQUE.
//!
//! The index of a table that has rows is built bottom up from its sorted keys, leaf after leaf.
//! That is why pgbench adds primary keys after loading.

use super::{is_there, lock, lock_unused};
use crate::engine::{Error, HeapScan, Spool, Transaction};
use crate::sql::bind::{
    Binder, PREDICATES, computed, direction, shown_condition, shown_expression, target_columns,
};
use crate::sql::catalog::{Catalog, EXPRESSIONS, Editor, IndexColumn, Stored, Table, TableIndex};
use crate::sql::execute::{Context, evaluate};
use crate::sql::functions::Call;
use crate::sql::statement::{check_hash, check_understood, folded, table_name};
use crate::sql::tree::{Computed, Expr};
use crate::sql::values::{Type, Value};
use crate::wire::{Replies, Result, SqlError, code};
use minibtree_errors::relations::{has_nulls, undefined_column};
use minibtree_pg_catalog::expression_name;
use minibtree_schema::{Index, free_name};
use sqlparser::ast::{self, TableConstraint};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

/// Tables with more pages are read by two threads: starting one takes as long as reading a few.
const TWO_THREADS_MIN: u32 = 64;

/// Executes CREATE INDEX.
///
/// # Errors
/// `42P01`, `42703`, `42P07`, `23505`; `0A000`.
pub fn create(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    create: &ast::CreateIndex,
    context: &Context,
    out: &mut Replies,
) -> Result<()> {
    let refused = || unsupported!("{create}");
    let ast::CreateIndex {
        name,
        table_name: table,
        using,
        columns,
        unique,
        concurrently: false,
        r#async: false,
        if_not_exists,
        include,
        nulls_distinct: None | Some(true),
        with,
        predicate,
        index_options,
        alter_options,
    } = create
    else {
        return Err(refused());
    };
    let is_hash = matches!(using, Some(ast::IndexType::Hash));
    let is_known = is_hash || matches!(using, None | Some(ast::IndexType::BTree));
    if !is_known || !with.is_empty() || !index_options.is_empty() || !alter_options.is_empty() {
        return Err(refused());
    }
    let table = Arc::clone(catalog.table(&table_name(table)?)?);
    check_hash(create)?;
    let mut expressions = Vec::new();
    let key = columns.iter().map(|it| {
        index_column(&table, it, |expr| {
            expressions.push(shown_expression(catalog, &table, expr)?);
            Ok(EXPRESSIONS + expressions.len() - 1)
        })
    });
    let key = key.collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = include.iter().map(folded).collect();
    let included = if names.is_empty() { Vec::new() } else { positions(&table, &names)? };
    let positions = key.iter().map(|it| it.position).chain(included.iter().copied());
    let labels: Vec<String> = positions.map(|it| label(&table, &expressions, it)).collect();
    let name = match name {
        Some(name) => table_name(name)?,
        None => free_name(&table.name, &labels, "idx", |name| catalog.has_relation(name)),
    };
    if is_there(catalog, &name, *if_not_exists, out)? {
        return Ok(());
    }
    lock(editor, &table)?;
    let shown = |it| shown_condition(catalog, &table, it, PREDICATES).map(|it| it.0);
    let predicate = predicate.as_ref().map(shown).transpose()?;
    let definition = Index {
        name,
        is_unique: *unique,
        columns: key,
        expressions,
        included,
        predicate,
        ..Index::default()
    };
    let new = TableIndex { index: editor.create_index(is_hash)?, definition, is_read: true };
    let computed = bound(catalog, &table, &new)?;
    add(editor, &table, &new, computed.as_ref().map(|it| (it, context)), false)
}

/// Rebuilds the indexes of a table whose names `is_meant` accepts, in new files.
///
/// # Errors
/// `23505` if damage has let two rows have one key.
pub fn rebuild(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    table: &Arc<Table>,
    is_meant: impl Fn(&str) -> bool,
    context: &Context,
) -> Result<()> {
    lock_unused(editor, table, "REINDEX")?;
    let computed = computed(&mut Binder::new(catalog, &[]), table)?;
    // Write the catalog rows of all indexes again, so that they stay in their order.
    editor.forget_indexes(table.oid)?;
    for (number, old) in table.indexes.iter().enumerate() {
        if !is_meant(&old.name) {
            editor.add_index(table.oid, old)?;
            continue;
        }
        editor.transaction.drop_relation(old.index.id());
        let index = editor.create_index(old.index.is_hash())?;
        let new = TableIndex { index, ..old.clone() };
        add(editor, table, &new, computed.get(number).map(|it| (it, context)), true)?;
    }
    Ok(())
}

/// What the default name of an index calls one of its columns.
fn label(table: &Table, expressions: &[(Stored, Type)], position: usize) -> String {
    match position.checked_sub(EXPRESSIONS) {
        Some(number) => expression_name(&expressions[number].0.shown),
        None => table.columns[position].name.clone(),
    }
}

fn positions(table: &Table, names: &[String]) -> Result<Vec<usize>> {
    match names.iter().find(|name| !table.has_column(name)) {
        Some(name) => Err(undefined_column(name)),
        None => target_columns(table, names),
    }
}

/// A column of an index. `expression` adds an expression to the index and returns its position.
fn index_column(
    table: &Table,
    column: &ast::IndexColumn,
    expression: impl FnOnce(&ast::Expr) -> Result<usize>,
) -> Result<IndexColumn> {
    let refused = || unsupported!("the index column {column}");
    let ast::IndexColumn { column: ordered, operator_class: None } = column else {
        return Err(refused());
    };
    let position = match &ordered.expr {
        ast::Expr::Identifier(name) => positions(table, &[folded(name)])?[0],
        // PostgreSQL wants parentheses around all but calls.
        ast::Expr::Nested(inner) => match &**inner {
            ast::Expr::Identifier(name) => positions(table, &[folded(name)])?[0],
            inner => expression(inner)?,
        },
        call @ ast::Expr::Function(_) => expression(call)?,
        _ => return Err(refused()),
    };
    let (descending, nulls_first) = direction(ordered).map_err(|_| refused())?;
    Ok(IndexColumn { position, descending, nulls_first })
}

/// Adds the index of a PRIMARY KEY or UNIQUE constraint.
///
/// # Errors
/// `42P16`, `23502`, `23505`.
pub fn add_constraint(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    table: &Arc<Table>,
    constraint: &TableConstraint,
) -> Result<()> {
    let (name, columns, is_primary) = match constraint {
        TableConstraint::PrimaryKey(key) => (&key.name, &key.columns, true),
        TableConstraint::Unique(key) => (&key.name, &key.columns, false),
        other => return Err(unsupported!("the constraint {other}")),
    };
    let listed: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let prefix = name.as_ref().map_or(String::new(), |name| format!("CONSTRAINT {name} "));
    let kind = if is_primary { "PRIMARY KEY" } else { "UNIQUE" };
    check_understood(constraint, &format!("{prefix}{kind} ({})", listed.join(", ")))?;

    if is_primary && table.indexes.iter().any(|it| it.is_primary) {
        let text = format!("multiple primary keys for table \"{}\" are not allowed", table.name);
        return Err(SqlError::new(code::INVALID_TABLE_DEFINITION, text));
    }
    let columns =
        columns.iter().map(|it| index_column(table, it, |_| Err(unsupported!("{constraint}"))));
    let mut columns = columns.collect::<Result<Vec<_>, _>>().map_err(|error| match error.code {
        code::UNDEFINED_COLUMN => {
            let message = error.message.replace("does not", "named in key does not");
            SqlError { message, ..error }
        }
        _ => error,
    })?;
    columns.iter_mut().for_each(|it| (it.descending, it.nulls_first) = (false, false));
    let names: Vec<String> =
        columns.iter().map(|it| table.columns[it.position].name.clone()).collect();
    if let Some(twice) = (1..names.len()).find(|it| names[..*it].contains(&names[*it])) {
        let (kind, name) = (kind.to_lowercase(), &names[twice]);
        return Err(error!(
            DUPLICATE_COLUMN,
            "column \"{name}\" appears twice in {kind} constraint"
        ));
    }
    let name = match name {
        Some(name) => folded(name),
        None => {
            let (columns, label) = if is_primary { (&[][..], "pkey") } else { (&names[..], "key") };
            free_name(&table.name, columns, label, |name| catalog.has_relation(name))
        }
    };
    is_there(catalog, &name, false, &mut Replies::default())?;
    let definition = Index {
        name,
        is_primary,
        is_unique: true,
        is_constraint: true,
        columns,
        ..Index::default()
    };
    let new = TableIndex { index: editor.create_index(false)?, definition, is_read: true };
    if is_primary {
        editor.set_not_null(table, &new.positions())?;
    }
    add(editor, table, &new, None, false)
}

/// Binds the predicate and expressions of a new index; `None` if it has none.
///
/// # Errors
/// `42P17` if a value could change later, `0A000` for a subquery.
fn bound(catalog: &Catalog, table: &Arc<Table>, new: &TableIndex) -> Result<Option<Computed>> {
    let table = Arc::new(Table { indexes: vec![new.clone()], ..(**table).clone() });
    let computed = computed(&mut Binder::new(catalog, &[]), &table)?.pop();
    for (expr, what) in computed.iter().flat_map(|it| {
        let expressions = it.expressions.iter().map(|it| (it, "expression"));
        it.predicate.iter().map(|it| (it, "predicate")).chain(expressions)
    }) {
        if expr.has(0, |it, _| matches!(it, Expr::Subquery(_))) {
            return Err(error!(FEATURE_NOT_SUPPORTED, "cannot use subquery in index {what}"));
        }
        // The time and the answer of the database can change, and index entries would not.
        let can_change = |it: &Expr, _| match it {
            Expr::Call(it, _) => matches!(it.call, Call::System(_)),
            it => matches!(it, Expr::Now(_)),
        };
        if expr.has(0, can_change) {
            let text = format!("functions in index {what} must be marked IMMUTABLE");
            return Err(SqlError::new("42P17", text));
        }
    }
    Ok(computed)
}

/// Adds an empty index to a table and fills it. If it replaces an index, it also needs the versions
/// that only older snapshots see: their transactions will use it.
fn add(
    editor: &mut Editor<'_>,
    table: &Table,
    new: &TableIndex,
    computed: Option<(&Computed, &Context)>,
    is_replacement: bool,
) -> Result<()> {
    editor.add_index(table.oid, new)?;

    editor.transaction.next_statement();
    let mut rows = table.heap.scan(editor.transaction.latest_snapshot());
    if is_replacement {
        rows = rows.with_old_versions();
    }
    let (transaction, memory_max) = (&*editor.transaction, editor.maintenance_work_mem / 2);
    let gather = |rows, computed| gather(table, new, computed, rows, transaction, memory_max);
    let [first, second] = rows.halves();
    let [first, second] = match computed {
        None if table.heap.pages() > TWO_THREADS_MIN => thread::scope(|scope| {
            let second = scope.spawn(|| gather(second, None));
            [gather(first, None), second.join().unwrap_or_else(|panic| resume_unwind(panic))]
        }),
        // What expressions are evaluated in belongs to this thread.
        _ => [gather(first, computed), gather(second, computed)],
    };
    let mut entries = first?;
    entries.append(second?);
    new.index.build(editor.transaction, entries).map_err(|error| match error {
        Error::UniqueViolation { existing } => duplicate(table, new, computed, existing),
        error => new.entry_error(error),
    })
}

/// The index entries of rows, sorted if they fit in memory.
fn gather(
    table: &Table,
    new: &TableIndex,
    computed: Option<(&Computed, &Context)>,
    mut rows: HeapScan,
    transaction: &Transaction,
    memory_max: usize,
) -> Result<Spool> {
    let mut needed = [new.positions(), new.included.clone()].concat();
    needed.retain(|it| *it < EXPRESSIONS);
    needed.extend(computed.iter().flat_map(|it| it.0.exprs()).flat_map(Expr::positions));
    let mut values = vec![Value::Null; table.types.len()];
    let mut entries = new.index.spool(memory_max);
    while let Some(found) = rows.next()? {
        transaction.check_interrupt()?;
        needed.iter().for_each(|it| values[*it] = Value::Null);
        table.decode_into(found.bytes, |it| needed.contains(&it), &mut values)?;
        let Some(computed) = values_of(computed, &values)? else { continue };
        let has_null = check_nulls(table, new, &values, &computed)?;
        let root = if found.is_heap_only { table.heap.root(found.tid)? } else { found.tid };
        let key = table.key_of(new, &values, &computed);
        let payload = table.payload_of(new, &values);

        // Rows with NULLs and old versions are no duplicates.
        let is_unique = new.is_unique && found.is_seen && !has_null;
        entries.add(&key, root, &payload, is_unique)?;
    }
    entries.sort();
    Ok(entries)
}

/// The values of an index's expressions for a row; `None` if the row has no entry.
fn values_of(
    computed: Option<(&Computed, &Context)>,
    values: &[Value],
) -> Result<Option<Vec<Value>>> {
    let Some((computed, context)) = computed else { return Ok(Some(Vec::new())) };
    if let Some(predicate) = &computed.predicate
        && evaluate(predicate, context, values)? != Value::Bool(true)
    {
        return Ok(None);
    }
    let expressions = computed.expressions.iter().map(|it| evaluate(it, context, values));
    expressions.collect::<Result<_>>().map(Some)
}

/// Returns true if a column of the key is NULL.
fn check_nulls(
    table: &Table,
    index: &TableIndex,
    values: &[Value],
    computed: &[Value],
) -> Result<bool> {
    let null = index.columns.iter().find(|it| it.value(values, computed).is_null());
    let Some(column) = null else { return Ok(false) };
    if !index.is_primary {
        return Ok(true);
    }
    Err(has_nulls(&table.name, &table.columns[column.position].name))
}

/// The error for a key that two rows of a table have.
fn duplicate(
    table: &Table,
    index: &TableIndex,
    computed: Option<(&Computed, &Context)>,
    tid: crate::format::Tid,
) -> SqlError {
    let text = format!("could not create unique index \"{}\"", index.name);
    let error = SqlError::new(code::UNIQUE_VIOLATION, text);
    let error = error.table(&table.name).constraint(&index.name);
    let key = || {
        let mut bytes = Vec::new();
        table.heap.fetch_version(tid, &mut bytes).ok().filter(|it| *it)?;
        let row = table.decode(&bytes).ok()?;
        let computed = values_of(computed, &row).ok()??;
        Some(table.index_key_text(index, &row, &computed))
    };
    match key() {
        Some(key) => error.detail(format!("Key {key} is duplicated.")),
        None => error,
    }
}
