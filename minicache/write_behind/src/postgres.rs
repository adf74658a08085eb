//! Batches as statements of PostgreSQL, or of minibtree.
//!
//! Keys with a prefix are rows of a table. It has to have these columns; `value` and `key` may be
//! `bytea`, for bytes that are not UTF-8:
//!
//! ```text
//! create table users (key text primary key, value text, sequence bigint not null)
//!
//! SET user:1 Ada, DEL user:2     begin
//!                                insert into users .. ('user:1', 'Ada', 7) on conflict .. update
//!                                delete from users where key = 'user:2' and sequence < 8
//!                                commit
//! ```
//!
//! **Why is a deleted row not kept, with its number?** An older insert that is executed late would
//! find nothing to compare its number with, and the key would be back. But there is none. A
//! connection that breaks before `commit` was sent leaves a transaction that is rolled back. One
//! that breaks after it leaves a transaction that has already locked all its rows. The next batch
//! has the same keys, since none of them counts as written, and waits for those locks. A put that
//! is executed again finds its own number. A higher one is of another server: the put is rejected.
//!
//! No counterpart in Redis; Hazelcast's `GenericMapStore` makes such statements.

use crate::queue::{Failure, Operation};
use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, Error, NoTls, Transaction};
use std::error::Error as StdError;
use std::fmt::Write as _;
use std::time::Duration;

/// How long the database may be silent before the connection counts as broken.
const PATIENCE: Duration = Duration::from_secs(10);
/// Ends a statement earlier than that, so that a retry does not wait for its locks.
const STATEMENT_TIMEOUT: &str = "set statement_timeout = '8s'";

/// A database, and the tables that keys belong to.
pub struct Postgres {
    config: Config,
    /// Prefixes of keys, each with its table.
    tables: Vec<(Vec<u8>, String)>,
    client: Option<Client>,
}

/// Bytes as the value of a column of text or bytes. Both have them as they are.
#[derive(Debug)]
struct Raw<'a>(&'a [u8]);

impl ToSql for Raw<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.extend_from_slice(self.0);
        Ok(IsNull::No)
    }

    fn accepts(column: &Type) -> bool {
        [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::BYTEA].contains(column)
    }

    to_sql_checked!();
}

impl Postgres {
    /// A database that is connected to when there is something to write. `url` is as in libpq:
    /// `postgresql://user@host/database`, or `host=… user=… dbname=…`.
    ///
    /// # Errors
    /// If `url` is none.
    pub fn new(url: &str, tables: Vec<(Vec<u8>, String)>) -> Result<Postgres, Error> {
        let mut config: Config = url.parse()?;
        config.connect_timeout(PATIENCE).tcp_user_timeout(PATIENCE).keepalives_idle(PATIENCE);
        Ok(Postgres { config, tables, client: None })
    }

    /// Writes a batch in one transaction. Connects first if the last one has failed.
    ///
    /// # Errors
    /// What the queue is to do, and why.
    pub fn write(&mut self, batch: &[Operation]) -> Result<(), (Failure, String)> {
        let is_bound =
            |it: &Operation| self.tables.iter().any(|(prefix, _)| it.key.starts_with(prefix));
        if !batch.iter().all(is_bound) {
            return Err((Failure::Rejected, "no table for this key".to_owned()));
        }
        let is_newest = self.transact(batch).map_err(|error| {
            let failure = failure(&error);
            if failure == Failure::Unavailable {
                self.client = None;
            }
            // The text of the error alone is "db error".
            let source = error.source().map_or(String::new(), |it| format!(": {it}"));
            (failure, format!("{error}{source}"))
        })?;
        let why = "the row has a higher number: only one server may write to a table";
        if is_newest { Ok(()) } else { Err((Failure::Rejected, why.to_owned())) }
    }

    /// Returns false, and writes nothing, if a row has a higher number.
    fn transact(&mut self, batch: &[Operation]) -> Result<bool, Error> {
        let client = match &mut self.client {
            Some(client) => client,
            empty => {
                let mut client = self.config.connect(NoTls)?;
                client.batch_execute(STATEMENT_TIMEOUT)?;
                empty.insert(client)
            }
        };
        let mut transaction = client.transaction()?;
        let mut is_newest = true;
        for (prefix, table) in &self.tables {
            let operations = batch.iter().filter(|it| it.key.starts_with(prefix));
            let (puts, deletes) = operations.partition::<Vec<_>, _>(|it| it.value.is_some());
            is_newest &= upsert(&mut transaction, table, &puts)?;
            delete(&mut transaction, table, &deletes)?;
        }
        if is_newest {
            transaction.commit()?; // otherwise dropping it rolls it back
        }
        Ok(is_newest)
    }
}

/// A row that violates a constraint or does not fit will not do better the next time. A table that
/// is missing may be there then.
fn failure(error: &Error) -> Failure {
    match error.code().and_then(|state| state.code().get(..2)) {
        // Data exception, integrity constraint violation, program limit exceeded, raised by a
        // trigger.
        Some("22" | "23" | "54" | "P0") => Failure::Rejected,
        _ => Failure::Unavailable,
    }
}

// ANCHOR: upsert
fn upsert(to: &mut Transaction<'_>, table: &str, puts: &[&Operation]) -> Result<bool, Error> {
    if puts.is_empty() {
        return Ok(true);
    }
    let columns = puts.iter().map(|it| {
        let value = it.value.as_deref().unwrap_or_default();
        (Raw(&it.key), Raw(value), it.sequence as i64)
    });
    let columns = columns.collect::<Vec<_>>();
    let mut rows = String::new();
    let mut parameters = Vec::<&(dyn ToSql + Sync)>::new();
    for (key, value, sequence) in &columns {
        let (comma, at) = (if rows.is_empty() { "" } else { ", " }, parameters.len());
        let _ = write!(rows, "{comma}(${}, ${}, ${})", at + 1, at + 2, at + 3);
        parameters.extend([key as &(dyn ToSql + Sync), value, sequence]);
    }

    let sql = format!(
        "insert into {table} (key, value, sequence) values {rows} on conflict (key) do update \
         set value = excluded.value, sequence = excluded.sequence \
         where {table}.sequence <= excluded.sequence"
    );
    Ok(to.execute(&sql, &parameters)? == puts.len() as u64)
}
// ANCHOR_END: upsert

fn delete(to: &mut Transaction<'_>, table: &str, deletes: &[&Operation]) -> Result<(), Error> {
    for Operation { key, sequence, .. } in deletes {
        let sql = format!("delete from {table} where key = $1 and sequence < $2");
        to.execute(&sql, &[&Raw(key), &(*sequence as i64)])?;
    }
    Ok(())
}
