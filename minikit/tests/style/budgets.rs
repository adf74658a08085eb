//! How long a crate may be, and the list of files that make its heart readable in an evening.
//!
//! The README of an engine lists the files in reading order, each as a path below `src` that ends
//! in `.rs`, between two markers; `../` leads to the folders of its other crates:
//!
//! ```text
//! <!-- evening -->
//! 1. `format/entry.rs`: one key and its value in 19 bytes.
//! 2. `engine/store/table.rs`: the index.
//! <!-- /evening -->
//! ```
//!
//! Lines are counted with comments and without tests: files named `tests.rs`, folders `tests`,
//! modules declared under `#[cfg(test)]`, and everything from a `#[cfg(test)]` module on are left
//! out. A budget moves in a commit that says why.

use std::collections::BTreeSet;

use crate::rules::Finding;
use crate::source::Source;
use crate::workspace::Workspace;

struct Budget {
    name: &'static str,
    /// `format` and `engine`; 0 in a crate that is not an engine, like `evening`.
    heart: usize,
    evening: usize,
    /// All of `src`.
    src: usize,
}

const fn budget(name: &'static str, heart: usize, evening: usize, src: usize) -> Budget {
    Budget { name, heart, evening, src }
}

const BUDGETS: &[Budget] = &[
    budget("minilog", 5_000, 3_500, 14_000),
    budget("minilog/mapped", 0, 0, 65),
    budget("minilog/purgatory", 0, 0, 250),
    budget("minibtree", 5_900, 4_000, 18_720),
    budget("minibtree/array", 0, 0, 160),
    budget("minibtree/auth", 0, 0, 150),
    budget("minibtree/autovacuum", 0, 0, 120),
    budget("minibtree/buffer_usage", 0, 0, 70),
    budget("minibtree/buffers", 0, 0, 130),
    budget("minibtree/commands", 0, 0, 655),
    budget("minibtree/control", 0, 0, 155),
    budget("minibtree/copy", 0, 0, 935),
    budget("minibtree/cost", 0, 0, 490),
    budget("minibtree/data_row", 0, 0, 70),
    budget("minibtree/datetime", 0, 0, 1_260),
    budget("minibtree/embedded", 0, 0, 980),
    budget("minibtree/errors", 0, 0, 590),
    budget("minibtree/estimate", 0, 0, 260),
    budget("minibtree/explain", 0, 0, 570),
    budget("minibtree/explain_plan", 0, 0, 983),
    budget("minibtree/expression", 0, 0, 500),
    budget("minibtree/format", 0, 0, 635),
    budget("minibtree/frame", 0, 0, 150),
    budget("minibtree/functions", 0, 0, 2_873),
    budget("minibtree/grammar", 0, 0, 310),
    budget("minibtree/handshake", 0, 0, 200),
    budget("minibtree/inspect", 0, 0, 920),
    budget("minibtree/joins", 0, 0, 1_305),
    budget("minibtree/key_range", 0, 0, 90),
    budget("minibtree/locks", 0, 0, 500),
    budget("minibtree/maps", 0, 0, 120),
    budget("minibtree/names", 0, 0, 80),
    budget("minibtree/numeric", 0, 0, 460),
    budget("minibtree/optimistic", 0, 0, 360),
    budget("minibtree/origin", 0, 0, 75),
    budget("minibtree/page_table", 0, 0, 65),
    budget("minibtree/pg_catalog", 0, 0, 1_000),
    budget("minibtree/places", 0, 0, 145),
    budget("minibtree/plan", 0, 0, 469),
    budget("minibtree/query", 0, 0, 636),
    budget("minibtree/record", 0, 0, 147),
    budget("minibtree/row", 0, 0, 300),
    budget("minibtree/schema", 0, 0, 425),
    budget("minibtree/segments", 0, 0, 190),
    budget("minibtree/session_settings", 0, 0, 155),
    budget("minibtree/settings", 0, 0, 221),
    budget("minibtree/shell", 0, 0, 1_060),
    budget("minibtree/small_file", 0, 0, 60),
    budget("minibtree/spill", 0, 0, 840),
    budget("minibtree/spool", 0, 0, 180),
    budget("minibtree/start_up", 0, 0, 85),
    budget("minibtree/statement", 0, 0, 450),
    budget("minibtree/statistics", 0, 0, 250),
    budget("minibtree/streams", 0, 0, 455),
    budget("minibtree/types", 0, 0, 1_485),
    budget("minibtree/upkeep", 0, 0, 155),
    budget("minibtree/utf8", 0, 0, 45),
    budget("minibtree/versions", 0, 0, 65),
    budget("minibtree/wire", 0, 0, 725),
    budget("minicache", 9_300, 3_500, 27_880),
    budget("minicache/aof", 0, 0, 970),
    budget("minicache/lua", 0, 0, 2_720),
    budget("minicache/race", 0, 0, 380),
    budget("minicache/text", 0, 0, 400),
    budget("minicache/write_behind", 0, 0, 1_020),
    budget("minilb", 4_500, 3_500, 14_000),
    budget("minilb/cookie", 0, 0, 145),
    budget("minilb/diff", 0, 0, 500),
    budget("minilb/dns", 0, 0, 340),
    budget("minilb/forward", 0, 0, 390),
    budget("minilb/http1", 0, 0, 2_000),
    budget("minilb/lexer", 0, 0, 270),
    budget("minilb/preread", 0, 0, 335),
    budget("minilb/probe", 0, 0, 255),
    budget("minigateway", 2_800, 3_000, 7_500),
    budget("minigateway/graphql", 0, 0, 210),
    budget("minigateway/jwt", 0, 0, 290),
    budget("minikit", 0, 0, 6_500),
    budget("minikit/line", 0, 0, 30),
    budget("minikit/unix_socket", 0, 0, 200),
];

