//! Takes a frame apart: every byte with the field it belongs to, its value and its meaning.
//!
//! Works from the data of the tables alone, not from the generated decoders, so it shows as much of
//! a damaged frame as there is: people explain frames that a program has refused.
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
//!     "0000  00 03                    request_api_key            3           which request\n\
//!      0002  00 04                    request_api_version        4           its version\n\
//!      0004  00 00 00 02              correlation_id             2           comes back in the \
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
//! Record batches are shown with their headers ([`BatchHeader`]).
//!
//! Counterpart: Wireshark's `packet-kafka.c`. Kafka itself prints decoded requests as JSON, without
//! bytes (`RequestConvertToJson.scala`).

use super::api::Api;
use super::codec::{Decoder, Kind};
use super::error_code::ErrorCode;
use super::header::{
    RequestHeader, ResponseHeader, request_header_version, response_header_version,
};
use super::schema::{Field, Table};
use crate::format::batch::BatchHeader;
use crate::format::properties::Uuid;
use bytes::Bytes;
use minikit::layout::Hexdump;

/// The most bytes of a variable-length integer.
const UVARINT_BYTES_MAX: usize = 5;

/// Explains a request frame, without the size in front.
pub fn explain_request(frame: &[u8]) -> Hexdump<'_> {
    let number = |at: usize| frame.get(at..at + 2).map(|it| i16::from_be_bytes([it[0], it[1]]));
    let (key, version) = (number(0).unwrap_or(-1), number(2).unwrap_or(-1));
    let api = Api::of(key);
    let is_flexible = api.is_some_and(|api| api.is_flexible(version));

    let header_version = request_header_version(is_flexible);
    let mut explainer = Explainer::new(frame, header_version, is_flexible);
    let header = explainer.table(RequestHeader::TABLE, "");
    explainer.version = version;
    if let (Some(()), Some(api)) = (header, api.filter(|api| api.versions.contains(version))) {
        explainer.table(api.request, "");
    }
    explainer.dump
}

/// Explains the frame of a response to `api` in `version`, without the size in front.
pub fn explain_response<'a>(frame: &'a [u8], api: &Api, version: i16) -> Hexdump<'a> {
    let is_flexible = api.is_flexible(version);
    let header_version = response_header_version(api.key, is_flexible);
    let mut explainer = Explainer::new(frame, header_version, header_version == 1);
    if let Some(()) = explainer.table(ResponseHeader::TABLE, "") {
        (explainer.version, explainer.is_flexible) = (version, is_flexible);
        explainer.table(api.response, "");
    }
    explainer.dump
}

/// Walks tables and bytes side by side. Methods return `None` once the bytes have ended or are not
/// what the table says; what follows is then left to the dump as unexplained.
struct Explainer<'a> {
    dump: Hexdump<'a>,
    frame: &'a [u8],
    version: i16,
    is_flexible: bool,
}

