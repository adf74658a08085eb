//! Measures the depth of a GraphQL query and counts its aliases, with a scanner.
//!
//! ```text
//! query { a: user { ...F } b: user { ...F } }     depth 2, 2 aliases, spreads F twice at depth 2
//! fragment F on User { posts { t: tags } }        depth 2, 1 alias
//! total                                           depth 3, 4 aliases
//! ```
//!
//! A deep query joins many tables, and aliases repeat an expensive field in one request. A limit
//! that counts requests stops neither. The scanner looks at braces, colons and spreads. It does not
//! validate a query, and never counts less than a server finds in a valid one.
//!
//! # Ways to hide a brace
//!
//! | trick | what the scanner does |
//! |---|---|
//! | `"}"`, `"""\""" }"""`, `# }` | reads strings, block strings and comments as tokens |
//! | `(in: {a: {b: 1}} @d(c: 2))` | skips arguments, which have no selections or aliases |
//! | fragments in fragments | counts each as often as it is spread, at that depth |
//! | fragment cycles, missing fragments | 400, as servers answer |
//! | `... { ... { a } }` | adds no depth, but refuses more than [`BRACES_MAX`] open braces |
//!
//! Each fragment is measured only once, so 2^30 aliases in a kilobyte of text are counted quickly.
//! The length of the text bounds the memory. Source: GraphQL, October 2021, section 2.
//! Counterparts: Apollo Router's `max_depth` and `max_aliases`, `graphql-depth-limit`.

use std::collections::HashMap;
use std::fmt;

/// The most open braces, including those of inline fragments.
const BRACES_MAX: usize = 200;
/// The longest chain of fragments that spread each other.
const HOPS_MAX: usize = 100;

/// Why a document cannot be measured, as the detail of a problem document.
pub type Unmeasured = &'static str;
const MALFORMED: Unmeasured = "the body or the query is malformed, so it has no depth";
const FRAGMENTS: Unmeasured =
    "a fragment of the query is missing, defined twice, or leads to itself or to 100 others";

/// The cost of queries, or the maximum that a route allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// The number of nested selection sets.
    pub depth: u32,
    /// The number of aliases in all operations, including their fragments.
    pub aliases: u32,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.aliases == 1 { "" } else { "es" };
        write!(f, "depth {} and {} alias{plural}", self.depth, self.aliases)
    }
}

/// An operation or a fragment.
#[derive(Default)]
struct Definition<'a> {
    /// The first two words before its braces, as `fragment F`.
    head: Vec<&'a str>,
    cost: Cost,
    /// The fragments that it spreads, and the depth of each spread.
    spreads: Vec<(u32, &'a str)>,
}

/// Measures each operation of a document, in linear time.
///
/// # Errors
/// If no server accepts the document, or if it is nested too deeply.
pub fn scan(document: &str) -> Result<Vec<Cost>, Unmeasured> {
    let ((fragments, operations), mut known) = (definitions(document)?, HashMap::new());
    let costs = operations.iter().map(|it| with_fragments(it, &fragments, &mut known, HOPS_MAX));
    costs.collect()
}

/// Adds the fragments that a definition spreads. `known` caches measured fragments.
fn with_fragments<'a>(
    definition: &Definition<'a>,
    fragments: &Fragments<'a>,
    known: &mut HashMap<&'a str, Cost>,
    hops: usize,
) -> Result<Cost, Unmeasured> {
    let hops = hops.checked_sub(1).ok_or(FRAGMENTS)?;
    let mut cost = definition.cost;
    for (level, name) in &definition.spreads {
        let fragment = match known.get(name) {
            Some(known) => *known,
            None => {
                let fragment = fragments.get(name).ok_or(FRAGMENTS)?;
                with_fragments(fragment, fragments, known, hops)?
            }
        };
        known.insert(name, fragment);
        // The fields of the fragment replace the spread, at the same level.
        cost.depth = cost.depth.max((level - 1).saturating_add(fragment.depth));
        cost.aliases = cost.aliases.saturating_add(fragment.aliases);
    }
    Ok(cost)
}

type Fragments<'a> = HashMap<&'a str, Definition<'a>>;

