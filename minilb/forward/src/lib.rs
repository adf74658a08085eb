//! Bytes in both directions between a client and a server.
//!
//! # No buffer while nothing comes
//!
//! 10,000 idle connections with two buffers of 16 KiB each would hold 320 MB. Here a core has one
//! buffer for all its connections. It is filled and emptied within one poll; only what the receiver
//! does not take at once is copied into a buffer of the connection's own, and until that is sent
//! nothing more is read, so a slow receiver slows its sender down.
//!
//! ```text
//! poll     read 900 into the core's buffer    written 900           nothing is kept
//! poll     read 16384                         written 4000          12384 kept
//! poll     (receiver full)                                          nothing is read
//! poll     written 12384                                            kept bytes freed, read again
//! ```
//!
//! Bulk data is not copied at all: after [`BULK_READS`] full buffers in a row a direction goes on
//! with [`splice`], until its messages are small again.
//!
//! # The end
//!
//! ```text
//! proxy_half_close off (NGINX's default)   one side has ended and its bytes are sent: close both
//! proxy_half_close on                      pass the end on with shutdown(2); wait for the other
//! ```
//!
//! `proxy_timeout` counts from the last byte in either direction. One timer per connection is set
//! anew only when it fires, not per read.
//!
//! NGINX counterpart: `ngx_stream_proxy_process` and `ngx_stream_proxy_test_finalize`
//! (`ngx_stream_proxy_module.c`), with two buffers of `proxy_buffer_size` per connection.

mod splice;

use self::splice::{Pipes, Splice};
use minikit::server::Stream;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;
use tokio_rustls::{client, server};

/// The size of a core's buffer: NGINX's `proxy_buffer_size`.
const BUFFER_BYTES: usize = 16 * 1024;
/// After so many full buffers in a row more is likely to come: 64 KiB. `splice` takes two system
/// calls and a pipe; for a message of a few kilobytes that is more than copying it.
const BULK_READS: u32 = 4;

/// One end of a forwarded connection.
pub trait Endpoint: AsyncRead + AsyncWrite + Unpin {
    /// The socket, if its bytes are those of this stream: not under TLS.
    fn socket(&self) -> Option<&TcpStream> {
        None
    }
}

impl Endpoint for TcpStream {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl Endpoint for Stream {
    fn socket(&self) -> Option<&TcpStream> {
        self.as_tcp()
    }
}

impl Endpoint for UnixStream {}
impl<IO: AsyncRead + AsyncWrite + Unpin> Endpoint for client::TlsStream<IO> {}
impl<IO: AsyncRead + AsyncWrite + Unpin> Endpoint for server::TlsStream<IO> {}

/// What all connections of a core share: a buffer, and pipes.
pub struct CoreBuffer {
    bytes: RefCell<Box<[u8]>>,
    pipes: Pipes,
}

impl Default for CoreBuffer {
    /// 16 KiB.
    fn default() -> CoreBuffer {
        let bytes = RefCell::new(vec![0; BUFFER_BYTES].into_boxed_slice());
        CoreBuffer { bytes, pipes: Pipes::default() }
    }
}

/// How to end.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `proxy_timeout`
    pub idle: Duration,
    /// `proxy_half_close`
    pub half_close: bool,
}

/// Forwards until both sides have ended (with `half_close`), or one has, or nothing has come for
/// the idle time. `prefix` is sent to the server first.
///
/// # Errors
/// If reading or writing fails; [`io::ErrorKind::TimedOut`] after the idle time.
pub async fn forward(
    client: &mut impl Endpoint,
    server: &mut impl Endpoint,
    prefix: Vec<u8>,
    buffer: &CoreBuffer,
    limits: Limits,
) -> io::Result<()> {
    let last_byte = Cell::new(Instant::now());
    let mut upload = Direction { kept: prefix, ..Direction::default() };
    let mut download = Direction::default();
    let both = poll_fn(|cx| {
        let up = upload.poll(cx, client, server, buffer, &last_byte)?;
        let down = download.poll(cx, server, client, buffer, &last_byte)?;
        let ended = match limits.half_close {
            true => up.is_ready() && down.is_ready(),
            false => up.is_ready() || down.is_ready(),
        };
        if ended { Poll::Ready(Ok(())) } else { Poll::Pending }
    });
    tokio::select! {
        ended = both => ended,
        () = idle(&last_byte, limits.idle) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Returns when nothing has come for `timeout`.
async fn idle(last_byte: &Cell<Instant>, timeout: Duration) {
    loop {
        // A time beyond what the clock can count to never comes.
        let Some(deadline) = last_byte.get().checked_add(timeout) else {
            return std::future::pending().await;
        };
        if Instant::now() >= deadline {
            return;
        }
        tokio::time::sleep_until(deadline).await;
    }
}

/// One of the two directions.
#[derive(Default)]
struct Direction {
    /// Read but not yet written.
    kept: Vec<u8>,
    written: usize,
    /// Buffers in a row that were full.
    full_reads: u32,
    splice: Splice,
    has_ended: bool,
    is_closed: bool,
}

impl Direction {
    /// Moves bytes until one side is not ready. Ready when the source has ended, its bytes are
    /// written and the end is passed on.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl Endpoint,
        to: &mut impl Endpoint,
        buffer: &CoreBuffer,
        last_byte: &Cell<Instant>,
    ) -> Poll<io::Result<()>> {
        while !self.is_closed {
            ready!(self.poll_write_kept(cx, to))?;
            if self.has_ended {
                ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                self.is_closed = true;
                break;
            }

            // Bytes in the pipe come before any others.
            let is_bulk = self.full_reads >= BULK_READS || self.splice.has_bytes();
            match (from.socket(), to.socket()) {
                (Some(from), Some(to)) if is_bulk => {
                    let moved = ready!(self.splice.poll(cx, from, to, &buffer.pipes, last_byte))?;
                    self.has_ended = moved == Some(0);
                    if moved.is_none_or(|it| it < BUFFER_BYTES) {
                        self.full_reads = 0;
                    }
                }
                _ => ready!(self.poll_copy(cx, from, to, buffer, last_byte))?,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_copy(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl Endpoint,
        to: &mut impl Endpoint,
        buffer: &CoreBuffer,
        last_byte: &Cell<Instant>,
    ) -> Poll<io::Result<()>> {
        // What TLS holds of earlier writes; a socket holds nothing.
        if let Poll::Ready(flushed) = Pin::new(&mut *to).poll_flush(cx) {
            flushed?;
        }
        let mut shared = buffer.bytes.borrow_mut();
        let mut read = ReadBuf::new(&mut shared);
        ready!(Pin::new(&mut *from).poll_read(cx, &mut read))?;
        last_byte.set(Instant::now());
        let bytes = read.filled();
        self.has_ended = bytes.is_empty();
        self.full_reads = if bytes.len() == BUFFER_BYTES { self.full_reads + 1 } else { 0 };
        if bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }

        // Another connection uses the buffer next, so what is not written now is copied.
        let written = match Pin::new(&mut *to).poll_write(cx, bytes) {
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        self.kept = bytes[written..].to_vec();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_write_kept(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        while self.written < self.kept.len() {
            let rest = &self.kept[self.written..];
            let count = ready!(Pin::new(&mut *to).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.kept = Vec::new();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}
