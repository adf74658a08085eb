//! Bytes of the protocol with a meaning beside them, on minikit's [`Hexdump`].
//!
//! ```text
//! 0000  2b 4f 4b 0d 0a               +OK\r\n     simple string
//! ```
//!
//! The parts of a protocol are found by its parser and not by layout tables, so this file collects
//! them. Of a reply with a million parts it shows the first.

use crate::wire::frame::{Mistake, Stop};
use minikit::layout::Hexdump;

/// Parts that are shown.
const PARTS_MAX: usize = 250;
/// Bytes of a part that are shown as text. The hexadecimal column has more of them.
const TEXT_MAX: usize = 16;

/// The parts of some bytes, collected from left to right.
pub(super) struct Annotated<'b> {
    bytes: &'b [u8],
    dump: Hexdump<'b>,
    /// The end of the last part.
    pub(super) at: usize,
}

impl<'b> Annotated<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Annotated<'b> {
        Annotated { bytes, dump: Hexdump::new(bytes), at: 0 }
    }

    /// The bytes after the last part.
    pub(super) fn rest(&self) -> &'b [u8] {
        &self.bytes[self.at..]
    }

    /// Adds the next `length` bytes, which are inside `depth` other parts.
    pub(super) fn push(&mut self, length: usize, depth: usize, meaning: &str) {
        let shown = self.dump.parts().len() < PARTS_MAX;
        if shown {
            self.show(length, &format!("{}{meaning}", "  ".repeat(depth)));
        }
        self.at += length;
    }

    /// The dump up to the last byte. The bytes after `stop` are marked.
    pub(super) fn finish(mut self, stop: Option<Stopped>) -> Hexdump<'b> {
        self.show(self.at - self.dump.end(), "more parts");
        match stop {
            None => {}
            Some(Stopped::Missing(what)) => {
                self.show(self.rest().len(), &format!("MISSING: {what}"));
            }
            Some(Stopped::Wrong { at, why }) => {
                self.show(at - self.at, "");
                self.show(1, &format!("WRONG: {why}"));
                self.show(self.bytes.len() - self.dump.end(), "not read");
            }
        }
        self.dump
    }

    fn show(&mut self, length: usize, meaning: &str) {
        let rest = &self.bytes[self.dump.end()..];
        let text = rest[..length.min(rest.len()).min(TEXT_MAX)].escape_ascii().to_string();
        self.dump.value(length, "", text, meaning);
    }
}

/// Why the bytes after the last part have no meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// What has not arrived.
    Missing(String),
    /// The first byte that the protocol does not allow.
    Wrong { at: usize, why: String },
}

impl From<Stop> for Stopped {
    fn from(stop: Stop) -> Stopped {
        match stop {
            Stop::Wrong(Mistake { at, why }) => Stopped::Wrong { at, why: why.to_string() },
            missing => Stopped::Missing(missing.to_string()),
        }
    }
}

/// A number with its noun: `1 byte`, `2 bytes`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
