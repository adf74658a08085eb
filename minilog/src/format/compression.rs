//! Decompressing the records of a batch, and compressing them again.
//!
//! A broker rarely needs either: it stores and sends batches as they arrived. There are two
//! exceptions. Finding the first record after a point in time needs the timestamps of single
//! records, which are compressed too. Compaction removes some of the records of a batch.
//!
//! # Example
//!
//! ```
//! use minilog::format::batch::Compression;
//! use minilog::format::compression::decompress;
//!
//! // 14 times `a`: snappy stores one `a`, then "copy 13 bytes, starting one byte back".
//! let raw = [14, 0, b'a', 0x32, 1, 0];
//! assert_eq!(decompress(Compression::Snappy, &raw, 100)?, [b'a'; 14]);
//!
//! // A few bytes can decompress to gigabytes, so the caller sets a limit.
//! assert!(decompress(Compression::Snappy, &raw, 13).is_err());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Two kinds of snappy
//!
//! Java's library, xerial's snappy-java, wraps its output in frames: 16 bytes of magic and version,
//! then blocks, each prefixed with its length. librdkafka sends plain snappy. Both use the same
//! compression number, so [`decompress`] looks for the magic.
//!
//! Kafka counterpart: `CompressionType.java` and the classes of `common/compress`.

use super::batch::Compression;
use std::io::{self, Read, Write};

/// Xerial's header begins with this, and ends with two version numbers of four bytes.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_BYTES: usize = 16;

const CUT: &str = "they end too early";

/// Decompresses `bytes`. `InvalidData` if they are damaged or decompress to more than `limit`.
pub fn decompress(compression: Compression, bytes: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    match compression {
        Compression::None => read_all(bytes, limit),
        Compression::Gzip => read_all(flate2::read::MultiGzDecoder::new(bytes), limit),
        Compression::Snappy if bytes.starts_with(XERIAL_MAGIC) => xerial(bytes, limit),
        Compression::Snappy => snappy(bytes, limit),
        Compression::Lz4 => read_all(lz4_flex::frame::FrameDecoder::new(bytes), limit),
        Compression::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(bytes).map_err(damaged)?;
            read_all(decoder, limit)
        }
    }
}

/// Compresses `bytes`; snappy without xerial's frames.
pub fn compress(compression: Compression, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    match compression {
        Compression::None => Ok(bytes),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
            encoder.write_all(&bytes)?;
            encoder.finish()
        }
        Compression::Snappy => {
            snap::raw::Encoder::new().compress_vec(&bytes).map_err(io::Error::other)
        }
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(&bytes)?;
            encoder.finish().map_err(io::Error::other)
        }
        Compression::Zstd => {
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            Ok(ruzstd::encoding::compress_to_vec(&bytes[..], level))
        }
    }
}

fn read_all(reader: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    reader.take(limit as u64 + 1).read_to_end(&mut out).map_err(damaged)?;
    if out.len() > limit { Err(damaged("more bytes than expected")) } else { Ok(out) }
}

fn snappy(bytes: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let length = snap::raw::decompress_len(bytes).map_err(damaged)?;
    if length > limit {
        return Err(damaged("more bytes than expected"));
    }
    snap::raw::Decoder::new().decompress_vec(bytes).map_err(damaged)
}

fn xerial(bytes: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let mut rest = bytes.get(XERIAL_HEADER_BYTES..).ok_or_else(|| damaged(CUT))?;
    let mut out = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (block, after) = after.split_at_checked(length).ok_or_else(|| damaged(CUT))?;
        out.extend(snappy(block, limit - out.len())?);
        rest = after;
    }
    if rest.is_empty() { Ok(out) } else { Err(damaged(CUT)) }
}

fn damaged(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("compressed records are damaged: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `GZIP` is this text, compressed by the `gzip` program.
    const TEXT: &[u8] = b"hello, hello, hello";
    const GZIP: &[u8] = &[
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 72, 205, 201, 201, 215, 81, 200, 64, 162, 0, 159,
        161, 202, 9, 19, 0, 0, 0,
    ];

    #[test]
    fn gzip_and_its_limit() {
        assert_eq!(decompress(Compression::Gzip, GZIP, 19).unwrap(), TEXT);
        assert!(decompress(Compression::Gzip, GZIP, 18).is_err());
    }

    #[test]
    fn snappy_in_frames_and_raw() {
        let raw = snap::raw::Encoder::new().compress_vec(TEXT).unwrap();
        assert_eq!(decompress(Compression::Snappy, &raw, 100).unwrap(), TEXT);

        let mut framed = [XERIAL_MAGIC, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for _ in 0..2 {
            framed.extend_from_slice(&(raw.len() as u32).to_be_bytes());
            framed.extend_from_slice(&raw);
        }
        assert_eq!(decompress(Compression::Snappy, &framed, 100).unwrap(), [TEXT, TEXT].concat());
        assert!(decompress(Compression::Snappy, &framed, 30).is_err());
        for length in 9..framed.len() - 1 {
            let _ = decompress(Compression::Snappy, &framed[..length], 100);
        }
    }

    #[test]
    fn what_was_compressed_is_decompressed() {
        use Compression::*;
        for compression in [None, Gzip, Snappy, Lz4, Zstd] {
            let compressed = compress(compression, TEXT.to_vec()).unwrap();
            assert_eq!(decompress(compression, &compressed, 100).unwrap(), TEXT);
        }
    }

    #[test]
    fn lz4_and_zstd() {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        io::Write::write_all(&mut encoder, TEXT).unwrap();
        let lz4 = encoder.finish().unwrap();
        assert_eq!(decompress(Compression::Lz4, &lz4, 100).unwrap(), TEXT);

        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let zstd = ruzstd::encoding::compress_to_vec(TEXT, level);
        assert_eq!(decompress(Compression::Zstd, &zstd, 100).unwrap(), TEXT);
        assert!(decompress(Compression::Zstd, &zstd, 5).is_err());
    }

    #[test]
    fn damage_is_an_error() {
        for compression in
            [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
        {
            assert!(decompress(compression, b"\xffnonsense", 100).is_err(), "{compression:?}");
        }
    }
}
