//! Finds the GraphQL queries of a request, and compares their cost with the maximum of the route.
//!
//! ```text
//! POST /graphql?query={a}                          two operations: the second counts as an alias
//! Content-Type: application/json
//!
//! [{"query": "{ a { b } }"}, {"id": "stored"}]     depth 2; the second object has no query
//! ```
//!
//! Servers accept queries in more places than the specification names. So everything that looks
//! like a query is measured, and bodies that cannot be read are refused:
//!
//! | trick | answer |
//! |---|---|
//! | a batch, several operations | all are measured; each after the first counts as an alias |
//! | `"Query"`, `?qu%65ry=`, `?query[]=`, repeated names | all similar names are measured |
//! | a form, two media types, compression, UTF-7 | 415 |
//!
//! A request without a query passes, because it refers to one that the server has stored. The crate
//! [`minigateway_graphql`] measures a query.

use super::json::{elements, is_json, media_types, members};
use super::uri::{percent_decode, query};
use minigateway_graphql::{Cost, scan};
use minilb::wire::http1::head::RequestHead;
use serde_json::value::RawValue;

const MEDIA_TYPE: Unmeasured = (415, "a query must be uncompressed JSON or application/graphql");
const UTF_8: [&[u8]; 2] = [b"charset=utf-8", b"charset=\"utf-8\""];
const MALFORMED: Unmeasured = (400, "the body or the query is malformed, so it has no depth");

/// Why a request cannot be measured: the status and the detail of its problem.
type Unmeasured = (u16, &'static str);

/// Measures all queries of a request, and compares them with the maximum.
///
/// # Errors
/// The status and the detail of the problem document.
pub fn check(max: Cost, request: &RequestHead, body: &[u8]) -> Result<Cost, (u16, String)> {
    let cost = measure(request, body).map_err(|(status, detail)| (status, detail.to_owned()))?;
    if cost.depth <= max.depth && cost.aliases <= max.aliases {
        return Ok(cost);
    }
    Err((400, format!("the query has {cost}; the maximum is {max}")))
}

fn measure(request: &RequestHead, body: &[u8]) -> Result<Cost, Unmeasured> {
    let mut queries = Vec::new();
    for pair in query(request.uri()).split(|it| b"&;".contains(it)) {
        let mut parts = pair.splitn(2, |it| *it == b'=').map(percent_decode);
        let mut part = || parts.next().unwrap_or(Some(String::new())).ok_or(MALFORMED);
        // PHP trims names, and takes `query[]` for a list.
        if part()?.to_ascii_lowercase().contains("query") {
            queries.push(part()?.replace('+', " "));
        }
    }

    let is_encoding = |it: &[u8]| it.eq_ignore_ascii_case(b"content-encoding");
    let is_plain = |it: &[u8]| it.eq_ignore_ascii_case(b"identity");
    let is_compressed = request.headers().any(|it| is_encoding(it.name) && !is_plain(it.value));
    // Refuse UTF-7, which Express reads: it can spell `query` as `+AHE-uery`.
    let types = request.headers().filter(|it| it.name.eq_ignore_ascii_case(b"content-type"));
    let parameters = types.flat_map(|it| it.value.split(|it| *it == b';'));
    let mut parameters = parameters.map(|it| it.trim_ascii().to_ascii_lowercase());
    let is_foreign = |it: Vec<u8>| it.starts_with(b"charset") && !UTF_8.contains(&&*it);
    // If there were two media types, the server might use the other one.
    match media_types(request.end_to_end()).as_slice() {
        _ if body.is_empty() => {}
        _ if parameters.any(is_foreign) => return Err(MEDIA_TYPE),
        [it] if it == b"application/graphql" && !is_compressed => {
            queries.push(String::from_utf8(body.to_vec()).map_err(|_| MALFORMED)?);
        }
        [it] if is_json(it) && !is_compressed => {
            let body = serde_json::from_slice(body).map_err(|_| MALFORMED)?;
            collect(body, &mut queries).ok_or(MALFORMED)?;
        }
        _ => return Err(MEDIA_TYPE),
    }

    let operations = queries.iter().map(|it| scan(it)).collect::<Result<Vec<_>, _>>();
    let operations = operations.map_err(|detail| (400, detail))?.concat();
    // Each operation after the first can repeat a field, as an alias can.
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
        // Refuse nested lists, which are no batch: parsing each level is quadratic in the depth.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a request with these header lines and this body against depth 2 and one alias.
    fn check(target: &str, lines: &str, body: &str) -> Result<Cost, (u16, String)> {
        let mut request = RequestHead::default();
        let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        request.parse(head.as_bytes()).expect("well formed").expect("complete");
        super::check(Cost { depth: 2, aliases: 1 }, &request, body.as_bytes())
    }

    #[test]
    fn queries_are_found_in_all_places() {
        let json = "Content-Type: application/json; charset=utf-8\r\n";
        let deep = "the query has depth 3 and 0 aliases; the maximum is depth 2 and 1 alias";
        let twice = &deep.replace("3 and 0 aliases", "3 and 1 alias");
        let many = "the query has depth 1 and 2 aliases; the maximum is depth 2 and 1 alias";
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
        for target in [
            "/?query=%7Ba%7Bb%7Bc}}}",
            "/?x&QU%45RY={a+{b{c}}}",
            "/?a;query={a{b{c}}}",
            "/?%20query={a{b{c}}}",
            "/?+query={a{b{c}}}",
            "/?query%5B%5D={a{b{c}}}",
            "/?query%00={a{b{c}}}",
            "/?query={a}&query={a{b{c}}}",
        ] {
            let deep = if target.contains("={a}&") { twice } else { deep };
            assert_eq!(check(target, "", ""), Err((400, deep.to_owned())), "{target}");
        }
        assert_eq!(check("/?query={x:a,y:a}", "", ""), Err((400, many.to_owned())));
        assert!(check("/?a=query&b=%20&query=%7Ba%7D", "", "").is_ok());
        assert_eq!(check("/?query=%zz", "", "").map_err(|it| it.0), Err(400));
    }

    #[test]
    fn bodies_that_servers_may_read_differently_are_refused() {
        let json = "Content-Type: application/json\r\n";
        for lines in [
            "",
            "Content-Type: text/plain\r\n",
            "Content-Type: multipart/form-data; boundary=a\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            &format!("{json}content-type: application/x-www-form-urlencoded\r\n"),
            &format!("{json}Content-Encoding: br\r\n"),
            &format!("{json}Content-Encoding: identity, br\r\n"),
            &format!("{json}Content-Encoding: identity\r\nContent-Encoding: br\r\n"),
            "Content-Type: application/json;charset=utf-7\r\n",
            "Content-Type: application/json; Charset =utf-8\r\n",
            "Content-Type: application/graphql; charset=utf-8; charset*=utf-7\r\n",
            // The upstream would not get this header.
            &format!("{json}Connection: content-type\r\n"),
            "Content-Type: application/json, application/x-www-form-urlencoded\r\n",
        ] {
            let error = check("/", lines, "{\"query\":\"{a}\"}").expect_err(lines);
            assert_eq!(error.0, 415, "{lines}");
        }
        let lines = format!("{json}Content-Encoding: Identity\r\n");
        assert!(check("/", &lines, "{\"query\":\"{a}\"}").is_ok());
    }
}
