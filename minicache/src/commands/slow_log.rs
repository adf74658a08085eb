//! The slow log: commands that took longer than `slowlog-log-slower-than`, the latest first
//! (`slowlog.c`).
//!
//! ```text
//! KEYS * took 12 ms     { id: 4, took_us: 12034, args: [KEYS, *], address: 127.0.0.1:5 }
//! ```
//!
//! At most 32 arguments of 128 bytes are stored per command, as in Redis.

use super::{secrets::redacted, session::Session};
use crate::engine::timestamp::Timestamp;
use crate::wire::request::Args;
use minikit::sync::Mutex;
use std::collections::VecDeque;

/// Arguments kept of one command.
const ARGUMENTS_MAX: usize = 32;
const ARGUMENT_MAX: usize = 128;

#[derive(Clone)]
pub struct SlowCommand {
    /// Counts up and is not reset by `SLOWLOG RESET`.
    pub id: u64,
    /// Unix seconds.
    pub at: i64,
    pub took_us: u64,
    pub args: Vec<Vec<u8>>,
    /// The address of the client that sent it.
    pub address: Box<str>,
    pub name: Box<[u8]>,
}

#[derive(Default)]
struct Log {
    latest_first: VecDeque<SlowCommand>,
    next: u64,
}

/// The log; `slowlog-max-len` entries at most.
#[derive(Default)]
pub struct SlowLog {
    log: Mutex<Log>,
}

impl SlowLog {
    /// Adds a command, and removes the oldest beyond `len_max`.
    pub fn note(
        &self,
        session: &Session,
        args: Args,
        now: Timestamp,
        took_us: u64,
        len_max: usize,
    ) {
        let mut log = self.log.lock();
        let slow = SlowCommand {
            id: log.next,
            at: now.ms / 1000,
            took_us,
            args: abridged(redacted(args).as_args()),
            address: session.client.address.clone(),
            name: session.client.about().name,
        };
        log.next += 1;
        log.latest_first.push_front(slow);
        log.latest_first.truncate(len_max);
    }

    pub fn latest(&self, count: usize) -> Vec<SlowCommand> {
        self.log.lock().latest_first.iter().take(count).cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.log.lock().latest_first.len()
    }

    pub fn clear(&self) {
        self.log.lock().latest_first.clear();
    }
}

fn abridged(args: Args) -> Vec<Vec<u8>> {
    let kept = if args.len() > ARGUMENTS_MAX { ARGUMENTS_MAX - 1 } else { args.len() };
    let mut shown: Vec<Vec<u8>> = args.iter().take(kept).map(cut).collect();
    if args.len() > kept {
        shown.push(format!("... ({} more arguments)", args.len() - kept).into_bytes());
    }
    shown
}

fn cut(argument: &[u8]) -> Vec<u8> {
    if argument.len() <= ARGUMENT_MAX {
        return argument.to_vec();
    }
    let mut shown = argument[..ARGUMENT_MAX].to_vec();
    shown.extend_from_slice(
        format!("... ({} more bytes)", argument.len() - ARGUMENT_MAX).as_bytes(),
    );
    shown
}
