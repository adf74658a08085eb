//! What is logged, what is loaded again, and what a crash leaves.

use super::{compact, dump, load};
use crate::commands::testing::Fixture;
use crate::commands::{Cache, stats::Counters};
use crate::engine::keyspace::Keyspace;
use crate::wire::request::{Found, Limits, Parser};
use minicache_aof::files::Files as Writer;
use minicache_aof::manifest::{Manifest, create};
use minicache_aof::reader::read;
use minikit::storage::{Disk, Faults, SimulatedDisk, Survivors, every_cut};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A server with 16 shards whose changes are logged.
fn logging(parameters: &[(&str, &str)]) -> Fixture {
    let fixture = Fixture::with(parameters);
    fixture.cache.shards.log.on.store(true, Ordering::Relaxed);
    fixture
}

fn taken(fixture: &Fixture) -> Vec<u8> {
    let mut bytes = Vec::new();
    fixture.cache.shards.log.take(&mut bytes, Duration::ZERO, false);
    bytes
}

/// The commands in some bytes, a line each.
fn lines(mut bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let limits = Limits { bulk_max: 1 << 20, authenticated: true };
    while let Found::Request { length } = Parser::default().next(bytes, limits) {
        let mut parser = Parser::default();
        parser.next(bytes, limits);
        let words = parser.args(bytes).iter().map(|word| word.escape_ascii().to_string());
        lines.push(words.collect::<Vec<_>>().join(" "));
        bytes = &bytes[length..];
    }
    assert_eq!(bytes, b"", "whole commands");
    lines
}

/// What these commands are logged as, without the first `SELECT 0`.
fn logged(commands: &[&str]) -> Vec<String> {
    let mut fixture = logging(&[]);
    commands.iter().for_each(|command| drop(fixture.run(command)));
    let lines = lines(&taken(&fixture));
    lines.into_iter().skip_while(|line| line == "SELECT 0").collect()
}

/// Every key of a cache with its value and deadline, in an order of its own.
fn contents(cache: &Cache) -> BTreeMap<String, Vec<String>> {
    let (counters, config) = (Counters::new(), cache.config.snapshot());
    let now = crate::engine::timestamp::Timestamp { ms: 0, us: 0 };
    let mut keyspace = Keyspace::new(cache.parts(&counters, &config.tuning), now);
    keyspace.lock_all();
    let mut bytes = Vec::new();
    let all = dump(&keyspace, |chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    });
    all.expect("it cannot fail");
    let (mut keys, mut db) = (BTreeMap::<String, Vec<String>>::new(), "0".to_string());
    for line in lines(&bytes) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["SELECT", number] => db = number.to_string(),
            [name, key, ref parts @ ..] => {
                let mut parts: Vec<String> = match name {
                    "HSET" | "ZADD" => parts.chunks(2).map(|pair| pair.join("=")).collect(),
                    _ => parts.iter().map(|part| part.to_string()).collect(),
                };
                if name != "RPUSH" {
                    parts.sort();
                }
                let value = keys.entry(format!("{db} {key} {name}")).or_default();
                value.extend(parts);
            }
            _ => panic!("{line}"),
        }
    }
    keys
}

fn file_of(bytes: &[u8]) -> Box<dyn minikit::storage::DiskFile> {
    let disk = SimulatedDisk::new(1);
    let file = disk.create("log").expect("it is empty");
    file.write_all_at(bytes, 0).expect("it has no faults");
    file
}

/// The keys after loading some bytes, or why they cannot be loaded.
fn loaded(bytes: &[u8]) -> Result<(Fixture, u64), String> {
    let fixture = Fixture::new();
    let end = load(&fixture.cache, fixture.now, |apply| read(&*file_of(bytes), apply))?.end;
    Ok((fixture, end))
}

