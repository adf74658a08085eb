//! The formats of the files in a data directory, one at a time.

use minilog::engine::log::index::SparseIndex;
use minilog::format::batch::{self, BatchHeader};
use minilog::format::checkpoint::{self, EpochEntry, OffsetEntry};
use minilog::format::compression::{compress, decompress};
use minilog::format::index::{OffsetEntry as IndexEntry, TimeEntry};
use minilog::format::properties::{Meta, parse_topic_id};
use minilog::format::record::records;
use minilog::format::{names, snapshot};

/// The limit for decompression.
const LENGTH_MAX: usize = 1 << 20;

/// Decodes the bytes as each kind of file.
pub fn check(input: &[u8]) {
    if let Ok(header) = BatchHeader::read(input) {
        let _ = batch::check(input);
        if let Some(compression) = header.compression() {
            let decompressed = decompress(compression, &input[BatchHeader::SIZE..], LENGTH_MAX);
            if let Ok(bytes) = decompressed {
                assert!(bytes.len() <= LENGTH_MAX);
                records(&bytes).for_each(drop);
                let again = compress(compression, bytes.clone()).expect("it fits into memory");
                assert_eq!(decompress(compression, &again, LENGTH_MAX).ok(), Some(bytes));
            }
        }
    }
    records(input).for_each(drop);
    if let Some(entries) = snapshot::decode(input) {
        assert_eq!(snapshot::encode(&entries), input);
    }
    if let Some(index) = SparseIndex::<IndexEntry>::decode(input) {
        assert_eq!(index.encode(), input);
    }
    let _ = SparseIndex::<TimeEntry>::decode(input);

    let text = String::from_utf8_lossy(input);
    let _ = checkpoint::parse::<OffsetEntry>(&text);
    if let Ok(entries) = checkpoint::parse::<EpochEntry>(&text) {
        assert_eq!(checkpoint::parse(&checkpoint::print(&entries)), Ok(entries));
    }
    let _ = (Meta::parse(&text), parse_topic_id(&text), names::parse(&text));
    let _ = names::parse_partition_directory(&text);
}
