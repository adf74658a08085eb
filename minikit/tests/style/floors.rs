//! The floors of an engine, the same in all of them, and which crate may use which.
//!
//! A folder may import the floors that its row names, and itself:
//!
//! ```text
//! engine/store/shard.rs:3: use crate::wire::Reply;     engine -> wire: fails, it goes up
//! wire/reply.rs:7:         use crate::engine::Value;   wire -> engine: fine
//! ```
//!
//! An engine may lack folders of the list, and has no others. `lib.rs` is above all floors: it may
//! import everything, and nothing may import its items.

use crate::imports::{Crate, Import, Module};
use crate::rules::Finding;
use crate::workspace::Workspace;

/// `(folder or file below src, what it may import)`, bottom up.
const FLOORS: [(&str, &str); 14] = [
    // System calls and pointers.
    ("raw", ""),
    // Heart: the bytes, then the idea.
    ("format", "raw"),
    ("engine", "raw format"),
    // The protocol, without I/O.
    ("wire", "raw format engine"),
    // Handlers: what clients may ask. The catalogue is pure data.
    ("commands/catalogue", "raw format"),
    ("conf", "raw format engine wire"),
    ("commands", "raw format engine wire conf commands/catalogue"),
    ("handlers", "raw format engine wire conf"),
    ("sql", "raw format engine wire conf"),
    // Sockets, tasks, files, `/proc`.
    ("server", "raw format engine wire conf commands/catalogue commands handlers sql"),
    // Annex: what a reader sees.
    ("client", "raw format engine wire conf commands/catalogue commands handlers sql server"),
    (
        "explain",
        "raw format engine wire conf commands/catalogue commands handlers sql server client",
    ),
    ("cli", "raw format engine wire conf commands/catalogue commands handlers sql server client"),
    ("command_line", "*"),
];

/// What the heart must not name: it gets bytes, commands and the time handed in.
const HEART: [&str; 2] = ["format", "engine"];
const NOT_IN_HEART: [&str; 6] =
    ["tokio", "std::net", "std::fs", "libc", "SystemTime::now", "Instant::now"];

/// What no floor below `server` may name, except `raw`, which has the system calls.
const BELOW_SERVER: [&str; 8] =
    ["format", "engine", "wire", "commands/catalogue", "conf", "commands", "handlers", "sql"];
const NOT_BELOW_SERVER: [&str; 2] = ["std::fs", "tokio::fs"];

/// `(crate, the crates of the workspace that it may depend on)`; crates that are not in the list,
/// benches and examples for instance, may depend on these.
const CRATES: [(&str, &str); 6] = [
    ("minikit", ""),
    ("minilog", "minikit"),
    ("minibtree", "minikit"),
    ("minicache", "minikit"),
    ("minilb", "minikit"),
    ("minigateway", "minikit minilb"),
];

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = dependencies(workspace);
    for name in workspace.engines() {
        let engine = Crate::read(workspace, name);
        findings.extend(engine.imports().iter().filter_map(upward));
        for (path, module) in engine.modules() {
            findings.extend(input_and_output(path, module));
        }
    }
    findings
}

/// The row of FLOORS that a path from the root of the crate belongs to; `None` for an item of
/// `lib.rs` and for a folder that is not in the list.
fn floor_of(path: &str) -> Option<&'static (&'static str, &'static str)> {
    let path = path.replace("::", "/");
    let is_in = |floor: &str| {
        path.strip_prefix(floor).is_some_and(|it| it.is_empty() || it.starts_with('/'))
    };
    FLOORS.iter().filter(|(floor, _)| is_in(floor)).max_by_key(|(floor, _)| floor.len())
}

/// Finds an import that goes up, as it is written or in the module that defines the item: neither a
/// re-export from above nor one from below hides it.
fn upward(import: &Import) -> Option<Finding> {
    let (floor, allowed) = floor_of(import.from)?;
    let may_import = |path: &str| match floor_of(path) {
        Some((other, _)) => {
            other == floor || *allowed == "*" || allowed.split(' ').any(|it| it == *other)
        }
        None => *allowed == "*",
    };

    let upward = [import.written.as_str(), import.target.module.as_str()];
    let upward = upward.into_iter().find(|path| !may_import(path))?;
    let other = floor_of(upward).map_or("lib.rs", |(other, _)| other);
    let written = &import.written;
    let text = format!("`{written}`: {floor} must not import {other}, only [{allowed}]");
    Some(Finding::new(&import.source.path, import.line, text))
}

