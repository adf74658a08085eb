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
    AlgorithmName, Answers, File, LimitTable, LogTable, RedisTable, RouteTable, UpstreamTable,
    WhenDown, parse,
};
use super::front::{self, FrontConfig, RouteFront};
use super::redis::{RedisConfig, RedisUrl, url};
use super::values::{KeyPart, duration, is_token, key_part, rate};
use crate::engine::limiter::algorithm::Algorithm;
use crate::engine::limiter::concurrency::Concurrency;
use crate::engine::limiter::fixed_window::FixedWindow;
use crate::engine::limiter::gcra::Gcra;
use crate::engine::limiter::leaky_queue::LeakyQueue;
use crate::engine::limiter::sliding_counter::SlidingCounter;
use crate::engine::router::Router;
use crate::engine::shared::Parameters;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;

/// A configuration without mistakes.
#[derive(Debug)]
pub struct Config {
    /// Which headers answers have.
    pub answers: Answers,
    /// What is written about requests.
    pub log: LogTable,
    /// In the order of their names.
    pub limits: Vec<LimitConfig>,
    /// Of the limits that are shared.
    pub redis: Option<RedisConfig>,
    /// In the order of their names.
    pub upstreams: Vec<UpstreamConfig>,
    /// What routes ask of requests.
    pub front: FrontConfig,
    /// In the order of the file.
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

/// Where requests go.
#[derive(Debug)]
pub struct UpstreamConfig {
    /// For messages.
    pub name: String,
    /// At least one.
    pub servers: Vec<SocketAddr>,
    /// For a new connection.
    pub connect_timeout: Duration,
    /// Between two reads or writes.
    pub timeout: Duration,
    /// Idle connections that each core keeps.
    pub keepalive: usize,
    /// Bytes of a request body.
    pub body_max: u64,
}

/// Which requests go there, and what they pay.
#[derive(Debug)]
pub struct RouteConfig {
    /// In lower case, without port; `None` for any.
    pub host: Option<String>,
    /// The pattern of [`Router`].
    pub path: String,
    /// Empty for any.
    pub methods: Vec<String>,
    /// Names in lower case, and the values they must have.
    pub headers: Vec<(String, String)>,
    /// The index of the upstream.
    pub upstream: usize,
    /// The indices of the limits.
    pub limits: Vec<usize>,
    /// What a request counts as.
    pub cost: u64,
    /// What it asks of requests.
    pub front: RouteFront,
}

/// Busy keys of a limit that does not say how many: 2.4 MB.
const KEYS_MAX: usize = 100_000;
/// 2.4 GB. More is taken for a mistake.
const KEYS_MAX_MAX: usize = 100_000_000;

/// Leases rely on it.
const REDIS_TIMEOUT_MAX: Duration = Duration::from_secs(1);

/// Finds the addresses of `HOST:PORT`, or says why there are none.
pub type Resolve<'a> = &'a dyn Fn(&str) -> Result<Vec<SocketAddr>, String>;

/// Reads a file that the configuration names, or says why it cannot.
pub type Open<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// Reads and checks a configuration that names no files. `resolve` is asked for the addresses of
/// servers.
///
/// # Errors
/// The first mistake.
pub fn read(text: &str, resolve: Resolve<'_>) -> Result<Config, ConfError> {
    read_with_files(text, resolve, &|file| Err(format!("\"{file}\" cannot be read here")))
}

/// Reads and checks a configuration. `open` reads keys.
///
/// # Errors
/// The first mistake.
pub fn read_with_files(
    text: &str,
    resolve: Resolve<'_>,
    open: Open<'_>,
) -> Result<Config, ConfError> {
    let File { answers, log, limits, redis, upstreams, api_keys, jwt, versions, cors, routes } =
        parse(text)?;
    let reader = Reader { text, resolve, open };
    let redis = redis.map(|it| reader.redis(it.into_inner())).transpose()?;
    let names = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>();
    let upstream_names = names(upstreams.keys().collect());
    let front = front::read(&reader, api_keys, jwt, versions, cors, &upstream_names)?;
    let limits =
        each(limits, |name, span, table| reader.limit(name, span, table, redis.is_some()))?;
    let config = Config {
        answers,
        log,
        redis,
        upstreams: each(upstreams, |name, span, table| reader.upstream(name, span, table))?,
        routes: routes
            .into_iter()
            .map(|it| reader.route(it.into_inner(), &limits, &upstream_names, &front))
            .collect::<Result<_, _>>()?,
        limits,
        front,
    };
    if config.routes.is_empty() {
        let hint = "there are no routes; a route is a table [[routes]] with path and upstream";
        return Err(ConfError::whole(hint));
    }
    Ok(config)
}

fn each<T, R>(
    tables: BTreeMap<String, Spanned<T>>,
    read: impl Fn(String, Range<usize>, T) -> Result<R, ConfError>,
) -> Result<Vec<R>, ConfError> {
    tables.into_iter().map(|(name, it)| read(name, it.span(), it.into_inner())).collect()
}

/// Knows the text, for the places of mistakes.
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

