//! Layouts of the engines' shapes: a checksum in the middle, nesting, odd widths, both tails.

use super::*;

layout! {
    /// Kafka's header of a record batch: the checksum is in the middle.
    pub struct BatchHeader = 61 bytes, BigEndian {
        0..8    base_offset:            i64, "offset of the first record";
        8..12   batch_length:           i32, "bytes after this field";
        12..16  partition_leader_epoch: i32, "epoch of the leader that appended the batch";
        16..17  magic:                  i8,  "version of the format";
        17..21  crc:                    u32 => hex, "CRC-32C of everything after this field";
        21..23  attributes:             i16, "bits 0-2 compression, bit 4 transactional";
        23..27  last_offset_delta:      i32, "offset of the last record, relative";
        27..35  base_timestamp:         i64, "timestamp of the first record, ms";
        35..43  max_timestamp:          i64, "largest timestamp, ms";
        43..51  producer_id:            i64, "-1 without idempotence";
        51..53  producer_epoch:         i16, "fences older instances of the producer";
        53..57  base_sequence:          i32, "sequence of the first record";
        57..61  records_count:          i32, "number of records";
        tail 61..12 + batch_length records,  "the records";
    }
}

layout! {
    /// A page reference.
    struct PageId = 6 bytes, BigEndian {
        0..2  space: u16, "tablespace";
        2..6  page:  u32, "page number";
    }
}

layout! {
    /// Nested, with odd widths.
    struct PageHeader = 21 bytes, LittleEndian {
        0..4   magic: [u8; 4], "always PAGE";
        4..7   clock: Uint<3>, "24 bits of the policy";
        7..13  next:  PageId,  "right sibling";
        13..21 lsn:   u64,     "last change";
        tail 21.. body, "slots and rows";
    }
}

const HEADER: PageHeader = PageHeader {
    magic: *b"PAGE",
    clock: Uint(0x01_0203),
    next: PageId { space: 1, page: 2 },
    lsn: 3,
};

#[test]
fn both_byte_orders_nested() {
    let bytes = HEADER.encode();
    assert_eq!(bytes, *b"PAGE\x03\x02\x01\x00\x01\x00\x00\x00\x02\x03\0\0\0\0\0\0\0");
    assert_eq!(PageHeader::decode(&bytes), HEADER);
    assert_eq!(PageHeader::next.get(&bytes), PageId { space: 1, page: 2 });
    assert_eq!(PageHeader::next.start() + PageId::page.start(), 9);
    let mut wide = [0; 3];
    Uint::<3>(0xff01_0203).write(&mut wide, ByteOrder::BigEndian);
    assert_eq!((wide, Uint::<3>::read(&wide, ByteOrder::BigEndian)), ([1, 2, 3], Uint(0x01_0203)));
}

#[test]
fn a_field_is_patched_in_place() {
    let mut bytes = [0xaa; 61];
    BatchHeader::crc.put(&mut bytes, 0xdead_beef);
    assert_eq!(bytes[17..21], [0xde, 0xad, 0xbe, 0xef]);
    assert!(bytes[..17].iter().chain(&bytes[21..]).all(|&byte| byte == 0xaa));
    assert_eq!(BatchHeader::crc.range(), 17..21);
    assert_eq!(BatchHeader::crc.start(), 17);
}

#[test]
fn tails_end_where_their_length_says() {
    let mut bytes = vec![0; 70];
    BatchHeader::batch_length.put(&mut bytes, 54);
    assert_eq!(BatchHeader::tail(&bytes).unwrap().len(), 5);
    assert_eq!(BatchHeader::tail_end(&bytes[..61]), Ok(66));
    let short = LayoutError::TooShort {
        layout: "BatchHeader",
        tail: Some("records"),
        needed: 66,
        available: 65,
    };
    assert_eq!(BatchHeader::tail(&bytes[..65]), Err(short));

    // 48 would end the batch inside its own header, -1 before it began.
    for length in [48, -1] {
        BatchHeader::batch_length.put(&mut bytes, length);
        let bad = LayoutError::BadLength {
            layout: "BatchHeader",
            field: "batch_length",
            value: length.into(),
        };
        assert_eq!(BatchHeader::tail(&bytes), Err(bad));
    }
    assert_eq!(PageHeader::tail(&[0; 30]).unwrap().len(), 9);
    assert_eq!(
        PageHeader::read(&[0; 20]).unwrap_err().to_string(),
        "PageHeader needs 21 bytes and only 20 are there: the data was cut short"
    );
}

#[test]
fn rows_that_do_not_fit_are_named() {
    assert_eq!(check(&[(0, 4, 4), (4, 6, 2)], 6), None);
    let problem = |rows, size| check(rows, size).unwrap();
    assert!(problem(&[(0, 4, 4), (5, 9, 4)], 9).contains("gap"));
    assert!(problem(&[(0, 4, 4), (3, 7, 4)], 7).contains("overlaps"));
    assert!(problem(&[(0, 2, 4)], 2).contains("fill"));
    assert!(problem(&[(0, 4, 4)], 8).contains("add up"));
}

#[test]
fn the_dump_names_every_byte() {
    let mut bytes = HEADER.encode().to_vec();
    bytes.extend_from_slice(&[b'x'; 100]);
    let dump = PageHeader::explain(&bytes);
    let names: Vec<_> = dump.parts().iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["magic", "clock", "next.space", "next.page", "lsn", "body"]);
    for offset in 0..bytes.len() {
        assert!(dump.part_at(offset).unwrap().range.contains(&offset));
    }
    assert!(dump.part_at(bytes.len()).is_none());

    // A byte leads to the line of its declaration, also one of an inner layout or of the tail.
    for (offset, declaration) in [(9, " page: "), (bytes.len() - 1, " body")] {
        let (file, line) = dump.part_at(offset).unwrap().source.unwrap();
        let source = include_str!("tests.rs").lines().nth(line as usize - 1).unwrap();
        assert!(file.ends_with("layout/tests.rs") && source.contains(declaration), "{source}");
        assert!(format!("{dump:#}").contains(&format!("  {file}:{line}\n")), "{dump:#}");
    }
    assert!(dump.to_string().ends_with(".. 36 bytes more\n"), "{dump}");
}

#[test]
fn damaged_bytes_are_shown_as_far_as_they_go() {
    let mut bytes = HEADER.encode().to_vec();
    for length in 0..bytes.len() {
        let dump = PageHeader::explain(&bytes[..length]);
        assert_eq!(dump.end(), length);
    }
    bytes.truncate(15);
    assert_eq!(PageHeader::explain(&bytes).part_at(14).unwrap().value, "cut: 2 of 8");

    let mut batch = [0; 65];
    BatchHeader::batch_length.put(&mut batch, -5);
    let dump = BatchHeader::explain(&batch);
    assert_eq!(dump.end(), 61, "the length cannot be believed");
    assert!(dump.to_string().contains("after the end"), "{dump}");
}
