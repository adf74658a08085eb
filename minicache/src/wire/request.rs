//! Requests: finding the arguments in the read buffer, without copying them.
//!
//! A client program sends an array of bulk strings, a person with telnet sends a line. `SET k v` is
//! one of
//!
//! ```text
//! *3\r\n $3\r\nSET\r\n $1\r\nk\r\n $1\r\nv\r\n          SET k v\r\n
//!  │      │     └ the argument, any bytes                 └ split at blanks, quoted as in a shell
//!  │      └ its length
//!  └ the number of arguments
//! ```
//!
//! [`Parser::next`] returns one of three results: a complete request and its length, incomplete, or
//! invalid with Redis's error text. The connection must close after the last. For the bytes above
//! and a cut after `SET`:
//!
//! ```text
//! *3\r\n$3\r\nSET                  Incomplete: one argument not complete, two to come
//! *3\r\n$3\r\nSET\r\n$1\r\nk\r\n…   Request { length: 27 }, spans 8..11, 17..18, 24..25
//! *3\r\n:3\r\n                    Invalid: expected '$', got ':'
//! ```
//!
//! Arguments are [`Span`]s into the buffer, so a pipeline needs no copy and no allocation. The
//! parser resumes where it stopped: a million arguments in small packets cost a million steps, not
//! their square.
//!
//! **What does a hostile length cost?** The number of arguments and every length are compared with
//! their limits when they are read, and memory is allocated only for bytes that have arrived.
//! Before authentication the limits are ten arguments of 16 KiB.
//!
//! Counterparts in Redis: `processMultibulkBuffer` and `processInlineBuffer` in `networking.c`.
//! Difference: Redis copies each argument into an object of its own.

use super::reply::Reply;
use crate::format::{number::parse_i64, words};
use std::fmt;

/// The longest line: an inline request, or the digits of a length.
const LINE_MAX: usize = 64 * 1024;
/// Arguments of one request. Each has at least six bytes of it and a span of eight in a vector that
/// doubles, so spans take at most three times what `client-query-buffer-limit` bounds.
const ARGUMENTS_MAX: i64 = i32::MAX as i64;
/// Arguments of one request before authentication.
const ARGUMENTS_MAX_UNAUTHENTICATED: i64 = 10;
/// Bytes of one argument before authentication.
const BULK_MAX_UNAUTHENTICATED: i64 = 16 * 1024;

/// The place of an argument in the buffer: start and end. Four bytes each, because a request of a
/// million arguments has a million of them.
pub type Span = (u32, u32);

/// The arguments of a request, the command's name first. Borrows the bytes; cheap to copy.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// The arguments at `spans` of `bytes`.
    pub fn new(bytes: &'a [u8], spans: &'a [Span]) -> Args<'a> {
        Args { bytes, spans }
    }

    /// The number of arguments, the command's name included.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Returns true if there is no argument, as in an empty line.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`. The caller knows that it exists, from the arity or a check.
    pub fn at(&self, index: usize) -> &'a [u8] {
        let (start, end) = self.spans[index];
        &self.bytes[start as usize..end as usize]
    }

    /// The argument at `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        (index < self.spans.len()).then(|| self.at(index))
    }

    /// The arguments from `index` on.
    pub fn from(&self, index: usize) -> Args<'a> {
        Args { bytes: self.bytes, spans: &self.spans[index.min(self.spans.len())..] }
    }

    /// The arguments in turn.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.spans.iter().map(move |(start, end)| &bytes[*start as usize..*end as usize])
    }

    /// A copy that owns its bytes.
    pub fn to_owned(&self) -> OwnedArgs {
        self.iter().collect()
    }
}

/// Arguments that own their bytes: of a command queued by `MULTI`, or of one that is blocked.
#[derive(Clone, Debug, Default)]
pub struct OwnedArgs {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl OwnedArgs {
    /// Adds an argument.
    pub fn push(&mut self, argument: &[u8]) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(argument);
        self.spans.push((start, self.bytes.len() as u32));
    }

    /// Borrows the arguments.
    pub fn as_args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }
}

impl<A: AsRef<[u8]>> FromIterator<A> for OwnedArgs {
    fn from_iter<I: IntoIterator<Item = A>>(arguments: I) -> OwnedArgs {
        let mut owned = OwnedArgs::default();
        arguments.into_iter().for_each(|argument| owned.push(argument.as_ref()));
        owned
    }
}

