//! The checked configuration, in the form that the gateway uses.
//!
//! ```text
//! [limits.per_client]           Limit 0   10 a second, burst 20, by address
//! [upstreams.api]               Upstream 0
//! [[routes]]                    Route 0   upstream 0, limits [0], cost 1
//!   limits = ["per_clint"]      14:11: no limit "per_clint"; did you mean "per_client"?
//! ```
//!
//! Names become indices here, so no reference can be invalid later. `minigateway check` prints the
//! first error. A reload with an error keeps the old configuration.

use super::error::{ConfError, unknown};
use super::file::{
    AlgorithmName, Answers, File, LimitTable, LogTable, Options, RouteConfig, Tables,
    UpstreamConfig, parse,
};
use super::filters::{self, FilterConfig, Scheme};
use super::redis::RedisConfig;
use super::values::{KeyPart, Name, Network, Rate, Reference, check_host_and_port};
use crate::engine::identity::ApiKeys;
use crate::engine::limiter::algorithm::Algorithm;
use crate::engine::limiter::concurrency::Concurrency;
use crate::engine::limiter::fixed_window::FixedWindow;
use crate::engine::limiter::gcra::Gcra;
use crate::engine::limiter::leaky_queue::LeakyQueue;
use crate::engine::limiter::sliding_counter::SlidingCounter;
use crate::engine::shared::Parameters;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;

/// A configuration without errors.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Config {
    pub options: Options,
    pub answers: Answers,
    pub log: LogTable,
    pub limits: Vec<LimitConfig>,
    pub redis: Option<RedisConfig>,
    pub upstreams: Vec<UpstreamConfig>,
    pub filters: FilterConfig,
    pub routes: Vec<RouteConfig>,
}

/// A limit. An empty `key` counts all requests together; empty `tiers` apply to all clients.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct LimitConfig {
    pub name: String,
    pub algorithm: Algorithm,
    pub policy: Policy,
    pub key: Vec<KeyPart>,
    pub keys_max: usize,
    pub is_dry_run: bool,
    pub tiers: Vec<String>,
    pub allow: Vec<Network>,
    pub shared: Option<SharedConfig>,
}

/// A limit that is kept in [`Config::redis`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedConfig {
    /// The parameters for the script.
    pub parameters: Parameters,
    /// The number of requests to deduct at once; 1 means no leases.
    pub lease: u64,
}

/// The quota policy of a limit, as in the RateLimit headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The largest number of requests that are available at once.
    pub quota: u64,
    /// The time until all of them are available again; zero for concurrency limits.
    pub window: Duration,
}

/// The default of `keys_max`: 3.2 MB per limit.
const KEYS_MAX: usize = 100_000;

const YEAR: Duration = Duration::from_secs(366 * 86_400);

type Checked<T> = Result<T, ConfError>;

/// Resolves `HOST:PORT`, or returns the reason why it cannot.
pub type Resolve<'a> = &'a dyn Fn(&str) -> Result<Vec<SocketAddr>, String>;

