//! Joins of tables that have a name, a number of rows and a unique key, but no rows.

use minibtree_cost::{Cost, Model};
use minibtree_expression::{Column, Subquery, SubqueryKind};
use minibtree_functions::Comparison;
use minibtree_joins::{Condition, Context, Indexed, Known, as_any, join, with_semi_joins};
use minibtree_plan::{Kind, Node, Scanned};
use minibtree_query::{Body, Expr, FromItem, JoinKind, OutputColumn, Query, Relation};
use minibtree_query::{Select, Source};
use minibtree_types::values::{Type, Value};
use std::cell::Cell;
use std::rc::Rc;

/// A table with the columns `id` and `x`; `id` is unique.
#[derive(Debug, PartialEq)]
struct Sample {
    name: &'static str,
    rows: f64,
}

type Table = &'static Sample;

const A: Table = &Sample { name: "a", rows: 10.0 };
const B: Table = &Sample { name: "b", rows: 1_000.0 };
const C: Table = &Sample { name: "c", rows: 100_000.0 };

impl Indexed for Sample {
    fn unique_keys(&self) -> Vec<Vec<usize>> {
        vec![vec![0]]
    }

    fn ascending(&self, _: usize, _: bool) -> Vec<usize> {
        vec![0]
    }
}

fn of_level(level: usize, position: usize) -> Expr<Table> {
    Expr::Column(Column { level, position, column_type: Type::Int4.plain() })
}

fn column(position: usize) -> Expr<Table> {
    of_level(0, position)
}

fn compare(comparison: Comparison, left: Expr<Table>, right: Expr<Table>) -> Expr<Table> {
    Expr::Compare(comparison, Box::new(left), Box::new(right), false)
}

fn equal(left: Expr<Table>, right: Expr<Table>) -> Expr<Table> {
    compare(Comparison::Eq, left, right)
}

fn number(value: i64) -> Expr<Table> {
    Expr::Constant(Value::Int(value), Type::Int4)
}

/// `FROM tables WHERE filter`. Each table has three positions: `id`, `x` and its TID.
fn select(tables: &[Table], filter: Option<Expr<Table>>) -> Select<Table> {
    let column = |it: &str| OutputColumn { name: it.to_owned(), column_type: Type::Int4.plain() };
    let relation = |(number, table): (usize, &Table)| Relation {
        alias: table.name.to_owned(),
        source: Source::Table(*table),
        start: number * 3,
        columns: vec![column("id"), column("x")],
    };
    Select {
        relations: tables.iter().enumerate().map(relation).collect(),
        width: tables.len() * 3,
        from: (0..tables.len()).map(FromItem::Relation).collect(),
        filter,
        ..Select::default()
    }
}

/// `EXISTS (SELECT FROM b WHERE filter)`
fn exists(filter: Expr<Table>) -> Expr<Table> {
    let body = Body::Select(Box::new(select(&[B], Some(filter))));
    let query = Query::plain(body, Vec::new());
    Expr::Subquery(Box::new(Subquery { kind: SubqueryKind::Exists, left: Vec::new(), query }))
}

fn known(select: &Select<Table>) -> Known<'_, Table> {
    let rows = |it: &Relation<Table>| match it.source {
        Source::Table(table) => table.rows,
        _ => unreachable!("there are only tables"),
    };
    let tables = select.relations.iter().map(|it| (None, rows(it))).collect();
    Known { relations: &select.relations, tables }
}

/// Tables can only be read whole.
struct Whole<'q> {
    select: &'q Select<Table>,
    known: Known<'q, Table>,
    model: Model,
    nodes: Cell<usize>,
}

impl Context<Table> for Whole<'_> {
    fn scan(&mut self, relation: usize, conditions: Vec<Expr<Table>>) -> Rc<Node<Table>> {
        let Relation { alias, source, start, .. } = &self.select.relations[relation];
        let Source::Table(table) = *source else { unreachable!("there are only tables") };
        let rows = (table.rows * self.known.all(&conditions)).max(1.0);
        let scanned = Scanned {
            table,
            alias: alias.clone(),
            start: *start,
            width: self.select.width,
            needed: vec![true; 2],
            needs_tid: false,
        };
        let cost = Cost { startup: 0.0, total: table.rows / 100.0, rows, width: 8.0 };
        self.node(cost, Kind::SeqScan { scanned, filter: Expr::all(conditions) })
    }

    fn parameterized(
        &mut self,
        _: usize,
        _: &[Expr<Table>],
        _: &[Expr<Table>],
    ) -> Option<Rc<Node<Table>>> {
        None
    }

    fn ordered(&mut self, _: usize, _: &[Expr<Table>]) -> Vec<Rc<Node<Table>>> {
        Vec::new()
    }

    fn node(&mut self, cost: Cost, kind: Kind<Table>) -> Rc<Node<Table>> {
        Rc::new(Node::new(&self.nodes, cost, kind))
    }

    fn known(&self) -> &Known<'_, Table> {
        &self.known
    }

    fn model(&self) -> &Model {
        &self.model
    }

    fn conditions(&mut self, on: &Expr<Table>) -> Vec<Condition<Table>> {
        let parts = on.clone().conjuncts().into_iter();
        parts.map(|expr| Condition { relations: self.known.relations_of(&expr), expr }).collect()
    }
}

