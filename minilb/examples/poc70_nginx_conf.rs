//! POC 70: which server block, which location and which URI does a request get?
//!
//! `cargo run --release -p minilb --example poc70_nginx_conf`
//!
//! The answers for `examples/poc70.conf`, from the functions that the proxy uses.

use minilb::conf::config::Config;
use minilb::conf::host::Host;
use minilb::conf::http::{Action, Location, LocationKind};
use minilb::conf::reader::read;
use minilb::handlers::locate::{Found, VirtualServers, location};
use minilb::handlers::state::RequestState;
use minilb::handlers::{target, uri};
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn main() {
    match std::env::args().nth(1) {
        None => print!("{}", figures()),
        Some(_) => eprintln!("usage: poc70_nginx_conf"),
    }
}

/// The file alone; addresses are what they say.
struct Memory<'a>(&'a str);

impl Host for Memory<'_> {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.as_bytes().to_vec())
    }
    fn glob(&self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
    fn resolve(&self, name: &str) -> Vec<SocketAddr> {
        name.parse().into_iter().collect()
    }
}

fn parse(text: &str) -> Result<Config, String> {
    let read = read(&Memory(text), Path::new("nginx.conf"), "", Path::new("/"));
    read.map_err(|error| error.to_string())
}

fn figures() -> String {
    let config = parse(include_str!("poc70.conf")).expect("checked by the test");
    let mut text = "| request | location | the server gets |\n|---|---|---|\n".to_owned();
    for (host, uri) in [
        ("example.com", "/"),
        ("example.com", "/api"),
        ("example.com", "/api/users?id=7"),
        ("example.com", "/apiary"),
        ("example.com", "/api/v2/users"),
        ("example.com", "/status"),
        ("example.com", "/status/"),
        ("example.com", "/index.php"),
        ("example.com", "/static/index.php"),
        ("example.com", "/a/../api/%2e%2e/x"),
        ("a.example.com", "/cart"),
        ("shop7.test", "/cart"),
        ("unknown.test", "/cart"),
    ] {
        let (place, gets) = answer(&config, host, uri);
        writeln!(text, "| {host}{uri} | {place} | {gets} |").expect("a string takes all");
    }

    text += "\nMistakes, in NGINX's words\n\n";
    for (from, to) in [
        ("weight=2", "weigth=2"),
        ("proxy_pass http://app;", "proxy_pass app;"),
        ("location ~ \\.php$ { return 403; }", "location ~ \\.php$ { proxy_pass http://app/x; }"),
        ("keepalive 16;", "keepalive 16"),
        ("server_name *.example.com", "server_name *example.com"),
    ] {
        let broken = include_str!("poc70.conf").replacen(from, to, 1);
        let error = parse(&broken).expect_err("a mistake");
        writeln!(text, "{to}\n    {error}").expect("a string takes all");
    }
    text
}

/// The location of a request, and the target that its server gets.
// ANCHOR: answer
fn answer(config: &Config, host: &str, request_uri: &str) -> (String, String) {
    let servers = &config.http.servers;
    let local = &servers[0].listen[0].address;
    let site = VirtualServers::of(servers, local);
    let server = &servers[site.find(servers, host.as_bytes()).expect("one is the default")];

    let mut state = RequestState::default();
    state.begin(0);
    let args = uri::normalize(request_uri.as_bytes(), &mut state.path).expect("a path");
    state.args.extend_from_slice(args);
    let found: &Arc<Location> = match location(&server.root, &state.path) {
        Found::Location(found) | Found::AddSlash(found) => found,
    };
    let name = match &found.kind {
        LocationKind::Exact(it) => format!("= {it}"),
        LocationKind::Prefix(it, true) => format!("^~ {it}"),
        LocationKind::Pattern(it) => format!("~ {}", it.as_str()),
        _ => found.kind.name().to_owned(),
    };

    let Action::Proxy(proxy) = &found.action else { return (name, "-".to_owned()) };
    let mut line = Vec::new();
    target::append(proxy, &found.kind, request_uri.as_bytes(), &state, &mut line);
    (name, String::from_utf8_lossy(&line).into_owned())
}
// ANCHOR_END: answer

#[cfg(test)]
mod tests {
    /// The page includes this file; `UPDATE_GOLDEN=1` records it anew.
    #[test]
    fn the_output_is_the_recorded_one() {
        let output = super::figures();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/poc70_nginx_conf.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &output).expect("the folder is writable");
        }
        assert_eq!(std::fs::read_to_string(path).expect("recorded"), output);
    }
}
