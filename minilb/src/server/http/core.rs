//! What a core has for its HTTP connections: buffers, exchanges, pools of connections, the date.
//!
//! # Memory of an idle connection
//!
//! An exchange with its buffers takes some ten kilobytes. 20,000 idle clients must not hold one
//! each, so a connection borrows one when the first byte of a request is there, and gives it back
//! when the response is sent:
//!
//! ```text
//! idle       the task alone
//! readable   bytes into the core's scratch buffer ─> an exchange from the stock ─> parse ...
//! answered   the exchange goes back, with the capacity of its buffers
//! ```
//!
//! The next request finds buffers that are large enough, so in the steady state a request allocates
//! nothing.
//!
//! NGINX counterpart: `ngx_reusable_connection` and the pools of connection and request, which are
//! freed when a connection becomes idle.

use super::service::{Done, Route};
use crate::engine::balance::balancer::Walk;
use crate::engine::pool::{Pool, Pooled};
use crate::engine::upstream::Attempts;
use crate::server::clock::Clock;
use crate::server::forward::{CoreBuffer, Endpoint};
use crate::server::tls::{ServerStream, UpstreamTls};
use crate::server::upstream::Lease;
use crate::wire::http1::exchange::Exchange;
use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind::WouldBlock;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, ReadBuf};

/// How much is read at once.
const SCRATCH_BYTES: usize = 32 * 1024;
/// Exchanges that are kept for the next request.
const STOCK_MAX: usize = 512;

/// What a request needs while it is served.
#[derive(Debug, Default)]
pub struct Workspace<C> {
    /// The exchange with its buffers.
    pub exchange: Exchange,
    /// Of the service.
    pub context: C,
    /// Servers tried.
    pub attempts: Attempts,
    /// For the log.
    pub done: Done,
}

/// Those of an upstream. Each kind of TLS has its own: a server that one location trusts without
/// asking may be nobody's for another one, and after a reload.
type Pools = Vec<(Option<UpstreamTls>, Pool<ServerStream>)>;

/// What belongs to one core.
pub struct HttpCore<C> {
    /// For reads of all connections.
    pub scratch: RefCell<Box<[u8]>>,
    /// For connections that have changed their protocol.
    pub tunnel: CoreBuffer,
    /// The time since the start.
    pub clock: Clock,
    stock: RefCell<Vec<Box<Workspace<C>>>>,
    /// By the number of the upstream.
    pools: RefCell<Vec<Pools>>,
    connections: Cell<u64>,
    /// Added for the next connection: the number of cores.
    stride: u64,
    random: Cell<Walk>,
}

impl<C: Default> HttpCore<C> {
    /// Of core `index` of `cores`.
    pub fn new(clock: Clock, index: usize, cores: usize) -> HttpCore<C> {
        HttpCore {
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
            tunnel: CoreBuffer::default(),
            clock,
            stock: RefCell::default(),
            pools: RefCell::default(),
            connections: Cell::new(index as u64 + 1),
            stride: cores as u64,
            random: Cell::new(Walk {
                random: RandomState::new().hash_one(index),
                ..Walk::default()
            }),
        }
    }

    /// A number for a new connection.
    pub fn next_connection(&self) -> u64 {
        let number = self.connections.get();
        self.connections.set(number + self.stride);
        number
    }

    /// A number for balancers that draw.
    pub fn next_random(&self) -> u64 {
        let mut walk = self.random.get();
        let number = walk.next_random();
        self.random.set(walk);
        number
    }

