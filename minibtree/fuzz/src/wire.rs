//! What a client sends after it has connected.
//!
//! The bytes are start-up packets and then the messages of a session. Each run has a database of
//! its own, and ends with a statement that must be answered.

use crate::server::new_client;
use minibtree::sql::Next;
use minibtree::wire::{Message, decode, decode_startup};

/// Decodes the bytes and handles the messages.
pub fn check(input: &[u8]) {
    let mut rest = input;
    while let Ok(Some((_, length))) = decode_startup(rest) {
        rest = &rest[length..];
    }

    let mut client = new_client();
    while let Ok(Some((message, length))) = decode(rest) {
        rest = &rest[length..];
        if client.handle(message).0 == Next::Close {
            return;
        }
    }

    // Whatever came before: a Sync, the end of a COPY and of the block, and the client is served.
    client.handle(Message::CopyFail("the end"));
    client.handle(Message::Sync);
    client.query("ROLLBACK");
    let replies = client.query("SELECT 42");
    assert!(replies.windows(2).any(|two| two == b"42"), "{}", replies.escape_ascii());
}
