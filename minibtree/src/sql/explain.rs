//! EXPLAIN: what a plan looks like, as a tree of properties that is written as text or JSON.
//!
//! ```text
//! Index Scan using t_pkey on t  (cost=0.15..8.17 rows=1 width=36)
//!   Index Cond: (id = 5)
//! ```
//!
//! PostgreSQL's `explain.c` and, for expressions, `ruleutils.c`.

use super::catalog::Catalog;
use super::functions::Comparison;
use super::plan::{Kind, LockRows, Method, Modify, Node, Plan, Planned, Scanned, SortBy};
use super::tree::{AggregateCall, Deparser, Expr, JoinKind, Operation, SetOperator, SubqueryKind};
use super::values::Type;
use crate::engine::Database;
use crate::format::RelationId;
use crate::wire::Result;
use minibtree_cost::Cost;
pub use minibtree_explain::Options;
use minibtree_explain::{
    Measured, Node as Shown, Value, is_column_name, parenthesized, quoted_name,
};
use minibtree_inspect::PageSummary;
use sqlparser::ast;
use std::collections::HashMap;
use std::rc::Rc;

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
    let Some(tree) = tree(planned, options, measured) else { return Vec::new() };
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

/// The nodes of a plan with what they tell; `None` for a statement without nodes.
fn tree(planned: &Planned, options: Options, measured: &[Measured]) -> Option<Shown> {
    let (mut tables, mut others) = (planned.tables.len(), 0);
    let source = match &planned.plan {
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
        planned,
        options,
        measured,
        has_several: tables.max(relations(source).len() + others) > 1,
        outer: Vec::new(),
        shown: vec![false; planned.subplans.len()],
    };
    Some(match &planned.plan {
        Plan::Lock(lock) => {
            let shown = explainer.locked(lock, "");
            explainer.as_top(shown)
        }
        Plan::Modify(modify) => {
            let shown = explainer.modify(modify);
            explainer.as_top(shown)
        }
        _ => {
            let shown = explainer.node(source, &Output::Used(Vec::new()), "");
            explainer.as_top(shown)
        }
    })
}

/// What VALUES is called as a relation.
const VALUES: &str = "*VALUES*";

/// The name of the table that a plan changes, as the query calls it: the first of its row.
fn changed(node: &Node) -> Option<&str> {
    match node.scanned().filter(|it| it.start == 0) {
        Some(scanned) => Some(&scanned.alias),
        None => node.inputs().into_iter().find_map(|it| changed(it)),
    }
}

/// The names of the relations that a plan reads, as the query calls them.
fn relations(node: &Node) -> Vec<&str> {
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
fn used_columns<'e>(exprs: impl IntoIterator<Item = &'e Expr>) -> Vec<usize> {
    let mut used = Vec::new();
    for position in exprs.into_iter().flat_map(Expr::positions) {
        if !used.contains(&position) {
            used.push(position);
        }
    }
    used
}

/// What a node returns.
enum Output {
    /// These expressions, as they are written.
    Exact(Vec<String>),
    /// Of its columns those that are used above it.
    Used(Vec<usize>),
    /// All columns of a table, which saves computing the row anew; else as `Used`.
    Whole(Vec<usize>),
}

struct Explainer<'a> {
    planned: &'a Planned,
    options: Options,
    measured: &'a [Measured],
    /// Columns are shown with their tables.
    has_several: bool,
    /// What the columns are called that an index scan takes from the outer side of its join.
    outer: Vec<String>,
    /// Subqueries that were shown.
    shown: Vec<bool>,
}

