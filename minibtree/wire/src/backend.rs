//! What the server sends.
//!
//! Replies are appended to one buffer, so that a batch of messages costs one write:
//!
//! ```
//! use minibtree_wire::{Replies, TransactionStatus};
//!
//! let mut replies = Replies::default();
//! replies.row(1, |row| row.value(Some(b"42")));
//! replies.command_complete("SELECT 1");
//! replies.ready(TransactionStatus::Idle);
//! assert_eq!(
//!     replies.bytes(),
//!     b"D\0\0\0\x0c\0\x01\0\0\0\x0242C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I"
//! );
//! ```
//!
//! PostgreSQL's `pqformat.c` and `printtup.c`.

use crate::{Format, SqlError};

/// What ReadyForQuery tells: may the client begin, must it commit, or roll back?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Outside a transaction block.
    Idle,
    /// In a block.
    InBlock,
    /// In a block that failed: everything but its end is refused.
    Failed,
}

/// A step of the authentication, by its number in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// The client is let in.
    Ok = 0,
    /// The names of the mechanisms follow.
    Sasl = 10,
    /// The server's first message of the exchange follows.
    SaslContinue = 11,
    /// The server's proof follows.
    SaslFinal = 12,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The OID of its type.
    pub type_oid: u32,
    /// Bytes of a value, or -1 if they vary.
    pub size: i16,
    /// The type's modifier (the n of `char(n)`, plus 4), or -1.
    pub modifier: i32,
    /// The OID of its table and its number there, from 1 on; zeros if it is not a plain column.
    pub origin: (u32, i16),
}

/// Replies that wait to be written.
#[derive(Debug, Default)]
pub struct Replies {
    bytes: Vec<u8>,
}

/// The values of a row, while it is written.
pub struct Row<'a>(&'a mut Vec<u8>);

impl Row<'_> {
    /// Appends a value; `None` is NULL.
    pub fn value(&mut self, value: Option<&[u8]>) {
        match value {
            Some(bytes) => {
                self.0.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
                self.0.extend_from_slice(bytes);
            }
            None => self.0.extend_from_slice(&(-1i32).to_be_bytes()),
        }
    }
}

impl Replies {
    /// What is to be written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns true if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets what was written. Gives memory back that an unusually large reply took.
    pub fn clear(&mut self) {
        const KEPT: usize = 256 << 10;

        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }

    /// A step of the authentication, and what goes with it.
    pub fn authentication(&mut self, step: Authentication, data: &[u8]) {
        self.message(b'R', |body| {
            body.extend_from_slice(&(step as u32).to_be_bytes());
            body.extend_from_slice(data);
        });
    }

    /// A setting that drivers want to know.
    pub fn parameter_status(&mut self, name: &str, value: &str) {
        self.message(b'S', |body| {
            put_text(body, name);
            put_text(body, value);
        });
    }

    /// What a cancel request has to name.
    pub fn backend_key_data(&mut self, process: u32, secret: u32) {
        self.message(b'K', |body| {
            body.extend_from_slice(&process.to_be_bytes());
            body.extend_from_slice(&secret.to_be_bytes());
        });
    }

    /// The server waits for the next query.
    pub fn ready(&mut self, status: TransactionStatus) {
        let letter = match status {
            TransactionStatus::Idle => b'I',
            TransactionStatus::InBlock => b'T',
            TransactionStatus::Failed => b'E',
        };
        self.message(b'Z', |body| body.push(letter));
    }

    /// The columns of the rows that follow. `formats` as in a Bind.
    pub fn row_description(&mut self, fields: &[Field], formats: &[Format]) {
        self.message(b'T', |body| {
            body.extend_from_slice(&(fields.len() as u16).to_be_bytes());
            for (index, field) in fields.iter().enumerate() {
                put_text(body, &field.name);
                body.extend_from_slice(&field.origin.0.to_be_bytes());
                body.extend_from_slice(&field.origin.1.to_be_bytes());
                body.extend_from_slice(&field.type_oid.to_be_bytes());
                body.extend_from_slice(&field.size.to_be_bytes());
                body.extend_from_slice(&field.modifier.to_be_bytes());
                let format = format_of(formats, index) as u16;
                body.extend_from_slice(&format.to_be_bytes());
            }
        });
    }

