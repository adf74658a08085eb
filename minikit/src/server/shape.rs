//! The part of a server that differs between its shapes.
//!
//! A shape says how many sets of listening sockets it needs and starts the threads that use them.
//! Everything else (binding, the limit, refusals, signals, readiness, drain) is outside:
//!
//! ```text
//!                 sets of sockets    threads
//! PerCore              cores         core-0, core-1, ...            each accepts and serves
//! Spread                 1           core-0, core-1, ..., accept    accept hands over to a core
//! PerConnection          1           accept, conn-1, conn-2, ...    accept starts a thread each
//! ```
//!
//! The trait is not exported: the three shapes are all there are. Envoy keeps the same seam as
//! `ConnectionBalancer` (`envoy/network/connection_balancer.h`), but chooses at run time.

use super::accept::Acceptor;
use super::options::Options;
use super::thread::ServerThreads;
use super::{Hooks, ServerError};
use crate::sync::Arc;

/// How connections are assigned to threads.
pub trait Shape {
    /// The engine.
    type Hooks: Hooks;

    /// The engine, for the signal handlers.
    fn hooks(&self) -> &Arc<Self::Hooks>;

    /// How many sets of listening sockets the shape accepts from: one, if one thread accepts.
    fn acceptors(&self, _options: &Options) -> usize {
        1
    }

    /// Starts the threads of the server, with one element of `acceptors` per set of sockets.
    ///
    /// # Errors
    /// If a thread cannot be started.
    fn start(
        self,
        acceptors: Vec<Acceptor>,
        options: &Options,
        threads: &mut ServerThreads,
    ) -> Result<(), ServerError>;
}
