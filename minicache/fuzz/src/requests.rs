//! The request parser: the same result however the bytes arrive, and memory only for bytes that
//! arrived.
//!
//! The first byte of the input chooses the limits and the cuts. The rest is what a client sends:
//!
//! ```text
//! 0x1f  "*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n"
//!   in one packet           [GET k] [PING], then incomplete with 0 bytes
//!   in packets of 3, 1, 7   the same
//! ```
//!
//! Counterpart: `processInputBuffer` in `networking.c`.

use minicache::engine::rng::Rng;
use minicache::raw;
use minicache::wire::pipeline::Pipeline;
use minicache::wire::request::{Found, Limits, Parser, Wrong, encode};

/// How the stream of requests ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// With this many bytes of an incomplete request.
    Incomplete(usize),
    /// The bytes are not the protocol, for this reason.
    Invalid(Wrong),
}

/// The arguments of each request, and the end.
type Stream = (Vec<Vec<Vec<u8>>>, End);

/// The body of the fuzz target `resp`.
pub fn check(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    let limits = Limits { bulk_max: 1 << 20, authenticated: choice & 1 == 0 };
    let (requests, end) = at_once(bytes, limits);
    let mut rng = Rng::new(u64::from(*choice));
    let longest = 1 + usize::from(choice >> 1 & 15);
    let pieces = in_pieces(bytes, limits, || 1 + rng.below(longest));
    assert_eq!(pieces, (requests.clone(), end));
    check_pipeline(bytes, limits.authenticated, &requests);
    check_encoding(&requests);
}

/// Parses as if everything had arrived in one packet.
fn at_once(bytes: &[u8], limits: Limits) -> Stream {
    let mut parser = Parser::default();
    let mut requests = Vec::new();
    let mut rest = bytes;
    loop {
        let before = raw::allocated();
        let found = parser.next(rest, limits);
        let taken = raw::allocated().saturating_sub(before);
        // A span is eight bytes for an argument of at least six, and vectors double.
        assert!(taken <= 4096 + 4 * rest.len(), "{taken} bytes for {}", rest.len());
        match found {
            Found::Request { length } => {
                requests.push(parser.args(rest).iter().map(<[u8]>::to_vec).collect());
                rest = &rest[length..];
            }
            Found::Incomplete => return (requests, End::Incomplete(rest.len())),
            Found::Invalid(why) => return (requests, End::Invalid(why)),
        }
    }
}

/// A pipeline finds the same requests, up to the first that is not plain.
fn check_pipeline(bytes: &[u8], authenticated: bool, requests: &[Vec<Vec<u8>>]) {
    let pipeline = Pipeline::find(bytes, authenticated);
    assert!(pipeline.iter().len() <= requests.len());
    for ((args, _), request) in pipeline.iter().zip(requests) {
        assert!(args.iter().eq(request));
    }
}

/// Parses as a connection does when the bytes arrive in pieces of these lengths.
fn in_pieces(bytes: &[u8], limits: Limits, mut piece: impl FnMut() -> usize) -> Stream {
    let mut parser = Parser::default();
    let mut requests = Vec::new();
    let mut pending = Vec::new();
    let mut coming = bytes;
    loop {
        match parser.next(&pending, limits) {
            Found::Request { length } => {
                requests.push(parser.args(&pending).iter().map(<[u8]>::to_vec).collect());
                pending.drain(..length);
                parser.shrink();
            }
            Found::Incomplete if coming.is_empty() => {
                return (requests, End::Incomplete(pending.len()));
            }
            Found::Incomplete => {
                let (arrived, later) = coming.split_at(piece().min(coming.len()));
                pending.extend_from_slice(arrived);
                coming = later;
            }
            Found::Invalid(why) => return (requests, End::Invalid(why)),
        }
    }
}

/// Encoded as arrays of bulk strings, the requests parse to the same.
fn check_encoding(requests: &[Vec<Vec<u8>>]) {
    let limits = Limits { bulk_max: i64::MAX, authenticated: true };
    let bytes: Vec<u8> = requests.iter().flat_map(|request| encode(request)).collect();
    assert_eq!(at_once(&bytes, limits), (requests.to_vec(), End::Incomplete(0)));
}
