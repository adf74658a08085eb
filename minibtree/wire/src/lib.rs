//! PostgreSQL's protocol, version 3.0, without I/O: bytes to messages, replies to bytes.
//!
//! Every message after the start-up packet is a letter, a length that counts itself, and a body.
//! This is one `pgbench -S -M prepared` round trip. The client sends four messages at once:
//!
//! ```
//! use minibtree_wire::{Message, Target, decode};
//!
//! let batch = b"B\0\0\0\x1a\0P_0\0\0\0\0\x01\0\0\0\x0573122\0\x01\0\0\
//!     D\0\0\0\x06P\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04";
//! let (bind, length) = decode(batch)?.expect("complete");
//! assert!(matches!(bind, Message::Bind(bind) if bind.parameters == [Some(&b"73122"[..])]));
//! let (describe, _) = decode(&batch[length..])?.expect("complete");
//! assert_eq!(describe, Message::Describe(Target::Portal, ""));
//!
//! // A message that has not arrived in full is not an error.
//! assert!(decode(&batch[..10])?.is_none());
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! and the server answers `2 T D C Z` in one write.
//!
//! | file | what it is |
//! |---|---|
//! | `frontend.rs` | what clients send |
//! | `backend.rs` | what the server sends |
//! | `scram.rs` | the proof of a password |
//!
//! PostgreSQL's chapter "Frontend/Backend Protocol"; `libpq/pqformat.c` and `tcop/postgres.c`.
//! Not supported: TLS and GSSAPI (answered with `N`), passwords in the clear and as MD5, function
//! calls, replication, COPY in binary.

mod backend;
mod frontend;
pub mod scram;

pub use backend::{Authentication, Field, Replies, Row, TransactionStatus, format_of};
pub use frontend::{Bind, Message, Startup, Target, decode, decode_sasl, decode_startup, given};
pub use minibtree_types::error::{Result, Severity, SqlError, code};
pub use minibtree_types::values::Format;
