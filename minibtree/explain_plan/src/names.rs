//! What columns are called in EXPLAIN, and expressions of them.
//!
//! ```text
//! node                                  names of its columns
//! Seq Scan on t a                       a.id, a.x
//! Project id, x + 1                     a.id, (a.x + 1)
//! Aggregate by x: count(*)              a.x, count(*)
//! ```

use crate::{Described, Statement};
use minibtree_explain::is_column_name;
use minibtree_expression::{Deparser, SubqueryKind};
use minibtree_plan::{Kind, Node, Scanned, SubPlan};
use minibtree_query::{AggregateCall, Expr};
use std::ops::Deref;

impl<Table: Deref<Target: Described>> Statement<'_, Table> {
    /// What the columns of a node's rows are called, with their tables or without.
    pub fn names(&self, node: &Node<Table>, prefix: bool) -> Vec<String> {
        // Columns with these names from `start` on, in a row of this width.
        let placed = |width: usize, start: usize, alias: &str, columns: Vec<&str>| {
            let mut names = vec![String::new(); width];
            for (name, column) in names[start..].iter_mut().zip(columns) {
                *name = qualified(alias, column, prefix);
            }
            names
        };
        if let Some(Scanned { table, alias, start, width, .. }) = node.scanned() {
            return placed(*width, *start, alias, table.columns());
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
    pub fn target_names(
        &self,
        input: &Node<Table>,
        targets: &[Expr<Table>],
        prefix: bool,
    ) -> Vec<String> {
        let below = self.names(input, prefix);
        let name = |it: &Expr<Table>| match self.text(it, &below) {
            text if is_column_name(&text) => text,
            text => format!("({text})"),
        };
        targets.iter().map(name).collect()
    }

    /// `count(DISTINCT id)`.
    pub fn aggregate_name(&self, call: &AggregateCall<Table>, below: &[String]) -> String {
        let arguments: Vec<String> = call.arguments.iter().map(|it| self.text(it, below)).collect();
        let list = if arguments.is_empty() { "*".to_owned() } else { arguments.join(", ") };
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        format!("{}({distinct}{list})", call.aggregate.name)
    }

    /// An expression as PostgreSQL writes it.
    pub fn text(&self, expr: &Expr<Table>, names: &[String]) -> String {
        let (name_of, around) = (self.name_of, self.around.borrow());
        let names = std::iter::once(names).chain(around.iter().rev().map(Vec::as_slice));
        let names = &names.collect::<Vec<_>>();
        Deparser { name_of, names, subplan: Some(&|it| self.subplan_text(it)) }.text(expr)
    }

    fn subplan_text(&self, number: usize) -> String {
        let SubPlan { kind, is_correlated, .. } = &self.subplans[number];
        match kind {
            _ if *is_correlated => format!("(SubPlan {})", number + 1),
            SubqueryKind::Any(_) | SubqueryKind::All(_) => {
                format!("(hashed SubPlan {})", number + 1)
            }
            _ => format!("${number}"),
        }
    }
}

/// `alias.name`, or the name alone.
pub fn qualified(alias: &str, name: &str, prefix: bool) -> String {
    if prefix { format!("{alias}.{name}") } else { name.to_owned() }
}