/// Reads a file that the configuration names, or returns the reason why it cannot.
pub type Open<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// Reads and checks a configuration. `resolve` looks up names of servers; `open` reads key files.
///
/// # Errors
/// The first error.
pub fn read(text: &str, resolve: Resolve<'_>, open: Open<'_>) -> Result<Config, ConfError> {
    let mut file = parse(text)?;
    let reader = Reader { text, resolve, open };
    if let Some(redis) = &mut file.redis {
        let found = (reader.resolve)(&redis.url.as_ref().server);
        redis.addresses = found.map_err(|hint| reader.error(redis.url.span(), hint))?;
    }

    let auth = [spans(&file.api_keys), spans(&file.jwt)].concat();
    let [versions, cors] = [spans(&file.versions), spans(&file.cors)];
    let places = [spans(&file.upstreams), spans(&file.limits), auth, versions, cors];
    let upstreams = reader.upstreams(file.upstreams)?;
    let filters =
        filters::read(&reader, file.api_keys, file.jwt, file.versions, file.cors, &upstreams)?;
    let File { answers, log, redis, .. } = file;
    let options = (file.listen, file.unix, file.admin, file.threads);
    let limit = |it| reader.limit(it, redis.is_some());
    let limits = file.limits.into_iter().map(limit).collect::<Result<Vec<_>, _>>()?;

    let route = |it: Spanned<RouteConfig>| reader.route(it, &limits, &upstreams, &filters);
    let routes = file.routes.into_iter().map(route).collect::<Result<Vec<_>, _>>()?;
    let hint = "there are no routes; a route is a table [[routes]] with path and upstream";
    reader.refuse_if(routes.is_empty(), &(0..0), hint)?;

    // Of two such routes, the second would never get a request. Names of parameters do not matter.
    let segment = |it| if str::starts_with(it, '{') { "{}" } else { it };
    let mut known = HashSet::new();
    for RouteConfig { host, path, methods, headers, upstream, .. } in &routes {
        let shape = path.0.trim_end_matches('/').split('/').map(segment).collect::<Vec<_>>();
        let is_new = known.insert((host, shape, methods, headers));
        let hint = "another route has the same host, path, methods and headers";
        reader.refuse_if(!is_new, &upstream.span, hint)?;
    }

    // A table that no route uses is probably an oversight.
    let of_versions = filters.versions.iter().flat_map(|it| &it.known);
    let of_versions = of_versions.filter_map(|it| it.upstream.as_ref());
    let used = |of: fn(&RouteConfig) -> Option<&Reference>| routes.iter().filter_map(of).collect();
    let used: [Vec<&Reference>; 5] = [
        routes.iter().map(|it| &it.upstream).chain(of_versions).collect(),
        routes.iter().flat_map(|it| &it.limits).collect(),
        used(|it| it.auth.as_ref()),
        used(|it| it.versions.as_ref()),
        used(|it| it.cors.as_ref()),
    ];
    for (places, used) in places.iter().zip(used) {
        let used = used.iter().map(|it| it.index).collect::<HashSet<_>>();
        for (index, place) in places.iter().enumerate() {
            reader.refuse_if(!used.contains(&index), place, "no route uses this")?;
        }
    }
    Ok(Config { options, answers, log, redis, upstreams, routes, limits, filters })
}

fn spans<T>(tables: &Tables<T>) -> Vec<Range<usize>> {
    tables.values().map(Spanned::span).collect()
}

/// Checks values, and locates errors in the text.
pub struct Reader<'a> {
    text: &'a str,
    resolve: Resolve<'a>,
    /// Reads key files.
    pub open: Open<'a>,
}

