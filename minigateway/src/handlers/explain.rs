//! Explains a decision: one line per step, and for each limit its state and the comparison.
//!
//! ```text
//! route 2, /v1/users/{id}
//! client acme, tier gold, scopes orders:read
//! version 1 of shop, by path; upstream speaks 2
//! graphql: depth 3 and 0 aliases of depth 10 and 20 aliases
//! limit per_client: admitted, full again in 400ms of 1s, 200ms a request: 3 of 5 left
//! limit per_client: refused, full again in 1s of 1s, 200ms more for this request: 200ms too much
//! limit daily, shared: refused, 1000 of 1000 counted, the window ends in 3h: no room for 1
//! limit hourly: skipped, because another limit refuses, 12 of 100 counted, ...
//! ```
//!
//! "Full again" is TAT - now of [`crate::engine::limiter::gcra`]. The state is the one after the
//! decision, so it includes an admitted request and not a refused one.

use super::filters::{Facts, Refused};
use super::pipeline::{Charges, Pipeline};
use crate::conf::file::RouteConfig;
use crate::engine::limiter::algorithm::Algorithm;
use crate::engine::limiter::{Decision, Limiter, Quota};
use crate::engine::limits::{Limit, Outcome};
use crate::engine::shared::KeyState;
use minigateway_graphql::Cost;
use std::time::Duration;

/// The request header that asks for an explanation, and the response headers with its lines.
pub const HEADER: &str = "X-Explain";

/// Explains a decision of [`Pipeline::decide`] at `now_ns`, which has filled `facts` and `charges`.
pub fn lines(pipeline: &Pipeline, facts: &Facts, charges: &Charges, now_ns: u64) -> Vec<String> {
    let mut lines = vec![match facts.route {
        Some(index) => {
            let RouteConfig { host, path, .. } = &pipeline.config.routes[index];
            let host = host.as_ref().map_or(String::new(), |it| format!(", host {}", it.0));
            format!("route {}, {}{host}", index + 1, path.0)
        }
        None => "no route: 400 is for the request, 404 for its path, 405 for its method".to_owned(),
    }];

    if let Some(client) = &facts.client {
        let tier = if client.tier.is_empty() { "none" } else { &client.tier };
        let scopes = if client.scopes.is_empty() { "none" } else { &client.scopes.join(" ") };
        lines.push(format!("client {}, tier {tier}, scopes {scopes}", client.name));
    }
    let route = facts.route.map(|it| &pipeline.config.routes[it]);
    let version = route.and_then(|it| pipeline.config.filters.version(it, facts));
    if let (Some((config, version)), Some(chosen)) = (version, facts.version) {
        let names = &config.versions.names;
        let by = chosen.source.map_or("default".to_owned(), |it| config.by[it].clone());
        let (name, speaks) = (&names[version], config.spoken(version));
        lines.push(format!("version {name} of {}, by {by}; upstream speaks {speaks}", config.name));
    }

    if let Some((status, detail)) = facts.refused.map(Refused::problem) {
        lines.push(format!("refused: {status} {detail}"));
        return lines;
    }

    // Each limit with the state of its key, which is unknown if the store did not answer.
    let limits = &pipeline.limits;
    let local = charges.local.iter().map(|it| {
        let state = KeyState { word: it.word(limits, now_ns), now_ns, held: 0 };
        (it.limit, it.outcome(), it.cost, it.decision, "", Some(state))
    });
    let shared = charges
        .shared
        .iter()
        .map(|it| (it.limit, it.outcome(), it.cost, it.decision, ", shared", it.state));
    let is_refused = charges.refusing().any(|it| !limits[it].is_dry_run);
    for (limit, outcome, cost, decision, kind, state) in local.chain(shared) {
        let Limit { name, algorithm, is_dry_run, .. } = &limits[limit];
        let dry_run = if *is_dry_run { ", dry run" } else { "" };
        let why = match outcome {
            Outcome::Skipped if is_refused => ", because another limit refuses",
            Outcome::Skipped => ", without an answer from the store",
            _ => "",
        };
        let mut line =
            format!("limit {name}{kind}{dry_run}: {}{why}", Outcome::NAMES[outcome as usize]);
        if let Some(KeyState { word, now_ns, held }) = state {
            let quota = pipeline.config.limits[limit].policy.quota;
            line = line + ", " + &arithmetic(algorithm, word, now_ns, quota, cost, decision);
            line += &if held > 0 { format!(", and {held} leased here") } else { String::new() };
        }
        lines.push(line);
    }

    // Limits for other tiers, and limits that do not count this address.
    let all = route.into_iter().flat_map(|it| &it.limits).map(|it| it.index);
    let uncharged = all.filter(|limit| charges.outcomes().all(|it| it.0 != *limit));
    lines.extend(uncharged.map(|it| format!("limit {}: does not count this", limits[it].name)));
    lines
}

/// Explains the result of [`check`](crate::wire::graphql::check).
pub fn graphql(max: Cost, checked: &Result<Cost, (u16, String)>) -> String {
    match checked {
        Ok(cost) => format!("graphql: {cost} of {max}"),
        Err((status, detail)) => format!("graphql: {status} {detail}"),
    }
}