    /// A row of `columns` values, which `write` appends.
    pub fn row(&mut self, columns: usize, write: impl FnOnce(&mut Row<'_>)) {
        self.message(b'D', |body| {
            body.extend_from_slice(&(columns as u16).to_be_bytes());
            write(&mut Row(body));
        });
    }

    /// A statement is done; the tag says what it did.
    pub fn command_complete(&mut self, tag: &str) {
        self.message(b'C', |body| put_text(body, tag));
    }

    /// The statement was empty.
    pub fn empty_query(&mut self) {
        self.message(b'I', |_| ());
    }

    /// A Parse is done.
    pub fn parse_complete(&mut self) {
        self.message(b'1', |_| ());
    }

    /// A Bind is done.
    pub fn bind_complete(&mut self) {
        self.message(b'2', |_| ());
    }

    /// A Close is done.
    pub fn close_complete(&mut self) {
        self.message(b'3', |_| ());
    }

    /// The statement returns no rows.
    pub fn no_data(&mut self) {
        self.message(b'n', |_| ());
    }

    /// An Execute returned as many rows as it was allowed to; another may go on.
    pub fn portal_suspended(&mut self) {
        self.message(b's', |_| ());
    }

    /// The types of a statement's parameters.
    pub fn parameter_description(&mut self, types: &[u32]) {
        self.message(b't', |body| {
            body.extend_from_slice(&(types.len() as u16).to_be_bytes());
            types.iter().for_each(|oid| body.extend_from_slice(&oid.to_be_bytes()));
        });
    }

    /// The data of a COPY follows, or the client may send it: as text in so many columns.
    pub fn copy(&mut self, is_out: bool, columns: usize) {
        self.message(if is_out { b'H' } else { b'G' }, |body| {
            body.push(Format::Text as u8);
            body.extend_from_slice(&(columns as u16).to_be_bytes());
            body.resize(body.len() + 2 * columns, 0);
        });
    }

    /// A line of that data, which `write` appends.
    pub fn copy_data(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.message(b'd', write);
    }

    /// The end of that data.
    pub fn copy_done(&mut self) {
        self.message(b'c', |_| ());
    }

    /// An error, or a notice if its severity says so.
    pub fn error(&mut self, error: &SqlError) {
        use crate::Severity::{Error, Fatal, Panic};

        let letter = if matches!(error.severity, Error | Fatal | Panic) { b'E' } else { b'N' };
        self.message(letter, |body| {
            for (letter, text) in error.fields() {
                body.push(letter);
                put_text(body, &text);
            }
            body.push(0);
        });
    }

    /// Appends a message. Its length is known, and put in, at the end.
    fn message(&mut self, letter: u8, body: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.push(letter);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        body(&mut self.bytes);
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// The format of one of several values: none given means text, one given holds for all.
pub fn format_of(formats: &[Format], index: usize) -> Format {
    match formats {
        [] => Format::Text,
        [all] => *all,
        each => each.get(index).copied().unwrap_or(Format::Text),
    }
}

/// Text and a zero byte. A zero byte inside would end it early, so it is left out.
fn put_text(body: &mut Vec<u8>, text: &str) {
    body.extend(text.bytes().filter(|byte| *byte != 0));
    body.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;

    #[test]
    fn an_error_has_its_fields_in_order() {
        let mut replies = Replies::default();
        replies.error(&SqlError::new(code::UNDEFINED_TABLE, "no t").hint("create it"));
        let body = b"SERROR\0VERROR\0C42P01\0Mno t\0Hcreate it\0\0";
        assert_eq!(&replies.bytes()[5..], body);
        assert_eq!(replies.bytes()[0], b'E');
        assert_eq!(replies.bytes()[4] as usize, body.len() + 4);
    }

    #[test]
    fn an_error_names_what_it_is_about() {
        let mut replies = Replies::default();
        let error = SqlError::new(code::UNIQUE_VIOLATION, "twice").table("t").constraint("t_pkey");
        replies.error(&error.context(|| "COPY t, line 1".to_owned()));
        let names = b"\0WCOPY t, line 1\0spublic\0tt\0nt_pkey\0\0";
        assert!(replies.bytes().ends_with(names));
    }

    #[test]
    fn a_notice_is_not_an_error() {
        let mut replies = Replies::default();
        let notice =
            SqlError::new(code::SUCCESSFUL_COMPLETION, "odd").severity(crate::Severity::Warning);
        replies.error(&notice);
        assert_eq!(replies.bytes()[0], b'N');
    }

    #[test]
    fn copy_in_as_postgresql_sends_it_for_four_columns() {
        let mut replies = Replies::default();
        replies.copy(false, 4);
        assert_eq!(replies.bytes(), b"G\0\0\0\x0f\0\0\x04\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn one_format_holds_for_all_columns() {
        assert_eq!(format_of(&[], 3), Format::Text);
        assert_eq!(format_of(&[Format::Binary], 3), Format::Binary);
        assert_eq!(format_of(&[Format::Binary, Format::Text], 1), Format::Text);
    }
}