    /// Reads a value by one of the functions of [`super::values`].
    ///
    /// # Errors
    /// The hint of `read`, with the place.
    pub fn value<T>(
        &self,
        written: &Spanned<String>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfError> {
        read(written.as_ref()).map_err(|hint| self.error(written.span(), hint))
    }

    /// Checks a name: clients see names in headers, as quoted strings.
    ///
    /// # Errors
    /// If it is no token.
    pub fn name(&self, name: &str, span: Range<usize>) -> Result<(), ConfError> {
        let hint = || format!("\"{name}\" is no name; write letters, digits, `_`, `-` and `.`");
        if is_token(name) { Ok(()) } else { Err(self.error(span, hint())) }
    }

    fn limit(
        &self,
        name: String,
        span: Range<usize>,
        table: LimitTable,
        has_redis: bool,
    ) -> Result<LimitConfig, ConfError> {
        self.name(&name, span.clone())?;
        let (algorithm, policy) = self.algorithm(span.clone(), &table)?;
        let key = table.key.iter().map(|it| self.value(it, key_part)).collect::<Result<_, _>>()?;
        let keys_max = match &table.keys_max {
            None => KEYS_MAX,
            Some(it) if (1..=KEYS_MAX_MAX).contains(it.as_ref()) => *it.as_ref(),
            Some(it) => {
                let hint = format!("keys_max is a number from 1 to {KEYS_MAX_MAX}");
                return Err(self.error(it.span(), hint));
            }
        };
        let shared = self.shared(&table, &algorithm, policy, has_redis)?;
        let (is_dry_run, tiers) = (table.dry_run, table.tiers);
        Ok(LimitConfig { name, algorithm, policy, key, keys_max, is_dry_run, tiers, shared })
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

    fn redis(&self, table: RedisTable) -> Result<RedisConfig, ConfError> {
        let RedisUrl { server, auth, database } = self.value(&table.url, url)?;
        let addresses = (self.resolve)(&server);
        let addresses = addresses.map_err(|hint| self.error(table.url.span(), hint))?;
        let timeout = match &table.timeout {
            None => Duration::from_millis(20),
            Some(it) => self.value(it, |text| match duration(text)? {
                it if it.is_zero() || it > REDIS_TIMEOUT_MAX => {
                    Err("a request waits for the store from \"1ms\" to \"1s\"".to_owned())
                }
                it => Ok(it),
            })?,
        };
        let prefix = match &table.prefix {
            None => "minigateway".to_owned(),
            Some(it) if is_token(it.as_ref()) => it.as_ref().clone(),
            Some(it) => {
                return Err(self.error(it.span(), "write letters, digits, `_`, `-` and `.`"));
            }
        };
        let admits_when_down = table.when_down == WhenDown::Admit;
        Ok(RedisConfig { addresses, auth, database, timeout, admits_when_down, prefix })
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
        let (requests, period) = self.value(written, rate)?;
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

    fn upstream(
        &self,
        name: String,
        span: Range<usize>,
        table: UpstreamTable,
    ) -> Result<UpstreamConfig, ConfError> {
        self.name(&name, span.clone())?;
        if table.servers.is_empty() {
            return Err(self.error(span, "an upstream needs at least one server"));
        }
        let time = |written: &Option<Spanned<String>>, default| match written {
            Some(written) => self.value(written, duration),
            None => Ok(default),
        };
        let mut servers = Vec::new();
        for server in &table.servers {
            servers.extend(self.value(server, self.resolve)?);
        }
        Ok(UpstreamConfig {
            name,
            servers,
            connect_timeout: time(&table.connect_timeout, Duration::from_secs(1))?,
            timeout: time(&table.timeout, Duration::from_secs(10))?,
            keepalive: table.keepalive.unwrap_or(64),
            body_max: table.body_max.unwrap_or(1 << 20),
        })
    }

    fn route(
        &self,
        mut table: RouteTable,
        limits: &[LimitConfig],
        upstreams: &[String],
        front: &FrontConfig,
    ) -> Result<RouteConfig, ConfError> {
        let front = front::route(self, &mut table, front)?;
        let names = limits.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
        let index = |kind: &str, names: &[String], name: &Spanned<String>| {
            let found = names.iter().position(|it| it == name.as_ref());
            let unknown = || unknown(kind, name.as_ref(), names.iter().map(String::as_str));
            found.ok_or_else(|| self.error(name.span(), unknown()))
        };
        let path = table.path.as_ref();
        let checked = Router::default().insert(path, 0);
        checked.map_err(|error| self.error(table.path.span(), error.hint()))?;
        for method in &table.methods {
            let is_method =
                is_token(method.as_ref()) && *method.as_ref() == method.as_ref().to_uppercase();
            if !is_method {
                return Err(self.error(method.span(), "a method is written as in \"GET\""));
            }
        }
        let cost = table.cost.as_ref().map_or(1, |it| *it.as_ref());
        if let Some(written) = table.cost.as_ref().filter(|_| cost == 0) {
            return Err(self.error(written.span(), "a cost is at least 1; or leave out `limits`"));
        }
        let host = table.host.map(|it| it.into_inner().to_ascii_lowercase());
        let headers = table.headers.into_iter().map(|(name, it)| (name.to_ascii_lowercase(), it));
        Ok(RouteConfig {
            upstream: index("upstream", upstreams, &table.upstream)?,
            limits: table
                .limits
                .iter()
                .map(|it| self.client_is_known(index("limit", &names, it)?, it, limits, &front))
                .collect::<Result<_, _>>()?,
            front,
            host,
            path: table.path.into_inner(),
            methods: table.methods.into_iter().map(Spanned::into_inner).collect(),
            headers: headers.collect(),
            cost,
        })
    }

    /// Returns the limit if its key can be found in requests of the route.
    fn client_is_known(
        &self,
        limit: usize,
        written: &Spanned<String>,
        limits: &[LimitConfig],
        front: &RouteFront,
    ) -> Result<usize, ConfError> {
        let LimitConfig { key, tiers, name, .. } = &limits[limit];
        let needs_client = !tiers.is_empty() || key.iter().any(KeyPart::needs_client);
        if needs_client && front.auth.is_none() {
            let hint = format!("limit \"{name}\" counts by client, so the route needs `auth`");
            return Err(self.error(written.span(), hint));
        }
        Ok(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resolves numbers only.
    fn numbers(server: &str) -> Result<Vec<SocketAddr>, String> {
        server.parse().map(|it| vec![it]).map_err(|_| format!("no address of \"{server}\""))
    }

    fn read(text: &str) -> Result<Config, ConfError> {
        super::read(text, &numbers)
    }

    /// The file of the head of `file`.
    fn example() -> String {
        let source = include_str!("file.rs");
        let toml = source.split("```").nth(1).expect("there is one").trim_start_matches("toml");
        toml.lines().map(|it| it.trim_start_matches("//!").to_owned() + "\n").collect()
    }

    #[test]
    fn the_file_of_the_head_is_read() {
        let config = read(&example()).unwrap_or_else(|error| panic!("{error}"));
        let limit = &config.limits[2];
        assert_eq!((limit.name.as_str(), &limit.key[..]), ("per_client", &[KeyPart::Ip][..]));
        assert_eq!(limit.policy, Policy { quota: 20, window: Duration::from_secs(2) });
        let route = &config.routes[0];
        assert_eq!((route.upstream, &route.limits[..], route.cost), (0, &[2][..], 1));
        assert_eq!(route.headers, [("x-canary".to_owned(), "1".to_owned())]);
        assert!(config.answers.x_ratelimit);
        assert_eq!(config.upstreams[0].timeout, Duration::from_secs(10));
    }

    #[test]
    fn a_mistake_is_told_with_its_place_and_a_hint() {
        for (from, to, message) in [
            ("[\"per_client\"]", "[\"per_clint\"]", "no limit \"per_clint\"; did you mean"),
            ("upstream = \"api\"", "upstream = \"app\"", "no upstream \"app\"; did you mean"),
            ("\"10/s\"", "\"10 per s\"", "\"10 per s\" is no rate; write"),
            ("\"token_bucket\"", "\"token\"", "unknown variant \"token\", expected one of"),
            ("burst = 20", "bursts = 20", "unknown field \"bursts\", expected one of"),
            ("burst = 20", "burst = 0", "a burst is at least 1"),
            ("\"token_bucket\"", "\"fixed_window\"", "this algorithm has no burst"),
            ("[\"ip\"]", "[\"address\"]", "\"address\" is no key; write"),
            ("limit = 100 ", "rate = \"1/s\" ", "a concurrency limit has no rate"),
            ("keys_max = 100_000", "keys_max = 0", "keys_max is a number"),
            ("\"/v1/users/{id}\"", "\"/v1/{id}s\"", "a parameter is a whole segment"),
            ("[\"GET\"]", "[\"get\"]", "a method is written as in"),
            ("cost = 1 ", "cost = 0 ", "a cost is at least 1"),
            ("\"127.0.0.1:9001\"", "\"localhost\"", "no address of \"localhost\""),
            ("\"1s\"", "\"soon\"", "\"soon\" is no duration"),
            ("shared = true", "shared = false", "only a shared limit has a lease"),
            ("[redis]", "[redi]", "no table \"redi\"; did you mean \"redis\"?"),
            ("lease = 10 ", "lease = 9000 ", "a lease is a number from 1 to 1000"),
            ("\"redis://", "\"rediss://", "no Redis without TLS"),
            ("\"20ms\"", "\"2s\"", "a request waits for the store from"),
            ("\"minigateway\"", "\"a b\"", "write letters, digits"),
            ("\"admit\"", "\"pass\"", "unknown variant \"pass\""),
            ("[answers]", "[answer]", "no table \"answer\"; did you mean \"answers\"?"),
            ("[limits.per_client]", "[limits.'per client']", "\"per client\" is no name"),
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
    fn a_file_without_routes_is_a_mistake() {
        assert!(read("").expect_err("empty").message.starts_with("there are no routes"));
        assert!(read("[[routes]").is_err());
    }
}
