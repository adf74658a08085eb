//! POC 67: what does a slow server cost under each method?
//!
//! `cargo run --release -p minilb --example poc67_least_connections`
//!
//! Four servers, one of them ten times slower, in virtual time and with the engine of the proxy.

mod simulation;

use simulation::{Clients, Server, World, upstream};
use std::fmt::Write;

const CLIENTS: Clients = Clients { rate: 300, timeout_ms: 5000, tries: 1, seed: 1 };
const SERVERS: &str = "server a:80; server b:80; server c:80; server d:80;";

fn main() {
    match std::env::args().nth(1) {
        None => print!("{}", figures()),
        Some(_) => eprintln!("usage: poc67_least_connections"),
    }
}

fn figures() -> String {
    let mut text = "300 requests a second for 20 seconds; d takes 100 ms, the others 10 ms\n\n\
                    | method | p50 | p99 | a | b | c | d |\n|---|---|---|---|---|---|---|\n"
        .to_owned();
    for method in ["", "least_conn;", "random two;", "least_time header;", "random;"] {
        let mut world = world(method);
        world.servers.get_mut("d:80").expect("there").takes_ms = 100;
        let tally = world.run(20_000);
        let name = if method.is_empty() { "round robin" } else { method.trim_end_matches(';') };
        let (p50, p99) = (tally.percentile(50), tally.percentile(99));
        let share = |it: &Server| format!(" {} |", it.attempts);
        let shares = world.servers.values().map(share).collect::<String>();
        writeln!(text, "| {name} | {p50} ms | {p99} ms |{shares}").expect("a string takes all");
    }

    text += "\nd was down for 5 seconds and is back at 5 s, with cold caches: its first 100\n\
             requests take ten times as long. Requests that it gets, by second, and the slowest\n\
             1 % of all\n\n| method | 6 | 7 | 8 | 9 | 10 | p99 |\n|---|---|---|---|---|---|---|\n";
    for (method, slow_start) in [("", ""), ("", "slow_start=5s"), ("least_conn;", "")] {
        let servers = SERVERS.replace(";", &format!(" {slow_start} fail_timeout=1s;"));
        let mut world = World::new(&upstream(&format!("{method} {servers}")), SERVER, BUSY, false);
        world.servers.get_mut("d:80").expect("there").cold_requests = 100;
        world.set_down("d:80", true);
        world.run(5000);
        world.set_down("d:80", false);
        let mut row = format!("| {} |", name(method, slow_start));
        let (mut before, mut latencies) = (world.servers["d:80"].attempts, Vec::new());
        for _ in 0..5 {
            latencies.extend(world.run(1000).latencies_ms);
            let now = world.servers["d:80"].attempts;
            write!(row, " {} |", now - before).expect("a string takes all");
            before = now;
        }
        latencies.sort_unstable();
        let p99 = latencies[latencies.len() * 99 / 100];
        writeln!(text, "{row} {p99} ms |").expect("a string takes all");
    }
    text
}

// ANCHOR: world
const SERVER: Server = Server::with(4, 10, 1000);
const BUSY: Clients = Clients { rate: 1000, timeout_ms: 5000, tries: 2, seed: 1 };

fn world(method: &str) -> World {
    World::new(&upstream(&format!("{method} {SERVERS}")), SERVER, CLIENTS, false)
}
// ANCHOR_END: world

fn name(method: &str, slow_start: &str) -> String {
    let method = if method.is_empty() { "round robin" } else { method.trim_end_matches(';') };
    if slow_start.is_empty() { method.to_owned() } else { format!("{method}, {slow_start}") }
}

#[cfg(test)]
mod tests {
    /// The page includes this file; `UPDATE_GOLDEN=1` records it anew.
    #[test]
    fn the_output_is_the_recorded_one() {
        super::simulation::check_recorded("poc67_least_connections.txt", &super::figures());
    }
}
