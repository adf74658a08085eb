//! minilb beside a proxy of a few lines on `hyper`: what the same work costs on a general library.
//!
//! It needs no other program, so it is also the answer on a machine without NGINX and wrk: origin,
//! hyper's proxy and load are threads of this process, and only minilb is a process of its own.
//!
//! ```text
//! generator ─> minilb | the proxy on hyper ─> origin      64 connections, kept open on both sides
//! core:  1     0                              1
//! ```
//!
//! The proxy keeps connections to the origin last in, first out, and removes `Connection`. It has
//! no limits, timeouts, health or log, and passes on all other headers as hyper reads them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::conversation::drive;
use super::load::{self, HTTP, REQUEST_CPU};
use super::systems::{Layer, Proxies, SHORT};
use crate::cores::{Cores, cpu_of_thread};
use crate::generator::Pace;
use crate::model::Comparison;
use crate::rounds::Rounds;
use crate::{Effort, Result};

/// What the comparison is against.
const NAME: &str = "a proxy on hyper";

/// Planned seconds of one side.
pub const SECONDS: f64 = 2.0;

/// Both in turns, before the origin at this address.
///
/// # Errors
/// If a request fails.
pub fn compare(
    rounds: &mut Rounds,
    effort: Effort,
    cores: Option<Cores>,
    proxies: &Proxies,
    origin: SocketAddr,
) -> Result<Comparison> {
    let requests = if effort == Effort::Full { 200_000 } else { 40_000 };
    let pace = Pace::Closed { pipeline: 1 };
    let mut comparison = load::heading(NAME, REQUEST_CPU, "ns");
    comparison.command = format!("our generator: {requests} requests over 64 connections");
    // One for all rounds; its thread ends with this program.
    let hyper = start(cores, move |listener| forward_all(listener, origin))?;
    let measured = rounds.all(&format!("beside {NAME}"), SECONDS, |side| {
        let server = proxies.start(Layer::Http, 0, cores)?;
        let (address, cpu): (_, &dyn Fn() -> Result<Duration>) = match side {
            0 => (server.address, &|| load::cpu(&server)),
            _ => (hyper.address, &|| cpu_of_thread(hyper.thread)),
        };
        let before = cpu()?;
        drive(address, 64, requests, pace)?;
        Ok((cpu()? - before).as_nanos() as f64 / requests as f64)
    })?;
    comparison.rows.push(load::row(HTTP, measured));
    Ok(comparison)
}

/// Starts an origin that answers every request with the short text.
///
/// # Errors
/// If it cannot listen.
pub fn start_origin() -> Result<SocketAddr> {
    Ok(start(None, |listener| async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            tokio::spawn(answer_all(stream));
        }
    })?
    .address)
}

async fn answer_all(mut stream: TcpStream) {
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SHORT}", SHORT.len());
    let mut request = [0; 4096];
    // A request is one read: it is short, and its client waits for the answer.
    while stream.read(&mut request).await.is_ok_and(|count| count > 0) {
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A server in a thread of this process.
struct Server {
    address: SocketAddr,
    thread: u32,
}

fn start<F: Future<Output = ()>>(
    cores: Option<Cores>,
    serve: impl FnOnce(TcpListener) -> F + Send + 'static,
) -> Result<Server> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || -> Result<()> {
        if let Some(cores) = cores {
            cores.take_server_core();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            let thread = rustix::thread::gettid().as_raw_nonzero().get() as u32;
            sender.send(Server { address: listener.local_addr()?, thread })?;
            serve(listener).await;
            Ok(())
        })
    });
    Ok(receiver.recv().map_err(|_| "no server in a thread could be started")?)
}

/// Idle connections to the origin.
type Pool = Arc<Mutex<Vec<SendRequest<Incoming>>>>;

async fn forward_all(listener: TcpListener, origin: SocketAddr) {
    let pool = Pool::default();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        // It delays small messages otherwise; a socket that refuses it is closed already.
        let _ = stream.set_nodelay(true);
        let pool = Arc::clone(&pool);
        tokio::spawn(async move {
            let service = service_fn(|request| forward(request, origin, &pool));
            // A client that is gone ends its own connection only.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn forward(
    mut request: Request<Incoming>,
    origin: SocketAddr,
    pool: &Pool,
) -> Result<Response<Incoming>> {
    let idle = || pool.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = idle().pop().filter(|it| !it.is_closed());
    let mut sender = match kept {
        Some(sender) => sender,
        None => {
            let stream = TcpStream::connect(origin).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender
        }
    };
    request.headers_mut().remove(CONNECTION);
    sender.ready().await?;
    let mut response = sender.send_request(request).await?;
    response.headers_mut().remove(CONNECTION);
    idle().push(sender);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_on_hyper_forwards() {
        let origin = start_origin().unwrap();
        let hyper = start(None, move |listener| forward_all(listener, origin)).unwrap();
        let pace = Pace::Closed { pipeline: 1 };
        assert_eq!(drive(hyper.address, 4, 100, pace).unwrap().latency.len(), 100);
        assert!(cpu_of_thread(hyper.thread).unwrap() > Duration::ZERO);
    }
}
