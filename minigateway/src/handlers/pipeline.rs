//! The steps of a request, from its path to the decision.
//!
//! ```text
//! GET /v1/%75sers/7 HTTP/1.1      1. path     normalized: /v1/users/7
//! Host: api.example.com           2. route    for this host or any: /v1/users/{id}
//! X-Api-Key: k                    3. filters  authenticate, choose the API version
//!                                 4. keys     per_client by 192.0.2.7, per_key by "k"
//!                                 5. charge   both limits, or neither
//!                                 6. action   forward, maybe delayed, or refuse
//! ```
//!
//! # The upstream sees the same request
//!
//! The upstream gets the path that was matched. A path that servers interpret in different ways is
//! refused with 400 ([`normalize`]), and so is a second header of a name that a route or a limit
//! depends on. A trailing slash is ignored, and `HEAD` takes the routes of `GET`.
//!
//! # Reload
//!
//! [`Pipeline::new`] takes the old pipeline. A limit with the same name, algorithm, `key`,
//! `keys_max`, `shared` and `lease` keeps its buckets and leases, so a reload gives no client a new
//! burst and loses no lease.

use super::filters::{Facts, Refused, bare_path, preflight_method, values};
use crate::conf::config::{Config, LimitConfig};
use crate::conf::file::RouteConfig;
use crate::conf::filters::FilterConfig;
use crate::conf::values::{HeaderName, KeyPart};
use crate::engine::identity::Identity;
use crate::engine::leases::Leases;
use crate::engine::limiter::Decision;
use crate::engine::limits::{Charge, Limit, Outcome, charge_all};
use crate::engine::router::Router;
use crate::engine::shared::{self, SharedCharge};
use crate::engine::store::Store;
use crate::engine::version::{Source, Versions};
use crate::wire::uri::{Target, normalize};
use minikit::sync::Arc;
use minilb::wire::http1::head::RequestHead;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// A configuration in use: the routers, and the buckets of its limits.
pub struct Pipeline {
    /// The configuration that it was built from.
    pub config: Config,
    /// The limits, in the order of the configuration.
    pub limits: Vec<Limit>,
    /// The leases of each limit, if it has any.
    pub leases: Vec<Option<Arc<Leases>>>,
    /// The entries of the routers: a route, and the version that the path names.
    entries: Vec<(usize, Option<usize>)>,
    of_host: HashMap<Vec<u8>, Router>,
    of_any_host: Router,
    /// The headers that a request may have only once.
    single: BTreeSet<String>,
    seed: ahash::RandomState,
}

/// The charges of a request, one per limit.
#[derive(Debug, Default)]
pub struct Charges {
    /// Charges of local limits.
    pub local: Vec<Charge>,
    /// Charges of shared limits. [`Pipeline::decide`] leaves the decision to the store.
    pub shared: Vec<SharedCharge>,
}

impl Charges {
    /// Removes all charges.
    pub fn clear(&mut self) {
        self.local.clear();
        self.shared.clear();
    }

    /// Returns the limits that refuse, including those in dry run.
    pub fn refusing(&self) -> impl Iterator<Item = usize> + Clone {
        self.outcomes().filter(|it| it.1 == Outcome::Refused).map(|(limit, _)| limit)
    }

    /// Returns each limit with its outcome.
    pub fn outcomes(&self) -> impl Iterator<Item = (usize, Outcome)> + Clone {
        let local = self.local.iter().map(|it| (it.limit, it.outcome()));
        local.chain(self.shared.iter().map(|it| (it.limit, it.outcome())))
    }
}

/// The decision about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Forward it to the upstream of this route.
    Forward {
        /// The index of the route.
        route: usize,
        /// How long to wait before.
        delay_ns: u64,
    },
    /// Answer it here.
    Answer(Reason),
}

