//! Golden scripts: the log on a simulated disk, one phenomenon per file, with the bytes on disk.
//!
//! `UPDATE_GOLDEN=1 cargo test -p minilog --test golden` updates the outputs. Check `git diff`
//! afterwards: every change needs an explanation.
//!
//! | command | what it does |
//! |---|---|
//! | `config NAME VALUE` | changes the configuration of the log |
//! | `append [@TIME] VALUE ...` | appends one batch; `@TIME` is the timestamp of what follows; |
//! | | `KEY=VALUE` has a key, `KEY=` is a tombstone |
//! | `produce ID EPOCH SEQUENCE VALUE ...` | appends one batch of an idempotent producer |
//! | `read OFFSET [BYTES]` | prints the batches that a fetch returns |
//! | `lookup TIME` | the first record at or after a timestamp |
//! | `compact NOW [KEYS]` | compacts, with a map of at most `KEYS` keys, and reopens the log |
//! | `flush`, `close`, `open` | like the server; `open` prints what recovery did |
//! | `crash all`, `crash none` | the power fails; all or none of the unsynced writes survive |
//! | `leaders EPOCH@OFFSET ...` | writes `leader-epoch-checkpoint`, which `open` reads |
//! | `epoch EPOCH` | the last epoch up to this one, and the offset where it ends |
//! | `files`, `index BASE`, `dump FILE FROM [TO]` | shows files, index entries, bytes |
//! | `flip FILE BYTE`, `zero FILE FROM TO`, `cut FILE LENGTH` | damages a file |
//! | `retain NOW` | deletes what retention no longer keeps |
//! | `flat append VALUE`, `flat read OFFSET` | the naive log |
//! | `flat zeros COUNT` | extends its file with zeros, as a crash in the middle of a write can |
#![cfg(not(loom))]

use minikit::layout::Hexdump;
use minikit::storage::{Disk, DiskFile, SimulatedDisk, Survivors};
use minilog::engine::log::compaction::Limits;
use minilog::engine::log::config::{Cleanup, LogConfig};
use minilog::engine::log::directory::Directory;
use minilog::engine::log::flat::FlatLog;
use minilog::engine::log::flush::Flush;
use minilog::engine::log::log::{AppendError, Log, ReadError};
use minilog::engine::log::partition::Partition;
use minilog::engine::log::recovery::{self, Start};
use minilog::engine::log::segment::Indexes;
use minilog::format::batch::{self, BatchHeader};
use minilog::format::index::{OffsetEntry, TimeEntry};
use minilog::format::record::{Record, batch_of, records};
use std::fmt::Write;
use std::sync::Arc;

const DIRECTORY: &str = "orders-0";

