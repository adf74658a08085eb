//! EXPLAIN of a planned statement, and of the pages that it has used.
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

use super::catalog::{Catalog, Table};
use super::plan::Planned;
use crate::engine::Database;
use crate::format::RelationId;
use crate::wire::Result;
use minibtree_explain::Measured;
pub use minibtree_explain::Options;
use minibtree_explain_plan::{Described, Statement};
use minibtree_inspect::PageSummary;
use sqlparser::ast;
use std::collections::HashMap;

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

/// The document of an EXPLAIN: its lines of text, or one of JSON. `measured` is what the nodes have
/// done, and after them the whole statement.
pub fn document(
    planned: &Planned,
    options: Options,
    measured: &[Measured],
    planning: &Measured,
) -> Vec<String> {
    let statement = Statement {
        plan: &planned.plan,
        subplans: &planned.subplans,
        nodes: planned.nodes,
        tables: planned.tables.len(),
        name_of: &|base, number| planned.catalog.name_of(base, number),
    };
    let tree = minibtree_explain_plan::tree(&statement, options, measured);
    let Some(tree) = tree else { return Vec::new() };
    minibtree_explain::document(&tree, options, planning, measured.last())
}

/// The pages that a statement has latched, in order, as they are now.
///
/// # Errors
/// What the engine reports.
pub fn pages(
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
