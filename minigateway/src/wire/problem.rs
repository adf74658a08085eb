//! The body of a refusal: a problem that programs can read (RFC 9457).
//!
//! ```json
//! {"type":"https://iana.org/assignments/http-problem-types#quota-exceeded",
//!  "title":"Request cannot be satisfied as assigned quota has been exceeded",
//!  "status":429,"violated-policies":["per_client"]}
//! ```
//!
//! Type, title and `violated-policies` are those of the RateLimit draft, section "Problem Types". A
//! concurrency limit is no quota of the client: its refusal is a `temporary-reduced-capacity` with
//! status 503, as the draft has it.
//!
//! Other errors of the gateway have no type, which means `about:blank`, so their title is the
//! phrase of their status (RFC 9457, section 4.2.1).

use minilb::wire::http1::status;

/// `Content-Type` of all of them.
pub const CONTENT_TYPE: &str = "application/problem+json";

const TYPES: &str = "https://iana.org/assignments/http-problem-types";

/// The body for a request that limits refuse. `names` are tokens, so that they need no escapes.
pub fn quota_exceeded<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let title = "Request cannot be satisfied as assigned quota has been exceeded";
    refusal("quota-exceeded", title, "429", names)
}

/// The body for a request that is one too many at once.
pub fn reduced_capacity<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let title = "Request cannot be satisfied due to temporary server capacity constraints";
    refusal("temporary-reduced-capacity", title, "503", names)
}

fn refusal<'a>(
    kind: &str,
    title: &str,
    status: &str,
    names: impl Iterator<Item = &'a str>,
) -> String {
    // A flood is answered with these, and `format!` costs four times as much.
    let mut body = String::with_capacity(256);
    body.extend(["{\"type\":\"", TYPES, "#", kind, "\",\"title\":\"", title]);
    body.extend(["\",\"status\":", status, ",\"violated-policies\":["]);
    for (index, name) in names.enumerate() {
        body.extend([if index > 0 { ",\"" } else { "\"" }, name, "\""]);
    }
    body.push_str("]}\n");
    body
}

/// The body for any other error, which may have something to add. `detail` has neither quotes nor
/// backslashes.
pub fn error(status: u16, detail: &str) -> String {
    // NGINX, and minilb, have phrases of their own for some.
    let title = match status {
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => status::reason(status),
    };
    let detail = match detail {
        "" => String::new(),
        _ => format!(",\"detail\":\"{detail}\""),
    };
    format!("{{\"title\":\"{title}\",\"status\":{status}{detail}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_problem_of_the_head() {
        let expected = include_str!("problem.rs").split("```").nth(1).expect("there is one");
        let expected = expected.trim_start_matches("json").lines();
        let expected = expected.map(|it| it.trim_start_matches("//!").trim()).collect::<String>();
        assert_eq!(quota_exceeded(["per_client"].into_iter()).trim_end(), expected);
    }

    #[test]
    fn several_names_and_none() {
        let body = reduced_capacity(["a", "b"].into_iter());
        assert!(body.contains("\"status\":503,\"violated-policies\":[\"a\",\"b\"]}"), "{body}");
        assert_eq!(error(404, ""), "{\"title\":\"Not Found\",\"status\":404}\n");
    }
}
