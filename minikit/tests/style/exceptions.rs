//! The list of functions that are longer than the rules allow, each with its reason.
//!
//! ```text
//! # path                      | item        | lines | reason
//! minicache/src/commands/x.rs | fn dispatch | 84    | one arm for each family, read as a table
//! ```
//!
//! An entry excuses exactly its size. A function that has grown is found again; if it has shrunk or
//! is gone, the entry itself is found. So the list can only get shorter and its numbers smaller.

use crate::rules::Finding;

struct Exception<'a> {
    line: usize,
    path: &'a str,
    item: &'a str,
    lines: usize,
}

/// The findings that `list`, the contents of `file`, does not excuse, and those about the list
/// itself.
pub fn apply(list: &str, file: &str, mut findings: Vec<Finding>) -> Vec<Finding> {
    let about_list = |line, text| Finding::new(file, line, text);
    for (index, line) in list.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(exception) = parse(index + 1, line) else {
            findings.push(about_list(index + 1, "not `path | item | lines | reason`".to_owned()));
            continue;
        };
        let is_meant = |it: &Finding| {
            let excusable = it.excusable.as_ref();
            it.path == exception.path && excusable.is_some_and(|(item, _)| item == exception.item)
        };
        let sizes =
            findings.iter().filter(|it| is_meant(it)).filter_map(|it| it.excusable.as_ref());
        let complaint = match sizes.map(|(_, lines)| *lines).max() {
            None => Some("no longer needed; remove it".to_owned()),
            Some(lines) if lines < exception.lines => Some(format!("{lines} lines are enough")),
            Some(_) => None,
        };
        findings.retain(|it| {
            !is_meant(it)
                || it.excusable.as_ref().is_some_and(|(_, lines)| *lines > exception.lines)
        });
        findings.extend(complaint.map(|text| about_list(exception.line, text)));
    }
    findings
}

fn parse(line: usize, text: &str) -> Option<Exception<'_>> {
    let mut parts = text.splitn(4, '|').map(str::trim);
    let (path, item, lines) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
    let has_reason = !parts.next()?.is_empty();
    has_reason.then_some(Exception { line, path, item, lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn large(item: &str, lines: usize) -> Finding {
        let excusable = Some((item.to_owned(), lines));
        Finding { path: "a.rs".to_owned(), line: 1, text: format!("{item} {lines}"), excusable }
    }

    fn left(list: &str, findings: &[Finding]) -> Vec<String> {
        let findings = apply(list, "list", findings.to_vec());
        findings.into_iter().map(|it| format!("{}:{} {}", it.path, it.line, it.text)).collect()
    }

    #[test]
    fn an_exception_excuses_its_item_only() {
        let findings = [large("fn f", 80), large("fn g", 90)];
        assert_eq!(left("# why\n\na.rs | fn f | 80 | a table\n", &findings), ["a.rs:1 fn g 90"]);
    }

    #[test]
    fn what_has_grown_is_found_again() {
        assert_eq!(left("a.rs | fn f | 80 | a table\n", &[large("fn f", 81)]), ["a.rs:1 fn f 81"]);
    }

    #[test]
    fn the_list_can_only_shrink() {
        let shrunk = left("a.rs | fn f | 80 | a table\n", &[large("fn f", 79)]);
        assert_eq!(shrunk, ["list:1 79 lines are enough"]);
        let gone = left("\nb.rs | fn f | 80 | a table\n", &[]);
        assert_eq!(gone, ["list:2 no longer needed; remove it"]);
    }

    #[test]
    fn an_exception_without_reason_is_none() {
        let findings = [large("fn f", 80)];
        let expected = ["a.rs:1 fn f 80", "list:1 not `path | item | lines | reason`"];
        assert_eq!(left("a.rs | fn f | 80 |\n", &findings), expected);
    }
}
