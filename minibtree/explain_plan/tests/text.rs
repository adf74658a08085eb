//! Plans as EXPLAIN shows them, made by hand.

use minibtree_cost::Cost;
use minibtree_explain::{Measured, Options, document};
use minibtree_explain_plan::{Described, Statement, tree};
use minibtree_expression::Column;
use minibtree_functions::Comparison;
use minibtree_plan::{Bounds, Kind, Method, Node, Plan, Scanned};
use minibtree_query::{Expr, JoinKind};
use minibtree_types::values::{Type, Value};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A table with the columns `id` and `x`, and an index.
struct Table(&'static str, &'static str);

impl Described for Table {
    fn name(&self) -> &str {
        self.0
    }

    fn columns(&self) -> Vec<&str> {
        vec!["id", "x"]
    }

    fn index_name(&self, _: usize) -> &str {
        self.1
    }

    fn is_hash(&self, _: usize) -> bool {
        false
    }
}

const A: &Table = &Table("a", "a_pkey");
const B: &Table = &Table("b", "b_pkey");

fn column(position: usize) -> Expr<&'static Table> {
    Expr::Column(Column { level: 0, position, column_type: Type::Int4.plain() })
}

fn equal(left: Expr<&'static Table>, right: Expr<&'static Table>) -> Expr<&'static Table> {
    Expr::Compare(Comparison::Eq, Box::new(left), Box::new(right), false)
}

fn scanned(table: &'static Table, alias: &str, start: usize) -> Scanned<&'static Table> {
    let (alias, needed) = (alias.to_owned(), vec![true; 2]);
    Scanned { table, alias, start, width: 6, needed, needs_tid: false }
}

/// What EXPLAIN shows of a query with these nodes.
fn shown(nodes: &Cell<usize>, top: Kind<&'static Table>, verbose: bool) -> Vec<String> {
    let plan = Plan::Query(Rc::new(node(nodes, top)));
    let (nodes, name_of) = (nodes.get(), &|_, number| format!("{number}"));
    let (tables, subplans, init_plans, around) = (1, &[], &[], RefCell::default());
    let plan = &plan;
    let statement = Statement { plan, subplans, init_plans, nodes, tables, name_of, around };
    let options = Options::read(false, verbose, []).expect("no option is unknown");
    let tree = tree(&statement, options, &[]).expect("a query has nodes");
    document(&tree, options, &Measured::default(), None)
}

fn node(nodes: &Cell<usize>, kind: Kind<&'static Table>) -> Node<&'static Table> {
    Node::new(nodes, Cost { startup: 0.5, total: 8.25, rows: 1.0, width: 8.0 }, kind)
}

/// `SELECT x FROM a AS t WHERE id = 5`
#[test]
fn a_scan_computes_what_the_node_above_it_returns() {
    let nodes = Cell::new(0);
    let five = Expr::Constant(Value::Int(5), Type::Int4);
    let bounds = Bounds { equal: vec![vec![five.clone()]], ..Bounds::default() };
    let scan = Kind::IndexScan {
        scanned: scanned(A, "t", 0),
        index: 0,
        bounds,
        conditions: Some(equal(column(0), five)),
        is_backward: false,
        is_only: false,
        filter: None,
    };
    let input = Rc::new(node(&nodes, scan));
    let project = || Kind::Project { input: Rc::clone(&input), targets: vec![column(1)] };

    let lines = [
        "Index Scan using a_pkey on a t  (cost=0.50..8.25 rows=1 width=8)",
        "  Index Cond: (id = 5)",
    ];
    assert_eq!(shown(&nodes, project(), false), lines);

    let lines = [
        "Index Scan using a_pkey on public.a t  (cost=0.50..8.25 rows=1 width=8)",
        "  Output: x",
        "  Index Cond: (t.id = 5)",
    ];
    assert_eq!(shown(&nodes, project(), true), lines);
}

/// `SELECT FROM a LEFT JOIN b ON a.id = b.id`
#[test]
fn a_hash_table_has_a_node_of_its_own() {
    let nodes = Cell::new(0);
    let scan = |table, start| {
        let scanned = scanned(table, table.name(), start);
        Rc::new(node(&nodes, Kind::SeqScan { scanned, filter: None }))
    };
    let join = Kind::EquiJoin {
        kind: JoinKind::Left,
        method: Method::Hash,
        outer: scan(A, 0),
        inner: scan(B, 3),
        keys: vec![(column(0), column(3), Type::Int4)],
        is_unique: true,
        condition: None,
        positions: vec![3, 4, 5],
    };
    let lines = [
        "Hash Left Join  (cost=0.50..8.25 rows=1 width=8)",
        "  Hash Cond: (a.id = b.id)",
        "  ->  Seq Scan on a  (cost=0.50..8.25 rows=1 width=8)",
        "  ->  Hash  (cost=8.25..8.25 rows=1 width=8)",
        "        ->  Seq Scan on b  (cost=0.50..8.25 rows=1 width=8)",
    ];
    assert_eq!(shown(&nodes, join, false), lines);
}
