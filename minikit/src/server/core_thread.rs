//! One core: a thread, a runtime that never leaves it, and the tasks of its clients.
//!
//! ```text
//! start    service.core(i), background task, listeners
//! serve    accept -> place taken? -> task per client
//!                 -> no place       -> refusal
//! drain    listeners closed, bell rung, wait for the tasks or for the clock
//! end      the runtime drops what is left
//! ```
//!
//! **How does a core know that its last client has left?** Every client's task holds one end of a
//! channel on which nothing is ever sent. When the core has dropped its own end and the receiver
//! says "closed", all tasks are gone, however they ended.
//!
//! Nothing here is `Send`: tasks share their core's state through `Rc`, without locks.
//!
//! Redis counterpart: `aeMain` (`ae.c`), of which there is one in the process.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::accept::{Listener, refuse};
use super::listen::CoreSockets;
use super::{ServerError, Service, Shutdown, Stream};
use crate::connections::Place;
use crate::sync::Arc;

/// Brings the sockets that take the place of those a core has for TCP.
pub(super) type Moves = mpsc::UnboundedReceiver<Vec<TcpListener>>;

/// What a core takes along to its thread.
pub(super) struct CoreThread<S> {
    pub(super) index: usize,
    pub(super) sockets: CoreSockets,
    pub(super) moves: Moves,
    pub(super) service: Arc<S>,
    pub(super) shutdown: Shutdown,
    pub(super) drain_timeout: Duration,
    /// Told once, when the core accepts; closed when the core has ended.
    pub(super) report: mpsc::Sender<()>,
}

impl<S: Service> CoreThread<S> {
    /// Serves until the server shuts down. Whatever the reason to return, or to panic, the other
    /// cores are told to shut down as well: a server that lacks a core would leave its share of the
    /// clients waiting.
    pub(super) fn run(self) -> Result<(), ServerError> {
        let _testament = RequestOnDrop(self.shutdown.clone());
        self.run_in_runtime().map_err(|source| ServerError::Start { source })
    }

    fn run_in_runtime(self) -> io::Result<()> {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
        runtime.block_on(self.serve_and_drain())
    }

    async fn serve_and_drain(self) -> io::Result<()> {
        let (tcp, unix) = Listener::from_sockets(self.sockets)?;
        let (alive, mut all_gone) = mpsc::channel::<Infallible>(1);
        let door = Rc::new(Door {
            core: Rc::new(self.service.core(self.index)),
            service: self.service,
            shutdown: self.shutdown.for_core(),
            alive,
        });
        let near = door.shutdown.clone();
        let mut own_tasks = JoinSet::new();
        own_tasks.spawn_local(door.background());
        if let Some(listener) = unix {
            let door = Rc::clone(&door);
            own_tasks.spawn_local(listener.accept_all(near.clone(), move |it| door.admit(it)));
        }
        own_tasks.spawn_local(accept_and_move(tcp, self.moves, near.clone(), door));
        // Cannot fail: the supervisor listens until every core has dropped this sender.
        let _ = self.report.send(()).await;
        until_requested(&self.shutdown, &mut own_tasks).await;
        near.relay();
        if tokio::time::timeout(self.drain_timeout, all_gone.recv()).await.is_err() {
            tracing::warn!("core {}: cutting connections that did not end in time", self.index);
        }
        Ok(())
    }
}

/// Waits for the request to shut down. The tasks of the core itself have no reason to fail; the
/// panic of one is passed on, because a core that no longer accepts, or lacks its periodic work,
/// must not look alive.
async fn until_requested(shutdown: &Shutdown, own_tasks: &mut JoinSet<()>) {
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            Some(ended) = own_tasks.join_next() => if let Err(panicked) = ended {
                std::panic::resume_unwind(panicked.into_panic());
            },
        }
    }
}

/// Accepts by TCP, at other addresses as soon as such are given.
async fn accept_and_move<S: Service>(
    mut listeners: Vec<Listener>,
    mut moves: Moves,
    shutdown: Shutdown,
    door: Rc<Door<S>>,
) {
    loop {
        let mut tasks = JoinSet::new();
        for listener in listeners.drain(..) {
            let door = Rc::clone(&door);
            tasks.spawn_local(listener.accept_all(shutdown.clone(), move |it| door.admit(it)));
        }
        let next = tokio::select! {
            () = until_requested(&shutdown, &mut tasks) => return,
            Some(next) = moves.recv() => next,
        };
        tasks.shutdown().await;
        match Listener::all_of(next) {
            Ok(next) => listeners = next,
            Err(error) => tracing::error!("cannot listen: {error}"),
        }
    }
}

/// Where clients come in: what is needed to start the task of one.
struct Door<S: Service> {
    service: Arc<S>,
    core: Rc<S::Core>,
    shutdown: Shutdown,
    alive: mpsc::Sender<Infallible>,
}

impl<S: Service> Door<S> {
    fn background(&self) -> impl Future<Output = ()> + 'static {
        let service = Arc::clone(&self.service);
        service.background(Rc::clone(&self.core), self.shutdown.clone())
    }

    fn admit(&self, stream: Stream) {
        let limit = self.service.max_connections();
        match self.service.connections().enter(limit) {
            Some(place) => self.start(stream, place),
            None => refuse(&stream, &self.service.refusal()),
        }
    }

    fn start(&self, stream: Stream, place: Place) {
        let service = Arc::clone(&self.service);
        let alive = self.alive.clone();
        let (core, shutdown) = (Rc::clone(&self.core), self.shutdown.clone());
        tokio::task::spawn_local(async move {
            service.connection(core, stream, shutdown).await;
            drop((place, alive));
        });
    }
}

/// Makes the shutdown of one core the shutdown of all, also while a panic unwinds.
struct RequestOnDrop(Shutdown);

impl Drop for RequestOnDrop {
    fn drop(&mut self) {
        self.0.request();
    }
}
