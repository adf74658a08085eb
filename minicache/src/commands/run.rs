//! Whole pipelines, in place.
//!
//! A client that sends sixteen commands in one packet wants sixteen replies in one. [`run`]
//! executes every complete request of what was read, straight from the read buffer into the reply
//! buffer: no copy of an argument, no task per command, one look at the clock, one write. At 16
//! commands a read the two system calls cost each of them 0.5 instead of 8 µs, which is most of the
//! gain of pipelining.
//!
//! The rest is memory. Among 100,000 keys the bucket and the entry of the next one are in no fast
//! cache, and a processor that reads them one after the other waits for each:
//!
//! ```text
//! one by one    GET a [bucket..][entry..]  GET b [bucket..][entry..]  GET c …
//! prefetched    [a's, b's, c's … buckets..][their entries..]  GET a  GET b  GET c …
//! ```
//!
//! So requests that arrived together are [parsed](crate::wire::pipeline) together, and the entries
//! of their keys are [prefetched](Keyspace::prefetch) before the first is executed: of sixteen, or
//! with several threads of eight, whose shards stay locked meanwhile.

use super::execute::Executor;
use crate::commands::session::Session;
#[cfg(doc)]
use crate::engine::keyspace::Keyspace;
use crate::engine::store::shard::PREFETCH_MAX;
use crate::wire::request::{Args, Found, Limits, Parser};
use crate::wire::{pipeline::Pipeline, reply::Reply};
use std::sync::atomic::Ordering;

/// Replies of this many bytes are sent before the next request is parsed, so that a pipeline of
/// requests for long values meets `client-output-buffer-limit` between two requests.
pub const REPLIES_MAX: usize = 1 << 20;

/// How many requests are prefetched for at once with several shards. Theirs are locked until the
/// last of the requests is done, and other cores may want them.
const AMONG_SHARDS: usize = 8;

/// Executes the requests at the start of `input`. Stops at a request that is incomplete, blocks, or
/// closes the connection; after [`REPLIES_MAX`] bytes of replies; and after a command that slept or
/// changed the configuration. Returns the number of bytes consumed. The next call must pass the
/// other bytes again, followed by what has arrived since.
pub fn run(
    executor: &mut Executor,
    session: &mut Session,
    parser: &mut Parser,
    input: &[u8],
    out: &mut Reply,
) -> usize {
    session.ends_batch = false;
    // `CLIENT LIST` shows the requests being executed as still to be read, its own among them.
    session.client.figures.input_bytes.store(input.len(), Ordering::Relaxed);
    let mut done = 0;
    while done < input.len() && goes_on(session, out) {
        let rest = &input[done..];
        // Prefetching pays only if several requests arrived together.
        let mut length = if done > 0 { run_plain(executor, session, rest, out) } else { 0 };
        if length == 0 {
            length = run_any(executor, session, parser, rest, out);
        }
        if length == 0 {
            break;
        }
        done += length;
    }
    session.publish_figures();
    executor.keyspace.release();
    done
}

fn goes_on(session: &Session, out: &Reply) -> bool {
    !session.closing && !session.ends_batch && session.waiting.is_none() && out.len() < REPLIES_MAX
}

/// Executes the plain requests at the start of `input` until one changes how the next is parsed.
/// Returns the number of bytes consumed.
fn run_plain(
    executor: &mut Executor,
    session: &mut Session,
    input: &[u8],
    out: &mut Reply,
) -> usize {
    let authenticated = session.authenticated;
    let pipeline = Pipeline::find(input, authenticated);
    let is_shared = executor.cache.shards.len() > 1;
    let look_ahead = if is_shared { AMONG_SHARDS } else { PREFETCH_MAX };
    let (mut hashes, mut hashed, mut next) = ([0; PREFETCH_MAX], 0, 0);
    let mut prefetched = 0;

    let mut done = 0;
    for (index, (args, end)) in pipeline.iter().enumerate() {
        if !goes_on(session, out) || session.authenticated != authenticated {
            break;
        }
        if index == prefetched && index + 1 < pipeline.iter().len() {
            let ahead = pipeline.iter().skip(index).take(look_ahead);
            let keys = ahead.filter_map(|(args, _)| args.get(1));
            hashed = executor.keyspace.prefetch(session.db, keys, &mut hashes);
            next = 0;
            prefetched += look_ahead;
        }

        // Requests without an argument 1 have no hash, so the hashes are dealt out one by one.
        executor.key_hash = None;
        if next < hashed && args.len() > 1 {
            executor.key_hash = Some(hashes[next]);
            next += 1;
        }
        if !execute(executor, session, args, out) {
            break;
        }
        done = end;
    }
    executor.key_hash = None;
    done
}