/// The cheapest plan of FROM and WHERE: `(a b)` is a join with the outer side `a`.
fn planned(select: &Select<Table>) -> String {
    fn text(node: &Node<Table>) -> String {
        let join = |outer: &Node<Table>, inner: &Node<Table>, kind: JoinKind| {
            let kind = if kind == JoinKind::Inner { String::new() } else { format!(" {kind:?}") };
            format!("({}{kind} {})", text(outer), text(inner))
        };
        match &node.kind {
            Kind::SeqScan { scanned, .. } => scanned.alias.clone(),
            Kind::NestedLoop { outer, inner, kind, .. }
            | Kind::EquiJoin { outer, inner, kind, .. } => join(outer, inner, *kind),
            other => panic!("a scan or a join: {other:?}"),
        }
    }

    let (known, model, nodes) = (known(select), Model::default(), Cell::new(0));
    let mut context = Whole { select, known, model, nodes };
    let filter = select.filter.clone().expect("the tables have conditions");
    let conditions = context.conditions(&filter);
    text(&join(&mut context, &select.from, conditions)[0])
}

#[test]
fn the_order_in_from_does_not_matter() {
    // a.x = b.id and b.x = c.id: joining a and c first would be a cross join.
    let on = |a: usize, b: usize, c: usize| {
        let part = |left: usize, right: usize| equal(column(left * 3 + 1), column(right * 3));
        Some(Expr::And(vec![part(a, b), part(b, c)]))
    };
    let first = planned(&select(&[A, B, C], on(0, 1, 2)));
    assert_eq!(first, planned(&select(&[C, A, B], on(1, 2, 0))));
    assert_eq!(first, "((b a) c)");
}

#[test]
fn exists_is_a_semi_join_and_not_exists_an_anti_join() {
    // b is the second relation then: its columns move by three, and those of a are at level 0.
    let of_a = || exists(equal(column(1), of_level(1, 0)));
    let joined = with_semi_joins(&select(&[A], Some(of_a()))).expect("it can be a join");
    assert_eq!((joined.relations.len(), joined.width, &joined.filter), (2, 6, &None));
    let FromItem::Exists { kind, right, condition } = &joined.from[1] else {
        panic!("a semi join: {:?}", joined.from)
    };
    assert_eq!((*kind, &right[..]), (JoinKind::Semi, &[FromItem::Relation(1)][..]));
    assert_eq!(*condition, equal(column(4), column(0)));

    let negated = with_semi_joins(&select(&[A], Some(Expr::Not(Box::new(of_a())))));
    let from = negated.expect("it can be a join").from;
    assert!(matches!(from[1], FromItem::Exists { kind: JoinKind::Anti, .. }));
}

#[test]
fn exists_in_an_expression_is_looked_up() {
    // EXISTS (.. WHERE b.x = a.id AND b.id = 5) is a.id IN (SELECT b.x .. WHERE b.id = 5).
    let five = equal(column(0), number(5));
    let both = Expr::And(vec![equal(column(1), of_level(1, 0)), five.clone()]);
    let Expr::Subquery(subquery) = exists(both) else { unreachable!("it was made above") };
    let any = as_any(&subquery).expect("its only outer column is compared");
    assert_eq!(any.left, [column(0)]);
    let Body::Select(inner) = any.query.body else { unreachable!("a SELECT") };
    assert_eq!(inner.targets, [column(1)]);

    let less = exists(compare(Comparison::Lt, column(1), of_level(1, 0)));
    let Expr::Subquery(subquery) = less else { unreachable!("it was made above") };
    assert_eq!(as_any(&subquery), None);
}

#[test]
fn guesses_are_those_of_postgresql() {
    let select = select(&[B, C], None);
    let known = known(&select);
    // A unique column has one row for each value, and another one 200 values.
    assert_eq!(known.selectivity(&equal(column(0), number(5))), 0.001);
    assert_eq!(known.selectivity(&equal(column(1), number(5))), 0.005);
    assert_eq!(known.selectivity(&equal(column(1), column(4))), 0.005);
    assert_eq!(known.distinct(&column(3)), 100_000.0);

    // Both ends of a range are 0.005, whatever each of them is.
    let above = compare(Comparison::Gt, column(1), number(5));
    let below = compare(Comparison::Lt, column(1), number(9));
    assert_eq!(known.selectivity(&above), 1.0 / 3.0);
    assert_eq!(known.all(&[above, below]), 0.005);
}

#[test]
fn a_fixed_unique_key_has_one_row() {
    let select = select(&[A, B], None);
    let known = known(&select);
    let has_one = |it: Expr<Table>| known.has_one_row(1, std::iter::once(&it));
    assert!(has_one(equal(column(3), column(1))));
    assert!(!has_one(equal(column(4), column(1))));
    assert!(!has_one(equal(column(3), column(4))));
}
