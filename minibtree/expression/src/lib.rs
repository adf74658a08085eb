//! Expressions with every name and type resolved.
//!
//! ```text
//! abalance + $1                      aid = $2
//! Call(+, [Column(2), Parameter(0)])  Compare(Eq, Column(0), Parameter(1))
//! ```
//!
//! A subquery in an expression is a query of the type `Query`, which must be an [`InnerQuery`].
//!
//! PostgreSQL's `primnodes.h`, `clauses.c` and `ruleutils.c`.

mod deparse;

pub use deparse::Deparser;

use minibtree_functions::{Comparison, Function};
use minibtree_types::error::Result;
use minibtree_types::values::{Category, ColumnType, Type, Value};

/// A column of the row of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// 0 is the query itself, 1 the query around it, and so on.
    pub level: usize,
    /// Position in the row of that query.
    pub position: usize,
    /// Its type.
    pub column_type: ColumnType,
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr<Query> {
    /// A value and its type.
    Constant(Value, Type),
    /// A parameter, counted from 0.
    Parameter(usize, Type),
    /// A column.
    Column(Column),
    /// `CURRENT_TIMESTAMP`: when the transaction began.
    Now(&'static str),
    /// Two values of comparable types; the last field: trailing spaces do not count.
    Compare(Comparison, Box<Expr<Query>>, Box<Expr<Query>>, bool),
    /// A function or an operator with its arguments.
    Call(&'static Function, Vec<Expr<Query>>),
    /// `AND` of two or more.
    And(Vec<Expr<Query>>),
    /// `OR` of two or more.
    Or(Vec<Expr<Query>>),
    /// `NOT`.
    Not(Box<Expr<Query>>),
    /// `IS NULL`.
    IsNull(Box<Expr<Query>>),
    /// `IS TRUE`, `IS NOT FALSE` and so on: the value, and whether NOT.
    IsTruth(Box<Expr<Query>>, Option<bool>, bool),
    /// `IS DISTINCT FROM`; the last field: trailing spaces do not count.
    IsDistinct(Box<Expr<Query>>, Box<Expr<Query>>, bool),
    /// `CASE`: conditions with their results, and what holds otherwise.
    Case(Vec<(Expr<Query>, Expr<Query>)>, Box<Expr<Query>>),
    /// `COALESCE`: the first that is not NULL.
    Coalesce(Vec<Expr<Query>>),
    /// `NULLIF(a, b)`: the comparison, and the value if it is not met.
    NullIf(Box<Expr<Query>>, Box<Expr<Query>>),
    /// `GREATEST`, or `LEAST` if it is not the greatest; the last field as in `Compare`.
    Extreme(Vec<Expr<Query>>, bool, bool),
    /// `x IN (list)`: the value, the list or an array as its only item, and as in `Compare`.
    InList(Box<Expr<Query>>, Vec<Expr<Query>>, bool),
    /// A cast; the last field: the text of the statement asks for it.
    Cast(Box<Expr<Query>>, Type, Type, bool),
    /// Makes a value fit a type with a modifier; the last field: a cast asks for it, so what is too
    /// long is cut.
    Fit(Box<Expr<Query>>, ColumnType, bool),
    /// An aggregate of the query, by number; replaced when the query is complete.
    Aggregate(usize, Type),
    /// `row_number()` of a window of the query, by number; the planner makes a column of it.
    Window(usize),
    /// A subquery, before planning.
    Subquery(Box<Subquery<Query>>),
    /// A subquery, after planning: its number, and the values to look for in its rows.
    SubPlan(usize, Vec<Expr<Query>>),
    /// A subquery that has one value for all rows, after planning: its number and type.
    InitPlan(usize, Type),
}

/// Computes an expression of constants.
pub type Compute<'c, Query> = dyn FnMut(&Expr<Query>) -> Result<Value> + 'c;

/// What is asked of a subquery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubqueryKind {
    /// Does it return a row?
    Exists,
    /// The value of its only row and column.
    Scalar,
    /// The values of its only column, as an array of this type.
    Array(Type),
    /// Does the comparison hold for any of its rows? For each column: the comparison, and as in
    /// [`Expr::Compare`].
    Any(Vec<(Comparison, bool)>),
    /// The same for all of its rows.
    All(Vec<(Comparison, bool)>),
}

/// A subquery in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subquery<Query> {
    /// What is asked of it.
    pub kind: SubqueryKind,
    /// What its columns are compared with.
    pub left: Vec<Expr<Query>>,
    /// Its level 1 is that of the expression.
    pub query: Query,
}

/// What expressions ask of the queries in them.
pub trait InnerQuery: Sized {
    /// The type of its first column.
    fn base(&self) -> Type;

    /// Calls `each` for all expressions in the query, with the depth of the level they are in.
    fn walk(&self, depth: usize, each: &mut dyn FnMut(&Expr<Self>, usize));

