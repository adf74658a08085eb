//! Binding: one port for all cores and no other process, one Unix socket for all cores.
//!
//! **The port.** `SO_REUSEPORT` lets several sockets listen on one port, and the kernel distributes
//! the clients. It does so for *any* process of the same user: two servers started by mistake on
//! one port would each get half of the clients, and neither would notice. So the first socket
//! claims the port alone, as any server does, and admits its siblings only after that:
//!
//! ```text
//! socket 0: bind :6379, listen      fails if anyone has the port; port 0 becomes a real one
//! socket 0: SO_REUSEPORT on         from now on sockets with the same option may join ...
//! socket 1: SO_REUSEPORT on, bind :6379, listen
//! a second server's socket 0        ... but this one asks without the option: "address in use"
//! ```
//!
//! **The Unix socket** is a file, and outlives a process that was killed. Only an attempt to
//! connect shows if a server still listens there. Unix sockets have no `SO_REUSEPORT`; the cores
//! share one, a client wakes all of them, and the first accepts it. That costs a few wasted
//! wake-ups per connection, none per request.
//!
//! Redis counterpart: `listenToPort` (`server.c`), `_anetTcpServer` and `anetUnixServer`
//! (`anet.c`). Redis removes whatever file it finds at the path of its Unix socket.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

use super::{Bound, Options, ServerError};
use crate::sync::{Arc, Mutex};
use tokio::sync::mpsc::UnboundedSender;

/// Everything bound.
pub(super) struct Sockets {
    pub(super) bound: Bound,
    /// One set per thread that accepts.
    pub(super) sets: Vec<ListenerSet>,
}

/// What one thread accepts from; at least one of the two is there.
pub(super) struct ListenerSet {
    pub(super) tcp: Vec<TcpListener>,
    pub(super) unix: Option<(UnixListener, Arc<SocketFile>)>,
}

/// The name of a Unix socket in the file system, removed with the last of its listeners.
#[derive(Debug)]
pub(crate) struct SocketFile {
    pub(super) path: Arc<Path>,
}

impl Sockets {
    /// Binds what `options` ask for, `count` times. Nothing is accepted yet, but clients may
    /// connect and wait.
    pub(super) fn bind(options: &Options, count: usize) -> Result<Sockets, ServerError> {
        if options.listen.is_empty() && options.unix.is_none() {
            return Err(ServerError::NoAddress);
        }
        let tcp = bind_all(&options.listen, count, options.backlog, &[])?;
        let mut unix = match &options.unix {
            None => Vec::new(),
            Some(path) => bind_unix(path, count, options.backlog)
                .map_err(|source| ServerError::Unix { path: path.clone(), source })?,
        }
        .into_iter();

        let first = tcp.first().and_then(|sockets| sockets.first());
        let bound = Bound {
            tcp: first.and_then(|socket| socket.local_addr().ok()),
            unix: options.unix.clone(),
        };
        let one_set = |tcp| ListenerSet { tcp, unix: unix.next() };
        Ok(Sockets { bound, sets: tcp.into_iter().map(one_set).collect() })
    }
}

/// Changes the TCP addresses of a running server. Clones are for the same server.
#[derive(Clone)]
pub struct ListenerHandle {
    /// Where each accepting thread waits for new sockets.
    acceptors: Arc<[UnboundedSender<Vec<TcpListener>>]>,
    /// Where the server listens.
    addresses: Arc<Mutex<Vec<SocketAddr>>>,
    backlog: u16,
}

impl ListenerHandle {
    pub(super) fn new(
        acceptors: Vec<UnboundedSender<Vec<TcpListener>>>,
        sockets: &Sockets,
        backlog: u16,
    ) -> ListenerHandle {
        let first = sockets.sets.first();
        let addresses = first.into_iter().flat_map(|set| &set.tcp);
        let addresses = addresses.filter_map(|socket| socket.local_addr().ok()).collect();
        let addresses = Arc::new(Mutex::new(addresses));
        ListenerHandle { acceptors: acceptors.into(), addresses, backlog }
    }

    /// Listens at these TCP addresses from now on and at no other; open connections stay. An empty
    /// list ends listening by TCP.
    ///
    /// # Errors
    /// [`ServerError::Listen`] if one of them cannot be bound; then nothing has changed.
    pub fn listen(&self, addresses: &[SocketAddr]) -> Result<(), ServerError> {
        let mut current = self.addresses.lock();
        let sets = bind_all(addresses, self.acceptors.len(), self.backlog, &current)?;
        for (acceptor, sockets) in self.acceptors.iter().zip(sets) {
            // Fails if the thread has ended; then the server is shutting down.
            let _ = acceptor.send(sockets);
        }
        *current = addresses.to_vec();
        Ok(())
    }
}

/// Binds every address `count` times. Port 0 is chosen once: later addresses with port 0 get the
/// same one. `ours` are addresses where this server listens already.
fn bind_all(
    addresses: &[SocketAddr],
    count: usize,
    backlog: u16,
    ours: &[SocketAddr],
) -> Result<Vec<Vec<TcpListener>>, ServerError> {
    let mut sets: Vec<Vec<TcpListener>> = (0..count).map(|_| Vec::new()).collect();
    let mut chosen = 0;
    for address in addresses {
        let port = if address.port() == 0 { chosen } else { address.port() };
        let address = SocketAddr::new(address.ip(), port);
        let bound = bind_tcp(address, count, backlog, ours)
            .map_err(|source| ServerError::Listen { flag: "--listen", address, source })?;
        let first = bound.first().and_then(|socket: &TcpListener| socket.local_addr().ok());
        chosen = first.map_or(chosen, |address| address.port());
        for (set, socket) in sets.iter_mut().zip(bound) {
            set.push(socket);
        }
    }
    Ok(sets)
}

/// Binds the first socket alone, which fails if another server listens there; then it admits the
/// others.
fn bind_tcp(
    address: SocketAddr,
    count: usize,
    backlog: u16,
    ours: &[SocketAddr],
) -> io::Result<Vec<TcpListener>> {
    let first = tcp_socket(address)?;
    // This server's own sockets have the port already, with the option set.
    if ours.iter().any(|own| overlap(*own, address)) {
        first.set_reuse_port(true)?;
    }
    listen(&first, address, backlog)?;

    let address = TcpListener::local_addr(&TcpListener::from(first.try_clone()?))?;
    first.set_reuse_port(true)?;
    let mut all = vec![first.into()];
    for _ in 1..count {
        let next = tcp_socket(address)?;
        next.set_reuse_port(true)?;
        listen(&next, address, backlog)?;
        all.push(next.into());
    }
    Ok(all)
}

fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (first, second) = (one.ip(), other.ip());
    let same_ip = first == second || first.is_unspecified() || second.is_unspecified();
    same_ip && one.port() == other.port()
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

fn bind_unix(path: &Path, count: usize, backlog: u16) -> io::Result<UnixListeners> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    let file = Arc::new(SocketFile { path: Arc::from(path) });
    socket.set_nonblocking(true)?;
    socket.listen(backlog.into())?;
    (0..count).map(|_| Ok((socket.try_clone()?.into(), Arc::clone(&file)))).collect()
}

/// Removes a socket at `path` on which no server listens.
///
/// # Errors
/// If a server listens there, or if the file is not a socket.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        let text = "a file that is not a socket is there; move it, or take another path";
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
