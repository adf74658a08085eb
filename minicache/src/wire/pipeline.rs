//! Several requests found at one go, before the first of them is executed.
//!
//! A client that pipelines has sent the next requests already, and each of them will want another
//! piece of memory. Whoever knows them all can ask for these pieces together instead of waiting for
//! one after the other ([`crate::commands::run`]). So here the plain requests at the start of a
//! buffer are taken apart in advance:
//!
//! ```text
//! *2 $3 GET $1 a   *2 $3 GET $1 b   *2 $3 GET $1 …        two requests
//!  spans   GET  a      GET  b
//! requests     0..2       2..4
//! ```
//!
//! Plain is what every limit allows and what has arrived to its last byte: an array of a few
//! arguments, each shorter than 10,000 bytes. At anything else the pipeline ends, and the
//! [`Parser`](super::request::Parser) says what it is. Redis 7 does not look ahead; Valkey does
//! from version 9.0 on (`memory_prefetch.c`).

use super::request::{Args, Span, short_bulk, short_number};
use crate::engine::store::shard::FORESEEN_MAX;

/// Requests found at most: as many as are looked up together.
const REQUESTS_MAX: usize = FORESEEN_MAX;
/// Arguments of all of them together: enough for sixteen of four, or three `MSET` of ten keys.
const SPANS_MAX: usize = 64;
/// Arguments of one request that any client may send, authenticated or not.
const ARGUMENTS_MAX: usize = 10;

/// The plain requests at the start of a buffer.
pub struct Pipeline<'a> {
    bytes: &'a [u8],
    spans: [Span; SPANS_MAX],
    requests: [Request; REQUESTS_MAX],
    len: usize,
}

#[derive(Clone, Copy, Default)]
struct Request {
    /// Where its spans end; they start where those of the one before end.
    spans_end: u32,
    /// Where it ends in the buffer.
    end: u32,
}

impl<'a> Pipeline<'a> {
    /// Takes apart what it can of `buffer`. Constant memory, time linear in the requests found.
    pub fn find(buffer: &'a [u8], trusted: bool) -> Pipeline<'a> {
        let mut found = Pipeline {
            bytes: buffer,
            spans: [(0, 0); SPANS_MAX],
            requests: [Request::default(); REQUESTS_MAX],
            len: 0,
        };
        let arguments_max = if trusted { SPANS_MAX } else { ARGUMENTS_MAX };
        let mut last = Request::default();
        while found.len < REQUESTS_MAX
            && let Some(request) = found.take(last, arguments_max)
        {
            found.requests[found.len] = request;
            found.len += 1;
            last = request;
        }
        found
    }

    /// The requests in turn: their arguments, and where in the buffer they end.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Args<'_>, usize)> {
        let mut start = 0;
        self.requests[..self.len].iter().map(move |request| {
            let spans = &self.spans[start as usize..request.spans_end as usize];
            start = request.spans_end;
            (Args::new(self.bytes, spans), request.end as usize)
        })
    }

    /// The request behind `last`, if it is a plain one.
    fn take(&mut self, last: Request, arguments_max: usize) -> Option<Request> {
        let first = last.spans_end as usize;
        let (count, mut at) = short_number(self.bytes, last.end as usize, b'*')?;
        if count == 0 || count > arguments_max {
            return None;
        }
        for span in self.spans.get_mut(first..first + count)? {
            (*span, at) = short_bulk(self.bytes, at)?;
        }
        Some(Request { spans_end: (first + count) as u32, end: u32::try_from(at).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::{Found, Limits, Parser};

    const LIMITS: Limits = Limits { bulk_max: 1 << 20, trusted: true };

    fn request(arguments: &[&[u8]]) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments {
            bytes.extend(format!("${}\r\n", argument.len()).bytes());
            bytes.extend_from_slice(argument);
            bytes.extend(b"\r\n");
        }
        bytes
    }

    /// What the parser says of the same bytes, up to its first doubt.
    fn parsed(mut bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let (mut parser, mut requests) = (Parser::default(), Vec::new());
        while let Found::Request { length } = parser.next(bytes, LIMITS) {
            requests.push(parser.args(bytes).iter().map(<[u8]>::to_vec).collect());
            bytes = &bytes[length..];
        }
        requests
    }

    fn found(bytes: &[u8], trusted: bool) -> Vec<Vec<Vec<u8>>> {
        let pipeline = Pipeline::find(bytes, trusted);
        pipeline.iter().map(|(args, _)| args.iter().map(<[u8]>::to_vec).collect()).collect()
    }

    #[test]
    fn finds_what_the_parser_finds_cut_anywhere() {
        let long = vec![b'x'; 1234];
        let requests: [&[&[u8]]; 4] =
            [&[b"GET", b""], &[b"SET", b"key", &long], &[b"PING"], &[b"SET", b"k", &long[..100]]];
        let whole: Vec<u8> = requests.iter().flat_map(|arguments| request(arguments)).collect();
        for cut in 0..=whole.len() {
            assert_eq!(found(&whole[..cut], true), parsed(&whole[..cut]), "cut at {cut}");
        }
        let pipeline = Pipeline::find(&whole, true);
        assert_eq!(pipeline.iter().last().map(|(_, end)| end), Some(whole.len()));
    }

    #[test]
    fn ends_at_the_first_request_that_is_not_plain() {
        let get = request(&[b"GET", b"key"]);
        let odd: [&[u8]; 9] = [
            b"PING\r\n",
            b"*0\r\n",
            b"*-1\r\n",
            b"*01\r\n$4\r\nPING\r\n",
            b"*1\r\n$04\r\nPING\r\n",
            b"*1\r\n:4\r\nPING\r\n",
            b"*1\r\n$-1\r\n",
            b"*1\r\n$10000\r\n",
            b"*99999\r\n",
        ];
        for other in odd {
            let bytes = [&get, other, &get].concat();
            assert_eq!(found(&bytes, true), [[b"GET".to_vec(), b"key".to_vec()]]);
        }
    }

    #[test]
    fn has_bounds() {
        let get = request(&[b"GET", b"key"]).repeat(REQUESTS_MAX + 1);
        assert_eq!(found(&get, true).len(), REQUESTS_MAX);
        let eleven = request(&[b"a".as_slice(); ARGUMENTS_MAX + 1]);
        assert_eq!((found(&eleven, true).len(), found(&eleven, false).len()), (1, 0));
        let most = request(&[b"a".as_slice(); SPANS_MAX]);
        assert_eq!(found(&most.repeat(2), true).len(), 1);
    }
}
