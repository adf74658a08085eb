//! Style as a test: what a reader may rely on in every file of the workspace.
//!
//! | rule | where |
//! |---|---|
//! | lines of at most 100 columns | everywhere; in Markdown but for tables |
//! | functions of at most 70 lines, files of at most 600 | everywhere, or named in the exceptions |
//! | a head that says what the file is (`//!`) | under `src` |
//! | no `unwrap()`: `expect` says why it cannot fail | outside of tests, benches, examples |
//! | `unsafe` only in a file called `raw.rs` | everywhere |
//! | nothing unfinished: no reminders, no ignored tests | everywhere |
//! | nothing foreign: no paths of one machine, no tools of its authors | everywhere |
//!
//! Exceptions stand in `style_exceptions.txt` with their size and a reason. They may only shrink:
//! one that is no longer needed, or allows more than is there, fails the test as well.
//!
//! The idea is TigerBeetle's `tidy.zig`. Redis has no counterpart.
#![cfg(not(loom))]

mod exceptions;
mod rules;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use rules::Finding;
use source::Source;

#[test]
fn the_whole_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut findings = Vec::new();
    let mut files = Vec::new();
    walk(&root, &mut files);
    for file in &files {
        let path = file.strip_prefix(&root).expect("found below it").display().to_string();
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{path}: {error}"));
        findings.extend(rules::check(&Source::new(&path, &text)));
    }
    let this_file = Path::new(file!());
    assert!(files.iter().any(|file| file.ends_with(this_file)), "{root:?} is not the workspace");
    let allowed = include_str!("../style_exceptions.txt");
    report(exceptions::apply(allowed, "minikit/tests/style_exceptions.txt", findings));
}

/// Every source text below `directory`, except what is built, fetched or hidden.
fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).expect("a directory of the workspace is readable");
    let mut paths =
        entries.map(|entry| entry.expect("it stays while we look").path()).collect::<Vec<_>>();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let skipped = name.starts_with('.') || ["target", "node_modules"].contains(&name.as_str());
        if path.is_dir() && !skipped {
            walk(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs" || it == "md" || it == "toml") {
            files.push(path);
        }
    }
}

fn report(mut findings: Vec<Finding>) {
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    let lines = findings.iter().map(|it| format!("{}:{}: {}\n", it.path, it.line, it.text));
    let lines = lines.collect::<String>();
    assert!(findings.is_empty(), "{} findings\n{lines}", findings.len());
}