/// Why the gateway itself answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A limit refuses it. The charges show which one.
    Limited {
        /// The wait, as in [`Decision::Refused`].
        retry_after_ns: Option<u64>,
    },
    /// The store of shared limits is down, and the configuration says `when_down = "refuse"`.
    StoreDown,
    /// The bodies of requests in progress fill the memory for bodies.
    BodiesHeld,
    /// It is a CORS preflight for the route with this index.
    Preflight(usize),
    /// The route with this index refuses its credentials, scopes or version.
    Filter(usize, Refused),
    /// Servers may interpret the request differently: the detail.
    Ambiguous(&'static str),
    /// No route has this path.
    NotFound,
    /// Routes have this path, but only for these methods.
    MethodNotAllowed(String),
}

impl Pipeline {
    /// Builds a pipeline, and takes over the buckets of unchanged limits from `old`.
    pub fn new(config: Config, old: Option<&Pipeline>) -> Pipeline {
        let mut entries = Vec::new();
        let mut of_host = HashMap::<_, Router>::new();
        let mut of_any_host = Router::default();
        for (index, route) in config.routes.iter().enumerate() {
            let router = match &route.host {
                Some(host) => of_host.entry(host.0.clone().into_bytes()).or_default(),
                None => &mut of_any_host,
            };
            for (of_path, path) in paths(route, &config.filters) {
                router.insert(&path, entries.len()).expect("the configuration checked it");
                entries.push((index, of_path));
            }
        }

        let known = |limit: &LimitConfig| {
            // A lease from another store must not be used for this one.
            let old = old.filter(|it| limit.shared.is_none() || it.config.redis == config.redis)?;
            let is_same = |it: &LimitConfig| {
                (&it.name, it.algorithm, &it.key, it.keys_max, it.shared)
                    == (&limit.name, limit.algorithm, &limit.key, limit.keys_max, limit.shared)
            };
            let index = old.config.limits.iter().position(is_same)?;
            Some((&old.limits[index].store, &old.leases[index]))
        };
        let new_limit = |limit: &LimitConfig| {
            // The buckets of a shared limit are in the shared store.
            let new = || Arc::new(Store::new(limit.shared.map_or(limit.keys_max, |_| 0)));
            let store = known(limit).map_or_else(new, |it| Arc::clone(it.0));
            let LimitConfig { algorithm, is_dry_run, .. } = *limit;
            Limit { name: limit.name.clone(), algorithm, store, is_dry_run }
        };
        let leases = |limit: &LimitConfig| {
            let lease = limit.shared.map(|it| it.lease).filter(|it| *it > 1)?;
            let new = || Arc::new(Leases::new(lease, limit.keys_max));
            Some(known(limit).and_then(|it| it.1.clone()).unwrap_or_else(new))
        };
        let conditions = config.routes.iter().flat_map(|it| it.headers.keys());
        let mut single = conditions.map(|it| it.0.to_ascii_lowercase()).collect::<BTreeSet<_>>();
        single.extend(config.limits.iter().flat_map(|it| &it.key).filter_map(|it| match it {
            KeyPart::Header(name) => Some(name.clone()),
            _ => None,
        }));
        Pipeline {
            single,
            limits: config.limits.iter().map(new_limit).collect(),
            leases: config.limits.iter().map(leases).collect(),
            config,
            entries,
            of_host,
            of_any_host,
            // The keys of buckets that were taken over are hashed with the old seed.
            seed: old.map_or_else(ahash::RandomState::new, |it| it.seed.clone()),
        }
    }

