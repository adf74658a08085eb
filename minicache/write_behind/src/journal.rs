//! The journal of write-behind: what was acknowledged and is not written yet, on disk.
//!
//! A file of records. A delete of the key `a` with the number 258 takes 30 bytes:
//!
//! ```text
//! 0000000000000012     length of what follows the checksum
//! 5f70fe66             CRC-32 of that
//! 0000000000000102     number
//! 64                   `d`; `p` is a put, whose value is at the end, and `m` the last number
//! 0000000000000001 61  length of the key, and the key
//! ```
//!
//! Nothing marks an operation as written. After a crash all operations of the file are queued
//! again; the newest of each key is written once more, and its number tells the backend that it
//! has it already. When little of the file is still unwritten, a new one with just that takes its
//! place. It begins with the last number, which must not be given out again.
//!
//! The first record that is cut or damaged ends the file. An append that a crash interrupts leaves
//! such a record, and nothing after it was acknowledged. Redis does this with its append-only file
//! (`aof-load-truncated`). A file that a disk has damaged is kept, as `….damaged-1` and so on.

use crate::queue::{Operation, Queue};
use minikit::storage::{Disk, DiskFile};
use std::io;
use std::sync::Arc;

const NAME: &str = "write-behind.journal";
const NEW: &str = "write-behind.journal.new";

/// An open journal.
pub struct Journal {
    disk: Arc<dyn Disk>,
    file: Box<dyn DiskFile>,
    length: u64,
    /// The number up to which operations are in it.
    pub sequence: u64,
    /// Bytes at the end of the last file that were not whole records.
    pub ignored: usize,
    /// After one failure nothing is known about the file, so it is not written again.
    failure: Option<io::ErrorKind>,
}

impl Journal {
    /// Opens the journal of a directory, or begins one. Its operations are put into the queue.
    pub fn open(disk: Arc<dyn Disk>, queue: &mut Queue) -> io::Result<Journal> {
        let (mut bytes, names) = (Vec::new(), disk.list("")?);
        if names.iter().any(|it| it == NAME) {
            let file = disk.open_to_read(NAME)?;
            bytes.resize(file.len()? as usize, 0);
            file.read_exact_at(&mut bytes, 0)?;
        }
        let ignored = replay(&bytes, queue);
        if ignored > 0 {
            let damaged = (1..).map(|number| format!("{NAME}.damaged-{number}"));
            let free = damaged.into_iter().find(|it| !names.contains(it)).expect("one is free");
            replace(&*disk, &free, &bytes)?;
        }
        let records = snapshot(queue);
        let (file, length) = (replace(&*disk, NAME, &records)?, records.len() as u64);
        Ok(Journal { disk, file, length, sequence: queue.sequence, ignored, failure: None })
    }

    /// The records of a new file, if this one has grown too long.
    pub fn snapshot_if_long(&self, queue: &Queue) -> Option<Vec<u8>> {
        let length_max = queue.options.journal_slack + 2 * queue.bytes as u64;
        (self.length > length_max).then(|| snapshot(queue))
    }

    /// Appends the records of all operations up to a number, or replaces the file by a snapshot.
    pub fn write(
        &mut self,
        records: &[u8],
        snapshot: Option<Vec<u8>>,
        sequence: u64,
        sync: bool,
    ) -> io::Result<()> {
        self.failure.map_or(Ok(()), |kind| Err(io::Error::from(kind)))?;
        let result = match snapshot {
            Some(snapshot) => replace(&*self.disk, NAME, &snapshot).map(|file| {
                (self.file, self.length) = (file, snapshot.len() as u64);
            }),
            None => self.file.write_all_at(records, self.length).and_then(|()| {
                self.length += records.len() as u64;
                if sync { self.file.sync() } else { Ok(()) }
            }),
        };
        match &result {
            Ok(()) => self.sequence = sequence,
            Err(error) => self.failure = Some(error.kind()),
        }
        result
    }
}

