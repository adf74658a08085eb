//! Whole databases: `DBSIZE`, `FLUSHDB`, `FLUSHALL`, `SWAPDB` (`db.c`).

use super::Call;
use crate::commands::connection::database;
use crate::engine::error::{Answer, Error};
use crate::engine::{store::contents::Contents, store::shard::Shard, tracking::Change};
use crate::format::number::parse_i64;

pub fn dbsize(c: &mut Call) -> Answer {
    let db = c.keyspace.db;
    c.out.answer_count(c.keyspace.shards().map(|(_, shard)| shard.len(db)).sum())
}

/// `FLUSHDB [ASYNC | SYNC]`
pub fn flushdb(c: &mut Call) -> Answer {
    let lazily = is_lazy(c)?;
    let (db, now_ms) = (c.keyspace.db, c.keyspace.now.ms);
    c.keyspace.touch_database(db, None);
    flush(c, lazily, |shard| shard.clear(db, now_ms));
    c.out.answer_ok()
}

/// `FLUSHALL [ASYNC | SYNC]`
pub fn flushall(c: &mut Call) -> Answer {
    let lazily = is_lazy(c)?;
    for db in 0..c.settings.databases as usize {
        c.keyspace.touch_database(db, None);
    }
    flush(c, lazily, Shard::clear_all);
    if c.settings.saves {
        c.cache.stats.note_save(c.keyspace.now.ms);
    }
    c.out.answer_ok()
}

/// Returns true if another thread frees the values.
fn is_lazy(c: &Call) -> Result<bool, Error> {
    match c.args.len() {
        1 => Ok(c.settings.lazyfree_lazy_user_flush),
        2 if c.is(1, "async") => Ok(true),
        2 if c.is(1, "sync") => Ok(false),
        _ => Err(Error::SYNTAX),
    }
}

fn flush(c: &mut Call, lazily: bool, clear: impl Fn(&mut Shard) -> Contents) {
    let (cache, mut gone) = (c.cache, 0);
    for cleared in c.keyspace.shards_mut().map(clear) {
        gone += cleared.keys();
        cache.shards.lazy_free.contents(cleared, lazily);
    }
    c.keyspace.count_changes(gone);
    cache.advisor.clear();
    // Caches that clients have do not tell databases apart: they are emptied whichever it was.
    if cache.registry.tracking.any() {
        c.keyspace.note_change(Change::All);
    }
}

/// `SWAPDB index1 index2`
pub fn swapdb(c: &mut Call) -> Answer {
    let index = |at: usize, why: &'static str| {
        let index = parse_i64(c.arg(at)).and_then(|index| i32::try_from(index).ok());
        index.map(i64::from).ok_or(Error::new(why))
    };
    let one = index(1, "ERR invalid first DB index")?;
    let other = index(2, "ERR invalid second DB index")?;
    let (one, other) = (database(c, one)?, database(c, other)?);
    c.out.ok();
    if one == other {
        return Ok(());
    }
    c.keyspace.touch_database(one, Some(other));
    c.keyspace.touch_database(other, Some(one));
    c.keyspace.shards_mut().for_each(|shard| shard.swap(one, other));
    c.keyspace.count_changes(1);
    c.cache.advisor.clear();
    for db in [one, other] {
        let waited_for = c.cache.registry.blocked.keys_of(db);
        c.keyspace.ready_keys.extend(waited_for.into_iter().map(|key| (db, key)));
    }
    Ok(())
}
