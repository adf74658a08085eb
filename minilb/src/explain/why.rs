//! `minilb why`: what a configuration does with a burst of the same request.
//!
//! ```text
//! $ minilb why -c nginx.conf http://a/ --times 2 --fail 127.0.0.1:8082
//! 1  200  location /, to upstream app
//!         attempt 1, round robin: 127.0.0.1:8081
//!         server 127.0.0.1:8081: current 0 to -1, effective 1 to 1 of 1, 0 open
//!         server 127.0.0.1:8082: current 0 to 1, effective 1 to 1 of 1, 0 open
//! 2  200  location /, to upstream app
//!         attempt 1, round robin: 127.0.0.1:8082
//!         ...
//!         retried: it fails
//! ```
//!
//! Nothing is sent: servers answer 200 at once, or fail if `--fail` names them, and their state is
//! that of a proxy that has just started. A running one explains its own in the header `X-Explain`.

use crate::conf::config::Config;
use crate::engine::upstream::{Attempts, Outcome};
use crate::server::clock::Clock;
use crate::server::http::core::HttpCore;
use crate::server::http::service::{Client, Decision, HttpService};
use crate::server::nginx::Nginx;
use crate::server::start::http_generation;
use crate::server::upstream::Lease;
use crate::wire::http1::exchange::Exchange;
use minikit::connections::Connections;
use minikit::sync::Arc;
use std::net::SocketAddr;

/// A request, and how often.
#[derive(Clone, Debug, clap::Args)]
pub struct Burst {
    /// `http://HOST/PATH`, or a path
    pub url: String,
    /// The method of the request
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub method: String,
    /// A header of the request; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// The client's address
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:50000")]
    pub from: SocketAddr,
    /// How many requests
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub times: u64,
    /// A server that fails; may be repeated
    #[arg(long = "fail", value_name = "ADDR:PORT")]
    pub failing: Vec<SocketAddr>,
}

/// Explains each of the requests, which come to the first `listen` of the configuration.
///
/// # Errors
/// If it is no HTTP request, or the configuration has no `http` server.
pub fn explain_burst(config: Config, burst: &Burst) -> Result<String, String> {
    let rest = burst.url.strip_prefix("http://");
    let (host, target) = match rest {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("localhost", burst.url.as_str()),
    };
    let target = if target.is_empty() { "/" } else { target };
    let headers = burst.headers.iter().map(|it| format!("{it}\r\n")).collect::<String>();
    let text = format!("{} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n", burst.method);

    let generation = http_generation(config, false)?;
    let local = generation.addresses().next().cloned().ok_or("there is no server in http")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let core = HttpCore::new(Clock::new(), 0, 1);
    let current = || Arc::clone(&generation);
    let (connections, counts) = (Connections::new(), [Arc::default()]);
    let date = Default::default();
    let (core, connections, counts, date) = (&core, &connections, &counts, &date);
    let nginx = Nginx { current: &current, core, connections, counts, index: 0, date };

    let mut out = String::new();
    for number in 1..=burst.times {
        let client = Client { requests: number, ..Client::new(burst.from, local.clone(), 1) };
        let mut exchange = Exchange::default();
        exchange.begin_request();
        exchange.from_client.append(text.as_bytes());
        if exchange.parse_request() != Ok(true) {
            return Err(format!("no HTTP request: {}", text.trim_end()));
        }
        let (status, lines) = runtime.block_on(explain(&nginx, &exchange, client, &burst.failing));
        let mut first = format!("{number:<3}{status}  ");
        for line in lines {
            out += &format!("{first}{line}\n");
            first = " ".repeat(8);
        }
    }
    Ok(out)
}

/// The status of a request, and the steps to it.
async fn explain(
    nginx: &Nginx<'_>,
    exchange: &Exchange,
    client: Client,
    failing: &[SocketAddr],
) -> (u16, Vec<String>) {
    let mut context = Default::default();
    nginx.begin(&client, &mut context);
    let decision = nginx.decide(exchange, &client, &mut context).await;
    let mut lines = nginx.explain(&context);
    let route = match decision {
        Decision::Answer(answer) => return (answer.status, lines),
        Decision::Close => return (444, lines),
        Decision::Forward(route) => route,
    };

    let mut attempts = Attempts::default();
    attempts.clear(nginx.core.next_random());
    nginx.balance_key(exchange, &client, &context, attempts.key());
    loop {
        let explained = Some(&mut lines);
        let lease = Lease::pick(&route.upstream, &mut attempts, nginx.core.clock, explained);
        let Some(mut lease) = lease else { return (502, lines) };
        let address = lease.address();
        if !failing.iter().any(|it| it.to_string() == **address) {
            lease.answered(false);
            return (200, lines);
        }
        lease.outcome = Outcome::Failed;
        drop(lease);
        match route.upstream.state().begin_retry(&attempts) {
            Ok(()) => lines.push("retried: it fails".to_owned()),
            Err(reason) => {
                lines.push(format!("not retried: {reason}"));
                return (502, lines);
            }
        }
    }
}