    /// The same, to be changed.
    ///
    /// # Errors
    /// Those of `each`.
    fn change(
        &mut self,
        depth: usize,
        each: &mut dyn FnMut(&mut Expr<Self>, usize) -> Result<()>,
    ) -> Result<()>;

    /// Computes the constant parts of its expressions, as [`Expr::fold`] does.
    ///
    /// # Errors
    /// Those of computing them.
    fn fold(&mut self, kind: &SubqueryKind, compute: &mut Compute<'_, Self>) -> Result<()>;
}

/// What an expression is made of, to be read or to be changed.
macro_rules! children {
    ($name:ident, $iter:ident $(, $mut:ident)?) => {
        /// The expressions that it is made of; not those inside subqueries.
        pub fn $name(&$($mut)? self) -> Vec<&$($mut)? Expr<Query>> {
            match self {
                Expr::Constant(..)
                | Expr::Parameter(..)
                | Expr::Column(_)
                | Expr::Now(_)
                | Expr::Aggregate(..)
                | Expr::InitPlan(..)
                | Expr::Window(_) => Vec::new(),
                Expr::Compare(_, left, right, _)
                | Expr::IsDistinct(left, right, _)
                | Expr::NullIf(left, right) => vec![left, right],
                Expr::Not(inner)
                | Expr::IsNull(inner)
                | Expr::IsTruth(inner, ..)
                | Expr::Cast(inner, ..)
                | Expr::Fit(inner, ..) => vec![inner],
                Expr::Call(_, all)
                | Expr::And(all)
                | Expr::Or(all)
                | Expr::Coalesce(all)
                | Expr::Extreme(all, ..)
                | Expr::SubPlan(_, all) => all.$iter().collect(),
                Expr::InList(inner, all, _) => {
                    std::iter::once(&$($mut)? **inner).chain(all.$iter()).collect()
                }
                Expr::Case(cases, otherwise) => {
                    let cases = cases.$iter().flat_map(|(condition, result)| [condition, result]);
                    cases.chain(std::iter::once(&$($mut)? **otherwise)).collect()
                }
                Expr::Subquery(subquery) => subquery.left.$iter().collect(),
            }
        }
    };
}

impl<Query: InnerQuery> Expr<Query> {
    /// The NULL of a type.
    pub fn null(base: Type) -> Expr<Query> {
        Expr::Constant(Value::Null, base)
    }

    /// How many items a list has. An array that is not known yet has ten, PostgreSQL guesses.
    pub fn item_count(list: &[Expr<Query>]) -> f64 {
        let is_array = list.len() == 1 && list[0].base().category() == Category::Array;
        if is_array { 10.0 } else { list.len() as f64 }
    }

    /// The type of its value.
    pub fn base(&self) -> Type {
        match self {
            Expr::Constant(_, base)
            | Expr::Parameter(_, base)
            | Expr::Aggregate(_, base)
            | Expr::InitPlan(_, base) => *base,
            Expr::Column(column) => column.column_type.base,
            Expr::Now(_) => Type::TimestampTz,
            Expr::Call(function, _) => function.result,
            Expr::Cast(_, _, to, _) => *to,
            Expr::Fit(_, to, _) => to.base,
            Expr::Case(_, value) | Expr::NullIf(_, value) => value.base(),
            Expr::Coalesce(all) | Expr::Extreme(all, ..) => {
                all.first().map_or(Type::Unknown, Expr::base)
            }
            Expr::Window(_) => Type::Int8,
            Expr::Subquery(subquery) => match subquery.kind {
                SubqueryKind::Scalar => subquery.query.base(),
                SubqueryKind::Array(base) => base,
                _ => Type::Bool,
            },
            _ => Type::Bool,
        }
    }

    /// Returns true if it uses columns of a query around its own, which is so many levels down.
    pub fn uses_outer(&self, depth: usize) -> bool {
        self.has(depth, |expr, depth| matches!(expr, Expr::Column(it) if it.level > depth))
    }

    /// Returns true for the column of the query's own row at this position.
    pub fn is_column(&self, position: usize) -> bool {
        matches!(self, Expr::Column(it) if it.level == 0 && it.position == position)
    }

    /// `AND` of any number.
    pub fn all(mut conditions: Vec<Expr<Query>>) -> Option<Expr<Query>> {
        match conditions.len() {
            0 | 1 => conditions.pop(),
            _ => Some(Expr::And(conditions)),
        }
    }

    /// The conditions that must all hold.
    pub fn conjuncts(self) -> Vec<Expr<Query>> {
        match self {
            Expr::And(conditions) => conditions.into_iter().flat_map(Expr::conjuncts).collect(),
            condition => vec![condition],
        }
    }

    children!(children, iter);
    children!(children_mut, iter_mut, mut);

