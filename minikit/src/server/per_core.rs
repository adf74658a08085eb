//! `PerCore`: every core accepts for itself. Also the core thread that `Spread` uses.
//!
//! ```text
//!               :6379 (SO_REUSEPORT)
//! kernel's hash ├─> listener of core 0 ─> task A, task B     Rc<S::Core> of core 0
//!               └─> listener of core 1 ─> task C             Rc<S::Core> of core 1
//! ```
//!
//! Nothing on a core is `Send`: its connections share state through `Rc`, without locks, and stay
//! there. The kernel picks the core by a hash of both addresses: even only over many connections.
//!
//! Redis counterpart: `aeMain` (`ae.c`), of which there is one in the process. NGINX counterpart:
//! `listen ... reuseport`, one socket per worker.

use std::io;
use std::rc::Rc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::accept::Acceptor;
use super::options::Options;
use super::shape::Shape;
use super::spread::Assigned;
use super::thread::{Alive, ServerThread, ServerThreads, connection_tracker};
use super::{ServerError, Service, Shutdown, Stream};
use crate::sync::Arc;

/// The shape for many small requests: one runtime and one listener per core. See the head of
/// [`server`](super).
#[derive(Debug)]
pub struct PerCore<S>(pub Arc<S>);

/// Where the clients of a core come from.
pub(super) enum Source {
    /// The core's own listeners.
    Listeners(Acceptor),
    /// The acceptor thread of `Spread`.
    Inbox(mpsc::UnboundedReceiver<Assigned>),
}

impl<S: Service> Shape for PerCore<S> {
    type Hooks = S;

    fn hooks(&self) -> &Arc<S> {
        &self.0
    }

    fn acceptors(&self, options: &Options) -> usize {
        options.cores()
    }

    fn start(
        self,
        acceptors: Vec<Acceptor>,
        _options: &Options,
        threads: &mut ServerThreads,
    ) -> Result<(), ServerError> {
        for (index, acceptor) in acceptors.into_iter().enumerate() {
            start_core(threads, index, &self.0, Source::Listeners(acceptor))?;
        }
        Ok(())
    }
}

/// Starts the thread of one core.
pub(super) fn start_core<S: Service>(
    threads: &mut ServerThreads,
    index: usize,
    service: &Arc<S>,
    source: Source,
) -> Result<(), ServerError> {
    let service = Arc::clone(service);
    threads.start(format!("core-{index}"), move |thread| serve(thread, index, service, source))
}

async fn serve<S: Service>(
    thread: ServerThread,
    index: usize,
    service: Arc<S>,
    source: Source,
) -> io::Result<()> {
    // A shutdown signal of this core's own: its connections do not meet those of other cores at
    // the lock of one wait queue.
    let shutdown = thread.shutdown.for_core();
    let (alive, all_closed) = connection_tracker();
    let core = Rc::new(service.core(index));
    let mut tasks = JoinSet::new();
    tasks.spawn_local(Arc::clone(&service).background(Rc::clone(&core), shutdown.clone()));

    let hooks = Arc::clone(&service);
    let starter = Starter { service, core, shutdown: shutdown.clone(), alive };
    match source {
        Source::Listeners(acceptor) => {
            let start = move |stream, permit| starter.start(stream, permit);
            acceptor.spawn(&mut tasks, &hooks, &shutdown, start)?;
        }
        Source::Inbox(inbox) => {
            tasks.spawn_local(receive(inbox, starter));
        }
    }

    thread.serve_until_shutdown(&mut tasks).await;
    shutdown.relay();
    // Connections that did not end in time are cut by dropping the runtime.
    thread.drain(all_closed, hooks.drain_timeout()).await;
    Ok(())
}

/// Starts the connections that the acceptor assigns to this core. Goes on during shutdown until the
/// acceptor has closed the channel, so that a client in the channel is told as well.
async fn receive<S: Service>(mut inbox: mpsc::UnboundedReceiver<Assigned>, starter: Starter<S>) {
    while let Some(Assigned { socket, held }) = inbox.recv().await {
        match socket.into_stream() {
            Ok(stream) => starter.start(stream, held),
            Err(error) => tracing::warn!("cannot serve a client: {error}"),
        }
    }
}

/// What is needed to start the task of one connection.
struct Starter<S: Service> {
    service: Arc<S>,
    core: Rc<S::Core>,
    shutdown: Shutdown,
    alive: Alive,
}

impl<S: Service> Starter<S> {
    /// Starts the task. `held` is dropped with it: the permit, and for `Spread` the core's count.
    fn start(&self, stream: Stream, held: impl Sized + 'static) {
        let (core, shutdown) = (Rc::clone(&self.core), self.shutdown.clone());
        // Boxed, since a task would keep room for the arguments beside what they became.
        let connection = Box::pin(Arc::clone(&self.service).connection(core, stream, shutdown));
        let alive = self.alive.clone();
        tokio::task::spawn_local(async move {
            connection.await;
            drop((held, alive));
        });
    }
}
