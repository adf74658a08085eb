//! The columns of tables that columns of a result are, for clients that ask for their names.
//!
//! ```text
//! SELECT q.a, q.a + 1 FROM (SELECT a FROM t) q      t.a and none
//! ```
//!
//! JDBC's `getTableName`, psycopg's `table_oid`. PostgreSQL's `markTargetListOrigins`
//! (`parse_target.c`).

use minibtree_query::{Body, Expr, Modification, Query, Source};

/// The OID of a table, and the number of its column from 1 on; zeros for other expressions.
pub type Origin = (u32, i16);

const NONE: Origin = (0, 0);

/// The origins of the columns of a query. `oid` is that of a table.
pub fn of_query<Table>(query: &Query<Table>, oid: impl Fn(&Table) -> u32 + Copy) -> Vec<Origin> {
    (0..query.columns.len()).map(|index| of_column(query, index, oid).unwrap_or(NONE)).collect()
}

/// The origins of the columns of RETURNING, from a table with this OID and number of columns.
pub fn of_returning<Table>(
    modification: &Modification<Table>,
    oid: u32,
    columns: usize,
) -> Vec<Origin> {
    let origin = |expr: &Expr<Table>| {
        let index = position(expr).filter(|it| *it < columns);
        index.map_or(NONE, |it| (oid, it as i16 + 1))
    };
    modification.returning.iter().map(origin).collect()
}

fn of_column<Table>(
    query: &Query<Table>,
    index: usize,
    oid: impl Fn(&Table) -> u32 + Copy,
) -> Option<Origin> {
    let Body::Select(select) = &query.body else { return None };
    let mut target = select.targets.get(index)?;
    if let Some(grouping) = &select.grouping {
        // A column of the grouped row: the keys are first.
        target = &grouping.keys.get(position(target)?)?.0;
    }

    let position = position(target)?;
    let relation = select.relations.iter().find(|it| it.positions().contains(&position))?;
    let index = position - relation.start;
    match &relation.source {
        Source::Table(table) => {
            (index < relation.columns.len()).then_some((oid(table), index as i16 + 1))
        }
        Source::Query(query) => of_column(query, index, oid),
        Source::Function(..) => None,
    }
}

/// The position in the row of the query itself; `None` for anything but a column.
fn position<Table>(expr: &Expr<Table>) -> Option<usize> {
    match expr {
        Expr::Column(column) if column.level == 0 => Some(column.position),
        _ => None,
    }
}
