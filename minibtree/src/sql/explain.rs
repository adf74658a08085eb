//! EXPLAIN: what a plan looks like, in PostgreSQL's text format.
//!
//! ```text
//! Index Scan using t_pkey on t  (cost=0.15..8.17 rows=1 width=36)
//!   Index Cond: (id = 5)
//! ```
//!
//! PostgreSQL's `explain.c` and, for expressions, `ruleutils.c`.

use super::execute::Measured;
use super::functions::Comparison;
use super::plan::{Cost, Kind, Node, Plan, Planned, Scanned, SortBy};
use super::tree::{Expr, JoinKind, Operation, SetOperator, SubqueryKind, SystemValue};
use super::values::{Type, Value};
use crate::wire::{Result, SqlError};
use sqlparser::ast;
use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

/// What an EXPLAIN shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Executes the statement, and shows what happened.
    pub analyze: bool,
    pub costs: bool,
    pub timing: bool,
    /// Shows pages used.
    pub buffers: bool,
    /// Shows how long planning and execution took.
    pub summary: bool,
}

/// The options of an EXPLAIN.
///
/// # Errors
/// `42601` for an option that is none, `0A000` for those that we do not have.
pub fn options(analyze: bool, given: Option<&[ast::UtilityOption]>) -> Result<Options> {
    let mut options =
        Options { analyze, costs: true, timing: true, buffers: false, summary: analyze };
    let mut summary = None;
    for option in given.unwrap_or_default() {
        let name = option.name.value.to_lowercase();
        let value = option.arg.as_ref().map_or("on".to_owned(), |it| it.to_string().to_lowercase());
        let is_on = match value.trim_matches('\'') {
            "on" | "true" | "1" => true,
            "off" | "false" | "0" => false,
            "text" if name == "format" => true,
            _ => return Err(unsupported!("EXPLAIN ({option})")),
        };
        match name.as_str() {
            "analyze" => options.analyze = is_on,
            "costs" => options.costs = is_on,
            "timing" => options.timing = is_on,
            "buffers" => options.buffers = is_on,
            "summary" => summary = Some(is_on),
            "format" => {}
            "verbose" | "wal" | "settings" if !is_on => {}
            "verbose" | "wal" | "settings" => {
                return Err(unsupported!("EXPLAIN ({name})"));
            }
            _ => {
                let text = format!("unrecognized EXPLAIN option \"{name}\"");
                return Err(SqlError::new(crate::wire::code::SYNTAX_ERROR, text));
            }
        }
    }
    options.summary = summary.unwrap_or(options.analyze);
    Ok(options)
}

/// The lines of a plan. `measured` is what its nodes have done, and after them the whole statement.
pub fn lines(planned: &Planned, options: Options, measured: &[Measured]) -> Vec<String> {
    let mut explainer = Explainer {
        planned,
        options,
        measured,
        has_several: false,
        outer: Vec::new(),
        shown: vec![false; planned.subplans.len()],
        lines: Vec::new(),
    };
    let mut tables = planned.tables.len();
    let source = match &planned.plan {
        Plan::Copy => return Vec::new(),
        Plan::Query(node) | Plan::Lock(node, _) => node,
        Plan::Modify(modify) => {
            tables = tables.saturating_sub(modify.parents.len() + modify.children.len());
            &modify.source
        }
    };
    explainer.has_several = tables.max(relations(source)) > 1;
    match &planned.plan {
        Plan::Copy => {}
        Plan::Query(node) => explainer.node(node, 0, ""),
        Plan::Lock(node, lock) => {
            let indent = explainer.lock(node, lock.limit.is_some() || lock.offset.is_some());
            explainer.node(node, indent, "");
        }
        Plan::Modify(modify) => {
            let (verb, table) = match &modify.operation {
                Operation::Insert(write, _) => ("Insert", &write.table),
                Operation::Update(write) => ("Update", &write.table),
                Operation::Delete(write) => ("Delete", &write.table),
            };
            let cost = match modify.returning.is_empty() {
                true => Cost { rows: 0.0, width: 0.0, ..modify.source.cost },
                false => {
                    let width = modify.returning.iter().map(|it| it.base().width()).sum();
                    Cost { width, ..modify.source.cost }
                }
            };
            let figures = explainer.figures(cost, planned.nodes);
            explainer.line(0, format!("{verb} on {}{figures}", table.name));
            explainer.buffers(planned.nodes, 0);
            explainer.node(&modify.source, 1, "");
        }
    }
    explainer.lines
}

