//! Bulk data from socket to socket without a copy: `splice(2)` through a pipe.
//!
//! # What EAGAIN means
//!
//! `splice` from a socket into a pipe fails with EAGAIN if the socket is empty, and also if the
//! pipe is full. A proxy that takes the second for the first waits for bytes that are there, and
//! hangs (sozu#1323: a pipe of sixteen slots is full after 23 KiB of small segments). So a
//! direction has two states, and in each EAGAIN has one meaning:
//!
//! ```text
//!          ┌─────────── socket empty: wait ──────────┐
//!          v                                         │
//! pipe empty ── fill: socket -> pipe, n bytes ──> n bytes in the pipe ── drain ─┐
//!   ^                                                ^                          │
//!   └──────────────── 0 bytes are left ──────────────┴── receiver full: wait ───┘
//! ```
//!
//! The end of the source is seen in the left state only, when nothing of it is left in the pipe.
//!
//! # Pipes
//!
//! A pipe is two open files and up to [`PIPE_BYTES`] of memory. A direction holds one only while
//! bytes are in it; empty ones go back to the core ([`Pipes`]), so that connections which wait for
//! their sender cost none. If the system gives no pipe, bytes are copied.
//!
//! HAProxy counterpart: `raw_sock_to_pipe` and `raw_sock_from_pipe` (`raw_sock.c`). NGINX copies.

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// What a pipe holds: four times the kernel's default, so that the two system calls of a round
/// move more.
const PIPE_BYTES: usize = 256 * 1024;
/// Empty pipes that a core keeps.
const PIPES_MAX: usize = 16;

#[derive(Debug)]
struct Pipe {
    output: OwnedFd,
    input: OwnedFd,
    /// Bytes in it.
    filled: usize,
}

/// The empty pipes of a core.
#[derive(Debug, Default)]
pub struct Pipes(RefCell<Vec<Pipe>>);

impl Pipes {
    /// Returns `None` if the system refuses a new one.
    fn take(&self) -> Option<Pipe> {
        if let Some(pipe) = self.0.borrow_mut().pop() {
            return Some(pipe);
        }
        let (output, input) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).ok()?;
        // A user without privileges gets the default size when all his pipes together are large.
        let _ = fcntl_setpipe_size(&input, PIPE_BYTES);
        Some(Pipe { output, input, filled: 0 })
    }

    fn put(&self, pipe: Pipe) {
        let mut pipes = self.0.borrow_mut();
        if pipes.len() < PIPES_MAX {
            pipes.push(pipe);
        }
    }
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub struct Splice {
    /// There if and only if bytes are in it.
    pipe: Option<Pipe>,
    /// Bytes that went through it since it was filled.
    moved: usize,
}

impl Splice {
    /// Returns true if bytes were read that are not yet written.
    pub fn has_bytes(&self) -> bool {
        self.pipe.is_some()
    }

    /// Moves what has come, up to the size of a pipe. Ready when all of it is written, with the
    /// number of bytes: 0 at the end of the source, `None` if there is no pipe. Sets `last_byte`
    /// when bytes move.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &TcpStream,
        to: &TcpStream,
        pipes: &Pipes,
        last_byte: &Cell<Instant>,
    ) -> Poll<io::Result<Option<usize>>> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        loop {
            let Some(pipe) = &mut self.pipe else {
                ready!(from.poll_read_ready(cx))?;
                let Some(mut pipe) = pipes.take() else { return Poll::Ready(Ok(None)) };
                // The pipe is empty, so EAGAIN is about the socket.
                let fill = || Ok(splice(from, None, &pipe.input, None, PIPE_BYTES, flags)?);
                match from.try_io(Interest::READABLE, fill) {
                    Ok(0) => {
                        pipes.put(pipe);
                        return Poll::Ready(Ok(Some(0)));
                    }
                    Ok(count) => {
                        pipe.filled = count;
                        (self.pipe, self.moved) = (Some(pipe), 0);
                        last_byte.set(Instant::now());
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => pipes.put(pipe),
                    Err(error) => return Poll::Ready(Err(error)),
                }
                continue;
            };

            ready!(to.poll_write_ready(cx))?;
            // The pipe has bytes, so EAGAIN is about the receiver.
            let drain = || Ok(splice(&pipe.output, None, to, None, pipe.filled, flags)?);
            match to.try_io(Interest::WRITABLE, drain) {
                Ok(count) => {
                    self.moved += count;
                    pipe.filled -= count;
                    last_byte.set(Instant::now());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            if pipe.filled == 0 {
                self.pipe.take().into_iter().for_each(|it| pipes.put(it));
                return Poll::Ready(Ok(Some(self.moved)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{CoreBuffer, Limits, forward};
    use proptest::prelude::*;
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::thread;
    use std::time::Duration;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let near = TcpStream::connect(address).expect("listening");
        (near, listener.accept().expect("connected").0)
    }

    fn adopt(stream: TcpStream) -> tokio::net::TcpStream {
        stream.set_nonblocking(true).expect("a socket");
        tokio::net::TcpStream::from_std(stream).expect("a runtime")
    }

    /// What an echoing server got and a client got back, through a forwarder; both are slow at
    /// times. Returns the empty pipes that are left, too.
    fn echoed(pieces: &[usize], pause_every: usize) -> (Vec<u8>, usize) {
        let ((mut client, near), (far, mut server)) = (pair(), pair());
        let echo = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            for round in 1.. {
                let count = server.read(&mut buffer).expect("open");
                server.write_all(&buffer[..count]).expect("open");
                if count == 0 {
                    return server.shutdown(Shutdown::Write).expect("open");
                }
                if round % pause_every == 0 {
                    thread::yield_now();
                }
            }
        });
        let mut source = client.try_clone().expect("a socket");
        let pieces = pieces.to_vec();
        let sender = thread::spawn(move || {
            let mut number = 0_usize;
            for size in pieces {
                let piece = (number..number + size).map(|it| it as u8).collect::<Vec<_>>();
                number += size;
                source.write_all(&piece).expect("open");
            }
            source.shutdown(Shutdown::Write).expect("open");
        });
        let receiver = thread::spawn(move || {
            let mut received = Vec::new();
            client.read_to_end(&mut received).expect("open");
            received
        });

        let buffer = CoreBuffer::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let limits = Limits { idle: Duration::from_secs(60), half_close: true };
            let (mut near, mut far) = (adopt(near), adopt(far));
            forward(&mut near, &mut far, Vec::new(), &buffer, limits).await.expect("both end");
        });
        echo.join().expect("no panic");
        sender.join().expect("no panic");
        (receiver.join().expect("no panic"), buffer.pipes.0.borrow().len())
    }

    fn expected(count: usize) -> Vec<u8> {
        (0..count).map(|it| it as u8).collect()
    }

    #[test]
    fn bulk_goes_through_pipes_and_small_messages_do_not() {
        let (received, pipes) = echoed(&[16 << 20], 7);
        assert!(received == expected(16 << 20), "{} bytes", received.len());
        assert!((1..=2).contains(&pipes), "one for each direction at most: {pipes}");
        let (received, pipes) = echoed(&[100; 50], 7);
        assert_eq!((received.len(), pipes), (5000, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn bytes_arrive_in_order(
            pieces in prop::collection::vec(prop_oneof![1_usize..2000, 1..600_000_usize], 1..12),
            pause_every in 1_usize..20,
        ) {
            let (received, _) = echoed(&pieces, pause_every);
            prop_assert!(received == expected(pieces.iter().sum()), "{} bytes", received.len());
        }
    }
}
