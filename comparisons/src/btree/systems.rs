//! The two systems: how each is started and identified, and how SQL is sent to them.
//!
//! ```text
//! minibtree serve --listen 127.0.0.1:40001 --data-dir DIR/data
//! initdb -D DIR/data -U postgres -A trust …                 not part of a start
//! postgres -D DIR/data -p 40002 -h 127.0.0.1 -k DIR
//! psql -h 127.0.0.1 -p 40002 -XqAtc 'show fsync'            the same program for both
//! ```
//!
//! PostgreSQL runs with the settings of `initdb`, minibtree with its own defaults: both have 128
//! MiB for pages, log page images after a checkpoint, and sync the log before they answer a COMMIT.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::model::Identity;
use crate::process;
use crate::provider::{Container, Place, Server, Side, Source, System};

/// Ours.
pub const MINIBTREE: System = System {
    name: "minibtree",
    flag: "minibtree",
    program: "minibtree",
    folders: &[],
    user: None,
    arguments: |place| {
        let listen = format!("127.0.0.1:{}", place.port);
        ["serve", "--listen", &listen, "--data-dir", &data(place)].map(String::from).to_vec()
    },
    prepare: None,
    answers,
    container: None,
    install: "cargo build --release -p minibtree",
};

/// Theirs.
pub const POSTGRESQL: System = System {
    name: "PostgreSQL",
    flag: "postgresql",
    program: "postgres",
    folders: &[
        "/usr/lib/postgresql/18/bin",
        "/usr/lib/postgresql/17/bin",
        "/usr/lib/postgresql/16/bin",
        "/usr/lib/postgresql/15/bin",
    ],
    user: Some("postgres"),
    arguments: |place| {
        let (port, sockets) = (place.port.to_string(), place.directory.display().to_string());
        let words = ["-D", &data(place), "-p", &port, "-h", "127.0.0.1", "-k", &sockets];
        words.map(String::from).to_vec()
    },
    prepare: Some(initdb),
    answers,
    container: Some(Container {
        service: "postgresql",
        image_variable: "POSTGRESQL_IMAGE",
        image: "postgres:17",
    }),
    install: "apt-get install postgresql-15 (Debian; any version from 15 on), or a Docker engine, \
              or --postgresql ADDRESS:PORT of one that lets the user postgres in; pgbench and psql \
              are needed in any case",
};

/// How long `initdb` or a statement may take.
const LIMIT: Duration = Duration::from_secs(120);

fn data(place: &Place) -> String {
    place.directory.join("data").display().to_string()
}

fn initdb(program: &Path, place: &Place) -> Result<()> {
    let mut command = POSTGRESQL.command(&program.with_file_name("initdb"), &place.directory)?;
    command.args(["-D", &data(place), "-U", "postgres", "-A", "trust"]);
    command.args(["-E", "UTF8", "--locale=C"]);
    let output = process::run(&mut command, LIMIT)?;
    match output.success {
        true => Ok(()),
        false => Err(format!("initdb: {}{}", output.stdout, output.stderr).into()),
    }
}

/// Returns true if a server lets the user `postgres` in and is ready for a query.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<u8> {
        let limit = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        let parameters = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
        let length = (parameters.len() + 4) as u32;
        stream.write_all(&[&length.to_be_bytes(), &parameters[..]].concat())?;

        // AuthenticationOk, settings, the key for cancel requests, and ReadyForQuery at the end.
        loop {
            let mut head = [0; 5];
            stream.read_exact(&mut head)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
            let mut body = vec![0; (length as usize).clamp(4, 10_000) - 4];
            stream.read_exact(&mut body)?;
            if b"ZE".contains(&head[0]) {
                return Ok(head[0]);
            }
        }
    };
    ask().is_ok_and(|last| last == b'Z')
}

/// PostgreSQL's own client programs, used for both.
pub struct Tools {
    pgbench: PathBuf,
    psql: PathBuf,
}

