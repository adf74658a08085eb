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
//! | `(in: {a: {b: 1}})` | arguments have no selections and no aliases |
//! | fragments in fragments | each counts as often as it is spread, and at that depth |
//! | fragments in a circle, or missing | 400, as from servers |
//! | `... { ... { a } }` | no level, but more than [`BRACES_MAX`] open braces are refused |
//! | a batch, several operations | all are measured, and each but one is an alias more |
//! | `"Query"`, two of them, `?qu%65ry=` | decoded and without case, a query by any name counts |
//! | a form, two media types, compression | 415 |
//!
//! A fragment is measured once, so 2^30 aliases in a kilobyte take no time. A request without a
//! query passes: it names one that the server has stored. Source: GraphQL, October 2021, section 2.
//! Counterparts: Apollo Router's `max_depth` and `max_aliases`, `graphql-depth-limit`.

use super::json::{elements, is_json, media_type, members};
use super::uri::{percent_decode, query};
use minilb::wire::http1::head::RequestHead;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt;

/// Open braces at once, those of inline fragments included.
const BRACES_MAX: usize = 200;
/// Fragments that lead to one another.
const HOPS_MAX: usize = 100;

const MEDIA_TYPE: (u16, &str) = (415, "a query is uncompressed JSON or application/graphql");
const MALFORMED: (u16, &str) = (400, "the body or the query is malformed, so it has no depth");
const FRAGMENTS: (u16, &str) = (400, "fragments of the query are missing, or lead in a circle");

/// Why a request cannot be measured: the status and the detail of its problem.
type Unmeasured = (u16, &'static str);

/// What the queries of a request ask for, or what a route allows.
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
        write!(f, "depth {} and {} aliases", self.depth, self.aliases)
    }
}

/// Measures all queries of a request and compares them with what is allowed.
///
/// # Errors
/// The status and the detail of the problem.
pub fn check(max: Cost, request: &RequestHead, body: &[u8]) -> Result<Cost, (u16, String)> {
    let cost = measure(request, body).map_err(|(status, detail)| (status, detail.to_owned()))?;
    if cost.depth <= max.depth && cost.aliases <= max.aliases {
        return Ok(cost);
    }
    Err((400, format!("the query has {cost}; allowed are {max}")))
}

fn measure(request: &RequestHead, body: &[u8]) -> Result<Cost, Unmeasured> {
    let mut queries = Vec::new();
    for pair in query(request.uri()).split(|it| b"&;".contains(it)) {
        let mut parts = pair.splitn(2, |it| *it == b'=').map(percent_decode);
        let mut part = || parts.next().unwrap_or(Some(String::new())).ok_or(MALFORMED);
        if part()?.eq_ignore_ascii_case("query") {
            queries.push(part()?.replace('+', " "));
        }
    }

    // Of two media types the server may believe the other one.
    let is = |name: &[u8], other: &[u8]| name.eq_ignore_ascii_case(other);
    let count = |name: &[u8]| request.headers().filter(|it| is(it.name, name)).count();
    match media_type(request.headers()).as_deref() {
        _ if body.is_empty() => {}
        _ if [count(b"content-type"), count(b"content-encoding")] != [1, 0] => {
            return Err(MEDIA_TYPE);
        }
        Some(b"application/graphql") => {
            queries.push(String::from_utf8(body.to_vec()).map_err(|_| MALFORMED)?);
        }
        _ if is_json(request.headers(), false) => {
            let body = serde_json::from_slice(body).map_err(|_| MALFORMED)?;
            collect(body, &mut queries).ok_or(MALFORMED)?;
        }
        _ => return Err(MEDIA_TYPE),
    }

    let operations = queries.iter().map(|it| scan(it)).collect::<Result<Vec<_>, _>>()?.concat();
    // The first operation is free; each other one is an alias by another name.
    let mut total = Cost { depth: 0, aliases: operations.len().saturating_sub(1) as u32 };
    for Cost { depth, aliases } in operations {
        total.depth = total.depth.max(depth);
        total.aliases = total.aliases.saturating_add(aliases);
    }
    Ok(total)
}