/// Splits a document into fragments and operations.
fn definitions(document: &str) -> Result<(Fragments<'_>, Vec<Definition<'_>>), Unmeasured> {
    let (mut rest, mut current) = (document, Definition::default());
    let (mut fragments, mut operations) = (HashMap::new(), Vec::new());
    // The depth of each open selection set.
    let mut levels = Vec::new();
    let (mut parentheses, mut after_dots, mut is_inline) = (0_usize, false, false);
    loop {
        let token = next(&mut rest).ok_or(MALFORMED)?;
        // Skip everything in parentheses, but notice the end of the text.
        match token {
            "(" => parentheses += 1,
            ")" => {
                parentheses = parentheses.checked_sub(1).ok_or(MALFORMED)?;
                continue;
            }
            _ => {}
        }
        if parentheses > 0 && !token.is_empty() {
            continue;
        }
        let level = levels.last().copied().unwrap_or(0);
        let is_name = token.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
        let is_spread = std::mem::take(&mut after_dots);
        match (token, level) {
            ("", 0) if parentheses == 0 => return Ok((fragments, operations)),
            ("{", _) if levels.len() < BRACES_MAX => {
                let is_inline = std::mem::take(&mut is_inline) || is_spread;
                levels.push(level + u32::from(!is_inline));
                current.cost.depth = current.cost.depth.max(level + u32::from(!is_inline));
            }
            ("}", 1..) => {
                levels.pop();
                if levels.is_empty() {
                    let definition = std::mem::take(&mut current);
                    match definition.head[..] {
                        // Servers disagree which of two fragments with one name counts.
                        ["fragment", name] if fragments.contains_key(name) => {
                            return Err(FRAGMENTS);
                        }
                        ["fragment", name] => _ = fragments.insert(name, definition),
                        _ => operations.push(definition),
                    }
                }
            }
            ("...", 1..) => after_dots = true,
            (":", 1..) => current.cost.aliases = current.cost.aliases.saturating_add(1),
            // `... on User {` and `... @include(if: $it) {` are inline fragments.
            ("on" | "@", _) if is_spread => is_inline = true,
            (name, 1..) if is_spread => current.spreads.push((level, name)),
            (name, 0) if is_name && current.head.len() < 2 => current.head.push(name),
            ("" | "{" | "}" | "...", _) => return Err(MALFORMED),
            // Strings are not allowed here; JSON sent as a query has them.
            (string, 1..) if string.starts_with('"') => return Err(MALFORMED),
            _ => {}
        }
    }
}

/// Removes and returns the next token: a word, a string, `...` or one character; empty at the end.
fn next<'a>(rest: &mut &'a str) -> Option<&'a str> {
    loop {
        *rest = rest.trim_start_matches([' ', '\t', '\n', '\r', ',', '\u{feff}']);
        if !rest.starts_with('#') {
            break;
        }
        *rest = rest.trim_start_matches(|it| !matches!(it, '\n' | '\r'));
    }
    let is_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let length = match rest.chars().next() {
        None => 0,
        Some('"') => string_length(rest)?,
        Some('.') if rest.starts_with("...") => 3,
        Some(it) if is_word(it) => rest.find(|it| !is_word(it)).unwrap_or(rest.len()),
        Some(it) if "!$&():=@[]{|}.+-".contains(it) => 1,
        Some(_) => return None,
    };
    let (token, after) = rest.split_at(length);
    *rest = after;
    Some(token)
}

