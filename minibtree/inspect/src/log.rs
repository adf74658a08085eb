//! A segment of the write-ahead log, record by record, and the file `control`.
//!
//! ```text
//! 0/00000498  61 bytes
//!   relation 16384 page 0: put 2 at 12, put 31 at 8100, put 4 at 20
//!   relation 16385 page 1: image of 112 bytes
//! ```
//!
//! A record contains its own position, so the first one of a segment, which begins in the middle of
//! the record before it, is found by looking for its position. PostgreSQL's `pg_waldump` and
//! `pg_controldata`.

use minibtree_format::wal::{
    COMPACT, Control, MAGIC, Operation, PUT, PageChange, RecordHeader, SHIFT, changes, is_intact,
};
use minibtree_format::{Lsn, RelationId};
use minikit::layout::Hexdump;
use std::fmt::Write;

/// Explains the records of a segment. `position` is the position of its first byte in the log;
/// `bytes` may go on with those of the next segment after `length` bytes.
pub fn explain(bytes: &[u8], length: usize, position: u64, records_max: usize) -> String {
    let (mut text, mut end, mut count) = (String::new(), String::new(), 0);
    let Some(mut at) = first_record(bytes, length, position) else {
        return "no record begins in this segment: it was never written, or is kept for later\n"
            .to_owned();
    };
    if at > 0 {
        let whose = "of a record that begins in an earlier segment, or damaged";
        _ = writeln!(text, "{at} bytes {whose}");
    }
    while at < length {
        let Some(record) = record_at(bytes, at, position) else {
            let lsn = Lsn(position + at as u64);
            end = end_of_log(&bytes[at..], lsn, length - at);
            break;
        };
        count += 1;
        if count <= records_max {
            text += &explain_record(record);
        }
        at += record.len();
    }
    match count.saturating_sub(records_max) {
        0 => {}
        rest => _ = writeln!(text, ".. {rest} more records"),
    }
    text + &end
}

/// The offset of the first whole record in a segment.
fn first_record(bytes: &[u8], length: usize, position: u64) -> Option<usize> {
    (0..length.min(bytes.len())).find(|at| record_at(bytes, *at, position).is_some())
}

/// The record at an offset, if a whole one is there.
fn record_at(bytes: &[u8], at: usize, position: u64) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let header = RecordHeader::read(rest).ok()?;
    let lsn = Lsn(position + at as u64);
    let record = rest.get(..header.length as usize)?;
    let is_record = header.lsn == lsn.0 && record.len() >= RecordHeader::SIZE;
    (is_record && is_intact(record, lsn)).then_some(record)
}

/// Says why the log ends here.
fn end_of_log(rest: &[u8], lsn: Lsn, left: usize) -> String {
    let header = RecordHeader::read(rest);
    let why = match header {
        Ok(it) if it.lsn == lsn.0 && it.length as usize > rest.len() => {
            "the record here goes on after the next segment, or is damaged"
        }
        Ok(it) if it.lsn == lsn.0 && it.length > 0 => "the record here is torn or damaged",
        _ if rest.iter().all(|it| *it == 0) => "the log ends here, zeros follow",
        _ => "the log ends here; old bytes of a renamed segment follow, or it is damaged",
    };
    format!("{lsn}  {why} ({left} bytes to the end of the segment)\n")
}

fn explain_record(record: &[u8]) -> String {
    let lsn = Lsn(RecordHeader::lsn.get(record));
    let mut text = format!("{lsn}  {} bytes\n", record.len());
    for (change, bytes) in changes(record) {
        let PageChange { relation, block, hole, .. } = change;
        let relation = match RelationId(relation) {
            RelationId::SYSTEM => "the commit log".to_owned(),
            id if id.owner() == id => format!("relation {id}"),
            id => format!("overflow of relation {}", id.owner()),
        };
        let what = match hole {
            0 => operations(bytes).join(", "),
            _ => format!("image of {} bytes", bytes.len()),
        };
        _ = writeln!(text, "  {relation} page {block}: {what}");
    }
    text
}

/// The operations on a page.
fn operations(mut bytes: &[u8]) -> Vec<String> {
    let mut operations = Vec::new();
    while let Ok(Operation { kind, first, second }) = Operation::read(bytes) {
        bytes = &bytes[Operation::SIZE..];
        let (text, follow) = match kind {
            PUT => (format!("put {second} at {first}"), usize::from(second)),
            SHIFT => {
                let length = bytes.first_chunk().map_or(0, |it| u16::from_le_bytes(*it));
                (format!("shift {length} from {first} to {second}"), 2)
            }
            COMPACT => ("compact".to_owned(), 0),
            other => (format!("unknown operation {other}"), bytes.len()),
        };
        operations.push(text);
        bytes = bytes.get(follow..).unwrap_or_default();
    }
    operations
}

/// Explains the file `control`.
pub fn explain_control(bytes: &[u8]) -> String {
    let mut text = match read_control(bytes) {
        Ok(_) => String::new(),
        Err(error) => error + "\n",
    };
    let mut dump = Hexdump::new(bytes);
    dump.table(&Control::TABLE);
    text += &dump.to_string();
    text
}

/// Reads the file `control`.
///
/// # Errors
/// What is wrong with it.
pub fn read_control(bytes: &[u8]) -> Result<Control, String> {
    let control = Control::read(bytes).map_err(|it| it.to_string())?;
    if control.magic != MAGIC {
        let found = control.magic.escape_ascii();
        return Err(format!(
            "control is of another version: {found}, not {}",
            MAGIC.escape_ascii()
        ));
    }
    match crc32fast::hash(&bytes[Control::redo.start()..Control::SIZE]) {
        crc if crc == control.crc && control.segment > 0 => Ok(control),
        _ => Err("control is damaged: its checksum is wrong".to_owned()),
    }
}
