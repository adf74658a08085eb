//! Bodies: decoded from the framing they came in, encoded in the framing they leave in.
//!
//! # Example
//!
//! ```text
//! input   5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\nGET / ...
//! data             hello                                 is_done: the rest is the next request
//! ```
//!
//! Chunk extensions and trailers are checked and dropped, as NGINX 1.22 does. The decoder is strict
//! where attacks hide: a size has 1 to 15 hexadecimal digits and nothing else, each line ends
//! with CRLF, an extension has no control characters, data is followed by CRLF at once.
//!
//! A [`Decoder`] borrows its input and returns ranges of it, so decoding copies nothing. It stops
//! at the end of the body and never looks at what follows.
//!
//! NGINX counterpart: `ngx_http_parse_chunked` (`ngx_http_parse.c`), `ngx_http_chunked_filter`.

use super::framing::{Framing, ResponseFraming};
use super::refusal::Refusal;
use super::writer::digits;
use std::ops::Range;

/// More digits would not fit into 60 bits. No body is that long.
const SIZE_DIGITS_MAX: u32 = 15;
/// Of the extension of one chunk.
const EXTENSION_BYTES_MAX: u32 = 256;
/// Of all trailers.
const TRAILER_BYTES_MAX: u32 = 8 * 1024;

/// Finds the data of a body in its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoder(State);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Done,
    Length(u64),
    UntilClose,
    Chunk(Chunk),
}

/// Where in a chunk the next byte belongs. `TrailerStart` is for the first byte of a trailer line,
/// or the CR of the empty line that ends the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    Size { size: u64, digits: u32 },
    Extension { size: u64, bytes: u32 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart { bytes: u32 },
    Trailer { bytes: u32 },
    TrailerLf { bytes: u32 },
    EndLf,
}

/// What [`Decoder::decode`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// So many bytes of the input are done with, `data` included.
    pub consumed: usize,
    /// The part of the input that is data.
    pub data: Range<usize>,
}

impl Decoder {
    /// For the body of a request.
    pub fn of_request(framing: Framing) -> Decoder {
        Decoder(match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunk(Chunk::Size { size: 0, digits: 0 }),
        })
    }

    /// For the body of a response.
    pub fn of_response(framing: ResponseFraming) -> Decoder {
        match framing {
            ResponseFraming::Framed(framing) => Decoder::of_request(framing),
            ResponseFraming::Omitted(_) => Decoder(State::Done),
            ResponseFraming::UntilClose => Decoder(State::UntilClose),
        }
    }

    /// Returns true if the body is complete.
    pub fn is_done(&self) -> bool {
        self.0 == State::Done
    }

    /// Looks for the next data. Call it again with what it did not consume, as long as it consumes
    /// something.
    ///
    /// # Errors
    /// If the chunks are malformed.
    pub fn decode(&mut self, input: &[u8]) -> Result<Piece, Refusal> {
        let available = input.len() as u64;
        let data = match &mut self.0 {
            State::Done => 0..0,
            State::UntilClose => 0..input.len(),
            State::Length(left) => {
                let count = available.min(*left);
                *left -= count;
                if *left == 0 {
                    self.0 = State::Done;
                }
                0..count as usize
            }
            State::Chunk(_) => return self.decode_chunk(input),
        };
        Ok(Piece { consumed: data.end, data })
    }

    fn decode_chunk(&mut self, input: &[u8]) -> Result<Piece, Refusal> {
        let mut position = 0;
        while let State::Chunk(chunk) = self.0 {
            let rest = &input[position..];
            let Some(byte) = rest.first() else { break };
            if let Chunk::Data { left } = chunk {
                let count = left.min(rest.len() as u64);
                self.0 = State::Chunk(match left - count {
                    0 => Chunk::DataCr,
                    left => Chunk::Data { left },
                });
                let end = position + count as usize;
                return Ok(Piece { consumed: end, data: position..end });
            }
            self.0 = chunk.next(*byte).ok_or(Refusal::Malformed("invalid chunked body"))?;
            position += 1;
        }
        Ok(Piece { consumed: position, data: position..position })
    }

    /// The connection has ended. Returns true if the body ends with it.
    pub fn end_of_input(&mut self) -> bool {
        if self.0 == State::UntilClose {
            self.0 = State::Done;
        }
        self.is_done()
    }
}