/// Finds folders without a floor, and what only a higher floor may do.
fn input_and_output(path: &str, module: &Module) -> Vec<Finding> {
    let source = module.source;
    let Some((floor, _)) = floor_of(path) else {
        let text = format!("`{path}` is on no floor; see FLOORS in floors.rs");
        let is_root = path.is_empty();
        return if is_root { Vec::new() } else { vec![Finding::new(&source.path, 1, text)] };
    };
    let forbidden: &[&str] = if source.path.ends_with("/raw.rs") {
        &[]
    } else if HEART.contains(floor) {
        &NOT_IN_HEART
    } else if BELOW_SERVER.contains(floor) {
        &NOT_BELOW_SERVER
    } else {
        &[]
    };

    let mut findings = Vec::new();
    let mut add = |line, what| {
        let text = format!("`{what}` does not belong in {floor}");
        findings.push(Finding::new(&source.path, line, text));
    };
    for named in &module.paths {
        // With colons at both ends, so that only whole names match.
        let path = format!("::{}::", named.path.join("::"));
        let found = forbidden.iter().filter(|it| path.contains(&format!("::{it}::")));
        found.for_each(|it| add(named.line, *it));
    }

    // A literal, so it is in the text and not in the code.
    for (line, text) in source.lines_without_tests() {
        let is_comment = text.trim_start().starts_with("//");
        if BELOW_SERVER.contains(floor) && !is_comment && text.contains("\"/proc") {
            add(line, "/proc");
        }
    }
    findings
}

/// The dependencies of each crate on others of the workspace, read from its `Cargo.toml`.
fn dependencies(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    let crates = workspace.crates();
    for name in &crates {
        let Some(manifest) = workspace.file(&format!("{name}/Cargo.toml")) else { continue };
        let row = CRATES.iter().find(|(it, _)| it == name);
        let mut section = "";
        for (index, line) in manifest.text.lines().enumerate() {
            section = line.strip_prefix('[').map_or(section, |it| it.trim_end_matches(']'));
            let Some(other) = dependency(section, line).filter(|it| crates.contains(it)) else {
                continue;
            };

            // Tests may use any engine, but not the comparisons.
            let is_for_tests = section.contains("dev-dependencies");
            let is_listed = row.is_none_or(|(_, list)| list.split(' ').any(|it| it == other));
            if other == "comparisons" || !(is_listed || is_for_tests) {
                let text = format!("{name} must not depend on {other}");
                findings.push(Finding::new(&manifest.path, index + 1, text));
            }
        }
    }
    findings
}

