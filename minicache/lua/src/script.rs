//! A script: its text, its name, and what its first line declares.
//!
//! ```text
//! EVAL "#!lua flags=no-writes\nreturn 1" 0
//!     sha     "2f3e…"         of the whole text
//!     flags   no_writes       from the first line
//!     source  "\nreturn 1"    what is compiled: lines keep their numbers
//! ```

use sha1::{Digest, Sha1};

/// The text of a script.
pub struct Script {
    /// The SHA-1 of its text, in hexadecimal.
    pub sha: String,
    text: Box<[u8]>,
    /// What its first line declares, if that is `#!lua …`.
    pub flags: Option<Flags>,
}

/// What a script promises and asks for.
#[derive(Clone, Copy, Default)]
pub struct Flags {
    /// It calls no command that writes.
    pub no_writes: bool,
    /// It may run when memory is short.
    pub allow_oom: bool,
}

impl Script {
    /// Reads a script with its first line (`evalExtractShebangFlags`).
    ///
    /// # Errors
    /// What Redis says about a first line that it does not know.
    pub fn new(text: &[u8]) -> Result<Script, String> {
        let mut script = Script { sha: sha1_hex(text), text: text.into(), flags: None };
        if !text.starts_with(b"#!") {
            return Ok(script);
        }
        let Some(end) = text.iter().position(|byte| *byte == b'\n') else {
            return Err("ERR Invalid script shebang".to_string());
        };
        let line: String = text[..end].iter().map(|byte| char::from(*byte)).collect();
        let mut words = line.split(' ');
        let engine = words.next().unwrap_or_default();
        if engine != "#!lua" {
            return Err(format!("ERR Unexpected engine in script shebang: {engine}"));
        }
        let flags = script.flags.insert(Flags::default());
        for word in words {
            let Some(list) = word.strip_prefix("flags=") else {
                return Err(format!("ERR Unknown lua shebang option: {word}"));
            };
            for flag in list.split(',') {
                match flag {
                    "no-writes" => flags.no_writes = true,
                    "allow-oom" => flags.allow_oom = true,
                    // About replicas and clusters, which the host does not have.
                    "allow-stale" | "no-cluster" | "allow-cross-slot-keys" => {}
                    _ => return Err(format!("ERR Unexpected flag in script shebang: {flag}")),
                }
            }
        }
        Ok(script)
    }

    /// The bytes of its text.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The text that is compiled. The end of the first line stays, so that lines keep their
    /// numbers.
    pub(crate) fn source(&self) -> &[u8] {
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
