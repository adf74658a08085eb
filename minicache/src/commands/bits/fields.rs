//! `BITFIELD`: integers of any width, anywhere in a string (`bitops.c`).
//!
//! ```text
//! BITFIELD k SET u4 4 15          00001111            (integer) 0, as it was
//! BITFIELD k INCRBY u4 4 1        15 + 1 wraps to 0   (integer) 0
//! BITFIELD k OVERFLOW SAT INCRBY i5 #1 -99            i5 at bit 5: the least is -16
//! ```
//!
//! A field of 64 bits spans 9 bytes at most, so reading and writing one goes through a window of 9
//! bytes in a 128-bit integer. Sums are made in 128 bits too, where nothing can overflow, and are
//! then compared with what the field can hold.

use super::{bit_offset, grow, text};
use crate::commands::Call;
use crate::engine::error::{Answer, Error};
use crate::engine::events::Events;
use crate::format::number::parse_i64;

/// `BITFIELD key [GET type offset | [OVERFLOW WRAP|SAT|FAIL] SET type offset value | INCRBY type
/// offset increment ...]`
pub fn bitfield(c: &mut Call) -> Answer {
    let steps = parse(c)?;
    let written = steps.iter().filter(|step| !matches!(step.what, What::Get));
    match written.map(|step| step.field.end()).max() {
        None => read(c, &steps),
        Some(end) => write(c, &steps, end),
    }
}

