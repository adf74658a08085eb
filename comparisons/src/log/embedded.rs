//! minilog beside logs inside of the process, if no real Kafka is found.
//!
//! This is a scale and not a race: `commitlog` and `redb` answer a function call, a broker answers
//! a socket. The figures show how much of a broker's time is not the log, and what a program would
//! save that only needs a log of its own.
//!
//! ```text
//! commitlog   append(149 records)           a checksum and an index entry for each, one write
//! redb        149 inserts and a commit      a B-tree with the offset as the key
//! minilog     Produce, a batch of 149       one checksum, one write, two system calls
//! ```
//!
//! None of them waits for the disk. Peers append in batches of the same number of records, and
//! consume by reading from the first offset to the last. Ours is consumed by our client, which
//! decodes every record.

use std::time::{Duration, Instant};

use commitlog::message::{MessageBuf, MessageSet};
use commitlog::{CommitLog, LogOptions, ReadLimit};
use minilog::client::consumer::{Consumer, ConsumerOptions};
use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use super::saturation::{PARTITIONS, VALUE_BYTES, send_batches};
use crate::model::{Better, Comparison, Row};
use crate::process::Scratch;
use crate::provider::Server;
use crate::rounds::Rounds;
use crate::{Effort, Result};

/// The planned seconds of one append and consume.
const SECONDS: f64 = 1.0;
/// Records of a batch: as many as fit into 16 KiB, the default of a producer.
const BATCH_RECORDS: u64 = 149;
/// The value of a record of the peers.
const VALUE: [u8; VALUE_BYTES] = [b'v'; VALUE_BYTES];
/// A consumer that gets nothing for so long has lost records.
const PATIENCE: Duration = Duration::from_secs(60);

/// Millions of records a second, appended and consumed.
type Rates = [f64; 2];
/// Appends so many batches and consumes them.
type Peer = fn(u64) -> Result<Rates>;

const PEERS: [(&str, Peer); 2] = [("commitlog", of_commitlog), ("redb", of_redb)];

/// The planned seconds of so many rounds.
pub fn seconds(rounds: usize) -> f64 {
    (2 * PEERS.len() * rounds) as f64 * SECONDS
}

/// Appends and consumes the same records, ours and each peer in turns.
pub fn compare(rounds: &mut Rounds, effort: Effort, server: &Server) -> Result<Comparison> {
    let batches = match effort {
        Effort::Quick => 1_000,
        Effort::Normal => 4_000,
        Effort::Full => 20_000,
    };
    let mut rows = Vec::new();
    for (name, peer) in PEERS {
        let mut number = 0;
        let what = format!("beside {name}");
        let [ours, theirs] = rounds.all(&what, SECONDS, |side| {
            number += 1;
            match side {
                0 => over_the_socket(server, &format!("{name}-{number}"), batches),
                _ => peer(batches),
            }
        })?;
        for (index, action) in ["append", "consume"].into_iter().enumerate() {
            let of = |all: &[Rates]| all.iter().map(|it| it[index]).collect();
            let name = format!("{action}, beside {name}");
            let (ours, theirs) = (of(&ours), of(&theirs));
            rows.push(Row { name, ours, theirs, command: String::new(), bar: None });
        }
    }
    Ok(Comparison {
        id: "embedded".into(),
        title: "Beside logs inside of a process".into(),
        detail: format!("Batches of {BATCH_RECORDS} records of 100 B; a scale and not a race"),
        meaning: "Ours answers over sockets, the peers answer a function call on one thread. \
                  Every record was consumed, and none waited for the disk."
            .into(),
        command: format!("append {batches} batches, then read them all"),
        against: "in-process".into(),
        unit: "M records/s".into(),
        better: Better::Higher,
        rows,
        curves: Vec::new(),
    })
}

fn rates(records: u64, appended: Duration, consumed: Duration) -> Rates {
    [appended, consumed].map(|time| records as f64 / 1e6 / time.as_secs_f64())
}