impl Tools {
    /// Finds them in `$POSTGRESQL_HOME/bin`, on the PATH or in Debian's folders.
    pub fn find() -> Result<Tools> {
        let find = |name| {
            let missing = || format!("{name} is missing: {}", POSTGRESQL.install);
            POSTGRESQL.tool(name).ok_or_else(missing)
        };
        Ok(Tools { pgbench: find("pgbench")?, psql: find("psql")? })
    }

    /// For the report.
    pub fn describe(&self) -> String {
        let output = process::run(Command::new(&self.pgbench).arg("--version"), LIMIT);
        let version = output.map_or("unknown".into(), |output| output.stdout.trim().to_owned());
        format!("load tool: {version}, one thread, TCP")
    }

    /// What one run of pgbench prints to standard output and standard error.
    ///
    /// # Errors
    /// If it fails; a transaction that failed is a failure too.
    pub fn pgbench(&self, server: &Server, arguments: &str) -> Result<String> {
        let mut command = client(&self.pgbench, server);
        command.args(arguments.split(' ')).arg("postgres");
        let output = process::run(&mut command, LIMIT)?;
        let text = output.stdout + &output.stderr;
        match output.success && !text.contains("ERROR") {
            true => Ok(text),
            false => Err(format!("pgbench {arguments}: {}", text.trim()).into()),
        }
    }

    /// The result of a statement, as `psql -At` prints it.
    ///
    /// # Errors
    /// If the statement fails.
    pub fn sql(&self, server: &Server, statement: &str) -> Result<String> {
        let mut command = client(&self.psql, server);
        command.args(["-d", "postgres", "-XqAtc", statement]);
        let output = process::run(&mut command, LIMIT)?;
        match output.success {
            true => Ok(output.stdout.trim().to_owned()),
            false => Err(format!("{statement}: {}", output.stderr.trim()).into()),
        }
    }
}

fn client(program: &Path, server: &Server) -> Command {
    let mut command = Command::new(program);
    command.args(["-h", &server.address.ip().to_string()]);
    command.args(["-p", &server.address.port().to_string(), "-U", "postgres"]);
    command
}

/// Name, version and origin of a side, asked from a server of it.
pub fn identify(side: &Side, server: &Server, tools: &Tools) -> Identity {
    let version = match &side.source {
        Source::Program(path) if side.system.name == MINIBTREE.name => own_version(path),
        _ => tools.sql(server, "show server_version").ok(),
    };
    let started = match &side.source {
        Source::Given(address) => format!("found at {address}, with the settings of its owner"),
        Source::Docker { image, .. } => format!("Docker image {image}, host network"),
        Source::Program(path) => path.display().to_string(),
    };
    let (name, version) = (side.system.name.into(), version.unwrap_or("unknown".into()));
    Identity { name, version, allocator: "libc".into(), started }
}

/// What `minibtree --version` prints after the name.
fn own_version(program: &Path) -> Option<String> {
    let output = process::run(Command::new(program).arg("--version"), LIMIT).ok()?;
    output.stdout.split_whitespace().nth(1).map(str::to_owned)
}

/// The settings of the real system that figures depend on: `shared_buffers 128MB, fsync on, …`.
pub fn settings(server: &Server, tools: &Tools) -> String {
    let names = [
        "shared_buffers",
        "fsync",
        "synchronous_commit",
        "wal_sync_method",
        "full_page_writes",
        "max_wal_size",
        "autovacuum",
    ];
    let one = |name| {
        let value = tools.sql(server, &format!("show {name}"));
        format!("{name} {}", value.unwrap_or("unknown".into()))
    };
    format!("{}: {}", server.name, names.map(one).join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use minikit::harness::free_port;

    #[test]
    fn nobody_answers_at_a_free_port() {
        assert!(!answers(([127, 0, 0, 1], free_port()).into()));
    }
}
