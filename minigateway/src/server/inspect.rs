//! Metrics and the state page of the admin endpoint.
//!
//! ```text
//! minigateway_requests_total{outcome="refused"} 17
//! minigateway_limit_decisions_total{limit="per_client",decision="refused"} 17
//! minigateway_limit_overflow_total{limit="per_client"} 0     requests of keys without a slot
//! ```
//!
//! A reload resets the counters of requests, versions and decisions; the others continue.

use super::generation::OUTCOMES;
use super::redis::StoreCounts;
use super::start::Server;
use crate::conf::config::Policy;
use crate::engine::limiter::Limiter;
use crate::engine::limits::Outcome;
use crate::engine::top_keys::TopKey;
use minikit::admin::{Exposition, Inspect, StatePage};
use minikit::server::Hooks;
use minikit::sync::atomic::Ordering::Relaxed;

impl Inspect for Server {
    fn metrics(&self, out: &mut Exposition) {
        let generation = self.current.get();
        let connections = self.connections();
        out.gauge("minigateway_clients", "Clients connected.", connections.current());
        let accepted = connections.accepted();
        out.counter("minigateway_clients_accepted_total", "Clients accepted.", accepted);
        let mut requests = out.counters("minigateway_requests_total", "Requests by outcome.");
        for (outcome, count) in OUTCOMES.iter().zip(&generation.requests) {
            requests.sample(&[("outcome", outcome)], count.load(Relaxed));
        }

        let help = "Requests of each version of an API.";
        let mut versions = out.counters("minigateway_version_requests_total", help);
        let configs = &generation.pipeline.config.filters.versions;
        for (config, counts) in configs.iter().zip(&generation.versions) {
            for (version, count) in config.versions.names.iter().zip(counts) {
                let labels = [("versions", config.name.as_str()), ("version", version.as_str())];
                versions.sample(&labels, count.load(Relaxed));
            }
        }

        let limits = || generation.pipeline.limits.iter().zip(&generation.limits);
        let help = "Decisions of each limit. One in dry run refuses nothing; skipped means \
                    that another limit refused, or that the store did not answer.";
        let mut decisions = out.counters("minigateway_limit_decisions_total", help);
        for (limit, counts) in limits() {
            for (outcome, count) in Outcome::NAMES.iter().zip(&counts.outcomes) {
                let labels = [("limit", limit.name.as_str()), ("decision", outcome)];
                decisions.sample(&labels, count.load(Relaxed));
            }
        }
        let help = "Requests with shared limits, by the outcome of asking the store.";
        let mut asked = out.counters("minigateway_store_requests_total", help);
        let StoreCounts { answered, failed, skipped } = &*self.current.store;
        for (outcome, count) in [("answered", answered), ("failed", failed), ("skipped", skipped)] {
            asked.sample(&[("outcome", outcome)], count.load(Relaxed));
        }
        let help = "Requests decided by the shared overflow bucket.";
        let mut overflow = out.counters("minigateway_limit_overflow_total", help);
        for (limit, _) in limits() {
            overflow.sample(&[("limit", limit.name.as_str())], limit.store.overflowed());
        }
    }

    fn state_page(&self) -> StatePage {
        let generation = self.current.get();
        let mut page = StatePage::new("minigateway");
        let columns =
            ["limit", "algorithm", "allows", "admitted", "refused", "skipped", "overflowed"];
        let limits = page.table("Limits", "Since the configuration was loaded.", &columns);
        let configs = &generation.pipeline.config.limits;
        let counted = || generation.pipeline.limits.iter().zip(&generation.limits);
        for ((limit, counts), config) in counted().zip(configs) {
            let [admitted, refused, skipped] =
                counts.outcomes.each_ref().map(|it| it.load(Relaxed));
            limits.row([
                limit.name.as_str().into(),
                format!("{:?}", limit.algorithm).split('(').next().unwrap_or_default().into(),
                policy(config.policy).into(),
                admitted.into(),
                refused.into(),
                skipped.into(),
                limit.store.overflowed().into(),
            ]);
        }
        let columns = ["limit", "key", "requests", "refused", "left"];
        let note = "Of the buckets in this gateway. Counts are upper bounds.";
        let keys = page.table("Busiest keys", note, &columns);
        let now_ns = self.current.now_ns();
        for (limit, counts) in counted() {
            for TopKey { key, name, requests, refused } in counts.top.busiest() {
                let word = limit.store.word(&limit.algorithm, key, now_ns);
                let left = limit.algorithm.quota(&word, now_ns).remaining;
                let [requests, refused, left] = [requests, refused, left].map(Into::into);
                keys.row([limit.name.as_str().into(), name.into(), requests, refused, left]);
            }
        }
        page
    }

    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Formats `20 in 2s` or `100 at once`.
fn policy(Policy { quota, window }: Policy) -> String {
    if window.is_zero() { format!("{quota} at once") } else { format!("{quota} in {window:?}") }
}
