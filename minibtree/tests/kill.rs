//! `kill -9` while clients run pgbench's `tpcb-like`, over and over.
//!
//! A transaction adds one delta to an account, a teller and the branch, and writes it to the
//! history. So four sums are equal whatever committed, and the history says what did:
//!
//! ```text
//! four clients   BEGIN .. END, BEGIN .. END, ..     37 acknowledged by COMMIT
//! kill -9                                           each can have one more that it did not hear of
//! restart        sums equal, 37 to 41 rows in the history
//! ```
//!
//! `KILLS=50 cargo test -p minibtree --test kill` takes longer. `tests/crashes.rs` cuts the power
//! at every byte instead; here the process, its threads and the real file system take part.
#![cfg(all(not(loom), feature = "server"))]

use minikit::harness::{Scratch, Server, free_port};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const CLIENTS: u64 = 4;
const TELLERS: u64 = 10;
/// About 2 MB, twice the pool: pages are written while the load runs.
const ACCOUNTS: u64 = 20_000;

#[test]
fn sums_are_equal_after_every_kill() {
    let kills = std::env::var("KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(4);
    let data = Scratch::new("minibtree-kill").expect("a writable directory");
    let mut server = Server::start("minibtree", command(&data));
    load(&server).expect("an empty database");

    let mut acknowledged = 0;
    for kill in 0..kills {
        let committed = AtomicU64::new(0);
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (server, committed) = (&server, &committed);
                scope.spawn(move || run_until_killed(server, kill * CLIENTS + client, committed));
            }
            // At another moment each time.
            let wanted = 20 + 37 * kill;
            minikit::harness::wait_until("commits", || committed.load(Ordering::SeqCst) >= wanted);
            server.program.signal(minikit::harness::Signal::KILL);
        });
        server.restart();

        let mut client = Client::connect(&server).expect("recovered");
        let sums = [
            "sum(abalance) from pgbench_accounts",
            "sum(tbalance) from pgbench_tellers",
            "sum(bbalance) from pgbench_branches",
            "sum(delta) from pgbench_history",
        ];
        let sums = sums.map(|it| client.query(&format!("select {it}")).expect("an answer"));
        assert!(sums.iter().all(|sum| *sum == sums[0]), "kill {kill}: {sums:?}");

        let history = client.query("select count(*) from pgbench_history").expect("an answer");
        let history: u64 = history.parse().expect("a count");
        acknowledged += committed.into_inner();
        let unheard = 0..=CLIENTS * (kill + 1);
        assert!(unheard.contains(&(history - acknowledged)), "{history} of {acknowledged}");
    }
}

fn command(data: &Scratch) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minibtree"));
    command.args(["serve", "--shared-buffers", "1", "--data-dir"]).arg(data.path().join("data"));
    command.arg("--listen").arg(format!("127.0.0.1:{}", free_port()));
    command
}

fn load(server: &Server) -> io::Result<()> {
    let mut client = Client::connect(server)?;
    for table in [
        "pgbench_branches (bid int primary key, bbalance int)",
        "pgbench_tellers (tid int primary key, bid int, tbalance int)",
        "pgbench_accounts (aid int primary key, bid int, abalance int, filler char(84))",
        "pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp)",
    ] {
        client.query(&format!("create table {table}"))?;
    }
    client.query("insert into pgbench_branches values (1, 0)")?;
    let rows =
        |count: u64, row: fn(u64) -> String| (1..=count).map(row).collect::<Vec<_>>().join(", ");
    let tellers = rows(TELLERS, |tid| format!("({tid}, 1, 0)"));
    client.query(&format!("insert into pgbench_tellers values {tellers}"))?;
    let accounts = rows(ACCOUNTS, |aid| format!("({aid}, 1, 0, '')"));
    client.query(&format!("insert into pgbench_accounts values {accounts}"))?;
    Ok(())
}

/// Runs transactions until the connection breaks, and counts those that were acknowledged.
fn run_until_killed(server: &Server, seed: u64, committed: &AtomicU64) {
    let Ok(mut client) = Client::connect(server) else { return };
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while transaction(&mut client, &mut random).is_ok() {
        committed.fetch_add(1, Ordering::SeqCst);
    }
}

fn transaction(client: &mut Client, random: &mut u64) -> io::Result<()> {
    let mut below = |limit: u64| {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        *random % limit
    };
    let (aid, tid, delta) = (1 + below(ACCOUNTS), 1 + below(TELLERS), below(10_001) as i64 - 5_000);
    for statement in [
        "begin".to_owned(),
        format!("update pgbench_accounts set abalance = abalance + {delta} where aid = {aid}"),
        format!("select abalance from pgbench_accounts where aid = {aid}"),
        format!("update pgbench_tellers set tbalance = tbalance + {delta} where tid = {tid}"),
        format!("update pgbench_branches set bbalance = bbalance + {delta} where bid = 1"),
        format!(
            "insert into pgbench_history (tid, bid, aid, delta, mtime) \
             values ({tid}, 1, {aid}, {delta}, current_timestamp)"
        ),
        "end".to_owned(),
    ] {
        client.query(&statement)?;
    }
    Ok(())
}

/// The simple protocol, as far as it is needed here.
struct Client(TcpStream);

impl Client {
    fn connect(server: &Server) -> io::Result<Client> {
        let mut stream = TcpStream::connect(&server.address)?;
        stream.set_nodelay(true)?;
        let parameters = b"\0\x03\0\0user\0postgres\0\0";
        stream.write_all(&(parameters.len() as u32 + 4).to_be_bytes())?;
        stream.write_all(parameters)?;
        let mut client = Client(stream);
        client.until_ready()?;
        Ok(client)
    }

    /// The first value of the last row, or nothing. An error of the server fails the test: only
    /// the connection may break.
    fn query(&mut self, sql: &str) -> io::Result<String> {
        let length = (sql.len() as u32 + 5).to_be_bytes();
        self.0.write_all(&[b"Q", &length[..], sql.as_bytes(), b"\0"].concat())?;
        self.until_ready()
    }

    fn until_ready(&mut self) -> io::Result<String> {
        let mut value = String::new();
        loop {
            let mut head = [0; 5];
            self.0.read_exact(&mut head)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut body = vec![0; length - 4];
            self.0.read_exact(&mut body)?;
            match head[0] {
                b'Z' => return Ok(value),
                b'E' => panic!("{}", body.escape_ascii()),
                // Columns (2 bytes), length of the first one (4 bytes), its text.
                b'D' if body[2..6] != [0xff; 4] => {
                    let length = u32::from_be_bytes([body[2], body[3], body[4], body[5]]) as usize;
                    value = String::from_utf8_lossy(&body[6..6 + length]).into_owned();
                }
                _ => {}
            }
        }
    }
}