/// Explains the decision of an algorithm. `word` is the state after it, `limit` the largest quota.
fn arithmetic(
    algorithm: &Algorithm,
    word: u64,
    now_ns: u64,
    limit: u64,
    cost: u64,
    decision: Decision,
) -> String {
    let Quota { remaining, full_after_ns } = algorithm.quota(&word, now_ns);
    let after = Duration::from_nanos(full_after_ns);
    let left = format!("{remaining} of {limit} left");
    let used = limit.saturating_sub(remaining);
    match algorithm {
        Algorithm::TokenBucket(it) => {
            let (interval_ns, depth_ns) = it.interval_and_depth_ns();
            let [interval, depth] = [interval_ns, depth_ns].map(Duration::from_nanos);
            match decision {
                Decision::Admitted { .. } => {
                    format!("full again in {after:?} of {depth:?}, {interval:?} a request: {left}")
                }
                Decision::Refused { retry_after_ns: Some(wait_ns) } => {
                    let price = Duration::from_nanos(interval_ns.saturating_mul(cost));
                    let wait = Duration::from_nanos(wait_ns);
                    format!(
                        "full again in {after:?} of {depth:?}, {price:?} more for this request: \
                         {wait:?} too much"
                    )
                }
                Decision::Refused { retry_after_ns: None } => {
                    format!("a cost of {cost} is more than the burst of {limit}")
                }
            }
        }
        Algorithm::FixedWindow(_) if full_after_ns == 0 => format!("0 of {limit} counted: {left}"),
        Algorithm::FixedWindow(_) => {
            let room = if decision.is_admitted() { left } else { format!("no room for {cost}") };
            format!("{used} of {limit} counted, the window ends in {after:?}: {room}")
        }
        Algorithm::SlidingWindow(it) => {
            let (before, now, left_of_window) = it.counts(word, now_ns);
            let window = Duration::from_micros(it.limit_and_window_us().1);
            format!(
                "{now} now, and {before} before count for {left_of_window:?} more of {window:?}: \
                 {left}"
            )
        }
        Algorithm::LeakyBucket(_) => match decision {
            Decision::Admitted { delay_ns } => {
                let delay = Duration::from_nanos(delay_ns);
                format!("this one leaves in {delay:?}, the next one in {after:?}: {left}")
            }
            Decision::Refused { .. } => format!("the next one leaves in {after:?}: no place"),
        },
        Algorithm::Concurrency(_) => format!("{used} of {limit} in progress"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::config::read;
    use crate::engine::limiter::concurrency::Concurrency;
    use crate::engine::limiter::fixed_window::FixedWindow;
    use crate::engine::limiter::gcra::Gcra;
    use crate::engine::limiter::leaky_queue::LeakyQueue;
    use crate::engine::limiter::sliding_counter::SlidingCounter;
    use minilb::wire::http1::head::RequestHead;

    /// Explains the last of `count` requests at 1.7 s.
    fn last(algorithm: Algorithm, limit: u64, count: usize) -> String {
        let (mut word, now_ns) = (0, 1_700_000_000);
        let decisions = (0..count).map(|_| algorithm.decide(&mut word, now_ns, 1));
        let decision = decisions.last().expect("one at least");
        arithmetic(&algorithm, word, now_ns, limit, 1, decision)
    }

    #[test]
    fn each_algorithm_says_what_it_compared() {
        let second = Duration::from_secs(1);
        let bucket = Algorithm::TokenBucket(Gcra::new(5, second, 5).expect("no zero"));
        let two = "full again in 400ms of 1s, 200ms a request: 3 of 5 left";
        assert_eq!(last(bucket, 5, 2), two);
        let six = "full again in 1s of 1s, 200ms more for this request: 200ms too much";
        assert_eq!(last(bucket, 5, 6), six);
        let window = Algorithm::FixedWindow(FixedWindow::new(5, second).expect("no zero"));
        let six = "5 of 5 counted, the window ends in 300ms: no room for 1";
        assert_eq!(last(window, 5, 6), six);
        let skipped = arithmetic(&window, 0, 9, 5, 1, Decision::Admitted { delay_ns: 0 });
        assert_eq!(skipped, "0 of 5 counted: 5 of 5 left");
        let sliding = Algorithm::SlidingWindow(SlidingCounter::new(5, second).expect("no zero"));
        let two = "2 now, and 0 before count for 300ms more of 1s: 3 of 5 left";
        assert_eq!(last(sliding, 5, 2), two);
        let queue = Algorithm::LeakyBucket(LeakyQueue::new(5, second, 4).expect("no zero"));
        let two = "this one leaves in 200ms, the next one in 400ms: 3 of 5 left";
        assert_eq!(last(queue, 5, 2), two);
        let at_once = Algorithm::Concurrency(Concurrency::new(10).expect("no zero"));
        assert_eq!(last(at_once, 10, 3), "3 of 10 in progress");
    }

    #[test]
    fn a_version_is_explained_in_the_words_of_the_configuration() {
        let config = r#"
            upstreams.a.servers = ["127.0.0.1:1"]
            routes = [{ path = "/*", upstream = "a", versions = "shop" }]
            [versions.shop]
            by = ["path", "header:V"]
            default = "2"
            known.1 = {}
            known.2 = {}"#;
        let config = read(config, &|_| Ok(Vec::new()), &|_| Ok(Vec::new()));
        let pipeline = Pipeline::new(config.expect("no mistakes"), None);
        for (target, by) in [("/v1/a", "1 of shop, by path"), ("/a", "2 of shop, by default")] {
            let (mut request, mut facts) = (RequestHead::default(), Facts::default());
            let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            request.parse(head.as_bytes()).expect("well formed");
            let (client, mut charges) = ("::1".parse().expect("it is one"), Charges::default());
            pipeline.decide(&request, client, 0, &mut charges, &mut facts);
            let line = format!("version {by}; upstream speaks {}", &by[..1]);
            assert_eq!(lines(&pipeline, &facts, &charges, 0)[1], line);
        }
    }
}
