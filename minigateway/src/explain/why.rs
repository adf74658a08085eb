//! `minigateway why` explains what a configuration does with a burst of equal requests.
//!
//! ```text
//! $ minigateway why gateway.toml http://a/v1/users/7 --times 3
//! 1  200  route 1, /v1/users/{id}
//!         limit per_client: admitted, full again in 500ms of 1s, 500ms a request: 1 of 2 left
//! 2  200  route 1, /v1/users/{id}
//!         limit per_client: admitted, full again in 1s of 1s, 500ms a request: 0 of 2 left
//! 3  429  route 1, /v1/users/{id}
//!         limit per_client: refused, full again in 1s of 1s, 500ms more for this request: ...
//! ```
//!
//! It sends nothing. The buckets start full, as in a gateway that has just started, and `--every`
//! sets the time between two requests. Shared limits start full as well; the store is not asked.
//! `--data` is the body for GraphQL limits. `X-Explain` asks a running gateway.

#[cfg(feature = "server")]
use crate::conf::values::duration;
use crate::handlers::answers::problem;
use crate::handlers::explain;
use crate::handlers::filters::Facts;
use crate::handlers::pipeline::{Action, Charges, Pipeline};
use crate::wire::graphql;
use minilb::wire::http1::head::RequestHead;
use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A request, and how often to repeat it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "server", derive(clap::Args))]
pub struct Burst {
    /// http://HOST/PATH, or a path
    pub url: String,
    /// The method
    #[cfg_attr(feature = "server", arg(short = 'X', long, default_value = "GET"))]
    pub method: String,
    /// A header
    #[cfg_attr(feature = "server", arg(short = 'H', long = "header", value_name = "NAME: VALUE"))]
    pub headers: Vec<String>,
    /// The body; with a header Content-Type
    #[cfg_attr(feature = "server", arg(short, long, default_value = ""))]
    pub data: String,
    /// The client's address
    #[cfg_attr(feature = "server", arg(long, default_value = "127.0.0.1"))]
    pub from: IpAddr,
    /// How many requests
    #[cfg_attr(feature = "server", arg(long, default_value_t = 1))]
    pub times: u64,
    /// The time between two of them
    #[cfg_attr(feature = "server", arg(long, default_value = "0ms", value_parser = duration))]
    pub every: Duration,
}

/// Explains each request of the burst.
///
/// # Errors
/// If it is not an HTTP request, or if writing to `out` fails.
pub fn explain_burst(
    pipeline: &Pipeline,
    burst: &Burst,
    out: &mut impl Write,
) -> Result<(), String> {
    let rest = burst.url.strip_prefix("http://");
    let (host, target) = match rest {
        Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
        None => ("localhost", burst.url.as_str()),
    };
    let slash = if target.is_empty() || target.starts_with('?') { "/" } else { "" };
    let has_host = burst.headers.iter().any(|it| it.to_ascii_lowercase().starts_with("host:"));
    let host = if has_host { String::new() } else { format!("Host: {host}\r\n") };
    let headers = burst.headers.iter().map(|it| format!("{it}\r\n")).collect::<String>();
    let text = format!("{} {slash}{target} HTTP/1.1\r\n{host}{headers}\r\n", burst.method);
    let mut request = RequestHead::default();
    let parsed = request.parse(text.as_bytes());
    if !matches!(parsed, Ok(Some(_))) {
        return Err(format!("not an HTTP request: {}", text.trim_end()));
    }

    let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
    // A second after the start, so that the clock is not at zero.
    let mut now = Duration::from_secs(1);
    for number in 1..=burst.times {
        let now_ns = u64::try_from(now.as_nanos()).map_err(|_| "longer than 584 years")?;
        let mut charges = Charges::default();
        let mut facts = Facts { unix_s, ..Facts::default() };
        let action = pipeline.decide(&request, burst.from, now_ns, &mut charges, &mut facts);

        let mut lines = explain::lines(pipeline, &facts, &charges, now_ns);
        let status = match action {
            Action::Answer(reason) => problem(pipeline, reason, &charges).status,
            Action::Forward { route, .. } => match pipeline.config.routes[route].graphql {
                None => 200,
                Some(max) => {
                    let checked = graphql::check(max, &request, burst.data.as_bytes());
                    lines.push(explain::graphql(max, &checked));
                    checked.map_or_else(|(status, _)| status, |_| 200)
                }
            },
        };

        let mut first = format!("{number:<2} {status}  ");
        for line in lines {
            writeln!(out, "{first}{line}").map_err(|error| error.to_string())?;
            first = " ".repeat(8);
        }
        now = now.saturating_add(burst.every);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::config::read;

    const CONFIG: &str = "
        [limits]
        per_client = { algorithm = \"token_bucket\", rate = \"2/s\", key = [\"ip\"] }
        [upstreams]
        a = { servers = [\"a:1\"] }
        [[routes]]
        path = \"/v1/users/{id}\"
        upstream = \"a\"
        limits = [\"per_client\"]
        [[routes]]
        path = \"/graphql\"
        upstream = \"a\"
        graphql = { depth = 2, aliases = 0 }
    ";

    fn why(url: &str, times: u64, every_ms: u64) -> String {
        why_with_body(url, "", times, every_ms)
    }

    fn why_with_body(url: &str, data: &str, times: u64, every_ms: u64) -> String {
        let pipeline = Pipeline::new(
            read(CONFIG, &|_| Ok(Vec::new()), &|_| Ok(Vec::new())).expect("no mistakes"),
            None,
        );
        let burst = Burst {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: vec!["Content-Type: application/graphql".to_owned()],
            data: data.to_owned(),
            from: "192.0.2.1".parse().expect("an address"),
            times,
            every: Duration::from_millis(every_ms),
        };
        let mut out = Vec::new();
        explain_burst(&pipeline, &burst, &mut out).expect("a request");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_burst_of_the_head() {
        let text = why("http://a/v1/users/7", 3, 0);
        let head = include_str!("why.rs").split("```").nth(1).expect("there is one");
        let expected = head.lines().skip(2).map(|it| it.trim_start_matches("//!").trim());
        for (line, expected) in text.lines().zip(expected) {
            let expected = expected.trim_end_matches("...");
            assert!(line.trim().starts_with(expected), "{line}\n{expected}");
        }
        assert_eq!(text.lines().count(), 6);
        assert!(why("http://a/v1/users/7", 3, 500).lines().all(|it| !it.starts_with("3  429")));
        assert!(why("/none", 100, 0).contains("\n100 404  no route"));
        for (url, status) in [("/none", "404"), ("http://a?x", "404"), ("//x", "400")] {
            assert!(why(url, 1, 0).starts_with(&format!("1  {status}  no route: 400")), "{url}");
        }
    }

    #[test]
    fn a_graphql_query_is_measured_in_the_body_and_in_the_url() {
        let why = |url: &str, data: &str| why_with_body(url, data, 1, 0);
        for text in [why("/graphql", "{a{b}}"), why("/graphql?query={a{b}}", "")] {
            assert!(text.starts_with("1  200  route 2, /graphql\n"), "{text}");
            assert!(text.contains("graphql: depth 2"), "{text}");
        }
        let text = why("/graphql", "{a{b{c}}}");
        assert!(text.starts_with("1  400  route 2, /graphql\n"), "{text}");
        assert!(text.contains("graphql: 400 the query has depth 3"), "{text}");
    }
}
