//! The rules for a single file, each a few lines, each with a bad sample that it catches.

use crate::source::{Function, Source};

/// More columns make a reader scroll sideways beside a diff.
const COLUMNS_MAX: usize = 100;
/// What fits one screen, TigerBeetle's limit.
const FUNCTION_LINES_MAX: usize = 70;

/// Notes to self. Split, so that this file does not find itself.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("HA", "CK:")];
/// Macros that stand for code nobody has written yet, or for looking at it.
const UNFINISHED_CODE: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];
/// Directories of one machine, and tools of the authors: neither exists for a reader.
const FOREIGN: [&str; 9] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("clau", "de"),
    concat!("anthro", "pic"),
    concat!("chat", "gpt"),
    concat!("copi", "lot"),
    concat!("sub", "agent"),
    concat!("the br", "ief "),
];

/// Something a rule objects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    pub text: String,
    /// What an exception has to name, and its size in lines; `None` if no exception is possible.
    pub excusable: Option<(String, usize)>,
}

/// Everything wrong with one file.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut findings = foreign(source);
    if source.is_markdown() {
        findings.extend(columns(source));
    }
    if source.is_rust() {
        for rule in [columns, functions, head, unwraps, unsafety, unfinished] {
            findings.extend(rule(source));
        }
    }
    findings
}

impl Finding {
    pub fn new(path: &str, line: usize, text: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, text: text.into(), excusable: None }
    }
}

fn finding(source: &Source, line: usize, text: impl Into<String>) -> Finding {
    Finding::new(&source.path, line, text)
}

