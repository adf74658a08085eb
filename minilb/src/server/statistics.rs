//! What `stub_status` shows.
//!
//! ```text
//! Active connections: 3
//! server accepts handled requests
//!  12 12 40
//! Reading: 0 Writing: 1 Waiting: 2
//! ```
//!
//! Each core counts for itself, so counting needs no exchange between their caches. A connection
//! waits unless a request of it is being processed; those that have sent a part of a head, which
//! NGINX shows as `Reading`, are among the waiting ones here.
//!
//! NGINX counterpart: `ngx_http_stub_status_module.c`.

use minikit::connections::Connections;
use minikit::sync::Arc;
use minikit::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counts of one core, on a cache line of their own.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct CoreCounts {
    requests: AtomicU64,
    writing: AtomicU64,
}

impl CoreCounts {
    /// A request has begun. Only the core itself calls this.
    pub fn count_request(&self) {
        self.requests.store(self.requests.load(Relaxed) + 1, Relaxed);
    }
}

/// A request that is being processed, until this is dropped.
#[derive(Debug)]
pub struct Writing(Arc<CoreCounts>);

impl Writing {
    /// Counts it. Only the core itself calls this, and drops the result.
    pub fn new(counts: &Arc<CoreCounts>) -> Writing {
        counts.writing.store(counts.writing.load(Relaxed) + 1, Relaxed);
        Writing(Arc::clone(counts))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.writing.store(self.0.writing.load(Relaxed) - 1, Relaxed);
    }
}

/// The page of `stub_status`.
pub fn page(connections: &Connections, cores: &[Arc<CoreCounts>]) -> String {
    let (active, accepted) = (connections.current() as u64, connections.accepted());
    let sum = |of: fn(&CoreCounts) -> &AtomicU64| {
        cores.iter().map(|it| of(it).load(Relaxed)).sum::<u64>()
    };
    let (requests, writing) = (sum(|it| &it.requests), sum(|it| &it.writing));
    let waiting = active.saturating_sub(writing);
    format!(
        "Active connections: {active} \nserver accepts handled requests\n \
         {accepted} {accepted} {requests} \nReading: 0 Writing: {writing} Waiting: {waiting} \n"
    )
}