/// Collects the queries of `{"query": "..."}`, or of a list of such objects.
fn collect(body: &RawValue, queries: &mut Vec<String>) -> Option<()> {
    if let Some(list) = elements(body) {
        // A list in a list is no batch: to look into each costs the square of the depth.
        let mut objects =
            list.into_iter().map(|it| Some(it).filter(|it| it.get().starts_with('{')));
        return objects.try_for_each(|it| collect(it?, queries));
    }
    for (name, value) in members(body)? {
        if name.eq_ignore_ascii_case("query") {
            queries.extend(serde_json::from_str::<Option<String>>(value.get()).ok()?);
        }
    }
    Some(())
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

/// What each operation of a document costs.
fn scan(document: &str) -> Result<Vec<Cost>, Unmeasured> {
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
    let (mut in_arguments, mut after_dots, mut is_inline) = (false, false, false);
    loop {
        let token = next(&mut rest).ok_or(MALFORMED)?;
        if in_arguments && !["", "("].contains(&token) {
            in_arguments = token != ")";
            continue;
        }
        let level = levels.last().copied().unwrap_or(0);
        let is_name = token.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
        let is_spread = std::mem::take(&mut after_dots);
        match (token, level) {
            ("", 0) if !in_arguments => return Ok((fragments, operations)),
            ("(", _) if !in_arguments => in_arguments = true,
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
            ("" | "(" | "{" | "}" | "...", _) => return Err(MALFORMED),
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
            "{ a(x: (1)) }",
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

    /// A request with these lines and this body, of which depth 2 and one alias are allowed.
    fn check(target: &str, lines: &str, body: &str) -> Result<Cost, (u16, String)> {
        let mut request = RequestHead::default();
        let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        request.parse(head.as_bytes()).expect("well formed").expect("complete");
        super::check(Cost { depth: 2, aliases: 1 }, &request, body.as_bytes())
    }

    #[test]
    fn all_places_of_a_query_are_read() {
        let json = "Content-Type: application/json; charset=utf-8\r\n";
        let deep = "the query has depth 3 and 0 aliases; allowed are depth 2 and 1 aliases";
        let twice = &deep.replace("3 and 0", "3 and 1");
        let many = "the query has depth 1 and 2 aliases; allowed are depth 2 and 1 aliases";
        for (body, detail) in [
            ("", ""),
            ("{\"query\":\"{a{b}}\",\"variables\":{\"query\":\"{a{b{c}}}\"}}", ""),
            ("{\"extensions\":{\"persistedQuery\":{}},\"query\":null}", ""),
            ("{\"query\":\"{a{b{c}}}\"}", deep),
            ("{\"qu\\u0065ry\":\"\\u007ba{b{c}}}\"}", deep),
            ("{\"Query\":\"{a{b{c}}}\"}", deep),
            ("{\"query\":\"{a}\",\"query\":\"{a{b{c}}}\"}", twice),
            ("[{\"query\":\"{a}\"},{\"query\":\"{a}\"}]", ""),
            ("[{\"query\":\"{a}\"},{\"query\":\"{x:a}\"}]", many),
            ("[{\"query\":\"{a}\"}, {\"query\":\"{a{b{c}}}\"}]", twice),
            ("[[{\"query\":\"{a{b{c}}}\"}]]", MALFORMED.1),
            ("{\"query\":7}", MALFORMED.1),
            ("\"{a}\"", MALFORMED.1),
            ("{", MALFORMED.1),
        ] {
            let told = check("/", json, body).err();
            assert_eq!(told.map_or(String::new(), |it| it.1), detail, "{body}");
        }
        let graphql = "Content-Type: Application/GraphQL\r\n";
        assert_eq!(check("/", graphql, "{a{b{c}}}"), Err((400, deep.to_owned())));
        assert_eq!(check("/", graphql, "{a{b}}"), Ok(Cost { depth: 2, aliases: 0 }));
        for target in ["/?query=%7Ba%7Bb%7Bc}}}", "/?x&QU%45RY={a+{b{c}}}", "/?a;query={a{b{c}}}"] {
            assert_eq!(check(target, "", ""), Err((400, deep.to_owned())), "{target}");
        }
        assert_eq!(check("/?query={x:a,y:a}", "", ""), Err((400, many.to_owned())));
        assert!(check("/?a=query&b=%20&query=%7Ba%7D", "", "").is_ok());
        assert_eq!(check("/?query=%zz", "", "").map_err(|it| it.0), Err(400));
    }

    #[test]
    fn bodies_that_a_server_may_read_otherwise_are_refused() {
        let json = "Content-Type: application/json\r\n";
        for lines in [
            "",
            "Content-Type: text/plain\r\n",
            "Content-Type: multipart/form-data; boundary=a\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            &format!("{json}content-type: application/x-www-form-urlencoded\r\n"),
            &format!("{json}Content-Encoding: br\r\n"),
        ] {
            let error = check("/", lines, "{\"query\":\"{a}\"}").expect_err(lines);
            assert_eq!(error.0, 415, "{lines}");
        }
    }
}