/// A request as a client sends it: an array of bulk strings.
pub fn encode<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut request = Reply::default();
    request.array(arguments.len());
    arguments.iter().for_each(|argument| request.bulk(argument.as_ref()));
    std::mem::take(request.buffer())
}

/// The limits of requests.
#[derive(Clone, Copy)]
pub struct Limits {
    /// `proto-max-bulk-len`.
    pub bulk_max: i64,
    /// True once the client has authenticated, or if no password is set.
    pub authenticated: bool,
}

/// What the parser found at the start of the buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A complete request. The caller must skip one without arguments (an empty line, or `*0`).
    Request {
        /// Its bytes, from the start of the buffer.
        length: usize,
    },
    /// Not all of it has arrived.
    Incomplete,
    /// Not the protocol. The caller replies `ERR Protocol error: ` with this text, and closes the
    /// connection.
    Invalid(Wrong),
}

/// Why bytes are not the protocol. Its `Display` is Redis's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// One of the fixed texts.
    Fault(&'static str),
    /// An argument that does not begin with `$` but with this byte.
    NotABulk(u8),
}

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Fault(words) => out.write_str(words),
            Wrong::NotABulk(found) => write!(out, "expected '$', got '{}'", char::from(*found)),
        }
    }
}

/// Finds one request at a time, of either form. It keeps its progress in an incomplete array.
#[derive(Default)]
pub struct Parser {
    spans: Vec<Span>,
    /// Arguments still to come, once the `*n` line has been read.
    missing: Option<i64>,
    /// The bytes of the array read so far.
    at: usize,
    /// The arguments of an inline request. Quotes and escapes change bytes, so these cannot be
    /// spans of the buffer. They are in a box because hardly a connection ever has any.
    inline: Option<Box<OwnedArgs>>,
}

impl Parser {
    /// Looks for a request at the start of `buffer`. After [`Found::Incomplete`] the next call must
    /// pass the same bytes and more.
    pub fn next(&mut self, buffer: &[u8], limits: Limits) -> Found {
        if self.missing.is_none() {
            self.spans.clear();
            self.at = 0;
            self.inline = None;
            match buffer.first() {
                None => return Found::Incomplete,
                Some(b'*') => {}
                Some(_) => return self.inline(buffer),
            }
        }

        // An error ends the connection, so only an incomplete array keeps its progress.
        let outcome = self.multibulk(buffer, limits);
        if outcome != Found::Incomplete {
            self.missing = None;
        }
        outcome
    }

    /// The arguments of the request found last. `buffer` must be the one it was found in.
    pub fn args<'a>(&'a self, buffer: &'a [u8]) -> Args<'a> {
        match &self.inline {
            Some(inline) => inline.as_args(),
            None => Args::new(buffer, &self.spans),
        }
    }

    /// The arguments found so far. Empty for an inline request, whose words may be unquoted copies.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// How much of an array has been read: after an error, the offset of the wrong line.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The number of arguments of an incomplete array that are still to come.
    pub fn missing(&self) -> usize {
        self.missing.map_or(0, |missing| missing as usize)
    }

    /// Frees the memory of an unusually long request.
    pub fn shrink(&mut self) {
        const USUAL_ARGUMENTS: usize = 64;
        if self.missing.is_none() && self.spans.capacity() > USUAL_ARGUMENTS {
            self.spans = Vec::new();
        }
        if self.missing.is_none() {
            self.inline = None;
        }
    }

    fn multibulk(&mut self, buffer: &[u8], limits: Limits) -> Found {
        // The first line, unless an earlier call has read it.
        let mut missing = match self.missing {
            Some(missing) => missing,
            None => match argument_count(buffer, limits) {
                Ok(Some((count, next))) => {
                    self.at = next;
                    count
                }
                Ok(None) => return Found::Incomplete,
                Err(wrong) => return Found::Invalid(wrong),
            },
        };

        // The arguments. Nearly all are short and complete, and take the first branch.
        while missing > 0 {
            if let Some((span, next)) = short_bulk(buffer, self.at) {
                self.spans.push(span);
                self.at = next;
                missing -= 1;
                continue;
            }
            match bulk(buffer, self.at, limits) {
                Ok(Some((span, next))) => {
                    self.spans.push(span);
                    self.at = next;
                    missing -= 1;
                }
                Ok(None) => {
                    self.missing = Some(missing);
                    return Found::Incomplete;
                }
                Err(wrong) => return Found::Invalid(wrong),
            }
        }
        Found::Request { length: self.at }
    }

