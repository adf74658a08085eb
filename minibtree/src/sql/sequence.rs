//! Sequences: numbers that are handed out once.
//!
//! A rollback gives no number back, so a sequence cannot be a row that the transaction changes.
//! Each has a heap of its own, with one row: the number up to which numbers may be handed out. When
//! that is reached, a transaction of its own raises it by [`BATCH`] and commits; the numbers below
//! come from memory.
//!
//! ```text
//! heap          32          -> 64
//! handed out    1 2 .. 32      33
//! crash after 33: goes on with 65; numbers are lost, none is handed out twice
//! ```
//!
//! PostgreSQL's `sequence.c` logs 32 numbers at once in the same way (`SEQ_LOG_VALS`), but loses
//! none in a restart without a crash.

use super::row;
use super::values::{Type, Value};
use crate::engine::{Database, Isolation};
use crate::format::RelationId;
use crate::wire::{Result, SqlError, code};
use minikit::sync::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// How many numbers one commit reserves.
const BATCH: i64 = 32;

/// The sequences of a database.
pub struct Sequences {
    pub database: Arc<Database>,
    states: Mutex<HashMap<RelationId, State>>,
}

struct State {
    next: i64,
    limit: i64,
}

impl Sequences {
    /// Reads nothing yet: a sequence is read when its first number is asked for.
    pub fn new(database: Arc<Database>) -> Sequences {
        Sequences { database, states: Mutex::default() }
    }

    /// The next number. The sequence may be one that an uncommitted transaction has created. One
    /// call in 32 commits and waits for the log; `nextval` of all sequences waits meanwhile.
    ///
    /// # Errors
    /// That of `check` if it is no sequence, `2200H` at the end of `bigint`, those of the engine.
    pub fn next(&self, sequence: RelationId, check: impl FnOnce() -> Result<()>) -> Result<i64> {
        let mut states = self.states.lock();
        let state = match states.get(&sequence) {
            Some(state) if state.next <= state.limit => states.get_mut(&sequence),
            _ => {
                check()?;
                let (next, limit) = self.raise(sequence)?;
                states.insert(sequence, State { next, limit });
                states.get_mut(&sequence)
            }
        };
        let state = state.expect("it was there or inserted");
        state.next += 1;
        Ok(state.next - 1)
    }

    /// Raises the limit in the heap. Returns the first and the last number of the batch.
    fn raise(&self, sequence: RelationId) -> Result<(i64, i64)> {
        let heap = self.database.heap(sequence)?;
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        let mut rows = heap.scan(transaction.snapshot());
        let mut found = None;
        while let Some(row) = rows.next()? {
            let [Value::Int(limit)] = row::decode(&[Type::Int8], row.bytes)?[..] else {
                return Err(SqlError::new(code::DATA_CORRUPTED, "a sequence is damaged"));
            };
            found = Some((row.tid, limit));
        }
        drop(rows);

        let old = found.map_or(0, |it| it.1);
        let limit = old
            .checked_add(BATCH)
            .ok_or_else(|| SqlError::new("2200H", "nextval: reached maximum value of sequence"))?;
        let mut bytes = Vec::new();
        row::encode(&[Type::Int8], &[Value::Int(limit)], &mut bytes);
        match found {
            Some((tid, _)) => drop(heap.update(&mut transaction, tid, &bytes, true)?),
            None => drop(heap.insert(&mut transaction, &bytes)?),
        }
        transaction.commit()?;
        Ok((old + 1, limit))
    }
}
