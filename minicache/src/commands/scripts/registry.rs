//! The cache of scripts: their texts by SHA-1 (`lctx.lua_scripts` in `eval.c`), and what the one
//! that runs has done.
//!
//! ```text
//! EVAL "#!lua flags=no-writes\nreturn 1" 0
//!     sha     "2f3e…"         of the whole text
//!     flags   no_writes       from the first line
//!     source  "\nreturn 1"    what is compiled: lines keep their numbers
//! ```
//!
//! Redis 7.0 keeps every script until `SCRIPT FLUSH`; programs that build a new text for each call
//! fill its memory. Here the oldest is forgotten ([`SCRIPTS_MAX`]).

use crate::engine::error::Error;
use minikit::sync::Mutex;
use sha1::{Digest, Sha1};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Scripts in the cache, and the bytes of all. Beyond that the oldest is forgotten: its next
/// `EVALSHA` gets `NOSCRIPT`, upon which every client library sends the script itself.
const SCRIPTS_MAX: usize = 5000;
const SCRIPT_BYTES_MAX: usize = 32 << 20;
/// A script in the cache.
pub struct Script {
    /// The SHA-1 of its text, in hexadecimal.
    pub sha: String,
    text: Box<[u8]>,
    /// What its first line declares, if that is `#!lua …`.
    pub flags: Option<ScriptFlags>,
}

/// What a script promises and asks for.
#[derive(Clone, Copy, Default)]
pub struct ScriptFlags {
    /// It calls no command that writes.
    pub no_writes: bool,
    /// It may run when memory is short.
    pub allow_oom: bool,
}

impl Script {
    /// Reads a script with its first line (`evalExtractShebangFlags`).
    pub fn new(text: &[u8]) -> Result<Script, Error> {
        let refused = |why: String| Error::text(format!("ERR {why}"));
        let mut script = Script { sha: sha1_hex(text), text: text.into(), flags: None };
        if !text.starts_with(b"#!") {
            return Ok(script);
        }
        let Some(end) = text.iter().position(|byte| *byte == b'\n') else {
            return Err(Error::new("ERR Invalid script shebang"));
        };
        let line: String = text[..end].iter().map(|byte| char::from(*byte)).collect();
        let mut words = line.split(' ');
        let engine = words.next().unwrap_or_default();
        if engine != "#!lua" {
            return Err(refused(format!("Unexpected engine in script shebang: {engine}")));
        }
        let flags = script.flags.insert(ScriptFlags::default());
        for word in words {
            let Some(list) = word.strip_prefix("flags=") else {
                return Err(refused(format!("Unknown lua shebang option: {word}")));
            };
            for flag in list.split(',') {
                match flag {
                    "no-writes" => flags.no_writes = true,
                    "allow-oom" => flags.allow_oom = true,
                    // About replicas and clusters, which do not exist here.
                    "allow-stale" | "no-cluster" | "allow-cross-slot-keys" => {}
                    _ => {
                        return Err(refused(format!("Unexpected flag in script shebang: {flag}")));
                    }
                }
            }
        }
        Ok(script)
    }

    /// The text that is compiled. The end of the first line stays, so that lines keep their
    /// numbers.
    pub fn source(&self) -> &[u8] {
        match (self.flags, self.text.iter().position(|byte| *byte == b'\n')) {
            (Some(_), Some(end)) => &self.text[end..],
            _ => &self.text,
        }
    }
}

/// The SHA-1 of a text, in hexadecimal.
pub fn sha1_hex(text: &[u8]) -> String {
    Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

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
        cached.bytes += script.text.len();
        cached.oldest_first.push_back(script.sha.clone());
        if let Some(same) = cached.scripts.insert(script.sha.clone(), script) {
            cached.bytes -= same.text.len();
            cached.oldest_first.pop_back();
        }
        while cached.scripts.len() > SCRIPTS_MAX || cached.bytes > SCRIPT_BYTES_MAX {
            let Some(oldest) = cached.oldest_first.pop_front() else { break };
            let removed = cached.scripts.remove(&oldest);
            cached.bytes -= removed.map_or(0, |script| script.text.len());
        }
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
