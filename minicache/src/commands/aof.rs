//! Keys from the commands of an append-only file, and commands from keys.
//!
//! ```text
//! load    RPUSH l e1 … e200, PEXPIREAT l 1700000000000    executed, without replies or statistics
//! dump    RPUSH l e1 … e128, RPUSH l e129 … e200, PEXPIREAT l 1700000000000
//! ```
//!
//! The crate [`minicache_aof`] has the files and their bytes. What commands log is in their
//! handlers and in [`propagate`](super::execute::propagate). Nothing expires by the clock while a
//! file is loaded: the file says itself when keys went. The counterparts in Redis are
//! `loadSingleAppendOnlyFile` and `rewriteAppendOnlyFileRio` (`aof.c`).

use super::{Cache, Executor, catalogue::spec::Flags, lookup::lookup};
use super::{session::Session, stats::Counters};
use crate::conf::{Config, Snapshot};
use crate::engine::object::{Object, Str, Value};
use crate::engine::{error::Error, timestamp::Timestamp};
use crate::engine::{keyspace::Keyspace, store::shard::Shard, store::slab::Handle};
use crate::format::number::DtoaBuf;
use crate::wire::{reply::Protocol, reply::Reply, request::OwnedArgs};
use minicache_aof::{files, log::encode, manifest::create};
use minikit::storage::Disk;
use std::io;

/// Arguments after the key in one command at most: 64 pairs, as Redis writes.
const PARTS_MAX: usize = 128;
/// Bytes of a base file that are written at a time.
const CHUNK: usize = 1 << 20;

/// Loads an empty cache: runs `work`, which passes commands to the function that executes them.
pub fn load<T>(
    cache: &Cache,
    now: Timestamp,
    work: impl FnOnce(&mut dyn FnMut(&[&[u8]]) -> Result<(), String>) -> T,
) -> T {
    // Nothing is evicted or refused for want of memory, and nothing counts in the statistics.
    let mut config = cache.config.read(Config::clone);
    config.put("maxmemory", &[b"0"]).expect("it means no limit");
    let (config, counters) = (Snapshot::of(&config), Counters::new());
    let mut executor = Executor::new(cache, &counters, &config, now, || 0);
    executor.keyspace.keeps_expired = true;

    let client = cache.registry.clients.enter(String::new(), String::new(), now.ms);
    let mut session = Session::new(client, true);
    let loaded = work(&mut |args| execute(&mut executor, &mut session, args));
    cache.registry.clients.leave(session.client.id);
    loaded
}

/// Executes a command that changes keys, or queues it after `MULTI`.
fn execute(executor: &mut Executor, session: &mut Session, args: &[&[u8]]) -> Result<(), String> {
    let args: OwnedArgs = args.iter().collect();
    let command = lookup(args.as_args()).map_err(|error| error.0.to_string())?;
    let changes = command.flags.has(Flags::WRITE) && !command.flags.has(Flags::BLOCKING);
    if !changes && !matches!(command.name, "select" | "multi" | "exec") {
        return Err(format!("{} changes no key", command.name));
    }
    let mut out = Reply::new(Protocol::Resp2);
    executor.execute(session, args.as_args(), &mut out);
    // Asked of the statistics, since an error in the array of `EXEC` looks like any other element.
    if executor.cache.stats.totals.errors().is_empty() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(out.bytes());
    Err(text.lines().rfind(|line| line.starts_with('-')).unwrap_or_default().to_string())
}

/// Writes the keys of complete files to a new base file. `cache` is empty.
///
/// # Errors
/// Why the files cannot be loaded or the new one cannot be written.
pub fn compact(
    disk: &dyn Disk,
    complete: &[&str],
    base: &str,
    cache: &Cache,
    now: Timestamp,
) -> Result<(), String> {
    let read = load(cache, now, |apply| files::load(disk, complete.iter().copied(), apply))?;
    if read.end < read.len {
        return Err(format!("byte {}: the command there is unfinished", read.end));
    }
    let (counters, config) = (Counters::new(), cache.config.snapshot());
    let mut keyspace = Keyspace::new(cache.parts(&counters, &config.tuning), now);
    keyspace.lock_all();
    let write = || {
        let (file, mut end) = (create(disk, base)?, 0);
        dump(&keyspace, |bytes| {
            file.write_all_at(bytes, end)?;
            end += bytes.len() as u64;
            Ok(())
        })?;
        file.sync()?;
        disk.sync_dir("")
    };
    write().map_err(|error: io::Error| error.to_string())
}

/// Passes every key to `write` as commands, expired ones too. All shards are locked.
fn dump(keyspace: &Keyspace, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let (mut out, mut selected) = (Vec::new(), 0);
    let databases = 0..keyspace.parts.tuning.databases;
    for (db, shard) in databases.flat_map(|db| keyspace.shards().map(move |it| (db, it.1))) {
        for handle in shard.table(db).ids() {
            if std::mem::replace(&mut selected, db) != db {
                encode(&mut out, [&b"SELECT"[..], db.to_string().as_bytes()].into_iter());
            }
            dump_key(&mut out, shard, handle);
            if out.len() >= CHUNK {
                write(&out)?;
                out.clear();
            }
        }
    }
    write(&out)
}

fn dump_key(out: &mut Vec<u8>, shard: &Shard, handle: Handle) {
    let key = shard.key(handle);
    let mut push = |name: &str, parts: &[Vec<u8>]| {
        let parts = parts.iter().map(Vec::as_slice);
        let args: Vec<&[u8]> = [name.as_bytes(), key].into_iter().chain(parts).collect();
        encode(out, args.into_iter());
    };

    let score = |score: f64| DtoaBuf::new().format(score).to_vec();
    let (name, parts): (_, Vec<Vec<u8>>) = match shard.value(handle) {
        Value::Short(text) => ("SET", vec![text.to_vec()]),
        Value::Object(Object::Text(text)) => ("SET", vec![text.clone()]),
        Value::Object(Object::List(list)) => ("RPUSH", list.iter().map(Str::to_vec).collect()),
        Value::Object(Object::Set(set)) => ("SADD", set.iter().map(Str::to_vec).collect()),
        Value::Object(Object::Hash(hash)) => {
            let pairs = hash.iter().flat_map(|(field, value)| [field.to_vec(), value.to_vec()]);
            ("HSET", pairs.collect())
        }
        Value::Object(Object::ZSet(zset)) => {
            ("ZADD", zset.iter().flat_map(|(member, at)| [score(at), member.to_vec()]).collect())
        }
    };
    parts.chunks(PARTS_MAX).for_each(|parts| push(name, parts));
    if let Some(deadline) = shard.deadline(handle) {
        push("PEXPIREAT", &[deadline.to_string().into_bytes()]);
    }
}

/// The error of a command that would change something while the file cannot be written.
pub(super) fn misconf(cache: &Cache) -> Error {
    let why = cache.shards.log.failure.lock().clone();
    Error::text(format!("MISCONF Errors writing to the AOF file: {why}"))
}

#[cfg(test)]
mod tests;
