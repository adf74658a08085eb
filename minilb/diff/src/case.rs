//! A case: an nginx.conf with names for addresses, and its steps as comments.
//!
//! ```text
//! server { listen $LISTEN; location / { proxy_pass http://$A; } }      access_log $LOG;
//! # > GET /path        a probe, see `minilb_probe`
//! # kill A             ends a server
//! ```
//!
//! LISTEN, DEAD (nobody listens), LOG and CERTS (a directory) have a meaning; other names are
//! servers, see `server.rs`. A file without `$LISTEN` is made into a case: addresses get names,
//! and locations get probes, which are repeated as the servers end.

use regex::{Captures, Regex};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

pub struct Case {
    pub text: String,
    pub steps: Vec<String>,
}

/// What each name stands for.
pub struct Addresses(pub BTreeMap<String, String>);

impl Addresses {
    /// Names and addresses of servers.
    pub fn servers(&self) -> impl Iterator<Item = (&String, &String)> {
        let others = ["LISTEN", "DEAD", "LOG", "CERTS"];
        self.0.iter().filter(move |it| !others.iter().any(|other| it.0.starts_with(other)))
    }

    pub fn replace(&self, text: &str) -> String {
        let of = |it: &Captures<'_>| self.0.get(&it[1]).map_or(it[0].to_owned(), String::clone);
        names().replace_all(text, of).into_owned()
    }
}

fn names() -> Regex {
    Regex::new(r"\$([A-Z][A-Z0-9]*)").expect("it compiles")
}

impl Case {
    /// Reads a file that is written as a case.
    pub fn new(text: String) -> Case {
        let steps = text.lines().filter_map(|it| it.strip_prefix("# "));
        let steps = steps.filter(|it| it.starts_with("> ") || it.starts_with("kill "));
        Case { steps: steps.map(str::to_owned).collect(), text }
    }

    /// Comparison `number` has a loopback address of its own, and ports that the system gives to
    /// nobody.
    pub fn addresses(&self, number: usize, scratch: &Path) -> Addresses {
        let number = std::process::id() % 60_000 * 250 + number as u32 % 250;
        let ip = Ipv4Addr::from(0x7f01_0001 + number);
        let address = |(index, found): (usize, Captures<'_>)| {
            let path = |name: &str| scratch.join(name).display().to_string();
            let address = match &found[1] {
                "LOG" => path("access.log"),
                "CERTS" => path(""),
                name if name.contains('U') => format!("unix:{}", path(name)),
                _ => format!("{ip}:{}", index + 2000),
            };
            (found[1].to_owned(), address)
        };
        Addresses(names().captures_iter(&self.text).enumerate().map(address).collect())
    }

    /// Makes a case of a configuration with one statement per line and its words in quotes.
    /// Certificates are below `directory`.
    pub fn of(conf: &str, directory: &Path) -> Case {
        let (mut text, mut steps, mut gets) = (String::new(), Vec::new(), Vec::new());
        let mut names = BTreeMap::new();
        let mut name = |kind: &str, address: &str| {
            let unix = if address.starts_with("unix:") { "U" } else { "" };
            let number = names.len() + 1;
            names.entry(address.to_owned()).or_insert(format!("${kind}{unix}{number}")).clone()
        };
        let (mut upstream, mut server) = ("", Server::default());
        for line in conf.lines().chain(["\"server\" {"]) {
            let words = line.split('"').skip(1).step_by(2).collect::<Vec<_>>();
            let has = |host: &str| conf.contains(&format!("\"proxy_pass\" \"https://{host}"));
            let kind = |host: &str| if has(host) { "S" } else { "B" };
            let mut replaced = None;
            match words[..] {
                ["daemon" | "pid" | "error_log" | "user", ..] => continue,
                ["load_module" | "worker_processes", _] => continue,
                ["access_log", path, ..] if path != "off" => replaced = Some((path, "$LOG".into())),
                [name, path] if name.contains("ssl_") && name.contains("certificate") => {
                    replaced = Some((path, directory.join(path).display().to_string()));
                }
                ["upstream", name] => upstream = name,
                ["server", address, ..] => {
                    replaced = Some((address, name(kind(upstream), address)));
                }
                ["server"] => std::mem::take(&mut server).probes(&mut steps, &mut gets),
                ["listen", address, ref parameters @ ..] => {
                    let name = name("LISTEN", address);
                    server.listens.push((name.clone(), parameters.join(" ")));
                    replaced = Some((address, name));
                }
                ["server_name", host, ..] if !host.starts_with(['~', '_', '.']) => {
                    server.host = host.replace('*', "any");
                }
                ["location", ref kind @ .., path] if !kind.iter().any(|it| it.starts_with('~')) => {
                    server.paths.push(path);
                }
                ["proxy_pass", url] if !url.contains('$') => {
                    let host = url.split_once("://").map_or(url, |it| it.1);
                    let separator = if host.starts_with("unix:") { ":/" } else { "/" };
                    let host = host.split(separator).next().unwrap_or(host);
                    if !conf.contains(&format!("\"upstream\" \"{host}\" {{")) {
                        replaced = Some((host, name(kind(host), host)));
                    }
                }
                _ => {}
            }
            let line = replaced.map_or(line.into(), |(from, to)| line.replacen(from, &to, 1));
            text += &(line + "\n");
        }
        for name in names.values().filter(|it| !it.contains("LISTEN")) {
            steps.push(format!("kill {}", &name[1..]));
            steps.extend(gets.iter().cloned());
        }
        Case { text: text.trim_end_matches("\"server\" {\n").to_owned(), steps }
    }
}

