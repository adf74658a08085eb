//! EXPLAIN: plans a statement, executes it for ANALYZE, and shows the plan and the pages it used.
//!
//! ```text
//! Index Scan using t_pkey on t  (cost=0.15..8.17 rows=1 width=36)
//!   Index Cond: (id = 5)
//! Pages:
//!   t_pkey 0: btree, level 1, 4 items
//!   t 7: heap, 163 items
//! ```
//!
//! The crate `minibtree/explain_plan` says what the nodes tell, `minibtree/explain` writes it.

use super::Session;
use super::portal::Portal;
use crate::engine::{Database, buffer_usage, trace_pages};
use crate::format::RelationId;
use crate::sql::catalog::{Catalog, Table};
use crate::sql::plan::Planned;
use crate::sql::statement;
use crate::sql::values::Value;
use crate::wire::{Result, SqlError, code};
use minibtree_explain::{Measured, Options};
use minibtree_explain_plan::{Described, Statement};
use minibtree_inspect::PageSummary;
use sqlparser::ast;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

/// The options of an EXPLAIN.
///
/// # Errors
/// Those of [`Options::read`].
pub fn options(
    analyze: bool,
    verbose: bool,
    given: Option<&[ast::UtilityOption]>,
) -> Result<Options> {
    let value = |it: &ast::UtilityOption| it.arg.as_ref().map(ToString::to_string);
    let given = given.unwrap_or_default().iter();
    Options::read(analyze, verbose, given.map(|it| (it.name.value.clone(), value(it))))
}

/// Plans a statement, executes it if the options say so, and returns the lines of the answer.
///
/// # Errors
/// The statement's; `0A000` if it has no plan.
pub fn explain(
    session: &mut Session,
    sql: &ast::Statement,
    portal: &Portal,
    options: Options,
) -> Result<Vec<String>> {
    let (mut planning, mut execution) = (Measured::default(), Measured::default());
    if options.pages && (options.json || !options.analyze) {
        let text = "EXPLAIN option PAGES requires ANALYZE and FORMAT TEXT";
        return Err(SqlError::new(code::INVALID_PARAMETER_VALUE, text));
    }
    session.refresh_catalog()?;
    let begun = (Instant::now(), buffer_usage());
    let Some(planned) = session.planned(sql, &portal.types())? else {
        return Err(unsupported!("EXPLAIN {}", statement::first_words(sql)));
    };
    planning.add_since(begun, buffer_usage());

    let planned = session.lock(sql, &RefCell::new(Rc::new(planned)))?;
    let begun = (Instant::now(), buffer_usage());
    let mut measured = Vec::new();
    let mut trace = Vec::new();
    if options.analyze {
        trace_pages(options.pages);
        let counted = count_rows(session, &planned, portal.parameters.clone());
        trace = trace_pages(false);
        (execution.rows, measured) = counted?;
        execution.loops = 1;
        execution.add_since(begun, buffer_usage());
        execution.startup = execution.total;
        measured.push(execution.clone());
    }

    let mut document = document(&planned, options, &measured, &planning);
    if options.pages {
        document.extend(pages(&session.catalog, &session.shared.database, &trace)?);
    }
    Ok(document)
}

/// Executes a plan and counts its rows. Also returns the measurements of each node.
fn count_rows(
    session: &mut Session,
    planned: &Rc<Planned>,
    parameters: Vec<Value>,
) -> Result<(u64, Vec<Measured>)> {
    let mut cursor = session.open(planned, parameters, true)?;
    let mut rows = 0;
    while cursor.next(session.transaction()?)?.is_some() {
        rows += 1;
    }
    Ok((rows, cursor.measured()))
}

/// The document of an EXPLAIN: its lines of text, or one of JSON. `measured` is what the nodes have
/// done, and after them the whole statement.
fn document(
    planned: &Planned,
    options: Options,
    measured: &[Measured],
    planning: &Measured,
) -> Vec<String> {
    let statement = Statement {
        plan: &planned.plan,
        subplans: &planned.subplans,
        init_plans: &planned.init_plans,
        nodes: planned.nodes,
        tables: planned.tables.len(),
        name_of: &|base, number| planned.catalog.name_of(base, number),
        around: RefCell::default(),
    };
    let tree = minibtree_explain_plan::tree(&statement, options, measured);
    let Some(tree) = tree else { return Vec::new() };
    minibtree_explain::document(&tree, options, planning, measured.last())
}

/// The pages that a statement has latched, in order, as they are now.
fn pages(
    catalog: &Catalog,
    database: &Database,
    trace: &[(RelationId, u32)],
) -> Result<Vec<String>> {
    let mut names = HashMap::new();
    for table in catalog.tables() {
        names.insert(table.heap.id(), table.name.clone());
        names.insert(table.heap.id().overflow(), format!("{} overflow", table.name));
        names.extend(table.indexes.iter().map(|it| (it.index.id(), it.name.clone())));
    }
    let mut lines = vec!["Pages:".to_owned()];
    for (id, block) in trace {
        let name = names.get(id).cloned().unwrap_or_else(|| format!("file {id}"));
        let page = database.page(*id, *block)?.map(|it| PageSummary::of(&it).to_string());
        lines.push(format!("  {name} {block}: {}", page.unwrap_or_default()));
    }
    Ok(lines)
}

impl Described for Table {
    fn name(&self) -> &str {
        &self.name
    }

    fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(|it| it.name.as_str()).collect()
    }

    fn index_name(&self, index: usize) -> &str {
        &self.indexes[index].name
    }

    fn is_hash(&self, index: usize) -> bool {
        self.indexes[index].index.is_hash()
    }
}
