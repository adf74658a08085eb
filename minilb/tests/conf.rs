//! nginx.conf from memory: inheritance, includes, arbitrary text.
//!
//! The messages of broken files are compared with a real `nginx -t` by `clients/run`.
#![cfg(not(loom))]

use minilb::conf::config::Config;
use minilb::conf::error::ConfError;
use minilb::conf::host::Host;
use minilb::conf::reader::read;
use minilb::engine::upstream::Method;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Files by path, and one name with two addresses.
struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Host for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::from_raw_os_error(2))
    }

    fn glob(&self, pattern: &Path) -> Vec<PathBuf> {
        let directory = pattern.parent();
        self.0.keys().filter(|it| it.parent() == directory).cloned().collect()
    }

    fn resolve(&self, name: &str) -> Vec<SocketAddr> {
        match name {
            "two.example:5432" => ["192.0.2.1:5432", "192.0.2.2:5432"]
                .map(|it| it.parse().expect("an address"))
                .to_vec(),
            _ => name.parse().into_iter().collect(),
        }
    }

    /// As with `--lenient`, if there is a file of that name.
    fn tolerates(&self, _error: &ConfError) -> bool {
        self.0.contains_key(Path::new("/lenient"))
    }
}

fn read_files(files: &[(&str, &[u8])], globals: &str) -> Result<Config, ConfError> {
    let files = files.iter().map(|(path, text)| (PathBuf::from(path), text.to_vec()));
    read(&Memory(files.collect()), Path::new("/conf/nginx.conf"), globals, Path::new("/prefix"))
}

#[test]
fn unknown_directives_are_skipped_on_demand_unless_they_protect() {
    let message = |text: &str, lenient: bool| {
        let main: &[u8] = &[b"events {} http {\n", text.as_bytes(), b"\n}"].concat();
        let files = [("/conf/nginx.conf", main), ("/lenient", b"".as_slice())];
        let read = read_files(&files[..1 + usize::from(lenient)], "");
        read.map_or_else(|it| it.to_string(), |_| "fine".to_owned())
    };
    let text = "gzip on; geo $x { default 1; a { b; } } server { listen 1; }";
    let place = "in /conf/nginx.conf:2";
    assert_eq!(message(text, false), format!("unknown directive \"gzip\" {place}"));
    assert_eq!(message(text, true), "fine");
    for name in ["auth_basic", "ssl_verify_client", "limit_rate", "proxy_ssl_certificate"] {
        let refused = message(&format!("{name} a;"), true);
        assert!(refused.starts_with(&format!("unknown directive \"{name}\"")), "{refused}");
    }
    let inside = message("geo $x { c { deny all; } }", true);
    assert_eq!(inside, format!("\"deny\" may not be skipped {place}"));
    let misplaced = message("server { upstream a { } }", true);
    assert_eq!(misplaced, format!("\"upstream\" directive is not allowed here {place}"));
}

#[test]
fn servers_are_resolved_with_a_zone_and_a_resolver() {
    let read = |upstream: &str, http: &str| {
        let main = format!("events {{}} http {{ {http}\nupstream u {{ {upstream} }} }}");
        read_files(&[("/conf/nginx.conf", main.as_bytes())], "")
    };
    let error = |upstream: &str, http: &str| read(upstream, http).expect_err(upstream).to_string();
    let place = "/conf/nginx.conf:2";
    let text = format!(
        "resolving names at run time requires upstream \"u\" in {place} to be in shared memory"
    );
    assert_eq!(error("server a resolve;", "resolver 127.0.0.1;"), text);
    let text =
        format!("no resolver defined to resolve names at run time in upstream \"u\" in {place}");
    assert_eq!(error("zone u 64k; server a resolve;", ""), text);
    let text = format!("the \"service\" parameter is not supported in {place}");
    assert_eq!(error("zone u 64k; server a resolve service=http;", ""), text);

    let outside = read("zone u 64k; server a resolve;", "resolver 127.0.0.1; resolver_timeout 1s;");
    let config = outside.expect("correct").http.upstreams["u"].config.clone();
    assert_eq!((&*config.servers[0].address, config.servers[0].resolve), ("a:80", true));
    let name_servers = config.name_servers.expect("those of http");
    assert_eq!(name_servers.timeout, Duration::from_secs(1));

    // Those of the upstream come first. An address needs none.
    let text = "zone u 64k; resolver 127.0.0.2; server a:1 resolve;";
    let inside = read(text, "resolver 127.0.0.1;").expect("correct");
    let config = inside.http.upstreams["u"].config.clone();
    let servers = config.name_servers.expect("its own").servers;
    assert_eq!(servers[0].to_string(), "127.0.0.2:53");
    let address = read("server 192.0.2.1 resolve;", "").expect("correct");
    assert!(!address.http.upstreams["u"].config.servers[0].resolve);
}

