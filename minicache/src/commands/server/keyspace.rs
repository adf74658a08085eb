//! Whole databases: `DBSIZE`, `FLUSHDB`, `FLUSHALL`, `SWAPDB` (`db.c`).

use super::Call;
use crate::commands::connection::database;
use crate::engine::error::{Answer, Error};
use crate::engine::tracking::Change;
use crate::format::number::parse_i64;

/// `DBSIZE`
pub fn dbsize(c: &mut Call) -> Answer {
    let db = c.store.db;
    c.out.count(c.store.shards().map(|(_, shard)| shard.len(db)).sum());
    Ok(())
}

/// `FLUSHDB [ASYNC | SYNC]`
pub fn flushdb(c: &mut Call) -> Answer {
    check_how(c)?;
    let db = c.store.db;
    flush(c, db);
    note_flush(c);
    c.out.ok();
    Ok(())
}

/// `FLUSHALL [ASYNC | SYNC]`
pub fn flushall(c: &mut Call) -> Answer {
    check_how(c)?;
    for db in 0..c.store.rules.settings.databases as usize {
        flush(c, db);
    }
    note_flush(c);
    if c.store.rules.settings.saves {
        c.store.cache.note_save(c.store.now.ms);
    }
    c.out.ok();
    Ok(())
}

/// Keys are freed at once either way: there is no thread that would do it later.
fn check_how(c: &Call) -> Answer {
    match c.args.len() {
        1 => Ok(()),
        2 if c.is(1, "async") || c.is(1, "sync") => Ok(()),
        _ => Err(Error::SYNTAX),
    }
}

fn flush(c: &mut Call, db: usize) {
    c.store.touch_database(db, None);
    let gone: usize = c.store.shards_mut().map(|shard| shard.clear(db)).sum();
    c.store.count_changes(gone);
}

/// Caches that clients have do not tell databases apart: they are emptied whichever it was.
fn note_flush(c: &mut Call) {
    if c.store.cache.tracking.any() {
        c.store.note_change(Change::All);
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
    c.store.touch_database(one, Some(other));
    c.store.touch_database(other, Some(one));
    c.store.shards_mut().for_each(|shard| shard.swap(one, other));
    c.store.count_changes(1);
    for db in [one, other] {
        let waited_for = c.store.cache.waiting.keys_of(db);
        c.store.filled.extend(waited_for.into_iter().map(|key| (db, key)));
    }
    Ok(())
}
