//! `DEBUG`: what test suites and curious people need (`debug.c`).

use super::{Call, digest, shown};
use crate::conf::kind::memory;
use crate::engine::error::{Answer, Error};
use crate::engine::object::{Object, Value};
use crate::engine::store::shard::Shard;
use crate::engine::store::slab::Handle;
use crate::format::number::{parse_f64, parse_i64};
use crate::wire::reply::Protocol;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// `DEBUG subcommand [argument …]`
pub fn debug(c: &mut Call) -> Answer {
    if !c.settings.enable_debug_command.allows(c.session.is_local()) {
        return Err(Error::new(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \
             \"local\", you can run it from a local connection, otherwise you need to set this \
             option in the configuration file, and then restart the server.",
        ));
    }
    let name = c.arg(1).to_ascii_lowercase();
    match (name.as_slice(), c.args.len()) {
        (b"sleep", 3) => sleep(c),
        (b"set-active-expire", 3) => {
            let active = parse_i64(c.arg(2)).is_some_and(|number| number != 0);
            c.cache.active_expiry.store(active, Ordering::Relaxed);
            ok(c)
        }
        (b"object", 3) => object(c),
        (b"populate", 3..=5) => populate(c),
        (b"protocol", 3) => protocol(c),
        (b"htstats", 3) => table_statistics(c),
        (b"htstats-key", 3) => container_statistics(c),
        (b"digest", 2) => database_digest(c),
        (b"digest-value", _) => value_digests(c),
        (b"error", 3) => Err(Error::text(shown(c.arg(2), usize::MAX))),
        (b"help", 2) => help(c),
        (b"log", 3) => {
            let line = format!("DEBUG LOG: {}", shown(c.arg(2), usize::MAX));
            c.cache.host.get().inspect(|host| host.log(&line));
            ok(c)
        }
        (b"reload", _) => reload(c),
        (b"listpack", 3) => look_up(c),
        (b"quicklist-packed-threshold", 3) => packed_threshold(c),
        // These steer machinery that is not here; what they promise to suites holds without them.
        (b"pause-cron" | b"aof-flush-sleep" | b"set-skip-checksum-validation", 3)
        | (b"set-disable-deny-scripts", 3)
        | (b"loadaof" | b"change-repl-id", _) => ok(c),
        (b"replybuffer", 4) if c.is(2, "resizing") || c.is(2, "peak-reset-time") => ok(c),
        _ => Err(c.wrong_subcommand()),
    }
}

fn ok(c: &mut Call) -> Answer {
    c.out.ok();
    Ok(())
}

/// Sleeps with every lock held, so that nothing moves meanwhile: what the command is for.
fn sleep(c: &mut Call) -> Answer {
    let seconds = parse_f64(c.arg(2)).unwrap_or(0.0);
    let longest = Duration::from_secs(3600);
    let time = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(longest).min(longest);
    std::thread::sleep(time);
    c.session.ends_batch = true;
    ok(c)
}

/// `DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]`: what would be written and read again is what is here
/// already.
fn reload(c: &mut Call) -> Answer {
    let options = ["merge", "noflush", "nosave"];
    if (2..c.args.len()).any(|at| !options.iter().any(|option| c.is(at, option))) {
        return Err(Error::new(
            "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
        ));
    }
    c.cache.stats.note_save(c.keyspace.now.ms);
    ok(c)
}

/// A look at the inside of a value, which goes to the log of Redis and here only has to succeed.
fn look_up(c: &mut Call) -> Answer {
    match c.keyspace.inspect(c.key(2), |_, _| ()) {
        Some(()) => ok(c),
        None => Err(Error::NO_SUCH_KEY),
    }
}

/// `DEBUG HELP`
fn help(c: &mut Call) -> Answer {
    const LINES: [(&str, &str); 12] = [
        ("DIGEST", "Sums up all keys of all databases."),
        ("DIGEST-VALUE key [key ...]", "Sums up values."),
        ("ERROR text", "Answers with this error."),
        ("HTSTATS dbid", "Tells about the index of a database."),
        ("LISTPACK key", "Looks whether there is such a key."),
        ("LOG text", "Writes a line into the log."),
        ("OBJECT key", "Tells how a value is kept."),
        ("POPULATE count [prefix] [size]", "Makes keys."),
        ("PROTOCOL type", "Answers with a reply of this type."),
        ("RELOAD [option ...]", "Answers as if all keys were written and read again."),
        ("SET-ACTIVE-EXPIRE 0|1", "Switches the search for dead keys."),
        ("SLEEP seconds", "Holds everything up."),
    ];
    super::help_lines(c, LINES.map(|(usage, text)| (usage.to_string(), text)).into_iter());
    Ok(())
}

