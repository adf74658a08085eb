//! Taking clients in: one loop per listener.
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
//! ready, and the core would spend its time on failing instead of on the clients whose leaving
//! frees the descriptors.
//!
//! Redis counterpart: `acceptTcpHandler` and `acceptCommonHandler` (`networking.c`). Redis takes up
//! to 1000 clients per turn and on EMFILE logs a line for every failing turn of its loop, which
//! spins.

use std::io::{self, Read, Write};
use std::pin::pin;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};

use super::listen::{CoreSockets, SocketFile};
use super::{Shutdown, Stream};
use crate::sync::Arc;

/// How long to leave a failing listener alone: long enough to cost nothing, short against a
/// client's patience.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening socket of either kind.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, Arc<SocketFile>),
}

impl Listener {
    /// Brings a core's sockets into its runtime.
    ///
    /// # Errors
    /// Where the runtime's event queue takes no more sockets.
    pub(super) fn from_sockets(
        sockets: CoreSockets,
    ) -> io::Result<(Vec<Listener>, Option<Listener>)> {
        let unix = sockets.unix.map(|(listener, file)| {
            UnixListener::from_std(listener).map(|listener| Listener::Unix(listener, file))
        });
        Ok((Listener::all_of(sockets.tcp)?, unix.transpose()?))
    }

    /// The same for TCP sockets alone.
    pub(super) fn all_of(sockets: Vec<std::net::TcpListener>) -> io::Result<Vec<Listener>> {
        sockets.into_iter().map(|it| TcpListener::from_std(it).map(Listener::Tcp)).collect()
    }

    /// Hands every client that comes to `admit`, until shutdown; then the listener is closed.
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
                    pause(error, failing).await;
                    failing = true;
                }
            }
        }
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Replies leave in one write each; waiting for more to send would only delay them.
                // Where the option cannot be set the client has left, which the first read will
                // tell.
                let _ = stream.set_nodelay(true);
                Ok(Stream::tcp(stream, peer))
            }
            Listener::Unix(listener, file) => {
                let (stream, _) = listener.accept().await?;
                Ok(Stream::unix(stream, Arc::clone(&file.path)))
            }
        }
    }
}

/// Says so once per spell of failures, and gives the clients inside the time to leave.
async fn pause(error: io::Error, said: bool) {
    if !said {
        tracing::warn!("cannot accept clients: {error}; trying on (see `ulimit -n`)");
    }
    tokio::time::sleep(PAUSE).await;
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

/// Tells a client why it is not let in, and closes. Never waits: the few bytes fit a fresh socket's
/// buffer.
///
/// What the client has already sent is read first. A socket closed with unread bytes sends a reset,
/// and a reset may overtake the refusal.
pub(super) fn refuse(stream: &Stream, refusal: &[u8]) {
    // The runtime has not polled this socket yet and would answer "not ready"; the system is asked
    // directly. It does not block either. Failing is as good as succeeding: the connection ends
    // here in both cases.
    let socket = stream.as_socket();
    let _ = (&*socket).read(&mut [0; 4096]);
    let _ = (&*socket).write(refusal);
}
