//! `minilog explain FILE`: every byte of a segment, an index, a snapshot or a captured request,
//! with its field, its meaning and the line of the source that declares it.
//!
//! ```text
//! $ minilog explain orders-0/00000000000000000000.log
//! batch at byte 0, offsets 0 to 2
//! ..
//! 0011  d7 4f 38 2f  crc  0xd74f382f  CRC-32C of what follows..  minilog/src/format/batch.rs:56
//! ..
//! record 0  timestamp 1795337087207  key none  value "3"
//! ```
//!
//! A record of `__consumer_offsets-0` is followed by a line with its decoded fields:
//!
//! ```text
//! Offset(OffsetCommitKey { group: "g", topic: "t", partition: 0 }, Some(OffsetCommitValue { ..
//! ```
//!
//! A file with any other name must hold a request prefixed with its size. This captures the first
//! request of a client: `timeout 1 nc -l 9092 > frame & kcat -b 127.0.0.1 -L`.
//!
//! A damaged file is explained up to the damage: damaged files are the ones people look at. Kafka
//! counterpart: `kafka-dump-log.sh`, which prints values without the bytes they come from.

use crate::format::batch::{self, BatchHeader, Compression};
use crate::format::compression::decompress;
use crate::format::index::{OffsetEntry, TimeEntry};
use crate::format::names::{self, Kind};
use crate::format::record::{Record, records};
use crate::format::snapshot::{SnapshotEntry, SnapshotHeader};
use crate::wire::explain::explain_request;
use crate::wire::offsets_topic;
use minikit::layout::{Hexdump, Table};

/// Part of the path of every segment of `__consumer_offsets`.
const OFFSETS_DIRECTORY: &str = "__consumer_offsets-";
/// The records of a batch that decompresses to more than this are not shown.
const RECORDS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Explains the bytes of a file, at most `parts_max` batches or entries. The name says the kind.
///
/// # Errors
/// If the name is not that of a segment's file and the bytes are not a request frame.
pub fn explain(name: &str, bytes: &[u8], parts_max: usize) -> Result<String, String> {
    let base_name = name.rsplit('/').next().unwrap_or(name);
    let Some((_, kind)) = names::parse(base_name) else {
        let frame = bytes.split_first_chunk::<4>();
        let frame = frame.filter(|(size, it)| u32::from_be_bytes(**size) as usize == it.len());
        let (_, frame) = frame.ok_or_else(|| {
            format!(
                "{base_name}: neither a segment's file, like 00000000000000000000.log, nor a \
                 request prefixed with its size"
            )
        })?;
        return Ok(format!("{:#}", explain_request(frame)));
    };
    Ok(match kind {
        Kind::Log => explain_log(bytes, parts_max, name.contains(OFFSETS_DIRECTORY)),
        Kind::OffsetIndex => explain_entries(bytes, None, &OffsetEntry::TABLE, parts_max),
        Kind::TimeIndex => explain_entries(bytes, None, &TimeEntry::TABLE, parts_max),
        Kind::Snapshot => {
            let header = Some(&SnapshotHeader::TABLE);
            explain_entries(bytes, header, &SnapshotEntry::TABLE, parts_max)
        }
        Kind::TransactionIndex => return Err("transactions are not supported".to_owned()),
    })
}

fn explain_log(bytes: &[u8], parts_max: usize, has_offsets: bool) -> String {
    let (mut text, mut rest, mut count) = (String::new(), bytes, 0);
    while !rest.is_empty() && count < parts_max {
        count += 1;
        text += &format!("batch at byte {}, ", bytes.len() - rest.len());
        let header = match batch::check(rest) {
            Ok(header) => header,
            // The length of a bad batch may be wrong too, so we cannot find the next batch.
            Err(error) => {
                return text + &format!("damaged: {error}\n{:#}", BatchHeader::explain(rest));
            }
        };
        text += &format!("offsets {} to {}\n", header.base_offset, header.last_offset());
        let batch = &rest[..header.size().unwrap_or(rest.len())];
        text += &format!("{:#}", BatchHeader::explain(batch));
        text += &explain_records(&header, batch, has_offsets);
        rest = &rest[batch.len()..];
    }
    if !rest.is_empty() {
        text += &format!("{} bytes more\n", rest.len());
    }
    text
}

