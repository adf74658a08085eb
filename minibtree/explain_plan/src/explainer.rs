//! A node of a plan, with what it tells.
//!
//! Some of our nodes do the work of several of PostgreSQL's, and some of PostgreSQL's do that of
//! several of ours:
//!
//! ```text
//! ours                             PostgreSQL's
//! Project (Index Scan)             Index Scan, which computes the columns
//! Filter (Nested Loop)             Nested Loop with a Filter
//! Hash Join (Seq Scan, Seq Scan)   Hash Join (Seq Scan, Hash (Seq Scan))
//! ```

use crate::names::qualified;
use crate::title::{Title, modify_title, plain_title, title};
use crate::{Described, Statement, VALUES, changed, relations, used_columns};
use minibtree_cost::Cost;
use minibtree_explain::{Measured, Node as Shown, Options, Value};
use minibtree_functions::Comparison;
use minibtree_plan::{Kind, LockRows, Method, Modify, Node, SortBy};
use minibtree_query::{Expr, Operation};
use minibtree_types::values::Type;
use std::ops::Deref;
use std::rc::Rc;

/// Makes what is shown of the nodes of a statement.
pub struct Explainer<'a, Table> {
    pub statement: &'a Statement<'a, Table>,
    pub options: Options,
    pub measured: &'a [Measured],
    /// Columns are shown with their tables.
    pub has_several: bool,
    /// What the columns are called that an index scan takes from the outer side of its join.
    pub outer: Vec<String>,
    /// Subqueries that were shown.
    pub shown: Vec<bool>,
}

/// What a node returns.
pub enum Output {
    /// These expressions, as they are written.
    Exact(Vec<String>),
    /// Of its columns those that are used above it.
    Used(Vec<usize>),
    /// All columns of a table, which saves computing the row anew; else as `Used`.
    Whole(Vec<usize>),
}