    /// Calls `each` for the expression and all that it is made of, those inside subqueries
    /// included. `depth` is how many subqueries each is in.
    pub fn walk(&self, depth: usize, each: &mut dyn FnMut(&Expr<Query>, usize)) {
        each(self, depth);
        for child in self.children() {
            child.walk(depth, each);
        }
        if let Expr::Subquery(subquery) = self {
            subquery.query.walk(depth + 1, each);
        }
    }

    /// The same, from the leaves up, to be changed.
    pub fn change(
        &mut self,
        depth: usize,
        each: &mut dyn FnMut(&mut Expr<Query>, usize) -> Result<()>,
    ) -> Result<()> {
        for child in self.children_mut() {
            child.change(depth, each)?;
        }
        if let Expr::Subquery(subquery) = self {
            subquery.query.change(depth + 1, each)?;
        }
        each(self, depth)
    }

    /// Returns true if the expression or one that [`Expr::walk`] gets to is meant.
    pub fn has(&self, depth: usize, is_meant: impl Fn(&Expr<Query>, usize) -> bool) -> bool {
        let mut found = false;
        self.walk(depth, &mut |expr, depth| found |= is_meant(expr, depth));
        found
    }

    /// Positions of the query's own row that it uses, also from inside of subqueries.
    pub fn positions(&self) -> Vec<usize> {
        let mut positions = Vec::new();
        self.walk(0, &mut |expr, depth| match expr {
            Expr::Column(it) if it.level == depth => positions.push(it.position),
            _ => {}
        });
        positions
    }

    /// Returns false for a subquery, and for a call that asks the database: its value can be
    /// another one for the next row. What it is made of is not looked at.
    pub fn is_stable(&self) -> bool {
        match self {
            Expr::Subquery(_) | Expr::SubPlan(..) => false,
            Expr::Call(function, _) => !function.is_volatile(),
            _ => true,
        }
    }

    /// Returns true if it calls a function that can return something else each time.
    pub fn is_volatile(&self) -> bool {
        self.has(0, |expr, _| matches!(expr, Expr::Call(it, _) if it.is_volatile()))
    }

    /// Returns true if its value is the same for all rows of the query: it uses no column of it,
    /// and no subquery.
    pub fn is_constant(&self) -> bool {
        !self.has(0, |expr, _| match expr {
            Expr::Column(column) => column.level == 0,
            Expr::Aggregate(..) | Expr::Window(_) => true,
            expr => !expr.is_stable(),
        })
    }

    /// Computes the constant parts that a row may get to: the division in `CASE WHEN a THEN 1 / 0
    /// END`, but not that in `CASE WHEN false THEN 1 / 0 END`. PostgreSQL's
    /// `eval_const_expressions`.
    ///
    /// # Errors
    /// Those of computing them.
    pub fn fold(&mut self, compute: &mut Compute<'_, Query>) -> Result<()> {
        if let Expr::Subquery(subquery) = self {
            subquery.query.fold(&subquery.kind, compute)?;
        }
        let decides: fn(&Value) -> bool = match self {
            Expr::And(_) => |it| *it == Value::Bool(false),
            Expr::Or(_) => |it| *it == Value::Bool(true),
            Expr::Coalesce(_) => |it| !it.is_null(),
            Expr::Call(function, _) if !function.takes_nulls => Value::is_null,
            Expr::Compare(..) => Value::is_null,
            _ => |_| false,
        };
        let is_strict = matches!(self, Expr::Call(..) | Expr::Compare(..));
        let is_case = matches!(self, Expr::Case(..));
        let mut is_constant = self.is_stable() && !self.children().is_empty();
        let mut decided = None;

        let mut parts = self.children_mut().into_iter();
        while let Some(part) = parts.next() {
            part.fold(compute)?;
            // Of CASE, each condition comes before its result, and ELSE is the last.
            let is_condition = is_case && parts.len() > 0 && parts.len().is_multiple_of(2);
            match part {
                Expr::Constant(Value::Bool(true), _) if is_condition => {
                    parts = Vec::from_iter(parts.next()).into_iter();
                }
                Expr::Constant(..) if is_condition => drop(parts.next()),
                Expr::Constant(value, _) if decides(value) => {
                    decided = Some(value.clone());
                    break;
                }
                Expr::Constant(..) => {}
                _ => is_constant = false,
            }
        }
        // A function that takes no NULLs is not called, but its other arguments are computed.
        parts.filter(|_| is_strict).try_for_each(|it| it.fold(compute))?;
        *self = match (&*self, decided) {
            (Expr::And(_) | Expr::Or(_), Some(value)) => Expr::Constant(value, Type::Bool),
            (_, Some(value)) if is_strict => Expr::Constant(value, self.base()),
            _ if is_constant => Expr::Constant(compute(self)?, self.base()),
            _ => return Ok(()),
        };
        Ok(())
    }
}