impl Explainer<'_> {
    /// The first properties of a node: what it is.
    fn begin(
        &self,
        title: String,
        kind: &[(&'static str, &str)],
        relationship: &'static str,
        own: &[(&'static str, &str)],
    ) -> Shown {
        let mut shown = Shown::new(title);
        for (name, value) in kind {
            shown.json(name, Value::text(*value));
        }
        if !relationship.is_empty() {
            shown.json("Parent Relationship", Value::text(relationship));
        }
        shown.json("Parallel Aware", Value::literal(false));
        shown.json("Async Capable", Value::literal(false));
        for (name, value) in own.iter().filter(|it| it.0 != "Schema" || self.options.verbose) {
            shown.json(name, Value::text(*value));
        }
        shown
    }

    /// The top of a plan has no parent, whatever node it is.
    fn as_top(&self, mut shown: Shown) -> Shown {
        shown.forget("Parent Relationship");
        shown
    }

    /// A step that PostgreSQL has a node for, and we a part of the node around it.
    fn stage(
        &self,
        name: &'static str,
        node: &Node,
        output: Vec<String>,
        children: Vec<Shown>,
    ) -> Shown {
        let relationship = if name == "Hash" || name == "Materialize" { "Inner" } else { "Outer" };
        let mut shown = self.begin(name.to_owned(), &[("Node Type", name)], relationship, &[]);
        // A hash table has its first row when it has its last one.
        let startup = if name == "Hash" { node.cost.total } else { node.cost.startup };
        self.figures(Cost { startup, ..node.cost }, node.id, &mut shown);
        self.output(&output, &mut shown);
        if name != "Hash" {
            self.buffers(node.id, &mut shown);
        }
        shown.children = children;
        shown
    }

    /// A query with FOR UPDATE: PostgreSQL locks its rows in a node above it, below LIMIT.
    fn locked(&mut self, lock: &LockRows, relationship: &'static str) -> Shown {
        let node = &lock.input;
        let mut output = self.columns(node, &used_columns(&lock.targets), false);
        let places = relations(node).into_iter();
        output.extend(places.map(|it| self.qualified(it, "ctid", self.has_several)));
        let mut shown = self.node(node, &Output::Exact(output.clone()), "Outer");
        let limit = (lock.limit.is_some() || lock.offset.is_some()).then_some("Limit");
        for name in std::iter::once("LockRows").chain(limit) {
            shown = self.stage(name, node, output.clone(), vec![shown]);
        }
        shown.forget("Parent Relationship");
        shown.insert_after("Node Type", "Parent Relationship", Value::text(relationship));
        shown
    }

    fn modify(&mut self, modify: &Modify) -> Shown {
        let (verb, table, values) = match &modify.operation {
            Operation::Insert(write, _) => ("Insert", &write.table, &write.values),
            Operation::Update(write) => ("Update", &write.table, &write.values),
            Operation::Delete(write) => ("Delete", &write.table, &write.values),
        };
        let width = modify.returning.iter().map(|it| it.base().width()).sum();
        let cost = match modify.returning.is_empty() {
            true => Cost { rows: 0.0, width: 0.0, ..modify.source.cost },
            false => Cost { width, ..modify.source.cost },
        };
        let is_insert = verb == "Insert";
        let alias = match is_insert {
            true => table.name.as_str(),
            false => changed(&modify.source).unwrap_or(&table.name),
        };
        let title = format!("{verb} on {}", self.target(&table.name, alias));
        let kind = [("Node Type", "ModifyTable"), ("Operation", verb)];
        let own = [("Relation Name", &*table.name), ("Schema", "public"), ("Alias", alias)];
        let mut shown = self.begin(title, &kind, "", &own);
        self.figures(cost, self.planned.nodes, &mut shown);

        let several = self.has_several;
        let below = self.own_texts(&modify.source);
        let names = match is_insert {
            true => {
                let columns = table.columns.iter();
                columns.map(|it| self.qualified(alias, &it.name, several)).collect()
            }
            false => below.clone(),
        };
        let returned = modify.returning.iter().map(|it| self.text(it, &names));
        self.output(&returned.collect::<Vec<_>>(), &mut shown);
        self.buffers(self.planned.nodes, &mut shown);

        // The node below computes the new values, and says where the row is that is changed.
        let mut output: Vec<String> =
            values.iter().flatten().map(|it| self.text(it, &below)).collect();
        if !is_insert {
            let others = relations(&modify.source).into_iter().filter(|it| *it != alias);
            let places = std::iter::once(alias).chain(others);
            output.extend(places.map(|it| self.qualified(it, "ctid", several)));
        }
        let output = Output::Exact(output);
        shown.children.push(self.node(&modify.source, &output, "Outer"));
        shown
    }

    /// The columns of a node, each as the node itself writes it.
    fn own_texts(&self, node: &Node) -> Vec<String> {
        let all = |exprs: &[Expr], names: &[String]| -> Vec<String> {
            exprs.iter().map(|it| self.text(it, names)).collect()
        };
        match &node.kind {
            Kind::Project { input, targets } => all(targets, &self.names(input, self.has_several)),
            Kind::Values { rows } if rows.len() == 1 => all(&rows[0], &[]),
            Kind::Values { rows } => {
                (1..=rows[0].len()).map(|it| format!("\"{VALUES}\".column{it}")).collect()
            }
            _ => self.names(node, self.has_several),
        }
    }

    /// `public.t alias`
    fn target(&self, table: &str, alias: &str) -> String {
        let schema = if self.options.verbose { "public." } else { "" };
        let alias = if alias == table { String::new() } else { format!(" {alias}") };
        format!("{schema}{table}{alias}")
    }

    /// What a node has done.
    fn measured(&self, id: usize) -> Option<&Measured> {
        self.measured.get(id)
    }

    fn figures(&self, cost: Cost, id: usize, shown: &mut Shown) {
        shown.figures(cost, self.measured(id), self.options);
    }

    fn output(&self, output: &[String], shown: &mut Shown) {
        if self.options.verbose && !output.is_empty() {
            shown.both("Output", Value::List(output.to_vec()));
        }
    }

    fn node(&mut self, node: &Rc<Node>, output: &Output, relationship: &'static str) -> Shown {
        if let Kind::Locked { lock, .. } = &node.kind {
            return self.locked(lock, relationship);
        }
        // PostgreSQL computes columns in the node below.
        if let Kind::Project { input, targets } = &node.kind {
            // Columns that are only sorted by are taken away last.
            if matches!(input.kind, Kind::Limit { .. } | Kind::Sort { .. }) {
                return self.node(input, &Output::Used(Vec::new()), relationship);
            }
            let texts = match output {
                Output::Exact(texts) => texts.clone(),
                Output::Whole(_) if targets.iter().all(|it| matches!(it, Expr::Column(_))) => {
                    self.columns(input, &used_columns(targets), true)
                }
                _ => self.own_texts(node),
            };
            let mut shown = self.node_of(input, texts, used_columns(targets), relationship);
            self.subplans(&targets.iter().collect::<Vec<_>>(), &mut shown);
            return shown;
        }
        let texts = match output {
            Output::Exact(texts) => texts.clone(),
            Output::Used(used) => self.columns(node, used, false),
            Output::Whole(used) => self.columns(node, used, true),
        };
        let used = match output {
            Output::Used(used) | Output::Whole(used) => used.clone(),
            Output::Exact(_) => Vec::new(),
        };
        self.node_of(node, texts, used, relationship)
    }

    /// The columns of a node that are used above, or all of a table.
    fn columns(&self, node: &Node, used: &[usize], is_whole: bool) -> Vec<String> {
        let names = self.names(node, self.has_several);
        match &node.kind {
            Kind::SeqScan { scanned, .. }
            | Kind::IndexScan { scanned, is_only: false, .. }
            | Kind::BitmapScan { scanned, .. }
                if is_whole =>
            {
                names[scanned.start..][..scanned.table.columns.len()].to_vec()
            }
            Kind::NestedLoop { outer, inner, .. } | Kind::EquiJoin { outer, inner, .. } => {
                let sides = [outer, inner].map(|it| self.columns(it, used, false));
                sides.concat()
            }
            Kind::Filter { input, .. } => self.columns(input, used, false),
            Kind::Values { .. } => self.own_texts(node),
            _ if used.is_empty() => names.into_iter().filter(|it| !it.is_empty()).collect(),
            _ => {
                let own = used.iter().filter_map(|it| names.get(*it));
                own.filter(|it| !it.is_empty()).cloned().collect()
            }
        }
    }

    /// A node that returns these columns. `used` are the columns of its row that are.
    fn node_of(
        &mut self,
        node: &Rc<Node>,
        output: Vec<String>,
        mut used: Vec<usize>,
        relationship: &'static str,
    ) -> Shown {
        // PostgreSQL shows what filters the rows of a join as a part of it.
        let (kept, filter) = match &node.kind {
            Kind::Filter { input, condition } => (input, condition.as_ref()),
            _ => (node, None),
        };
        let (title, kind, own) = self.name_of(kept);
        let mut shown = self.begin(title, &strs(&kind), relationship, &strs(&own));
        self.figures(node.cost, node.id, &mut shown);
        match &kept.kind {
            Kind::Append { .. } | Kind::BitmapIndexScan { .. } | Kind::BitmapMerge { .. } => {}
            _ => self.output(&output, &mut shown),
        }
        let exprs = self.details(kept, &mut shown);
        if let Some(filter) = filter {
            self.condition("Filter", filter, &self.names(kept, true), &mut shown);
            self.removed(node, "Rows Removed by Filter", &mut shown);
        }
        self.buffers(node.id, &mut shown);
        if let (Kind::Append { .. }, true) = (&kept.kind, self.options.json) {
            shown.json("Subplans Removed", Value::literal(0));
        }

        for position in used_columns(exprs.iter().copied().chain(filter)) {
            if !used.contains(&position) {
                used.push(position);
            }
        }
        self.inputs(kept, &output, used, &mut shown);
        self.subplans(&exprs.into_iter().chain(filter).collect::<Vec<_>>(), &mut shown);
        shown
    }

    /// The nodes below a node.
    fn inputs(&mut self, node: &Node, output: &[String], used: Vec<usize>, shown: &mut Shown) {
        for (number, input) in node.inputs().into_iter().enumerate() {
            let child = match (&node.kind, number) {
                (Kind::EquiJoin { method: Method::Hash, .. }, 1) => {
                    let texts = self.columns(input, &used, false);
                    let below = self.node(input, &Output::Used(used.clone()), "Outer");
                    let mut hash = self.stage("Hash", input, texts, vec![below]);
                    hash.hash_table(self.measured(node.id));
                    self.buffers(input.id, &mut hash);
                    hash
                }
                (Kind::NestedLoop { outer, is_parameterized: true, .. }, 1) => {
                    let names = self.names(outer, true);
                    let before = std::mem::replace(&mut self.outer, names);
                    let child = self.node(input, &Output::Whole(used.clone()), "Inner");
                    self.outer = before;
                    child
                }
                (
                    Kind::NestedLoop { is_kept: true, .. }
                    | Kind::EquiJoin { method: Method::Merge { is_materialized: true }, .. },
                    1,
                ) => {
                    let texts = self.columns(input, &used, false);
                    let below = self.node(input, &Output::Used(used.clone()), "Outer");
                    self.stage("Materialize", input, texts, vec![below])
                }
                (Kind::NestedLoop { .. } | Kind::EquiJoin { .. }, _) => {
                    let relationship = if number == 0 { "Outer" } else { "Inner" };
                    self.node(input, &Output::Whole(used.clone()), relationship)
                }
                (Kind::Aggregate { keys, aggregates, .. }, _) => {
                    let calls =
                        aggregates.iter().flat_map(|it| it.arguments.iter().chain(&it.filter));
                    let used = used_columns(keys.iter().map(|it| &it.0).chain(calls));
                    self.node(input, &Output::Whole(used), "Outer")
                }
                (Kind::Append { .. } | Kind::SetOperation { .. } | Kind::BitmapMerge { .. }, _) => {
                    self.node(input, &Output::Used(Vec::new()), "Member")
                }
                (Kind::SubqueryScan { .. }, _) => {
                    self.node(input, &Output::Used(Vec::new()), "Subquery")
                }
                (Kind::Distinct { .. }, _) if matches!(input.kind, Kind::Project { .. }) => {
                    self.node(input, &Output::Whole(Vec::new()), "Outer")
                }
                (Kind::Distinct { .. } | Kind::Result { .. }, _) => {
                    self.node(input, &Output::Used(used.clone()), "Outer")
                }
                (Kind::Limit { .. } | Kind::Sort { .. }, _)
                    if !matches!(input.kind, Kind::Project { .. } | Kind::Sort { .. }) =>
                {
                    self.node(input, &Output::Used(used.clone()), "Outer")
                }
                (Kind::Limit { .. }, _) if !output.is_empty() => {
                    self.node(input, &Output::Used(used.clone()), "Outer")
                }
                _ => self.node(input, &Output::Used(Vec::new()), "Outer"),
            };
            shown.children.push(child);
        }
    }

    fn condition(
        &self,
        label: &'static str,
        condition: &Expr,
        names: &[String],
        shown: &mut Shown,
    ) {
        let text = parenthesized(self.text(condition, names));
        shown.both(label, Value::Text(text));
    }

    /// What leaves out rows of a scan, and how many.
    fn filter(&self, node: &Node, filter: &Option<Expr>, names: &[String], shown: &mut Shown) {
        if let Some(filter) = filter {
            self.condition("Filter", filter, names, shown);
            self.removed(node, "Rows Removed by Filter", shown);
        }
    }

    /// What a node does, beside its name. Returns the expressions that may have subqueries.
    fn details<'n>(&self, node: &'n Node, shown: &mut Shown) -> Vec<&'n Expr> {
        let names = self.names_in_conditions(node);
        let show = |label, condition: &Option<Expr>, shown: &mut Shown| {
            let Some(condition) = condition else { return };
            self.condition(label, condition, &names, shown);
        };
        let mut exprs = Vec::new();
        match &node.kind {
            Kind::Result { condition, .. } => {
                show("One-Time Filter", condition, shown);
                exprs.extend(condition);
            }
            Kind::SeqScan { filter, .. }
            | Kind::Function { filter, .. }
            | Kind::SubqueryScan { filter, .. } => {
                if let (Kind::Function { function, arguments, .. }, true) =
                    (&node.kind, self.options.verbose)
                {
                    let texts = arguments.iter().map(|it| self.text(it, &[])).collect::<Vec<_>>();
                    let call = format!("{}({})", function.name(), texts.join(", "));
                    shown.both("Function Call", Value::Text(call));
                }
                self.filter(node, filter, &names, shown);
                exprs.extend(filter);
            }
            Kind::IndexScan { conditions, filter, .. }
            | Kind::BitmapScan { recheck: conditions, filter, .. } => {
                let is_bitmap = matches!(node.kind, Kind::BitmapScan { .. });
                let label = if is_bitmap { "Recheck Cond" } else { "Index Cond" };
                show(label, conditions, shown);
                if conditions.is_some() && self.measured(node.id).is_some() {
                    shown.json("Rows Removed by Index Recheck", Value::literal(0));
                }
                self.filter(node, filter, &names, shown);
                self.heap_reads(node, shown);
                exprs.extend(filter);
            }
            Kind::BitmapIndexScan { conditions, .. } => show("Index Cond", conditions, shown),
            Kind::NestedLoop { .. } | Kind::EquiJoin { .. } => {
                return self.join_details(node, &names, shown);
            }
            Kind::Aggregate { input, keys, having, .. } => {
                self.group_keys(input, keys, shown);
                show("Filter", having, shown);
                if !keys.is_empty() {
                    shown.groups(self.measured(node.id), self.options);
                }
                if having.is_some() {
                    self.removed(node, "Rows Removed by Filter", shown);
                }
                exprs.extend(having);
            }
            Kind::Distinct { input, keys } => {
                self.group_keys(input, keys, shown);
                shown.groups(self.measured(node.id), self.options);
                exprs.extend(keys.iter().map(|it| &it.0));
            }
            Kind::Sort { keys, .. } => {
                self.sort_keys(node, keys, &names, shown);
                exprs.extend(keys.iter().map(|it| &it.expr));
            }
            _ => {}
        }
        exprs
    }

    /// What a scan has read in the table, as far as it tells.
    fn heap_reads(&self, node: &Node, shown: &mut Shown) {
        let Some(it) = self.measured(node.id) else { return };
        if let Kind::IndexScan { is_only: true, .. } = node.kind {
            shown.both("Heap Fetches", Value::literal(it.heap_fetches));
        } else if let Kind::BitmapScan { .. } = node.kind {
            if it.heap_fetches > 0 {
                shown.line(format!("Heap Blocks: exact={}", it.heap_fetches));
            }
            shown.json("Exact Heap Blocks", Value::literal(it.heap_fetches));
            shown.json("Lossy Heap Blocks", Value::literal(0));
        }
    }

    /// The same for a join.
    fn join_details<'n>(
        &self,
        node: &'n Node,
        names: &[String],
        shown: &mut Shown,
    ) -> Vec<&'n Expr> {
        let (equal, is_unique, condition) = match &node.kind {
            Kind::EquiJoin { keys, condition, is_unique, .. } => (&keys[..], is_unique, condition),
            // The conditions of the index are shown there.
            Kind::NestedLoop { is_parameterized: true, is_unique, .. } => {
                (&[][..], is_unique, &None)
            }
            Kind::NestedLoop { condition, is_unique, .. } => (&[][..], is_unique, condition),
            _ => unreachable!("a join"),
        };
        match *is_unique && self.options.verbose {
            true => shown.both("Inner Unique", Value::literal(true)),
            false => shown.json("Inner Unique", Value::literal(is_unique)),
        }
        let pairs = equal.iter().map(|(outer, inner, _)| {
            let (outer, inner) = (Box::new(outer.clone()), Box::new(inner.clone()));
            Expr::Compare(Comparison::Eq, outer, inner, false)
        });
        if let Some(pairs) = Expr::all(pairs.collect()) {
            let is_hash = matches!(node.kind, Kind::EquiJoin { method: Method::Hash, .. });
            let label = if is_hash { "Hash Cond" } else { "Merge Cond" };
            self.condition(label, &pairs, names, shown);
        }
        if let Some(condition) = condition {
            self.condition("Join Filter", condition, names, shown);
            self.removed(node, "Rows Removed by Join Filter", shown);
        }
        equal.iter().flat_map(|(outer, inner, _)| [outer, inner]).chain(condition).collect()
    }

    /// The pages that a node has used, those below included.
    fn buffers(&self, id: usize, shown: &mut Shown) {
        shown.buffers(self.measured(id), self.options);
    }

    fn group_keys(&self, input: &Node, keys: &[(Expr, Type)], shown: &mut Shown) {
        let below = self.names(input, self.has_several || self.options.verbose);
        let texts: Vec<String> = keys.iter().map(|(key, _)| self.text(key, &below)).collect();
        if !texts.is_empty() {
            shown.both("Group Key", Value::List(texts));
        }
    }

    fn sort_keys(&self, node: &Node, keys: &[SortBy], names: &[String], shown: &mut Shown) {
        let texts: Vec<String> = keys.iter().map(|key| self.sort_key(key, names)).collect();
        shown.both("Sort Key", Value::List(texts));
        shown.sort(self.measured(node.id));
    }

    fn removed(&self, node: &Node, label: &'static str, shown: &mut Shown) {
        shown.removed(label, self.measured(node.id));
    }

    fn sort_key(&self, key: &SortBy, names: &[String]) -> String {
        let mut text = self.text(&key.expr, names);
        if key.descending {
            text += " DESC";
        }
        match (key.descending, key.nulls_first) {
            (false, true) => text += " NULLS FIRST",
            (true, false) => text += " NULLS LAST",
            _ => {}
        }
        text
    }

    /// The subqueries of expressions.
    fn subplans(&mut self, exprs: &[&Expr], shown: &mut Shown) {
        let mut numbers = Vec::new();
        for expr in exprs {
            expr.walk(0, &mut |expr, _| {
                if let Expr::SubPlan(number, _) = expr {
                    numbers.push(*number);
                }
            });
        }
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for number in numbers {
            if std::mem::replace(&mut self.shown[number], true) {
                continue;
            }
            let plan = &self.planned.subplans[number];
            let is_init = matches!(
                (&plan.kind, plan.is_correlated),
                (SubqueryKind::Scalar | SubqueryKind::Exists | SubqueryKind::Array(_), false)
            );
            let label = match is_init {
                true => format!("InitPlan {} (returns ${number})", number + 1),
                false => format!("SubPlan {}", number + 1),
            };
            let relationship = if is_init { "InitPlan" } else { "SubPlan" };
            let node = Rc::clone(&plan.node);
            let mut child = self.node(&node, &Output::Used(Vec::new()), relationship);
            child.insert_after("Parent Relationship", "Subplan Name", Value::text(&label));
            child.label = Some(label);
            if is_init { before.push(child) } else { after.push(child) }
        }
        shown.children.splice(0..0, before);
        shown.children.extend(after);
    }

    /// What columns are called in conditions: a scan need not say whose its own ones are.
    fn names_in_conditions(&self, node: &Node) -> Vec<String> {
        let verbose = self.options.verbose;
        let mut names = self.names(node, verbose || self.has_several);
        if let Some(scanned) = node.scanned().filter(|_| !verbose) {
            let own = names[scanned.start..].iter_mut().zip(&scanned.table.columns);
            own.for_each(|(name, column)| name.clone_from(&column.name));
        }
        for (name, outer) in names.iter_mut().zip(&self.outer).filter(|it| it.0.is_empty()) {
            name.clone_from(outer);
        }
        names
    }

    /// What the columns of a node's rows are called, with their tables or without.
    fn names(&self, node: &Node, prefix: bool) -> Vec<String> {
        // Columns with these names from `start` on, in a row of this width.
        let placed = |width: usize, start: usize, alias: &str, columns: Vec<&str>| {
            let mut names = vec![String::new(); width];
            for (name, column) in names[start..].iter_mut().zip(columns) {
                *name = self.qualified(alias, column, prefix);
            }
            names
        };
        if let Some(Scanned { table, alias, start, width, .. }) = node.scanned() {
            let columns = table.columns.iter().map(|it| it.name.as_str());
            return placed(*width, *start, alias, columns.collect());
        }

        let mut names = Vec::new();
        match &node.kind {
            Kind::Function { columns, position, width, alias, .. } => {
                let columns = columns.iter().map(String::as_str);
                names = placed(*width, *position, alias, columns.collect());
            }
            Kind::SubqueryScan { query, columns, start, width, alias, .. } => {
                let inner = self.names(query, prefix);
                let inner = inner.iter().map(|it| it.rsplit('.').next().unwrap_or(it));
                names = placed(*width, *start, alias, inner.take(*columns).collect());
            }
            Kind::NestedLoop { outer, inner, .. } | Kind::EquiJoin { outer, inner, .. } => {
                names = self.names(outer, prefix);
                for (name, other) in names.iter_mut().zip(self.names(inner, prefix)) {
                    if name.is_empty() {
                        *name = other;
                    }
                }
            }
            Kind::Aggregate { input, keys, aggregates, .. } => {
                let below = self.names(input, prefix);
                names.extend(keys.iter().map(|(key, _)| self.text(key, &below)));
                names.extend(aggregates.iter().map(|call| self.aggregate_name(call, &below)));
            }
            Kind::Project { input, targets } => names = self.target_names(input, targets, prefix),
            Kind::Locked { lock, .. } => {
                names = self.target_names(&lock.input, &lock.targets, prefix);
            }
            Kind::Window { input, .. } => {
                names = self.names(input, prefix);
                names.push("row_number() OVER (?)".to_owned());
            }
            Kind::Result { width, input: None, .. } => names.resize(*width, String::new()),
            Kind::Values { rows } => {
                let width = rows.first().map_or(0, Vec::len);
                names.extend((1..=width).map(|it| format!("column{it}")));
            }
            _ => {
                if let Some(input) = node.inputs().first() {
                    names = self.names(input, prefix);
                }
            }
        }
        names
    }

    /// What computed columns are called above: what is no column is written with parentheses.
    fn target_names(&self, input: &Node, targets: &[Expr], prefix: bool) -> Vec<String> {
        let below = self.names(input, prefix);
        let name = |it: &Expr| match self.text(it, &below) {
            text if is_column_name(&text) => text,
            text => format!("({text})"),
        };
        targets.iter().map(name).collect()
    }

    /// `count(DISTINCT id)`.
    fn aggregate_name(&self, call: &AggregateCall, below: &[String]) -> String {
        let arguments: Vec<String> = call.arguments.iter().map(|it| self.text(it, below)).collect();
        let list = if arguments.is_empty() { "*".to_owned() } else { arguments.join(", ") };
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        format!("{}({distinct}{list})", call.aggregate.name)
    }

    fn qualified(&self, alias: &str, name: &str, prefix: bool) -> String {
        if prefix { format!("{alias}.{name}") } else { name.to_owned() }
    }

    /// An expression as PostgreSQL writes it.
    fn text(&self, expr: &Expr, names: &[String]) -> String {
        let name_of = &|base, number| self.planned.catalog.name_of(base, number);
        Deparser { name_of, names, subplan: Some(&|it| self.subplan_text(it)) }.text(expr)
    }

    fn subplan_text(&self, number: usize) -> String {
        let plan = &self.planned.subplans[number];
        match (&plan.kind, plan.is_correlated) {
            (SubqueryKind::Scalar | SubqueryKind::Exists | SubqueryKind::Array(_), false) => {
                format!("${number}")
            }
            (_, true) => format!("(SubPlan {})", number + 1),
            (_, false) => format!("(hashed SubPlan {})", number + 1),
        }
    }
}

