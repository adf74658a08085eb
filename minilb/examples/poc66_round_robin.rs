//! POC 66: what does a weight mean?
//!
//! `cargo run --release -p minilb --example poc66_round_robin`
//!
//! Two ways to give `a` five requests of seven. `--against HOST:PORT` sends fourteen requests to a
//! real proxy, minilb or NGINX, whose servers answer with their names.

mod simulation;

use minilb::engine::upstream::{Attempts, Outcome, Upstream};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;

const WEIGHTS: &str = "server a:80 weight=5; server b:80; server c:80;";

fn main() {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--against", address] => println!("{}", against(address)),
        [] => print!("{}", figures()),
        _ => eprintln!("usage: poc66_round_robin [--against HOST:PORT]"),
    }
}

fn figures() -> String {
    let mut text = "Weights 5, 1, 1: fourteen requests\n\n".to_owned();
    let naive = naive(&[("a", 5), ("b", 1), ("c", 1)], 14);
    let smooth = picks(&mut Upstream::new(&simulation::upstream(WEIGHTS)), 14, "");
    for (name, sequence) in [("naive", &naive), ("smooth", &smooth)] {
        writeln!(text, "{name:<8}{}  longest run {}", sequence.join(" "), longest_run(sequence))
            .expect("a string takes all");
    }

    text += "\nHow the smooth one gets there: each pick adds the weights, the largest pays 7\n\n";
    text += "pick  taken  current weights after it\n";
    let mut upstream = Upstream::new(&simulation::upstream(WEIGHTS));
    for number in 1..=7 {
        let taken = picks(&mut upstream, 1, "").concat();
        let current = upstream.peers().map(|it| format!("{:>3}", it.current_weight));
        writeln!(text, "{number:<6}{taken:<7}{}", current.collect::<String>())
            .expect("a string takes all");
    }

    text += "\n| weights | naive: longest run | smooth: longest run |\n|---|---|---|\n";
    for weights in [[5, 1, 1], [10, 10, 1], [100, 1, 1]] {
        let names = [("a", weights[0]), ("b", weights[1]), ("c", weights[2])];
        let servers = names.map(|(name, weight)| format!("server {name}:80 weight={weight};"));
        let mut upstream = Upstream::new(&simulation::upstream(&servers.concat()));
        let total = weights.iter().sum::<usize>() * 2;
        let smooth = longest_run(&picks(&mut upstream, total, ""));
        let naive = longest_run(&self::naive(&names, total));
        let [a, b, c] = weights;
        writeln!(text, "| {a}, {b}, {c} | {naive} | {smooth} |").expect("a string takes all");
    }

    text += "\n`b` refuses connections (max_fails=1 fail_timeout=10s), a request each second\n\n";
    let mut upstream = Upstream::new(&simulation::upstream(WEIGHTS));
    let with_failures = picks(&mut upstream, 28, "b");
    writeln!(text, "{}", with_failures.join(" ")).expect("a string takes all");
    text
}

/// As many turns in a row as the weight says.
// ANCHOR: naive
fn naive(weights: &[(&str, usize)], count: usize) -> Vec<String> {
    let turns = weights.iter().flat_map(|(name, weight)| vec![(*name).to_owned(); *weight]);
    turns.collect::<Vec<_>>().into_iter().cycle().take(count).collect()
}
// ANCHOR_END: naive

/// The servers of requests that come once per second; `!b` is a failed attempt.
// ANCHOR: smooth
fn picks(upstream: &mut Upstream, count: usize, refusing: &str) -> Vec<String> {
    let mut taken = Vec::new();
    for second in 0..count as u64 {
        let mut attempts = Attempts::default();
        let mut names = String::new();
        while let Some(mut picked) = upstream.pick(&mut attempts, second * 1000) {
            let peer = upstream.peers().find(|it| it.id == picked.id).expect("just picked");
            let name = peer.name.split(':').next().unwrap_or_default().to_owned();
            let outcome = if name == refusing { Outcome::Failed } else { Outcome::Finished };
            upstream.release(&mut picked, outcome, second * 1000);
            names += &if outcome == Outcome::Failed { format!("!{name}") } else { name };
            if outcome == Outcome::Finished || upstream.begin_retry(&attempts).is_err() {
                break;
            }
        }
        taken.push(names);
    }
    taken
}
// ANCHOR_END: smooth

fn longest_run(sequence: &[String]) -> usize {
    sequence.chunk_by(|one, other| one == other).map(<[_]>::len).max().unwrap_or(0)
}

/// The last words of fourteen answers of a real proxy.
fn against(address: &str) -> String {
    let answers = (0..14).map(|_| {
        let mut stream = TcpStream::connect(address).ok()?;
        let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer.split_whitespace().next_back()?.to_owned())
    });
    answers.map(|it| it.unwrap_or("-".to_owned())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    /// The page includes this file; `UPDATE_GOLDEN=1` records it anew.
    #[test]
    fn the_output_is_the_recorded_one() {
        super::simulation::check_recorded("poc66_round_robin.txt", &super::figures());
    }
}
