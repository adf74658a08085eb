//! From nodes to what pulls their rows.

use super::context::{Context, Row};
use super::evaluate::{evaluate, is_met};
use super::group::{Aggregation, Distinct, SetOperation};
use super::join::{HashJoin, NestedLoop};
use super::scan::{IndexRows, SeqRows, Series};
use super::sort::Sort;
use crate::sql::plan::{Kind, Node};
use crate::sql::tree::Expr;
use crate::sql::values::Value;
use crate::wire::{SqlError, code};
use std::rc::Rc;
use std::time::Instant;

/// What pulls the rows of a node.
pub trait Rows {
    /// The next row, or `None` at the end.
    ///
    /// # Errors
    /// What evaluating and reading rows reports.
    fn next(&mut self) -> Result<Option<Row>, SqlError>;
}

/// Begins a node. `row` is that of the outer side, for the inner side of a nested loop.
///
/// # Errors
/// What evaluating the bounds of a scan reports.
pub fn open(node: &Rc<Node>, context: &Context, row: &[Value]) -> Result<Box<dyn Rows>, SqlError> {
    if context.execution.measured.is_none() {
        return open_plain(node, context, row);
    }
    let begun = Instant::now();
    let rows = open_plain(node, context, row)?;
    context.measure(node.id, |it| {
        it.loops += 1;
        it.startup += begun.elapsed();
        it.total += begun.elapsed();
    });
    Ok(Box::new(Timed { node: node.id, context: context.clone(), rows, has_begun: false }))
}

fn open_plain(
    node: &Rc<Node>,
    context: &Context,
    row: &[Value],
) -> Result<Box<dyn Rows>, SqlError> {
    let inside = |it: &Rc<Node>| open(it, context, row);
    Ok(match &node.kind {
        Kind::Result { condition, input, width } => {
            let is_met = is_met(condition, context, &vec![Value::Null; *width])?;
            match input {
                _ if !is_met => Box::new(Given(Vec::new().into_iter())),
                Some(input) => open(input, context, row)?,
                None => Box::new(Given(vec![vec![Value::Null; *width]].into_iter())),
            }
        }
        Kind::Filter { input, .. } => Box::new(Filter {
            rows: open(input, context, row)?,
            node: Rc::clone(node),
            context: context.clone(),
        }),
        Kind::SeqScan { .. } => Box::new(SeqRows::open(node, context)?),
        Kind::IndexScan { .. } => Box::new(IndexRows::open(node, context, row)?),
        Kind::Series { .. } => Box::new(Series::open(node, context)?),
        Kind::Values { .. } => {
            Box::new(Values { node: Rc::clone(node), context: context.clone(), at: 0 })
        }
        Kind::SubqueryScan { query, .. } => Box::new(Subquery {
            rows: open(query, &context.inside(&[]), &[])?,
            node: Rc::clone(node),
            context: context.clone(),
        }),
        Kind::NestedLoop { outer, .. } => Box::new(NestedLoop::new(node, context, inside(outer)?)),
        Kind::HashJoin { outer, .. } => Box::new(HashJoin::new(node, context, inside(outer)?)),
        Kind::Aggregate { input, .. } => Box::new(Aggregation::new(node, context, inside(input)?)),
        Kind::Project { input, .. } => Box::new(Project {
            rows: inside(input)?,
            node: Rc::clone(node),
            context: context.clone(),
        }),
        Kind::Distinct { input, .. } => Box::new(Distinct::new(node, context, inside(input)?)),
        Kind::Sort { input, .. } => Box::new(Sort::new(node, context, inside(input)?)?),
        Kind::Limit { input, limit, offset } => {
            let (left, skipped) = limits(limit, offset, context)?;
            Box::new(Limit { rows: inside(input)?, left, skipped })
        }
        Kind::Append { inputs } => {
            Box::new(Append { inputs: inputs.clone(), context: context.clone(), rows: None, at: 0 })
        }
        Kind::SetOperation { left, right, .. } => {
            Box::new(SetOperation::new(node, context, inside(left)?, inside(right)?))
        }
    })
}

