//! No circle of modules through several folders: then neither folder could be read first.
//!
//! ```text
//! engine/access.rs:12     uses engine/store/shard.rs
//! engine/store/shard.rs:7 uses engine/access.rs        a circle through engine and engine/store
//! ```
//!
//! Circles inside of one folder are fine, a `mod.rs` and its files included. The shortest circle is
//! found first; then its imports count no more, and the next one is looked for, until none is left.

use std::collections::{BTreeMap, VecDeque};

use crate::imports::{Crate, Import};
use crate::rules::Finding;
use crate::workspace::Workspace;

/// For each module, the modules that it depends on, with the first import of each.
type Graph<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a Import<'a>>>;

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in workspace.engines() {
        let engine = Crate::read(workspace, name);
        let imports = engine.imports();
        let mut graph = graph(&imports);
        while let Some(circle) = shortest_circle(&engine, &graph) {
            findings.push(describe(&circle));
            for import in circle {
                graph.get_mut(import.from).map(|it| it.remove(import.target.module.as_str()));
            }
        }
    }
    findings
}

fn graph<'a>(imports: &'a [Import<'a>]) -> Graph<'a> {
    let mut graph = Graph::new();
    for import in imports.iter().filter(|it| it.is_dependency) {
        let edges = graph.entry(import.from).or_default();
        edges.entry(import.target.module.as_str()).or_insert(import);
    }
    graph
}

/// Every circle through several folders has an import from one folder to another, and the way back.
fn shortest_circle<'a>(engine: &Crate, graph: &Graph<'a>) -> Option<Vec<&'a Import<'a>>> {
    let mut shortest: Option<Vec<&Import>> = None;
    for (from, edges) in graph {
        for (to, import) in edges {
            if engine.folder_of(from) == engine.folder_of(to) {
                continue;
            }
            let longest = shortest.as_ref().map_or(usize::MAX, |it| it.len() - 1);
            if let Some(mut way) = way(graph, to, from, longest) {
                way.insert(0, import);
                shortest = Some(way);
            }
        }
    }
    shortest
}

/// The shortest way from one module to another, if it has fewer than `limit` steps.
fn way<'a>(graph: &Graph<'a>, from: &str, to: &str, limit: usize) -> Option<Vec<&'a Import<'a>>> {
    let mut reached = BTreeMap::<&str, Vec<&Import>>::new();
    let mut queue = VecDeque::from([(from, Vec::new())]);
    while let Some((module, way)) = queue.pop_front() {
        if module == to {
            return Some(way);
        }
        if way.len() + 1 >= limit || reached.contains_key(module) {
            continue;
        }
        for (next, import) in graph.get(module).into_iter().flatten() {
            let mut way = way.clone();
            way.push(*import);
            queue.push_back((*next, way));
        }
        reached.insert(module, way);
    }
    None
}

fn describe(circle: &[&Import]) -> Finding {
    let step = |import: &&Import| {
        let to = import.target.module.replace("::", "/");
        format!("\n    {}:{} uses {to} (`{}`)", import.source.path, import.line, import.written)
    };
    let steps = circle.iter().map(step).collect::<String>();
    let text = format!("a circle of {} modules through several folders{steps}", circle.len());
    Finding::new(&circle[0].source.path, circle[0].line, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::as_text;

    const A: (&str, &str) = ("minilb/src/engine/a.rs", "use super::health::b::B;\npub struct A;\n");

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        as_text(check(&Workspace::of(files)))
    }

    #[test]
    fn the_shortest_circle_is_printed() {
        let b = "use super::super::c;\npub struct B;\nfn f(_: crate::engine::A) { c::f() }\n";
        let files = [
            ("minilb/src/engine/mod.rs", "pub mod health;\npub use a::A;\nmod a;\nmod c;\n"),
            A,
            ("minilb/src/engine/health/mod.rs", "pub mod b;\n"),
            ("minilb/src/engine/health/b.rs", b),
            ("minilb/src/engine/c.rs", "use super::A;\npub fn f() {}\n"),
        ];
        let circle = "minilb/src/engine/a.rs:1 a circle of 2 modules through several folders\
                      \n    minilb/src/engine/a.rs:1 uses engine/health/b (`engine::health::b::B`)\
                      \n    minilb/src/engine/health/b.rs:3 uses engine/a (`engine::A`)";
        assert_eq!(found(&files), [circle]);
    }

    #[test]
    fn maps_and_one_folder_are_no_circle() {
        let files = [
            ("minilb/src/engine/mod.rs", "pub mod health;\npub mod a;\n"),
            A,
            ("minilb/src/engine/health.rs", "pub mod b;\nuse b::B;\npub fn f() {}\n"),
            ("minilb/src/engine/health/b.rs", "use super::f;\npub struct B;\n"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }
}
