//! The responses of the gateway itself, and the headers that tell a client about its limits.
//!
//! | outcome | status | body | headers |
//! |---|---|---|---|
//! | forwarded | the upstream's | the upstream's | RateLimit-Policy, RateLimit |
//! | refused by a rate limit | 429 | problem `quota-exceeded` | these two and Retry-After |
//! | refused by concurrency limits | 503 | problem `temporary-reduced-capacity` | the first two |
//! | the store is down, `when_down = "refuse"` | 503 | problem | Retry-After |
//! | requests in progress hold too many bodies | 503 | problem | Retry-After |
//! | no route, wrong method | 404, 405 | problem | |
//! | an ambiguous path or header | 400 | problem | |
//! | credentials, scopes, version | 400 to 410 | problem | WWW-Authenticate |
//! | CORS preflight | 204 | none | Access-Control-Allow-Methods, -Headers |
//!
//! Limits in dry run are hidden from clients: no header and no body names them.

use super::pipeline::{Charges, Pipeline, Reason};
use crate::engine::limiter::{Limiter, Quota};
use crate::wire::problem;
use crate::wire::ratelimit::{self, LimitState, seconds};
use minilb::wire::http1::writer::{HeadWriter, decimal};

/// A response of the gateway itself: a problem, or the answer to a preflight.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// 400 to 599, or 204.
    pub status: u16,
    /// The body, of type [`problem::CONTENT_TYPE`]; empty with 204.
    pub body: String,
    /// Headers other than the ones about limits.
    pub headers: Vec<(&'static str, String)>,
}

/// Builds the response to a request that is not forwarded.
pub fn problem(pipeline: &Pipeline, reason: Reason, charges: &Charges) -> Problem {
    let problem = |status, detail: &str, headers| Problem {
        status,
        body: problem::error(status, detail),
        headers,
    };
    let unavailable = |detail| problem(503, detail, vec![("Retry-After", "1".to_owned())]);
    match reason {
        Reason::Ambiguous(detail) => problem(400, detail, Vec::new()),
        Reason::NotFound => problem(404, "", Vec::new()),
        // RFC 9110, 15.5.6: a 405 must list the allowed methods.
        Reason::MethodNotAllowed(methods) => problem(405, "", vec![("Allow", methods)]),
        Reason::Preflight(route) => {
            let headers = pipeline.config.filters.preflight(&pipeline.config.routes[route]);
            Problem { status: 204, body: String::new(), headers }
        }
        Reason::StoreDown => unavailable("the store of rate limits is unavailable"),
        Reason::BodiesHeld => unavailable("bodies of other requests fill the memory for bodies"),
        Reason::Filter(route, refused) => {
            let (filters, route) = (&pipeline.config.filters, &pipeline.config.routes[route]);
            let challenge = filters.challenge(route, refused).map(|it| ("WWW-Authenticate", it));
            let (status, detail) = refused.problem();
            problem(status, detail, challenge.into_iter().collect())
        }
        Reason::Limited { retry_after_ns } => {
            let refusing = charges.refusing().map(|it| &pipeline.limits[it]);
            let refusing = refusing.filter(|it| !it.is_dry_run);
            let names = refusing.clone().map(|it| it.name.as_str());
            let is_capacity = refusing.clone().all(|it| it.algorithm.counts_requests_in_progress());
            let (status, body) = match is_capacity {
                true => (503, problem::reduced_capacity(names)),
                false => (429, problem::quota_exceeded(names)),
            };
            // `Retry-After: 0` would tell the client to retry at once.
            let retry_after = retry_after_ns.map(|it| seconds(it).max(1).to_string());
            let headers = retry_after.map(|it| ("Retry-After", it)).into_iter().collect();
            Problem { status, body, headers }
        }
    }
}

/// Returns true if the response gets limit headers, which replace those of the upstream.
pub fn shows_limits(pipeline: &Pipeline, charges: &Charges) -> bool {
    charges.outcomes().any(|(limit, _)| !pipeline.limits[limit].is_dry_run)
}