fn object(c: &mut Call) -> Answer {
    let now_ms = c.keyspace.now.ms;
    let describe = |shard: &Shard, handle: Handle| {
        let value = shard.value(handle);
        let idle_ms = crate::engine::eviction::lru::Lru::idle_ms(shard.clock(handle), now_ms);
        let length = match value {
            Value::Short(text) => serialized_length(&text.to_vec()),
            Value::Object(_) => shard.footprint(handle),
        };
        format!(
            "Value at:{handle:#010x} refcount:1 encoding:{} serializedlength:{length} lru:{} \
             lru_seconds_idle:{}",
            value.encoding(),
            shard.clock(handle),
            idle_ms / 1000
        )
    };
    let text = c.keyspace.inspect(c.key(2), describe).ok_or(Error::NO_SUCH_KEY)?;
    c.out.simple(&text);
    Ok(())
}

/// How many bytes a text takes in an RDB file, where nothing is compressed: a byte or more for its
/// length, or a byte for the width of the number that it is (`rdbSavedObjectLen` in `rdb.c`).
fn serialized_length(text: &[u8]) -> usize {
    match (parse_i64(text).map(i32::try_from), text.len()) {
        (Some(Ok(-0x80..=0x7f)), _) => 2,
        (Some(Ok(-0x8000..=0x7fff)), _) => 3,
        (Some(Ok(_)), _) => 5,
        (_, length @ ..=0x3f) => 1 + length,
        (_, length @ ..=0x3fff) => 2 + length,
        (_, length) => 5 + length,
    }
}

/// `DEBUG DIGEST`: of all keys of all databases.
fn database_digest(c: &mut Call) -> Answer {
    let mut sum = 0u128;
    for db in 0..c.settings.databases as usize {
        for (_, shard) in c.keyspace.shards() {
            let mut cursor = 0;
            loop {
                cursor = shard.scan(db, cursor, |handle| {
                    let (value, deadline) = (shard.value(handle), shard.deadline(handle));
                    let value = digest::of_value(Some(value), deadline);
                    sum = sum.wrapping_add(digest::of_pair(shard.key(handle), value));
                });
                if cursor == 0 {
                    break;
                }
            }
        }
    }
    c.out.simple(&digest::digits(sum));
    Ok(())
}

/// `DEBUG DIGEST-VALUE key …`
fn value_digests(c: &mut Call) -> Answer {
    let keys = c.args.from(2);
    c.out.array(keys.len());
    for key in keys.iter() {
        let key = c.keyspace.key(key);
        let deadline = c.keyspace.deadline(key).flatten();
        let sum = digest::of_value(c.keyspace.peek(key), deadline);
        c.out.simple(&digest::digits(sum));
    }
    Ok(())
}

/// `DEBUG POPULATE count [prefix] [size]`
fn populate(c: &mut Call) -> Answer {
    let count = c.count(2)?;
    let prefix = c.args.get(3).unwrap_or(b"key").to_vec();
    let size = if c.args.len() == 5 { c.count(4)? } else { 0 };
    for number in 0..count {
        let key = [&prefix[..], format!(":{number}").as_bytes()].concat();
        let key = c.keyspace.key(&key);
        if c.keyspace.exists(key) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size, 0);
        }
        c.keyspace.set_string(key, &value, None);
        c.keyspace.touched(key);
    }
    ok(c)
}

