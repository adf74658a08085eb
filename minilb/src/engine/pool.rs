//! Idle connections to the servers of one upstream: the pool of the directive `keepalive`.
//!
//! # Why last in, first out?
//!
//! ```text
//! put a1, put b1, put a2          oldest first: a1 b1 a2
//! take a                          a2, the one used last
//! ```
//!
//! The connection that was used last is the least likely to have been closed by the server since,
//! and its state is still in the caches. The others grow old and are closed, so a pool shrinks to
//! what the load needs; first in, first out would keep all of them alive.
//!
//! # Limits
//!
//! The capacity is for all servers of the upstream together. A connection that comes when the pool
//! is full replaces the oldest. One that is old, or has carried many requests, is not kept: servers
//! and firewalls on the way forget long connections.
//!
//! The balancer picks a server first, and the pool is asked for a connection to this one; a pool
//! does not influence the balance.
//!
//! NGINX counterpart: `ngx_http_upstream_keepalive_module.c`. Each core has a pool of its own, as
//! each worker process does there.

use super::peer::PeerId;

/// The limits of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// `keepalive`: idle connections; 0 keeps none.
    pub capacity: usize,
    /// `keepalive_requests`: of one connection.
    pub requests_max: u64,
    /// `keepalive_time`: from the first request to the last return, in milliseconds.
    pub lifetime_ms: u64,
    /// `keepalive_timeout`: how long a connection may be idle, in milliseconds.
    pub idle_ms_max: u64,
}

impl Default for PoolLimits {
    /// NGINX's defaults: no pool, and if there is one, 1,000 requests, an hour, a minute.
    fn default() -> PoolLimits {
        PoolLimits { capacity: 0, requests_max: 1000, lifetime_ms: 3_600_000, idle_ms_max: 60_000 }
    }
}

/// A connection with its history.
#[derive(Debug)]
pub struct Pooled<C> {
    /// The server it leads to.
    pub peer: PeerId,
    /// The connection.
    pub connection: C,
    /// Requests that it has carried.
    pub requests: u64,
    /// When it was opened.
    pub opened_ms: u64,
}

impl<C> Pooled<C> {
    /// A new connection.
    pub fn new(peer: PeerId, connection: C, now_ms: u64) -> Pooled<C> {
        Pooled { peer, connection, requests: 0, opened_ms: now_ms }
    }
}

/// Idle connections, oldest first.
#[derive(Debug)]
pub struct Pool<C> {
    /// Of the current configuration.
    pub limits: PoolLimits,
    idle: Vec<(Pooled<C>, u64)>,
}

impl<C> Pool<C> {
    /// An empty pool.
    pub fn new(limits: PoolLimits) -> Pool<C> {
        Pool { limits, idle: Vec::new() }
    }

    /// Takes the connection to `peer` that was used last. Costs a look at each newer one.
    pub fn take(&mut self, peer: PeerId) -> Option<Pooled<C>> {
        let index = self.idle.iter().rposition(|(it, _)| it.peer == peer)?;
        Some(self.idle.remove(index).0)
    }

    /// Keeps a connection after a request, if the limits allow it. Returns the connection that must
    /// be closed: this one, or the oldest if the pool was full.
    pub fn put(&mut self, pooled: Pooled<C>, now_ms: u64) -> Option<Pooled<C>> {
        let PoolLimits { capacity, requests_max, lifetime_ms, .. } = self.limits;
        let is_old = now_ms.saturating_sub(pooled.opened_ms) > lifetime_ms;
        if capacity == 0 || pooled.requests >= requests_max || is_old {
            return Some(pooled);
        }
        let oldest = (self.idle.len() >= capacity).then(|| self.idle.remove(0).0);
        self.idle.push((pooled, now_ms));
        oldest
    }

    /// Removes connections that have been idle for too long, and those that are not `alive`.
    pub fn expire(&mut self, now_ms: u64, mut alive: impl FnMut(&mut C) -> bool) {
        let max = self.limits.idle_ms_max;
        self.idle.retain_mut(|(pooled, since_ms)| {
            now_ms.saturating_sub(*since_ms) < max && alive(&mut pooled.connection)
        });
    }

    /// Idle connections.
    pub fn len(&self) -> usize {
        self.idle.len()
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.idle.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(peer: u64, name: &'static str) -> Pooled<&'static str> {
        Pooled::new(PeerId(peer), name, 0)
    }

    fn pool(capacity: usize) -> Pool<&'static str> {
        let limits = PoolLimits { capacity, requests_max: 10, ..PoolLimits::default() };
        Pool::new(limits)
    }

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let mut pool = pool(8);
        for pooled in [connection(0, "a1"), connection(1, "b1"), connection(0, "a2")] {
            assert!(pool.put(pooled, 1).is_none());
        }
        assert_eq!(pool.take(PeerId(0)).map(|it| it.connection), Some("a2"));
        assert!(pool.take(PeerId(2)).is_none());
        assert_eq!(pool.len(), 2);
    }

    #[test]
    fn a_full_pool_gives_up_the_oldest() {
        let mut pool = pool(2);
        pool.put(connection(0, "a1"), 1);
        pool.put(connection(1, "b1"), 2);
        let closed = pool.put(connection(1, "b2"), 3);
        assert_eq!(closed.map(|it| it.connection), Some("a1"));
    }

    #[test]
    fn connections_end_by_age_use_and_idleness() {
        let mut pool = pool(8);
        let used = Pooled { requests: 10, ..connection(0, "used") };
        assert!(pool.put(used, 1).is_some());
        assert!(pool.put(connection(0, "old"), 3_600_001).is_some());
        pool.put(connection(0, "idle"), 1_000);
        pool.put(connection(0, "dead"), 50_000);
        pool.put(connection(0, "fine"), 50_000);
        pool.expire(61_000, |it| *it != "dead");
        assert_eq!(pool.take(PeerId(0)).map(|it| it.connection), Some("fine"));
        assert!(pool.is_empty());
        assert!(super::Pool::new(PoolLimits::default()).put(connection(0, "a"), 0).is_some());
    }
}
