//! A Unix socket that wakes its task when there is something to read, and only then.
//!
//! The kernel reports a Unix socket as writable each time the peer has read something. tokio's
//! `UnixStream` waits for both, so a server of requests and replies wakes twice per request:
//!
//! ```text
//! client   write ──────────────────> read the reply
//!             │ readable                │ writable: nothing to do
//! server     wake, read, write         wake
//! ```
//!
//! A TCP socket reports only that a full buffer has room again. So here the socket is registered
//! for reading, and a second time, for writing, only while a write has to wait.
//!
//! Redis counterpart: `ae.c` registers a client for writing only if a reply did not fit
//! (`installClientWriteHandler`).

mod raw;

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, ReadBuf};

use crate::raw::register;

/// A connected, non-blocking Unix socket in the runtime of the thread that made it.
#[derive(Debug)]
pub struct UnixSocket {
    reader: AsyncFd<UnixStream>,
    /// While a write waits.
    writer: Option<AsyncFd<UnixStream>>,
}

impl UnixSocket {
    /// Brings the socket, which must be non-blocking, into the runtime of the calling thread.
    ///
    /// # Errors
    /// If the runtime's event queue takes no more sockets.
    pub fn new(stream: UnixStream) -> io::Result<UnixSocket> {
        Ok(UnixSocket { reader: register(stream, Interest::READABLE)?, writer: None })
    }

    /// The socket itself, bypassing the runtime.
    pub fn as_std(&self) -> &UnixStream {
        self.reader.get_ref()
    }

    /// Takes the socket out of its runtime.
    pub fn into_std(self) -> UnixStream {
        self.reader.into_inner()
    }

    /// Calls `call` with the socket when it can be read or written, again after each `WouldBlock`.
    ///
    /// # Errors
    /// Those of `call`, or if the runtime's event queue takes no more sockets.
    pub async fn when<T>(
        &self,
        ready: Interest,
        mut call: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        if ready == Interest::READABLE {
            return self.reader.async_io(ready, |it| call(it.as_fd())).await;
        }
        match call(self.as_std().as_fd()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            done => return done,
        }
        let registered = register(self.as_std().try_clone()?, ready)?;
        registered.async_io(ready, |it| call(it.as_fd())).await
    }

    /// As [`tokio::io::AsyncRead::poll_read`]. Fills the rest of the buffer with zeros first if it
    /// was never initialized.
    pub fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.reader.poll_read_ready(cx))?;
            let unfilled = buffer.initialize_unfilled();
            match ready.try_io(|it| it.get_ref().read(unfilled)) {
                Ok(Ok(count)) => {
                    // Nothing more is there, so the next read waits without asking the kernel.
                    if 0 < count && count < unfilled.len() {
                        ready.clear_ready();
                    }
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }

    /// As [`tokio::io::AsyncWrite::poll_write`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.as_std().write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => {
                    self.writer = None;
                    return Poll::Ready(done);
                }
            }
            let writer = match self.writer.take() {
                Some(writer) => writer,
                None => register(self.as_std().try_clone()?, Interest::WRITABLE)?,
            };
            let writer = self.writer.insert(writer);
            ready!(writer.poll_write_ready(cx))?.clear_ready();
        }
    }

    /// The peer reads the end of the stream once it has read what was written.
    ///
    /// # Errors
    /// If the peer has gone.
    pub fn shut_down_writing(&self) -> io::Result<()> {
        self.as_std().shutdown(Shutdown::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::thread;

    #[test]
    fn a_write_waits_for_a_slow_reader() {
        let (mut client, server) = UnixStream::pair().expect("the system has sockets");
        server.set_nonblocking(true).expect("it is a socket");
        let sent = (0..4_000_000).map(|it| it as u8).collect::<Vec<_>>();
        let reader = thread::spawn(move || {
            client.write_all(b"go").expect("the server is there");
            let mut received = Vec::new();
            client.read_to_end(&mut received).expect("the server is there");
            received
        });

        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        runtime.expect("the system has an event queue").block_on(async {
            let mut socket = UnixSocket::new(server).expect("there is a runtime");
            let mut bytes = [0; 16];
            let mut buffer = ReadBuf::new(&mut bytes);
            poll_fn(|cx| socket.poll_read(cx, &mut buffer)).await.expect("the client is there");
            assert_eq!(buffer.filled(), b"go");

            let (mut written, mut waits) = (0, 0);
            while written < sent.len() {
                written += poll_fn(|cx| {
                    let polled = socket.poll_write(cx, &sent[written..]);
                    waits += u32::from(polled.is_pending());
                    polled
                })
                .await
                .expect("the client is there");
            }
            assert!(waits > 0 && socket.writer.is_none());
            socket.shut_down_writing().expect("it is connected");
        });
        assert_eq!(reader.join().expect("the reader does not panic"), sent);
    }
}
