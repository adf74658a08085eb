//! Sending responses: from memory, and from files without copying.
//!
//! ```text
//! frame       [size, header, fields] [1 MiB of segment 0] [fields] [300 KiB of segment 7] [fields]
//! calls       send, MSG_MORE         sendfile ...         send     sendfile               write
//! ```
//!
//! `MSG_MORE` keeps the kernel from sending the few bytes in front as a packet of their own.
//!
//! # Why read old segments on a helper thread first?
//!
//! `sendfile` reads missing pages from the disk and blocks its thread, and with it every other
//! client of that thread. The pages of the active segment were written a moment ago. Those of older
//! segments are first read on a helper thread, by `sendfile` to `/dev/null`, which copies nothing.
//! The kernel can evict them again before they are sent. That needs a machine short of memory, and
//! then costs no more than without the helper thread.
//!
//! One call sends at most [`PIECE_BYTES`]; after it other clients get their turn.
//!
//! Kafka counterpart: `FileRecords.writeTo` (`FileChannel.transferTo`), and
//! `FileRecords.prepareForRead` (KAFKA-7504), which warms up to 64 KiB.

use crate::engine::log::segment::Slice;
use crate::wire::codec::{Frame, Piece};
use minikit::server::Stream;
use rustix::fs::sendfile;
use rustix::net::SendFlags;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::task::{spawn_blocking, yield_now};

/// Pieces up to this size are copied into one buffer; longer ones are written directly.
const GATHER_BYTES_MAX: usize = 16 * 1024;
/// For [`write_out`]: send the buffer now; nothing follows.
pub const NO_MORE: SendFlags = SendFlags::empty();
/// The most bytes that one system call sends, or that [`warm`] reads at a time.
const PIECE_BYTES: usize = 512 * 1024;

/// Sends a frame. Short pieces are only appended to `out`, to share a system call with the next.
pub async fn send(stream: &mut Stream, out: &mut Vec<u8>, frame: &Frame) -> io::Result<()> {
    for piece in frame.pieces() {
        match piece {
            Piece::Bytes(bytes) if bytes.len() <= GATHER_BYTES_MAX => out.extend_from_slice(bytes),
            Piece::Bytes(bytes) => {
                write_out(stream, out, NO_MORE).await?;
                stream.write_all(bytes).await?;
            }
            Piece::File(slice) => {
                write_out(stream, out, SendFlags::MORE).await?;
                send_slice(stream, slice).await?;
            }
        }
    }
    Ok(())
}

/// Sends the gathered bytes. With [`SendFlags::MORE`] they share a packet with the next send.
pub async fn write_out(stream: &Stream, out: &mut Vec<u8>, more: SendFlags) -> io::Result<()> {
    let flags = SendFlags::NOSIGNAL | more;
    let mut sent = 0;
    while sent < out.len() {
        let send = |socket: BorrowedFd<'_>| Ok(rustix::net::send(socket, &out[sent..], flags)?);
        sent += stream.when(Interest::WRITABLE, send).await?;
    }
    out.clear();
    Ok(())
}

async fn send_slice(stream: &Stream, slice: &Slice) -> io::Result<()> {
    let (mut position, end) = (slice.position, slice.position + slice.length as u64);
    while position < end {
        let piece_end = end.min(position + PIECE_BYTES as u64);
        if !slice.is_active {
            warm(slice, position, piece_end).await?;
        }
        while position < piece_end {
            let send = |socket: BorrowedFd<'_>| copy(slice, socket, position, piece_end);
            position += stream.when(Interest::WRITABLE, send).await? as u64;
        }
        yield_now().await;
    }
    Ok(())
}

/// Reads a range into the page cache, on another thread.
async fn warm(slice: &Slice, mut position: u64, end: u64) -> io::Result<()> {
    let slice = slice.clone();
    let read = move || {
        let nowhere = File::options().write(true).open("/dev/null")?;
        while position < end {
            position += copy(&slice, nowhere.as_fd(), position, end)? as u64;
        }
        Ok(())
    };
    blocking(read).await
}

/// Calls `job` on a helper thread, which may block on the disk.
pub async fn blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(job).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Calls `sendfile` once. Returns the number of bytes sent, at least one.
fn copy(slice: &Slice, to: BorrowedFd<'_>, position: u64, end: u64) -> io::Result<usize> {
    let file = slice.file.as_fd().ok_or(io::ErrorKind::Unsupported)?;
    let mut position = position;
    let length = (end - position) as usize;
    match sendfile(to, file, Some(&mut position), length)? {
        0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a segment became shorter")),
        count => Ok(count),
    }
}