impl<Table: Deref<Target: Described> + Clone> Explainer<'_, Table> {
    /// The first properties of a node: what it is.
    fn begin(&self, (title, kind, own): Title, relationship: &'static str) -> Shown {
        let mut shown = Shown::new(title);
        for (name, value) in kind {
            shown.json(name, Value::Text(value));
        }
        if !relationship.is_empty() {
            shown.json("Parent Relationship", Value::text(relationship));
        }
        shown.json("Parallel Aware", Value::literal(false));
        shown.json("Async Capable", Value::literal(false));
        for (name, value) in own {
            if name != "Schema" || self.options.verbose {
                shown.json(name, Value::Text(value));
            }
        }
        shown
    }

    /// A step that PostgreSQL has a node for, and we a part of the node around it.
    fn stage(
        &self,
        name: &'static str,
        node: &Node<Table>,
        output: Vec<String>,
        children: Vec<Shown>,
    ) -> Shown {
        let relationship = if name == "Hash" || name == "Materialize" { "Inner" } else { "Outer" };
        let mut shown = self.begin(plain_title(name), relationship);
        // A hash table has its first row when it has its last one.
        let startup = if name == "Hash" { node.cost.total } else { node.cost.startup };
        shown.figures(Cost { startup, ..node.cost }, self.measured.get(node.id), self.options);
        self.output(&output, &mut shown);
        if name != "Hash" {
            shown.buffers(self.measured.get(node.id), self.options);
        }
        shown.children = children;
        shown
    }

    /// A query with FOR UPDATE: PostgreSQL locks its rows in a node above it, below LIMIT.
    pub fn locked(&mut self, lock: &LockRows<Table>, relationship: &'static str) -> Shown {
        let node = &lock.input;
        let mut output = self.columns(node, &used_columns(&lock.targets), false);
        let places = relations(node).into_iter();
        output.extend(places.map(|it| qualified(it, "ctid", self.has_several)));
        let mut shown = self.node(node, &Output::Exact(output.clone()), "Outer");
        let limit = (lock.limit.is_some() || lock.offset.is_some()).then_some("Limit");
        for name in std::iter::once("LockRows").chain(limit) {
            shown = self.stage(name, node, output.clone(), vec![shown]);
        }
        shown.forget("Parent Relationship");
        shown.insert_after("Node Type", "Parent Relationship", Value::text(relationship));
        shown
    }

    pub fn modify(&mut self, modify: &Modify<Table>) -> Shown {
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
            true => table.name(),
            false => changed(&modify.source).unwrap_or(table.name()),
        };
        let title = modify_title(verb, table.name(), alias, self.options.verbose);
        let mut shown = self.begin(title, "");
        shown.figures(cost, self.measured.get(self.statement.nodes), self.options);

        let several = self.has_several;
        let below = self.own_texts(&modify.source);
        let names = match is_insert {
            true => {
                let columns = table.columns().into_iter();
                columns.map(|it| qualified(alias, it, several)).collect()
            }
            false => below.clone(),
        };
        let returned = modify.returning.iter().map(|it| self.statement.text(it, &names));
        self.output(&returned.collect::<Vec<_>>(), &mut shown);
        shown.buffers(self.measured.get(self.statement.nodes), self.options);

        // The node below computes the new values, and says where the row is that is changed.
        let mut output: Vec<String> =
            values.iter().flatten().map(|it| self.statement.text(it, &below)).collect();
        if !is_insert {
            let others = relations(&modify.source).into_iter().filter(|it| *it != alias);
            let places = std::iter::once(alias).chain(others);
            output.extend(places.map(|it| qualified(it, "ctid", several)));
        }
        let output = Output::Exact(output);
        shown.children.push(self.node(&modify.source, &output, "Outer"));
        shown
    }

    /// The columns of a node, each as the node itself writes it.
    fn own_texts(&self, node: &Node<Table>) -> Vec<String> {
        let all = |exprs: &[Expr<Table>], names: &[String]| -> Vec<String> {
            exprs.iter().map(|it| self.statement.text(it, names)).collect()
        };
        match &node.kind {
            Kind::Project { input, targets } => {
                all(targets, &self.statement.names(input, self.has_several))
            }
            Kind::Values { rows } if rows.len() == 1 => all(&rows[0], &[]),
            Kind::Values { rows } => {
                (1..=rows[0].len()).map(|it| format!("\"{VALUES}\".column{it}")).collect()
            }
            _ => self.statement.names(node, self.has_several),
        }
    }

    fn output(&self, output: &[String], shown: &mut Shown) {
        if self.options.verbose && !output.is_empty() {
            shown.both("Output", Value::List(output.to_vec()));
        }
    }

    pub fn node(
        &mut self,
        node: &Rc<Node<Table>>,
        output: &Output,
        relationship: &'static str,
    ) -> Shown {
        let mut shown = self.node_alone(node, output, relationship);
        self.init_plans(node.id, &mut shown);
        shown
    }

    fn node_alone(
        &mut self,
        node: &Rc<Node<Table>>,
        output: &Output,
        relationship: &'static str,
    ) -> Shown {
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
            self.subplans(input, &targets.iter().collect::<Vec<_>>(), &mut shown);
            return shown;
        }
        let (texts, used) = match output {
            Output::Exact(texts) => (texts.clone(), Vec::new()),
            Output::Used(used) => (self.columns(node, used, false), used.clone()),
            Output::Whole(used) => (self.columns(node, used, true), used.clone()),
        };
        self.node_of(node, texts, used, relationship)
    }

    /// The columns of a node that are used above, or all of a table.
    fn columns(&self, node: &Node<Table>, used: &[usize], is_whole: bool) -> Vec<String> {
        let names = self.statement.names(node, self.has_several);
        match &node.kind {
            Kind::SeqScan { scanned, .. }
            | Kind::IndexScan { scanned, is_only: false, .. }
            | Kind::BitmapScan { scanned, .. }
                if is_whole =>
            {
                names[scanned.start..][..scanned.table.columns().len()].to_vec()
            }
            Kind::NestedLoop { outer, inner, .. } | Kind::EquiJoin { outer, inner, .. } => {
                [outer, inner].map(|it| self.columns(it, used, false)).concat()
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
        node: &Rc<Node<Table>>,
        output: Vec<String>,
        mut used: Vec<usize>,
        relationship: &'static str,
    ) -> Shown {
        // PostgreSQL shows what filters the rows of a join as a part of it.
        let (kept, filter) = match &node.kind {
            Kind::Filter { input, condition } => (input, condition.as_ref()),
            _ => (node, None),
        };
        let mut shown = self.begin(title(kept, self.options.verbose), relationship);
        shown.figures(node.cost, self.measured.get(node.id), self.options);
        match &kept.kind {
            Kind::Append { .. } | Kind::BitmapIndexScan { .. } | Kind::BitmapMerge { .. } => {}
            _ => self.output(&output, &mut shown),
        }
        let exprs = self.details(kept, &mut shown);
        self.filter(node, filter, &self.statement.names(kept, true), &mut shown);
        shown.buffers(self.measured.get(node.id), self.options);
        if let (Kind::Append { .. }, true) = (&kept.kind, self.options.json) {
            shown.json("Subplans Removed", Value::literal(0));
        }

        for position in used_columns(exprs.iter().copied().chain(filter)) {
            if !used.contains(&position) {
                used.push(position);
            }
        }
        self.inputs(kept, &output, used, &mut shown);
        self.subplans(kept, &exprs.into_iter().chain(filter).collect::<Vec<_>>(), &mut shown);
        shown
    }

    /// The nodes below a node.
    fn inputs(
        &mut self,
        node: &Node<Table>,
        output: &[String],
        used: Vec<usize>,
        shown: &mut Shown,
    ) {
        for (number, input) in node.inputs().into_iter().enumerate() {
            let child = match (&node.kind, number) {
                (Kind::EquiJoin { method: Method::Hash, .. }, 1) => {
                    let texts = self.columns(input, &used, false);
                    let below = self.node(input, &Output::Used(used.clone()), "Outer");
                    let mut hash = self.stage("Hash", input, texts, vec![below]);
                    hash.hash_table(self.measured.get(node.id));
                    hash.buffers(self.measured.get(input.id), self.options);
                    hash
                }
                (Kind::NestedLoop { outer, is_parameterized: true, .. }, 1) => {
                    let names = self.statement.names(outer, true);
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
                (Kind::SubqueryScan { .. }, _) => self.inner(input, Vec::new(), "Subquery"),
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
        condition: &Expr<Table>,
        names: &[String],
        shown: &mut Shown,
    ) {
        shown.both(label, Value::Text(self.statement.text(condition, names)));
    }

    /// What leaves out rows, and how many.
    fn filter(
        &self,
        node: &Node<Table>,
        filter: Option<&Expr<Table>>,
        names: &[String],
        shown: &mut Shown,
    ) {
        if let Some(filter) = filter {
            self.condition("Filter", filter, names, shown);
            shown.removed("Rows Removed by Filter", self.measured.get(node.id));
        }
    }

    /// What a node does, beside its name. Returns the expressions that may have subqueries.
    fn details<'n>(&self, node: &'n Node<Table>, shown: &mut Shown) -> Vec<&'n Expr<Table>> {
        let names = self.names_in_conditions(node);
        let show = |label, condition: &Option<Expr<Table>>, shown: &mut Shown| {
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
                    let texts =
                        arguments.iter().map(|it| self.statement.text(it, &[])).collect::<Vec<_>>();
                    let call = format!("{}({})", function.name(), texts.join(", "));
                    shown.both("Function Call", Value::Text(call));
                }
                self.filter(node, filter.as_ref(), &names, shown);
                exprs.extend(filter);
            }
            Kind::IndexScan { conditions, filter, .. }
            | Kind::BitmapScan { recheck: conditions, filter, .. } => {
                let is_bitmap = matches!(node.kind, Kind::BitmapScan { .. });
                let label = if is_bitmap { "Recheck Cond" } else { "Index Cond" };
                show(label, conditions, shown);
                if conditions.is_some() && self.measured.get(node.id).is_some() {
                    shown.json("Rows Removed by Index Recheck", Value::literal(0));
                }
                self.filter(node, filter.as_ref(), &names, shown);
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
                    shown.groups(self.measured.get(node.id), self.options);
                }
                if having.is_some() {
                    shown.removed("Rows Removed by Filter", self.measured.get(node.id));
                }
                exprs.extend(having);
            }
            Kind::Distinct { input, keys } => {
                self.group_keys(input, keys, shown);
                shown.groups(self.measured.get(node.id), self.options);
                exprs.extend(keys.iter().map(|it| &it.0));
            }
            Kind::Sort { keys, .. } => {
                let texts = keys.iter().map(|key| self.sort_key(key, &names)).collect();
                shown.both("Sort Key", Value::List(texts));
                shown.sort(self.measured.get(node.id));
                exprs.extend(keys.iter().map(|it| &it.expr));
            }
            _ => {}
        }
        exprs
    }

    /// What a scan has read in the table, as far as it tells.
    fn heap_reads(&self, node: &Node<Table>, shown: &mut Shown) {
        let Some(it) = self.measured.get(node.id) else { return };
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
        node: &'n Node<Table>,
        names: &[String],
        shown: &mut Shown,
    ) -> Vec<&'n Expr<Table>> {
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
            shown.removed("Rows Removed by Join Filter", self.measured.get(node.id));
        }
        equal.iter().flat_map(|(outer, inner, _)| [outer, inner]).chain(condition).collect()
    }

    fn group_keys(&self, input: &Node<Table>, keys: &[(Expr<Table>, Type)], shown: &mut Shown) {
        let below = self.statement.names(input, self.has_several || self.options.verbose);
        let texts: Vec<String> =
            keys.iter().map(|(key, _)| self.statement.text(key, &below)).collect();
        if !texts.is_empty() {
            shown.both("Group Key", Value::List(texts));
        }
    }

    fn sort_key(&self, key: &SortBy<Table>, names: &[String]) -> String {
        let order = match (key.descending, key.nulls_first) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        };
        self.statement.text(&key.expr, names) + order
    }

    /// The subqueries of expressions that are executed for rows.
    fn subplans(&mut self, node: &Node<Table>, exprs: &[&Expr<Table>], shown: &mut Shown) {
        let mut numbers = Vec::new();
        for expr in exprs {
            expr.walk(0, &mut |expr, _| {
                if let Expr::SubPlan(number, _) = expr {
                    numbers.push(*number);
                }
            });
        }
        for number in numbers {
            if !std::mem::replace(&mut self.shown[number], true) {
                let names = self.statement.names(node, true);
                shown.children.push(self.subplan(number, "SubPlan", "", names));
            }
        }
    }

    /// The init plans of a query, whose topmost node this is.
    pub fn init_plans(&mut self, top: usize, shown: &mut Shown) {
        let plans = self.statement.init_plans.iter().filter(|it| it.1 == top);
        let plans = plans.map(|(number, _)| {
            self.subplan(*number, "InitPlan", &format!(" (returns ${number})"), Vec::new())
        });
        let plans: Vec<Shown> = plans.collect();
        shown.children.splice(0..0, plans);
    }

    fn subplan(
        &mut self,
        number: usize,
        kind: &'static str,
        returns: &str,
        names: Vec<String>,
    ) -> Shown {
        let label = format!("{kind} {}{returns}", number + 1);
        let outer = std::mem::take(&mut self.outer);
        let mut shown = self.inner(&self.statement.subplans[number].node, names, kind);
        self.outer = outer;
        shown.insert_after("Parent Relationship", "Subplan Name", Value::text(&label));
        shown.label = Some(label);
        shown
    }

    /// A query inside of one whose columns have these names.
    fn inner(
        &mut self,
        node: &Rc<Node<Table>>,
        names: Vec<String>,
        relationship: &'static str,
    ) -> Shown {
        self.statement.around.borrow_mut().push(names);
        let shown = self.node(node, &Output::Used(Vec::new()), relationship);
        self.statement.around.borrow_mut().pop();
        shown
    }

    /// What columns are called in conditions: a scan need not say whose its own ones are.
    fn names_in_conditions(&self, node: &Node<Table>) -> Vec<String> {
        let verbose = self.options.verbose;
        let mut names = self.statement.names(node, verbose || self.has_several);
        if let Some(scanned) = node.scanned().filter(|_| !verbose) {
            let own = names[scanned.start..].iter_mut().zip(scanned.table.columns());
            own.for_each(|(name, column)| column.clone_into(name));
        }
        for (name, outer) in names.iter_mut().zip(&self.outer).filter(|it| it.0.is_empty()) {
            name.clone_from(outer);
        }
        names
    }
}
