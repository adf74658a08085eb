//! What a server answers: a simulation with the real engine and an empty cache, without sockets.
//!
//! ```text
//! bytes ─> Cache::new (one shard, defaults) ─> run, as for any client ─> replies ─> explained
//! ```
//!
//! No rule of the protocol is repeated here, so the answer cannot differ from the server's.

use super::{dump::count, frame};
use crate::commands::{Executor, cache::Cache, run::run, session::Session, stats::Identity};
use crate::conf::Config;
use crate::engine::timestamp::Timestamp;
use crate::wire::{reply::Reply, request::Parser};
use std::sync::atomic::AtomicUsize;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Simulation {
    replies: Vec<u8>,
    /// Bytes of an incomplete request.
    pending: usize,
    blocked: bool,
    closes: bool,
}

/// Sends bytes to an empty server.
fn simulate(bytes: &[u8], now: Timestamp) -> Simulation {
    let identity = Identity {
        run_id: "0".repeat(40),
        started_ms: now.ms,
        port: AtomicUsize::new(0),
        config_file: String::new(),
    };
    let cache = Cache::new(1, 1, Config::default(), identity);
    let address = "127.0.0.1:0".to_string();
    let client = cache.registry.clients.enter(address.clone(), address, now.ms);
    let mut session = Session::new(client, true);
    let config = cache.config.snapshot();
    let mut executor = Executor::new(&cache, &cache.stats.counters[0], &config, now, || 0);
    let (mut parser, mut out) = (Parser::default(), Reply::default());
    let (mut replies, mut done) = (Vec::new(), 0);
    loop {
        let more = run(&mut executor, &mut session, &mut parser, &bytes[done..], &mut out);
        replies.append(out.buffer());
        done += more;
        if more == 0 || done == bytes.len() || session.closing || session.waiting.is_some() {
            break;
        }
    }
    Simulation {
        replies,
        pending: bytes.len() - done,
        blocked: session.waiting.is_some(),
        closes: session.closing,
    }
}

/// The outcome in words, and the replies byte by byte.
pub fn explain(bytes: &[u8], now: Timestamp) -> String {
    let Simulation { replies, pending, blocked, closes } = simulate(bytes, now);
    let end = if closes { ", and closes the connection" } else { "" };
    let mut text = match replies.is_empty() {
        true => format!("An empty server answers nothing{end}.\n"),
        false => format!("An empty server answers{end}:\n{}", frame::explain(&replies)),
    };
    if blocked {
        text += "The last command waits for another client.\n";
    } else if pending > 0 && !closes {
        text += &format!("It keeps {} and waits for more.\n", count(pending, "byte"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp { ms: 1_800_000_000_000, us: 0 };

    #[test]
    fn the_answers_are_the_servers() {
        let simulated = |bytes: &[u8]| {
            let Simulation { replies, pending, blocked, closes } = simulate(bytes, NOW);
            (String::from_utf8(replies).unwrap(), pending, blocked, closes)
        };
        let text = |text: &str| text.to_string();
        assert_eq!(simulated(b"INCR n\nINCR n\nGE"), (text(":1\r\n:2\r\n"), 2, false, false));
        assert_eq!(simulated(b"BLPOP l 0\nPING\n"), (text(""), 5, true, false));
        assert_eq!(simulated(b"QUIT\n"), (text("+OK\r\n"), 0, false, true));
        let (replies, _, _, closes) = simulated(b"*1\r\n:4\r\n");
        assert_eq!(
            (replies.as_str(), closes),
            ("-ERR Protocol error: expected '$', got ':'\r\n", true)
        );
        let (replies, ..) = simulated(b"DEBUG SLEEP 60\n");
        assert!(replies.starts_with("-ERR DEBUG command not allowed"), "{replies}");
    }
}
