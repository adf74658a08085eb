//! The two systems and the origin: how each is started, configured and identified.
//!
//! The same three locations in both: `/free` without a limit, `/limited` with one that admits
//! everything, `/tight` with one that refuses nearly everything.
//!
//! | | rate | burst | key |
//! |---|---|---|---|
//! | `/limited` | 1,000,000 a second | 1,000,000 | address |
//! | `/tight` | 100 a second | 10 beyond the first | address |

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use minikit::harness::free_port;

use crate::Result;
use crate::model::Identity;
use crate::process::{self, Child, Scratch};
use crate::provider::{Place, Side, Source, System};

/// A second of `/tight`.
pub const TIGHT_RATE: u64 = 100;
/// What `/tight` admits at once.
pub const TIGHT_BURST: u64 = 11;

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

fn origin() -> u16 {
    *ORIGIN.get().expect("the origin is started first")
}

fn gateway_toml(origin: u16) -> String {
    let route = |path: &str, limits: &str| {
        format!("[[routes]]\npath = \"{path}\"\nupstream = \"origin\"\nlimits = [{limits}]\n")
    };
    let limit = |name: &str, rate: u64, burst: u64| {
        format!(
            "[limits.{name}]\nalgorithm = \"token_bucket\"\nrate = \"{rate}/s\"\n\
             burst = {burst}\nkey = [\"ip\"]\n"
        )
    };
    [
        limit("wide", 1_000_000, 1_000_000),
        limit("tight", TIGHT_RATE, TIGHT_BURST),
        format!("[upstreams.origin]\nservers = [\"127.0.0.1:{origin}\"]\nkeepalive = 64\n"),
        route("/free", ""),
        route("/limited", "\"wide\""),
        route("/tight", "\"tight\""),
    ]
    .concat()
}

fn limited_http(port: u16, origin: u16) -> String {
    let location = |path: &str, limit: &str| {
        format!("location {path} {{ {limit} proxy_pass http://origin; }}\n")
    };
    let burst = TIGHT_BURST - 1;
    let locations = [
        location("/free", ""),
        location("/limited", "limit_req zone=wide burst=1000000 nodelay;"),
        location("/tight", &format!("limit_req zone=tight burst={burst} nodelay;")),
    ];
    format!(
        "limit_req_zone $binary_remote_addr zone=wide:10m rate=1000000r/s;\n\
         limit_req_zone $binary_remote_addr zone=tight:10m rate={TIGHT_RATE}r/s;\n\
         limit_req_status 429;\nlimit_req_log_level info;\n\
         upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; \
         keepalive_requests 100000000; }}\n\
         server {{ listen 127.0.0.1:{port}; proxy_http_version 1.1; \
         proxy_set_header Connection \"\"; {} }}\n",
        locations.concat()
    )
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
        for path in ["/free", "/limited", "/tight"] {
            assert!(ours.contains(path) && theirs.contains(&format!("location {path} ")), "{path}");
        }
        assert!(ours.contains("burst = 11\n") && theirs.contains("burst=10 "));
    }
}