/// Adds the headers about limits. `unix_s` is the time in seconds since 1970.
pub fn write_limits(
    pipeline: &Pipeline,
    charges: &Charges,
    now_ns: u64,
    unix_s: u64,
    head: &mut HeadWriter<'_>,
) {
    let limits = &pipeline.limits;
    let state = |limit: usize, quota: Quota, more_after_ns| LimitState {
        name: &limits[limit].name,
        quota: pipeline.config.limits[limit].policy.quota,
        window: pipeline.config.limits[limit].policy.window,
        remaining: quota.remaining,
        more_after_ns,
        full_after_ns: quota.full_after_ns,
    };
    let local = charges.local.iter().filter(|it| !limits[it.limit].is_dry_run).map(|charge| {
        let (word, algorithm) = (charge.word(limits, now_ns), &limits[charge.limit].algorithm);
        state(charge.limit, algorithm.quota(&word, now_ns), algorithm.more_after_ns(word, now_ns))
    });
    // No state is known if the store is down.
    let shared = charges.shared.iter().filter(|it| !limits[it.limit].is_dry_run);
    let shared = shared.filter_map(|charge| {
        let (limit, known) = (charge.limit, charge.state?);
        let algorithm = &limits[limit].algorithm;
        let more_after_ns = algorithm.more_after_ns(known.word, known.now_ns);
        Some(state(limit, known.quota(algorithm), more_after_ns))
    });
    let states = local.chain(shared).collect::<Vec<_>>();
    if states.is_empty() {
        return;
    }
    head.header_with(b"RateLimit-Policy", |out| ratelimit::policy(&states, out));
    head.header_with(b"RateLimit", |out| ratelimit::remaining(&states, out));
    let tightest = ratelimit::tightest(&states).filter(|_| pipeline.config.answers.x_ratelimit);
    let Some(LimitState { quota, remaining, full_after_ns, .. }) = tightest else { return };

    let reset_s = match full_after_ns {
        u64::MAX => unix_s,
        ns => unix_s + seconds(ns),
    };
    for (name, value) in [
        (&b"X-RateLimit-Limit"[..], quota),
        (b"X-RateLimit-Remaining", remaining),
        (b"X-RateLimit-Used", quota.saturating_sub(remaining)),
        (b"X-RateLimit-Reset", reset_s),
    ] {
        head.header_with(name, |out| decimal(out, value));
    }
}

#[cfg(test)]
mod tests {
    use super::super::filters::Facts;
    use super::super::pipeline::Action;
    use super::*;
    use crate::conf::config::read;
    use minilb::wire::http1::framing::Framing;
    use minilb::wire::http1::head::RequestHead;

    const CONFIG: &str = r#"
        answers = { x_ratelimit = true }
        [limits]
        per_client = { algorithm = "token_bucket", rate = "2/s", key = ["ip"] }
        planned = { algorithm = "token_bucket", rate = "1/s", key = ["ip"], dry_run = true }
        at_once = { algorithm = "concurrency", limit = 2, key = [] }
        [upstreams]
        a = { servers = ["127.0.0.1:1"] }
        [[routes]]
        path = "/"
        upstream = "a"
        limits = ["per_client", "planned"]
        [[routes]]
        path = "/busy"
        upstream = "a"
        limits = ["at_once"]
    "#;

    /// Returns the headers and the problem of the last of `count` requests.
    fn last(count: usize, path: &str) -> (String, Option<Problem>) {
        let pipeline = Pipeline::new(
            read(CONFIG, &|_| Ok(Vec::new()), &|_| Ok(Vec::new())).expect("no mistakes"),
            None,
        );
        let mut request = RequestHead::default();
        let text = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        request.parse(text.as_bytes()).expect("well formed");
        let mut charges = Charges::default();
        let client = "192.0.2.1".parse().expect("an address");
        let actions = (0..count)
            .map(|_| pipeline.decide(&request, client, 0, &mut charges, &mut Facts::default()));
        let action = actions.last().expect("one at least");

        let mut out = Vec::new();
        let mut head = HeadWriter::request(&mut out, b"", b"", 1, Framing::None);
        write_limits(&pipeline, &charges, 0, 1000, &mut head);
        head.finish();
        let text = String::from_utf8(out).expect("ASCII");
        let headers = text.split_once("\r\n").expect("a line").1.trim_end().replace("\r\n", "\n");
        let problem = match action {
            Action::Forward { .. } => None,
            Action::Answer(reason) => Some(problem(&pipeline, reason, &charges)),
        };
        (headers, problem)
    }

    #[test]
    fn the_response_to_an_admitted_request_has_the_remaining_quota() {
        let (headers, problem) = last(1, "/");
        let expected = "RateLimit-Policy: \"per_client\";q=2;w=1\n\
                        RateLimit: \"per_client\";r=1;t=1\n\
                        X-RateLimit-Limit: 2\nX-RateLimit-Remaining: 1\n\
                        X-RateLimit-Used: 1\nX-RateLimit-Reset: 1001";
        assert_eq!((headers.as_str(), problem), (expected, None));
    }

    #[test]
    fn a_refusal_names_the_limit_and_the_wait() {
        let (headers, problem) = last(3, "/");
        assert!(headers.contains("RateLimit: \"per_client\";r=0;t=1"), "{headers}");
        let problem = problem.expect("refused");
        assert_eq!((problem.status, &problem.headers[0]), (429, &("Retry-After", "1".to_owned())));
        assert!(problem.body.contains("\"violated-policies\":[\"per_client\"]"), "{problem:?}");

        let (headers, problem) = last(3, "/busy");
        assert!(headers.contains("RateLimit: \"at_once\";r=0\n"), "{headers}");
        let problem = problem.expect("refused");
        assert_eq!((problem.status, problem.headers.len()), (503, 0));
        assert!(problem.body.contains("temporary-reduced-capacity"), "{problem:?}");
    }

    #[test]
    fn a_request_without_a_route_has_no_limit_headers() {
        let (headers, problem) = last(1, "/none");
        assert_eq!((headers.as_str(), problem.map(|it| it.status)), ("", Some(404)));
    }
}
