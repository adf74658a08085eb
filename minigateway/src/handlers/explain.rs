//! Why a request got its answer, a line for each step.
//!
//! ```text
//! route 2, /v1/users/{id}, to upstream api
//! client acme, tier gold, scopes orders:read
//! version 1 of shop, by Path; upstream 2
//! limit per_client: admitted, full again in 400ms of 1s, 200ms a request: 3 of 5 left
//! limit daily, shared: refused, 1000 of 1000 counted, the window ends in 3h: no room for 1
//! ```

use super::arithmetic::explain;
use super::front::Facts;
use super::pipeline::{Charges, Pipeline};
use crate::conf::config::RouteConfig;
use crate::engine::limiter::Decision;

/// The request header that asks for it, and the response headers that carry it.
pub const HEADER: &str = "X-Explain";

/// Explains a decision of [`Pipeline::decide`] at `now_ns`, for a request of which `facts` were
/// found out.
pub fn lines(pipeline: &Pipeline, facts: &Facts, charges: &Charges, now_ns: u64) -> Vec<String> {
    let mut lines = vec![match facts.route {
        Some(index) => {
            let RouteConfig { host, path, .. } = &pipeline.config.routes[index];
            let host = host.as_deref().map_or(String::new(), |it| format!(", host {it}"));
            format!("route {}, {path}{host}", index + 1)
        }
        None => "no route has this host, path, method and headers".to_owned(),
    }];

    if let Some(client) = &facts.client {
        let tier = if client.tier.is_empty() { "none" } else { &client.tier };
        let scopes = client.scopes.join(" ");
        lines.push(format!("client {}, tier {tier}, scopes {scopes}", client.name));
    }
    let asks = facts.route.map(|it| &pipeline.config.routes[it].front);
    let version = asks.and_then(|it| pipeline.config.front.version(it, facts));
    if let (Some((config, version)), Some(chosen)) = (version, facts.version) {
        let names = &config.versions.names;
        let by = chosen
            .source
            .map_or("default".to_owned(), |it| format!("{:?}", config.versions.sources[it]));
        let (name, speaks) = (&names[chosen.version], &names[version.speaks]);
        lines.push(format!("version {name} of {}, by {by}; upstream {speaks}", config.name));
    }

    let limits = &pipeline.limits;
    let line = |limit: usize, decision: Decision, kind: &str, arithmetic: String| {
        let dry_run = if limits[limit].is_dry_run { ", dry run" } else { "" };
        let verdict = if decision.is_admitted() { "admitted" } else { "refused" };
        format!("limit {}{kind}{dry_run}: {verdict}, {arithmetic}", limits[limit].name)
    };
    let quota = |limit: usize| pipeline.config.limits[limit].policy.quota;
    for charge in &charges.local {
        let algorithm = &limits[charge.limit].algorithm;
        let word = limits[charge.limit].store.word(algorithm, charge.key, now_ns);
        let (limit, decision) = (charge.limit, charge.decision);
        let text = explain(algorithm, word, now_ns, quota(limit), charge.cost, decision);
        lines.push(line(limit, decision, "", text));
    }
    for charge in &charges.shared {
        let (limit, decision) = (charge.limit, charge.decision);
        let text = match charge.state {
            None => "the store is down".to_owned(),
            Some(state) => {
                let algorithm = &limits[limit].algorithm;
                let (word, now_ns) = (state.word, state.now_ns);
                let text = explain(algorithm, word, now_ns, quota(limit), charge.cost, decision);
                let held = state.held;
                if held > 0 { format!("{text}, and {held} leased here") } else { text }
            }
        };
        lines.push(line(limit, decision, ", shared", text));
    }
    lines
}