    /// Decides about a request. Stores the decision of each local limit in `charges`, and
    /// everything else in `facts`, in which the caller has set the time. If the result is
    /// `Forward`, the caller must still charge `charges.shared` in the store.
    pub fn decide(
        &self,
        request: &RequestHead,
        client: IpAddr,
        now_ns: u64,
        charges: &mut Charges,
        facts: &mut Facts,
    ) -> Action {
        charges.clear();
        let Target { normalized, path } = match normalize(request.uri()) {
            Ok(target) => target,
            Err(detail) => return Action::Answer(Reason::Ambiguous(detail)),
        };
        facts.target = normalized;
        if self.single.iter().any(|name| values(request, name).nth(1).is_some()) {
            return Action::Answer(Reason::Ambiguous("a header that may occur once is repeated"));
        }

        let (route, of_path, is_preflight) = match self.routed(request, &path) {
            Ok(routed) => routed,
            Err(reason) => return Action::Answer(reason),
        };
        facts.route = Some(route);
        if is_preflight {
            return Action::Answer(Reason::Preflight(route));
        }
        let route_config = &self.config.routes[route];
        if let Err(refused) = self.config.filters.check(route_config, request, of_path, facts) {
            facts.refused = Some(refused);
            return Action::Answer(Reason::Filter(route, refused));
        }
        if route_config.versions.is_some() && self.targets_another_route(request, route, facts) {
            return Action::Answer(Reason::NotFound);
        }

        // Collect a charge for each limit of the route that counts this request.
        let (network, identity) = (network(client).to_be_bytes(), facts.client.as_deref());
        let counts = |limit: &usize| {
            let LimitConfig { tiers, allow, .. } = &self.config.limits[*limit];
            let is_of_tier = || identity.is_some_and(|it| tiers.contains(&it.tier));
            (tiers.is_empty() || is_of_tier()) && !allow.iter().any(|it| it.0.contains(client))
        };
        let cost = route_config.cost.as_ref().map_or(1, |it| it.0);
        for limit in route_config.limits.iter().map(|it| it.index).filter(counts) {
            let parts = self.key(limit, request, route, &network, identity);
            if self.config.limits[limit].shared.is_some() {
                let key = shared::key(parts.flatten());
                charges.shared.push(SharedCharge::new(limit, key, cost));
            } else {
                let key = parts.fold(1, |hash, part| self.seed.hash_one((hash, part)));
                charges.local.push(Charge::new(limit, key, cost));
            }
        }
        match charge_all(&self.limits, &mut charges.local, now_ns) {
            Decision::Admitted { delay_ns } => Action::Forward { route, delay_ns },
            Decision::Refused { retry_after_ns } => {
                Action::Answer(Reason::Limited { retry_after_ns })
            }
        }
    }

    /// Returns true if the path for the upstream (`/v2/admin` for `/admin`) belongs to another
    /// route, which may need other credentials. A route `/*` does not count.
    fn targets_another_route(&self, request: &RequestHead, route: usize, facts: &Facts) -> bool {
        let sent = facts.target.as_deref().unwrap_or(request.uri());
        let target = self.config.filters.target(&self.config.routes[route], facts, sent);
        let find = |path: &[u8]| self.route(request, path, |it| takes(it, request.method()));
        let is_other = |it: usize| it != route && self.config.routes[it].path.0 != "/*";
        normalize(&target).is_ok_and(|it| find(&it.path).is_some_and(|it| is_other(it.0)))
    }

    /// Finds the route, the version in the path, and true if the request is a CORS preflight.
    fn routed(
        &self,
        request: &RequestHead,
        path: &[u8],
    ) -> Result<(usize, Option<usize>, bool), Reason> {
        let find = |path: &[u8], method| self.route(request, path, |it| takes(it, method));
        // A preflight is an OPTIONS request about the method of another request.
        let asked = preflight_method(request).and_then(|method| find(path, method));
        let asked = asked.filter(|(route, _)| self.config.routes[*route].cors.is_some());
        if let Some((route, of_path)) = asked {
            return Ok((route, of_path, true));
        }

        let Some((route, of_path)) = find(path, request.method()) else {
            let methods = self.methods(request, path).join(", ");
            return Err(match methods.as_str() {
                "" => Reason::NotFound,
                _ => Reason::MethodNotAllowed(methods),
            });
        };
        // The upstream gets `/v1/admin` as `/admin`, which may belong to a protected route.
        let is_same = || find(bare_path(path), request.method()).is_some_and(|it| it.0 == route);
        match of_path.is_none() || is_same() {
            true => Ok((route, of_path, false)),
            false => Err(Reason::NotFound),
        }
    }