    /// Borrows a workspace.
    pub fn take_workspace(&self) -> Box<Workspace<C>> {
        self.stock.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives a workspace back. Its buffers must be empty.
    pub fn put_workspace(&self, mut workspace: Box<Workspace<C>>) {
        let mut stock = self.stock.borrow_mut();
        if stock.len() < STOCK_MAX {
            workspace.exchange.shrink();
            workspace.exchange.request.clear();
            stock.push(workspace);
        }
    }

    /// Takes an idle connection to a server that has not closed it.
    pub fn take_connection(&self, route: &Route, lease: &Lease) -> Option<Pooled<ServerStream>> {
        if route.pool.capacity == 0 {
            return None;
        }
        let mut pools = self.pools.borrow_mut();
        let mut pools = pools.get_mut(route.upstream.id())?.iter_mut();
        let (_, pool) = pools.find(|it| it.0 == route.tls)?;
        loop {
            let mut pooled = pool.take(lease.id())?;
            if is_quiet(&mut pooled.connection) {
                return Some(pooled);
            }
        }
    }

    /// Keeps a connection for the next request, if the limits of its pool allow it.
    pub fn put_connection(&self, route: &Route, pooled: Pooled<ServerStream>) {
        if route.pool.capacity == 0 {
            return;
        }
        let mut pools = self.pools.borrow_mut();
        let id = route.upstream.id();
        if pools.len() <= id {
            pools.resize_with(id + 1, Vec::new);
        }
        let index = pools[id].iter().position(|it| it.0 == route.tls).unwrap_or_else(|| {
            pools[id].push((route.tls.clone(), Pool::new(route.pool)));
            pools[id].len() - 1
        });
        let pool = &mut pools[id][index].1;
        pool.limits = route.pool;
        drop(pool.put(pooled, self.clock.now_ms()));
    }

    /// Closes connections that servers have closed, those idle for too long, and those whose TLS a
    /// reload has replaced. Called once a second.
    pub fn expire_connections(&self, is_current: impl Fn(&UpstreamTls) -> bool) {
        let now_ms = self.clock.now_ms();
        for pools in self.pools.borrow_mut().iter_mut() {
            pools.iter_mut().for_each(|it| it.1.expire(now_ms, is_quiet));
            pools.retain(|it| it.0.as_ref().is_none_or(&is_current));
        }
    }
}

/// Returns true if an idle connection is open and has sent nothing. Costs no system call unless
/// something has happened: the runtime knows that the last read found no more.
fn is_quiet(connection: &mut ServerStream) -> bool {
    let mut byte = [0; 1];
    if let Some(socket) = connection.socket() {
        return socket.try_read(&mut byte).is_err_and(|it| it.kind() == WouldBlock);
    }
    let mut read = ReadBuf::new(&mut byte);
    let mut cx = Context::from_waker(Waker::noop());
    matches!(Pin::new(connection).poll_read(&mut cx, &mut read), Poll::Pending)
}

/// Milliseconds since 1970.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::http::Settings;
    use crate::engine::peer::PeerParams;
    use crate::engine::pool::PoolLimits;
    use crate::engine::upstream::{ServerConfig, UpstreamConfig};
    use crate::server::http::route::Retry;
    use crate::server::tls::of_upstream;
    use crate::server::upstream::SharedUpstream;
    use crate::wire::http1::exchange::BodyLimits;
    use minikit::sync::Arc;
    use std::time::Duration;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn a_connection_is_for_routes_with_the_same_tls_and_limits_follow_the_configuration() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = ServerConfig {
            name: "a".to_owned(),
            address: address.to_string().as_str().into(),
            params: PeerParams::default(),
            backup: false,
            resolve: false,
        };
        let upstream = Arc::new(SharedUpstream::new("a", &UpstreamConfig::new(vec![server])));
        let tls = || {
            let config = of_upstream(&Settings::default()).expect("no certificates to read");
            Some(UpstreamTls::new(&config, &Settings::default(), "a.example"))
        };
        let route = |tls, capacity| Route {
            upstream: Arc::clone(&upstream),
            tls,
            pool: PoolLimits { capacity, ..PoolLimits::default() },
            connect_timeout: Duration::MAX,
            send_timeout: Duration::MAX,
            read_timeout: Duration::MAX,
            response_head_max: 4096,
            body: BodyLimits::default(),
            retry: Retry::default(),
        };
        let (clock, mut attempts) = (Clock::new(), Attempts::default());
        let lease = Lease::pick(&upstream, &mut attempts, clock, None).expect("one server");
        let core = HttpCore::<()>::new(clock, 0, 1);
        let put = async |route: &Route| {
            let stream = TcpStream::connect(address).await.expect("it listens");
            let pooled = Pooled::new(lease.id(), ServerStream::Plain(stream), 0);
            core.put_connection(route, pooled);
        };
        let takes = |route: &Route| core.take_connection(route, &lease).is_some();

        // Two locations, or one before and after a reload: only one may verify the certificate.
        let routes = [route(tls(), 2), route(tls(), 2), route(None, 2)];
        for index in 0..3 {
            put(&routes[index]).await;
            let taken = routes.each_ref().map(takes);
            assert_eq!(taken.iter().position(|it| *it), Some(index));
            assert_eq!(taken.iter().filter(|it| **it).count(), 1);
        }

        // A reload that replaces the TLS of a location.
        put(&routes[0]).await;
        put(&routes[2]).await;
        core.expire_connections(|_| false);
        assert!(!takes(&routes[0]) && takes(&routes[2]));

        // A reload from `keepalive 2` to `keepalive 1`.
        let smaller = route(None, 1);
        put(&smaller).await;
        put(&smaller).await;
        assert!(takes(&smaller) && !takes(&smaller));
    }
}
