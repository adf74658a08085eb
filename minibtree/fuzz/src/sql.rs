//! Statements of any text.
//!
//! They are executed one after the other, as a Query, and then two statements whose answers are
//! known. An input that damaged a table, or left the session in a state of its own, would change
//! them.

use crate::server::{new_client, rows};
use minibtree::wire::Message;

/// Executes the statements.
pub fn check(input: &[u8]) {
    let Ok(sql) = std::str::from_utf8(input) else { return };
    // A zero byte ends the text of a Query.
    if sql.contains('\0') {
        return;
    }

    let mut client = new_client();
    // Most inputs are rolled back, which runs faster than to commit them.
    client.query("BEGIN");
    client.query(sql);
    client.handle(Message::CopyFail("there is no data"));
    client.query("ROLLBACK");

    let replies = client.query("SELECT 40 + 2");
    assert!(replies.windows(2).any(|two| two == b"42"), "{}", replies.escape_ascii());
    // Whatever was committed before an error, an index finds what a scan finds.
    let by_index = client.query("SELECT id FROM t WHERE id = 2");
    let by_scan = client.query("SELECT id FROM t WHERE id + 0 = 2");
    assert_eq!(rows(&by_index), rows(&by_scan));
}
