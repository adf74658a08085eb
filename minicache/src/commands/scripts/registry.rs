//! The cache of scripts: their texts by SHA-1 (`lctx.lua_scripts` in `eval.c`), and what the one
//! that runs has done.
//!
//! Redis 7.0 keeps every script until `SCRIPT FLUSH`; programs that build a new text for each call
//! fill its memory. Here the oldest is forgotten ([`SCRIPTS_MAX`]):
//!
//! ```text
//! 5,001 × EVAL "return 1 -- n"    the first text is forgotten
//! EVALSHA of the first            NOSCRIPT, and the client sends the text again
//! ```

use minicache_lua::Script;
use minikit::sync::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Scripts in the cache, and the bytes of all. Beyond that the oldest is forgotten: its next
/// `EVALSHA` gets `NOSCRIPT`, upon which every client library sends the script itself.
const SCRIPTS_MAX: usize = 5000;
const SCRIPT_BYTES_MAX: usize = 32 << 20;

/// The part of the server that is about scripts.
#[derive(Default)]
pub struct Scripts {
    cached: Mutex<Cached>,
    /// True while a script runs, paused or not.
    pub running: AtomicBool,
    /// True once the running script has called a command that writes.
    pub has_written: AtomicBool,
    /// Set by `SCRIPT KILL`.
    pub killed: AtomicBool,
}

#[derive(Default)]
struct Cached {
    scripts: HashMap<String, Arc<Script>>,
    oldest_first: VecDeque<String>,
    bytes: usize,
    version: u64,
}

impl Scripts {
    /// The script of a SHA-1, in any case.
    pub fn find(&self, sha: &[u8]) -> Option<Arc<Script>> {
        let sha = String::from_utf8(sha.to_ascii_lowercase()).ok()?;
        self.cached.lock().scripts.get(&sha).cloned()
    }

    /// Adds a script, and forgets the oldest beyond the limits.
    pub fn add(&self, script: Arc<Script>) {
        let mut cached = self.cached.lock();
        cached.bytes += script.bytes();
        cached.oldest_first.push_back(script.sha.clone());
        if let Some(same) = cached.scripts.insert(script.sha.clone(), script) {
            cached.bytes -= same.bytes();
            cached.oldest_first.pop_back();
        }
        while cached.scripts.len() > SCRIPTS_MAX || cached.bytes > SCRIPT_BYTES_MAX {
            let Some(oldest) = cached.oldest_first.pop_front() else { break };
            let removed = cached.scripts.remove(&oldest);
            cached.bytes -= removed.map_or(0, |script| script.bytes());
        }
    }

    /// The number of scripts, and the bytes of their texts.
    pub fn size(&self) -> (usize, usize) {
        let cached = self.cached.lock();
        (cached.scripts.len(), cached.bytes)
    }

    /// Counts `SCRIPT FLUSH`.
    pub fn version(&self) -> u64 {
        self.cached.lock().version
    }

    /// Forgets all scripts.
    pub fn flush(&self) {
        let mut cached = self.cached.lock();
        *cached = Cached { version: cached.version + 1, ..Cached::default() };
    }
}
