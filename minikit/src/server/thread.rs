//! The threads of a server: start, readiness, shutdown, drain, end.
//!
//! Every shape starts a few threads that live as long as the server: its cores, its acceptor. All
//! of them go through the same steps, written once here:
//!
//! ```text
//! thread "core-0"                            control thread (`run`)
//! ─────────────────────────────────────      ────────────────────────────────
//! make a runtime, listeners, tasks
//! report ready ───────────────────────────>  all have reported: on_ready()
//! serve until shutdown is requested
//! relay it to own connections
//! wait for them, at most drain_timeout
//! end (report channel closes) ────────────>  all have ended: join
//! ```
//!
//! **How does a thread know that its last connection has closed?** Each connection holds a sender
//! of a channel on which nothing is ever sent. When the thread has dropped its own sender and the
//! receiver says "closed", all connections are gone, however they ended: return, panic, or a
//! dropped task.
//!
//! **What if one of the threads panics?** The server would go on without it, and the clients that
//! the kernel assigns to it would wait forever. So leaving a thread, for any reason, requests
//! shutdown of all.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{ServerError, Shutdown};
use crate::sync::thread;

/// Held by each connection of a thread; see the head of the file.
pub(super) type Alive = mpsc::Sender<Infallible>;

/// Closed when every [`Alive`] is dropped.
pub(super) type AllClosed = mpsc::Receiver<Infallible>;

/// A channel that tells when all connections have closed.
pub(super) fn connection_tracker() -> (Alive, AllClosed) {
    mpsc::channel(1)
}

/// The threads of one server, started one by one.
pub struct ServerThreads {
    handles: Vec<(String, thread::JoinHandle<io::Result<()>>)>,
    shutdown: Shutdown,
    report: mpsc::Sender<()>,
    reports: mpsc::Receiver<()>,
}

/// What one of the threads knows about the server it belongs to.
pub struct ServerThread {
    name: String,
    pub(super) shutdown: Shutdown,
    /// Sent to once, when the thread accepts; closed when the thread has ended.
    report: mpsc::Sender<()>,
}

impl ServerThreads {
    pub(super) fn new(shutdown: Shutdown) -> ServerThreads {
        let (report, reports) = mpsc::channel(1);
        ServerThreads { handles: Vec::new(), shutdown, report, reports }
    }

    /// Starts a thread that runs `body` in a `current_thread` runtime of its own.
    ///
    /// # Errors
    /// If the system refuses a thread. Those already running are then told to shut down.
    pub(super) fn start<F: Future<Output = io::Result<()>>>(
        &mut self,
        name: String,
        body: impl FnOnce(ServerThread) -> F + Send + 'static,
    ) -> Result<(), ServerError> {
        let this = ServerThread {
            name: name.clone(),
            shutdown: self.shutdown.clone(),
            report: self.report.clone(),
        };
        let builder = thread::Builder::new().name(name.clone());
        match builder.spawn(move || this.run(body)) {
            Ok(handle) => self.handles.push((name, handle)),
            Err(source) => {
                self.shutdown.request();
                return Err(ServerError::Start(source));
            }
        }
        Ok(())
    }

    /// Calls `on_ready` when all threads accept, and returns when all have ended.
    ///
    /// # Errors
    /// The first thread that failed or panicked.
    pub(super) async fn supervise(self, on_ready: impl FnOnce()) -> Result<(), ServerError> {
        let ServerThreads { handles, report, mut reports, .. } = self;
        // From now on only the threads hold senders, so the channel closes when all have ended.
        drop(report);
        let mut ready = 0;
        while ready < handles.len() && reports.recv().await.is_some() {
            ready += 1;
        }

        // Fewer reports than threads: one of them ended before it was ready, and took the others
        // down with it. `join` tells why.
        if ready == handles.len() {
            on_ready();
            while reports.recv().await.is_some() {}
        }
        join(handles)
    }
}

/// The first error of any thread, in the order of their start.
fn join(handles: Vec<(String, thread::JoinHandle<io::Result<()>>)>) -> Result<(), ServerError> {
    handles.into_iter().try_for_each(|(thread, handle)| match handle.join() {
        Ok(result) => result.map_err(ServerError::Start),
        Err(_) => Err(ServerError::Panicked(thread)),
    })
}

impl ServerThread {
    fn run<F: Future<Output = io::Result<()>>>(
        self,
        body: impl FnOnce(ServerThread) -> F,
    ) -> io::Result<()> {
        let _stop_the_others = RequestOnDrop(self.shutdown.clone());
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
        runtime.block_on(body(self))
    }

    /// Reports that this thread is ready, and waits until the server shuts down. `tasks` are the
    /// thread's own: listeners and periodic work.
    pub(super) async fn serve_until_shutdown(&self, tasks: &mut JoinSet<()>) {
        // Cannot fail: the control thread receives until every thread has dropped its sender.
        let _ = self.report.send(()).await;
        until_requested(&self.shutdown, tasks).await;
    }

    /// Waits for this thread's connections to close. Returns false, and logs it, if some are still
    /// open after the drain timeout: then the caller cuts them.
    pub(super) async fn drain(&self, mut all_closed: AllClosed, limit: Duration) -> bool {
        let drained = tokio::time::timeout(limit, all_closed.recv()).await.is_ok();
        if !drained {
            tracing::warn!("{}: cutting connections that did not end in time", self.name);
        }
        drained
    }
}

/// Waits until a shutdown is requested. Passes on a panic of one of the `tasks`: a core that no
/// longer accepts, or no longer does its periodic work, must not look alive.
pub(super) async fn until_requested(shutdown: &Shutdown, tasks: &mut JoinSet<()>) {
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            Some(ended) = tasks.join_next() => if let Err(panicked) = ended {
                std::panic::resume_unwind(panicked.into_panic());
            },
        }
    }
}

/// Requests shutdown when dropped, also while a panic unwinds.
struct RequestOnDrop(Shutdown);

impl Drop for RequestOnDrop {
    fn drop(&mut self) {
        self.0.request();
    }
}
