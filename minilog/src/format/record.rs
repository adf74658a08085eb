//! A record: one key and value inside a batch, encoded with numbers of variable length.
//!
//! ```text
//! length       varint    bytes after this field
//! attributes   i8        unused, 0
//! timestamp    varlong   minus base_timestamp of the batch
//! offset       varint    minus base_offset of the batch
//! key          varint length (-1: null), bytes
//! value        varint length (-1: null), bytes
//! headers      varint count, then for each: length, name, length (-1: null), value
//! ```
//!
//! Offsets and timestamps are relative to the batch and therefore small, and small numbers take one
//! byte: each byte holds seven bits, and its highest bit says that another byte follows. Zigzag
//! encoding (0, -1, 1, -2, ...) keeps small negative numbers short. A record without a key takes
//! seven bytes plus its value; before version 2 of the format it took 34.
//!
//! # Example
//!
//! The second record of the batch that `kcat` sent:
//!
//! ```
//! use minilog::format::record::Record;
//!
//! let mut bytes: &[u8] = &[0x0e, 0x00, 0x00, 0x02, 0x01, 0x02, b'4', 0x00];
//! let record = Record::decode(&mut bytes)?;
//! assert_eq!((record.offset_delta, record.timestamp_delta), (1, 0));
//! assert_eq!((record.key, record.value), (None, Some(&b"4"[..])));
//! assert!(record.headers.is_empty() && bytes.is_empty());
//! # Ok::<(), &str>(())
//! ```
//!
//! Kafka counterpart: `DefaultRecord.java` and `ByteUtils.java`. Kafka encodes a null key as length
//! -1 as here; header names cannot be null.

use super::batch::{self, BatchHeader};

/// A record that borrows its key and value from the bytes of its batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its timestamp minus that of the batch, in ms.
    pub timestamp_delta: i64,
    /// Its offset minus that of the batch.
    pub offset_delta: i32,
    /// The key, by which records are partitioned and compacted.
    pub key: Option<&'a [u8]>,
    /// The value. In a compacted topic a record without one is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Names and values; a name may occur more than once.
    pub headers: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

const CUT: &str = "the records end too early";

impl<'a> Record<'a> {
    /// Decodes the record at the start of `bytes` and advances past it. The error says what is bad.
    pub fn decode(bytes: &mut &'a [u8]) -> Result<Record<'a>, &'static str> {
        let length = take_varint(bytes)?;
        let length = usize::try_from(length).map_err(|_| "a length is negative")?;
        let (mut body, rest) = bytes.split_at_checked(length).ok_or(CUT)?;
        let body = &mut body;

        take(body, 1)?;
        let timestamp_delta = take_varlong(body)?;
        let offset_delta = take_varint(body)?;
        let (key, value) = (take_bytes(body)?, take_bytes(body)?);

        // Each header needs at least two bytes, so a count from a hostile client allocates little.
        let count = take_varint(body)?;
        if usize::try_from(count).is_ok_and(|count| count > body.len() / 2) || count < 0 {
            return Err("the number of headers is impossible");
        }
        let mut headers = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let name = take_bytes(body)?.ok_or("a header has no name")?;
            headers.push((name, take_bytes(body)?));
        }

        if !body.is_empty() {
            return Err("a record is longer than its fields");
        }
        *bytes = rest;
        Ok(Record { timestamp_delta, offset_delta, key, value, headers })
    }

    /// Appends the record to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut body = vec![0];
        put_varlong(&mut body, self.timestamp_delta);
        put_varlong(&mut body, self.offset_delta.into());
        put_bytes(&mut body, self.key);
        put_bytes(&mut body, self.value);
        put_varlong(&mut body, self.headers.len() as i64);
        for (name, value) in &self.headers {
            put_bytes(&mut body, Some(name));
            put_bytes(&mut body, *value);
        }
        put_varlong(out, body.len() as i64);
        out.extend_from_slice(&body);
    }
}