const EVENING: [&str; 2] = ["<!-- evening -->", "<!-- /evening -->"];

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let budgets = BUDGETS.iter().filter(|it| !workspace.sources_of(it.name).is_empty());
    budgets.flat_map(|it| check_crate(workspace, it)).collect()
}

fn check_crate(workspace: &Workspace, budget: &Budget) -> Vec<Finding> {
    let sources = workspace.sources_of(budget.name);
    let readme = format!("{}/README.md", budget.name);
    let mut findings = Vec::new();

    let mut spent = vec![("src", lines(&sources), budget.src)];
    if workspace.engines().contains(&budget.name) {
        let (files, complaints) = evening(workspace, budget.name);
        spent.push(("heart", lines(&heart(&sources)), budget.heart));
        spent.push(("the evening path", lines(&files), budget.evening));
        let finding = |(line, text): (usize, String)| Finding::new(&readme, line, text);
        findings.extend(complaints.into_iter().map(finding));
    }

    for (what, lines, max) in spent.into_iter().filter(|(_, lines, max)| lines > max) {
        let text = format!("{what} has {lines} lines, more than {max}");
        findings.push(Finding::new(&readme, 1, text));
    }
    findings
}

fn lines(sources: &[&Source]) -> usize {
    sources.iter().map(|it| it.lines_without_tests().count()).sum()
}

fn heart<'a>(sources: &[&'a Source]) -> Vec<&'a Source> {
    let is_heart = |it: &&&Source| {
        let below_src = it.path.split_once("/src/").map_or("", |(_, path)| path);
        ["format", "engine"].contains(&below_src.split(['/', '.']).next().unwrap_or_default())
    };
    sources.iter().filter(is_heart).copied().collect()
}

/// The files of the evening path in reading order, and what is wrong with the list, by line.
fn evening<'a>(workspace: &'a Workspace, name: &str) -> (Vec<&'a Source>, Vec<(usize, String)>) {
    let text = workspace.file(&format!("{name}/README.md")).map_or("", |it| it.text.as_str());
    let list = text.split_once(EVENING[0]).and_then(|(before, rest)| {
        let list = rest.split_once(EVENING[1])?.0;
        Some((1 + before.matches('\n').count(), list))
    });
    let Some((start, list)) = list else {
        let [from, to] = EVENING;
        return (Vec::new(), vec![(1, format!("no evening path between {from} and {to}"))]);
    };

    let (mut files, mut complaints) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (line, text) in list.lines().enumerate().map(|(index, text)| (start + index, text)) {
        // Every second part is inside of backticks.
        for path in text.split('`').skip(1).step_by(2) {
            if path.ends_with('/') {
                complaints.push((line, format!("the evening path lists files, not {path}")));
            } else if path.ends_with(".rs") {
                let path_here = match path.strip_prefix("../") {
                    Some(beside_src) => format!("{name}/{beside_src}"),
                    None => format!("{name}/src/{path}"),
                };
                let source = workspace.file(&path_here);
                match source.filter(|_| seen.insert(path)) {
                    Some(source) => files.push(source),
                    None => complaints.push((line, format!("{path}: missing, or listed twice"))),
                }
            }
        }
    }
    if files.is_empty() {
        complaints.push((start, "the evening path is empty".to_owned()));
    }
    (files, complaints)
}

/// Shares of lines, which nothing enforces: a number that is enforced gets satisfied.
struct Shares {
    /// Comment lines per line of code.
    comments: f64,
    /// Of the lines inside of function bodies, in percent.
    blank_inside: f64,
    comments_inside: f64,
}

fn shares(sources: &[&Source]) -> Shares {
    let (mut code, mut comments) = (0, 0);
    let (mut inside, mut blank_inside, mut comments_inside) = (0, 0, 0);
    for source in sources {
        let functions = source.functions();
        let bodies = functions.iter().flat_map(|it| it.line + 1..it.line + it.lines - 1);
        let bodies = bodies.collect::<BTreeSet<_>>();
        for (line, text) in source.lines_without_tests() {
            let is_blank = text.trim().is_empty();
            let is_comment = text.trim_start().starts_with("//");
            comments += usize::from(is_comment);
            code += usize::from(!is_comment && !is_blank);
            if bodies.contains(&line) {
                inside += 1;
                blank_inside += usize::from(is_blank);
                comments_inside += usize::from(is_comment);
            }
        }
    }
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    Shares {
        comments: share(comments, code),
        blank_inside: 100.0 * share(blank_inside, inside),
        comments_inside: 100.0 * share(comments_inside, inside),
    }
}

