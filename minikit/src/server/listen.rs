//! Binding: one port for all cores and no other process, one Unix socket for all cores; and the
//! change of both while the server runs.
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
//! **A change** keeps the sockets whose addresses stay, with the clients that wait in their queues.
//!
//! Redis counterpart: `listenToPort` (`server.c`), `_anetTcpServer` and `anetUnixServer`
//! (`anet.c`). Redis removes whatever file it finds at the path of its Unix socket.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use socket2::{Domain, Protocol, Socket, Type};

use super::stream::Address;
use super::{Options, ServerError};
use crate::sync::{Arc, Mutex};
use tokio::sync::mpsc::UnboundedSender;

/// The sockets from which one thread accepts.
pub(super) type ListenerSet = Vec<Arc<ListenSocket>>;

/// A listening socket. The last owner of a Unix socket also removes its file.
#[derive(Debug)]
pub(super) struct ListenSocket {
    pub(super) address: Address,
    pub(super) socket: Socket,
}

/// Binds what `options` ask for, once per thread that accepts. Nothing is accepted yet, but clients
/// may connect and wait.
pub(super) fn bind(options: &Options, threads: usize) -> Result<Vec<ListenerSet>, ServerError> {
    let addresses = addresses(&options.listen, &options.unix);
    match addresses.is_empty() {
        true => Err(ServerError::NoAddress),
        false => bind_all(&addresses, threads, options, &[]),
    }
}

/// The addresses at which a thread accepts from now on, and the sockets that are new to it.
pub(super) type Change = (Vec<Address>, ListenerSet);

/// Changes the addresses of a running server. A clone controls the same server.
#[derive(Clone)]
pub struct ListenerHandle {
    /// Where each accepting thread waits for changes.
    acceptors: Arc<[UnboundedSender<Change>]>,
    /// Where the server listens.
    addresses: Arc<Mutex<Vec<Address>>>,
    options: Options,
}

impl ListenerHandle {
    pub(super) fn new(
        acceptors: Vec<UnboundedSender<Change>>,
        sets: &[ListenerSet],
        options: &Options,
    ) -> ListenerHandle {
        let addresses = sets.iter().take(1).flatten().map(|it| it.address.clone()).collect();
        let addresses = Arc::new(Mutex::new(addresses));
        ListenerHandle { acceptors: acceptors.into(), addresses, options: options.clone() }
    }

    /// Listens at these TCP addresses from now on and at no other, and at these Unix sockets, if
    /// they are given. Open connections stay, and so do sockets whose addresses are listed again.
    ///
    /// # Errors
    /// [`ServerError::Listen`] or [`ServerError::Unix`] if one of them cannot be bound; then
    /// nothing has changed.
    pub fn listen(&self, tcp: &[SocketAddr], unix: Option<&[PathBuf]>) -> Result<(), ServerError> {
        let mut current = self.addresses.lock();
        let mut wanted = addresses(tcp, unix.unwrap_or_default());
        let old_unix = current.iter().filter(|it| it.tcp().is_none());
        wanted.extend(old_unix.filter(|_| unix.is_none()).cloned());

        let new = wanted.iter().filter(|it| !current.contains(it)).cloned().collect::<Vec<_>>();
        let sets = bind_all(&new, self.acceptors.len(), &self.options, &current)?;
        for (acceptor, set) in self.acceptors.iter().zip(sets) {
            // Fails if the thread has ended; then the server is shutting down.
            let _ = acceptor.send((wanted.clone(), set));
        }
        *current = wanted;
        Ok(())
    }
}

fn addresses(tcp: &[SocketAddr], unix: &[PathBuf]) -> Vec<Address> {
    let unix = unix.iter().map(|it| Address::Unix(Arc::from(&**it)));
    tcp.iter().map(|it| Address::Tcp(*it)).chain(unix).collect()
}

/// Binds every address for this number of threads. The system chooses a port for port 0 once:
/// later addresses with port 0 get the same one. `ours` are addresses where this server already
/// listens.
fn bind_all(
    addresses: &[Address],
    threads: usize,
    options: &Options,
    ours: &[Address],
) -> Result<Vec<ListenerSet>, ServerError> {
    let mut sets = vec![Vec::new(); threads];
    let mut chosen = 0;
    for address in addresses {
        let bound = match address {
            Address::Tcp(address) => {
                let port = if address.port() == 0 { chosen } else { address.port() };
                let address = SocketAddr::new(address.ip(), port);
                let bound = bind_tcp(address, threads, options, ours);
                let flag = "--listen";
                bound.map_err(|source| ServerError::Listen { flag, address, source })?
            }
            Address::Unix(path) => {
                let bound = bind_unix(path, options.backlog);
                let path = path.to_path_buf();
                let bound = bound.map_err(|source| ServerError::Unix { path, source })?;
                std::iter::repeat_n(bound, threads).collect()
            }
        };
        for (set, socket) in sets.iter_mut().zip(bound) {
            chosen = socket.address.tcp().map_or(chosen, |it| it.port());
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
    options: &Options,
    ours: &[Address],
) -> io::Result<ListenerSet> {
    let first = tcp_socket(address, options)?;
    // This server's own sockets have the port already, with the option set.
    let is_ours = ours.iter().filter_map(Address::tcp).any(|own| overlap(own, address));
    first.set_reuse_port(is_ours)?;
    first.bind(&address.into())?;
    first.listen(options.backlog.into())?;

    let address = TcpListener::local_addr(&TcpListener::from(first.try_clone()?))?;
    first.set_reuse_port(true)?;
    let of = |socket| Arc::new(ListenSocket { address: Address::Tcp(address), socket });
    let mut all = vec![of(first)];
    for _ in 1..count {
        let next = tcp_socket(address, options)?;
        next.set_reuse_port(true)?;
        next.bind(&address.into())?;
        next.listen(options.backlog.into())?;
        all.push(of(next));
    }
    Ok(all)
}

fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (first, second) = (one.ip(), other.ip());
    let same_ip = first == second || first.is_unspecified() || second.is_unspecified();
    same_ip && one.port() == other.port()
}

/// `SO_REUSEADDR`: connections of an earlier server that linger in TIME_WAIT do not keep the port.
fn tcp_socket(address: SocketAddr, options: &Options) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && options.ipv6_only {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind_unix(path: &Path, backlog: u16) -> io::Result<Arc<ListenSocket>> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    socket.set_nonblocking(true)?;
    // From here on its file is removed if anything fails.
    let bound = ListenSocket { address: Address::Unix(Arc::from(path)), socket };
    bound.socket.listen(backlog.into())?;
    Ok(Arc::new(bound))
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

impl Drop for ListenSocket {
    fn drop(&mut self) {
        if let Address::Unix(path) = &self.address
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!("cannot remove {}: {error}", path.display());
        }
    }
}
