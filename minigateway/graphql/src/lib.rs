//! How deep a GraphQL query is and how many aliases it has, counted by a scanner.
//!
//! ```text
//! query { a: user { ...F } b: user { ...F } }     depth 2, 2 aliases, F twice at depth 2
//! fragment F on User { posts { t: tags } }        depth 2, 1 alias
//! together                                        depth 3, 4 aliases
//! ```
//!
//! A deep query joins table to table, and aliases repeat a costly field in one request. Both pass a
//! limit that counts requests. The scanner looks at braces, colons and spreads. It does not ask if
//! a query is valid, and counts at least what a server finds in a valid one.
//!
//! # What could hide a brace, and does not
//!
//! | trick | answer |
//! |---|---|
//! | `"}"`, `"""\""" }"""`, `# }` | strings, block strings and comments are tokens |
//! | `(in: {a: {b: 1}} @d(c: 2))` | arguments have no selections, no aliases |
//! | fragments in fragments | each counts as often as it is spread, and at that depth |
//! | fragments in a circle, or missing | 400, as from servers |
//! | `... { ... { a } }` | no level, but more than [`BRACES_MAX`] open braces are refused |
//!
//! A fragment is measured once, so 2^30 aliases in a kilobyte take no time. The length of the text
//! bounds the memory. Source: GraphQL, October 2021, section 2. Counterparts: Apollo Router's
//! `max_depth` and `max_aliases`, `graphql-depth-limit`.

use std::collections::HashMap;
use std::fmt;

/// Open braces at once, those of inline fragments included.
const BRACES_MAX: usize = 200;
/// Fragments that lead to one another.
const HOPS_MAX: usize = 100;

/// Why a text cannot be measured: the detail of the problem.
pub type Unmeasured = &'static str;
const MALFORMED: Unmeasured = "the body or the query is malformed, so it has no depth";
const FRAGMENTS: Unmeasured =
    "a fragment of the query is missing or there twice, or leads to itself or to 100 others";

/// What queries ask for, or what a route allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Selection sets inside of each other.
    pub depth: u32,
    /// In all operations, with those of fragments.
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
    /// The first names before its braces: `fragment F`.
    head: Vec<&'a str>,
    cost: Cost,
    /// Fragments, and the depth of the selection set that spreads them.
    spreads: Vec<(u32, &'a str)>,
}

/// What each operation of a document costs. Takes time in proportion to its length.
///
/// # Errors
/// If no server takes the document, or if it is nested too deep.
pub fn scan(document: &str) -> Result<Vec<Cost>, Unmeasured> {
    let ((fragments, operations), mut known) = (definitions(document)?, HashMap::new());
    let costs = operations.iter().map(|it| with_fragments(it, &fragments, &mut known, HOPS_MAX));
    costs.collect()
}

/// What a definition costs with the fragments that it spreads; `known` are those measured already.
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
        // The fields of the fragment take the place of the spread, at its level.
        cost.depth = cost.depth.max((level - 1).saturating_add(fragment.depth));
        cost.aliases = cost.aliases.saturating_add(fragment.aliases);
    }
    Ok(cost)
}

type Fragments<'a> = HashMap<&'a str, Definition<'a>>;

/// The fragments and the operations of a document.
fn definitions(document: &str) -> Result<(Fragments<'_>, Vec<Definition<'_>>), Unmeasured> {
    let (mut rest, mut current) = (document, Definition::default());
    let (mut fragments, mut operations) = (HashMap::new(), Vec::new());
    // The depth of each open selection set.
    let mut levels = Vec::new();
    let (mut parentheses, mut after_dots, mut is_inline) = (0_usize, false, false);
    loop {
        let token = next(&mut rest).ok_or(MALFORMED)?;
        // Arguments, and the directives of variables in them, up to the end of the text.
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
                        // Of two with one name, it is unknown which one the server takes.
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
            // `... on User {` and `... @include(if: $it) {`
            ("on" | "@", _) if is_spread => is_inline = true,
            (name, 1..) if is_spread => current.spreads.push((level, name)),
            (name, 0) if is_name && current.head.len() < 2 => current.head.push(name),
            ("" | "{" | "}" | "...", _) => return Err(MALFORMED),
            // JSON that is sent as a query has a string there.
            (string, 1..) if string.starts_with('"') => return Err(MALFORMED),
            _ => {}
        }
    }
}

/// Cuts off the next token: a word, a string, `...` or one character; empty at the end.
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

/// The length of the string or block string that `text` begins with, its quotes included.
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

    /// Depth and aliases of a document.
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
    fn what_no_server_takes_is_refused() {
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