/// How many relations a plan reads.
fn relations(node: &Node) -> usize {
    let own = matches!(
        node.kind,
        Kind::SeqScan { .. }
            | Kind::IndexScan { .. }
            | Kind::Series { .. }
            | Kind::SubqueryScan { .. }
    );
    usize::from(own) + node.inputs().into_iter().map(|it| relations(it)).sum::<usize>()
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
    lines: Vec<String>,
}

impl Explainer<'_> {
    /// The first line of a node, at a depth.
    fn line(&mut self, depth: usize, text: String) {
        let indent = match depth {
            0 => String::new(),
            depth => format!("{}->  ", " ".repeat(2 + 6 * (depth - 1))),
        };
        self.lines.push(indent + &text);
    }

    /// A line about a node.
    fn detail(&mut self, depth: usize, text: String) {
        self.lines.push(format!("{}{text}", " ".repeat(2 + 6 * depth)));
    }

    fn lock(&mut self, node: &Rc<Node>, has_limit: bool) -> usize {
        let mut depth = 0;
        for name in ["Limit", "LockRows"].into_iter().filter(|it| has_limit || *it != "Limit") {
            self.stage(name, node, depth);
            depth += 1;
        }
        depth
    }

    /// A step that PostgreSQL has a node for, and we a part of the node around it.
    fn stage(&mut self, name: &str, node: &Node, depth: usize) {
        let text = name.to_owned() + &self.figures(node.cost, node.id);
        self.line(depth, text);
        self.buffers(node.id, depth);
    }

    fn figures(&self, cost: Cost, id: usize) -> String {
        let mut text = String::new();
        if self.options.costs {
            let _ = write!(
                text,
                "  (cost={:.2}..{:.2} rows={:.0} width={:.0})",
                cost.startup, cost.total, cost.rows, cost.width
            );
        }
        let Some(measured) = self.measured.get(id).filter(|_| self.options.analyze) else {
            return text;
        };
        if measured.loops == 0 {
            return text + " (never executed)";
        }
        let ms = |it: Duration| it.as_secs_f64() * 1e3 / measured.loops as f64;
        let rows = measured.rows as f64 / measured.loops as f64;
        let loops = measured.loops;
        let _ = match self.options.timing {
            true => write!(
                text,
                " (actual time={:.3}..{:.3} rows={rows:.0} loops={loops})",
                ms(measured.startup),
                ms(measured.total)
            ),
            false => write!(text, " (actual rows={rows:.0} loops={loops})"),
        };
        text
    }

    fn node(&mut self, node: &Rc<Node>, depth: usize, prefix: &str) {
        // PostgreSQL computes columns in the node below.
        if let Kind::Project { input, targets } = &node.kind {
            self.node(input, depth, prefix);
            let texts: Vec<&Expr> = targets.iter().collect();
            return self.subplans(&texts, depth);
        }
        // PostgreSQL shows what filters the rows of a join as a part of it.
        let (shown, filter) = match &node.kind {
            Kind::Filter { input, condition } => (input, condition.as_ref()),
            _ => (node, None),
        };
        let name = name_of(shown);
        let text = format!("{prefix}{name}{}", self.figures(node.cost, node.id));
        self.line(depth, text);
        self.details(shown, depth, filter.is_some());
        if let Some(filter) = filter {
            let text = self.text(filter, &self.names(shown));
            self.detail(depth, format!("Filter: {}", parenthesized(text)));
            self.removed(node, depth, true);
            self.buffers(node.id, depth);
            self.subplans(&[filter], depth);
        }
        for (number, input) in shown.inputs().into_iter().enumerate() {
            match (&shown.kind, number) {
                (Kind::HashJoin { .. }, 1) => {
                    self.hash(shown.id, input, depth + 1);
                    self.node(input, depth + 2, "");
                }
                (Kind::NestedLoop { outer, is_parameterized: true, .. }, 1) => {
                    let names = self.names(outer);
                    let before = std::mem::replace(&mut self.outer, names);
                    self.node(input, depth + 1, "");
                    self.outer = before;
                }
                (Kind::NestedLoop { is_parameterized: false, .. }, 1) => {
                    self.stage("Materialize", input, depth + 1);
                    self.node(input, depth + 2, "");
                }
                _ => self.node(input, depth + 1, ""),
            }
        }
    }

    fn details(&mut self, node: &Rc<Node>, depth: usize, is_filtered: bool) {
        let names = self.names_in_conditions(node);
        let mut exprs: Vec<&Expr> = Vec::new();
        let show = |this: &mut Self, label: &str, condition: Option<&Expr>| {
            if let Some(condition) = condition {
                let text = this.text(condition, &names);
                this.detail(depth, format!("{label}: {}", parenthesized(text)));
            }
        };
        match &node.kind {
            Kind::Result { condition, .. } => {
                show(self, "One-Time Filter", condition.as_ref());
                exprs.extend(condition);
            }
            Kind::SeqScan { filter, .. }
            | Kind::Series { filter, .. }
            | Kind::SubqueryScan { filter, .. } => {
                show(self, "Filter", filter.as_ref());
                self.removed(node, depth, filter.is_some());
                exprs.extend(filter);
            }
            Kind::IndexScan { conditions, filter, is_only, .. } => {
                let condition = Expr::all(conditions.clone());
                show(self, "Index Cond", condition.as_ref());
                show(self, "Filter", filter.as_ref());
                self.removed(node, depth, filter.is_some());
                if let (true, true, Some(it)) =
                    (*is_only, self.options.analyze, self.measured.get(node.id))
                {
                    self.detail(depth, format!("Heap Fetches: {}", it.heap_fetches));
                }
                exprs.extend(filter);
            }
            Kind::NestedLoop { condition, is_parameterized, .. } => {
                let condition = condition.as_ref().filter(|_| !is_parameterized);
                show(self, "Join Filter", condition);
                exprs.extend(condition);
            }
            Kind::HashJoin { keys, condition, .. } => {
                let equal = keys.iter().map(|(outer, inner, _)| {
                    let (outer, inner) = (Box::new(outer.clone()), Box::new(inner.clone()));
                    Expr::Compare(Comparison::Eq, outer, inner, false)
                });
                show(self, "Hash Cond", Expr::all(equal.collect()).as_ref());
                show(self, "Join Filter", condition.as_ref());
                exprs.extend(condition);
            }
            Kind::Aggregate { having, .. } => {
                self.group_key(node, depth);
                show(self, "Filter", having.as_ref());
                self.removed(node, depth, having.is_some());
                exprs.extend(having);
            }
            Kind::Sort { keys, .. } => self.sort_keys(node, keys, &names, depth),
            Kind::Distinct { keys, .. } => {
                let texts: Vec<String> = keys.iter().map(|it| self.text(&it.0, &names)).collect();
                self.detail(depth, format!("Group Key: {}", texts.join(", ")));
            }
            _ => {}
        }
        if !is_filtered {
            self.buffers(node.id, depth);
        }
        self.subplans(&exprs, depth);
    }

    /// The hash table of a join.
    fn hash(&mut self, join: usize, input: &Node, depth: usize) {
        let text = "Hash".to_owned() + &self.figures(input.cost, input.id);
        self.line(depth, text);
        if let Some(it) = self.measured.get(join).filter(|it| self.options.analyze && it.loops > 0)
        {
            let buckets = it.entries.next_power_of_two().max(1024);
            let memory = (it.memory + 8 * buckets).div_ceil(1024);
            let text = format!("Buckets: {buckets}  Batches: 1  Memory Usage: {memory}kB");
            self.detail(depth, text);
        }
        self.buffers(input.id, depth);
    }

    /// The pages that a node has used, those below included.
    fn buffers(&mut self, id: usize, depth: usize) {
        if let Some(it) = self.measured.get(id).filter(|_| self.options.buffers)
            && let Some(text) = buffers_text(&it.buffers)
        {
            self.detail(depth, text);
        }
    }

    fn group_key(&mut self, node: &Node, depth: usize) {
        let Kind::Aggregate { input, keys, .. } = &node.kind else { return };
        if keys.is_empty() {
            return;
        }
        let below = self.names(input);
        let texts = keys.iter().map(|(key, _)| self.text(key, &below));
        let texts = texts.collect::<Vec<_>>().join(", ");
        self.detail(depth, format!("Group Key: {texts}"));
    }

    fn sort_keys(&mut self, node: &Node, keys: &[SortBy], names: &[String], depth: usize) {
        let texts: Vec<String> = keys.iter().map(|key| self.sort_key(key, names)).collect();
        self.detail(depth, format!("Sort Key: {}", texts.join(", ")));
        if let (true, Some(it)) = (self.options.analyze, self.measured.get(node.id)) {
            let method = if it.is_bounded { "top-N heapsort" } else { "quicksort" };
            let memory = it.memory.div_ceil(1024).max(25);
            self.detail(depth, format!("Sort Method: {method}  Memory: {memory}kB"));
        }
    }

    fn removed(&mut self, node: &Node, depth: usize, has_filter: bool) {
        let Some(it) = self.measured.get(node.id).filter(|_| self.options.analyze && has_filter)
        else {
            return;
        };
        if it.removed > 0 {
            let removed = it.removed as f64 / it.loops.max(1) as f64;
            self.detail(depth, format!("Rows Removed by Filter: {removed:.0}"));
        }
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
    fn subplans(&mut self, exprs: &[&Expr], depth: usize) {
        let mut numbers = Vec::new();
        for expr in exprs {
            expr.walk(0, &mut |expr, _| {
                if let Expr::SubPlan(number, _) = expr {
                    numbers.push(*number);
                }
            });
        }
        for number in numbers {
            if std::mem::replace(&mut self.shown[number], true) {
                continue;
            }
            let plan = &self.planned.subplans[number];
            let title = match (&plan.kind, plan.is_correlated) {
                (SubqueryKind::Scalar | SubqueryKind::Exists, false) => {
                    format!("InitPlan {} (returns ${number})", number + 1)
                }
                _ => format!("SubPlan {}", number + 1),
            };
            self.detail(depth, title);
            let node = Rc::clone(&plan.node);
            self.node(&node, depth + 1, "");
        }
    }

    /// What columns are called in conditions: a scan need not say whose its own ones are.
    fn names_in_conditions(&self, node: &Node) -> Vec<String> {
        let mut names = self.names(node);
        if let Kind::SeqScan { scanned, .. } | Kind::IndexScan { scanned, .. } = &node.kind {
            let own = names[scanned.start..].iter_mut().zip(&scanned.table.columns);
            own.for_each(|(name, column)| name.clone_from(&column.name));
        }
        for (name, outer) in names.iter_mut().zip(&self.outer).filter(|it| it.0.is_empty()) {
            name.clone_from(outer);
        }
        names
    }

    /// What the columns of a node's rows are called.
    fn names(&self, node: &Node) -> Vec<String> {
        let mut names = Vec::new();
        match &node.kind {
            Kind::SeqScan { scanned, .. } | Kind::IndexScan { scanned, .. } => {
                names.resize(scanned.width, String::new());
                for (index, column) in scanned.table.columns.iter().enumerate() {
                    names[scanned.start + index] = self.qualified(&scanned.alias, &column.name);
                }
            }
            Kind::Series { position, width, alias, .. } => {
                names.resize(*width, String::new());
                names[*position] = self.qualified(alias, alias);
            }
            Kind::SubqueryScan { query, columns, start, width, alias, .. } => {
                names.resize(*width, String::new());
                let inner = self.names(query);
                for index in 0..*columns {
                    let name = inner.get(index).map_or("", |it| it.as_str());
                    let name = name.rsplit('.').next().unwrap_or(name);
                    names[start + index] = self.qualified(alias, name);
                }
            }
            Kind::NestedLoop { outer, inner, .. } | Kind::HashJoin { outer, inner, .. } => {
                names = self.names(outer);
                for (name, other) in names.iter_mut().zip(self.names(inner)) {
                    if name.is_empty() {
                        *name = other;
                    }
                }
            }
            Kind::Aggregate { input, keys, aggregates, .. } => {
                let below = self.names(input);
                names.extend(keys.iter().map(|(key, _)| self.text(key, &below)));
                names.extend(aggregates.iter().map(|call| {
                    let arguments: Vec<String> =
                        call.arguments.iter().map(|it| self.text(it, &below)).collect();
                    let list = match arguments.is_empty() {
                        true => "*".to_owned(),
                        false => arguments.join(", "),
                    };
                    let distinct = if call.distinct { "DISTINCT " } else { "" };
                    format!("{}({distinct}{list})", call.aggregate.name)
                }));
            }
            Kind::Project { input, targets } => {
                let below = self.names(input);
                names.extend(targets.iter().map(|it| self.text(it, &below)));
            }
            Kind::Result { width, input: None, .. } => names.resize(*width, String::new()),
            Kind::Values { rows } => {
                let width = rows.first().map_or(0, Vec::len);
                names.extend((1..=width).map(|it| format!("column{it}")));
            }
            _ => {
                if let Some(input) = node.inputs().first() {
                    names = self.names(input);
                }
            }
        }
        names
    }

    fn qualified(&self, alias: &str, name: &str) -> String {
        if self.has_several { format!("{alias}.{name}") } else { name.to_owned() }
    }

    /// An expression as PostgreSQL writes it.
    fn text(&self, expr: &Expr, names: &[String]) -> String {
        let text = |expr: &Expr| self.text(expr, names);
        let listed =
            |all: &[Expr], between: &str| all.iter().map(text).collect::<Vec<_>>().join(between);
        match expr {
            Expr::Constant(value, base) => constant(value, *base),
            Expr::Parameter(number, _) => format!("${}", number + 1),
            Expr::Column(column) if column.level == 0 => {
                names.get(column.position).cloned().unwrap_or_default()
            }
            Expr::Column(column) => format!("outer.{}", column.position + 1),
            Expr::Now => "CURRENT_TIMESTAMP".to_owned(),
            Expr::Compare(comparison, left, right, _) => {
                format!("({} {} {})", text(left), comparison.name(), text(right))
            }
            Expr::Call(function, arguments) => match &arguments[..] {
                [left, right] if !function.name.starts_with(char::is_alphabetic) => {
                    format!("({} {} {})", text(left), function.name, text(right))
                }
                [one] if !function.name.starts_with(char::is_alphabetic) => {
                    format!("({} {})", function.name, text(one))
                }
                all => {
                    let all: Vec<String> = all.iter().map(text).collect();
                    format!("{}({})", function.name, all.join(", "))
                }
            },
            Expr::And(all) => format!("({})", listed(all, " AND ")),
            Expr::Or(all) => format!("({})", listed(all, " OR ")),
            Expr::Not(inner) => match &**inner {
                Expr::IsNull(inner) => format!("({} IS NOT NULL)", text(inner)),
                inner => format!("(NOT {})", text(inner)),
            },
            Expr::IsNull(inner) => format!("({} IS NULL)", text(inner)),
            Expr::IsTruth(inner, wanted, negated) => {
                let not = if *negated { "NOT " } else { "" };
                let what = match wanted {
                    Some(true) => "TRUE",
                    Some(false) => "FALSE",
                    None => "UNKNOWN",
                };
                format!("({} IS {not}{what})", text(inner))
            }
            Expr::IsDistinct(left, right, _) => {
                format!("({} IS DISTINCT FROM {})", text(left), text(right))
            }
            Expr::Case(cases, otherwise) => {
                let mut all = "CASE".to_owned();
                for (condition, result) in cases {
                    let _ = write!(all, " WHEN {} THEN {}", text(condition), text(result));
                }
                format!("{all} ELSE {} END", text(otherwise))
            }
            Expr::Coalesce(all) => format!("COALESCE({})", listed(all, ", ")),
            Expr::NullIf(_, value) => format!("NULLIF({}, ...)", text(value)),
            Expr::Extreme(all, true, _) => format!("GREATEST({})", listed(all, ", ")),
            Expr::Extreme(all, false, _) => format!("LEAST({})", listed(all, ", ")),
            Expr::InList(value, list, _) => in_list(text(value), list),
            Expr::Cast(inner, _, to, _) => format!("({})::{}", text(inner), to.name()),
            Expr::Fit(inner, to, _) => format!("({})::{}", text(inner), to.name()),
            Expr::System(SystemValue::NextValue(_)) => "nextval(...)".to_owned(),
            Expr::System(SystemValue::WalEnd) => "pg_current_wal_insert_lsn()".to_owned(),
            Expr::System(SystemValue::Size(_)) => "pg_relation_size(...)".to_owned(),
            Expr::SubPlan(number, _) => self.subplan_text(*number),
            Expr::Aggregate(..) | Expr::Subquery(_) => String::new(),
        }
    }

    fn subplan_text(&self, number: usize) -> String {
        let plan = &self.planned.subplans[number];
        match (&plan.kind, plan.is_correlated) {
            (SubqueryKind::Scalar | SubqueryKind::Exists, false) => format!("${number}"),
            (_, true) => format!("(SubPlan {})", number + 1),
            (_, false) => format!("(hashed SubPlan {})", number + 1),
        }
    }
}

