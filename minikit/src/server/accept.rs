//! Accepting clients: one loop per listener, the limit, the refusal. All shapes use it.
//!
//! ```text
//! client connects ─> accept ─> connections().enter(limit) ─ Some(permit) ─> the shape's `start`
//!                                                         └ None ─> refusal, close
//! ```
//!
//! **What if `accept` fails?** Three kinds of failure ask for three answers:
//!
//! ```text
//! ECONNABORTED, ENETDOWN, ...    this one client is gone          go on with the next
//! EMFILE, ENFILE                 no descriptor left for a client  pause, then try again
//! ENOBUFS, ENOMEM                no kernel memory left            pause, then try again
//! ```
//!
//! Without the pause the loop would spin: the client stays in the queue, so the listener stays
//! ready, and the core would spend its time on failing `accept` calls instead of serving the
//! clients that free descriptors when they close.
//!
//! Redis counterpart: `acceptTcpHandler` and `acceptCommonHandler` (`networking.c`). Redis accepts
//! up to 1000 clients per turn and on EMFILE logs a line for every failing turn of its loop, which
//! spins.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use socket2::Socket;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::listen::{Change, ListenSocket, ListenerSet};
use super::stream::Address;
use super::thread::until_requested;
use super::{Hooks, Shutdown, Stream};
use crate::connections::Permit;
use crate::sync::Arc;

/// How long to wait after a failure: long enough to cost no CPU time worth counting, short against
/// a client's patience.
const PAUSE: Duration = Duration::from_millis(100);

/// The sockets of one set of listeners, before the thread that accepts from them runs.
pub struct Acceptor {
    pub(super) sockets: ListenerSet,
    pub(super) changes: mpsc::UnboundedReceiver<Change>,
}

impl Acceptor {
    /// Spawns the tasks that accept, into `tasks` and the runtime of the calling thread. They end
    /// at `shutdown`. Each client within the limit is passed to `start`; the others are refused.
    ///
    /// # Errors
    /// If the runtime's event queue takes no more sockets.
    pub(super) fn spawn<H: Hooks>(
        self,
        tasks: &mut JoinSet<()>,
        hooks: &Arc<H>,
        shutdown: &Shutdown,
        start: impl FnMut(Stream, Permit) + 'static,
    ) -> io::Result<()> {
        let listeners = Listener::all_of(&self.sockets)?;
        let (hooks, start) = (Arc::clone(hooks), Rc::new(RefCell::new(start)));
        let admit = move |stream: Stream| match hooks.connections().enter(hooks.max_connections()) {
            Some(permit) => start.borrow_mut()(stream, permit),
            None => refuse(&stream.as_socket(), &hooks.refusal()),
        };

        tasks.spawn_local(accept_and_rebind(self, listeners, shutdown.clone(), admit));
        Ok(())
    }
}

/// Accepts until shutdown, from other sockets as soon as there is a change.
async fn accept_and_rebind(
    mut acceptor: Acceptor,
    mut listeners: Vec<Listener>,
    shutdown: Shutdown,
    admit: impl FnMut(Stream) + Clone + 'static,
) {
    loop {
        let mut tasks = JoinSet::new();
        for listener in listeners.drain(..) {
            tasks.spawn_local(listener.accept_all(shutdown.clone(), admit.clone()));
        }
        let (addresses, new) = tokio::select! {
            () = until_requested(&shutdown, &mut tasks) => return,
            Some(change) = acceptor.changes.recv() => change,
        };

        // Old sockets must be closed before the new ones accept.
        tasks.shutdown().await;
        acceptor.sockets.retain(|it| addresses.contains(&it.address));
        acceptor.sockets.extend(new);
        match Listener::all_of(&acceptor.sockets) {
            Ok(next) => listeners = next,
            Err(error) => tracing::error!("cannot listen: {error}"),
        }
    }
}

/// A listening socket of either kind.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, Arc<Path>),
}

impl Listener {
    /// Registers sockets with the runtime of the calling thread.
    ///
    /// # Errors
    /// If the runtime's event queue takes no more sockets.
    fn all_of(sockets: &[Arc<ListenSocket>]) -> io::Result<Vec<Listener>> {
        let listener = |it: &Arc<ListenSocket>| {
            let socket = it.socket.try_clone()?;
            Ok(match &it.address {
                Address::Tcp(_) => Listener::Tcp(TcpListener::from_std(socket.into())?),
                Address::Unix(path) => {
                    Listener::Unix(UnixListener::from_std(socket.into())?, Arc::clone(path))
                }
            })
        };
        sockets.iter().map(listener).collect()
    }

    /// Passes every client that connects to `admit`, until shutdown; then the listener is closed.
    pub(crate) async fn accept_all(self, shutdown: Shutdown, mut admit: impl FnMut(Stream)) {
        let mut requested = pin!(shutdown.requested());
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                () = &mut requested => return,
                accepted = self.accept() => accepted,
            };
            match accepted {
                Ok(stream) => {
                    failing = false;
                    admit(stream);
                }
                Err(error) if concerns_one_client(&error) => {}
                Err(error) => {
                    // The first of a run of failures is logged; then open connections may close.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!("cannot accept clients: {error}; see `ulimit -n`");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Replies leave in one write each; waiting for more to send would only delay them.
                // If the option cannot be set, the client has closed, and the first read reports
                // that.
                let _ = stream.set_nodelay(true);
                Ok(Stream::tcp(stream, peer))
            }
            Listener::Unix(listener, path) => {
                let (stream, _) = listener.accept().await?;
                Stream::unix(stream.into_std()?, Arc::clone(path))
            }
        }
    }
}

/// Errors of the connection that `accept` would have returned, as `accept(2)` lists them for Linux.
fn concerns_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionReset
            | HostUnreachable
            | NetworkUnreachable
            | NetworkDown
            | Interrupted
            | PermissionDenied
    )
}

/// Sends a client the reason why it is refused. Never waits: the few bytes fit a fresh socket's
/// buffer.
///
/// What the client has already sent is read first. A socket closed with unread bytes sends a reset,
/// and a reset may overtake the refusal.
pub(super) fn refuse(socket: &Socket, refusal: &[u8]) {
    // The runtime has not polled this socket yet and would answer "not ready", so the system is
    // asked directly, without blocking. Failure needs no handling: the connection ends here anyway.
    let _ = socket.set_nonblocking(true);
    let _ = (&*socket).read(&mut [0; 4096]);
    let _ = (&*socket).write(refusal);
}