/// The decompressed records of a batch, one per line; records of groups with their fields.
fn explain_records(header: &BatchHeader, batch: &[u8], has_offsets: bool) -> String {
    let compression = header.compression().unwrap_or(Compression::None);
    let bytes = match decompress(compression, &batch[BatchHeader::SIZE..], RECORDS_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) => return format!("{error}\n"),
    };
    let shown = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        None => "none".to_owned(),
    };
    let line = |record: Result<Record<'_>, &'static str>| {
        let record = match record {
            Ok(record) => record,
            Err(error) => return format!("the records are damaged: {error}\n"),
        };
        let key = record.key.filter(|_| has_offsets);
        let fields = match key.map(|key| offsets_topic::decode(key, record.value)) {
            Some(Ok(Some(fields))) => format!("  {fields:?}\n"),
            Some(Err(error)) => format!("  damaged: {error}\n"),
            _ => String::new(),
        };
        let offset = header.base_offset.saturating_add(record.offset_delta.into());
        let timestamp = header.timestamp(record.timestamp_delta);
        let (key, value) = (shown(record.key), shown(record.value));
        format!("record {offset}  timestamp {timestamp}  key {key}  value {value}\n{fields}")
    };
    records(&bytes).map(line).collect()
}

fn explain_entries(
    bytes: &[u8],
    header: Option<&'static Table>,
    entry: &'static Table,
    parts_max: usize,
) -> String {
    let mut dump = Hexdump::new(bytes);
    header.into_iter().for_each(|table| dump.table(table));
    for _ in 0..parts_max {
        if dump.end() + entry.size <= bytes.len() {
            dump.table(entry);
        }
    }
    format!("{dump:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "orders-0/00000000000000000000.log";

    #[test]
    fn every_byte_of_a_batch_and_its_records() {
        let text = explain(LOG, &batch::EXAMPLE, 10).unwrap();
        let declares_crc = |line: &&str| line.contains(" crc: ");
        let line = include_str!("../format/batch.rs").lines().position(|it| declares_crc(&it));
        let line = line.unwrap();
        let expected = [
            "batch at byte 0, offsets 0 to 2",
            "0011  d7 4f 38 2f              crc                     0xd74f382f ",
            &format!("  minilog/src/format/batch.rs:{}\n", line + 1),
            "record 2  timestamp 1795337087207  key none  value \"5\"",
        ];
        assert!(expected.iter().all(|line| text.contains(line)), "{text}");
    }

    #[test]
    fn committed_offsets_have_fields() {
        let key = offsets_topic::OffsetCommitKey {
            group: "billing".into(),
            topic: "orders".into(),
            partition: 2,
        };
        let (key, value) = offsets_topic::Entry::Offset(key, None).encode();
        let tombstone = Record { key: Some(&key), value: value.as_deref(), ..Default::default() };
        let other = Record { key: Some(b"\0"), ..Default::default() };
        let bytes = crate::format::record::batch_of(0, &[tombstone, other]);
        let text = explain("__consumer_offsets-0/00000000000000000000.log", &bytes, 1).unwrap();
        let fields =
            "OffsetCommitKey { group: \"billing\", topic: \"orders\", partition: 2 }, None)";
        assert!(text.contains(fields) && text.contains("  damaged: byte"), "{text}");
        assert!(!explain(LOG, &bytes, 1).unwrap().contains("OffsetCommitKey"));
    }

    #[test]
    fn the_timestamp_of_the_broker_is_that_of_every_record() {
        let record = Record { value: Some(b"x"), ..Default::default() };
        let mut bytes = crate::format::record::batch_of(5, &[record]);
        BatchHeader::attributes.put(&mut bytes, batch::LOG_APPEND_TIME);
        BatchHeader::max_timestamp.put(&mut bytes, 9);
        batch::seal(&mut bytes);
        let text = explain(LOG, &bytes, 1).unwrap();
        assert!(text.contains("record 0  timestamp 9  key none"), "{text}");
    }

    #[test]
    fn damaged_files_are_explained_up_to_the_damage() {
        let two = [batch::EXAMPLE, batch::EXAMPLE].concat();
        for length in 0..two.len() {
            explain(LOG, &two[..length], 10).unwrap();
        }
        let text = explain(LOG, &two[..100], 10).unwrap();
        assert!(text.contains("batch at byte 85, damaged: BatchHeader needs 61 bytes"), "{text}");
        assert!(explain(LOG, &two, 1).unwrap().ends_with("85 bytes more\n"));
    }

    #[test]
    fn indexes_and_other_files() {
        let bytes = [0, 0, 0, 49, 0, 0, 0x10, 0x68];
        let text = explain("00000000000000000100.index", &bytes, 10).unwrap();
        assert!(text.contains("position         4200"), "{text}");
        assert!(explain("meta.properties", b"version=1", 10).is_err());
        let text = explain("frame", b"\0\0\0\x0a\0\x12\0\0\0\0\0\x01\xff\xff", 10).unwrap();
        assert!(text.contains("client_id.length     null"), "{text}");

        // Requests are declared by the schema macro, which records its lines too.
        let source = include_str!("../wire/api.rs").lines();
        let line = source.into_iter().position(|it| it.contains("client_id:")).unwrap() + 1;
        assert!(text.contains(&format!("minilog/src/wire/api.rs:{line}\n")), "{text}");
    }
}