/// Returns the length of the string or block string at the start of `text`, with its quotes.
fn string_length(text: &str) -> Option<usize> {
    let quotes = if text.starts_with("\"\"\"") { "\"\"\"" } else { "\"" };
    let is_block = quotes.len() == 3;
    let mut at = quotes.len();
    loop {
        at += text[at..].find(['"', '\\', '\n', '\r'])?;
        let rest = &text[at..];
        at += match rest.as_bytes()[0] {
            b'"' if rest.starts_with(quotes) => return Some(at + quotes.len()),
            // In a block string only `\"""` is an escape.
            b'\\' if is_block && rest[1..].starts_with(quotes) => 4,
            b'\\' if !is_block => 1 + rest[1..].chars().next()?.len_utf8(),
            b'\n' | b'\r' if !is_block => return None,
            _ => 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the depth and the aliases of a document.
    fn count(document: &str) -> Result<(u32, u32), Unmeasured> {
        let costs = scan(document)?;
        let depth = costs.iter().map(|it| it.depth).max().unwrap_or(0);
        Ok((depth, costs.iter().fold(0, |sum, it| it.aliases.saturating_add(sum))))
    }

    #[test]
    fn the_example_of_the_head() {
        let operation = "query { a: user { ...F } b: user { ...F } }";
        let fragment = "fragment F on User { posts { t: tags } }";
        assert_eq!(count(&format!("{operation} {fragment}")), Ok((3, 4)));
        assert_eq!(count(&format!("{fragment} {operation}")), Ok((3, 4)));
        assert_eq!(count(operation), Err(FRAGMENTS));
    }

    #[test]
    fn nothing_hides_a_brace_or_an_alias() {
        for (document, expected) in [
            ("", (0, 0)),
            ("{a}", (1, 0)),
            ("{ a(x: \"}\") { b { c } } }", (3, 0)),
            ("{ a(x: \"\\\"}\") { b } }", (2, 0)),
            ("{ a(x: \"\\\\\") { b } }", (2, 0)),
            ("{ a(x: \"\") { b } }", (2, 0)),
            ("{ a(x: \"\"\" } \\\"\"\" \" } \"\"\") { b } }", (2, 0)),
            ("{ a(x: \"\"\"\\\\ \"\"\") { b } }", (2, 0)),
            ("{ a # }\n { b # }\r { c } } }", (3, 0)),
            ("{ a # \"\n { b } }", (2, 0)),
            ("{ a(x: {b: {c: [{d: -1.5e+3}]}}) }", (1, 0)),
            ("query Q($x: In = {a: {b: 1}}) @d(y: {z: 1}) { a }", (1, 0)),
            ("query Q($x: Int = 1 @d(a: {b: 1}, c: 2), $y: Int) { a(x: $x) { b } }", (2, 0)),
            ("{ a(x: (1)) { b } }", (2, 0)),
            ("{ ... on A { ... { ... @include(if: $x) { b { c } } } } }", (2, 0)),
            ("{ x:a y :b z\n:\n#\nc { w:d } }", (2, 4)),
            ("{a...F} fragment F on A{b:c{d}}", (2, 1)),
            ("\u{feff}{a,,b{c}}", (2, 0)),
            ("\"\"\"what { it }\"\"\" query A { a { b } }", (2, 0)),
            ("query fragment { a { b } }", (2, 0)),
            ("query A { a } query B { a { b } }", (2, 0)),
            ("{ ...F } fragment F on A { x: b ...G } fragment G on A { y: c { d } }", (2, 2)),
            ("{ a { ...F } } fragment F on A { b { ...G } } fragment G on A { c { d } }", (4, 0)),
            ("{ ...F ...F ...F } fragment F on A { x: b }", (1, 3)),
            ("{ ... on A { ...F } } fragment F on A { b { c } }", (2, 0)),
        ] {
            assert_eq!(count(document), Ok(expected), "{document}");
        }
    }

    #[test]
    fn invalid_documents_are_refused() {
        for document in [
            "{",
            "}",
            "{ a( { b } }",
            "{ a(x: (1) { b } }",
            "{ a } )",
            "{ a(b: 1)) { c } }",
            "{ a(x: \"\n\") }",
            "{ a(x: \"\"\") }",
            "{ a(x: \"\\",
            "{ a(x: \"\"\"\\\\\"\"\") { b } }",
            "{ a \u{e4} }",
            "{ a % }",
            "{\"query\": \"{ a { b } }\"}",
            "...F",
            "query Q",
            "query Q(",
        ] {
            let expected = if document == "query Q" { Ok((0, 0)) } else { Err(MALFORMED) };
            assert_eq!(count(document), expected, "{document}");
        }
        for document in [
            "{ ...F } fragment F on A { ...F }",
            "{ ...F } fragment F on A { ...G } fragment G on A { b { ...F } }",
            "{ ...F } fragment F on A { a } fragment F on A { b }",
        ] {
            assert_eq!(count(document), Err(FRAGMENTS), "{document}");
        }
        let open = "...{".repeat(BRACES_MAX);
        assert_eq!(count(&format!("{{{open}a{}}}", "}".repeat(BRACES_MAX))), Err(MALFORMED));
        assert_eq!(count(&"{a".repeat(100_000)), Err(MALFORMED));
    }

    /// Thirty fragments, each of which spreads the next one twice: 2^30 aliases in a kilobyte.
    #[test]
    fn doubling_fragments_are_counted_and_not_expanded() {
        let fragments = |count: u32, spreads: &str| {
            let one = |it: u32| {
                let next = format!("...F{}", it + 1);
                format!("fragment F{it} on A {{ {} }}", spreads.replace("...", &next))
            };
            let last = format!("fragment F{count} on A {{ x: a }}");
            "{ ...F0 }".to_owned() + &(0..count).map(one).collect::<String>() + &last
        };
        assert_eq!(count(&fragments(30, "... ...")), Ok((1, 1 << 30)));
        assert_eq!(count(&fragments(40, "... ...")), Ok((1, u32::MAX)));
        assert_eq!(count(&fragments(200, "...")), Err(FRAGMENTS));
    }
}