/// Names and values of properties.
type Pairs = Vec<(&'static str, String)>;

fn strs<'a>(pairs: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    pairs.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

impl Explainer<'_> {
    /// The name of a node: as text, its type and strategy, and what it reads.
    fn name_of(&self, node: &Node) -> (String, Pairs, Pairs) {
        let kind = |name: &str| vec![("Node Type", name.to_owned())];
        let plain = |name: &str| (name.to_owned(), kind(name), Vec::new());
        let table_scan = |name: &str, scanned: &Scanned| {
            let title = format!("{name} on {}", self.target(&scanned.table.name, &scanned.alias));
            (title, kind(name), table_of(scanned))
        };
        let join = |name: &str, joined: JoinKind| {
            let (kind_name, in_title) = match joined {
                JoinKind::Inner => ("Inner", ""),
                JoinKind::Left => ("Left", " Left"),
                JoinKind::Semi => ("Semi", " Semi"),
                JoinKind::Anti => ("Anti", " Anti"),
            };
            let title = match (name, in_title) {
                ("Nested Loop", "") => name.to_owned(),
                ("Nested Loop", it) => format!("{name}{it} Join"),
                (_, it) => name.replace(" Join", &format!("{it} Join")),
            };
            (title, kind(name), vec![("Join Type", kind_name.to_owned())])
        };
        let grouped = |strategy: &str, title: &str| {
            let mut kind = kind("Aggregate");
            kind.push(("Strategy", strategy.to_owned()));
            kind.push(("Partial Mode", "Simple".to_owned()));
            (title.to_owned(), kind, Vec::new())
        };
        match &node.kind {
            Kind::SeqScan { scanned, .. } => table_scan("Seq Scan", scanned),
            Kind::IndexScan { .. } | Kind::BitmapIndexScan { .. } => self.index_scan_name(node),
            Kind::BitmapScan { scanned, .. } => table_scan("Bitmap Heap Scan", scanned),
            Kind::BitmapMerge { is_union: true, .. } => plain("BitmapOr"),
            Kind::BitmapMerge { .. } => plain("BitmapAnd"),
            Kind::Function { function, alias, .. } => self.function_name(function.name(), alias),
            Kind::Values { rows } if rows.len() > 1 => {
                let own = vec![("Alias", "*VALUES*".to_owned())];
                ("Values Scan on \"*VALUES*\"".to_owned(), kind("Values Scan"), own)
            }
            Kind::SubqueryScan { alias, .. } => {
                let title = format!("Subquery Scan on {}", quoted_name(alias));
                (title, kind("Subquery Scan"), vec![("Alias", alias.clone())])
            }
            Kind::NestedLoop { kind, .. } => join("Nested Loop", *kind),
            Kind::EquiJoin { kind, method: Method::Hash, .. } => join("Hash Join", *kind),
            Kind::EquiJoin { kind, .. } => join("Merge Join", *kind),
            Kind::Aggregate { keys, .. } if keys.is_empty() => grouped("Plain", "Aggregate"),
            Kind::Aggregate { .. } | Kind::Distinct { .. } => grouped("Hashed", "HashAggregate"),
            Kind::Result { .. }
            | Kind::Values { .. }
            | Kind::Filter { .. }
            | Kind::Project { .. } => plain("Result"),
            Kind::Locked { .. } => plain("LockRows"),
            Kind::Window { .. } => plain("WindowAgg"),
            Kind::Sort { .. } => plain("Sort"),
            Kind::Limit { .. } => plain("Limit"),
            Kind::Append { .. } => plain("Append"),
            Kind::SetOperation { operator, all, .. } => {
                let name = match operator {
                    SetOperator::Intersect => "Intersect",
                    _ => "Except",
                };
                let command = format!("{name}{}", if *all { " All" } else { "" });
                let mut kind = kind("SetOp");
                kind.push(("Strategy", "Hashed".to_owned()));
                (format!("HashSetOp {command}"), kind, vec![("Command", command)])
            }
        }
    }

    fn index_scan_name(&self, node: &Node) -> (String, Pairs, Pairs) {
        if let Kind::BitmapIndexScan { scanned, index, .. } = &node.kind {
            let (kind, it) = ("Bitmap Index Scan", scanned.table.indexes[*index].name.clone());
            let (title, kind) = (format!("{kind} on {it}"), vec![("Node Type", kind.to_owned())]);
            return (title, kind, vec![("Index Name", it)]);
        }
        let Kind::IndexScan { scanned, index, is_backward, is_only, .. } = &node.kind else {
            unreachable!("an index scan")
        };
        let only = if *is_only { " Only" } else { "" };
        let name = format!("Index{only} Scan");
        let index = &scanned.table.indexes[*index];
        let (backward, direction) = match (is_backward, index.index.is_hash()) {
            (_, true) => ("", "NoMovement"),
            (true, false) => (" Backward", "Backward"),
            (false, false) => ("", "Forward"),
        };
        let target = self.target(&scanned.table.name, &scanned.alias);
        let title = format!("{name}{backward} using {} on {target}", index.name);
        let mut own =
            vec![("Scan Direction", direction.to_owned()), ("Index Name", index.name.clone())];
        own.extend(table_of(scanned));
        (title, vec![("Node Type", name)], own)
    }

    fn function_name(&self, name: &str, alias: &str) -> (String, Pairs, Pairs) {
        let schema = if self.options.verbose { "pg_catalog." } else { "" };
        let shown = if alias == name { String::new() } else { format!(" {alias}") };
        let own = [("Function Name", name), ("Schema", "pg_catalog"), ("Alias", alias)];
        let own = own.map(|(name, it)| (name, it.to_owned())).to_vec();
        let title = format!("Function Scan on {schema}{name}{shown}");
        (title, vec![("Node Type", "Function Scan".to_owned())], own)
    }
}

fn table_of(scanned: &Scanned) -> Pairs {
    let (name, alias) = (scanned.table.name.clone(), scanned.alias.clone());
    vec![("Relation Name", name), ("Schema", "public".to_owned()), ("Alias", alias)]
}