#[test]
fn commands_are_logged_by_what_they_did() {
    for (commands, expected) in [
        (&["SET k v EX 10"][..], &["SET k v PXAT 1700000010000"][..]),
        (
            &["SETEX k 10 v", "GETEX k PX 5"],
            &["SET k v PXAT 1700000010000", "PEXPIREAT k 1700000000005"],
        ),
        (&["SET k v", "EXPIRE k 60 NX"], &["SET k v", "PEXPIREAT k 1700000060000"]),
        (&["SET k v", "EXPIRE k 0"], &["SET k v", "DEL k"]),
        (&["SET k v", "GETDEL k", "GETDEL k"], &["SET k v", "GETDEL k"]),
        (&["INCRBYFLOAT f 0.1"], &["SET f 0.1 KEEPTTL"]),
        (&["HINCRBYFLOAT h f 0.5"], &["HSET h f 0.5"]),
        (&["SADD s 7", "SPOP s"], &["SADD s 7", "SREM s 7"]),
        (&["SADD s 7", "SPOP s 9"], &["SADD s 7", "SREM s 7"]),
        (
            &["RPUSH l b a", "SORT l ALPHA STORE l"],
            &["RPUSH l b a", "MULTI", "DEL l", "RPUSH l a b", "EXEC"],
        ),
        (&["RPUSH l a b", "BLPOP x l 0"], &["RPUSH l a b", "lpop l 1"]),
        (&["RPUSH l a b", "BLMOVE l m LEFT RIGHT 0"], &["RPUSH l a b", "LMOVE l m LEFT RIGHT"]),
        (&["ZADD z 1 a", "BZMPOP 0 1 z MAX"], &["ZADD z 1 a", "zpopmax z 1"]),
        (&["GET k", "DEL k", "SREM k a", "SET k v XX"], &[]),
        (
            &["SELECT 3", "SET k v", "SELECT 0", "SET k v"],
            &["SELECT 3", "SET k v", "SELECT 0", "SET k v"],
        ),
        (&["MULTI", "SET k v", "INCR n", "EXEC"], &["MULTI", "SET k v", "INCR n", "EXEC"]),
        (&["MULTI", "SET k v", "EXEC"], &["SET k v"]),
        (&["MULTI", "SET k v", "DISCARD"], &[]),
    ] {
        assert_eq!(logged(commands), expected, "{commands:?}");
    }
}

#[test]
fn a_script_is_logged_by_its_commands() {
    let script = "EVAL \"redis.call('set', 'k', 'v') redis.call('select', 1) \
                  return redis.call('incr', 'n')\" 0";
    let expected = ["MULTI", "set k v", "SELECT 1", "incr n", "EXEC", "SELECT 0", "SET a b"];
    assert_eq!(logged(&[script, "SET a b"]), expected);
}

#[test]
fn a_blocked_pop_is_logged_after_the_push_that_served_it() {
    let mut fixture = logging(&[]);
    fixture.run_as("a", "BLPOP l 0");
    fixture.run_as("b", "BRPOPLPUSH m n 0");
    fixture.run("RPUSH l x");
    fixture.run("RPUSH m y");
    let expected = ["SELECT 0", "RPUSH l x", "lpop l 1", "RPUSH m y", "LMOVE m n RIGHT LEFT"];
    assert_eq!(lines(&taken(&fixture)), expected);
}