/// The records of an uncompressed batch, or of the decompressed records of one, in order.
pub fn records(mut bytes: &[u8]) -> impl Iterator<Item = Result<Record<'_>, &'static str>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let record = Record::decode(&mut bytes);
        if record.is_err() {
            bytes = &[];
        }
        Some(record)
    })
}

/// An uncompressed batch of `records`, with base offset 0, without a producer id, checksum
/// included. Timestamps of the records are relative to `base_timestamp`.
pub fn batch_of(base_timestamp: i64, records: &[Record<'_>]) -> Vec<u8> {
    let latest = records.iter().map(|it| it.timestamp_delta).max().unwrap_or(0);
    let last_offset_delta = records.last().map_or(0, |it| it.offset_delta);
    let header = BatchHeader::new(records.len() as i32, base_timestamp, base_timestamp + latest);
    let mut bytes = BatchHeader { last_offset_delta, ..header }.encode().to_vec();
    records.iter().for_each(|record| record.encode(&mut bytes));
    batch::seal(&mut bytes);
    bytes
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], &'static str> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(CUT)?;
    *bytes = rest;
    Ok(taken)
}

/// Bytes prefixed with their length; none if the length is -1.
fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, &'static str> {
    let length = take_varint(bytes)?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| "a length is negative")?;
    take(bytes, length).map(Some)
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varlong(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

fn take_varint(bytes: &mut &[u8]) -> Result<i32, &'static str> {
    let long = take_varlong(bytes)?;
    i32::try_from(long).map_err(|_| "a number has more than 32 bits")
}

fn take_varlong(bytes: &mut &[u8]) -> Result<i64, &'static str> {
    let mut value: u64 = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            // Zigzag: the sign is in the lowest bit.
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err("a number is longer than ten bytes")
}

fn put_varlong(out: &mut Vec<u8>, value: i64) {
    let mut rest = (value << 1 ^ value >> 63) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_of_a_real_batch() {
        let tail = BatchHeader::tail(&batch::EXAMPLE).unwrap();
        let values = records(tail).map(|it| it.unwrap().value.unwrap()[0]).collect::<Vec<_>>();
        assert_eq!(values, b"345");
    }

    #[test]
    fn our_batch_equals_the_one_from_kcat() {
        let of = |(offset, value)| Record {
            offset_delta: offset,
            value: Some(value),
            ..Record::default()
        };
        let records = [(0, &b"3"[..]), (1, b"4"), (2, b"5")].map(of);
        let mut bytes = batch_of(0x01a2_026d_e8e7, &records);
        BatchHeader::partition_leader_epoch.put(&mut bytes, 0);
        assert_eq!(bytes, batch::EXAMPLE);
    }

    #[test]
    fn numbers_of_every_length() {
        for (number, bytes) in [(0, &[0][..]), (-1, &[1]), (1, &[2]), (63, &[126]), (64, &[128, 1])]
        {
            let mut out = Vec::new();
            put_varlong(&mut out, number);
            assert_eq!(out, bytes, "{number}");
        }
        for shift in 0..64 {
            for number in [1 << shift, i64::MIN >> shift, i64::MAX >> shift] {
                let mut out = Vec::new();
                put_varlong(&mut out, number);
                assert_eq!(take_varlong(&mut &out[..]), Ok(number));
            }
        }
    }

    #[test]
    fn a_record_with_every_field_round_trips() {
        let record = Record {
            timestamp_delta: -5,
            offset_delta: 1000,
            key: Some(b"key"),
            value: None,
            headers: vec![(b"a", Some(b"1")), (b"a", None), (b"", Some(b""))],
        };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        assert_eq!(Record::decode(&mut &bytes[..]), Ok(record));
        for length in 0..bytes.len() {
            assert!(Record::decode(&mut &bytes[..length]).is_err());
        }
    }

    #[test]
    fn impossible_lengths_are_errors() {
        // A negative length, a header count that exceeds the bytes left, an endless number.
        for bytes in [&[1, 0][..], &[12, 0, 0, 0, 1, 1, 0x7e], &[0xff; 11]] {
            assert!(Record::decode(&mut &bytes[..]).is_err(), "{bytes:?}");
        }
    }
}
