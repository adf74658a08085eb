//! One client's connection, TCP or Unix, without buffers of its own.
//!
//! [`Stream`] is read and written through tokio's [`AsyncRead`] and [`AsyncWrite`]. A read that is
//! dropped before it is ready has taken nothing, so a connection can wait for several things at
//! once and lose no byte when another of them comes first:
//!
//! ```text
//! select! {
//!     count = stream.read(&mut buffer) => work on it
//!     message = inbox.recv()           => push it
//!     () = &mut requested              => the server shuts down
//! }
//! ```
//!
//! A tokio socket belongs to the runtime that accepted it. To move to another core, or to a thread
//! that blocks, it leaves that runtime as a [`DetachedStream`].
//!
//! Redis counterpart: `connection.c`, whose `ConnectionType` table has `read` and `write` of TCP,
//! Unix and TLS.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use minikit_unix_socket::UnixSocket;
use socket2::{SockRef, Socket, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::sync::Arc;

/// A connection to one client; dropping it closes it.
#[derive(Debug)]
pub struct Stream {
    socket: AsyncSocket,
    address: Address,
}

#[derive(Debug)]
enum AsyncSocket {
    Tcp(TcpStream),
    Unix(UnixSocket),
}

/// A connection outside of any runtime. Its socket is non-blocking at first.
#[derive(Debug)]
pub(super) struct DetachedStream {
    pub(super) socket: Socket,
    pub(super) address: Address,
}

/// The addresses of a connection, kept because the system forgets the peer when it has gone.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Address {
    /// The client's address.
    Tcp(SocketAddr),
    /// The server's path: a client's end of a Unix socket has no name.
    Unix(Arc<Path>),
}

impl Stream {
    pub(super) fn tcp(stream: TcpStream, peer: SocketAddr) -> Stream {
        Stream { socket: AsyncSocket::Tcp(stream), address: Address::Tcp(peer) }
    }

    /// # Errors
    /// If the runtime's event queue takes no more sockets.
    pub(super) fn unix(stream: UnixStream, path: Arc<Path>) -> io::Result<Stream> {
        let socket = AsyncSocket::Unix(UnixSocket::new(stream)?);
        Ok(Stream { socket, address: Address::Unix(path) })
    }

    /// The client's address as Redis prints it: `127.0.0.1:5000`, `[::1]:5000`, and for a Unix
    /// socket its path followed by `:0`. An IPv4 client of an IPv6 listener is printed as IPv4.
    pub fn peer(&self) -> String {
        self.address.peer()
    }

    /// The server's side of the connection, in the same form. Empty if the system no longer knows
    /// it.
    pub fn local(&self) -> String {
        self.address.local(&self.as_socket())
    }

    /// The number of the socket among the open files of the process.
    pub fn descriptor(&self) -> u32 {
        self.as_socket().as_raw_fd() as u32
    }

    /// The TCP socket; `None` for a Unix socket.
    pub fn as_tcp(&self) -> Option<&TcpStream> {
        match &self.socket {
            AsyncSocket::Tcp(stream) => Some(stream),
            AsyncSocket::Unix(_) => None,
        }
    }

    /// Turns on TCP keepalive: after `idle` without traffic the kernel probes the client, three
    /// times at intervals of a third of `idle`, and then closes the connection. Does nothing for a
    /// Unix socket, or if the system refuses.
    pub fn keep_alive(&self, idle: Duration) {
        self.address.keep_alive(&self.as_socket(), idle);
    }

    /// Calls `call` with the socket when it can be read or written, again after each `WouldBlock`:
    /// for system calls that tokio does not know, like `sendfile`.
    ///
    /// # Errors
    /// Those of `call`.
    pub async fn when<T>(
        &self,
        ready: Interest,
        mut call: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        match &self.socket {
            AsyncSocket::Tcp(stream) => stream.async_io(ready, || call(stream.as_fd())).await,
            AsyncSocket::Unix(socket) => socket.when(ready, call).await,
        }
    }

    /// The socket itself, bypassing the runtime.
    pub(super) fn as_socket(&self) -> SockRef<'_> {
        match &self.socket {
            AsyncSocket::Tcp(stream) => SockRef::from(stream),
            AsyncSocket::Unix(socket) => SockRef::from(socket.as_std()),
        }
    }

    /// Takes the connection out of its runtime.
    ///
    /// # Errors
    /// If the runtime's event queue does not release the socket.
    pub(super) fn detach(self) -> io::Result<DetachedStream> {
        let socket = match self.socket {
            AsyncSocket::Tcp(stream) => stream.into_std()?.into(),
            AsyncSocket::Unix(socket) => socket.into_std().into(),
        };
        Ok(DetachedStream { socket, address: self.address })
    }
}

impl DetachedStream {
    /// Brings the connection into the runtime of the calling thread.
    ///
    /// # Errors
    /// If the runtime's event queue takes no more sockets.
    pub(super) fn into_stream(self) -> io::Result<Stream> {
        let socket = match &self.address {
            Address::Tcp(_) => AsyncSocket::Tcp(TcpStream::from_std(self.socket.into())?),
            Address::Unix(_) => AsyncSocket::Unix(UnixSocket::new(self.socket.into())?),
        };
        Ok(Stream { socket, address: self.address })
    }
}

impl Address {
    pub(super) fn tcp(&self) -> Option<SocketAddr> {
        if let Address::Tcp(address) = self { Some(*address) } else { None }
    }

    pub(super) fn peer(&self) -> String {
        match self {
            Address::Tcp(peer) => canonical(*peer).to_string(),
            Address::Unix(path) => format!("{}:0", path.display()),
        }
    }

    pub(super) fn local(&self, socket: &Socket) -> String {
        match self {
            Address::Tcp(_) => {
                let local = socket.local_addr().ok().and_then(|address| address.as_socket());
                local.map_or_else(String::new, |address| canonical(address).to_string())
            }
            Address::Unix(path) => format!("{}:0", path.display()),
        }
    }

    pub(super) fn keep_alive(&self, socket: &Socket, idle: Duration) {
        if matches!(self, Address::Tcp(_)) {
            let probes = TcpKeepalive::new().with_time(idle).with_interval(idle / 3);
            let _ = socket.set_tcp_keepalive(&probes.with_retries(3));
        }
    }
}

/// A read that does not fill the buffer shows that nothing more is there, so tokio waits before the
/// next one without asking the kernel again. That saves one system call per request compared
/// with `try_read`.
impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            AsyncSocket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            AsyncSocket::Unix(socket) => socket.poll_read(cx, buffer),
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
            AsyncSocket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            AsyncSocket::Unix(socket) => socket.poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            AsyncSocket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            AsyncSocket::Unix(socket) => Poll::Ready(socket.shut_down_writing()),
        }
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
