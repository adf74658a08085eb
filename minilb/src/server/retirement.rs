//! When what an old configuration has begun must end.
//!
//! ```text
//! worker_shutdown_timeout 5s;
//!
//! SIGHUP ─> another configuration ─ 5 s ─> tunnels, sessions and requests of this one are cut
//! ```
//!
//! Without the directive they end by themselves. A connection between two requests belongs to no
//! configuration.
//!
//! NGINX counterpart: `ngx_set_shutdown_timer` (`ngx_cycle.c`), in the old worker process.

use minikit::server::Shutdown;
use minikit::sync::Arc;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::sleep;

/// The time between a reload and the end of a configuration.
#[derive(Debug)]
pub struct Retirement {
    /// Requested by the reload.
    pub replaced: Shutdown,
    /// How long the rest may take.
    pub timeout: Duration,
}

/// Polls `work` until it is done, or the retirement of its configuration ends; then returns `None`.
pub fn cut_off<T>(
    retirement: Option<&Arc<Retirement>>,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> impl Future<Output = Option<T>> {
    let end = async |retirement: Arc<Retirement>| {
        retirement.replaced.requested().await;
        sleep(retirement.timeout).await;
    };
    let mut end = retirement.cloned().map(|it| Box::pin(end(it)));
    poll_fn(move |cx| {
        if end.as_mut().is_some_and(|it| it.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(None);
        }
        work.as_mut().poll(cx).map(Some)
    })
}
