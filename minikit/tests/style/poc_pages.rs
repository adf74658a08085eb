//! Each POC has a page: `examples/poc61_aside.rs` of a crate belongs to `docs/poc/61.md`.
//!
//! The page has the same headings as every other. What it includes or links to exists; mdBook
//! itself leaves a gap and exits with 0:
//!
//! ```text
//! {{#include ../../minicache/examples/poc61_aside.rs:read}}   the file, and in it ANCHOR: read
//! [the scoreboard](../../README.md#numbers)                   the file
//! ```
//!
//! Code is included by anchor, never by line number: the lines of a file move.

use std::collections::BTreeSet;

use crate::rules::Finding;
use crate::source::Source;
use crate::workspace::Workspace;

const HEADINGS: [&str; 6] =
    ["Question", "Run it", "What you see", "Numbers", "Production checklist", "Interview"];

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut numbers = BTreeSet::new();
    for file in workspace.files() {
        let Some(number) = number_of_example(&file.path) else { continue };
        let page = format!("docs/poc/{number}.md");
        if workspace.file(&page).is_none() {
            findings.push(Finding::new(&file.path, 1, format!("no page {page}")));
        }
        numbers.insert(number);
    }
    for file in workspace.files() {
        let Some(number) = number_of_page(&file.path) else { continue };
        if !numbers.contains(number) {
            let text = format!("no example poc{number}_*.rs in any crate");
            findings.push(Finding::new(&file.path, 1, text));
        }
        findings.extend(headings(file));
        findings.extend(references(workspace, file));
    }
    findings
}

/// `61` for `minicache/examples/poc61_aside.rs`.
fn number_of_example(path: &str) -> Option<&str> {
    let (_, name) = path.split_once("/examples/poc")?;
    let (number, name) = name.split_once('_')?;
    (name.ends_with(".rs") && is_number(number)).then_some(number)
}

/// `61` for `docs/poc/61.md`.
fn number_of_page(path: &str) -> Option<&str> {
    path.strip_prefix("docs/poc/")?.strip_suffix(".md").filter(|it| is_number(it))
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_digit())
}

/// The lines with their numbers, and true for those inside of a block of code.
fn lines(page: &Source) -> impl Iterator<Item = (usize, &str, bool)> {
    let mut is_code = false;
    page.text.lines().enumerate().map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        (index + 1, line, is_code || is_fence)
    })
}

fn headings(page: &Source) -> Option<Finding> {
    let headings = lines(page).filter(|(_, _, is_code)| !is_code);
    let headings = headings.filter_map(|(_, line, _)| line.strip_prefix("## "));
    let headings = headings.map(str::trim).collect::<Vec<_>>();
    let text = || format!("its headings are {headings:?} and should be {HEADINGS:?}");
    (headings != HEADINGS).then(|| Finding::new(&page.path, 1, text()))
}

/// Checks that the files and anchors exist that a page includes or links to.
fn references(workspace: &Workspace, page: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text, is_code) in lines(page) {
        // Inside of a block of code, brackets are code, but an include is still one.
        let links = links(text).filter(|_| !is_code).map(|file| (file, None));
        for (file, anchor) in includes(text).chain(links) {
            let path = beside(&page.path, file);
            let has_anchor =
                |it: &&str| workspace.file(&path).is_some_and(|file| anchored(file, it));
            if !workspace.exists(&path) {
                findings.push(Finding::new(&page.path, line, format!("no file {path}")));
            } else if let Some(anchor) = anchor.filter(|it| !has_anchor(it)) {
                let text = format!("no `ANCHOR: {anchor}` in {path}");
                findings.push(Finding::new(&page.path, line, text));
            }
        }
    }
    findings
}

/// The files that a line includes, with their anchors: `{{#include FILE:ANCHOR}}`.
fn includes(line: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let commands = line.split("{{#").skip(1).filter_map(|it| it.split("}}").next());
    let arguments = commands.filter_map(|it| Some(it.split_once("include ")?.1.trim()));
    arguments.map(|it| it.split_once(':').map_or((it, None), |(file, anchor)| (file, Some(anchor))))
}

/// The files that a line links to: `[text](FILE#part "title")`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|it| it.split([')', ' ']).next());
    let is_local = |it: &&str| !it.contains("://") && !it.starts_with("mailto:");
    let files = targets.filter(is_local).filter_map(|it| it.split('#').next());
    files.filter(|it| !it.is_empty())
}

fn anchored(file: &Source, anchor: &str) -> bool {
    let anchors = file.text.split("ANCHOR: ").skip(1);
    anchors.filter_map(|it| it.split_whitespace().next()).any(|it| it == anchor)
}

/// The path of what a file refers to: `docs/a/b.md` and `../c.rs` are `docs/c.rs`.
fn beside(path: &str, reference: &str) -> String {
    let mut parts = path.split('/').collect::<Vec<_>>();
    parts.pop();
    for part in reference.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "" | "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::as_text;

    const EXAMPLE: (&str, &str) =
        ("minicache/examples/poc61_aside.rs", "// ANCHOR: read\n// ANCHOR_END: read\n");

    /// What is found in a page with all headings, and this text below the first.
    fn found(text: &str) -> Vec<String> {
        let page = format!("# 61\n## {}\n", HEADINGS.join("\n## "));
        let page = page.replacen("Question\n", &format!("Question\n{text}"), 1);
        as_text(check(&Workspace::of(&[EXAMPLE, ("docs/poc/61.md", &page)])))
    }

    #[test]
    fn a_poc_without_page_fails_and_the_reverse() {
        let expected = ["minicache/examples/poc61_aside.rs:1 no page docs/poc/61.md"];
        assert_eq!(as_text(check(&Workspace::of(&[EXAMPLE]))), expected);
        let page = format!("## {}\n", HEADINGS.join("\n## "));
        let workspace = Workspace::of(&[("docs/poc/62.md", &page), ("docs/poc/README.md", "")]);
        let expected = ["docs/poc/62.md:1 no example poc62_*.rs in any crate"];
        assert_eq!(as_text(check(&workspace)), expected);
    }

    #[test]
    fn a_wrong_heading_fails() {
        assert_eq!(found("### A part\n```sh\n## A comment\n```\n"), [""; 0]);
        let expected = format!(
            "docs/poc/61.md:1 its headings are {:?} and should be {HEADINGS:?}",
            [&["Question", "Answer"], &HEADINGS[1..]].concat()
        );
        assert_eq!(found("## Answer\n"), [expected]);
    }

    #[test]
    fn a_missing_file_fails() {
        let path = "../../minicache/examples";
        let good = format!(
            "```rust\n{{{{#include {path}/poc61_aside.rs:read}}}}\nlet a = b[0](c);\n```\n\
             [it]({path}/poc61_aside.rs#L1), [all]({path}), [web](https://a.b/c), [here](#a)\n"
        );
        assert_eq!(found(&good), [""; 0]);
        let bad = format!(
            "{{{{#include {path}/gone.txt}}}}\n{{{{#rustdoc_include {path}/poc61_aside.rs:1:3}}}}\n\
             ![a picture](gone.svg)\n"
        );
        let expected = [
            "docs/poc/61.md:3 no file minicache/examples/gone.txt",
            "docs/poc/61.md:4 no `ANCHOR: 1:3` in minicache/examples/poc61_aside.rs",
            "docs/poc/61.md:5 no file docs/poc/gone.svg",
        ];
        assert_eq!(found(&bad), expected);
    }
}