impl Reader<'_> {
    /// Returns an error with its location.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>) -> ConfError {
        ConfError::at(self.text, span, message)
    }

    /// Returns an error with its location if `is_wrong`.
    pub fn refuse_if(&self, is_wrong: bool, span: &Range<usize>, hint: &str) -> Checked<()> {
        if is_wrong { Err(self.error(span.clone(), hint)) } else { Ok(()) }
    }

    /// Parses a value. If `read` returns a hint, the error gets the location of the value.
    pub(super) fn value<T>(
        &self,
        written: &Spanned<String>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfError> {
        read(written.as_ref()).map_err(|hint| self.error(written.span(), hint))
    }

    /// Sets the index of a reference to a table. The error suggests the most similar name.
    pub(super) fn find<'a>(
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

    fn limit(&self, of: (Name, Spanned<LimitTable>), has_redis: bool) -> Checked<LimitConfig> {
        let (Name(name), span, table) = (of.0, of.1.span(), of.1.into_inner());
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
        let lease = table.lease.as_ref();
        let Some(shared) = table.shared.as_ref().filter(|it| *it.as_ref()) else {
            let error =
                lease.map(|it| self.error(it.span(), "only a shared limit can have a lease"));
            return error.map_or(Ok(None), Err);
        };
        let hint = "a shared limit needs [redis] with its url";
        self.refuse_if(!has_redis, &shared.span(), hint)?;
        let parameters = Parameters::new(algorithm);
        let parameters = parameters.map_err(|hint| self.error(shared.span(), hint))?;
        if let Some(it) = lease.filter(|it| !(1..=policy.quota).contains(it.as_ref())) {
            let hint = format!("a lease is a number from 1 to {}, the limit", policy.quota);
            return Err(self.error(it.span(), hint));
        }
        Ok(Some(SharedConfig { parameters, lease: lease.map_or(1, |it| *it.as_ref()) }))
    }

    fn algorithm(&self, span: Range<usize>, table: &LimitTable) -> Checked<(Algorithm, Policy)> {
        // Refuse keys that this algorithm would ignore.
        let name = table.algorithm;
        let is_bucket = matches!(name, AlgorithmName::TokenBucket | AlgorithmName::LeakyBucket);
        let has_rate = !matches!(name, AlgorithmName::Concurrency);
        let LimitTable { rate, limit, burst, .. } = table;
        let unwanted = [
            burst.as_ref().map(Spanned::span).filter(|_| !is_bucket),
            limit.as_ref().map(Spanned::span).filter(|_| has_rate),
            rate.as_ref().map(Spanned::span).filter(|_| !has_rate),
        ];
        if let Some(place) = unwanted.into_iter().flatten().next() {
            return Err(self.error(place, "this algorithm does not have this key"));
        }
        if !has_rate {
            let limit = limit.as_ref().ok_or_else(|| self.error(span, "a limit is missing"))?;
            let made = Concurrency::new(*limit.as_ref()).map(Algorithm::Concurrency);
            let hint = "limit is a number from 1 to 4294967295";
            let made = made.ok_or_else(|| self.error(limit.span(), hint))?;
            return Ok((made, Policy { quota: *limit.as_ref(), window: Duration::ZERO }));
        }

        let written = rate.as_ref().ok_or_else(|| self.error(span, "a rate is missing"))?;
        let Rate((requests, period)) = *written.as_ref();
        let burst = table.burst.as_ref().map_or(requests, |it| *it.as_ref());
        let (made, quota, hint) = match name {
            AlgorithmName::TokenBucket => {
                let made = Gcra::new(requests, period, burst).map(Algorithm::TokenBucket);
                (made, burst, "a burst is at least 1, and refills within 584 years")
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

        // A bucket is full again after its whole burst has arrived at the rate.
        let window = match is_bucket {
            true => period.mul_f64(quota as f64 / requests as f64),
            false => period,
        };
        // A bucket's interval is rounded up to a nanosecond: 0.1 % at the highest rate.
        let is_fast = is_bucket && requests as f64 / period.as_secs_f64() > 1e6;
        let hint = "a bucket has up to 1000000 requests a second, and is full within a year";
        self.refuse_if(is_fast || window > YEAR, &written.span(), hint)?;
        Ok((made, Policy { quota, window }))
    }

    fn upstreams(&self, all: Tables<UpstreamConfig>) -> Result<Vec<UpstreamConfig>, ConfError> {
        let mut upstreams = Vec::new();
        for (Name(name), table) in all {
            let (span, mut upstream) = (table.span(), table.into_inner());
            for server in &upstream.servers {
                self.value(server, check_host_and_port)?;
                upstream.addresses.extend(self.value(server, self.resolve)?);
            }
            let is_empty = upstream.servers.is_empty();
            self.refuse_if(is_empty, &span, "an upstream needs at least one server")?;
            upstreams.push(UpstreamConfig { name, ..upstream });
        }
        Ok(upstreams)
    }

    fn route(
        &self,
        route: Spanned<RouteConfig>,
        limits: &[LimitConfig],
        upstreams: &[UpstreamConfig],
        filters: &FilterConfig,
    ) -> Result<RouteConfig, ConfError> {
        let (span, mut route) = (route.span(), route.into_inner());
        self.find("upstream", upstreams.iter().map(|it| &it.name), Some(&mut route.upstream))?;
        filters::route(self, &mut route, filters)?;
        let hint = "scopes belong to a client, so the route needs `auth`";
        self.refuse_if(!route.scopes.is_empty() && route.auth.is_none(), &span, hint)?;
        let is_free = route.cost.is_some() && route.limits.is_empty();
        self.refuse_if(is_free, &span, "a cost needs limits, and this route has none")?;

        // API keys have no claims, and their tiers are known here.
        let auth = route.auth.as_ref().map(|it| &filters.auth[it.index].scheme);
        let keys = match auth {
            Some(Scheme::ApiKey(_, keys)) => Some(keys),
            _ => None,
        };
        for number in 0..route.limits.len() {
            let (earlier, rest) = route.limits.split_at_mut(number);
            let reference = &mut rest[0];
            self.find("limit", limits.iter().map(|it| &it.name), Some(&mut *reference))?;
            let LimitConfig { key, tiers, name, policy, .. } = &limits[reference.index];
            let needs_client = !tiers.is_empty() || key.iter().any(KeyPart::needs_client);
            let has_claim = key.iter().any(|it| matches!(it, KeyPart::Claim(_)));
            let is_costly = route.cost.as_ref().is_some_and(|it| it.0 > policy.quota);
            let counts_none = |it: &ApiKeys| {
                !tiers.is_empty() && it.clients().all(|it| !tiers.contains(&it.tier))
            };
            for (is_wrong, hint) in [
                (earlier.iter().any(|it| it.index == reference.index), "is listed twice"),
                (is_costly, "can never admit the route's cost"),
                (needs_client && auth.is_none(), "counts by client, so the route needs `auth`"),
                (keys.is_some() && has_claim, "counts by a claim, but API keys have none"),
                (keys.is_some_and(counts_none), "is for a tier that no client has"),
            ] {
                self.refuse_if(is_wrong, &reference.span, &format!("limit \"{name}\" {hint}"))?;
            }
        }
        Ok(route)
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::{HeaderName, Timeout};
    use super::*;

    /// Resolves numeric addresses only.
    fn numbers(server: &str) -> Result<Vec<SocketAddr>, String> {
        server.parse().map(|it| vec![it]).map_err(|_| format!("no address of \"{server}\""))
    }

    fn read(text: &str) -> Result<Config, ConfError> {
        super::read(text, &numbers, &|file| Err(format!("there is no {file} here")))
    }

    /// `reference.toml` without JWT, whose key is in another file.
    fn example() -> String {
        let text = include_str!("../../reference.toml");
        let (before, rest) = text.split_once("[jwt.staff]").expect("there is one");
        let (_, after) = rest.split_once("# ----").expect("more follows");
        format!("{before}# ----{after}").replace("auth = \"staff\"\n", "")
    }

    #[cfg(feature = "jwt")]
    #[test]
    fn the_whole_reference_is_read() {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let open = |file: &str| std::fs::read(directory.join(file)).map_err(|it| it.to_string());
        let config = super::read(include_str!("../../reference.toml"), &numbers, &open);
        assert_eq!(config.map(|it| it.filters.auth.len()), Ok(2));
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
        assert_eq!(config.upstreams[0].timeout, Some(Timeout(Duration::from_secs(10))));
    }

    /// Text of the example, the text that replaces it, and the start of the error message.
    const ERRORS: &[(&str, &str, &str)] = &[
        ("[\"per_client\", ", "[\"per_clint\", ", "no limit \"per_clint\"; did you mean"),
        ("upstream = \"api\"", "upstream = \"app\"", "no upstream \"app\"; did you mean"),
        ("\"10.0.0.0/8\"", "\"10.0.0.0/33\"", "\"10.0.0.0/33\" is not a network; write"),
        ("\"round_robin\"", "\"least_con\"", "no balance \"least_con\"; write"),
        ("depth = 10,", "deep = 10,", "no key \"deep\"; there are depth, aliases"),
        ("\"10/s\"", "\"10 per s\"", "\"10 per s\" is not a rate; write"),
        ("\"token_bucket\"", "\"token\"", "no value \"token\"; there are token_bucket, leaky_"),
        ("burst = 20", "bursts = 20", "no key \"bursts\"; did you mean \"burst\"?"),
        ("burst = 20", "burst = 0", "a burst is at least 1"),
        ("\"token_bucket\"", "\"fixed_window\"", "this algorithm does not have this key"),
        ("[\"ip\"]", "[\"address\"]", "\"address\" is not a key; write"),
        ("limit = 100 ", "rate = \"1/s\" ", "this algorithm does not have this key"),
        ("keys_max = 100_000", "keys_max = 0", "keys_max is a number"),
        (
            "\"/users/{id}\"",
            "\"/{id}s\"",
            "\"/{id}s\" is not a path: a parameter is a whole segment",
        ),
        ("cost = 1 ", "cost = 0 ", "a cost is at least 1"),
        ("\"127.0.0.1:9001\"", "\"localhost\"", "\"localhost\" is not HOST:PORT without scheme"),
        ("\"1s\"", "\"soon\"", "\"soon\" is not a duration"),
        ("shared = true", "shared = false", "only a shared limit can have a lease"),
        ("[redis]", "[redi]", "no key \"redi\"; did you mean \"redis\"?"),
        ("lease = 10 ", "lease = 9000 ", "a lease is a number from 1 to 1000"),
        ("\"redis://", "\"rediss://", "there is no TLS to the store; write it as"),
        ("\"20ms\"", "\"2s\"", "a store timeout is from"),
        ("\"minigateway\"", "\"a b\"", "\"a b\" is not a name; write letters, digits"),
        ("\"admit\"", "\"pass\"", "no value \"pass\"; there are admit, refuse"),
        ("[answers]", "[answer]", "no key \"answer\"; did you mean \"answers\"?"),
        ("[limits.per_client]", "[limits.'per client']", "\"per client\" is not a name"),
        ("/users/{id}\"", "/users/:id\"", "\"/users/:id\" is not a path: write \"/users/{id}\""),
        ("example.com\"", "example.com:80\"", "\"api.example.com:80\" is not a host; write"),
        ("key = [\"ip\"]", "key = \"ip\"", "invalid type: string \"ip\", expected a list as in"),
        (
            "127.0.0.1:9000",
            "127.0.0.1:99999",
            "\"127.0.0.1:99999\" is not HOST:PORT without scheme",
        ),
        ("127.0.0.1:9000", "127.0.0.1:0", "\"127.0.0.1:0\" is not HOST:PORT without scheme"),
        ("127.0.0.1:9000", "http://a:80", "\"http://a:80\" is not HOST:PORT without scheme"),
        ("127.0.0.1:9000", "::1:80", "\"::1:80\" is not HOST:PORT without scheme"),
        ("[\"127.0.0.1:9002\"]", "[]", "an upstream needs at least one server"),
        (
            "127.0.0.1:6379/0",
            "127.0.0.1:99999",
            "\"127.0.0.1:99999\" is not HOST:PORT without scheme",
        ),
        ("\"/health\"", "\"health\"", "write a path without blanks, as in \"/health\""),
        ("\"/health\"", "\"/a\\r\\nb\"", "write a path without blanks, as in \"/health\""),
        ("connect_timeout = \"1s\"", "connect_timeout = \"0s\"", "a timeout is from \"1ms\""),
        ("/users/{id}\"", "/users?id\"", "\"/users?id\" is not a path: write characters as such"),
        ("/users/{id}\"", "/users#id\"", "\"/users#id\" is not a path: write characters as such"),
        ("/users/{id}\"", "/a/../b\"", "\"/a/../b\" is not a path: write characters as such"),
        ("/users/{id}\"", "/a/..\"", "\"/a/..\" is not a path: write characters as such"),
        ("/users/{id}\"", "/a//b\"", "\"/a//b\" is not a path: a path has no empty segments"),
        ("/users/{id}\"", "users\"", "\"users\" is not a path: a path begins with a slash"),
        ("\"X-Canary\"", "\"X Canary\"", "\"X Canary\" is not the name of a header"),
        ("\"X-Canary\"", "X_Canary", "headers with an underscore are dropped"),
        ("[\"GET\", \"POST\"]", "[\"get\"]", "no method \"get\"; did you mean \"GET\"?"),
        ("[\"GET\", \"POST\"]", "[\"GIT\"]", "no method \"GIT\"; did you mean \"GET\"?"),
        ("methods = [\"GET\"] ", "methods = [\"Put\"] ", "no method \"Put\"; did you mean"),
        (
            "\"https://shop.example.com\"",
            "\"shop.example.com\"",
            "\"shop.example.com\" is not an origin",
        ),
        (
            "https://shop.example.com\"",
            "https://a/b\"",
            "\"https://a/b\" is not an origin of a browser",
        ),
        (
            "https://shop.example.com\"",
            "https://A\"",
            "\"https://A\" is not an origin of a browser",
        ),
        ("https://shop.example.com\"", "https://*.a\"", "\"https://*.a\" is not an origin of a"),
        (
            "https://shop.example.com\"",
            "https://a:443\"",
            "\"https://a:443\" is not an origin of a",
        ),
        (
            "scopes = [\"orders:read\"]  ",
            "scopes = [\"order:read\"] ",
            "no client has all scopes of the route",
        ),
        ("\"per_client\", \"gold\"", "\"gold\", \"gold\"", "limit \"gold\" is listed twice"),
        ("rate = \"10/s\"", "rate = \"0/s\"", "\"0/s\" is not a rate"),
        ("rate = \"10/s\"", "rate = \"2000000/s\"", "a bucket has up to 1000000 requests a second"),
        ("burst = 20", "burst = 999999999", "a bucket has up to 1000000 requests"),
        ("keys_max", "key_max", "no key \"key_max\"; did you mean \"keys_max\"?"),
        ("\"token_bucket\"", "\"tokenbucket\"", "no value \"tokenbucket\"; did you mean"),
        ("listen = \"127.0.0.1:8000\"", "listen = \"8000\"", "write an address in numbers, as in"),
        ("listen = ", "listn = ", "no key \"listn\"; did you mean \"listen\"?"),
        ("{ depth = 10, aliases = 20 }", "10", "invalid type: integer \"10\", expected a table"),
        ("cost = 1 ", "limits = 1 ", "duplicate key"),
        ("burst = 20", "burst = \"20\"", "invalid type: string \"20\", expected a number"),
        (
            "/users/{id}\"",
            "/users/{id:[0-9]+}\"",
            "\"/users/{id:[0-9]+}\" is not a path: a parameter",
        ),
        ("remove = [\"Cookie\"]", "remove = [\"Upgrade\"]", "the gateway itself writes the header"),
        (
            "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "this is the hash of an empty key",
        ),
        ("header:X-Account", "header:X_Account", "headers with an underscore are dropped"),
        ("cost = 1 ", "cost = 30 ", "limit \"per_client\" can never admit the route's cost"),
    ];

    #[test]
    fn an_error_has_a_location_and_a_hint() {
        let mut wrong = Vec::new();
        for (from, to, message) in ERRORS {
            let text = example();
            let changed = text.lines().position(|it| it.contains(from)).expect(from) + 1;
            let error = read(&text.replacen(from, to, 1)).expect_err(to);
            // If two keys contradict each other, the error may point to either of them.
            if !error.message.starts_with(message) || error.line.abs_diff(changed) > 2 {
                wrong.push(format!("{from} -> {to} in line {changed}: {error}"));
            }
        }
        assert_eq!(wrong, [""; 0]);
    }

    #[test]
    fn tiers_and_claims_that_no_client_has_are_refused() {
        for (from, to, message) in [
            ("tiers = [\"gold\"] ", "tiers = [\"glod\"] ", "is for a tier that no client has"),
            ("key = [\"client\"]", "key = [\"claim:org\"]", "counts by a claim, but API keys"),
        ] {
            let text = example();
            assert!(text.contains(from), "{from}");
            let error = read(&text.replacen(from, to, 1)).expect_err(to);
            assert!(error.message.starts_with(&format!("limit \"gold\" {message}")), "{error}");
            let line = text.lines().nth(error.line - 1).expect("a place");
            assert!(line.starts_with("limits = [\"per_client\", \"gold\"]"), "{error}");
        }
    }

    #[test]
    fn headers_of_the_gateway_and_costs_without_limits_are_refused() {
        let ours = "the gateway itself writes the header";
        for (from, to, place, message) in [
            ("\"X-Env\" =", "X-forwarded-For =", "upstream =", ours),
            ("[\"Cookie\"]", "[\"X-Client\"]", "upstream =", ours),
            ("limits = [\"per_account\"", "cost = 2 # ", "[[routes]]", "a cost needs limits"),
        ] {
            let text = example();
            assert!(text.contains(from), "{from}");
            let error = read(&text.replacen(from, to, 1)).expect_err(to);
            assert!(error.message.starts_with(message), "{error}");
            assert!(text.lines().nth(error.line - 1).expect("it").starts_with(place), "{error}");
        }
    }

    #[test]
    fn unreachable_routes_and_unused_tables_are_refused() {
        let [get, a] = ["methods = [\"GET\"]", "headers = { X-A = \"1\" }"];
        let path = "path = \"/a/{id}\"";
        let route = |keys: &[&str]| format!("[[routes]]\nupstream = \"a\"\n{}\n", keys.join("\n"));
        let upstreams = "[upstreams]\na = { servers = [\"127.0.0.1:1\"] }\n";
        let first = upstreams.to_owned() + &route(&[path, get, a]);
        let read_second = |keys: &[&str]| read(&(first.clone() + &route(keys)));

        for path in [path, "path = \"/a/{name}/\""] {
            let error = read_second(&[path, get, a]).expect_err("unreachable");
            assert!(error.message.starts_with("another route has the same host"), "{error}");
            assert_eq!(error.line, 9, "{error}");
        }
        let other_header = "headers = { X-A = \"2\" }";
        for keys in [
            &[path, get, other_header][..],
            &[path, "methods = [\"POST\"]", a],
            &[path, "host = \"b\"", get, a],
            &[path, a],
            &["path = \"/a/b\"", get, a],
        ] {
            read_second(keys).expect("reachable");
        }

        for table in [
            "[upstreams.b]\nservers = [\"127.0.0.1:1\"]",
            "[limits.b]\nalgorithm = \"concurrency\"\nlimit = 1\nkey = []",
            "[api_keys.b]\nclients = {}",
            "[versions.b]\nby = [\"path\"]\nknown.1 = {}",
            "[cors.b]\norigins = [\"*\"]",
        ] {
            let error = read(&format!("{first}{table}\n")).expect_err(table);
            assert_eq!((error.line, error.message.as_str()), (8, "no route uses this"));
        }
    }

    #[test]
    fn errors_in_versions_are_reported() {
        let versions = "[versions.web]\nby = [\"path\"]\n[versions.web.known.1]\n";
        let route = "[[routes]]\npath = \"/web\"\nupstream = \"api\"\nversions = \"web\"\n";
        assert!(read(&(example() + route + versions)).is_ok());
        for (from, to, message) in [
            ("known.1", "known.v1", "the path of version \"v1\" is /vv1; write known.1"),
            ("by = [\"path\"]", "by = []", "versions need `by`"),
            ("\"path\"", "\"cookie\"", "\"cookie\" names no version; write"),
            ("\"path\"", "\"header:Api_Version\"", "headers with an underscore are dropped"),
            ("known.1]", "known.1]\nspeaks = \"2\"", "no version \"2\"; did you mean \"1\"?"),
            ("known.1]", "known.1]\nlink = \"a b\"", "a link is a URL"),
            ("known.1]", "known.1]\nlink = \"http://a\"", "a `link` needs `deprecated` or"),
            ("known.1]", "known.1]\nrename = { a = \"b.c\" }", "write \"a.b\" = \"c\""),
            (
                "known.1]",
                "known.1]\nrename = { a = \"x\", b = \"x\" }",
                "two fields cannot both be \"x\"",
            ),
            (
                "known.1]",
                "known.1]\ndeprecated = 2027-01-01\nsunset = 2026-01-01",
                "a sunset must not be before `deprecated`",
            ),
        ] {
            let text = example() + route + &versions.replacen(from, to, 1);
            let error = read(&text).expect_err(to);
            assert!(error.message.starts_with(message) && error.line > 0, "{to}: {error}");
        }
    }

    #[test]
    fn a_file_without_routes_is_refused() {
        assert!(read("").expect_err("empty").message.starts_with("there are no routes"));
        assert!(read("[[routes]").is_err());
        let error = read("[routes]\npath = \"/\"").expect_err("a table");
        assert!(error.message.ends_with("expected a list; each route begins with [[routes]]"));
        assert_eq!(error.line, 1);
    }
}