/// The crate that a line of a `Cargo.toml` adds: `[dependencies.NAME]`, or `NAME = ` or
/// `NAME.workspace = ` in a section that ends in `dependencies`.
fn dependency<'a>(section: &'a str, line: &'a str) -> Option<&'a str> {
    if line.starts_with('[') {
        return Some(section.rsplit_once("dependencies.")?.1);
    }
    let name = line.split(['=', '.']).next()?.trim();
    section.ends_with("dependencies").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::as_text;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        as_text(check(&Workspace::of(files)))
    }

    const WIRE: (&str, &str) = ("minilog/src/wire/mod.rs", "pub struct Reply;\n");

    #[test]
    fn floors_are_listed_bottom_up() {
        for (index, (floor, allowed)) in FLOORS.iter().enumerate() {
            let below = |it: &str| FLOORS[..index].iter().any(|(floor, _)| *floor == it);
            assert!(allowed.split_whitespace().all(|it| it == "*" || below(it)), "{floor}");
        }
    }

    #[test]
    fn an_upward_import_fails() {
        let text = "use crate::{format, wire::Reply};\nfn f() { crate::server::start() }\n";
        let files = [("minilog/src/engine/log/mod.rs", text), WIRE, ("minilog/src/server.rs", "")];
        let format = ("minilog/src/format/mod.rs", "");
        let found_at = |line, path, floor| {
            let text = format!("`{path}`: engine must not import {floor}, only [raw format]");
            format!("minilog/src/engine/log/mod.rs:{line} {text}")
        };
        let expected = [found_at(1, "wire::Reply", "wire"), found_at(2, "server::start", "server")];
        assert_eq!(found(&[&files[..], &[format]].concat()), expected);
        let below = ("minilog/src/handlers/fetch.rs", "use crate::wire::Reply;\n");
        assert_eq!(found(&[below, WIRE]), [""; 0]);
    }

    #[test]
    fn a_re_export_hides_no_upward_import() {
        let root = ("minilog/src/lib.rs", "mod format;\nmod wire;\npub use wire::Reply;\n");
        let format = ("minilog/src/format/mod.rs", "use crate::Reply;\n");
        let expected =
            ["minilog/src/format/mod.rs:1 `Reply`: format must not import lib.rs, only [raw]"];
        assert_eq!(found(&[root, format, WIRE]), expected);
    }

    #[test]
    fn the_catalogue_is_a_leaf() {
        let text = "use super::Executor;\nuse crate::conf;\n";
        let files = [
            (
                "minicache/src/commands/mod.rs",
                "mod catalogue;\nuse catalogue::F;\nstruct Executor;\n",
            ),
            ("minicache/src/commands/catalogue/mod.rs", text),
            ("minicache/src/conf/mod.rs", "use crate::commands::catalogue;\n"),
        ];
        let paths = found(&files).into_iter().map(|it| it.split(": ").next().map(str::to_owned));
        let expected = [
            "minicache/src/commands/catalogue/mod.rs:1 `commands::Executor`",
            "minicache/src/commands/catalogue/mod.rs:2 `conf`",
            "minicache/src/conf/mod.rs:1 `commands::catalogue`",
        ];
        assert_eq!(paths.flatten().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_folder_without_a_floor_fails() {
        let expected =
            ["minilb/src/utils/a.rs:1 `utils::a` is on no floor; see FLOORS in floors.rs"];
        assert_eq!(found(&[("minilb/src/utils/a.rs", ""), ("minilb/src/lib.rs", "")]), expected);
        assert_eq!(found(&[("minikit/src/utils/a.rs", "use std::fs;\n")]), [""; 0]);
    }

    #[test]
    fn the_heart_does_no_input_or_output() {
        let text = "use std::{fs, time::Instant};\nfn f() { Instant::now(); tokio::spawn(g) }\n\
                    // std::fs, \"/proc\"\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        let expected = [
            "minilb/src/engine/a.rs:1 `std::fs` does not belong in engine",
            "minilb/src/engine/a.rs:2 `Instant::now` does not belong in engine",
            "minilb/src/engine/a.rs:2 `tokio` does not belong in engine",
        ];
        assert_eq!(found(&[("minilb/src/engine/a.rs", text)]), expected);
        assert_eq!(
            found(&[("minilb/src/raw.rs", text), ("minilb/src/server/a.rs", text)]),
            [""; 0]
        );
    }

    #[test]
    fn files_belong_to_the_server() {
        let text = "use tokio::fs;\nconst STATUS: &str = \"/proc/self/status\";\n";
        let expected = [
            "minilb/src/conf/a.rs:1 `tokio::fs` does not belong in conf",
            "minilb/src/conf/a.rs:2 `/proc` does not belong in conf",
        ];
        assert_eq!(found(&[("minilb/src/conf/a.rs", text)]), expected);
        assert_eq!(found(&[("minilb/src/explain/a.rs", text)]), [""; 0]);
    }

    #[test]
    fn crates_depend_in_one_direction() {
        let lib = |name: &'static str| (name, "");
        let files = [
            lib("minikit/src/lib.rs"),
            lib("minilb/src/lib.rs"),
            lib("minigateway/src/lib.rs"),
            lib("benches/src/lib.rs"),
            lib("comparisons/src/main.rs"),
            (
                "minigateway/Cargo.toml",
                "[dependencies]\nminilb.workspace = true\nminikit = \"1\"\n",
            ),
            ("minilb/Cargo.toml", "[package]\nname = \"minilb\"\n[dependencies.minigateway]\n"),
            (
                "minikit/Cargo.toml",
                "[target.'cfg(unix)'.dependencies]\ntokio = \"1\"\nminilb = \"1\"\n",
            ),
            (
                "benches/Cargo.toml",
                "[dependencies]\nminilb = \"1\"\n[dev-dependencies]\ncomparisons = \"1\"\n",
            ),
        ];
        let expected = [
            "benches/Cargo.toml:4 benches must not depend on comparisons",
            "minikit/Cargo.toml:3 minikit must not depend on minilb",
            "minilb/Cargo.toml:3 minilb must not depend on minigateway",
        ];
        assert_eq!(found(&files), expected);
    }
}
