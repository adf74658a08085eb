//! One client's connection, TCP or Unix, without buffers of its own.
//!
//! Read and written through tokio's [`AsyncRead`] and [`AsyncWrite`]. A read that is dropped before
//! it is ready has taken nothing, so a connection can wait for several things at once and lose no
//! byte when another of them comes first:
//!
//! ```text
//! select! {
//!     count = stream.read(&mut buffer) => work on it
//!     message = inbox.recv()           => push it
//!     () = &mut requested              => the server ends
//! }
//! ```
//!
//! Redis counterpart: `connection.c`, whose `ConnectionType` table has `read` and `write` of TCP,
//! Unix and TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
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

    /// The client's address as Redis prints it: `127.0.0.1:5000`, `[::1]:5000`, and for a Unix
    /// socket its path followed by `:0`. An IPv4 client of an IPv6 listener is shown as the IPv4
    /// client it is.
    pub fn peer(&self) -> String {
        match &self.socket {
            Socket::Tcp { peer, .. } => canonical(*peer).to_string(),
            Socket::Unix { path, .. } => format!("{}:0", path.display()),
        }
    }

    /// The server's side of the connection, in the same form. Empty where the system no longer
    /// knows it.
    pub fn local(&self) -> String {
        match &self.socket {
            Socket::Tcp { stream, .. } => stream
                .local_addr()
                .map_or_else(|_| String::new(), |addr| canonical(addr).to_string()),
            Socket::Unix { path, .. } => format!("{}:0", path.display()),
        }
    }

    /// Has the kernel ask a TCP client for a sign of life after so long a silence, so that the dead
    /// are found. Where the system refuses, nothing changes.
    pub fn keep_alive(&self, after: Duration) {
        if let Socket::Tcp { stream, .. } = &self.socket {
            let probes = TcpKeepalive::new().with_time(after).with_interval(after / 3);
            let _ = SockRef::from(stream).set_tcp_keepalive(&probes.with_retries(3));
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

/// A read that fills less than the buffer shows that nothing more is there: tokio then sleeps
/// before the next one without asking the kernel again. A server of requests and replies makes one
/// system call less per request by it than with `try_read`.
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
