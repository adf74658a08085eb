//! `minicache explain`: the bytes of a frame or an entry.
//!
//! ```text
//! $ minicache explain frame INCR n
//! 0000  2a 32 0d 0a                *2\r\n      a request of 2 arguments
//! 0004  24 34 0d 0a                $4\r\n        4 bytes follow
//! 0008  49 4e 43 52 0d 0a          INCR\r\n        the command: Adds one to an integer, …
//! 000e  24 31 0d 0a                $1\r\n        1 byte follows
//! 0012  6e 0d 0a                   n\r\n           a key (RW, access, update)
//! An empty server answers:
//! 0000  3a 31 0d 0a                :1\r\n      integer
//! 1 whole frame, 4 bytes.
//! ```
//!
//! * [`frame`] and [`request`]: RESP, byte by byte, up to the first byte that is wrong.
//! * [`simulation`]: what a server answers to it.
//! * [`bytes`]: an entry in the slab, and a listpack.
//! * [`dump`]: hexdumps of what the parsers find.
//! * [`race`]: `minicache race`, the eviction policies on a trace.
//!
//! All are functions from bytes to text. Redis has no counterpart; `DEBUG LISTPACK` and
//! `redis-cli --bigkeys` show a part of it.

mod bytes;
mod dump;
mod frame;
pub mod race;
mod request;
mod simulation;

use crate::engine::timestamp::Timestamp;
use crate::format::words;
use crate::wire;
use std::{ffi::OsString, io::Read, os::unix::ffi::OsStringExt, path::PathBuf};

/// What to explain.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum ExplainArgs {
    /// A RESP frame, byte by byte: a command, or bytes from a file or standard input
    Frame(FrameArgs),
    /// The bytes of a key and its value in the slab
    Entry {
        /// The key
        #[arg(allow_negative_numbers = true)]
        key: OsString,
        /// The value, a string
        #[arg(allow_negative_numbers = true)]
        value: OsString,
        /// Seconds to live
        #[arg(value_name = "TTL")]
        ttl: Option<u32>,
    },
    /// The bytes of a short list in memory
    Listpack {
        /// Its elements
        #[arg(value_name = "ELEMENT", allow_negative_numbers = true)]
        elements: Vec<OsString>,
    },
}

/// The source of a frame, and its direction.
#[derive(clap::Args, Clone, Debug)]
pub struct FrameArgs {
    /// The bytes are in this file; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The bytes themselves, with \r \n \t \xHH and \" for what cannot be typed
    #[arg(long, value_name = "BYTES", conflicts_with = "file")]
    bytes: Option<OsString>,
    /// It goes to the server [default: by the first byte]
    #[arg(long, conflicts_with = "reply")]
    request: bool,
    /// It comes from the server [default: by the first byte]
    #[arg(long)]
    reply: bool,
    /// A command as one types it; without any, bytes are read from standard input
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    #[arg(conflicts_with_all = ["file", "bytes"])]
    command: Vec<OsString>,
}

/// The explanation, as whole lines. `now` is the time that the simulated server sees.
///
/// # Errors
/// If the bytes cannot be read, or there are none.
pub fn explain(args: ExplainArgs, now: Timestamp) -> Result<String, String> {
    match args {
        ExplainArgs::Frame(args) => explain_frame(args, now),
        ExplainArgs::Entry { key, value, ttl } => {
            bytes::entry(&key.into_vec(), &value.into_vec(), ttl, now)
        }
        ExplainArgs::Listpack { elements } => {
            let elements: Vec<_> = elements.into_iter().map(OsString::into_vec).collect();
            bytes::listpack(&elements)
        }
    }
}

fn explain_frame(args: FrameArgs, now: Timestamp) -> Result<String, String> {
    let is_command = !args.command.is_empty();
    let bytes = bytes_of(&args)?;
    if bytes.is_empty() {
        return Err("no bytes, so nothing to explain".into());
    }
    let is_request = is_command || args.request || (!args.reply && looks_like_request(&bytes));
    Ok(match is_request {
        true => request::explain(&bytes, now),
        false => frame::explain(&bytes),
    })
}

fn bytes_of(args: &FrameArgs) -> Result<Vec<u8>, String> {
    if !args.command.is_empty() {
        let words: Vec<&[u8]> = args.command.iter().map(|it| it.as_encoded_bytes()).collect();
        return Ok(wire::request::encode(&words));
    }
    if let Some(text) = &args.bytes {
        return unescaped(text.as_encoded_bytes());
    }
    match args.file.as_deref().filter(|path| path.as_os_str() != "-") {
        Some(path) => {
            std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        }
        None => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes);
            read.map(|_| bytes).map_err(|error| format!("cannot read standard input: {error}"))
        }
    }
}

/// Text as between double quotes in a command.
fn unescaped(text: &[u8]) -> Result<Vec<u8>, String> {
    let quoted = [b"\"", text, b"\""].concat();
    match words::split(&quoted).as_deref() {
        Some([word]) => Ok(word.clone()),
        _ => Err("write a quote as \\\" and a backslash as \\\\".into()),
    }
}

/// Returns true if the bytes are an array of bulk strings, or a line that cannot start a reply.
fn looks_like_request(bytes: &[u8]) -> bool {
    match bytes.first() {
        Some(b'*') => {
            let line_end = bytes.iter().position(|byte| *byte == b'\n');
            line_end.is_none_or(|end| matches!(bytes.get(end + 1), None | Some(b'$')))
        }
        Some(first) => !b"+-:$_#,(!=~%>|".contains(first),
        None => false,
    }
}
