//! Binding: one port for all cores and nobody else, one Unix socket for all cores.
//!
//! **The port.** `SO_REUSEPORT` lets several sockets listen on one port, and the kernel deals the
//! clients out. It does so for *any* process of the same user: two servers started by mistake on
//! one port would each get half of the clients, and neither would complain. So the first socket
//! claims the port alone, as any server does, and opens it for its siblings only after that:
//!
//! ```text
//! socket 0: bind :6379, listen      fails where anyone has the port; port 0 becomes a real one
//! socket 0: SO_REUSEPORT on         from now on sockets with the same option may join ...
//! socket 1: SO_REUSEPORT on, bind :6379, listen
//! a second server's socket 0        ... but this one asks without the option: "address in use"
//! ```
//!
//! **The Unix socket** is a file, and outlives a process that was killed. Whether anyone is behind
//! it shows when one connects. Unix sockets have no `SO_REUSEPORT`; the cores share one, all are
//! woken by a client, and the first takes it. That costs a few wasted wake-ups per connection, none
//! per request.
//!
//! Redis counterpart: `listenToPort` (`server.c`), `_anetTcpServer` and `anetUnixServer`
//! (`anet.c`). Redis removes whatever it finds at the path of its Unix socket.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

use super::{Bound, Options, ServerError};
use crate::sync::Arc;

/// Everything bound, and how it is shared out.
pub(super) struct Sockets {
    pub(super) bound: Bound,
    /// One set for each core.
    pub(super) per_core: Vec<CoreSockets>,
}

/// What one core accepts from; at least one of the two is there.
pub(super) struct CoreSockets {
    pub(super) tcp: Option<TcpListener>,
    pub(super) unix: Option<(UnixListener, Arc<SocketFile>)>,
}

/// The name of a Unix socket in the file system, removed with the last of its listeners.
#[derive(Debug)]
pub(crate) struct SocketFile {
    pub(super) path: Arc<Path>,
}

impl Sockets {
    /// Binds what `options` ask for, `cores` times. Nothing is accepted yet, but clients may
    /// connect and wait.
    pub(super) fn bind(options: &Options, cores: usize) -> Result<Sockets, ServerError> {
        if options.listen.is_none() && options.unix.is_none() {
            return Err(ServerError::NoAddress);
        }
        let tcp = bind_tcp_or_say_why(options, cores)?;
        let unix = bind_unix_or_say_why(options, cores)?;
        let bound = Bound {
            tcp: tcp.first().and_then(|socket| socket.local_addr().ok()),
            unix: options.unix.clone(),
        };
        let (mut tcp, mut unix) = (tcp.into_iter(), unix.into_iter());
        let one_set = |_| CoreSockets { tcp: tcp.next(), unix: unix.next() };
        Ok(Sockets { bound, per_core: (0..cores).map(one_set).collect() })
    }
}

fn bind_tcp_or_say_why(options: &Options, cores: usize) -> Result<Vec<TcpListener>, ServerError> {
    let Some(address) = options.listen else { return Ok(Vec::new()) };
    bind_tcp(address, cores, options.backlog).map_err(|source| ServerError::Listen {
        flag: "--listen",
        address,
        source,
    })
}

fn bind_tcp(address: SocketAddr, cores: usize, backlog: u16) -> io::Result<Vec<TcpListener>> {
    let first = tcp_socket(address)?;
    listen(&first, address, backlog)?;
    let address = TcpListener::local_addr(&TcpListener::from(first.try_clone()?))?;
    let mut all = Vec::with_capacity(cores);
    if cores > 1 {
        first.set_reuse_port(true)?;
    }
    all.push(first.into());
    for _ in 1..cores {
        let next = tcp_socket(address)?;
        next.set_reuse_port(true)?;
        listen(&next, address, backlog)?;
        all.push(next.into());
    }
    Ok(all)
}

/// `SO_REUSEADDR`: connections of an earlier server that linger in TIME_WAIT do not keep the port.
fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn listen(socket: &Socket, address: SocketAddr, backlog: u16) -> io::Result<()> {
    socket.bind(&address.into())?;
    socket.listen(backlog.into())
}

type UnixListeners = Vec<(UnixListener, Arc<SocketFile>)>;

fn bind_unix_or_say_why(options: &Options, cores: usize) -> Result<UnixListeners, ServerError> {
    let Some(path) = &options.unix else { return Ok(Vec::new()) };
    bind_unix(path, cores, options.backlog)
        .map_err(|source| ServerError::Unix { path: path.clone(), source })
}

fn bind_unix(path: &Path, cores: usize, backlog: u16) -> io::Result<UnixListeners> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    let file = Arc::new(SocketFile { path: Arc::from(path) });
    socket.set_nonblocking(true)?;
    socket.listen(backlog.into())?;
    (0..cores).map(|_| Ok((socket.try_clone()?.into(), Arc::clone(&file)))).collect()
}

/// Makes room at `path` where a dead socket lies, and only there.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        let text = "a file that is no socket is there; move it, or take another path";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => {
            let text = "a running server answers there; stop it, or take another path";
            Err(io::Error::new(io::ErrorKind::AddrInUse, text))
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}
