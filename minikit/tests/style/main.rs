//! Style as a test: what a reader may rely on in every file of the workspace.
//!
//! | rule | applies to | file |
//! |---|---|---|
//! | lines of at most 100 columns | everything; in Markdown all but tables | `rules` |
//! | functions of at most 70 lines | everything, or named in the exceptions | `rules` |
//! | a head that says what the file is (`//!`) | `src` | `rules` |
//! | no `unwrap()`: `expect` says why it cannot fail | all but tests, benches, examples | `rules` |
//! | `unsafe` only in a file called `raw.rs` | everything | `rules` |
//! | nothing unfinished: no reminders, no ignored tests | everything | `rules` |
//! | nothing foreign: no paths of one machine, no tools of its authors | everything | `rules` |
//! | a folder imports only floors below it; the heart does no I/O | engines | `floors` |
//! | crates depend on each other in one direction | all crates | `floors` |
//! | no circle of modules through several folders | engines | `circles` |
//! | the inherent `impl` blocks of a type are in one file | all crates | `impls` |
//! | heart, evening path and `src` stay within their budgets | engines, minikit | `budgets` |
//! | pure Rust, and a heart that builds alone | engines, minikit | `dependencies` |
//! | a page with fixed headings for every POC | `examples`, `docs/poc` | `poc_pages` |
//!
//! Exceptions to the function length are listed in `style_exceptions.txt`, with size and reason.
//! They may only shrink: an entry that is no longer needed, or allows more than is there, fails the
//! test as well. No other rule has exceptions.
//!
//! The idea is TigerBeetle's `tidy.zig`. Redis has no counterpart.
#![cfg(not(loom))]

mod budgets;
mod circles;
mod dependencies;
mod exceptions;
mod floors;
mod impls;
mod imports;
mod poc_pages;
mod rules;
mod source;
mod workspace;

use rules::Finding;
use workspace::Workspace;

#[test]
fn files_keep_the_rules() {
    let workspace = Workspace::load();
    let this_file = workspace.file("minikit/tests/style/main.rs");
    assert!(this_file.is_some(), "the workspace is not where this test looks for it");

    let findings = workspace.files().flat_map(rules::check).collect();
    let allowed = include_str!("../style_exceptions.txt");
    report(exceptions::apply(allowed, "minikit/tests/style_exceptions.txt", findings));
}

#[test]
fn folders_import_only_floors_below() {
    report(floors::check(&Workspace::load()));
}

#[test]
fn modules_form_no_circle_across_folders() {
    report(circles::check(&Workspace::load()));
}

#[test]
fn types_have_their_methods_in_one_file() {
    report(impls::check(&Workspace::load()));
}

#[test]
fn budgets_are_kept() {
    let workspace = Workspace::load();
    println!("{}", budgets::table(&workspace));
    report(budgets::check(&workspace));
}

#[test]
fn engines_are_pure_rust_and_their_hearts_build_alone() {
    report(dependencies::check(&Workspace::load()));
}

#[test]
fn pocs_have_pages() {
    report(poc_pages::check(&Workspace::load()));
}

fn report(mut findings: Vec<Finding>) {
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    let lines = findings.iter().map(|it| format!("{}:{}: {}\n", it.path, it.line, it.text));
    let lines = lines.collect::<String>();
    assert!(findings.is_empty(), "{} findings\n{lines}", findings.len());
}

/// What a rule's own tests compare: findings as `path:line text`.
fn as_text(findings: Vec<Finding>) -> Vec<String> {
    findings.into_iter().map(|it| format!("{}:{} {}", it.path, it.line, it.text)).collect()
}