/// LIMIT and OFFSET as numbers.
///
/// # Errors
/// `2201W` or `2201X` if they are negative.
pub fn limits(
    limit: &Option<Expr>,
    offset: &Option<Expr>,
    context: &Context,
) -> Result<(Option<u64>, u64), SqlError> {
    let number = |expr: &Option<Expr>, code, name: &str| match expr {
        None => Ok(None),
        Some(expr) => match evaluate(expr, context, &[])? {
            Value::Int(number) => u64::try_from(number)
                .map(Some)
                .map_err(|_| SqlError::new(code, format!("{name} must not be negative"))),
            _ => Ok(None),
        },
    };
    let skipped = number(offset, code::INVALID_ROW_COUNT_IN_OFFSET, "OFFSET")?;
    Ok((number(limit, code::INVALID_ROW_COUNT_IN_LIMIT, "LIMIT")?, skipped.unwrap_or(0)))
}

/// Measures another node.
struct Timed {
    node: usize,
    context: Context,
    rows: Box<dyn Rows>,
    has_begun: bool,
}

impl Rows for Timed {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        let begun = Instant::now();
        let row = self.rows.next()?;
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        self.context.measure(self.node, |it| {
            it.total += begun.elapsed();
            it.startup += if is_first { begun.elapsed() } else { Default::default() };
            it.rows += u64::from(row.is_some());
        });
        Ok(row)
    }
}

/// Rows that are there already.
pub struct Given(pub std::vec::IntoIter<Row>);

impl Rows for Given {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        Ok(self.0.next())
    }
}

struct Values {
    node: Rc<Node>,
    context: Context,
    at: usize,
}

impl Rows for Values {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        let Kind::Values { rows } = &self.node.kind else { unreachable!("opened for VALUES") };
        let Some(row) = rows.get(self.at) else { return Ok(None) };
        self.at += 1;
        let values = row.iter().map(|expr| evaluate(expr, &self.context, &[]));
        values.collect::<Result<_, _>>().map(Some)
    }
}

struct Subquery {
    node: Rc<Node>,
    context: Context,
    rows: Box<dyn Rows>,
}

impl Rows for Subquery {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        let Kind::SubqueryScan { columns, start, width, filter, .. } = &self.node.kind else {
            unreachable!("opened for a subquery")
        };
        while let Some(values) = self.rows.next()? {
            self.context.execution.interrupt.check()?;
            let mut row = vec![Value::Null; *width];
            for (at, value) in values.into_iter().take(*columns).enumerate() {
                row[start + at] = value;
            }
            if is_met(filter, &self.context, &row)? {
                return Ok(Some(row));
            }
            self.context.measure(self.node.id, |it| it.removed += 1);
        }
        Ok(None)
    }
}

struct Filter {
    node: Rc<Node>,
    context: Context,
    rows: Box<dyn Rows>,
}

impl Rows for Filter {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        let Kind::Filter { condition, .. } = &self.node.kind else { unreachable!("a filter") };
        while let Some(row) = self.rows.next()? {
            if is_met(condition, &self.context, &row)? {
                return Ok(Some(row));
            }
            self.context.measure(self.node.id, |it| it.removed += 1);
        }
        Ok(None)
    }
}

struct Project {
    node: Rc<Node>,
    context: Context,
    rows: Box<dyn Rows>,
}

impl Rows for Project {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        let Kind::Project { targets, .. } = &self.node.kind else {
            unreachable!("opened for a projection")
        };
        let Some(row) = self.rows.next()? else { return Ok(None) };
        let values = targets.iter().map(|expr| evaluate(expr, &self.context, &row));
        values.collect::<Result<_, _>>().map(Some)
    }
}

struct Limit {
    rows: Box<dyn Rows>,
    left: Option<u64>,
    skipped: u64,
}

impl Rows for Limit {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        if self.left == Some(0) {
            return Ok(None);
        }
        while self.skipped > 0 {
            if self.rows.next()?.is_none() {
                self.left = Some(0);
                return Ok(None);
            }
            self.skipped -= 1;
        }
        self.left = self.left.map(|left| left - 1);
        self.rows.next()
    }
}

struct Append {
    inputs: Vec<Rc<Node>>,
    context: Context,
    rows: Option<Box<dyn Rows>>,
    at: usize,
}

impl Rows for Append {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        loop {
            if let Some(rows) = &mut self.rows
                && let Some(row) = rows.next()?
            {
                return Ok(Some(row));
            }
            let Some(input) = self.inputs.get(self.at) else { return Ok(None) };
            self.at += 1;
            self.rows = Some(open(input, &self.context, &[])?);
        }
    }
}
