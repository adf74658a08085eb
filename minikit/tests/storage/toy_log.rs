//! A log of records with a length and a checksum. Recovery ends it at the first bad record.

use minikit::storage::{Disk, DiskFile};
use std::io;

minikit::layout! {
    /// In front of every record.
    struct Header = 8 bytes, LittleEndian {
        0..4  checksum: u32,           "of the length and the payload";
        4..8  length:   u32,           "bytes of the payload";
        tail 8..8 + length payload,    "what the caller appended";
    }
}

pub struct ToyLog {
    file: Box<dyn DiskFile>,
    end: u64,
    checksum: fn(&[u8]) -> u32,
}

impl ToyLog {
    /// Opens or creates the log, and cuts off what a crash left after the last good record.
    pub fn open(disk: &dyn Disk, checksum: fn(&[u8]) -> u32) -> io::Result<ToyLog> {
        let file = match disk.open("log") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create("log")?,
            opened => opened?,
        };
        // Even if it was there: the process that created it may have died before this line.
        disk.sync_dir("")?;

        let mut log = ToyLog { file, end: 0, checksum };
        let sizes = log.records()?.into_iter().map(|it| (Header::SIZE + it.len()) as u64);
        log.end = sizes.sum();
        log.file.truncate(log.end)?;
        log.file.sync()?;
        Ok(log)
    }

    /// Adds a record; it is durable after the next `sync`.
    pub fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        let header = Header { checksum: 0, length: payload.len() as u32 };
        let mut bytes = [&header.encode(), payload].concat();
        let checksum = (self.checksum)(&bytes[Header::length.start()..]);
        Header::checksum.put(&mut bytes, checksum);

        self.file.write_all_at(&bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    pub fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// The good records from the beginning on. The checksum covers the length, so that a run of
    /// zeros is not an empty record.
    pub fn records(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut bytes = vec![0; self.file.len()? as usize];
        self.file.read_exact_at(&mut bytes, 0)?;
        let (mut rest, mut records) = (&bytes[..], Vec::new());
        while let Ok(payload) = Header::tail(rest) {
            let (record, after) = rest.split_at(Header::SIZE + payload.len());
            if (self.checksum)(&record[Header::length.start()..]) != Header::checksum.get(record) {
                break;
            }
            records.push(payload.to_vec());
            rest = after;
        }
        Ok(records)
    }
}
