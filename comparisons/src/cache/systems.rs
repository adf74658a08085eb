//! The two systems: how each is started and identified, and how a given server is left clean.
//!
//! ```text
//! minicache serve --listen 127.0.0.1:40001 --unix DIR/server.sock --threads 1
//! redis-server --port 40002 --bind 127.0.0.1 --unixsocket DIR/server.sock --save '' …
//! INFO -> redis_version:7.0.15, mem_allocator:jemalloc-5.3.0, process_id:4711
//! ```

use std::time::Duration;

use super::resp;
use crate::Result;
use crate::model::Identity;
use crate::provider::{Container, Place, Server, Side, Source, System};

/// Ours.
pub const MINICACHE: System = System {
    name: "minicache",
    flag: "minicache",
    program: "minicache",
    folders: &[],
    user: None,
    arguments: |place| {
        let listen = format!("127.0.0.1:{}", place.port);
        let socket = place.socket().display().to_string();
        let mut words =
            ["serve", "--listen", &listen, "--unix", &socket].map(String::from).to_vec();
        words.extend(place.threads.iter().flat_map(|n| ["--threads".into(), n.to_string()]));
        words
    },
    prepare: None,
    answers: resp::answers_ping,
    container: None,
    install: "cargo build --release -p minicache",
};

/// Theirs.
pub const REDIS: System = System {
    name: "Redis",
    flag: "redis",
    program: "redis-server",
    folders: &[],
    user: None,
    // Redis always executes commands on one thread. `io-threads` keeps its default of one, so that
    // the figures are those of a Redis as it is installed.
    arguments: |place| {
        let port = place.port.to_string();
        let socket = place.socket().display().to_string();
        let words = ["--port", &port, "--bind", "127.0.0.1", "--unixsocket", &socket];
        let memory_only = ["--save", "", "--appendonly", "no", "--daemonize", "no"];
        words.iter().chain(&memory_only).map(|word| word.to_string()).collect()
    },
    prepare: None,
    answers: resp::answers_ping,
    container: Some(Container {
        service: "redis",
        image_variable: "REDIS_IMAGE",
        image: "redis:8",
    }),
    install: "apt-get install redis-server redis-tools (Debian), or a Docker engine, \
              or --redis ADDRESS:PORT of one that holds nothing",
};

/// Ours with an append-only file in its scratch directory.
pub const MINICACHE_LOGGED: System = System {
    arguments: |place| {
        let directory = place.directory.display().to_string();
        [(MINICACHE.arguments)(place), vec!["--data-dir".into(), directory]].concat()
    },
    ..MINICACHE
};

/// Theirs with an append-only file in its scratch directory, where it is started.
pub const REDIS_LOGGED: System =
    System { arguments: |place| redis_with(place, &["--appendonly", "yes"]), ..REDIS };

/// Theirs with a second thread that reads and writes sockets.
pub const REDIS_THREADED: System = System {
    arguments: |place| redis_with(place, &["--io-threads", "2", "--io-threads-do-reads", "yes"]),
    ..REDIS
};

/// The last of two contradicting flags counts.
fn redis_with(place: &Place, more: &[&str]) -> Vec<String> {
    let more = more.iter().map(|word| word.to_string()).collect();
    [(REDIS.arguments)(place), more].concat()
}

/// Asks a server for its name, version and allocator.
pub fn identify(side: &Side, server: &Server) -> Result<Identity> {
    let info = info(server)?;
    let field = |name: &str| info_field(&info, name).unwrap_or("unknown").to_string();
    // minicache and Valkey report a `redis_version` for compatibility, and their own.
    let own = ["minicache_version", "valkey_version"];
    let version = own.into_iter().find_map(|name| info_field(&info, name));
    let version = version.map_or_else(|| field("redis_version"), str::to_string);
    let started = match &side.source {
        Source::Given(address) => format!("found at {address}, with the settings of its owner"),
        Source::Docker { image, .. } => {
            format!("Docker image {image}, host network, no persistence")
        }
        Source::Program(path) => format!("{}, no persistence", path.display()),
    };
    let name = if info.contains("valkey_version:") { "Valkey" } else { server.name };
    Ok(Identity { name: name.into(), version, allocator: field("mem_allocator"), started })
}

/// Prepares a given server: it must be empty, because it will be filled and flushed. If its process
/// is on this machine, its CPU time and memory can be read.
pub fn adopt(side: &Side, server: &mut Server) -> Result<()> {
    if side.is_ours_to_start() {
        return Ok(());
    }
    let info = info(server)?;
    if info.lines().any(|line| line.starts_with("db")) {
        let address = server.address;
        return Err(
            format!("{address} holds data and would be flushed: give an empty server").into()
        );
    }
    let pid = info_field(&info, "process_id").and_then(|pid| pid.parse::<u32>().ok());
    server.pid = pid.filter(|pid| server.address.ip().is_loopback() && is_redis(*pid));
    Ok(())
}

/// Returns true if the process with this id is the server. In a container elsewhere the server may
/// have an id that is another process here.
fn is_redis(pid: u32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    ["redis", "valkey"].iter().any(|known| name.starts_with(known))
}

fn info(server: &Server) -> Result<String> {
    resp::Client::connect(server.address, Duration::from_secs(10))?.ask(&["INFO"])
}

fn info_field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Removes our data from servers that live on.
pub fn tidy(servers: &[Server; 2]) -> Result<()> {
    for server in servers {
        resp::Client::connect(server.address, Duration::from_secs(20))?.ask(&["FLUSHALL"])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_info_are_found_by_their_whole_name() {
        let info = "# Server\r\nredis_version:7.0.15\r\nprocess_id:12\r\n";
        assert_eq!(info_field(info, "redis_version"), Some("7.0.15"));
        assert_eq!(info_field(info, "redis_ver"), None);
    }
}
