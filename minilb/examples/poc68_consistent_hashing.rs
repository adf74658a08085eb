//! POC 68: how many keys move when a server is added, and what about the key that everybody wants?
//!
//! `cargo run --release -p minilb --example poc68_consistent_hashing`

mod simulation;

use minilb::engine::upstream::{Attempts, Outcome, Upstream};
use simulation::upstream;
use std::collections::BTreeMap;
use std::fmt::Write;

const KEYS: usize = 10_000;
const METHODS: [&str; 3] = ["hash $uri;", "hash $uri consistent;", "hash $uri maglev;"];

fn main() {
    match std::env::args().nth(1) {
        None => print!("{}", figures()),
        Some(_) => eprintln!("usage: poc68_consistent_hashing"),
    }
}

fn figures() -> String {
    let mut text = format!(
        "{KEYS} keys on ten servers, then an eleventh; the least possible is {}\n\n\
         | method | smallest share | largest share | moved |\n|---|---|---|---|\n",
        KEYS / 11
    );
    for method in METHODS {
        let (ten, eleven) = (place(method, 10, None), place(method, 11, None));
        let shares = shares(&ten);
        let (least, most) = (shares.values().min(), shares.values().max());
        let moved = ten.iter().zip(&eleven).filter(|(one, other)| one != other).count();
        let name = method.trim_end_matches(';');
        let (least, most) = (least.expect("ten servers"), most.expect("ten servers"));
        writeln!(text, "| {name} | {least} | {most} | {moved} |").expect("a string takes all");
    }

    text += "\nThe third server fails: where its keys go, and how many others move\n\n\
             | method | its keys | go to servers | others moved |\n|---|---|---|---|\n";
    for method in METHODS {
        let (well, failed) = (place(method, 10, None), place(method, 10, Some("c")));
        let of_c = well.iter().zip(&failed).filter(|(it, _)| *it == "c").map(|it| it.1);
        let (count, heirs) = (of_c.clone().count(), shares(of_c).len());
        let others = well.iter().zip(&failed).filter(|(it, now)| *it != "c" && it != now).count();
        let name = method.trim_end_matches(';');
        writeln!(text, "| {name} | {count} | {heirs} | {others} |").expect("a string takes all");
    }

    text += "\n100 open requests for one key, on five servers\n\n\
             | balance_factor | requests on each server, most first |\n|---|---|\n";
    for factor in ["", " balance_factor=200", " balance_factor=150", " balance_factor=125"] {
        let config = format!("hash $uri consistent{factor}; {}", servers(5));
        let mut world = Upstream::new(&upstream(&config));
        for _ in 0..100 {
            let mut attempts = Attempts::default();
            attempts.key().extend_from_slice(b"popular");
            world.pick(&mut attempts, 0).expect("all are well");
        }
        let mut conns = world.peers().map(|it| it.conns).collect::<Vec<_>>();
        conns.sort_unstable_by_key(|it| std::cmp::Reverse(*it));
        let factor = factor.trim_start_matches(" balance_factor=");
        let factor = if factor.is_empty() { "none" } else { factor };
        writeln!(text, "| {factor} | {conns:?} |").expect("a string takes all");
    }
    text
}

fn servers(count: usize) -> String {
    let names = ('a'..='z').take(count);
    names.map(|it| format!("server {it}:80 max_fails=0;")).collect()
}

/// The server of each key.
// ANCHOR: place
fn place(method: &str, count: usize, refusing: Option<&str>) -> Vec<String> {
    let mut upstream = Upstream::new(&upstream(&format!("{method} {}", servers(count))));
    let one = |number: usize| {
        let mut attempts = Attempts::default();
        attempts.key().extend_from_slice(format!("/page/{number}").as_bytes());
        loop {
            let mut picked = upstream.pick(&mut attempts, 0).expect("one is left");
            let peer = upstream.peers().find(|it| it.id == picked.id).expect("just picked");
            let name = peer.name.split(':').next().unwrap_or_default().to_owned();
            let is_refused = refusing == Some(&name);
            let outcome = if is_refused { Outcome::Failed } else { Outcome::Finished };
            upstream.release(&mut picked, outcome, 0);
            if !is_refused {
                return name;
            }
        }
    };
    (0..KEYS).map(one).collect()
}
// ANCHOR_END: place

fn shares<'a>(names: impl IntoIterator<Item = &'a String>) -> BTreeMap<&'a str, usize> {
    let mut shares = BTreeMap::new();
    names.into_iter().for_each(|it| *shares.entry(it.as_str()).or_default() += 1);
    shares
}

#[cfg(test)]
mod tests {
    /// The page includes this file; `UPDATE_GOLDEN=1` records it anew.
    #[test]
    fn the_output_is_the_recorded_one() {
        super::simulation::check_recorded("poc68_consistent_hashing.txt", &super::figures());
    }
}