/// What is known of a server of the file.
#[derive(Default)]
struct Server<'a> {
    /// Names of addresses, and the parameters.
    listens: Vec<(String, String)>,
    host: String,
    paths: Vec<&'a str>,
}

impl Server<'_> {
    fn probes(self, steps: &mut Vec<String>, gets: &mut Vec<String>) {
        let host = if self.host.is_empty() { "test.example" } else { &self.host };
        let paths = if self.paths.is_empty() { vec!["/"] } else { self.paths };
        for (address, parameters) in self.listens {
            let has = |name| parameters.split(' ').any(|it| it == name);
            let kind = if has("http2") { format!("h2 {host} ") } else { format!("tls {host} ") };
            let kind = if has("ssl") { kind } else { String::new() };
            let probe = |it: String| format!("> @{} {kind}{it} | Host: {host}", &address[1..]);
            for path in paths.iter().filter(|it| it.starts_with('/')) {
                gets.push(probe(format!("GET {path}")));
                let slash = if path.ends_with('/') { "" } else { "/" };
                let failing = ["status/503", "close"].map(|it| format!("GET {path}{slash}{it}"));
                let all = [format!("GET {path}"), format!("HEAD {path}"), format!("PUT {path}")];
                steps.extend(all.into_iter().chain(failing).map(probe));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_becomes_a_case() {
        let conf = r#"
"user" "www-data" ;
"upstream" "app" {
"server" "10.0.0.1:80" "weight=2" ;
"server" "unix:/run/app" ;
}
"server" {
"listen" "443" "ssl" ;
"server_name" "*.shop.example" ;
"ssl_certificate" "a.crt" ;
"location" "/api" {
"proxy_pass" "http://app" ;
}
"location" "=" "/b" {
"proxy_pass" "https://10.0.0.1:443/c" ;
}
}
"#;
        let case = Case::of(conf, Path::new("/etc"));
        for line in [
            "\"server\" \"$B1\" \"weight=2\" ;",
            "\"server\" \"$BU2\" ;",
            "\"listen\" \"$LISTEN3\" \"ssl\" ;",
            "\"ssl_certificate\" \"/etc/a.crt\" ;",
            "\"proxy_pass\" \"http://app\" ;",
            "\"proxy_pass\" \"https://$S4/c\" ;",
        ] {
            assert!(case.text.lines().any(|it| it == line), "{line} is not in:\n{}", case.text);
        }
        assert!(!case.text.contains("user"));
        let probe = "> @LISTEN3 tls any.shop.example GET /api | Host: any.shop.example";
        let positions = |step: &str| case.steps.iter().filter(|it| *it == step).count();
        assert_eq!(positions(probe), 4, "at first, and as three servers end");
        assert_eq!(positions("kill BU2"), 1);
    }
}