fn replace(disk: &dyn Disk, name: &str, records: &[u8]) -> io::Result<Box<dyn DiskFile>> {
    if disk.list("")?.iter().any(|it| it == NEW) {
        disk.remove(NEW)?; // a crash left it behind
    }
    let file = disk.create(NEW)?;
    file.write_all_at(records, 0)?;
    file.sync()?; // the bytes are safe before the name points at them
    disk.rename(NEW, name)?;
    disk.sync_dir("")?;
    Ok(file)
}

/// The records of a file with only what is not written, in order.
pub fn snapshot(queue: &Queue) -> Vec<u8> {
    let mut operations = queue.unwritten().collect::<Vec<_>>();
    operations.sort_by_key(|it| it.sequence);
    let mut records = Vec::new();
    append_record(&mut records, b'm', queue.sequence, b"", b"");
    operations.into_iter().for_each(|it| append_operation(&mut records, it));
    records
}

/// Adds the record of an operation.
pub fn append_operation(records: &mut Vec<u8>, Operation { key, value, sequence }: &Operation) {
    let kind = if value.is_some() { b'p' } else { b'd' };
    append_record(records, kind, *sequence, key, value.as_deref().unwrap_or_default());
}

fn append_record(records: &mut Vec<u8>, kind: u8, sequence: u64, key: &[u8], value: &[u8]) {
    let key_length = (key.len() as u64).to_be_bytes();
    let body = [&sequence.to_be_bytes(), &[kind][..], &key_length, key, value].concat();
    records.extend((body.len() as u64).to_be_bytes());
    records.extend(crc32fast::hash(&body).to_be_bytes());
    records.extend(body);
}

/// Queues the operations of a file, up to the first record that is not whole. Returns the number
/// of bytes from there on.
pub fn replay(mut bytes: &[u8], queue: &mut Queue) -> usize {
    while let Some((kind, sequence, key, value)) = split_record(&mut bytes) {
        queue.sequence = queue.sequence.max(sequence);
        if kind != b'm' {
            let value = (kind == b'p').then(|| value.into());
            queue.restore(Operation { key: key.into(), value, sequence }, 0);
        }
    }
    bytes.len()
}

/// Takes the kind, number, key and value of the first record off the bytes.
fn split_record<'a>(bytes: &mut &'a [u8]) -> Option<(u8, u64, &'a [u8], &'a [u8])> {
    let length = |bytes: &[u8; 8]| usize::try_from(u64::from_be_bytes(*bytes)).ok();
    let (body_length, rest) = bytes.split_first_chunk()?;
    let (crc, rest) = rest.split_first_chunk()?;
    let (body, rest) = rest.split_at_checked(length(body_length)?)?;
    if crc32fast::hash(body) != u32::from_be_bytes(*crc) {
        return None;
    }
    let (sequence, data) = body.split_first_chunk()?;
    let (kind, data) = data.split_first().filter(|(kind, _)| b"mpd".contains(kind))?;
    let (key_length, data) = data.split_first_chunk()?;
    let (key, value) = data.split_at_checked(length(key_length)?)?;
    *bytes = rest;
    Some((*kind, u64::from_be_bytes(*sequence), key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Options;

    /// The bytes in the head of the file.
    #[test]
    fn a_record_is_what_it_is_said_to_be() {
        let mut records = Vec::new();
        let operation = Operation { key: b"a".as_slice().into(), value: None, sequence: 258 };
        append_operation(&mut records, &operation);
        let hex = records.iter().map(|it| format!("{it:02x}")).collect::<String>();
        assert_eq!(hex, "00000000000000125f70fe66000000000000010264000000000000000161");

        for cut in 0..records.len() {
            let mut queue = Queue::new(Options::default(), 0);
            replay(&records[..cut], &mut queue);
            assert_eq!((queue.sequence, queue.bytes), (0, 0), "cut at {cut}");
        }
        let mut queue = Queue::new(Options::default(), 0);
        replay(&records, &mut queue);
        assert_eq!(queue.newest(b"a"), Some(&operation));
    }
}
