//! EXPLAIN: what each node of a plan tells.
//!
//! ```text
//! Index Scan using t_pkey on t  (cost=0.15..8.17 rows=1 width=36)
//!   Index Cond: (id = 5)
//! ```
//!
//! [`tree`] makes a tree of properties of a plan, which [`minibtree_explain::document`] writes as
//! text or JSON.
//!
//! PostgreSQL's `ExplainNode` (`explain.c`).

mod explainer;
mod names;
mod title;

use explainer::{Explainer, Output};
use minibtree_explain::{Measured, Node as Shown, Options};
use minibtree_plan::{Kind, Node, Plan, SubPlan};
use minibtree_query::{Expr, Operation};
use minibtree_types::values::Type;
use std::cell::RefCell;
use std::ops::Deref;

/// A table, as EXPLAIN shows it.
pub trait Described {
    /// Its name.
    fn name(&self) -> &str;

    /// The names of its columns.
    fn columns(&self) -> Vec<&str>;

    /// The name of one of its indexes.
    fn index_name(&self, index: usize) -> &str;

    /// Returns true for a hash index.
    fn is_hash(&self, index: usize) -> bool;
}

/// A statement that is explained.
pub struct Statement<'a, Table> {
    /// What it does.
    pub plan: &'a Plan<Table>,
    /// The subqueries of its expressions.
    pub subplans: &'a [SubPlan<Table>],
    /// Those that are init plans, each with the topmost node of the query that it belongs to.
    pub init_plans: &'a [(usize, usize)],
    /// How many nodes it has. What the statement itself has done is measured after them.
    pub nodes: usize,
    /// How many tables it locks.
    pub tables: usize,
    /// The name of an object of a type like `regclass`, by its number.
    pub name_of: &'a dyn Fn(Type, i64) -> String,
    /// What the columns of the queries around the shown one are called, the nearest last.
    pub around: RefCell<Vec<Vec<String>>>,
}

/// The nodes of a plan with what they tell; `None` for a statement without nodes.
pub fn tree<Table: Deref<Target: Described> + Clone>(
    statement: &Statement<'_, Table>,
    options: Options,
    measured: &[Measured],
) -> Option<Shown> {
    let (mut tables, mut others) = (statement.tables, 0);
    let source = match statement.plan {
        Plan::Copy => return None,
        Plan::Query(node) => node,
        Plan::Lock(lock) => &lock.input,
        Plan::Modify(modify) => {
            tables = tables.saturating_sub(modify.parents.len() + modify.children.len());
            others = usize::from(matches!(modify.operation, Operation::Insert(..)));
            &modify.source
        }
    };
    let mut explainer = Explainer {
        statement,
        options,
        measured,
        has_several: tables.max(relations(source).len() + others) > 1
            || !statement.subplans.is_empty(),
        outer: Vec::new(),
        shown: vec![false; statement.subplans.len()],
    };
    let mut shown = match statement.plan {
        Plan::Lock(lock) => explainer.locked(lock, ""),
        Plan::Modify(modify) => explainer.modify(modify),
        _ => explainer.node(source, &Output::Used(Vec::new()), ""),
    };
    explainer.init_plans(statement.nodes, &mut shown);
    // The top of a plan has no parent, whatever node it is.
    shown.forget("Parent Relationship");
    Some(shown)
}

/// What VALUES is called as a relation.
const VALUES: &str = "*VALUES*";

/// The name of the table that a plan changes, as the query calls it: the first of its row.
fn changed<Table>(node: &Node<Table>) -> Option<&str> {
    match node.scanned().filter(|it| it.start == 0) {
        Some(scanned) => Some(&scanned.alias),
        None => node.inputs().into_iter().find_map(|it| changed(it)),
    }
}

/// The names of the relations that a plan reads, as the query calls them.
fn relations<Table>(node: &Node<Table>) -> Vec<&str> {
    if let Some(scanned) = node.scanned() {
        return vec![&scanned.alias];
    }
    let own = match &node.kind {
        Kind::Function { alias, .. } | Kind::SubqueryScan { alias, .. } => Some(alias),
        _ => None,
    };
    let values = matches!(&node.kind, Kind::Values { rows } if rows.len() > 1);
    let own = own.map(String::as_str).or(values.then_some(VALUES));
    let below = node.inputs().into_iter().flat_map(|it| relations(it));
    own.into_iter().chain(below).collect()
}

/// The columns of a row that expressions use, in the order in which they do.
fn used_columns<'e, Table: 'e>(exprs: impl IntoIterator<Item = &'e Expr<Table>>) -> Vec<usize> {
    let mut used = Vec::new();
    for position in exprs.into_iter().flat_map(Expr::positions) {
        if !used.contains(&position) {
            used.push(position);
        }
    }
    used
}
