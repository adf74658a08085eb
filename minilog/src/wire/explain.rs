//! Explains a request frame: every byte with its field, its value and its meaning.
//!
//! The explanation is based on the tables of fields, not on the generated decoders. So it can show
//! the valid part of a damaged frame: people want to see frames that a program has refused.
//!
//! # Example
//!
//! The Metadata request of kcat, version 4, which asks for the topic `t`:
//!
//! ```
//! use minilog::wire::explain::explain_request;
//!
//! let frame = b"\0\x03\0\x04\0\0\0\x02\0\x07rdkafka\0\0\0\x01\0\x01t\x01";
//! assert_eq!(
//!     explain_request(frame).to_string(),
//!     "0000  00 03                    request_api_key            3           the kind of \
//!      request\n\
//!      0002  00 04                    request_api_version        4           its version\n\
//!      0004  00 00 00 02              correlation_id             2           repeated in the \
//!      response\n\
//!      0008  00 07                    client_id.length           7           bytes of client_id\n\
//!      000a  72 64 6b 61 66 6b 61     client_id                  \"rdkafka\"   for logs, quotas \
//!      and metrics\n\
//!      0011  00 00 00 01              topics.count               1           elements of topics\n\
//!      0015  00 01                    topics[0].name.length      1           bytes of \
//!      topics[0].name\n\
//!      0017  74                       topics[0].name             \"t\"         the name, or \
//!      null\n\
//!      0018  01                       allow_auto_topic_creation  true        create topics that \
//!      do not exist\n",
//! );
//! ```
//!
//! Record batches are shown with the fields of their headers ([`BatchHeader`]). The format `{:#}`
//! adds the source line that declares each field.
//!
//! Counterpart: Wireshark's `packet-kafka.c`. Kafka itself prints decoded requests as JSON, without
//! bytes (`RequestConvertToJson.scala`).

use super::api::{Api, RequestHeader};
use super::codec::{DecodeError, Decoder, Kind};
use super::schema::Table;
use crate::format::batch::BatchHeader;
use bytes::Bytes;
use minikit::layout::Hexdump;
use std::fmt::Display;

/// The longest value without a length prefix: a UUID.
const FIXED_BYTES_MAX: usize = 16;

/// Explains a request frame, without the size prefix.
pub fn explain_request(frame: &[u8]) -> Hexdump<'_> {
    let dump = Hexdump::new(frame);
    let mut explainer = Explainer { dump, frame, version: 0, is_flexible: false };
    explainer.request();
    explainer.dump
}

/// Walks over tables and bytes in parallel. Methods return `None` if the bytes end early or do not
/// match the table. The dump then shows the rest as unexplained.
struct Explainer<'a> {
    dump: Hexdump<'a>,
    frame: &'a [u8],
    version: i16,
    is_flexible: bool,
}

impl Explainer<'_> {
    fn request(&mut self) -> Option<()> {
        self.table(RequestHeader::TABLE, "")?;
        let number = |at: usize| i16::from_be_bytes([self.frame[at], self.frame[at + 1]]);
        let (key, version) = (number(0), number(2));
        let api = Api::of(key).filter(|api| api.versions.contains(&version))?;

        (self.version, self.is_flexible) = (version, api.is_flexible(version));
        self.end_struct("header.")?;
        self.table(api.request, "")
    }

    /// Explains a struct. `prefix` comes before the names of its fields.
    fn table(&mut self, table: &Table, prefix: &str) -> Option<()> {
        let version = self.version;
        for field in table.fields.iter().filter(|it| it.versions.contains(&version)) {
            self.dump.source = Some((table.file, field.line));
            self.value(&field.kind, &format!("{prefix}{}", field.name), field.meaning)?;
        }
        self.end_struct(prefix)
    }

    /// Explains the tagged fields at the end of a flexible struct.
    fn end_struct(&mut self, prefix: &str) -> Option<()> {
        self.dump.source = None;
        if !self.is_flexible {
            return Some(());
        }
        let count = self.read(&format!("{prefix}tagged fields"), "count", Decoder::uvarint)?;
        for _ in 0..count {
            self.read(&format!("{prefix}tag"), "number of the field", Decoder::uvarint)?;
            let size = self.read(&format!("{prefix}size"), "its size", Decoder::uvarint)?;
            let end = self.end_of(size as usize)?;
            self.dump.bytes(end - self.dump.end(), &format!("{prefix}value"), "skipped");
        }
        Some(())
    }

    fn value(&mut self, kind: &Kind, name: &str, meaning: &str) -> Option<()> {
        match kind {
            Kind::Fixed(_, _, show) => self.read(name, meaning, show).map(drop),
            Kind::Struct(table) => self.table(table, &format!("{name}.")),
            Kind::Array(element) => {
                let count = self.length(kind, &format!("{name}.count"), "elements of", name)?;
                let mut indexes = 0..count.unwrap_or(0);
                indexes.try_for_each(|it| self.value(element, &format!("{name}[{it}]"), meaning))
            }
            Kind::String | Kind::Bytes | Kind::Records => {
                let length = self.length(kind, &format!("{name}.length"), "bytes of", name)?;
                let Some(length) = length else { return Some(()) };
                let end = self.end_of(length)?;
                if matches!(kind, Kind::Records) {
                    self.batches(end);
                }
                self.dump.bytes(end - self.dump.end(), name, meaning);
                Some(())
            }
        }
    }

    /// Explains the headers of record batches with the table of [`BatchHeader`].
    fn batches(&mut self, end: usize) -> Option<()> {
        loop {
            let rest = &self.frame[self.dump.end()..end];
            BatchHeader::tail(rest).ok()?;
            self.dump.table(&BatchHeader::TABLE);
        }
    }

    /// Explains the length of a value. Returns `Some(None)` for null.
    fn length(&mut self, kind: &Kind, name: &str, of: &str, value: &str) -> Option<Option<usize>> {
        let mut length = None;
        self.read(name, &format!("{of} {value}"), |decoder| {
            length = decoder.length(kind)?;
            Ok(length.map_or("null".to_owned(), |it| it.to_string()))
        })?;
        Some(length)
    }

    /// Decodes the next value and shows it.
    fn read<T: Display>(
        &mut self,
        name: &str,
        meaning: &str,
        decode: impl FnOnce(&mut Decoder) -> Result<T, DecodeError>,
    ) -> Option<T> {
        let rest = &self.frame[self.dump.end()..];
        let rest = Bytes::copy_from_slice(&rest[..rest.len().min(FIXED_BYTES_MAX)]);
        let mut decoder = Decoder::new(rest, self.version, self.is_flexible);
        let value = decode(&mut decoder).ok()?;
        self.dump.value(decoder.at, name, value.to_string(), meaning);
        Some(value)
    }

    /// The end of the next `length` bytes, if the frame has that many.
    fn end_of(&self, length: usize) -> Option<usize> {
        self.dump.end().checked_add(length).filter(|end| *end <= self.frame.len())
    }
}
