//! One client's connection, TCP or Unix, without buffers of its own.
//!
//! Reading is split in two: `readable().await` sleeps until there may be something, `try_read` takes it without
//! ever sleeping. A connection that waits for bytes, for a message to push and for the end of the server can
//! so wait for all three at once, and has no read half-done when another of them comes first:
//!
//! ```text
//! loop {
//!     select! { stream.readable(), inbox.recv(), shutdown.requested() }
//!     match stream.try_read(&mut buffer) { Ok(0) => end, Ok(n) => work, Err(WouldBlock) => wait again }
//! }
//! ```
//!
//! Redis counterpart: `connection.c`, whose `ConnectionType` table has `read` and `write` of TCP, Unix and TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::sync::Arc;

/// A connection to one client; dropped, it is closed.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    Tcp { stream: TcpStream, peer: SocketAddr },
    Unix { stream: UnixStream, path: Arc<Path> },
}

impl Stream {
    /// The peer is kept, because the system forgets it when the peer has gone.
    pub(super) fn tcp(stream: TcpStream, peer: SocketAddr) -> Stream {
        Stream { socket: Socket::Tcp { stream, peer } }
    }

    /// `path` is the server's own: a client's end of a Unix socket has no name.
    pub(super) fn unix(stream: UnixStream, path: Arc<Path>) -> Stream {
        Stream { socket: Socket::Unix { stream, path } }
    }

    /// Waits until `try_read` has a chance: bytes, end of stream, or an error to report.
    ///
    /// # Errors
    /// Only where the runtime is ending.
    pub async fn readable(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp { stream, .. } => stream.readable().await,
            Socket::Unix { stream, .. } => stream.readable().await,
        }
    }

    /// Waits until `try_write` has a chance: room in the kernel's buffer, or an error to report.
    ///
    /// # Errors
    /// Only where the runtime is ending.
    pub async fn writable(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp { stream, .. } => stream.writable().await,
            Socket::Unix { stream, .. } => stream.writable().await,
        }
    }

    /// Takes what has arrived, at most `buffer.len()` bytes. `Ok(0)`: the client sends nothing more.
    ///
    /// # Errors
    /// `WouldBlock` where nothing is there yet; anything else ends the connection.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.socket {
            Socket::Tcp { stream, .. } => stream.try_read(buffer),
            Socket::Unix { stream, .. } => stream.try_read(buffer),
        }
    }

    /// Hands bytes to the kernel and says how many it took, which may be fewer than given.
    ///
    /// # Errors
    /// `WouldBlock` where the kernel's buffer is full; anything else ends the connection.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.socket {
            Socket::Tcp { stream, .. } => stream.try_write(bytes),
            Socket::Unix { stream, .. } => stream.try_write(bytes),
        }
    }

    /// The client's address as Redis prints it: `127.0.0.1:5000`, `[::1]:5000`, and for a Unix socket its path
    /// followed by `:0`. An IPv4 client of an IPv6 listener is shown as the IPv4 client it is.
    pub fn peer(&self) -> String {
        match &self.socket {
            Socket::Tcp { peer, .. } => canonical(*peer).to_string(),
            Socket::Unix { path, .. } => format!("{}:0", path.display()),
        }
    }

    /// The server's side of the connection, in the same form. Empty where the system no longer knows it.
    pub fn local(&self) -> String {
        match &self.socket {
            Socket::Tcp { stream, .. } => stream
                .local_addr()
                .map_or_else(|_| String::new(), |addr| canonical(addr).to_string()),
            Socket::Unix { path, .. } => format!("{}:0", path.display()),
        }
    }

    /// Whether the client came through the Unix socket.
    pub fn is_unix(&self) -> bool {
        matches!(self.socket, Socket::Unix { .. })
    }

    /// The socket itself, past the runtime.
    pub(super) fn as_socket(&self) -> SockRef<'_> {
        match &self.socket {
            Socket::Tcp { stream, .. } => SockRef::from(stream),
            Socket::Unix { stream, .. } => SockRef::from(stream),
        }
    }
}

/// Unlike `try_read`, this notices that a read came back short: then nothing more can be there, and the next poll
/// sleeps without asking the kernel again. A request-reply server makes one system call less per request by it.
impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Tcp { stream, .. } => Pin::new(stream).poll_read(cx, buffer),
            Socket::Unix { stream, .. } => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().socket {
            Socket::Tcp { stream, .. } => Pin::new(stream).poll_write(cx, bytes),
            Socket::Unix { stream, .. } => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Tcp { stream, .. } => Pin::new(stream).poll_shutdown(cx),
            Socket::Unix { stream, .. } => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