fn numbered(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source.text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

fn columns(source: &Source) -> Vec<Finding> {
    let too_long = |(line, text): (usize, &str)| {
        let columns = text.chars().count();
        // A row of a table cannot be broken.
        let is_row = source.is_markdown() && text.starts_with('|');
        (!is_row && columns > COLUMNS_MAX)
            .then(|| finding(source, line, format!("{columns} columns")))
    };
    numbered(source).filter_map(too_long).collect()
}

fn functions(source: &Source) -> Vec<Finding> {
    let functions = source.functions().into_iter().filter(|it| it.lines > FUNCTION_LINES_MAX);
    let finding = |it: Function| {
        let item = format!("fn {}", it.name);
        let text = format!("{item} has {} lines, more than {FUNCTION_LINES_MAX}", it.lines);
        Finding { excusable: Some((item, it.lines)), ..finding(source, it.line, text) }
    };
    functions.map(finding).collect()
}

fn head(source: &Source) -> Vec<Finding> {
    let missing = source.is_below_src() && !source.text.starts_with("//!");
    missing.then(|| finding(source, 1, "no head (`//!`)")).into_iter().collect()
}

fn unwraps(source: &Source) -> Vec<Finding> {
    let places = source.code.match_indices(".unwrap()").map(|(place, _)| place);
    let places = places.filter(|place| !source.is_in_tests(*place));
    let text = "unwrap() outside of tests; expect(\"why it cannot fail\")";
    places.map(|place| finding(source, source.line_of(place), text)).collect()
}

fn unsafety(source: &Source) -> Vec<Finding> {
    if source.path.ends_with("/raw.rs") {
        return Vec::new();
    }
    let places = source.words("unsafe").into_iter();
    places.map(|it| finding(source, source.line_of(it), "unsafe outside of raw.rs")).collect()
}

fn unfinished(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in numbered(source) {
        let reminders = UNFINISHED.iter().filter(|it| text.contains(**it));
        findings.extend(reminders.map(|it| finding(source, line, format!("unfinished: {it}"))));
    }
    for what in UNFINISHED_CODE {
        let places = source.code.match_indices(what);
        let text = || format!("unfinished: {what}");
        findings.extend(places.map(|(at, _)| finding(source, source.line_of(at), text())));
    }
    let ignored = source.code.match_indices(concat!("#[", "ignore"));
    let text = "an ignored test";
    findings.extend(ignored.map(|(at, _)| finding(source, source.line_of(at), text)));
    findings
}

fn foreign(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in numbered(source) {
        let text = text.to_lowercase();
        let found = FOREIGN.iter().filter(|it| text.contains(**it));
        findings.extend(found.map(|it| finding(source, line, format!("not of the project: {it}"))));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in `text`, as `line text`.
    fn found(path: &str, text: &str) -> Vec<String> {
        let findings = check(&Source::new(path, text));
        findings.into_iter().map(|it| format!("{} {}", it.line, it.text)).collect()
    }

    /// Words of the rules, put together here so that the rules do not find this file.
    fn of(parts: [&str; 2]) -> String {
        parts.concat()
    }

    #[test]
    fn a_good_file_has_no_findings() {
        let text = "//! A head.\n\n/// Says \"x.unwrap()\".\nfn f() {\n    g().expect(\"g\");\n}\n";
        assert_eq!(found("minikit/src/f.rs", text), [""; 0]);
    }

    #[test]
    fn a_long_line_counts_characters() {
        let line = |length: usize| format!("//! {}\n", "é".repeat(length - 4));
        assert_eq!(found("src/a.rs", &line(100)), [""; 0]);
        assert_eq!(found("src/a.rs", &line(101)), ["1 101 columns"]);
        assert_eq!(found("a.md", &line(101)), ["1 101 columns"]);
        assert_eq!(found("a.md", &format!("|{}|", line(101))), [""; 0]);
    }

    #[test]
    fn function_length_is_limited_and_can_be_excused() {
        let function =
            |lines: usize| format!("//! Head.\nfn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2));
        assert_eq!(found("src/a.rs", &function(70)), [""; 0]);
        assert_eq!(found("src/a.rs", &function(71)), ["2 fn f has 71 lines, more than 70"]);
        let findings = check(&Source::new("src/a.rs", &function(71)));
        assert_eq!(findings[0].excusable, Some(("fn f".to_owned(), 71)));
    }

    #[test]
    fn a_head_is_missed_under_src_only() {
        assert_eq!(found("minikit/src/a.rs", "fn f() {}\n"), ["1 no head (`//!`)"]);
        assert_eq!(found("minikit/tests/a.rs", "fn f() {}\n"), [""; 0]);
    }

    #[test]
    fn unwrap_is_for_tests() {
        let text =
            "//! Head.\nfn f() { g().unwrap() }\n#[cfg(test)]\nmod t { fn f() { g().unwrap() } }\n";
        let finding = "2 unwrap() outside of tests; expect(\"why it cannot fail\")";
        assert_eq!(found("minikit/src/a.rs", text), [finding]);
        assert_eq!(found("minikit/examples/a.rs", text), [""; 0]);
    }

    #[test]
    fn unsafe_has_one_place() {
        let text = "//! Not unsafe.\n#![allow(unsafe_code)]\nfn f() { unsafe { g() } }\n";
        assert_eq!(found("minikit/src/a.rs", text), ["3 unsafe outside of raw.rs"]);
        assert_eq!(found("minikit/src/raw.rs", text), [""; 0]);
    }

    #[test]
    fn nothing_is_left_unfinished() {
        let reminder = of(["TO", "DO"]);
        let (gap, ignored) = (of(["to", "do!"]), of(["#[ig", "nore]"]));
        let text = format!("//! {reminder} later.\n{ignored}\nfn f() {{ {gap}() }}\n");
        let expected = [
            format!("1 unfinished: {reminder}"),
            format!("3 unfinished: {gap}"),
            "2 an ignored test".to_string(),
        ];
        assert_eq!(found("src/a.rs", &text), expected);
    }

    #[test]
    fn foreign_paths_and_tools_are_found() {
        let (path, tool) = (of(["/wo", "rk/"]), of(["Clau", "de"]));
        let text = format!("Read {path}x.\nAsk {tool}.\nThe framework/library.\n");
        let expected = [
            format!("1 not of the project: {path}"),
            format!("2 not of the project: {}", tool.to_lowercase()),
        ];
        assert_eq!(found("README.md", &text), expected);
    }
}
