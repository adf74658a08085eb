//! The body of a refusal: a problem document that programs can read (RFC 9457).
//!
//! ```json
//! {"type":"https://iana.org/assignments/http-problem-types#quota-exceeded",
//!  "title":"Request cannot be satisfied as assigned quota has been exceeded",
//!  "status":429,"violated-policies":["per_client"]}
//! ```
//!
//! Type, title and `violated-policies` come from the RateLimit draft, section "Problem Types". A
//! concurrency limit is not a quota of the client, so its refusal is a `temporary-reduced-capacity`
//! with status 503, as in the draft.
//!
//! Other errors have no type, which means `about:blank`, so their title is the reason phrase of the
//! status (RFC 9457, section 4.2.1).

use minilb::wire::http1::status;

/// The `Content-Type` of problem documents.
pub const CONTENT_TYPE: &str = "application/problem+json";

const TYPES: &str = "https://iana.org/assignments/http-problem-types";

/// Returns the body for a request that limits refuse. `names` are tokens and need no escapes.
pub fn quota_exceeded<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let title = "Request cannot be satisfied as assigned quota has been exceeded";
    refusal("quota-exceeded", title, "429", names)
}

/// Returns the body for a request that concurrency limits refuse.
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
    // Not `format!`, which takes four times as long: a flood of requests is answered with this.
    let mut body = String::with_capacity(256);
    body.extend(["{\"type\":\"", TYPES, "#", kind, "\",\"title\":\"", title]);
    body.extend(["\",\"status\":", status, ",\"violated-policies\":["]);
    for (index, name) in names.enumerate() {
        body.extend([if index > 0 { ",\"" } else { "\"" }, name, "\""]);
    }
    body.push_str("]}\n");
    body
}

/// Returns the body for any other error. `detail` may be empty, and has no quotes or backslashes.
pub fn error(status: u16, detail: &str) -> String {
    // minilb uses NGINX's reason phrases, which differ from the RFC for some statuses.
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