/// `Buffers: shared hit=3 read=1`; none if no page was used.
pub fn buffers_text(buffers: &[u64; 4]) -> Option<String> {
    let parts = ["hit", "read", "dirtied", "written"].into_iter().zip(buffers);
    let used = parts.filter(|it| *it.1 > 0).map(|(name, count)| format!(" {name}={count}"));
    let used: String = used.collect();
    (!used.is_empty()).then(|| format!("Buffers: shared{used}"))
}

/// `(a = ANY ('{1,2}'::integer[]))`
fn in_list(value: String, list: &[Expr]) -> String {
    let base = list.first().map_or(Type::Text, Expr::base);
    let item = |expr: &Expr| match expr {
        Expr::Constant(Value::Null, _) => Some("NULL".to_owned()),
        Expr::Constant(value, _) => Some(base.text_of(value)),
        _ => None,
    };
    match list.iter().map(item).collect::<Option<Vec<_>>>() {
        Some(items) => format!("({value} = ANY ('{{{}}}'::{}[]))", items.join(","), base.name()),
        None => format!("({value} = ANY (ARRAY[...]))"),
    }
}

/// Conditions have parentheses already; columns and constants get them.
fn parenthesized(text: String) -> String {
    if text.starts_with('(') || text == "false" || text == "true" {
        text
    } else {
        format!("({text})")
    }
}