/// `BITFIELD_RO key [GET type offset ...]`
pub fn bitfield_ro(c: &mut Call) -> Answer {
    let steps = parse(c)?;
    if steps.iter().any(|step| !matches!(step.what, What::Get)) {
        return Err(Error::new("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read(c, &steps)
}

fn read(c: &mut Call, steps: &[Step]) -> Answer {
    let mut scratch = itoa::Buffer::new();
    let text = text(c.keyspace.string(c.key(1))?, &mut scratch);
    c.out.array(steps.len());
    steps.iter().for_each(|step| c.out.int(step.field.get(text)));
    Ok(())
}

/// Executes steps of which some write, up to the bit before `end`.
fn write(c: &mut Call, steps: &[Step], end: usize) -> Answer {
    let key = c.key(1);
    let text = c.keyspace.text_mut(key)?;
    let grew = grow(text, end.div_ceil(8));
    let mut changed = false;
    c.out.array(steps.len());
    for Step { field, what, overflow } in steps {
        let was = field.get(text);
        let (sum, shows_old) = match what {
            What::Get => {
                c.out.int(was);
                continue;
            }
            What::Set(value) => (field.reinterpret(*value), true),
            What::Add(increment) => (i128::from(was) + i128::from(*increment), false),
        };
        let Some(new) = field.fit(sum, *overflow) else {
            c.out.null();
            continue;
        };
        field.set(text, new);
        changed |= grew || new != was;
        c.out.int(if shows_old { was } else { new });
    }
    if changed {
        c.keyspace.changed(Events::STRING, "setbit", key);
    }
    Ok(())
}

struct Step {
    field: Field,
    what: What,
    overflow: Overflow,
}

enum What {
    Get,
    Set(i64),
    Add(i64),
}

/// What becomes of a number that its field cannot hold.
#[derive(Clone, Copy)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

fn parse(c: &Call) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    let mut overflow = Overflow::Wrap;
    let mut at = 2;
    while at < c.args.len() {
        let operands = c.args.len() - at - 1;
        if c.is(at, "overflow") && operands >= 1 {
            overflow = Overflow::parse(c, at + 1)?;
            at += 2;
            continue;
        }
        let takes_number = match () {
            _ if c.is(at, "get") && operands >= 2 => false,
            _ if (c.is(at, "set") || c.is(at, "incrby")) && operands >= 3 => true,
            _ => return Err(Error::SYNTAX),
        };
        let field = Field::parse(c, at + 1)?;
        let what = match takes_number {
            false => What::Get,
            true if c.is(at, "set") => What::Set(c.int(at + 3)?),
            true => What::Add(c.int(at + 3)?),
        };
        steps.push(Step { field, what, overflow });
        at += if takes_number { 4 } else { 3 };
    }
    Ok(steps)
}

impl Overflow {
    fn parse(c: &Call, at: usize) -> Result<Overflow, Error> {
        match () {
            _ if c.is(at, "wrap") => Ok(Overflow::Wrap),
            _ if c.is(at, "sat") => Ok(Overflow::Saturate),
            _ if c.is(at, "fail") => Ok(Overflow::Fail),
            _ => Err(Error::new("ERR Invalid OVERFLOW type specified")),
        }
    }
}

struct Field {
    start: usize,
    /// 1 to 64, or 63 without a sign.
    bits: u32,
    signed: bool,
}

const WINDOW: usize = 9;

impl Field {
    /// Parses a type such as `u8` and the offset after it, in bits or, as in `#2`, in fields.
    fn parse(c: &Call, at: usize) -> Result<Field, Error> {
        const INVALID: Error = Error::new(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not \
             supported but i64 is.",
        );
        let (signed, digits) = match c.arg(at) {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return Err(INVALID),
        };
        let bits = parse_i64(digits).and_then(|bits| u32::try_from(bits).ok());
        let bits = bits.filter(|bits| (1..=63 + u32::from(signed)).contains(bits));
        let bits = bits.ok_or(INVALID)?;
        let start = match c.arg(at + 1) {
            [b'#', digits @ ..] => bit_offset(c, digits, bits.into())?,
            digits => bit_offset(c, digits, 1)?,
        };
        Ok(Field { start, bits, signed })
    }

    /// The bit after it.
    fn end(&self) -> usize {
        self.start + self.bits as usize
    }

    /// Reads it. Bits after the end of the text are zero.
    fn get(&self, text: &[u8]) -> i64 {
        self.wrap((self.window(text) >> self.shift()) as u64)
    }

    /// Writes it. The text is long enough.
    fn set(&self, text: &mut [u8], value: i64) {
        let mask = u128::from(u64::MAX >> (64 - self.bits)) << self.shift();
        let bits = u128::from(value as u64) << self.shift();
        let window = (self.window(text) & !mask) | (bits & mask);
        let place = &mut text[self.start / 8..self.end().div_ceil(8)];
        let bytes = window.to_be_bytes();
        place.copy_from_slice(&bytes[bytes.len() - WINDOW..][..place.len()]);
    }

    /// The bytes from its first on, as one number.
    fn window(&self, text: &[u8]) -> u128 {
        let rest = text.get(self.start / 8..).unwrap_or_default();
        let mut bytes = [0; 16];
        let part = &mut bytes[16 - WINDOW..];
        part.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        u128::from_be_bytes(bytes)
    }

    /// How far its last bit is from the end of the window.
    fn shift(&self) -> usize {
        WINDOW * 8 - self.start % 8 - self.bits as usize
    }

    /// The value that its lowest bits spell.
    fn wrap(&self, bits: u64) -> i64 {
        let unused = 64 - self.bits;
        match self.signed {
            true => (bits << unused) as i64 >> unused,
            false => (bits << unused >> unused) as i64,
        }
    }

    /// A value to be set, as the field takes it: without a sign, a negative one is huge.
    fn reinterpret(&self, value: i64) -> i128 {
        if self.signed { value.into() } else { (value as u64).into() }
    }

    /// The value to write for a sum: itself where it fits.
    fn fit(&self, sum: i128, overflow: Overflow) -> Option<i64> {
        let (least, greatest) = match self.signed {
            true => (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1),
            false => (0, (1i128 << self.bits) - 1),
        };
        match overflow {
            _ if (least..=greatest).contains(&sum) => Some(sum as i64),
            Overflow::Wrap => Some(self.wrap(sum as u64)),
            Overflow::Saturate => Some(sum.clamp(least, greatest) as i64),
            Overflow::Fail => None,
        }
    }
}