/// Lines and shares of each crate, for `cargo test -p minikit --test style budgets -- --nocapture`.
pub fn table(workspace: &Workspace) -> String {
    let mut table = format!(
        "{:<12} {:>13} {:>13} {:>13}  {:>13} {:>12} {:>15}\n",
        "", "heart", "evening", "src", "comments/code", "blank in fn", "comments in fn"
    );
    let mut row = |name: &str, spent: [String; 3], shares: Shares| {
        let [heart, evening, src] = spent;
        let Shares { comments, blank_inside, comments_inside } = shares;
        table += &format!(
            "{name:<12} {heart:>13} {evening:>13} {src:>13}  {comments:>13.2} \
             {blank_inside:>10.1} % {comments_inside:>13.1} %\n"
        );
    };
    let toydb = Shares { comments: 0.35, blank_inside: 5.9, comments_inside: 9.6 };
    row("toydb", Default::default(), toydb);
    for budget in BUDGETS {
        let sources = workspace.sources_of(budget.name);
        if !sources.is_empty() {
            let of = |spent: usize, max: usize| match max {
                0 => String::new(),
                max => format!("{spent} of {max}"),
            };
            let spent = [
                of(lines(&heart(&sources)), budget.heart),
                of(lines(&evening(workspace, budget.name).0), budget.evening),
                of(lines(&sources), budget.src),
            ];
            row(budget.name, spent, shares(&sources));
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::as_text;

    /// What is found in an engine with this README and one file of so many lines.
    fn found(readme: &str, lines: usize) -> Vec<String> {
        let text = format!("{}#[cfg(test)]\nmod tests {{\n}}\n", "//!\n".repeat(lines));
        let files = [
            ("minigateway/README.md", readme),
            ("minigateway/src/engine/limit.rs", &text),
            ("minigateway/src/engine/limit/tests.rs", &text),
            ("minigateway/src/server/tests/mod.rs", &text),
        ];
        as_text(check(&Workspace::of(&files)))
    }

    const LISTED: &str = "# A\n<!-- evening -->\n1. `engine/limit.rs`: it.\n<!-- /evening -->\n";

    #[test]
    fn an_over_long_evening_path_fails() {
        assert_eq!(found(LISTED, 2_800), [""; 0]);
        let expected = [
            "minigateway/README.md:1 heart has 3001 lines, more than 2800",
            "minigateway/README.md:1 the evening path has 3001 lines, more than 3000",
        ];
        assert_eq!(found(LISTED, 3_001), expected);
    }

    #[test]
    fn src_has_a_budget() {
        let text = "//!\n".repeat(6_501);
        let workspace = Workspace::of(&[("minikit/src/lib.rs", &text)]);
        let expected = ["minikit/README.md:1 src has 6501 lines, more than 6500"];
        assert_eq!(as_text(check(&workspace)), expected);
    }

    #[test]
    fn the_evening_path_lists_files_that_exist() {
        let missing = "minigateway/README.md:1 no evening path between \
                       <!-- evening --> and <!-- /evening -->";
        assert_eq!(found("# A\n", 1), [missing]);
        let list = "<!-- evening -->\n`engine/limit.rs`, `engine/limit.rs`\n`a.rs` `engine/`\n\
                    <!-- /evening -->\n";
        let expected = [
            "minigateway/README.md:2 engine/limit.rs: missing, or listed twice",
            "minigateway/README.md:3 a.rs: missing, or listed twice",
            "minigateway/README.md:3 the evening path lists files, not engine/",
        ];
        assert_eq!(found(list, 1), expected);
        let beside =
            "<!-- evening -->\n`engine/limit.rs` `../part/src/lib.rs`\n<!-- /evening -->\n";
        let files = [
            ("minigateway/README.md", beside),
            ("minigateway/src/engine/limit.rs", "//! A.\n"),
            ("minigateway/part/src/lib.rs", "//! A.\n"),
        ];
        assert_eq!(as_text(check(&Workspace::of(&files))), [""; 0]);
        let empty = "<!-- evening -->\n<!-- /evening -->\n";
        assert_eq!(found(empty, 1), ["minigateway/README.md:1 the evening path is empty"]);
    }

    #[test]
    fn shares_are_of_lines() {
        let text = "//! A.\n\nfn f() {\n    a();\n\n    // Why.\n    b();\n}\n";
        let Shares { comments, blank_inside, comments_inside } =
            shares(&[&Source::new("src/a.rs", text)]);
        assert_eq!((comments, blank_inside, comments_inside), (0.5, 25.0, 25.0));
    }
}
