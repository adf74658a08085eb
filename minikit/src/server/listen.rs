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
use std::net::IpAddr;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

use super::{Bound, Options, ServerError};
use crate::sync::{Arc, Mutex};
use tokio::sync::mpsc::UnboundedSender;

/// Everything bound, and how it is shared out.
pub(super) struct Sockets {
    pub(super) bound: Bound,
    /// One set for each core.
    pub(super) per_core: Vec<CoreSockets>,
}

/// What one core accepts from; at least one of the two is there.
pub(super) struct CoreSockets {
    pub(super) tcp: Vec<TcpListener>,
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
        if options.listen.is_empty() && options.unix.is_none() {
            return Err(ServerError::NoAddress);
        }
        let tcp = bind_tcp_or_say_why(options, cores)?;
        let unix = bind_unix_or_say_why(options, cores)?;
        let first = tcp.first().and_then(|sockets| sockets.first());
        let bound = Bound {
            tcp: first.and_then(|socket| socket.local_addr().ok()),
            unix: options.unix.clone(),
        };
        let mut unix = unix.into_iter();
        let one_set = |tcp| CoreSockets { tcp, unix: unix.next() };
        Ok(Sockets { bound, per_core: tcp.into_iter().map(one_set).collect() })
    }
}

/// Lets a running server listen elsewhere. Clones are for the same server.
#[derive(Clone)]
pub struct Doors {
    /// Where each core waits for new sockets.
    cores: Arc<[UnboundedSender<Vec<TcpListener>>]>,
    /// Where the server listens.
    addresses: Arc<Mutex<Vec<SocketAddr>>>,
    backlog: u16,
}

impl Doors {
    pub(super) fn new(
        cores: Vec<UnboundedSender<Vec<TcpListener>>>,
        sockets: &Sockets,
        backlog: u16,
    ) -> Doors {
        let first = sockets.per_core.first();
        let addresses = first.into_iter().flat_map(|core| &core.tcp);
        let addresses = addresses.filter_map(|socket| socket.local_addr().ok()).collect();
        Doors { cores: cores.into(), addresses: Arc::new(Mutex::new(addresses)), backlog }
    }

    /// Listens at these TCP addresses from now on and at no other; clients inside stay. No address
    /// means no TCP.
    ///
    /// # Errors
    /// Where one of them cannot be had; then nothing has changed.
    pub fn listen(&self, addresses: &[SocketAddr]) -> Result<(), ServerError> {
        let mut current = self.addresses.lock();
        let per_core = bind_all(addresses, self.cores.len(), self.backlog, &current)?;
        for (core, sockets) in self.cores.iter().zip(per_core) {
            // A core that has ended needs none.
            let _ = core.send(sockets);
        }
        *current = addresses.to_vec();
        Ok(())
    }
}

type PerCore = Vec<Vec<TcpListener>>;

fn bind_tcp_or_say_why(options: &Options, cores: usize) -> Result<PerCore, ServerError> {
    bind_all(&options.listen, cores, options.backlog, &[])
}

/// Binds every address for every core. Port 0 is chosen once: what follows has the same port.
/// `ours` are addresses where this server listens already.
fn bind_all(
    addresses: &[SocketAddr],
    cores: usize,
    backlog: u16,
    ours: &[SocketAddr],
) -> Result<PerCore, ServerError> {
    let mut per_core: PerCore = (0..cores).map(|_| Vec::new()).collect();
    let mut chosen = 0;
    for address in addresses {
        let port = if address.port() == 0 { chosen } else { address.port() };
        let address = SocketAddr::new(address.ip(), port);
        let bound = bind_tcp(address, cores, backlog, ours)
            .map_err(|source| ServerError::Listen { flag: "--listen", address, source })?;
        let first = bound.first().and_then(|socket: &TcpListener| socket.local_addr().ok());
        chosen = first.map_or(chosen, |address| address.port());
        for (core, socket) in per_core.iter_mut().zip(bound) {
            core.push(socket);
        }
    }
    Ok(per_core)
}

/// The first socket is bound alone, which fails where another server listens; then it lets the
/// others in.
fn bind_tcp(
    address: SocketAddr,
    cores: usize,
    backlog: u16,
    ours: &[SocketAddr],
) -> io::Result<Vec<TcpListener>> {
    let first = tcp_socket(address)?;
    if ours.iter().any(|own| overlap(*own, address)) {
        first.set_reuse_port(true)?;
    }
    listen(&first, address, backlog)?;
    let address = TcpListener::local_addr(&TcpListener::from(first.try_clone()?))?;
    first.set_reuse_port(true)?;
    let mut all = vec![first.into()];
    for _ in 1..cores {
        let next = tcp_socket(address)?;
        next.set_reuse_port(true)?;
        listen(&next, address, backlog)?;
        all.push(next.into());
    }
    Ok(all)
}

fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = |ip: IpAddr| ip.is_unspecified();
    one.port() == other.port()
        && (one.ip() == other.ip() || everywhere(one.ip()) || everywhere(other.ip()))
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