impl<'a> Explainer<'a> {
    fn new(frame: &'a [u8], version: i16, is_flexible: bool) -> Explainer<'a> {
        let dump = Hexdump::new(frame);
        Explainer { dump, frame, version, is_flexible }
    }

    /// Explains a struct. `prefix` comes before the names of its fields.
    fn table(&mut self, table: &Table, prefix: &str) -> Option<()> {
        let present = |field: &&Field| field.versions.contains(self.version);
        let (tagged, plain): (Vec<_>, Vec<_>) =
            table.fields.iter().filter(present).partition(|field| field.tag.is_some());
        for field in plain {
            self.value(&field.kind, &format!("{prefix}{}", field.name), field.meaning)?;
        }
        if self.is_flexible { self.tagged_fields(&tagged, prefix) } else { Some(()) }
    }

    fn tagged_fields(&mut self, known: &[&Field], prefix: &str) -> Option<()> {
        let count = self.uvarint(&format!("{prefix}tagged fields"), "how many follow")?;
        for _ in 0..count {
            let tag = self.uvarint(&format!("{prefix}tag"), "number of the field")?;
            let size = self.uvarint(&format!("{prefix}size"), "its bytes")? as usize;
            let end = self.dump.end().checked_add(size)?;
            let bytes = self.frame.get(..end)?;

            // The field ends where its size says, whatever is in it.
            let frame = std::mem::replace(&mut self.frame, bytes);
            if let Some(field) = known.iter().find(|field| field.tag == Some(tag)) {
                self.value(&field.kind, &format!("{prefix}{}", field.name), field.meaning);
            }
            self.frame = frame;
            let rest = end - self.dump.end();
            self.dump.bytes(rest, &format!("{prefix}tag {tag}"), "of a newer version, skipped");
        }
        Some(())
    }

    fn value(&mut self, kind: &Kind, name: &str, meaning: &str) -> Option<()> {
        match kind {
            Kind::Bool => self.integer(1, name, meaning, |it| (it != 0).to_string()),
            Kind::Integer(bytes) => self.integer(*bytes, name, meaning, |it| it.to_string()),
            Kind::ErrorCode => {
                self.integer(2, name, meaning, |it| ErrorCode(it as i16).to_string())
            }
            Kind::Uuid => {
                let bytes = self.next(size_of::<Uuid>())?.try_into().expect("next returns 16");
                self.dump.value(size_of::<Uuid>(), name, Uuid(bytes).to_string(), meaning);
                Some(())
            }
            Kind::String => self.bytes(2, self.is_flexible, name, meaning),
            Kind::OldString => self.bytes(2, false, name, meaning),
            Kind::Bytes => self.bytes(4, self.is_flexible, name, meaning),
            Kind::Records => self.records(name),
            Kind::Array(element) => {
                let meaning_of_count = format!("elements of {name}");
                let name_of_count = format!("{name}.count");
                let count = self.length(4, self.is_flexible, &name_of_count, &meaning_of_count)?;
                for index in 0..count.unwrap_or(0) {
                    self.value(element, &format!("{name}[{index}]"), meaning)?;
                }
                Some(())
            }
            Kind::Struct(table) => self.table(table, &format!("{name}.")),
        }
    }

    /// Explains a string or bytes, with the length in front.
    fn bytes(
        &mut self,
        length_bytes: usize,
        is_flexible: bool,
        name: &str,
        meaning: &str,
    ) -> Option<()> {
        let (name_of_length, meaning_of_length) =
            (format!("{name}.length"), format!("bytes of {name}"));
        let length = self.length(length_bytes, is_flexible, &name_of_length, &meaning_of_length)?;
        let Some(length) = length else { return Some(()) };
        self.next(length)?;
        self.dump.bytes(length, name, meaning);
        Some(())
    }

    /// Explains record batches: their headers by their own table.
    fn records(&mut self, name: &str) -> Option<()> {
        let length =
            self.length(4, self.is_flexible, &format!("{name}.length"), "bytes of the batches")?;
        let end = self.dump.end().checked_add(length.unwrap_or(0))?;
        self.frame.get(..end)?;
        while self.dump.end() < end {
            let start = self.dump.end();
            let size = BatchHeader::read(&self.frame[start..end]).ok()?.size()?;
            if size > end - start {
                break;
            }
            self.dump.table(&BatchHeader::TABLE);
        }
        // Bytes that are not a whole batch: a response may be cut at its size limit.
        self.dump.bytes(end - self.dump.end(), name, "part of a batch");
        Some(())
    }

    /// Explains a length or a count, one more than the value in flexible versions. Returns
    /// `Some(None)` for null.
    fn length(
        &mut self,
        bytes: usize,
        is_flexible: bool,
        name: &str,
        meaning: &str,
    ) -> Option<Option<usize>> {
        if is_flexible {
            let (value, size) = self.peek_uvarint()?;
            let length = value.checked_sub(1);
            let shown = length.map_or("null".into(), |length| length.to_string());
            self.dump.value(size, name, shown, meaning);
            return Some(length.map(|length| length as usize));
        }

        let length = signed(self.next(bytes)?);
        let shown = if length == -1 { "null".into() } else { length.to_string() };
        self.dump.value(bytes, name, shown, meaning);
        match length {
            -1 => Some(None),
            _ => Some(Some(usize::try_from(length).ok()?)),
        }
    }

    fn integer(
        &mut self,
        bytes: usize,
        name: &str,
        meaning: &str,
        show: impl Fn(i64) -> String,
    ) -> Option<()> {
        let shown = show(signed(self.next(bytes)?));
        self.dump.value(bytes, name, shown, meaning);
        Some(())
    }

    fn uvarint(&mut self, name: &str, meaning: &str) -> Option<u32> {
        let (value, size) = self.peek_uvarint()?;
        self.dump.value(size, name, value.to_string(), meaning);
        Some(value)
    }

    /// The variable-length integer that comes next, and its bytes.
    fn peek_uvarint(&self) -> Option<(u32, usize)> {
        let rest = self.frame.get(self.dump.end()..)?;
        let rest = Bytes::copy_from_slice(&rest[..rest.len().min(UVARINT_BYTES_MAX)]);
        let mut decoder = Decoder::new(rest, self.version, true);
        let value = decoder.uvarint().ok()?;
        Some((value, decoder.position()))
    }

    /// The next bytes, without explaining them.
    fn next(&self, length: usize) -> Option<&'a [u8]> {
        let start = self.dump.end();
        self.frame.get(start..start.checked_add(length)?)
    }
}

/// A big-endian integer of at most eight bytes.
fn signed(bytes: &[u8]) -> i64 {
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
    bytes.iter().fold(sign, |value, byte| value << 8 | i64::from(*byte))
}
