//! What a configuration means, once everything in it is checked.
//!
//! ```text
//! [limits.per_client]           Limit 0   10 a second, burst 20, by address
//! [upstreams.api]               Upstream 0
//! [[routes]]                    Route 0   upstream 0, limits [0], cost 1
//!   limits = ["per_clint"]      14:11: no limit "per_clint"; did you mean "per_client"?
//! ```
//!
//! Names become indices here, so that nothing can name what does not exist later. `minigateway
//! check` prints the first mistake; a reload that has one keeps the old configuration.

use super::error::{ConfError, unknown};
use super::file::{
    AlgorithmName, Answers, File, LimitTable, LogTable, RouteConfig, Tables, UpstreamConfig, parse,
};
use super::front::{self, FrontConfig};
use super::redis::RedisConfig;
use super::values::{KeyPart, Name, Network, Rate, Reference};
use crate::engine::limiter::algorithm::Algorithm;
use crate::engine::limiter::concurrency::Concurrency;
use crate::engine::limiter::fixed_window::FixedWindow;
use crate::engine::limiter::gcra::Gcra;
use crate::engine::limiter::leaky_queue::LeakyQueue;
use crate::engine::limiter::sliding_counter::SlidingCounter;
use crate::engine::shared::Parameters;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;

/// A configuration without mistakes.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Config {
    pub answers: Answers,
    pub log: LogTable,
    pub limits: Vec<LimitConfig>,
    pub redis: Option<RedisConfig>,
    pub upstreams: Vec<UpstreamConfig>,
    pub front: FrontConfig,
    pub routes: Vec<RouteConfig>,
}

/// A limit.
#[derive(Debug)]
pub struct LimitConfig {
    /// Clients see it in headers.
    pub name: String,
    /// How it decides.
    pub algorithm: Algorithm,
    /// What it allows, for headers.
    pub policy: Policy,
    /// What it counts by; nothing for all requests together.
    pub key: Vec<KeyPart>,
    /// Busy keys at once.
    pub keys_max: usize,
    /// It refuses nothing.
    pub is_dry_run: bool,
    /// It is for clients of these tiers; empty for all requests.
    pub tiers: Vec<String>,
    /// It counts no requests from these networks.
    pub allow: Vec<Network>,
    /// All gateways count together.
    pub shared: Option<SharedConfig>,
}

/// A limit that is kept in [`Config::redis`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedConfig {
    /// The limit, for the script.
    pub parameters: Parameters,
    /// Requests that are deducted at once; 1 means no leases.
    pub lease: u64,
}

/// What a limit allows, in the words of the RateLimit headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The most requests that are available at once.
    pub quota: u64,
    /// How long it takes until all of them are available again; zero for a number at once.
    pub window: Duration,
}

/// Busy keys of a limit that does not say how many: 2.4 MB.
const KEYS_MAX: usize = 100_000;

/// Finds the addresses of `HOST:PORT`, or says why there are none.
pub type Resolve<'a> = &'a dyn Fn(&str) -> Result<Vec<SocketAddr>, String>;

/// Reads a file that the configuration names, or says why it cannot.
pub type Open<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// Reads and checks a configuration. `resolve` finds the addresses of servers, `open` reads keys.
///
/// # Errors
/// The first mistake.
pub fn read(text: &str, resolve: Resolve<'_>, open: Open<'_>) -> Result<Config, ConfError> {
    let File { answers, log, limits, mut redis, upstreams, api_keys, jwt, versions, cors, routes } =
        parse(text)?;
    let reader = Reader { text, resolve, open };
    if let Some(redis) = &mut redis {
        let found = (reader.resolve)(&redis.url.as_ref().server);
        redis.addresses = found.map_err(|hint| reader.error(redis.url.span(), hint))?;
    }
    let limit = |(name, it): (Name, Spanned<LimitTable>)| {
        reader.limit(name.0, it.span(), it.into_inner(), redis.is_some())
    };
    let limits = limits.into_iter().map(limit).collect::<Result<Vec<_>, _>>()?;
    let upstreams = reader.upstreams(upstreams)?;
    let front = front::read(&reader, api_keys, jwt, versions, cors, &upstreams)?;
    let route = |it: Spanned<RouteConfig>| reader.route(it, &limits, &upstreams, &front);
    let routes = routes.into_iter().map(route).collect::<Result<Vec<_>, _>>()?;
    if routes.is_empty() {
        let hint = "there are no routes; a route is a table [[routes]] with path and upstream";
        return Err(ConfError::whole(hint));
    }
    Ok(Config { answers, log, redis, upstreams, routes, limits, front })
}

