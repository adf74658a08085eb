//! POC 69: a server dies, and comes back. Who notices, and what do retries do meanwhile?
//!
//! `cargo run --release -p minilb --example poc69_health_and_breakers`
//!
//! Virtual time, the engine of the proxy, and its configuration.

mod simulation;

use simulation::{Clients, Server, World, upstream};
use std::fmt::Write;

const SERVERS: &str = "server a:80; server b:80; server c:80;";

fn main() {
    match std::env::args().nth(1) {
        None => print!("{}", figures()),
        Some(_) => eprintln!("usage: poc69_health_and_breakers"),
    }
}

fn figures() -> String {
    format!("{}\n{}\n{}", dead_server(), retry_storm(), flapping())
}

/// A server is down from 5 s to 15 s.
fn dead_server() -> String {
    let mut text =
        "300 requests a second for 30 s; c refuses connections from 5 s to 15 s. Attempts \
                    that fail\n(each costs its client a retry), and when c gets its share again\n\n\
                    | what is configured | failed attempts | c is back after |\n|---|---|---|\n"
            .to_owned();
    let clients = Clients { rate: 300, timeout_ms: 1000, tries: 3, seed: 1 };
    for (name, directives, parameters, has_checks) in [
        ("max_fails=0", "", "max_fails=0", false),
        ("max_fails=1 fail_timeout=10s (default)", "", "", false),
        ("max_fails=1 fail_timeout=1s", "", "fail_timeout=1s", false),
        ("circuit_breaker open=5s", "circuit_breaker open=5s;", "", false),
        ("health_check interval=1s", "", "max_fails=0", true),
    ] {
        let config = format!("{directives} {}", SERVERS.replace(";", &format!(" {parameters};")));
        let mut world =
            World::new(&upstream(&config), Server::with(8, 10, 100), clients, has_checks);
        let (mut failed, mut back_s) = (0, None);
        for second in 0..30 {
            if second == 5 || second == 15 {
                world.set_down("c:80", second == 5);
            }
            let before = world.servers["c:80"].attempts;
            let tally = world.run(1000);
            failed += tally.attempts - tally.latencies_ms.len() as u64;
            let is_back = second >= 15 && world.servers["c:80"].attempts - before >= 95;
            back_s = back_s.or(is_back.then_some(second - 15));
        }
        let back = back_s.map_or("-".to_owned(), |it| format!("{it} s"));
        writeln!(text, "| {name} | {failed} | {back} |").expect("a string takes all");
    }
    text
}

/// A short overload, with and without a budget.
// ANCHOR: storm
fn retry_storm() -> String {
    let mut text = "240 requests a second; each server can do 100. c is down from 2 s to 5 s.\n\
                    Attempts, and requests that failed, by second\n\n"
        .to_owned();
    let clients = Clients { rate: 240, timeout_ms: 200, tries: 3, seed: 1 };
    for directive in ["", "circuit_breaker consecutive=0 retries=20%;"] {
        let config = upstream(&format!("{directive} {}", SERVERS.replace(";", " max_fails=0;")));
        let mut world = World::new(&config, Server::with(1, 10, 30), clients, false);
        let (mut attempts, mut failed) = (String::new(), String::new());
        for second in 0..16 {
            if second == 2 || second == 5 {
                world.set_down("c:80", second == 2);
            }
            let tally = world.run(1000);
            write!(attempts, "{:>4}", tally.attempts).expect("a string takes all");
            write!(failed, "{:>4}", tally.failed).expect("a string takes all");
        }
        let name = if directive.is_empty() { "tries=3" } else { "tries=3, retries=20%" };
        writeln!(text, "{name:<22}attempts{attempts}\n{:<22}failed  {failed}", "")
            .expect("a string takes all");
    }
    text
}
// ANCHOR_END: storm

/// A server that is down every other two seconds.
fn flapping() -> String {
    let mut text = "c is down for two seconds of every four, for two minutes: failed attempts in\n\
                    each half minute\n\n\
                    | what is configured | 1st | 2nd | 3rd | 4th |\n|---|---|---|---|---|\n"
        .to_owned();
    let clients = Clients { rate: 300, timeout_ms: 1000, tries: 3, seed: 1 };
    for (name, directives, parameters) in [
        ("max_fails=1 fail_timeout=1s", "", "fail_timeout=1s"),
        ("circuit_breaker consecutive=1 open=1s", "circuit_breaker consecutive=1 open=1s;", ""),
    ] {
        let config = format!("{directives} {}", SERVERS.replace(";", &format!(" {parameters};")));
        let mut world = World::new(&upstream(&config), Server::with(8, 10, 100), clients, false);
        write!(text, "| {name} |").expect("a string takes all");
        for half_minute in 0..4 {
            let mut failed = 0;
            for second in half_minute * 30..half_minute * 30 + 30 {
                if second % 2 == 0 {
                    world.set_down("c:80", second % 4 == 0);
                }
                let tally = world.run(1000);
                failed += tally.attempts - tally.latencies_ms.len() as u64;
            }
            write!(text, " {failed} |").expect("a string takes all");
        }
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    /// The page includes this file; `UPDATE_GOLDEN=1` records it anew.
    #[test]
    fn the_output_is_the_recorded_one() {
        super::simulation::check_recorded("poc69_health_and_breakers.txt", &super::figures());
    }
}
