//! The title of a node: its first line in the text, and the properties that say the same in JSON.
//!
//! ```text
//! Index Scan Backward using t_pkey on public.t u
//!
//! Node Type: Index Scan                                         what it is
//! Scan Direction: Backward, Index Name: t_pkey,                 and what it reads
//! Relation Name: t, Schema: public, Alias: u
//! ```

use crate::Described;
use minibtree_explain::quoted_name;
use minibtree_plan::{Kind, Method, Node, Scanned};
use minibtree_query::{JoinKind, SetOperator};
use std::ops::Deref;

/// Names and values of properties.
pub type Pairs = Vec<(&'static str, String)>;

/// The first line, the properties of the kind of node, and those of what it reads.
pub type Title = (String, Pairs, Pairs);

/// The title of a node.
pub fn title<Table: Deref<Target: Described>>(node: &Node<Table>, verbose: bool) -> Title {
    let table_scan = |name: &str, scanned: &Scanned<Table>| {
        let title = format!("{name} on {}", target(scanned.table.name(), &scanned.alias, verbose));
        (title, node_type(name), table_of(scanned.table.name(), &scanned.alias))
    };
    let join = |name: &str, joined: JoinKind| {
        let (kind_name, in_title) = match joined {
            JoinKind::Inner => ("Inner", ""),
            JoinKind::Left => ("Left", " Left"),
            JoinKind::Semi => ("Semi", " Semi"),
            JoinKind::Anti => ("Anti", " Anti"),
        };
        let title = match (name, in_title) {
            ("Nested Loop", "") => name.to_owned(),
            ("Nested Loop", it) => format!("{name}{it} Join"),
            (_, it) => name.replace(" Join", &format!("{it} Join")),
        };
        (title, node_type(name), vec![("Join Type", kind_name.to_owned())])
    };
    let grouped = |strategy: &str, title: &str| {
        let mut kind = node_type("Aggregate");
        kind.push(("Strategy", strategy.to_owned()));
        kind.push(("Partial Mode", "Simple".to_owned()));
        (title.to_owned(), kind, Vec::new())
    };
    match &node.kind {
        Kind::SeqScan { scanned, .. } => table_scan("Seq Scan", scanned),
        Kind::IndexScan { .. } | Kind::BitmapIndexScan { .. } => index_scan_title(node, verbose),
        Kind::BitmapScan { scanned, .. } => table_scan("Bitmap Heap Scan", scanned),
        Kind::BitmapMerge { is_union: true, .. } => plain_title("BitmapOr"),
        Kind::BitmapMerge { .. } => plain_title("BitmapAnd"),
        Kind::Function { function, alias, .. } => function_title(function.name(), alias, verbose),
        Kind::Values { rows } if rows.len() > 1 => {
            let own = vec![("Alias", "*VALUES*".to_owned())];
            ("Values Scan on \"*VALUES*\"".to_owned(), node_type("Values Scan"), own)
        }
        Kind::SubqueryScan { alias, .. } => {
            let title = format!("Subquery Scan on {}", quoted_name(alias));
            (title, node_type("Subquery Scan"), vec![("Alias", alias.clone())])
        }
        Kind::NestedLoop { kind, .. } => join("Nested Loop", *kind),
        Kind::EquiJoin { kind, method: Method::Hash, .. } => join("Hash Join", *kind),
        Kind::EquiJoin { kind, .. } => join("Merge Join", *kind),
        Kind::Aggregate { keys, .. } if keys.is_empty() => grouped("Plain", "Aggregate"),
        Kind::Aggregate { .. } | Kind::Distinct { .. } => grouped("Hashed", "HashAggregate"),
        Kind::Result { .. } | Kind::Values { .. } | Kind::Filter { .. } | Kind::Project { .. } => {
            plain_title("Result")
        }
        Kind::Locked { .. } => plain_title("LockRows"),
        Kind::Window { .. } => plain_title("WindowAgg"),
        Kind::Sort { .. } => plain_title("Sort"),
        Kind::Limit { .. } => plain_title("Limit"),
        Kind::Append { .. } => plain_title("Append"),
        Kind::SetOperation { operator, all, .. } => {
            let name = match operator {
                SetOperator::Intersect => "Intersect",
                _ => "Except",
            };
            let command = format!("{name}{}", if *all { " All" } else { "" });
            let mut kind = node_type("SetOp");
            kind.push(("Strategy", "Hashed".to_owned()));
            (format!("HashSetOp {command}"), kind, vec![("Command", command)])
        }
    }
}

/// The title of a node whose name says everything.
pub fn plain_title(name: &str) -> Title {
    (name.to_owned(), node_type(name), Vec::new())
}

/// The title of the node above those of an INSERT, UPDATE or DELETE.
pub fn modify_title(verb: &str, table: &str, alias: &str, verbose: bool) -> Title {
    let mut kind = node_type("ModifyTable");
    kind.push(("Operation", verb.to_owned()));
    (format!("{verb} on {}", target(table, alias, verbose)), kind, table_of(table, alias))
}

fn node_type(name: &str) -> Pairs {
    vec![("Node Type", name.to_owned())]
}

fn index_scan_title<Table: Deref<Target: Described>>(node: &Node<Table>, verbose: bool) -> Title {
    if let Kind::BitmapIndexScan { scanned, index, .. } = &node.kind {
        let (kind, it) = ("Bitmap Index Scan", scanned.table.index_name(*index).to_owned());
        let (title, kind) = (format!("{kind} on {it}"), node_type(kind));
        return (title, kind, vec![("Index Name", it)]);
    }
    let Kind::IndexScan { scanned, index, is_backward, is_only, .. } = &node.kind else {
        unreachable!("an index scan")
    };
    let only = if *is_only { " Only" } else { "" };
    let name = format!("Index{only} Scan");
    let index_name = scanned.table.index_name(*index);
    let (backward, direction) = match (is_backward, scanned.table.is_hash(*index)) {
        (_, true) => ("", "NoMovement"),
        (true, false) => (" Backward", "Backward"),
        (false, false) => ("", "Forward"),
    };
    let target = target(scanned.table.name(), &scanned.alias, verbose);
    let title = format!("{name}{backward} using {index_name} on {target}");
    let mut own =
        vec![("Scan Direction", direction.to_owned()), ("Index Name", index_name.to_owned())];
    own.extend(table_of(scanned.table.name(), &scanned.alias));
    (title, node_type(&name), own)
}

fn function_title(name: &str, alias: &str, verbose: bool) -> Title {
    let schema = if verbose { "pg_catalog." } else { "" };
    let shown = if alias == name { String::new() } else { format!(" {alias}") };
    let own = [("Function Name", name), ("Schema", "pg_catalog"), ("Alias", alias)];
    let own = own.map(|(name, it)| (name, it.to_owned())).to_vec();
    let title = format!("Function Scan on {schema}{name}{shown}");
    (title, node_type("Function Scan"), own)
}

fn table_of(table: &str, alias: &str) -> Pairs {
    let own = [("Relation Name", table), ("Schema", "public"), ("Alias", alias)];
    own.map(|(name, it)| (name, it.to_owned())).to_vec()
}

/// `public.t alias`
fn target(table: &str, alias: &str, verbose: bool) -> String {
    let schema = if verbose { "public." } else { "" };
    let alias = if alias == table { String::new() } else { format!(" {alias}") };
    format!("{schema}{table}{alias}")
}