/// Holds the text, to find the places of mistakes.
pub struct Reader<'a> {
    text: &'a str,
    resolve: Resolve<'a>,
    /// Reads keys.
    pub open: Open<'a>,
}

impl Reader<'_> {
    /// A mistake at a place.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>) -> ConfError {
        ConfError::at(self.text, span, message)
    }

    /// Reads a value by a function that returns it or a hint.
    ///
    /// # Errors
    /// The hint, with the place.
    pub fn value<T>(
        &self,
        written: &Spanned<String>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfError> {
        read(written.as_ref()).map_err(|hint| self.error(written.span(), hint))
    }

    /// Finds the table that a reference names among all tables of its kind.
    ///
    /// # Errors
    /// If there is none, with the nearest name.
    pub fn find<'a>(
        &self,
        kind: &str,
        names: impl Iterator<Item = &'a String> + Clone,
        reference: Option<&mut Reference>,
    ) -> Result<(), ConfError> {
        let Some(reference) = reference else { return Ok(()) };
        let found = names.clone().position(|it| *it == reference.name);
        let unknown = || unknown(kind, &reference.name, names.map(String::as_str));
        reference.index = found.ok_or_else(|| self.error(reference.span.clone(), unknown()))?;
        Ok(())
    }

    fn limit(
        &self,
        name: String,
        span: Range<usize>,
        table: LimitTable,
        has_redis: bool,
    ) -> Result<LimitConfig, ConfError> {
        let (algorithm, policy) = self.algorithm(span, &table)?;
        let shared = self.shared(&table, &algorithm, policy, has_redis)?;
        let LimitTable { key, keys_max, dry_run: is_dry_run, tiers, allow, .. } = table;
        let keys_max = keys_max.map_or(KEYS_MAX, |it| it.0);
        Ok(LimitConfig { name, algorithm, policy, key, keys_max, is_dry_run, tiers, allow, shared })
    }

    fn shared(
        &self,
        table: &LimitTable,
        algorithm: &Algorithm,
        policy: Policy,
        has_redis: bool,
    ) -> Result<Option<SharedConfig>, ConfError> {
        let Some(shared) = table.shared.as_ref().filter(|it| *it.as_ref()) else {
            return match &table.lease {
                Some(lease) => Err(self.error(lease.span(), "only a shared limit has a lease")),
                None => Ok(None),
            };
        };
        if !has_redis {
            return Err(self.error(shared.span(), "a shared limit needs [redis] with its url"));
        }
        let parameters = Parameters::new(algorithm);
        let parameters = parameters.map_err(|hint| self.error(shared.span(), hint))?;
        let lease = table.lease.as_ref().map_or(1, |it| *it.as_ref());
        match &table.lease {
            Some(it) if lease == 0 || lease > policy.quota => {
                let hint = format!("a lease is a number from 1 to {}, the limit", policy.quota);
                Err(self.error(it.span(), hint))
            }
            _ => Ok(Some(SharedConfig { parameters, lease })),
        }
    }

    fn algorithm(
        &self,
        span: Range<usize>,
        table: &LimitTable,
    ) -> Result<(Algorithm, Policy), ConfError> {
        // Each algorithm has the keys that mean something to it, and no others.
        let name = table.algorithm;
        let is_bucket = matches!(name, AlgorithmName::TokenBucket | AlgorithmName::LeakyBucket);
        if let Some(burst) = table.burst.as_ref().filter(|_| !is_bucket) {
            return Err(self.error(burst.span(), "this algorithm has no burst"));
        }
        if let AlgorithmName::Concurrency = name {
            return self.concurrency(span, table);
        }
        if let Some(limit) = &table.limit {
            return Err(self.error(limit.span(), "this algorithm has no limit but a rate"));
        }

        let written = table.rate.as_ref();
        let written = written.ok_or_else(|| self.error(span, "a limit needs a rate"))?;
        let Rate((requests, period)) = *written.as_ref();
        let burst = table.burst.as_ref().map_or(requests, |it| *it.as_ref());
        let (made, quota, hint) = match name {
            AlgorithmName::TokenBucket => {
                let made = Gcra::new(requests, period, burst).map(Algorithm::TokenBucket);
                (made, burst, "a burst is at least 1, and refilled within 584 years")
            }
            AlgorithmName::LeakyBucket => {
                let made = LeakyQueue::new(requests, period, burst).map(Algorithm::LeakyBucket);
                (made, burst.saturating_add(1), "the longest wait is at most 584 years")
            }
            AlgorithmName::FixedWindow => {
                let made = FixedWindow::new(requests, period).map(Algorithm::FixedWindow);
                (made, requests, "a fixed window is at least a second, with up to 4294967295")
            }
            AlgorithmName::SlidingWindow | AlgorithmName::Concurrency => {
                let made = SlidingCounter::new(requests, period).map(Algorithm::SlidingWindow);
                (made, requests, "a sliding window is at least a second, with up to 65535")
            }
        };
        let made = made.ok_or_else(|| self.error(written.span(), hint))?;

        // A bucket is full again after its whole burst has come in at the rate.
        let window = match is_bucket {
            true => period.mul_f64(quota as f64 / requests as f64),
            false => period,
        };
        Ok((made, Policy { quota, window }))
    }

    fn concurrency(
        &self,
        span: Range<usize>,
        table: &LimitTable,
    ) -> Result<(Algorithm, Policy), ConfError> {
        if let Some(rate) = &table.rate {
            return Err(self.error(rate.span(), "a concurrency limit has no rate but a limit"));
        }
        let limit = table.limit.as_ref();
        let limit = limit.ok_or_else(|| self.error(span, "a concurrency limit needs a limit"))?;
        let made = Concurrency::new(*limit.as_ref());
        let hint = "limit is a number from 1 to 4294967295";
        let made = made.ok_or_else(|| self.error(limit.span(), hint))?;
        let policy = Policy { quota: *limit.as_ref(), window: Duration::ZERO };
        Ok((Algorithm::Concurrency(made), policy))
    }

    fn upstreams(&self, all: Tables<UpstreamConfig>) -> Result<Vec<UpstreamConfig>, ConfError> {
        let mut upstreams = Vec::new();
        for (Name(name), table) in all {
            let (span, mut upstream) = (table.span(), table.into_inner());
            for server in &upstream.servers {
                upstream.addresses.extend(self.value(server, self.resolve)?);
            }
            if upstream.servers.is_empty() {
                return Err(self.error(span, "an upstream needs at least one server"));
            }
            upstreams.push(UpstreamConfig { name, ..upstream });
        }
        Ok(upstreams)
    }

    fn route(
        &self,
        route: Spanned<RouteConfig>,
        limits: &[LimitConfig],
        upstreams: &[UpstreamConfig],
        front: &FrontConfig,
    ) -> Result<RouteConfig, ConfError> {
        let (span, mut route) = (route.span(), route.into_inner());
        self.find("upstream", upstreams.iter().map(|it| &it.name), Some(&mut route.upstream))?;
        front::route(self, &mut route, front)?;
        if !route.scopes.is_empty() && route.auth.is_none() {
            let hint = "scopes are those of a client; say with `auth` how it proves who it is";
            return Err(self.error(span, hint));
        }

        for reference in &mut route.limits {
            self.find("limit", limits.iter().map(|it| &it.name), Some(&mut *reference))?;
            let LimitConfig { key, tiers, name, policy, .. } = &limits[reference.index];
            if route.cost.as_ref().is_some_and(|it| it.0 > policy.quota) {
                let hint = format!("limit \"{name}\" never has as much as the route's cost");
                return Err(self.error(reference.span.clone(), hint));
            }
            let needs_client = !tiers.is_empty() || key.iter().any(KeyPart::needs_client);
            if needs_client && route.auth.is_none() {
                let hint = format!("limit \"{name}\" counts by client, so the route needs `auth`");
                return Err(self.error(reference.span.clone(), hint));
            }
        }
        Ok(route)
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::{HeaderName, Time};
    use super::*;

    /// Resolves numbers only.
    fn numbers(server: &str) -> Result<Vec<SocketAddr>, String> {
        server.parse().map(|it| vec![it]).map_err(|_| format!("no address of \"{server}\""))
    }

    fn read(text: &str) -> Result<Config, ConfError> {
        super::read(text, &numbers, &|file| Err(format!("there is no {file} here")))
    }

    /// `reference.toml`, without the tokens: their keys are in another file.
    fn example() -> String {
        let text = include_str!("../../reference.toml");
        let (before, rest) = text.split_once("[jwt.staff]").expect("there is one");
        let (_, after) = rest.split_once("# ----").expect("more follows");
        format!("{before}# ----{after}")
    }

    #[test]
    fn the_reference_is_read() {
        let config = read(&example()).unwrap_or_else(|error| panic!("{error}"));
        let limit = &config.limits[3];
        assert_eq!(limit.allow.len(), 2);
        assert_eq!(config.routes[1].graphql.map(|it| (it.depth, it.aliases)), Some((10, 20)));
        assert_eq!((limit.name.as_str(), &limit.key[..]), ("per_client", &[KeyPart::Ip][..]));
        assert_eq!(limit.policy, Policy { quota: 20, window: Duration::from_secs(2) });
        let route = &config.routes[0];
        assert_eq!((route.upstream.index, route.limits[0].index), (0, 3));
        assert_eq!(route.headers[&HeaderName("X-Canary".to_owned())], "1");
        assert!(config.answers.x_ratelimit);
        assert_eq!(config.upstreams[0].timeout, Some(Time(Duration::from_secs(10))));
    }

    #[test]
    fn a_mistake_is_told_with_its_place_and_a_hint() {
        for (from, to, message) in [
            ("[\"per_client\", ", "[\"per_clint\", ", "no limit \"per_clint\"; did you mean"),
            ("upstream = \"api\"", "upstream = \"app\"", "no upstream \"app\"; did you mean"),
            ("\"10.0.0.0/8\"", "\"10.0.0.0/33\"", "\"10.0.0.0/33\" is no network; write"),
            ("\"round_robin\"", "\"least_con\"", "no balance \"least_con\"; write"),
            ("depth = 10,", "deep = 10,", "unknown field \"deep\", expected \"depth\""),
            ("\"10/s\"", "\"10 per s\"", "\"10 per s\" is no rate; write"),
            ("\"token_bucket\"", "\"token\"", "unknown variant \"token\", expected one of"),
            ("burst = 20", "bursts = 20", "unknown field \"bursts\", expected one of"),
            ("burst = 20", "burst = 0", "a burst is at least 1"),
            ("\"token_bucket\"", "\"fixed_window\"", "this algorithm has no burst"),
            ("[\"ip\"]", "[\"address\"]", "\"address\" is no key; write"),
            ("limit = 100 ", "rate = \"1/s\" ", "a concurrency limit has no rate"),
            ("keys_max = 100_000", "keys_max = 0", "keys_max is a number"),
            (
                "\"/users/{id}\"",
                "\"/{id}s\"",
                "\"/{id}s\" is no path: a parameter is a whole segment",
            ),
            ("[\"GET\"]", "[\"get\"]", "\"get\" is no method; a method is written as in"),
            ("cost = 1 ", "cost = 0 ", "a cost is at least 1"),
            ("\"127.0.0.1:9001\"", "\"localhost\"", "no address of \"localhost\""),
            ("\"1s\"", "\"soon\"", "\"soon\" is no duration"),
            ("shared = true", "shared = false", "only a shared limit has a lease"),
            ("[redis]", "[redi]", "no table \"redi\"; did you mean \"redis\"?"),
            ("lease = 10 ", "lease = 9000 ", "a lease is a number from 1 to 1000"),
            ("\"redis://", "\"rediss://", "no Redis without TLS"),
            ("\"20ms\"", "\"2s\"", "a request waits for the store from"),
            ("\"minigateway\"", "\"a b\"", "\"a b\" is no name; write letters, digits"),
            ("\"admit\"", "\"pass\"", "unknown variant \"pass\""),
            ("[answers]", "[answer]", "no table \"answer\"; did you mean \"answers\"?"),
            ("[limits.per_client]", "[limits.'per client']", "\"per client\" is no name"),
            ("/users/{id}\"", "/users/:id\"", "\"/users/:id\" is no path: write \"/users/{id}\""),
            ("example.com\"", "example.com:80\"", "\"api.example.com:80\" is no host; write"),
            (
                "key = [\"ip\"]",
                "key = \"ip\"",
                "invalid type: string \"ip\", expected a list as in",
            ),
            ("burst = 20", "burst = \"20\"", "invalid type: string \"20\", expected a number"),
            ("header:X-Account", "header:X_Account", "headers with an underscore are dropped"),
            (
                "cost = 1 ",
                "cost = 30 ",
                "limit \"per_client\" never has as much as the route's cost",
            ),
        ] {
            let text = example();
            assert!(text.contains(from), "{from}");
            let error = read(&text.replacen(from, to, 1)).expect_err(to);
            let changed = text.lines().position(|it| it.contains(from)).expect("checked") + 1;
            assert!(error.message.starts_with(message), "{error}");
            // What contradicts another key is found at either of them.
            assert!(error.line.abs_diff(changed) <= 2, "{changed}: {error}");
        }
    }

    #[test]
    fn mistakes_about_versions_are_told() {
        let versions = "[versions.web]\nby = [\"path\"]\n[versions.web.known.1]\n";
        assert!(read(&(example() + versions)).is_ok());
        for (from, to, message) in [
            ("known.1", "known.v1", "the path of version \"v1\" is /vv1; write known.1"),
            ("by = [\"path\"]", "by = []", "versions need `by`"),
            ("\"path\"", "\"cookie\"", "\"cookie\" names no version; write"),
            ("\"path\"", "\"header:Api_Version\"", "headers with an underscore are dropped"),
            ("known.1]", "known.1]\nspeaks = \"2\"", "no version \"2\"; did you mean \"1\"?"),
            ("known.1]", "known.1]\nlink = \"a b\"", "a link is a URL"),
            ("known.1]", "known.1]\nrename = { a = \"b.c\" }", "write \"a.b\" = \"c\""),
            (
                "known.1]",
                "known.1]\nrename = { a = \"x\", b = \"x\" }",
                "two fields cannot be \"x\"",
            ),
            (
                "known.1]",
                "known.1]\ndeprecated = 2027-01-01\nsunset = 2026-01-01",
                "a sunset is not before `deprecated`",
            ),
        ] {
            let text = example() + &versions.replacen(from, to, 1);
            let error = read(&text).expect_err(to);
            assert!(error.message.starts_with(message) && error.line > 0, "{to}: {error}");
        }
    }

    #[test]
    fn a_file_without_routes_is_a_mistake() {
        assert!(read("").expect_err("empty").message.starts_with("there are no routes"));
        assert!(read("[[routes]").is_err());
        let error = read("[routes]\npath = \"/\"").expect_err("a table");
        assert_eq!(
            error.to_string(),
            "1:2: routes are a list; each of them begins with [[routes]]"
        );
    }
}
