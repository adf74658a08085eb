//! Pipelines: the requests that arrived together, parsed before the first is executed.
//!
//! A client that pipelines has sent the next requests already, and each of them will read another
//! entry in memory. With all keys known, the CPU can fetch these entries in parallel instead of
//! waiting for one after another ([`crate::commands::run`]). So the plain requests at the start of
//! a buffer are parsed in advance:
//!
//! ```text
//! *2 $3 GET $1 a   *2 $3 GET $1 b   *2 $3 GET $1 …        two requests
//!  spans   GET  a      GET  b
//! requests     0..2       2..4
//! ```
//!
//! A request is plain if no limit forbids it and all of it has arrived: an array of a few
//! arguments, each shorter than 10,000 bytes. The pipeline ends at the first other request, which
//! the [`Parser`](super::request::Parser) reads.
//!
//! Redis 7 does not prefetch. Its counterpart is `memory_prefetch.c` in Valkey 9.0.

use super::request::{Args, Span, short_bulk, short_number};
use crate::engine::store::shard::PREFETCH_MAX;

/// The longest pipeline: as many requests as the store prefetches together.
const REQUESTS_MAX: usize = PREFETCH_MAX;
/// The arguments of all requests together: enough for sixteen of four, or three `MSET` of ten keys.
const SPANS_MAX: usize = 64;
/// The limit of arguments before authentication.
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
    /// The end of its spans. They start at the end of the previous request's.
    spans_end: u32,
    /// Its end in the buffer.
    end: u32,
}

impl<'a> Pipeline<'a> {
    /// Finds the plain requests at the start of `buffer`. Constant memory, time linear in the
    /// arguments found.
    pub fn find(buffer: &'a [u8], authenticated: bool) -> Pipeline<'a> {
        let mut found = Pipeline {
            bytes: buffer,
            spans: [(0, 0); SPANS_MAX],
            requests: [Request::default(); REQUESTS_MAX],
            len: 0,
        };
        let arguments_max = if authenticated { SPANS_MAX } else { ARGUMENTS_MAX };
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

    /// The requests: their arguments, and their ends in the buffer.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Args<'_>, usize)> {
        let mut start = 0;
        self.requests[..self.len].iter().map(move |request| {
            let spans = &self.spans[start as usize..request.spans_end as usize];
            start = request.spans_end;
            (Args::new(self.bytes, spans), request.end as usize)
        })
    }

    /// Parses the request after `last`, if it is plain.
    fn take(&mut self, last: Request, arguments_max: usize) -> Option<Request> {
        // The first line. `*0` is left to the parser, which skips it.
        let first = last.spans_end as usize;
        let (count, mut at) = short_number(self.bytes, last.end as usize, b'*')?;
        if count == 0 || count > arguments_max {
            return None;
        }

        // The arguments, as long as there is room for their spans.
        for span in self.spans.get_mut(first..first + count)? {
            (*span, at) = short_bulk(self.bytes, at)?;
        }
        Some(Request { spans_end: (first + count) as u32, end: u32::try_from(at).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::{Found, Limits, Parser, encode};

    const LIMITS: Limits = Limits { bulk_max: 1 << 20, authenticated: true };

    /// The requests that the parser finds in the same bytes.
    fn parsed(mut bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let (mut parser, mut requests) = (Parser::default(), Vec::new());
        while let Found::Request { length } = parser.next(bytes, LIMITS) {
            requests.push(parser.args(bytes).iter().map(<[u8]>::to_vec).collect());
            bytes = &bytes[length..];
        }
        requests
    }

    fn found(bytes: &[u8], authenticated: bool) -> Vec<Vec<Vec<u8>>> {
        let pipeline = Pipeline::find(bytes, authenticated);
        pipeline.iter().map(|(args, _)| args.iter().map(<[u8]>::to_vec).collect()).collect()
    }

    #[test]
    fn finds_what_the_parser_finds_cut_anywhere() {
        let long = vec![b'x'; 1234];
        let requests: [&[&[u8]]; 4] =
            [&[b"GET", b""], &[b"SET", b"key", &long], &[b"PING"], &[b"SET", b"k", &long[..100]]];
        let whole: Vec<u8> = requests.iter().flat_map(|arguments| encode(arguments)).collect();
        for cut in 0..=whole.len() {
            assert_eq!(found(&whole[..cut], true), parsed(&whole[..cut]), "cut at {cut}");
        }
        let pipeline = Pipeline::find(&whole, true);
        assert_eq!(pipeline.iter().last().map(|(_, end)| end), Some(whole.len()));
    }

    #[test]
    fn ends_at_the_first_request_that_is_not_plain() {
        let get = encode(&[b"GET", b"key"]);
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
    fn requests_and_arguments_are_bounded() {
        let get = encode(&[b"GET", b"key"]).repeat(REQUESTS_MAX + 1);
        assert_eq!(found(&get, true).len(), REQUESTS_MAX);
        let eleven = encode(&[b"a".as_slice(); ARGUMENTS_MAX + 1]);
        assert_eq!((found(&eleven, true).len(), found(&eleven, false).len()), (1, 0));
        let most = encode(&[b"a".as_slice(); SPANS_MAX]);
        assert_eq!(found(&most.repeat(2), true).len(), 1);
    }
}