/// Fails unless as many records of the right size came back as went in.
fn check(records: u64, bytes: usize, wanted: u64) -> Result<()> {
    if (records, bytes as u64) == (wanted, wanted * VALUE_BYTES as u64) {
        return Ok(());
    }
    Err(format!("{records} records with {bytes} bytes came back, not {wanted}").into())
}

fn over_the_socket(server: &Server, topic: &str, batches: u64) -> Result<Rates> {
    let sent = send_batches(server, topic, VALUE_BYTES, batches)?;
    let records = batches * sent.records;

    let options = ConsumerOptions::default();
    let start = Instant::now();
    let mut consumer = Consumer::connect(&server.address.to_string(), options)?;
    // The first record of each partition is no part of a batch.
    (0..PARTITIONS as i32).for_each(|it| consumer.assign(topic, it, Some(1)));
    let (mut count, mut bytes, mut last) = (0, 0, Instant::now());
    while count < records && last.elapsed() < PATIENCE {
        for record in consumer.poll(Duration::from_secs(1))? {
            count += 1;
            bytes += record.value.map_or(0, |it| it.len());
            last = Instant::now();
        }
    }
    let consumed = start.elapsed();
    check(count, bytes, records)?;
    Ok(rates(records, sent.elapsed, consumed))
}

fn of_commitlog(batches: u64) -> Result<Rates> {
    let scratch = Scratch::new("commitlog")?;
    let mut log = CommitLog::new(LogOptions::new(scratch.path()))?;
    let start = Instant::now();
    for _ in 0..batches {
        let mut batch = MessageBuf::default();
        for _ in 0..BATCH_RECORDS {
            batch.push(VALUE).map_err(|_| "a batch of commitlog is full")?;
        }
        log.append(&mut batch)?;
    }
    let appended = start.elapsed();

    let (records, start) = (batches * BATCH_RECORDS, Instant::now());
    let (mut offset, mut bytes) = (0, 0);
    while offset < records {
        let read = log.read(offset, ReadLimit::max_bytes(1 << 20))?;
        read.verify_hashes().map_err(|index| format!("record {index} is damaged"))?;
        bytes += read.iter().map(|it| it.payload().len()).sum::<usize>();
        match read.len() {
            0 => break,
            count => offset += count as u64,
        }
    }
    let consumed = start.elapsed();
    check(offset, bytes, records)?;
    Ok(rates(records, appended, consumed))
}

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("log");

fn of_redb(batches: u64) -> Result<Rates> {
    let scratch = Scratch::new("redb")?;
    let database = Database::create(scratch.path().join("log"))?;
    let start = Instant::now();
    for batch in 0..batches {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::None)?;
        let mut table = transaction.open_table(TABLE)?;
        for offset in batch * BATCH_RECORDS..(batch + 1) * BATCH_RECORDS {
            table.insert(offset, &VALUE[..])?;
        }
        drop(table);
        transaction.commit()?;
    }
    let appended = start.elapsed();

    let (records, start) = (batches * BATCH_RECORDS, Instant::now());
    let table = database.begin_read()?.open_table(TABLE)?;
    let (mut count, mut bytes) = (0, 0);
    for record in table.range(0..)? {
        count += 1;
        bytes += record?.1.value().len();
    }
    let consumed = start.elapsed();
    check(count, bytes, records)?;
    Ok(rates(records, appended, consumed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::saturation::Batches;

    #[test]
    fn the_peers_give_back_what_they_got() {
        for (_, peer) in PEERS {
            assert!(peer(3).unwrap().iter().all(|rate| *rate > 0.0));
        }
    }

    #[test]
    fn all_send_batches_of_the_same_length() {
        assert_eq!(Batches::new("t", VALUE_BYTES).records, BATCH_RECORDS);
    }

    #[test]
    fn a_lost_record_ends_the_run() {
        assert!(check(2, 200, 2).is_ok());
        assert!(check(1, 100, 2).is_err());
        assert!(check(2, 199, 2).is_err());
    }
}
