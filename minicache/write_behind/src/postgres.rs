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
//! is executed again finds its own number. A higher one is of another server: the put is rejected,
//! and so is a delete that leaves a row.
//!
//! No counterpart in Redis; Hazelcast's `GenericMapStore` makes such statements.

use crate::queue::{Failure, Operation};
use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type, accepts, to_sql_checked};
use postgres::{Client, Config, Error, NoTls, Transaction, error::SqlState};
use std::error::Error as StdError;
use std::time::Duration;

/// How long the database may be silent before the connection counts as broken.
const PATIENCE: Duration = Duration::from_secs(10);
/// Ends a statement earlier than that, so that a retry does not wait for its locks. One that waits
/// for a lock of others ends even earlier, with another error: it is not slow.
const STATEMENT_TIMEOUT: &str = "set statement_timeout = '8s'; set lock_timeout = '7s'";
/// How often in a row a statement for one key may time out, before it is rejected.
const TIMEOUTS_MAX: u32 = 5;

/// A database, and the tables that keys belong to.
pub struct Postgres {
    config: Config,
    /// Prefixes of keys, each with its table.
    tables: Vec<(Vec<u8>, String)>,
    client: Option<Client>,
    /// How often in a row the statement for one key has timed out.
    timeouts: u32,
}

/// Bytes as the value of a column of text or bytes. Both have them as they are.
#[derive(Debug)]
struct Raw<'a>(&'a [u8]);

impl ToSql for Raw<'_> {
    fn to_sql(
        &self,
        column: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.0.to_sql(column, out)
    }

    accepts!(TEXT, VARCHAR, BPCHAR, BYTEA);
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
        Ok(Postgres { config, tables, client: None, timeouts: 0 })
    }

    /// Writes a batch in one transaction. Connects first if the last one has failed.
    ///
    /// # Errors
    /// What the queue is to do. The log says why.
    pub fn write(&mut self, batch: &[Operation]) -> Result<(), Failure> {
        let result = self.transact(batch);
        let slow = Some(&SqlState::QUERY_CANCELED);
        let is_slow = batch.len() == 1 && result.as_ref().is_err_and(|it| it.code() == slow);
        self.timeouts = if is_slow { self.timeouts % TIMEOUTS_MAX + 1 } else { 0 };

        let (is_rejected, why) = match result {
            Ok(None) => return Ok(()),
            Ok(Some(why)) => (true, why.to_owned()),
            Err(error) => {
                // The text of the error alone is "db error".
                let source = error.source().map_or(String::new(), |it| format!(": {it}"));
                let is_rejected = self.timeouts == TIMEOUTS_MAX || is_rejected(&error);
                (is_rejected, format!("{error}{source}"))
            }
        };
        if !is_rejected {
            self.client = None;
            tracing::warn!("write-behind: {why}");
            return Err(Failure::Unavailable);
        }
        // The queue looks for the one that is at fault.
        if let [one] = batch {
            tracing::error!("write-behind: {} is rejected: {why}", one.key.escape_ascii());
        }
        Err(Failure::Rejected)
    }

    /// Returns why the batch is rejected, if it is. Then nothing is written.
    fn transact(&mut self, batch: &[Operation]) -> Result<Option<&'static str>, Error> {
        let client = match &mut self.client {
            Some(client) => client,
            empty => {
                let mut client = self.config.connect(NoTls)?;
                client.batch_execute(STATEMENT_TIMEOUT)?;
                empty.insert(client)
            }
        };
        let mut transaction = client.transaction()?;
        let (mut is_newest, mut unbound) = (true, batch.len());
        for (prefix, table) in &self.tables {
            let operations = batch.iter().filter(|it| it.key.starts_with(prefix));
            let (puts, deletes) = operations.partition::<Vec<_>, _>(|it| it.value.is_some());
            is_newest &= upsert(&mut transaction, table, &puts)?;
            is_newest &= delete(&mut transaction, table, &deletes)?;
            unbound -= puts.len() + deletes.len();
        }

        // Dropping a transaction rolls it back.
        match (unbound, is_newest) {
            (0, true) => transaction.commit().map(|()| None),
            (0, false) => Ok(Some("the row has a higher number: one server writes to a table")),
            _ => Ok(Some("no table for this key")),
        }
    }
}

/// A row that violates a constraint or does not fit will not do better the next time. A table that
/// is missing may be there then.
fn is_rejected(error: &Error) -> bool {
    let class = error.code().and_then(|state| state.code().get(..2));
    // Data exception, integrity constraint violation, program limit exceeded, raised by a trigger.
    matches!(class, Some("22" | "23" | "54" | "P0"))
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
    let parameters = columns
        .iter()
        .flat_map(|(key, value, sequence)| [key as &(dyn ToSql + Sync), value, sequence]);
    let parameters = parameters.collect::<Vec<_>>();
    let row = |at: usize| format!("(${}, ${}, ${})", 3 * at + 1, 3 * at + 2, 3 * at + 3);
    let rows = (0..puts.len()).map(row).collect::<Vec<_>>().join(", ");

    let sql = format!(
        "insert into {table} (key, value, sequence) values {rows} on conflict (key) do update \
         set value = excluded.value, sequence = excluded.sequence \
         where {table}.sequence <= excluded.sequence"
    );
    Ok(to.execute(&sql, &parameters)? == puts.len() as u64)
}
// ANCHOR_END: upsert

/// Returns false if a row has a higher number.
fn delete(to: &mut Transaction<'_>, table: &str, deletes: &[&Operation]) -> Result<bool, Error> {
    for Operation { key, sequence, .. } in deletes {
        let sql = format!("delete from {table} where key = $1 and sequence < $2");
        let deleted = to.execute(&sql, &[&Raw(key), &(*sequence as i64)])?;
        let sql = format!("select 1 from {table} where key = $1");
        if deleted == 0 && to.query_opt(&sql, &[&Raw(key)])?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}
