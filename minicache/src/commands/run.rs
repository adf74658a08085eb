//! Whole pipelines, in place.
//!
//! A client that sends sixteen commands in one packet wants sixteen replies in one. [`run`]
//! executes every complete request of what was read, straight from the read buffer into the reply
//! buffer: no copy of an argument, no task per command, one look at the clock, one write. At 16
//! commands a read the two system calls cost each of them 0.5 instead of 8 µs, which is all the
//! speed there is to pipelining.

use super::execute::Executor;
use crate::engine::session::Session;
use crate::wire::reply::Reply;
use crate::wire::request::{Found, Limits, Parser};
use std::sync::atomic::Ordering;

/// Replies of this many bytes are sent before the next request is looked at, so that a pipeline of
/// requests for long values meets `client-output-buffer-limit` between two of them and not after
/// all.
pub const REPLIES_MAX: usize = 1 << 20;

/// Executes the requests at the start of `input` until one is incomplete, must wait, or ends the
/// conversation, or until [`REPLIES_MAX`] bytes of replies have come together. Returns how many
/// bytes of `input` are done with; the rest must be there again, with more behind it, at the next
/// call.
pub fn run(
    executor: &mut Executor,
    session: &mut Session,
    parser: &mut Parser,
    input: &[u8],
    out: &mut Reply,
) -> usize {
    let bulk_max = executor.store.rules.settings.proto_max_bulk_len as i64;
    let mut done = 0;
    // `CLIENT LIST` shows the requests being executed as still to be read, its own among them.
    session.client.figures.input_bytes.store(input.len(), Ordering::Relaxed);
    while !session.closing
        && session.waiting.is_none()
        && !session.rules_changed
        && out.len() < REPLIES_MAX
    {
        let rest = &input[done..];
        match parser.next(rest, Limits { bulk_max, trusted: session.trusted }) {
            Found::Request { length } => {
                let args = parser.args(rest);
                if !args.is_empty() {
                    session.held_until_ms = executor.held_up(session, args);
                    if session.held_until_ms.is_some() {
                        break;
                    }
                    executor.execute(session, args, out);
                }
                done += length;
            }
            Found::Incomplete => break,
            Found::Invalid(why) => {
                executor.count_error("ERR");
                out.error(&format!("ERR Protocol error: {why}"));
                session.closing = true;
            }
        }
    }
    session.publish_figures();
    executor.store.release();
    done
}