impl Chunk {
    /// The state after a byte of framing. Returns `None` if the byte must not be there.
    fn next(self, byte: u8) -> Option<State> {
        let next = match (self, byte) {
            (Chunk::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16)?;
                let size = size * 16 + u64::from(digit);
                Chunk::Size { size, digits: checked(digits, SIZE_DIGITS_MAX)? }
            }
            (Chunk::Size { digits: 0, .. }, _) => return None,
            (Chunk::Size { size, .. } | Chunk::Extension { size, .. }, b'\r') => {
                Chunk::SizeLf { size }
            }
            (Chunk::Size { size, .. }, b';') => Chunk::Extension { size, bytes: 0 },
            (Chunk::Extension { size, bytes }, b'\t' | b' '..=b'~' | 0x80..) => {
                Chunk::Extension { size, bytes: checked(bytes, EXTENSION_BYTES_MAX)? }
            }
            (Chunk::SizeLf { size: 0 }, b'\n') => Chunk::TrailerStart { bytes: 0 },
            (Chunk::SizeLf { size }, b'\n') => Chunk::Data { left: size },
            (Chunk::DataCr, b'\r') => Chunk::DataLf,
            (Chunk::DataLf, b'\n') => Chunk::Size { size: 0, digits: 0 },
            (Chunk::TrailerStart { .. }, b'\r') => Chunk::EndLf,
            (Chunk::Trailer { bytes }, b'\r') => Chunk::TrailerLf { bytes },
            (Chunk::TrailerLf { bytes }, b'\n') => Chunk::TrailerStart { bytes },
            (
                Chunk::TrailerStart { bytes } | Chunk::Trailer { bytes },
                b'\t' | b' '..=b'~' | 0x80..,
            ) => Chunk::Trailer { bytes: checked(bytes, TRAILER_BYTES_MAX)? },
            (Chunk::EndLf, b'\n') => return Some(State::Done),
            _ => return None,
        };
        Some(State::Chunk(next))
    }
}

/// One more, unless that is more than `max`.
fn checked(count: u32, max: u32) -> Option<u32> {
    (count < max).then_some(count + 1)
}

/// Writes a body in a framing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoder {
    /// The data as it is: the head has its length, or the connection ends after it.
    #[default]
    Identity,
    /// In chunks.
    Chunked,
}

impl Encoder {
    /// For a body with this framing.
    pub fn new(framing: ResponseFraming) -> Encoder {
        match framing {
            ResponseFraming::Framed(Framing::Chunked) => Encoder::Chunked,
            _ => Encoder::Identity,
        }
    }

    /// Appends data.
    pub fn encode(self, data: &[u8], out: &mut Vec<u8>) {
        match self {
            Encoder::Identity => out.extend_from_slice(data),
            // It would end the body.
            Encoder::Chunked if data.is_empty() => {}
            Encoder::Chunked => {
                digits::<16>(out, data.len() as u64);
                out.extend_from_slice(b"\r\n");
                out.extend_from_slice(data);
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Appends what comes after the last data.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self == Encoder::Chunked {
            out.extend_from_slice(b"0\r\n\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of `input` given in pieces of `step` bytes, and how much was consumed.
    fn decode(mut decoder: Decoder, input: &[u8], step: usize) -> Option<(Vec<u8>, usize)> {
        let (mut data, mut start) = (Vec::new(), 0);
        let mut end = 0;
        while !decoder.is_done() && end < input.len() {
            end = (end + step).min(input.len());
            loop {
                let piece = decoder.decode(&input[start..end]).ok()?;
                data.extend_from_slice(&input[start..end][piece.data]);
                start += piece.consumed;
                if piece.consumed == 0 || decoder.is_done() {
                    break;
                }
            }
        }
        decoder.end_of_input().then_some((data, start))
    }

    fn chunked() -> Decoder {
        Decoder::of_request(Framing::Chunked)
    }

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let input = b"5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\nGET / ...";
        for step in 1..input.len() {
            assert_eq!(decode(chunked(), input, step), Some((b"hello".to_vec(), 25)), "{step}");
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for input in [
            "hello\r\n",
            "\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\na\r\n0\r\n\r\n",
            " 1\r\na\r\n0\r\n\r\n",
            "1 \r\na\r\n0\r\n\r\n",
            "1\na\r\n0\r\n\r\n",
            "1;a\nb\r\na\r\n0\r\n\r\n",
            "1\r\nab\r\n0\r\n\r\n",
            "1\r\na0\r\n\r\n",
            "1\r\na\r\n0\r\nA: b\n\r\n",
            "1000000000000000\r\n",
        ] {
            assert_eq!(decode(chunked(), input.as_bytes(), 64), None, "{input:?}");
        }
        let extension = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(300));
        assert_eq!(decode(chunked(), extension.as_bytes(), 64), None);
        let trailers = format!("0\r\n{}\r\n", "A: b\r\n".repeat(3_000));
        assert_eq!(decode(chunked(), trailers.as_bytes(), 64), None);
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let data = b"0123456789".repeat(100);
        let mut out = Vec::new();
        for part in data.chunks(37) {
            Encoder::Chunked.encode(part, &mut out);
        }
        Encoder::Chunked.finish(&mut out);
        let length = out.len();
        out.extend_from_slice(b"next");
        for step in [1, 7, 4096] {
            assert_eq!(decode(chunked(), &out, step), Some((data.clone(), length)));
        }
    }

    #[test]
    fn a_length_is_exact_and_a_close_ends_the_rest() {
        let length = Decoder::of_request(Framing::Length(3));
        assert_eq!(decode(length, b"abcdef", 2), Some((b"abc".to_vec(), 3)));
        assert_eq!(decode(length, b"ab", 2), None, "cut off");
        let close = Decoder::of_response(ResponseFraming::UntilClose);
        assert_eq!(decode(close, b"abc", 2), Some((b"abc".to_vec(), 3)));
    }
}