/// Executes the request at the start of `input`, if it is complete. Returns how many bytes it has,
/// or 0.
fn run_any(
    executor: &mut Executor,
    session: &mut Session,
    parser: &mut Parser,
    input: &[u8],
    out: &mut Reply,
) -> usize {
    let bulk_max = executor.settings.proto_max_bulk_len as i64;
    match parser.next(input, Limits { bulk_max, authenticated: session.authenticated }) {
        Found::Request { length } => {
            let args = parser.args(input);
            if args.is_empty() || execute(executor, session, args, out) { length } else { 0 }
        }
        Found::Incomplete => 0,
        Found::Invalid(why) => {
            executor.cache.stats.totals.count_error("ERR");
            out.error(&format!("ERR Protocol error: {why}"));
            session.closing = true;
            0
        }
    }
}

/// Executes one request, unless `CLIENT PAUSE` delays it. Returns true if it was executed.
#[inline]
fn execute(executor: &mut Executor, session: &mut Session, args: Args, out: &mut Reply) -> bool {
    session.held_until_ms = executor.paused_until(session, args);
    if session.held_until_ms.is_some() {
        return false;
    }
    executor.execute(session, args, out);
    true
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Fixture, words};
    use crate::wire::request::Args;

    fn request(line: &str) -> Vec<u8> {
        let owned = words(&line.split(' ').map(str::as_bytes).collect::<Vec<_>>());
        let args: Args = owned.as_args();
        let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
        for argument in args.iter() {
            bytes.extend(format!("${}\r\n{}\r\n", argument.len(), argument.escape_ascii()).bytes());
        }
        bytes
    }

    /// All kinds of requests in a row: unauthenticated, in a transaction, inline, of another
    /// database, longer than any that is prefetched, and at last an invalid one.
    fn conversation() -> Vec<u8> {
        let long = "x".repeat(20_000);
        let lines = [
            "GET a",
            "AUTH secret",
            "SET a 1",
            "HELLO 3",
            "HGETALL none",
            "MULTI",
            "INCR a",
            "SET b 2",
            "EXEC",
            &format!("SET long {long}"),
            "STRLEN long",
            "SELECT 1",
            "GET a",
            "CLIENT REPLY SKIP",
            "SET a 5",
            "GET a",
            "MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8 i 9 j 10",
            "MGET a b c d e f g h i j",
            "RESET",
            "GET a",
        ];
        let mut bytes: Vec<u8> = lines.iter().flat_map(|line| request(line)).collect();
        bytes.extend(b"AUTH secret\r\n\r\n*0\r\nget a\r\n");
        bytes.extend((0..40).flat_map(|number| request(&format!("SET key:{number} v"))));
        bytes.extend((0..40).flat_map(|number| request(&format!("GET key:{number}"))));
        bytes.extend(b"*1\r\n:1\r\n");
        bytes.extend(request("GET never"));
        bytes
    }

    #[test]
    fn replies_do_not_depend_on_how_requests_arrive() {
        let bytes = conversation();
        let replies = |shards, piece_bytes| {
            let mut fixture = Fixture::sharded(shards, &[("requirepass", "secret")]);
            fixture.session("a").authenticated = false;
            let replies = fixture.converse("a", &bytes, piece_bytes);
            assert!(fixture.session("a").closing);
            String::from_utf8(replies).expect("all of it is text")
        };
        let whole = replies(1, bytes.len());
        assert!(whole.starts_with("-NOAUTH "), "{whole}");
        assert!(whole.ends_with("-ERR Protocol error: expected '$', got ':'\r\n"), "{whole}");
        for piece_bytes in [1, 2, 3, 7, 16, 100, 1000, 10_000] {
            assert_eq!(replies(1, piece_bytes), whole, "{piece_bytes} bytes at a time");
        }
        assert_eq!(replies(16, 64), whole);
    }
}