    fn inline(&mut self, buffer: &[u8]) -> Found {
        let Some(end) = buffer.iter().take(LINE_MAX + 1).position(|byte| *byte == b'\n') else {
            if buffer.len() > LINE_MAX {
                return Found::Invalid(Wrong::Fault("too big inline request"));
            }
            return Found::Incomplete;
        };
        let text = buffer[..end].strip_suffix(b"\r").unwrap_or(&buffer[..end]);
        match words::split(text) {
            Some(arguments) => self.inline = Some(Box::new(arguments.iter().collect())),
            None => return Found::Invalid(Wrong::Fault("unbalanced quotes in request")),
        }
        Found::Request { length: end + 1 }
    }
}

/// A value read from the buffer and the offset after it, or `None` if it is incomplete.
type Read<T> = Result<Option<(T, usize)>, Wrong>;

fn argument_count(buffer: &[u8], limits: Limits) -> Read<i64> {
    let Some((count, next)) = header(buffer, 0, b'*', "too big mbulk count string")? else {
        return Ok(None);
    };
    match count {
        Some(count) if count > ARGUMENTS_MAX => Err(Wrong::Fault("invalid multibulk length")),
        Some(count) if count > ARGUMENTS_MAX_UNAUTHENTICATED && !limits.authenticated => {
            Err(Wrong::Fault("unauthenticated multibulk length"))
        }
        Some(count) => Ok(Some((count.max(0), next))),
        None => Err(Wrong::Fault("invalid multibulk length")),
    }
}

/// The argument that begins at `at`.
fn bulk(buffer: &[u8], at: usize, limits: Limits) -> Read<Span> {
    let Some((length, start)) = header(buffer, at, b'$', "too big bulk count string")? else {
        return Ok(None);
    };
    if buffer[at] != b'$' {
        return Err(Wrong::NotABulk(buffer[at]));
    }
    let length = match length {
        Some(length) if length > BULK_MAX_UNAUTHENTICATED && !limits.authenticated => {
            return Err(Wrong::Fault("unauthenticated bulk length"));
        }
        Some(length) if (0..=limits.bulk_max).contains(&length) => length as usize,
        _ => return Err(Wrong::Fault("invalid bulk length")),
    };

    // The two bytes after the argument are not compared with a line end; Redis skips them too.
    let end = start + length;
    if buffer.len() < end + 2 {
        return Ok(None);
    }
    let last = u32::try_from(end).map_err(|_| Wrong::Fault("invalid bulk length"))?;
    Ok(Some(((start as u32, last), end + 2)))
}

/// The number in the header line at `at`. The inner `None` means that it is not a number.
fn header(buffer: &[u8], at: usize, mark: u8, too_long: &'static str) -> Read<Option<i64>> {
    if let Some((number, next)) = short_number(buffer, at, mark) {
        return Ok(Some((Some(number as i64), next)));
    }
    let rest = &buffer[at..];
    let Some(end) = rest.iter().take(LINE_MAX + 1).position(|byte| *byte == b'\r') else {
        return if rest.len() > LINE_MAX { Err(Wrong::Fault(too_long)) } else { Ok(None) };
    };
    if rest.len() < end + 2 {
        return Ok(None);
    }
    Ok(Some((rest.get(1..end).and_then(parse_i64), at + end + 2)))
}

/// The argument at `at`, if its length has one to four digits, which no limit forbids, and all of
/// it has arrived. Nearly all arguments are like this; for the others [`bulk`] decides.
#[inline(always)]
pub(super) fn short_bulk(buffer: &[u8], at: usize) -> Option<(Span, usize)> {
    let (length, start) = short_number(buffer, at, b'$')?;
    let end = start + length;
    let span = (start as u32, u32::try_from(end).ok()?);
    (end + 2 <= buffer.len()).then_some((span, end + 2))
}

