//! The expressions of a query, and of the queries inside it.
//!
//! ```text
//! SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.x = t.a)
//!
//! depth 0   Column(0), EXISTS
//! depth 1   1, u.x = t.a, where t.a is Column { level: 1, position: 0 }
//! ```
//!
//! A column is of the query that is walked if its level is the depth that it is found at.

use crate::{Body, Compute, Expr, FromItem, OutputColumn, Query, Source};
use minibtree_expression::{InnerQuery, SubqueryKind};
use minibtree_types::error::Result;
use minibtree_types::values::Type;

/// What a query is made of, to be read or to be changed.
macro_rules! parts {
    ($expressions:ident, $queries:ident, $conditions:ident, $iter:ident $(, $mut:ident)?) => {
        /// All expressions of the query itself, those inside subqueries in FROM not included.
        fn $expressions(&$($mut)? self) -> Vec<&$($mut)? Expr<Table>> {
            let mut all = Vec::from_iter(self.limit.$iter().chain(self.offset.$iter()));
            match &$($mut)? self.body {
                Body::Values(rows) => all.extend(rows.$iter().flatten()),
                Body::SetOperation { .. } => {}
                Body::Select(select) => {
                    all.extend(select.from.$iter().flat_map(FromItem::$conditions));
                    all.extend(select.filter.$iter().chain(select.targets.$iter()));
                    for relation in select.relations.$iter() {
                        if let Source::Function(_, arguments) = &$($mut)? relation.source {
                            all.extend(arguments);
                        }
                    }
                    for window in select.windows.$iter() {
                        let order = window.order.$iter().map(|(expr, ..)| expr);
                        all.extend(window.partition.$iter().chain(order));
                    }
                    if let Some(grouping) = &$($mut)? select.grouping {
                        all.extend(grouping.keys.$iter().map(|(key, _)| key));
                        for call in grouping.aggregates.$iter() {
                            all.extend(call.arguments.$iter().chain(call.filter.$iter()));
                        }
                        all.extend(grouping.having.$iter());
                    }
                }
            }
            all
        }

        /// The queries in it that are no expressions, and how many levels below they are: sides of
        /// a UNION are at the same level, subqueries in FROM one below.
        fn $queries(&$($mut)? self) -> Vec<(&$($mut)? Query<Table>, usize)> {
            match &$($mut)? self.body {
                Body::Values(_) => Vec::new(),
                Body::SetOperation { left, right, .. } => vec![(left, 0), (right, 0)],
                Body::Select(select) => {
                    let sources = select.relations.$iter().map(|it| &$($mut)? it.source);
                    let queries = sources.filter_map(|it| match it {
                        Source::Query(query) => Some((&$($mut)? **query, 1)),
                        Source::Table(_) | Source::Function(..) => None,
                    });
                    queries.collect()
                }
            }
        }
    };
}

impl<Table> Query<Table> {
    /// A query without ORDER BY and LIMIT.
    pub fn plain(body: Body<Table>, columns: Vec<OutputColumn>) -> Query<Table> {
        Query { body, columns, order: Vec::new(), limit: None, offset: None, lock: None }
    }

    parts!(expressions, inner_queries, conditions, iter);
    parts!(expressions_mut, inner_queries_mut, conditions_mut, iter_mut, mut);

    /// Returns true if it uses columns of a query around it.
    pub fn is_correlated(&self) -> bool {
        let mut is_correlated = false;
        self.walk(0, &mut |expr, depth| {
            is_correlated |= matches!(expr, Expr::Column(column) if column.level > depth);
        });
        is_correlated
    }

    /// Computes the constant parts of its expressions, as [`Expr::fold`] does.
    ///
    /// # Errors
    /// Those of computing them.
    pub fn fold_parts(&mut self, compute: &mut Compute<'_, Table>) -> Result<()> {
        let read: Vec<usize> = self.expressions().into_iter().flat_map(Expr::positions).collect();
        // The source of an UPDATE has no columns: the new values read its row, too.
        if let (Body::Select(select), false) = (&mut self.body, self.columns.is_empty()) {
            for relation in &mut select.relations {
                if let Source::Query(query) = &mut relation.source {
                    query.drop_columns(|it| read.contains(&(relation.start + it)));
                }
            }
        }
        self.expressions_mut().into_iter().try_for_each(|it| it.fold(compute))?;
        self.inner_queries_mut().into_iter().try_for_each(|(it, _)| it.fold_parts(compute))
    }

    /// Makes NULLs of columns that nobody reads: PostgreSQL's `remove_unused_subquery_outputs`.
    pub fn drop_columns(&mut self, is_read: impl Fn(usize) -> bool) {
        // All uses of a CTE that locks share their rows, whatever each of them reads.
        let (targets, distinct) = match (&mut self.body, &self.lock) {
            (Body::Select(select), None) => (&mut select.targets, select.distinct),
            (Body::Values(rows), _) if rows.len() == 1 => (&mut rows[0], false),
            _ => return,
        };
        for (position, target) in targets.iter_mut().enumerate() {
            let is_kept = distinct || self.order.iter().any(|key| key.position == position);
            if !is_kept && !is_read(position) && !target.is_volatile() {
                *target = Expr::null(target.base());
            }
        }
    }
}

impl<Table> InnerQuery for Query<Table> {
    fn base(&self) -> Type {
        self.columns[0].column_type.base
    }

    fn walk(&self, depth: usize, each: &mut dyn FnMut(&Expr<Table>, usize)) {
        for expr in self.expressions() {
            expr.walk(depth, each);
        }
        for (query, below) in self.inner_queries() {
            query.walk(depth + below, each);
        }
    }

    fn change(
        &mut self,
        depth: usize,
        each: &mut dyn FnMut(&mut Expr<Table>, usize) -> Result<()>,
    ) -> Result<()> {
        self.expressions_mut().into_iter().try_for_each(|it| it.change(depth, each))?;
        let mut queries = self.inner_queries_mut().into_iter();
        queries.try_for_each(|(it, below)| it.change(depth + below, each))
    }

    fn fold(&mut self, kind: &SubqueryKind, compute: &mut Compute<'_, Table>) -> Result<()> {
        if *kind == SubqueryKind::Exists {
            self.drop_columns(|_| false);
        }
        self.fold_parts(compute)
    }
}
