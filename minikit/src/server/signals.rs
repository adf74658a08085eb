//! Signals: SIGTERM and SIGINT shut down, SIGHUP reloads.
//!
//! ```text
//! running --SIGTERM--> draining --SIGTERM--> exit, status 1
//!    \--SHUTDOWN-----> draining --SIGINT---> exit, status 1
//! running --SIGHUP---> running, after Hooks::reload
//! ```
//!
//! A reload may take long: it reads files and may resolve names. It runs on a thread of its own, so
//! a signal to shut down is obeyed meanwhile.
//!
//! Redis counterpart: `setupSignalHandlers` and `sigShutdownHandler` (`server.c`). There, too, a
//! second signal exits at once with status 1, but only a second SIGINT; SIGHUP is ignored. NGINX
//! counterpart of the reload: `ngx_reconfigure` (`ngx_process_cycle.c`).

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Hooks, Shutdown};
use crate::sync::Arc;

/// Spawns the tasks that act on signals. Needs a thread that is never busy: see the head of
/// [`server`](super).
///
/// # Errors
/// If the system does not accept the handlers.
pub(super) fn watch(shutdown: Shutdown, hooks: Arc<impl Hooks>) -> io::Result<()> {
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    let hangup = signal(SignalKind::hangup())?;
    tokio::spawn(shut_down(terminate, interrupt, shutdown));
    tokio::spawn(reload(hangup, hooks));
    Ok(())
}

async fn shut_down(mut terminate: Signal, mut interrupt: Signal, shutdown: Shutdown) {
    loop {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        if shutdown.is_requested() {
            tracing::warn!("{name} while shutting down: leaving at once");
            process::exit(1);
        }
        tracing::info!("{name}: shutting down; once more to leave at once");
        shutdown.request();
    }
}

/// Reloads once per signal; signals during a reload are merged into one.
async fn reload(mut hangup: Signal, hooks: Arc<impl Hooks>) {
    while hangup.recv().await.is_some() {
        let hooks = Arc::clone(&hooks);
        if tokio::task::spawn_blocking(move || hooks.reload()).await.is_err() {
            tracing::error!("the reload panicked; its message is on standard error");
        }
    }
}