#[test]
fn a_missing_certificate_is_told_with_its_place() {
    let main = b"events {} http { server { listen 1 ssl;\n ssl_certificate a.crt; } }";
    let error = read_files(&[("/conf/nginx.conf", main)], "").expect_err("it is missing");
    let expected = "cannot load certificate \"/conf/a.crt\": BIO_new_file() failed (SSL: \
                    error:80000002:system library::No such file or directory:calling \
                    fopen(/conf/a.crt, r)) in /conf/nginx.conf:2";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn servers_may_have_unix_sockets() {
    let main = b"events {} stream { server { listen 1; proxy_pass unix:/a; } }
        http { upstream u { server unix:/b weight=2; } server { listen 2;
        location / { proxy_pass http://unix:/c:/d; } location /e { proxy_pass http://u; } } }";
    let config = read_files(&[("/conf/nginx.conf", main)], "").expect("correct");
    assert_eq!(&*config.upstreams["unix:/a"].servers[0].address, "unix:/a");
    assert_eq!(&*config.http.upstreams["u"].config.servers[0].address, "unix:/b");
    assert_eq!(&*config.http.upstreams["unix:/c"].config.servers[0].address, "unix:/c");
}

#[test]
fn servers_inherit_and_names_have_several_addresses() {
    let main = b"events {} pid lb.pid; stream {
        server { listen 1; proxy_pass db; proxy_connect_timeout 5s; }
        server { listen *:2; proxy_pass 192.0.2.9:80; }
        include /conf/parts/*.conf;
        proxy_timeout 1m; proxy_half_close on; proxy_connect_timeout 10s;
    }";
    let part = b"upstream db { least_conn; server two.example:5432 weight=3; }";
    let files: [(&str, &[u8]); 2] = [("/conf/nginx.conf", main), ("/conf/parts/a.conf", part)];
    let config = read_files(&files, "worker_processes auto;").expect("correct");

    assert_eq!(config.pid, Some(PathBuf::from("/prefix/lb.pid")));
    assert_eq!((config.worker_processes, config.worker_connections), (0, 512));
    let db = &config.upstreams["db"];
    assert_eq!(db.method, Method::LeastConn);
    let addresses = db.servers.iter().map(|it| (&*it.address, it.params.weight));
    assert_eq!(Vec::from_iter(addresses), [("192.0.2.1:5432", 3), ("192.0.2.2:5432", 3)]);
    assert_eq!(config.upstreams["192.0.2.9:80"].servers.len(), 1);

    let connect = config.servers.iter().map(|it| it.settings.proxy_connect_timeout);
    assert_eq!(Vec::from_iter(connect), [5, 10].map(|it| Some(Duration::from_secs(it))));
    assert!(config.servers.iter().all(|it| it.settings.proxy_half_close == Some(true)));
    assert_eq!(config.servers[0].settings.proxy_timeout, Some(Duration::from_secs(60)));
    assert_eq!(config.servers[1].listen[0].address.to_string(), "0.0.0.0:2");
}

#[test]
fn an_error_in_an_included_file_has_its_place() {
    let files: [(&str, &[u8]); 2] = [
        ("/conf/nginx.conf", b"events {}\ninclude a.inc;"),
        ("/conf/a.inc", b"\nworker_proceses 1;"),
    ];
    let error = read_files(&files, "").expect_err("a typing error").to_string();
    let expected = "unknown directive \"worker_proceses\", did you mean \"worker_processes\"? in \
                    /conf/a.inc:2";
    assert_eq!(error, expected);
}

#[test]
fn a_file_that_includes_itself_is_an_error() {
    let error = read_files(&[("/conf/nginx.conf", b"include nginx.conf;")], "");
    let expected = "open() \"/conf/nginx.conf\" failed (24: Too many open files) in \
                    /conf/nginx.conf:1";
    assert_eq!(error.expect_err("endless").to_string(), expected);
}

/// Words that make a configuration likely to get far.
fn soup() -> impl Strategy<Value = String> {
    let words = [
        "events",
        "stream",
        "upstream",
        "server",
        "listen",
        "proxy_pass",
        "least_conn",
        "include",
        "proxy_timeout",
        "a",
        "1",
        "127.0.0.1:1",
        "[::1]:2",
        "weight=2",
        "backup",
        "{",
        "{",
        "}",
        "}",
        ";",
        ";",
        ";",
        "\n",
        "\"",
        "'",
        "\\",
        "#",
        "$",
        "on",
        "9999999999999999999",
    ];
    let word = prop::sample::select(words.to_vec());
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

proptest! {
    /// Any answer is fine, as long as there is one, and an error names a line of the file.
    #[test]
    fn arbitrary_text_is_read_or_refused(
        text in soup(),
        raw in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        for text in [text.as_bytes(), &raw] {
            let files: [(&str, &[u8]); 1] = [("/conf/nginx.conf", text)];
            if let Err(error) = read_files(&files, "") {
                let lines = 1 + text.iter().filter(|it| **it == b'\n').count();
                let place = error.to_string();
                let line = place.rsplit_once("/conf/nginx.conf:").map(|it| it.1.parse::<usize>());
                prop_assert!(line.is_none_or(|it| it.is_ok_and(|it| it <= lines)), "{}", place);
            }
        }
    }
}