    /// Finds the most specific route that meets its conditions and that `accepts` returns true for,
    /// and the version in the path.
    fn route(
        &self,
        request: &RequestHead,
        path: &[u8],
        mut accepts: impl FnMut(&RouteConfig) -> bool,
    ) -> Option<(usize, Option<usize>)> {
        let has = |(name, value): (&HeaderName, &String)| {
            request.headers().get(name.0.as_bytes()) == Some(value.as_bytes())
        };
        let mut accepts = |entry: usize| {
            let route = &self.config.routes[self.entries[entry].0];
            route.headers.iter().all(has) && accepts(route)
        };
        let of_host = self.of_host.get(request.host());
        let found = of_host.and_then(|it| it.find(path, &mut accepts));
        let found = found.or_else(|| self.of_any_host.find(path, accepts));
        found.map(|entry| self.entries[entry])
    }

    /// Returns the methods that routes have for this path.
    fn methods(&self, request: &RequestHead, path: &[u8]) -> Vec<String> {
        let mut methods = BTreeSet::new();
        self.route(request, path, |route| {
            methods.extend(route.methods.iter().map(|it| it.0.clone()));
            false
        });
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        methods.into_iter().collect()
    }

    /// Returns the parts of the request's key for a limit. They are the same in all gateways.
    fn key<'a>(
        &'a self,
        limit: usize,
        request: &'a RequestHead,
        route: usize,
        network: &'a [u8; 8],
        identity: Option<&'a Identity>,
    ) -> impl Iterator<Item = [&'a [u8]; 2]> {
        let RouteConfig { host, path, .. } = &self.config.routes[route];
        self.config.limits[limit].key.iter().map(move |part| match part {
            KeyPart::Ip => [&network[..], b""],
            KeyPart::Route => [host.as_ref().map_or("", |it| &it.0).as_bytes(), path.0.as_bytes()],
            KeyPart::Host => [request.host(), b""],
            KeyPart::Header(name) => present(request.headers().get(name.as_bytes())),
            KeyPart::Client => present(identity.map(|it| it.name.as_bytes())),
            KeyPart::Tier => present(identity.map(|it| it.tier.as_bytes())),
            KeyPart::Claim(name) => {
                let claim = identity.and_then(|it| it.claims.get(name));
                present(claim.map(String::as_bytes))
            }
        })
    }

    /// Formats the key of a request for the operator. A header may be a secret, so only its first
    /// four characters are shown.
    pub fn key_name(
        &self,
        limit: usize,
        request: &RequestHead,
        client: IpAddr,
        facts: &Facts,
    ) -> String {
        let (network, identity) = (network(client).to_be_bytes(), facts.client.as_deref());
        let parts = self.key(limit, request, facts.route.unwrap_or_default(), &network, identity);
        let text =
            |it: &[u8], max: usize| String::from_utf8_lossy(&it[..it.len().min(max)]).into_owned();
        let names = parts.zip(&self.config.limits[limit].key).map(|([value, path], part)| {
            match (part, client.to_canonical()) {
                (KeyPart::Ip, IpAddr::V4(address)) => address.to_string(),
                (KeyPart::Ip, IpAddr::V6(address)) => format!("the /64 of {address}"),
                (KeyPart::Header(_), _) => text(value, 4) + "...",
                (KeyPart::Route, _) => text(path, 64),
                _ => text(value, 64),
            }
        });
        names.collect::<Vec<_>>().join(" ")
    }
}

