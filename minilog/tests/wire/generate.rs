//! Generates messages: valid bytes of any message in any version, from the tables alone.
//!
//! The bytes are generated from the tables without the encoder, so encoder and decoder are tested
//! against independent code.

use minilog::wire::codec::Kind;
use minilog::wire::schema::Table;

/// The source of choices: the bytes of a property test, then zeros. Shrinking removes bytes, which
/// makes messages smaller and simpler.
pub struct Choices<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl<'a> Choices<'a> {
    pub fn new(bytes: &'a [u8]) -> Choices<'a> {
        Choices { bytes: bytes.iter() }
    }

    fn next(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or(0)
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.next()) % count
    }
}

/// A message of `table` in `version`, as an encoder writes it: without tagged fields.
pub fn message(
    table: &Table,
    version: i16,
    is_flexible: bool,
    choices: &mut Choices<'_>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    Generator { version, is_flexible, choices }.structure(table, &mut bytes);
    bytes
}

struct Generator<'a, 'b> {
    version: i16,
    is_flexible: bool,
    choices: &'a mut Choices<'b>,
}

impl Generator<'_, '_> {
    fn structure(&mut self, table: &Table, out: &mut Vec<u8>) {
        let version = self.version;
        for field in table.fields.iter().filter(|it| it.versions.contains(&version)) {
            let may_be_null = field.null_from.is_some_and(|first| first <= version);
            self.value(&field.kind, may_be_null, out);
        }
        out.extend(self.is_flexible.then_some(0));
    }

    fn value(&mut self, kind: &Kind, may_be_null: bool, out: &mut Vec<u8>) {
        let is_null = may_be_null && self.choices.below(4) == 1;
        match kind {
            Kind::Fixed("bool", ..) => out.push(self.choices.next() & 1),
            Kind::Fixed(_, bytes, _) => self.some_bytes(*bytes, out),
            Kind::String if is_null => self.string_length(None, out),
            Kind::String => {
                let text = ["", "a", "orders", "größer", &"x".repeat(200)][self.choices.below(5)]
                    .to_owned();
                self.string_length(Some(text.len()), out);
                out.extend(text.bytes());
            }
            _ if is_null => self.long_length(None, out),
            Kind::Bytes | Kind::Records => {
                let length = [0, 1, 7, 300][self.choices.below(4)];
                self.long_length(Some(length), out);
                out.extend(std::iter::repeat_n(0x5a, length));
            }
            Kind::Array(element) => {
                let count = self.choices.below(4);
                self.long_length(Some(count), out);
                (0..count).for_each(|_| self.value(element, false, out));
            }
            Kind::Struct(table) => self.structure(table, out),
        }
    }

    fn some_bytes(&mut self, count: usize, out: &mut Vec<u8>) {
        out.extend((0..count).map(|_| self.choices.next()));
    }

    fn string_length(&self, length: Option<usize>, out: &mut Vec<u8>) {
        match self.is_flexible {
            true => uvarint(length.map_or(0, |length| length + 1), out),
            false => out.extend(length.map_or(-1, |length| length as i16).to_be_bytes()),
        }
    }

    fn long_length(&self, length: Option<usize>, out: &mut Vec<u8>) {
        match self.is_flexible {
            true => uvarint(length.map_or(0, |length| length + 1), out),
            false => out.extend(length.map_or(-1, |length| length as i32).to_be_bytes()),
        }
    }
}

fn uvarint(mut value: usize, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
