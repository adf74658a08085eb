//! SIGTERM and SIGINT: the first asks, the second insists.
//!
//! ```text
//! running --SIGTERM--> draining --SIGTERM--> gone, status 1
//!    \--SHUTDOWN-----> draining --SIGINT---> gone, status 1
//! ```
//!
//! Redis counterpart: `sigShutdownHandler` (`server.c`). There, too, a second signal exits at once
//! with status 1, but only a second SIGINT.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Shutdown;

/// Spawns the task that turns signals into a request to stop. It needs a thread that is never busy:
/// see the head of `server`.
///
/// # Errors
/// Where the system does not let the handlers be set.
pub(super) fn watch(shutdown: Shutdown) -> io::Result<()> {
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(obey(terminate, interrupt, shutdown));
    Ok(())
}

async fn obey(mut terminate: Signal, mut interrupt: Signal, shutdown: Shutdown) {
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