/// `DEBUG PROTOCOL type`: one reply of every kind, for those who write clients.
fn protocol(c: &mut Call) -> Answer {
    let kind = c.arg(2).to_ascii_lowercase();
    let out = &mut *c.out;
    match kind.as_slice() {
        b"string" => out.text("Hello World"),
        b"integer" => out.int(12345),
        b"double" => out.double("3.141".parse().unwrap_or_default()),
        b"null" => out.null(),
        b"true" => out.boolean(true),
        b"false" => out.boolean(false),
        b"verbatim" => out.verbatim("This is a verbatim\nstring"),
        b"bignum" => out.big_number("1234567999999999999999999999999999999"),
        b"array" | b"set" => {
            if kind == b"set" {
                out.set(3)
            } else {
                out.array(3)
            }
            (0..3).for_each(|number| out.int(number));
        }
        b"map" => {
            out.map(3);
            for number in 0..3 {
                out.int(number);
                out.boolean(number == 1);
            }
        }
        b"attrib" => {
            if out.protocol == Protocol::Resp3 {
                out.attribute(1);
                out.text("key-popularity");
                out.array(2);
                out.text("key:123");
                out.int(90);
            }
            out.text("Some real reply following the attribute");
        }
        b"push" => {
            if out.protocol == Protocol::Resp2 {
                return Err(Error::new("ERR RESP2 is not supported by this command"));
            }
            out.push(2);
            out.text("server-cpu-usage");
            out.int(42);
            out.text("Some real reply following the push reply");
        }
        _ => {
            return Err(Error::new(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}

/// From how many bytes on an element has a node of its own. Nodes here decide by themselves.
fn packed_threshold(c: &mut Call) -> Answer {
    const BYTES_MAX: u64 = (4 << 30) - (1 << 20);
    match memory(c.arg(2)) {
        Some(..=BYTES_MAX) => ok(c),
        _ => Err(Error::new(
            "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
        )),
    }
}

fn table_statistics(c: &mut Call) -> Answer {
    const NO_DATABASE: Error = Error::new("ERR Out of range database");
    let db = super::super::connection::database(c, c.int(2)?).map_err(|_| NO_DATABASE)?;
    let (mut keys, mut buckets, mut bytes, mut volatile) = (0, 0, 0, 0);
    for (_, shard) in c.keyspace.shards() {
        let (index_bytes, index_buckets) = shard.index_size(db);
        keys += shard.len(db);
        volatile += shard.volatile_len(db);
        buckets += index_buckets;
        bytes += index_bytes;
    }
    c.out.verbatim(&format!(
        "[Dictionary HT]\nlinear hashing, buckets of 12\n buckets: {buckets}\n \
         number of elements: {keys}\n bytes: {bytes}\n[Expires]\ntiming wheel\n \
         number of elements: {volatile}\n"
    ));
    Ok(())
}

/// `DEBUG HTSTATS-KEY key`: of the index of one large container.
fn container_statistics(c: &mut Call) -> Answer {
    const NOT_INDEXED: Error = Error::new(
        "ERR The value stored at the specified key is not represented using an hash table",
    );
    let measure = |shard: &Shard, handle: Handle| {
        let elements = match shard.value(handle) {
            Value::Object(Object::Hash(hash)) if hash.encoding() == "hashtable" => hash.len(),
            Value::Object(Object::Set(set)) if set.encoding() == "hashtable" => set.len(),
            Value::Object(Object::ZSet(zset)) if zset.encoding() == "skiplist" => zset.len(),
            _ => return None,
        };
        Some((elements, shard.footprint(handle)))
    };
    let measured = c.keyspace.inspect(c.key(2), measure).ok_or(Error::NO_SUCH_KEY)?;
    let (elements, bytes) = measured.ok_or(NOT_INDEXED)?;
    c.out.verbatim(&format!(
        "linear hashing, buckets of 12\n number of elements: {elements}\n bytes: {bytes}\n"
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::serialized_length;
    use crate::commands::testing::Fixture;

    #[test]
    fn what_test_suites_ask_for() {
        let mut t =
            Fixture::with(&[("enable-debug-command", "yes"), ("set-max-intset-entries", "2")]);
        t.check(
            r#"
            > DEBUG SET-ACTIVE-EXPIRE x
            OK
            > DEBUG SET-ACTIVE-EXPIRE 1
            OK
            > DEBUG QUICKLIST-PACKED-THRESHOLD 100b
            OK
            > DEBUG QUICKLIST-PACKED-THRESHOLD 4gb
            (error) ERR argument must be a memory value bigger than 1 and smaller than 4gb
            > DEBUG RELOAD NOSAVE noflush
            OK
            > DEBUG RELOAD NOW
            (error) ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.
            > DEBUG POPULATE 2 p 9
            OK
            > MGET p:0 p:1
            1) "value:0\x00\x00"
            2) "value:1\x00\x00"
            > DEBUG POPULATE 1 p -1
            (error) ERR value is out of range, must be positive
            > DEBUG PROTOCOL push
            (error) ERR RESP2 is not supported by this command
            > DEBUG HTSTATS 99
            (error) ERR Out of range database
            > DEBUG HTSTATS-KEY none
            (error) ERR no such key
            > SADD s 1 2
            (integer) 2
            > DEBUG HTSTATS-KEY s
            (error) ERR The value stored at the specified key is not represented using an hash table
            > SADD s 3
            (integer) 1
            > DEBUG OBJECT s more
            (error) ERR unknown subcommand or wrong number of arguments for 'OBJECT'. \
            Try DEBUG HELP.
            "#,
        );
        assert!(t.run("DEBUG HTSTATS-KEY s").contains("number of elements: 3"));
    }

    #[test]
    fn a_number_is_serialized_shorter_than_its_digits() {
        let texts = ["bar", "", "127", "-129", "40000", "2147483648", "007"];
        assert_eq!(texts.map(|text| serialized_length(text.as_bytes())), [4, 1, 2, 3, 5, 11, 4]);
        assert_eq!(
            [63, 64, 16384].map(|length| serialized_length(&vec![b'x'; length])),
            [64, 66, 16389]
        );
    }
}