/// The number in the header line at `at` and the offset after the line, if it begins with `mark`
/// and has one to four digits.
#[inline(always)]
pub(super) fn short_number(bytes: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    const fn value(digit: u8) -> usize {
        (digit - b'0') as usize
    }
    let (first, rest) = bytes.get(at..)?.split_first()?;
    if *first != mark {
        return None;
    }
    match *rest {
        [a @ b'0'..=b'9', b'\r', _, ..] => Some((value(a), at + 4)),
        [a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', _, ..] => {
            Some((value(a) * 10 + value(b), at + 5))
        }
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b'\r', _, ..] => {
            Some((value(a) * 100 + value(b) * 10 + value(c), at + 6))
        }
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', d @ b'0'..=b'9', b'\r', _, ..] => {
            Some((value(a) * 1000 + value(b) * 100 + value(c) * 10 + value(d), at + 7))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bulk_max: 512 << 20, authenticated: true };

    fn parse(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let mut parser = Parser::default();
        match parser.next(bytes, LIMITS) {
            Found::Request { .. } => Ok(parser.args(bytes).iter().map(<[u8]>::to_vec).collect()),
            Found::Incomplete => Err("incomplete".to_string()),
            Found::Invalid(wrong) => Err(wrong.to_string()),
        }
    }

    #[test]
    fn a_request_cut_anywhere_is_incomplete_and_then_whole() {
        let whole = b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n";
        for cut in 0..whole.len() {
            let mut parser = Parser::default();
            assert_eq!(parser.next(&whole[..cut], LIMITS), Found::Incomplete, "cut at {cut}");
            assert_eq!(parser.next(whole, LIMITS), Found::Request { length: whole.len() });
            let args: Vec<&[u8]> = parser.args(whole).iter().collect();
            assert_eq!(args, [&b"SET"[..], b"", b"a\r\nb"]);
        }
    }

    #[test]
    fn the_example_of_the_head() {
        let whole = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
        let mut parser = Parser::default();
        assert_eq!(parser.next(&whole[..11], LIMITS), Found::Incomplete);
        assert_eq!((parser.position(), parser.missing()), (4, 3));
        assert_eq!(parser.next(whole, LIMITS), Found::Request { length: 27 });
        assert_eq!(parser.spans(), [(8, 11), (17, 18), (24, 25)]);
        assert_eq!(parser.next(b"*3\r\n:3\r\n", LIMITS), Found::Invalid(Wrong::NotABulk(b':')));
    }

    #[test]
    fn invalid_bytes_get_the_texts_of_redis() {
        for (bytes, why) in [
            (&b"*-9223372036854775809\r\n"[..], "invalid multibulk length"),
            (b"*2147483648\r\n", "invalid multibulk length"),
            (b"*x\r\n", "invalid multibulk length"),
            (b"*1\r\n+3\r\n", "expected '$', got '+'"),
            (b"*1\r\n$-1\r\n", "invalid bulk length"),
            (b"*1\r\n$536870913\r\n", "invalid bulk length"),
            (b"*1\r\n$x\r\n", "invalid bulk length"),
            (b"SET \"k\r\n", "unbalanced quotes in request"),
        ] {
            assert_eq!(parse(bytes), Err(why.to_string()), "{bytes:?}");
        }
        let long = [b'x'; LINE_MAX + 1];
        assert_eq!(parse(&long), Err("too big inline request".to_string()));
        assert_eq!(parse(&[b"*", &long[..]].concat()), Err("too big mbulk count string".into()));
        let bulk = [b"*1\r\n$", &long[..]].concat();
        assert_eq!(parse(&bulk), Err("too big bulk count string".to_string()));
    }

    #[test]
    fn limits_are_lower_before_authentication() {
        let limits = Limits { authenticated: false, ..LIMITS };
        let mut parser = Parser::default();
        let found = parser.next(b"*11\r\n", limits);
        assert_eq!(found, Found::Invalid(Wrong::Fault("unauthenticated multibulk length")));
        let found = parser.next(b"*1\r\n$16385\r\n", limits);
        assert_eq!(found, Found::Invalid(Wrong::Fault("unauthenticated bulk length")));
    }

    #[test]
    fn inline_requests_unquote() {
        let args = parse(b"set 'it\\'s' \"a\\x41\\n\" b\r\n").expect("it is well formed");
        assert_eq!(args, [&b"set"[..], b"it's", b"aA\n", b"b"]);
        assert_eq!(parse(b"\r\n"), Ok(vec![]));
        assert_eq!(parse(b"*0\r\n"), Ok(vec![]));
        assert_eq!(parse(b"set \"a\"b\r\n"), Err("unbalanced quotes in request".to_string()));
    }
}