fn constant(value: &Value, base: Type) -> String {
    match value {
        Value::Null => format!("NULL::{}", base.name()),
        Value::Bool(on) => on.to_string(),
        Value::Int(number) if base == Type::Int4 && *number >= 0 => number.to_string(),
        Value::Numeric(_) if !base.text_of(value).starts_with('-') => base.text_of(value),
        value => format!("'{}'::{}", base.text_of(value).replace('\'', "''"), base.name()),
    }
}

/// The name of a node.
fn name_of(node: &Node) -> String {
    let join = |kind: JoinKind| match kind {
        JoinKind::Inner => "",
        JoinKind::Left => " Left",
        JoinKind::Semi => " Semi",
        JoinKind::Anti => " Anti",
    };
    let alias = |scanned: &Scanned| match scanned.alias == scanned.table.name {
        true => String::new(),
        false => format!(" {}", scanned.alias),
    };
    let plain = str::to_owned;
    match &node.kind {
        Kind::Result { .. } => plain("Result"),
        Kind::SeqScan { scanned, .. } => {
            format!("Seq Scan on {}{}", scanned.table.name, alias(scanned))
        }
        Kind::IndexScan { scanned, index, is_backward, is_only, .. } => {
            let only = if *is_only { " Only" } else { "" };
            let backward = if *is_backward { " Backward" } else { "" };
            let index = &scanned.table.indexes[*index].name;
            let table = &scanned.table.name;
            let alias = alias(scanned);
            format!("Index{only} Scan{backward} using {index} on {table}{alias}")
        }
        Kind::Series { alias, .. } if alias == "generate_series" => {
            plain("Function Scan on generate_series")
        }
        Kind::Series { alias, .. } => format!("Function Scan on generate_series {alias}"),
        Kind::Values { .. } => plain("Values Scan on \"*VALUES*\""),
        Kind::SubqueryScan { alias, .. } => format!("Subquery Scan on {alias}"),
        Kind::NestedLoop { kind, .. } => {
            let joined = join(*kind);
            format!("Nested Loop{joined}{}", if joined.is_empty() { "" } else { " Join" })
        }
        Kind::HashJoin { kind, .. } => format!("Hash{} Join", join(*kind)),
        Kind::Aggregate { keys, .. } if keys.is_empty() => plain("Aggregate"),
        Kind::Aggregate { .. } | Kind::Distinct { .. } => plain("HashAggregate"),
        Kind::Filter { .. } | Kind::Project { .. } => plain("Result"),
        Kind::Sort { .. } => plain("Sort"),
        Kind::Limit { .. } => plain("Limit"),
        Kind::Append { .. } => plain("Append"),
        Kind::SetOperation { operator, all, .. } => {
            let name = match operator {
                SetOperator::Intersect => "Intersect",
                _ => "Except",
            };
            format!("HashSetOp {name}{}", if *all { " All" } else { "" })
        }
    }
}