#[test]
fn expired_and_evicted_keys_are_deleted() {
    let mut fixture = logging(&[("maxmemory-policy", "allkeys-random")]);
    fixture.run("SET k v PX 5");
    fixture.now.ms += 5;
    fixture.run("SET k w KEEPTTL");
    fixture.run("SET x y");
    fixture.run("CONFIG SET maxmemory 1");
    fixture.run("GET x");
    let mut found = lines(&taken(&fixture));
    found[7..].sort();
    let expected = [
        "SELECT 0",
        "SET k v PXAT 1700000000005",
        "MULTI",
        "DEL k",
        "SET k w KEEPTTL",
        "EXEC",
        "SET x y",
        "DEL k",
        "DEL x",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_log_restores_the_keys() {
    let mut fixture = logging(&[]);
    for command in [
        "SET a 1",
        "SET b \"x\\x00\\r\\n\" EX 100",
        "RPUSH l a b c 1",
        "SADD s 1 2 3 x",
        "SPOP s",
        "HSET h f v g w",
        "ZADD z 1.5 a inf b -inf c",
        "SELECT 3",
        "SET a other",
        "SELECT 0",
        "RENAME a c",
        "COPY c d DB 2",
        "MOVE c 4",
        "SETRANGE r 3 x",
        "APPEND r y",
        "SETBIT bits 9 1",
        "LINSERT l BEFORE b q",
        "ZUNIONSTORE u 2 z z",
        "SINTERSTORE i s s",
        "INCRBYFLOAT f 0.3",
        "EVAL \"redis.call('spop', 's') redis.call('lpush', 'l', 'z')\" 0",
        "SET gone v PX 1",
        "MULTI",
        "LMOVE l m LEFT LEFT",
        "SELECT 9",
        "SET nine 9",
        "EXEC",
        "SWAPDB 3 5",
    ] {
        let reply = fixture.run(command);
        assert!(!reply.starts_with("(error)"), "{command}: {reply}");
    }
    let bytes = taken(&fixture);
    let before = contents(&fixture.cache);
    let (again, end) = loaded(&bytes).expect("all of it is in the log");
    assert_eq!((contents(&again.cache), end), (before.clone(), bytes.len() as u64));
    assert!(before.contains_key("0 gone SET"), "loading deletes nothing by the clock");
}

#[test]
fn a_cut_command_and_an_open_transaction_are_no_part_of_the_log() {
    let mut fixture = logging(&[]);
    for command in ["SET a 1", "MULTI", "SET b 2", "INCR a", "EXEC"] {
        fixture.run(command);
    }
    let bytes = taken(&fixture);
    let begin = bytes.windows(4).position(|it| it == b"*1\r\n").expect("MULTI") as u64;
    for cut in 0..bytes.len() {
        let (found, end) = loaded(&bytes[..cut]).expect("a cut is no damage");
        assert!(end <= cut as u64 && end <= begin, "{cut} {end}");
        assert!(!contents(&found.cache).contains_key("0 b SET"), "{cut}");
        let blank = [&bytes[..cut], &[0; 99]].concat();
        assert_eq!(loaded(&blank).map(|found| found.1), Ok(end), "zeros from {cut} on");
    }
}

#[test]
fn damage_and_foreign_commands_are_refused_with_their_offset() {
    let set = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
    for (text, why) in [
        ("REDIS0010\u{0}abc", "byte 0: an RDB snapshot, which cannot"),
        ("SET k v\r\n", "byte 0: not the start of a command"),
        (&format!("{set}{}", set.replace("v\r\n", "vxx")), "byte 27: a damaged command"),
        (&format!("{set}*1\r\n:1\r\n{set}"), "byte 27: a damaged command"),
        (&format!("{set}\0\0\0{set}"), "byte 27: not the start of a command"),
        (&format!("{set}*0\r\n{set}"), "byte 27: a command without arguments"),
        (&format!("{set}*3\r\n$4\r\nSADD\r\n$1\r\nk\r\n$1\r\nv\r\n"), "byte 27: -WRONGTYPE"),
        ("*1\r\n$8\r\nSHUTDOWN\r\n", "byte 0: shutdown changes no key"),
        ("*3\r\n$5\r\nBLPOP\r\n$1\r\nk\r\n$1\r\n0\r\n", "byte 0: blpop changes no key"),
        ("*3\r\n$6\r\nGEOADD\r\n$1\r\nk\r\n$1\r\n0\r\n", "byte 0: ERR unknown command 'GEOADD'"),
    ] {
        let found = loaded(text.as_bytes()).err().unwrap_or_default();
        assert!(found.starts_with(why), "{text:?}: {found}");
    }
    let multi = format!("{set}*1\r\n$5\r\nMULTI\r\n");
    let sadd = "*3\r\n$4\r\nSADD\r\n$1\r\nk\r\n$1\r\nv\r\n";
    for (text, why) in [
        (format!("{set}*1\r\n$4\r\nEXDC\r\n{set}"), "byte 69: ERR unknown command 'EXDC'"),
        (format!("{sadd}*1\r\n$4\r\nEXEC\r\n"), "byte 70: -WRONGTYPE"),
    ] {
        let found = loaded(format!("{multi}{text}").as_bytes()).err().unwrap_or_default();
        assert!(found.starts_with(why), "{text:?}: {found}");
    }

    let stamped = format!("#TS:1700000000\r\n{set}#TS:1700000001\r\n");
    assert!(loaded(stamped.as_bytes()).is_ok(), "time stamps are skipped");
}

#[test]
fn a_manifest_is_read_and_written() {
    let disk = SimulatedDisk::new(1);
    let load = |text: &str| {
        let file = minicache_aof::manifest::create(&disk, "a.manifest").expect("no faults");
        file.write_all_at(text.as_bytes(), 0).expect("no faults");
        Manifest::load(&disk, "a")
    };
    let text = "# c\nfile a.2.base.aof seq 2 type b\nfile x seq 1 type h\nfile y seq 3 type i\n";
    let manifest = load(text).expect("it is one");
    let names: Vec<&str> = manifest.files().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["a.2.base.aof", "y"]);
    assert_eq!(
        (&*manifest.next("base").name, &*manifest.next("incr").name),
        ("a.3.base.aof", "a.4.incr.aof")
    );
    manifest.store(&disk).expect("no faults");
    assert_eq!(Manifest::load(&disk, "a"), Ok(manifest));
    for wrong in [
        "file a seq 0 type i",
        "file ../a seq 1 type i",
        "file \"a\" seq 1 type i",
        "file a seq 1 type x",
        "x",
        "file a seq 1 type b\nfile a seq 1 type b",
        "file a seq 2 type i\nfile a seq 1 type i",
    ] {
        assert!(load(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_file_begins_in_database_0_and_needs_a_manifest() {
    let (disk, name) = (SimulatedDisk::new(1), "appendonly.aof");
    let put = |name: &str, text: &str| {
        let file = create(&disk, name).expect("no faults");
        file.write_all_at(text.as_bytes(), 0).expect("no faults");
    };
    let (base, increment) = (format!("{name}.1.base.aof"), format!("{name}.1.incr.aof"));
    put(&base, "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n");
    put(&increment, "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n");
    let why = open(&disk).err().unwrap_or_default();
    assert!(why.starts_with(&format!("{base}: no manifest lists it")), "{why}");

    let lines = format!("file {base} seq 1 type b\nfile {increment} seq 1 type i\n");
    put(&format!("{name}.manifest"), &lines);
    let unfinished = format!("{name}.2.base.aof.7.base.aof");
    put(&unfinished, "what a rewrite has written");
    let (_, fixture) = open(&disk).expect("the files are whole");
    let keys = contents(&fixture.cache).into_keys().collect::<Vec<_>>();
    assert_eq!(keys, ["0 b SET", "3 a SET"]);
    assert!(!disk.list("").expect("no faults").contains(&unfinished));
}

/// Appends what the fixture has logged, as `appendfsync always` does.
fn save(writer: &mut Writer, fixture: &Fixture) -> io::Result<()> {
    fixture.cache.shards.log.take(&mut writer.unsynced, Duration::ZERO, false);
    writer.write()?;
    writer.sync()
}

/// Opens the files on a disk with a server that is empty.
fn open(disk: &SimulatedDisk) -> Result<(Writer, Fixture), String> {
    let fixture = Fixture::new();
    let opened = load(&fixture.cache, fixture.now, |apply| {
        Writer::open(Box::new(disk.clone()), "appendonly.aof", true, apply)
    });
    let (writer, _) = opened?;
    fixture.cache.shards.log.on.store(true, Ordering::Relaxed);
    Ok((writer, fixture))
}

/// Begins a new file and makes a base of the others, with commands logged in between.
fn rewrite(
    disk: &SimulatedDisk,
    writer: &mut Writer,
    fixture: &mut Fixture,
    step: &mut impl FnMut(&mut Writer, &mut Fixture) -> io::Result<()>,
) -> io::Result<()> {
    let (_, complete, base) = writer.rotate(&fixture.cache.shards.log)?;
    step(writer, fixture)?;
    let names: Vec<&str> = complete.iter().map(|file| &*file.name).collect();
    let child = Fixture::sharded(1, &[]);
    let unfinished = format!("{}.7.base.aof", base.name);
    compact(disk, &names, &unfinished, &child.cache, child.now).map_err(io::Error::other)?;
    step(writer, fixture)?;
    writer.replace(&complete, &unfinished, base)
}

/// Counts a pair of keys up in transactions, one file after the other. `acknowledged` is the last
/// count that was durable.
fn count_up(disk: &SimulatedDisk, acknowledged: &mut u64) -> io::Result<()> {
    let (mut writer, mut fixture) = open(disk).map_err(io::Error::other)?;
    let mut step = |writer: &mut Writer, fixture: &mut Fixture| {
        for command in ["MULTI", "INCR a", "INCR b", "EXEC"] {
            fixture.run(command);
        }
        save(writer, fixture)?;
        *acknowledged += 1;
        Ok(())
    };
    step(&mut writer, &mut fixture)?;
    rewrite(disk, &mut writer, &mut fixture, &mut step)?;
    step(&mut writer, &mut fixture)?;
    rewrite(disk, &mut writer, &mut fixture, &mut step)
}

/// The counts of the two keys on a disk. Damage may only be in bytes that were not synced: without
/// them, which is what `redis-check-aof --fix` does, the rest must be whole.
fn counts(disk: &SimulatedDisk) -> Result<u64, String> {
    let opened = open(disk).or_else(|why| {
        let mut words = why.split(": ");
        let (name, at) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let at = at.strip_prefix("byte ").and_then(|at| at.parse().ok()).ok_or(why.clone())?;
        let cut = disk.open(name).and_then(|file| file.truncate(at));
        cut.map_err(|error| format!("{why}: {error}")).and_then(|()| open(disk))
    });
    let (_, mut fixture) = opened?;
    let mut count = |key: &str| fixture.run(&format!("GET {key}"));
    match (count("a"), count("b")) {
        (a, b) if a != b => Err(format!("half a transaction: {a} {b}")),
        (a, _) if a == "(nil)" => Ok(0),
        (a, _) => a.trim_matches('"').parse().map_err(|_| format!("invented: {a}")),
    }
}

#[test]
fn a_power_failure_at_any_byte_loses_nothing_acknowledged_and_invents_nothing() {
    let cuts = every_cut(3, count_up, |disk, &acknowledged| {
        let found = counts(disk)?;
        if !(acknowledged..=acknowledged + 1).contains(&found) {
            return Err(format!("acknowledged {acknowledged}, found {found}"));
        }
        // The power may fail again while the server starts; nothing is lost by that either.
        disk.crash_with(Survivors::None);
        match counts(disk)? {
            again if again >= acknowledged => Ok(()),
            again => {
                Err(format!("after a second crash: acknowledged {acknowledged}, found {again}"))
            }
        }
    });
    let cuts = cuts.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(cuts > 1000, "{cuts} different crashes");
}

#[test]
fn bytes_of_a_failed_sync_are_written_again() {
    let disk = SimulatedDisk::new(11);
    let (mut writer, mut fixture) = open(&disk).expect("it is empty");
    for (round, faults) in [
        Faults { fail_sync: 1, ..Faults::default() },
        Faults { capacity: Some(120), ..Faults::default() },
    ]
    .into_iter()
    .enumerate()
    {
        fixture.run(&format!("SET k{round} {}", "v".repeat(100)));
        disk.set_faults(faults);
        for _ in 0..3 {
            assert!(save(&mut writer, &fixture).is_err(), "{round}");
        }
        disk.set_faults(Faults::default());
        save(&mut writer, &fixture).expect("the disk works again");
        disk.crash_with(Survivors::None);
        let (next, again) = open(&disk).expect("what was synced is whole");
        assert_eq!(contents(&again.cache).len(), round + 1);
        (writer, fixture) = (next, again);
    }
}
