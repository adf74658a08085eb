//! `Spread`: one thread accepts and hands each socket to the core with the fewest connections.
//!
//! ```text
//! :9092 ─> thread "accept"          connections now
//!            client D ──┐           core 0: A, C     2
//!                       └────────>  core 1: B        1    fewest: D goes here
//! ```
//!
//! **Why not `SO_REUSEPORT`?** The kernel's hash looks at addresses, not at load. With ten clients
//! on two cores, both cores get at least four in only two of three cases, and one core gets eight
//! or more in one of nine. A Kafka client keeps one connection for days and fills it, so the uneven
//! split stays. Seastar (seastar#3526) and Envoy (envoy#7831) met the same problem; Envoy's answer,
//! `ExactConnectionBalanceImpl`, is the one here.
//!
//! **What it costs:** a wake-up of another thread and two more system calls, once per connection.
//!
//! The thread that accepts has no clients of its own, so a core that is busy with a long request
//! does not delay the next client of another core.
//!
//! Kafka counterpart: `Acceptor` (`SocketServer.scala`), which deals sockets to its `Processor`
//! threads round robin.

use std::io;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::accept::Acceptor;
use super::options::Options;
use super::per_core::{Source, start_core};
use super::shape::Shape;
use super::stream::DetachedStream;
use super::thread::{ServerThread, ServerThreads};
use super::{ServerError, Service, Stream};
use crate::connections::{CoreLoads, CorePermit, Permit};
use crate::sync::Arc;

/// The shape for few heavy connections: one acceptor, and the core with the fewest connections gets
/// the next one. See the head of [`server`](super).
#[derive(Debug)]
pub struct Spread<S>(pub Arc<S>);

/// A client on its way to a core.
pub(super) struct Assigned {
    pub(super) socket: DetachedStream,
    pub(super) held: (Permit, CorePermit),
}

type Inboxes = Vec<mpsc::UnboundedSender<Assigned>>;

impl<S: Service> Shape for Spread<S> {
    type Hooks = S;

    fn hooks(&self) -> &Arc<S> {
        &self.0
    }

    fn start(
        self,
        acceptors: Vec<Acceptor>,
        options: &Options,
        threads: &mut ServerThreads,
    ) -> Result<(), ServerError> {
        let mut inboxes = Inboxes::new();
        for index in 0..options.cores() {
            let (sender, inbox) = mpsc::unbounded_channel();
            inboxes.push(sender);
            start_core(threads, index, &self.0, Source::Inbox(inbox))?;
        }

        for acceptor in acceptors {
            let (service, inboxes) = (Arc::clone(&self.0), inboxes.clone());
            threads.start("accept".to_owned(), |it| accept(it, service, acceptor, inboxes))?;
        }
        Ok(())
    }
}

async fn accept<S: Service>(
    thread: ServerThread,
    service: Arc<S>,
    acceptor: Acceptor,
    inboxes: Inboxes,
) -> io::Result<()> {
    let loads = CoreLoads::new(inboxes.len());
    let mut tasks = JoinSet::new();
    let assign = move |stream, permit| assign(stream, permit, &loads, &inboxes);
    acceptor.spawn(&mut tasks, &service, &thread.shutdown, assign)?;

    // The end of this function drops the listeners and the inboxes; the cores drain after that.
    thread.serve_until_shutdown(&mut tasks).await;
    Ok(())
}

fn assign(stream: Stream, permit: Permit, loads: &CoreLoads, inboxes: &Inboxes) {
    match stream.detach() {
        Ok(socket) => {
            let core = loads.assign();
            let inbox = &inboxes[core.index()];
            // Fails if the core has ended: then the server is shutting down and the client is
            // closed.
            let _ = inbox.send(Assigned { socket, held: (permit, core) });
        }
        Err(error) => tracing::warn!("cannot hand over a client: {error}"),
    }
}