/// Adds a flag to a value that distinguishes a missing one from an empty one.
fn present(value: Option<&[u8]>) -> [&[u8]; 2] {
    value.map_or([b"", b"0"], |it| [it, b"1"])
}

/// Returns true if a route accepts a method. Routes for `GET` accept `HEAD` too.
fn takes(route: &RouteConfig, method: &[u8]) -> bool {
    let mut methods = route.methods.iter().map(|it| it.0.as_bytes());
    route.methods.is_empty() || methods.any(|it| it == method || it == b"GET" && method == b"HEAD")
}

/// Returns the path patterns of a route: its own, and one per version if paths name versions.
fn paths(route: &RouteConfig, filters: &FilterConfig) -> Vec<(Option<usize>, String)> {
    let mut paths = vec![(None, route.path.0.clone())];
    let versions = route.versions.as_ref().map(|it| &filters.versions[it.index].versions);
    if let Some(Versions { names, sources, .. }) = versions
        && sources.contains(&Source::Path)
    {
        let path = |name: &String| format!("/v{name}{}", route.path.0);
        paths.extend(names.iter().enumerate().map(|(index, it)| (Some(index), path(it))));
    }
    paths
}

/// Returns the address of a client. For IPv6 only the /64, because one customer has all of it.
fn network(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::config::read;

    const CONFIG: &str = r#"
        [limits.per_client]
        algorithm = "token_bucket"
        rate = "2/s"
        key = ["ip"]
        [limits.per_key]
        algorithm = "fixed_window"
        rate = "1/m"
        key = ["header:X-Api-Key"]
        [upstreams.a]
        servers = ["127.0.0.1:1"]
        [[routes]]
        path = "/users/{id}"
        methods = ["GET"]
        upstream = "a"
        limits = ["per_client"]
        [[routes]]
        path = "/*"
        host = "b.example."
        upstream = "a"
        [[routes]]
        path = "/search"
        headers = { X-Canary = "1" }
        upstream = "a"
        limits = ["per_client", "per_key"]
    "#;

    fn pipeline(old: Option<&Pipeline>) -> Pipeline {
        Pipeline::new(
            read(CONFIG, &|_| Ok(Vec::new()), &|_| Ok(Vec::new())).expect("no mistakes"),
            old,
        )
    }

    fn decide(pipeline: &Pipeline, request: &str, client: &str) -> Action {
        let mut head = RequestHead::default();
        let text = format!("{request}\r\n\r\n").replace('\n', "\r\n").replace("\r\r", "\r");
        head.parse(text.as_bytes()).expect("well formed").expect("complete");
        let client = client.parse().expect("an address");
        pipeline.decide(&head, client, 0, &mut Charges::default(), &mut Facts::default())
    }

    fn is_ambiguous(action: &Action) -> bool {
        matches!(action, Action::Answer(Reason::Ambiguous(_)))
    }

    fn limited(wait_ns: u64) -> Action {
        Action::Answer(Reason::Limited { retry_after_ns: Some(wait_ns) })
    }

    fn forward(route: usize) -> Action {
        Action::Forward { route, delay_ns: 0 }
    }

    #[test]
    fn host_method_and_headers_choose_among_routes() {
        let pipeline = pipeline(None);
        let decide = |request: &str| decide(&pipeline, request, "192.0.2.1");
        assert_eq!(decide("GET /users/7?a=/../b HTTP/1.1\nHost: a"), forward(0));
        assert_eq!(
            decide("PUT /users/7 HTTP/1.1\nHost: a"),
            Action::Answer(Reason::MethodNotAllowed("GET, HEAD".to_owned()))
        );
        assert_eq!(decide("GET /users/7 HTTP/1.1\nHost: B.example:80"), forward(1));
        assert_eq!(decide("GET /search HTTP/1.1\nHost: a"), Action::Answer(Reason::NotFound));
        assert_eq!(decide("GET /search HTTP/1.1\nHost: a\nx-canary: 1"), forward(2));
        for path in ["/a/../users/7", "/./a", "/a/..", "/%2e%2E/a", "/a%2Fb", "/a%5cb"] {
            let request = format!("GET {path} HTTP/1.1\nHost: a");
            assert!(is_ambiguous(&decide(&request)), "{path}");
        }
        assert_eq!(decide("GET /.well-known/a..b HTTP/1.1\nHost: b.example"), forward(1));
    }

    /// The upstream gets `/v1/admin` as `/admin`.
    #[test]
    fn a_version_in_the_path_does_not_bypass_a_protected_route() {
        let limits = "limits = [\"per_account\"]";
        let config = GUARDED.replace(limits, &format!("{limits}\nversions = \"shop\""));
        let config = config + "[versions.shop]\nby = [\"path\"]\ndefault = \"1\"\nknown.1 = {}";
        let config = read(&config, &|_| Ok(Vec::new()), &|_| Ok(Vec::new()));
        let pipeline = Pipeline::new(config.expect("no mistakes"), None);
        let decide = |request: &str| decide(&pipeline, request, "192.0.2.1");
        for target in ["/", "/a", "/vase", "/v1", "/v1/", "/v1/a/b", "/v1/v1/admin"] {
            assert_eq!(decide(&format!("GET {target} HTTP/1.1\nHost: a")), forward(3), "{target}");
        }
        let unknown = Refused::Version((404, "the version does not exist"));
        for target in ["/v2/a", "/%762", "/v2"] {
            let action = decide(&format!("GET {target} HTTP/1.1\nHost: a"));
            assert_eq!(action, Action::Answer(Reason::Filter(3, unknown)), "{target}");
        }
        for target in ["/v1/admin", "/v1/admin/", "/%761/%61dmin?x", "/v1/a\nX-Canary: 1"] {
            let (target, header) = target.split_once('\n').unwrap_or((target, "X: 1"));
            let request = format!("GET {target} HTTP/1.1\nHost: a\n{header}");
            assert_eq!(decide(&request), Action::Answer(Reason::NotFound), "{target}");
        }
    }

    /// The upstream gets `/admin` as `/v2/admin`.
    #[test]
    fn a_version_added_to_the_path_does_not_bypass_a_protected_route() {
        let limits = "limits = [\"per_account\"]";
        let config = GUARDED.replace(limits, &format!("{limits}\nversions = \"shop\""));
        let config = config.replace("path = \"/admin\"", "path = \"/v2/admin\"")
            + "[versions.shop]\nby = [\"header:V\"]\ndefault = \"2\"\ntell = \"path\"\n\
               known.1 = {}\nknown.2 = {}";
        let config = read(&config, &|_| Ok(Vec::new()), &|_| Ok(Vec::new()));
        let pipeline = Pipeline::new(config.expect("no mistakes"), None);
        let decide = |request: &str| decide(&pipeline, request, "192.0.2.1");
        for request in ["GET / HTTP/1.1", "GET /a HTTP/1.1", "GET /admin HTTP/1.1\nV: 1"] {
            let (line, header) = request.split_once('\n').unwrap_or((request, "X: 1"));
            assert_eq!(decide(&format!("{line}\nHost: a\n{header}")), forward(3), "{request}");
        }
        for target in ["/admin", "/admin/", "/%61dmin?x"] {
            let action = decide(&format!("GET {target} HTTP/1.1\nHost: a"));
            assert_eq!(action, Action::Answer(Reason::NotFound), "{target}");
        }
    }

    /// The upstream gets `/users/7` as `/v2/users/7`, which matches `/*`.
    #[test]
    fn a_catch_all_route_does_not_block_versioned_paths() {
        let config = r#"
            upstreams.api.servers = ["127.0.0.1:9000"]
            routes = [
                { path = "/users/{id}", upstream = "api", versions = "shop" },
                { path = "/*", upstream = "api" },
            ]
            [versions.shop]
            by = ["header:V"]
            default = "2"
            tell = "path"
            known.2 = {}"#;
        let config = read(config, &|_| Ok(Vec::new()), &|_| Ok(Vec::new()));
        let pipeline = Pipeline::new(config.expect("no mistakes"), None);
        for (target, route) in [("/users/7", 0), ("/v2/users/7", 1)] {
            let request = format!("GET {target} HTTP/1.1\nHost: a");
            assert_eq!(decide(&pipeline, &request, "192.0.2.1"), forward(route), "{target}");
        }
    }

    /// A route `/admin` that needs a key, beside a route `/*` without one.
    const GUARDED: &str = r#"
        [api_keys.k.clients.acme]
        sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
        [cors.web]
        origins = ["*"]
        [limits.per_account]
        algorithm = "fixed_window"
        rate = "9/m"
        key = ["header:X-Account"]
        [upstreams.a]
        servers = ["127.0.0.1:1"]
        [[routes]]
        path = "/admin"
        upstream = "a"
        auth = "k"
        [[routes]]
        path = "/café/@me/*"
        methods = ["GET"]
        upstream = "a"
        auth = "k"
        [[routes]]
        path = "/*"
        headers = { X-Canary = "1" }
        upstream = "a"
        auth = "k"
        [[routes]]
        path = "/*"
        upstream = "a"
        limits = ["per_account"]
        [[routes]]
        path = "/shop"
        methods = ["GET"]
        host = "b.example"
        upstream = "a"
        cors = "web"
    "#;

    #[test]
    fn no_spelling_of_a_request_bypasses_a_protected_route() {
        let config = read(GUARDED, &|_| Ok(Vec::new()), &|_| Ok(Vec::new()));
        let pipeline = Pipeline::new(config.expect("no mistakes"), None);
        let decide = |request: &str| decide(&pipeline, request, "192.0.2.1");
        let refused = Refused::Credentials("a key or a token is needed");
        let guarded = |route| Action::Answer(Reason::Filter(route, refused));

        let same = ["/admin", "/%61dmin", "/a%64mi%6E?x", "/admin/", "/admin/?x", "http://b/admin"];
        for target in same {
            assert_eq!(decide(&format!("GET {target} HTTP/1.1\nHost: a")), guarded(0), "{target}");
        }
        let ambiguous = "//admin /admin// /./admin /x/../admin /admin/. /admin#x /admin\\x \
                         /admin;x=1 /admin%3bx /admin%00 /admin%zz /%2561dmin /admin%2f \
                         /%c1%a1dmin http://b//admin";
        for target in ambiguous.split(' ') {
            assert!(is_ambiguous(&decide(&format!("GET {target} HTTP/1.1\nHost: a"))), "{target}");
        }
        for target in ["/café/@me", "/caf%c3%a9/%40me/", "/c%61f%C3%A9/@me/a"] {
            for method in ["GET", "HEAD"] {
                let request = format!("{method} {target} HTTP/1.1\nHost: a");
                assert_eq!(decide(&request), guarded(1), "{request}");
            }
        }

        let get = "GET / HTTP/1.1\nHost: a";
        assert_eq!(decide(get), forward(3));
        assert_eq!(decide(&format!("{get}\nX-Canary: 1")), guarded(2));
        for headers in ["x-canary: 0\nX-Canary: 1", "X-Account: 1\nx-account: 2"] {
            assert!(is_ambiguous(&decide(&format!("{get}\n{headers}"))), "{headers}");
        }
    }

    /// The gateway answers preflights only for routes with `cors`. Any other `OPTIONS` request is
    /// routed like other methods.
    #[test]
    fn options_is_an_ordinary_method_except_in_a_preflight() {
        let config = read(GUARDED, &|_| Ok(Vec::new()), &|_| Ok(Vec::new()));
        let pipeline = Pipeline::new(config.expect("no mistakes"), None);
        let options = |target: &str, host: &str, ask: &str| {
            let request = format!("OPTIONS {target} HTTP/1.1\nHost: {host}\nOrigin: http://c{ask}");
            decide(&pipeline, &request, "192.0.2.1")
        };
        let ask = "\nAccess-Control-Request-Method: GET";
        let answered = Action::Answer(Reason::Preflight(4));
        assert_eq!(options("/shop", "B.example.:80", ask), answered);
        assert_eq!(options("/shop", "b.example", &ask.replace("GET", "PUT")), forward(3));
        assert_eq!(options("/shop", "b.example", ""), forward(3));
        assert_eq!(options("/caf%C3%A9/@me", "a", ask), forward(3));
        let refused = Refused::Credentials("a key or a token is needed");
        let guarded = Action::Answer(Reason::Filter(0, refused));
        assert_eq!(options("/admin", "a", ask), guarded);
    }

    #[test]
    fn each_client_has_a_bucket_and_a_reload_keeps_it() {
        let first = pipeline(None);
        let request = "GET /users/7 HTTP/1.1\nHost: a";
        let refused = limited(500_000_000);
        for action in [forward(0), forward(0), refused.clone()] {
            assert_eq!(decide(&first, request, "192.0.2.1"), action);
        }
        assert_eq!(decide(&first, request, "192.0.2.2"), forward(0));
        assert_eq!(decide(&pipeline(Some(&first)), request, "192.0.2.1"), refused.clone());
        assert_eq!(decide(&pipeline(None), request, "192.0.2.1"), forward(0));
        // An IPv6 /64 network is one client.
        for (client, action) in [
            ("2001:db8::1", forward(0)),
            ("2001:db8::2", forward(0)),
            ("2001:db8::3", refused.clone()),
            ("2001:db8:0:1::3", forward(0)),
            ("::ffff:192.0.2.1", refused),
        ] {
            assert_eq!(decide(&first, request, client), action, "{client}");
        }
    }

    #[test]
    fn a_reload_keeps_leases_if_limit_and_store_are_the_same() {
        let config = r#"
            [limits.all]
            algorithm = "fixed_window"
            rate = "9/m"
            key = []
            shared = true
            lease = 5
            [redis]
            url = "redis://127.0.0.1:1"
            [upstreams.a]
            servers = ["127.0.0.1:1"]
            [[routes]]
            path = "/"
            upstream = "a"
            limits = ["all"]
        "#;
        let new = |text: &str, old: Option<&Pipeline>| {
            let config = read(text, &|_| Ok(Vec::new()), &|_| Ok(Vec::new()));
            Pipeline::new(config.expect("no mistakes"), old)
        };
        let leases = |it: &Pipeline| Arc::clone(it.leases[0].as_ref().expect("it has leases"));
        let first = new(config, None);
        let is_kept = |text: &str| Arc::ptr_eq(&leases(&first), &leases(&new(text, Some(&first))));
        assert!(is_kept(config));
        for (from, to) in [
            ("9/m", "8/m"),
            ("lease = 5", "lease = 4"),
            ("redis://127.0.0.1:1", "redis://127.0.0.1:2"),
        ] {
            assert!(config.contains(from) && !is_kept(&config.replace(from, to)), "{from}");
        }
    }

    #[test]
    fn requests_without_the_key_header_share_a_bucket() {
        let pipeline = pipeline(None);
        let request = "GET /search HTTP/1.1\nHost: a\nX-Canary: 1";
        assert_eq!(decide(&pipeline, request, "192.0.2.1"), forward(2));
        let refused = limited(60_000_000_000);
        assert_eq!(decide(&pipeline, request, "192.0.2.2"), refused);
        let with_key = format!("{request}\nX-Api-Key: k");
        assert_eq!(decide(&pipeline, &with_key, "192.0.2.2"), forward(2));
    }
}
