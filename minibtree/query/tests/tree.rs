//! What a query says about the rows and columns that it uses. A table is its name here.

use minibtree_expression::{Column, InnerQuery, Subquery, SubqueryKind};
use minibtree_functions::Comparison;
use minibtree_query::{Body, Expr, FromItem, JoinKind, OutputColumn, Query, Relation};
use minibtree_query::{Select, Source};
use minibtree_types::values::{Type, Value};

type Table = &'static str;

fn column(level: usize, position: usize) -> Expr<Table> {
    Expr::Column(Column { level, position, column_type: Type::Int4.plain() })
}

fn equal(left: Expr<Table>, right: Expr<Table>) -> Expr<Table> {
    Expr::Compare(Comparison::Eq, Box::new(left), Box::new(right), false)
}

fn output(name: &str) -> OutputColumn {
    OutputColumn { name: name.to_owned(), column_type: Type::Int4.plain() }
}

/// `SELECT targets FROM source WHERE filter`; the source has the columns `x` and `y`.
fn select(
    targets: Vec<Expr<Table>>,
    source: Source<Table>,
    filter: Option<Expr<Table>>,
) -> Query<Table> {
    let columns: Vec<OutputColumn> = targets.iter().map(|_| output("it")).collect();
    let relation =
        Relation { alias: "t".into(), source, start: 0, columns: vec![output("x"), output("y")] };
    let width = relation.positions().len();
    let (relations, from) = (vec![relation], vec![FromItem::Relation(0)]);
    let select = Select { relations, width, from, filter, targets, ..Select::default() };
    Query::plain(Body::Select(Box::new(select)), columns)
}

/// `EXISTS (query)`
fn exists(query: Query<Table>) -> Expr<Table> {
    Expr::Subquery(Box::new(Subquery { kind: SubqueryKind::Exists, left: Vec::new(), query }))
}

#[test]
fn a_query_is_correlated_if_it_uses_a_column_of_one_around_it() {
    let one = || Expr::Constant(Value::Int(1), Type::Int4);
    let inner = |filter| select(vec![one()], Source::Table("u"), Some(filter));
    assert!(!inner(equal(column(0, 0), column(0, 1))).is_correlated());
    assert!(inner(equal(column(0, 0), column(1, 0))).is_correlated());

    // The query around it has what it uses; two levels down, level 2 is once more outside.
    let around = |level| {
        let filter = exists(inner(equal(column(0, 0), column(level, 0))));
        select(vec![one()], Source::Table("t"), Some(filter))
    };
    assert!(!around(1).is_correlated());
    assert!(around(2).is_correlated());
}

#[test]
fn the_same_table_twice_is_equal_and_has_a_tid() {
    let of = |table| select(vec![column(0, 0)], Source::Table(table), None);
    assert_eq!(of("t"), of("t"));
    assert_ne!(of("t"), of("u"));

    let Body::Select(table) = of("t").body else { unreachable!("a SELECT") };
    let inner = Source::Query(Box::new(of("t")));
    let Body::Select(subquery) = select(vec![column(0, 0)], inner, None).body else {
        unreachable!("a SELECT")
    };
    assert_eq!(table.relations[0].positions(), 0..3);
    assert_eq!(subquery.relations[0].positions(), 0..2);
}

#[test]
fn a_column_that_nobody_reads_is_not_computed() {
    // SELECT y FROM (SELECT NOT NULL, NOT NULL FROM t) AS it (x, y)
    let negated = || Expr::Not(Box::new(Expr::null(Type::Bool)));
    let inner = select(vec![negated(), negated()], Source::Table("t"), None);
    let mut query = select(vec![column(0, 1)], Source::Query(Box::new(inner)), None);

    let mut computed = 0;
    let folded = query.fold_parts(&mut |_| {
        computed += 1;
        Ok(Value::Bool(true))
    });
    assert!(folded.is_ok());
    assert_eq!(computed, 1);

    let mut texts = Vec::new();
    query.walk(0, &mut |expr, depth| texts.push(format!("{depth} {expr:?}")));
    assert_eq!(texts.len(), 3);
    assert_eq!(texts[1..], ["1 Constant(Null, Bool)", "1 Constant(Bool(true), Bool)"]);
}

#[test]
fn the_right_side_of_a_left_join_keeps_its_joins_to_itself() {
    // FROM (a JOIN b) LEFT JOIN (c JOIN d)
    let join = |kind, left, right| FromItem::<Table>::Join {
        kind,
        left: Box::new(left),
        right: Box::new(right),
        condition: None,
    };
    let pair =
        |left, right| join(JoinKind::Inner, FromItem::Relation(left), FromItem::Relation(right));
    let mut item = join(JoinKind::Left, pair(0, 1), pair(2, 3));
    assert_eq!(item.relations(), [0, 1, 2, 3]);

    let kinds = |it: &FromItem<Table>| -> Vec<(JoinKind, Vec<usize>)> {
        it.joins().into_iter().map(|(kind, _, right)| (kind, right)).collect()
    };
    assert_eq!(kinds(&item), [(JoinKind::Inner, vec![1]), (JoinKind::Left, vec![2, 3])]);

    item.renumber(10);
    assert_eq!(item.relations(), [10, 11, 12, 13]);
}
