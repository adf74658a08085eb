//! redis-rs against the server at HOST PORT: blocking and asynchronous, RESP2 and RESP3.

mod containers;
mod harness;
mod keyspace;
mod sessions;

use std::process::ExitCode;

use harness::{Client, Url, run};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(host), Some(port)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: minicache-client-redis-rs HOST PORT");
        return ExitCode::from(2);
    };
    let mut behaviors = [sessions::ALL, keyspace::ALL, containers::ALL].concat();
    behaviors.sort_by_key(|(number, _)| *number);
    let mut failures = 0;
    for (is_async, protocol) in [(false, 2), (false, 3), (true, 2), (true, 3)] {
        let address = format!("{host}:{port}");
        let url = Url { address, protocol, is_async, database: 0, password: "" };
        match Client::connect(&url) {
            Ok(mut client) => failures += run(&mut client, &behaviors),
            Err(error) => {
                println!("  no connection: {error}");
                failures += 1;
            }
        }
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
