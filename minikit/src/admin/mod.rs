//! The admin endpoint: a small HTTP server beside the engine's own, off unless an address is given.
//!
//! | path | what |
//! |---|---|
//! | `/` | the state page: tables for a browser |
//! | `/xray.json` | the same for a program |
//! | `/xray.txt` | the same for a terminal |
//! | `/metrics` | counters and gauges for Prometheus |
//! | `/healthz` | 200 `ok`, or 503 and why not |
//!
//! ```text
//! $ curl -s 127.0.0.1:9100/metrics | grep clients
//! # HELP minicache_clients Clients connected.
//! # TYPE minicache_clients gauge
//! minicache_clients 3
//! ```
//!
//! It runs on its own thread, so it answers while the cores are busy, and costs them only the locks
//! that a page takes. An engine answers through [`Inspect`].
//!
//! **Is it protected?** There is no password: any client that reaches the address can read every
//! page, and no page changes anything. Bind it to an address that only you can reach. Limits on the
//! number of connections, on the bytes of a request and on the seconds of an exchange keep a
//! hostile client from hurting the engine.
//!
//! Redis has no counterpart; its users run an exporter beside it.

mod exposition;
mod http;
mod state_page;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::connections::Connections;
use crate::process::Process;
use crate::server::{Listener, ServerError, Shutdown, Stream};
use crate::sync::{Arc, thread};

pub use self::exposition::{Exposition, Family};
use self::http::{Parsed, Response, parse};
pub use self::state_page::{Section, StatePage};

/// Connections at a time. Browsers open six, scrapers one.
const CONNECTIONS_MAX: usize = 64;
/// How long one connection may take in all.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an engine reports about itself. Called on the admin thread, once per request: take only
/// short locks and never wait.
pub trait Inspect: Send + Sync + 'static {
    /// Adds the engine's own metrics. Those of the process are added by the endpoint.
    fn metrics(&self, out: &mut Exposition);

    /// The engine's state as tables.
    fn state_page(&self) -> StatePage;

    /// Returns `Ok` if the engine can do its work.
    ///
    /// # Errors
    /// The reason why it cannot, in one line.
    fn healthy(&self) -> Result<(), String>;
}

/// A running admin endpoint. Ends when dropped.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    shutdown: Shutdown,
    thread: Option<thread::JoinHandle<()>>,
}

impl Admin {
    /// The address, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.shutdown.request();
        // A panic of that thread was printed and ended only the admin endpoint.
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// Binds `address` (port 0: any) and answers from its own thread.
///
/// # Errors
/// If the address cannot be bound or the thread not started.
pub fn start(address: SocketAddr, engine: Arc<impl Inspect>) -> Result<Admin, ServerError> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(ServerError::Start)?;
    let listener = runtime
        .block_on(TcpListener::bind(address))
        .map_err(|source| ServerError::Listen { flag: "--admin", address, source })?;
    let address = listener.local_addr().map_err(ServerError::Start)?;

    let shutdown = Shutdown::new();
    let until = shutdown.clone();
    let answer = move || runtime.block_on(answer_all(Listener::Tcp(listener), engine, until));
    let thread =
        thread::Builder::new().name("admin".into()).spawn(answer).map_err(ServerError::Start)?;
    Ok(Admin { address, shutdown, thread: Some(thread) })
}

async fn answer_all(listener: Listener, engine: Arc<impl Inspect>, until: Shutdown) {
    let connections = Connections::new();
    let admit = |stream| {
        // Above the limit the connection is closed without an answer.
        let Some(permit) = connections.enter(CONNECTIONS_MAX) else { return };
        let engine = Arc::clone(&engine);
        tokio::spawn(async move {
            // Too slow, gone or done: the connection ends in each case.
            let _ = tokio::time::timeout(PATIENCE, answer_one(stream, engine)).await;
            drop(permit);
        });
    };
    listener.accept_all(until, admit).await;
}

/// Answers one request and ends the connection.
async fn answer_one(mut stream: Stream, engine: Arc<impl Inspect>) -> io::Result<()> {
    let mut received = Vec::new();
    let response = loop {
        if let Some(response) = response_to(&received, &*engine) {
            break response;
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
    };
    stream.write_all(&response).await?;
    stream.shutdown().await?;
    // Read what the client still sends to its end: closing a socket that holds unread bytes resets
    // the connection, and the reset may overtake the response.
    while stream.read(&mut [0; 4096]).await? > 0 {}
    Ok(())
}

/// The response, once the request is complete or known to be bad.
fn response_to(received: &[u8], engine: &impl Inspect) -> Option<Vec<u8>> {
    let (method, path) = match parse(received) {
        Parsed::Incomplete => return None,
        Parsed::Bad(status) => {
            return Some(Response::text(status, "not understood").to_bytes(true));
        }
        Parsed::Request { method, path } => (method, path),
    };
    let response = match method {
        _ if !PATHS.contains(&path) => {
            Response::text(http::NOT_FOUND, format!("here are {}", PATHS.join(" ")))
        }
        "GET" | "HEAD" => respond(path, engine),
        _ => Response::text(http::METHOD_NOT_ALLOWED, "GET and HEAD only"),
    };
    Some(response.to_bytes(method != "HEAD"))
}

const PATHS: [&str; 5] = ["/", "/xray.json", "/xray.txt", "/metrics", "/healthz"];

/// The page at `path`, one of [`PATHS`].
fn respond(path: &str, engine: &impl Inspect) -> Response {
    let ok = |content_type, body| Response { status: http::OK, content_type, body };
    match path {
        "/" => ok("text/html; charset=utf-8", engine.state_page().to_html()),
        "/xray.json" => ok("application/json", engine.state_page().to_json()),
        "/xray.txt" => ok("text/plain; charset=utf-8", engine.state_page().to_text()),
        "/metrics" => {
            let mut page = Exposition::new();
            engine.metrics(&mut page);
            page.process(&Process::look());
            ok(Exposition::CONTENT_TYPE, page.into_text())
        }
        _ => match engine.healthy() {
            Ok(()) => Response::text(http::OK, "ok"),
            Err(reason) => Response::text(http::UNAVAILABLE, reason),
        },
    }
}