#[test]
fn the_log() {
    let scripts = format!("{}/tests/golden/log", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(scripts, |_| {
        let mut lab = Lab::new();
        move |line: &str| lab.run(line).unwrap_or_else(|error| format!("error: {error}"))
    });
}

struct Lab {
    disk: SimulatedDisk,
    config: LogConfig,
    log: Option<Log>,
    start: Start,
}

type Answer = Result<String, Box<dyn std::error::Error>>;

impl Lab {
    fn new() -> Lab {
        let config = LogConfig { retention_ms: -1, ..LogConfig::default() };
        Lab { disk: SimulatedDisk::new(1), config, log: None, start: Start::default() }
    }

    fn run(&mut self, line: &str) -> Answer {
        let words = line.split(' ').collect::<Vec<_>>();
        match words[..] {
            ["config", name, value] => self.configure(name, value.parse()?),
            ["append", ref values @ ..] => self.append(&batch(values)?),
            ["produce", id, epoch, sequence, ref values @ ..] => {
                let mut bytes = batch(values)?;
                BatchHeader::producer_id.put(&mut bytes, id.parse()?);
                BatchHeader::producer_epoch.put(&mut bytes, epoch.parse()?);
                BatchHeader::base_sequence.put(&mut bytes, sequence.parse()?);
                batch::seal(&mut bytes);
                self.append(&bytes)
            }
            ["read", offset] => self.read(offset.parse()?, usize::MAX),
            ["read", offset, length] => self.read(offset.parse()?, length.parse()?),
            ["lookup", timestamp] => Ok(match self.log()?.find_timestamp(timestamp.parse()?)? {
                Some(found) => format!("offset {} at @{}", found.offset, found.timestamp),
                None => "none".to_owned(),
            }),
            ["leaders", ref leaders @ ..] => {
                let lines = leaders.iter().map(|it| it.replace('@', " ") + "\n");
                let text = format!("0\n{}\n{}", leaders.len(), lines.collect::<String>());
                let directory = Directory::new(Arc::new(self.disk.clone()), DIRECTORY);
                directory.replace("leader-epoch-checkpoint", text.as_bytes())?;
                Ok(String::new())
            }
            ["epoch", epoch] => Ok(match self.log()?.end_of_epoch(epoch.parse()?) {
                Some((epoch, end)) => format!("epoch {epoch} ends at offset {end}"),
                None => "no leader had it".to_owned(),
            }),
            ["compact", now] => self.compact(now.parse()?, 1000),
            ["compact", now, keys_max] => self.compact(now.parse()?, keys_max.parse()?),
            ["flush"] => self.flush(),
            ["close"] => self.close(),
            ["open"] => self.open(),
            ["crash", survivors] => {
                self.log = None;
                let all = survivors == "all";
                self.disk.crash_with(if all { Survivors::All } else { Survivors::None });
                self.start.is_clean = false;
                Ok(String::new())
            }
            ["retain", now] => {
                let now = now.parse()?;
                let removed = self.log()?.remove_old_segments(now)?;
                removed.iter().try_for_each(|it| it.remove())?;
                let names = removed.iter().map(|it| it.base_offset.to_string());
                let names = names.collect::<Vec<_>>().join(" ");
                Ok(format!("deleted [{names}], the log starts at {}", self.log()?.log_start_offset))
            }
            ["files"] => self.files(),
            ["index", base] => self.index(base.parse()?),
            ["dump", file, from] => self.dump(file, from.parse()?, None),
            ["dump", file, from, to] => self.dump(file, from.parse()?, Some(to.parse()?)),
            ["flat" | "flip" | "zero" | "cut", ..] => self.run_on_files(&words),
            _ => Err(format!("unknown command {line}").into()),
        }
    }

    /// Runs the commands that bypass the log.
    fn run_on_files(&mut self, words: &[&str]) -> Answer {
        match *words {
            ["flip", file, byte] => {
                let (file, byte) = (self.file(file)?, byte.parse()?);
                let mut bytes = [0];
                file.read_exact_at(&mut bytes, byte)?;
                file.write_all_at(&[bytes[0] ^ 1], byte)?;
                Ok(String::new())
            }
            ["zero", file, from, to] => {
                let (from, to) = (from.parse::<u64>()?, to.parse::<u64>()?);
                self.file(file)?.write_all_at(&vec![0; (to - from) as usize], from)?;
                Ok(String::new())
            }
            ["cut", file, length] => {
                self.file(file)?.truncate(length.parse()?)?;
                Ok(String::new())
            }
            ["flat", "append", value] => {
                FlatLog::open(&self.disk, "flat")?.append(value.as_bytes())?;
                Ok(String::new())
            }
            ["flat", "zeros", count] => {
                let file = self.disk.open("flat")?;
                file.truncate(file.len()? + count.parse::<u64>()?)?;
                Ok(String::new())
            }
            ["flat", "read", offset] => {
                let flat = FlatLog::open(&self.disk, "flat")?;
                let (value, bytes_read) = flat.read(offset.parse()?)?;
                let value = value.map(|it| format!("{:?}", String::from_utf8_lossy(&it)));
                let value = value.unwrap_or("none".to_owned());
                Ok(format!("{value}, after reading {bytes_read} bytes"))
            }
            _ => Err(format!("unknown command {words:?}").into()),
        }
    }

    fn configure(&mut self, name: &str, value: i64) -> Answer {
        match name {
            "segment_bytes" => self.config.segment_bytes = value,
            "segment_ms" => self.config.segment_ms = value,
            "index_interval_bytes" => self.config.index_interval_bytes = value,
            "retention_ms" => self.config.retention_ms = value,
            "retention_bytes" => self.config.retention_bytes = value,
            "compact" => {
                self.config.cleanup = Cleanup { deletes: false, compacts: true };
                self.config.min_cleanable_dirty_ratio = value as f64 / 100.0;
            }
            "delete_retention_ms" => self.config.delete_retention_ms = value,
            "min_compaction_lag_ms" => self.config.min_compaction_lag_ms = value,
            _ => return Err(format!("unknown parameter {name}").into()),
        }
        if let Some(log) = &mut self.log {
            log.config = self.config.clone();
        }
        Ok(String::new())
    }

    fn log(&mut self) -> Result<&mut Log, Box<dyn std::error::Error>> {
        if self.log.is_none() && self.disk.list("")?.iter().all(|it| it != DIRECTORY) {
            let disk = Arc::new(self.disk.clone());
            let directory = Directory::create(disk, DIRECTORY)?;
            self.disk.sync_dir("")?;
            self.log = Some(Log::create(directory, self.config.clone())?);
        }
        self.log.as_mut().ok_or("the log is not open".into())
    }

    fn append(&mut self, bytes: &[u8]) -> Answer {
        let log = self.log()?;
        let rolls = log.segments().count();
        Ok(match log.append(bytes) {
            Ok(it) if it.is_duplicate => {
                format!("a duplicate of offsets {}..{}", it.base_offset, it.last_offset)
            }
            Ok(it) if log.segments().count() > rolls => {
                format!("offsets {}..{}, in a new segment", it.base_offset, it.last_offset)
            }
            Ok(it) => format!("offsets {}..{}", it.base_offset, it.last_offset),
            Err(AppendError::Storage(error)) => return Err(error.into()),
            Err(error) => format!("refused: {error}"),
        })
    }

    fn read(&mut self, offset: i64, length: usize) -> Answer {
        let log = self.log()?;
        let slice = match log.read(offset, length, log.next_offset) {
            Ok(Some(slice)) => slice,
            Ok(None) => return Ok("nothing yet".to_owned()),
            Err(ReadError::OffsetOutOfRange) => return Ok("OFFSET_OUT_OF_RANGE".to_owned()),
            Err(ReadError::Storage(error)) => return Err(error.into()),
        };
        let bytes = slice.read()?;
        let mut text = format!("{slice:?}\n");
        let mut rest = &bytes[..];
        while let Ok(records_bytes) = BatchHeader::tail(rest) {
            let header = BatchHeader::read(rest)?;
            for record in records(records_bytes) {
                let record = record?;
                let text_of = |bytes: Option<&[u8]>| {
                    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
                };
                let key = record.key.map_or(String::new(), |it| text_of(Some(it)) + "=");
                let value = key + &text_of(record.value);
                let offset = header.base_offset + i64::from(record.offset_delta);
                writeln!(text, "  {offset}: {value}")?;
            }
            rest = &rest[BatchHeader::SIZE + records_bytes.len()..];
        }
        if !rest.is_empty() {
            writeln!(text, "  and {} bytes of an incomplete batch", rest.len())?;
        }
        Ok(text)
    }

    fn flush(&mut self) -> Answer {
        let log = self.log()?;
        let Some(flush) = Flush::start(log) else { return Ok("nothing to flush".to_owned()) };
        flush.run()?;
        flush.finish(log);
        self.start.recovery_point = self.log()?.recovery_point;
        Ok(format!("the recovery point is {}", self.start.recovery_point))
    }

    fn close(&mut self) -> Answer {
        let log = self.log()?;
        let flush = Flush::start_last(log).ok_or("the log has failed")?;
        flush.run()?;
        let recovery_point = log.next_offset;
        self.start = Start { is_clean: true, recovery_point, ..self.start };
        self.log = None;
        Ok(String::new())
    }

    fn open(&mut self) -> Answer {
        let disk = Arc::new(self.disk.clone());
        let directory = Directory::new(disk, DIRECTORY);
        let (log, report) = recovery::open(directory, self.config.clone(), self.start)?;
        let mut text = format!("offsets {}..{}", log.log_start_offset, log.next_offset);
        write!(text, ", {} segments checked", report.segments_checked)?;
        if let Some(reason) = report.reason {
            write!(text, ", {} bytes cut off", report.bytes_truncated)?;
            write!(text, ", {} segments deleted\n{reason}", report.segments_deleted)?;
        }
        self.log = Some(log);
        Ok(text)
    }

    fn compact(&mut self, now: i64, keys_max: usize) -> Answer {
        self.log()?;
        let partition = Partition::new(self.log.take().ok_or("the log is not open")?);
        let hash = |key: &[u8]| key.iter().fold(0, |hash, byte| hash << 8 | u128::from(*byte));
        let compacted =
            partition.compact(now, &Limits { hash: &hash, keys_max, must_stop: &|| false })?;
        let (cleaned_up_to, recovery_point) =
            partition.with_log(|log| (log.cleaned_up_to, log.recovery_point));
        drop(partition);

        // Reopen the log from the disk, with the offsets that the checkpoints would have.
        self.start = Start { is_clean: false, recovery_point, cleaned_up_to, ..self.start };
        self.open()?;
        Ok(match compacted {
            true => format!("compacted up to {cleaned_up_to}"),
            false => "too little is new".to_owned(),
        })
    }

    fn files(&mut self) -> Answer {
        let mut text = String::new();
        for name in self.disk.list(DIRECTORY)? {
            writeln!(text, "{:>6} {name}", self.file(&name)?.len()?)?;
        }
        Ok(text)
    }

    fn index(&mut self, base: i64) -> Answer {
        let log = self.log()?;
        let segment = log.segments().find(|it| it.base_offset == base).ok_or("no such segment")?;
        let indexes = match &segment.indexes {
            Some(indexes) => indexes.clone(),
            None => Indexes::load(&log.directory, base)?,
        };
        let mut text = String::new();
        for bytes in indexes.offsets.encode().chunks(OffsetEntry::SIZE) {
            let entry = OffsetEntry::read(bytes)?;
            writeln!(text, "offset {} -> byte {}", entry.relative_offset, entry.position)?;
        }
        for bytes in indexes.times.encode().chunks(TimeEntry::SIZE) {
            let entry = TimeEntry::read(bytes)?;
            writeln!(text, "@{} -> offset {}", entry.timestamp, entry.relative_offset)?;
        }
        Ok(if text.is_empty() { "no entries".to_owned() } else { text })
    }

    /// Explains the bytes of a file as one batch.
    fn dump(&mut self, file: &str, from: u64, to: Option<u64>) -> Answer {
        let file = self.file(file)?;
        let end = to.unwrap_or(file.len()?);
        let mut bytes = vec![0; (end - from) as usize];
        file.read_exact_at(&mut bytes, from)?;
        let mut dump = Hexdump::new(&bytes);
        dump.table(&BatchHeader::TABLE);
        Ok(dump.to_string())
    }

    fn file(&self, name: &str) -> std::io::Result<Box<dyn DiskFile>> {
        self.disk.open(&format!("{DIRECTORY}/{name}"))
    }
}

/// A batch with these values. A word like `@1000` sets the timestamp of the values after it.
fn batch(words: &[&str]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (mut timestamp, mut timed) = (0_i64, Vec::new());
    for word in words {
        match word.strip_prefix('@') {
            Some(number) => timestamp = number.parse()?,
            None => timed.push((timestamp, *word)),
        }
    }
    let base = timed.first().map_or(0, |(timestamp, _)| *timestamp);
    let record = |(index, (timestamp, word)): (usize, &(i64, &'static str))| {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (Some(key.as_bytes()), Some(value).filter(|it| !it.is_empty())),
            None => (None, Some(*word)),
        };
        Record {
            timestamp_delta: timestamp - base,
            offset_delta: index as i32,
            key,
            value: value.map(str::as_bytes),
            ..Record::default()
        }
    };
    let timed = timed.into_iter().map(|(at, word)| (at, &*word.to_owned().leak()));
    let timed = timed.collect::<Vec<(i64, &'static str)>>();
    let records = timed.iter().enumerate().map(record).collect::<Vec<_>>();
    Ok(batch_of(base, &records))
}
